//! Everything that happened, in past participles: the only thing an oracle ever sees.

mod graph;
mod print;

pub use graph::{GraphNode, ProgramBuffers, TrackedDevice};

use std::fmt;

use crate::mark::Mark;
use crate::message::{AllocMessage, ObjectRef, Role, UniqueId};
use crate::op::{ChildEnd, RunMode, SubDeviceManagerId, TraceHandle};
use crate::units::{BufferType, Bytes, DeviceAddr, Lanes};

/// Virtual time: the number of steps taken.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Tick(pub u64);

/// One allocator of the model: a mesh's, or a physical device's own.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct AllocatorId(pub u32);

/// `AllocationStatus`, tt-metal.md A2.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash)]
#[repr(u8)]
pub enum AllocationStatus {
    /// Before the allocator has answered.
    #[default]
    AllocationRequested,
    /// With an address.
    Allocated,
    /// After it; the address stays readable.
    Deallocated,
}

impl fmt::Display for AllocationStatus {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::AllocationRequested => "ALLOCATION_REQUESTED",
            Self::Allocated => "ALLOCATED",
            Self::Deallocated => "DEALLOCATED",
        })
    }
}

/// What an allocator reports after each call: what the `lowest` and `free-list` oracles compare
/// with what they counted themselves.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash)]
pub struct AllocatorState {
    /// Bytes allocated in the region of the buffer type, in one bank.
    pub allocated: Bytes,
    /// The lowest occupied address of the region.
    pub lowest: Option<DeviceAddr>,
}

/// The region of one allocator that a block lies in.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct Region {
    /// Which allocator.
    pub allocator: AllocatorId,
    /// Which memory.
    pub buffer_type: BufferType,
}

impl fmt::Display for Region {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "allocator={} {}", self.allocator.0, self.buffer_type)
    }
}

/// The extent of a region, and whose it is.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct RegionBounds {
    /// Its first address.
    pub start: DeviceAddr,
    /// The address after its last byte.
    pub end: DeviceAddr,
    /// What addresses and sizes in it are multiples of, relative to its start.
    pub alignment: Bytes,
}

/// A block of a region's block table.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct TableBlock {
    /// Its first address.
    pub address: DeviceAddr,
    /// Its size.
    pub size: Bytes,
    /// Whether it is allocated.
    pub allocated: bool,
}

/// The part of a buffer that changed its status.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Part {
    /// An owning buffer: a MeshBuffer's backing buffer, or a buffer of one device.
    Owner,
    /// Buffers that own nothing, on these devices: device-locals, aliases, views.
    NonOwners(Lanes),
}

/// Which of the two published guards swallowed a call.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Guard {
    /// The one in `mark_as_deallocated`.
    Mark,
    /// The one in `deallocate_impl`.
    Dealloc,
}

/// What a raw pointer pointed to.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum RawPointer {
    /// `allocator_` of a buffer.
    Allocator,
    /// `Buffer*` in `allocated_buffers_`.
    RegisteredBuffer,
    /// `IDevice*` in a program's `cb_devices_`.
    ProgramDevice,
    /// `MeshDevice*` of a MeshBuffer.
    MeshDevice,
    /// `this` in a deallocation that waits in a command queue.
    QueuedBuffer,
    /// The mesh in the owner of a trace.
    TraceDevice,
}

impl fmt::Display for RawPointer {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Allocator => "the allocator of a buffer",
            Self::RegisteredBuffer => "a buffer in allocated_buffers_",
            Self::ProgramDevice => "the device of a program's circular buffers",
            Self::MeshDevice => "the mesh device of a MeshBuffer",
            Self::QueuedBuffer => "the buffer of a queued deallocation",
            Self::TraceDevice => "the mesh of a trace",
        })
    }
}

/// An object of static storage duration that the runtime's own code goes to.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Singleton {
    /// `GraphTracker::instance()`.
    GraphTracker,
    /// `SystemMesh::instance()`.
    SystemMesh,
}

impl fmt::Display for Singleton {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::GraphTracker => "GraphTracker",
            Self::SystemMesh => "SystemMesh",
        })
    }
}

