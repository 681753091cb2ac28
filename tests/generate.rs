//! Programs from seeds and from bytes, and the orders of their teardowns.

mod common;

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use freeorder::choice::{Choices, Seeded};
use freeorder::corpus::CLAIMS;
use freeorder::event::{Event, Observer, Tick};
use freeorder::fix::Preset;
use freeorder::generate::{
    EncodeError, Order, Profile, canonical, case, encode, from_bytes, merge,
};
use freeorder::journal::Tracking;
use freeorder::mark::Mark;
use freeorder::scenario::{Case, Scenario, Simulation, run};
use freeorder::search::replay::Replayer;
use freeorder::server::ServerKind;

/// The marks that a run reached.
#[derive(Default)]
struct Marks(BTreeSet<Mark>);

impl Observer for Marks {
    fn observe(&mut self, _: Tick, event: &Event<'_>) {
        if let Event::Reached(mark) = event {
            self.0.insert(*mark);
        }
    }
}

fn of_seed(profile: Profile, seed: u64) -> Case {
    case(profile, Order::Urw, &mut Seeded::new(seed))
}

fn random_bytes(length: usize, seed: u64) -> Vec<u8> {
    let mut seeded = Seeded::new(seed);
    (0..length).map(|_| seeded.pick(256) as u8).collect()
}

/// A scenario is a function of profile, order and seed, and its text says all of it.
#[test]
fn a_seed_is_one_program_that_prints_and_parses() {
    for profile in Profile::ALL {
        for order in Order::ALL {
            for seed in 0..50 {
                let one = case(profile, order, &mut Seeded::new(seed));
                assert_eq!(one, case(profile, order, &mut Seeded::new(seed)));
                let text = one.scenario().to_string();
                let read: Scenario = text.parse().expect("what is printed parses");
                assert_eq!(Case::of(&read), one, "{profile} {order} {seed}");
            }
        }
    }
}

/// Short programs shrink well and run fast; a profile that wrote nothing would find nothing.
#[test]
fn programs_are_short_and_do_something() {
    for profile in Profile::ALL {
        let (mut lines, mut changed) = (0, 0);
        for seed in 0..200 {
            let case = of_seed(profile, seed);
            let report = run(&case.scenario(), Preset::Final.fixes(), ServerKind::K2, 0, &mut ());
            lines += case.ops.len() as u64;
            changed += report.operations;
        }
        let mean = lines / 200;
        assert!((20..=110).contains(&mean), "{profile}: {mean} lines on average");
        // Steps count in a schedule, so that a threaded program can change more than it has lines.
        assert!(changed * 10 > lines * 6, "{profile}: {changed} of {lines} changed something");
    }
}

/// Runs cases upstream and tells which oracles fired, on which cases, and the marks reached.
fn upstream(cases: impl Iterator<Item = Case>) -> (BTreeMap<String, Vec<usize>>, Marks, u64) {
    let mut failing: BTreeMap<String, Vec<usize>> = BTreeMap::new();
    let (mut marks, mut operations) = (Marks::default(), 0);
    for (index, case) in cases.enumerate() {
        let fixes = Preset::UpstreamShm.fixes();
        let report = run(&case.scenario(), fixes, ServerKind::Shm, 0, &mut marks);
        operations += report.operations;
        for (oracle, _) in report.failing() {
            failing.entry(oracle.to_string()).or_default().push(index);
        }
    }
    (failing, marks, operations)
}

/// What an ordinary program does that is rare all the same.
const TAME_MARKS: [Mark; 16] = [
    Mark::LateDrop,
    Mark::ViewOutlivesRoot,
    Mark::MeshDroppedFirst,
    Mark::ClosedWithLiveBuffers,
    Mark::CacheHitAfterReallocation,
    Mark::Collected,
    Mark::MeshIdAliasesChip,
    Mark::AddressReused,
    Mark::CollectedLate,
    Mark::PoolHeldLast,
    Mark::MeshClosedTwice,
    Mark::SubmeshOverLiveParent,
    Mark::ParentClosedFirst,
    Mark::MeshesShareChips,
    Mark::CacheClearedWhileInUse,
    Mark::DeviceClosedWithLiveBuffers,
];

