//! The reducer against its own promises, and against plain enumerations that share nothing with it.

#![allow(clippy::unwrap_used, reason = "a test that cannot make its input has failed")]

mod common;
#[path = "minimize/inputs.rs"]
mod inputs;
#[path = "minimize/naive.rs"]
mod naive;
#[path = "minimize/sizes.rs"]
mod sizes;

use std::cell::Cell;
use std::collections::{BTreeMap, BTreeSet};
use std::time::Instant;

use freeorder::choice::Seeded;
use freeorder::fix::Preset;
use freeorder::generate::{self, Order, Profile};
use freeorder::journal::Tracking;
use freeorder::measure::reduction::{self, Small, small_inputs};
use freeorder::op::{Handle, Name, Op, Pages, ThreadId};
use freeorder::scenario::{Case, Scenario};
use freeorder::search::aim::{Aim, Failure, Model, Subject};
use freeorder::search::catalogue::entries;
use freeorder::search::enumerate::{Limits, alphabet, enumerate, enumerate_smaller};
use freeorder::search::minimize::{
    Attempt, DoesNotFail, Options, minimize, minimize_and_prove, needed_fixes,
};
use freeorder::search::optimum::{optimum, size, words};
use freeorder::search::replay::Replayer;
use freeorder::server::ServerKind;
use freeorder::units::{Bytes, MeshShape};
use freeorder::violation::OracleName;
use freeorder::world::Action;

use inputs::{Input, Planted, UNDER, case, counts, input, ops, reduce};
use naive::{Free, Naive, fails};

/// A result that fails in another way would send its reader after another bug.
#[test]
fn the_class_never_changes() {
    let all = inputs::basics(240).into_iter().chain(inputs::wild(160));
    let mut reduced = 0;
    for Input { case, aim } in all {
        let minimized = reduce(&case, &mut Model::new(aim));
        assert!(minimized.complete);
        assert!(fails(&minimized.case, aim), "{aim:?}\n{}", minimized.case.scenario());
        assert!(minimized.case.ops.len() <= case.ops.len());
        reduced += 1;
    }
    assert_eq!(reduced, 400);
}

/// The first promise: 2-minimal, checked by running every deletion anew.
#[test]
fn no_one_and_no_two_operations_can_be_left_out() {
    let mut tried = 0;
    for Input { case, aim } in inputs::basics(120).into_iter().chain(inputs::wild(80)) {
        let result = reduce(&case, &mut Model::new(aim)).case;
        for second in 0..result.ops.len() {
            for first in 0..=second {
                let mut shorter = result.clone();
                shorter.ops.remove(second);
                if first < second {
                    shorter.ops.remove(first);
                }
                tried += 1;
                let text = result.scenario();
                assert!(!fails(&shorter, aim), "{first} and {second} of {aim:?}\n{text}");
            }
        }
    }
    assert!(tried > 1000, "{tried}");
}

/// Nor a whole name, a thread, a line of the setup, or a chip of a mesh.
#[test]
fn no_name_thread_setup_or_device_can_be_left_out() {
    for Input { case, aim } in inputs::basics(60).into_iter().chain(inputs::wild(60)) {
        let result = reduce(&case, &mut Model::new(aim)).case;
        let text = result.scenario();
        for name in result.ops.iter().flat_map(|(_, op)| op.names()) {
            let mut without = result.clone();
            without.ops.retain(|(_, op)| !op.names().contains(&name));
            assert!(!fails(&without, aim), "{name:?} of\n{text}");
        }
        assert!(result.ops.iter().all(|(thread, _)| *thread == ThreadId(0)), "{text}");
        for place in 0..result.ops.len() {
            let mut fewer = result.clone();
            let (Op::Open { shape, .. } | Op::Submesh { shape, .. }) = &mut fewer.ops[place].1
            else {
                continue;
            };
            let MeshShape { rows, columns } = *shape;
            if rows > 1 || columns > 1 {
                shape.rows = if rows > 1 { rows - 1 } else { rows };
                shape.columns = if rows > 1 { columns } else { columns - 1 };
                assert!(!fails(&fewer, aim), "a smaller mesh in\n{text}");
            }
        }
        for line in 1..result.setup.len() {
            let mut without = result.clone();
            without.setup.remove(line);
            assert!(!fails(&without, aim), "line {line} of\n{text}");
        }
    }
}

/// Sizes that depend on one another: one can only go down when another goes up.
#[test]
fn sizes_come_to_their_lowest_sum() {
    type Rule = fn(&[u32]) -> bool;
    let rules: [Rule; 6] = [
        |n| n.len() == 2 && n[0] * n[1] >= 12,
        |n| n.len() == 2 && n[0] + 3 * n[1] >= 20,
        |n| n.len() == 2 && n[0] > n[1] + 4,
        |n| n.len() == 3 && n[0] == 2 * n[1] && n[2] >= n[1] && n[2] > 1,
        |n| n.len() == 3 && n.iter().sum::<u32>() % 7 == 6,
        |n| n.len() == 1 && n[0] > 37,
    ];
    let starts = ["64 9 0", "30 20 0", "60 2 0", "40 20 25", "20 20 8", "61 0 0"];
    for (rule, start) in rules.into_iter().zip(starts) {
        let mut lines = vec!["open m0 1x1".to_owned()];
        for (name, count) in start.split(' ').enumerate().filter(|&(_, count)| count != "0") {
            lines.push(format!("alloc b{name} on m0 dram {count}x2048"));
        }
        let start = case(&lines.join("; "));
        let result = reduce(&start, &mut Planted(|case: &Case| rule(&counts(case)))).case;
        let reached = counts(&result);
        let sum: u32 = reached.iter().sum();
        let mut lower = vec![1; reached.len()];
        loop {
            assert!(lower.iter().sum::<u32>() >= sum || !rule(&lower), "{reached:?}, {lower:?}");
            let Some(slot) = lower.iter().rposition(|&count| count < sum) else { break };
            lower[slot] += 1;
            lower[slot + 1..].fill(1);
        }
    }
}

/// Lower sizes of one allocation that the reducer promises to have tried: to a half, three quarters
/// and so on, by one, and to few, of pages and of their number.
fn lower_sizes(pages: Pages) -> Vec<Pages> {
    let near = |number: u64| (1..64).map(move |half| number - (number >> half));
    let mut lower: Vec<Pages> = near(pages.count.into())
        .chain(1..=3)
        .map(|count| Pages { count: count as u32, ..pages })
        .collect();
    lower.extend(near(pages.size.0 / 32).map(|units| Pages { size: Bytes(32 * units), ..pages }));
    lower.retain(|lower| lower.total() < pages.total() && lower.count > 0 && lower.size.0 > 0);
    lower
}

