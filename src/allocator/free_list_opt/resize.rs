//! Shrinking the region from below and undoing it, and the change of scale for odd addresses.

use super::block_table::Slot;
use super::config::Units;
use super::free_lists::{Entry, FreeLists};
use super::{AddressTable, FreeListOpt, Position};
use crate::units::{Bytes, DeviceAddr};

/// Why a region could not be shrunk; the texts are tt-metal's.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum ShrinkError {
    /// Only the low end moves.
    #[error("Shrinking from the top is currently not supported")]
    FromTheTop,
    /// Nothing would be left.
    #[error("Shrink size {size} must be smaller than max size {max_size}")]
    TooLarge {
        /// Bytes to shrink by.
        size: Bytes,
        /// Bytes in the region now.
        max_size: Bytes,
    },
    /// An allocated block starts below the new end.
    #[error("Shrink size {boundary} cuts into allocated block at address {address}")]
    CutsBlock {
        /// Where the region would start, relative to its first start.
        boundary: Bytes,
        /// Where the block starts, relative likewise.
        address: Bytes,
    },
    /// The region is too large for a boundary that is not aligned.
    #[error("Shrink size {size} is not a multiple of the alignment")]
    Unaligned {
        /// Bytes to shrink by.
        size: Bytes,
    },
}

impl FreeListOpt {
    /// Takes `size` bytes off the low end of the region; a second call takes off more.
    ///
    /// # Errors
    /// If the call is from the top, would leave nothing, or cuts into an allocated block.
    pub fn shrink_size(&mut self, size: Bytes, bottom_up: bool) -> Result<(), ShrinkError> {
        if size == Bytes(0) {
            return Ok(());
        }
        if !bottom_up {
            return Err(ShrinkError::FromTheTop);
        }
        let max_size = self.statistics().total_allocatable;
        if size >= max_size {
            return Err(ShrinkError::TooLarge { size, max_size });
        }
        self.refine_scale(size).ok_or(ShrinkError::Unaligned { size })?;
        let cut = self.scale.units_exact(size);
        let boundary = Units(self.shrunk.0 + cut.0);
        self.check_free_below(boundary)?;

        let first = self.blocks.first();
        let block = *self.blocks.get(first);
        debug_assert!(block.is_free(), "nothing below the boundary is allocated");
        self.free.remove(&mut self.blocks, block.place);
        self.shrunk = boundary;
        if block.size == cut {
            self.blocks.remove(first);
        } else {
            self.reshape_first(first, boundary, Units(block.size.0 - cut.0));
        }
        Ok(())
    }

    /// Gives back all that [`shrink_size`](Self::shrink_size) took.
    pub fn reset_size(&mut self) {
        if self.shrunk == Units(0) {
            return;
        }
        let shrunk = std::mem::take(&mut self.shrunk);
        let first = self.blocks.first();
        let block = *self.blocks.get(first);
        if block.is_free() {
            self.free.remove(&mut self.blocks, block.place);
            self.reshape_first(first, Units(0), Units(block.size.0 + shrunk.0));
        } else {
            let slot = self.blocks.push(Units(0), shrunk, Slot::END, first);
            self.free.insert(&mut self.blocks, Entry { start: Units(0), size: shrunk, slot });
        }
    }

    /// Gives a free block that is in no list a new extent, and lists it.
    fn reshape_first(&mut self, slot: Slot, start: Position, size: Units) {
        let block = self.blocks.get_mut(slot);
        block.start = start;
        block.size = size;
        self.free.insert(&mut self.blocks, Entry { start, size, slot });
    }

    fn check_free_below(&self, boundary: Position) -> Result<(), ShrinkError> {
        // The runtime names the first such block of its table, not the lowest one.
        let mut blocks = self.blocks.allocated_in_table_order();
        match blocks.find(|block| block.start < boundary) {
            Some(block) => Err(ShrinkError::CutsBlock {
                boundary: self.scale.bytes(boundary),
                address: self.scale.bytes(block.start),
            }),
            None => Ok(()),
        }
    }

    /// Makes the unit small enough for `bytes` to be whole; `None` if the region is too large.
    pub(super) fn refine_scale(&mut self, bytes: Bytes) -> Option<()> {
        let scale = self.scale.refined(bytes, &self.config)?;
        if scale != self.scale {
            self.rescale(self.scale.shift - scale.shift, scale);
        }
        Some(())
    }

    #[cold]
    fn rescale(&mut self, bits: u32, scale: super::Scale) {
        self.scale = scale;
        self.blocks.scale_up(bits);
        self.shrunk.0 <<= bits;
        self.allocated.0 <<= bits;
        if self.lowest != Units::MAX {
            self.lowest.0 <<= bits;
        }
        self.addresses = AddressTable::new();
        self.free = FreeLists::new(&self.config, scale);
        let all: Vec<_> = self.blocks.in_address_order().map(|(at, block)| (at, *block)).collect();
        for (slot, block) in all {
            if block.is_free() {
                self.free.insert(&mut self.blocks, block.entry(slot));
            } else {
                self.addresses.insert(&mut self.blocks, block.start, slot);
            }
        }
    }

    /// The absolute address of the first byte that is not shrunk away.
    #[must_use]
    pub fn region_start(&self) -> DeviceAddr {
        self.address(self.shrunk)
    }
}
