//! Whatever a program does, the simulation is a function of it, and every step can be taken back.

mod common;

use std::sync::Arc;
use std::time::Instant;

use common::{
    Digits, KINDS, Lines, fix_sets, limited_setup, op_of, panics, sequence, setup, shrink,
    simulation, text, with_defects, with_switches,
};
use freeorder::choice::{Choices, Seeded};
use freeorder::fix::{Baseline, DEFECTS, FIXES, Fix, FixSet};
use freeorder::journal::Tracking;
use freeorder::op::{Op, ThreadId};
use freeorder::runtime::Setup;
use freeorder::scenario::Simulation;
use freeorder::server::ServerKind;
use freeorder::world::Action;
use proptest::prelude::*;

/// What a property starts from.
#[derive(Clone, Debug)]
struct Start {
    setup: Arc<Setup>,
    fixes: FixSet,
    server: ServerKind,
}

impl Start {
    fn simulation(&self, tracking: Tracking) -> Simulation {
        Simulation::new(Arc::clone(&self.setup), self.fixes, self.server, tracking, 16)
    }

    fn with(&self, fix: Fix, on: bool) -> Self {
        let fixes = if on { self.fixes.with(fix) } else { self.fixes.without(fix) };
        Self { fixes, ..self.clone() }
    }

    /// The lines of a whole run.
    fn lines(&self, ops: &[Op]) -> Lines {
        lines_of(&mut self.simulation(Tracking::NONE), ops)
    }
}

fn lines_of(simulation: &mut Simulation, ops: &[Op]) -> Lines {
    let mut lines = Lines::default();
    for op in ops {
        simulation.apply(op, &mut lines);
    }
    simulation.finish(&mut lines);
    lines
}

/// One of the published sets, or any set at all; any server; with and without an address limit.
fn start() -> impl Strategy<Value = Start> {
    let published = prop::sample::select(fix_sets());
    let any_set = (prop::sample::select(&Baseline::ALL[..]), any::<u32>())
        .prop_map(|(baseline, bits)| with_switches(baseline, bits));
    let fixes = prop_oneof![3 => published, 1 => any_set];
    let defects = prop_oneof![
        1 => Just(0),
        1 => prop::sample::select(&DEFECTS[..]).prop_map(|info| 1 << info.defect as u32),
        1 => any::<u64>(),
    ];
    let fixes = (fixes, defects).prop_map(|(fixes, bits)| with_defects(fixes, bits));
    let limited = prop::bool::weighted(0.2);
    (fixes, prop::sample::select(&ServerKind::ALL[..]), limited).prop_map(
        |(fixes, server, limited)| {
            let setup = if limited { limited_setup() } else { setup() };
            Start { setup, fixes, server }
        },
    )
}

/// Operations of every kind, after one that opens a mesh.
fn ops(length_max: usize) -> impl Strategy<Value = Vec<Op>> {
    let op = (0..KINDS, any::<u64>()).prop_map(|(kind, digits)| op_of(kind, &mut Digits(digits)));
    prop::collection::vec(op, 0..length_max).prop_map(|mut ops| {
        ops.insert(0, sequence(1, &mut Digits(0)).remove(0));
        ops
    })
}

