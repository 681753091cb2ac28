use super::rule::{Held, OnDuplicate, Registration, Release, register, release};
use super::{Entry, KeyRule, Semantics, ServerKind, ServerMark, distinct};
use crate::journal::{Columns, Fingerprint, LaneCounters, LaneMap, Tracking, mix};
use crate::message::{AllocMessage, MessageKind};
use crate::units::{BufferType, Lanes};

/// What an entry stores.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
struct Stored {
    held: Held,
    buffer_type: BufferType,
    owner_pid: u32,
}

impl Fingerprint for Stored {
    fn fingerprint(&self) -> u64 {
        let counts = u64::from(self.held.references) | u64::from(self.owner_pid) << 32;
        mix(mix(self.held.size.0, counts), self.buffer_type as u64)
    }
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
        let (entries, bytes) = (LaneMap::new(tracking), LaneCounters::new(tracking));
        Self { on_duplicate: OnDuplicate::of(kind), rule, entries, bytes }
    }

    #[inline]
    fn allocate(&mut self, message: &AllocMessage) {
        let (bytes, on_duplicate) = (&mut self.bytes, self.on_duplicate);
        let AllocMessage { size, buffer_type, pid: owner_pid, .. } = *message;
        self.entries.update(self.rule.key(message), message.devices, |devices, old| {
            let decided = register(on_duplicate, old.map(|old| old.held), size);
            match (decided, old) {
                (Registration::Again(held), Some(old)) => Some(Stored { held, ..old }),
                (Registration::Written(held) | Registration::Again(held), _) => {
                    bytes.add(devices, size);
                    Some(Stored { held, buffer_type, owner_pid })
                }
            }
        });
    }

    #[inline]
    fn free(&mut self, message: &AllocMessage) -> Lanes {
        let bytes = &mut self.bytes;
        let mut missed = Lanes::NONE;
        self.entries.update(self.rule.key(message), message.devices, |devices, old| match release(
            old.map(|old| old.held),
        ) {
            Release::Unknown => {
                missed = missed.or(devices);
                None
            }
            Release::Kept(held) => old.map(|old| Stored { held, ..old }),
            Release::Gone(size) => {
                bytes.subtract_wrapping(devices, size);
                None
            }
        });
        missed
    }
}

impl Semantics for Keyed {
    #[inline(always)]
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
            .map(|(key, devices, Stored { held, buffer_type, .. })| Entry {
                devices,
                address: KeyRule::address(key),
                buffer_type,
                size: held.size,
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
                self.bytes.subtract_wrapping(devices, stored.held.size);
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

    fn columns(&self, columns: &mut Columns) {
        self.entries.columns(columns, 0x5e0);
        self.bytes.columns(columns, 0x5e1);
    }
}
