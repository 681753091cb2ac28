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
        if alignment.0 <= 1 { self } else { Self(self.0.div_ceil(alignment.0) * alignment.0) }
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
