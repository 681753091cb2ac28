//! Sizes by banks, merges, and what can be said of them.

use freeorder::allocator::bank_manager::size_per_bank;
use freeorder::op::{BufferSpec, CoreRange, Op, Pages, Piece, Place};
use freeorder::scenario::{Case, Scenario};
use freeorder::search::aim::{Aim, Failure, Model};
use freeorder::search::minimize::{Attempt, Options, minimize};
use freeorder::server::ServerKind;
use freeorder::units::Bytes;
use freeorder::violation::OracleName;

use crate::inputs::{self, Input, Planted};
use crate::naive::fails;

/// The text of what a case on one chip is reduced to, behind the setup; each candidate that is kept
/// on the way can be printed and read again.
fn reduced(setup: &str, operations: &str, oracle: OracleName) -> String {
    let text = format!("freeorder 1\nmachine N150\n{setup}open m0 1x1\n{operations}");
    let case = Case::of(&text.parse::<Scenario>().unwrap());
    let failure = Failure::Oracle(oracle);
    let aim = Aim { fixes: "final".parse().unwrap(), server: ServerKind::K2, failure };
    let mut log = |attempt: &Attempt<'_>| {
        if attempt.kept {
            let text = attempt.case.scenario().to_string();
            assert_eq!(Case::of(&text.parse::<Scenario>().unwrap()), *attempt.case, "{text}");
        }
    };
    let mut options = Options { log: Some(&mut log), ..Options::default() };
    let minimized = minimize(&case, &mut Model::new(aim), &mut options).unwrap();
    assert!(minimized.complete);
    assert!(fails(&minimized.case, aim));
    let text = minimized.case.scenario().to_string();
    let start = format!("freeorder 1\nmachine N150\n{setup}");
    text.strip_prefix(&start).unwrap_or_else(|| panic!("{text}")).to_owned()
}

fn below_the_limit(operations: &str) -> String {
    reduced("l1-limit 1400000\n", operations, OracleName::DeviceLeak)
}

const ONE_PAGE: &str = "open m0 1x1\nalloc b0 on m0 l1 1x99168\n";

/// Every page has another size, so that pages cannot be added up.
#[test]
fn fifty_allocations_of_different_pages_become_one() {
    let lines: Vec<String> =
        (0..50).map(|name| format!("alloc b{name} on m0 l1 1x{}\n", 1248 + 32 * name)).collect();
    assert_eq!(below_the_limit(&lines.concat()), ONE_PAGE);
}

/// Pairs are too many then, and neighbours are merged instead.
#[test]
fn two_hundred_allocations_of_different_pages_become_one() {
    let lines: Vec<String> = (0..200)
        .map(|name| format!("alloc b{name} on m0 l1 1x{}\n", 32 * (1 + name % 40)))
        .collect();
    assert_eq!(below_the_limit(&lines.concat()), ONE_PAGE);
}

/// The sum of what they have in a bank is what counts, not that of pages in all banks.
#[test]
fn six_allocations_become_one_that_is_no_larger() {
    let sizes = [12000, 14016, 16000, 18016, 20000, 22016];
    let lines: Vec<String> =
        (0..).zip(sizes).map(|(name, size)| format!("alloc b{name} on m0 l1 1x{size}\n")).collect();
    assert_eq!(below_the_limit(&lines.concat()), ONE_PAGE);
}

/// Pages that share a bank are as good as one large page in it.
#[test]
fn pages_that_share_a_bank_become_one_page() {
    assert_eq!(below_the_limit("alloc b0 on m0 l1 128x98304\n"), ONE_PAGE);
}

/// Two allocations of as many pages, of different sizes.
#[test]
fn a_block_that_a_throw_keeps_is_shown_with_one_buffer() {
    let operations = "alloc b0 on m0 l1 64x98304\nalloc b1 on m0 l1 64x2048\n";
    assert_eq!(below_the_limit(operations), ONE_PAGE);
}

/// The sum of the pages is more than the language has.
#[test]
fn what_fills_dram_is_merged_within_the_limits_of_the_language() {
    let lines: Vec<String> =
        (0..40).map(|name| format!("alloc b{name} on m0 dram 16000000x32\n")).collect();
    let text = reduced("", &lines.concat(), OracleName::Oom);
    assert_eq!(text, "open m0 1x1\nalloc b0 on m0 dram 1x1072693216\n");
}

/// What the setup reserves, views, ranges of cores, devices and managers: each with a least number.
#[test]
fn reserves_views_and_numbers_go_down() {
    let is_needed = |op: &Op| match op {
        Op::Alloc { place: Place::Device(device), .. } => device.0 >= 2,
        Op::View { pages, .. } => pages.is_some_and(|pages| pages.total() >= Bytes(100)),
        Op::Release { piece: Piece::Local(device), .. } => device.0 >= 3,
        Op::Program { circular_buffers, .. } => circular_buffers.iter().any(|group| {
            let core = CoreRange { start: (2, 3), end: (2, 3) };
            group.cores.is_some_and(|cores| cores.intersects(core))
        }),
        Op::LoadManager { manager, .. } => manager.0 >= 4,
        _ => false,
    };
    let rule = |case: &Case| {
        let reserved = case.start().reserved;
        let reserves =
            (reserved.trace_region_size >= Bytes(1000)) && (reserved.l1_small_size >= Bytes(500));
        reserves && case.ops.iter().filter(|(_, op)| is_needed(op)).count() == 5
    };
    let start = inputs::case(
        "trace-region 1048576; l1-small 32768; alloc b0 on d6 dram 1x32; view b1 of b0 9x64; \
         release b0 d7; program p0 on m0 cbs 1x32@1-1:6-5; load-manager m0 s9",
    );
    let result = inputs::reduce(&start, &mut Planted(rule)).case;
    let expected = "freeorder 1\nmachine N150\ntrace-region 1024\nl1-small 512\n\
                    alloc b0 on d2 dram 1x32\nview b1 of b0 2x64\n\
                    program p0 on m0 cbs 1x32@2-3:2-3\nrelease b0 d3\nload-manager m0 s4\n";
    assert_eq!(result.scenario().to_string(), expected);
}

/// What the passes promise of results in the model, checked by running every merge anew.
#[test]
fn no_two_allocations_can_become_one_page_of_both() {
    let mut tried = 0;
    for Input { case, aim } in inputs::basics(240).into_iter().chain(inputs::wild(80)) {
        let result = inputs::reduce(&case, &mut Model::new(aim)).case;
        let memory = result.start().memory;
        let spec = |op: usize| result.ops[op].1.spec().copied();
        let in_a_bank = |spec: BufferSpec| {
            let banks = spec.shards.unwrap_or(memory.region(spec.buffer_type).bank_count);
            let (Pages { count, size }, alignment) =
                (spec.pages, memory.page_alignment(spec.buffer_type));
            size_per_bank(count.into(), size, alignment, banks.max(1)).round_up(Bytes(32))
        };
        for kept in 0..result.ops.len() {
            for other in (0..result.ops.len()).filter(|&other| other != kept) {
                let (Some(one), Some(two)) = (spec(kept), spec(other)) else { continue };
                if one.buffer_type != two.buffer_type {
                    continue;
                }
                let mut merged = result.clone();
                let size = Bytes(in_a_bank(one).0 + in_a_bank(two).0);
                merged.ops[kept].1.spec_mut().unwrap().pages = Pages { count: 1, size };
                merged.ops.remove(other);
                assert!(!fails(&merged, aim), "{kept} and {other} of\n{}", result.scenario());
                tried += 1;
            }
        }
    }
    assert!(tried > 10, "{tried}");
}
