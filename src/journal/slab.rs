use super::{Fingerprint, Tracking, mix};

/// A value with an empty form, so that a slot can be reused.
pub trait Vacant: Clone {
    /// The empty form; it adds nothing to a slab's hash.
    fn vacant() -> Self;
    /// Whether this is the empty form.
    fn is_vacant(&self) -> bool;
}

/// An arena of values under small indices; freed indices are reused, last freed first.
///
/// ```
/// use freeorder::journal::{Slab, Tracking, Vacant, Fingerprint};
/// # #[derive(Clone)] struct N(u64);
/// # impl Vacant for N { fn vacant() -> Self { N(0) } fn is_vacant(&self) -> bool { self.0 == 0 } }
/// # impl Fingerprint for N { fn fingerprint(&self) -> u64 { self.0 } }
/// let mut slab = Slab::new(Tracking::FULL);
/// let index = slab.insert(N(7));
/// let mark = slab.mark();
/// slab.set(index, N(8));
/// slab.undo_to(mark);
/// assert_eq!(slab[index].0, 7);
/// ```
#[derive(Clone, Debug)]
pub struct Slab<T> {
    items: Vec<T>,
    free: Vec<u32>,
    journal: Vec<Change<T>>,
    hash: u64,
    tracking: Tracking,
}

#[derive(Clone, Debug)]
enum Change<T> {
    Set { index: u32, old: T },
    Inserted { reused: bool, index: u32 },
    Removed { index: u32, old: T },
}

impl<T: Vacant + Fingerprint> Slab<T> {
    /// An empty arena.
    #[must_use]
    pub fn new(tracking: Tracking) -> Self {
        Self { items: Vec::new(), free: Vec::new(), journal: Vec::new(), hash: 0, tracking }
    }

    /// Empties the arena and its journal, keeping the memory.
    pub fn reset(&mut self) {
        self.items.clear();
        self.free.clear();
        self.journal.clear();
        self.hash = 0;
    }

    /// Puts a value into a free slot and returns its index.
    #[inline(always)]
    pub fn insert(&mut self, value: T) -> u32 {
        let reused = self.free.pop();
        let index = reused.unwrap_or(self.items.len() as u32);
        self.toggle(index, &value);
        match reused {
            Some(index) => self.items[index as usize] = value,
            None => self.items.push(value),
        }
        if self.tracking.undo {
            self.journal.push(Change::Inserted { reused: reused.is_some(), index });
        }
        index
    }

    /// Empties a slot.
    #[inline]
    pub fn remove(&mut self, index: u32) {
        let old = std::mem::replace(&mut self.items[index as usize], T::vacant());
        self.toggle(index, &old);
        self.free.push(index);
        if self.tracking.undo {
            self.journal.push(Change::Removed { index, old });
        }
    }

    /// Replaces the value in a slot.
    #[inline]
    pub fn set(&mut self, index: u32, value: T) {
        self.toggle(index, &value);
        let old = std::mem::replace(&mut self.items[index as usize], value);
        self.toggle(index, &old);
        if self.tracking.undo {
            self.journal.push(Change::Set { index, old });
        }
    }

    /// Changes the value in a slot in place.
    #[inline]
    pub fn update(&mut self, index: u32, change: impl FnOnce(&mut T)) {
        if self.tracking == Tracking::NONE {
            change(&mut self.items[index as usize]);
        } else {
            let mut value = self.items[index as usize].clone();
            change(&mut value);
            self.set(index, value);
        }
    }

    /// The value under an index, vacant or not; none past the end.
    #[must_use]
    #[inline]
    pub fn get(&self, index: u32) -> Option<&T> {
        self.items.get(index as usize)
    }

    /// How many slots there are, vacant ones included.
    #[must_use]
    #[inline]
    pub fn len(&self) -> u32 {
        self.items.len() as u32
    }

    /// Whether no slot was ever used.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.items.is_empty()
    }

    /// The values in use with their indices, lowest index first.
    pub fn iter(&self) -> impl Iterator<Item = (u32, &T)> {
        let slots = self.items.iter().enumerate();
        slots.filter(|(_, item)| !item.is_vacant()).map(|(index, item)| (index as u32, item))
    }

    /// The place in the journal to come back to.
    #[must_use]
    pub fn mark(&self) -> usize {
        self.journal.len()
    }

    /// Takes back everything since the mark.
    pub fn undo_to(&mut self, mark: usize) {
        while self.journal.len() > mark {
            match self.journal.pop().expect("the journal is longer than the mark") {
                Change::Set { index, old } => {
                    self.toggle(index, &old);
                    let new = std::mem::replace(&mut self.items[index as usize], old);
                    self.toggle(index, &new);
                }
                Change::Inserted { reused, index } => {
                    let gone = if reused {
                        self.free.push(index);
                        std::mem::replace(&mut self.items[index as usize], T::vacant())
                    } else {
                        self.items.pop().expect("an inserted value is last when undone")
                    };
                    self.toggle(index, &gone);
                }
                Change::Removed { index, old } => {
                    self.free.pop();
                    self.toggle(index, &old);
                    self.items[index as usize] = old;
                }
            }
        }
    }

    /// A hash of the contents: equal contents in equal slots hash alike, whatever the history.
    #[must_use]
    pub fn hash(&self) -> u64 {
        self.hash
    }

    #[inline]
    fn toggle(&mut self, index: u32, value: &T) {
        if self.tracking.hash {
            self.toggle_hash(index, value);
        }
    }

    fn toggle_hash(&mut self, index: u32, value: &T) {
        if !value.is_vacant() {
            self.hash ^= mix(u64::from(index) + 1, value.fingerprint());
        }
    }
}

impl<T> std::ops::Index<u32> for Slab<T> {
    type Output = T;

    #[inline]
    fn index(&self, index: u32) -> &T {
        &self.items[index as usize]
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    impl Vacant for u64 {
        fn vacant() -> Self {
            0
        }
        fn is_vacant(&self) -> bool {
            *self == 0
        }
    }

    impl Fingerprint for u64 {
        fn fingerprint(&self) -> u64 {
            mix(0, *self)
        }
    }

    fn apply(slab: &mut Slab<u64>, kind: u8, pick: u32, value: u64) {
        let live: Vec<u32> = slab.iter().map(|(index, _)| index).collect();
        match (kind % 3, live.is_empty()) {
            (1, false) => slab.set(live[pick as usize % live.len()], value),
            (2, false) => slab.remove(live[pick as usize % live.len()]),
            _ => {
                slab.insert(value);
            }
        }
    }

    proptest! {
        /// Undo must restore contents, reuse order and hash, or exploration would merge states
        /// that differ.
        #[test]
        fn undo_restores_contents_reuse_order_and_hash(
            before in prop::collection::vec((0_u8..3, any::<u32>(), 1_u64..99), 0..30),
            after in prop::collection::vec((0_u8..3, any::<u32>(), 1_u64..99), 0..30),
        ) {
            let mut slab = Slab::new(Tracking::FULL);
            for (kind, pick, value) in before {
                apply(&mut slab, kind, pick, value);
            }
            let (items, free, hash) = (slab.items.clone(), slab.free.clone(), slab.hash());
            let mark = slab.mark();
            for (kind, pick, value) in after {
                apply(&mut slab, kind, pick, value);
            }
            slab.undo_to(mark);
            prop_assert_eq!(&slab.items, &items);
            prop_assert_eq!(&slab.free, &free);
            prop_assert_eq!(slab.hash(), hash);
        }
    }
}
