//! The oracle `metamorphic`: changes that must change nothing.

mod common;

use common::{sequence, setup};
use freeorder::choice::{Choices, Seeded};
use freeorder::fix::{Fix, Preset};
use freeorder::op::{BufferHandle, Handle, Name, Op, ThreadId};
use freeorder::scenario::Case;
use freeorder::scenario::{Scenario, SetupLine};
use freeorder::search::metamorphic::{Metamorphosis, Verdict, broken, same_events};
use freeorder::server::ServerKind;

fn case(text: &str) -> Case {
    Case::of(&format!("freeorder 1\n{text}").parse::<Scenario>().expect("it parses"))
}

fn told(metamorphosis: Metamorphosis, text: &str, fixes: &str, server: ServerKind) -> Verdict {
    metamorphosis.check(&case(text), fixes.parse().expect("it is a set"), server)
}

fn is_broken(verdict: &Verdict) -> bool {
    matches!(verdict, Verdict::Broken(..))
}

/// Tt-metal.md 0.4: "Both guards are no-ops single-threaded". The planted fault is a fix that is
/// none.
#[test]
fn guards_change_no_event_and_other_fixes_do() {
    let text = "open m0 1x2\nalloc b0 on m0 dram 1x32\nmark b0\nmark b0\ndeallocate b0\ndrop b0\n";
    for preset in Preset::ALL {
        let name = preset.name();
        assert_eq!(told(Metamorphosis::Guards, text, name, ServerKind::K1), Verdict::Holds);
    }
    let original = Preset::Original.fixes();
    let pair = (original, original.with(Fix::MarkLocals));
    assert!(is_broken(&same_events(&case(text), pair, ServerKind::K1)));
}

/// Tt-metal.md 0.8: no change "unless ProgramImpl is co-owned". The planted fault is a co-owner.
#[test]
fn releasing_the_pool_changes_no_event_of_a_program_with_one_owner() {
    let sole = "open m0 1x2\nprogram p0 on m0\nalloc b0 on m0 l1 1x32\nassign b0 to p0\ndrop b0\n\
                drop p0\n";
    let told_of = |text| told(Metamorphosis::ReleasePool, text, "final", ServerKind::K1);
    assert_eq!(told_of(sole), Verdict::Holds);
    let shared = "open m0 1x2\nprogram p0 on m0\nshare-program p1 of p0\n\
                  alloc b0 on m0 l1 1x32\nassign b0 to p0\ndrop b0\ndrop p0\n";
    assert_eq!(told_of(shared), Verdict::NotApplicable);
    let fixes = Preset::Final.fixes();
    let pair = (fixes, fixes.with(Fix::ReleasePool));
    assert!(is_broken(&same_events(&case(shared), pair, ServerKind::K1)));
}

/// Tt-metal.md 0.6: the id of a MeshDevice "reads as device 0 only for the FIRST mesh in the
/// process". The planted fault is the fork, which takes it for the number of a chip.
#[test]
fn ids_of_meshes_change_no_total_of_a_chip_unless_they_are_taken_for_chips() {
    let text = "open m0 1x2\nalloc b0 on m0 dram 1x32\nsubmesh m1 of m0 1x1\n\
                alloc b1 on m1 dram 1x32\ndrop b0\nexit\n";
    let told_of = |fixes| told(Metamorphosis::MeshIds, text, fixes, ServerKind::Shm);
    assert_eq!(told_of("upstream-shm"), Verdict::Holds);
    assert_eq!(told_of("final"), Verdict::Holds, "backing buffers say nothing");
    assert!(is_broken(&told_of("before")));
}

/// Buffers that have nothing to do with each other can be dropped in any order. The planted fault
/// shows what blocks looked like before they were joined.
#[test]
fn drops_of_unrelated_buffers_commute_unless_ended_blocks_are_shown() {
    let text = "open m0 1x1\nalloc b0 on m0 dram 1x32\nalloc b1 on m0 dram 1x32\ndrop b0\n\
                drop b1\n";
    let told_of = |text, fixes| told(Metamorphosis::DropOrder, text, fixes, ServerKind::Shm);
    assert_eq!(told_of(text, "upstream-shm"), Verdict::Holds);
    assert!(is_broken(&told_of(text, "upstream-shm+stale-meta-block")));
    let related = "open m0 1x1\nalloc b0 on m0 l1 1x32\nshare b1 of b0\ndrop b0\ndrop b1\n";
    assert_eq!(told_of(related, "upstream-shm"), Verdict::NotApplicable);
    let lost = format!("lose 1\n{text}");
    assert_eq!(told_of(&lost, "upstream-shm"), Verdict::NotApplicable);
}

/// A campaign over arbitrary programs: under the fixes of the main branch nothing may differ.
#[test]
fn nothing_differs_under_the_main_branch() {
    let mut choices = Seeded::new(5);
    let fixes = Preset::UpstreamShm.fixes();
    let mut applied = [0; 4];
    for _ in 0..400 {
        let case = drawn(&mut choices);
        let broken = broken(&case, fixes, ServerKind::Shm);
        assert!(broken.is_empty(), "{:?}\n{}", broken, case.scenario());
        for (count, one) in applied.iter_mut().zip(Metamorphosis::ALL) {
            let told = one.check(&case, fixes, ServerKind::Shm);
            *count += u32::from(told != Verdict::NotApplicable);
        }
    }
    assert!(applied.iter().all(|&count| count > 100), "{applied:?}");
}

/// Arbitrary operations on buffers that know nothing of each other, with drops side by side.
fn drawn(choices: &mut Seeded) -> Case {
    let mut ops = sequence(40, choices);
    if choices.pick(4) > 0 {
        ops.retain(|op| {
            let buffers = op.names().into_iter().filter(|name| matches!(name, Name::Buffer(_)));
            let unreliable = matches!(op, Op::Lose(_) | Op::Stall | Op::Reconnect);
            buffers.count() < 2 && !unreliable
        });
    }
    let drops = (0..4).map(|number| Op::Drop(Handle::Buffer(BufferHandle(number))));
    let at = 1 + choices.pick(ops.len() as u64) as usize;
    ops.splice(at..at, drops);
    // The setup of the other properties, as lines: every buffer type can be had.
    let reserved = setup().reserved;
    let l1_small = SetupLine::L1Small(reserved.l1_small_size);
    let lines = vec![l1_small, SetupLine::TraceRegion(reserved.trace_region_size)];
    let ops = ops.into_iter().map(|op| (ThreadId(0), op)).collect();
    Case { setup: lines, ops, ..Case::default() }
}
