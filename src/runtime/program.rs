//! A program, its circular buffers and its pool: tt-metal's `program.cpp` (tt-metal.md C).

use super::circular_buffer::{CircularBufferLayout, L1Facts, Validation, validate};
use super::object::{Object, ObjectId, ObjectKind, Owners};
use super::{Refusal, Runtime, Surroundings, decide};
use crate::event::{Event, RawPointer, Region, Singleton};
use crate::fix::{Defect, Fix};
use crate::journal::{Fingerprint, Vacant, mix};
use crate::message::{AllocMessage, CallPath, MessageKind, ObjectRef, Origin, Role, UniqueId};
use crate::op::CircularBufferSpec;
use crate::units::{BufferType, Bytes, DeviceAddr, Lanes};

/// The memory that a program was bound to when it was built: what a dispatch reads if nobody
/// patches its runtime arguments.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Bound {
    /// Which allocator and memory.
    pub region: Region,
    /// The buffer whose address it is.
    pub by: ObjectRef,
    /// Who owned the memory.
    pub owner: UniqueId,
    /// The raw address.
    pub address: DeviceAddr,
    /// How much is used.
    pub size: Bytes,
}

impl Fingerprint for Bound {
    fn fingerprint(&self) -> u64 {
        let Region { allocator, buffer_type } = self.region;
        let region = u64::from(allocator.0) | (buffer_type as u64) << 32;
        let words = [self.by.unique_id.0, self.owner.0, self.address.0, self.size.0];
        words.iter().fold(region, |hash, &word| mix(hash, word))
    }
}

/// A `ProgramImpl`.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Program {
    /// Whether the slot is in use.
    pub alive: bool,
    /// The runtime id, which clash texts print.
    pub runtime_id: u32,
    /// The mesh it is for, as an index.
    pub mesh: u32,
    /// The id of that mesh, in case the index is reused.
    pub mesh_id: u32,
    /// The process it lives in.
    pub process: u32,
    /// Where its circular buffers are.
    pub layout: CircularBufferLayout,
    /// Whether what it has placed are dataflow buffers: a Metal 2.0 program.
    pub dataflow: bool,
    /// Whether its circular buffers were allocated (and tracked): `cb_devices_` is not empty.
    pub allocated: bool,
    /// `owned_buffer_pool`.
    pub pool: Vec<ObjectId>,
    /// Who holds the implementation.
    pub owners: Owners,
    /// The MeshBuffer of its kernel binary.
    pub kernel: Option<ObjectId>,
    /// The addresses of the call that built it, or of the buffers assigned to it.
    pub bound: Vec<Bound>,
}

impl Program {
    /// The message for one of its circular buffers.
    pub(super) fn cb_message(
        &self,
        (address, size): (DeviceAddr, Bytes),
        kind: MessageKind,
        (devices, path): (Lanes, CallPath),
    ) -> AllocMessage {
        let unique_id = UniqueId::of_circular_buffers(self.runtime_id);
        AllocMessage {
            kind,
            devices,
            address,
            size,
            buffer_type: BufferType::L1,
            pid: super::pid(self.process),
            owner: unique_id,
            sender: ObjectRef { origin: Origin::CircularBuffers(self.runtime_id), unique_id },
            path,
            released_by: Role::Device,
        }
    }
}

impl Vacant for Program {
    fn vacant() -> Self {
        Self::default()
    }

    fn is_vacant(&self) -> bool {
        !self.alive
    }
}

impl Fingerprint for Program {
    fn fingerprint(&self) -> u64 {
        let ids = u64::from(self.runtime_id) | u64::from(self.mesh) << 32;
        let kernel = self.kernel.map_or(0, |kernel| u64::from(kernel.0) + 1);
        let place = u64::from(self.mesh_id) | u64::from(self.process) << 32;
        let lengths = (self.pool.len() | self.bound.len() << 32) as u64;
        let head = [
            ids,
            kernel,
            place,
            u64::from(self.allocated) | u64::from(self.dataflow) << 1,
            self.owners.0,
            lengths,
        ];
        let pool = self.pool.iter().map(|object| u64::from(object.0));
        let bound = self.bound.iter().map(Bound::fingerprint);
        let layout = std::iter::once(self.layout.fingerprint());
        head.into_iter().chain(pool).chain(bound).chain(layout).fold(0, mix)
    }
}

