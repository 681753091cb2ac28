//! Meshes, submeshes and how they end: tt-metal's `mesh_device.cpp` (tt-metal.md B5, B6).

use super::command_queue::CommandQueue;
use super::object::Object;
use super::trace::Traces;
use super::{Refusal, Runtime, Surroundings};
use crate::event::{AllocationStatus, AllocatorId, Event};
use crate::fix::{Baseline, Defect, Fix};
use crate::journal::{Fingerprint, Vacant, mix};
use crate::mark::Mark;
use crate::op::{CacheKey, MeshHandle, SubDeviceManagerId};
use crate::units::{DeviceId, Lanes, MeshShape};

/// A `MeshDevice`.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct MeshDevice {
    /// Whether the object exists; weak pointers to it are expired when it does not.
    pub alive: bool,
    /// Whether it is open (`is_initialized`).
    pub open: bool,
    /// `MeshDevice::id()`: a counter of the process, from 0.
    pub mesh_id: u32,
    /// Its chips, in row-major order of its coordinates.
    pub chips: Vec<DeviceId>,
    /// The same as a set.
    pub devices: Lanes,
    /// Rows and columns.
    pub shape: MeshShape,
    /// Its lock-step allocator.
    pub allocator: AllocatorId,
    /// The mesh it was cut from, as an index: a `shared_ptr`.
    pub parent: Option<u32>,
    /// References: user handles and submeshes.
    pub references: u32,
    /// The process it lives in.
    pub process: u32,
    /// Whether the program cache answers.
    pub cache_enabled: bool,
    /// The program cache.
    pub cache: Vec<(CacheKey, u32)>,
    /// The programs whose circular buffers the client has reported and not yet flushed.
    pub reported_cbs: Vec<u32>,
    /// What it captured.
    pub traces: Traces,
    /// What its worker has to do.
    pub queue: CommandQueue,
    /// The sub-device manager that is loaded.
    pub manager: SubDeviceManagerId,
}

impl Vacant for MeshDevice {
    fn vacant() -> Self {
        Self::default()
    }

    fn is_vacant(&self) -> bool {
        !self.alive
    }
}

impl Fingerprint for MeshDevice {
    fn fingerprint(&self) -> u64 {
        let flags = u64::from(self.open) | u64::from(self.cache_enabled) << 1;
        let ids = u64::from(self.mesh_id) | u64::from(self.references) << 32;
        let parent = u64::from(self.parent.map_or(0, |parent| parent + 1));
        let place = u64::from(self.allocator.0) | u64::from(self.process) << 32;
        let MeshShape { rows, columns } = self.shape;
        let shape = u64::from(rows) | u64::from(columns) << 8 | (self.chips.len() as u64) << 16;
        let head = [flags, ids, parent, self.devices.0, place, shape];
        let chips = self.chips.iter().map(|chip| u64::from(chip.0));
        let cache =
            self.cache.iter().map(|&(key, program)| mix(u64::from(key.0), u64::from(program)));
        let reported = self.reported_cbs.iter().map(|&program| u64::from(program));
        let later =
            [self.traces.fingerprint(), self.queue.fingerprint(), u64::from(self.manager.0)];
        let words = head.into_iter().chain(later).chain(chips).chain(cache).chain(reported);
        words.fold(self.cache.len() as u64, mix)
    }
}

impl Runtime {
    /// `open m0 2x4`: a mesh device on a rectangle of the machine's chips.
    pub(crate) fn open<S: Surroundings>(
        &mut self,
        out: &mut S,
        name: MeshHandle,
        shape: MeshShape,
        at: (u8, u8),
    ) -> Result<(), Refusal> {
        if self.is_mesh(name) {
            return Err(Refusal::noop());
        }
        if self.is_published {
            let chips = self.setup.placed(shape, at).map_err(Refusal::new)?;
            return self.make_mesh(out, name, (chips, shape), None);
        }
        let whole = self.setup.machine_shape();
        // A mesh over all chips has its own order of them: T3K is not the same as 2x4 and as 1x8.
        let chips = match at {
            (0, 0) => self.setup.machine.device_ids(shape),
            _ => None,
        };
        let chips = chips.or_else(|| rectangle(&self.setup.chips(), whole, shape, at));
        let chips = chips.ok_or_else(|| {
            Refusal::new(format!(
                "Requested mesh shape MeshShape([{}, {}]) at ({}, {}) does not fit in the system \
                 mesh MeshShape([{}, {}]).",
                shape.rows, shape.columns, at.0, at.1, whole.rows, whole.columns
            ))
        })?;
        self.make_mesh(out, name, (chips, shape), None)
    }

