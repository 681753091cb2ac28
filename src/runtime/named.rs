//! What a line of a scenario calls: the entry points that look names up.

use super::object::{BUFFER_HOLDERS, HOLDERS, ObjectId, ObjectKind};
use super::{AllocatorImpl, MeshDevice, Refusal, Runtime, Surroundings};
use crate::event::{Event, Part};
use crate::fix::Defect;
use crate::mark::Mark;
use crate::message::{CallPath, ObjectRef, Role};
use crate::op::{BufferHandle, CircularBufferSpec, MeshHandle, ProgramHandle};

impl Runtime {
    /// `deallocate b0`.
    #[inline]
    pub(crate) fn deallocate<S: Surroundings>(&mut self, out: &mut S, name: BufferHandle) -> bool {
        let Some(id) = self.buffer(name) else { return false };
        let object = self.objects[id.0];
        match object.kind {
            ObjectKind::MeshBuffer => {
                let begins = self.deallocate_begins(id);
                self.deallocate_mesh_buffer(out, id, Role::UserHandle);
                begins
            }
            ObjectKind::Buffer => {
                self.deallocate_impl(out, id, Role::UserHandle);
                self.note_views_left(out, &object);
                self.objects[id.0].status != object.status
            }
            ObjectKind::PreAllocated | ObjectKind::View => {
                self.deallocate_non_owners(out, id, object.non_owners, Role::UserHandle);
                let changed =
                    self.objects[id.0].non_owners_allocated != object.non_owners_allocated;
                changed | object.root.is_some_and(|root| self.deallocate_root(out, root))
            }
            ObjectKind::Vacant => false,
        }
    }

    /// `deallocate-unforced b0`: `Tensor::deallocate` without `force` looks at the count of the
    /// MeshBuffer's `shared_ptr`, and does nothing if it is not one.
    pub(crate) fn deallocate_unforced<S: Surroundings>(
        &mut self,
        out: &mut S,
        name: BufferHandle,
    ) -> bool {
        self.buffer(name).is_some_and(|id| !self.is_shared(id)) && self.deallocate(out, name)
    }

    /// Whether more than one holds the object.
    pub(super) fn is_shared(&self, id: ObjectId) -> bool {
        let object = &self.objects[id.0];
        let holders = match object.kind {
            ObjectKind::MeshBuffer => HOLDERS.as_slice(),
            _ => BUFFER_HOLDERS.as_slice(),
        };
        holders.iter().map(|&role| object.owners.count(role)).sum::<u64>() > 1
    }

    /// What the deallocation of a view does to its root: nothing, as it should be.
    fn deallocate_root<S: Surroundings>(&mut self, out: &mut S, root: ObjectId) -> bool {
        // Issue 31145: "ttnn.deallocate has force set to True [...] And so ttnn_ones is also
        // deallocated", of which it was reshaped.
        if !self.fixes.has_defect(Defect::DeallocateForcesRoot) {
            return false;
        }
        let before = self.objects[root.0].status;
        self.deallocate_impl(out, root, Role::UserHandle);
        self.objects[root.0].status != before
    }

    /// The first step of `deallocate b0` on a MeshBuffer, which the calling thread holds until it
    /// is done; none if the call is a single step.
    pub(crate) fn begin_deallocate(&mut self, name: BufferHandle) -> Option<ObjectId> {
        let id = self.buffer(name)?;
        let object = self.objects[id.0];
        if object.kind != ObjectKind::MeshBuffer || !self.deallocate_begins(id) {
            return None;
        }
        let owners = object.owners.gain(Role::UserHandle)?;
        self.objects.update(id.0, |object| object.owners = owners);
        Some(id)
    }

    /// The marks of a `deallocate` in progress.
    pub(crate) fn continue_marks<S: Surroundings>(&mut self, out: &mut S, id: ObjectId) {
        self.deallocate_marks(out, id);
    }