impl Runtime {
    /// Builds a program for a mesh: the next runtime id, and places for its circular buffers.
    ///
    /// Source: real-runtime.md: "The program id rises by 2 with every program built (0, 2, 4 ..)".
    pub(super) fn build_program<S: Surroundings>(
        &mut self,
        out: &mut S,
        mesh: u32,
        circular_buffers: &[CircularBufferSpec],
        role: Role,
    ) -> u32 {
        let memory = self.memory_map();
        let base = memory.circular_buffer_base;
        let layout = CircularBufferLayout::place(
            circular_buffers,
            base,
            memory.dram_alignment,
            self.setup.all_cores(),
        );
        let process = self.meshes[mesh].process;
        let runtime_id = self.processes[process].next_program_id;
        self.processes.update(process, |process| process.next_program_id += 2);
        let mesh_id = self.meshes[mesh].mesh_id;
        let region_end = layout.region_end(base);
        let owners = Owners::one(role);
        let program = Program {
            alive: true,
            runtime_id,
            mesh,
            mesh_id,
            process,
            layout,
            owners,
            ..Program::default()
        };
        out.emit(Event::ProgramBuilt { program: runtime_id, mesh_id, region_end });
        self.programs.insert(program)
    }

    /// Enqueues a program: its circular buffers are allocated once, and validated every time. False
    /// if a hook claimed it, so that it was not dispatched.
    pub(super) fn enqueue_program<S: Surroundings>(
        &mut self,
        out: &mut S,
        program: u32,
    ) -> Result<bool, Refusal> {
        if self.captures() {
            self.capture_program(out, program);
        }
        let (mesh, runtime_id) = (self.programs[program].mesh, self.programs[program].runtime_id);
        let (mesh_id, buffers) = (self.programs[program].mesh_id, self.program_buffers(program));
        let pid = super::pid(self.process);
        if self.hook_blocks() {
            out.emit(Event::ProgramHooked { pid, program: runtime_id, mesh_id, buffers });
            return Ok(false);
        }
        let compiled = self.programs[program].allocated;
        if !compiled {
            self.programs.update(program, |program| program.allocated = true);
            self.track_allocate_cb(out, program);
            if self.captures() {
                self.capture_placement(out, program);
            }
        }
        let lowest = self.lowest_occupied_l1(mesh);
        let facts = L1Facts {
            program: runtime_id,
            lowest,
            l1_size: self.memory_map().l1_size,
            form: self.setup.core_ranges,
        };
        match validate(&self.programs[program].layout, facts) {
            Validation::Passed => {
                out.emit(Event::ProgramRan { pid, program: runtime_id, mesh_id, buffers });
                Ok(true)
            }
            Validation::TooLarge(text) => Err(Refusal::new(text)),
            Validation::Clash(text, region_end) => {
                let lowest = lowest.expect("a clash names the L1 buffer it is with");
                let allocator = self.meshes[mesh].allocator;
                let region = Region { allocator, buffer_type: BufferType::L1 };
                // Issue 53537 and PR 53399: a hit is dispatched "without passing through
                // compile_and_allocate, so validate_circular_buffer_region() never runs a second
                // time".
                if compiled && self.fixes.has_defect(Defect::HitNotValidated) {
                    let program = runtime_id;
                    out.emit(Event::ProgramOverlaid { program, region, lowest, region_end });
                    out.emit(Event::ProgramRan { pid, program, mesh_id, buffers });
                    return Ok(true);
                }
                out.emit(Event::ProgramClashed { program: runtime_id, region, lowest, region_end });
                Err(Refusal::new(text))
            }
        }
    }

    /// `AssignGlobalBufferToProgram`: the pool becomes an owner of the buffer. Of a MeshBuffer it
    /// is the backing buffer that joins the pool.
    pub(super) fn add_to_pool(&mut self, program: u32, id: ObjectId) -> bool {
        let object = &self.objects[id.0];
        let bound = self.bind(object);
        let Some(owners) = object.owners.gain(Role::Pool) else {
            return false;
        };
        let backing_gone = object.kind == ObjectKind::MeshBuffer
            && object.owners.count(Role::OwnedBufferState) == 0;
        if object.kind == ObjectKind::View || (backing_gone && object.owners.count(Role::Pool) == 0)
        {
            return false;
        }
        self.programs.update(program, |program| program.bound.push(bound));
        // P/7834 (I/7794): "intermediate freed before program ran"; owned_buffer_pool was its fix.
        if !self.fixes.has_defect(Defect::NoOwnedBufferPool) {
            self.objects.update(id.0, |object| object.owners = owners);
            self.programs.update(program, |program| program.pool.push(id));
        }
        true
    }

