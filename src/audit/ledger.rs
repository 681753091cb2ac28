//! The live keys, and the last of the dead.
//!
//! Allocators give a free address out again at once, so the last dead keys keep their entries for
//! their next lives. Memory must not grow with the input: of those before, most have a grave.

use std::collections::VecDeque;

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

/// A key, in a cache line of its own: what is waited for comes at once.
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
    /// Whether it is free again.
    is_dead: bool,
    /// How often it is registered.
    pub references: u32,
    /// Who registered it first.
    pub process: Process,
    /// Its size, as first registered.
    pub size: Bytes,
    /// Where it was first registered, or died.
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
            is_dead: false,
            references,
            process: event.process.unwrap_or_default(),
            size: event.size.unwrap_or_default(),
            place: event.place,
            object: event.object.unwrap_or_default(),
            path: event.path,
        }
    }
}

/// A key that is free again: the hash stands for it, since a key, which is written in parts and
/// copied as a whole, waits until memory has what was written before it.
#[derive(Clone, Copy, Default)]
struct Grave {
    hash: u64,
    place: Place,
}

/// How many of the last dead keys keep their entries: few enough to be near at hand.
const LAST: usize = 1 << 8;

/// How many lose them together: the table counts what comes and what goes in ways that wait for
/// one another.
const BATCH: usize = 1 << 6;

/// How many graves there are, at first and at most: a small input must not wait for many.
const GRAVES_MIN: usize = 1 << 6;
const GRAVES_MAX: usize = 1 << 16;

/// The live keys.
pub struct Ledger {
    keys: HashTable<Entry>,
    dead: usize,
    /// The last that died, and where.
    last: VecDeque<Grave>,
    graves: Vec<Grave>,
    buried: usize,
}

impl Ledger {
    pub fn new() -> Self {
        let graves = vec![Grave::default(); GRAVES_MIN];
        Self { keys: HashTable::new(), dead: 0, last: VecDeque::new(), graves, buried: 0 }
    }

    /// How many keys live.
    pub fn count(&self) -> u64 {
        (self.keys.len() - self.dead) as u64
    }

    /// Whether a key is live.
    #[inline(always)]
    pub fn has(&self, key: Key) -> bool {
        self.live(key).is_some()
    }

    /// Reads what is most likely the entry of a key, so that memory has it ready. Nothing is
    /// decided by what is read: a decision would wait for it, and what is asked for next with it.
    #[inline(always)]
    pub fn touch(&self, key: Key) -> u64 {
        self.keys.find(key.hash(), |_| true).map_or(0, |entry| entry.key.address.0)
    }

    /// The entry of a live key, to look at.
    #[inline(always)]
    pub fn live(&self, key: Key) -> Option<&Entry> {
        self.find(key).filter(|entry| !entry.is_dead)
    }

    /// The entry of a live key.
    #[inline(always)]
    pub fn get(&mut self, key: Key) -> Option<&mut Entry> {
        let entry = self.keys.find_mut(key.hash(), |entry| entry.key == key)?;
        (!entry.is_dead).then_some(entry)
    }

    /// Adds a key; false if it is there already. Its entry is made where it is to be: one that is
    /// made elsewhere and copied waits until memory has what was written before it.
    #[inline(always)]
    pub fn insert(&mut self, key: Key, entry: impl FnOnce() -> Entry) -> bool {
        let is_same = |other: &Entry| other.key == key;
        match self.keys.entry(key.hash(), is_same, |entry| entry.key.hash()) {
            Slot::Vacant(slot) => {
                slot.insert(entry());
            }
            Slot::Occupied(slot) => {
                let old = slot.into_mut();
                if !old.is_dead {
                    return false;
                }
                *old = entry();
                self.dead -= 1;
            }
        }
        true
    }

    /// Removes a key, which died at this place, if it is as expected: whether it was. Its entry is
    /// looked at where it is; a copy would wait for what was written last.
    #[inline(always)]
    pub fn take(
        &mut self,
        key: Key,
        place: Place,
        is_expected: impl FnOnce(&Entry) -> bool,
        closed: impl FnOnce(&Entry),
    ) -> bool {
        let Some(entry) = self.get(key).filter(|entry| is_expected(entry)) else { return false };
        closed(entry);
        (entry.is_dead, entry.place) = (true, place);
        self.dead += 1;
        self.last.push_back(Grave { hash: key.hash(), place });
        if self.last.len() == LAST + BATCH {
            self.bury_first();
        }
        true
    }

