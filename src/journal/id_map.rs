use super::{Tracking, mix};

/// Two bits for each of a set of ids that are counted up; an id whose bits are clear is not there.
///
/// It takes a byte for every id up to the highest one, so that a change is one load and one store.
///
/// ```
/// use freeorder::journal::{IdMap, Tracking};
/// let mut map = IdMap::new(Tracking::NONE);
/// map.set(7, 0b01);
/// assert_eq!((map.get(7), map.get(8)), (0b01, 0));
/// ```
#[derive(Clone, Debug)]
pub struct IdMap {
    /// The bits of each id; an id past the end has none.
    bits: Vec<u8>,
    used: usize,
    journal: Vec<(u64, u8)>,
    hash: u64,
    tracking: Tracking,
}

const IDS_MIN: usize = 64;

impl IdMap {
    /// A map in which no id has a bit.
    #[must_use]
    pub fn new(tracking: Tracking) -> Self {
        Self { bits: Vec::new(), used: 0, journal: Vec::new(), hash: 0, tracking }
    }

    /// Clears everything and the journal, keeping the memory.
    pub fn reset(&mut self) {
        self.bits.clear();
        self.used = 0;
        self.journal.clear();
        self.hash = 0;
    }

    /// Whether no id has a bit.
    #[must_use]
    #[inline]
    pub fn is_empty(&self) -> bool {
        self.used == 0
    }

    /// The bits of an id.
    #[must_use]
    #[inline]
    pub fn get(&self, id: u64) -> u8 {
        self.bits.get(id as usize).copied().unwrap_or(0)
    }

    /// Sets the bits of an id.
    ///
    /// # Panics
    /// In debug builds, if there are more than two bits.
    #[inline]
    pub fn set(&mut self, id: u64, bits: u8) {
        self.update(id, |_| bits);
    }

    /// Changes the bits of an id.
    ///
    /// # Panics
    /// In debug builds, if there are more than two bits.
    #[inline]
    pub fn update(&mut self, id: u64, change: impl FnOnce(u8) -> u8) {
        let old = self.get(id);
        let bits = change(old);
        debug_assert!(bits <= 0b11, "an id has two bits");
        if bits == old {
            return;
        }
        if self.tracking != Tracking::NONE {
            self.track(id, old, bits);
        }
        self.put(id, bits);
    }

    /// The place in the journal to come back to.
    #[must_use]
    pub fn mark(&self) -> usize {
        self.journal.len()
    }

    /// Takes back everything since the mark.
    pub fn undo_to(&mut self, mark: usize) {
        while self.journal.len() > mark {
            let (id, old) = self.journal.pop().expect("the journal is longer than the mark");
            self.hash ^= fingerprint(id, old) ^ fingerprint(id, self.get(id));
            self.put(id, old);
        }
    }

    /// A hash of the contents.
    #[must_use]
    pub fn hash(&self) -> u64 {
        self.hash
    }

    #[cold]
    fn track(&mut self, id: u64, old: u8, new: u8) {
        self.hash ^= fingerprint(id, old) ^ fingerprint(id, new);
        if self.tracking.undo {
            self.journal.push((id, old));
        }
    }

    #[inline]
    fn put(&mut self, id: u64, bits: u8) {
        let index = id as usize;
        if index >= self.bits.len() {
            self.reach(index);
        }
        let old = std::mem::replace(&mut self.bits[index], bits);
        self.used += usize::from(bits != 0);
        self.used -= usize::from(old != 0);
    }

    #[cold]
    fn reach(&mut self, index: usize) {
        self.bits.resize((index + 1).next_power_of_two().max(IDS_MIN), 0);
    }
}

fn fingerprint(id: u64, bits: u8) -> u64 {
    if bits == 0 { 0 } else { mix(id + 1, u64::from(bits)) }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;
    use std::collections::BTreeMap;

    proptest! {
        /// The map must be the plain one, and undo must bring contents and hash back.
        #[test]
        fn the_map_is_the_plain_map_and_undo_restores_it(
            before in prop::collection::vec((0_u64..200, 0_u8..4), 0..200),
            after in prop::collection::vec((0_u64..200, 0_u8..4), 0..200),
        ) {
            let mut map = IdMap::new(Tracking::FULL);
            let mut plain = BTreeMap::new();
            for (id, bits) in before {
                map.set(id, bits);
                plain.insert(id, bits);
            }
            let (hash, mark) = (map.hash(), map.mark());
            for (id, bits) in after {
                map.set(id, bits);
            }
            map.undo_to(mark);
            for id in 0..200 {
                prop_assert_eq!(map.get(id), plain.get(&id).copied().unwrap_or(0));
            }
            prop_assert_eq!(map.hash(), hash);
        }
    }
}
