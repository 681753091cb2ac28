//! The block table: every block of the region, linked in address order.
//!
//! Slots are handed out as the C++ class hands out its indices (last freed first, else a new one
//! at the end), because `allocated_addresses` reports blocks in that order.

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

/// All blocks, in a ring through the end; the vacant slots are linked through `next`.
#[derive(Clone, Debug)]
pub(super) struct BlockTable {
    blocks: Vec<BlockRecord>,
    vacant: Slot,
}

impl BlockTable {
    pub fn new() -> Self {
        let mut blocks = Vec::with_capacity(16);
        blocks.push(END);
        Self { blocks, vacant: Slot::NONE }
    }

    pub fn clear(&mut self) {
        self.blocks.clear();
        self.blocks.push(END);
        self.vacant = Slot::NONE;
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
        let mut slot = self.vacant;
        if slot == Slot::NONE {
            slot = Slot(self.blocks.len() as u32);
            self.blocks.push(block);
        } else {
            let record = self.get_mut(slot);
            let vacant = record.next;
            *record = block;
            self.vacant = vacant;
        }
        self.get_mut(prev).next = slot;
        self.get_mut(next).prev = slot;
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

    /// Gives `slot` what it had and `size` more, up to the block `next`; the block at `gone` lay
    /// between and leaves the table.
    #[inline]
    pub fn absorb(&mut self, slot: Slot, gone: Slot, size: Units, next: Slot) -> Entry {
        self.get_mut(next).prev = slot;
        self.retire(gone);
        let block = self.get_mut(slot);
        block.size.0 += size.0;
        block.next = next;
        block.entry(slot)
    }

    /// Makes the slot vacant.
    #[inline]
    fn retire(&mut self, slot: Slot) {
        let vacant = std::mem::replace(&mut self.vacant, slot);
        let block = self.get_mut(slot);
        block.place = Place::VACANT;
        block.next = vacant;
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
