//! The hash of an allocator's state, kept up to date with one addition an operation.

use super::FreeListOpt;
use crate::units::Bytes;

/// The hash of one allocated range; a state's hash is the sum over its ranges, so that the order
/// in which they came does not matter.
#[inline]
pub(super) fn range_hash(start: Bytes, size: Bytes) -> u64 {
    // Sums of linear functions of (start, size) would collide on states with equal totals; the
    // shifts between the multiplications are what makes it non-linear.
    let mut hash = start.0.wrapping_mul(0x9E37_79B9_7F4A_7C15)
        ^ size.0.wrapping_mul(0xD6E8_FEB8_6659_FD93).rotate_left(32);
    hash ^= hash >> 32;
    hash = hash.wrapping_mul(0xE703_7ED1_A0B4_28DB);
    hash ^ (hash >> 29)
}

impl FreeListOpt {
    /// A hash of all that decides future answers: allocated ranges, lowest occupied address,
    /// shrink.
    ///
    /// It does not depend on how the state came about. The order of
    /// [`allocated_addresses`](Self::allocated_addresses) does, and is left out.
    #[must_use]
    #[inline]
    pub fn fingerprint(&self) -> u64 {
        let lowest = self.lowest_occupied_address().map_or(u64::MAX, |lowest| lowest.0);
        let rest = range_hash(Bytes(lowest), Bytes(!self.scale.bytes(self.shrunk).0));
        self.ranges_hash.wrapping_add(rest)
    }
}
