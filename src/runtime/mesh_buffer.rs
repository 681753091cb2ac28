//! A backing buffer and its aliases on every chip: tt-metal's `mesh_buffer.cpp` (tt-metal.md B).

use super::decide::{self, FreeOn};
use super::object::{BACKING_HOLDERS, HOLDERS, MeshBufferState, Object, ObjectId};
use super::{EXPIRED, Runtime, Surroundings};
use crate::event::{AllocationStatus, Event, Part, RawPointer};
use crate::fix::{Defect, Fix};
use crate::mark::Mark;
use crate::message::{CallPath, Role};
use crate::units::{BufferType, Lanes};

impl Runtime {
    /// `MeshBuffer::deallocate`, whole.
    #[inline]
    pub(super) fn deallocate_mesh_buffer<S: Surroundings>(
        &mut self,
        out: &mut S,
        id: ObjectId,
        role: Role,
    ) {
        if self.deallocate_begins(id) {
            self.deallocate_marks(out, id);
            self.deallocate_releases(out, id, role);
            return;
        }
        // PR 53129, mesh_buffer.cpp: "Guard against double reporting to Inspector if deallocate()
        // was called explicitly and then again in the destructor."
        if self.fixes.has_defect(Defect::InspectorReportsTwice) {
            self.inspect(out, id, false);
        }
    }

    /// First step of `MeshBuffer::deallocate`: is there anything to do?
    #[inline]
    pub(super) fn deallocate_begins(&self, id: ObjectId) -> bool {
        self.objects[id.0].state != MeshBufferState::Deallocated
    }

    /// Second step: whatever is marked before the state changes.
    #[inline]
    pub(super) fn deallocate_marks<S: Surroundings>(&mut self, out: &mut S, id: ObjectId) {
        let object = self.objects[id.0];
        let owned = object.state == MeshBufferState::Owned;
        if self.mesh_is_expired(&object) {
            self.expired_marks(out, id, owned);
            return;
        }
        // PR 43422: "segfault in unmirror at exit", a close before the collection of tensors; its
        // fix asks `is_initialized` of each device first (tt-metal.md B3).
        if owned && self.fixes.has_defect(Defect::UnmirrorAfterClose) {
            self.unmirror(out, &object);
        }
        if decide::marks_backing(&self.fixes, object.state) {
            self.mark_as_deallocated(out, id, Part::Owner, CallPath::MarkAsDeallocated);
        }
        self.mark_locals(out, id, object.non_owners);
    }

    /// `mark_as_deallocated` on device-local buffers whose MeshBuffer lets go of them.
    #[inline]
    pub(super) fn mark_locals<S: Surroundings>(
        &mut self,
        out: &mut S,
        id: ObjectId,
        devices: Lanes,
    ) {
        if !devices.is_empty() && decide::marks_locals(&self.fixes) {
            let locals = Part::NonOwners(devices);
            self.mark_as_deallocated(out, id, locals, CallPath::MarkAsDeallocated);
        }
    }

    /// The weak mesh pointer is expired: the allocator is gone, so only the status changes.
    #[cold]
    fn expired_marks<S: Surroundings>(&mut self, out: &mut S, id: ObjectId, owned: bool) {
        let object = self.objects[id.0];
        out.emit(Event::Reached(Mark::MeshDroppedFirst));
        // PR 18181: "crash when MeshDevice dies before MeshBuffer"; since then the pointer is weak.
        if self.fixes.has_defect(Defect::NoExpiryCheck) {
            let (pointer, alive) = (RawPointer::MeshDevice, object.mesh != Some(EXPIRED));
            out.emit(Event::RawPointerUsed { pointer, alive, object: object.reference() });
        }
        // tt-metal.md F, S-EXPIRED: "mesh dropped first: F4 sends no FREE for N locals".
        let frees = self.fixes.has(Fix::FreeWhenExpired);
        let allocated = object.status == AllocationStatus::Allocated && object.size.0 != 0;
        // Where `mark_as_deallocated` sends nothing, the FREEs are sent here.
        let silent = frees && decide::free_on(&self.fixes) != FreeOn::Mark;
        if owned && silent && allocated {
            let from = (CallPath::Expired, Role::OwnedBufferState);
            self.track_deallocate(out, &object, Part::Owner, from);
        }
        let locals = object.non_owners_allocated;
        if silent && decide::tracks_address_created(&self.fixes) && !locals.is_empty() {
            let from = (CallPath::Expired, Role::DeviceLocal);
            self.track_deallocate(out, &object, Part::NonOwners(locals), from);
        }
        if owned {
            self.mark_as_deallocated(out, id, Part::Owner, CallPath::Expired);
        }
        if frees {
            let locals = Part::NonOwners(object.non_owners);
            self.mark_as_deallocated(out, id, locals, CallPath::Expired);
        }
    }

    /// Third step: the state changes, and with it `OwnedBufferState` lets the backing buffer go.
    #[inline]
    pub(super) fn deallocate_releases<S: Surroundings>(
        &mut self,
        out: &mut S,
        id: ObjectId,
        role: Role,
    ) {
        let was = self.objects[id.0].state;
        self.inspect(out, id, false);
        self.objects.update(id.0, |object| object.state = MeshBufferState::Deallocated);
        if was == MeshBufferState::Owned && !self.queue_deallocation(id, role) {
            self.release_backing(out, id, Role::OwnedBufferState, role);
        }
        // PR 11106 and PR 14023: two threads pass the check of the state before either of them
        // changes it; their fix is a compare-and-swap.
        let beaten = was == MeshBufferState::Deallocated && self.objects[id.0].owns_data();
        if beaten && self.fixes.has_defect(Defect::RacyDeallocate) {
            self.deallocate_again(out, id, role);
        }
    }

