//! Traces and sub-device managers: what the runtime refuses is what would not be safe.

mod common;

use common::{fix_sets, sequence, shrink, simulation, text, with_defects};
use freeorder::choice::{Choices, Seeded};
use freeorder::fix::FixSet;
use freeorder::journal::Tracking;
use freeorder::op::Op;
use freeorder::scenario::{Scenario, run};
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

/// What the oracles say of a scenario without any bug, notes left out.
fn said(text: &str) -> Vec<OracleName> {
    let scenario: Scenario = format!("freeorder 1\n{text}").parse().expect("a scenario");
    let fixes = "upstream-shm".parse().expect("a preset");
    let report = run(&scenario, fixes, ServerKind::Shm, 0, &mut ());
    report.findings.counts().map(|(oracle, _)| oracle).filter(|oracle| !oracle.is_note()).collect()
}

/// The pool lets go while the deallocation still waits in the queue: nobody is stranded.
#[test]
fn a_program_that_dies_in_the_queue_leaves_its_buffers_to_the_deallocations_behind_it() {
    let text = "open m0 1x1\nprogram p0 on m0\nalloc b0 on m0 dram 1x32\nassign b0 to p0\n\
                async m0 on\nenqueue p0\ndrop p0\ndrop b0\n";
    assert_eq!(said(&format!("{text}finish m0\nexit\n")), []);
    assert_eq!(said(&format!("{text}drop m0\n")), []);
}

/// A buffer that was assigned twice is released twice, and only the second release is the last.
#[test]
fn a_buffer_that_is_twice_in_a_pool_is_released_twice() {
    let text = "open m0 1x1\nalloc b0 on m0 dram 1x32\nprogram p0 on m0\nassign b0 to p0\n\
                assign b0 to p0\ndeallocate b0\ndrop p0\nexit\n";
    assert_eq!(said(text), []);
}

/// The last reference to a mesh goes: what the worker then lets go still finds its allocator.
#[test]
fn the_worker_is_done_before_the_weak_pointers_to_a_mesh_expire() {
    let text = "open m0 1x1\nasync m0 on\nrun k0 on m0 kernel 1x32\nclear-cache m0\ndrop m0\n";
    assert_eq!(said(text), []);
}

/// Nothing a program uses lies in the trace region, or every trace buffer would be overwritten.
#[test]
fn a_buffer_of_the_trace_region_is_no_part_of_a_trace() {
    let text = "trace-region 1048576\nopen m0 1x1\nbegin-trace r0 on m0\n\
                run k0 on m0 out b0 trace 1x32\ndrop b0\nend-trace r0\nreplay r0\n";
    assert_eq!(said(text), []);
}

/// Document 000's first fix lets the pool go in ~Program, and a queued program does not die.
#[test]
fn releasing_the_pool_early_leaves_a_queued_program_its_buffers() {
    let text = "freeorder 1\nopen m0 1x1\nalloc b0 on m0 dram 1x32\nprogram p0 on m0\n\
                assign b0 to p0\nasync m0 on\ndrop b0\nenqueue p0\ndrop p0\nfinish m0\n";
    let scenario: Scenario = text.parse().expect("a scenario");
    for fixes in ["upstream-shm", "upstream-shm+release-pool"] {
        let fixes: FixSet = fixes.parse().expect("a preset with a fix");
        let report = run(&scenario, fixes, ServerKind::Shm, 0, &mut ());
        assert_eq!(report.findings.counts().count(), 0, "{fixes}");
    }
}
