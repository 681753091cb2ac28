//! The keys that were freed more often than registered.

use std::collections::BTreeMap;

use super::event::Device;
use super::ledger::Key;
use crate::units::DeviceAddr;

/// Keys whose excess is counted one by one.
const KEYS_MAX: usize = 1 << 16;

/// How often keys were freed with nothing to free.
#[derive(Clone, Debug, Default)]
pub struct Excess {
    keys: BTreeMap<(Device, DeviceAddr), u64>,
    /// Of keys beyond those that are counted.
    more: u64,
}

impl Excess {
    pub(super) fn add(&mut self, key: Key) {
        let place = (key.device, key.address);
        if self.keys.len() >= KEYS_MAX && !self.keys.contains_key(&place) {
            self.more += 1;
        } else {
            *self.keys.entry(place).or_default() += 1;
        }
    }

    /// How many keys there are.
    #[must_use]
    pub fn count(&self) -> usize {
        self.keys.len()
    }

    /// The worst of them.
    #[must_use]
    pub fn worst(&self, count: usize) -> Vec<(Device, DeviceAddr, u64)> {
        let mut keys: Vec<_> = self
            .keys
            .iter()
            .map(|(&(device, address), &excess)| (device, address, excess))
            .collect();
        keys.sort_by_key(|&(device, address, excess)| (std::cmp::Reverse(excess), device, address));
        keys.truncate(count);
        keys
    }
}