    /// A handle of the program lets go.
    pub(super) fn release_program<S: Surroundings>(
        &mut self,
        out: &mut S,
        program: u32,
        role: Role,
    ) {
        self.programs.update(program, |program| program.owners = program.owners.lose(role));
        let last = decide::program_ends(self.programs[program].owners);
        if last {
            self.deallocate_circular_buffers(out, program);
        }
        // Document 000, fix 1: "internal_->release_buffers(); // ADDED" to ~Program. The pool is a
        // member of ProgramImpl and dies with it in any case; only a co-owned implementation
        // notices the difference (tt-metal.md 0.8). What a command queue holds is the Program
        // itself, whose destructor does not run as long as a command of it waits.
        let dies = role != Role::Device && self.programs[program].owners.count(Role::Device) == 0;
        if last || dies && self.fixes.has(Fix::ReleasePool) {
            self.release_buffers(out, program);
        }
        if last {
            self.destroy_program(out, program);
        }
    }

    /// `ProgramImpl::release_buffers`: the pool lets go, in the order of its vector.
    fn release_buffers<S: Surroundings>(&mut self, out: &mut S, program: u32) {
        // Issue 8065: capture appended a program's pool to that of the trace context, so that its
        // buffers lived as long as the trace (tt-metal.md C1).
        if self.fixes.has_defect(Defect::PoolOutlivesProgram) {
            let pool = self.programs[program].pool.clone();
            self.programs.update(program, |program| program.pool.clear());
            pool.iter().for_each(|&id| self.note_stranded(out, id));
            return;
        }
        // One by one: a buffer that is in the pool twice is held until its second place goes.
        while let Some(&id) = self.programs[program].pool.first() {
            self.programs.update(program, |program| _ = program.pool.remove(0));
            self.note_pool(out, &self.objects[id.0]);
            match self.objects[id.0].kind {
                ObjectKind::MeshBuffer => self.release_backing(out, id, Role::Pool, Role::Pool),
                _ => self.release_object(out, id, Role::Pool),
            }
        }
    }

    /// `deallocate_circular_buffers`, from `~Program`: follows the raw device pointers in
    /// `cb_devices_`.
    fn deallocate_circular_buffers<S: Surroundings>(&mut self, out: &mut S, program: u32) {
        let dying = &self.programs[program];
        if dying.layout.placed.is_empty() {
            return;
        }
        let unique_id = UniqueId::of_circular_buffers(dying.runtime_id);
        let origin = Origin::CircularBuffers(dying.runtime_id);
        let object = ObjectRef { origin, unique_id };
        // PR 1152 and PR 1280: circular buffers were allocated with their program and freed with
        // it, through the allocator of a device that may be gone; since then a run places them.
        if self.fixes.has_defect(Defect::CbsOutliveDevice) {
            let (pointer, alive) = (RawPointer::Allocator, self.program_allocator_exists(program));
            out.emit(Event::RawPointerUsed { pointer, alive, object });
        }
        if !self.programs[program].allocated {
            return;
        }
        let alive = self.program_devices_exist(program);
        out.emit(Event::RawPointerUsed { pointer: RawPointer::ProgramDevice, alive, object });
        self.use_singleton(out, Singleton::GraphTracker);
        self.track_deallocate_cb(out, program);
        if self.captures() {
            self.capture_deallocate_cb(out, program);
        }
        self.programs.update(program, |program| program.allocated = false);
    }

    fn destroy_program<S: Surroundings>(&mut self, out: &mut S, program: u32) {
        let (runtime_id, kernel) =
            (self.programs[program].runtime_id, self.programs[program].kernel);
        let mesh = self.meshes.get(self.programs[program].mesh);
        let kept = mesh.is_some_and(|mesh| mesh.queue.cached.contains(&runtime_id));
        if kept && self.mesh_exists(program) {
            out.emit(Event::CommandsKept { program: runtime_id });
        }
        out.emit(Event::ProgramDestroyed { program: runtime_id });
        self.programs.remove(program);
        if let Some(kernel) = kernel {
            self.release_object(out, kernel, Role::CacheEntry);
        }
    }

    /// What a program binds when it is given a buffer.
    pub(super) fn bind(&self, object: &Object) -> Bound {
        Bound {
            region: Region { allocator: object.allocator, buffer_type: object.buffer_type },
            by: object.reference(),
            owner: object.owner,
            address: object.address,
            size: object.size,
        }
    }

    /// A dispatch reads and writes what it is bound to.
    pub(super) fn access<S: Surroundings>(out: &mut S, bound: &[Bound], fresh: bool) {
        for &Bound { region, by, owner, address, size } in bound {
            if size.0 > 0 {
                out.emit(Event::MemoryAccessed { region, by, owner, address, size, fresh });
            }
        }
    }
}
