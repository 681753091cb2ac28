//! Operations through the program cache: tt-metal's `program_cache.hpp` (tt-metal.md C6).

use super::object::{Object, ObjectId, ObjectKind};
use super::program::Bound;
use super::{Refusal, Runtime, Surroundings, decide};
use crate::event::Event;
use crate::fix::Defect;
use crate::mark::Mark;
use crate::message::{Origin, Role};
use crate::op::{BufferHandle, CacheKey, Handle, RunSpec};

impl Runtime {
    /// A ttnn operation. Its order was measured on the real runtime: the output is allocated first,
    /// then the cache is looked up, then the program is validated; a clash frees the output, and a
    /// program that was built for it is not cached.
    pub(crate) fn run<S: Surroundings>(
        &mut self,
        out: &mut S,
        spec: &RunSpec,
    ) -> Result<(), Refusal> {
        if spec.moves.is_some() {
            return self.move_tensor(out, spec);
        }
        let mesh = self.open_mesh(spec.mesh)?;
        let mut inputs = Vec::with_capacity(spec.reads.len() + 1);
        for &handle in &spec.reads {
            let Some(id) = self.buffer(handle) else { continue };
            if !self.is_allocated(&self.objects[id.0]) {
                return Err(Refusal::new("Input Tensor A is not allocated"));
            }
            inputs.push(id);
        }
        if let Some((handle, buffer)) = spec.output {
            if self.is_buffer(handle) {
                return Err(Refusal::noop());
            }
            let id = self.create_mesh_buffer(out, (mesh, handle), buffer, Role::UserHandle)?;
            self.finish_mesh_buffer(out, id);
            self.bind_handle(handle, id);
            inputs.push(id);
        }
        self.note_dead_views(out, &inputs);
        let dispatched = self.dispatch(out, spec, mesh, &inputs);
        if let (Err(_), Some((handle, _))) = (&dispatched, spec.output) {
            self.drop_handle(out, Handle::Buffer(handle));
        }
        dispatched
    }

    pub(super) fn dispatch<S: Surroundings>(
        &mut self,
        out: &mut S,
        spec: &RunSpec,
        mesh: u32,
        inputs: &[ObjectId],
    ) -> Result<(), Refusal> {
        let bound: Vec<Bound> = inputs.iter().map(|id| self.bind(&self.objects[id.0])).collect();
        let cached = self.cached_program(mesh, spec.key);
        let Some(program) = cached else {
            return self.build_and_cache(out, spec, mesh, bound);
        };
        out.emit(Event::CacheHit { program: self.programs[program].runtime_id });
        // A program that was built under a hook was never dispatched.
        let first = !self.programs[program].allocated;
        if !self.enqueue_program(out, program)? {
            return Ok(());
        }
        if first {
            self.load_binaries(out, spec, mesh, program)?;
        }
        let first = &self.programs[program].bound;
        if first.iter().zip(&bound).any(|(old, new)| old.address != new.address) {
            out.emit(Event::Reached(Mark::CacheHitAfterReallocation));
        }
        // tt-metal.md C6: "On a hit the op's override_runtime_arguments must patch every raw
        // address"; an operation that misses one goes on using the addresses of its first run.
        if spec.stale || self.fixes.has_defect(Defect::StaleOverride) {
            let old = first.clone();
            let fresh = old == bound;
            self.submit(out, program, &old, fresh);
        } else {
            self.submit(out, program, &bound, true);
        }
        Ok(())
    }

    fn build_and_cache<S: Surroundings>(
        &mut self,
        out: &mut S,
        spec: &RunSpec,
        mesh: u32,
        bound: Vec<Bound>,
    ) -> Result<(), Refusal> {
        let program = self.build_program(out, mesh, &spec.circular_buffers, Role::CacheEntry);
        let ran = self.enqueue_program(out, program).and_then(|ran| {
            if ran {
                self.load_binaries(out, spec, mesh, program)?;
            }
            Ok(ran)
        });
        match ran {
            Err(refusal) => {
                self.release_program(out, program, Role::CacheEntry);
                return Err(refusal);
            }
            Ok(true) => self.submit(out, program, &bound, true),
            // Measured with the published package: what the hook claims leaves before it is cached;
            // elsewhere the cache "fills" (tt-metal.md E2).
            Ok(false) if self.is_published => {
                self.release_program(out, program, Role::CacheEntry);
                return Ok(());
            }
            Ok(false) => {}
        }
        self.programs.update(program, |program| program.bound = bound);
        if self.meshes[mesh].cache_enabled {
            self.meshes.update(mesh, |mesh| mesh.cache.push((spec.key, program)));
        } else {
            self.release_program(out, program, Role::CacheEntry);
        }
        Ok(())
    }

