//! Exploration against plain enumeration: counts, verdicts, shortest orderings.

#![allow(clippy::unwrap_used, reason = "a test that cannot read its own scenario has failed")]

mod common;

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use freeorder::choice::{Choices, Seeded};
use freeorder::fix::{FixSet, Preset};
use freeorder::generate::{Order, Profile, case};
use freeorder::journal::{Columns, Tracking};
use freeorder::mark::Mark;
use freeorder::message::Role;
use freeorder::op::{Op, ThreadId};
use freeorder::scenario::{Case, Item, Line, Scenario, Simulation};
use freeorder::search::aim::{Aim, Failure, Model};
use freeorder::search::explore::{
    Exploration, Family, Limits, Options, Plan, Reduction, Sizes, Stop, explore,
};
use freeorder::search::minimize;
use freeorder::server::ServerKind;
use freeorder::units::Lanes;
use freeorder::violation::{OracleName, ViolationClass};

const REDUCTIONS: [Reduction; 4] = [
    Reduction::NONE,
    Reduction { symmetry: true, order: false },
    Reduction { symmetry: false, order: true },
    Reduction::ALL,
];

/// The chains of the one block of a scenario, with what comes before and after it.
struct Parts {
    before: Vec<Op>,
    chains: Vec<Vec<Op>>,
    after: Vec<Op>,
}

fn parts(scenario: &Scenario) -> Parts {
    let mut parts = Parts { before: Vec::new(), chains: Vec::new(), after: Vec::new() };
    let mut named: BTreeMap<u32, usize> = BTreeMap::new();
    for line in &scenario.lines {
        match &line.item {
            Item::Op(_, op) if parts.chains.is_empty() => parts.before.push(op.clone()),
            Item::Op(_, op) => parts.after.push(op.clone()),
            Item::Any(body) => {
                for line in body {
                    let Item::Op(thread, op) = &line.item else { continue };
                    match named.get(&thread.0).filter(|_| thread.0 > 0) {
                        Some(&chain) => parts.chains[chain].push(op.clone()),
                        None => {
                            named.insert(thread.0, parts.chains.len());
                            parts.chains.push(vec![op.clone()]);
                        }
                    }
                }
            }
            _ => {}
        }
    }
    parts
}

/// What plain enumeration finds: every ordering, one after the other, nothing merged.
#[derive(Default)]
struct Enumerated {
    orderings: u64,
    /// The states at their ends, without the order in which destroyed buffers were left behind.
    ends: BTreeSet<u64>,
    /// For each class after how many operations it is seen at the earliest.
    first: BTreeMap<ViolationClass, usize>,
}

struct Enumeration<'a> {
    parts: &'a Parts,
    simulation: Simulation,
    done: Vec<usize>,
    applied: usize,
    result: Enumerated,
}

impl Enumeration<'_> {
    fn apply(&mut self, op: &Op) {
        self.simulation.apply(op, &mut ());
        self.applied += 1;
        self.note(self.applied);
    }

    fn undo(&mut self) {
        self.simulation.undo();
        self.applied -= 1;
    }

    fn note(&mut self, after: usize) {
        for &class in self.simulation.oracles().findings().classes() {
            let first = self.result.first.entry(class).or_insert(after);
            *first = (*first).min(after);
        }
    }

    fn below(&mut self) {
        let parts = self.parts;
        let mut is_end = true;
        for chain in 0..parts.chains.len() {
            let Some(op) = parts.chains[chain].get(self.done[chain]) else { continue };
            is_end = false;
            self.done[chain] += 1;
            self.apply(op);
            self.below();
            self.undo();
            self.done[chain] -= 1;
        }
        if is_end {
            self.result.orderings += 1;
            parts.after.iter().for_each(|op| self.apply(op));
            let mut columns = Columns::new(Lanes::NONE);
            self.simulation.columns(&mut columns);
            self.result.ends.insert(columns.hash());
            self.simulation.finish(&mut ());
            self.note(self.applied + 1);
            self.simulation.undo();
            parts.after.iter().for_each(|_| self.undo());
        }
    }
}

fn enumerate(scenario: &Scenario, fixes: FixSet, server: ServerKind) -> Enumerated {
    let parts = parts(scenario);
    let setup = Arc::new(scenario.setup());
    let simulation = Simulation::new(setup, fixes, server, Tracking::FULL, 0);
    let done = vec![0; parts.chains.len()];
    let result = Enumerated::default();
    let mut enumeration = Enumeration { parts: &parts, simulation, done, applied: 0, result };
    parts.before.iter().for_each(|op| enumeration.apply(op));
    enumeration.below();
    enumeration.result
}

/// How many ways there are to interleave chains of these lengths, counted one by one.
fn interleavings(lengths: &mut [u32]) -> u64 {
    if lengths.iter().all(|&length| length == 0) {
        return 1;
    }
    let mut count = 0;
    for chain in 0..lengths.len() {
        if lengths[chain] > 0 {
            lengths[chain] -= 1;
            count += interleavings(lengths);
            lengths[chain] += 1;
        }
    }
    count
}

