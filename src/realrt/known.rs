//! Where the real runtime is known to do what it must not: each with a scenario that shows it.

use super::captures::leaves_a_capture;
use super::lockstep::Deviation;
use super::word;
use crate::scenario::Case;

/// A known divergence.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Known {
    /// Its name.
    pub id: &'static str,
    /// The classes of its deviations, the scenario's first; a crash's may end in `*` for any
    /// innermost function.
    pub classes: &'static [&'static str],
    /// The kinds of operation that came before it, each as often as it is named; `|` stands between
    /// those of which one is enough.
    pub needs: &'static [&'static str],
    /// What happens, in one line.
    pub about: &'static str,
    /// The scenario that shows it.
    pub scenario: &'static str,
}

/// What a program needs that does something on another thread than that of the capture it is in.
const ON_ANOTHER_THREAD: &str = "on-another-thread";

/// Every known divergence of the version that [`VERSION`](super::VERSION) names.
pub const KNOWN: [Known; 19] = [
    Known {
        id: "failed-move-loses-its-tensor",
        classes: &["oracle: failed-call"],
        needs: &["move"],
        about: "`ttnn.move` frees the tensor before it looks whether it can make the new one: when \
                it raises, the tensor is gone",
        scenario: "freeorder 1\n\
                   machine T3K\n\
                   open m0 1x1\n\
                   alloc b0 on m0 dram 1x2048\n\
                   close m0\n\
                   run k100 on m0 cbs 1x4096 reads b0 out b1 dram 1x2048 move\n",
    },
    Known {
        id: "capture-needs-the-mesh",
        classes: &["mismatch: what deallocate raises", "mismatch: what deallocate-unforced raises"],
        needs: &["drop-mesh", "capture-normal|capture-no-dispatch"],
        about: "during a capture a tensor whose mesh is gone cannot be deallocated: what is \
                captured asks it for its device",
        scenario: "freeorder 1\n\
                   machine T3K\n\
                   open m0 1x1\n\
                   alloc b0 on m0 dram 1x2048\n\
                   drop m0\n\
                   capture begin normal\n\
                   deallocate b0\n",
    },
    Known {
        id: "inner-capture-shows-twice",
        classes: &["oracle: circular-buffers-nowhere"],
        needs: &["capture-normal", "capture-no-dispatch", "run|move", "capture-end"],
        about: "a NO_DISPATCH capture within a NORMAL one shows circular buffers twice: at 0, as \
                if no program ran, and where they are",
        scenario: "freeorder 1\n\
                   machine T3K\n\
                   open m0 1x1\n\
                   alloc b0 on m0 dram 1x2048\n\
                   capture begin normal\n\
                   capture begin\n\
                   run k0 on m0 cbs 3x4096 reads b0 out b1 dram 1x2048\n\
                   capture end\n",
    },
    Known {
        id: "zero-width-add",
        classes: &["crash: SIGFPE*"],
        needs: &["alloc", "run"],
        about: "`ttnn.add` of a row-major tensor without columns divides by zero",
        scenario: "freeorder 1\n\
                   machine T3K\n\
                   open m0 2x4\n\
                   alloc b0 on m0 dram 0x1024\n\
                   run k13 on m0 cbs 3x8192 reads b0 out b1 dram 0x1024\n",
    },
    Known {
        id: "forked-child-crashes",
        classes: &["crash of a child: SIGSEGV*"],
        needs: &["open", "fork-exit"],
        about: "a child of a process that opened a mesh of many chips dies when it exits: it joins \
                the mesh's threads, which a fork does not copy",
        scenario: "freeorder 1\n\
                   machine T3K\n\
                   open m0 2x3\n\
                   fork exit\n",
    },
    Known {
        id: "forked-child-hangs",
        classes: &["crash of a child: no answer"],
        needs: &["open", "fork-exit"],
        about: "a child of a process that opened a mesh does not end when it exits: it waits for a \
                thread of MPI, which a fork does not copy",
        scenario: "freeorder 1\n\
                   machine T3K\n\
                   open m0 1x1\n\
                   fork exit\n",
    },
    Known {
        id: "read-after-deallocate",
        classes: &["crash: SIGSEGV in tt::tt_metal::distributed::MeshDevice::mesh_command_queue"],
        needs: &["deallocate|deallocate-unforced|move", "use"],
        about: "reading a deallocated tensor back to the host kills the process instead of raising",
        scenario: "freeorder 1\n\
                   machine T3K\n\
                   open m0 1x1\n\
                   alloc b0 on m0 dram 1x2048\n\
                   deallocate b0\n\
                   use b0\n",
    },
    Known {
        id: "close-ends-another-mesh",
        classes: &[
            "crash: SIGSEGV in tt::tt_metal::AllocatorImpl*",
            "crash: SIGABRT in libtt_metal.so*",
        ],
        needs: &["open", "open"],
        about: "closing one of two meshes on the same chips ends the allocators that the other one \
                goes on using",
        scenario: "freeorder 1\n\
                   machine T3K\n\
                   open m0 2x4\n\
                   open m1 1x1\n\
                   alloc b0 on m0 dram 1x2048\n\
                   close m1\n\
                   run k0 on m0 cbs 3x4096 reads b0 out b1 dram 1x2048\n",
    },
    Known {
        id: "close-then-free-on-another-mesh",
        classes: &["crash: SIGSEGV in tt::tt_metal::Buffer::address"],
        needs: &["open", "open", "alloc"],
        about: "a tensor freed after a second mesh on its chips was closed stays in the list of \
                buffers, which dangles",
        scenario: "freeorder 1\n\
                   machine T3K\n\
                   open m0 2x4\n\
                   open m1 2x2\n\
                   alloc b0 on m0 l1 1x2048\n\
                   close m1\n\
                   drop b0\n",
    },
    Known {
        id: "close-is-ignored",
        classes: &["mismatch: whether a mesh is closed"],
        needs: &["open", "open", "close"],
        about: "after a second mesh on the same chips was closed, closing the first returns and \
                leaves it open",
        scenario: "freeorder 1\n\
                   machine T3K\n\
                   open m0 2x4\n\
                   open m1 2x4\n\
                   close m1\n\
                   close m0\n",
    },
    Known {
        id: "free-under-no-dispatch",
        classes: &["crash: SIGSEGV in tt::tt_metal::Buffer::address"],
        needs: &["alloc", "capture-no-dispatch"],
        about: "a tensor freed during a NO_DISPATCH capture stays in the list of buffers, which \
                dangles",
        scenario: "freeorder 1\n\
                   machine T3K\n\
                   open m0 1x1\n\
                   alloc b0 on m0 dram 1x2048\n\
                   capture begin\n\
                   drop b0\n",
    },
    Known {
        id: "capture-ended-twice",
        classes: &["crash: SIGSEGV in ttnn::graph::GraphProcessor::end_graph_capture"],
        needs: &["capture-end"],
        about: "ending a capture that has ended, or that another thread began, kills the process \
                instead of raising",
        scenario: "freeorder 1\n\
                   machine T3K\n\
                   capture begin normal\n\
                   capture end\n\
                   capture end\n",
    },
    Known {
        id: "submesh-of-closed-mesh",
        classes: &["crash: SIGSEGV in tt::tt_metal::distributed::extract_locals"],
        needs: &["close", "submesh"],
        about: "cutting a submesh from a closed mesh kills the process instead of raising",
        scenario: "freeorder 1\n\
                   machine T3K\n\
                   open m0 1x1\n\
                   close m0\n\
                   submesh m1 of m0 1x1\n",
    },
    Known {
        id: "view-outlives-memory",
        classes: &["oracle: no-block", "mismatch: whether a tensor is allocated"],
        needs: &["share", "deallocate"],
        about: "a view says it is allocated after its base was deallocated: its memory is given \
                to others",
        scenario: "freeorder 1\n\
                   machine T3K\n\
                   open m0 1x1\n\
                   alloc b0 on m0 dram 1x2048\n\
                   share b1 of b0\n\
                   deallocate b0\n",
    },
    Known {
        id: "bulk-free-unreported",
        classes: &["oracle: reports-disagree"],
        needs: &["alloc", "deallocate-all"],
        about: "`DeallocateBuffers` empties the block table, while get_buffers and the tensors \
                still say allocated",
        scenario: "freeorder 1\n\
                   machine T3K\n\
                   open m0 1x1\n\
                   alloc b0 on m0 dram 1x2048\n\
                   deallocate-all m0\n",
    },
    Known {
        id: "circular-buffers-not-cleared",
        classes: &["oracle: circular-buffers-not-cleared"],
        needs: &["capture-normal", "run|move", "capture-end"],
        about: "a graph builds circular buffers on every chip and clears those of one device, \
                named by the mesh id",
        scenario: "freeorder 1\n\
                   machine T3K\n\
                   open m0 2x4\n\
                   alloc b0 on m0 dram 1x2048\n\
                   capture begin normal\n\
                   run k0 on m0 cbs 3x4096 reads b0 out b1 dram 1x2048\n\
                   capture end\n",
    },
    Known {
        id: "no-dispatch-tensor-used",
        classes: &["oracle: use-of-nothing"],
        needs: &["capture-no-dispatch", "alloc"],
        about: "a tensor made during a NO_DISPATCH capture is read afterwards at address 0, \
                without an error",
        scenario: "freeorder 1\n\
                   machine T3K\n\
                   open m0 1x1\n\
                   capture begin\n\
                   alloc b0 on m0 dram 1x2048\n\
                   capture end\n\
                   use b0\n",
    },
    Known {
        id: "captures-are-of-a-thread",
        classes: &[
            "mismatch: the address",
            "mismatch: the block table",
            "mismatch: the cache's count",
        ],
        needs: &["capture-no-dispatch", ON_ANOTHER_THREAD],
        about: "the model keeps what every thread of the process does from the device while a \
                NO_DISPATCH capture goes on, the runtime what its thread does",
        scenario: "freeorder 1\n\
                   machine T3K\n\
                   open m0 1x1\n\
                   t1: capture begin\n\
                   alloc b0 on m0 dram 1x2048\n",
    },
    Known {
        id: "no-dispatch-is-not-cached",
        classes: &["mismatch: the cache's count"],
        needs: &["capture-no-dispatch", "run"],
        about: "the model caches a program that runs under a NO_DISPATCH capture; the runtime \
                does not",
        scenario: "freeorder 1\n\
                   machine T3K\n\
                   open m0 1x1\n\
                   capture begin\n\
                   alloc b0 on m0 dram 1x2048\n\
                   run k0 on m0 cbs 3x4096 reads b0\n",
    },
];

impl Known {
    /// The known divergence that a deviation of a case is.
    #[must_use]
    pub fn of(case: &Case, deviation: &Deviation) -> Option<&'static Self> {
        KNOWN.iter().find(|known| known.is_shown_by(case, deviation))
    }

    /// Whether a deviation of a case is this one.
    #[must_use]
    pub fn is_shown_by(&self, case: &Case, deviation: &Deviation) -> bool {
        let ops = &case.ops[..deviation.step.min(case.ops.len())];
        let mut words: Vec<String> = ops.iter().map(|(_, op)| word(op)).collect();
        if leaves_a_capture(ops) {
            words.push(ON_ANOTHER_THREAD.to_owned());
        }
        let is_class = self.classes.iter().any(|class| match class.strip_suffix('*') {
            Some(start) => deviation.class.starts_with(start),
            None => deviation.class == *class,
        });
        let count = |wanted: &str| {
            let is_one = |word: &&String| wanted.split('|').any(|one| one == word.as_str());
            words.iter().filter(is_one).count()
        };
        let needed = |wanted| self.needs.iter().filter(|need| **need == wanted).count();
        is_class && self.needs.iter().all(|need| count(need) >= needed(*need))
    }
}
