//! How meshes and devices close: the rest of tt-metal's `mesh_device.cpp` (tt-metal.md B5, B6).

use super::decide::{self, Closing};
use super::object::ObjectId;
use super::{Runtime, Surroundings};
use crate::event::{AllocatorId, Event, Part, RawPointer, Singleton};
use crate::fix::{Defect, Fix};
use crate::message::{CallPath, Role};

impl Runtime {
    /// `MeshDevice::close`; a second call does nothing.
    pub(super) fn close<S: Surroundings>(&mut self, out: &mut S, mesh: u32) {
        if !self.meshes[mesh].open {
            return;
        }
        self.use_singleton(out, Singleton::SystemMesh);
        let queued = self.drain_queue(out, mesh);
        // allocation-server.md 5.2 #8: "clear program cache before close -> freed". Close itself
        // leaves the cache to the destructor (tt-metal.md B5).
        if self.fixes.has(Fix::ClearCacheOnClose) {
            self.clear_cache(out, mesh);
        }
        let live = self.registered(self.meshes[mesh].allocator);
        let mesh_id = self.meshes[mesh].mesh_id;
        self.note_closing(out, mesh, live.len());
        let on_mesh = |id: &&ObjectId| self.objects[id.0].mesh == Some(mesh);
        let in_flight = self.in_flight.iter().filter(on_mesh).count() as u32 + queued;
        out.emit(Event::MeshClosed { mesh_id, live: live.len() as u32, in_flight });
        self.reset_managers_early(mesh);
        self.tear_down_allocator(out, mesh, &live);
        // PR 3513: "Command queue and allocator were out of sync, fixed by freeing up the program
        // cache buffers before calling de-allocate buffers".
        if self.fixes.has_defect(Defect::AllocatorBeforeCache) {
            self.use_cached_kernels(out, mesh);
        }
        self.meshes.update(mesh, |mesh| mesh.open = false);
        self.reset_managers(mesh);
        self.destroy_queue(out, mesh);
        self.release_traces(out, mesh);
        self.close_devices(out);
    }

    /// The end of the SubDeviceManager, and of its allocator with it, unless other meshes allocate
    /// from the same state: then its own buffers go. In bulk nobody's go, since all would.
    fn tear_down_allocator<S: Surroundings>(&mut self, out: &mut S, mesh: u32, live: &[ObjectId]) {
        let allocator = self.meshes[mesh].allocator;
        let shared_elsewhere = self
            .meshes
            .iter()
            .any(|(other, one)| other != mesh && one.open && one.allocator == allocator);
        if !shared_elsewhere {
            self.end_allocator(out, allocator, live);
        } else if decide::closing(&self.fixes) == Closing::Each {
            // PR 30492: what is shared is the state; who is registered is known mesh by mesh.
            let own = |id: &ObjectId| self.objects[id.0].mesh == Some(mesh);
            let own: Vec<_> = live.iter().copied().filter(own).collect();
            self.deallocate_each(out, &own);
        }
    }

    /// What the baseline does with the buffers of an allocator that goes, and its end.
    pub(super) fn end_allocator<S: Surroundings>(
        &mut self,
        out: &mut S,
        allocator: AllocatorId,
        live: &[ObjectId],
    ) {
        match decide::closing(&self.fixes) {
            Closing::InBulk => self.deallocate_regions(out, allocator),
            Closing::ReportedInBulk => {
                self.report_registered(out, allocator, live);
                self.deallocate_regions(out, allocator);
            }
            Closing::Each => self.deallocate_registered(out, allocator, live),
        }
        self.clear_regions(out, allocator);
        self.destroy_allocator(out, allocator);
    }

    /// FREE for whatever `Allocator::deallocate_buffers` leaves ALLOCATED and gives back.
    fn report_registered<S: Surroundings>(
        &mut self,
        out: &mut S,
        allocator: AllocatorId,
        live: &[ObjectId],
    ) {
        self.follow_dangling(out, allocator);
        for &id in live {
            let object = self.objects[id.0];
            let from = (CallPath::Close, Role::Device);
            self.track_deallocate(out, &object, Part::Owner, from);
        }
    }

    /// tt-metal.md B6: DeallocateBuffer on every entry of `allocated_buffers_`: each sends its FREE
    /// and becomes DEALLOCATED under the user's feet. The C++ clears the allocator before the walk
    /// only to make the walk cheap; here the blocks go back one by one, to the same end.
    fn deallocate_registered<S: Surroundings>(
        &mut self,
        out: &mut S,
        allocator: AllocatorId,
        live: &[ObjectId],
    ) {
        self.follow_dangling(out, allocator);
        // Issue 8637: "it seems to happen before closing devices, during buffer deallocation":
        // DeallocateBuffers met buffers that were given back before.
        if self.fixes.has_defect(Defect::BulkFreeFirst) {
            self.deallocate_regions(out, allocator);
        }
        self.deallocate_each(out, live);
    }

    fn deallocate_each<S: Surroundings>(&mut self, out: &mut S, registered: &[ObjectId]) {
        for &id in registered {
            let object = self.objects[id.0];
            let pointer = RawPointer::RegisteredBuffer;
            out.emit(Event::RawPointerUsed { pointer, alive: true, object: object.reference() });
            self.deallocate_impl(out, id, Role::Device);
        }
    }

    /// The walk over `allocated_buffers_` meets the buffers that were destroyed without leaving it.
    fn follow_dangling<S: Surroundings>(&self, out: &mut S, allocator: AllocatorId) {
        for &object in self.dangling(allocator) {
            let pointer = RawPointer::RegisteredBuffer;
            out.emit(Event::RawPointerUsed { pointer, alive: false, object });
        }
    }

    /// The command queue of a closing mesh reads the binaries of the programs in the cache.
    #[cold]
    fn use_cached_kernels<S: Surroundings>(&self, out: &mut S, mesh: u32) {
        let programs = self.meshes[mesh].cache.iter().map(|&(_, program)| program);
        for kernel in programs.filter_map(|program| self.programs[program].kernel) {
            Self::access(out, &[self.bind(&self.objects[kernel.0])], true);
        }
    }
}
