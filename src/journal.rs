//! Containers that can take back what was done to them and that know their own hash.
//!
//! A state-space search steps forwards, looks at a 64-bit fingerprint of where it is, and steps
//! back. Every mutable part of the model therefore lives in one of these containers. Each keeps a
//! journal of old values (if asked to) and an incrementally maintained fingerprint (if asked to);
//! a plain simulation asks for neither and pays two predictable branches.

mod cell;
mod columns;
mod id_map;
mod lane_counters;
mod lane_map;
mod mixer;
mod slab;

pub use cell::Cell;
pub use columns::Columns;
pub use id_map::IdMap;
pub use lane_counters::LaneCounters;
pub use lane_map::LaneMap;
pub use mixer::Mixer;
pub use slab::{Slab, Vacant};

/// What a container keeps besides its contents.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Tracking {
    /// Old values, so that steps can be undone.
    pub undo: bool,
    /// A fingerprint of the contents.
    pub hash: bool,
}

impl Tracking {
    /// Neither: for campaigns, which only run forwards.
    pub const NONE: Self = Self { undo: false, hash: false };
    /// Both: for exploration.
    pub const FULL: Self = Self { undo: true, hash: true };
}

/// A value that contributes to a state hash.
pub trait Fingerprint {
    /// 64 well-mixed bits that depend on the value alone.
    fn fingerprint(&self) -> u64;
}

/// Folds one more word into a fingerprint: a 64 x 64 to 128 bit multiply, its halves combined.
///
/// ```
/// use freeorder::journal::mix;
/// assert_ne!(mix(mix(0, 1), 2), mix(mix(0, 2), 1));
/// ```
#[must_use]
#[inline]
pub fn mix(hash: u64, word: u64) -> u64 {
    let left = hash ^ 0x9e37_79b9_7f4a_7c15;
    let right = word ^ 0xd6e8_feb8_6659_fd93;
    let product = u128::from(left) * u128::from(right);
    (product as u64) ^ ((product >> 64) as u64) ^ left.rotate_left(23) ^ right
}

/// A search merges states with equal hashes, so no two of these may be equal.
#[cfg(test)]
pub(crate) fn assert_all_differ(hashes: &[u64]) {
    for (index, hash) in hashes.iter().enumerate() {
        let same = hashes[..index].iter().position(|other| other == hash);
        assert_eq!(same, None, "state {index} has the hash of another one");
    }
}
