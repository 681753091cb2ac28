//! One buffer's life: tt-metal's `buffer.cpp` (tt-metal.md A).

use super::decide::{self, Deallocation, Marking};
use super::graph_tracker::mesh_id_lane;
use super::object::{Object, ObjectId, ObjectKind};
use super::{Runtime, Surroundings};
use crate::event::{AllocationStatus, Event, Guard, Part};
use crate::fix::{Defect, Fix};
use crate::mark::Mark;
use crate::message::{CallPath, Role};
use crate::units::Lanes;

impl Runtime {
    /// `Buffer::create` at a given address, on each of the devices: ALLOCATED at once, tracked by
    /// the fork only.
    #[inline]
    pub(super) fn create_at_address<S: Surroundings>(&mut self, out: &mut S, id: ObjectId) {
        let object = self.objects[id.0];
        out.emit(Event::StatusChanged {
            object: object.reference(),
            part: Part::NonOwners(object.non_owners),
            from: AllocationStatus::AllocationRequested,
            to: AllocationStatus::Allocated,
            region: object.region(),
            address: object.address,
            allocator_alive: true,
        });
        self.objects.update(id.0, |object| object.non_owners_allocated = object.non_owners);
        if decide::tracks_address_created(&self.fixes) {
            self.track_allocate(out, &object, Part::NonOwners(object.non_owners));
        }
    }

    /// The second half of `allocate_impl`: the status, then the tracking, in that order
    /// (tt-metal.md A4).
    #[inline]
    pub(super) fn finish_allocate<S: Surroundings>(&mut self, out: &mut S, id: ObjectId) {
        // PR 17436: "Call `GraphTracker::instance().track_allocate(this);` after the allocation was
        // fully done." Before that it read the address of a buffer that had none, and waited.
        if self.fixes.has_defect(Defect::TrackBeforeState) {
            self.track_owner_early(out, id);
            return;
        }
        self.change_owner_status(out, id, AllocationStatus::Allocated);
        self.track_owner(out, id);
    }

    #[cold]
    fn track_owner_early<S: Surroundings>(&mut self, out: &mut S, id: ObjectId) {
        self.track_owner(out, id);
        self.change_owner_status(out, id, AllocationStatus::Allocated);
    }

    #[inline]
    fn track_owner<S: Surroundings>(&mut self, out: &mut S, id: ObjectId) {
        let object = self.objects[id.0];
        // "size 0 => status ALLOCATED at once, no allocator, no tracking" (A3).
        if object.size.0 != 0 {
            self.track_allocate(out, &object, Part::Owner);
            if self.captures() {
                self.capture_allocate(out, id);
            }
        }
    }

    /// `Buffer::deallocate_impl` of an owner.
    #[inline]
    pub(super) fn deallocate_impl<S: Surroundings>(
        &mut self,
        out: &mut S,
        id: ObjectId,
        role: Role,
    ) {
        let object = self.objects[id.0];
        let reachable =
            self.device_is_initialized(&object) || decide::deallocates_after_close(&self.fixes);
        let decided = decide::deallocation(object.status, reachable, object.size);
        if decided == Deallocation::Nothing {
            // Document 001: "GUARD 2: Prevent deallocating already-deallocated buffers". The line
            // after it returned for every status but ALLOCATED all along.
            if self.fixes.has(Fix::GuardDealloc) && object.status == AllocationStatus::Deallocated {
                let devices = mesh_or_own_devices(&object);
                let guard = Guard::Dealloc;
                out.emit(Event::Swallowed { object: object.reference(), devices, guard });
            }
            return;
        }
        if decided == Deallocation::Whole {
            self.track_deallocate(out, &object, Part::Owner, (CallPath::DeallocateImpl, role));
            if self.captures() {
                self.capture_deallocate(out, id);
            }
            if !self.hook_keeps(&object) {
                self.validate_manager(out, &object);
                self.release_block(out, id);
            } else if !object.hooked {
                out.emit(Event::Reached(Mark::ReleasedInCapture));
            }
        }
        self.change_owner_status(out, id, AllocationStatus::Deallocated);
    }

    /// `Buffer::mark_as_deallocated`.
    pub(super) fn mark_as_deallocated<S: Surroundings>(
        &mut self,
        out: &mut S,
        id: ObjectId,
        part: Part,
        path: CallPath,
    ) {
        let object = self.objects[id.0];
        let (pending, done) = match part {
            Part::Owner if object.status == AllocationStatus::Deallocated => {
                (Lanes::NONE, mesh_or_own_devices(&object))
            }
            Part::Owner => (mesh_or_own_devices(&object), Lanes::NONE),
            Part::NonOwners(devices) => (
                devices.and(object.non_owners_allocated),
                devices.and(object.non_owners).minus(object.non_owners_allocated),
            ),
        };
        // Document 003: "GUARD: Prevent double-free [...] Already freed, do nothing". Without it
        // the status test below already sends nothing the second time.
        if !done.is_empty() && self.fixes.has(Fix::GuardMark) {
            let guard = Guard::Mark;
            out.emit(Event::Swallowed { object: object.reference(), devices: done, guard });
        }
        if pending.is_empty() {
            return;
        }
        let part = match part {
            Part::Owner => Part::Owner,
            Part::NonOwners(_) => Part::NonOwners(pending),
        };
        let marking = match part {
            Part::Owner => decide::marking(&self.fixes, true, object.status),
            Part::NonOwners(_) => decide::marking(&self.fixes, false, AllocationStatus::Allocated),
        };
        if marking == Marking::WithFree {
            self.track_deallocate(out, &object, part, (path, Role::DeviceLocal));
        }
        match part {
            Part::Owner => self.change_owner_status(out, id, AllocationStatus::Deallocated),
            Part::NonOwners(devices) => self.end_non_owners(out, id, devices),
        }
    }

