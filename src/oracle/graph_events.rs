//! Is each event of a graph capture well formed, and does each program show its buffers?
//!
//! Nodes are counted without a gap. A buffer has one node, by its `unique_id`; its allocation and
//! deallocation are connected to that node and agree with it and with the allocator. A program that
//! runs first deallocates the circular buffers of the one before, and then shows its own: all of
//! them when they get their places, and always when a NO_DISPATCH capture keeps it from the device
//! (tt-metal.md E2).

use super::{Facts, Findings};
use crate::event::{Event, GraphNode, ProgramBuffers, Region, Tick, TrackedDevice};
use crate::journal::{Fingerprint, mix};
use crate::message::{ObjectRef, UniqueId};
use crate::units::{Bytes, DeviceAddr};
use crate::violation::{OracleName, Violation};

/// What is remembered of a capture.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(super) struct Capture {
    pid: u32,
    /// In how many others of the process it is.
    depth: u32,
    next: u32,
    buffers: Vec<BufferNode>,
    /// Since the last program: whether all circular buffers were deallocated, and what came after.
    deallocated: bool,
    shown: ProgramBuffers,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
struct BufferNode {
    node: u32,
    buffer: UniqueId,
    size: Bytes,
    address: Option<DeviceAddr>,
}

/// The captures in progress.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(super) struct GraphEvents(Vec<Capture>);

impl Fingerprint for GraphEvents {
    fn fingerprint(&self) -> u64 {
        self.0.iter().fold(0, |hash, capture| {
            let head = u64::from(capture.pid) | u64::from(capture.next) << 32;
            let ProgramBuffers { circular, dataflow } = capture.shown;
            let shown = u64::from(circular) | u64::from(dataflow) << 32;
            let place = u64::from(capture.deallocated) | u64::from(capture.depth) << 1;
            let head = [hash, head, shown, place];
            let buffers = capture.buffers.iter().map(|one| {
                let place = u64::from(one.node) | one.size.0 << 32;
                let address = one.address.map_or(0, |address| address.0 + 1);
                mix(mix(one.buffer.0, place), address)
            });
            head.into_iter().chain(buffers).fold(0, mix)
        })
    }
}

impl GraphEvents {
    /// Whether there is no capture.
    #[inline]
    pub(super) fn is_idle(&self) -> bool {
        self.0.is_empty()
    }

    #[cold]
    pub(super) fn watch(
        &mut self,
        tick: Tick,
        event: &Event<'_>,
        facts: &Facts<'_>,
        findings: &mut Findings,
    ) {
        match *event {
            Event::Captured { pid, depth, node: GraphNode::CaptureStart, .. } => {
                self.0.push(Capture { pid, depth, next: 1, ..Capture::default() });
            }
            Event::Captured { pid, depth, counter, node } => {
                let is_it = |one: &&mut Capture| (one.pid, one.depth) == (pid, depth);
                let Some(capture) = self.0.iter_mut().find(is_it) else { return };
                if counter != capture.next {
                    flag(tick, None, "a node does not have the next counter", findings);
                }
                capture.see(tick, &node, facts, findings);
                capture.next += node.count();
                if node == GraphNode::CaptureEnd {
                    self.0.retain(|one| (one.pid, one.depth) != (pid, depth));
                }
            }
            Event::ProgramRan { pid, buffers, .. } => self.program(tick, (pid, buffers), findings),
            Event::ProgramHooked { pid, buffers, .. } => {
                let capture = self.0.iter().find(|one| (one.pid, one.depth) == (pid, 0));
                if capture.is_some_and(|one| one.shown == ProgramBuffers::default())
                    && buffers != ProgramBuffers::default()
                {
                    flag(tick, None, "a program's buffers are not in the capture", findings);
                }
                self.program(tick, (pid, buffers), findings);
            }
            Event::ProcessKilled { pid } => self.0.retain(|one| one.pid != pid),
            _ => {}
        }
    }

