use super::{Tracking, mix};
use crate::units::{Bytes, Lanes};

/// A byte counter for each device.
///
/// ```
/// use freeorder::journal::{LaneCounters, Tracking};
/// use freeorder::units::{Bytes, Lanes};
/// let mut bytes = LaneCounters::new(Tracking::NONE);
/// bytes.add(Lanes::first(2), Bytes(64));
/// bytes.subtract(Lanes::first(1), Bytes(100));
/// assert_eq!(bytes.get(), &[0, 64]);
/// ```
#[derive(Clone, Debug)]
pub struct LaneCounters {
    /// One a device, as many as were ever counted.
    values: Vec<u64>,
    journal: Vec<Change>,
    tracking: Tracking,
}

#[derive(Clone, Copy, Debug)]
enum Change {
    Added(Lanes, u64),
    Subtracted(Lanes, u64),
    Grown(usize),
}

impl LaneCounters {
    /// All counters at 0.
    #[must_use]
    pub fn new(tracking: Tracking) -> Self {
        Self { values: Vec::new(), journal: Vec::new(), tracking }
    }

    /// Sets all counters to 0 and forgets the journal.
    pub fn reset(&mut self) {
        self.values.clear();
        self.journal.clear();
    }

    /// The counters, device 0 first.
    #[must_use]
    #[inline]
    pub fn get(&self) -> &[u64] {
        &self.values
    }

    /// Adds to the counters of the devices.
    #[inline]
    pub fn add(&mut self, lanes: Lanes, amount: Bytes) {
        self.reach(lanes);
        apply(&mut self.values, lanes, |value| *value = value.wrapping_add(amount.0));
        if self.tracking.undo {
            self.journal.push(Change::Added(lanes, amount.0));
        }
    }

    /// Subtracts from the counters of the devices; a counter below 0 wraps around, as a `u64` of
    /// the server does.
    #[inline]
    pub fn subtract_wrapping(&mut self, lanes: Lanes, amount: Bytes) {
        self.reach(lanes);
        apply(&mut self.values, lanes, |value| *value = value.wrapping_sub(amount.0));
        if self.tracking.undo {
            self.journal.push(Change::Subtracted(lanes, amount.0));
        }
    }

    /// Subtracts from the counters of the devices; a counter stops at 0.
    #[inline]
    pub fn subtract(&mut self, lanes: Lanes, amount: Bytes) {
        self.reach(lanes);
        if self.tracking.undo {
            for device in lanes.iter() {
                let taken = self.values[usize::from(device.0)].min(amount.0);
                self.journal.push(Change::Subtracted(Lanes::one(device), taken));
            }
        }
        apply(&mut self.values, lanes, |value| *value = value.saturating_sub(amount.0));
    }

    /// Sets the counters of the devices to 0.
    pub fn clear(&mut self, lanes: Lanes) {
        self.subtract(lanes, Bytes(u64::MAX));
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
                Change::Added(lanes, amount) => {
                    apply(&mut self.values, lanes, |value| *value = value.wrapping_sub(amount));
                }
                Change::Subtracted(lanes, amount) => {
                    apply(&mut self.values, lanes, |value| *value = value.wrapping_add(amount));
                }
                Change::Grown(length) => self.values.truncate(length),
            }
        }
    }

    /// A hash of the counters, computed when asked for: there are at most 64.
    #[must_use]
    pub fn hash(&self) -> u64 {
        let counters = self.values.iter().enumerate();
        counters
            .filter(|(_, value)| **value != 0)
            .fold(0, |hash, (device, &value)| hash ^ mix(device as u64, value))
    }

    /// Adds the counters to the columns of their devices.
    pub fn columns(&self, columns: &mut super::Columns, tag: u64) {
        for (device, &value) in self.values.iter().enumerate().filter(|&(_, &value)| value != 0) {
            columns.on(Lanes(1 << device), tag, value);
        }
    }

    #[inline]
    fn reach(&mut self, lanes: Lanes) {
        let length = 64 - lanes.0.leading_zeros() as usize;
        if length > self.values.len() {
            if self.tracking.undo {
                self.journal.push(Change::Grown(self.values.len()));
            }
            self.values.resize(length, 0);
        }
    }
}

/// Applies the change to each device; all devices at once, the common case, is a plain loop.
#[inline]
fn apply(values: &mut [u64], lanes: Lanes, change: impl Fn(&mut u64)) {
    if lanes == Lanes::first(values.len()) {
        values.iter_mut().for_each(change);
    } else {
        lanes.iter().for_each(|device| change(&mut values[usize::from(device.0)]));
    }
}