/// Programs of every kind, cut short where they fail earlier than they did.
fn drawn() -> impl Iterator<Item = Input> {
    let cases = (0..40).flat_map(|seed| {
        Profile::ALL.map(|profile| {
            let case = generate::case(profile, Order::Urw, &mut Seeded::new(seed));
            let nth = (seed as usize * Profile::ALL.len() + profile as usize) % 144;
            input(case, UNDER[nth % UNDER.len()], nth / UNDER.len())
        })
    });
    cases.flatten()
}

/// How many cases of arbitrary operations are reduced.
const WILD_CASES: usize = if cfg!(feature = "slow-tests") { 40 } else { 10 };

/// The same in the model, for whatever profiles draw.
#[test]
fn no_lower_sizes_fail_in_the_model() {
    let (mut tried, mut slots) = (0, 0);
    for Input { case, aim } in drawn().chain(inputs::wild(WILD_CASES)) {
        let minimized = reduce(&case, &mut Model::new(aim));
        assert!(minimized.complete);
        let result = minimized.case;
        assert!(fails(&result, aim), "{}", result.scenario());
        for slot in 0..result.ops.len() {
            let Some(spec) = result.ops[slot].1.spec() else { continue };
            slots += 1;
            for pages in lower_sizes(spec.pages) {
                let mut lower = result.clone();
                lower.ops[slot].1.spec_mut().unwrap().pages = pages;
                assert!(!fails(&lower, aim), "{pages:?} in\n{}", result.scenario());
                tried += 1;
            }
        }
    }
    assert!(slots > 5 * WILD_CASES && tried > 0, "{slots} {tried}");
}

/// Sizes that are far from what fails, each in one operation.
#[test]
fn pages_and_counts_go_down_as_well() {
    let lines = "open m0 1x1; alloc b0 on m0 l1 1x16777216";
    let failure = Failure::Oracle(OracleName::Oom);
    let aim = Aim { fixes: UNDER[11].0.parse().unwrap(), server: ServerKind::Shm, failure };
    let result = reduce(&case(lines), &mut Model::new(aim)).case;
    let bytes = result.ops[1].1.spec().unwrap().pages.total();
    assert!(bytes < Bytes(1_500_000), "{}", result.scenario());
    let lines = "open m0 1x1; alloc b0 on m0 l1 1x2048; deallocate b0; run k0 on m0 cbs 16x87040";
    let failure = Failure::Oracle(OracleName::CbClash);
    let aim = Aim { fixes: UNDER[5].0.parse().unwrap(), server: ServerKind::K1, failure };
    let result = reduce(&case(lines), &mut Model::new(aim)).case;
    let Op::Run(run) = &result.ops.last().unwrap().1 else { panic!("{}", result.scenario()) };
    assert_eq!(run.circular_buffers[0].count, 1, "{}", result.scenario());
}

/// The place in an ordinary program of the operations that profile `basic` draws.
fn rank(op: &Op) -> Option<(u32, u32, u32)> {
    let newest_first = |number: u32| u32::MAX - number;
    match op {
        Op::Open { .. } => Some((0, newest_first(0), 0)),
        Op::Alloc { .. } | Op::View { .. } | Op::Run(_) => Some((2, newest_first(0), 0)),
        Op::Deallocate(buffer) => Some((4, newest_first(buffer.0), 0)),
        Op::Drop(Handle::Buffer(buffer)) => Some((4, newest_first(buffer.0), 2)),
        Op::ClearCache(_) => Some((6, newest_first(0), 0)),
        Op::Exit => Some((8, newest_first(0), 0)),
        _ => None,
    }
}

fn inversions(case: &Case) -> Vec<(usize, usize)> {
    let rank = |op: usize| rank(&case.ops[op].1);
    let pairs = (0..case.ops.len()).flat_map(|then| (0..then).map(move |first| (first, then)));
    let is_inverted =
        |&(first, then): &(usize, usize)| rank(first).zip(rank(then)).is_some_and(|(a, b)| a > b);
    pairs.filter(is_inverted).collect()
}

/// A reader takes an unusual order for a part of the bug, so only what is needed may be unusual.
#[test]
fn no_move_towards_program_order_keeps_the_failure() {
    let mut inverted = 0;
    for Input { case, aim } in inputs::basics(200) {
        let minimized = reduce(&case, &mut Model::new(aim));
        let result = minimized.case;
        let before = inversions(&result);
        for from in 0..result.ops.len() {
            for to in 0..result.ops.len() {
                let mut moved = result.clone();
                let op = moved.ops.remove(from);
                moved.ops.insert(to, op);
                if inversions(&moved).len() < before.len() {
                    assert!(!fails(&moved, aim), "{from} to {to} in\n{}", result.scenario());
                }
            }
        }
        inverted += before.len();
        // What is reported as necessary is inverted, and vanishes both ways.
        assert_eq!(minimized.inversions.len(), before.len(), "{}", result.scenario());
        for ((first, then), told) in before.iter().zip(&minimized.inversions) {
            let all = ops(&result);
            let pairs: Vec<(&Op, &Op)> =
                inversions(&result).iter().map(|&(a, b)| (&all[a], &all[b])).collect();
            assert!(pairs.contains(&(&told.first, &told.then)), "{told}");
            let (mut up, mut down) = (result.clone(), result.clone());
            up.ops[*first..=*then].rotate_right(1);
            down.ops[*first..=*then].rotate_left(1);
            assert!(!fails(&up, aim) && !fails(&down, aim), "{told} in\n{}", result.scenario());
        }
    }
    assert!(inverted > 10, "{inverted}");
}

/// An inversion that is planted is reported, and one that is not needed is put right.
#[test]
fn necessary_inversions_are_those_that_were_planted() {
    let start = case(
        "open m0 1x1; alloc b0 on m0 dram 1x32; drop b0; alloc b1 on m0 dram 1x32; drop b1; \
         alloc b2 on m0 dram 1x32; deallocate b2",
    );
    let text = |case: &Case| ops(case).iter().map(|op| format!("{op}; ")).collect::<String>();
    let mut subject = Planted(|case: &Case| {
        let text = text(case);
        let place = |line: &str| text.find(line);
        let all = ["alloc b0", "drop b0", "alloc b1", "drop b1"].map(place);
        all.iter().all(Option::is_some) && place("drop b0") < place("alloc b1")
    });
    let minimized = reduce(&start, &mut subject);
    let told: Vec<String> = minimized.inversions.iter().map(ToString::to_string).collect();
    assert_eq!(told, ["`drop b0` before `alloc b1 on m0 dram 1x32`"]);
}

