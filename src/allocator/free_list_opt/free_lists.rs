//! The free blocks, in lists by size class.
//!
//! The C++ class keeps each list sorted by address; only the first fitting block in that order ever
//! counts, so here the lists are in no order and the block is found by a scan for the least (or
//! greatest) address. An insertion or removal then moves one entry at most.

use super::block_table::{BlockTable, Slot};
use super::config::{Direction, FreeListConfig, Scale, SearchPolicy, Units};

/// A free block.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Entry {
    pub start: Units,
    pub size: Units,
    pub slot: Slot,
}

/// Where an entry is: its class in the upper bits, its index in the list of the class in the rest.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Place(u32);

const INDEX_BITS: u32 = 27;

impl Place {
    /// The block is in no list, because it is allocated (or the end).
    pub const ALLOCATED: Self = Self(u32::MAX);
    /// There is no block.
    pub const VACANT: Self = Self(u32::MAX - 1);

    #[inline]
    fn new(class: usize, index: usize) -> Self {
        debug_assert!(index >> INDEX_BITS == 0, "a list has fewer than 2^27 entries");
        Self((class << INDEX_BITS | index) as u32)
    }

    /// Whether a list has the block.
    #[inline]
    pub fn is_free(self) -> bool {
        self.0 < Self::VACANT.0
    }

    #[inline]
    fn class(self) -> usize {
        (self.0 >> INDEX_BITS) as usize
    }

    #[inline]
    fn index(self) -> usize {
        (self.0 & ((1 << INDEX_BITS) - 1)) as usize
    }
}

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
}

const UNUSED: Chunk =
    Chunk { starts: [i32::MIN; LANES], sizes: [i32::MIN; LANES], slots: [0; LANES] };

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

/// One size class.
#[derive(Clone, Debug, Default)]
struct Class {
    chunks: Vec<Chunk>,
    len: usize,
}

/// All size classes. First fit does not care for sizes, and has one class.
#[derive(Clone, Debug)]
pub(super) struct FreeLists {
    classes: Vec<Class>,
    /// One bit for each class that is not empty.
    occupied: u32,
    /// The class of a size, by the size's highest bit.
    class_of_bit: [u8; 32],
}

/// Classes of the C++ class: sizes from `1 KiB << class` to the double of it.
const CLASS_COUNT_MAX: u32 = 18;
const CLASS_BASE_BITS: u32 = 10;

/// How many size classes the C++ class would keep for this region.
pub(super) fn class_count(config: &FreeListConfig) -> u32 {
    (u64::BITS - (config.max_size.0 >> CLASS_BASE_BITS).leading_zeros()).clamp(2, CLASS_COUNT_MAX)
}

/// The size class of a size whose highest bit is `bit`, where there are `count`.
pub(super) fn class_of_bit(bit: u32, scale: Scale, count: u32) -> u32 {
    (bit + scale.shift).saturating_sub(CLASS_BASE_BITS).min(count - 1)
}

impl FreeLists {
    pub fn new(config: &FreeListConfig, scale: Scale) -> Self {
        let count = match config.policy {
            SearchPolicy::Best => class_count(config),
            SearchPolicy::First => 1,
        };
        let classes = vec![Class::default(); count as usize];
        let class_of_bit = std::array::from_fn(|bit| class_of_bit(bit as u32, scale, count) as u8);
        Self { classes, occupied: 0, class_of_bit }
    }

    pub fn clear(&mut self) {
        for class in &mut self.classes {
            class.chunks.clear();
            class.len = 0;
        }
        self.occupied = 0;
    }

    /// The block that a request for `size` is served from.
    #[inline]
    pub fn find(&self, size: Units, direction: Direction) -> Option<(Place, Slot)> {
        // Every block of a higher class is large enough, so the loop runs twice at most.
        let mut classes = self.occupied & (u32::MAX << self.class(size));
        while classes != 0 {
            let class = classes.trailing_zeros() as usize;
            let list = &self.classes[class];
            let index = match direction {
                Direction::BottomUp => list.lowest_fit(size),
                Direction::TopDown => list.highest_fit(size),
            };
            if let Some(index) = index {
                return Some((Place::new(class, index), list.slot(index)));
            }
            classes &= classes - 1;
        }
        None
    }

