//! Drawing one operation: which kind, on which names, with which values.

use super::book::{Book, PROCESSES};
use super::kind::{Kind, Kinds, Weights};
use super::profile::{Limits, Profile};
use super::set::{Set, one};
use super::values;
use crate::choice::Choices;
use crate::op::{
    BufferHandle, BufferSpec, CacheKey, CaptureStep, Handle, MeshHandle, Op, Piece, Place,
    ProcessId, ProgramHandle, RunMode, RunSpec, Stream,
};
use crate::units::DeviceId;

/// Draws operations one by one.
///
/// What it draws next is a function of the picks and of the operations so far; it keeps nothing
/// else, so that every program it can draw can be read back.
#[derive(Clone, Debug)]
pub(super) struct Drawer {
    pub profile: Profile,
    pub limits: Limits,
    weights: &'static Weights,
    /// Kinds that this program leaves out.
    pub off: Kinds,
    pub book: Book,
}

/// One name of a set, which is not empty.
pub(super) fn name(set: Set, choices: &mut impl Choices) -> u32 {
    let mut rest = set;
    for _ in 0..choices.pick(set.count_ones().into()) {
        rest &= rest.wrapping_sub(1);
    }
    rest.trailing_zeros()
}

fn buffer(set: Set, choices: &mut impl Choices) -> BufferHandle {
    BufferHandle(name(set, choices))
}

pub(super) fn mesh(set: Set, choices: &mut impl Choices) -> MeshHandle {
    MeshHandle(name(set, choices))
}

fn program(set: Set, choices: &mut impl Choices) -> ProgramHandle {
    ProgramHandle(name(set, choices))
}

impl Drawer {
    pub fn new(profile: Profile) -> Self {
        Self {
            profile,
            limits: profile.limits(),
            weights: Weights::of(profile),
            off: Kinds::default(),
            book: Book::default(),
        }
    }

    /// The fewest and the most operations before a teardown.
    pub fn operations(&self) -> (u32, u32) {
        self.limits.operations
    }

    /// Draws the next operation.
    pub fn next(&mut self, choices: &mut impl Choices) -> Op {
        let (kinds, rare) = (self.kinds(), self.distractions());
        let place = choices.pick(self.weights.sum(kinds, rare).into()) as u32;
        let op = self.of_kind(self.weights.kind_at(place, kinds, rare), choices);
        self.book.note(&op);
        op
    }

    /// The kinds that it draws from next.
    pub fn kinds(&self) -> Kinds {
        self.possible().minus(self.off).and(self.weights.kinds)
    }

    /// The sum of the weights of some kinds: of how many a pick among them is.
    pub fn weight(&self, kinds: Kinds) -> u32 {
        self.weights.sum(kinds, self.distractions())
    }

    /// How many keys of the program cache there are.
    pub(super) fn keys(&self) -> u32 {
        self.limits.keys
    }

    pub(super) fn is_tame(&self) -> bool {
        self.profile.is_tame()
    }

