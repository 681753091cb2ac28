//! What an input says: one event type for logs, wire streams, captures and snapshots.

use std::fmt;

use crate::units::{Bytes, DeviceAddr};

/// Where in its input an event is: the line of a text, the record of a wire stream, the node of a
/// capture, the byte of a snapshot, the operation of a report.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Place(pub u64);

impl fmt::Display for Place {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.fmt(f)
    }
}

/// A device number as an input states it, in range or not.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Device(pub i32);

impl Device {
    /// What stands for the device in messages that name none (the server before its key had one).
    pub const UNSTATED: Self = Self(i32::MIN);
}

impl fmt::Display for Device {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if *self == Self::UNSTATED { f.write_str("?") } else { self.0.fmt(f) }
    }
}

/// A process id as an input states it.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Process(pub i32);

impl fmt::Display for Process {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.fmt(f)
    }
}

/// What tells two buffers at one address apart: a host pointer, or the node of a capture.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Object(pub u64);

/// A call path, by its number in [`Paths`](super::Paths).
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct PathId(pub u32);

/// A memory, with the codes of tt-metal's `BufferType`.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash)]
#[repr(u8)]
pub enum Memory {
    /// Off-chip memory.
    #[default]
    Dram = 0,
    /// On-chip memory.
    L1 = 1,
    /// Memory of the host, which the server counts as `L1_SMALL`.
    SystemMemory = 2,
    /// The top of on-chip memory.
    L1Small = 3,
    /// The top of off-chip memory.
    Trace = 4,
}

impl Memory {
    /// Every memory, in the order of the codes.
    pub const ALL: [Self; 5] =
        [Self::Dram, Self::L1, Self::SystemMemory, Self::L1Small, Self::Trace];

    /// The name that the server prints.
    #[must_use]
    pub fn name(self) -> &'static str {
        match self {
            Self::Dram => "DRAM",
            Self::L1 => "L1",
            Self::SystemMemory => "SYSTEM_MEMORY",
            Self::L1Small => "L1_SMALL",
            Self::Trace => "TRACE",
        }
    }

    /// The memory of that name.
    #[must_use]
    #[inline]
    pub fn from_name(name: &[u8]) -> Option<Self> {
        Self::ALL.into_iter().find(|memory| memory.name().as_bytes() == name)
    }

    /// The memory of that code.
    #[must_use]
    #[inline]
    pub fn from_code(code: u64) -> Option<Self> {
        usize::try_from(code).ok().and_then(|code| Self::ALL.get(code)).copied()
    }
}

impl fmt::Display for Memory {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.name())
    }
}

/// What the server said behind an ALLOC that it printed.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Registered {
    /// Nothing.
    #[default]
    Plain,
    /// `ref_count=N`.
    Count(u32),
}

/// What the server said behind a FREE that it found.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Released {
    /// Nothing: the server before it counted references, or a source that never says.
    #[default]
    Plain,
    /// `FINAL`.
    Final,
    /// `ref_count=N remaining`.
    Remaining(u32),
}

/// What the server said of a FREE that it did not find.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Missed {
    /// `(allocated before tracking started)`, or nothing.
    #[default]
    Unknown,
    /// `Warning: Deallocation for unknown buffer`, without process and device.
    Warning,
    /// `(never tracked ..)`: the server that keeps histories.
    NeverTracked,
    /// `ALREADY FREED`: the server that keeps histories.
    AlreadyFreed,
}

/// A counter that a snapshot holds.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum CounterOf {
    /// The whole region.
    Region,
    /// One chip of it.
    Chip,
    /// One process of it.
    Process,
}

/// The memories that a snapshot counts.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
#[repr(u8)]
pub enum Counted {
    /// Off-chip memory.
    Dram,
    /// On-chip memory.
    L1,
    /// The top of on-chip memory.
    L1Small,
    /// Captured traces.
    Trace,
    /// Circular buffers.
    CircularBuffers,
    /// Kernels (the first layout only).
    Kernels,
}

