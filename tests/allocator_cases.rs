//! The cases of tt-metal's own allocator tests, one line of script each.
//!
//! Script: `A64=0` allocate bottom-up and expect, `T64=960` top-down, `@512,128=512` at an address,
//! `F0` free, `C` clear, `S64` shrink, `R` reset the size, `D` deallocate all. `none` is no block,
//! `some` any block. Numbers may be sums: `1G-2K`. `0:` before an operation names the allocator.
// A test may stop at its first surprise; its helpers too.
#![allow(clippy::unwrap_used)]

use freeorder::allocator::{
    AllocationError, AllocatorId, BankManager, BankManagerConfig, Dependencies, Direction,
    FreeListConfig, FreeListOpt, Request, SearchPolicy, ShrinkError,
};
use freeorder::allocator::{BlockId, ClearLowest};
use freeorder::units::{BufferType, Bytes, DeviceAddr};

const K: u64 = 1 << 10;
const G: u64 = 1 << 30;

fn number(text: &str) -> u64 {
    let mut sum = 0_i64;
    for part in text.replace('-', "+-").split('+').filter(|part| !part.is_empty()) {
        let (sign, part) = part.strip_prefix('-').map_or((1, part), |rest| (-1, rest));
        let (digits, unit) = match part.chars().last() {
            Some('K') => (&part[..part.len() - 1], 1 << 10),
            Some('M') => (&part[..part.len() - 1], 1 << 20),
            Some('G') => (&part[..part.len() - 1], 1 << 30),
            _ => (part, 1),
        };
        sum += sign * digits.parse::<i64>().unwrap() * unit;
    }
    sum.try_into().unwrap()
}

fn expect(operation: &str, expected: &str, answer: Option<DeviceAddr>) {
    match expected {
        "none" => assert_eq!(answer, None, "{operation}"),
        "some" => assert!(answer.is_some(), "{operation}"),
        address => assert_eq!(answer, Some(DeviceAddr(number(address))), "{operation}"),
    }
}

fn run(list: &mut FreeListOpt, script: &str) {
    for operation in script.split_whitespace() {
        let (request, expected) = operation.split_once('=').unwrap_or((operation, "some"));
        let argument = &request[1..];
        match &request[..1] {
            "A" => {
                let size = Bytes(number(argument));
                expect(operation, expected, list.allocate(size, Direction::BottomUp));
            }
            "T" => {
                let size = Bytes(number(argument));
                expect(operation, expected, list.allocate(size, Direction::TopDown));
            }
            "@" => {
                let (start, size) = argument.split_once(',').unwrap();
                let start = DeviceAddr(number(start));
                expect(operation, expected, list.allocate_at_address(start, Bytes(number(size))));
            }
            "F" => assert!(list.deallocate(DeviceAddr(number(argument))).is_some(), "{operation}"),
            "C" => list.clear(ClearLowest::Keep),
            "S" => list.shrink_size(Bytes(number(argument)), true).unwrap(),
            "R" => list.reset_size(),
            _ => panic!("no such operation: {operation}"),
        }
    }
}

fn config(max_size: u64, least: u64, policy: SearchPolicy) -> FreeListConfig {
    FreeListConfig {
        max_size: Bytes(max_size),
        offset: DeviceAddr(0),
        min_allocation: Bytes(least),
        alignment: Bytes(least),
        policy,
    }
}

fn best() -> FreeListOpt {
    FreeListOpt::new(config(G, K, SearchPolicy::Best))
}

fn first() -> FreeListOpt {
    FreeListOpt::new(config(G, K, SearchPolicy::First))
}

/// A `FreeListOpt` of tt-metal's test, after a script.
fn best_after(script: &str) -> FreeListOpt {
    let mut list = best();
    run(&mut list, script);
    list
}

fn range(start: u64, end: u64) -> (DeviceAddr, DeviceAddr) {
    (DeviceAddr(start), DeviceAddr(end))
}

