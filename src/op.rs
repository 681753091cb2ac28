//! What the user's program does: one [`Op`] is one line of a scenario.

mod handle;
mod kinds;
mod names;
mod parts;
mod print;

pub use handle::{
    BufferHandle, CacheKey, Handle, MeshHandle, Place, ProcessId, ProgramHandle,
    SubDeviceManagerId, ThreadId, TraceHandle,
};
pub use kinds::{CaptureStep, ChildEnd, Moves, Piece, RunMode, Stream};
pub use names::Name;

use std::fmt;

use crate::units::{BufferType, Bytes, MeshShape};

/// A buffer's pages: `12x2048` is twelve pages of 2048 bytes; a count of 0 is a zero-size buffer.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Pages {
    /// How many pages.
    pub count: u32,
    /// The size of one page.
    pub size: Bytes,
}

impl Pages {
    /// The size of the buffer: all pages together.
    #[must_use]
    #[inline]
    pub fn total(self) -> Bytes {
        Bytes(u64::from(self.count) * self.size.0)
    }
}

impl fmt::Display for Pages {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}x{}", self.count, self.size)
    }
}

/// Everything a buffer is created from, besides its place.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct BufferSpec {
    /// Which memory.
    pub buffer_type: BufferType,
    /// Its pages, on each device.
    pub pages: Pages,
    /// Taken from the top of the region; none means the type's default (DRAM and TRACE from the
    /// bottom, L1 and L1_SMALL from the top).
    pub top_down: Option<bool>,
    /// The number of shards of a sharded buffer; none means interleaved.
    pub shards: Option<u32>,
}

impl fmt::Display for BufferSpec {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let kind = match self.buffer_type {
            BufferType::Dram => "dram",
            BufferType::L1 => "l1",
            BufferType::L1Small => "l1-small",
            BufferType::Trace => "trace",
        };
        write!(f, "{kind} {}", self.pages)?;
        match self.top_down {
            Some(true) => f.write_str(" top")?,
            Some(false) => f.write_str(" bottom")?,
            None => {}
        }
        self.shards.map_or(Ok(()), |shards| write!(f, " shards {shards}"))
    }
}

/// A rectangle of worker cores, both corners included.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct CoreRange {
    /// Column and row of the first corner.
    pub start: (u8, u8),
    /// Column and row of the last corner.
    pub end: (u8, u8),
}

impl CoreRange {
    /// Whether the two rectangles share a core.
    #[must_use]
    pub fn intersects(self, other: Self) -> bool {
        self.start.0 <= other.end.0
            && other.start.0 <= self.end.0
            && self.start.1 <= other.end.1
            && other.start.1 <= self.end.1
    }
}

impl fmt::Display for CoreRange {
    /// Prints the form of scenario files: `0-0:7-7`.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}-{}:{}-{}", self.start.0, self.start.1, self.end.0, self.end.1)
    }
}

/// Circular buffers of a program: `3x4096` is three of 4096 bytes on every core,
/// `1x2048@0-0:3-3` one on a rectangle of cores.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct CircularBufferSpec {
    /// How many, in creation order.
    pub count: u32,
    /// The size of each.
    pub size: Bytes,
    /// The cores; none means all of them.
    pub cores: Option<CoreRange>,
}

impl fmt::Display for CircularBufferSpec {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}x{}", self.count, self.size)?;
        self.cores.map_or(Ok(()), |cores| write!(f, "@{cores}"))
    }
}

/// What one dispatch of a cached operation uses.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct RunSpec {
    /// The cache key.
    pub key: CacheKey,
    /// The mesh it runs on.
    pub mesh: MeshHandle,
    /// The circular buffers of its program.
    pub circular_buffers: Vec<CircularBufferSpec>,
    /// The kernel binary that a miss uploads to DRAM, top-down, through a temporary view.
    pub kernel: Option<Pages>,
    /// The buffers it reads.
    pub reads: Vec<BufferHandle>,
    /// The buffer it creates for its result, before the cache is looked up.
    pub output: Option<(BufferHandle, BufferSpec)>,
    /// On a hit, keep the addresses of the call that built the program (the class of bugs in
    /// which `override_runtime_arguments` misses an argument).
    pub stale: bool,
    /// Whether it moves what it reads first to the buffer it creates.
    pub moves: Option<Moves>,
}

