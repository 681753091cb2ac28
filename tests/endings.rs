//! How things end, told as scenarios: devices, meshes in use, counters that saturate or wrap.

#![allow(clippy::unwrap_used, reason = "a scenario that does not parse has failed")]

use std::sync::Arc;

use freeorder::event::{Event, Observer, Tick};
use freeorder::fix::FixSet;
use freeorder::journal::Tracking;
use freeorder::op::{MeshHandle, Op, ThreadId};
use freeorder::scenario::{Case, Report, Scenario, Simulation, run};
use freeorder::server::ServerKind;
use freeorder::units::BufferType;
use freeorder::violation::OracleName;

fn report(lines: &str, fixes: &str, server: &str) -> Report {
    let text = format!("freeorder 1\n{}\n", lines.replace("; ", "\n"));
    let scenario: Scenario = text.parse().unwrap();
    run(&scenario, fixes.parse().unwrap(), server.parse().unwrap(), 8, &mut ())
}

fn count(lines: &str, fixes: &str, server: &str, oracle: OracleName) -> u64 {
    report(lines, fixes, server).findings.count(oracle)
}

/// tt-metal.md F 27: "close destroys Devices, cache kept, then destructor".
#[test]
fn a_cached_program_follows_a_dangling_device_on_the_fork() {
    let lines = "open m0 2x4; run k0 on m0 cbs 3x4096; close m0; drop m0";
    assert_eq!(count(lines, "final", "k2", OracleName::Teardown), 1);
    assert_eq!(count(lines, "final+clear-cache-on-close", "k2", OracleName::Teardown), 0);
    assert_eq!(count(lines, "upstream-shm", "shm", OracleName::Teardown), 0);
}

/// tt-metal.md G 20: a mesh must not close while another thread is inside an operation on it.
#[test]
fn closing_in_the_middle_of_an_allocation_is_flagged() {
    let open = "open m0 2x4; t1: alloc b1 on m0 dram 4x2048; close m0; t1: drop b1; picks ";
    let between = format!("{open}0 1 0 0 0 0");
    assert_eq!(count(&between, "upstream-shm", "shm", OracleName::Teardown), 1);
    let after = format!("{open}0 1 1 1 0 0");
    assert_eq!(count(&after, "upstream-shm", "shm", OracleName::Teardown), 0);
}

/// tt-metal.md B5: physical devices close when the last mesh that holds them lets go.
#[test]
fn a_device_is_open_only_while_a_mesh_holds_it() {
    let never = report("alloc b0 on d0 dram 1x2048", "final", "k2");
    assert_eq!((never.operations, never.totals.alloc), (0, 0));
    let held = "open m0 2x4; open m1 2x4; alloc b0 on d0 dram 1x2048; close m0; use b0; drop b0";
    assert!(!report(held, "upstream-shm", "shm").findings.failed());
    let gone = "open m0 2x4; alloc b0 on d0 dram 1x2048; close m0; alloc b1 on d0 dram 1x2048";
    assert_eq!(report(gone, "final", "k2").totals.alloc, 1);
    assert_eq!(report(gone, "upstream-shm", "shm").leftover_bytes, 0);
}

/// allocation-server.md 6: counters by type; a FREE that was never counted eats no other type.
#[test]
fn shared_memory_counters_saturate_by_type() {
    let lines = "tracked off; open m0 2x4; alloc b0 on m0 l1 64x8192; tracking on; \
                 alloc b1 on m0 dram 12x2048; drop b0";
    assert_eq!(report(lines, "upstream-shm", "shm").leftover_bytes, 8 * 12 * 2048);
}

/// allocation-server.md 1.7, K2e: a replaced size makes the counters "drift/underflow".
#[test]
fn k2e_counters_wrap_like_the_servers_own() {
    let lines = "open m0 2x4; alloc b0 on d0 dram 1x2048; alloc b1 on d0 l1 64x450496; drop b0; \
                 drop b1";
    let drift = 2048_u64.wrapping_sub(64 * 450_496);
    assert_eq!(report(lines, "final", "k2e").leftover_bytes, drift);
    assert_eq!(report(lines, "final", "k2").leftover_bytes, 0);
}

