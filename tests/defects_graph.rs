//! The bugs of graph captures, hooks, the Inspector and static variables: each is seen with its
//! switch, and not without it, in a scenario whose every line is needed.

mod common;

use std::fs;
use std::path::Path;

use common::{fix_sets, sequence, shrink, simulation, text as lines};
use freeorder::choice::Seeded;
use freeorder::fix::{DEFECTS, FixSet};
use freeorder::journal::Tracking;
use freeorder::op::Op;
use freeorder::scenario::Case;
use freeorder::scenario::{Measure, Scenario, run};
use freeorder::search::replay::Replayer;
use freeorder::server::ServerKind;
use freeorder::violation::OracleName;

const NAMES: [&str; 10] = [
    "dataflow-buffers-missing",
    "hook-stays",
    "hooked-flag-missing",
    "inspector-reports-twice",
    "late-buffer-node",
    "no-cb-deallocate",
    "pointer-identity",
    "static-mesh",
    "static-tensors",
    "track-before-state",
];

fn text(name: &str) -> String {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("corpus/defects");
    fs::read_to_string(folder.join(name).with_extension("scenario"))
        .unwrap_or_else(|error| panic!("{name}: {error}"))
}

/// The file says what the switch does, and that nothing happens without it.
#[test]
fn each_bug_is_seen_with_its_switch_and_not_without_it() {
    for name in NAMES {
        let text = text(name);
        let scenario: Scenario = text.parse().unwrap_or_else(|error| panic!("{name}: {error}"));
        assert_eq!(scenario.to_string(), text, "{name} is canonical");
        let info = DEFECTS.iter().find(|info| info.name == name);
        assert!(text.contains(info.unwrap_or_else(|| panic!("{name} is no switch")).source));
        let expectations: Vec<_> = scenario.expectations().collect();
        let [(_, with), (_, without)] = expectations[..] else {
            panic!("{name}: two expectations")
        };
        assert_eq!(with.fixes_text, format!("upstream-shm+{name}"));
        assert_eq!(without.fixes_text, "upstream-shm");
        for expectation in [with, without] {
            let report = run(&scenario, expectation.fixes, expectation.server, 8, &mut ());
            for &(measure, count) in &expectation.measures {
                let fixes = &expectation.fixes_text;
                assert_eq!(report.measure(measure), Some(count), "{name} under {fixes}: {measure}");
            }
            let allowed: Vec<_> = with.measures.iter().map(|&(measure, _)| measure).collect();
            for (oracle, count) in report.findings.counts() {
                let own = allowed.contains(&Measure::Oracle(oracle));
                let hooked = name == "hook-stays" || name == "hooked-flag-missing";
                let follows = hooked && FOLLOW_A_HOOK.contains(&oracle);
                assert!(own || follows, "{name}: {oracle}={count}");
            }
        }
    }
}

/// What a hooked buffer does to the counters, bug or no bug: it reports bytes that no chip holds,
/// and what is freed at its address was never given out.
const FOLLOW_A_HOOK: [OracleName; 3] =
    [OracleName::TrackerTruth, OracleName::SingleFree, OracleName::Residue];

/// No line can be left out of a reproducer.
#[test]
fn no_line_of_a_reproducer_can_be_left_out() {
    for name in NAMES {
        let scenario: Scenario = text(name).parse().unwrap();
        let (_, expectation) = scenario.expectations().next().unwrap();
        let Measure::Oracle(oracle) = expectation.measures[0].0 else { panic!("{name}") };
        let ops: Vec<Op> = Case::of(&scenario).ops.into_iter().map(|(_, op)| op).collect();
        let mut replayer = Replayer::new(expectation.fixes, expectation.server);
        let mut seen = |ops: Vec<Op>| {
            let case = Case::from_ops(ops);
            replayer.classes(&case).iter().any(|class| class.oracle == oracle)
        };
        assert!(seen(ops.clone()), "{name}");
        for left_out in 0..ops.len() {
            let mut fewer = ops.clone();
            let op = fewer.remove(left_out);
            assert!(!seen(fewer), "{name} does not need `{op}`");
        }
    }
}

/// What the four oracles say of a program.
fn said(ops: &[Op], fixes: FixSet) -> u64 {
    let mut simulation = simulation(fixes, ServerKind::Shm, Tracking::NONE);
    ops.iter().for_each(|op| _ = simulation.apply(op, &mut ()));
    simulation.finish(&mut ());
    let findings = simulation.oracles().findings();
    NEW.into_iter().map(|oracle| findings.count(oracle)).sum()
}

const NEW: [OracleName; 4] =
    [OracleName::GraphEvents, OracleName::Hook, OracleName::Inspector, OracleName::StaticOrder];

/// Whatever one thread does, legal or not, in whatever order: without a bug of theirs these oracles
/// have nothing to say.
#[test]
fn no_program_of_one_thread_alarms_them_without_a_bug() {
    let mut choices = Seeded::new(3);
    for round in 0..3000 {
        let fixes = fix_sets()[round % fix_sets().len()];
        let mut ops = sequence(60, &mut choices);
        ops.insert(1, Op::Inspector);
        if said(&ops, fixes) > 0 {
            let least = shrink(ops, |ops| said(ops, fixes) > 0);
            panic!("{fixes}\n{}", lines(&least));
        }
    }
}

/// A static variable that is let go before the end of `main`, or whose mesh was closed before, finds
/// nothing destroyed; and nothing is left to find after the end.
#[test]
fn what_main_lets_go_goes_to_living_singletons() {
    let fixes = "upstream-shm+static-mesh+static-tensors".parse().unwrap();
    let ops = |text: &str| {
        let scenario: Scenario = format!("freeorder 1\nopen m0 1x1\n{text}").parse().unwrap();
        Case::of(&scenario).ops.into_iter().map(|(_, op)| op).collect::<Vec<Op>>()
    };
    let tensor = "alloc b0 on m0 dram 1x32\nstatic b0\n";
    assert_eq!(said(&ops(&format!("{tensor}exit\n")), fixes), 1);
    assert_eq!(said(&ops(&format!("{tensor}drop b0\nexit\n")), fixes), 0);
    assert_eq!(said(&ops(&format!("{tensor}deallocate b0\nexit\n")), fixes), 1, "~Tensor asks");
    assert_eq!(said(&ops("static m0\nexit\n"), fixes), 1);
    assert_eq!(said(&ops("static m0\nclose m0\nexit\n"), fixes), 0);
    assert_eq!(said(&ops("static m0\nexit\nexit\n"), fixes), 1);
    let static_program = "program p0 on m0 cbs 1x32\nenqueue p0\nstatic p0\nexit\n";
    assert_eq!(said(&ops(static_program), fixes), 1);
    let again = "static m0\nexit\nopen m1 1x1\nclose m1\n";
    assert_eq!(said(&ops(again), fixes), 1, "the next program has its own");
}