/// A block of chains that do nothing but read.
fn chains(lengths: &[u32]) -> Scenario {
    let mut text = "freeorder 1\nopen m0 1x1\nalloc b0 on m0 dram 1x2048\nany {\n".to_owned();
    for (chain, &length) in lengths.iter().enumerate() {
        for step in 0..length {
            // Every line is another one, so that no state is like another.
            let buffer = 100 * chain as u32 + step + 1;
            text += &format!("t{}: share b{buffer} of b0\n", chain + 1);
        }
    }
    (text + "}\n").parse().unwrap()
}

fn options(fixes: FixSet, server: ServerKind, reduction: Reduction) -> Options<'static> {
    Options { reduction, ..Options::new(fixes, server) }
}

/// The count goes into certificates: it must be what counting one by one gives.
#[test]
fn orderings_are_counted_as_one_by_one() {
    let shapes: [&[u32]; 9] = [
        &[],
        &[4],
        &[1; 5],
        &[1; 7],
        &[2, 3],
        &[3, 1, 2],
        &[5, 5, 5],
        &[1, 1, 4, 2],
        &[2, 2, 2, 2],
    ];
    for lengths in shapes {
        let plan = Plan::of(&chains(lengths));
        let expected = interleavings(&mut lengths.to_vec()).to_string();
        assert_eq!(plan.orderings().unwrap().to_string(), expected, "{lengths:?}");
    }
    let nine = Plan::of(&chains(&[1; 9])).orderings().unwrap();
    assert_eq!(nine.to_string(), interleavings(&mut [1; 9]).to_string());
    // Three handles, each of which lets go of its backing buffer and four device-local buffers in
    // an order of its own.
    let fixed = Plan::of(&chains(&[5; 3])).orderings().unwrap();
    assert_eq!(fixed.to_string(), "756756");
}

/// Counting state by state, with states merged, gives the same: with devices exchanged or not.
#[test]
fn orderings_are_counted_state_by_state() {
    let count = |scenario: &Scenario, reduction| {
        let options = Options {
            preemptions_max: Some(99),
            ..options(Preset::UpstreamShm.fixes(), ServerKind::K2, reduction)
        };
        let result = explore(&Plan::of(scenario), &options);
        assert_eq!(result.stopped, None);
        (result.orderings.to_string(), result.states)
    };
    let symmetric = Reduction { symmetry: true, order: false };
    for lengths in [&[1, 1, 1, 1][..], &[2, 3], &[3, 1, 2], &[2, 2, 2]] {
        let expected = interleavings(&mut lengths.to_vec()).to_string();
        for reduction in [Reduction::NONE, symmetric] {
            assert_eq!(count(&chains(lengths), reduction).0, expected, "{lengths:?} {reduction}");
        }
    }
    let teardown = |handles, devices| {
        let sizes = Sizes { handles, devices, views: 0, ..Sizes::default() };
        Family::Teardown.scenario(sizes).unwrap()
    };
    let small = teardown(2, 4);
    assert_eq!(count(&small, Reduction::NONE), ("3628800".to_owned(), 1024));
    let (orderings, states) = count(&small, symmetric);
    assert_eq!(orderings, "3628800");
    assert!(states < 400, "{states} states are left of 1024");
}

/// Of handles that hold the same object one is dropped first; the orderings of the others count.
#[test]
fn equal_handles_are_taken_once() {
    let scenario: Scenario = "freeorder 1\nopen m0 1x1\nalloc b0 on m0 dram 1x2048\n\
        share b1 of b0\nshare b2 of b0\nany {\n  drop b0\n  drop b1\n  drop b2\n}\n"
        .parse()
        .unwrap();
    let explore = |reduction, preemptions_max| {
        let options = options(Preset::Final.fixes(), ServerKind::K2, reduction);
        explore(&Plan::of(&scenario), &Options { preemptions_max, ..options })
    };
    let all = explore(Reduction::NONE, Some(0));
    let one = explore(Reduction { symmetry: true, order: false }, Some(0));
    assert_eq!((all.orderings.to_string().as_str(), all.states), ("6", 8));
    assert_eq!((one.orderings.to_string().as_str(), one.states), ("6", 4));
}

const LETTERS: [&str; 29] = [
    "drop b0",
    "drop b1",
    "drop b2",
    "drop b3",
    "deallocate b0",
    "deallocate b1",
    "deallocate b2",
    "mark b0",
    "mark b1",
    "release b0 backing",
    "release b0 d0",
    "release b0 d1",
    "release b1 backing",
    "release b1 d0",
    "release b1 d1",
    "release b1 d4",
    "release b2 d1",
    "release b0 d4",
    "release b0 d5",
    "use b1",
    "cycle b0",
    "gc",
    "close m0",
    "close m1",
    "alloc b4 on m0 dram 1x2048",
    "alloc b5 on m1 dram 1x2048",
    "server restart",
    "drop m0",
    "checkpoint",
];

