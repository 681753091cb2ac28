//! What the generator remembers of the program that it writes.
//!
//! It is a function of the operations so far, so that a program read from a file leaves it as one
//! that was drawn. It can be wrong about an operation that the runtime refused; what the operations
//! do is the world's affair.

use super::set::{Names, Set, each, one, those};
use super::traces::Traces;
use crate::op::{BufferHandle, CaptureStep, Handle, Op, Piece, Place};
use crate::units::MeshShape;

/// Names of each sort that a generator can tell apart.
pub(super) const BUFFERS: usize = 64;
const MESHES: usize = 8;
const PROGRAMS: usize = 8;
/// Processes of a program.
pub(super) const PROCESSES: u32 = 2;
/// Where a buffer is that one device allocated.
const ON_DEVICE: u8 = u8::MAX;

/// One process: what it does not share with the others.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
struct Elsewhere {
    buffers: Set,
    meshes: Set,
    programs: Set,
}

/// The state of the program.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Book {
    pub buffers: Names,
    pub meshes: Names,
    pub programs: Names,
    pub traces: Traces,
    /// Names of buffers that own their memory.
    pub owners: Set,
    /// Names of buffers whose memory is held.
    pub live: Set,
    /// Which names have to do with the same memory.
    group: [u32; BUFFERS],
    next_group: u32,
    place: [u8; BUFFERS],
    /// Open meshes.
    pub open: Set,
    /// Open meshes that have allocated since.
    active: Set,
    /// Whether a single device has allocated while a mesh was open.
    device_active: bool,
    /// The chips of each mesh, as positions in the machine.
    chips: [u8; MESHES],
    /// Rows, columns, and the row and column of the first chip.
    pub rectangle: [(MeshShape, (u8, u8)); MESHES],
    /// The meshes that each was cut from, up to the whole: each keeps them alive.
    ancestors: [Set; MESHES],
    /// Meshes whose cache holds something, and whose cache is off.
    pub cached: Set,
    pub disabled: Set,
    program_on: [u8; PROGRAMS],
    pub garbage: bool,
    pub capture: bool,
    /// Whether the Inspector has a session.
    pub inspector: bool,
    pub tracking: bool,
    pub stalled: bool,
    pub reconnected: bool,
    pub process: u32,
    pub dead: u32,
    elsewhere: [Elsewhere; PROCESSES as usize],
}

impl Default for Book {
    fn default() -> Self {
        Self {
            buffers: Names::default(),
            meshes: Names::default(),
            programs: Names::default(),
            traces: Traces::default(),
            owners: 0,
            live: 0,
            group: [0; BUFFERS],
            next_group: 0,
            place: [0; BUFFERS],
            open: 0,
            active: 0,
            device_active: false,
            chips: [0; MESHES],
            rectangle: [(MeshShape { rows: 2, columns: 4 }, (0, 0)); MESHES],
            ancestors: [0; MESHES],
            cached: 0,
            disabled: 0,
            program_on: [0; PROGRAMS],
            garbage: false,
            capture: false,
            inspector: false,
            tracking: true,
            stalled: false,
            reconnected: false,
            process: 0,
            dead: 0,
            elsewhere: [Elsewhere::default(); PROCESSES as usize],
        }
    }
}

impl Book {
    /// Names of buffers of this process whose memory is held.
    #[inline]
    pub fn own_live(&self) -> Set {
        self.live & self.buffers.own
    }

    /// Open meshes of this process.
    #[inline]
    pub fn own_open(&self) -> Set {
        self.open & self.meshes.own
    }

    /// The meshes that an ordinary program may allocate on: while it does, nobody else has memory
    /// on their chips, because meshes on the same chip allocate the same addresses.
    #[inline]
    pub fn allocatable(&self) -> Set {
        if self.device_active {
            return 0;
        }
        if self.active == 0 {
            return self.own_open();
        }
        let busy = |mesh: u32| {
            let others = each(self.active & !one(mesh));
            others.fold(0, |chips, other| chips | self.chips[other as usize])
        };
        those(self.own_open(), |mesh| self.chips[mesh as usize] & busy(mesh) == 0)
    }

    /// Whether an ordinary program may allocate on a single device.
    #[inline]
    pub fn device_is_allocatable(&self) -> bool {
        self.active == 0
    }

    /// The meshes that an ordinary program may let go of: its programs are gone, and it is closed
    /// or nobody has a mesh that keeps it alive.
    pub fn droppable(&self) -> Set {
        let programs =
            each(self.programs.own).map(|program| one(self.program_on[program as usize].into()));
        let kept = each(self.meshes.own).fold(0, |kept, mesh| kept | self.ancestors[mesh as usize]);
        let needed = programs.fold(kept & self.open, |needed, mesh| needed | mesh);
        self.meshes.own & !needed
    }