    /// The release of a `deallocate` in progress; then the thread lets the MeshBuffer go.
    pub(crate) fn continue_releases<S: Surroundings>(&mut self, out: &mut S, id: ObjectId) {
        self.deallocate_releases(out, id, Role::UserHandle);
        self.release_object(out, id, Role::UserHandle);
    }

    /// How events name an object.
    pub(crate) fn reference(&self, id: ObjectId) -> ObjectRef {
        self.objects[id.0].reference()
    }

    /// Whether the object under this index is still the one that was named so.
    pub(crate) fn exists(&self, id: ObjectId, object: ObjectRef) -> bool {
        let found = self.objects.get(id.0);
        found.is_some_and(|found| found.kind != ObjectKind::Vacant && found.reference() == object)
    }

    /// `mark b0`: a direct call of `mark_as_deallocated`, on the owner if there is one.
    pub(crate) fn mark_named<S: Surroundings>(&mut self, out: &mut S, name: BufferHandle) -> bool {
        let Some(id) = self.buffer(name) else { return false };
        let object = self.objects[id.0];
        let part =
            if object.owns_data() { Part::Owner } else { Part::NonOwners(object.non_owners) };
        self.note_marking(out, &object);
        self.mark_as_deallocated(out, id, part, CallPath::MarkAsDeallocated);
        self.objects[id.0] != object
    }

    /// `use b0`.
    pub(crate) fn use_named<S: Surroundings>(
        &mut self,
        out: &mut S,
        name: BufferHandle,
    ) -> Result<(), Refusal> {
        let id = self.buffer(name).ok_or_else(Refusal::noop)?;
        self.use_buffer(out, id)
    }

    /// `close m0`.
    pub(crate) fn close_named<S: Surroundings>(&mut self, out: &mut S, name: MeshHandle) -> bool {
        let Some(mesh) = self.mesh(name) else { return false };
        if !self.meshes[mesh].open {
            out.emit(Event::Reached(Mark::MeshClosedTwice));
            return false;
        }
        self.close(out, mesh);
        // tt-metal.md B5, the end of `close()`: "scoped_devices reset; parent reset".
        if let Some(parent) = self.meshes[mesh].parent {
            self.meshes.update(mesh, |mesh| mesh.parent = None);
            self.release_mesh(out, parent);
        }
        true
    }

    /// `clear-cache m0`.
    pub(crate) fn clear_cache_of<S: Surroundings>(
        &mut self,
        out: &mut S,
        name: MeshHandle,
    ) -> bool {
        let Some(mesh) = self.mesh(name) else { return false };
        let held = !self.meshes[mesh].cache.is_empty();
        self.clear_cache(out, mesh);
        held
    }

    /// `disable-cache m0`: `disable_and_clear_program_cache`.
    pub(crate) fn disable_cache<S: Surroundings>(&mut self, out: &mut S, name: MeshHandle) -> bool {
        let Some(mesh) = self.mesh(name) else { return false };
        let changed = self.meshes[mesh].cache_enabled || !self.meshes[mesh].cache.is_empty();
        self.clear_cache(out, mesh);
        self.meshes.update(mesh, |mesh| mesh.cache_enabled = false);
        changed
    }

    /// `enable-cache m0`.
    pub(crate) fn enable_cache(&mut self, name: MeshHandle) -> bool {
        let disabled = self.mesh(name).filter(|&mesh| !self.meshes[mesh].cache_enabled);
        let Some(mesh) = disabled else { return false };
        self.meshes.update(mesh, |mesh| mesh.cache_enabled = true);
        true
    }

    /// The number of entries in the program cache of a mesh.
    #[must_use]
    pub fn cache_entries(&self, name: MeshHandle) -> Option<usize> {
        self.mesh(name).map(|mesh| self.meshes[mesh].cache.len())
    }

    /// The mesh that a name holds, open or not, for whoever compares with the real runtime.
    #[must_use]
    pub fn mesh_device(&self, name: MeshHandle) -> Option<&MeshDevice> {
        self.mesh(name).map(|mesh| &self.meshes[mesh])
    }