    /// What a thread does that has seen the buffer ALLOCATED after another one deallocated it.
    #[cold]
    fn deallocate_again<S: Surroundings>(&mut self, out: &mut S, id: ObjectId, role: Role) {
        let object = self.objects[id.0];
        if self.device_is_initialized(&object) && object.size.0 != 0 {
            self.track_deallocate(out, &object, Part::Owner, (CallPath::DeallocateImpl, role));
            if !object.hooked {
                self.release_block(out, id);
            }
        }
        self.change_owner_status(out, id, AllocationStatus::Deallocated);
    }

    /// HYBRID mode: the address of an L1 buffer is given back to each device's own allocator too.
    #[cold]
    fn unmirror<S: Surroundings>(&mut self, out: &mut S, object: &Object) {
        if object.buffer_type == BufferType::L1 && !self.device_is_initialized(object) {
            let (pointer, object) = (RawPointer::Allocator, object.reference());
            out.emit(Event::RawPointerUsed { pointer, alive: false, object });
        }
    }

    /// An owner of the backing buffer lets go; the last one runs `~Buffer`.
    #[inline]
    pub(super) fn release_backing<S: Surroundings>(
        &mut self,
        out: &mut S,
        id: ObjectId,
        owner: Role,
        role: Role,
    ) {
        self.objects.update(id.0, |object| object.owners = object.owners.lose(owner));
        let object = self.objects[id.0];
        if object.owners.any(&BACKING_HOLDERS) {
            self.note_stranded(out, id);
            return;
        }
        if object.status != AllocationStatus::Deallocated {
            self.deallocate_impl(out, id, role);
        }
        self.destroy_backing(id);
        self.note_views_left(out, &object);
        if object.husk {
            self.bury_husk(out, id, role);
        }
    }

    /// Tells of an owner of memory that no handle, MeshBuffer or program holds any more, if
    /// something else keeps it alive.
    #[cold]
    pub(super) fn note_stranded<S: Surroundings>(&self, out: &mut S, id: ObjectId) {
        use super::object::ObjectKind;
        let object = &self.objects[id.0];
        let held = match object.kind {
            ObjectKind::MeshBuffer => object.state == MeshBufferState::Owned,
            _ => object.owners.any(&[Role::UserHandle, Role::Cycle, Role::CacheEntry, Role::View]),
        };
        let pooled = || self.programs.iter().any(|(_, program)| program.pool.contains(&id));
        let waits = || pooled() || self.deallocation_is_queued(id);
        if object.status == AllocationStatus::Allocated && !held && !waits() {
            let (object, region, address) = (object.reference(), object.region(), object.address);
            out.emit(Event::Stranded { object, region, address });
        }
    }

    /// The backing buffer is gone, and with it the target of a pointer that is still in
    /// `allocated_buffers_` because `mark_as_deallocated` came first (tt-metal.md 0.1). The
    /// MeshBuffer may live on.
    #[inline]
    fn destroy_backing(&mut self, id: ObjectId) {
        let object = self.objects[id.0];
        if object.registered {
            self.objects.update(id.0, |object| object.registered = false);
            if self.allocator_is_alive(object.allocator) {
                self.leave_dangling(&object);
            }
        }
    }

    /// `~MeshBuffer`, after its last holder let go.
    pub(super) fn destroy_mesh_buffer<S: Surroundings>(
        &mut self,
        out: &mut S,
        id: ObjectId,
        role: Role,
    ) {
        let object = self.objects[id.0];
        if object.state == MeshBufferState::Deallocated {
            self.note_late_drop(out, &object);
        }
        self.deallocate_mesh_buffer(out, id, role);
        self.objects.update(id.0, |object| object.husk = true);
        self.bury_husk(out, id, role);
    }

    /// Destroys what is left of a MeshBuffer whose object is gone, as far as nothing holds it:
    /// views hold the device-local buffers, a program's pool holds the backing buffer.
    pub(super) fn bury_husk<S: Surroundings>(&mut self, out: &mut S, id: ObjectId, role: Role) {
        let object = self.objects[id.0];
        if !object.husk || object.owners.count(Role::View) > 0 {
            return;
        }
        if !object.non_owners.is_empty() {
            self.destroy_non_owners(out, id, object.non_owners, role);
        }
        let object = self.objects[id.0];
        if !object.owners.any(&BACKING_HOLDERS) {
            self.remove_object(out, id, role);
        }
    }

    /// A holder lets go of an object of any kind; the last one runs the destructor.
    #[inline]
    pub(super) fn release_object<S: Surroundings>(
        &mut self,
        out: &mut S,
        id: ObjectId,
        role: Role,
    ) {
        use super::object::{BUFFER_HOLDERS, ObjectKind};
        self.objects.update(id.0, |object| object.owners = object.owners.lose(role));
        let object = &self.objects[id.0];
        match object.kind {
            ObjectKind::MeshBuffer if !object.owners.any(&HOLDERS) => {
                self.destroy_mesh_buffer(out, id, role);
            }
            ObjectKind::Buffer | ObjectKind::PreAllocated | ObjectKind::View
                if !object.owners.any(&BUFFER_HOLDERS) =>
            {
                self.destroy_buffer(out, id, role);
            }
            ObjectKind::MeshBuffer
            | ObjectKind::Buffer
            | ObjectKind::PreAllocated
            | ObjectKind::View
            | ObjectKind::Vacant => {}
        }
    }
}
