//! What the client tells the allocation server, with the provenance that the wire does not carry.

use std::fmt;

use crate::op::{BufferHandle, CacheKey, Name, TraceHandle};
use crate::units::{BufferType, Bytes, DeviceAddr, Lanes};

/// `Buffer::unique_id()`: a process-wide counter, and the only safe identity of a buffer, because
/// addresses and pointers are reused.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct UniqueId(pub u64);

/// Circular buffers are not Buffer objects and have no unique id: the model gives those of a
/// program the number of its runtime id, counted from here.
const CIRCULAR_BUFFERS: u64 = 1 << 62;

impl UniqueId {
    /// The id under which the circular buffers of a program report.
    #[must_use]
    pub fn of_circular_buffers(program: u32) -> Self {
        Self(CIRCULAR_BUFFERS + u64::from(program))
    }

    /// The program whose circular buffers report under this id; none for a buffer.
    #[must_use]
    pub fn program(self) -> Option<u32> {
        self.0.checked_sub(CIRCULAR_BUFFERS).and_then(|program| u32::try_from(program).ok())
    }
}

impl fmt::Display for UniqueId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.program() {
            Some(program) => write!(f, "#cb{program}"),
            None => write!(f, "#{}", self.0),
        }
    }
}

/// Who, in the scenario, a buffer object belongs to.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Origin {
    /// A buffer that the user's program named.
    Named(BufferHandle),
    /// The kernel binary of a cached program.
    KernelBinary(CacheKey),
    /// The temporary view through which a kernel binary is uploaded.
    TemporaryView(CacheKey),
    /// The circular buffers of the program with this runtime id.
    CircularBuffers(u32),
    /// The commands of a captured trace.
    TraceBuffer(TraceHandle),
}

impl Origin {
    /// The name in the scenario that it goes back to; none for circular buffers.
    #[must_use]
    pub fn name(self) -> Option<Name> {
        match self {
            Self::Named(buffer) => Some(Name::Buffer(buffer)),
            Self::KernelBinary(key) | Self::TemporaryView(key) => Some(Name::Key(key)),
            Self::CircularBuffers(_) => None,
            Self::TraceBuffer(trace) => Some(Name::Trace(trace)),
        }
    }
}

impl Default for Origin {
    fn default() -> Self {
        Self::Named(BufferHandle(0))
    }
}

impl fmt::Display for Origin {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Named(name) => name.fmt(f),
            Self::KernelBinary(key) => write!(f, "kernel({key})"),
            Self::TemporaryView(key) => write!(f, "temporary-view({key})"),
            Self::CircularBuffers(program) => write!(f, "cbs(program {program})"),
            Self::TraceBuffer(trace) => write!(f, "trace({trace})"),
        }
    }
}

/// A buffer object, as events name it: its name in the scenario and its unique id.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct ObjectRef {
    /// Who it belongs to.
    pub origin: Origin,
    /// Its unique id.
    pub unique_id: UniqueId,
}

impl fmt::Display for ObjectRef {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}{}", self.origin, self.unique_id)
    }
}

/// A kind of owner of a buffer, program or mesh; whoever lets go last runs the destructor.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
#[repr(u8)]
pub enum Role {
    /// A handle of the user's program.
    UserHandle = 0,
    /// A handle in a reference cycle, let go by the garbage collector.
    Cycle = 1,
    /// A program's `owned_buffer_pool`.
    Pool = 2,
    /// An entry of the program cache.
    CacheEntry = 3,
    /// The `OwnedBufferState` of a MeshBuffer, which owns the backing buffer.
    OwnedBufferState = 4,
    /// A view, which keeps its root object alive.
    View = 5,
    /// The map of device-local buffers in a MeshBuffer.
    DeviceLocal = 6,
    /// The device: a bulk release while it closes, a circular buffer flush, its command queue, or
    /// a sub-device manager's pool of traces.
    Device = 7,
}