const STARTS: [&str; 5] = [
    "alloc b0 on m0 dram 1x2048\nalloc b1 on m0 dram 1x2048\nalloc b2 on m0 dram 1x2048\n",
    "alloc b0 on m0 dram 1x2048\nview b1 of b0\nalloc b2 on m0 dram 2x2048\nview b3 of b2\n",
    "alloc b0 on m0 dram 1x2048\nalias b1 of b0\nshare b2 of b0\nshare b3 of b0\n",
    "submesh m1 of m0 1x1\nalloc b0 on m0 dram 1x2048\nalloc b1 on m1 dram 1x2048\nview b2 of b1\n",
    "alloc b0 on m0 dram 1x2048\nalias b1 of b0\ndrop b0\nalloc b2 on m0 dram 1x2048\n\
     alloc b0 on m0 l1 1x2048\nview b3 of b0\n",
];

/// Starts from which chips come to know different owners of one address, and steps that bring them
/// there: a message to all chips of a mesh then meets several at once.
const MIXED_STARTS: [&str; 4] = [
    "alloc b0 on d0 dram 2x2048\nalloc b1 on m1 dram 1x64\nview b2 of b1\n",
    "alloc b0 on d0 dram 1x2048\nalloc b1 on m1 dram 1x2048\nview b2 of b1\n",
    "alloc b1 on m1 dram 1x64\nalloc b0 on d0 dram 2x2048\nview b2 of b1\n",
    "alloc b0 on d0 dram 1x2048\nalloc b1 on m1 dram 1x2048\nalias b2 of b1\nview b3 of b1\n",
];

const MIXED_LETTERS: [&str; 5] =
    ["drop b2", "deallocate b0", "deallocate b1", "alloc b4 on m0 dram 1x2048", "alias b5 of b0"];

/// A small scenario of a seed, with a block of up to so many steps.
fn small(seed: u64, most: u64) -> (Scenario, FixSet, ServerKind) {
    let mut choices = Seeded::new(seed);
    // On the chips 0, 1, 4 and 5.
    let mut text = "freeorder 1\nopen m0 2x2\n".to_owned();
    text += STARTS[choices.pick(STARTS.len() as u64) as usize];
    text += "any {\n";
    for _ in 0..2 + choices.pick(most - 1) {
        if choices.pick(4) == 0 {
            text += ["t1: ", "t2: "][choices.pick(2) as usize];
        }
        text += LETTERS[choices.pick(LETTERS.len() as u64) as usize];
        text += "\n";
    }
    text += "}\n";
    if choices.pick(2) == 0 {
        text += "exit\n";
    }
    let sets = common::fix_sets();
    let fixes = match choices.pick(3) {
        0 => common::with_switches(freeorder::fix::Baseline::Fork, choices.pick(1 << 24) as u32),
        _ => sets[choices.pick(sets.len() as u64) as usize],
    };
    let server = ServerKind::ALL[choices.pick(ServerKind::ALL.len() as u64) as usize];
    (text.parse().unwrap(), fixes, server)
}

/// A small scenario of a seed, in which an ALLOC for all chips of a mesh meets what different owners
/// left on them.
fn mixed(seed: u64) -> (Scenario, FixSet, ServerKind) {
    let mut choices = Seeded::new(seed);
    let mut text = "freeorder 1\nopen m0 2x2\nsubmesh m1 of m0 1x1\n".to_owned();
    text += MIXED_STARTS[choices.pick(MIXED_STARTS.len() as u64) as usize];
    text += "any {\ndrop b0\ndrop b1\n";
    for _ in 0..choices.pick(3) {
        text += MIXED_LETTERS[choices.pick(MIXED_LETTERS.len() as u64) as usize];
        text += "\n";
    }
    text += "}\nalloc b6 on m0 dram 1x2048\n";
    let fixes = match choices.pick(2) {
        0 => Preset::Before.fixes(),
        _ => common::with_switches(freeorder::fix::Baseline::Fork, choices.pick(1 << 24) as u32),
    };
    let server = ServerKind::ALL[choices.pick(ServerKind::ALL.len() as u64) as usize];
    (text.parse().unwrap(), fixes, server)
}

fn classes(result: &Exploration) -> Vec<ViolationClass> {
    let mut classes: Vec<_> = result.found.iter().map(|one| one.class).collect();
    classes.sort();
    classes
}

