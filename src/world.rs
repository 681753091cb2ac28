//! The discrete-event core: a runtime, a server, and the actions that could happen next.
//!
//! A [`World`] has no random numbers, no clock, no thread and no I/O. It is a function of setup,
//! its fixes and the actions it was asked to take, and it can take every one of them back.

mod action;
mod thread;
mod watched;

use std::sync::Arc;

use crate::event::{Event, Observer, TableBlock, Tick};
use crate::fix::FixSet;
use crate::journal::{Cell, Columns, Tracking, mix};
use crate::mark::Mark;
use crate::message::AllocMessage;
use crate::op::{Op, Stream, ThreadId};
use crate::runtime::{Refusal, Runtime, RuntimeMark, Setup, Surroundings};
use crate::server::{Server, ServerKind, ServerMark};
pub use action::{Action, Outcome};
use thread::{Thread, Threads};

#[derive(Clone, Debug)]
struct WorldMark {
    tick: Tick,
    runtime: RuntimeMark,
    server: ServerMark,
    threads: usize,
}

/// A runtime and a server under a set of fixes.
///
/// ```
/// use std::sync::Arc;
/// use freeorder::{fix::FixSet, journal::Tracking, op::*, runtime::Setup, server::ServerKind};
/// use freeorder::{units::MeshShape, world::World};
///
/// let setup = Arc::new(Setup::default());
/// let mut world = World::new(setup, FixSet::default(), ServerKind::K2, Tracking::FULL);
/// let before = world.hash();
/// let shape = MeshShape { rows: 2, columns: 4 };
/// let open = Op::Open { mesh: MeshHandle(0), shape, at: (0, 0) };
/// assert!(world.apply(&open, &mut ()).changed);
/// world.undo();
/// assert_eq!(world.hash(), before);
/// ```
#[derive(Clone, Debug)]
pub struct World {
    runtime: Runtime,
    server: Server,
    tick: Tick,
    programs: Arc<Vec<Vec<Op>>>,
    threads: Cell<Threads>,
    marks: Vec<WorldMark>,
    tracking: Tracking,
}

/// The runtime's view of what lies around it, for the length of one step.
struct Outside<'a, O> {
    server: &'a mut Server,
    observer: &'a mut O,
    tick: Tick,
}

impl<O: Observer> Surroundings for Outside<'_, O> {
    #[inline(always)]
    fn emit(&mut self, event: Event<'_>) {
        self.observer.observe(self.tick, &event);
    }

    /// Not inlined where messages are sent, since the server and the oracles are inlined here.
    #[inline(never)]
    fn deliver(&mut self, message: &AllocMessage) {
        let missed = self.server.receive(message);
        self.emit(Event::Answered { message, missed });
    }
}

impl World {
    /// A world in which nothing has happened.
    #[must_use]
    pub fn new(setup: Arc<Setup>, fixes: FixSet, server: ServerKind, tracking: Tracking) -> Self {
        Self {
            server: Server::new(server, fixes, tracking),
            runtime: Runtime::new(setup, fixes, tracking),
            tick: Tick(0),
            programs: Arc::default(),
            threads: Cell::new(Threads::default(), tracking),
            marks: Vec::new(),
            tracking,
        }
    }

    /// Gives each thread its operations; from then on [`World::ready`] lists their steps.
    pub fn load(&mut self, programs: Vec<Vec<Op>>) {
        let threads = vec![Thread::default(); programs.len()];
        self.programs = Arc::new(programs);
        self.threads.reset(Threads(threads));
    }

    /// Forgets everything that happened, keeping the memory.
    pub fn reset(&mut self) {
        self.runtime.reset();
        self.server.reset();
        self.tick = Tick(0);
        let threads = vec![Thread::default(); self.programs.len()];
        self.threads.reset(Threads(threads));
        self.marks.clear();
    }

    /// The runtime.
    #[must_use]
    pub fn runtime(&self) -> &Runtime {
        &self.runtime
    }