    /// `submesh m1 of m0 1x2`: a mesh on some of the parent's chips, with a fresh allocator of the
    /// same full range.
    pub(crate) fn submesh<S: Surroundings>(
        &mut self,
        out: &mut S,
        (name, parent): (MeshHandle, MeshHandle),
        shape: MeshShape,
        at: (u8, u8),
    ) -> Result<(), Refusal> {
        if self.is_mesh(name) {
            return Err(Refusal::noop());
        }
        let parent = self.open_mesh(parent)?;
        let whole = self.meshes[parent].shape;
        let chips = rectangle(&self.meshes[parent].chips, whole, shape, at).ok_or_else(|| {
            Refusal::new(format!("a submesh {shape} at {},{} leaves its parent", at.0, at.1))
        })?;
        self.make_mesh(out, name, (chips, shape), Some(parent))
    }

    fn make_mesh<S: Surroundings>(
        &mut self,
        out: &mut S,
        name: MeshHandle,
        (chips, shape): (Vec<DeviceId>, MeshShape),
        parent: Option<u32>,
    ) -> Result<(), Refusal> {
        let process = self.process;
        let mesh_id = self.processes[process].next_mesh_id;
        if mesh_id as usize >= Lanes::CAPACITY {
            return Err(Refusal::new("more than 64 meshes in one process"));
        }
        self.processes.update(process, |process| process.next_mesh_id += 1);
        let devices = chips.iter().fold(Lanes::NONE, |all, &chip| all.or(Lanes::one(chip)));
        // tt-metal.md B5: "Submesh creation makes ANOTHER fresh allocator of the same full range";
        // PR 30492 proposes that parent and submesh share the state.
        let shared = parent.filter(|_| self.fixes.has(Fix::SubmeshSharesState));
        let allocator = match shared {
            Some(parent) => self.meshes[parent].allocator,
            None => self.open_allocator(out, devices),
        };
        let leads = chips.first().is_some_and(|chip| u32::from(chip.0) == mesh_id);
        if !leads && mesh_id < self.setup.chips().len() as u32 {
            out.emit(Event::Reached(Mark::MeshIdAliasesChip));
        }
        self.note_mesh(out, devices, parent);
        out.emit(Event::MeshOpened { mesh_id, devices, allocator });
        if let Some(parent) = parent {
            self.meshes.update(parent, |parent| parent.references += 1);
        }
        let mesh = self.meshes.insert(MeshDevice {
            alive: true,
            open: true,
            mesh_id,
            chips,
            devices,
            shape,
            allocator,
            parent,
            references: 1,
            process,
            cache_enabled: true,
            ..MeshDevice::default()
        });
        self.bind_mesh(name, mesh);
        Ok(())
    }

    /// A reference to the mesh goes; the last one runs `~MeshDevice`, by which time every weak
    /// pointer to it is expired (tt-metal.md B4).
    pub(super) fn release_mesh<S: Surroundings>(&mut self, out: &mut S, mesh: u32) {
        self.meshes.update(mesh, |mesh| mesh.references -= 1);
        if self.meshes[mesh].references > 0 {
            return;
        }
        self.close_expired(out, mesh);
        let (mesh_id, parent) = (self.meshes[mesh].mesh_id, self.meshes[mesh].parent);
        out.emit(Event::MeshDestroyed { mesh_id });
        self.meshes.remove(mesh);
        if let Some(parent) = parent {
            self.release_mesh(out, parent);
        }
    }

    fn close_expired<S: Surroundings>(&mut self, out: &mut S, mesh: u32) {
        // What the worker lets go still finds its mesh.
        self.drain_queue(out, mesh);
        self.expiring.update(|expiring| *expiring = Some(mesh));
        self.close(out, mesh);
        self.clear_cache(out, mesh);
        self.expiring.update(|expiring| *expiring = None);
        self.forget_mesh(mesh);
    }

    /// Objects that point to the mesh keep only the knowledge that it is gone.
    fn forget_mesh(&mut self, mesh: u32) {
        let orphans: Vec<u32> = self
            .objects
            .iter()
            .filter(|(_, object)| object.mesh == Some(mesh))
            .map(|(index, _)| index)
            .collect();
        for orphan in orphans {
            self.objects.update(orphan, |object| object.mesh = Some(super::EXPIRED));
        }
    }

