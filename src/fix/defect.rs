//! Real lifecycle bugs of the past as switches: the catalogue that a search must be able to find.

macro_rules! defects {
    ($($(#[$doc:meta])* $variant:ident = $name:literal, rows $rows:expr, $source:literal,
       $file:literal, $summary:literal;)*) => {
        /// A real bug of the past, which the switch of its name brings back.
        ///
        /// Source: table F of tt-metal.md.
        #[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
        #[repr(u8)]
        pub enum Defect {
            $($(#[$doc])* $variant,)*
        }

        /// The one table of bugs that the catalogue, help and documentation print.
        pub const DEFECTS: [DefectInfo; [$(Defect::$variant),*].len()] = [$(DefectInfo {
            defect: Defect::$variant,
            name: $name,
            rows: &$rows,
            source: $source,
            file: $file,
            summary: $summary,
        }),*];
    };
}

/// One row of the table of bugs.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct DefectInfo {
    /// The switch.
    pub defect: Defect,
    /// Its name on the command line and in `expect` lines.
    pub name: &'static str,
    /// The rows of table F of tt-metal.md that it stands for.
    pub rows: &'static [u8],
    /// The issue or pull request that tells of it.
    pub source: &'static str,
    /// The file of tt-metal that had the bug.
    pub file: &'static str,
    /// What was wrong, in one line.
    pub summary: &'static str,
}

defects! {
    /// `override_runtime_arguments` does not patch the addresses of a program found in the cache.
    StaleOverride = "stale-override", rows [28, 29],
        "https://github.com/tenstorrent/tt-metal/issues/49749",
        "ttnn/api/ttnn/device_operation.hpp",
        "a program found in the cache keeps the addresses of the call that built it";
    /// `deallocate_impl` does not remember that a hook claimed the allocation.
    HookedFlagMissing = "hooked-flag-missing", rows [1],
        "https://github.com/tenstorrent/tt-metal/pull/21806",
        "tt_metal/impl/buffers/buffer.cpp",
        "a hooked buffer that outlives the hook is given to an allocator that never had it";
    /// `end_graph_capture` leaves the hook in the GraphTracker.
    HookStays = "hook-stays", rows [14],
        "https://github.com/tenstorrent/tt-metal/pull/11627",
        "ttnn/cpp/ttnn/graph_processor.cpp",
        "the hook of a capture stays installed, so that later allocations are fake";
    /// A capture knows buffers by their host pointers.
    PointerIdentity = "pointer-identity", rows [13],
        "https://github.com/tenstorrent/tt-metal/pull/18764",
        "tt_metal/impl/lightmetal/host_api_capture_helpers.cpp",
        "a capture takes a new buffer at a reused host pointer for the old one";
    /// `track_deallocate` takes its counter before the buffer's node is made.
    LateBufferNode = "late-buffer-node", rows [15],
        "https://github.com/tenstorrent/tt-metal/pull/12169",
        "ttnn/cpp/ttnn/graph/graph_processor.cpp",
        "the deallocation of a buffer older than the capture gets its buffer node's counter";
    /// `track_program` records no deallocation of circular buffers.
    NoCbDeallocate = "no-cb-deallocate", rows [16],
        "https://github.com/tenstorrent/tt-metal/pull/11687",
        "ttnn/cpp/ttnn/graph/graph_processor.cpp",
        "a captured program does not deallocate the circular buffers of the one before";
    /// `track_program` walks `circular_buffers()` and no dataflow buffers.
    DataflowBuffersMissing = "dataflow-buffers-missing", rows [17],
        "https://github.com/tenstorrent/tt-metal/pull/52757",
        "tt_metal/impl/graph/graph_tracking.cpp",
        "a capture does not show the dataflow buffers of a Metal 2.0 program";
    /// `allocate_impl` tracks before it sets the status.
    TrackBeforeState = "track-before-state", rows [12],
        "https://github.com/tenstorrent/tt-metal/pull/17436",
        "tt_metal/impl/buffers/buffer.cpp",
        "a buffer is tracked while its status is ALLOCATION_REQUESTED";
    /// `MeshBuffer::deallocate` reports to the Inspector whatever the state.
    InspectorReportsTwice = "inspector-reports-twice", rows [],
        "https://github.com/tenstorrent/tt-metal/pull/53129",
        "tt_metal/distributed/mesh_buffer.cpp",
        "a MeshBuffer is reported deallocated by the explicit call and by its destructor";
    /// `GraphTracker::instance()` is destroyed before tensors in static variables.
    StaticTensors = "static-tensors", rows [24],
        "https://github.com/mudler/vllm.cpp/issues/1486",
        "tt_metal/impl/graph/graph_tracking.cpp",
        "a tensor in a static variable asks the GraphTracker after its destructor ran";
    /// `SystemMesh::instance()` is destroyed before a mesh device in a static variable.
    StaticMesh = "static-mesh", rows [25],
        "https://github.com/tenstorrent/tt-metal/issues/15290",
        "tt_metal/distributed/mesh_device.cpp",
        "a mesh device in a static variable unmaps itself from a SystemMesh that is gone";
    /// The tracker of allocations after a capture is missing: a replay overwrites them.
    UntrackedAllocations = "untracked-allocations", rows [33],
        "https://github.com/tenstorrent/tt-metal/issues/54032",
        "tt_metal/impl/allocator/allocator.cpp",
        "a trace is replayed over buffers that were allocated after its capture";
    /// The tracker exempts what the program cache allocates.
    TrackerSkipsProgramCache = "tracker-skips-program-cache", rows [34],
        "https://github.com/tenstorrent/tt-metal/issues/44420",
        "tt_metal/impl/allocator/allocator.cpp",
        "a trace is replayed over kernel binaries that a warm-up uploaded after its capture";
    /// Trace buffers are taken from DRAM instead of the TRACE region.
    TraceBuffersInDram = "trace-buffers-in-dram", rows [36],
        "https://github.com/tenstorrent/tt-metal/pull/9348",
        "tt_metal/impl/trace/trace.cpp",
        "trace buffers lie in ordinary DRAM, where the intermediates of traces overwrite them";
    /// `release_trace` does not give the size of the trace buffer back.
    TraceSizeKept = "trace-size-kept", rows [37],
        "https://github.com/tenstorrent/tt-metal/pull/22662",
        "tt_metal/distributed/mesh_trace.cpp",
        "the size of a released trace buffer goes on counting against the trace region";
    /// Traces that make allocations unsafe are counted instead of held in a set.
    CountedTraces = "counted-traces", rows [38],
        "https://github.com/tenstorrent/tt-metal/pull/53735",
        "tt_metal/distributed/mesh_device.cpp",
        "a capture that is ended twice registers twice, and allocations stay unsafe for ever";
    /// `release_trace` unregisters under the manager that is loaded, not that of the capture.
    TraceOfActiveManager = "trace-of-active-manager", rows [38],
        "https://github.com/tenstorrent/tt-metal/pull/50156",
        "tt_metal/distributed/mesh_device.cpp",
        "a trace released under another sub-device manager leaves allocations unsafe for ever";
    /// The owner of a trace in Python follows its mesh after the close.
    ReleaseTraceAfterClose = "release-trace-after-close", rows [26],
        "https://github.com/tenstorrent/tt-metal/pull/40124",
        "ttnn/ttnn/operations/trace.py",
        "the collector releases a trace of a mesh that is closed";
    /// Close does not wait for the worker's queue.
    CloseWithoutDrain = "close-without-drain", rows [7],
        "https://github.com/tenstorrent/tt-metal/pull/9584",
        "tt_metal/impl/device/device.cpp",
        "a device closes while its worker still has commands to execute";
    /// A queued deallocation reads the buffer through `this`.
    DeallocationReadsThis = "deallocation-reads-this", rows [10],
        "https://github.com/tenstorrent/tt-metal/pull/10095",
        "tt_metal/impl/buffers/buffer.cpp",
        "a queued deallocation reads the fields of a buffer that was destroyed meanwhile";
    /// Programs do not keep the buffers that are assigned to them.
    NoOwnedBufferPool = "no-owned-buffer-pool", rows [32],
        "https://github.com/tenstorrent/tt-metal/pull/7834",
        "tt_metal/impl/program/program.cpp",
        "an intermediate is freed before the program that uses it has run";
    /// The command queue owns the commands that it caches for a program.
    CommandsOutliveProgram = "commands-outlive-program", rows [30],
        "https://github.com/tenstorrent/tt-metal/pull/13608",
        "tt_metal/impl/dispatch/command_queue.cpp",
        "the cached commands of a program stay on the host when the program dies";
    /// Close resets the sub-device managers before their buffers are given back.
    ManagerResetFirst = "manager-reset-first", rows [1],
        "https://github.com/tenstorrent/tt-metal/pull/21727",
        "tt_metal/distributed/mesh_device.cpp",
        "buffers of a sub-device are given back after its manager was reset";
}

impl Defect {
    /// The row of the table that describes this switch.
    #[must_use]
    pub fn info(self) -> &'static DefectInfo {
        &DEFECTS[self as usize]
    }

    /// The name used on the command line.
    #[must_use]
    pub fn name(self) -> &'static str {
        self.info().name
    }
}
