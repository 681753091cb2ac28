//! tt-metal's `FreeListOpt`: a free list in size classes, with the addresses of the C++ class.
//!
//! Inside, positions and sizes count *units*, the largest power of two that divides both the
//! alignment and the region, so that they fit in 32 bits. Three tables share the work: the block
//! table (every block, linked in address order), the address table (start of an allocated block to
//! its slot) and the free lists (the free blocks of each size class).

mod address_table;
mod block_table;
mod config;
mod fingerprint;
mod free_lists;
mod report;
mod resize;
mod size_class;
mod undo;

pub use config::{ClearLowest, Direction, FreeListConfig, SearchPolicy};
pub use report::{Block, BlockId, Statistics, TableRow};
pub use resize::ShrinkError;

use crate::units::{Bytes, DeviceAddr};
use address_table::AddressTable;
use block_table::{BlockTable, Slot};
use config::{Scale, Units};
use fingerprint::range_hash;
use free_lists::{Entry, FreeLists};

/// An allocator over one region of a bank, block by block as tt-metal's `FreeListOpt`.
///
/// ```
/// use freeorder::allocator::{Direction, FreeListConfig, FreeListOpt, SearchPolicy};
/// use freeorder::units::{Bytes, DeviceAddr};
///
/// let mut list = FreeListOpt::new(FreeListConfig {
///     max_size: Bytes(1 << 20),
///     offset: DeviceAddr(4096),
///     min_allocation: Bytes(32),
///     alignment: Bytes(32),
///     policy: SearchPolicy::First,
/// });
/// assert_eq!(list.allocate(Bytes(100), Direction::BottomUp), Some(DeviceAddr(4096)));
/// assert_eq!(list.deallocate(DeviceAddr(4096)), Some(Bytes(128)));
/// assert_eq!(list.deallocate(DeviceAddr(4096)), None);
/// ```
#[derive(Clone, Debug)]
pub struct FreeListOpt {
    config: FreeListConfig,
    scale: Scale,
    blocks: BlockTable,
    addresses: AddressTable,
    free: FreeLists,
    /// The lowest occupied position as the C++ class remembers it, which may be stale; `MAX` if
    /// none.
    lowest: Position,
    shrunk: Units,
    allocated: Units,
    /// Sum of the hashes of the allocated ranges.
    ranges_hash: u64,
}

/// A distance from the start of the region, in units.
type Position = Units;

impl FreeListOpt {
    /// An allocator whose region is one free block.
    ///
    /// # Panics
    /// If the region holds 2^32 units or more.
    #[must_use]
    pub fn new(config: FreeListConfig) -> Self {
        let scale = Scale::of(&config);
        let mut list = Self {
            config,
            scale,
            blocks: BlockTable::new(),
            addresses: AddressTable::new(),
            free: FreeLists::new(&config, scale),
            lowest: Units::MAX,
            shrunk: Units(0),
            allocated: Units(0),
            ranges_hash: 0,
        };
        list.cover_with_one_free_block();
        list
    }

    /// What the allocator was made with.
    #[must_use]
    pub fn config(&self) -> &FreeListConfig {
        &self.config
    }

    /// Takes a block of at least `size` from the end that `direction` names; `None` if none fits.
    #[inline]
    pub fn allocate(&mut self, size: Bytes, direction: Direction) -> Option<DeviceAddr> {
        let start = self.take(size, direction)?;
        self.lowest = self.lowest.min(start);
        Some(self.address(start))
    }

    /// Takes exactly the range that starts at `start`; `None` unless all of it is free.
    ///
    /// `start` need not be aligned: the C++ class does not check it either. In a region with 2^32
    /// bytes or more, an address that is not a multiple of the unit is never free.
    pub fn allocate_at_address(&mut self, start: DeviceAddr, size: Bytes) -> Option<DeviceAddr> {
        // In the C++ class an address below the offset wraps around, and a size larger than the
        // distance wraps back into the region. Here it is never free.
        let relative = start.0.checked_sub(self.config.offset.0)?;
        if relative >= self.config.max_size.0 {
            return None;
        }
        self.refine_scale(Bytes(relative))?;
        let size = self.scale.block_size(size, &self.config)?;
        let position = self.scale.units_exact(Bytes(relative));
        self.occupy(position, size)?;
        self.lowest = self.lowest.min(position);
        Some(start)
    }

