//! Traces, command queues and sub-device managers: what is remembered of them, and how the
//! operations on them are drawn.

use super::draw::{Drawer, mesh, name};
use super::kind::{Kind, Kinds};
use super::set::{Names, Set, each, one, those};
use super::values::KERNEL;
use crate::choice::Choices;
use crate::op::{CacheKey, Handle, Op, RunSpec, SubDeviceManagerId, TraceHandle};

/// Names of traces in use at a time.
const TRACES: usize = 2;
/// The trace whose capture, and the few operations after it, an untidy program keeps to the point.
const FOCUSED: Set = 1;
/// How many operations those are.
const AFTERMATH: u8 = 4;
/// Sub-device managers of a mesh, the default one included.
const MANAGERS: u64 = 3;

/// What the generator remembers.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(super) struct Traces {
    names: Names,
    /// Traces that are being captured.
    capturing: Set,
    on: [u8; TRACES],
    /// Meshes whose calls are queued.
    asynchronous: Set,
    /// How many operations of the aftermath of the focused trace are to come.
    aftermath: u8,
}

impl Traces {
    /// The traces of the program.
    pub fn own(&self) -> Set {
        self.names.own
    }

    /// The mesh of a trace.
    fn mesh_of(&self, trace: u32) -> u32 {
        self.on[trace as usize % TRACES].into()
    }

    /// The meshes on which a capture goes on.
    fn recording(&self) -> Set {
        each(self.capturing).fold(0, |all, trace| all | one(self.mesh_of(trace)))
    }

    /// Takes note of an operation; answers with the mesh that it allocates on.
    pub fn note(&mut self, op: &Op) -> Set {
        self.aftermath = self.aftermath.saturating_sub(1);
        match *op {
            Op::BeginTrace { trace, mesh } => {
                self.names.hold(trace.0);
                self.capturing |= one(trace.0);
                self.on[trace.0 as usize % TRACES] = mesh.0 as u8;
            }
            Op::EndTrace(trace) => {
                self.aftermath = if self.capturing & FOCUSED == 0 { 0 } else { AFTERMATH };
                self.capturing &= !one(trace.0);
                return one(self.mesh_of(trace.0));
            }
            Op::ReleaseTrace(trace) => self.end(one(trace.0)),
            Op::Async { mesh, on: true } => self.asynchronous |= one(mesh.0),
            Op::Async { mesh, on: false } => self.asynchronous &= !one(mesh.0),
            Op::Close(mesh) => {
                self.asynchronous &= !one(mesh.0);
                self.capturing &= !self.of(mesh.0);
            }
            Op::Drop(Handle::Mesh(mesh)) => {
                self.asynchronous &= !one(mesh.0);
                self.end(self.of(mesh.0));
            }
            Op::Exit | Op::Kill(_) => *self = Self::default(),
            _ => {}
        }
        0
    }

    fn of(&self, mesh: u32) -> Set {
        those(self.names.held, |trace| self.mesh_of(trace) == mesh)
    }

    fn end(&mut self, traces: Set) {
        self.names.give_up(traces);
        self.capturing &= !traces;
    }
}

impl Drawer {
    /// The meshes on which a capture can begin.
    fn traceable(&self) -> Set {
        self.allocatable() & !self.book.traces.recording()
    }

    /// The traces that can be ended: in an ordinary program only where their buffer may be.
    fn endable(&self) -> Set {
        let traces = &self.book.traces;
        let on = self.allocatable();
        those(traces.capturing, |trace| one(traces.mesh_of(trace)) & on != 0)
    }

    /// The kinds on traces, queues and managers of which an operation would do something.
    pub(super) fn possible_traces(&self, kinds: &mut Kinds) {
        use Kind as K;
        let (traces, open) = (&self.book.traces, self.book.own_open());
        let room = traces.names.free(TRACES as u32) != 0;
        let captured = traces.own() & !traces.capturing;
        kinds.put(K::BeginTrace, room && self.traceable() != 0);
        kinds.put(K::EndTrace, self.endable() != 0);
        kinds.put(K::EndTraceAgain, captured != 0);
        kinds.put(K::Replay, captured != 0);
        kinds.put(K::WarmUp, captured != 0 && self.allocatable() & !traces.recording() != 0);
        kinds.put(K::ReleaseTrace, traces.own() != 0);
        kinds.put(K::AsyncOn, open & !traces.asynchronous != 0);
        kinds.put(K::AsyncOff, open & traces.asynchronous != 0);
        kinds.put(K::Finish, open & traces.asynchronous != 0);
        kinds.put(K::LoadManager, open != 0);
    }