/// Each row is one test of `test_free_list_opt_allocator.cpp`.
#[test]
fn best_fit_gives_the_addresses_of_the_cpp_tests() {
    let cases = [
        ("Allocation", "A1K=0 A1K=1K"),
        ("Clear", "A1K A1K C A1K=0"),
        ("AllocateAtAddress", "A1K=0 @1K,1K=1K @1K,1K=none @2K,1K=2K F0 @0,1K=0"),
        ("AllocateAtAddressInteractions", "@32K,1K=32K A1K=0 T1K=31K A1K=1K"),
        ("ShrinkAndReset", "A1K=0 A1K=1K F0 S1K @0,1K=none @1K,1K=none R F1K A2K=some"),
        ("ShrinkEntireLeadingFreeBlockAndReset", "T1K=1G-1K S1G-1K A1K=none R A1G-1K=0"),
        ("AllocateFromTop", "T1K=1G-1K T1K=1G-2K A1K=0"),
        ("Coalescing", "A1K A1K A1K F1K F0 A2K=0"),
        ("CoalescingAfterResetShrink", "A1K A1K A1K F1K F0 S1K R A2K=0"),
        ("CoalescingAfterResetShrink, older", "A1K A1K A1K F1K F0 S1K A2K=3K R A2K=0"),
        ("OutOfMemory", "A1G=some A1K=none C A1G-1K=some A2K=none"),
        ("FirstFit, under best fit", "A1K=0 A3K=1K A1K=4K A1K=5K A1K=6K F1K F5K A1K=5K"),
        ("ReallocateAtSameAddress", "@1K,1K=1K F1K @1K,1K=1K"),
        ("not the smallest block", "A15K=0 A1K=15K A9K=16K A1K=25K F0 F16K A8K=0"),
    ];
    for (name, script) in cases {
        println!("{name}");
        best_after(script);
    }
}

#[test]
fn first_fit_gives_the_addresses_of_the_cpp_tests() {
    let cases = [
        ("FirstFit", "A1K=0 A3K=1K A1K=4K A1K=5K A1K=6K F1K F5K A1K=1K"),
        ("FirstFitAllocateAtAddressInteractions", "@32K,1K=32K A1K=0 T1K=1G-1K A1K=1K"),
    ];
    for (name, script) in cases {
        println!("{name}");
        run(&mut first(), script);
    }
}

#[test]
fn sizes_are_rounded_to_the_minimum_and_to_the_alignment() {
    let mut aligned =
        FreeListOpt::new(FreeListConfig { min_allocation: Bytes(1), ..*best().config() });
    run(&mut aligned, "A64=0 A64=1K");
    let mut least = FreeListOpt::new(FreeListConfig { alignment: Bytes(1), ..*best().config() });
    run(&mut least, "A1=0 A1=1K");
}

#[test]
fn blocks_can_be_freed_in_either_order() {
    let mut list = best();
    for reverse in [true, false] {
        let mut addresses: Vec<_> =
            (0..10).map(|_| list.allocate(Bytes(K), Direction::BottomUp).unwrap()).collect();
        if reverse {
            addresses.reverse();
        }
        for address in addresses {
            assert_eq!(list.deallocate(address), Some(Bytes(K)));
        }
    }
    assert_eq!(list.blocks().count(), 1);
}

#[test]
fn a_shrink_by_the_whole_region_is_refused_and_changes_nothing() {
    let mut list = best();
    let before: Vec<_> = list.blocks().collect();
    let error = list.shrink_size(Bytes(G), true).unwrap_err();
    assert_eq!(error, ShrinkError::TooLarge { size: Bytes(G), max_size: Bytes(G) });
    assert!(error.to_string().contains("must be smaller than max size"), "{error}");
    assert_eq!(list.blocks().collect::<Vec<_>>(), before);
    assert_eq!(list.statistics().total_free, Bytes(G));
    assert_eq!(list.shrink_size(Bytes(K), false), Err(ShrinkError::FromTheTop));
}

#[test]
fn statistics_count_allocated_bytes() {
    let list = best_after("A1K A1K F0");
    assert_eq!(list.statistics().total_allocated, Bytes(K));
    assert_eq!(list.statistics().largest_free, Bytes(G - 2 * K));
    assert_eq!(list.allocated_bytes(), Bytes(K));
}

#[test]
fn available_addresses_are_whole_free_blocks() {
    let mut list = best_after("A1K");
    assert_eq!(list.available_addresses(Bytes(K)), [range(K, G)]);
    run(&mut list, "C A1K A1K A1K F1K");
    assert_eq!(list.available_addresses(Bytes(K)), [range(K, 2 * K), range(3 * K, G)]);
    assert_eq!(list.available_addresses(Bytes(10 * K)), [range(3 * K, G)]);
}

#[test]
fn the_lowest_occupied_address_follows_frees() {
    let mut list = best_after("A1K A1K A1K");
    let steps = [("", Some(0)), ("F0", Some(K)), ("F1K", Some(2 * K)), ("F2K", None)];
    for (script, lowest) in steps {
        run(&mut list, script);
        assert_eq!(list.lowest_occupied_address(), lowest.map(DeviceAddr), "{script}");
    }
    run(&mut list, "@1K,1K");
    assert_eq!(list.lowest_occupied_address(), Some(DeviceAddr(K)));
    run(&mut list, "F1K");
    assert_eq!(list.lowest_occupied_address(), None);
}