/// tt-metal.md C3: all programs share the low region, so their keys have no one owner.
#[test]
fn programs_that_share_the_circular_buffer_region_are_not_stale() {
    let lines = "open m0 2x4; program p0 on m0 cbs 3x4096; program p1 on m0 cbs 3x4096; \
                 enqueue p0; enqueue p1; drop p0; drop p1";
    let report = report(lines, "final", "k2");
    assert_eq!(report.findings.count(OracleName::StaleFree), 0);
    assert_eq!(report.findings.count(OracleName::EventOrder), 0);
    assert_eq!(report.findings.count(OracleName::DuplicateAllocation), 3);
}

/// A setup that no machine has is bad input, not a model that answers nonsense.
#[test]
fn impossible_setups_are_refused() {
    for line in ["l1-base 101153", "trace-region 68719476735", "l1-small 1393312"] {
        let text = format!("freeorder 1\n{line}\n");
        let error = text.parse::<Scenario>().unwrap_err().to_string();
        assert!(error.starts_with("line 2, column "), "{error}");
    }
}

/// A search stops a run wherever it has seen enough, also in the middle of an operation; the next
/// run must not see that operation.
#[test]
fn a_reset_forgets_operations_that_threads_were_in() {
    let text = "freeorder 1\nopen m0 1x1\nalloc b0 on m0 dram 1x32\n";
    let case = Case::of(&text.parse().unwrap());
    let (fixes, server) = (FixSet::default(), ServerKind::K2);
    let start = Arc::new(case.start());
    let mut simulation = Simulation::new(start, fixes, server, Tracking::NONE, 0);
    simulation.load(case.threads());
    simulation.step(0, &mut ());
    simulation.step(0, &mut ());
    assert_eq!(simulation.world().current_op(ThreadId(0)), Some(1), "in the middle of alloc");
    simulation.load(Vec::new());
    simulation.reset();
    simulation.apply(&case.ops[0].1, &mut ());
    simulation.apply(&Op::Close(MeshHandle(0)), &mut ());
    simulation.finish(&mut ());
    assert!(!simulation.oracles().findings().failed());
}

/// tt-metal.md B5: a mesh may be opened as another shape of all the chips, but not of some of them.
#[test]
fn a_mesh_is_a_rectangle_of_the_machine_or_all_of_it_in_another_shape() {
    let chips = |open: &str| report(&format!("{open}; alloc b0 on m0 dram 1x2048"), "final", "k2");
    assert_eq!(chips("open m0 1x8").totals.alloc, 8);
    assert_eq!(chips("open m0 8x1").totals.alloc, 8);
    assert_eq!(chips("open m0 1x3 at 1,1").totals.alloc, 3);
    for refused in ["open m0 1x8 at 0,1", "open m0 1x7", "open m0 4x1", "open m0 1x4 at 1,1"] {
        assert_eq!(chips(refused).operations, 0, "{refused}");
    }
}

/// A line that changes nothing is not counted as an operation: a search would count it as progress.
#[test]
fn clearing_an_empty_cache_changes_nothing() {
    assert_eq!(report("open m0 2x4; clear-cache m0", "final", "k2").operations, 1);
    let held = "open m0 2x4; run k0 on m0; clear-cache m0; clear-cache m0";
    assert_eq!(report(held, "final", "k2").operations, 3);
}

#[test]
fn a_program_of_a_closed_mesh_does_not_run() {
    let made = "open m0 2x4; program p0 on m0 cbs 1x4096; ";
    assert_eq!(report(&format!("{made}enqueue p0"), "final", "k2").operations, 3);
    assert_eq!(report(&format!("{made}close m0; enqueue p0"), "final", "k2").operations, 3);
}

/// The reaper ends the entries of the process that died, and of no other.
#[test]
fn the_reaper_leaves_the_living_alone() {
    let two = "open m0 2x4; alloc b0 on m0 dram 6x2048; process q1; open m1 2x4; \
               alloc b1 on m1 dram 4x2048; kill q1; process q0; reap";
    let after = |rest: &str| report(&format!("{two}{rest}"), "upstream-shm", "shm").leftover_bytes;
    assert_eq!(after(""), 8 * 6 * 2048);
    assert_eq!(after("; drop b0"), 0);
    assert_eq!(after("; kill q0; process q1; reap"), 0);
}

