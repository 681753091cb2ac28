//! Graph captures and the hook that they install: ttnn's `graph_processor.cpp` and the hooks of
//! `graph_tracking.cpp` (tt-metal.md A5, E1, E2).

use super::object::{Object, ObjectId};
use super::{Runtime, Surroundings, pid};
use crate::event::{Event, GraphNode, ProgramBuffers, TrackedDevice};
use crate::fix::Defect;
use crate::journal::{Fingerprint, mix};
use crate::op::{CaptureStep, RunMode, ThreadId};
use crate::units::DeviceAddr;

/// The hook of the GraphTracker: "at most one" (tt-metal.md A5).
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(super) enum Hook {
    /// None is installed.
    #[default]
    None,
    /// That of a NORMAL capture, which lets everything pass.
    Passes,
    /// That of a NO_DISPATCH capture, which claims everything.
    Blocks,
}

/// A capture in progress: those of one thread lie in each other, the outermost first.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Graph {
    process: u32,
    thread: ThreadId,
    mode: RunMode,
    /// The nodes so far.
    next: u32,
    /// The key of each buffer that has a node, and the node.
    buffers: Vec<(u64, u32)>,
}

impl Fingerprint for Vec<Graph> {
    fn fingerprint(&self) -> u64 {
        self.iter().fold(0, |hash, graph| {
            let head = u64::from(graph.process) << 33 | u64::from(graph.next) << 1;
            let head = mix(hash, head | u64::from(graph.mode == RunMode::Normal));
            let head = if graph.thread.0 > 0 { mix(head, graph.thread.0.into()) } else { head };
            let buffers = graph.buffers.iter().map(|&(key, node)| mix(key, u64::from(node)));
            buffers.fold(head, mix)
        })
    }
}

impl Runtime {
    /// `capture begin`, `capture end`: false if none is there to end.
    pub(crate) fn switch_capture<S: Surroundings>(
        &mut self,
        out: &mut S,
        step: CaptureStep,
    ) -> bool {
        match (step, self.innermost()) {
            (CaptureStep::Begin(mode), _) => self.begin_capture(out, mode),
            (CaptureStep::End, Some(index)) => self.end_capture(out, index),
            (CaptureStep::End, None) => return false,
        }
        true
    }

    fn begin_capture<S: Surroundings>(&mut self, out: &mut S, mode: RunMode) {
        let (process, thread) = (self.process, self.thread);
        out.emit(Event::CaptureSwitched { pid: pid(process), mode: Some(mode) });
        let graph = Graph { process, thread, mode, next: 0, buffers: Vec::new() };
        let index = self.graphs.len();
        self.graphs.update(|graphs| graphs.push(graph));
        self.add_node(out, index, GraphNode::CaptureStart);
    }

    fn end_capture<S: Surroundings>(&mut self, out: &mut S, index: usize) {
        self.add_node(out, index, GraphNode::CaptureEnd);
        let (process, hook) = (self.process, self.hook());
        self.graphs.update(|graphs| graphs.remove(index));
        // PR 11627: "End capture didn't disable hooks." The outermost capture has installed it.
        if !self.captures_here() && self.fixes.has_defect(Defect::HookStays) {
            self.processes.update(process, |process| process.hook = hook);
        }
        out.emit(Event::CaptureSwitched { pid: pid(process), mode: None });
    }

    /// The hook that is asked: one that stayed, or that of the outermost capture, since `add_hook`
    /// returns false if one exists (tt-metal.md A5).
    fn hook(&self) -> Hook {
        let stayed = self.processes[self.process].hook;
        let outermost = || self.graphs.iter().find(|graph| self.is_own(graph));
        match (stayed, outermost().map(|graph| graph.mode)) {
            (Hook::None, None) => Hook::None,
            (Hook::None, Some(RunMode::Normal)) => Hook::Passes,
            (Hook::None, Some(RunMode::NoDispatch)) => Hook::Blocks,
            (stayed, _) => stayed,
        }
    }

    /// Whether the hook claims what it is asked about.
    #[inline]
    pub(super) fn hook_blocks(&self) -> bool {
        self.hook() == Hook::Blocks
    }

    /// Whether a capture is of the thread that calls; the tracker was one for the whole process
    /// before it was one for each thread, and so it is where nobody says which thread calls.
    #[inline]
    fn is_own(&self, graph: &Graph) -> bool {
        (graph.process, graph.thread) == (self.process, self.thread)
    }