/// How many small cases are held against the exhaustive optimum; the slow suite takes all 200.
const SMALL_CASES: usize = if cfg!(feature = "slow-tests") { 200 } else { 40 };

/// Sequences of so many letters are enumerated naively; longer ones by the search that the naive
/// enumeration is a test of.
const NAIVE_LETTERS_MAX: usize = if cfg!(debug_assertions) { 3 } else { 4 };

fn bytes(letters: &[Op], sequence: &[usize]) -> u64 {
    let specs = sequence.iter().filter_map(|&letter| letters[letter].spec());
    specs.map(|spec| spec.pages.total().0).sum()
}

/// The optimum: the fewest operations of the alphabet that fail, and of those the fewest bytes.
fn optimum_of_own_kinds(result: &Case, aim: Aim) -> (usize, Option<u64>) {
    let letters = alphabet(result);
    let count = result.ops.len();
    for length in 1..=count.min(NAIVE_LETTERS_MAX) {
        let mut naive = Naive::new(result, &letters, aim, Tracking::NONE);
        let failing = naive.failing(length);
        if let Some(least) = failing.iter().map(|sequence| bytes(&letters, sequence)).min() {
            return (length, Some(least));
        }
    }
    let shorter = enumerate(result, &letters, aim, count - 1, Limits::default());
    assert!(!shorter.limited, "{}", result.scenario());
    (shorter.found.map_or(count, |found| found.ops.len()), None)
}

/// The figure that matters: 200 of 200 small cases at the optimum in length and in sizes.
#[test]
fn small_cases_come_to_the_exhaustive_optimum() {
    let mut known: BTreeMap<String, (usize, Option<u64>)> = BTreeMap::new();
    let (mut in_length, mut in_sizes) = (0, 0);
    for Input { case, aim } in inputs::basics(SMALL_CASES) {
        let result = reduce(&case, &mut Model::new(aim)).case;
        let text = format!("{aim:?}\n{}", result.scenario());
        let (length, least) =
            *known.entry(text.clone()).or_insert_with(|| optimum_of_own_kinds(&result, aim));
        assert_eq!(result.ops.len(), length, "{text}");
        in_length += 1;
        let all = ops(&result);
        let places: Vec<usize> = (0..all.len()).collect();
        let smallest = all.iter().filter_map(Op::spec).all(|spec| spec.pages.total().0 == 32);
        assert!(least.is_none_or(|least| bytes(&all, &places) == least), "{text}");
        assert!(least.is_some() || smallest, "{text}");
        in_sizes += 1;
    }
    assert_eq!((in_length, in_sizes), (SMALL_CASES, SMALL_CASES));
}

/// How many small inputs are held against what is better in their own words; the slow suite takes
/// all 200.
const SMALL_INPUTS: usize = if cfg!(feature = "slow-tests") { 200 } else { 20 };

/// More states than any of the small inputs leads to.
const ALL: Limits = Limits::states(10_000_000);

fn measure(case: &Case) -> (usize, u64) {
    (case.ops.len(), size(case).0)
}

/// The figure that matters: 200 of 200, with everything looked at that the input's own words can
/// say, shorter or as long and smaller.
#[test]
fn small_inputs_come_to_the_optimum_in_their_own_words() {
    let (mut reached, mut sequences, mut kinds) = (0, 0, BTreeSet::new());
    for Small { seed, input } in small_inputs().take(SMALL_INPUTS) {
        let reduction::Input { case, aim } = input;
        assert!((6..=10).contains(&case.ops.len()), "seed {seed}");
        let minimized = reduce(&case, &mut Model::new(aim));
        let result = minimized.case;
        let text = format!("seed {seed}, {aim:?}\n{}\n{}", case.scenario(), result.scenario());
        assert!(minimized.complete && fails(&result, aim), "{text}");
        let all = optimum(&case, &result, aim, ALL);
        let better = all.better.as_ref().map(|better| better.scenario().to_string());
        assert!(all.is_reached(), "{text}\n{better:?}, limited {}", all.limited);
        reached += 1;
        sequences += all.sequences;
        kinds.insert(match aim.failure {
            Failure::Class(class) => (class.oracle, class.role),
            Failure::Oracle(_) | Failure::Difference(..) => unreachable!("{text}"),
        });
    }
    println!("{reached} at the optimum of {} kinds, {sequences} sequences", kinds.len());
    assert_eq!(reached, SMALL_INPUTS);
    assert!(kinds.len() >= SMALL_INPUTS.min(100) / 5, "{kinds:?}");
}

/// The model as a subject that has passes only: it says of nothing that there is something better.
struct Passes(Model);

impl Subject for Passes {
    fn fails(&mut self, case: &Case) -> Option<usize> {
        self.0.fails(case)
    }

    fn involved(&mut self, case: &Case) -> Vec<Name> {
        self.0.involved(case)
    }

    fn turns(&mut self, case: &Case) -> Vec<freeorder::search::replay::Turn> {
        self.0.turns(case)
    }
}

/// Seeds of small inputs of which the passes alone leave more than is needed.
const STUCK: [u64; 3] = [27, 52, 59];

/// A yardstick that nothing can miss would measure nothing: the passes alone miss it.
#[test]
fn the_passes_alone_miss_the_optimum_in_the_words_of_the_input() {
    let is_tried = |seed: u64| cfg!(feature = "slow-tests") || STUCK.contains(&seed);
    let mut missed = Vec::new();
    for Small { seed, input } in small_inputs().take(200).filter(|small| is_tried(small.seed)) {
        let reduction::Input { case, aim } = input;
        let result = reduce(&case, &mut Passes(Model::new(aim))).case;
        let all = optimum(&case, &result, aim, ALL);
        if let Some(better) = all.better {
            assert!(fails(&better, aim), "seed {seed}\n{}", better.scenario());
            assert!(measure(&better) < measure(&result), "seed {seed}\n{}", better.scenario());
            let words: BTreeSet<&Op> = all.letters.iter().collect();
            assert!(better.ops.iter().all(|(_, op)| words.contains(op)), "seed {seed}");
            missed.push(seed);
        }
    }
    println!("missed: {missed:?}");
    assert!(STUCK.iter().all(|seed| missed.contains(seed)), "{missed:?}");
}

