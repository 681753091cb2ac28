//! Exact inverses of `allocate` and `deallocate`, for a search that steps back.

use super::config::Units;
use super::{FreeListOpt, Position};
use crate::units::{Bytes, DeviceAddr};

impl FreeListOpt {
    /// Takes back an allocation at `address`: same ranges, lowest and fingerprint as before it.
    ///
    /// `previous_lowest` is what [`lowest_occupied_address`](Self::lowest_occupied_address) said
    /// before the allocation. The order of the block table is not restored.
    ///
    /// # Panics
    /// If no block is allocated at `address`.
    pub fn undo_allocate(&mut self, address: DeviceAddr, previous_lowest: Option<DeviceAddr>) {
        let position = self.scale.position(address, &self.config);
        let slot = position.and_then(|position| self.addresses.remove(&mut self.blocks, position));
        self.release(slot.expect("an allocation is undone while it stands"));
        self.lowest = self.lowest_at(previous_lowest);
    }

    /// Takes back a deallocation that returned `size`: same ranges, lowest and fingerprint as
    /// before it.
    ///
    /// # Panics
    /// If the range is not free.
    pub fn undo_deallocate(
        &mut self,
        address: DeviceAddr,
        size: Bytes,
        previous_lowest: Option<DeviceAddr>,
    ) {
        let position = self.scale.position(address, &self.config);
        let size = self.scale.units_exact(size);
        position
            .and_then(|position| self.occupy(position, size))
            .expect("a deallocation is undone while its range is free");
        self.lowest = self.lowest_at(previous_lowest);
    }

    /// Sets the lowest occupied address back to one that was reported earlier.
    ///
    /// The C++ class does not record an allocation that it finds below the address limit.
    pub fn restore_lowest(&mut self, lowest: Option<DeviceAddr>) {
        self.lowest = self.lowest_at(lowest);
    }

    #[inline]
    fn lowest_at(&mut self, address: Option<DeviceAddr>) -> Position {
        let Some(address) = address else { return Units::MAX };
        self.scale.position(address, &self.config).unwrap_or_else(|| self.odd_position(address))
    }

    /// A stale address may be finer than any block that stands.
    #[cold]
    fn odd_position(&mut self, address: DeviceAddr) -> Position {
        let relative = Bytes(address.0.wrapping_sub(self.config.offset.0));
        self.refine_scale(relative).expect("an address that was reported once is in the region");
        self.scale.units_exact(relative)
    }
}
