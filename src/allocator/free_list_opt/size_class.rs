//! The list of one size class, and the scan for its first fitting block.

use std::hint::select_unpredictable;

use super::block_table::Slot;
use super::config::{Direction, Units};
use super::free_lists::INDEX_BITS;

/// A free block.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Entry {
    pub start: Units,
    pub size: Units,
    pub slot: Slot,
}

/// Entries in a chunk.
const LANES: usize = 4;

/// Entries side by side, so that a scan compares all of them at once. An unused lane has size 0.
///
/// Starts and sizes are kept as [`biased`] numbers, because the instructions that every x86-64
/// machine has compare signed numbers only.
#[derive(Clone, Copy, Debug)]
struct Chunk {
    starts: [i32; LANES],
    sizes: [i32; LANES],
    slots: [u32; LANES],
    /// The size class, also while one list holds all classes.
    classes: [u32; LANES],
}

const UNUSED: Chunk = Chunk {
    starts: [i32::MIN; LANES],
    sizes: [i32::MIN; LANES],
    slots: [Slot::END.0; LANES],
    classes: [0; LANES],
};

/// The signed number that stands where `units` does in the order of unsigned ones.
#[inline]
fn biased(units: Units) -> i32 {
    (units.0 ^ 1 << 31) as i32
}

#[inline]
fn unbiased(number: i32) -> Units {
    Units(number as u32 ^ 1 << 31)
}

/// All ones where true. A choice by mask becomes vector code where an `if` becomes a branch.
#[inline]
fn mask(condition: bool) -> i32 {
    -i32::from(condition)
}

/// One size class. There is always an unused lane after the last entry.
#[derive(Clone, Debug)]
pub(super) struct Class {
    chunks: Vec<Chunk>,
    pub len: usize,
}

impl Class {
    pub fn new() -> Self {
        Self { chunks: vec![UNUSED], len: 0 }
    }

    pub fn clear(&mut self) {
        self.chunks.clear();
        self.chunks.push(UNUSED);
        self.len = 0;
    }

    /// Adds an entry at the end; returns its index.
    #[inline]
    pub fn push(&mut self, entry: Entry, class: usize) -> usize {
        let index = self.len;
        self.set(index, entry, class);
        self.set_len(index + 1);
        index
    }

    #[inline]
    pub fn slot(&self, index: usize) -> Slot {
        Slot(self.chunks[index / LANES].slots[index % LANES])
    }

    #[inline]
    pub fn entry(&self, index: usize) -> Entry {
        let chunk = &self.chunks[index / LANES];
        Entry {
            start: unbiased(chunk.starts[index % LANES]),
            size: unbiased(chunk.sizes[index % LANES]),
            slot: Slot(chunk.slots[index % LANES]),
        }
    }

    #[inline]
    pub fn set(&mut self, index: usize, entry: Entry, class: usize) {
        let chunk = &mut self.chunks[index / LANES];
        chunk.starts[index % LANES] = biased(entry.start);
        chunk.sizes[index % LANES] = biased(entry.size);
        chunk.slots[index % LANES] = entry.slot.0;
        chunk.classes[index % LANES] = class as u32;
    }

    #[inline]
    pub fn set_len(&mut self, len: usize) {
        self.len = len;
        if len == self.chunks.len() * LANES {
            self.chunks.push(UNUSED);
        }
    }

    /// Moves the entry at `from` to `to` and leaves an unused lane behind; returns its slot.
    #[inline]
    pub fn move_entry(&mut self, from: usize, to: usize) -> Slot {
        let lane = from % LANES;
        let chunk = &mut self.chunks[from / LANES];
        let (start, size, slot) = (chunk.starts[lane], chunk.sizes[lane], chunk.slots[lane]);
        let class = chunk.classes[lane];
        let target = &mut self.chunks[to / LANES];
        target.starts[to % LANES] = start;
        target.sizes[to % LANES] = size;
        target.slots[to % LANES] = slot;
        target.classes[to % LANES] = class;
        let chunk = &mut self.chunks[from / LANES];
        chunk.sizes[lane] = i32::MIN;
        chunk.slots[lane] = Slot::END.0;
        Slot(slot)
    }