/// After `clear` the C++ class still reports the old value: a circular-buffer clash with nothing.
#[test]
fn clear_keeps_a_stale_lowest_occupied_address_unless_told_otherwise() {
    let mut list = best_after("A1K A1K C");
    assert_eq!(list.lowest_occupied_address(), Some(DeviceAddr(0)));
    run(&mut list, "T1K F1G-1K");
    assert_eq!(list.lowest_occupied_address(), Some(DeviceAddr(0)));
    list.clear(ClearLowest::Reset);
    assert_eq!(list.lowest_occupied_address(), None);
}

#[test]
fn allocated_addresses_come_in_the_order_of_the_block_table() {
    let mut list = best_after("T512K=1G-512K A2K=0 A500=2K");
    let all = [range(G - 512 * K, G), range(0, 2 * K), range(2 * K, 3 * K)];
    assert_eq!(list.allocated_addresses(), all);
    run(&mut list, "F1G-512K");
    assert_eq!(list.allocated_addresses(), all[1..]);
    run(&mut list, "C");
    assert_eq!(list.allocated_addresses(), []);
    run(&mut list, "T1K S1K");
    assert_eq!(list.allocated_addresses(), [range(G - K, G)]);
    run(&mut list, "R");
    assert_eq!(list.allocated_addresses(), [range(G - K, G)]);
    assert_eq!(list.block_table()[0].id, BlockId(0));
}

#[test]
fn every_address_is_absolute() {
    let mut list =
        FreeListOpt::new(FreeListConfig { offset: DeviceAddr(2 * K), ..*best().config() });
    assert_eq!(list.available_addresses(Bytes(K)), [range(2 * K, G + 2 * K)]);
    run(&mut list, "@2K,3K=2K");
    assert_eq!(list.allocated_addresses(), [range(2 * K, 5 * K)]);
    assert_eq!(list.available_addresses(Bytes(K)), [range(5 * K, G + 2 * K)]);
    run(&mut list, "T2K=1G");
    assert_eq!(list.available_addresses(Bytes(K)), [range(5 * K, G)]);
    assert_eq!(list.block_size(DeviceAddr(2 * K)), Some(Bytes(3 * K)));
    assert_eq!(list.block_size(DeviceAddr(3 * K)), None);
}

/// The tests of the older `FreeList`, which first fit answers alike.
#[test]
fn first_fit_gives_the_addresses_of_the_old_free_list_tests() {
    let cases = [
        "A32=0 @64,32=64 A48=96 A16=32 @512,128=512 F96 @128,64=128 A32=96 F32 F64 A64=32 \
         A316=192 F32 F128 F96 @64,96=64 F192 @256,128=256 F0 A28=0 T64=960 T128=832 @736,96=736 \
         T96=640 T96=416 F416 F512 A224=384 F736 C A1024=0 F0 A64=0 A960=64",
        "T32=992 S64 T32=960 A32=64 R A32=0 A32=32 F0 A64=96 S32 F32 A32=32",
        "@32,992=32 S32 T32=none @0,32=none F32 A32=32 T32=992 R A32=0 F32 A32=32",
    ];
    for script in cases {
        run(&mut FreeListOpt::new(config(1024, 32, SearchPolicy::First)), script);
    }
}

/// An odd address makes the units finer; nothing else may change.
#[test]
fn an_unaligned_address_is_taken_and_leaves_unaligned_neighbours() {
    let mut list = FreeListOpt::new(config(4096, 64, SearchPolicy::First));
    run(&mut list, "A64=0 @100,64=100 A64=164 F100 F0 A100=0");
    assert_eq!(list.deallocate(DeviceAddr(101)), None);
}

#[test]
fn a_region_of_no_bytes_gives_nothing() {
    let mut list = FreeListOpt::new(config(0, 32, SearchPolicy::First));
    run(&mut list, "A32=none T1=none @0,32=none");
    assert_eq!(list.statistics().largest_free, Bytes(0));
}

/// Allocators 0 and 1 are independent; 2 overlaps both.
fn dependent() -> Dependencies {
    let ids = [AllocatorId(0), AllocatorId(1)];
    Dependencies::new(&[(AllocatorId(2), &ids)]).unwrap()
}

fn manager(buffer_type: BufferType, limit: u64) -> BankManager {
    let config = BankManagerConfig {
        buffer_type,
        bank_count: 1,
        bank_size: Bytes(1 << 20),
        offset: DeviceAddr(0),
        page_alignment: Bytes(K),
        block_alignment: Bytes(K),
        interleaved_address_limit: DeviceAddr(limit),
        compute_core_count: 1,
        policy: SearchPolicy::First,
        atomic_allocation: false,
    };
    BankManager::new(config, dependent())
}

fn ask(
    manager: &mut BankManager,
    id: AllocatorId,
    size: u64,
    direction: Direction,
) -> Result<DeviceAddr, AllocationError> {
    let size = Bytes(size);
    manager.allocate(id, Request { size, page_size: size, num_shards: None, direction })
}

