use super::{Tracking, mix};

/// A few bits for each of a set of ids; an id whose bits are all clear is not there.
///
/// ```
/// use freeorder::journal::{IdMap, Tracking};
/// let mut map = IdMap::new(Tracking::NONE);
/// map.set(7, 0b01);
/// assert_eq!((map.get(7), map.get(8)), (0b01, 0));
/// ```
#[derive(Clone, Debug)]
pub struct IdMap {
    /// (id + 1) << BITS | bits; 0 is an empty slot. Linear probing, no dead slots.
    slots: Vec<u64>,
    used: usize,
    journal: Vec<(u64, u8)>,
    hash: u64,
    tracking: Tracking,
}

/// How many bits an id has.
const BITS: u32 = 2;
const MASK: u64 = (1 << BITS) - 1;
const SLOTS_MIN: usize = 64;

impl IdMap {
    /// A map in which no id has a bit.
    #[must_use]
    pub fn new(tracking: Tracking) -> Self {
        Self { slots: vec![0; SLOTS_MIN], used: 0, journal: Vec::new(), hash: 0, tracking }
    }

    /// Clears everything and the journal, keeping the memory.
    pub fn reset(&mut self) {
        if self.used > 0 {
            self.slots.fill(0);
        }
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
        (self.slots[self.find(id)] & MASK) as u8
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
        let index = self.find(id);
        let old = (self.slots[index] & MASK) as u8;
        let bits = change(old);
        debug_assert!(u64::from(bits) <= MASK, "an id has two bits");
        if bits == old {
            return;
        }
        if self.tracking != Tracking::NONE {
            self.track(id, old, bits);
        }
        self.put(index, id, bits);
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
            let index = self.find(id);
            let new = (self.slots[index] & MASK) as u8;
            self.hash ^= fingerprint(id, old) ^ fingerprint(id, new);
            self.put(index, id, old);
        }
    }

    /// A hash of the contents.
    #[must_use]
    pub fn hash(&self) -> u64 {
        self.hash
    }

    fn track(&mut self, id: u64, old: u8, new: u8) {
        self.hash ^= fingerprint(id, old) ^ fingerprint(id, new);
        if self.tracking.undo {
            self.journal.push((id, old));
        }
    }

    #[inline(always)]
    fn put(&mut self, index: usize, id: u64, bits: u8) {
        let was_empty = self.slots[index] == 0;
        if bits == 0 {
            if !was_empty {
                self.remove(index);
            }
            return;
        }
        self.slots[index] = (id + 1) << BITS | u64::from(bits);
        self.used += usize::from(was_empty);
        if self.used * 2 > self.slots.len() {
            self.grow();
        }
    }

    /// The slot of the id, or the empty one where it would go.
    #[inline]
    fn find(&self, id: u64) -> usize {
        let key = (id + 1) << BITS;
        let mask = self.slots.len() - 1;
        let mut index = self.home(id);
        loop {
            let slot = self.slots[index & mask];
            // Of a slot in use for the id only the bits differ from the key.
            if slot == 0 || slot ^ key <= MASK {
                return index & mask;
            }
            index += 1;
        }
    }

    #[inline]
    fn home(&self, id: u64) -> usize {
        (id.wrapping_mul(0x9e37_79b9_7f4a_7c15) >> 32) as usize & (self.slots.len() - 1)
    }

    /// Empties a slot and moves back whatever had to pass it by.
    #[inline]
    fn remove(&mut self, mut hole: usize) {
        let mask = self.slots.len() - 1;
        let mut index = hole;
        loop {
            index = (index + 1) & mask;
            let slot = self.slots[index];
            if slot == 0 {
                break;
            }
            let home = self.home((slot >> BITS) - 1);
            if (index.wrapping_sub(home) & mask) >= (index.wrapping_sub(hole) & mask) {
                self.slots[hole] = slot;
                hole = index;
            }
        }
        self.slots[hole] = 0;
        self.used -= 1;
    }

    #[cold]
    fn grow(&mut self) {
        let old = std::mem::take(&mut self.slots);
        self.slots = vec![0; old.len() * 2];
        for slot in old.into_iter().filter(|&slot| slot != 0) {
            let index = self.find((slot >> BITS) - 1);
            self.slots[index] = slot;
        }
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
