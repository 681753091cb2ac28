//! From the start of an allocated block to its slot.
//!
//! A hash table whose chains run through the block table itself, so that an insertion is two stores
//! and a removal reads no more than the block that is freed anyway.

use super::block_table::{BlockTable, Slot};
use super::config::Units;

const FIRST_HEAD_COUNT: usize = 64;

/// The heads of the chains; never fewer than twice the number of entries.
#[derive(Clone, Debug)]
pub(super) struct AddressTable {
    heads: Vec<Slot>,
    /// Right shift that leaves as many bits as the number of heads has.
    shift: u32,
    len: usize,
}

impl AddressTable {
    pub fn new() -> Self {
        Self {
            heads: vec![Slot::NONE; FIRST_HEAD_COUNT],
            shift: u32::BITS - FIRST_HEAD_COUNT.trailing_zeros(),
            len: 0,
        }
    }

    /// Marks the block at `slot`, which starts at `start`, allocated and adds it.
    #[inline]
    pub fn insert(&mut self, blocks: &mut BlockTable, start: Units, slot: Slot) {
        if self.len * 2 >= self.heads.len() {
            self.grow(blocks);
        }
        self.len += 1;
        let head = self.head(start);
        let chain = std::mem::replace(&mut self.heads[head], slot);
        blocks.set_allocated(slot, chain);
    }

    #[inline]
    pub fn get(&self, blocks: &BlockTable, start: Units) -> Option<Slot> {
        let mut slot = self.heads[self.head(start)];
        while slot != Slot::NONE {
            let block = blocks.get(slot);
            if block.start == start {
                return Some(slot);
            }
            slot = block.chain;
        }
        None
    }

    #[inline]
    pub fn remove(&mut self, blocks: &mut BlockTable, start: Units) -> Option<Slot> {
        let head = self.head(start);
        let slot = self.heads[head];
        if slot == Slot::NONE {
            return None;
        }
        let block = blocks.get(slot);
        if block.start == start {
            self.heads[head] = block.chain;
            self.len -= 1;
            return Some(slot);
        }
        self.remove_later(blocks, start, slot)
    }

    /// Removes an entry that is not the first of its chain.
    fn remove_later(
        &mut self,
        blocks: &mut BlockTable,
        start: Units,
        mut before: Slot,
    ) -> Option<Slot> {
        loop {
            let slot = blocks.get(before).chain;
            if slot == Slot::NONE {
                return None;
            }
            let block = *blocks.get(slot);
            if block.start == start {
                blocks.get_mut(before).chain = block.chain;
                self.len -= 1;
                return Some(slot);
            }
            before = slot;
        }
    }

    /// Forgets everything, in time that follows the number of entries, not the capacity.
    pub fn clear(&mut self, blocks: &BlockTable) {
        if self.len * 8 < self.heads.len() && self.heads.len() > FIRST_HEAD_COUNT {
            for block in blocks.allocated_in_table_order() {
                let head = self.head(block.start);
                self.heads[head] = Slot::NONE;
            }
        } else {
            self.heads.fill(Slot::NONE);
        }
        self.len = 0;
    }

    #[inline]
    fn head(&self, start: Units) -> usize {
        (start.0.wrapping_mul(0x9E37_79B1) >> self.shift) as usize
    }

    #[cold]
    fn grow(&mut self, blocks: &mut BlockTable) {
        let old = std::mem::take(&mut self.heads);
        self.heads = vec![Slot::NONE; old.len() * 2];
        self.shift -= 1;
        for mut slot in old {
            while slot != Slot::NONE {
                let block = *blocks.get(slot);
                let head = self.head(block.start);
                blocks.get_mut(slot).chain = std::mem::replace(&mut self.heads[head], slot);
                slot = block.chain;
            }
        }
    }
}