/// The search for smaller sizes against a plain replay of every sequence.
#[test]
fn the_smallest_sizes_are_those_that_replaying_every_sequence_finds() {
    let (mut found, mut not_found) = (0, 0);
    for (index, lines) in SIZED.into_iter().enumerate() {
        let start = case("");
        let letters = alphabet(&case(lines));
        for under in [UNDER[index % UNDER.len()], ("fork-head", "k1")] {
            for failure in failures(under) {
                let (fixes, server) = (under.0.parse().unwrap(), under.1.parse().unwrap());
                let aim = Aim { fixes, server, failure };
                let mut naive = Naive::new(&start, &letters, aim, Tracking::NONE);
                let failing = naive.failing(3);
                let sum = |sequence: &Vec<usize>| {
                    sequence.iter().map(|&letter| letters[letter].size().0).sum::<u64>()
                };
                let least = failing.iter().map(sum).min();
                for below in [0, 1, 32, 33, 96, 97, 128, 129, 1 << 20].map(Bytes) {
                    let all =
                        enumerate_smaller(&start, &letters, aim, (3, below), Limits::default());
                    let is_there = least.is_some_and(|least| least < below.0);
                    let text = format!("{lines} {aim:?} {below}");
                    assert!(!all.limited);
                    assert_eq!(all.found.is_some(), is_there, "{text}");
                    if let Some(case) = &all.found {
                        assert!(fails(case, aim) && size(case) < below, "{text}");
                    }
                    found += usize::from(is_there);
                    not_found += usize::from(!is_there);
                }
            }
        }
    }
    assert!(found > 40 && not_found > 40, "{found} found, {not_found} not");
}

/// Alphabets with sizes to choose from.
const SIZED: [&str; 4] = [
    "open m0 1x1; alloc b0 on m0 dram 1x32; alloc b0 on m0 dram 3x32; deallocate b0",
    "open m0 1x1; alloc b0 on m0 dram 1x32; view b1 of b0; alloc b0 on m0 l1 2x64",
    "open m0 1x1; run k0 on m0 cbs 3x32; run k0 on m0 cbs 1x32; run k1 on m0 kernel 1x32",
    "open m0 1x1; alloc b0 on m0 dram 0x32; alloc b0 on m0 dram 1x32; alias b1 of b0; exit",
];

/// Alphabets small enough for naive replays of every sequence, with what goes by numbers, by the
/// end, by reads that change nothing.
const ALPHABETS: [&str; 12] = [
    "open m0 1x1; alloc b0 on m0 dram 1x32; deallocate b0; drop b0; exit",
    "open m0 1x1; alloc b0 on m0 dram 1x32; view b1 of b0; use b1",
    "open m0 1x1; alloc b0 on m0 dram 1x32; alias b1 of b0; drop b1",
    "open m0 1x1; alloc b0 on m0 l1 1x32; deallocate b0; run k0 on m0 reads b0",
    "open m0 1x1; run k0 on m0 cbs 1x32; run k1 on m0 cbs 1x32; close m0",
    "open m0 1x1; alloc b0 on m0 dram 1x32; cycle b0; gc",
    "open m0 1x2; alloc b0 on m0 dram 1x32; alloc b1 on d1 dram 1x32; release b0 d1",
    "open m0 1x2; submesh m1 of m0 1x1; alloc b0 on m1 dram 1x32; exit",
    "open m0 1x1; program p0 on m0 cbs 1x32; enqueue p0; drop p0; clear-cache m0",
    "open m0 1x1; alloc b0 on m0 dram 1x32; lose 1; server restart; checkpoint",
    "open m0 1x1; alloc b0 on m0 dram 1x32; tracking off; process q1; kill q0; reap",
    "open m0 1x1; program p0 on m0 cbs 1x32; program p1 on m0 cbs 2x64; exit",
];

/// All failures that a sequence of arbitrary letters may come to, and two that are differences.
fn failures(under: (&str, &str)) -> Vec<Failure> {
    let other = "upstream-shm".parse().unwrap();
    let mut failures: Vec<Failure> = [
        OracleName::UnknownFree,
        OracleName::DuplicateAllocation,
        OracleName::StaleFree,
        OracleName::Residue,
        OracleName::TrackerTruth,
        OracleName::Balance,
        OracleName::Teardown,
        OracleName::UseAfterFree,
        OracleName::DeviceLeak,
    ]
    .map(Failure::Oracle)
    .to_vec();
    if under.0 != "upstream-shm" {
        failures.push(Failure::Difference(OracleName::Balance, other));
        failures.push(Failure::Difference(OracleName::UseAfterFree, other));
    }
    failures
}

/// The search merges states and undoes; a plain replay of every sequence does neither.
#[test]
fn the_enumeration_finds_what_replaying_every_sequence_finds() {
    let (mut found, mut not_found) = (0, 0);
    let length = 3;
    for (index, lines) in ALPHABETS.into_iter().enumerate() {
        let start = case("");
        let letters = alphabet(&case(lines));
        for under in [UNDER[index % UNDER.len()], ("fork-head", "k1")] {
            for failure in failures(under) {
                let (fixes, server) = (under.0.parse().unwrap(), under.1.parse().unwrap());
                let aim = Aim { fixes, server, failure };
                let all = enumerate(&start, &letters, aim, length, Limits::default());
                let mut naive = Naive::new(&start, &letters, aim, Tracking::NONE);
                let shortest = (1..=length).find(|&length| !naive.failing(length).is_empty());
                let text = format!("{lines} {aim:?}");
                assert_eq!(all.found.as_ref().map(|case| case.ops.len()), shortest, "{text}");
                match &all.found {
                    Some(case) => assert!(fails(case, aim), "{text}\n{}", case.scenario()),
                    None => assert_eq!((all.length, all.limited), (length, false)),
                }
                found += usize::from(shortest.is_some());
                not_found += usize::from(shortest.is_none());
            }
        }
    }
    assert!(found > 40 && not_found > 40, "{found} found, {not_found} not");
}

/// Alphabets in which the names are not alike: what is said of one is not said of the other.
const UNEVEN: [&str; 4] = [
    "open m0 1x1; alloc b0 on m0 l1 1x32; alloc b1 on m0 dram 1x32; view b0 of b1; drop b1",
    "open m0 1x2; submesh m1 of m0 1x1; alloc b1 on m1 dram 1x32; alloc b1 on m0 dram 1x32; \
     alloc b0 on m0 l1 1x32; close m1; drop b1",
    "open m1 1x1; alloc b0 on m0 dram 1x32; alloc b1 on m1 dram 1x32; deallocate b1; deallocate b0",
    "open m0 1x1; run k1 on m0 cbs 1x32; run k0 on m0 reads b1; alloc b1 on m0 l1 1x32; exit",
];