    /// The block that holds all of `[start, start + size)`.
    pub fn find_holding(&self, start: Units, size: Units) -> Option<(Place, Slot)> {
        let end = u64::from(start.0) + u64::from(size.0);
        self.classes.iter().enumerate().find_map(|(class, list)| {
            let index = (0..list.len).find(|&index| {
                let entry = list.entry(index);
                let hole_end = u64::from(entry.start.0) + u64::from(entry.size.0);
                entry.start <= start && end <= hole_end
            })?;
            Some((Place::new(class, index), list.slot(index)))
        })
    }

    #[inline]
    pub fn insert(&mut self, blocks: &mut BlockTable, entry: Entry) {
        let class = self.class(entry.size);
        self.occupied |= 1 << class;
        let list = &mut self.classes[class];
        let index = list.len;
        if index == list.chunks.len() * LANES {
            list.chunks.push(UNUSED);
        }
        list.len += 1;
        list.set(index, entry);
        blocks.set_place(entry.slot, Place::new(class, index));
    }

    #[inline]
    pub fn remove(&mut self, blocks: &mut BlockTable, place: Place) {
        let list = &mut self.classes[place.class()];
        let last = list.move_last_to(place.index());
        if list.len == 0 {
            self.occupied &= !(1 << place.class());
        }
        blocks.set_place(last, place);
    }

    /// Puts `new` where the entry at `place` was: same neighbours, another extent.
    #[inline]
    pub fn replace(&mut self, blocks: &mut BlockTable, place: Place, new: Entry) {
        if self.class(new.size) == place.class() {
            self.classes[place.class()].set(place.index(), new);
            blocks.set_place(new.slot, place);
        } else {
            self.remove(blocks, place);
            self.insert(blocks, new);
        }
    }

    #[inline]
    fn class(&self, size: Units) -> usize {
        usize::from(self.class_of_bit[(size.0 | 1).ilog2() as usize])
    }
}

impl Class {
    #[inline]
    fn slot(&self, index: usize) -> Slot {
        Slot(self.chunks[index / LANES].slots[index % LANES])
    }

    #[inline]
    fn entry(&self, index: usize) -> Entry {
        let chunk = &self.chunks[index / LANES];
        Entry {
            start: unbiased(chunk.starts[index % LANES]),
            size: unbiased(chunk.sizes[index % LANES]),
            slot: Slot(chunk.slots[index % LANES]),
        }
    }

    #[inline]
    fn set(&mut self, index: usize, entry: Entry) {
        let chunk = &mut self.chunks[index / LANES];
        chunk.starts[index % LANES] = biased(entry.start);
        chunk.sizes[index % LANES] = biased(entry.size);
        chunk.slots[index % LANES] = entry.slot.0;
    }

    /// Shortens the list by its last entry, which takes the place of the one at `index`.
    #[inline]
    fn move_last_to(&mut self, index: usize) -> Slot {
        self.len -= 1;
        let lane = self.len % LANES;
        let chunk = &mut self.chunks[self.len / LANES];
        let (start, size, slot) = (chunk.starts[lane], chunk.sizes[lane], chunk.slots[lane]);
        let to = &mut self.chunks[index / LANES];
        to.starts[index % LANES] = start;
        to.sizes[index % LANES] = size;
        to.slots[index % LANES] = slot;
        self.chunks[self.len / LANES].sizes[lane] = i32::MIN;
        Slot(slot)
    }

    /// The index of the fitting entry with the least address.
    #[inline]
    fn lowest_fit(&self, size: Units) -> Option<usize> {
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
    fn highest_fit(&self, size: Units) -> Option<usize> {
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