    /// Whether a deallocation is kept from the allocator: the hook is asked first, and with a
    /// capture running it claims real buffers too, with no more than a warning, so that their
    /// blocks leak (tt-metal.md A5).
    #[inline]
    pub(super) fn hook_keeps(&self, object: &Object) -> bool {
        // PR 21806: "Stored in buffer whether its allocation was hooked and avoiding deallocation
        // for them even if the hook was removed".
        let remembered = object.hooked && !self.fixes.has_defect(Defect::HookedFlagMissing);
        self.hook_blocks() || remembered
    }

    /// The index of the innermost capture of the current thread.
    #[inline]
    fn innermost(&self) -> Option<usize> {
        self.graphs.iter().rposition(|graph| self.is_own(graph))
    }

    /// Whether the current thread is in a capture.
    #[inline]
    fn captures_here(&self) -> bool {
        self.innermost().is_some()
    }

    /// The indices of the captures of the current thread, the outermost first: GraphTracker tells
    /// each processor of everything.
    fn each_graph(&self) -> Vec<usize> {
        let own = |&index: &usize| self.is_own(&self.graphs[index]);
        (0..self.graphs.len()).filter(own).collect()
    }

    /// The captures of a process end with the process.
    pub(super) fn forget_graph(&mut self, process: u32) {
        if self.graphs.iter().any(|graph| graph.process == process) {
            self.graphs.update(|graphs| graphs.retain(|graph| graph.process != process));
        }
    }

    /// Whether any process is in a capture.
    #[inline]
    pub(super) fn captures(&self) -> bool {
        !self.graphs.is_empty()
    }

    /// `GraphProcessor::track_allocate`.
    ///
    /// ASSUMED: owners only, as upstream tracks them, also where the fork tracks more.
    #[cold]
    pub(super) fn capture_allocate<S: Surroundings>(&mut self, out: &mut S, id: ObjectId) {
        for index in self.each_graph() {
            let connection = self.add_buffer(out, index, id);
            let object = &self.objects[id.0];
            let (region, address, size) = (object.region(), object.address, object.size);
            let object = object.reference();
            let node = GraphNode::BufferAllocate { object, connection, region, address, size };
            self.add_node(out, index, node);
        }
    }

    /// `GraphProcessor::track_deallocate`.
    #[cold]
    pub(super) fn capture_deallocate<S: Surroundings>(&mut self, out: &mut S, id: ObjectId) {
        for index in self.each_graph() {
            let early = self.graphs[index].next;
            let connection = self.add_buffer(out, index, id);
            let object = &self.objects[id.0];
            let (address, size, object) = (object.address, object.size, object.reference());
            // PR 12169: "If allocation out of scope of the graph we are creating a new buffer ID in
            // deallocate. But we are using a wrong counter for deallocate node." It was read before
            // the buffer's node was made.
            let late = self.fixes.has_defect(Defect::LateBufferNode);
            let counter = if late { early } else { self.graphs[index].next };
            let node = GraphNode::BufferDeallocate { object, connection, address, size };
            self.add_node_as(out, index, (node, counter));
        }
    }

    /// `GraphProcessor::add_buffer`: the node of a buffer, made when it is first seen.
    fn add_buffer<S: Surroundings>(&mut self, out: &mut S, index: usize, id: ObjectId) -> u32 {
        let (size, object) = (self.objects[id.0].size, self.objects[id.0].reference());
        // PR 18764: "Need to track unique Buffers during capture-time by their unique-id rather
        // than Buffer* (ptr addr) since it can be re-used at different points in time". The slot of
        // an object is its host pointer.
        let key = if self.fixes.has_defect(Defect::PointerIdentity) {
            u64::from(id.0)
        } else {
            object.unique_id.0
        };
        let known = self.graphs[index].buffers.iter().find(|(one, _)| *one == key);
        if let Some(&(_, node)) = known {
            return node;
        }
        let node = self.graphs[index].next;
        self.add_node(out, index, GraphNode::Buffer { object, size });
        self.graphs.update(|graphs| graphs[index].buffers.push((key, node)));
        node
    }