/// An ordinary program must not look guilty, or no finding could be trusted; and it must not be
/// innocent for want of doing anything.
#[test]
fn tame_programs_are_clean_upstream_and_not_trivial() {
    let (failing, marks, operations) = upstream((0..3000).map(|seed| of_seed(Profile::Tame, seed)));
    assert_eq!(failing, BTreeMap::new(), "the seeds at which each oracle fired");
    assert_eq!(marks.0, TAME_MARKS.into_iter().collect());
    assert!(operations > 80_000, "only {operations} operations changed anything");
}

/// A fuzzer that runs the tame profile must crash on nothing, whatever bytes it makes up.
#[test]
fn tame_bytes_are_clean_upstream_and_not_trivial() {
    let inputs = (0..3000).map(|seed| random_bytes(150, seed));
    let (failing, marks, operations) =
        upstream(inputs.map(|bytes| from_bytes(Profile::Tame, &bytes)));
    assert_eq!(failing, BTreeMap::new(), "the inputs at which each oracle fired");
    assert_eq!(marks.0, TAME_MARKS.into_iter().collect());
    assert!(operations > 80_000, "only {operations} operations changed anything");
}

/// A search that passes must prove that it looked: each rare situation comes up within a few seeds
/// of the profile that is for it.
#[test]
fn every_mark_is_reached_within_three_hundred_seeds() {
    let mut reached: BTreeMap<Profile, BTreeSet<Mark>> = BTreeMap::new();
    for profile in Profile::ALL {
        let marks = reached.entry(profile).or_default();
        for seed in 0..300 {
            let mut seen = Marks::default();
            let scenario = of_seed(profile, seed).scenario();
            run(&scenario, Preset::Final.fixes(), ServerKind::K2, 0, &mut seen);
            marks.extend(seen.0);
        }
    }
    let all: BTreeSet<Mark> = reached.values().flatten().copied().collect();
    let missing: Vec<Mark> = Mark::ALL.into_iter().filter(|mark| !all.contains(mark)).collect();
    assert_eq!(missing, []);
    let expected = [
        (Profile::Reuse, vec![Mark::AddressReused, Mark::CollectedLate, Mark::DeadViewUsed]),
        (Profile::Cache, vec![Mark::CacheHitAfterReallocation, Mark::PoolHeldLast]),
        (Profile::Teardown, vec![Mark::MeshDroppedFirst, Mark::ClosedWithLiveBuffers]),
        (Profile::Submesh, vec![Mark::SubmeshOverLiveParent, Mark::ParentClosedFirst]),
        (Profile::Threads, vec![Mark::ThreadsInterleaved, Mark::SameBufferInterleaved]),
        (
            Profile::Faults,
            vec![
                Mark::MessageLost,
                Mark::MessageOvertook,
                Mark::AllocatedUntracked,
                Mark::KilledWithLiveBuffers,
                Mark::ServerRestarted,
                Mark::TrackerStartedLate,
                Mark::ReconnectedWithUnread,
                Mark::EntriesReaped,
            ],
        ),
    ];
    for (profile, marks) in expected {
        for mark in marks {
            assert!(reached[&profile].contains(&mark), "{profile} does not reach {mark}");
        }
    }
    // What the surroundings do belongs to one profile; the runtime is judged without it.
    for mark in [Mark::MessageLost, Mark::ServerRestarted, Mark::KilledWithLiveBuffers] {
        assert!(!reached[&Profile::Lifecycle].contains(&mark), "lifecycle reaches {mark}");
    }
}