    /// Gives the block that starts at `address` back, and returns its size.
    ///
    /// `None` says that no allocated block starts there, which the C++ class passes over in
    /// silence.
    #[inline]
    pub fn deallocate(&mut self, address: DeviceAddr) -> Option<Bytes> {
        let position = self.scale.position(address, &self.config)?;
        let slot = self.addresses.remove(&mut self.blocks, position)?;
        let (size, next) = self.release(slot);
        // A `lowest` of None with a block allocated happens only after an allocation that threw
        // below the address limit. ASSUMED: None counts as "recompute"; the C++ reads an empty
        // optional here, which is undefined.
        if position <= self.lowest {
            // No two free blocks are neighbours, so the block after a free one is allocated.
            self.lowest = self.blocks.get(next).start;
        }
        Some(self.scale.bytes(size))
    }

    /// Frees everything at once and undoes any shrink.
    pub fn clear(&mut self, lowest: ClearLowest) {
        self.addresses.clear(&self.blocks);
        self.blocks.clear();
        self.free.clear();
        self.shrunk = Units(0);
        self.allocated = Units(0);
        self.ranges_hash = 0;
        match lowest {
            ClearLowest::Keep => {}
            ClearLowest::Reset => self.lowest = Units::MAX,
        }
        self.cover_with_one_free_block();
    }

    fn cover_with_one_free_block(&mut self) {
        let size = self.scale.units_exact(self.config.max_size);
        let slot = self.blocks.push(Units(0), size, Slot::END, Slot::END);
        self.free.insert(&mut self.blocks, Entry { start: Units(0), size, slot });
    }

    #[inline]
    fn address(&self, position: Position) -> DeviceAddr {
        self.config.offset.offset(self.scale.bytes(position))
    }

    /// Finds, splits and marks a block; everything but the lowest occupied address.
    #[inline]
    fn take(&mut self, size: Bytes, direction: Direction) -> Option<Position> {
        let size = self.scale.block_size(size, &self.config)?;
        let (place, slot) = self.free.find(size, direction)?;
        let hole = self.blocks.get(slot).entry(slot);
        let rest = Units(hole.size.0 - size.0);
        let mut start = hole.start;
        if rest == Units(0) {
            self.free.remove(&mut self.blocks, place);
        } else {
            let rest = match direction {
                Direction::BottomUp => self.blocks.split_right(hole.slot, size),
                Direction::TopDown => {
                    start.0 += rest.0;
                    self.blocks.split_left(hole.slot, rest)
                }
            };
            self.free.replace(&mut self.blocks, place, rest);
        }
        self.mark_allocated(hole.slot, start, size);
        Some(start)
    }

    /// Takes `[start, start + size)` out of the free block that holds all of it.
    fn occupy(&mut self, start: Position, size: Units) -> Option<()> {
        let (place, slot) = self.free.find_holding(start, size)?;
        let hole = self.blocks.get(slot).entry(slot);
        self.free.remove(&mut self.blocks, place);
        let left = Units(start.0 - hole.start.0);
        let right = Units(hole.size.0 - left.0 - size.0);
        if left != Units(0) {
            let rest = self.blocks.split_left(hole.slot, left);
            self.free.insert(&mut self.blocks, rest);
        }
        if right != Units(0) {
            let rest = self.blocks.split_right(hole.slot, size);
            self.free.insert(&mut self.blocks, rest);
        }
        self.mark_allocated(hole.slot, start, size);
        Some(())
    }

    #[inline]
    fn mark_allocated(&mut self, slot: Slot, start: Position, size: Units) {
        self.addresses.insert(&mut self.blocks, start, slot);
        self.allocated.0 += size.0;
        let hash = range_hash(self.scale.bytes(start), self.scale.bytes(size));
        self.ranges_hash = self.ranges_hash.wrapping_add(hash);
    }

    /// Frees the block at `slot`, joined with its free neighbours; returns its own size and the
    /// slot of the next block to the right.
    #[inline]
    fn release(&mut self, slot: Slot) -> (Units, Slot) {
        let freed = *self.blocks.get(slot);
        self.allocated.0 -= freed.size.0;
        let hash = range_hash(self.scale.bytes(freed.start), self.scale.bytes(freed.size));
        self.ranges_hash = self.ranges_hash.wrapping_sub(hash);

        let joined = self.blocks.join(slot);
        self.free.merge(&mut self.blocks, joined.left, joined.right, joined.merged);
        (freed.size, joined.after)
    }
}