fn run_banks(manager: &mut BankManager, script: &str) {
    for operation in script.split_whitespace() {
        if operation == "D" {
            manager.deallocate_all();
            continue;
        }
        let (id, rest) = operation.split_once(':').unwrap();
        let id = AllocatorId(id.parse().unwrap());
        let (request, expected) = rest.split_once('=').unwrap_or((rest, "some"));
        let value = number(&request[1..]);
        let direction = match &request[..1] {
            "A" => Direction::BottomUp,
            "T" => Direction::TopDown,
            _ => {
                let freed = manager.deallocate(id, DeviceAddr(value)).unwrap();
                assert!(freed.is_some(), "{operation}");
                continue;
            }
        };
        expect(operation, expected, ask(manager, id, value, direction).ok());
    }
}

#[test]
fn neighbouring_allocators_avoid_each_other() {
    let cases = [
        "0:A1K=0 1:A2K=0 1:A1K=2K 2:A1K=3K 0:A1K=1K 1:A1K=4K 2:F3K 0:A2K=2K 1:A1K=3K 0:F1K 1:F0 \
         2:A1K=1K",
        "0:T1K=1M-1K 1:T2K=1M-2K 1:T1K=1M-3K 2:T1K=1M-4K 0:T1K=1M-2K 1:T1K=1M-5K 2:F1M-4K \
         0:T2K=1M-4K 1:T1K=1M-4K 0:F1M-2K 1:F1M-2K 2:T1K=1M-2K",
        "0:A512=0 2:A512=1K 1:A512=0 1:A512=2K 0:A2K=2K",
        "0:A512K=0 0:A1K=512K 1:T2K=1M-2K 1:T512K=1M-514K 2:A1K=none 1:F1M-514K 2:A1K=513K \
         2:T1K=1M-3K 0:F0 2:T512K=0 2:A256K=514K",
    ];
    for script in cases {
        run_banks(&mut manager(BufferType::Dram, 0), script);
    }
    let mut freed = manager(BufferType::Dram, 0);
    run_banks(&mut freed, "2:A1K=0 2:F0");
    assert_eq!(freed.allocator(AllocatorId(2)).unwrap().lowest_occupied_address(), None);
}

#[test]
fn out_of_memory_beside_neighbours_says_so() {
    let mut manager = manager(BufferType::Dram, 0);
    run_banks(&mut manager, "0:A512K=0 0:A1K=512K 1:T2K=1M-2K 1:T512K=1M-514K");
    let error = ask(&mut manager, AllocatorId(2), K, Direction::BottomUp).unwrap_err();
    let text = error.to_string();
    let expected = "Out of Memory: Not enough space after considering dependencies to allocate \
                    1024 B DRAM across 1 banks (1024 B per bank)";
    assert!(text.starts_with(expected), "{text}");
}

#[test]
fn the_address_limit_clamps_what_neighbours_leave() {
    let mut manager = manager(BufferType::L1, 256 * K);
    let script = "0:A1K=256K 1:A513K=256K 2:T256K=none 2:A1K=769K D 0:A1K=256K";
    run_banks(&mut manager, script);
}

#[test]
fn l1_with_an_offset_goes_down_from_the_top() {
    let config = BankManagerConfig {
        offset: DeviceAddr(100_416),
        bank_size: Bytes(1_398_720),
        page_alignment: Bytes(16),
        block_alignment: Bytes(16),
        interleaved_address_limit: DeviceAddr(100_432),
        ..*manager(BufferType::L1, 1).config()
    };
    let mut manager = BankManager::new(config, dependent());
    run_banks(&mut manager, "0:T4096=1495040 0:T4096=1490944 0:A4096=100432 0:A4096=104528");
}

#[test]
fn bad_ids_and_lists_are_named() {
    let two = Dependencies::new(&[(AllocatorId(0), &[AllocatorId(1)])]).unwrap();
    let mut manager = BankManager::new(*manager(BufferType::Dram, 0).config(), two);
    let error = ask(&mut manager, AllocatorId(2), K, Direction::BottomUp).unwrap_err();
    assert_eq!(error.to_string(), "Invalid allocator ID 2 (num_allocators=2)");
    let error = manager.shrink_size(Bytes(K), true).unwrap_err();
    assert_eq!(error.to_string(), "Expected single allocator!");
    let twice = [AllocatorId(1), AllocatorId(1)];
    let error = Dependencies::new(&[(AllocatorId(0), &twice)]).unwrap_err();
    let expected = "Duplicate dependency for allocator 0: 1 appears more than once!";
    assert_eq!(error.to_string(), expected);
}
