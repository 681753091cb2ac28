//! Models of threads: thin shells of atomic operations around the simulator's own decisions.
//!
//! One source for two checkers: the crate that includes it has a module `sync` with the mutexes,
//! atomics and threads of its checker. What a thread decides is a call of `runtime::decide`, of
//! `Owners` or of `server::rule`; a model only says in which order a thread reads, decides and
//! writes, and which lock it holds meanwhile. Each has a racy twin and a fixed one, and answers
//! what one execution came to.

pub mod cache_clear;
pub mod gc_close;
pub mod lifecycle_mutex;
pub mod mark_deallocate;
pub mod mesh;
pub mod reconnect;
pub mod registry;
pub mod reused_address;
pub mod server;

use std::collections::BTreeSet;

use freeorder::allocator::{FreeListConfig, FreeListOpt, SearchPolicy};
use freeorder::event::AllocationStatus;
use freeorder::mark::Mark;
use freeorder::units::{Bytes, DeviceAddr};
use freeorder::violation::OracleName;

use crate::sync::{AtomicU8, Ordering};

/// What one execution came to.
#[derive(Clone, Debug, Default, PartialEq, Eq, PartialOrd, Ord)]
pub struct Outcome {
    /// The oracles that would have fired.
    pub found: BTreeSet<OracleName>,
    /// The situations that it was in.
    pub seen: BTreeSet<Mark>,
}

impl Outcome {
    pub fn of(found: BTreeSet<OracleName>) -> Self {
        Self { found, seen: BTreeSet::new() }
    }

    /// # Panics
    /// If anything was found; the text has the names of the oracles.
    pub fn check(&self) {
        let names: Vec<_> = self.found.iter().map(|oracle| oracle.name()).collect();
        assert!(names.is_empty(), "found {}", names.join(" "));
    }
}

/// `allocation_status_`, which is a plain field: "concurrent deallocate of ONE object is a data
/// race" (tt-metal.md A7). The racy twins read and write it as if it were at least atomic.
#[derive(Debug)]
pub struct Status(AtomicU8);

const STATUSES: [AllocationStatus; 3] = [
    AllocationStatus::AllocationRequested,
    AllocationStatus::Allocated,
    AllocationStatus::Deallocated,
];

impl Status {
    pub fn new(status: AllocationStatus) -> Self {
        Self(AtomicU8::new(status as u8))
    }

    pub fn load(&self) -> AllocationStatus {
        STATUSES[usize::from(self.0.load(Ordering::Acquire))]
    }

    pub fn store(&self, status: AllocationStatus) {
        self.0.store(status as u8, Ordering::Release);
    }

    pub fn swap(&self, status: AllocationStatus) -> AllocationStatus {
        STATUSES[usize::from(self.0.swap(status as u8, Ordering::AcqRel))]
    }
}

/// The allocator of one region, as the simulator has it: first fit, so that what was given back
/// last is taken next.
pub fn allocator() -> FreeListOpt {
    FreeListOpt::new(FreeListConfig {
        max_size: Bytes(1 << 20),
        offset: DeviceAddr(0),
        min_allocation: Bytes(1024),
        alignment: Bytes(1024),
        policy: SearchPolicy::First,
    })
}
