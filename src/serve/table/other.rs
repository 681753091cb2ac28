//! Circular buffers and kernels, which the server of the last era keeps apart (C4).

use std::collections::BTreeMap;

use super::{Semantics, Table};
use crate::serve::message::{Item, KERNEL_KINDS, Refusal};
use crate::units::{Bytes, DeviceAddr, DeviceId};

type Key = (DeviceId, DeviceAddr, i32);

/// A loaded kernel.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Kernel {
    /// Whatever names it: a pointer of the client.
    pub id: DeviceAddr,
    /// How large.
    pub size: Bytes,
    /// 0 application, 1 fabric, 2 dispatch.
    pub kind: u8,
    /// Whose.
    pub owner: i32,
    /// When it was loaded, in seconds since the server started.
    pub since_seconds: u64,
}

/// What kernels take, by kind.
pub type Kernels = [Bytes; KERNEL_KINDS];

#[derive(Clone, Copy, Debug)]
pub(super) struct Circular {
    pub(super) size: Bytes,
    pub(super) owner: i32,
}

#[derive(Debug, Default)]
pub(super) struct Other {
    pub(super) circular: BTreeMap<Key, Circular>,
    pub(super) kernels: BTreeMap<Key, Kernel>,
    pub(super) by_kind: BTreeMap<DeviceId, Kernels>,
    pub(super) now_seconds: u64,
}

fn add(counter: &mut Bytes, size: Bytes) {
    counter.0 = counter.0.wrapping_add(size.0);
}

fn subtract(counter: &mut Bytes, size: Bytes) {
    counter.0 = counter.0.wrapping_sub(size.0);
}

impl Table {
    /// Says what time it is, in seconds since the server started.
    pub fn set_now(&mut self, seconds: u64) {
        self.other.now_seconds = seconds;
    }

    /// A circular buffer came. k1 and k2 overwrite the entry and add to the counter in any case.
    ///
    /// # Errors
    /// If there are too many keys.
    pub fn circular_alloc(&mut self, item: &Item) -> Result<(), Refusal> {
        let key = self.other_key(item);
        if self.is_full() && !self.other.circular.contains_key(&key) {
            return Err(Refusal::Full(self.live_max));
        }
        let stored = Circular { size: item.size, owner: item.process };
        let replaced = self.other.circular.insert(key, stored);
        let counts = &mut self.devices[usize::from(item.device.0)];
        counts.other += 1;
        add(&mut counts.totals.circular, item.size);
        if let Some(old) = replaced.filter(|_| self.semantics == Semantics::Strict) {
            subtract(&mut counts.totals.circular, old.size);
        }
        Ok(())
    }

    /// A circular buffer went. k1 and k2 subtract the size that the message says, known or not.
    pub fn circular_free(&mut self, item: &Item) {
        let removed = self.other.circular.remove(&self.other_key(item));
        let counts = &mut self.devices[usize::from(item.device.0)];
        counts.other += 1;
        let size = match self.semantics {
            Semantics::K1 | Semantics::K2 => item.size,
            Semantics::Strict => removed.map(|removed| removed.size).unwrap_or_default(),
        };
        subtract(&mut counts.totals.circular, size);
    }

    /// A kernel was loaded. k1 and k2 overwrite the entry and add to the counters in any case.
    ///
    /// # Errors
    /// If there are too many keys.
    pub fn kernel_load(&mut self, item: &Item, kind: u8) -> Result<(), Refusal> {
        let key = self.other_key(item);
        if self.is_full() && !self.other.kernels.contains_key(&key) {
            return Err(Refusal::Full(self.live_max));
        }
        let Item { buffer: id, size, process: owner, device, .. } = *item;
        let since_seconds = self.other.now_seconds;
        let kernel = Kernel { id, size, kind, owner, since_seconds };
        let replaced = self.other.kernels.insert(key, kernel);
        self.devices[usize::from(device.0)].other += 1;
        self.count_kernel(device, kind, |counter| add(counter, size));
        if let Some(old) = replaced.filter(|_| self.semantics == Semantics::Strict) {
            self.count_kernel(device, old.kind, |counter| subtract(counter, old.size));
        }
        Ok(())
    }

    /// A kernel was unloaded: k1 and k2 subtract the size that the message says, of a known one.
    /// The answer is its kind, if it is known.
    pub fn kernel_unload(&mut self, item: &Item) -> Option<u8> {
        let removed = self.other.kernels.remove(&self.other_key(item));
        self.devices[usize::from(item.device.0)].other += 1;
        if let Some(kernel) = removed {
            let size = match self.semantics {
                Semantics::K1 | Semantics::K2 => item.size,
                Semantics::Strict => kernel.size,
            };
            self.count_kernel(item.device, kernel.kind, |counter| subtract(counter, size));
        }
        removed.map(|kernel| kernel.kind)
    }

    /// The loaded kernels, device by device.
    pub fn kernels(&self) -> impl Iterator<Item = (DeviceId, &Kernel)> {
        self.other.kernels.iter().map(|(&(device, _, _), kernel)| (device, kernel))
    }

    /// How long ago a kernel was loaded, in seconds.
    #[must_use]
    pub fn age(&self, kernel: &Kernel) -> u64 {
        self.other.now_seconds.saturating_sub(kernel.since_seconds)
    }

    pub(super) fn count_kernel(&mut self, device: DeviceId, kind: u8, change: impl Fn(&mut Bytes)) {
        change(&mut self.devices[usize::from(device.0)].totals.kernels);
        let kinds = self.other.by_kind.entry(device).or_default();
        if let Some(counter) = kinds.get_mut(usize::from(kind)) {
            change(counter);
        }
    }

    fn other_key(&self, item: &Item) -> Key {
        let process = if self.semantics == Semantics::Strict { item.process } else { 0 };
        (item.device, item.buffer, process)
    }
}
