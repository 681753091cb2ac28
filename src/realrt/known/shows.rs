//! What each known divergence is known by, besides its class: the operation that shows it, what it
//! is done to, and what the message says.

use super::super::lockstep::AS_MODELLED;
use super::super::overlaps;
use super::super::processors::Processor;
use super::story::Story;
use crate::op::{BufferHandle, CaptureStep, ChildEnd, Handle, Op, RunMode};

type Told<'a> = &'a Story<'a>;

/// A name as scenarios write it.
fn is(name: impl std::fmt::Display, subject: Option<&str>) -> bool {
    subject == Some(name.to_string().as_str())
}

fn named(story: &Story<'_>) -> Option<BufferHandle> {
    story.names.buffers.keys().copied().find(|name| is(name, story.subject()))
}

fn is_end_of_capture(story: Told<'_>) -> bool {
    matches!(story.op(), Some(Op::Capture(CaptureStep::End)))
}

/// The operation makes one of two tensors, on two meshes over one chip, each where the allocator of
/// its own mesh puts it.
pub(super) fn meshes_share_memory(story: Told<'_>) -> bool {
    let makes = |op: &Op| match op {
        Op::Alloc { buffer, .. } => Some(*buffer),
        Op::Run(run) => run.output.map(|(name, _)| name),
        _ => None,
    };
    let made: Vec<_> = story.op().into_iter().chain(story.beside).filter_map(makes).collect();
    let Some((both, chip)) = overlaps::read(story.detail) else { return false };
    let [first, second] = both.map(|owner| story.meshes_of_owner(owner, chip));
    // The process counts ids from another one on than the model.
    let apart = i64::from(both[1].mesh) - i64::from(both[0].mesh);
    let is_pair = first.iter().any(|&one| {
        second.iter().any(|&other| apart != 0 && i64::from(other) - i64::from(one) == apart)
    });
    is_pair && both.iter().any(|owner| made.contains(&owner.name))
}

/// A mesh is opened that fits only when it is turned, and lies on the chips that it would at 0,0.
pub(super) fn turned_mesh_ignores_offset(story: Told<'_>) -> bool {
    let Some(Op::Open { mesh, shape, at }) = story.op() else { return false };
    let lies = |place| story.turned(*shape, *at, place);
    let (Some(there), Some(first)) = (lies(*at), lies((0, 0))) else { return false };
    story.detail == format!("the runtime says {mesh} {first:?}, the model {there:?}")
}

/// A process was killed, and what it counted is counted still where a mesh is opened.
pub(super) fn killed_process_still_counted(story: Told<'_>) -> bool {
    matches!(story.op(), Some(Op::Open { .. })) && story.was_killed
}

/// What counts was taken away by the end of a capture.
pub(super) fn capture_end_stops_counters(story: Told<'_>) -> bool {
    story.processors.has_opened() && !story.processors.counts_anywhere()
}

/// The end took the counters, which the first mesh has put behind the capture.
pub(super) fn capture_begun_before_open(story: Told<'_>) -> bool {
    is_end_of_capture(story)
        && story.processors.captures(story.thread())
        && story.processors.clone().end(story.thread()) == Some(Processor::Counters)
        && story.detail == "a capture goes on, whose end raises `'NoneType' object is not iterable`"
}

/// What counts is another thread's.
pub(super) fn counters_are_of_a_thread(story: Told<'_>) -> bool {
    story.processors.counts_anywhere() && !story.processors.counts(story.thread())
}

/// Whether a mesh was closed since a process was killed, or is.
fn closes_beside_the_dead(story: Told<'_>) -> bool {
    let closes = matches!(story.op(), Some(Op::Close(_) | Op::Drop(Handle::Mesh(_))));
    story.was_killed && (closes || story.was_closed)
}

/// A free was more than was counted, where a process that was killed is counted still.
pub(super) fn counters_held_at_zero(story: Told<'_>) -> bool {
    let is_open = story.was_killed && !closes_beside_the_dead(story);
    is_open && story.detail.ends_with(AS_MODELLED)
}

/// A mesh was closed, where a process that was killed is counted still.
pub(super) fn closed_chip_still_counted(story: Told<'_>) -> bool {
    closes_beside_the_dead(story) && story.detail.ends_with(AS_MODELLED)
}

