//! Marks are what a search counts to show where it has been: each situation is reached when it is
//! there, and not by the program next to it.

#![allow(clippy::unwrap_used, reason = "a scenario that does not parse has failed")]

use freeorder::event::{Event, Observer, Tick};
use freeorder::fix::Preset;
use freeorder::mark::Mark;
use freeorder::scenario::{Scenario, run};
use freeorder::server::ServerKind;

/// The marks that were reached.
#[derive(Default)]
struct Reached(Vec<Mark>);

impl Observer for Reached {
    fn observe(&mut self, _: Tick, event: &Event<'_>) {
        if let Event::Reached(mark) = event {
            self.0.push(*mark);
        }
    }
}

fn times(lines: &str, mark: Mark) -> usize {
    let text = format!("freeorder 1\n{}\n", lines.replace("; ", "\n"));
    let scenario: Scenario = text.parse().unwrap();
    let mut reached = Reached::default();
    run(&scenario, Preset::UpstreamShm.fixes(), ServerKind::Shm, 0, &mut reached);
    reached.0.iter().filter(|&&other| other == mark).count()
}

/// What reaches it once, and what comes close.
fn assert_reached(mark: Mark, by: &str, not_by: &[&str]) {
    assert_eq!(times(by, mark), 1, "{mark}: {by}");
    for lines in not_by {
        assert_eq!(times(lines, mark), 0, "{mark}: {lines}");
    }
}

#[test]
fn a_dead_view_is_one_whose_root_has_given_its_memory_back() {
    let viewed = "open m0 2x4; alloc b0 on m0 dram 4x2048; view b1 of b0";
    assert_reached(
        Mark::DeadViewUsed,
        &format!("{viewed}; deallocate b0; use b1"),
        &[
            &format!("{viewed}; use b1; deallocate b0"),
            "open m0 2x4; alloc b0 on d0 dram 4x2048; view b1 of b0; drop b0; use b1",
            "open m0 2x4; alloc b0 on m0 dram 4x2048; deallocate b0; use b0",
        ],
    );
}

#[test]
fn a_pool_holds_last_when_no_handle_is_left() {
    for place in ["m0", "d0"] {
        let pooled = format!(
            "open m0 2x4; alloc b0 on {place} dram 4x2048; program p0 on m0; assign b0 to p0"
        );
        assert_reached(
            Mark::PoolHeldLast,
            &format!("{pooled}; drop b0; drop p0"),
            &[&format!("{pooled}; drop p0; drop b0")],
        );
    }
}

#[test]
fn a_mesh_closes_with_live_buffers_only_where_some_are_live() {
    assert_reached(
        Mark::ClosedWithLiveBuffers,
        "open m0 2x4; alloc b0 on m0 dram 4x2048; close m0",
        &["open m0 2x4; close m0", "open m0 2x4; alloc b0 on m0 dram 4x2048; drop b0; close m0"],
    );
}

/// A device and a mesh over it begin to allocate at one place.
#[test]
fn a_device_is_beside_a_mesh_while_both_have_buffers_on_the_chip() {
    for (one, other) in [("m0", "d0"), ("d0", "m0")] {
        assert_reached(
            Mark::DeviceBesideMesh,
            &format!("open m0 2x4; alloc b0 on {one} dram 4x2048; alloc b1 on {other} l1 64x2048"),
            &[
                &format!(
                    "open m0 2x4; alloc b0 on {one} dram 4x2048; drop b0; \
                     alloc b1 on {other} dram 4x2048"
                ),
                &format!(
                    "open m0 2x4; alloc b0 on {one} dram 4x2048; alloc b1 on {one} dram 4x2048"
                ),
            ],
        );
    }
    // The chips of the corner and beside it are 4 and 0.
    let apart =
        "open m0 1x1; open m1 1x1 at 0,1; alloc b0 on m1 dram 4x2048; alloc b1 on d4 dram 4x2048";
    assert_eq!(times(apart, Mark::DeviceBesideMesh), 0);
}

#[test]
fn a_device_closes_with_live_buffers_only_where_nobody_else_holds_it() {
    let own = "open m0 2x4; alloc b0 on d0 dram 4x2048";
    assert_reached(
        Mark::DeviceClosedWithLiveBuffers,
        &format!("{own}; close m0"),
        &[
            &format!("{own}; drop b0; close m0"),
            &format!("{own}; open m1 2x4; close m0"),
            "open m0 2x4; alloc b0 on m0 dram 4x2048; close m0",
        ],
    );
}

#[test]
fn a_parent_closes_first_only_before_what_was_cut_from_it() {
    let cut = "open m0 2x4; submesh m1 of m0 1x2";
    assert_reached(
        Mark::ParentClosedFirst,
        &format!("{cut}; close m0"),
        &[
            &format!("{cut}; close m1; close m0"),
            "open m0 2x4; open m1 2x4; close m0; close m1",
            "open m0 2x4; close m0",
        ],
    );
}

#[test]
fn a_cache_is_cleared_in_use_while_a_bound_buffer_is_allocated() {
    let cached = "open m0 2x4; alloc b0 on m0 dram 4x2048; run k0 on m0 reads b0";
    assert_reached(
        Mark::CacheClearedWhileInUse,
        &format!("{cached}; clear-cache m0"),
        &[
            &format!("{cached}; deallocate b0; clear-cache m0"),
            "open m0 2x4; alloc b0 on m0 dram 4x2048; run k0 on m0; clear-cache m0",
        ],
    );
}

/// Mesh ids count up from 1 and chips from 0: the first mesh leads with chip 0 and is number 1.
#[test]
fn a_mesh_id_aliases_a_chip_that_the_mesh_does_not_lead_with() {
    assert_reached(
        Mark::MeshIdAliasesChip,
        "machine T3K; open m0 1x1",
        &["machine T3K; open m0 1x1 at 0,1", "machine N150; open m0 1x1"],
    );
}
