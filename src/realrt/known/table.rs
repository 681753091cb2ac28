//! The known divergences themselves, those of the model last.

use super::{Known, shows};

/// Every known divergence of the version that [`VERSION`](crate::realrt::VERSION) names.
pub const KNOWN: [Known; 28] = [
    Known {
        id: "turned-mesh-ignores-offset",
        classes: &["mismatch: the chips of a mesh"],
        about: "a mesh that fits only when it is turned lies at 0,0, wherever it was asked for",
        scenario: "freeorder 1\nmachine T3K\n\
                   open m0 3x2 at 0,1\n",
        passes: false,
        shows: shows::turned_mesh_ignores_offset,
    },
    Known {
        id: "meshes-share-memory",
        classes: &["oracle: overlap"],
        about: "a mesh and its submesh, two submeshes or two meshes over one chip each have an \
                allocator of their own over all its memory: tensors of both get the same bytes",
        scenario: "freeorder 1\nmachine T3K\n\
                   open m0 2x4\n\
                   alloc b0 on m0 dram 1x2048\n\
                   submesh m1 of m0 1x1\n\
                   alloc b1 on m1 dram 1x2048\n",
        passes: true,
        shows: shows::meshes_share_memory,
    },
    Known {
        id: "killed-process-still-counted",
        classes: &["oracle: counts-of-the-dead"],
        about: "what a killed process had allocated stays in the counters of shared memory, and so \
                does its reference, when another process opens the chips",
        scenario: "freeorder 1\nmachine T3K\n\
                   open m0 1x1\n\
                   alloc b0 on m0 dram 1x2048\n\
                   kill q0\n\
                   open m0 1x1\n",
        passes: true,
        shows: shows::killed_process_still_counted,
    },
    Known {
        id: "capture-begun-before-open",
        classes: &["oracle: capture-does-not-end"],
        about: "a capture that began before the thread opened its first mesh does not end: \
                `end_graph_capture` takes the counters' processor instead, and returns None",
        scenario: "freeorder 1\nmachine T3K\n\
                   capture begin normal\n\
                   open m0 1x1\n\
                   capture end\n",
        passes: true,
        shows: shows::capture_begun_before_open,
    },
    Known {
        id: "capture-end-stops-counters",
        classes: &["oracle: not-counted"],
        about: "ending a capture that was not begun takes the counters' processor away: what the \
                thread allocates and frees from then on is not counted",
        scenario: "freeorder 1\nmachine T3K\n\
                   open m0 1x1\n\
                   capture end\n\
                   alloc b0 on m0 dram 1x2048\n",
        passes: true,
        shows: shows::capture_end_stops_counters,
    },
    Known {
        id: "forked-child-detaches-counters",
        classes: &["oracle: counters-disagree"],
        about: "a child of a fork that exits detaches from the counters in shared memory, and its \
                parent's are gone",
        scenario: "freeorder 1\nmachine T3K\n\
                   open m0 1x1\n\
                   alloc b0 on m0 dram 1x2048\n\
                   fork exit\n",
        passes: true,
        shows: shows::forked_child_detaches_counters,
    },
    Known {
        id: "counters-are-of-a-thread",
        classes: &["oracle: not-counted"],
        about: "only what the thread that opened the process's first mesh allocates and frees is \
                counted in shared memory",
        scenario: "freeorder 1\nmachine T3K\n\
                   open m0 1x1\n\
                   t1: alloc b0 on m0 dram 1x2048\n",
        passes: true,
        shows: shows::counters_are_of_a_thread,
    },
    Known {
        id: "counters-held-at-zero",
        classes: &["oracle: counters-disagree"],
        about: "what was not counted is taken from the counters where it is freed, each of which \
                is held at 0 by itself: with the bytes of a killed process they do not add up",
        scenario: "freeorder 1\nmachine T3K\n\
                   open m0 1x1\n\
                   alloc b0 on m0 dram 1x2048\n\
                   kill q0\n\
                   open m0 1x1\n\
                   t1: alloc b0 on m0 dram 1x2048\n\
                   deallocate b0\n",
        passes: true,
        shows: shows::counters_held_at_zero,
    },
    Known {
        id: "closed-chip-still-counted",
        classes: &["oracle: counters-disagree"],
        about: "a process that closes a chip to which another is attached, as a killed one is for \
                ever, takes its bytes from the region's counters and leaves them in the chip's",
        scenario: "freeorder 1\nmachine T3K\n\
                   open m0 1x1\n\
                   kill q0\n\
                   open m0 1x1\n\
                   alloc b0 on m0 dram 1x2048\n\
                   close m0\n",
        passes: true,
        shows: shows::closed_chip_still_counted,
    },
    Known {
        id: "shards-after-close",
        classes: &["crash: SIGSEGV in tt::tt_metal::AllocatorImpl::find_bank_ids"],
        about: "a view of a tensor in shards whose mesh is closed kills the process, and so does \
                moving it: which banks its shards are in is asked of an allocator that is gone",
        scenario: "freeorder 1\nmachine T3K\n\
                   open m0 1x1\n\
                   alloc b0 on m0 dram 1x32 shards 1\n\
                   close m0\n\
                   share b1 of b0\n",
        passes: false,
        shows: shows::shards_after_close,
    },
    Known {
        id: "failed-move-loses-its-tensor",
        classes: &["oracle: failed-call"],
        about: "`ttnn.move` frees the tensor before it looks whether it can make the new one: when \
                it raises, the tensor is gone",
        scenario: "freeorder 1\nmachine T3K\n\
                   open m0 1x1\n\
                   alloc b0 on m0 dram 1x2048\n\
                   close m0\n\
                   run k100 on m0 cbs 1x4096 reads b0 out b1 dram 1x2048 move\n",
        passes: false,
        shows: shows::failed_move_loses_its_tensor,
    },
    Known {
        id: "capture-needs-the-mesh",
        classes: &["mismatch: what deallocate raises", "mismatch: what deallocate-unforced raises"],
        about: "during a capture a tensor whose mesh is gone cannot be deallocated: what is \
                captured asks it for its device",
        scenario: "freeorder 1\nmachine T3K\n\
                   open m0 1x1\n\
                   alloc b0 on m0 dram 1x2048\n\
                   drop m0\n\
                   capture begin normal\n\
                   deallocate b0\n",
        passes: false,
        shows: shows::capture_needs_the_mesh,
    },
    Known {
        id: "inner-capture-shows-twice",
        classes: &["oracle: circular-buffers-nowhere"],
        about: "a NO_DISPATCH capture within a NORMAL one shows circular buffers twice: at 0, as \
                if no program ran, and where they are",
        scenario: "freeorder 1\nmachine T3K\n\
                   open m0 1x1\n\
                   alloc b0 on m0 dram 1x2048\n\
                   capture begin normal\n\
                   capture begin\n\
                   run k0 on m0 cbs 3x4096 reads b0 out b1 dram 1x2048\n\
                   capture end\n",
        passes: true,
        shows: shows::inner_capture_shows_twice,
    },
    Known {
        id: "drop-mesh-in-capture",
        classes: &["crash: SIGSEGV in ttnn::graph::GraphProcessor::track_device"],
        about: "dropping a mesh during a capture, after a program ran on it, kills the process: \
                what is captured asks the mesh that goes for its id",
        scenario: "freeorder 1\nmachine T3K\n\
                   open m0 1x1\n\
                   alloc b0 on m0 dram 1x2048\n\
                   run k0 on m0 cbs 3x4096 reads b0\n\
                   capture begin normal\n\
                   drop m0\n",
        passes: false,
        shows: shows::drop_mesh_in_capture,
    },
    Known {
        id: "zero-width-add",
        classes: &["crash: SIGFPE in _ttnncpp.so, under ttnn::operations::binary_ng*"],
        about: "`ttnn.add` of a row-major tensor without columns divides by zero",
        scenario: "freeorder 1\nmachine T3K\n\
                   open m0 2x4\n\
                   alloc b0 on m0 dram 0x1024\n\
                   run k13 on m0 cbs 3x8192 reads b0 out b1 dram 0x1024\n",
        passes: false,
        shows: shows::zero_width_add,
    },
    Known {
        id: "forked-child-crashes",
        classes: &[
            "crash of a child: SIGSEGV in libtt_metal.so, under \
             tt::tt_metal::distributed::SDMeshCommandQueue::~SDMeshCommandQueue",
            "crash of a child: SIGSEGV in libtt_metal.so, under \
             tt::tt_metal::distributed::MeshDeviceImpl::~MeshDeviceImpl",
        ],
        about: "a child of a process that opened a mesh of many chips dies when it exits: it joins \
                the mesh's threads, which a fork does not copy",
        scenario: "freeorder 1\nmachine T3K\n\
                   open m0 2x3\n\
                   fork exit\n",
        passes: false,
        shows: shows::forked_child_crashes,
    },
    Known {
        id: "forked-child-hangs",
        classes: &["crash of a child: no answer"],
        about: "a child of a process that opened a mesh does not end when it exits: it waits for a \
                thread of MPI, which a fork does not copy",
        scenario: "freeorder 1\nmachine T3K\n\
                   open m0 1x1\n\
                   fork exit\n",
        passes: false,
        shows: shows::forked_child_hangs,
    },
    Known {
        id: "read-after-deallocate",
        classes: &["crash: SIGSEGV in tt::tt_metal::distributed::MeshDevice::mesh_command_queue"],
        about: "reading a deallocated tensor back to the host kills the process instead of raising",
        scenario: "freeorder 1\nmachine T3K\n\
                   open m0 1x1\n\
                   alloc b0 on m0 dram 1x2048\n\
                   deallocate b0\n\
                   use b0\n",
        passes: false,
        shows: shows::read_after_deallocate,
    },
    Known {
        id: "close-ends-another-mesh",
        classes: &[
            "crash: SIGSEGV in tt::tt_metal::AllocatorImpl*",
            "crash: SIGABRT in libtt_metal.so*",
            "mismatch: the counters",
            "oracle: not-counted",
        ],
        about: "closing one of two meshes, whatever chips they are on, ends the allocators that \
                the other one goes on using",
        scenario: "freeorder 1\nmachine T3K\n\
                   open m0 2x4\n\
                   open m1 1x1\n\
                   alloc b0 on m0 dram 1x2048\n\
                   close m1\n\
                   run k0 on m0 cbs 3x4096 reads b0 out b1 dram 1x2048\n",
        passes: false,
        shows: shows::close_ends_another_mesh,
    },
    Known {
        id: "close-then-free-on-another-mesh",
        classes: &["crash: SIGSEGV in tt::tt_metal::Buffer::address"],
        about: "a tensor freed after a second mesh was closed stays in the list of buffers, which \
                dangles",
        scenario: "freeorder 1\nmachine T3K\n\
                   open m0 2x4\n\
                   open m1 2x2\n\
                   alloc b0 on m0 l1 1x2048\n\
                   close m1\n\
                   drop b0\n",
        passes: false,
        shows: shows::close_then_free_on_another_mesh,
    },
    Known {
        id: "close-is-ignored",
        classes: &["mismatch: whether a mesh is closed"],
        about: "after a second mesh was closed, closing the first returns and leaves it open",
        scenario: "freeorder 1\nmachine T3K\n\
                   open m0 2x4\n\
                   open m1 2x4\n\
                   close m1\n\
                   close m0\n",
        passes: false,
        shows: shows::close_is_ignored,
    },
    Known {
        id: "free-under-no-dispatch",
        classes: &[
            "crash: SIGSEGV in tt::tt_metal::Buffer::address",
            "mismatch: a row of get_buffers",
            "oracle: reports-disagree",
            "oracle: orphan-block",
        ],
        about: "a tensor freed during a NO_DISPATCH capture stays in the list of buffers, which \
                dangles",
        scenario: "freeorder 1\nmachine T3K\n\
                   open m0 1x1\n\
                   alloc b0 on m0 dram 1x2048\n\
                   capture begin\n\
                   drop b0\n",
        passes: false,
        shows: shows::free_under_no_dispatch,
    },
    Known {
        id: "capture-ended-twice",
        classes: &["crash: SIGSEGV in ttnn::graph::GraphProcessor::end_graph_capture"],
        about: "ending a capture that has ended, or that another thread began, kills the process \
                instead of raising",
        scenario: "freeorder 1\nmachine T3K\n\
                   capture begin normal\n\
                   capture end\n\
                   capture end\n",
        passes: false,
        shows: shows::capture_ended_twice,
    },
    Known {
        id: "submesh-of-closed-mesh",
        classes: &["crash: SIGSEGV in tt::tt_metal::distributed::extract_locals"],
        about: "cutting a submesh from a closed mesh kills the process instead of raising",
        scenario: "freeorder 1\nmachine T3K\n\
                   open m0 1x1\n\
                   close m0\n\
                   submesh m1 of m0 1x1\n",
        passes: false,
        shows: shows::submesh_of_closed_mesh,
    },
    Known {
        id: "view-outlives-memory",
        classes: &["oracle: no-block", "mismatch: whether a tensor is allocated"],
        about: "a view says it is allocated after its base was deallocated: its memory is given \
                to others",
        scenario: "freeorder 1\nmachine T3K\n\
                   open m0 1x1\n\
                   alloc b0 on m0 dram 1x2048\n\
                   share b1 of b0\n\
                   deallocate b0\n",
        passes: false,
        shows: shows::view_outlives_memory,
    },
    Known {
        id: "bulk-free-unreported",
        classes: &["oracle: reports-disagree", "oracle: no-block"],
        about: "`DeallocateBuffers` empties the block table, while get_buffers and the tensors \
                still say allocated",
        scenario: "freeorder 1\nmachine T3K\n\
                   open m0 1x1\n\
                   alloc b0 on m0 dram 1x2048\n\
                   deallocate-all m0\n",
        passes: false,
        shows: shows::bulk_free_unreported,
    },
    Known {
        id: "circular-buffers-not-cleared",
        classes: &["oracle: circular-buffers-not-cleared"],
        about: "a graph builds circular buffers on every chip and clears those of one device, \
                named by the mesh id",
        scenario: "freeorder 1\nmachine T3K\n\
                   open m0 2x4\n\
                   alloc b0 on m0 dram 1x2048\n\
                   capture begin normal\n\
                   run k0 on m0 cbs 3x4096 reads b0 out b1 dram 1x2048\n\
                   capture end\n",
        passes: true,
        shows: shows::circular_buffers_not_cleared,
    },
    Known {
        id: "no-dispatch-tensor-used",
        classes: &["oracle: use-of-nothing"],
        about: "a tensor made during a NO_DISPATCH capture is read afterwards at address 0, \
                without an error",
        scenario: "freeorder 1\nmachine T3K\n\
                   open m0 1x1\n\
                   capture begin\n\
                   alloc b0 on m0 dram 1x2048\n\
                   capture end\n\
                   use b0\n",
        passes: false,
        shows: shows::no_dispatch_tensor_used,
    },
];