    /// The server.
    #[must_use]
    pub fn server(&self) -> &Server {
        &self.server
    }

    /// Virtual time: the number of steps taken.
    #[must_use]
    pub fn tick(&self) -> Tick {
        self.tick
    }

    /// Everything that could happen next: threads first, then the server's sockets, old one first.
    #[must_use]
    pub fn ready(&self) -> Vec<Action> {
        let mut actions = Vec::new();
        for (index, thread) in self.threads.0.iter().enumerate() {
            let more = self.programs[index].len() > thread.next_op as usize;
            if more || thread.rest.is_some() {
                actions.push(Action::Step(ThreadId(index as u32)));
            }
        }
        if !self.runtime.is_stalled() {
            let streams = [Stream::Old, Stream::New].into_iter();
            let unread = streams.filter(|&stream| self.runtime.has_unread(stream));
            actions.extend(unread.map(Action::Deliver));
        }
        actions
    }

    /// The operation that a step of the thread belongs to, by its place in the thread's list.
    #[must_use]
    pub fn current_op(&self, thread: ThreadId) -> Option<usize> {
        let thread = self.threads.0.get(thread.0 as usize)?;
        let begun = usize::from(thread.rest.is_some());
        Some(thread.next_op as usize - begun)
    }

    /// Whether a thread is in the middle of an operation.
    #[must_use]
    pub fn is_inside(&self, thread: ThreadId) -> bool {
        self.threads.0.get(thread.0 as usize).is_some_and(|thread| thread.rest.is_some())
    }

    /// Takes the `index`-th of the actions that are ready.
    ///
    /// # Panics
    /// If fewer are ready.
    pub fn step<O: Observer>(&mut self, index: usize, observer: &mut O) -> Outcome {
        let action = self.ready()[index];
        self.begin_step();
        let outcome = match action {
            Action::Deliver(stream) => {
                let (runtime, mut out) = self.split(observer);
                runtime.deliver_one(&mut out, stream);
                Outcome::DONE
            }
            Action::Step(thread) => self.step_thread(thread.0 as usize, observer),
        };
        self.end_step(observer);
        outcome
    }

    /// Executes a whole operation at once.
    #[inline]
    pub fn apply<O: Observer>(&mut self, op: &Op, observer: &mut O) -> Outcome {
        self.begin_step();
        self.note_in_flight();
        let outcome = match self.execute(op, observer) {
            Ok(outcome) => outcome,
            Err(refusal) => self.refuse(refusal, observer),
        };
        self.end_step(observer);
        outcome
    }

    /// The runtime, to be told who calls it and which one it is.
    pub(crate) fn runtime_mut(&mut self) -> &mut Runtime {
        &mut self.runtime
    }

    /// Takes the last step or operation back; false if there is none, or nothing is tracked.
    pub fn undo(&mut self) -> bool {
        let Some(mark) = self.marks.pop() else {
            return false;
        };
        self.runtime.undo_to(&mark.runtime);
        self.server.undo_to(mark.server);
        self.threads.undo_to(mark.threads);
        self.tick = mark.tick;
        true
    }

    /// A 64-bit hash of everything that decides what can happen next. Equal states hash alike,
    /// however they were reached; time is not part of it.
    #[must_use]
    pub fn hash(&self) -> u64 {
        mix(mix(self.runtime.hash(), self.server.hash()), self.threads.hash())
    }

    /// Adds the state to the columns, to be told apart by what each device has.
    pub(crate) fn columns(&self, columns: &mut Columns) {
        self.runtime.columns(columns);
        self.server.columns(columns);
        columns.shared(0x3d0, self.threads.hash());
    }

    /// Delivers what is unread and reports block tables and server entries to the observer.
    pub fn checkpoint<O: Observer>(&mut self, last: bool, observer: &mut O) {
        self.begin_step();
        self.report_state(last, observer);
    }

