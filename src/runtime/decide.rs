//! What a thread of the runtime decides, apart from when: pure functions of what it has read.
//!
//! The model calls them between its events; the models of threads in `tests/` call them between
//! their atomic operations, so that both decide alike.

use super::object::{MeshBufferState, Owners};
use crate::event::AllocationStatus;
use crate::fix::{Ask, Baseline, Defect, Fix};
use crate::message::{MessageKind, Role};
use crate::op::{CacheKey, Stream};
use crate::units::Bytes;

/// When the buffers that own nothing tell the server that they are gone.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum FreeOn {
    /// In `mark_as_deallocated`.
    Mark,
    /// In their own `deallocate` or destructor.
    OwnEnd,
    /// Never.
    Never,
}

/// Decides when the buffers that own nothing send FREE.
#[must_use]
#[inline]
pub fn free_on(fixes: impl Ask) -> FreeOn {
    // tt-metal.md A6, F2: "FREE on non-owner dtor/deallocate: yes: if ALLOCATED && device
    // initialized => FREE, status=DEALLOCATED", and mark_as_deallocated is "no (status only)".
    if fixes.has(Fix::NonownerFree) {
        return FreeOn::OwnEnd;
    }
    match fixes.baseline() {
        Baseline::Fork => FreeOn::Mark,
        Baseline::Upstream => FreeOn::Never,
    }
}

/// What `Buffer::deallocate_impl` of an owner does.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Deallocation {
    /// Nothing: it is not ALLOCATED.
    Nothing,
    /// The status changes, and nobody hears of it.
    StatusOnly,
    /// FREE is sent, the block goes back, then the status changes.
    Whole,
}

/// Decides what `Buffer::deallocate_impl` does with the status that it has read, and with what
/// `device_->is_initialized()` has answered (tt-metal.md A4).
#[must_use]
#[inline]
pub fn deallocation(status: AllocationStatus, reachable: bool, size: Bytes) -> Deallocation {
    match status {
        AllocationStatus::Allocated if reachable && size.0 != 0 => Deallocation::Whole,
        AllocationStatus::Allocated => Deallocation::StatusOnly,
        AllocationStatus::AllocationRequested | AllocationStatus::Deallocated => {
            Deallocation::Nothing
        }
    }
}

/// Whether buffers outlive the close of their device, and are deallocated through it.
#[must_use]
#[inline]
pub fn deallocates_after_close(fixes: impl Ask) -> bool {
    // PR 9380: "segfault in Tensor dtor after close"; since then deallocation is skipped when the
    // device is closed.
    fixes.has_defect(Defect::DeallocateAfterClose)
}

/// What `Buffer::mark_as_deallocated` does.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Marking {
    /// Nothing: it is DEALLOCATED already.
    Again,
    /// The status changes.
    Silent,
    /// FREE is sent, then the status changes.
    WithFree,
}

/// Decides what `Buffer::mark_as_deallocated` does with the status that it has read.
#[must_use]
#[inline]
pub fn marking(fixes: impl Ask, owns_data: bool, status: AllocationStatus) -> Marking {
    if status == AllocationStatus::Deallocated {
        return Marking::Again;
    }
    // Document 000, fix 3: "only buffers with owns_data_=true send FREE".
    let gated = !owns_data && fixes.has(Fix::OwnsDataGate);
    let allocated = status == AllocationStatus::Allocated;
    if free_on(fixes) == FreeOn::Mark && !gated && allocated {
        Marking::WithFree
    } else {
        Marking::Silent
    }
}

/// Whether `MeshBuffer::deallocate` marks its backing buffer before it lets go of it.
#[must_use]
#[inline]
pub fn marks_backing(fixes: impl Ask, state: MeshBufferState) -> bool {
    // Document 000, fix 2: "ADDED: Deallocate backing buffer FIRST", by mark_as_deallocated, which
    // never asks the allocator to take the block back.
    state == MeshBufferState::Owned && fixes.has(Fix::BackingFirst)
}

/// Whether `MeshBuffer::deallocate` marks its device-local buffers while the mesh lives.
#[must_use]
#[inline]
pub fn marks_locals(fixes: impl Ask) -> bool {
    // Document 004: "Simplified MeshBuffer::deallocate() to only mark device-local buffers as
    // deallocated".
    fixes.has(Fix::MarkLocals)
}

/// Whether a buffer that owns nothing sends FREE in its own `deallocate`, which its destructor
/// calls too; its status changes only if it does.
#[must_use]
#[inline]
pub fn non_owner_frees(fixes: impl Ask, status: AllocationStatus, initialized: bool) -> bool {
    status == AllocationStatus::Allocated && free_on(fixes) == FreeOn::OwnEnd && initialized
}

/// Whether a buffer created at a given address is tracked at all.
///
/// Source: tt-metal.md 0.5: upstream `Buffer::create(address, ..)` never calls `track_allocate`;
/// the fork added it.
#[must_use]
#[inline]
pub fn tracks_address_created(fixes: impl Ask) -> bool {
    fixes.baseline() == Baseline::Fork
}

/// Under which device ids a buffer reports.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Reporter {
    /// None: it is silent.
    Nobody,
    /// The MeshDevice's own id.
    Mesh,
    /// That of each chip it is on.
    Devices,
}

