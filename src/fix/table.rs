//! The one table of fixes that help, README and documentation print.

use super::Fix;

/// One row of the table of fixes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct FixInfo {
    /// The switch.
    pub fix: Fix,
    /// Its name on the command line and in `expect` lines.
    pub name: &'static str,
    /// The document or section that proposes it.
    pub source: &'static str,
    /// The file of tt-metal (or of its allocation server) that it changes.
    pub file: &'static str,
    /// What it does, in one line.
    pub summary: &'static str,
}

/// The one table that help, README and documentation print.
pub const FIXES: [FixInfo; 24] = [
    FixInfo {
        fix: Fix::ReleasePool,
        name: "release-pool",
        source: "document 000, fix 1",
        file: "tt_metal/impl/program/program.cpp",
        summary: "~Program releases owned_buffer_pool before the rest of the program dies",
    },
    FixInfo {
        fix: Fix::BackingFirst,
        name: "backing-first",
        source: "document 000, fix 2",
        file: "tt_metal/distributed/mesh_buffer.cpp",
        summary: "MeshBuffer::deallocate calls mark_as_deallocated on the backing buffer first",
    },
    FixInfo {
        fix: Fix::OwnsDataGate,
        name: "owns-data-gate",
        source: "document 000, fix 3",
        file: "tt_metal/impl/buffers/buffer.cpp",
        summary: "mark_as_deallocated sends FREE only for buffers that own their memory",
    },
    FixInfo {
        fix: Fix::MeshFilterAlloc,
        name: "mesh-filter-alloc",
        source: "document 004, solution 1",
        file: "tt_metal/graph/graph_tracking.cpp",
        summary: "track_allocate skips buffers whose device is a MeshDevice",
    },
    FixInfo {
        fix: Fix::MeshFilterFree,
        name: "mesh-filter-free",
        source: "document 004, solution 1",
        file: "tt_metal/graph/graph_tracking.cpp",
        summary: "track_deallocate skips buffers whose device is a MeshDevice",
    },
    FixInfo {
        fix: Fix::MarkLocals,
        name: "mark-locals",
        source: "document 004, solution 3",
        file: "tt_metal/distributed/mesh_buffer.cpp",
        summary: "MeshBuffer::deallocate marks each device-local buffer while its mesh is alive",
    },
    FixInfo {
        fix: Fix::GuardMark,
        name: "guard-mark",
        source: "document 003",
        file: "tt_metal/impl/buffers/buffer.cpp",
        summary: "mark_as_deallocated returns at once if the buffer is already deallocated",
    },
    FixInfo {
        fix: Fix::GuardDealloc,
        name: "guard-dealloc",
        source: "document 001, guard 2",
        file: "tt_metal/impl/buffers/buffer.cpp",
        summary: "deallocate_impl returns at once if the buffer is already deallocated",
    },
    FixInfo {
        fix: Fix::NonownerFree,
        name: "nonowner-free",
        source: "tt-metal.md A6, variant F2",
        file: "tt_metal/impl/buffers/buffer.cpp",
        summary: "non-owners send FREE from their own deallocate or destructor only",
    },
    FixInfo {
        fix: Fix::OwnerFanOut,
        name: "owner-fan-out",
        source: "tt-metal.md A6, variant U-SHM",
        file: "tt_metal/impl/memory_tracking/buffer_allocation_observer.cpp",
        summary: "only owners report, a MeshDevice's buffer once for each chip",
    },
    FixInfo {
        fix: Fix::TypedKey,
        name: "typed-key",
        source: "allocation-server.md 1.7",
        file: "allocation_server_poc.cpp",
        summary: "the buffer type joins the server's key",
    },
    FixInfo {
        fix: Fix::OwnerIdKey,
        name: "owner-id-key",
        source: "tt-metal.md A1",
        file: "allocation_server_poc.cpp",
        summary: "the owner's unique_id joins the server's key",
    },
    FixInfo {
        fix: Fix::ReportOnClose,
        name: "report-on-close",
        source: "allocation-server.md 5.2 #3",
        file: "tt_metal/impl/allocator/allocator.cpp",
        summary: "the bulk deallocate_buffers of a closing device sends FREE",
    },
    FixInfo {
        fix: Fix::ClearCacheOnClose,
        name: "clear-cache-on-close",
        source: "allocation-server.md 5.2 #8",
        file: "tt_metal/distributed/mesh_device.cpp",
        summary: "close clears the program cache first",
    },
    FixInfo {
        fix: Fix::CbFlushPerProgram,
        name: "cb-flush-per-program",
        source: "allocation-server.md 1.6",
        file: "tt_metal/graph/graph_tracking.cpp",
        summary: "a dying program flushes its own circular buffers, not every program's",
    },
    FixInfo {
        fix: Fix::CbAwareL1,
        name: "cb-aware-l1",
        source: "document 002, option B",
        file: "tt_metal/impl/allocator/allocator.cpp",
        summary: "L1 buffers are kept above the circular buffer region",
    },
    FixInfo {
        fix: Fix::BlockingSend,
        name: "blocking-send",
        source: "allocation-server.md 5.2 #19",
        file: "tt_metal/impl/allocator/allocation_client.cpp",
        summary: "a full socket blocks the sender instead of losing the message",
    },
    FixInfo {
        fix: Fix::CloseBeforeReconnect,
        name: "close-before-reconnect",
        source: "allocation-server.md 1.6, era B",
        file: "tt_metal/impl/allocator/allocation_client.cpp",
        summary: "the old socket is closed, so read to its end, before a new one opens",
    },
    FixInfo {
        fix: Fix::FreeWhenExpired,
        name: "free-when-expired",
        source: "tt-metal.md F, S-EXPIRED",
        file: "tt_metal/distributed/mesh_buffer.cpp",
        summary: "a MeshBuffer whose mesh is gone still sends its FREE messages",
    },
    FixInfo {
        fix: Fix::SilentHooked,
        name: "silent-hooked",
        source: "tt-metal.md F, S-NODISPATCH",
        file: "tt_metal/graph/graph_tracking.cpp",
        summary: "buffers whose allocation was hooked send nothing",
    },
    FixInfo {
        fix: Fix::SubmeshSharesState,
        name: "submesh-shares-state",
        source: "tt-metal.md B5",
        file: "tt_metal/distributed/mesh_device.cpp",
        summary: "a submesh allocates from its parent's allocator state, not a fresh one; each \
                  close gives back what its own mesh has",
    },
    FixInfo {
        fix: Fix::AtomicAllocation,
        name: "atomic-allocation",
        source: "tt-metal.md F, S-THROWLEAK",
        file: "tt_metal/impl/allocator/algorithms/free_list_opt.cpp",
        summary: "an allocation below the address limit gives its block back before it throws",
    },
    FixInfo {
        fix: Fix::ClearResetsLowest,
        name: "clear-resets-lowest",
        source: "tt-metal.md F, S-CLEARLOW",
        file: "tt_metal/impl/allocator/algorithms/free_list_opt.cpp",
        summary: "clear() also forgets the lowest occupied address",
    },
    FixInfo {
        fix: Fix::BestFitL1,
        name: "best-fit-l1",
        source: "tt-metal.md D3, pull request 35515",
        file: "tt_metal/impl/allocator/bank_manager.cpp",
        summary: "L1 and L1_SMALL are searched by best fit instead of first fit",
    },
];