/// The sets of classes agree, and the orderings that are told are the shortest.
fn agrees(seed: u64, (scenario, fixes, server): (Scenario, FixSet, ServerKind)) -> usize {
    let expected = enumerate(&scenario, fixes, server);
    let plan = Plan::of(&scenario);
    assert_eq!(plan.orderings().unwrap().to_string(), expected.orderings.to_string());
    let ends = |reduction| explore(&plan, &options(fixes, server, reduction)).ends;
    let (all, one_order) = (ends(REDUCTIONS[0]), ends(REDUCTIONS[2]));
    let different = expected.ends.len() as u64;
    // What is made behind the block takes the place of whatever went last: two states that differ in
    // nothing else have two hashes.
    let is_told = !parts(&scenario).after.iter().any(|op| op.made().is_some());
    assert!(
        !is_told || different <= one_order && one_order <= all,
        "seed {seed}: {one_order} ends of {all}"
    );
    for reduction in REDUCTIONS {
        let result = explore(&plan, &options(fixes, server, reduction));
        let told = format!("seed {seed} under {fixes} and {server}, {reduction}\n{scenario}");
        let all: Vec<_> = expected.first.keys().copied().collect();
        assert_eq!(classes(&result), all, "{told}");
        for one in &result.found {
            assert!(one.is_shortest, "{told}{}", one.class);
            assert_eq!(one.steps, expected.first[&one.class], "{told}{}", one.class);
        }
    }
    expected.first.len()
}

/// What is left out must never be the ordering that fails.
#[test]
fn a_reduced_search_finds_what_every_ordering_shows() {
    let found: usize = (0..150).map(|seed| agrees(seed, small(seed, 4))).sum();
    assert!(found > 150, "{found} violations are too few to compare");
}

/// Nor must what is merged depend on how it came to be: here an ALLOC meets several owners at once.
#[test]
fn a_reduced_search_finds_the_classes_of_every_history() {
    let found: usize = (0..60).map(|seed| agrees(seed, mixed(seed))).sum();
    assert!(found > 100, "{found} violations are too few to compare");
}

/// The same on larger blocks and more of them.
#[cfg(feature = "slow-tests")]
#[test]
fn a_reduced_search_finds_what_every_ordering_shows_in_a_thousand_scenarios() {
    let found: usize = (1000..2500).map(|seed| agrees(seed, small(seed, 6))).sum();
    let mixed: usize = (1000..2500).map(|seed| agrees(seed, mixed(seed))).sum();
    assert!(mixed > 1500, "{mixed} violations are too few to compare");
    assert!(found > 1500, "{found} violations are too few to compare");
}

/// Which registrations an ALLOC meets first depends on what happened before; what is said of it
/// must not.
#[test]
fn two_histories_of_one_state_are_of_one_class() {
    let history = |ends: &str| {
        let text = format!(
            "freeorder 1\nopen m0 1x2\nsubmesh m1 of m0 1x1\n\
             alloc b0 on d0 dram 2x2048\nalloc b1 on m1 dram 1x64\nview b3 of b1\n{ends}\
             alloc b6 on m0 dram 1x2048\n"
        );
        text.parse::<Scenario>().unwrap()
    };
    let (one, other) = (history("drop b0\ndrop b1\n"), history("drop b1\ndrop b0\n"));
    let mut met = 0;
    for fixes in Preset::ALL.map(Preset::fixes) {
        for server in ServerKind::ALL {
            let last = |scenario: &Scenario| -> BTreeSet<ViolationClass> {
                let report = freeorder::scenario::run(scenario, fixes, server, 99, &mut ());
                let kept = report.findings.violations().iter();
                let is_last = |one: &&freeorder::violation::Violation| {
                    one.by.is_some_and(|by| by.to_string().starts_with("b6"))
                };
                kept.filter(is_last).map(freeorder::violation::Violation::class).collect()
            };
            assert_eq!(last(&one), last(&other), "{fixes} {server}");
            let relations: BTreeSet<_> = last(&one).iter().map(|one| one.relation).collect();
            met += usize::from(relations.contains(&freeorder::violation::Relation::OtherOwner));
        }
    }
    assert!(met > 5, "{met}");
}

const CAUSES: [Mark; 9] = [
    Mark::ClosedWithLiveBuffers,
    Mark::ParentClosedFirst,
    Mark::MeshesShareChips,
    Mark::DeviceBesideMesh,
    Mark::DeviceClosedWithLiveBuffers,
    Mark::MarkedWithoutRelease,
    Mark::AllocatorEmptied,
    Mark::BackingReleasedAlone,
    Mark::DeviceLocalReleasedAlone,
];

