//! The free blocks, in lists by size class.
//!
//! The C++ class keeps each list sorted by address; only the first fitting block in that order ever
//! counts, so here the lists are in no order and the block is found by a scan for the least (or
//! greatest) address. An insertion or removal then moves one entry at most.

use std::hint::select_unpredictable;

use super::block_table::{BlockTable, Slot};
use super::config::{Direction, FreeListConfig, Scale, SearchPolicy, Units};
use super::size_class::Class;
pub(super) use super::size_class::Entry;

/// Where an entry is: its class in the upper bits, its index in the list of the class in the rest.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Place(u32);

pub(super) const INDEX_BITS: u32 = 27;

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

/// As long as there are no more free blocks, one list holds them all.
const FLAT_LEN_MAX: usize = 64;
/// When there are fewer, they go back to one list.
const FLAT_LEN_MIN: usize = 40;

/// All size classes. First fit does not care for sizes, and has one class.
///
/// A few blocks are *flat*: in the list of class 0, whatever their class. The list of a class would
/// hold one or two of them, and to find out which would cost more than to look at all.
#[derive(Clone, Debug)]
pub(super) struct FreeLists {
    classes: Vec<Class>,
    /// One bit for each class that is not empty.
    occupied: u32,
    /// Whether all blocks are in the first list.
    flat: bool,
    /// Free blocks in all lists.
    len: usize,
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
        let classes = vec![Class::new(); count as usize];
        let class_of_bit = std::array::from_fn(|bit| class_of_bit(bit as u32, scale, count) as u8);
        Self { classes, occupied: 0, flat: true, len: 0, class_of_bit }
    }

    pub fn clear(&mut self) {
        for class in &mut self.classes {
            class.clear();
        }
        self.occupied = 0;
        self.flat = true;
        self.len = 0;
    }

    /// The block that a request for `size` is served from.
    #[inline]
    pub fn find(&self, size: Units, direction: Direction) -> Option<(Place, Slot)> {
        if self.flat && self.classes[0].len <= FLAT_LEN_MAX {
            let index = self.classes[0].best_fit(size, direction)?;
            return Some((Place::new(0, index), self.classes[0].slot(index)));
        }
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
        self.push(blocks, entry);
        self.check_mode(blocks);
    }

    #[inline]
    fn push(&mut self, blocks: &mut BlockTable, entry: Entry) {
        let class = self.class(entry.size);
        let at = if self.flat { 0 } else { class };
        self.occupied |= 1 << at;
        self.len += 1;
        let index = self.classes[at].push(entry, class);
        blocks.set_place(entry.slot, Place::new(at, index));
    }

    #[inline]
    pub fn remove(&mut self, blocks: &mut BlockTable, place: Place) {
        let list = &mut self.classes[place.class()];
        list.len -= 1;
        let last = list.move_entry(list.len, place.index());
        if list.len == 0 {
            self.occupied &= !(1 << place.class());
        }
        self.len -= 1;
        blocks.set_place(last, place);
        self.check_mode(blocks);
    }

    /// Puts `new` where the entry at `place` was: same neighbours, another extent.
    #[inline]
    pub fn replace(&mut self, blocks: &mut BlockTable, place: Place, new: Entry) {
        let class = self.class(new.size);
        if self.flat || class == place.class() {
            self.classes[place.class()].set(place.index(), new, class);
            blocks.set_place(new.slot, place);
        } else {
            self.remove(blocks, place);
            self.insert(blocks, new);
        }
    }

    /// Goes from one list to many, or back, when the number of free blocks asks for it.
    #[inline]
    fn check_mode(&mut self, blocks: &mut BlockTable) {
        let change = if self.flat { self.len > FLAT_LEN_MAX } else { self.len < FLAT_LEN_MIN };
        if change && self.classes.len() > 1 {
            self.change_mode(blocks);
        }
    }

    #[cold]
    fn change_mode(&mut self, blocks: &mut BlockTable) {
        let entries: Vec<_> =
            self.classes.iter().flat_map(|list| (0..list.len).map(|at| list.entry(at))).collect();
        let flat = !self.flat;
        self.clear();
        self.flat = flat;
        for entry in entries {
            self.push(blocks, entry);
        }
    }

    /// Lists a block that took in the free blocks that were at `left` and `right`, if they were.
    #[inline]
    pub fn merge(&mut self, blocks: &mut BlockTable, left: Place, right: Place, merged: Entry) {
        if self.flat {
            return self.merge_flat(blocks, left, right, merged);
        }
        let mut old = left;
        if right.is_free() {
            old = right;
            if left.is_free() {
                self.remove(blocks, right);
                // That may have moved the left block within their common list.
                old = blocks.get(merged.slot).place;
            }
        }
        if old.is_free() {
            self.replace(blocks, old, merged);
        } else {
            self.insert(blocks, merged);
        }
    }

    /// Which neighbours are free is as random as the caller. A branch on it would often be
    /// mispredicted, so every case does the same stores.
    #[inline]
    fn merge_flat(&mut self, blocks: &mut BlockTable, left: Place, right: Place, merged: Entry) {
        let class = self.class(merged.size);
        let list = &mut self.classes[0];
        let (left_free, right_free) = (left.is_free(), right.is_free());
        let both = left_free & right_free;
        let len = list.len - usize::from(both);
        let gap = select_unpredictable(both, right.index(), len);
        let moved = list.move_entry(len, gap);
        // Unless both are free, the unused entry was moved to itself, and it names the end.
        blocks.set_place(moved, select_unpredictable(both, right, Place::ALLOCATED));

        let left_moved = both & (left.index() == len);
        let left_index = select_unpredictable(left_moved, gap, left.index());
        let right_index = select_unpredictable(right_free, right.index(), len);
        let index = select_unpredictable(left_free, left_index, right_index);
        list.set(index, merged, class);
        let len = len + usize::from(!(left_free | right_free));
        list.set_len(len);
        self.len = len;
        self.occupied = 1;
        blocks.set_place(merged.slot, Place::new(0, index));
        self.check_mode(blocks);
    }

    #[inline]
    fn class(&self, size: Units) -> usize {
        usize::from(self.class_of_bit[(size.0 | 1).ilog2() as usize])
    }
}