impl Counted {
    /// Every counter, in the order of the layout.
    pub const ALL: [Self; 6] =
        [Self::Dram, Self::L1, Self::L1Small, Self::Trace, Self::CircularBuffers, Self::Kernels];

    /// Its name.
    #[must_use]
    pub fn name(self) -> &'static str {
        match self {
            Self::Dram => "DRAM",
            Self::L1 => "L1",
            Self::L1Small => "L1_SMALL",
            Self::Trace => "TRACE",
            Self::CircularBuffers => "CB",
            Self::Kernels => "KERNEL",
        }
    }
}

/// What happened.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Action {
    /// A buffer came.
    Alloc(Registered),
    /// A buffer went, and whoever wrote the input knew it.
    Free(Released),
    /// A FREE of something that the server did not know.
    UnknownFree(Missed),
    /// The server that keeps histories saw another size under a live key: the old one.
    Resized(Bytes),
    /// A destructor ran while the buffer was still allocated.
    Destructor,
    /// A circular buffer was laid out on one chip.
    CircularAlloc,
    /// A circular buffer was given back.
    CircularFree,
    /// All circular buffers of a device were given back.
    CircularFreeAll,
    /// A kernel was loaded.
    KernelLoad,
    /// A kernel was unloaded.
    KernelUnload,
    /// The server refused a message: its sentence is at this place.
    Rejected,
    /// A line or record that starts as an event and does not end as one.
    Torn,
    /// The last line of an input, which has no end.
    Cut,
    /// A wire stream lost its step here, for so many bytes.
    Resync(Bytes),
    /// A query, a dump request, an answer.
    Other,
    /// A server started here.
    Started,
    /// It keeps books for each process and memory on its own.
    StrictBooks,
    /// The reaper removed so many buffers of the process.
    Reaped(u32),
    /// The statistics or the dump start here.
    Statement,
    /// A statement: so many keys live, on all devices.
    StatedKeys(u64),
    /// A statement: so many keys live on the device; of one memory if that is stated.
    StatedBuffers(u64),
    /// A statement: so many bytes of a memory live on the device.
    StatedBytes(Bytes),
    /// A statement: the key is live, with so many references.
    StatedEntry(u32),
    /// A mesh, whose id is the device number, has this chip.
    MeshChip(Device),
    /// A snapshot's counter; the size is its value.
    Counter(CounterOf, Counted),
    /// A number in the head of a snapshot: version, processes, references.
    Head(Header),
}

/// The head of a snapshot.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Header {
    /// The version of the layout.
    Version(u32),
    /// `num_active_processes`.
    Processes(u32),
    /// `reference_count`.
    References(u32),
}

/// Whose number a device number is.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord)]
pub enum Numbers {
    /// A chip's.
    #[default]
    Chips,
    /// A mesh device's.
    Meshes,
}

/// What an input says at one place.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Event {
    /// Where.
    pub place: Place,
    /// What.
    pub action: Action,
    /// On which device.
    pub device: Device,
    /// Whose number that is.
    pub numbers: Numbers,
    /// In which memory, if it is said.
    pub memory: Option<Memory>,
    /// The buffer id, which is a device address.
    pub address: DeviceAddr,
    /// How large, if it is said.
    pub size: Option<Bytes>,
    /// How much of every bank, if it is said.
    pub per_bank: Option<Bytes>,
    /// Whose, if it is said.
    pub process: Option<Process>,
    /// Which buffer object, if it is said.
    pub object: Option<Object>,
    /// In which call, if it is said.
    pub path: Option<PathId>,
}

impl Event {
    /// An event with nothing but its place.
    ///
    /// ```
    /// use freeorder::audit::{Action, Event, Place};
    /// let event = Event::new(Place(7), Action::Started);
    /// assert_eq!((event.place.0, event.size), (7, None));
    /// ```
    #[must_use]
    #[inline]
    pub const fn new(place: Place, action: Action) -> Self {
        Self {
            place,
            action,
            device: Device(0),
            numbers: Numbers::Chips,
            memory: None,
            address: DeviceAddr(0),
            size: None,
            per_bank: None,
            process: None,
            object: None,
            path: None,
        }
    }
}