/// A letter that only the second name has must not wait for the first.
#[test]
fn no_name_waits_for_another_that_is_not_alike() {
    let mut found = 0;
    for lines in UNEVEN {
        let (start, letters) = (case(""), ops(&case(lines)));
        for under in [("original", "k1"), ("final", "k2"), ("fork-head", "k1")] {
            for failure in failures(under) {
                let (fixes, server) = (under.0.parse().unwrap(), under.1.parse().unwrap());
                let aim = Aim { fixes, server, failure };
                let all = enumerate(&start, &letters, aim, 4, Limits::default());
                let mut naive = Naive::new(&start, &letters, aim, Tracking::NONE);
                let shortest = (1..=4).find(|&length| !naive.failing(length).is_empty());
                let text = format!("{lines} {aim:?}");
                assert_eq!(all.found.map(|case| case.ops.len()), shortest, "{text}");
                found += usize::from(shortest.is_some());
            }
        }
    }
    assert!(found > 20, "{found}");
}

/// The number that a proof states is the number of sequences, not of states or of replays.
#[test]
fn the_number_of_sequences_is_as_documented() {
    let mut total = 0;
    for lines in ALPHABETS {
        // Where an operation goes by the numbers of names, any name may come first: `gc` goes by
        // those of buffers, `exit` by those of meshes and programs.
        let is_free = Free {
            buffers: lines.contains("gc") || lines.contains("exit"),
            others: lines.contains("exit"),
        };
        let (start, letters) = (case(""), alphabet(&case(lines)));
        let (fixes, server) = ("upstream-shm".parse().unwrap(), "shm".parse().unwrap());
        let aim = Aim { fixes, server, failure: Failure::Oracle(OracleName::FreeList) };
        for length in 1..=3 {
            let all = enumerate(&start, &letters, aim, length, Limits::default());
            let mut naive = Naive::new(&start, &letters, aim, Tracking::FULL);
            let count = naive.count(&mut Vec::new(), length, is_free);
            assert_eq!(all.sequences, count, "{lines} {length}");
            total += all.sequences;
        }
    }
    assert!(total > 1000, "{total}");
}

fn switches(turns: &[Action]) -> usize {
    turns.windows(2).filter(|pair| pair[0] != pair[1]).count()
}

fn turns(case: &Case, aim: Aim) -> Vec<Action> {
    Model::new(aim).turns(case).into_iter().map(|(action, _)| action).collect()
}

/// Every order of the turns.
fn orders(turns: &[Action]) -> Vec<Vec<Action>> {
    let Some(first) = turns.first() else { return vec![Vec::new()] };
    let mut different: Vec<Action> = vec![*first];
    different.extend(turns);
    different.sort_unstable();
    different.dedup();
    let mut all = Vec::new();
    for action in different {
        let mut rest = turns.to_vec();
        rest.remove(rest.iter().position(|&other| other == action).unwrap());
        for mut order in orders(&rest) {
            order.insert(0, action);
            all.push(order);
        }
    }
    all
}

/// tt-metal.md G 20: a mesh that closes while another thread is inside an operation on it.
const CLOSED_UNDER_A_THREAD: &str = "open m0 2x4; alloc b0 on m0 dram 3x2048; \
    t1: alloc b1 on m0 dram 4x2048; t2: view b2 of b0; close m0; t1: drop b1; t2: drop b2; \
    drop b0; schedule t0 t1 t0 t0 t0 t0 t2 t1 t1 t2 t1 t0";

/// Turns by name stay what they were when others go, so threads reduce as everything else does.
#[test]
fn threads_reduce_to_the_fewest_switches() {
    let closed = case(CLOSED_UNDER_A_THREAD);
    let (mut stepped, mut necessary) = (0, 0);
    let races = (0..).filter_map(|seed: usize| {
        let case = match seed % 3 {
            0 => inputs::threaded(inputs::arbitrary(seed as u64, 24), seed as u64),
            1 => inputs::threaded(inputs::basic(seed as u64), seed as u64),
            _ => inputs::picked(closed.clone(), seed as u64),
        };
        inputs::race(case, UNDER[seed / 3 % UNDER.len()])
    });
    for Input { case, aim } in races.take(60) {
        let minimized = reduce(&case, &mut Model::new(aim));
        let result = &minimized.case;
        let text = format!("{aim:?}\n{}", result.scenario());
        assert!(minimized.complete && fails(result, aim), "{text}");
        // Past the schedule the turns go on by themselves; its text says the same.
        let parsed: Scenario = result.scenario().to_string().parse().unwrap();
        assert_eq!(Case::of(&parsed), *result, "{text}");
        if !result.is_stepped() {
            continue;
        }
        stepped += 1;
        assert!(result.picks.is_empty(), "{text}");
        assert_eq!(reduce(result, &mut Model::new(aim)).case, *result, "{text}");
        for left_out in 0..result.ops.len() {
            let all = Model::new(aim).turns(result).into_iter();
            let schedule = all.filter(|&(_, op)| op != Some(left_out)).map(|(turn, _)| turn);
            let mut without = Case { schedule: schedule.collect(), ..result.clone() };
            without.ops.remove(left_out);
            assert!(!fails(&without, aim), "{left_out} of {text}");
            let rest = turns(&without, aim);
            if rest.len() <= 7 {
                for schedule in orders(&rest) {
                    let other = Case { schedule, ..without.clone() };
                    assert!(!fails(&other, aim), "{left_out} of {text}\n{:?}", other.schedule);
                }
            }
        }
        let taken = turns(result, aim);
        necessary += minimized.inversions.len();
        assert_eq!(minimized.inversions.len(), lost_by_exchange(result, aim), "{text}");
        if taken.len() > 7 {
            continue;
        }
        for schedule in orders(&taken) {
            let other = Case { schedule, ..result.clone() };
            let fewer = switches(&turns(&other, aim)) < switches(&taken);
            assert!(!fewer || !fails(&other, aim), "{:?} in {text}", other.schedule);
        }
    }
    assert!(stepped > 15, "{stepped} needed turns");
    assert!(necessary > stepped, "{necessary} necessary orders of steps in {stepped}");
}