    /// An operation of a kind that is possible.
    #[allow(clippy::too_many_lines, reason = "one arm for each kind")]
    pub fn of_kind(&self, kind: Kind, choices: &mut impl Choices) -> Op {
        let book = &self.book;
        let (own, live) = (book.buffers.own, book.own_live());
        let open = book.own_open();
        match kind {
            Kind::Open => self.open(choices),
            Kind::Submesh => self.submesh(choices),
            Kind::Close => Op::Close(mesh(open, choices)),
            Kind::CloseAgain => Op::Close(mesh(book.meshes.own & !open, choices)),
            Kind::DropMesh => Op::Drop(Handle::Mesh(mesh(self.droppable(), choices))),
            Kind::Alloc => {
                let buffer = self.new_buffer(choices);
                let place = Place::Mesh(mesh(self.allocatable(), choices));
                Op::Alloc { buffer, place, spec: values::spec(self.profile, choices) }
            }
            Kind::AllocOnDevice => {
                let buffer = self.new_buffer(choices);
                let place = Place::Device(device(choices));
                Op::Alloc { buffer, place, spec: values::spec(self.profile, choices) }
            }
            Kind::Alias => {
                let name = self.new_buffer(choices);
                Op::Alias { buffer: name, of: buffer(live, choices) }
            }
            Kind::View => {
                let name = self.new_buffer(choices);
                let of = buffer(live, choices);
                Op::View { buffer: name, of, pages: values::view(self.profile, choices) }
            }
            Kind::Share => {
                let name = self.new_buffer(choices);
                let shareable = if self.profile.is_tame() { live } else { own };
                Op::Share { buffer: name, of: buffer(shareable, choices) }
            }
            Kind::Deallocate => Op::Deallocate(buffer(live & book.owners, choices)),
            Kind::DeallocateAgain => Op::Deallocate(buffer(own & !(live & book.owners), choices)),
            Kind::DropLive => Op::Drop(Handle::Buffer(buffer(live, choices))),
            Kind::DropDead => Op::Drop(Handle::Buffer(buffer(own & !live, choices))),
            Kind::Mark => Op::Mark(buffer(own, choices)),
            Kind::Cycle => Op::Cycle(buffer(own, choices)),
            Kind::Gc => Op::Gc,
            Kind::ReleaseBacking => {
                let buffer = buffer(own & book.owners, choices);
                Op::Release { buffer, piece: Piece::Backing }
            }
            Kind::ReleaseLocal => {
                let buffer = buffer(own & book.owners, choices);
                Op::Release { buffer, piece: Piece::Local(device(choices)) }
            }
            Kind::Use => Op::Use(buffer(live, choices)),
            Kind::UseDead => Op::Use(buffer(own & !live, choices)),
            Kind::Program => {
                let program = program(book.programs.free(self.limits.programs), choices);
                let mesh = mesh(open, choices);
                let circular_buffers = values::circular_buffers(self.profile, choices);
                Op::Program { program, mesh, circular_buffers }
            }
            Kind::DataflowProgram => {
                let program = program(book.programs.free(self.limits.programs), choices);
                let mesh = mesh(open, choices);
                let dataflow_buffers = values::circular_buffers(self.profile, choices);
                Op::DataflowProgram { program, mesh, dataflow_buffers }
            }
            Kind::ShareProgram => {
                let name = program(book.programs.free(self.limits.programs), choices);
                Op::ShareProgram { program: name, of: program(book.programs.own, choices) }
            }
            Kind::Assign => {
                let program = program(self.programs_to_assign(), choices);
                Op::Assign { buffer: buffer(self.assignable(program.0), choices), program }
            }
            Kind::Enqueue => {
                let program = program(self.programs_to_run(), choices);
                let reads = self.reads(book.mesh_of(program.0), choices);
                Op::Enqueue { program, reads }
            }
            Kind::DropProgram => Op::Drop(Handle::Program(program(book.programs.own, choices))),
            Kind::Run => self.run(choices),
            Kind::ClearCache => Op::ClearCache(mesh(book.meshes.own, choices)),
            Kind::DisableCache => Op::DisableCache(mesh(open & !book.disabled, choices)),
            Kind::EnableCache => Op::EnableCache(mesh(book.meshes.own & book.disabled, choices)),
            Kind::DeallocateAll => Op::DeallocateAll(mesh(open, choices)),
            Kind::ClearAllocator => Op::ClearAllocator(mesh(open, choices)),
            Kind::CaptureBegin => Op::Capture(CaptureStep::Begin(RunMode::NoDispatch)),
            Kind::CaptureNormal => Op::Capture(CaptureStep::Begin(RunMode::Normal)),
            Kind::CaptureEnd => Op::Capture(CaptureStep::End),
            Kind::Inspector => Op::Inspector,
            Kind::Static => {
                let (buffers, meshes) = (self.static_buffers(), self.static_meshes());
                let of_mesh = buffers == 0 || meshes != 0 && choices.pick(2) == 1;
                Op::Static(match of_mesh {
                    true => Handle::Mesh(mesh(meshes, choices)),
                    false => Handle::Buffer(buffer(buffers, choices)),
                })
            }
            Kind::BeginTrace
            | Kind::EndTrace
            | Kind::EndTraceAgain
            | Kind::Replay
            | Kind::WarmUp
            | Kind::ReleaseTrace
            | Kind::AsyncOn
            | Kind::AsyncOff
            | Kind::Finish
            | Kind::LoadManager => self.of_traces(kind, choices),
            Kind::TrackingOff | Kind::TrackingOn => Op::Tracking(kind == Kind::TrackingOn),
            Kind::ServerRestart => Op::ServerRestart,
            Kind::Lose => Op::Lose(1 + choices.pick(8) as u32),
            Kind::Stall => Op::Stall,
            Kind::Reconnect => Op::Reconnect,
            Kind::Deliver => match choices.pick(2) {
                0 => Op::Deliver(Stream::Old),
                _ => Op::Deliver(Stream::New),
            },
            Kind::Process => Op::Process(ProcessId(choices.pick(PROCESSES.into()) as u32)),
            Kind::Kill => Op::Kill(ProcessId(choices.pick(PROCESSES.into()) as u32)),
            Kind::Reap => Op::Reap,
            Kind::Checkpoint => Op::Checkpoint,
            Kind::Exit => Op::Exit,
        }
    }

