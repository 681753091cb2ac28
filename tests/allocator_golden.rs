//! Replays of traces recorded from the C++ class: every address must agree.
// A test may stop at its first surprise; its helpers too.
#![allow(clippy::unwrap_used)]

use std::fs;
use std::path::Path;

use freeorder::allocator::walk::{LIVE_BLOCK_COUNTS, Walk};
use freeorder::allocator::{
    BlockId, ClearLowest, Direction, FreeListConfig, FreeListOpt, SearchPolicy, Statistics,
};
use freeorder::units::{Bytes, DeviceAddr};

fn field(line: &str, name: &str) -> u64 {
    let value = line.split_whitespace().find_map(|word| word.strip_prefix(name)).unwrap();
    value.parse().unwrap()
}

fn open(line: &str) -> FreeListOpt {
    FreeListOpt::new(FreeListConfig {
        max_size: Bytes(field(line, "capacity=")),
        offset: DeviceAddr(field(line, "offset=")),
        min_allocation: Bytes(field(line, "min=")),
        alignment: Bytes(field(line, "align=")),
        policy: if line.contains("policy=first") {
            SearchPolicy::First
        } else {
            SearchPolicy::Best
        },
    })
}

fn address(word: &str) -> Option<DeviceAddr> {
    (word != "none").then(|| DeviceAddr(word.parse().unwrap()))
}

fn bytes(word: &str) -> Bytes {
    Bytes(word.parse().unwrap())
}

fn number(word: &str) -> u64 {
    word.parse().unwrap()
}

/// What the C++ class answers to an allocation, with its address limit.
fn allocate(list: &mut FreeListOpt, size: &str, end: &str, limit: u64) -> String {
    let lowest = list.lowest_occupied_address();
    let direction = if end == "top" { Direction::TopDown } else { Direction::BottomUp };
    match list.allocate(bytes(size), direction) {
        Some(address) if address.0 < limit => {
            list.restore_lowest(lowest);
            let text = "throws Out of Memory: Cannot allocate at an address below";
            format!(" -> {text} {limit}. Allocation at {address}")
        }
        found => arrow(found),
    }
}

fn arrow<T: ToString>(found: Option<T>) -> String {
    format!(" -> {}", found.map_or_else(|| "none".to_owned(), |found| found.to_string()))
}

fn ranges(ranges: &[(DeviceAddr, DeviceAddr)]) -> String {
    if ranges.is_empty() {
        return " -> empty".to_owned();
    }
    let texts: Vec<_> = ranges.iter().map(|(start, end)| format!("{start}-{end}")).collect();
    format!(" -> {}", texts.join(","))
}

fn table(list: &FreeListOpt) -> String {
    let id = |id: Option<BlockId>| id.map_or_else(|| "-".to_owned(), |id| id.0.to_string());
    let offset = list.config().offset.0;
    let rows = list.block_table().into_iter().map(|row| {
        let (address, size) = (row.block.address.0 - offset, row.block.size);
        let state = if row.block.allocated { "a" } else { "f" };
        format!("{}:{address}:{size}:{}:{}:{state}", row.id.0, id(row.prev), id(row.next))
    });
    format!(" -> {}", rows.collect::<Vec<_>>().join(","))
}

fn stats(list: &FreeListOpt) -> String {
    let Statistics { total_allocatable, total_allocated, total_free, largest_free } =
        list.statistics();
    let text = format!("total={total_allocatable} allocated={total_allocated}");
    format!(" -> {text} free={total_free} largest={largest_free}")
}

fn answer(list: &mut FreeListOpt, words: &[&str]) -> String {
    match words {
        ["alloc", size, end] => allocate(list, size, end, 0),
        ["alloc", size, end, limit] => allocate(list, size, end, number(limit)),
        ["alloc_at", start, size] => {
            arrow(list.allocate_at_address(address(start).unwrap(), bytes(size)))
        }
        ["free", start] => match list.deallocate(address(start).unwrap()) {
            Some(_) => String::new(),
            None => " -> unknown".to_owned(),
        },
        ["clear"] => {
            list.clear(ClearLowest::Keep);
            String::new()
        }
        ["shrink", size, rest @ ..] => match list.shrink_size(bytes(size), rest.is_empty()) {
            Ok(()) => String::new(),
            Err(error) => format!(" -> throws {error}"),
        },
        ["reset"] => {
            list.reset_size();
            String::new()
        }
        ["lowest"] => arrow(list.lowest_occupied_address()),
        ["stats"] => stats(list),
        ["allocated"] => ranges(&list.allocated_addresses()),
        ["available", size] => ranges(&list.available_addresses(bytes(size))),
        ["size", start] => arrow(list.block_size(address(start).unwrap())),
        ["table"] => table(list),
        _ => panic!("a line of no known form: {words:?}"),
    }
}

fn replay(name: &str, text: &str) -> usize {
    let mut lines = text.lines();
    let mut list = open(lines.next().unwrap());
    let mut count = 0;
    for (index, line) in lines.enumerate() {
        let request = line.split(" -> ").next().unwrap();
        let words: Vec<&str> = request.split_whitespace().collect();
        let answer = format!("{request}{}", answer(&mut list, &words));
        assert_eq!(answer, line, "{name}, line {}", index + 2);
        count += 1;
    }
    count
}

/// The traces are the only direct evidence of the C++ class that a build can check.
#[test]
fn every_golden_trace_gives_the_answers_of_the_cpp_class() {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/data/golden/free_list_opt");
    let mut operations = 0;
    for entry in fs::read_dir(folder).unwrap() {
        let path = entry.unwrap().path();
        operations += replay(&path.display().to_string(), &fs::read_to_string(&path).unwrap());
    }
    assert!(operations > 11_000, "only {operations} operations were replayed");
}

/// The same walk was run on the C++ class of ttnn 0.81.1; its sum tells of every address given.
#[test]
fn the_walk_gives_the_addresses_of_the_cpp_class() {
    let best = [0x4_9e76_e800, 0xa_3f1f_d800, 0x1d_5945_9000, 0x93_6ac8_3000, 0x5ba_4636_8000];
    let first = [0x4_51a2_8000, 0x9_88f3_0000, 0x1b_cb79_2000, 0x8d_6271_3000, 0x588_f4da_5800];
    for (policy, sums) in [(SearchPolicy::Best, best), (SearchPolicy::First, first)] {
        for (live, sum) in LIVE_BLOCK_COUNTS.into_iter().zip(sums) {
            let mut walk = Walk::new(live, policy, 1);
            walk.run(live as u64 * 20 + 20_000);
            assert_eq!(walk.checksum(), sum, "{policy:?}, {live} blocks");
        }
    }
}