impl Role {
    /// The name that reports print.
    #[must_use]
    pub fn name(self) -> &'static str {
        match self {
            Self::UserHandle => "user handle",
            Self::Cycle => "garbage collector",
            Self::Pool => "owned_buffer_pool",
            Self::CacheEntry => "cache entry",
            Self::OwnedBufferState => "OwnedBufferState",
            Self::View => "view",
            Self::DeviceLocal => "device-local map",
            Self::Device => "device",
        }
    }
}

impl fmt::Display for Role {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.name())
    }
}

/// The function of tt-metal that a message was sent from.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum CallPath {
    /// `Buffer::allocate_impl`.
    AllocateImpl,
    /// `Buffer::create` at a given address.
    CreateAtAddress,
    /// `Buffer::deallocate_impl`.
    DeallocateImpl,
    /// `Buffer::mark_as_deallocated`.
    MarkAsDeallocated,
    /// `Buffer::deallocate` or `~Buffer` of a buffer that owns nothing.
    NonOwner,
    /// The expired path of `MeshBuffer::deallocate`.
    Expired,
    /// The bulk release of a closing device.
    Close,
    /// `track_allocate_cb`.
    CircularBufferAllocate,
    /// `track_deallocate_cb`.
    CircularBufferFlush,
}

impl CallPath {
    /// The name that reports print.
    #[must_use]
    pub fn name(self) -> &'static str {
        match self {
            Self::AllocateImpl => "allocate_impl",
            Self::CreateAtAddress => "Buffer::create(address)",
            Self::DeallocateImpl => "deallocate_impl",
            Self::MarkAsDeallocated => "mark_as_deallocated",
            Self::NonOwner => "non-owner's deallocate",
            Self::Expired => "MeshBuffer::deallocate, mesh expired",
            Self::Close => "close",
            Self::CircularBufferAllocate => "track_allocate_cb",
            Self::CircularBufferFlush => "track_deallocate_cb",
        }
    }
}

impl fmt::Display for CallPath {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.name())
    }
}

/// ALLOC or FREE.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum MessageKind {
    /// Type code 1.
    Alloc,
    /// Type code 2.
    Free,
}

impl fmt::Display for MessageKind {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Alloc => "ALLOC",
            Self::Free => "FREE",
        })
    }
}

/// The same message for each device of a set: one send() each, in ascending device order.
///
/// Source of the fields: the client's struct, allocation-server.md 1.2. `owner`, `sender`, `path`
/// and `released_by` are provenance; no server reads them, except `owner` under `owner-id-key`.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct AllocMessage {
    /// ALLOC or FREE.
    pub kind: MessageKind,
    /// The `device_id` fields.
    pub devices: Lanes,
    /// The `buffer_id` field.
    pub address: DeviceAddr,
    /// The size of the buffer on each device; 0 on the wire in a FREE.
    pub size: Bytes,
    /// Which memory; 0 on the wire in a FREE.
    pub buffer_type: BufferType,
    /// The `process_id` field.
    pub pid: u32,
    /// The unique id of the buffer that owns the memory.
    pub owner: UniqueId,
    /// The buffer object that sends.
    pub sender: ObjectRef,
    /// The function it was sent from.
    pub path: CallPath,
    /// Who let go, if the message comes from a release.
    pub released_by: Role,
}

impl AllocMessage {
    /// The same message for some of its devices.
    #[must_use]
    #[inline]
    pub fn to(self, devices: Lanes) -> Self {
        Self { devices, ..self }
    }
}

impl fmt::Display for AllocMessage {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { kind, devices, address, size, buffer_type, pid, sender, path, .. } = self;
        write!(f, "{kind} device={devices} {buffer_type} address={address} size={size} pid={pid}")?;
        write!(f, " by {sender} in {path}")?;
        match kind {
            MessageKind::Alloc => Ok(()),
            MessageKind::Free => write!(f, " (released by {})", self.released_by),
        }
    }
}