/// Decides under which device ids GraphTracker reports a buffer.
#[must_use]
#[inline]
pub fn reporter(fixes: impl Ask, owns_data: bool, on_mesh: bool, kind: MessageKind) -> Reporter {
    let filtered = || match kind {
        // Document 004: "Modified GraphTracker::track_allocate() [...] to detect and skip
        // MeshDevice backing buffers".
        MessageKind::Alloc => fixes.has(Fix::MeshFilterAlloc),
        // Document 004: "[...] and GraphTracker::track_deallocate() to detect and skip MeshDevice
        // backing buffers".
        MessageKind::Free => fixes.has(Fix::MeshFilterFree),
    };
    // tt-metal.md A6, U-SHM: "ONE event source per allocation = the OWNING buffer; for a backing
    // buffer [...] the observer fans out one record [...] to each underlying physical Device, on
    // alloc and on free; device-local buffers emit nothing."
    let fan_out = fixes.has(Fix::OwnerFanOut);
    match (owns_data, on_mesh) {
        (false, _) if fan_out => Reporter::Nobody,
        (true, true) if filtered() => Reporter::Nobody,
        (true, true) if !fan_out => Reporter::Mesh,
        (false, _) | (true, _) => Reporter::Devices,
    }
}

/// The queue in which a message waits until the server reads it; none if it reads it at once.
#[must_use]
#[inline]
pub fn queue(stalled: bool, reconnected: bool) -> Option<Stream> {
    match (stalled, reconnected) {
        (_, true) => Some(Stream::New),
        (true, false) => Some(Stream::Old),
        (false, false) => None,
    }
}

/// Whether the old socket is closed, and so read to its end, before a new one is opened.
#[must_use]
#[inline]
pub fn reads_old_first(fixes: impl Ask) -> bool {
    // allocation-server.md 1.6, era B: "NEXT call opens a NEW socket WITHOUT closing the old fd". A
    // closed socket is read to its end before its thread ends.
    // ASSUMED: the server accepts the new connection only after that, as one that reads sockets in
    // the order of their closing would.
    fixes.has(Fix::CloseBeforeReconnect)
}

/// The cached program of a key, if the cache is on (tt-metal.md C6).
#[must_use]
#[inline]
pub fn cached(entries: &[(CacheKey, u32)], enabled: bool, key: CacheKey) -> Option<u32> {
    let entry = entries.iter().find(|(cached, _)| *cached == key);
    entry.filter(|_| enabled).map(|&(_, program)| program)
}

/// The owners of a program with the command queue among them, if the queue takes it: what runs at
/// once is not held.
#[must_use]
#[inline]
pub fn queued(owners: Owners, asynchronous: bool) -> Option<Owners> {
    owners.gain(Role::Device).filter(|_| asynchronous)
}

/// Whether nobody holds a program any more.
#[must_use]
#[inline]
pub fn program_ends(owners: Owners) -> bool {
    !owners.any(&[Role::UserHandle, Role::CacheEntry, Role::Device])
}

/// What the end of an allocator does with the buffers that it still has.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Closing {
    /// The blocks go back; the buffers do not learn of it.
    InBulk,
    /// The same, after a FREE for each.
    ReportedInBulk,
    /// Each is deallocated: FREE, block and status.
    Each,
}

/// Decides what `MeshDevice::close` does with live buffers.
#[must_use]
#[inline]
pub fn closing(fixes: impl Ask) -> Closing {
    // Issue 8965: "cq_id 0 is out of range [...] after the devices are closed"; its fix is to
    // "deallocate all buffers on device when closing" (PR 9220).
    let kept = fixes.has_defect(Defect::CloseKeepsBuffers) || deallocates_after_close(fixes);
    // allocation-server.md 5.2 #3: "Allocator::deallocate_buffers (device close) silent [...]
    // report all allocated_buffers_ at close".
    let reported = || fixes.has(Fix::ReportOnClose);
    match fixes.baseline() {
        Baseline::Upstream if kept => Closing::InBulk,
        Baseline::Upstream => Closing::Each,
        Baseline::Fork if reported() => Closing::ReportedInBulk,
        Baseline::Fork => Closing::InBulk,
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::fix::Preset;
    use AllocationStatus::{Allocated, AllocationRequested, Deallocated};

    /// Document 003 guards against what the status test below it stops already.
    #[test]
    fn the_guards_decide_nothing() {
        for preset in Preset::ALL {
            let guarded = preset.fixes().with(Fix::GuardMark).with(Fix::GuardDealloc);
            for status in [AllocationRequested, Allocated, Deallocated] {
                for owns_data in [true, false] {
                    let marks = |fixes| marking(fixes, owns_data, status);
                    assert_eq!(marks(guarded), marks(preset.fixes()), "{status}");
                }
            }
        }
    }

    /// The reporter of each buffer of a MeshBuffer, in the columns of tt-metal.md A6.
    #[test]
    fn who_reports_is_what_the_table_of_variants_says() {
        use MessageKind::{Alloc, Free};
        use Reporter::{Devices, Mesh, Nobody};
        let rows = [
            (Preset::Original, Mesh, Devices),
            (Preset::ThreeFixes, Mesh, Devices),
            (Preset::Final, Nobody, Devices),
            (Preset::ForkHead, Nobody, Devices),
            (Preset::UpstreamShm, Devices, Nobody),
        ];
        for (preset, backing, local) in rows {
            for kind in [Alloc, Free] {
                let of = |owns_data| reporter(preset.fixes(), owns_data, true, kind);
                assert_eq!((of(true), of(false)), (backing, local), "{} {kind:?}", preset.name());
            }
            assert_eq!(reporter(preset.fixes(), true, false, Free), Devices, "{}", preset.name());
        }
    }
}
