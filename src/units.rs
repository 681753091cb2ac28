//! The numbers of the model, each with a type of its own: addresses, sizes, ids, ticks.
//!
//! A bare integer may live inside one function, never in a signature.

use std::fmt;

use serde::{Deserialize, Serialize};

/// A byte address in the memory of a device bank, as `Buffer::address()` reports it.
///
/// One address is valid in every bank at once, because tt-metal allocates in lock step.
#[derive(
    Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize,
)]
#[serde(transparent)]
pub struct DeviceAddr(pub u64);

impl DeviceAddr {
    /// The address `size` bytes above this one.
    #[must_use]
    #[inline]
    pub fn offset(self, size: Bytes) -> Self {
        Self(self.0 + size.0)
    }
}

impl fmt::Display for DeviceAddr {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}", self.0)
    }
}

/// A size in bytes.
#[derive(
    Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize,
)]
#[serde(transparent)]
pub struct Bytes(pub u64);

impl Bytes {
    /// The size rounded up to a multiple of `alignment`; an alignment of 0 or 1 changes nothing.
    ///
    /// # Panics
    /// If the rounded size does not fit in 64 bits.
    #[must_use]
    #[inline]
    pub fn round_up(self, alignment: Bytes) -> Self {
        match alignment.0 {
            0 => self,
            // A division takes longer than all else, and every machine's alignments are of these.
            power if power.is_power_of_two() => Self((self.0 + (power - 1)) & !(power - 1)),
            other => Self(self.0.div_ceil(other) * other),
        }
    }
}

impl fmt::Display for Bytes {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}", self.0)
    }
}

/// A physical chip, numbered as the cluster numbers it.
#[derive(
    Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize,
)]
#[serde(transparent)]
pub struct DeviceId(pub u8);

impl fmt::Display for DeviceId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}", self.0)
    }
}

/// A set of device numbers, 0 to 63: the chips that one message, buffer or mesh touches.
///
/// A mesh allocates in lock step, so nearly every fact holds for a whole set of chips at once.
///
/// ```
/// use freeorder::units::{DeviceId, Lanes};
/// let mesh = Lanes::first(8);
/// assert_eq!(mesh.count(), 8);
/// assert!(mesh.contains(DeviceId(7)));
/// assert_eq!(mesh.minus(Lanes::first(7)), Lanes::one(DeviceId(7)));
/// ```
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Lanes(pub u64);

impl Lanes {
    /// How many device numbers a set can hold.
    pub const CAPACITY: usize = 64;
    /// No device.
    pub const NONE: Self = Self(0);

    /// The devices 0 to `count - 1`; a count above 64 means all 64.
    #[must_use]
    #[inline]
    pub fn first(count: usize) -> Self {
        if count >= Self::CAPACITY { Self(u64::MAX) } else { Self((1 << count) - 1) }
    }

    /// One device.
    ///
    /// # Panics
    /// If the number is 64 or more.
    #[must_use]
    #[inline]
    pub fn one(device: DeviceId) -> Self {
        assert!(usize::from(device.0) < Self::CAPACITY, "device numbers stop at 63");
        Self(1 << device.0)
    }

    /// Whether the set is empty.
    #[must_use]
    #[inline]
    pub fn is_empty(self) -> bool {
        self.0 == 0
    }

    /// How many devices the set holds.
    #[must_use]
    #[inline]
    pub fn count(self) -> u32 {
        self.0.count_ones()
    }

    /// Whether the device is in the set.
    #[must_use]
    #[inline]
    pub fn contains(self, device: DeviceId) -> bool {
        // A number that no set can hold is in none of them.
        self.0.checked_shr(u32::from(device.0)).unwrap_or(0) & 1 == 1
    }

    /// The devices in both sets.
    #[must_use]
    #[inline]
    pub fn and(self, other: Self) -> Self {
        Self(self.0 & other.0)
    }

    /// The devices in either set.
    #[must_use]
    #[inline]
    pub fn or(self, other: Self) -> Self {
        Self(self.0 | other.0)
    }

    /// The devices of this set that are not in the other.
    #[must_use]
    #[inline]
    pub fn minus(self, other: Self) -> Self {
        Self(self.0 & !other.0)
    }

    /// The devices, lowest number first.
    #[inline]
    pub fn iter(self) -> impl Iterator<Item = DeviceId> {
        let mut rest = self.0;
        std::iter::from_fn(move || {
            if rest == 0 {
                return None;
            }
            let lowest = rest.trailing_zeros() as u8;
            rest &= rest - 1;
            Some(DeviceId(lowest))
        })
    }
}

impl fmt::Display for Lanes {
    /// Prints ranges: `0-3,6`.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let mut rest = self.0;
        let mut separator = "";
        while rest != 0 {
            let start = rest.trailing_zeros();
            let length = (rest >> start).trailing_ones();
            let end = start + length - 1;
            match length {
                1 => write!(f, "{separator}{start}")?,
                _ => write!(f, "{separator}{start}-{end}")?,
            }
            separator = ",";
            rest = rest.checked_shr(end + 1).map_or(0, |high| high << (end + 1));
        }
        Ok(())
    }
}

/// Rows and columns of a mesh.
#[derive(
    Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize,
)]
pub struct MeshShape {
    /// Chips in a column.
    pub rows: u8,
    /// Chips in a row.
    pub columns: u8,
}

impl MeshShape {
    /// Chips in the mesh.
    #[must_use]
    pub fn chip_count(self) -> usize {
        usize::from(self.rows) * usize::from(self.columns)
    }
}

impl fmt::Display for MeshShape {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}x{}", self.rows, self.columns)
    }
}

/// What a buffer is for, with the integer codes of tt-metal's `BufferType`.
#[derive(
    Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize,
)]
#[serde(rename_all = "snake_case")]
#[repr(u8)]
pub enum BufferType {
    /// Off-chip memory, allocated upwards.
    #[default]
    Dram = 0,
    /// On-chip memory of the worker cores, allocated downwards.
    L1 = 1,
    /// The small region at the top of L1; holds sharded buffers only.
    L1Small = 3,
    /// The region at the top of DRAM that holds captured traces.
    Trace = 4,
}

impl BufferType {
    /// Every buffer type, in the order of tt-metal's codes.
    pub const ALL: [Self; 4] = [Self::Dram, Self::L1, Self::L1Small, Self::Trace];

    /// The name that tt-metal prints: `DRAM`, `L1`, `L1_SMALL`, `TRACE`.
    #[must_use]
    pub fn name(self) -> &'static str {
        match self {
            Self::Dram => "DRAM",
            Self::L1 => "L1",
            Self::L1Small => "L1_SMALL",
            Self::Trace => "TRACE",
        }
    }

    /// A dense index, 0 to 3, for tables that have a row for each type.
    #[must_use]
    #[inline]
    pub fn index(self) -> usize {
        match self {
            Self::Dram => 0,
            Self::L1 => 1,
            Self::L1Small => 2,
            Self::Trace => 3,
        }
    }
}

impl fmt::Display for BufferType {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.name())
    }
}
