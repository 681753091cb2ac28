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
    /// `MeshBuffer::deallocate` holds a raw pointer to its mesh device.
    NoExpiryCheck = "no-expiry-check", rows [2, 4],
        "https://github.com/tenstorrent/tt-metal/pull/18181",
        "tt_metal/distributed/mesh_buffer.cpp",
        "a MeshBuffer reaches for its mesh device without asking whether it still exists";
    /// `MeshBuffer::deallocate` unmirrors without asking `is_initialized`.
    UnmirrorAfterClose = "unmirror-after-close", rows [3],
        "https://github.com/tenstorrent/tt-metal/pull/43422",
        "tt_metal/distributed/mesh_buffer.cpp",
        "an L1 MeshBuffer unmirrors its address in the allocators of devices that are closed";
    /// `Device::close` deallocates nothing.
    CloseKeepsBuffers = "close-keeps-buffers", rows [5],
        "https://github.com/tenstorrent/tt-metal/issues/8965",
        "tt_metal/impl/device/device.cpp",
        "close leaves the buffers on the device to their owners";
    /// Buffers outlive the close of their device and are deallocated through it.
    DeallocateAfterClose = "deallocate-after-close", rows [6],
        "https://github.com/tenstorrent/tt-metal/pull/9380",
        "tt_metal/impl/buffers/buffer.cpp",
        "a buffer that outlives its device is deallocated through it";
    /// `DeallocateBuffers` walks a map whose blocks went back before.
    BulkFreeFirst = "bulk-free-first", rows [8],
        "https://github.com/tenstorrent/tt-metal/issues/8637",
        "tt_metal/impl/allocator/allocator.cpp",
        "close frees all blocks at once, and then once more through each buffer";
    /// A buffer whose address was set is kept in the map of allocated buffers.
    AliasRegistered = "alias-registered", rows [9],
        "https://github.com/tenstorrent/tt-metal/issues/12046",
        "tt_metal/impl/buffers/buffer.cpp",
        "a buffer at a given address enters allocated_buffers_ and never leaves it";
    /// The state of a buffer is checked and changed in two steps.
    RacyDeallocate = "racy-deallocate", rows [11],
        "https://github.com/tenstorrent/tt-metal/pull/11106",
        "tt_metal/impl/buffers/buffer.cpp",
        "two threads that deallocate one buffer both get past the check of its state";
    /// Blocks that were coalesced away stay in the block table.
    StaleMetaBlock = "stale-meta-block", rows [18],
        "https://github.com/tenstorrent/tt-metal/pull/28659",
        "tt_metal/impl/allocator/algorithms/free_list_opt.cpp",
        "a walk over the block table meets blocks that coalescing has ended";
    /// A region without a free block gets none back.
    RegionLost = "region-lost", rows [19],
        "https://github.com/tenstorrent/tt-metal/pull/875",
        "tt_metal/impl/allocator/algorithms/free_list.cpp",
        "a block that filled its whole region is never free again";
    /// BEST searches as FIRST does.
    BestIsFirst = "best-is-first", rows [19],
        "https://github.com/tenstorrent/tt-metal/pull/4457",
        "tt_metal/impl/allocator/algorithms/free_list.cpp",
        "the best-fit policy searches as first fit does";
    /// A dying program's `owned_buffer_pool` passes to a longer-lived one.
    PoolOutlivesProgram = "pool-outlives-program", rows [21],
        "https://github.com/tenstorrent/tt-metal/issues/8065",
        "tt_metal/impl/program/program.cpp",
        "the buffers of a dying program's pool pass to somebody who never lets go";
    /// A program found in the cache is dispatched without validation.
    HitNotValidated = "hit-not-validated", rows [22],
        "https://github.com/tenstorrent/tt-metal/issues/53537",
        "tt_metal/impl/program/program.cpp",
        "a program found in the cache is not validated against L1 again";
    /// Circular buffers are freed through the allocator in `~Program`.
    CbsOutliveDevice = "cbs-outlive-device", rows [23],
        "https://github.com/tenstorrent/tt-metal/pull/1152",
        "tt_metal/impl/program/program.cpp",
        "circular buffers are freed through the allocator of a device that is gone";
    /// Close destroys the devices, and the programs of the cache point to them.
    DevicesEndAtClose = "devices-end-at-close", rows [27],
        "https://github.com/tenstorrent/tt-metal/pull/55538",
        "tt_metal/distributed/mesh_device.cpp",
        "close destroys the devices that cached programs point to";
    /// Close frees the buffers before the program cache that uses them.
    AllocatorBeforeCache = "allocator-before-cache", rows [31],
        "https://github.com/tenstorrent/tt-metal/pull/3513",
        "tt_metal/impl/device/device.cpp",
        "the command queue uses buffers of cached programs after the allocator took them back";
    /// `ttnn.deallocate` of a view is forced upon its root.
    DeallocateForcesRoot = "deallocate-forces-root", rows [40],
        "https://github.com/tenstorrent/tt-metal/issues/31145",
        "ttnn/core/tensor/tensor.cpp",
        "deallocating a view frees the buffer it is a view of";
    /// An accessor hands out a `shared_ptr` that its taker keeps.
    ExtraOwner = "extra-owner", rows [41],
        "https://github.com/tenstorrent/tt-metal/issues/44640",
        "ttnn/api/ttnn/tensor/storage.hpp",
        "somebody else keeps a copy of the pointer to the memory of a MeshBuffer";
    /// The shared memory has no slots for processes.
    NoProcessSlots = "no-process-slots", rows [42],
        "https://github.com/tenstorrent/tt-metal/pull/37218",
        "tt_metal/impl/allocator/shm_tracking.cpp",
        "the shared-memory counters do not know which process counted what";
    /// Circular buffers of cached programs are counted.
    CachedProgramsCounted = "cached-programs-counted", rows [42],
        "https://github.com/tenstorrent/tt-metal/issues/52010",
        "tt_metal/impl/program/program.cpp",
        "the circular buffers of every cached program are counted as memory in use";
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
