use super::{Entry, KeyRule, Semantics, ServerKind, ServerMark, distinct};
use crate::journal::{Fingerprint, LaneCounters, LaneMap, Tracking, mix};
use crate::message::{AllocMessage, MessageKind};
use crate::units::{BufferType, Bytes, Lanes};

/// What an entry stores.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
struct Stored {
    size: Bytes,
    buffer_type: BufferType,
    references: u32,
    owner_pid: u32,
}

impl Fingerprint for Stored {
    fn fingerprint(&self) -> u64 {
        let counts = u64::from(self.references) | u64::from(self.owner_pid) << 32;
        mix(mix(self.size.0, counts), self.buffer_type as u64)
    }
}

/// What a second ALLOC of a live key does.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum OnDuplicate {
    /// Overwrites the entry and adds to the counters again (k1).
    Overwrite,
    /// Counts a reference and touches nothing else (k2).
    Count,
    /// Counts a reference and replaces the size without correcting the counters (k2e).
    CountAndReplaceSize,
}

/// k1, k2 and k2e: keyed by {device, buffer id} (allocation-server.md 1.7).
#[derive(Clone, Debug)]
pub struct Keyed {
    on_duplicate: OnDuplicate,
    rule: KeyRule,
    entries: LaneMap<Stored>,
    bytes: LaneCounters,
}

impl Keyed {
    pub fn new(kind: ServerKind, rule: KeyRule, tracking: Tracking) -> Self {
        let on_duplicate = match kind {
            ServerKind::K0 | ServerKind::K1 => OnDuplicate::Overwrite,
            ServerKind::K2 | ServerKind::Shm => OnDuplicate::Count,
            ServerKind::K2e => OnDuplicate::CountAndReplaceSize,
        };
        let (entries, bytes) = (LaneMap::new(tracking), LaneCounters::new(tracking));
        Self { on_duplicate, rule, entries, bytes }
    }

    #[inline]
    fn allocate(&mut self, message: &AllocMessage) {
        let (bytes, on_duplicate) = (&mut self.bytes, self.on_duplicate);
        let AllocMessage { size, buffer_type, pid, .. } = *message;
        let first = Stored { size, buffer_type, references: 1, owner_pid: pid };
        self.entries.update(self.rule.key(message), message.devices, |devices, old| {
            let counted = old.filter(|_| on_duplicate != OnDuplicate::Overwrite);
            let Some(old) = counted else {
                bytes.add(devices, size);
                return Some(first);
            };
            let references = old.references + 1;
            match on_duplicate {
                OnDuplicate::CountAndReplaceSize => Some(Stored { size, references, ..old }),
                OnDuplicate::Count | OnDuplicate::Overwrite => Some(Stored { references, ..old }),
            }
        });
    }

    #[inline]
    fn free(&mut self, message: &AllocMessage) -> Lanes {
        let bytes = &mut self.bytes;
        let mut missed = Lanes::NONE;
        self.entries.update(self.rule.key(message), message.devices, |devices, old| match old {
            None => {
                missed = missed.or(devices);
                None
            }
            Some(old) if old.references > 1 => {
                Some(Stored { references: old.references - 1, ..old })
            }
            Some(old) => {
                bytes.subtract_wrapping(devices, old.size);
                None
            }
        });
        missed
    }
}

impl Semantics for Keyed {
    #[inline]
    fn receive(&mut self, message: &AllocMessage) -> Lanes {
        match message.kind {
            MessageKind::Alloc => {
                self.allocate(message);
                Lanes::NONE
            }
            MessageKind::Free => self.free(message),
        }
    }

    #[inline]
    fn bytes(&self) -> &[u64] {
        self.bytes.get()
    }

    fn keys(&self) -> Option<u64> {
        Some(self.entries.count())
    }

    fn entries(&self) -> Vec<Entry> {
        self.entries
            .iter()
            .map(|(key, devices, Stored { size, buffer_type, .. })| Entry {
                devices,
                address: KeyRule::address(key),
                buffer_type,
                size,
            })
            .collect()
    }

    fn restart(&mut self) {
        for (key, devices, _) in self.entries.entries() {
            self.entries.update(key, devices, |_, _| None);
        }
        self.bytes.clear(Lanes::first(self.bytes.get().len()));
    }

    fn reap(&mut self, pid: u32) -> u64 {
        let mut removed = 0;
        for (key, devices, stored) in self.entries.entries() {
            if stored.owner_pid == pid {
                self.entries.update(key, devices, |_, _| None);
                self.bytes.subtract_wrapping(devices, stored.size);
                removed += u64::from(devices.count());
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
}