    /// What is dead still, and has been for longest, loses its entry.
    #[inline(never)]
    fn bury_first(&mut self) {
        for _ in 0..BATCH {
            let Some(grave) = self.last.pop_front() else { return };
            let is_it = |entry: &Entry| {
                entry.is_dead && entry.place == grave.place && entry.key.hash() == grave.hash
            };
            if let Ok(found) = self.keys.find_entry(grave.hash, is_it) {
                found.remove();
                self.dead -= 1;
                self.bury(grave);
            }
        }
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

    #[inline(always)]
    fn find(&self, key: Key) -> Option<&Entry> {
        self.keys.find(key.hash(), |entry| entry.key == key)
    }

    /// Where a key died, if that is remembered.
    pub fn died(&self, key: Key) -> Option<Place> {
        if let Some(entry) = self.find(key) {
            return entry.is_dead.then_some(entry.place);
        }
        let hash = key.hash();
        let grave = self.graves[hash as usize & (self.graves.len() - 1)];
        (grave.hash == hash && grave.place != Place(0)).then_some(grave.place)
    }

    /// The live keys, in no order.
    pub fn iter(&self) -> impl Iterator<Item = &Entry> {
        self.keys.iter().filter(|entry| !entry.is_dead)
    }

    /// Removes the keys of a process.
    pub fn reap(&mut self, process: Process, mut each: impl FnMut(&Entry)) {
        self.keys.retain(|entry| {
            let stays = entry.is_dead || entry.process != process;
            if !stays {
                each(entry);
            }
            stays
        });
    }

    /// Forgets everything.
    pub fn clear(&mut self) {
        self.keys.clear();
        self.dead = 0;
        self.last.clear();
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
    use crate::audit::event::Action;

    /// A key that lives, dies and lives again is one entry; of the dead the last are remembered.
    #[test]
    fn the_last_of_the_dead_are_remembered() {
        let mut ledger = Ledger::new();
        let all = 5 * GRAVES_MAX as u64;
        let key = |at: u64| Key { device: Device(0), region: 0, address: DeviceAddr(at << 10) };
        for at in 1..=all {
            let event = Event::new(Place(at), Action::Other);
            assert!(ledger.insert(key(at), || Entry::of(key(at), &event, 1)));
            assert!(!ledger.insert(key(at), || Entry::of(key(at), &event, 1)));
            let is_other = |entry: &Entry| entry.references == 2;
            assert!(!ledger.take(key(at), Place(at + 1), is_other, |_| panic!("it is not")));
            let came = |entry: &Entry| assert_eq!(entry.place, Place(at));
            assert!(ledger.take(key(at), Place(at + 1), |entry| entry.references == 1, came));
            assert!(!ledger.has(key(at)) && ledger.get(key(at)).is_none());
            assert_eq!(ledger.count(), 0);
            assert!(ledger.keys.len() <= LAST + BATCH, "memory grows with the input");
        }
        assert_eq!(ledger.iter().count(), 0);
        assert_eq!(ledger.graves.len(), GRAVES_MAX);
        let remembered = |of: u64| {
            let last = all - of + 1..=all;
            last.filter(|&at| ledger.died(key(at)) == Some(Place(at + 1))).count() as u64
        };
        assert_eq!(remembered(LAST as u64), LAST as u64);
        assert!(remembered(30_000) > 15_000, "{}", remembered(30_000));
        assert_eq!(ledger.died(key(all + 1)), None);
        // What lives again is not dead, however often it died before.
        for place in all + 2..all + 2000 {
            let event = Event::new(Place(place), Action::Other);
            assert!(ledger.insert(key(all), || Entry::of(key(all), &event, 2)));
            assert_eq!((ledger.died(key(all)), ledger.count()), (None, 1));
            assert!(ledger.take(key(all), Place(place), |_| true, |_| ()));
            assert_eq!((ledger.died(key(all)), ledger.count()), (Some(Place(place)), 0));
        }
        let event = Event::new(Place(all + 2000), Action::Other);
        assert!(ledger.insert(key(all), || Entry::of(key(all), &event, 2)));
        ledger.reap(Process(0), |entry| assert_eq!(entry.references, 2));
        assert_eq!(ledger.count(), 0);
    }

    /// An entry that grew beyond a cache line would cost an audit a third of its speed.
    #[test]
    fn an_entry_fills_one_cache_line() {
        assert_eq!(size_of::<Entry>(), 64);
    }
}
