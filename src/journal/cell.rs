use super::{Fingerprint, Tracking};

/// A single value that can take back its changes; each change copies the old value.
///
/// ```
/// use freeorder::journal::{Cell, Tracking};
/// let mut cell = Cell::new(1, Tracking::FULL);
/// let mark = cell.mark();
/// cell.update(|value| *value += 1);
/// cell.undo_to(mark);
/// assert_eq!(*cell, 1);
/// ```
#[derive(Clone, Debug)]
pub struct Cell<T> {
    value: T,
    journal: Vec<T>,
    tracking: Tracking,
}

impl<T: Clone> Cell<T> {
    /// A cell that holds the value.
    #[must_use]
    pub fn new(value: T, tracking: Tracking) -> Self {
        Self { value, journal: Vec::new(), tracking }
    }

    /// Puts a first value in and forgets the journal.
    pub fn reset(&mut self, value: T) {
        self.value = value;
        self.journal.clear();
    }

    /// Changes the value.
    #[inline(always)]
    pub fn update<R>(&mut self, change: impl FnOnce(&mut T) -> R) -> R {
        if self.tracking.undo {
            self.keep();
        }
        change(&mut self.value)
    }

    #[cold]
    fn keep(&mut self) {
        self.journal.push(self.value.clone());
    }

    /// The place in the journal to come back to.
    #[must_use]
    pub fn mark(&self) -> usize {
        self.journal.len()
    }

    /// Takes back everything since the mark.
    pub fn undo_to(&mut self, mark: usize) {
        while self.journal.len() > mark {
            self.value = self.journal.pop().expect("the journal is longer than the mark");
        }
    }
}

impl<T: Fingerprint> Cell<T> {
    /// A hash of the value, computed when asked for: cells are small.
    #[must_use]
    pub fn hash(&self) -> u64 {
        self.value.fingerprint()
    }
}

impl<T> std::ops::Deref for Cell<T> {
    type Target = T;

    #[inline]
    fn deref(&self) -> &T {
        &self.value
    }
}