    /// The mesh that a program opens first.
    pub fn open(&self, choices: &mut impl Choices) -> Op {
        let mesh = mesh(self.book.meshes.free(self.limits.meshes), choices);
        let (shape, at) = values::rectangle(self.profile, choices);
        Op::Open { mesh, shape, at }
    }

    fn submesh(&self, choices: &mut impl Choices) -> Op {
        let name = mesh(self.book.meshes.free(self.limits.meshes), choices);
        let parent = mesh(self.book.own_open(), choices);
        let (whole, _) = self.book.rectangle[parent.0 as usize];
        let (shape, at) = values::part(whole, choices);
        Op::Submesh { mesh: name, parent, shape, at }
    }

    fn new_buffer(&self, choices: &mut impl Choices) -> BufferHandle {
        buffer(self.book.buffers.free(self.limits.buffers), choices)
    }

    fn reads(&self, on: u32, choices: &mut impl Choices) -> Vec<BufferHandle> {
        let readable = self.readable(on);
        let mut reads = Vec::new();
        if readable != 0 && choices.pick(3) > 0 {
            reads.push(buffer(readable, choices));
            if self.profile != Profile::Basic && choices.pick(3) == 2 {
                reads.push(buffer(readable, choices));
            }
        }
        reads
    }

    fn run(&self, choices: &mut impl Choices) -> Op {
        let key = CacheKey(choices.pick(self.limits.keys.into()) as u32);
        let on = mesh(self.book.own_open(), choices);
        let circular_buffers = values::circular_buffers(self.profile, choices);
        let may_allocate = self.allocatable() & one(on.0) != 0 && self.profile != Profile::Basic;
        // A recorded program cannot upload its binary.
        let uploads = may_allocate && !self.is_recording(on.0);
        let kernel = if uploads { values::kernel(choices) } else { None };
        let reads = self.reads(on.0, choices);
        let room = may_allocate && self.book.buffers.free(self.limits.buffers) != 0;
        let output = (room && choices.pick(2) == 1).then(|| {
            let buffer = self.new_buffer(choices);
            let spec = values::spec(self.profile, choices);
            // Kernel binaries are taken from the top, where an intermediate must have been.
            let top = self.is_recording(on.0) && !self.is_tame() && choices.pick(2) == 1;
            (buffer, if top { BufferSpec { top_down: Some(true), ..spec } } else { spec })
        });
        let wild = !matches!(self.profile, Profile::Basic | Profile::Tame);
        let stale = wild && choices.pick(8) == 7;
        let (mesh, moves) = (on, None);
        let spec = RunSpec { key, mesh, circular_buffers, kernel, reads, output, stale, moves };
        Op::Run(Box::new(spec))
    }
}

fn device(choices: &mut impl Choices) -> DeviceId {
    DeviceId(choices.pick(8) as u8)
}
