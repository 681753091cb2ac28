//! The block table: every block of the region, linked in address order.
//!
//! Slots are handed out as the C++ class hands out its indices (last freed first, else a new one
//! at the end), because `allocated_addresses` reports blocks in that order.

use std::hint::select_unpredictable;

use super::config::Units;
use super::free_lists::{Entry, Place};

/// The index of a block in the table.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Slot(pub u32);

impl Slot {
    /// The record before the first block and after the last one. It is never free.
    pub const END: Self = Self(0);
    /// No slot: the end of a chain.
    pub const NONE: Self = Self(u32::MAX);
}

/// One block; `prev` and `next` are its neighbours in memory.
#[derive(Clone, Copy, Debug)]
pub(super) struct BlockRecord {
    pub start: Units,
    pub size: Units,
    pub prev: Slot,
    pub next: Slot,
    /// The next allocated block in the same chain of the address table.
    pub chain: Slot,
    /// Which list has the block, if it is free.
    pub place: Place,
}

const END: BlockRecord = BlockRecord {
    start: Units::MAX,
    size: Units(0),
    prev: Slot::END,
    next: Slot::END,
    chain: Slot::NONE,
    place: Place::ALLOCATED,
};

impl BlockRecord {
    #[inline]
    pub fn is_free(&self) -> bool {
        self.place.is_free()
    }

    /// This block, which is free, as its list has it.
    #[inline]
    pub fn entry(&self, slot: Slot) -> Entry {
        Entry { start: self.start, size: self.size, slot }
    }
}

/// A block that was joined with its free neighbours.
#[derive(Clone, Copy, Debug)]
pub(super) struct Joined {
    /// Where the left neighbour was listed, if it was free.
    pub left: Place,
    /// Where the right neighbour was listed, if it was free.
    pub right: Place,
    /// The block now.
    pub merged: Entry,
    /// The block to the right of it.
    pub after: Slot,
}

/// All blocks, in a ring through the end.
#[derive(Clone, Debug)]
pub(super) struct BlockTable {
    blocks: Vec<BlockRecord>,
    /// The vacant slots, as a stack; longer than it needs to be, so that a push needs no test.
    vacant: Vec<Slot>,
    vacant_count: usize,
}

impl BlockTable {
    pub fn new() -> Self {
        let mut blocks = Vec::with_capacity(16);
        blocks.push(END);
        Self { blocks, vacant: vec![Slot::END; 3], vacant_count: 0 }
    }

    pub fn clear(&mut self) {
        self.blocks.clear();
        self.blocks.push(END);
        self.vacant_count = 0;
    }

    #[inline]
    pub fn get(&self, slot: Slot) -> &BlockRecord {
        &self.blocks[slot.0 as usize]
    }

    #[inline]
    pub fn get_mut(&mut self, slot: Slot) -> &mut BlockRecord {
        &mut self.blocks[slot.0 as usize]
    }

    /// Adds a block between two neighbours; it is for the caller to list it.
    #[inline]
    pub fn push(&mut self, start: Units, size: Units, prev: Slot, next: Slot) -> Slot {
        let block =
            BlockRecord { start, size, prev, next, chain: Slot::NONE, place: Place::VACANT };
        let slot = if self.vacant_count == 0 {
            self.push_new(block)
        } else {
            self.vacant_count -= 1;
            let slot = self.vacant[self.vacant_count];
            *self.get_mut(slot) = block;
            slot
        };
        self.get_mut(prev).next = slot;
        self.get_mut(next).prev = slot;
        slot
    }

    #[cold]
    fn push_new(&mut self, block: BlockRecord) -> Slot {
        let slot = Slot(self.blocks.len() as u32);
        self.blocks.push(block);
        if self.vacant.len() < self.blocks.len() + 2 {
            self.vacant.push(Slot::END);
        }
        slot
    }

