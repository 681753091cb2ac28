//! What can be read off a free list: blocks, statistics, ranges.

use super::FreeListOpt;
use super::block_table::{BlockRecord, Slot};
use super::config::Units;
use super::free_lists::{class_count, class_of_bit};
use crate::units::{Bytes, DeviceAddr};

/// A block of the region, as the runtime's block table shows it.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct Block {
    /// Where it starts.
    pub address: DeviceAddr,
    /// Bytes in it.
    pub size: Bytes,
    /// Whether it is allocated, rather than free.
    pub allocated: bool,
}

/// The number of a block in the runtime's block table.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct BlockId(pub u32);

/// A row of the runtime's block table.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct TableRow {
    /// The block's number, which later blocks use again.
    pub id: BlockId,
    /// The block.
    pub block: Block,
    /// The block below it in memory.
    pub prev: Option<BlockId>,
    /// The block above it in memory.
    pub next: Option<BlockId>,
}

/// The four numbers that the runtime reports for a region.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct Statistics {
    /// Bytes in the region, less what it was shrunk by.
    pub total_allocatable: Bytes,
    /// Bytes in allocated blocks.
    pub total_allocated: Bytes,
    /// Bytes in free blocks.
    pub total_free: Bytes,
    /// Bytes in the largest free block.
    pub largest_free: Bytes,
}

impl FreeListOpt {
    /// The lowest occupied address as the C++ class reports it; after `clear` it may be stale.
    #[must_use]
    #[inline]
    pub fn lowest_occupied_address(&self) -> Option<DeviceAddr> {
        (self.lowest != Units::MAX).then(|| self.address(self.lowest))
    }

    /// The runtime's figures for the region.
    #[must_use]
    pub fn statistics(&self) -> Statistics {
        let total_allocatable = Bytes(self.config.max_size.0 - self.scale.bytes(self.shrunk).0);
        let total_allocated = self.allocated_bytes();
        let free = self.blocks().filter(|block| !block.allocated);
        Statistics {
            total_allocatable,
            total_allocated,
            total_free: Bytes(total_allocatable.0 - total_allocated.0),
            largest_free: free.map(|block| block.size).max().unwrap_or_default(),
        }
    }

    /// Bytes in allocated blocks.
    #[must_use]
    #[inline]
    pub fn allocated_bytes(&self) -> Bytes {
        self.scale.bytes(self.allocated)
    }

    /// Every block, by address. What the region was shrunk by is in none of them.
    pub fn blocks(&self) -> impl Iterator<Item = Block> {
        self.blocks.in_address_order().map(|(_, block)| self.block(block))
    }

    /// The runtime's block table, in its own order: by number, not by address.
    #[must_use]
    pub fn block_table(&self) -> Vec<TableRow> {
        // Slot 0 is the end of the ring, so the runtime's numbers are one less.
        let id = |slot: Slot| slot.0.checked_sub(1).map(BlockId);
        let mut rows: Vec<_> = self.blocks.in_address_order().collect();
        rows.sort_unstable_by_key(|(slot, _)| slot.0);
        let row = |(slot, record): (Slot, &BlockRecord)| TableRow {
            id: BlockId(slot.0 - 1),
            block: self.block(record),
            prev: id(record.prev),
            next: id(record.next),
        };
        rows.into_iter().map(row).collect()
    }

    /// Start and end of each allocated block, in the order of the C++ class's block table.
    #[must_use]
    pub fn allocated_addresses(&self) -> Vec<(DeviceAddr, DeviceAddr)> {
        self.blocks.allocated_in_table_order().map(|block| self.range(block)).collect()
    }

    /// Start and end of each free block that can hold `size`, by size class, then by address.
    #[must_use]
    pub fn available_addresses(&self, size: Bytes) -> Vec<(DeviceAddr, DeviceAddr)> {
        let Some(size) = self.scale.block_size(size, &self.config) else {
            return Vec::new();
        };
        let count = class_count(&self.config);
        let blocks = self.blocks.in_address_order().map(|(_, block)| block);
        let mut found: Vec<_> =
            blocks.filter(|block| block.is_free() && block.size >= size).collect();
        found.sort_by_key(|block| class_of_bit(block.size.0.ilog2(), self.scale, count));
        found.into_iter().map(|block| self.range(block)).collect()
    }

    /// The size of the allocated block that starts at `address`.
    #[must_use]
    pub fn block_size(&self, address: DeviceAddr) -> Option<Bytes> {
        let position = self.scale.position(address, &self.config)?;
        let slot = self.addresses.get(&self.blocks, position)?;
        Some(self.scale.bytes(self.blocks.get(slot).size))
    }

    fn block(&self, record: &BlockRecord) -> Block {
        Block {
            address: self.address(record.start),
            size: self.scale.bytes(record.size),
            allocated: !record.is_free(),
        }
    }

    fn range(&self, block: &BlockRecord) -> (DeviceAddr, DeviceAddr) {
        let start = self.address(block.start);
        (start, start.offset(self.scale.bytes(block.size)))
    }
}