    /// The index of the fitting entry of the lowest class, nearest to the end of the region that
    /// `direction` starts from.
    #[inline]
    pub fn best_fit(&self, size: Units, direction: Direction) -> Option<usize> {
        let size = biased(size);
        let flip = match direction {
            Direction::BottomUp => 0,
            Direction::TopDown => u32::MAX,
        };
        let mut best = u64::MAX;
        for (number, chunk) in (0..).zip(self.used()) {
            best = best.min(chunk.best_key(number, size, flip));
        }
        (best != u64::MAX).then_some(best as usize & ((1 << INDEX_BITS) - 1))
    }

    /// The index of the fitting entry with the least address.
    #[inline]
    pub fn lowest_fit(&self, size: Units) -> Option<usize> {
        let size = biased(size);
        if let [chunk] = self.used() {
            return chunk.lowest_fit(size);
        }
        let mut best = [i32::MAX; LANES];
        let mut found = [0; LANES];
        for (number, chunk) in (0..).zip(self.used()) {
            for lane in 0..LANES {
                let fits = mask(chunk.sizes[lane] >= size);
                let start = (chunk.starts[lane] & fits) | (i32::MAX & !fits);
                let better = mask(start < best[lane]);
                best[lane] = (start & better) | (best[lane] & !better);
                found[lane] = (number & better) | (found[lane] & !better);
            }
        }
        let mut lane = 0;
        for other in 1..LANES {
            lane = if best[other] < best[lane] { other } else { lane };
        }
        (best[lane] != i32::MAX).then_some(found[lane] as usize * LANES + lane)
    }

    /// The index of the fitting entry with the greatest address.
    #[inline]
    pub fn highest_fit(&self, size: Units) -> Option<usize> {
        let size = biased(size);
        if let [chunk] = self.used() {
            return chunk.highest_fit(size);
        }
        // One more than the address, so that the least number is left to say "none".
        let mut best = [i32::MIN; LANES];
        let mut found = [0; LANES];
        for (number, chunk) in (0..).zip(self.used()) {
            for lane in 0..LANES {
                let fits = mask(chunk.sizes[lane] >= size);
                let start = (chunk.starts[lane].wrapping_add(1) & fits) | (i32::MIN & !fits);
                let better = mask(start > best[lane]);
                best[lane] = (start & better) | (best[lane] & !better);
                found[lane] = (number & better) | (found[lane] & !better);
            }
        }
        let mut lane = 0;
        for other in 1..LANES {
            lane = if best[other] > best[lane] { other } else { lane };
        }
        (best[lane] != i32::MIN).then_some(found[lane] as usize * LANES + lane)
    }

    #[inline]
    fn used(&self) -> &[Chunk] {
        &self.chunks[..self.len.div_ceil(LANES)]
    }
}

impl Chunk {
    /// The least key of the fitting entries: class, then address, then index.
    #[inline]
    fn best_key(&self, number: u64, size: i32, flip: u32) -> u64 {
        let key = |lane: usize| {
            let start = u64::from(unbiased(self.starts[lane]).0 ^ flip);
            let index = number * LANES as u64 + lane as u64;
            let class = u64::from(self.classes[lane]);
            let key = class << (32 + INDEX_BITS) | start << INDEX_BITS | index;
            select_unpredictable(self.sizes[lane] >= size, key, u64::MAX)
        };
        key(0).min(key(1)).min(key(2).min(key(3)))
    }

    #[inline]
    fn lowest_fit(&self, size: i32) -> Option<usize> {
        let key = |lane: usize| {
            let start = u64::from(unbiased(self.starts[lane]).0);
            if self.sizes[lane] >= size { start << 32 | lane as u64 } else { u64::MAX }
        };
        let best = key(0).min(key(1)).min(key(2).min(key(3)));
        (best != u64::MAX).then_some(best as u32 as usize)
    }

    #[inline]
    fn highest_fit(&self, size: i32) -> Option<usize> {
        let key = |lane: usize| {
            let start = u64::from(unbiased(self.starts[lane]).0);
            if self.sizes[lane] >= size { (start + 1) << 32 | lane as u64 } else { 0 }
        };
        let best = key(0).max(key(1)).max(key(2).max(key(3)));
        (best != 0).then_some(best as u32 as usize)
    }
}