    /// A program ran, or was hooked: what it showed is all of its buffers or, since they have got
    /// their places before, none.
    fn program(
        &mut self,
        tick: Tick,
        (pid, buffers): (u32, ProgramBuffers),
        findings: &mut Findings,
    ) {
        // What a capture within another shows goes by its own mode, while that of the outermost
        // holds: it shows circular buffers twice, or none. Its count of them is not asked about.
        let outermost = self.0.iter_mut().find(|one| (one.pid, one.depth) == (pid, 0));
        let Some(capture) = outermost else { return };
        if !capture.deallocated {
            let what = "a program does not deallocate the circular buffers before it";
            flag(tick, None, what, findings);
        }
        if capture.shown != buffers && capture.shown != ProgramBuffers::default() {
            flag(tick, None, "a program's buffers are not its own in the capture", findings);
        }
        capture.deallocated = false;
        capture.shown = ProgramBuffers::default();
    }
}

impl Capture {
    fn see(&mut self, tick: Tick, node: &GraphNode, facts: &Facts<'_>, findings: &mut Findings) {
        match *node {
            GraphNode::CaptureStart | GraphNode::CaptureEnd => {}
            GraphNode::Buffer { object, size } => {
                if self.buffers.iter().any(|one| one.buffer == object.unique_id) {
                    flag(tick, Some(object), "a buffer has two nodes", findings);
                }
                let (node, buffer) = (self.next, object.unique_id);
                self.buffers.push(BufferNode { node, buffer, size, address: None });
            }
            GraphNode::BufferAllocate { object, connection, region, address, size } => {
                let allocated = at_its_block(object, region, address, facts);
                self.connect(tick, (object, connection), (address, size), findings);
                if !allocated {
                    let what = "a buffer is allocated where it has no block";
                    flag(tick, Some(object), what, findings);
                }
                let nodes = self.buffers.iter_mut();
                for own in nodes.filter(|one| one.buffer == object.unique_id) {
                    own.address = Some(address);
                }
            }
            GraphNode::BufferDeallocate { object, connection, address, size } => {
                self.connect(tick, (object, connection), (address, size), findings);
            }
            GraphNode::CircularBufferDeallocateAll { device } => {
                // A node for each chip is a program that died, and none that runs.
                self.deallocated |= matches!(device, TrackedDevice::Mesh(_));
                self.shown = ProgramBuffers::default();
            }
            GraphNode::CircularBufferAllocate { .. } => self.shown.circular += 1,
            GraphNode::DataflowBufferAllocate { .. } => self.shown.dataflow += 1,
        }
    }

    /// An event of a buffer is connected to the node of that buffer, and agrees with it.
    fn connect(
        &self,
        tick: Tick,
        (object, connection): (ObjectRef, u32),
        (address, size): (DeviceAddr, Bytes),
        findings: &mut Findings,
    ) {
        let node = self.buffers.iter().find(|one| one.node == connection);
        let own = node.filter(|node| node.buffer == object.unique_id);
        let agrees = |node: &BufferNode| {
            node.size == size && node.address.is_none_or(|known| known == address)
        };
        match own {
            None => flag(tick, Some(object), "connected to another buffer's node", findings),
            Some(node) if !agrees(node) => {
                flag(tick, Some(object), "size or address is not the buffer's", findings);
            }
            Some(_) => {}
        }
    }
}

/// Whether a buffer is allocated where the allocator has put it, or at 0 if a hook claimed it.
fn at_its_block(object: ObjectRef, region: Region, address: DeviceAddr, facts: &Facts<'_>) -> bool {
    let region = facts.holdings.region(region);
    let own = |address| {
        let held = region.and_then(|held| held.at(address));
        held.is_some_and(|held| held.owner.unique_id == object.unique_id)
    };
    address == DeviceAddr(0) || own(address)
}

fn flag(tick: Tick, by: Option<ObjectRef>, what: &'static str, findings: &mut Findings) {
    findings.flag(Violation { by, ..Violation::new(OracleName::GraphEvents, tick, what) });
}