    /// The kernel binary goes to DRAM, top-down, through a temporary view (allocation-server.md
    /// 5.2 #8: "Kernel-binary MeshBuffer + temporary view in load_binaries").
    ///
    /// ASSUMED: after validation; the order of the two was not read.
    fn load_binaries<S: Surroundings>(
        &mut self,
        out: &mut S,
        spec: &RunSpec,
        mesh: u32,
        program: u32,
    ) -> Result<(), Refusal> {
        let Some(pages) = spec.kernel else {
            return Ok(());
        };
        if self.meshes[mesh].traces.capturing().is_some() {
            return Err(Refusal::new(
                "Cannot load new binaries during trace capture.This program is not yet in program \
                 cache. Warm up before capturing a trace.See the operation's hash signature for \
                 arguments that must match.",
            ));
        }
        let buffer = crate::op::BufferSpec {
            buffer_type: crate::units::BufferType::Dram,
            pages,
            top_down: Some(true),
            shards: None,
        };
        let origin = Origin::KernelBinary(spec.key);
        let id = self.create_owned_mesh_buffer(out, (mesh, origin), buffer, Role::CacheEntry)?;
        self.finish_mesh_buffer(out, id);
        self.programs.update(program, |program| program.kernel = Some(id));
        let origin = Origin::TemporaryView(spec.key);
        let size = self.objects[id.0].size;
        let view = self.create_alias(out, id, origin, (ObjectKind::MeshBuffer, size));
        self.release_object(out, view, Role::UserHandle);
        Ok(())
    }

    /// The cached program of a key, if the cache is on.
    pub(super) fn cached_program(&self, mesh: u32, key: CacheKey) -> Option<u32> {
        let mesh = &self.meshes[mesh];
        decide::cached(&mesh.cache, mesh.cache_enabled, key)
    }

    /// `ProgramCache::clear`: the entries die in the order they were made.
    ///
    /// ASSUMED: the C++ map is unordered; no claim depends on the order.
    pub(super) fn clear_cache<S: Surroundings>(&mut self, out: &mut S, mesh: u32) {
        let entries = self.meshes[mesh].cache.clone();
        if entries.is_empty() {
            return;
        }
        self.note_cache_clear(out, mesh);
        let mesh_id = self.meshes[mesh].mesh_id;
        out.emit(Event::CacheCleared { mesh_id, entries: entries.len() as u32 });
        self.meshes.update(mesh, |mesh| mesh.cache.clear());
        for (_, program) in entries {
            self.release_program(out, program, Role::CacheEntry);
        }
    }

    /// `enqueue p0`: an explicit program.
    pub(super) fn enqueue<S: Surroundings>(
        &mut self,
        out: &mut S,
        program: u32,
        reads: &[BufferHandle],
    ) -> Result<(), Refusal> {
        if !self.mesh_exists(program) || !self.meshes[self.programs[program].mesh].open {
            return Err(Refusal::closed(self.programs[program].mesh_id));
        }
        if !self.enqueue_program(out, program)? {
            return Ok(());
        }
        let objects = reads.iter().filter_map(|&handle| self.buffer(handle));
        let mut bound: Vec<Bound> = objects.map(|id| self.bind(&self.objects[id.0])).collect();
        bound.extend(&self.programs[program].bound);
        self.submit(out, program, &bound, true);
        Ok(())
    }

    /// `Tensor::is_allocated`: of a MeshBuffer, its state and its mesh (tt-metal.md B2); of a
    /// buffer, its status.
    pub(super) fn is_allocated(&self, object: &Object) -> bool {
        use super::object::MeshBufferState;
        match object.kind {
            ObjectKind::MeshBuffer => {
                object.state != MeshBufferState::Deallocated && !self.mesh_is_expired(object)
            }
            ObjectKind::Buffer => object.status == crate::event::AllocationStatus::Allocated,
            ObjectKind::PreAllocated | ObjectKind::View => !object.non_owners_allocated.is_empty(),
            ObjectKind::Vacant => false,
        }
    }

    /// `use b0`: one read.
    pub(super) fn use_buffer<S: Surroundings>(
        &self,
        out: &mut S,
        id: ObjectId,
    ) -> Result<(), Refusal> {
        let object = &self.objects[id.0];
        if !self.is_allocated(object) {
            return Err(Refusal::new("Tensor is not allocated."));
        }
        self.note_dead_views(out, &[id]);
        Self::access(out, &[self.bind(object)], true);
        Ok(())
    }
}
