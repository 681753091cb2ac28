//! The modelled runtime: one file for each tt-metal file that it follows.
//!
//! The runtime never reads the server; it only sends. What it needs from outside comes through
//! [`Surroundings`], and everything that it could decide two ways comes from the scenario.

pub mod circular_buffer;
pub mod command_queue;
pub mod decide;
pub mod object;
pub mod program;
pub mod trace;

mod allocation_client;
mod allocator_impl;
mod buffer;
mod close;
mod columns;
mod create;
mod device;
mod graph_processor;
mod graph_tracker;
mod handles;
mod independence;
mod inspector;
mod marks;
mod mesh_buffer;
mod mesh_device;
mod moves;
mod named;
mod process;
mod program_cache;
mod setup;
mod statics;
mod sub_device_manager;
mod system_mesh;

pub use allocation_client::Client;
pub use allocator_impl::AllocatorImpl;
pub use mesh_device::MeshDevice;
pub use setup::Setup;

use std::sync::Arc;

use crate::event::Event;
use crate::fix::{Asked, FixSet, Switches};
use crate::journal::{Cell, Fingerprint, Slab, Tracking, Vacant, mix};
use crate::message::{AllocMessage, ObjectRef};
use crate::op::ThreadId;
use graph_processor::{Graph, Hook};
use handles::Slot;
use object::Object;
use program::Program;

/// The mesh index of an object whose mesh is gone.
const EXPIRED: u32 = u32::MAX;

/// The pid of a process of the scenario.
#[must_use]
#[inline]
pub fn pid(process: u32) -> u32 {
    1000 + process
}

/// What lies around the runtime: whoever watches, and the server at the other end of the socket.
pub trait Surroundings {
    /// Tells what happened.
    fn emit(&mut self, event: Event<'_>);

    /// Hands a message to the server.
    fn deliver(&mut self, message: &AllocMessage);
}

/// Why an operation changed nothing, or not everything.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Refusal {
    /// The text that the real runtime throws, word for word where it is known; none if the line
    /// names something that is not there, and so is a no-op.
    pub text: Option<String>,
}

impl Refusal {
    /// A refusal with a text.
    #[must_use]
    pub fn new(text: impl Into<String>) -> Self {
        Self { text: Some(text.into()) }
    }

    /// A line that names something that is not there.
    #[must_use]
    pub fn noop() -> Self {
        Self { text: None }
    }

    /// An operation on a closed mesh.
    #[must_use]
    pub fn closed(mesh_id: u32) -> Self {
        Self::new(format!(
            "SubDeviceManagerTracker is not initialized on MeshDevice {mesh_id}. This MeshDevice \
             contains only remote devices (no local devices on this host). Operations requiring \
             local device access cannot be performed on remote-only MeshDevices. Use \
             is_remote_only() to check before calling this method."
        ))
    }
}

/// The counters of one process of the user's program.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
struct Process {
    alive: bool,
    next_mesh_id: u32,
    next_program_id: u32,
    /// What is installed in the GraphTracker.
    hook: Hook,
}

impl Vacant for Process {
    fn vacant() -> Self {
        Self::default()
    }

    fn is_vacant(&self) -> bool {
        !self.alive
    }
}

impl Fingerprint for Process {
    fn fingerprint(&self) -> u64 {
        let counters = u64::from(self.next_mesh_id) | u64::from(self.next_program_id) << 32;
        mix(counters, self.hook as u64)
    }
}

