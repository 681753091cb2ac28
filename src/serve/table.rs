//! What lives where: the books of the server.

mod other;
mod reap;

use std::fmt;
use std::hash::{BuildHasher, RandomState};
use std::str::FromStr;

use hashbrown::HashTable;

use super::message::{Item, Refusal};
use crate::audit::Memory;
use crate::journal::mix;
use crate::server::ServerKind;
use crate::server::rule::{Held, OnDuplicate, Registration, Release, register, release};
use crate::suggest;
use crate::units::{Bytes, DeviceAddr, DeviceId};
use crate::wire::{DEVICES_MAX, Totals};
use other::Other;
pub use other::{Kernel, Kernels};
pub use reap::Reaped;

/// How the books are kept.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Semantics {
    /// As the server k1 does.
    K1,
    /// As the server k2 does.
    #[default]
    K2,
    /// As k2 does, for each process and each memory on its own; circular buffers and kernels are
    /// counted by what was stored, so that no counter wraps.
    Strict,
}

impl Semantics {
    /// Every way.
    pub const ALL: [Self; 3] = [Self::K1, Self::K2, Self::Strict];

    /// The name on the command line.
    #[must_use]
    pub fn name(self) -> &'static str {
        match self {
            Self::K1 => ServerKind::K1.name(),
            Self::K2 => ServerKind::K2.name(),
            Self::Strict => "strict",
        }
    }

    fn on_duplicate(self) -> OnDuplicate {
        match self {
            Self::K1 => OnDuplicate::of(ServerKind::K1),
            Self::K2 | Self::Strict => OnDuplicate::of(ServerKind::K2),
        }
    }
}

impl fmt::Display for Semantics {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.name())
    }
}

impl FromStr for Semantics {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        Self::ALL.into_iter().find(|kind| kind.name() == text).ok_or_else(|| {
            let hint = suggest::hint(text, Self::ALL.into_iter().map(Self::name));
            format!("unknown server `{text}`; {hint}")
        })
    }
}

/// What an entry is found by.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
struct Key {
    buffer: u64,
    /// The device; from strict books also memory and process.
    rest: u64,
}

/// A live buffer.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Entry {
    /// On which device.
    pub device: DeviceId,
    /// The buffer id.
    pub buffer: DeviceAddr,
    /// The stored size, and the references.
    pub held: Held,
    /// The stored memory.
    pub memory: Memory,
    /// The process that registered it first.
    pub owner: i32,
}

#[derive(Clone, Copy, Debug)]
struct Stored {
    key: Key,
    held: Held,
    memory: Memory,
    owner: i32,
}

impl Stored {
    fn entry(&self) -> Entry {
        let Self { key, held, memory, owner } = *self;
        let device = DeviceId(key.rest as u8);
        Entry { device, buffer: DeviceAddr(key.buffer), held, memory, owner }
    }
}

/// What the books say to an ALLOC or a FREE.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Answer {
    /// A new entry.
    Registered,
    /// A live key was registered again: so many references.
    Again(u32),
    /// The entry is gone.
    Freed(Entry),
    /// The entry lost a reference.
    Kept(Entry),
    /// Nothing to free.
    Unknown,
}

/// What happened on a device, and what lives there.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct DeviceCounts {
    /// ALLOC messages.
    pub alloc: u64,
    /// ALLOC messages of live keys among them.
    pub again: u64,
    /// FREE messages, those of unknown keys included.
    pub free: u64,
    /// FREE messages with nothing to free.
    pub unknown: u64,
    /// Live keys.
    pub live: u64,
    /// Live keys that the reaper removed.
    pub reaped: u64,
    /// Messages about circular buffers and kernels.
    pub other: u64,
    /// The counters that a QUERY reads.
    pub totals: Totals,
}

impl DeviceCounts {
    /// What the server of the last era calls the total: circular buffers and kernels left out.
    #[must_use]
    pub fn total(&self) -> Bytes {
        let Totals { dram, l1, l1_small, trace, .. } = self.totals;
        let sum = [dram, l1, l1_small, trace];
        Bytes(sum.iter().fold(0, |sum, bytes| sum.wrapping_add(bytes.0)))
    }

    fn of(&mut self, memory: Memory) -> &mut Bytes {
        match memory {
            Memory::Dram => &mut self.totals.dram,
            Memory::L1 => &mut self.totals.l1,
            Memory::SystemMemory | Memory::L1Small => &mut self.totals.l1_small,
            Memory::Trace => &mut self.totals.trace,
        }
    }

    // The servers' counters are unsigned and unchecked.
    fn add(&mut self, memory: Memory, size: Bytes) {
        let counter = self.of(memory);
        counter.0 = counter.0.wrapping_add(size.0);
    }

    fn subtract(&mut self, memory: Memory, size: Bytes) {
        let counter = self.of(memory);
        counter.0 = counter.0.wrapping_sub(size.0);
    }
}

/// The books.
///
/// ```
/// use freeorder::serve::{Answer, Item, Semantics, Table};
/// let mut table = Table::new(Semantics::K2, 1000);
/// let item = Item { process: 7, ..Item::default() };
/// assert_eq!(table.alloc(&item), Ok(Answer::Registered));
/// assert_eq!(table.alloc(&item), Ok(Answer::Again(2)));
/// assert!(matches!(table.free(&item), Answer::Kept(_)));
/// assert!(matches!(table.free(&item), Answer::Freed(_)));
/// assert_eq!(table.free(&item), Answer::Unknown);
/// ```
pub struct Table {
    semantics: Semantics,
    on_duplicate: OnDuplicate,
    live_max: usize,
    /// What makes collisions unpredictable for a hostile client.
    seed: u64,
    entries: HashTable<Stored>,
    devices: [DeviceCounts; DEVICES_MAX as usize],
    other: Other,
}