/// At how many switches of threads the failure is lost when the two neighbouring steps are
/// exchanged, or else when all is that the two threads do in a row.
fn lost_by_exchange(result: &Case, aim: Aim) -> usize {
    let taken = turns(result, aim);
    let is_step = |place: usize| matches!(taken[place], Action::Step(_));
    let is_lost = |start: usize, boundary: usize, end: usize| {
        let (one, other) = (&taken[start..boundary], &taken[boundary..end]);
        let schedule = [&taken[..start], other, one, &taken[end..]].concat();
        is_step(start) && is_step(end - 1) && !fails(&Case { schedule, ..result.clone() }, aim)
    };
    let switches = (1..taken.len()).filter(|&place| taken[place - 1] != taken[place]);
    let lost = switches.filter(|&place| {
        let start = (0..place).rev().take_while(|&at| taken[at] == taken[place - 1]).last();
        let end = (place..taken.len()).take_while(|&at| taken[at] == taken[place]).last();
        is_lost(place - 1, place, place + 1) || is_lost(start.unwrap(), place, end.unwrap() + 1)
    });
    lost.count()
}

/// Two threads that deallocate one buffer: exchanging neighbouring steps never ends the race, and
/// having one done before the other does.
#[test]
fn a_race_has_a_necessary_order() {
    let entry = entries().unwrap().into_iter().find(|entry| entry.name == "racy-deallocate");
    let (fixes, server) = ("upstream-shm+racy-deallocate", "shm");
    let Input { case, aim } = input(entry.unwrap().case, (fixes, server), 0).unwrap();
    let minimized = reduce(&case, &mut Model::new(aim));
    assert!(!minimized.inversions.is_empty(), "{}", minimized.case.scenario());
}

/// A view of a handle of a handle of a handle fails as a view of the buffer does.
#[test]
fn a_chain_of_handles_comes_to_its_buffer() {
    let submeshes: String =
        (1..=30).map(|link| format!("submesh m{link} of m{} 2x4 at 0,0; ", link - 1)).collect();
    let text = format!("open m0 2x4; {submeshes}alloc b0 on m30 dram 1x32; view b1 of b0");
    let nested = input(case(&text), ("final", "k2"), 0).unwrap();
    let result = reduce(&nested.case, &mut Model::new(nested.aim)).case;
    assert_eq!(result.ops.len(), 3, "{}", result.scenario());
    for links in [3_u32, 30, 200] {
        let chain: String =
            (1..=links).map(|link| format!("share b{link} of b{}; ", link - 1)).collect();
        let last = links + 1;
        let text =
            format!("open m0 2x4; alloc b0 on m0 dram 3x2048; {chain}view b{last} of b{links}");
        let Input { case, aim } = input(case(&text), ("final", "k2"), 0).unwrap();
        let result = reduce(&case, &mut Model::new(aim)).case;
        assert_eq!(result.ops.len(), 3, "{links}: {}", result.scenario());
    }
}

/// The race itself: what is left is the allocation, the close between its parts, and nothing else.
#[test]
fn a_race_is_left_with_two_threads_and_its_switches() {
    let Input { case, aim } =
        input(case(CLOSED_UNDER_A_THREAD), ("upstream-shm", "shm"), 0).unwrap();
    let minimized = reduce(&case, &mut Model::new(aim));
    let scenario = minimized.case.scenario().to_string();
    let mut lines: Vec<String> = scenario.lines().map(str::to_owned).collect();
    lines.extend(minimized.inversions.iter().map(|told| format!("necessary order: {told}")));
    insta::assert_snapshot!("a_race", lines.join("\n"));
}

/// Any moment is a good one to stop: what there is fails.
#[test]
fn an_interrupted_reduction_still_fails() {
    for Input { case, aim } in inputs::basics(12).into_iter().chain(inputs::wild(8)) {
        let full = reduce(&case, &mut Model::new(aim));
        for attempts in [0, 1, 2, 3, 5, 8, 13, 21, 34, 55] {
            let asked = Cell::new(0_u64);
            let interrupted = || {
                asked.set(asked.get() + 1);
                asked.get() > attempts
            };
            let mut options = Options { interrupted: Some(&interrupted), ..Options::default() };
            let minimized = minimize(&case, &mut Model::new(aim), &mut options).unwrap();
            assert!(fails(&minimized.case, aim), "{aim:?} after {attempts}");
            assert!(minimized.replays <= attempts + 1, "{} replays", minimized.replays);
            assert!(minimized.case.ops.len() >= full.case.ops.len());
            assert!(!minimized.complete || minimized.case == full.case);
        }
        let mut options = Options { deadline: Some(Instant::now()), ..Options::default() };
        let minimized = minimize(&case, &mut Model::new(aim), &mut options).unwrap();
        assert!(fails(&minimized.case, aim) && !minimized.complete);
        assert_eq!(minimized.replays, 1);
        // Nothing was tried, so nothing is known to be necessary.
        assert_eq!(minimized.inversions, []);
    }
}

/// When time is up it ends, however long the case is: this would take days otherwise.
#[test]
fn what_is_left_of_a_long_case_is_not_gone_through() {
    let allocate = |buffer| format!("alloc b{buffer} on m0 dram 2x2048; drop b{buffer}");
    let lines: Vec<String> = (1..3000).rev().map(allocate).collect();
    let lines =
        format!("open m0 2x4; alloc b0 on m0 dram 1x32; {}; deallocate b0", lines.join("; "));
    let failure = Failure::Oracle(OracleName::DeviceLeak);
    let aim = Aim { fixes: Preset::ThreeFixes.fixes(), server: ServerKind::K1, failure };
    for attempts in [0, 1, 2, 5, 10] {
        let asked = Cell::new(0_u64);
        let interrupted = || asked.replace(asked.get() + 1) >= attempts;
        let mut options = Options { interrupted: Some(&interrupted), ..Options::default() };
        let minimized = minimize(&case(&lines), &mut Model::new(aim), &mut options).unwrap();
        assert!(fails(&minimized.case, aim) && !minimized.complete);
        assert_eq!(minimized.inversions, []);
    }
}

/// What is reduced stays as it is, or a second call would show that the first was not done.
#[test]
fn a_result_is_its_own_reduction() {
    for Input { case, aim } in inputs::basics(120).into_iter().chain(inputs::wild(120)) {
        let once = reduce(&case, &mut Model::new(aim)).case;
        let twice = reduce(&once, &mut Model::new(aim)).case;
        assert_eq!(once, twice, "{aim:?}\n{}\n{}", once.scenario(), twice.scenario());
    }
}