/// Everything the runtime knows. A function of the operations that were executed on it.
#[derive(Clone, Debug)]
pub struct Runtime {
    setup: Arc<Setup>,
    fixes: Asked,
    objects: Slab<Object>,
    meshes: Slab<MeshDevice>,
    programs: Slab<Program>,
    processes: Slab<Process>,
    buffer_handles: Slab<Slot>,
    mesh_handles: Slab<Slot>,
    program_handles: Slab<Slot>,
    /// Pooled: the first `allocators_open` exist, or did.
    allocators: Vec<AllocatorImpl>,
    allocators_open: Cell<u32>,
    /// For each allocator, the destroyed buffers that are still in `allocated_buffers_`.
    dangling: Cell<Vec<(u32, Vec<ObjectRef>)>>,
    /// The allocator of each physical device that has buffers of its own.
    device_allocators: Cell<Vec<(u8, u32)>>,
    client: Cell<Client>,
    /// The buffers of operations that threads are in the middle of; the world says which.
    in_flight: Vec<object::ObjectId>,
    /// The mesh whose destructor is running.
    expiring: Cell<Option<u32>>,
    /// The graph captures in progress.
    graphs: Cell<Vec<Graph>>,
    /// Whether the Inspector has a session.
    inspector: Cell<bool>,
    /// Whether variables of static storage duration are being destroyed; never between operations.
    after_main: bool,
    next_unique_id: Cell<u64>,
    process: u32,
    current_process: Cell<u32>,
    /// The thread that calls, where somebody says which does: captures are of one.
    thread: ThreadId,
    /// Whether it does as the published package does where that is known to differ.
    is_published: bool,
    tracking: Tracking,
}

/// A place in the runtime's journals.
#[derive(Clone, Debug)]
pub(crate) struct RuntimeMark {
    slabs: [usize; 7],
    cells: [usize; 9],
    allocators: Vec<usize>,
}

impl Runtime {
    /// A runtime in which nothing has happened.
    #[must_use]
    pub fn new(setup: Arc<Setup>, fixes: FixSet, tracking: Tracking) -> Self {
        let client = Client { tracking: setup.tracking, ..Client::default() };
        let mut runtime = Self {
            setup,
            fixes: Asked::new(fixes),
            objects: Slab::new(tracking),
            meshes: Slab::new(tracking),
            programs: Slab::new(tracking),
            processes: Slab::new(tracking),
            buffer_handles: Slab::new(tracking),
            mesh_handles: Slab::new(tracking),
            program_handles: Slab::new(tracking),
            allocators: Vec::new(),
            allocators_open: Cell::new(0, tracking),
            dangling: Cell::new(Vec::new(), tracking),
            device_allocators: Cell::new(Vec::new(), tracking),
            client: Cell::new(client, tracking),
            in_flight: Vec::new(),
            expiring: Cell::new(None, tracking),
            graphs: Cell::new(Vec::new(), tracking),
            inspector: Cell::new(false, tracking),
            after_main: false,
            next_unique_id: Cell::new(0, tracking),
            process: 0,
            current_process: Cell::new(0, tracking),
            thread: ThreadId(0),
            is_published: false,
            tracking,
        };
        runtime.processes.insert(Process { alive: true, ..Process::default() });
        runtime
    }

    /// Forgets everything, keeping the memory.
    pub fn reset(&mut self) {
        self.fixes.reset();
        self.objects.reset();
        self.meshes.reset();
        self.programs.reset();
        self.processes.reset();
        self.buffer_handles.reset();
        self.mesh_handles.reset();
        self.program_handles.reset();
        self.allocators_open.reset(0);
        self.dangling.reset(Vec::new());
        self.device_allocators.reset(Vec::new());
        self.client.reset(Client { tracking: self.setup.tracking, ..Client::default() });
        self.expiring.reset(None);
        self.graphs.reset(Vec::new());
        self.inspector.reset(false);
        self.next_unique_id.reset(0);
        self.current_process.reset(0);
        self.in_flight.clear();
        self.process = 0;
        self.thread = ThreadId(0);
        self.processes.insert(Process { alive: true, ..Process::default() });
    }

    /// The setup.
    #[must_use]
    pub fn setup(&self) -> &Setup {
        &self.setup
    }

    /// The switches.
    #[must_use]
    pub fn fixes(&self) -> FixSet {
        self.fixes.set()
    }

    /// The switches that decided something since the last reset, taken back or not.
    #[must_use]
    pub fn read(&self) -> Switches {
        self.fixes.read()
    }

    /// From now on it does as the published package does.
    pub(crate) fn as_published(&mut self) {
        self.is_published = true;
    }