/// A replayer that remembered anything of the case before would find what is not there, or miss
/// what is: it did remember the buffers that threads had been in the middle of.
#[test]
fn a_replayer_forgets_the_case_before() {
    let case = |text: &str| Case::of(&text.parse::<Scenario>().expect("a scenario"));
    let threads = case(
        "freeorder 1\nopen m0 2x4\nalloc b0 on m0 dram 1x2048\nt1: deallocate b0\ngc\n\
         schedule t0 t0 t0 t1 t0 t1 t1\n",
    );
    let ordinary =
        case("freeorder 1\nopen m0 2x4\nalloc b0 on m0 dram 1x2048\nclose m0\ndrop b0\n");
    let mut replayer = Replayer::new(Preset::UpstreamShm.fixes(), ServerKind::Shm);
    assert_eq!(replayer.classes(&ordinary), []);
    replayer.classes(&threads);
    assert_eq!(replayer.classes(&ordinary), []);

    let (fixes, server) = (Preset::Final.fixes(), ServerKind::K1);
    let mut used = Replayer::new(fixes, server);
    for seed in 0..50 {
        for profile in Profile::ALL {
            let case = of_seed(profile, seed);
            let fresh = Replayer::new(fixes, server).classes(&case).to_vec();
            assert_eq!(used.classes(&case), fresh, "{profile} {seed}");
        }
    }
}

/// Applies a case and tells the hash after every step.
fn hashes(simulation: &mut Simulation, case: &Case) -> Vec<u64> {
    let mut hashes = vec![simulation.hash()];
    if !case.is_stepped() {
        for (_, op) in &case.ops {
            simulation.apply(op, &mut ());
            hashes.push(simulation.hash());
        }
        return hashes;
    }
    simulation.load(case.threads());
    hashes[0] = simulation.hash();
    let mut course = case.course();
    loop {
        let ready = simulation.world().ready();
        if ready.is_empty() {
            return hashes;
        }
        simulation.step(course.next(&ready), &mut ());
        hashes.push(simulation.hash());
    }
}

/// Whatever is drawn must run under any fixes and any server, and be taken back step by step: a
/// search that goes back would else go on from a state that no program reaches.
#[test]
fn every_program_runs_under_any_set_and_can_be_taken_back() {
    for profile in Profile::ALL {
        for (seed, fixes) in (0..).zip(common::fix_sets().into_iter().cycle().take(60)) {
            let server = ServerKind::ALL[seed as usize % ServerKind::ALL.len()];
            let case = of_seed(profile, seed);
            let setup = Arc::new(case.start());
            let mut simulation = Simulation::new(setup, fixes, server, Tracking::FULL, 0);
            let hashes = hashes(&mut simulation, &case);
            for &before in hashes.iter().rev().skip(1) {
                assert!(simulation.undo());
                assert_eq!(simulation.hash(), before, "{profile} {seed} {fixes} {server}");
            }
        }
    }
}

fn merged(order: Order, lengths: &[u32], seed: u64) -> Vec<(u32, u32)> {
    let strands = lengths.iter().zip(0..);
    let strands = strands.map(|(&length, strand)| (0..length).map(|n| (strand, n)).collect());
    let races = |one: &(u32, u32), other: &(u32, u32)| one.1 == other.1;
    merge(order, strands.collect(), races, &mut Seeded::new(seed))
}

/// Every interleaving must be equally likely under URW: 90 orders, 9000 samples, and a chi-square
/// below the mean plus five standard deviations of 89 degrees of freedom. Plain random choice is
/// far above it.
#[test]
fn urw_samples_interleavings_uniformly_and_random_does_not() {
    let chi_square = |order| {
        let mut counts: BTreeMap<Vec<u32>, u64> = BTreeMap::new();
        for seed in 0..9000 {
            let merged = merged(order, &[2, 2, 2], seed);
            *counts.entry(merged.into_iter().map(|(strand, _)| strand).collect()).or_default() += 1;
        }
        let excess = counts.values().map(|&count| (count as f64 - 100.0).powi(2) / 100.0);
        let missing = (90 - counts.len()) as f64 * 100.0;
        (counts.len(), excess.sum::<f64>() + missing)
    };
    let (orders, urw) = chi_square(Order::Urw);
    assert_eq!(orders, 90);
    let limit = 89.0 + 5.0 * f64::sqrt(2.0 * 89.0);
    assert!(urw < limit, "chi-square {urw}");
    let (_, random) = chi_square(Order::Random);
    assert!(random > 3.0 * limit, "chi-square {random}");
}