    /// Whether the weak mesh pointer of a MeshBuffer is expired.
    #[inline]
    pub(super) fn mesh_is_expired(&self, object: &Object) -> bool {
        object.mesh.is_some_and(|mesh| mesh == super::EXPIRED || *self.expiring == Some(mesh))
    }

    /// `device_->is_initialized()`.
    #[inline]
    pub(super) fn device_is_initialized(&self, object: &Object) -> bool {
        match object.mesh {
            Some(super::EXPIRED) => false,
            Some(mesh) => self.meshes[mesh].open,
            None => self.allocator_is_alive(object.allocator),
        }
    }

    /// Whether the mesh that a program was built for still exists.
    pub(super) fn mesh_exists(&self, program: u32) -> bool {
        let program = &self.programs[program];
        let mesh = self.meshes.get(program.mesh).filter(|mesh| mesh.alive);
        mesh.is_some_and(|mesh| mesh.mesh_id == program.mesh_id && mesh.process == program.process)
    }

    /// Whether the raw device pointers in a program's `cb_devices_` still point to devices.
    ///
    /// Source: tt-metal.md F 27: "close destroys Devices, cache kept, then destructor"; upstream
    /// made the context outlive the mesh, the fork is older.
    pub(super) fn program_devices_exist(&self, program: u32) -> bool {
        // PR 55538: "Added test that makes sure program cache isn't cleared on close and a test a
        // destroy after closing mesh device does not throw."
        let outlive = self.fixes.baseline() == Baseline::Upstream
            && !self.fixes.has_defect(Defect::DevicesEndAtClose);
        self.mesh_exists(program) && (outlive || self.mesh_is_open(program))
    }

    /// Whether the mesh that a program was built for is open; it must exist.
    fn mesh_is_open(&self, program: u32) -> bool {
        self.meshes[self.programs[program].mesh].open
    }

    /// Whether the allocator of the mesh that a program was built for still exists.
    pub(super) fn program_allocator_exists(&self, program: u32) -> bool {
        self.mesh_exists(program) && self.mesh_is_open(program)
    }

    /// The lowest occupied L1 address of a mesh: what validation compares with.
    pub(super) fn lowest_occupied_l1(&self, mesh: u32) -> Option<crate::units::DeviceAddr> {
        let allocator = self.meshes[mesh].allocator;
        self.allocators[allocator.0 as usize].state(crate::units::BufferType::L1).lowest
    }

    /// `deallocate-all m0`: the bulk `deallocate_buffers`; "frees addresses but leaves Buffer
    /// objects ALLOCATED and does not empty allocated_buffers_" (tt-metal.md D5).
    pub(crate) fn deallocate_all<S: Surroundings>(
        &mut self,
        out: &mut S,
        mesh: MeshHandle,
    ) -> Result<(), Refusal> {
        let mesh = self.open_mesh(mesh)?;
        let allocator = self.meshes[mesh].allocator;
        let any = self.objects.iter().any(|(_, object)| {
            object.allocator == allocator && object.status == AllocationStatus::Allocated
        });
        if !any {
            return Err(Refusal::noop());
        }
        self.note_emptied(out, allocator);
        self.deallocate_regions(out, allocator);
        Ok(())
    }
}

/// The chips of a rectangle of a mesh, row by row; none if it does not fit.
fn rectangle(
    chips: &[DeviceId],
    MeshShape { rows, columns }: MeshShape,
    shape: MeshShape,
    (row, column): (u8, u8),
) -> Option<Vec<DeviceId>> {
    let fits = shape.rows > 0
        && shape.columns > 0
        && u32::from(row) + u32::from(shape.rows) <= u32::from(rows)
        && u32::from(column) + u32::from(shape.columns) <= u32::from(columns);
    let whole = u32::from(shape.rows) * u32::from(shape.columns);
    let reshaped = (row, column) == (0, 0) && whole == u32::from(rows) * u32::from(columns);
    if !fits {
        // A mesh may be opened as any other shape of all its chips: T3K is 2x4 or 1x8.
        return reshaped.then(|| chips.to_vec());
    }
    let cells = (0..shape.rows).flat_map(|r| (0..shape.columns).map(move |c| (r, c)));
    cells
        .map(|(r, c)| {
            let index = usize::from(row + r) * usize::from(columns) + usize::from(column + c);
            chips.get(index).copied()
        })
        .collect()
}