    fn report_state<O: Observer>(&mut self, last: bool, observer: &mut O) {
        let in_flight = self.threads.0.iter().any(|thread| thread.rest.is_some());
        let (runtime, mut out) = self.split(observer);
        runtime.drain(&mut out, Stream::Old);
        runtime.drain(&mut out, Stream::New);
        let mut blocks: Vec<TableBlock> = Vec::new();
        runtime.report_block_tables(&mut out, &mut blocks);
        for entry in out.server.entries() {
            let crate::server::Entry { devices, address, buffer_type, size } = entry;
            out.emit(Event::ServerEntry { devices, address, buffer_type, size });
        }
        let tracked = out.server.bytes();
        if !in_flight {
            out.observer.observe(out.tick, &Event::Quiescent { tracked });
        }
        let keyed = out.server.keys().is_some();
        out.observer.observe(out.tick, &Event::Checkpoint { last, tracked, keyed });
    }

    #[inline]
    fn begin_step(&mut self) {
        if self.tracking.undo {
            self.mark();
        }
        self.tick.0 += 1;
    }

    #[cold]
    fn mark(&mut self) {
        self.marks.push(WorldMark {
            tick: self.tick,
            runtime: self.runtime.mark(),
            server: self.server.mark(),
            threads: self.threads.mark(),
        });
    }

    #[inline]
    fn end_step<O: Observer>(&mut self, observer: &mut O) {
        let in_flight = self.threads.0.iter().any(|thread| thread.rest.is_some());
        if !in_flight && !self.runtime.has_messages_in_flight() {
            observer.observe(self.tick, &Event::Quiescent { tracked: self.server.bytes() });
        }
    }

