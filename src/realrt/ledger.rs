//! What the model says of the things that the runtime reports besides tables and addresses: the
//! buffers that are registered, the nodes of captures, and the bytes that are counted.

use std::collections::{BTreeMap, BTreeSet};

use super::counters::{Counts, counted};
use crate::event::{AllocatorId, Event, GraphNode, Observer, Tick};
use crate::message::{MessageKind, ObjectRef, UniqueId};
use crate::op::{BufferSpec, Op, ThreadId};
use crate::units::{BufferType, DeviceAddr};

/// A buffer that was made: what was asked for, and where it is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Made {
    pub spec: BufferSpec,
    /// The id of its mesh.
    pub mesh_id: u32,
    pub address: DeviceAddr,
}

/// A capture that has ended: its thread, and each node with the thread that made it.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(super) struct Graph {
    pub thread: ThreadId,
    nodes: Vec<(ThreadId, GraphNode, Option<u32>)>,
}

impl Graph {
    /// What the capture's own thread did: it sees no other's. With each node goes on how many cores
    /// the program runs, if not on all of them.
    pub fn own(&self) -> impl Iterator<Item = (&GraphNode, &Option<u32>)> {
        let own = self.nodes.iter().filter(|(thread, ..)| *thread == self.thread);
        own.map(|(_, node, cores)| (node, cores))
    }
}

/// What is known of a program so far.
#[derive(Clone, Debug, Default)]
pub(super) struct Ledger {
    asked: Option<(BufferSpec, u32)>,
    cores: Option<u32>,
    thread: ThreadId,
    made: BTreeMap<UniqueId, Made>,
    registered: BTreeMap<AllocatorId, BTreeSet<UniqueId>>,
    graphs: Vec<Graph>,
    /// The capture that ended in the last step.
    pub ended: Option<Graph>,
    /// What is counted for each chip and type.
    bytes: BTreeMap<(u8, BufferType), u64>,
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

    /// The bytes that are counted for a chip.
    pub fn bytes(&self, chip: u8, buffer_type: BufferType) -> u64 {
        self.bytes.get(&(chip, buffer_type)).copied().unwrap_or(0)
    }

    /// Counts go on from what the runtime counts.
    pub fn adopt(&mut self, chip: u8, own: &Counts) {
        for kind in BufferType::ALL {
            self.bytes.insert((chip, kind), own[counted(kind) as usize]);
        }
    }

    /// A chip was closed: its counters begin anew.
    pub fn forget(&mut self, chip: u8) {
        self.bytes.retain(|&(of, _), _| of != chip);
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
                if node == GraphNode::CaptureStart {
                    self.graphs.push(Graph { thread: self.thread, nodes: Vec::new() });
                }
                if let Some(graph) = self.graphs.get_mut(depth as usize) {
                    graph.nodes.push((self.thread, node, self.cores));
                }
                if node == GraphNode::CaptureEnd {
                    self.ended = self.graphs.pop();
                }
            }
            Event::ProgramBuilt { region_end, .. } => {
                self.programs.insert((self.cores, region_end));
            }
            Event::Sent(message) => {
                for chip in message.devices.iter() {
                    let bytes = self.bytes.entry((chip.0, message.buffer_type)).or_insert(0);
                    *bytes = match message.kind {
                        MessageKind::Alloc => *bytes + message.size.0,
                        MessageKind::Free => bytes.saturating_sub(message.size.0),
                    };
                }
            }
            _ => {}
        }
    }
}