    /// `Buffer::deallocate` of buffers that own nothing, also from their destructors.
    #[inline]
    pub(super) fn deallocate_non_owners<S: Surroundings>(
        &mut self,
        out: &mut S,
        id: ObjectId,
        devices: Lanes,
        role: Role,
    ) {
        let object = self.objects[id.0];
        let pending = devices.and(object.non_owners_allocated);
        if pending.is_empty() {
            return;
        }
        let initialized = self.device_is_initialized(&object);
        if decide::non_owner_frees(&self.fixes, AllocationStatus::Allocated, initialized) {
            let from = (CallPath::NonOwner, role);
            self.track_deallocate(out, &object, Part::NonOwners(pending), from);
            self.end_non_owners(out, id, pending);
        }
    }

    /// The destructors of non-owning buffers: the objects cease to exist on the devices.
    #[inline]
    pub(super) fn destroy_non_owners<S: Surroundings>(
        &mut self,
        out: &mut S,
        id: ObjectId,
        devices: Lanes,
        role: Role,
    ) {
        self.deallocate_non_owners(out, id, devices, role);
        self.objects.update(id.0, |object| {
            object.non_owners = object.non_owners.minus(devices);
            object.non_owners_allocated = object.non_owners_allocated.minus(devices);
        });
    }

    #[inline]
    fn end_non_owners<S: Surroundings>(&mut self, out: &mut S, id: ObjectId, devices: Lanes) {
        let object = self.objects[id.0];
        out.emit(Event::StatusChanged {
            object: object.reference(),
            part: Part::NonOwners(devices),
            from: AllocationStatus::Allocated,
            to: AllocationStatus::Deallocated,
            region: object.region(),
            address: object.address,
            allocator_alive: self.allocator_is_alive(object.allocator),
        });
        self.objects.update(id.0, |object| {
            object.non_owners_allocated = object.non_owners_allocated.minus(devices);
        });
    }

    #[inline]
    pub(super) fn change_owner_status<S: Surroundings>(
        &mut self,
        out: &mut S,
        id: ObjectId,
        to: AllocationStatus,
    ) {
        let object = self.objects[id.0];
        out.emit(Event::StatusChanged {
            object: object.reference(),
            part: Part::Owner,
            from: object.status,
            to,
            region: object.region(),
            address: object.address,
            allocator_alive: self.allocator_is_alive(object.allocator),
        });
        self.objects.update(id.0, |object| object.status = to);
    }

    /// `~Buffer` of a buffer of one device, or of a view.
    pub(super) fn destroy_buffer<S: Surroundings>(
        &mut self,
        out: &mut S,
        id: ObjectId,
        role: Role,
    ) {
        let object = self.objects[id.0];
        match object.kind {
            ObjectKind::Buffer if object.status != AllocationStatus::Deallocated => {
                self.deallocate_impl(out, id, role);
            }
            ObjectKind::PreAllocated | ObjectKind::View => {
                self.destroy_non_owners(out, id, object.non_owners, role);
            }
            ObjectKind::Buffer => self.note_late_drop(out, &object),
            ObjectKind::MeshBuffer | ObjectKind::Vacant => {}
        }
        self.remove_object(out, id, role);
        if let Some(root) = object.root {
            self.unpin_root(out, root);
        }
    }

    /// A view has died: its root may now die too.
    fn unpin_root<S: Surroundings>(&mut self, out: &mut S, root: ObjectId) {
        self.objects.update(root.0, |object| object.owners = object.owners.lose(Role::View));
        let object = self.objects[root.0];
        match object.kind {
            ObjectKind::MeshBuffer => self.bury_husk(out, root, Role::View),
            ObjectKind::Buffer | ObjectKind::PreAllocated | ObjectKind::View => {
                if !object.owners.any(&super::object::BUFFER_HOLDERS) {
                    self.destroy_buffer(out, root, Role::View);
                }
            }
            ObjectKind::Vacant => unreachable!("a view keeps its root alive"),
        }
    }

    /// The object is gone; a pointer to it that is still in `allocated_buffers_` dangles.
    pub(super) fn remove_object<S: Surroundings>(
        &mut self,
        out: &mut S,
        id: ObjectId,
        released_by: Role,
    ) {
        let object = self.objects[id.0];
        let (reference, alive) = (object.reference(), self.allocator_is_alive(object.allocator));
        let left_before = || self.dangling(object.allocator).contains(&reference);
        let registered = alive && (object.registered || left_before());
        out.emit(Event::BufferDestroyed { object: reference, released_by, registered });
        if object.registered && alive {
            self.leave_dangling(&object);
        }
        self.objects.remove(id.0);
    }

    /// Tells of views and aliases that are left over memory their owner gave back.
    #[inline]
    pub(super) fn note_views_left<S: Surroundings>(&self, out: &mut S, object: &Object) {
        if object.owners.count(Role::View) > 0 {
            out.emit(Event::Reached(Mark::ViewOutlivesRoot));
        }
    }
}

#[inline]
fn mesh_or_own_devices(object: &Object) -> Lanes {
    object.mesh.map_or(object.devices, |_| mesh_id_lane(object.mesh_id))
}
