//! A backing buffer and its aliases on every chip: tt-metal's `mesh_buffer.cpp` (tt-metal.md B).

use super::buffer::FreeOn;
use super::object::{BACKING_HOLDERS, HOLDERS, MeshBufferState, ObjectId};
use super::{Runtime, Surroundings};
use crate::event::{AllocationStatus, Event, Part};
use crate::fix::Fix;
use crate::mark::Mark;
use crate::message::{CallPath, Role};
use crate::units::Lanes;

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
        // Document 000, fix 2: "ADDED: Deallocate backing buffer FIRST", by mark_as_deallocated,
        // which never asks the allocator to take the block back.
        if owned && self.fixes.has(Fix::BackingFirst) {
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
        // Document 004: "Simplified MeshBuffer::deallocate() to only mark device-local buffers as
        // deallocated".
        if self.fixes.has(Fix::MarkLocals) && !devices.is_empty() {
            let locals = Part::NonOwners(devices);
            self.mark_as_deallocated(out, id, locals, CallPath::MarkAsDeallocated);
        }
    }

    /// The weak mesh pointer is expired: the allocator is gone, so only the status changes.
    #[cold]
    fn expired_marks<S: Surroundings>(&mut self, out: &mut S, id: ObjectId, owned: bool) {
        let object = self.objects[id.0];
        out.emit(Event::Reached(Mark::MeshDroppedFirst));
        // tt-metal.md F, S-EXPIRED: "mesh dropped first: F4 sends no FREE for N locals".
        let frees = self.fixes.has(Fix::FreeWhenExpired);
        let allocated = object.status == AllocationStatus::Allocated && object.size.0 != 0;
        // Where `mark_as_deallocated` sends nothing, the FREEs are sent here.
        let silent = frees && self.free_on() != FreeOn::Mark;
        if owned && silent && allocated {
            let from = (CallPath::Expired, Role::OwnedBufferState);
            self.track_deallocate(out, &object, Part::Owner, from);
        }
        let locals = object.non_owners_allocated;
        if silent && self.tracks_address_created() && !locals.is_empty() {
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
        self.objects.update(id.0, |object| object.state = MeshBufferState::Deallocated);
        if was == MeshBufferState::Owned {
            self.release_backing(out, id, Role::OwnedBufferState, role);
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