    /// `GraphTracker::track_program`, before a program is dispatched or hooked.
    #[cold]
    pub(super) fn capture_program<S: Surroundings>(&mut self, out: &mut S, program: u32) {
        let device = TrackedDevice::Mesh(self.programs[program].mesh_id);
        // PR 11687: "Graph trace misses CB deallocation event. [...] Fixing by adding a CB
        // deallocation event in track_program".
        let deallocates = !self.fixes.has_defect(Defect::NoCbDeallocate);
        for index in self.each_graph() {
            if deallocates {
                self.add_node(out, index, GraphNode::CircularBufferDeallocateAll { device });
            }
            // "in NO_DISPATCH also one CB allocate per CB with address 0" (tt-metal.md E2). It asks
            // the capture's own mode, which within another capture is not the one that holds.
            if self.graphs[index].mode == RunMode::NoDispatch {
                self.capture_program_buffers(out, index, (program, device));
            }
        }
    }

    /// Circular buffers get their places: a node for each of them on each chip.
    #[cold]
    pub(super) fn capture_placement<S: Surroundings>(&mut self, out: &mut S, program: u32) {
        for index in self.each_graph() {
            let chips = self.meshes[self.programs[program].mesh].devices;
            let device = TrackedDevice::Chips(chips);
            self.capture_program_buffers(out, index, (program, device));
        }
    }

    fn capture_program_buffers<S: Surroundings>(
        &mut self,
        out: &mut S,
        index: usize,
        (program, device): (u32, TrackedDevice),
    ) {
        let dataflow = self.programs[program].dataflow;
        // Issue 51674: "TTNN graph capture only records legacy circular buffers, not Metal 2.0
        // DataflowBuffers."
        if dataflow && self.fixes.has_defect(Defect::DataflowBuffersMissing) {
            return;
        }
        let hooked = matches!(device, TrackedDevice::Mesh(_));
        for (address, size) in self.programs[program].layout.placed.clone() {
            let address = if hooked { DeviceAddr(0) } else { address };
            let node = match dataflow {
                true => GraphNode::DataflowBufferAllocate { device, address, size },
                false => GraphNode::CircularBufferAllocate { device, address, size },
            };
            self.add_node(out, index, node);
        }
    }

    /// `GraphTracker::track_deallocate_cb`, from `~Program`.
    #[cold]
    pub(super) fn capture_deallocate_cb<S: Surroundings>(&mut self, out: &mut S, program: u32) {
        if self.captures_here() && self.mesh_exists(program) {
            let chips = self.meshes[self.programs[program].mesh].devices;
            let device = TrackedDevice::Chips(chips);
            for index in self.each_graph() {
                self.add_node(out, index, GraphNode::CircularBufferDeallocateAll { device });
            }
        }
    }

    /// How many circular and dataflow buffers a program has.
    pub(super) fn program_buffers(&self, program: u32) -> ProgramBuffers {
        let program = &self.programs[program];
        let placed = program.layout.placed.len() as u32;
        match program.dataflow {
            true => ProgramBuffers { circular: 0, dataflow: placed },
            false => ProgramBuffers { circular: placed, dataflow: 0 },
        }
    }

    fn add_node<S: Surroundings>(&mut self, out: &mut S, index: usize, node: GraphNode) {
        self.add_node_as(out, index, (node, self.graphs[index].next));
    }

    fn add_node_as<S: Surroundings>(
        &mut self,
        out: &mut S,
        index: usize,
        (node, counter): (GraphNode, u32),
    ) {
        let before = self.graphs[..index].iter();
        let depth = before.filter(|graph| self.is_own(graph)).count() as u32;
        out.emit(Event::Captured { pid: pid(self.process), depth, counter, node });
        self.graphs.update(|graphs| graphs[index].next += node.count());
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::journal::assert_all_differ;

    /// The next node of a capture has the next number, and is connected to the node of its buffer.
    #[test]
    fn everything_about_a_capture_counts() {
        let (thread, mode) = (ThreadId(0), RunMode::NoDispatch);
        let graph = Graph { process: 0, thread, mode, next: 0, buffers: Vec::new() };
        let graphs = [
            vec![],
            vec![graph.clone()],
            vec![graph.clone(), graph.clone()],
            vec![Graph { process: 1, ..graph.clone() }],
            vec![Graph { thread: ThreadId(1), ..graph.clone() }],
            vec![Graph { mode: RunMode::Normal, ..graph.clone() }],
            vec![Graph { next: 1, ..graph.clone() }],
            vec![Graph { buffers: vec![(0, 0)], ..graph.clone() }],
            vec![Graph { buffers: vec![(1, 0)], ..graph.clone() }],
            vec![Graph { buffers: vec![(0, 1)], ..graph }],
        ];
        assert_all_differ(&graphs.map(|graphs| graphs.fingerprint()));
    }
}