impl Table {
    /// Empty books that refuse more than so many live keys: buffers, circular buffers and kernels
    /// together.
    #[must_use]
    pub fn new(semantics: Semantics, live_max: usize) -> Self {
        Self {
            semantics,
            on_duplicate: semantics.on_duplicate(),
            live_max,
            seed: RandomState::new().hash_one(0),
            entries: HashTable::new(),
            devices: [DeviceCounts::default(); DEVICES_MAX as usize],
            other: Other::default(),
        }
    }

    /// A buffer came.
    ///
    /// # Errors
    /// If there are too many.
    #[inline]
    pub fn alloc(&mut self, item: &Item) -> Result<Answer, Refusal> {
        let key = self.key(item, item.memory);
        let hash = hash(self.seed, key);
        let is_full = self.is_full();
        let found = self.entries.find_mut(hash, |stored| stored.key == key);
        if found.is_none() && is_full {
            return Err(Refusal::Full(self.live_max));
        }
        let device = &mut self.devices[usize::from(item.device.0)];
        device.alloc += 1;
        device.again += u64::from(found.is_some());
        let held = found.as_ref().map(|stored| stored.held);
        let decided = register(self.on_duplicate, held, item.size);
        let (memory, owner) = (item.memory, item.process);
        Ok(match (decided, found) {
            (Registration::Again(held), Some(stored)) => {
                stored.held = held;
                Answer::Again(held.references)
            }
            (Registration::Written(held), Some(stored)) => {
                device.add(memory, item.size);
                *stored = Stored { key, held, memory, owner };
                Answer::Registered
            }
            (Registration::Written(held) | Registration::Again(held), None) => {
                device.add(memory, item.size);
                device.live += 1;
                let seed = self.seed;
                let rehash = |stored: &Stored| self::hash(seed, stored.key);
                self.entries.insert_unique(hash, Stored { key, held, memory, owner }, rehash);
                Answer::Registered
            }
        })
    }

    /// A buffer went.
    #[inline]
    pub fn free(&mut self, item: &Item) -> Answer {
        let key = self.freed_key(item);
        let found = self.entries.find_entry(hash(self.seed, key), |stored| stored.key == key);
        let device = &mut self.devices[usize::from(item.device.0)];
        device.free += 1;
        let Ok(mut found) = found else {
            device.unknown += 1;
            return Answer::Unknown;
        };
        match release(Some(found.get().held)) {
            Release::Kept(held) => {
                found.get_mut().held = held;
                Answer::Kept(found.get().entry())
            }
            Release::Gone(_) | Release::Unknown => {
                let (stored, _) = found.remove();
                device.live -= 1;
                device.subtract(stored.memory, stored.held.size);
                Answer::Freed(stored.entry())
            }
        }
    }

    /// What a QUERY is answered; zeros for a device that cannot be.
    #[must_use]
    pub fn totals(&self, device: i32) -> Totals {
        let device = usize::try_from(device).ok().and_then(|device| self.devices.get(device));
        device.map(|device| device.totals).unwrap_or_default()
    }

    /// The devices, lowest first.
    pub fn devices(&self) -> impl Iterator<Item = (DeviceId, &DeviceCounts)> {
        let devices = self.devices.iter().enumerate();
        devices.map(|(device, counts)| (DeviceId(device as u8), counts))
    }

    /// How the books are kept.
    #[must_use]
    pub fn semantics(&self) -> Semantics {
        self.semantics
    }

    #[inline]
    fn is_full(&self) -> bool {
        self.entries.len() + self.other.circular.len() + self.other.kernels.len() >= self.live_max
    }

    /// Live keys.
    #[must_use]
    pub fn live(&self) -> usize {
        self.entries.len()
    }

    /// The live buffers, by device, memory and address.
    #[must_use]
    pub fn entries(&self) -> Vec<Entry> {
        let mut entries: Vec<Entry> = self.entries.iter().map(Stored::entry).collect();
        entries.sort_unstable_by_key(|entry| {
            let Entry { device, memory, buffer, owner, .. } = *entry;
            (device, memory, buffer, owner)
        });
        entries
    }

    #[inline]
    fn key(&self, item: &Item, memory: Memory) -> Key {
        let whose = match self.semantics {
            Semantics::K1 | Semantics::K2 => 0,
            Semantics::Strict => (memory as u64) << 8 | (item.process as u64) << 32,
        };
        Key { buffer: item.buffer.0, rest: u64::from(item.device.0) | whose }
    }

    /// The key that a FREE means. It says 0 for its memory, whatever it frees: so where there is
    /// nothing in DRAM, it means what the process has there in another memory.
    #[inline]
    fn freed_key(&self, item: &Item) -> Key {
        let said = self.key(item, item.memory);
        if self.semantics != Semantics::Strict || item.memory != Memory::Dram {
            return said;
        }
        let mut keys = Memory::ALL.into_iter().map(|memory| self.key(item, memory));
        let live = |key: &Key| {
            self.entries.find(hash(self.seed, *key), |stored| stored.key == *key).is_some()
        };
        keys.find(live).unwrap_or(said)
    }
}

#[inline]
fn hash(seed: u64, key: Key) -> u64 {
    mix(mix(seed, key.buffer), key.rest)
}
