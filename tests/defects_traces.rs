//! Traces, the asynchronous queue and sub-device managers: each bug of the past shows with its
//! switch and only with it.

mod common;

use common::{fix_sets, sequence, shrink, simulation, text, with_defects};
use freeorder::choice::{Choices, Seeded};
use freeorder::fix::FixSet;
use freeorder::journal::Tracking;
use freeorder::op::Op;
use freeorder::scenario::{Scenario, run};
use freeorder::server::ServerKind;
use freeorder::violation::OracleName;

macro_rules! defects {
    ($($name:literal),* $(,)?) => {
        [$(($name, include_str!(concat!("../corpus/defects/", $name, ".scenario")))),*]
    };
}

const FILES: [(&str, &str); 13] = defects![
    "close-without-drain",
    "commands-outlive-program",
    "counted-traces",
    "deallocation-reads-this",
    "interleaved-prefill",
    "manager-reset-first",
    "no-owned-buffer-pool",
    "release-trace-after-close",
    "trace-buffers-in-dram",
    "trace-of-active-manager",
    "trace-size-kept",
    "tracker-skips-program-cache",
    "untracked-allocations",
];

/// A reproducer proves something only if nothing is found without the bug.
#[test]
fn each_bug_is_seen_with_its_switch_and_only_with_it() {
    for (name, text) in FILES {
        let scenario: Scenario = text.parse().unwrap_or_else(|error| panic!("{name}: {error}"));
        let mut sets = Vec::new();
        for (line, expectation) in scenario.expectations() {
            let report = run(&scenario, expectation.fixes, expectation.server, 0, &mut ());
            for &(measure, expected) in &expectation.measures {
                let place = format!("{name}:{line}: {} {measure}", expectation.fixes_text);
                assert_eq!(report.measure(measure), Some(expected), "{place}");
            }
            let clean = expectation.measures.iter().all(|&(_, count)| count == 0);
            assert_eq!(report.findings.failed(), !clean, "{name}:{line}");
            sets.push((expectation.fixes.defects().count(), clean));
        }
        let negative = name == "interleaved-prefill";
        assert_eq!(sets, [(1, negative), (0, true)], "{name}");
    }
}

fn unsafe_traces(ops: &[Op], fixes: FixSet) -> bool {
    let mut simulation = simulation(fixes, ServerKind::Shm, Tracking::NONE);
    ops.iter().for_each(|op| _ = simulation.apply(op, &mut ()));
    let findings = simulation.oracles().findings();
    findings.count(OracleName::TraceSafe) + findings.count(OracleName::SubDevice) > 0
}

/// Whatever a program does, the runtime without these bugs refuses what would not be safe.
#[test]
fn without_a_bug_no_program_has_an_unsafe_trace_or_sub_device() {
    let mut choices = Seeded::new(3);
    let sets = fix_sets();
    let mut unsafe_with_bugs = 0;
    for round in 0..3000 {
        let ops = sequence(20 + choices.pick(80) as usize, &mut choices);
        let fixes = sets[round % sets.len()];
        if unsafe_traces(&ops, fixes) {
            let failing = shrink(ops, |ops| unsafe_traces(ops, fixes));
            panic!("{fixes}\n{}", text(&failing));
        }
        unsafe_with_bugs += u32::from(unsafe_traces(&ops, with_defects(fixes, u64::MAX)));
    }
    assert!(unsafe_with_bugs > 30, "only {unsafe_with_bugs} programs reach what the bugs do");
}
