//! What the model says of the things that the runtime reports besides tables and addresses: the
//! buffers that are registered, the nodes of captures, and the bytes that are counted.

use std::collections::{BTreeMap, BTreeSet};

use super::tally::Tally;
use crate::event::{AllocatorId, Event, GraphNode, Observer, Tick};
use crate::message::{ObjectRef, UniqueId};
use crate::op::{BufferSpec, Op, ThreadId};
use crate::units::DeviceAddr;

/// A buffer that was made: what was asked for, and where it is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Made {
    pub spec: BufferSpec,
    /// The id of its mesh.
    pub mesh_id: u32,
    pub address: DeviceAddr,
}

/// The nodes of a capture; with each goes on how many cores the program runs, if not on all.
pub(super) type Graph = Vec<(GraphNode, Option<u32>)>;

/// What is known of a program so far.
#[derive(Clone, Debug, Default)]
pub(super) struct Ledger {
    asked: Option<(BufferSpec, u32)>,
    cores: Option<u32>,
    thread: ThreadId,
    made: BTreeMap<UniqueId, Made>,
    registered: BTreeMap<AllocatorId, BTreeSet<UniqueId>>,
    /// The captures of each thread, the outermost first.
    graphs: BTreeMap<ThreadId, Vec<Graph>>,
    /// The capture that ended in the last step.
    pub ended: Option<Graph>,
    /// Whether what is done now is counted.
    pub counts: bool,
    /// The counters in shared memory.
    pub tally: Tally,
    /// On how many cores each program that was built has circular buffers, and where they end.
    pub programs: BTreeSet<(Option<u32>, DeviceAddr)>,
}

impl Ledger {
    /// A step begins, on a thread; it may make a buffer on the mesh with an id.
    pub fn begin(&mut self, (thread, op): (ThreadId, &Op), asked: Option<(BufferSpec, u32)>) {
        self.ended = None;
        (self.thread, self.asked) = (thread, asked);
        // What copies a tensor runs on no more cores than it has pages.
        self.cores = match op {
            Op::Run(run) if run.moves.is_some() => run.output.map(|(_, spec)| spec.pages.count),
            _ => None,
        };
    }

    /// What a buffer was made as.
    pub fn made(&self, object: ObjectRef) -> Option<&Made> {
        self.made.get(&object.unique_id)
    }

    /// The buffers in `allocated_buffers_` of an allocator.
    pub fn registered(&self, allocator: AllocatorId) -> impl Iterator<Item = &Made> {
        let ids = self.registered.get(&allocator).into_iter().flatten();
        ids.filter_map(|id| self.made.get(id))
    }

    /// The process is killed: of what is known, its counters stay.
    pub fn bury(&mut self) {
        let mut tally = std::mem::take(&mut self.tally);
        tally.bury();
        *self = Self { tally, ..Self::default() };
    }
}

impl Observer for Ledger {
    fn observe(&mut self, _: Tick, event: &Event<'_>) {
        match *event {
            Event::AddressTaken { object, address, .. } => {
                if let Some((spec, mesh_id)) = self.asked {
                    self.made.insert(object.unique_id, Made { spec, mesh_id, address });
                }
            }
            Event::AllocationHooked { object, .. } => {
                if let Some((spec, mesh_id)) = self.asked {
                    let address = DeviceAddr(0);
                    self.made.insert(object.unique_id, Made { spec, mesh_id, address });
                }
            }
            Event::Registered { allocator, object } => {
                self.registered.entry(allocator).or_default().insert(object.unique_id);
            }
            Event::Unregistered { allocator, object } => {
                self.registered.entry(allocator).or_default().remove(&object.unique_id);
            }
            Event::AllocatorDestroyed { allocator } => drop(self.registered.remove(&allocator)),
            Event::Captured { depth, node, .. } => {
                let own = self.graphs.entry(self.thread).or_default();
                if node == GraphNode::CaptureStart {
                    own.push(Graph::default());
                }
                if let Some(graph) = own.get_mut(depth as usize) {
                    graph.push((node, self.cores));
                }
                if node == GraphNode::CaptureEnd {
                    self.ended = own.pop();
                }
            }
            Event::ProgramBuilt { region_end, .. } => {
                self.programs.insert((self.cores, region_end));
            }
            Event::Sent(message) if self.counts => self.tally.take(message),
            _ => {}
        }
    }
}