/// A view is made of a tensor in shards, or it is moved, whose mesh is closed.
pub(super) fn shards_after_close(story: Told<'_>) -> bool {
    let of = match story.op() {
        Some(Op::Run(run)) if run.moves.is_some() => run.reads.first(),
        Some(Op::Share { of, .. }) => Some(of),
        _ => None,
    };
    let held = of.and_then(|name| story.held(*name));
    story.looked_at().is_none()
        && held.is_some_and(|held| held.spec.shards.is_some() && story.is_closed(held.mesh))
}

/// The fork's child exits, where a mesh is open.
pub(super) fn forked_child_detaches_counters(story: Told<'_>) -> bool {
    matches!(story.op(), Some(Op::Fork(ChildEnd::Exit)))
        && story.is_any_open()
        && (story.detail.starts_with("a mesh is open, and no chip has counters")
            || story.detail.contains(" 0 in all, 0 by chip and "))
        && story.detail.ends_with(AS_MODELLED)
}

/// The call that raises is the move, and the model loses the same tensor.
pub(super) fn failed_move_loses_its_tensor(story: Told<'_>) -> bool {
    let Some(Op::Run(run)) = story.op() else { return false };
    // The sentence is the same, and the numbers in it need not be.
    let begins = story.refused().map(|text| text.get(..20).unwrap_or(text));
    run.moves.is_some() && begins.is_some_and(|begins| story.detail.contains(begins))
}

/// A tensor whose mesh's name is gone is deallocated while any thread captures.
pub(super) fn capture_needs_the_mesh(story: Told<'_>) -> bool {
    let Some(Op::Deallocate(name) | Op::DeallocateUnforced(name)) = story.op() else {
        return false;
    };
    let text = "the runtime says `Can't get device from mesh buffer, already deallocated`";
    story.held(*name).is_some_and(|held| held.expired)
        && !story.captures.is_empty()
        && story.detail.starts_with(text)
}

/// What ends is a NO_DISPATCH capture within a NORMAL one.
pub(super) fn inner_capture_shows_twice(story: Told<'_>) -> bool {
    let own = story.own_captures();
    is_end_of_capture(story)
        && own.first() == Some(&RunMode::Normal)
        && own.last() == Some(&RunMode::NoDispatch)
        && story.detail.ends_with(AS_MODELLED)
}

/// What is added has rows without columns.
pub(super) fn zero_width_add(story: Told<'_>) -> bool {
    let Some(Op::Run(run)) = story.op() else { return false };
    let first = run.reads.first().and_then(|name| story.held(*name));
    let tiles = [2048, 4096, 1088, 576];
    run.moves.is_none()
        && story.looked_at().is_none()
        && first.is_some_and(|held| {
            held.spec.pages.count == 0 && !tiles.contains(&held.spec.pages.size.0)
        })
}

/// The child exits, of a process that opened a mesh of several chips.
pub(super) fn forked_child_crashes(story: Told<'_>) -> bool {
    matches!(story.op(), Some(Op::Fork(ChildEnd::Exit)))
        && story.chips_max.is_some_and(|chips| chips > 1)
}

/// The child exits, of a process that opened a mesh.
pub(super) fn forked_child_hangs(story: Told<'_>) -> bool {
    matches!(story.op(), Some(Op::Fork(ChildEnd::Exit))) && story.chips_max.is_some()
}

/// What is read is deallocated.
pub(super) fn read_after_deallocate(story: Told<'_>) -> bool {
    let reads = matches!(story.op(), Some(Op::Use(name)) if story.is_deallocated(*name));
    reads && story.looked_at().is_none()
}

/// A mesh goes on a thread that captures, and programs in its cache with it.
pub(super) fn drop_mesh_in_capture(story: Told<'_>) -> bool {
    let drops = matches!(story.op(), Some(Op::Drop(Handle::Mesh(_)) | Op::Close(_)));
    drops
        && story.ends_programs()
        && !story.own_captures().is_empty()
        && story.looked_at().is_none()
}