/// Only the mesh's own buffers are what `clear-allocator` would pull the ground from under.
#[test]
fn an_allocator_without_buffers_is_not_cleared() {
    let other = "open m0 2x4; open m1 2x4; alloc b0 on m1 dram 4x2048; clear-allocator m0";
    assert_eq!(report(other, "final", "k2").operations, 3);
    assert_eq!(report(&other.replace("or m0", "or m1"), "final", "k2").operations, 4);
    let ended = "open m0 2x4; alloc b0 on m0 dram 4x2048; deallocate b0; clear-allocator m0";
    assert_eq!(report(ended, "final", "k2").operations, 3);
}

/// How many blocks each block table of DRAM has shown.
#[derive(Default)]
struct DramTables(Vec<usize>);

impl Observer for DramTables {
    fn observe(&mut self, _: Tick, event: &Event<'_>) {
        if let Event::BlockTable { region, blocks, .. } = event
            && region.buffer_type == BufferType::Dram
        {
            self.0.push(blocks.len());
        }
    }
}

/// tt-metal.md F 18: blocks that coalescing has ended are shown until their places are taken again.
#[test]
fn a_block_that_is_split_off_takes_the_place_of_one_that_has_ended() {
    let lines = "freeorder 1\nopen m0 1x1\nalloc b0 on m0 dram 4x2048\nalloc b1 on m0 dram 4x2048\n\
                 drop b0\ndrop b1\ncheckpoint\nalloc b2 on m0 dram 2x2048\ncheckpoint\n";
    let scenario: Scenario = lines.parse().unwrap();
    let tables = |fixes: &str| {
        let mut seen = DramTables::default();
        run(&scenario, fixes.parse().unwrap(), ServerKind::Shm, 8, &mut seen);
        seen.0[..2].to_vec()
    };
    assert_eq!(tables("upstream-shm"), [1, 2]);
    // Of two ended ones, the block that `b2` leaves free takes one place.
    assert_eq!(tables("upstream-shm+stale-meta-block"), [3, 3]);
}

/// tt-metal.md F 11: whoever comes second reports and gives back what is no longer there.
#[test]
fn a_second_deallocation_that_was_not_stopped_reports_once_more() {
    let lines = "open m0 1x1; alloc b0 on m0 dram 1x32; deallocate b0; t1: deallocate b0; \
                 schedule t0 t0 t0 t1";
    assert_eq!(report(lines, "upstream-shm", "shm").totals.free, 1);
    assert_eq!(report(lines, "upstream-shm+racy-deallocate", "shm").totals.free, 2);
}

/// Pull request 43422: only L1 is mirrored, and only a closed mesh has no allocator to tell.
#[test]
fn unmirroring_is_too_late_for_l1_of_a_closed_mesh_alone() {
    let teardowns = |lines: &str| {
        count(lines, "upstream-shm+unmirror-after-close", "shm", OracleName::Teardown)
    };
    assert_eq!(teardowns("open m0 1x1; alloc b0 on m0 l1 1x32; close m0; drop b0"), 1);
    assert_eq!(teardowns("open m0 1x1; alloc b0 on m0 dram 1x32; close m0; drop b0"), 0);
    assert_eq!(teardowns("open m0 1x1; alloc b0 on m0 l1 1x32; drop b0; close m0"), 0);
}

/// Pull requests 1152 and 1280: circular buffers go through an allocator that is there or not.
#[test]
fn circular_buffers_outlive_only_a_device_that_was_closed() {
    let teardowns =
        |lines: &str| count(lines, "upstream-shm+cbs-outlive-device", "shm", OracleName::Teardown);
    let built = "open m0 1x1; program p0 on m0 cbs 1x32";
    assert_eq!(teardowns(&format!("{built}; drop p0")), 0);
    assert_eq!(teardowns(&format!("{built}; close m0; drop p0")), 1);
}