    /// From now on a thread calls, whose captures are its own.
    pub(crate) fn on_thread(&mut self, thread: ThreadId) {
        self.thread = thread;
    }

    /// The fixed facts of the machine.
    #[inline]
    fn memory_map(&self) -> &crate::allocator::MemoryMap {
        &self.setup.memory
    }

    /// A place to come back to.
    pub(crate) fn mark(&self) -> RuntimeMark {
        RuntimeMark {
            slabs: [
                self.objects.mark(),
                self.meshes.mark(),
                self.programs.mark(),
                self.processes.mark(),
                self.buffer_handles.mark(),
                self.mesh_handles.mark(),
                self.program_handles.mark(),
            ],
            cells: [
                self.allocators_open.mark(),
                self.dangling.mark(),
                self.device_allocators.mark(),
                self.client.mark(),
                self.expiring.mark(),
                self.graphs.mark(),
                self.inspector.mark(),
                self.next_unique_id.mark(),
                self.current_process.mark(),
            ],
            allocators: self.open_allocators().map(AllocatorImpl::mark).collect(),
        }
    }

    /// Takes back everything since the mark.
    pub(crate) fn undo_to(&mut self, mark: &RuntimeMark) {
        let [objects, meshes, programs, processes, buffers, mesh_handles, program_handles] =
            mark.slabs;
        self.objects.undo_to(objects);
        self.meshes.undo_to(meshes);
        self.programs.undo_to(programs);
        self.processes.undo_to(processes);
        self.buffer_handles.undo_to(buffers);
        self.mesh_handles.undo_to(mesh_handles);
        self.program_handles.undo_to(program_handles);
        let [open, dangling, device_allocators, client, rest @ ..] = mark.cells;
        let [expiring, graphs, inspector, unique_id, process] = rest;
        self.allocators_open.undo_to(open);
        self.dangling.undo_to(dangling);
        self.device_allocators.undo_to(device_allocators);
        self.client.undo_to(client);
        self.expiring.undo_to(expiring);
        self.graphs.undo_to(graphs);
        self.inspector.undo_to(inspector);
        self.next_unique_id.undo_to(unique_id);
        self.current_process.undo_to(process);
        self.process = *self.current_process;
        for (allocator, &mark) in self.allocators.iter_mut().zip(&mark.allocators) {
            allocator.undo_to(mark);
        }
    }

    /// A hash of everything that decides what the runtime does next.
    #[must_use]
    pub(crate) fn hash(&self) -> u64 {
        let slabs = [
            self.objects.hash(),
            self.meshes.hash(),
            self.programs.hash(),
            self.processes.hash(),
            self.buffer_handles.hash(),
            self.mesh_handles.hash(),
            self.program_handles.hash(),
            self.client.hash(),
            *self.next_unique_id,
            u64::from(self.process),
            self.graphs.hash(),
            u64::from(*self.inspector),
        ];
        let dangling = self.dangling.iter().map(|(allocator, objects)| {
            objects.iter().fold(u64::from(*allocator), |hash, object| mix(hash, object.unique_id.0))
        });
        let own = self.device_allocators.iter().map(|&(d, a)| mix(u64::from(d), u64::from(a)));
        let allocators = self.open_allocators().map(AllocatorImpl::fingerprint);
        slabs.into_iter().chain(dangling).chain(own).chain(allocators).fold(0, mix)
    }

    fn open_allocators(&self) -> impl Iterator<Item = &AllocatorImpl> {
        self.allocators.iter().take(*self.allocators_open as usize)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::journal::assert_all_differ;

    /// The counters of a process give the next names, and its hook claims what comes.
    #[test]
    fn everything_about_a_process_counts() {
        let process = Process { alive: true, ..Process::default() };
        let processes = [
            process,
            Process { next_mesh_id: 1, ..process },
            Process { next_program_id: 1, ..process },
            Process { hook: Hook::Passes, ..process },
            Process { hook: Hook::Blocks, ..process },
        ];
        assert_all_differ(&processes.map(|process| process.fingerprint()));
    }
}