/// Whatever the order, nothing is lost and every strand keeps its own sequence.
#[test]
fn every_order_is_a_merge() {
    let orders = [Order::Urw, Order::Pct { depth: 1 }, Order::Pct { depth: 5 }, Order::Pos];
    for order in orders.into_iter().chain(Order::ALL) {
        for seed in 0..300 {
            let lengths = [3, 0, 5, 1];
            let merged = merged(order, &lengths, seed);
            assert_eq!(merged.len(), 9);
            for (strand, &length) in lengths.iter().enumerate() {
                let own = merged.iter().filter(|(of, _)| *of == strand as u32);
                let own: Vec<u32> = own.map(|&(_, n)| n).collect();
                assert_eq!(own, (0..length).collect::<Vec<_>>(), "{order} {seed}");
            }
        }
    }
}

/// The sampler that sees most orders is the default: three strands of five, 756,756 orders, 20,000
/// samples, of which an ideal sampler would see 19,738.
#[test]
fn urw_sees_most_orders() {
    let distinct = |order| {
        let merged = (0..20_000).map(|seed| merged(order, &[5, 5, 5], seed));
        let orders: BTreeSet<Vec<u32>> =
            merged.map(|merged| merged.into_iter().map(|(strand, _)| strand).collect()).collect();
        orders.len()
    };
    let [urw, random] = [Order::Urw, Order::Random].map(distinct);
    let [pct, pos] = [Order::Pct { depth: 3 }, Order::Pos].map(distinct);
    assert!(urw > 19_600, "urw {urw}");
    assert!(urw > random && random > pos && pos > pct, "{urw} {random} {pos} {pct}");
}

/// How many seeds of each profile go through the byte form.
const ENCODED: u64 = if cfg!(debug_assertions) { 60 } else { 500 };

/// Whatever is drawn can be written as bytes and read back, so that a fuzzer can start from it.
#[test]
fn every_seed_of_every_profile_survives_the_byte_form() {
    for profile in Profile::ALL {
        for seed in 0..ENCODED {
            let wanted = canonical(&of_seed(profile, seed));
            let bytes = encode(profile, &wanted)
                .unwrap_or_else(|error| panic!("{profile} {seed}: {error}\n{}", wanted.scenario()));
            assert!(from_bytes(profile, &bytes) == wanted, "{profile} {seed}");
        }
    }
}

/// What a fuzzer found must come back from its scenario as well: the bytes change, the program does
/// not.
#[test]
fn every_byte_string_is_a_program_that_survives_the_byte_form() {
    for profile in Profile::ALL {
        for seed in 0..ENCODED {
            let bytes = random_bytes(seed as usize * 3, seed);
            let case = canonical(&from_bytes(profile, &bytes));
            assert!(case.ops.len() + case.schedule.len() <= bytes.len().max(1), "{profile}");
            let written = encode(profile, &case)
                .unwrap_or_else(|error| panic!("{profile} {seed}: {error}\n{}", case.scenario()));
            assert!(from_bytes(profile, &written) == case, "{profile} {seed}");
        }
        for bytes in [&[][..], &[0], &[255; 200], &[0; 200]] {
            let case = from_bytes(profile, bytes);
            run(&case.scenario(), Preset::Before.fixes(), ServerKind::K1, 0, &mut ());
        }
    }
}

