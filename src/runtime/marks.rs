//! Tells of rare situations where they become a fact; changes nothing.

use super::object::{BACKING_HOLDERS, MeshBufferState, Object, ObjectId, ObjectKind};
use super::{Runtime, Surroundings};
use crate::event::{AllocationStatus, AllocatorId, Event};
use crate::mark::Mark;
use crate::message::Role;
use crate::op::BufferHandle;
use crate::units::Lanes;

impl Runtime {
    /// The handle of a deallocated buffer goes: somebody else may have its address by now.
    #[inline]
    pub(super) fn note_late_drop<S: Surroundings>(&self, out: &mut S, object: &Object) {
        out.emit(Event::Reached(Mark::LateDrop));
        let gone = object.status == AllocationStatus::Deallocated
            && object.size.0 > 0
            && !object.hooked
            && !object.owners.any(&BACKING_HOLDERS)
            && !self.dangling(object.allocator).contains(&object.reference());
        if gone && self.address_is_taken(object) {
            out.emit(Event::Reached(Mark::AddressReused));
        }
    }

    /// Whether a block starts at the address of an object.
    #[inline]
    fn address_is_taken(&self, object: &Object) -> bool {
        let allocator = &self.allocators[object.allocator.0 as usize];
        allocator.is_alive() && allocator.block_size(object.buffer_type, object.address).is_some()
    }

    /// The collector lets go of an object.
    pub(super) fn note_collected<S: Surroundings>(&self, out: &mut S, object: &Object) {
        out.emit(Event::Reached(Mark::Collected));
        if is_deallocated(object) {
            out.emit(Event::Reached(Mark::CollectedLate));
        }
    }

    /// Memory is read through these objects.
    #[inline]
    pub(super) fn note_dead_views<S: Surroundings>(&self, out: &mut S, read: &[ObjectId]) {
        let roots = read.iter().filter_map(|id| self.objects[id.0].root);
        let gone = |root: ObjectId| self.objects[root.0].status == AllocationStatus::Deallocated;
        if roots.into_iter().any(gone) {
            out.emit(Event::Reached(Mark::DeadViewUsed));
        }
    }

    /// `mark_as_deallocated` is called directly.
    pub(super) fn note_marking<S: Surroundings>(&self, out: &mut S, object: &Object) {
        if object.registered && object.status == AllocationStatus::Allocated {
            out.emit(Event::Reached(Mark::MarkedWithoutRelease));
        }
    }

    /// A program's pool is about to let go of an object.
    pub(super) fn note_pool<S: Surroundings>(&self, out: &mut S, object: &Object) {
        let holders: &[Role] = match object.kind {
            ObjectKind::MeshBuffer => &BACKING_HOLDERS,
            _ => &super::object::BUFFER_HOLDERS,
        };
        let count: u64 = holders.iter().map(|&role| object.owners.count(role)).sum();
        if count == 1 {
            out.emit(Event::Reached(Mark::PoolHeldLast));
        }
    }

    /// A mesh is made, over some of the chips of a parent or of the machine.
    pub(super) fn note_mesh<S: Surroundings>(
        &self,
        out: &mut S,
        devices: Lanes,
        parent: Option<u32>,
    ) {
        if let Some(parent) = parent {
            if !self.registered(self.meshes[parent].allocator).is_empty() {
                out.emit(Event::Reached(Mark::SubmeshOverLiveParent));
            }
            return;
        }
        let shares = self.meshes.iter().any(|(_, mesh)| {
            mesh.open && mesh.process == self.process && !mesh.devices.and(devices).is_empty()
        });
        if shares {
            out.emit(Event::Reached(Mark::MeshesShareChips));
        }
    }

    /// A mesh is about to close, with so many live buffers on its allocator.
    pub(super) fn note_closing<S: Surroundings>(&self, out: &mut S, mesh: u32, live: usize) {
        if live > 0 {
            out.emit(Event::Reached(Mark::ClosedWithLiveBuffers));
        }
        if self.meshes.iter().any(|(_, other)| other.open && other.parent == Some(mesh)) {
            out.emit(Event::Reached(Mark::ParentClosedFirst));
        }
    }

    /// A device's own allocator is about to go, with so many live buffers.
    pub(super) fn note_device_closing<S: Surroundings>(&self, out: &mut S, live: usize) {
        if live > 0 {
            out.emit(Event::Reached(Mark::DeviceClosedWithLiveBuffers));
        }
    }

    /// An owner has got its address: a device and the meshes over it allocate on their own.
    #[inline]
    pub(super) fn note_allocated<S: Surroundings>(&self, out: &mut S, object: &Object) {
        if !self.device_allocators.is_empty() && self.is_beside_another(object) {
            out.emit(Event::Reached(Mark::DeviceBesideMesh));
        }
    }

    #[cold]
    fn is_beside_another(&self, object: &Object) -> bool {
        let of_a_mesh = object.mesh.is_some();
        self.objects.iter().any(|(_, other)| {
            other.registered
                && other.process == object.process
                && other.mesh.is_some() != of_a_mesh
                && !other.devices.and(object.devices).is_empty()
                && self.allocators[other.allocator.0 as usize].is_alive()
        })
    }

    /// A program cache is about to be cleared.
    pub(super) fn note_cache_clear<S: Surroundings>(&self, out: &mut S, mesh: u32) {
        let bound = self.meshes[mesh].cache.iter().flat_map(|&(_, one)| &self.programs[one].bound);
        let allocated = |owner| {
            self.objects.iter().any(|(_, object)| {
                object.unique_id == owner && object.status == AllocationStatus::Allocated
            })
        };
        if bound.into_iter().any(|bound| allocated(bound.owner)) {
            out.emit(Event::Reached(Mark::CacheClearedWhileInUse));
        }
    }

    /// An allocator was emptied in bulk; its buffers do not know.
    pub(super) fn note_emptied<S: Surroundings>(&self, out: &mut S, allocator: AllocatorId) {
        if !self.registered(allocator).is_empty() {
            out.emit(Event::Reached(Mark::AllocatorEmptied));
        }
    }

    /// The client begins to report.
    pub(super) fn note_tracking<S: Surroundings>(&self, out: &mut S) {
        if self.objects.iter().any(|(_, object)| object.registered) {
            out.emit(Event::Reached(Mark::TrackerStartedLate));
        }
    }

    /// Whether a thread is in the middle of an operation on the buffer that a name holds.
    pub(crate) fn is_in_flight(&self, name: BufferHandle) -> bool {
        self.buffer(name).is_some_and(|id| self.in_flight.contains(&id))
    }
}

fn is_deallocated(object: &Object) -> bool {
    match object.kind {
        ObjectKind::MeshBuffer => object.state == MeshBufferState::Deallocated,
        _ => object.status == AllocationStatus::Deallocated,
    }
}
