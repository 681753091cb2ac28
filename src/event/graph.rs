//! What a graph capture shows: the nodes of its graph (tt-metal.md E2).

use crate::event::Region;
use crate::message::ObjectRef;
use crate::units::{Bytes, DeviceAddr, Lanes};

/// The device that a node of circular buffers names.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum TrackedDevice {
    /// A mesh, by its id: one node.
    Mesh(u32),
    /// Physical devices: a node for each.
    Chips(Lanes),
}

/// A node of the graph, with the identity of its buffer, which the graph does not carry.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
#[allow(missing_docs, reason = "the fields are named for what they are; the variants say the rest")]
pub enum GraphNode {
    /// `capture_start`, the first.
    CaptureStart,
    /// `capture_end`, the last.
    CaptureEnd,
    /// `buffer`: made when a buffer is first seen.
    Buffer { object: ObjectRef, size: Bytes },
    /// `buffer_allocate`, connected to the node of its buffer.
    BufferAllocate {
        object: ObjectRef,
        connection: u32,
        region: Region,
        address: DeviceAddr,
        size: Bytes,
    },
    /// `buffer_deallocate`, connected to the node of its buffer.
    BufferDeallocate { object: ObjectRef, connection: u32, address: DeviceAddr, size: Bytes },
    /// `circular_buffer_allocate`.
    CircularBufferAllocate { device: TrackedDevice, address: DeviceAddr, size: Bytes },
    /// The same for a dataflow buffer.
    DataflowBufferAllocate { device: TrackedDevice, address: DeviceAddr, size: Bytes },
    /// `circular_buffer_deallocate_all`.
    CircularBufferDeallocateAll { device: TrackedDevice },
}

impl GraphNode {
    /// How many nodes of the graph this is: one for each physical device that it names.
    #[must_use]
    pub fn count(&self) -> u32 {
        match self {
            Self::CircularBufferAllocate { device, .. }
            | Self::DataflowBufferAllocate { device, .. }
            | Self::CircularBufferDeallocateAll { device } => match device {
                TrackedDevice::Mesh(_) => 1,
                TrackedDevice::Chips(chips) => chips.count(),
            },
            Self::CaptureStart
            | Self::CaptureEnd
            | Self::Buffer { .. }
            | Self::BufferAllocate { .. }
            | Self::BufferDeallocate { .. } => 1,
        }
    }
}

/// How many buffers a program has in L1 besides the allocator's.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash)]
pub struct ProgramBuffers {
    /// Circular buffers.
    pub circular: u32,
    /// Dataflow buffers.
    pub dataflow: u32,
}