/// The mesh that is used, or looked at, was closed with another one.
pub(super) fn close_ends_another_mesh(story: Told<'_>) -> bool {
    let under = |mesh: &u32| story.is_closed_under(*mesh);
    match story.looked_at() {
        Some(mesh) => under(&mesh),
        // The counters of a chip that is closed are at 0.
        None if story.class == "mismatch: the counters" => {
            let is_on = |mesh: &u32| story.chip().is_some_and(|chip| story.is_over(*mesh, chip));
            let mut touched = story.touched().into_iter().filter(under);
            story.detail.contains(" says 0 bytes of ") && touched.any(|mesh| is_on(&mesh))
        }
        None => story.touched().iter().any(under),
    }
}

/// A tensor is let go, on a mesh that was closed with another one, and that one is looked at.
pub(super) fn close_then_free_on_another_mesh(story: Told<'_>) -> bool {
    let mut freed = story.freed().into_iter();
    freed.any(|freed| story.is_closed_under(freed.mesh) && story.looked_at() == Some(freed.mesh))
}

/// What is closed is a mesh that was closed with another, and it stays open.
pub(super) fn close_is_ignored(story: Told<'_>) -> bool {
    let Some(Op::Close(mesh)) = story.op() else { return false };
    is(mesh, story.subject())
        && story.mesh_id(*mesh).is_some_and(|mesh| story.is_closed_under(mesh))
        && story.detail == format!("the runtime says {mesh} 0, the model 1")
}

/// A tensor that has memory is let go while a NO_DISPATCH capture of the thread goes on.
pub(super) fn free_under_no_dispatch(story: Told<'_>) -> bool {
    let meshes: Vec<u32> = story
        .freed()
        .into_iter()
        .filter(|freed| freed.has_memory)
        .map(|freed| freed.mesh)
        .collect();
    let is_its = match story.class {
        // What the pointer to the destroyed Buffer reads can be the one that took its place.
        "mismatch: a row of get_buffers" => {
            matches!(story.op(), Some(Op::Run(_)))
                && story.detail.contains(" row 0: ")
                && story.detail.contains(" at 0 of mesh ")
        }
        class if class.starts_with("crash") => {
            story.looked_at().is_some_and(|mesh| meshes.contains(&mesh))
        }
        _ => true,
    };
    let subject = story.subject_mesh();
    let is_on_one = subject.is_none_or(|mesh| meshes.contains(&mesh));
    is_its && is_on_one && !meshes.is_empty() && story.is_hooked()
}

/// The thread that ends a capture is in none.
pub(super) fn capture_ended_twice(story: Told<'_>) -> bool {
    is_end_of_capture(story) && story.own_captures().is_empty() && story.looked_at().is_none()
}

/// What the submesh is cut from is closed.
pub(super) fn submesh_of_closed_mesh(story: Told<'_>) -> bool {
    let cuts = matches!(story.op(), Some(Op::Submesh { parent, .. }) if story.is_closed(*parent));
    cuts && story.looked_at().is_none()
}

/// The tensor that it is about is a view of the one that is deallocated, or the other way round.
pub(super) fn view_outlives_memory(story: Told<'_>) -> bool {
    let Some(Op::Deallocate(freed)) = story.op() else { return false };
    let (Some(name), Some(freed_of)) = (named(story), story.held(*freed)) else { return false };
    name != *freed && story.held(name).is_some_and(|held| held.group == freed_of.group)
}

/// The mesh that it is about, or that its tensor is on, is the one that is emptied.
pub(super) fn bulk_free_unreported(story: Told<'_>) -> bool {
    let Some(Op::DeallocateAll(mesh)) = story.op() else { return false };
    let held = named(story).and_then(|name| story.held(name));
    is(mesh, story.subject()) || held.is_some_and(|held| held.mesh == *mesh)
}

/// What ends is a capture, which saw more chips than one.
pub(super) fn circular_buffers_not_cleared(story: Told<'_>) -> bool {
    is_end_of_capture(story)
        && story.own_captures().first() == Some(&RunMode::Normal)
        && story.detail.ends_with(AS_MODELLED)
}

/// What is read was made while a capture kept it from the device, and none does any more.
pub(super) fn no_dispatch_tensor_used(story: Told<'_>) -> bool {
    let is_one = |name: BufferHandle| story.object(name).is_some_and(|object| object.hooked);
    story.captures.is_empty() && named(story).is_some_and(is_one)
}
