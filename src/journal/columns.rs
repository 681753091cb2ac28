//! States that differ in the names of devices alone.

use super::mix;
use crate::units::{DeviceId, Lanes};

/// A hash in two parts: what all devices share, and for each device what it has of its own.
///
/// Two states with the same shared part and the same columns, in whatever order, differ in the
/// names of devices alone. Everything is added up, so it does not matter in which order it comes;
/// whoever adds says with a tag what it is.
///
/// ```
/// use freeorder::journal::Columns;
/// use freeorder::units::{DeviceId, Lanes};
/// let state = |device: u8| {
///     let mut columns = Columns::new(Lanes::first(4));
///     columns.on(Lanes::one(DeviceId(device)), 7, 2048);
///     columns.hash()
/// };
/// assert_eq!(state(0), state(3));
/// ```
#[derive(Clone, Debug)]
pub struct Columns {
    shared: u64,
    devices: [u64; Lanes::CAPACITY],
    /// The devices that can be exchanged, if their columns are equal.
    exchangeable: Lanes,
}

impl Columns {
    /// Nothing yet; only these devices can be exchanged.
    #[must_use]
    pub fn new(exchangeable: Lanes) -> Self {
        Self { shared: 0, devices: [0; Lanes::CAPACITY], exchangeable }
    }

    /// Adds what no device has for itself.
    #[inline]
    pub fn shared(&mut self, tag: u64, word: u64) {
        self.shared = self.shared.wrapping_add(mix(tag, word));
    }

    /// Adds something to the columns of some devices.
    #[inline]
    pub fn on(&mut self, devices: Lanes, tag: u64, word: u64) {
        let added = mix(tag, word);
        for DeviceId(device) in devices.iter() {
            let column = &mut self.devices[usize::from(device)];
            *column = column.wrapping_add(added);
        }
    }

    /// Says that some devices cannot be exchanged for others.
    pub fn name(&mut self, devices: Lanes) {
        self.exchangeable = self.exchangeable.minus(devices);
    }

    /// The hash, equal for states that differ in the names of exchangeable devices alone.
    #[must_use]
    pub fn hash(&self) -> u64 {
        let mut shared = self.shared;
        let mut sorted = [0; Lanes::CAPACITY];
        let mut count = 0;
        for (device, &column) in self.devices.iter().enumerate() {
            if self.exchangeable.contains(DeviceId(device as u8)) {
                sorted[count] = column;
                count += 1;
            } else if column != 0 {
                shared = shared.wrapping_add(mix(device as u64, column));
            }
        }
        sorted[..count].sort_unstable();
        sorted[..count].iter().fold(shared, |hash, &column| mix(hash, column))
    }
}