/// Something that happened.
///
/// Facts about a lock-step mesh carry the whole set of chips they hold for.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
#[allow(missing_docs, reason = "the fields are named for what they are; the variants say the rest")]
pub enum Event<'a> {
    /// A mesh device was opened, or cut from another, and got an id and an allocator.
    MeshOpened { mesh_id: u32, devices: Lanes, allocator: AllocatorId },
    /// A region of an allocator came to be.
    RegionOpened { region: Region, devices: Lanes, bounds: RegionBounds },
    /// `MeshDevice::close` ran; `live` buffers were still registered with its allocator.
    MeshClosed {
        mesh_id: u32,
        live: u32,
        /// Operations on its buffers that other threads have begun and not finished.
        in_flight: u32,
    },
    /// The last reference to a mesh went.
    MeshDestroyed { mesh_id: u32 },
    /// A MeshBuffer or Buffer object was made.
    BufferCreated { object: ObjectRef, owner: UniqueId, owns_data: bool, devices: Lanes },
    /// The object was destroyed; `released_by` let go last.
    BufferDestroyed {
        object: ObjectRef,
        released_by: Role,
        /// Whether the `allocated_buffers_` of a living allocator still points to it.
        registered: bool,
    },
    /// A buffer changed its status.
    StatusChanged {
        object: ObjectRef,
        part: Part,
        from: AllocationStatus,
        to: AllocationStatus,
        region: Region,
        address: DeviceAddr,
        /// Whether the allocator that holds the owner's block still exists.
        allocator_alive: bool,
    },
    /// The allocator gave out a block: `bytes` in each bank, `size` on each of the devices, which
    /// are fewer than the region's if a submesh shares its parent's allocator.
    AddressTaken {
        region: Region,
        object: ObjectRef,
        devices: Lanes,
        address: DeviceAddr,
        bytes: Bytes,
        size: Bytes,
        after: AllocatorState,
    },
    /// A block went back; `found` is its size, or none if the address was unknown.
    AddressReturned {
        region: Region,
        by: ObjectRef,
        address: DeviceAddr,
        found: Option<Bytes>,
        after: AllocatorState,
    },
    /// The allocator refused.
    AllocationFailed {
        region: Region,
        object: ObjectRef,
        /// What each bank would have had to store, if no free block was large enough for it.
        short_of: Option<Bytes>,
        after: AllocatorState,
    },
    /// An owner of memory is held by nobody any more who could let go of it.
    Stranded { object: ObjectRef, region: Region, address: DeviceAddr },
    /// The allocator forgot every block of a region (`clear`, or a bulk release).
    RegionCleared { region: Region, after: AllocatorState },
    /// The allocator was destroyed with its device.
    AllocatorDestroyed { allocator: AllocatorId },
    /// `allocated_buffers_` gained a buffer.
    Registered { allocator: AllocatorId, object: ObjectRef },
    /// `allocated_buffers_` lost a buffer.
    Unregistered { allocator: AllocatorId, object: ObjectRef },
    /// A guard returned early: the call would have done nothing anyway, or would have repeated.
    Swallowed { object: ObjectRef, devices: Lanes, guard: Guard },
    /// The client sent a message.
    Sent(&'a AllocMessage),
    /// The client lost a message in a full socket.
    Lost(&'a AllocMessage),
    /// The server read a message. FREEs for `missed` hit no entry.
    Answered { message: &'a AllocMessage, missed: Lanes },
    /// A program was built, with this runtime id and circular buffers up to `region_end`.
    ProgramBuilt { program: u32, mesh_id: u32, region_end: DeviceAddr },
    /// A program was found in the cache.
    CacheHit { program: u32 },
    /// The cache of a mesh was emptied.
    CacheCleared { mesh_id: u32, entries: u32 },
    /// A program passed validation and was dispatched.
    ProgramRan { pid: u32, program: u32, mesh_id: u32, buffers: ProgramBuffers },
    /// The hook of a NO_DISPATCH capture claimed a program: it was not dispatched.
    ProgramHooked { pid: u32, program: u32, mesh_id: u32, buffers: ProgramBuffers },
    /// A program failed validation: circular buffers up to `region_end` reach the L1 buffer at
    /// `lowest`.
    ProgramClashed { program: u32, region: Region, lowest: DeviceAddr, region_end: DeviceAddr },
    /// A program was dispatched without being validated, and its circular buffers, which end at
    /// `region_end`, lie over the L1 buffer at `lowest`.
    ProgramOverlaid { program: u32, region: Region, lowest: DeviceAddr, region_end: DeviceAddr },
    /// A program was destroyed.
    ProgramDestroyed { program: u32 },
    /// A dispatched program joins the trace that is being captured, and does not run.
    ProgramRecorded { trace: TraceHandle, program: u32 },
    /// A dispatched program waits in the command queue.
    ProgramQueued { program: u32 },
    /// The worker comes to a program that has waited.
    QueuedProgramRan { program: u32 },
    /// A program dies, and its cached commands stay with the command queue.
    CommandsKept { program: u32 },
    /// The capture of a trace began.
    TraceBegan { trace: TraceHandle, mesh_id: u32 },
    /// The capture of a trace ended, or should have; allocations are unsafe on account of so many
    /// registrations.
    TraceEnded { trace: TraceHandle, mesh_id: u32, active: u32 },
    /// A buffer asks for memory while so many registrations make allocations unsafe: a warning.
    UnsafeAllocation { object: ObjectRef, active: u32 },
    /// A trace was replayed.
    TraceReplayed { trace: TraceHandle, mesh_id: u32 },
    /// A replayed trace used memory, so many bytes in each bank. Buffers with the unique id
    /// `since`, and later ones, were created after its capture.
    TraceAccessed {
        trace: TraceHandle,
        region: Region,
        address: DeviceAddr,
        bytes: Bytes,
        since: UniqueId,
    },
    /// A trace was released; so many are left, with the registrations that make allocations unsafe
    /// and the size of all trace buffers, as the mesh counts them.
    TraceReleased { trace: TraceHandle, mesh_id: u32, left: u32, active: u32, buffers_size: Bytes },
    /// A sub-device manager was loaded.
    ManagerLoaded { mesh_id: u32, manager: SubDeviceManagerId },
    /// A buffer of a sub-device is about to be given back.
    ManagerValidated {
        object: ObjectRef,
        /// The manager that it was allocated under.
        allocated: SubDeviceManagerId,
        /// The manager that is loaded now.
        freed: SubDeviceManagerId,
    },
    /// Memory was read through a buffer. `owner` is who held it when the address was bound.
    MemoryAccessed {
        region: Region,
        by: ObjectRef,
        owner: UniqueId,
        address: DeviceAddr,
        size: Bytes,
        /// False if the address was bound in an earlier call and not patched in this one.
        fresh: bool,
    },
    /// A raw pointer was followed.
    RawPointerUsed { pointer: RawPointer, alive: bool, object: ObjectRef },
    /// An operation was refused with this text.
    Refused { text: &'a str },
    /// A graph capture began, in this mode, or the innermost one ended.
    CaptureSwitched { pid: u32, mode: Option<RunMode> },
    /// A capture, which is in so many others, got a node.
    Captured { pid: u32, depth: u32, counter: u32, node: GraphNode },
    /// The hook of a capture claimed an allocation: the buffer has address 0 and no block.
    AllocationHooked { pid: u32, object: ObjectRef },
    /// The Inspector started a session; buffers with lower ids are older than it.
    InspectorStarted { next: UniqueId },
    /// The Inspector was told that a MeshBuffer was allocated, or deallocated.
    Inspected { pid: u32, object: ObjectRef, allocated: bool },
    /// A destructor that runs after `main` went to a singleton, destroyed or not.
    SingletonUsed { singleton: Singleton, alive: bool },
    /// The client was switched on or off.
    TrackingSwitched { on: bool },
    /// The server forgot everything.
    ServerRestarted,
    /// A process died; its allocators and buffers went with it.
    ProcessKilled { pid: u32 },
    /// A process made a child, which is gone.
    Forked { pid: u32, end: ChildEnd },
    /// The reaper removed the entries of a dead process.
    Reaped { pid: u32, keys: u64 },
    /// No operation and no message is in flight; the server counts these bytes on each device.
    Quiescent { tracked: &'a [u64] },
    /// At a checkpoint: the block table of a region.
    BlockTable { region: Region, blocks: &'a [TableBlock], after: AllocatorState },
    /// At a checkpoint: an entry of the server.
    ServerEntry { devices: Lanes, address: DeviceAddr, buffer_type: BufferType, size: Bytes },
    /// A checkpoint is complete; the last one ends the scenario.
    Checkpoint {
        last: bool,
        /// The bytes that the server counts on each device.
        tracked: &'a [u64],
        /// Whether the server has keys at all.
        keyed: bool,
    },
    /// A rare situation was reached.
    Reached(Mark),
}

/// Something that watches a simulation.
pub trait Observer {
    /// Sees one event.
    fn observe(&mut self, tick: Tick, event: &Event<'_>);

    /// Whether it would see anything; if not, events need not reach it.
    #[inline(always)]
    fn watches(&self) -> bool {
        true
    }
}

/// Watches nothing.
impl Observer for () {
    #[inline(always)]
    fn observe(&mut self, _: Tick, _: &Event<'_>) {}

    #[inline(always)]
    fn watches(&self) -> bool {
        false
    }
}

/// Two observers see each event, the first one first.
impl<A: Observer, B: Observer> Observer for (A, B) {
    #[inline(always)]
    fn observe(&mut self, tick: Tick, event: &Event<'_>) {
        self.0.observe(tick, event);
        self.1.observe(tick, event);
    }
}

impl<O: Observer + ?Sized> Observer for &mut O {
    #[inline(always)]
    fn observe(&mut self, tick: Tick, event: &Event<'_>) {
        (**self).observe(tick, event);
    }

    #[inline(always)]
    fn watches(&self) -> bool {
        (**self).watches()
    }
}