    /// The meshes of the process, named or not, for whoever compares with the real runtime.
    pub fn meshes(&self) -> impl Iterator<Item = &MeshDevice> {
        let meshes = self.meshes.iter().map(|(_, mesh)| mesh);
        meshes.filter(|mesh| mesh.process == self.process)
    }

    /// Those of them that are open.
    pub fn open_meshes(&self) -> impl Iterator<Item = &MeshDevice> {
        self.meshes().filter(|mesh| mesh.open)
    }

    /// The allocator of the mesh that a name holds, for whoever compares with the real runtime.
    #[must_use]
    pub fn allocator_of(&self, name: MeshHandle) -> Option<&AllocatorImpl> {
        self.mesh_device(name).map(|mesh| &self.allocators[mesh.allocator.0 as usize])
    }

    /// `program p0 on m0`.
    pub(crate) fn create_program<S: Surroundings>(
        &mut self,
        out: &mut S,
        (name, mesh): (ProgramHandle, MeshHandle),
        circular_buffers: &[CircularBufferSpec],
    ) -> Result<bool, Refusal> {
        if self.is_program(name) {
            return Err(Refusal::noop());
        }
        let mesh = self.open_mesh(mesh)?;
        let program = self.build_program(out, mesh, circular_buffers, Role::UserHandle);
        self.bind_program(name, program);
        Ok(true)
    }

    /// `dataflow-program p0 on m0`.
    ///
    /// ASSUMED: dataflow buffers get places and are validated as circular buffers are; the code
    /// that places them was not read.
    pub(crate) fn create_dataflow_program<S: Surroundings>(
        &mut self,
        out: &mut S,
        names: (ProgramHandle, MeshHandle),
        dataflow_buffers: &[CircularBufferSpec],
    ) -> Result<bool, Refusal> {
        let created = self.create_program(out, names, dataflow_buffers)?;
        let program = self.program(names.0).expect("the program has just got its name");
        self.programs.update(program, |program| program.dataflow = true);
        Ok(created)
    }

    /// `assign b0 to p0`.
    pub(crate) fn assign(&mut self, buffer: BufferHandle, program: ProgramHandle) -> bool {
        match (self.buffer(buffer), self.program(program)) {
            (Some(id), Some(program)) => self.add_to_pool(program, id),
            _ => false,
        }
    }

    /// `enqueue p0`.
    pub(crate) fn enqueue_named<S: Surroundings>(
        &mut self,
        out: &mut S,
        name: ProgramHandle,
        reads: &[BufferHandle],
    ) -> Result<(), Refusal> {
        let program = self.program(name).ok_or_else(Refusal::noop)?;
        self.enqueue(out, program, reads)
    }

    /// `tracking on`, `tracking off`.
    pub(crate) fn switch_tracking<S: Surroundings>(&mut self, out: &mut S, on: bool) -> bool {
        if self.client.tracking == on {
            return false;
        }
        self.client.update(|client| client.tracking = on);
        out.emit(Event::TrackingSwitched { on });
        if on {
            self.note_tracking(out);
        }
        true
    }

    /// `lose 3`.
    pub(crate) fn fill_socket(&mut self, count: u32) -> bool {
        self.client.update(|client| client.full_for = client.full_for.saturating_add(count));
        count > 0
    }

    /// `stall`.
    pub(crate) fn stall(&mut self) -> bool {
        let already = self.client.stalled;
        self.client.update(|client| client.stalled = true);
        !already
    }

    /// Takes note of the buffers of operations that threads are in the middle of.
    pub(crate) fn set_in_flight(&mut self, objects: impl Iterator<Item = ObjectId>) {
        self.in_flight.clear();
        self.in_flight.extend(objects);
    }

    /// Whether the server has stopped reading.
    pub(crate) fn is_stalled(&self) -> bool {
        self.client.stalled
    }

    /// Whether a socket holds a message that the server has not read.
    #[inline]
    pub(crate) fn has_messages_in_flight(&self) -> bool {
        !self.client.old.is_empty() || !self.client.new.is_empty()
    }
}
