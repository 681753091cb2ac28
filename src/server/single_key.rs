use super::{Entry, KeyRule, Semantics, ServerMark, distinct};
use crate::journal::{Columns, Fingerprint, LaneCounters, LaneMap, Tracking, mix};
use crate::message::{AllocMessage, MessageKind};
use crate::units::{BufferType, Bytes, DeviceId, Lanes};

/// What an entry stores: here the device is part of it, not of the key.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
struct Stored {
    device: DeviceId,
    size: Bytes,
    buffer_type: BufferType,
    owner_pid: u32,
}

impl Fingerprint for Stored {
    fn fingerprint(&self) -> u64 {
        let facts = u64::from(self.device.0) | u64::from(self.owner_pid) << 32;
        mix(mix(self.size.0, facts), self.buffer_type as u64)
    }
}

/// Every entry of a buffer id is on this one lane.
const ONLY: Lanes = Lanes(1);

/// k0: keyed by buffer id alone (allocation-server.md 1.7): a duplicate ALLOC overwrites the entry
/// and adds to the counters again; a FREE subtracts the stored size from the stored device.
#[derive(Clone, Debug)]
pub struct SingleKey {
    rule: KeyRule,
    entries: LaneMap<Stored>,
    bytes: LaneCounters,
}

impl SingleKey {
    pub fn new(rule: KeyRule, tracking: Tracking) -> Self {
        Self { rule, entries: LaneMap::new(tracking), bytes: LaneCounters::new(tracking) }
    }
}

impl Semantics for SingleKey {
    fn receive(&mut self, message: &AllocMessage) -> Lanes {
        let key = self.rule.key(message);
        let AllocMessage { size, buffer_type, pid, .. } = *message;
        let mut missed = Lanes::NONE;
        for device in message.devices.iter() {
            match message.kind {
                MessageKind::Alloc => {
                    let stored = Stored { device, size, buffer_type, owner_pid: pid };
                    self.entries.update(key, ONLY, |_, _| Some(stored));
                    self.bytes.add(Lanes::one(device), size);
                }
                MessageKind::Free => match self.entries.get(key, DeviceId(0)) {
                    None => missed = missed.or(Lanes::one(device)),
                    Some(stored) => {
                        self.entries.update(key, ONLY, |_, _| None);
                        self.bytes.subtract(Lanes::one(stored.device), stored.size);
                    }
                },
            }
        }
        missed
    }

    fn bytes(&self) -> &[u64] {
        self.bytes.get()
    }

    fn keys(&self) -> Option<u64> {
        Some(self.entries.count())
    }

    fn entries(&self) -> Vec<Entry> {
        self.entries
            .iter()
            .map(|(key, _, Stored { device, size, buffer_type, .. })| Entry {
                devices: Lanes::one(device),
                address: KeyRule::address(key),
                buffer_type,
                size,
            })
            .collect()
    }

    fn restart(&mut self) {
        for (key, _, _) in self.entries.entries() {
            self.entries.update(key, ONLY, |_, _| None);
        }
        self.bytes.clear(Lanes::first(self.bytes.get().len()));
    }

    fn reap(&mut self, pid: u32) -> u64 {
        let mut removed = 0;
        for (key, _, stored) in self.entries.entries() {
            if stored.owner_pid == pid {
                self.entries.update(key, ONLY, |_, _| None);
                self.bytes.subtract(Lanes::one(stored.device), stored.size);
                removed += 1;
            }
        }
        removed
    }

    fn owners(&self) -> Vec<u32> {
        distinct(self.entries.iter().map(|(_, _, stored)| stored.owner_pid))
    }

    fn reset(&mut self) {
        self.entries.reset();
        self.bytes.reset();
    }

    fn mark(&self) -> ServerMark {
        [self.entries.mark(), self.bytes.mark(), 0, 0, 0, 0]
    }

    fn undo_to(&mut self, [entries, bytes, ..]: ServerMark) {
        self.entries.undo_to(entries);
        self.bytes.undo_to(bytes);
    }

    fn hash(&self) -> u64 {
        mix(self.entries.hash(), self.bytes.hash())
    }

    /// Who of several devices comes last has the entry, so that each of them has a place.
    fn columns(&self, columns: &mut Columns) {
        columns.shared(0x5e2, self.hash());
        columns.name(Lanes::first(Lanes::CAPACITY));
    }
}
