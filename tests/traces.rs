//! Traces and sub-device managers: what the runtime refuses is what would not be safe.

mod common;

use common::{fix_sets, sequence, shrink, simulation, text, with_defects};
use freeorder::choice::{Choices, Seeded};
use freeorder::fix::FixSet;
use freeorder::journal::Tracking;
use freeorder::op::Op;
use freeorder::server::ServerKind;
use freeorder::violation::OracleName;

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