/// In this program `reads b5,b5` stands before an output: a search that looks at all outputs there
/// could be behind `reads b5` never comes to the second `b5`.
#[test]
fn a_buffer_that_is_read_twice_is_written_as_bytes() {
    let case = canonical(&from_bytes(Profile::Lifecycle, &random_bytes(268 * 3, 268)));
    assert!(case.scenario().to_string().contains("reads b5,b5 out b1"), "{}", case.scenario());
    let bytes = encode(Profile::Lifecycle, &case).expect("the profile drew it");
    assert_eq!(from_bytes(Profile::Lifecycle, &bytes), case);
}

/// A fuzzer's input of some 150 bytes is a program of some 20 to 60 operations.
#[test]
fn an_operation_is_a_few_bytes() {
    for profile in Profile::ALL {
        let cases = (0..100).map(|seed| from_bytes(profile, &random_bytes(150, seed)));
        let mean = cases.map(|case| case.ops.len()).sum::<usize>() / 100;
        assert!((15..=75).contains(&mean), "{profile}: {mean} operations from 150 bytes");
    }
}

/// The published claims are where a fuzzer should start: most of them can be written as bytes, and
/// those that cannot say which line is in the way.
#[test]
fn claims_are_written_as_bytes_where_the_profile_can() {
    let mut written = BTreeSet::new();
    for claim in CLAIMS {
        let case = Case::of(&claim.scenario().expect("a claim parses"));
        for profile in Profile::ALL {
            match encode(profile, &case) {
                Ok(bytes) => {
                    let same = from_bytes(profile, &bytes) == canonical(&case);
                    assert!(same, "{} under {profile}", claim.name);
                    written.insert(claim.name);
                }
                Err(error) => assert!(!error.to_string().is_empty()),
            }
        }
    }
    assert!(written.len() >= 15, "only {} of {}: {written:?}", written.len(), CLAIMS.len());
}

/// An operation that a profile does not draw is named, with what it could draw instead.
#[test]
fn what_cannot_be_written_is_told() {
    let encode = |profile, text: &str| {
        let scenario: Scenario = format!("freeorder 1\n{text}").parse().expect("a scenario");
        encode(profile, &Case::of(&scenario)).map_err(|error| error.to_string())
    };
    let told = |profile, text: &str| encode(profile, text).expect_err("it cannot be written");
    assert_eq!(
        told(Profile::Tame, "open m0 2x4\nalloc b7 on m0 dram 5x2048\n"),
        "operation 2, `alloc b0 on m0 dram 5x2048`, cannot be drawn under profile tame; the \
         nearest that can is `alloc b0 on m0 dram 1x2048`"
    );
    assert_eq!(
        told(Profile::Tame, "open m0 2x4\nlose 3\n"),
        "operation 2, `lose 3`, cannot be drawn under profile tame; no operation of its kind can"
    );
    assert_eq!(
        told(Profile::Lifecycle, "open m0 2x4\nt1: gc\n"),
        "operation 2, `t1: gc`, cannot be drawn under profile lifecycle; its threads are t0 alone"
    );
    // Who lets go of m0 here does not close it: m2 keeps m1 alive, and m1 keeps m0.
    let kept = "open m0 1x4\nsubmesh m1 of m0 1x2\nsubmesh m2 of m1 1x1\nclose m1\ndrop m1\n";
    assert!(encode(Profile::Tame, kept).is_ok());
    assert!(told(Profile::Tame, &format!("{kept}drop m0\n")).contains("`drop m0`, cannot"));
    assert!(told(Profile::Tame, "l1-small 5\nopen m0 2x4\n").starts_with("the setup cannot"));
    assert!(told(Profile::Threads, "open m0 2x4\npicks 1\n").starts_with("picks cannot"));
    let turn = told(Profile::Threads, "open m0 2x4\nschedule t0 t7\n");
    assert_eq!(turn, EncodeError::Turn { number: 2 }.to_string());
    assert!(encode(Profile::Threads, "open m3 2x4\nt1: gc\nschedule t1 t0 old\n").is_ok());
}
