//! Balance, device by device.

use std::collections::BTreeMap;

use super::event::{Device, Memory};
use crate::units::Bytes;

/// The events of one device.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Balance {
    /// ALLOC messages.
    pub alloc: u64,
    /// FREE messages, those of unknown keys included.
    pub free: u64,
    /// FREE messages that had no key.
    pub unknown: u64,
    /// Keys that are live.
    pub live: u64,
    /// What those hold, each as first registered, by memory.
    pub bytes: [u64; Memory::ALL.len()],
    /// The same in keys.
    pub keys: [u64; Memory::ALL.len()],
}

impl Balance {
    /// The bytes that are live in all memories.
    #[must_use]
    pub fn live_bytes(&self) -> Bytes {
        Bytes(self.bytes.iter().fold(0, |sum, &bytes| sum.saturating_add(bytes)))
    }

    /// A key came (or went, with `-1`).
    #[inline(always)]
    pub fn key(&mut self, memory: Option<Memory>, size: Bytes, is_new: bool) {
        let index = memory.unwrap_or_default() as usize;
        if is_new {
            self.live += 1;
            self.keys[index] += 1;
            self.bytes[index] = self.bytes[index].wrapping_add(size.0);
        } else {
            self.live = self.live.saturating_sub(1);
            self.keys[index] = self.keys[index].saturating_sub(1);
            self.bytes[index] = self.bytes[index].wrapping_sub(size.0);
        }
    }
}

/// Devices whose numbers fit a table.
const TABLE: usize = 64;

/// Other numbers than this many are one: a corrupt log can name any.
const OTHERS_MAX: usize = 1024;

/// Every device that occurs.
#[derive(Clone, Debug)]
pub struct Devices {
    table: Vec<Balance>,
    others: BTreeMap<Device, Balance>,
}

impl Devices {
    pub(super) fn new() -> Self {
        Self { table: vec![Balance::default(); TABLE], others: BTreeMap::new() }
    }

    /// The balance of a device.
    #[inline(always)]
    pub(super) fn of(&mut self, device: Device) -> &mut Balance {
        match usize::try_from(device.0).ok().filter(|&index| index < TABLE) {
            Some(index) => &mut self.table[index],
            None => self.other(device),
        }
    }

    #[cold]
    fn other(&mut self, device: Device) -> &mut Balance {
        let is_full = self.others.len() >= OTHERS_MAX && !self.others.contains_key(&device);
        let device = if is_full { Device::UNSTATED } else { device };
        self.others.entry(device).or_default()
    }

    /// Every device with something, in the order of numbers.
    pub fn iter(&self) -> impl Iterator<Item = (Device, &Balance)> {
        let table = self.table.iter().enumerate();
        let table = table.map(|(index, balance)| (Device(index as i32), balance));
        let others = self.others.iter().map(|(&device, balance)| (device, balance));
        table.chain(others).filter(|(_, balance)| **balance != Balance::default())
    }

    /// Forgets which keys live, as a server that starts anew does.
    pub(super) fn restart(&mut self) {
        for balance in self.table.iter_mut().chain(self.others.values_mut()) {
            let Balance { alloc, free, unknown, .. } = *balance;
            *balance = Balance { alloc, free, unknown, ..Balance::default() };
        }
    }
}
