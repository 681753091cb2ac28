//! What a free list is made with, and the scale that turns bytes into 32-bit units.

use crate::units::{Bytes, DeviceAddr};

/// How a free block is chosen.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum SearchPolicy {
    /// The first fitting block, by address, of the lowest size class that has one.
    Best,
    /// The fitting block nearest to the end that the request starts from.
    First,
}

/// Which end of the region, and of the chosen block, an allocation is taken from.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Direction {
    /// From the lowest address upwards, as DRAM.
    BottomUp,
    /// From the highest address downwards, as L1.
    TopDown,
}

/// What `clear` does to the lowest occupied address.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum ClearLowest {
    /// Keeps it, as the C++ class does: until the next free below it, it is stale.
    Keep,
    /// Sets it to none, since nothing is occupied.
    Reset,
}

/// The region and the rules of one [`FreeListOpt`](super::FreeListOpt).
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct FreeListConfig {
    /// Bytes in the region; 0 is a region from which nothing can be had.
    pub max_size: Bytes,
    /// Address of the region's first byte.
    pub offset: DeviceAddr,
    /// The least number of bytes a block gets.
    pub min_allocation: Bytes,
    /// Every block's size is rounded up to a multiple of it, in bytes; 0 counts as 1.
    pub alignment: Bytes,
    /// How a free block is chosen.
    pub policy: SearchPolicy,
}

/// A number of units: a size, or a distance from the start of the region.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord)]
pub(super) struct Units(pub u32);

impl Units {
    /// More than any region has; as a position, "none".
    pub const MAX: Self = Self(u32::MAX);
}

/// How bytes become units.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Scale {
    /// A unit is `1 << shift` bytes.
    pub shift: u32,
    /// Alignment - 1 when the alignment is a power of two.
    round_mask: Option<u64>,
}

impl Scale {
    pub fn of(config: &FreeListConfig) -> Self {
        let alignment = config.alignment.0.max(1);
        let shift = alignment.trailing_zeros().min(config.max_size.0.trailing_zeros());
        assert!(fits(config.max_size, shift), "a region of {} B is too large", config.max_size);
        Self { shift, round_mask: alignment.is_power_of_two().then(|| alignment - 1) }
    }

    /// The scale whose unit also divides `bytes`; `None` if the region would no longer fit.
    pub fn refined(self, bytes: Bytes, config: &FreeListConfig) -> Option<Self> {
        let shift = self.shift.min(bytes.0.trailing_zeros());
        fits(config.max_size, shift).then_some(Self { shift, ..self })
    }

    #[inline]
    pub fn bytes(self, units: Units) -> Bytes {
        Bytes(u64::from(units.0) << self.shift)
    }

    /// The position of an absolute address; `None` if it is between two units, or far
    /// outside.
    #[inline]
    pub fn position(self, address: DeviceAddr, config: &FreeListConfig) -> Option<Units> {
        // A remainder rotates into the upper half, so one comparison finds both faults.
        let units = address.0.wrapping_sub(config.offset.0).rotate_right(self.shift);
        (units < u64::from(u32::MAX)).then_some(Units(units as u32))
    }

    /// Units in a number of bytes that is known to be whole and inside the region.
    pub fn units_exact(self, bytes: Bytes) -> Units {
        debug_assert_eq!(bytes.0 & ((1 << self.shift) - 1), 0, "a whole number of units");
        Units((bytes.0 >> self.shift) as u32)
    }

    /// The size of the block that a request for `size` gets; `None` if the region is smaller.
    #[inline]
    pub fn block_size(self, size: Bytes, config: &FreeListConfig) -> Option<Units> {
        let least = size.0.max(config.min_allocation.0).max(1);
        if least > config.max_size.0 {
            return None;
        }
        let rounded = match self.round_mask {
            Some(mask) => (least + mask) & !mask,
            None => Bytes(least).round_up(config.alignment).0,
        };
        u32::try_from(rounded >> self.shift).ok().map(Units)
    }
}

fn fits(region: Bytes, shift: u32) -> bool {
    region.0 >> shift < u64::from(u32::MAX)
}