    #[inline]
    fn split<'a, O: Observer>(
        &'a mut self,
        observer: &'a mut O,
    ) -> (&'a mut Runtime, Outside<'a, O>) {
        (&mut self.runtime, Outside { server: &mut self.server, observer, tick: self.tick })
    }

    fn refuse<O: Observer>(&mut self, refusal: Refusal, observer: &mut O) -> Outcome {
        if let Some(text) = &refusal.text {
            observer.observe(self.tick, &Event::Refused { text });
        }
        Outcome { changed: false, refused: refusal.text }
    }

    /// The one match on operations; each arm is one call.
    #[allow(clippy::too_many_lines, reason = "one arm for each operation")]
    #[inline(always)]
    fn execute<O: Observer>(&mut self, op: &Op, observer: &mut O) -> Result<Outcome, Refusal> {
        let (runtime, mut out) = self.split(observer);
        let out = &mut out;
        let changed = match op {
            Op::Alloc { buffer, place, spec } => {
                let id = runtime.begin_alloc(out, *buffer, *place, *spec)?;
                runtime.finish_alloc(out, *buffer, id);
                true
            }
            Op::Deallocate(buffer) => runtime.deallocate(out, *buffer),
            Op::DeallocateUnforced(buffer) => runtime.deallocate_unforced(out, *buffer),
            Op::Drop(handle) => runtime.drop_handle(out, *handle),
            Op::Run(spec) => return runtime.run(out, spec).map(|()| Outcome::DONE),
            Op::View { buffer, of, pages } => {
                return runtime.view(out, (*buffer, *of), *pages).map(|()| Outcome::DONE);
            }
            Op::ClearCache(mesh) => runtime.clear_cache_of(out, *mesh),
            Op::Open { mesh, shape, at } => {
                return runtime.open(out, *mesh, *shape, *at).map(|()| Outcome::DONE);
            }
            Op::Submesh { mesh, parent, shape, at } => {
                let names = (*mesh, *parent);
                return runtime.submesh(out, names, *shape, *at).map(|()| Outcome::DONE);
            }
            Op::Close(mesh) => runtime.close_named(out, *mesh),
            Op::Alias { buffer, of } => {
                return runtime.alias(out, *buffer, *of).map(|()| Outcome::DONE);
            }
            Op::Share { buffer, of } => runtime.share(*buffer, *of),
            Op::Mark(buffer) => runtime.mark_named(out, *buffer),
            Op::Cycle(buffer) => runtime.enter_cycle(*buffer),
            Op::Gc => runtime.collect(out),
            Op::Release { buffer, piece } => runtime.release_piece(out, *buffer, *piece),
            Op::Use(buffer) => {
                return runtime.use_named(out, *buffer).map(|()| Outcome::DONE);
            }
            Op::Program { program, mesh, circular_buffers } => {
                let names = (*program, *mesh);
                return runtime.create_program(out, names, circular_buffers).map(Outcome::of);
            }
            Op::DataflowProgram { program, mesh, dataflow_buffers } => {
                let names = (*program, *mesh);
                let created = runtime.create_dataflow_program(out, names, dataflow_buffers);
                return created.map(Outcome::of);
            }
            Op::ShareProgram { program, of } => runtime.share_program(*program, *of),
            Op::Assign { buffer, program } => runtime.assign(*buffer, *program),
            Op::Enqueue { program, reads } => {
                return runtime.enqueue_named(out, *program, reads).map(|()| Outcome::DONE);
            }
            Op::DisableCache(mesh) => runtime.disable_cache(out, *mesh),
            Op::EnableCache(mesh) => runtime.enable_cache(*mesh),
            Op::BeginTrace { trace, mesh } => runtime.begin_trace(out, *trace, *mesh)?,
            Op::EndTrace(trace) => runtime.end_trace(out, *trace)?,
            Op::Replay(trace) => runtime.replay_trace(out, *trace)?,
            Op::ReleaseTrace(trace) => runtime.release_trace(out, *trace),
            Op::Async { mesh, on } => runtime.enable_async(out, *mesh, *on)?,
            Op::Finish(mesh) => runtime.finish(out, *mesh)?,
            Op::LoadManager { mesh, manager } => runtime.load_manager(out, *mesh, *manager)?,
            Op::DeallocateAll(mesh) => {
                return runtime.deallocate_all(out, *mesh).map(|()| Outcome::DONE);
            }
            Op::ClearAllocator(mesh) => {
                return runtime.clear_allocator(out, *mesh).map(|()| Outcome::DONE);
            }
            Op::Capture(step) => runtime.switch_capture(out, *step),
            Op::Inspector => runtime.start_inspector(out),
            Op::Static(handle) => runtime.make_static(*handle),
            Op::Tracking(on) => runtime.switch_tracking(out, *on),
            Op::Lose(count) => runtime.fill_socket(*count),
            Op::Stall => runtime.stall(),
            Op::Reconnect => runtime.reconnect(out),
            Op::Deliver(stream) => runtime.deliver_one(out, *stream),
            Op::Process(process) => runtime.enter_process(*process),
            Op::Kill(process) => runtime.kill(out, *process),
            Op::Fork(end) => runtime.fork(out, *end),
            Op::Exit => runtime.exit(out),
            Op::ServerRestart => return Ok(self.restart_server(observer)),
            Op::Reap => return Ok(self.reap(observer)),
            Op::Checkpoint => {
                self.report_state(false, observer);
                true
            }
        };
        Ok(Outcome::of(changed))
    }

    fn restart_server<O: Observer>(&mut self, observer: &mut O) -> Outcome {
        let held = self.server.keys().unwrap_or(0) > 0;
        self.server.restart();
        observer.observe(self.tick, &Event::ServerRestarted);
        if held {
            observer.observe(self.tick, &Event::Reached(Mark::ServerRestarted));
        }
        Outcome::of(held)
    }

    fn reap<O: Observer>(&mut self, observer: &mut O) -> Outcome {
        let runtime = &self.runtime;
        let reaped = self.server.reap(|pid| runtime.process_is_alive(pid));
        for &(pid, keys) in &reaped {
            observer.observe(self.tick, &Event::Reaped { pid, keys });
            observer.observe(self.tick, &Event::Reached(Mark::EntriesReaped));
        }
        Outcome::of(!reaped.is_empty())
    }
}