    /// Cuts the right end off a block, as a new free block; the block keeps `size`.
    #[inline]
    pub fn split_right(&mut self, slot: Slot, size: Units) -> Entry {
        let block = self.get_mut(slot);
        let start = Units(block.start.0 + size.0);
        let rest = Units(block.size.0 - size.0);
        block.size = size;
        let next = block.next;
        Entry { start, size: rest, slot: self.push(start, rest, slot, next) }
    }

    /// Cuts the left end off a block, as a new free block of `rest` units.
    #[inline]
    pub fn split_left(&mut self, slot: Slot, rest: Units) -> Entry {
        let block = self.get_mut(slot);
        let start = block.start;
        block.start.0 += rest.0;
        block.size.0 -= rest.0;
        let prev = block.prev;
        Entry { start, size: rest, slot: self.push(start, rest, prev, slot) }
    }

    /// Marks the block at `slot` allocated and puts it at the head of a chain.
    #[inline]
    pub fn set_allocated(&mut self, slot: Slot, chain: Slot) {
        let block = self.get_mut(slot);
        block.place = Place::ALLOCATED;
        block.chain = chain;
    }

    /// Records which list has the free block at `slot`.
    #[inline]
    pub fn set_place(&mut self, slot: Slot, place: Place) {
        self.get_mut(slot).place = place;
    }

    /// Joins the block at `slot` with its free neighbours; the lists are for the caller.
    ///
    /// Every case does the same stores; see `FreeLists::merge`.
    #[inline]
    pub fn join(&mut self, slot: Slot) -> Joined {
        let block = self.get(slot);
        let (prev, next, own) = (block.prev, block.next, block.size.0);
        let right = self.get(next);
        let (right_place, right_size, right_next) = (right.place, right.size.0, right.next);
        let left = self.get(prev);
        let (left_place, left_size) = (left.place, left.size.0);
        let (joins_left, joins_right) = (left_place.is_free(), right_place.is_free());

        let merged = select_unpredictable(joins_left, prev, slot);
        let after = select_unpredictable(joins_right, right_next, next);
        let left_size = select_unpredictable(joins_left, left_size, 0);
        let right_size = select_unpredictable(joins_right, right_size, 0);
        let size = Units(own + left_size + right_size);
        self.retire_if(slot, joins_left);
        self.retire_if(next, joins_right);
        self.get_mut(after).prev = merged;
        let block = self.get_mut(merged);
        block.size = size;
        block.next = after;
        Joined { left: left_place, right: right_place, merged: block.entry(merged), after }
    }

    /// Makes the slot vacant on a condition; without it, what stays there is allocated.
    #[inline]
    fn retire_if(&mut self, slot: Slot, condition: bool) {
        self.vacant[self.vacant_count] = slot;
        self.vacant_count += usize::from(condition);
        let place = select_unpredictable(condition, Place::VACANT, Place::ALLOCATED);
        self.get_mut(slot).place = place;
    }

    #[inline]
    fn retire(&mut self, slot: Slot) {
        self.retire_if(slot, true);
    }

    /// Takes a block out of the table and leaves a gap.
    pub fn remove(&mut self, slot: Slot) {
        let BlockRecord { prev, next, .. } = *self.get(slot);
        self.get_mut(prev).next = next;
        self.get_mut(next).prev = prev;
        self.retire(slot);
    }

    /// Multiplies every position and size by `1 << bits`.
    pub fn scale_up(&mut self, bits: u32) {
        for block in &mut self.blocks[1..] {
            block.start.0 <<= bits;
            block.size.0 <<= bits;
        }
    }

    /// The first block of the region.
    pub fn first(&self) -> Slot {
        self.get(Slot::END).next
    }

    /// Each block, by address.
    pub fn in_address_order(&self) -> impl Iterator<Item = (Slot, &BlockRecord)> {
        let mut slot = self.first();
        std::iter::from_fn(move || {
            let at = slot;
            let block = self.get(at);
            slot = block.next;
            (at != Slot::END).then_some((at, block))
        })
    }

    /// Each allocated block, by slot.
    pub fn allocated_in_table_order(&self) -> impl Iterator<Item = &BlockRecord> {
        self.blocks[1..].iter().filter(|block| block.place == Place::ALLOCATED)
    }
}
