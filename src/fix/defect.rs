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