/// One operation of the user's program, or of the world around it.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Op {
    /// `open m0 2x4 [at 0,0]`: opens a mesh device on a rectangle of chips.
    Open {
        /// Its name.
        mesh: MeshHandle,
        /// Its shape.
        shape: MeshShape,
        /// Row and column of its first chip.
        at: (u8, u8),
    },
    /// `submesh m1 of m0 1x2 [at 0,0]`: a mesh on some of another mesh's chips.
    Submesh {
        /// Its name.
        mesh: MeshHandle,
        /// The mesh it is cut from.
        parent: MeshHandle,
        /// Its shape.
        shape: MeshShape,
        /// Row and column, in the parent, of its first chip.
        at: (u8, u8),
    },
    /// `close m0`: `MeshDevice::close`, the object staying alive.
    Close(MeshHandle),
    /// `alloc b0 on m0 dram 12x2048 [top|bottom] [shards 4]`: an owning buffer.
    Alloc {
        /// Its name.
        buffer: BufferHandle,
        /// Where.
        place: Place,
        /// What.
        spec: BufferSpec,
    },
    /// `alias b1 of b0`: a buffer created at another one's address, owning nothing and keeping
    /// nothing alive.
    Alias {
        /// Its name.
        buffer: BufferHandle,
        /// Whose address it takes.
        of: BufferHandle,
    },
    /// `view b1 of b0 [1x2048]`: `Buffer::view` of the first pages; keeps the root object alive.
    View {
        /// Its name.
        buffer: BufferHandle,
        /// Its root.
        of: BufferHandle,
        /// How much of it; none means half of the pages, at least one.
        pages: Option<Pages>,
    },
    /// `share b1 of b0`: one more user handle on the same object.
    Share {
        /// Its name.
        buffer: BufferHandle,
        /// The handle that is copied.
        of: BufferHandle,
    },
    /// `deallocate b0`: the explicit call; the handle stays.
    Deallocate(BufferHandle),
    /// `deallocate-unforced b0`: the call with `force=False`; nothing if anybody else holds it.
    DeallocateUnforced(BufferHandle),
    /// `mark b0`: a direct call of `Buffer::mark_as_deallocated`.
    Mark(BufferHandle),
    /// `drop b0`, `drop m0`, `drop p0`: the user's handle lets go.
    Drop(Handle),
    /// `cycle b0`: the handle becomes part of a reference cycle; only `gc` can let it go.
    Cycle(BufferHandle),
    /// `gc`: Python's collector lets go of every handle in a cycle, in handle order.
    Gc,
    /// `release b0 backing`, `release b0 d3`: one piece of a MeshBuffer dies on its own.
    Release {
        /// The MeshBuffer.
        buffer: BufferHandle,
        /// The piece.
        piece: Piece,
    },
    /// `use b0`: a read of the buffer's memory.
    Use(BufferHandle),
    /// `program p0 on m0 [cbs 3x4096]`: a program object with its circular buffers.
    Program {
        /// Its name.
        program: ProgramHandle,
        /// The mesh it is for.
        mesh: MeshHandle,
        /// Its circular buffers.
        circular_buffers: Vec<CircularBufferSpec>,
    },
    /// `share-program p1 of p0`: a second owner of the program's implementation.
    ShareProgram {
        /// Its name.
        program: ProgramHandle,
        /// The handle that is copied.
        of: ProgramHandle,
    },
    /// `assign b0 to p0`: `AssignGlobalBufferToProgram`; the buffer joins `owned_buffer_pool`.
    Assign {
        /// The buffer.
        buffer: BufferHandle,
        /// The program.
        program: ProgramHandle,
    },
    /// `enqueue p0 [reads b0]`: validates the program against L1 and runs it.
    Enqueue {
        /// The program.
        program: ProgramHandle,
        /// The buffers it reads.
        reads: Vec<BufferHandle>,
    },
    /// `run k0 on m0 ...`: a ttnn operation, through the program cache.
    Run(Box<RunSpec>),
    /// `clear-cache m0`: `clear_program_cache`.
    ClearCache(MeshHandle),
    /// `disable-cache m0`: `disable_and_clear_program_cache`.
    DisableCache(MeshHandle),
    /// `enable-cache m0`.
    EnableCache(MeshHandle),
    /// `begin-trace r0 on m0`: `begin_trace_capture`; programs are recorded from here on.
    BeginTrace {
        /// Its name.
        trace: TraceHandle,
        /// The mesh whose programs it records.
        mesh: MeshHandle,
    },
    /// `end-trace r0`: `end_trace_capture`; the commands go to a trace buffer.
    EndTrace(TraceHandle),
    /// `replay r0`: `execute_trace`, blocking.
    Replay(TraceHandle),
    /// `release-trace r0`: `release_trace`, also from the destructor of its owner in Python.
    ReleaseTrace(TraceHandle),
    /// `async m0 on|off`: `enable_async`; programs and deallocations queue up until `finish`.
    Async {
        /// The mesh.
        mesh: MeshHandle,
        /// Whether calls are queued.
        on: bool,
    },
    /// `finish m0`: `Finish`; the commands that are queued are executed, oldest first.
    Finish(MeshHandle),
    /// `load-manager m0 s1`: `load_sub_device_manager`; `s0` is `clear_loaded_sub_device_manager`.
    LoadManager {
        /// The mesh.
        mesh: MeshHandle,
        /// The manager.
        manager: SubDeviceManagerId,
    },
    /// `deallocate-all m0`: the allocator's bulk `deallocate_buffers`; the Buffer objects do not
    /// learn of it.
    DeallocateAll(MeshHandle),
    /// `clear-allocator m0`: the allocator's `clear()`, which wipes its free lists.
    ClearAllocator(MeshHandle),
    /// `capture begin [normal]`, `capture end`: a graph capture; only its outermost mode counts.
    Capture(CaptureStep),
    /// `tracking on`, `tracking off`: whether the client reports at all.
    Tracking(bool),
    /// `server restart`: the server forgets everything.
    ServerRestart,
    /// `lose 3`: the socket is full for the next messages.
    Lose(u32),
    /// `stall`: the server stops reading the client's socket; messages queue up in it.
    Stall,
    /// `reconnect`: the client opens a new socket.
    Reconnect,
    /// `deliver old`, `deliver new`: the server reads one message from a queue.
    Deliver(Stream),
    /// `process q1`: the following operations happen in another process.
    Process(ProcessId),
    /// `kill q0`: a process dies without a word.
    Kill(ProcessId),
    /// `fork exit`, `fork _exit`: the process makes a child, which ends at once.
    Fork(ChildEnd),
    /// `reap`: the server's reaper removes the entries of dead processes.
    Reap,
    /// `checkpoint`: a quiescent point, as DUMP_REMAINING makes one.
    Checkpoint,
    /// `exit`: the program ends: every handle is dropped, newest first, then the meshes.
    Exit,
    /// `dataflow-program p0 on m0 [dfbs 1x4096]`: a Metal 2.0 program, whose L1 is dataflow buffers
    /// and which has no circular buffer at all.
    DataflowProgram {
        /// Its name.
        program: ProgramHandle,
        /// The mesh it is for.
        mesh: MeshHandle,
        /// Its dataflow buffers.
        dataflow_buffers: Vec<CircularBufferSpec>,
    },
    /// `inspector on`: the Inspector starts a session and hears of MeshBuffers from now on.
    Inspector,
    /// `static b0`, `static m0`, `static p0`: the handle is a variable of static storage duration,
    /// which `exit` destroys after the end of `main`.
    Static(Handle),
}

impl Op {
    /// Whether it is done to the program and not by it: to its processes, to its messages, or to
    /// what of them anybody counts.
    #[must_use]
    pub fn is_of_surroundings(&self) -> bool {
        matches!(
            self,
            Self::Tracking(_)
                | Self::ServerRestart
                | Self::Lose(_)
                | Self::Stall
                | Self::Reconnect
                | Self::Deliver(_)
                | Self::Kill(_)
        )
    }
}