/// The marks that are causes of failures by themselves, up to the first violation of a class.
#[derive(Default)]
struct Met(BTreeSet<&'static str>);

impl freeorder::event::Observer for Met {
    fn observe(&mut self, _: freeorder::event::Tick, event: &freeorder::event::Event<'_>) {
        if let freeorder::event::Event::Reached(mark) = event
            && CAUSES.contains(mark)
        {
            self.0.insert(mark.name());
        }
    }
}

fn met(case: &Case, fixes: FixSet, server: ServerKind, class: ViolationClass) -> Met {
    let mut met = Met::default();
    let mut simulation = Simulation::new(Arc::new(case.start()), fixes, server, Tracking::NONE, 0);
    for (_, op) in &case.ops {
        simulation.apply(op, &mut met);
        if simulation.oracles().findings().classes().contains(&class) {
            break;
        }
    }
    met
}

/// A class says little of a cause: two meshes that are opened on one chip fail in the classes in
/// which a parent and its submesh fail, and a mesh that closes over its buffers in many others.
#[test]
fn a_reduced_ordering_meets_no_cause_that_the_ordering_does_not() {
    let (mut reduced, mut without) = (0, 0);
    let families = [Family::Submesh, Family::Reuse, Family::Close, Family::Cache];
    let sizes = [Sizes::default(), Sizes { handles: 1, devices: 1, ..Sizes::default() }];
    for (family, sizes) in families.into_iter().flat_map(|one| sizes.map(|sizes| (one, sizes))) {
        let scenario = family.scenario(sizes).unwrap();
        for preset in [Preset::Sound, Preset::ForkHead, Preset::Final, Preset::Before] {
            let (fixes, server) = (preset.fixes(), ServerKind::K2);
            let result = explore(&Plan::of(&scenario), &Options::new(fixes, server));
            for one in result.violations() {
                let aim = Aim { fixes, server, failure: Failure::Class(one.class) };
                let mut options = minimize::Options::default();
                let mut model = Model::new(aim).keeping_causes();
                let small = minimize::minimize(&one.case, &mut model, &mut options).unwrap();
                let before = met(&one.case, fixes, server, one.class).0;
                let after = met(&small.case, fixes, server, one.class).0;
                let told = format!("{} under {fixes}\n{}", one.class, small.case.scenario());
                assert!(after.is_subset(&before), "{before:?}, {after:?}, {told}");
                let opened = small.case.ops.iter().filter(|(_, op)| matches!(op, Op::Open { .. }));
                assert_eq!(opened.count(), 1, "{told}");
                assert!(small.case.ops.len() <= one.case.ops.len());
                without += usize::from(!before.contains("closed-with-live-buffers"));
                reduced += 1;
            }
        }
    }
    assert!(reduced > 30 && without > 10, "{reduced} {without}");
}

/// The same of random programs, of which the last steps come in any order.
#[test]
fn a_reduction_of_a_random_program_meets_no_cause_that_the_program_does_not() {
    let (mut reduced, mut apart) = (0, 0);
    let seeds = if cfg!(feature = "slow-tests") { 400 } else { 60 };
    let profiles = [Profile::Lifecycle, Profile::Submesh, Profile::Teardown, Profile::Tame];
    for (profile, seed) in profiles.into_iter().flat_map(|one| (0..seeds).map(move |n| (one, n))) {
        let whole = case(profile, Order::Urw, &mut Seeded::new(seed));
        let line = |(_, op): &(ThreadId, Op)| Line::new(Item::Op(ThreadId(0), op.clone()));
        let (first, last) = whole.ops.split_at(whole.ops.len().saturating_sub(4));
        let setup = whole.setup.iter().map(|&fact| Line::new(Item::Setup(fact)));
        let mut lines: Vec<Line> = setup.chain(first.iter().map(line)).collect();
        lines.push(Line::new(Item::Any(last.iter().map(line).collect())));
        let preset = [Preset::Sound, Preset::ForkHead, Preset::Final, Preset::UpstreamShm];
        let (fixes, server) = (preset[seed as usize % 4].fixes(), ServerKind::K2);
        let limits = Limits { states_max: 2_000, ..Limits::default() };
        let options = Options { limits, ..Options::new(fixes, server) };
        let result = explore(&Plan::of(&Scenario { lines }), &options);
        for one in result.violations().filter(|one| one.case.ops.len() <= 24) {
            let aim = Aim { fixes, server, failure: Failure::Class(one.class) };
            let mut model = Model::new(aim).keeping_causes();
            let mut options = minimize::Options::default();
            let small = minimize::minimize(&one.case, &mut model, &mut options).unwrap();
            let before = met(&one.case, fixes, server, one.class).0;
            let after = met(&small.case, fixes, server, one.class).0;
            let told = format!("{} under {fixes}\n{}", one.class, small.case.scenario());
            assert!(after.is_subset(&before), "{profile} {seed}: {before:?}, {after:?}, {told}");
            reduced += 1;
            apart += usize::from(!before.contains(Mark::DeviceBesideMesh.name()));
        }
    }
    assert!(reduced > 100 && apart > 50, "{reduced} {apart}");
}

/// Every other verb takes the lines of a block as they stand.
#[test]
fn a_run_takes_the_lines_of_a_block_in_the_order_of_the_file() {
    let text = "freeorder 1\nopen m0 2x4\nalloc b0 on m0 dram 1x2048\nany {\n  t1: mark b0\n  \
                drop b0\n  t1: close m0\n}\nexit\n";
    let block: Scenario = text.parse().unwrap();
    let plain: Scenario = text.replace("any {\n", "").replace("}\n", "").parse().unwrap();
    let digest =
        |scenario| freeorder::scenario::digest(scenario, FixSet::default(), ServerKind::K2);
    assert_eq!(digest(&block), digest(&plain));
    assert_eq!(block.ops().count(), 6);
}

/// A counterexample must be one: its case shows the class, at the step that is told.
#[test]
fn a_counterexample_fails_when_it_is_replayed() {
    let mut replayed = 0;
    for seed in 0..60 {
        let (scenario, fixes, server) = small(seed, 4);
        let result = explore(&Plan::of(&scenario), &Options::new(fixes, server));
        for one in &result.found {
            let parsed: Scenario = one.case.scenario().to_string().parse().unwrap();
            let setup = Arc::new(parsed.setup());
            let mut simulation = Simulation::new(setup, fixes, server, Tracking::NONE, 0);
            let mut seen = Vec::new();
            for (_, op) in parsed.ops() {
                simulation.apply(op, &mut ());
                seen.push(simulation.oracles().findings().classes().contains(&one.class));
            }
            simulation.finish(&mut ());
            seen.push(simulation.oracles().findings().classes().contains(&one.class));
            let first = seen.iter().position(|&seen| seen).map(|index| index + 1);
            assert_eq!(first, Some(one.steps), "seed {seed}, {}", one.class);
            replayed += 1;
        }
    }
    assert!(replayed > 60);
}

/// Every order of three handles over four devices: what the certificate of the case says.
#[test]
fn three_handles_over_four_devices_are_covered() {
    let sizes = Sizes { handles: 3, devices: 4, views: 0, ..Sizes::default() };
    let plan = Plan::of(&Family::Teardown.scenario(sizes).unwrap());
    let result = |reduction| explore(&plan, &options(FixSet::default(), ServerKind::K2, reduction));
    let reduced = result(Reduction::ALL);
    assert_eq!(reduced.orderings.to_string(), "1307674368000");
    assert!(reduced.states <= 94, "{} states", reduced.states);
    let by_symmetry = result(Reduction { symmetry: true, order: false });
    assert!(by_symmetry.states <= 2640, "{} states", by_symmetry.states);
    assert_eq!(classes(&reduced), classes(&by_symmetry));
}

/// Counters that stop at 0 and questions about all buffers of a chip are where a reduction could be
/// given up, or a shorter ordering be missed: they cost no more than the others, and the orderings
/// that are told are the shortest.
#[test]
fn every_preset_is_explored_in_a_few_states_under_every_server() {
    let teardown = |handles, devices| {
        let sizes = Sizes { handles, devices, views: 0, ..Sizes::default() };
        Plan::of(&Family::Teardown.scenario(sizes).unwrap())
    };
    let (small, large) = (teardown(2, 2), teardown(3, 4));
    let (mut hidden, mut late) = (0, 0);
    for preset in Preset::ALL {
        for server in ServerKind::ALL {
            let told = format!("{preset:?} under {server}");
            let with = |plan, reduction| explore(plan, &options(preset.fixes(), server, reduction));
            let reduced = with(&large, Reduction::ALL);
            // Under k0 the pieces of a buffer have one entry, and no two devices can be exchanged.
            let most = if server == ServerKind::K0 { 94 } else { 46 };
            assert!(reduced.states <= most, "{told}: {} states", reduced.states);
            assert!(reduced.found.iter().all(|one| one.is_shortest), "{told}");
            let shortest = |result: Exploration| -> Vec<(ViolationClass, usize, bool)> {
                result.found.iter().map(|one| (one.class, one.steps, one.is_shortest)).collect()
            };
            let all = shortest(with(&small, Reduction::NONE));
            assert_eq!(shortest(with(&small, Reduction::ALL)), all, "{told}");
            assert!(all.iter().all(|&(.., is_shortest)| is_shortest), "{told}");
            hidden += all.iter().filter(|one| one.0.oracle == OracleName::Visibility).count();
            late += all.iter().filter(|&&(_, steps, _)| steps == 3 + 6 + 2).count();
        }
    }
    assert!(hidden > 10 && late > 5, "{hidden} chips that show nothing, {late} classes at the end");
}

/// Whether a chip shows nothing depends on the order of steps that otherwise commute: here the
/// tracker forgets b0 before its memory is given back, and b1 must have gone before.
#[test]
fn a_chip_that_shows_nothing_is_found_in_the_order_that_was_left_out() {
    let text = "freeorder 1\nopen m0 1x2\nalloc b0 on m0 dram 1x2048\n\
                alloc b1 on m0 dram 1x2048\nany {\n  t1: release b0 d0\n  \
                t1: release b0 backing\n  drop b1\n}\n";
    let scenario: Scenario = text.parse().unwrap();
    for server in [ServerKind::K1, ServerKind::K2, ServerKind::Shm] {
        let fixes = Preset::Final.fixes();
        let expected = enumerate(&scenario, fixes, server);
        let result = explore(&Plan::of(&scenario), &Options::new(fixes, server));
        assert_eq!(classes(&result), expected.first.keys().copied().collect::<Vec<_>>());
        let hidden = result.found.iter().find(|one| one.class.oracle == OracleName::Visibility);
        assert_eq!(hidden.map(|one| (one.steps, one.is_shortest)), Some((5, true)), "{server}");
    }
    // With a view that keeps b1 in the tracker no order does, which is told without all of them.
    let sizes = Sizes { handles: 3, devices: 4, ..Sizes::default() };
    let plan = Plan::of(&Family::Teardown.scenario(sizes).unwrap());
    let result = explore(&plan, &Options::new(Preset::Final.fixes(), ServerKind::K2));
    assert!(result.found.iter().all(|one| one.class.oracle != OracleName::Visibility));
    assert!(result.states < 500, "{} states", result.states);
}

/// Threads have no count that a formula could give: the states are counted, and agree with plain
/// enumeration of every schedule.
#[test]
fn the_schedules_of_threads_are_counted_one_by_one() {
    let text = "freeorder 1\nopen m0 1x2\nalloc b0 on m0 dram 1x2048\n\
                deallocate b0\nt1: deallocate b0\nt1: drop b0\nt2: alloc b1 on m0 dram 1x2048\n";
    let scenario: Scenario = text.parse().unwrap();
    let (fixes, server) = (Preset::Before.fixes(), ServerKind::K1);
    let mut simulation =
        Simulation::new(Arc::new(scenario.setup()), fixes, server, Tracking::FULL, 0);
    simulation.load(freeorder::scenario::Case::of(&scenario).threads());
    let mut expected: (u64, BTreeMap<ViolationClass, usize>) = (0, BTreeMap::new());
    schedules(&mut simulation, 0, &mut expected);
    let result = explore(&Plan::of(&scenario), &Options::new(fixes, server));
    assert_eq!(result.orderings.to_string(), expected.0.to_string());
    assert_eq!(classes(&result), expected.1.keys().copied().collect::<Vec<_>>());
    for one in &result.found {
        assert_eq!((one.steps, one.is_shortest), (expected.1[&one.class], true), "{}", one.class);
    }
    assert!(result.states < expected.0);
}

fn schedules(
    simulation: &mut Simulation,
    taken: usize,
    (count, first): &mut (u64, BTreeMap<ViolationClass, usize>),
) {
    for &class in simulation.oracles().findings().classes() {
        let known = first.entry(class).or_insert(taken);
        *known = (*known).min(taken);
    }
    let ready = simulation.world().ready().len();
    let mut found = (std::mem::take(count), std::mem::take(first));
    for index in 0..ready {
        simulation.step(index, &mut ());
        schedules(simulation, taken + 1, &mut found);
        simulation.undo();
    }
    if ready == 0 {
        found.0 += 1;
        simulation.finish(&mut ());
        for &class in simulation.oracles().findings().classes() {
            let known = found.1.entry(class).or_insert(taken + 1);
            *known = (*known).min(taken + 1);
        }
        simulation.undo();
    }
    (*count, *first) = found;
}

/// Bounds come one after the other, so that the simplest failure is the one that is told.
#[test]
fn the_failure_with_the_fewest_preemptions_comes_first() {
    let text = "freeorder 1\nopen m0 1x2\nalloc b0 on m0 dram 1x2048\nany {\n\
                t1: tracking off\nt1: tracking on\nt2: drop b0\n}\n";
    let plan = Plan::of(&text.parse().unwrap());
    let under = |most| {
        let options = Options::new(Preset::UpstreamShm.fixes(), ServerKind::K2);
        explore(&plan, &Options { preemptions_max: Some(most), ..options })
    };
    let none = under(0);
    assert_eq!((none.orderings.to_string().as_str(), none.preemptions), ("2", Some(0)));
    assert!(none.found.is_empty());
    // The FREE is lost where the drop comes while nothing is reported.
    let all = under(9);
    assert_eq!((all.orderings.to_string().as_str(), all.preemptions), ("3", Some(1)));
    let residue = all.found.iter().find(|one| one.class.oracle == OracleName::Residue).unwrap();
    let ops: Vec<String> = residue.case.ops.iter().map(|(_, op)| op.to_string()).collect();
    assert_eq!(ops[2..], ["tracking off", "drop b0", "tracking on"]);
}

/// Who goes first in a block has interrupted nobody of the block before.
#[test]
fn each_block_begins_without_a_preemption() {
    let under = |blocks: &str| {
        let text = format!("freeorder 1\nopen m0 1x1\nalloc b0 on m0 dram 1x2048\n{blocks}");
        let options = Options::new(Preset::Sound.fixes(), ServerKind::K2);
        let options = Options { preemptions_max: Some(0), ..options };
        explore(&Plan::of(&text.parse().unwrap()), &options)
    };
    let turns = "any {\ntracking on\ntracking off\n}\n";
    assert_eq!(under(turns).orderings.to_string(), "2");
    assert_eq!(under(&turns.repeat(2)).orderings.to_string(), "4");
    assert_eq!(under(&format!("{turns}checkpoint\n{turns}{turns}")).orderings.to_string(), "8");
    // The FREE is lost where both blocks have their second line first.
    let found = under(&format!("{turns}any {{\ndrop b0\ntracking on\n}}\n")).found;
    assert!(found.iter().any(|one| one.class.oracle == OracleName::Residue));
}

/// Two states in which other messages wait are two, if all that differs is who let go.
#[test]
fn who_sent_what_waits_is_told() {
    let text = "freeorder 1\nopen m0 1x1\nalloc b0 on m0 dram 1x2048\nserver restart\nstall\n\
                any {\ndeallocate-unforced b0\nrelease b0 backing\n}\n";
    let options = Options::new(Preset::Sound.fixes(), ServerKind::K1);
    let plan = Plan::of(&text.parse().unwrap());
    for reduction in REDUCTIONS {
        let found = explore(&plan, &Options { reduction, ..options }).found;
        let unknown = found.iter().filter(|one| one.class.oracle == OracleName::UnknownFree);
        let roles: BTreeSet<Option<Role>> = unknown.map(|one| one.class.role).collect();
        let both = [Some(Role::UserHandle), Some(Role::OwnedBufferState)];
        assert_eq!(roles, BTreeSet::from(both));
    }
}

/// A limit ends the search with what was covered by then, and never with a certificate.
#[test]
fn limits_end_a_search_in_order() {
    let sizes = Sizes { handles: 3, devices: 4, views: 0, ..Sizes::default() };
    let plan = Plan::of(&Family::Teardown.scenario(sizes).unwrap());
    let under = |limits| {
        let options = options(FixSet::default(), ServerKind::K2, Reduction::NONE);
        explore(&plan, &Options { limits, ..options })
    };
    let few = under(Limits { states_max: 1000, ..Limits::default() });
    assert_eq!((few.stopped, few.states), (Some(Stop::States), 1000));
    let little = under(Limits { memory_max_bytes: 1 << 18, ..Limits::default() });
    assert_eq!(little.stopped, Some(Stop::Memory));
    let late = Limits { deadline: Some(std::time::Instant::now()), ..Limits::default() };
    assert_eq!(under(late).stopped, Some(Stop::Time));
    let asked = Limits { interrupted: &|| true, ..Limits::default() };
    assert_eq!(under(asked).stopped, Some(Stop::Interrupted));
}

/// Families are input of other searches: each must be sayable, explorable and of its class.
#[test]
fn every_family_is_explored_to_its_end() {
    for family in Family::ALL {
        let scenario = family.scenario(Sizes::default()).unwrap();
        assert_eq!(scenario.to_string().parse::<Scenario>().unwrap(), scenario, "{family}");
        assert_eq!(scenario.class(), family.class(), "{family}");
        let result =
            explore(&Plan::of(&scenario), &Options::new(FixSet::default(), ServerKind::K2));
        assert_eq!(result.stopped, None, "{family}");
        assert!(result.ends > 0 && result.orderings > 1_u8.into(), "{family}");
    }
    assert!(Family::Teardown.scenario(Sizes { devices: 11, ..Sizes::default() }).is_err());
    assert!(Family::Teardown.scenario(Sizes { handles: 33, ..Sizes::default() }).is_err());
}

/// The sums of many different sizes double with each buffer; a limit holds there as well.
#[test]
fn many_sizes_stay_within_the_limits() {
    let mut text =
        "freeorder 1\nmachine N150\nopen m0 1x1\nalloc b30 on m0 dram 1x2048\n".to_owned();
    for buffer in 0..24 {
        text += &format!("alloc b{buffer} on m0 dram {}x32\n", 1 << (buffer % 16));
        text += &format!("alloc b{} on m0 dram {}x32\n", 31 + buffer, 1 + buffer);
    }
    text += "any {\n";
    for buffer in 0..24 {
        let thread = buffer + 1;
        text += &format!("t{thread}: release b{buffer} d0\nt{thread}: release b{buffer} backing\n");
    }
    text += "}\n";
    let plan = Plan::of(&text.parse().unwrap());
    let mut options = Options::new(Preset::Final.fixes(), ServerKind::K2);
    options.limits = Limits { states_max: 2000, ..Limits::default() };
    let result = explore(&plan, &options);
    assert!(result.states <= 2000 + 100, "{}", result.states);
}