/// Operations for two or three threads, and which of them goes on at each step.
fn threads() -> impl Strategy<Value = (Vec<Vec<Op>>, Vec<usize>)> {
    (prop::collection::vec(ops(25), 2..4), prop::collection::vec(any::<usize>(), 200))
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 256, ..ProptestConfig::default() })]

    /// Exploration steps forwards and backwards: what undo leaves behind would be a state that no
    /// program reaches.
    #[test]
    fn undo_restores_the_hash_and_the_same_operation_then_does_the_same(
        start in start(), ops in ops(60),
    ) {
        let mut simulation = start.simulation(Tracking::FULL);
        let initial = simulation.hash();
        for op in &ops {
            let (before, totals) = (simulation.hash(), simulation.totals());
            let counts: Vec<_> = simulation.oracles().findings().counts().collect();
            let (mut first, mut second) = (Lines::default(), Lines::default());
            simulation.apply(op, &mut first);
            let after = simulation.hash();
            prop_assert!(simulation.undo());
            prop_assert_eq!(simulation.hash(), before, "after undoing {}", op);
            prop_assert_eq!(simulation.totals(), totals);
            let restored: Vec<_> = simulation.oracles().findings().counts().collect();
            prop_assert_eq!(restored, counts);
            simulation.apply(op, &mut second);
            prop_assert_eq!(simulation.hash(), after, "after repeating {}", op);
            prop_assert_eq!(first, second);
        }
        simulation.finish(&mut ());
        while simulation.undo() {}
        prop_assert_eq!(simulation.hash(), initial);
        prop_assert_eq!(lines_of(&mut simulation, &ops), start.lines(&ops));
    }

    /// A campaign runs without journals and exploration with them; both must see the same world.
    #[test]
    fn tracking_changes_nothing_that_happens(start in start(), ops in ops(60)) {
        let (mut plain, mut tracked) =
            (start.simulation(Tracking::NONE), start.simulation(Tracking::FULL));
        prop_assert_eq!(lines_of(&mut plain, &ops), lines_of(&mut tracked, &ops));
        let (plain, tracked) = (plain.report(), tracked.report());
        prop_assert_eq!(plain.totals, tracked.totals);
        prop_assert_eq!(plain.leftover_keys, tracked.leftover_keys);
        prop_assert_eq!(plain.leftover_bytes, tracked.leftover_bytes);
        prop_assert!(plain.findings.counts().eq(tracked.findings.counts()));
        prop_assert_eq!(plain.findings.violations(), tracked.findings.violations());
    }

    /// A campaign reuses one simulation for a million scenarios; none may see its predecessor.
    #[test]
    fn a_reset_simulation_is_a_fresh_one(
        start in start(), before in ops(60), ops in ops(40), undo in any::<bool>(),
    ) {
        let tracking = if undo { Tracking::FULL } else { Tracking::NONE };
        let mut fresh = start.simulation(tracking);
        let initial = fresh.hash();
        let mut used = start.simulation(tracking);
        lines_of(&mut used, &before);
        used.reset();
        prop_assert_eq!(used.hash(), initial);
        prop_assert_eq!(lines_of(&mut used, &ops), lines_of(&mut fresh, &ops));
        prop_assert_eq!(used.hash(), fresh.hash());
    }

    /// A parallel search hands copies to its workers.
    #[test]
    fn a_copy_goes_on_as_the_original(start in start(), first in ops(40), second in ops(40)) {
        let mut original = start.simulation(Tracking::FULL);
        first.iter().for_each(|op| _ = original.apply(op, &mut ()));
        let mut copy = original.clone();
        prop_assert_eq!(lines_of(&mut original, &second), lines_of(&mut copy, &second));
        while copy.undo() {}
        while original.undo() {}
        prop_assert_eq!(copy.hash(), original.hash());
    }

    /// A recorded interleaving is its picks, and exploration takes them back one by one.
    #[test]
    fn threads_are_a_function_of_the_picks_and_each_step_can_be_undone(
        start in start(), (programs, picks) in threads(),
    ) {
        let mut simulation = start.simulation(Tracking::FULL);
        let mut again = start.simulation(Tracking::NONE);
        simulation.load(programs.clone());
        again.load(programs);
        let initial = simulation.hash();
        for pick in picks {
            let ready = simulation.world().ready();
            prop_assert_eq!(&ready, &again.world().ready());
            if ready.is_empty() {
                break;
            }
            let pick = pick % ready.len();
            let (mut first, mut second) = (Lines::default(), Lines::default());
            let before = simulation.hash();
            simulation.step(pick, &mut ());
            let after = simulation.hash();
            simulation.undo();
            prop_assert_eq!(simulation.hash(), before);
            simulation.step(pick, &mut first);
            prop_assert_eq!(simulation.hash(), after);
            again.step(pick, &mut second);
            prop_assert_eq!(first, second);
        }
        while simulation.undo() {}
        prop_assert_eq!(simulation.hash(), initial);
    }

    /// The parts of an operation, run without a break, are the operation. Each thread has one
    /// operation here, so that it is done when it is not ready.
    #[test]
    fn threads_that_do_not_interleave_are_the_file_in_order(start in start(), ops in ops(60)) {
        let mut stepped = start.simulation(Tracking::NONE);
        stepped.load(ops.iter().map(|op| vec![op.clone()]).collect());
        let mut lines = Lines::default();
        for thread in 0..ops.len() as u32 {
            let wanted = Action::Step(ThreadId(thread));
            let place = |simulation: &Simulation| {
                simulation.world().ready().iter().position(|&action| action == wanted)
            };
            while let Some(index) = place(&stepped) {
                stepped.step(index, &mut lines);
            }
        }
        stepped.finish(&mut lines);
        let applied = start.lines(&ops);
        prop_assert_eq!(lines.without_ticks(), applied.without_ticks());
    }

    /// Documents 001 and 003 credit two guards with effects; the status test behind each already
    /// had them (tt-metal.md 0.4).
    #[test]
    fn the_guards_change_nothing_but_the_record_of_swallowed_calls(
        start in start(), ops in ops(60),
    ) {
        for guard in [Fix::GuardMark, Fix::GuardDealloc] {
            let (off, on) = (start.with(guard, false), start.with(guard, true));
            let (off, on) = (off.lines(&ops), on.lines(&ops));
            prop_assert_eq!(off.without_swallowed(), on.without_swallowed(), "{}", guard.name());
        }
    }

    /// Document 000's first fix moves a release by a few instructions (tt-metal.md 0.8).
    #[test]
    fn releasing_the_pool_early_changes_nothing_for_a_program_with_one_owner(
        start in start(), ops in ops(60),
    ) {
        let sole: Vec<Op> =
            ops.into_iter().filter(|op| !matches!(op, Op::ShareProgram { .. })).collect();
        let (off, on) = (start.with(Fix::ReleasePool, false), start.with(Fix::ReleasePool, true));
        prop_assert_eq!(off.lines(&sole), on.lines(&sole));
    }
}

