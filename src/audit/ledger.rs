//! The live keys, and the last of the dead.

use hashbrown::HashTable;
use hashbrown::hash_table::Entry as Slot;

use super::event::{Device, Event, Memory, Object, PathId, Place, Process};
use crate::units::{Bytes, DeviceAddr};

/// What tells keys apart. The server knows no memory; captures and debug logs do.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Key {
    /// The device.
    pub device: Device,
    /// The memory, where one address in two memories is two keys. It is as wide as it can be: what
    /// is copied together with bytes that were never written waits for all writes before it.
    pub region: u32,
    /// The buffer id.
    pub address: DeviceAddr,
}

impl Key {
    #[inline(always)]
    pub fn hash(self) -> u64 {
        let device = u64::from(self.device.0 as u32) | u64::from(self.region) << 32;
        let mixed = (self.address.0 ^ device.rotate_left(40)).wrapping_mul(0x9e37_79b9_7f4a_7c15);
        (mixed ^ mixed >> 29).wrapping_mul(0xbf58_476d_1ce4_e5b9)
    }
}

/// A live key, in a cache line of its own: what is waited for comes at once.
#[derive(Clone, Copy, Debug)]
#[repr(align(64))]
pub struct Entry {
    /// The key.
    pub key: Key,
    /// The memory of its first registration.
    pub memory: Option<Memory>,
    /// Whether a server that overwrites has it still.
    pub is_held: bool,
    /// Whether several processes registered it.
    pub is_shared: bool,
    /// How often it is registered.
    pub references: u32,
    /// Who registered it first.
    pub process: Process,
    /// Its size, as first registered.
    pub size: Bytes,
    /// Where it was first registered.
    pub place: Place,
    /// The buffer, where the input tells.
    pub object: Object,
    /// The call, where the input tells.
    pub path: Option<PathId>,
}

impl Entry {
    /// A key that an event registers so often.
    #[inline(always)]
    pub fn of(key: Key, event: &Event, references: u32) -> Self {
        Self {
            key,
            memory: event.memory,
            is_held: true,
            is_shared: false,
            references,
            process: event.process.unwrap_or_default(),
            size: event.size.unwrap_or_default(),
            place: event.place,
            object: event.object.unwrap_or_default(),
            path: event.path,
        }
    }
}

/// A key that is free again.
#[derive(Clone, Copy, Default)]
struct Grave {
    hash: u64,
    place: Place,
}

/// How many dead keys are remembered, at first and at most: memory must not grow with the input,
/// and a small input must not wait for a large table.
const GRAVES_MIN: usize = 1 << 6;
const GRAVES_MAX: usize = 1 << 16;

/// The live keys.
pub struct Ledger {
    live: HashTable<Entry>,
    graves: Vec<Grave>,
    buried: usize,
}

impl Ledger {
    pub fn new() -> Self {
        let graves = vec![Grave::default(); GRAVES_MIN];
        Self { live: HashTable::new(), graves, buried: 0 }
    }

    /// How many keys live.
    pub fn count(&self) -> u64 {
        self.live.len() as u64
    }

    /// Whether a key is live.
    #[inline(always)]
    pub fn has(&self, key: Key) -> bool {
        self.live.find(key.hash(), |entry| entry.key == key).is_some()
    }

    /// The entry of a key.
    #[inline(always)]
    pub fn get(&mut self, key: Key) -> Option<&mut Entry> {
        self.live.find_mut(key.hash(), |entry| entry.key == key)
    }

    /// Adds a key; false if it is there already. Its entry is made where it is to be: one that is
    /// made elsewhere and copied waits until memory has what was written before it.
    #[inline(always)]
    pub fn insert(&mut self, key: Key, entry: impl FnOnce() -> Entry) -> bool {
        let is_same = |other: &Entry| other.key == key;
        match self.live.entry(key.hash(), is_same, |entry| entry.key.hash()) {
            Slot::Vacant(slot) => {
                slot.insert(entry());
                true
            }
            Slot::Occupied(_) => false,
        }
    }

    /// Removes a key, which died at this place, if it is as expected.
    #[inline(always)]
    pub fn take(
        &mut self,
        key: Key,
        place: Place,
        is_expected: impl Fn(&Entry) -> bool,
    ) -> Option<Entry> {
        let hash = key.hash();
        let found = self.live.find_entry(hash, |entry| entry.key == key).ok()?;
        if !is_expected(found.get()) {
            return None;
        }
        let (entry, _) = found.remove();
        self.bury(Grave { hash, place });
        Some(entry)
    }

    #[inline(always)]
    fn bury(&mut self, grave: Grave) {
        let mask = self.graves.len() - 1;
        self.graves[grave.hash as usize & mask] = grave;
        self.buried += 1;
        if self.buried > mask / 2 && mask + 1 < GRAVES_MAX {
            self.grow();
        }
    }

    #[cold]
    fn grow(&mut self) {
        let larger = vec![Grave::default(); self.graves.len() * 4];
        let old = std::mem::replace(&mut self.graves, larger);
        self.buried = 0;
        let used = old.into_iter().filter(|grave| grave.place != Place(0));
        used.for_each(|grave| self.bury(grave));
    }

    /// Where a key died, if that is remembered.
    pub fn died(&self, key: Key) -> Option<Place> {
        let hash = key.hash();
        let grave = self.graves[hash as usize & (self.graves.len() - 1)];
        (grave.hash == hash && grave.place != Place(0)).then_some(grave.place)
    }

    /// The live keys, in no order.
    pub fn iter(&self) -> impl Iterator<Item = &Entry> {
        self.live.iter()
    }

    /// Removes the keys of a process.
    pub fn reap(&mut self, process: Process, mut each: impl FnMut(&Entry)) {
        self.live.retain(|entry| {
            let stays = entry.process != process;
            if !stays {
                each(entry);
            }
            stays
        });
    }

    /// Forgets everything.
    pub fn clear(&mut self) {
        self.live.clear();
        self.graves.fill(Grave::default());
    }

    /// The keys in the order of place, device and address.
    pub fn sorted(&self) -> Vec<Entry> {
        let mut entries: Vec<Entry> = self.iter().copied().collect();
        entries.sort_unstable_by_key(|entry| (entry.place, entry.key.device, entry.key.address));
        entries
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// An entry that grew beyond a cache line would cost an audit a third of its speed.
    #[test]
    fn an_entry_fills_one_cache_line() {
        assert_eq!(size_of::<Entry>(), 64);
    }
}