    /// An operation that says no more than what it uploads if it is not in the program cache.
    fn warm_up(&self, choices: &mut impl Choices) -> Op {
        let on = self.allocatable() & !self.book.traces.recording();
        Op::Run(Box::new(RunSpec {
            key: CacheKey(choices.pick(self.keys().into()) as u32),
            mesh: mesh(on, choices),
            circular_buffers: Vec::new(),
            kernel: Some(KERNEL),
            reads: Vec::new(),
            output: None,
            stale: false,
            moves: None,
        }))
    }

    /// What an untidy program seldom does during a capture and right after it: what breaks is an
    /// intermediate of the trace, freed in the capture, whose address is taken before a replay.
    pub(super) fn distractions(&self) -> Kinds {
        use Kind as K;
        let mut kinds = Kinds::default();
        if self.is_tame() {
            return kinds;
        }
        let captured = FOCUSED & self.endable() != 0;
        if !captured && !self.is_in_aftermath() {
            return kinds;
        }
        let always = [
            [K::Open, K::Submesh, K::DropMesh, K::AllocOnDevice, K::Alias, K::View, K::Share],
            [K::DropDead, K::Mark, K::Cycle, K::Gc, K::ReleaseBacking, K::ReleaseLocal, K::Use],
            [
                K::UseDead,
                K::Program,
                K::ShareProgram,
                K::DataflowProgram,
                K::Assign,
                K::Static,
                K::Exit,
            ],
            [
                K::DropProgram,
                K::CaptureBegin,
                K::CaptureNormal,
                K::Inspector,
                K::Checkpoint,
                K::DisableCache,
                K::EnableCache,
            ],
        ];
        always.into_iter().flatten().for_each(|kind| kinds.put(kind, true));
        // Whatever is allocated after the capture and kept is a reason to refuse the replay.
        kinds.put(K::Close, captured);
        kinds.put(K::Alloc, captured);
        kinds
    }

    /// Whether an untidy program has just captured the trace that it keeps to.
    pub(super) fn is_in_aftermath(&self) -> bool {
        let traces = &self.book.traces;
        let captured = FOCUSED & traces.own() & !traces.capturing != 0;
        !self.is_tame() && traces.aftermath > 0 && captured
    }

    /// Whether a program that is run on the mesh is recorded.
    pub(super) fn is_recording(&self, mesh: u32) -> bool {
        self.book.traces.recording() & one(mesh) != 0
    }

    /// An operation of one of these kinds.
    pub(super) fn of_traces(&self, kind: Kind, choices: &mut impl Choices) -> Op {
        let (traces, open) = (&self.book.traces, self.book.own_open());
        let captured = traces.own() & !traces.capturing;
        let mut trace = |set: Set| TraceHandle(name(set, choices));
        match kind {
            Kind::BeginTrace => {
                let trace = trace(traces.names.free(TRACES as u32));
                Op::BeginTrace { trace, mesh: mesh(self.traceable(), choices) }
            }
            Kind::EndTrace => Op::EndTrace(trace(self.endable())),
            Kind::EndTraceAgain => Op::EndTrace(trace(captured)),
            Kind::Replay => Op::Replay(trace(captured)),
            Kind::WarmUp => self.warm_up(choices),
            Kind::ReleaseTrace => Op::ReleaseTrace(trace(traces.own())),
            Kind::AsyncOn => {
                Op::Async { mesh: mesh(open & !traces.asynchronous, choices), on: true }
            }
            Kind::AsyncOff => {
                Op::Async { mesh: mesh(open & traces.asynchronous, choices), on: false }
            }
            Kind::Finish => Op::Finish(mesh(open & traces.asynchronous, choices)),
            _ => {
                let mesh = mesh(open, choices);
                let manager = SubDeviceManagerId(choices.pick(MANAGERS) as u32);
                Op::LoadManager { mesh, manager }
            }
        }
    }
}
