//! A program cache is cleared while another thread enqueues a program that is in it.
//!
//! tt-metal.md C6: the cache is a plain map that "belongs to the MeshDevice", `clear()` empties it,
//! and what is held in it is "Program (CBs, kernels, [..] kernel-binary MeshBuffer [..])". Table F,
//! 31 (PR 3513): "queue used stale buffers", and 32 (PR 7834): "intermediate freed before program
//! ran", are the same in one thread. Who runs a program must be among its owners.

use std::sync::Arc;

use freeorder::mark::Mark;
use freeorder::message::Role;
use freeorder::op::CacheKey;
use freeorder::runtime::decide;
use freeorder::runtime::object::Owners;
use freeorder::violation::OracleName;

use super::Outcome;
use crate::sync::{AtomicBool, Mutex, Ordering, thread};

/// When who enqueues a program becomes one of its owners.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Gains {
    /// Never: it keeps the reference that the cache has answered.
    Never,
    /// After the look-up.
    Later,
    /// In the look-up.
    AtOnce,
}

struct Program {
    owners: Mutex<Owners>,
    /// Whether its kernel binary still has its memory.
    alive: AtomicBool,
}

struct Cache {
    entries: Mutex<Vec<(CacheKey, u32)>>,
    programs: Vec<Program>,
}

impl Cache {
    fn new(programs: u32) -> Self {
        let program = |_| Program {
            owners: Mutex::new(Owners::one(Role::CacheEntry)),
            alive: AtomicBool::new(true),
        };
        Self {
            entries: Mutex::new((0..programs).map(|index| (CacheKey(index), index)).collect()),
            programs: (0..programs).map(program).collect(),
        }
    }

    /// A dispatch of a key: what was seen of its program, or that there was none.
    fn enqueue(&self, key: CacheKey, gains: Gains) -> Seen {
        let entries = self.entries.lock().unwrap();
        let Some(index) = decide::cached(&entries, true, key) else { return Seen::Miss };
        let program = &self.programs[index as usize];
        let mut held = gains == Gains::AtOnce && program.gain(true);
        drop(entries);
        held = held || program.gain(gains == Gains::Later);
        let alive = program.alive.load(Ordering::Acquire);
        if held {
            program.lose(Role::Device);
        }
        if alive { Seen::Alive } else { Seen::Dead }
    }

    /// `ProgramCache::clear`.
    fn clear(&self) {
        let entries = std::mem::take(&mut *self.entries.lock().unwrap());
        for (_, program) in entries {
            self.programs[program as usize].lose(Role::CacheEntry);
        }
    }
}

impl Program {
    fn gain(&self, queue_takes_it: bool) -> bool {
        let mut owners = self.owners.lock().unwrap();
        let gained = decide::queued(*owners, queue_takes_it);
        *owners = gained.unwrap_or(*owners);
        gained.is_some()
    }

    fn lose(&self, role: Role) {
        let mut owners = self.owners.lock().unwrap();
        *owners = owners.lose(role);
        if decide::program_ends(*owners) {
            self.alive.store(false, Ordering::Release);
        }
    }
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Seen {
    Miss,
    Alive,
    Dead,
}

/// So many threads run each of the programs, while another one clears the cache.
pub fn model(gains: Gains, threads: u32, programs: u32) -> Outcome {
    let cache = Arc::new(Cache::new(programs));
    let running = (0..threads).map(|_| {
        let cache = Arc::clone(&cache);
        thread::spawn(move || {
            let keys = (0..programs).map(CacheKey);
            keys.map(|key| cache.enqueue(key, gains)).collect::<Vec<_>>()
        })
    });
    let running: Vec<_> = running.collect();
    let clearing = {
        let cache = Arc::clone(&cache);
        thread::spawn(move || cache.clear())
    };
    let seen: Vec<Seen> = running.into_iter().flat_map(|thread| thread.join().unwrap()).collect();
    clearing.join().unwrap();
    let mut outcome = Outcome::default();
    if seen.contains(&Seen::Dead) {
        outcome.found.insert(OracleName::UseAfterFree);
    }
    if cache.programs.iter().any(|program| program.alive.load(Ordering::Acquire)) {
        outcome.found.insert(OracleName::DeviceLeak);
    }
    if seen.contains(&Seen::Alive) {
        outcome.seen.insert(Mark::CacheClearedWhileInUse);
    }
    outcome
}