/// Every attempt is told, and what is told of it is true.
#[test]
fn the_log_tells_every_attempt() {
    let Input { case, aim } = inputs::basics(8).pop().unwrap();
    let mut told: Vec<(&'static str, Case, bool)> = Vec::new();
    let mut log = |attempt: &Attempt<'_>| {
        assert_eq!(attempt.operations, attempt.case.ops.len());
        told.push((attempt.pass, attempt.case.clone(), attempt.kept));
    };
    let mut options = Options { log: Some(&mut log), ..Options::default() };
    let minimized = minimize(&case, &mut Model::new(aim), &mut options).unwrap();
    // The first replay is that of the input.
    assert_eq!(told.len() as u64 + 1, minimized.replays);
    for (pass, case, kept) in &told {
        assert_eq!(fails(case, aim), *kept, "{pass}\n{}", case.scenario());
    }
}

/// Of what does not fail there is nothing to reduce.
#[test]
fn a_case_that_does_not_fail_is_refused() {
    let (fixes, server) = ("upstream-shm".parse().unwrap(), "shm".parse().unwrap());
    let aim = Aim { fixes, server, failure: Failure::Oracle(OracleName::Residue) };
    let refused = minimize(&inputs::basic(1), &mut Model::new(aim), &mut Options::default());
    assert_eq!(refused.unwrap_err(), DoesNotFail);
}

/// Which fixes a failure needs: without any one of them it is another failure or none.
#[test]
fn none_of_the_needed_fixes_can_be_left_out() {
    for Input { case, aim } in inputs::basics(48) {
        let result = reduce(&case, &mut Model::new(aim)).case;
        let needed = needed_fixes(&result, aim);
        assert!(fails(&result, Aim { fixes: needed, ..aim }), "{needed}");
        for fix in needed.iter() {
            assert!(!fails(&result, Aim { fixes: needed.without(fix), ..aim }), "{needed}");
        }
        for defect in needed.defects() {
            let fixes = needed.without_defect(defect);
            assert!(!fails(&result, Aim { fixes, ..aim }), "{needed}");
        }
    }
}

/// Switches can be needed in pairs, so that none can go alone and yet fewer do.
#[test]
fn the_needed_fixes_are_the_fewest() {
    let many = "original+mesh-filter-alloc+mesh-filter-free+guard-mark+owner-fan-out+owner-id-key\
        +report-on-close+close-before-reconnect+silent-hooked+clear-resets-lowest";
    for (lines, fixes, oracle) in [
        ("alloc b0 on m0 dram 1x32\n", many, OracleName::TrackerTruth),
        (
            "alloc b0 on m0 dram 0x32\ndeallocate b0\n",
            "original+mark-locals+owns-data-gate",
            OracleName::Residue,
        ),
    ] {
        let text = format!("freeorder 1\nmachine N150\nopen m0 1x1\n{lines}");
        let case = Case::of(&text.parse::<Scenario>().unwrap());
        let (fixes, failure) = (fixes.parse().unwrap(), Failure::Oracle(oracle));
        let aim = Aim { fixes, server: ServerKind::K1, failure };
        assert!(fails(&case, aim));
        assert_eq!(needed_fixes(&case, aim).to_string(), "original");
    }
}

/// The states of the shorter sequences can use up what there is for those that are as long.
#[test]
fn limits_that_the_shorter_sequences_use_up_are_limits() {
    let case = generate::case(Profile::Reuse, Order::Urw, &mut Seeded::new(2));
    let (fixes, server) = (Preset::ForkHead.fixes(), ServerKind::K1);
    let classes = Replayer::new(fixes, server).classes(&case).to_vec();
    assert!(!classes.is_empty());
    for class in classes {
        let mut model = Model::new(Aim { fixes, server, failure: Failure::Class(class) });
        assert!(minimize(&case, &mut model, &mut Options::default()).is_ok());
    }
}

/// A second handle, mesh or program that does what the first one could do is one too many.
#[test]
fn no_operation_can_go_when_another_name_is_said_instead() {
    let mut tried = 0;
    for Input { case, aim } in inputs::basics(120).into_iter().chain(inputs::wild(120)) {
        let result = reduce(&case, &mut Model::new(aim)).case;
        let names: BTreeSet<Name> = result.ops.iter().flat_map(|(_, op)| op.names()).collect();
        let same_kind = |one: &Name, other: &Name| {
            one != other && std::mem::discriminant(one) == std::mem::discriminant(other)
        };
        for name in &names {
            for other in names.iter().filter(|other| same_kind(name, other)) {
                for left_out in 0..result.ops.len() {
                    if !result.ops[left_out].1.names().contains(name) {
                        continue;
                    }
                    let mut unified = result.clone();
                    unified.ops.remove(left_out);
                    for (_, op) in &mut unified.ops {
                        op.rename(|one| if one == *name { *other } else { one });
                    }
                    tried += 1;
                    let text = result.scenario();
                    assert!(!fails(&unified, aim), "{other:?} for {name:?} in {aim:?}\n{text}");
                }
            }
        }
    }
    assert!(tried > 100, "{tried}");
}

/// Where deletion is stuck in a race, the handle that was shared does as well as its copy.
#[test]
fn a_race_over_two_handles_becomes_one_over_a_single_handle() {
    let text = "freeorder 1\nmachine N150\nopen m0 1x1\nt1: alloc b0 on m0 dram 1x32\n\
                t1: deallocate b0\nshare b1 of b0\ndeallocate b1\nschedule t0 t1 t1 t1\n";
    let entry = entries().unwrap().into_iter().find(|entry| entry.name == "racy-deallocate");
    let aim = entry.unwrap().aim();
    let case = Case::of(&text.parse().unwrap());
    let result = reduce(&case, &mut Model::new(aim)).case;
    assert_eq!(result.ops.len(), 4, "{}", result.scenario());
    assert!(result.is_stepped() && fails(&result, aim), "{}", result.scenario());
}