/// The state after some operations, by its hash, and what happens from there on.
fn hash_and_future(start: &Start, ops: &[Op], last: &Op, future: &[Op]) -> (u64, Lines) {
    let mut simulation = start.simulation(Tracking::FULL);
    ops.iter().chain([last]).for_each(|op| _ = simulation.apply(op, &mut ()));
    (simulation.hash(), lines_of(&mut simulation, future))
}

/// Exploration merges states with equal hashes: what a hash leaves out must never matter.
#[test]
fn equal_hashes_have_equal_futures() {
    let mut choices = Seeded::new(2);
    let mut merged = 0;
    for round in 0..rounds(150) {
        let fixes = any_fixes(round, &mut choices);
        let start = Start { setup: setup(), fixes, server: ServerKind::ALL[round % 5] };
        let prefix = sequence(1 + choices.pick(30) as usize, &mut choices);
        let future = sequence(30, &mut choices);
        let kind = choices.pick(KINDS);
        let lasts: Vec<Op> = (0..12).map(|_| op_of(kind, &mut choices)).collect();
        for (index, one) in lasts.iter().enumerate() {
            for other in lasts[..index].iter().filter(|&other| other != one) {
                let confused = |prefix: &[Op], future: &[Op]| {
                    let (hash, lines) = hash_and_future(&start, prefix, one, future);
                    let (other_hash, others) = hash_and_future(&start, prefix, other, future);
                    (hash == other_hash).then(|| lines.without_ticks() != others.without_ticks())
                };
                let Some(wrong) = confused(&prefix, &future) else { continue };
                merged += 1;
                if wrong {
                    let wrong =
                        |prefix: &[Op], future: &[Op]| confused(prefix, future) == Some(true);
                    let future = shrink(future, |future| wrong(&prefix, future));
                    let prefix = shrink(prefix, |prefix| wrong(prefix, &future));
                    let (prefix, future) = (text(&prefix), text(&future));
                    panic!("{fixes}\n{prefix}\nthen {one} or {other}\nthen\n{future}");
                }
            }
        }
    }
    assert!(merged > 1000, "only {merged} pairs of states were merged");
}

/// The number of rounds of a loop: `ROUNDS` from the environment, for a longer search.
fn rounds(usual: usize) -> usize {
    std::env::var("ROUNDS").map_or(usual, |text| text.parse().expect("ROUNDS is a number"))
}

fn any_fixes(round: usize, choices: &mut impl Choices) -> FixSet {
    let sets = fix_sets();
    let fixes = match sets.get(round / 5 % 12) {
        Some(&set) => set,
        None => with_switches(Baseline::ALL[round % 2], choices.pick(1 << FIXES.len()) as u32),
    };
    match round % 3 {
        0 => with_defects(fixes, choices.pick(1 << DEFECTS.len())),
        _ => fixes,
    }
}

fn run(ops: &[Op], fixes: FixSet, server: ServerKind) -> u32 {
    let mut simulation = simulation(fixes, server, Tracking::NONE);
    let changed = ops.iter().map(|op| u32::from(simulation.apply(op, &mut ()).changed)).sum();
    simulation.finish(&mut ());
    changed
}

/// A fuzzer or a reducer hands over any sequence at all; none may panic, and this says how fast
/// they run with every oracle watching.
#[test]
fn two_hundred_thousand_arbitrary_operations_never_panic() {
    let start = Instant::now();
    let mut choices = Seeded::new(1);
    let (mut total, mut changed) = (0, 0);
    for round in 0..rounds(2000) {
        let server = ServerKind::ALL[round % 5];
        let fixes = any_fixes(round, &mut choices);
        let ops = sequence(100, &mut choices);
        total += ops.len();
        if panics(|| changed += run(&ops, fixes, server)) {
            let failing = shrink(ops, |ops| panics(|| _ = run(ops, fixes, server)));
            panic!("{fixes} {server}\n{}", text(&failing));
        }
    }
    let rate = total as f64 / start.elapsed().as_secs_f64();
    println!("{total} operations, {changed} changed something, {rate:.0} a second");
    assert!(changed as usize * 6 > total, "only {changed} of {total} changed anything");
}
