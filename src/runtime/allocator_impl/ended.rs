//! What is left of a block that was given back, in the allocator of today and in those of the past.

use super::{AllocatorImpl, Change, ONLY};
use crate::event::TableBlock;
use crate::units::{BufferType, Bytes, DeviceAddr};

impl AllocatorImpl {
    /// A block goes back to its manager; the answer is its size, or none if nothing starts there.
    #[inline]
    pub(super) fn give_back(
        &mut self,
        buffer_type: BufferType,
        address: DeviceAddr,
    ) -> Option<Bytes> {
        if self.faults.full_region_lost && self.is_full(buffer_type) {
            return self.size_at(buffer_type, address);
        }
        if self.faults.ended_blocks_shown {
            self.end_blocks_around(buffer_type, address);
        }
        let lowest = self.state(buffer_type).lowest;
        let freed = self.managers[buffer_type.index()].deallocate(ONLY, address);
        let freed = freed.expect("every manager has its first allocator")?;
        self.note(|| Change::Returned(buffer_type, address, freed, lowest));
        Some(freed.size)
    }

    #[cold]
    fn is_full(&self, buffer_type: BufferType) -> bool {
        self.list(buffer_type).blocks().all(|block| block.allocated)
    }

    #[cold]
    fn size_at(&self, buffer_type: BufferType, address: DeviceAddr) -> Option<Bytes> {
        let mut blocks = self.list(buffer_type).blocks();
        blocks.find(|block| block.allocated && block.address == address).map(|block| block.size)
    }

    /// The block at the address is about to be joined with its free neighbours: of two that are
    /// joined the right one ends.
    #[cold]
    fn end_blocks_around(&mut self, buffer_type: BufferType, address: DeviceAddr) {
        let blocks: Vec<_> = self.list(buffer_type).blocks().collect();
        let freed = blocks.iter().position(|block| block.allocated && block.address == address);
        let Some(freed) = freed else { return };
        let left_is_free = freed > 0 && !blocks[freed - 1].allocated;
        let right_is_free = blocks.get(freed + 1).is_some_and(|right| !right.allocated);
        let joined = [(freed, left_is_free), (freed + 1, right_is_free)];
        self.remember_ended();
        for (index, _) in joined.into_iter().filter(|&(_, ends)| ends) {
            let (address, size) = (blocks[index].address, blocks[index].size);
            self.ended.push((buffer_type, TableBlock { address, size, allocated: false }));
        }
    }

    /// A block was taken at the address: if that split a free one, the new block takes the place
    /// of the one that ended last.
    #[inline]
    pub(super) fn reuse_ended(&mut self, buffer_type: BufferType, address: DeviceAddr) {
        if !self.ended.is_empty() {
            self.reuse_place(buffer_type, address);
        }
    }

    #[cold]
    fn reuse_place(&mut self, buffer_type: BufferType, address: DeviceAddr) {
        let blocks: Vec<_> = self.list(buffer_type).blocks().collect();
        let taken = blocks.iter().position(|block| block.address == address);
        let taken = taken.expect("the block has just been taken");
        let free = |index: usize| blocks.get(index).is_some_and(|block| !block.allocated);
        // No two free blocks are neighbours: a free one beside the new block is what it left.
        let split = free(taken + 1) || taken.checked_sub(1).is_some_and(free);
        let last = self.ended.iter().rposition(|&(of, _)| of == buffer_type);
        if let Some(last) = last.filter(|_| split) {
            self.remember_ended();
            self.ended.remove(last);
        }
    }

    /// A manager that starts afresh has no ended blocks.
    #[inline]
    pub(super) fn forget_ended(&mut self, buffer_type: BufferType) {
        if !self.ended.is_empty() {
            self.remember_ended();
            self.ended.retain(|&(of, _)| of != buffer_type);
        }
    }

    /// Adds the ended blocks to a block table, which is in order of addresses.
    pub(super) fn show_ended(&self, buffer_type: BufferType, into: &mut Vec<TableBlock>) {
        if !self.ended.is_empty() {
            let own = self.ended.iter().filter(|&&(of, _)| of == buffer_type);
            into.extend(own.map(|&(_, block)| block));
            into.sort_by_key(|block| block.address);
        }
    }

    fn remember_ended(&mut self) {
        if self.undo {
            self.journal.push(Change::Ended(self.ended.clone()));
        }
    }
}