/// Where every reproducer that is near is as long, other words of a program find a shorter one;
/// each of these is what plain reduction leaves of a generated case.
#[test]
fn a_shorter_case_in_other_words_is_found() {
    let stuck = [
        ("cbs-outlive-device", "open m0 1x1; program p0 on m0 cbs 1x32; close m0; drop p0", 3),
        (
            "hit-not-validated",
            "open m0 1x1; run k0 on m0 cbs 1x32; alloc b0 on m0 l1 1x32 bottom; run k0 on m0",
            3,
        ),
        (
            "pointer-identity",
            "open m0 1x1; capture begin; alloc b0 on m0 dram 1x32; drop b0; \
             alloc b1 on m0 dram 1x32",
            4,
        ),
        (
            "deallocate-forces-root",
            "open m0 1x1; alloc b0 on m0 l1 1x32 bottom; view b1 of b0; \
             program p0 on m0 cbs 1x32; alloc b2 on m0 dram 1x32; assign b2 to p0; mark b2; \
             deallocate b1; enqueue p0",
            5,
        ),
    ];
    let entries = entries().unwrap();
    for (name, ops, length) in stuck {
        let aim = entries.iter().find(|entry| entry.name == name).unwrap().aim();
        let case = case(ops);
        let plain = reduce(&case, &mut Model::new(aim)).case;
        assert!(plain.ops.len() > length, "{name} is not stuck any more");
        let limits = Limits::states(50_000);
        let mut options = Options::default();
        let found = minimize_and_prove(&case, &mut Model::new(aim), &mut options, limits).unwrap();
        let result = found.0.case;
        assert_eq!(result.ops.len(), length, "{name}\n{}", result.scenario());
        assert!(fails(&result, aim), "{name}\n{}", result.scenario());
        assert!(found.1.is_some(), "{name} is short enough to be proven");
    }
}

/// What threads that take turns fail with in six operations, one thread can do in five of their
/// words: nobody need read a schedule.
#[test]
fn turns_that_one_thread_can_do_without_go() {
    let text = "freeorder 1\nmachine N150\nopen m0 1x1\nt1: alloc b0 on m0 dram 1x32\n\
                t1: deallocate b0\ndrop b0\nopen m1 1x1\nalloc b1 on m1 dram 1x32\n\
                schedule t0 t1 t1 t1\n";
    let case = Case::of(&text.parse().unwrap());
    let (fixes, server) = (Preset::ForkHead.fixes(), ServerKind::K1);
    let mut replayer = Replayer::new(fixes, server);
    let stale = replayer.classes(&case).iter().find(|class| class.oracle == OracleName::StaleFree);
    let aim = Aim { fixes, server, failure: Failure::Class(*stale.unwrap()) };
    assert_eq!(reduce(&case, &mut Model::new(aim)).case.ops.len(), 6, "it is not stuck any more");
    let (mut options, limits) = (Options::default(), Limits::default());
    let found = minimize_and_prove(&case, &mut Model::new(aim), &mut options, limits).unwrap();
    let (result, proof) = (found.0.case, found.1.unwrap());
    assert_eq!(result.ops.len(), 5, "{}", result.scenario());
    assert!(!result.is_stepped() && fails(&result, aim) && proof.is_of_input);
}

/// An alphabet that is too large is known before it is made: a long input with many names must not
/// hold up whoever asked for an end.
#[test]
fn an_alphabet_of_many_names_is_not_spelled_out() {
    let runs = (0..40)
        .map(|name| format!("run k{name} on m0 reads b{name},b{} out b{name} dram 1x32", name + 1));
    let lines: Vec<String> = runs.collect();
    let input = case(&format!("open m0 1x1; {}", lines.join("; ")));
    let result = case("open m0 1x1; alloc b0 on m0 dram 1x32; deallocate b0; drop b0; gc; exit");
    let all = words(&input, &result, u64::MAX).unwrap();
    assert!(all.len() > 300, "{}", all.len());
    assert_eq!(words(&input, &result, all.len() as u64 / 2), None);
}

/// What fills a memory with many buffers is shown with one.
#[test]
fn buffers_that_fill_a_memory_become_one() {
    let fills = |case: &Case| {
        let specs = case.ops.iter().filter_map(|(_, op)| op.spec());
        specs.map(|spec| spec.pages.total().0).sum::<u64>() > 900_000
    };
    let lines: Vec<String> =
        (0..300).map(|name| format!("alloc b{name} on m0 l1 4x2048")).collect();
    let start = case(&format!("open m0 1x1; {}", lines.join("; ")));
    let result = reduce(&start, &mut Planted(fills)).case;
    assert_eq!(result.ops.len(), 1, "{}", result.scenario());
    assert!(fails_by_at_most(&result, 900_000, 2048), "{}", result.scenario());
}

fn fails_by_at_most(case: &Case, wanted: u64, page: u64) -> bool {
    let total: u64 =
        case.ops.iter().filter_map(|(_, op)| op.spec()).map(|s| s.pages.total().0).sum();
    total > wanted && total <= wanted + page
}

/// Nor are the turns of a long schedule, nor a long chain of names: each took seconds.
#[test]
fn long_schedules_and_long_chains_end_when_time_is_up() {
    let count = 3000;
    let lines =
        |form: &dyn Fn(usize) -> String| (0..count).map(form).collect::<Vec<_>>().join("; ");
    let racing = format!(
        "open m0 1x1; {}; {}; {}; schedule{}{}",
        lines(&|buffer| format!("alloc b{buffer} on m0 dram 1x1024")),
        lines(&|buffer| format!("deallocate b{buffer}")),
        lines(&|buffer| format!("t1: deallocate b{buffer}")),
        " t0".repeat(1 + 2 * count),
        " t0 t1".repeat(5 * count),
    );
    let chained = format!(
        "open m0 1x1; alloc b0 on m0 dram 1x32; {}; deallocate b{count}; \
         alloc b{} on m0 dram 1x32; drop b{count}",
        lines(&|buffer| format!("share b{} of b{buffer}; drop b{buffer}", buffer + 1)),
        count + 1,
    );
    let racy = ("upstream-shm+racy-deallocate", ServerKind::Shm, OracleName::StateMachine);
    let late = ("fork-head", ServerKind::K1, OracleName::StaleFree);
    for (lines, (fixes, server, oracle)) in [(racing, racy), (chained, late)] {
        let aim = Aim { fixes: fixes.parse().unwrap(), server, failure: Failure::Oracle(oracle) };
        let asked = Cell::new(0_u64);
        let interrupted = || asked.replace(asked.get() + 1) < u64::MAX;
        let mut options = Options { interrupted: Some(&interrupted), ..Options::default() };
        let minimized = minimize(&case(&lines), &mut Model::new(aim), &mut options).unwrap();
        assert!(fails(&minimized.case, aim) && !minimized.complete);
        assert!(asked.get() < 100, "{fixes}: asked {} times", asked.get());
    }
}