    /// The programs on a mesh.
    pub fn programs_on(&self, mesh: u32) -> Set {
        those(self.programs.own, |program| self.mesh_of(program) == mesh)
    }

    /// The mesh that a program was made for.
    pub fn mesh_of(&self, program: u32) -> u32 {
        self.program_on[program as usize].into()
    }

    /// The buffers among these that are on the mesh.
    pub fn on(&self, mesh: u32, buffers: Set) -> Set {
        those(buffers, |buffer| u32::from(self.place[buffer as usize]) == mesh)
    }

    /// Takes note of an operation.
    #[inline]
    pub fn note(&mut self, op: &Op) {
        self.active |= self.traces.note(op) & self.open;
        match op {
            Op::Alloc { buffer, place, .. } => {
                let place = match place {
                    Place::Mesh(mesh) => mesh.0 as u8,
                    Place::Device(_) => ON_DEVICE,
                };
                self.allocated(*buffer, place);
            }
            Op::Deallocate(buffer) | Op::DeallocateUnforced(buffer) | Op::Mark(buffer) => {
                self.gave_back(buffer.0);
            }
            Op::Release { buffer, piece: Piece::Backing } => self.gave_back(buffer.0),
            Op::Drop(Handle::Buffer(buffer)) => self.gave_up(buffer.0),
            Op::Cycle(buffer) => {
                self.gave_up(buffer.0);
                self.garbage = true;
            }
            Op::Gc => self.garbage = false,
            // The view of a whole buffer of one device is that buffer.
            Op::View { buffer, of, .. } if self.place[of.0 as usize] == ON_DEVICE => {
                self.copied(*buffer, *of);
            }
            Op::Alias { buffer, of } | Op::View { buffer, of, .. } => {
                self.copied(*buffer, *of);
                self.owners &= !one(buffer.0);
            }
            Op::Share { buffer, of } => self.copied(*buffer, *of),
            Op::Run(spec) => {
                let mesh = one(spec.mesh.0);
                self.cached |= mesh & !self.disabled;
                if spec.kernel.is_some() {
                    self.active |= mesh;
                }
                if let Some((buffer, _)) = spec.output {
                    self.allocated(buffer, spec.mesh.0 as u8);
                }
            }
            Op::Program { program, mesh, .. } | Op::DataflowProgram { program, mesh, .. } => {
                self.programs.hold(program.0);
                self.program_on[program.0 as usize] = mesh.0 as u8;
            }
            Op::ShareProgram { program, of } => {
                self.programs.hold(program.0);
                self.program_on[program.0 as usize] = self.program_on[of.0 as usize];
            }
            Op::Drop(Handle::Program(program)) => self.programs.give_up(one(program.0)),
            Op::Release { .. } | Op::Use(_) | Op::Assign { .. } | Op::Enqueue { .. } => {}
            Op::DeallocateAll(_) | Op::ClearAllocator(_) => {}
            _ => self.note_surroundings(op),
        }
    }

    /// Meshes, caches, and the world around the program.
    fn note_surroundings(&mut self, op: &Op) {
        match *op {
            Op::Open { mesh, shape, at } => self.opened(mesh.0, (shape, at), None),
            Op::Submesh { mesh, parent, shape, at } => {
                self.opened(mesh.0, (shape, at), Some(parent.0));
            }
            Op::Close(mesh) => self.closed(one(mesh.0)),
            Op::Drop(Handle::Mesh(mesh)) => {
                self.closed(one(mesh.0));
                self.meshes.give_up(one(mesh.0));
                self.cached &= !one(mesh.0);
            }
            Op::ClearCache(mesh) => self.cached &= !one(mesh.0),
            Op::DisableCache(mesh) => {
                self.cached &= !one(mesh.0);
                self.disabled |= one(mesh.0);
            }
            Op::EnableCache(mesh) => self.disabled &= !one(mesh.0),
            Op::Capture(step) => self.capture = step != CaptureStep::End,
            Op::Inspector => self.inspector = true,
            Op::Static(Handle::Buffer(buffer)) => self.buffers.statics |= one(buffer.0),
            Op::Static(Handle::Mesh(mesh)) => self.meshes.statics |= one(mesh.0),
            Op::Tracking(on) => self.tracking = on,
            Op::Stall => self.stalled = true,
            Op::Reconnect => {
                self.stalled = false;
                self.reconnected = true;
            }
            Op::Process(process) if self.dead >> process.0 & 1 == 0 => self.enter(process.0),
            Op::Kill(process) => self.killed(process.0),
            Op::Exit => self.forget(),
            _ => {}
        }
    }

    fn allocated(&mut self, buffer: BufferHandle, place: u8) {
        self.buffers.hold(buffer.0);
        self.owners |= one(buffer.0);
        self.live |= one(buffer.0);
        self.group[buffer.0 as usize] = self.next_group;
        self.next_group = self.next_group.wrapping_add(1);
        self.place[buffer.0 as usize] = place;
        match place {
            ON_DEVICE => self.device_active = true,
            mesh => self.active |= one(mesh.into()),
        }
    }

    fn copied(&mut self, buffer: BufferHandle, of: BufferHandle) {
        self.buffers.hold(buffer.0);
        let same = |set: Set| if set & one(of.0) == 0 { 0 } else { one(buffer.0) };
        self.owners = (self.owners & !one(buffer.0)) | same(self.owners);
        self.live = (self.live & !one(buffer.0)) | same(self.live);
        self.group[buffer.0 as usize] = self.group[of.0 as usize];
        self.place[buffer.0 as usize] = self.place[of.0 as usize];
    }

    /// The names that have to do with the memory of one.
    fn kin(&self, buffer: u32) -> Set {
        let group = self.group[buffer as usize];
        those(self.buffers.held, |other| self.group[other as usize] == group)
    }

    fn gave_back(&mut self, buffer: u32) {
        let owns = self.owners & one(buffer) != 0;
        self.live &= !if owns { self.kin(buffer) } else { one(buffer) };
    }

    fn gave_up(&mut self, buffer: u32) {
        if self.live & self.owners & one(buffer) != 0 {
            let kin = self.kin(buffer) & !one(buffer);
            if kin & self.owners == 0 {
                self.live &= !kin;
            }
        }
        self.buffers.give_up(one(buffer));
        self.owners &= !one(buffer);
        self.live &= !one(buffer);
    }

    fn opened(&mut self, mesh: u32, (shape, at): (MeshShape, (u8, u8)), parent: Option<u32>) {
        let whole = 0xff;
        let index = mesh as usize;
        // A row of all chips has them in another order, so that part of it can be any of them.
        let (origin, within) = match parent {
            None => ((0, 0), whole),
            Some(parent) => (self.rectangle[parent as usize].1, self.chips[parent as usize]),
        };
        let at = (origin.0 + at.0, origin.1 + at.1);
        let scattered = parent.is_some_and(|parent| self.rectangle[parent as usize].0.columns > 4);
        self.chips[index] = if scattered || shape.columns > 4 {
            within
        } else {
            let row = ((1_u8 << shape.columns) - 1) << at.1;
            let rows = (at.0..at.0 + shape.rows).filter(|&row| row < 2);
            rows.fold(0, |chips, number| chips | row << (4 * number))
        };
        self.rectangle[index] = (shape, at);
        self.ancestors[index] =
            parent.map_or(0, |parent| self.ancestors[parent as usize] | one(parent));
        self.meshes.hold(mesh);
        self.open |= one(mesh);
        self.active &= !one(mesh);
        self.cached &= !one(mesh);
        self.disabled &= !one(mesh);
    }

    fn closed(&mut self, meshes: Set) {
        let closes = self.open & meshes != 0;
        self.open &= !meshes;
        self.active &= !meshes;
        if self.open == 0 {
            self.device_active = false;
        }
        let open = self.open;
        self.live = those(self.live, |buffer| match self.place[buffer as usize] {
            // Perhaps the mesh was the last one that held the device open.
            ON_DEVICE => !closes,
            mesh => open & one(mesh.into()) != 0,
        });
    }

    /// Everything of the current process goes.
    fn forget(&mut self) {
        self.owners &= !self.buffers.own;
        self.live &= !self.buffers.own;
        self.buffers.give_up(self.buffers.own);
        self.programs.give_up(self.programs.own);
        let meshes = self.meshes.own;
        self.cached &= !meshes;
        self.meshes.give_up(meshes);
        self.closed(meshes);
        self.garbage = false;
    }

    fn enter(&mut self, process: u32) {
        let Elsewhere { buffers, meshes, programs } = self.elsewhere[process as usize];
        self.elsewhere[self.process as usize] = Elsewhere {
            buffers: self.buffers.own,
            meshes: self.meshes.own,
            programs: self.programs.own,
        };
        self.buffers.own = buffers & self.buffers.held;
        self.meshes.own = meshes & self.meshes.held;
        self.programs.own = programs & self.programs.held;
        self.process = process;
    }

    fn killed(&mut self, process: u32) {
        let (current, alive) =
            (self.process, |dead: u32| (0..PROCESSES).find(|p| dead >> p & 1 == 0));
        if self.dead >> process & 1 == 1 {
            return;
        }
        if process != current {
            self.enter(process);
        }
        self.forget();
        self.dead |= 1 << process;
        if process != current {
            self.enter(current);
        } else if let Some(next) = alive(self.dead) {
            self.enter(next);
        } else {
            // A new process takes the place of the first one.
            self.dead &= !1;
            self.enter(0);
        }
    }
}
