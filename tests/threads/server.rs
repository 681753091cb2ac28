//! The server of the models: books behind one mutex, read by a thread for each connection.
//!
//! allocation-server.md 1.1: "one detached thread per connection; all state under one mutex
//! (`registry_mutex_`)". What a message does is decided by the server's own `register` and
//! `release`; whose entry it is, is known to the models only.

use std::collections::{BTreeMap, BTreeSet};

use freeorder::message::{MessageKind, UniqueId};
use freeorder::server::ServerKind;
use freeorder::server::rule::{Held, OnDuplicate, Registration, Release, register, release};
use freeorder::units::{Bytes, DeviceAddr, DeviceId};
use freeorder::violation::OracleName;

/// The size of every buffer of the models.
pub const SIZE: Bytes = Bytes(2048);

/// What the server's entries are found by, from k1 on.
pub type Key = (DeviceId, DeviceAddr);

/// An ALLOC or a FREE.
#[derive(Clone, Copy, Debug)]
pub struct Message {
    pub kind: MessageKind,
    pub key: Key,
    /// Who really sent it, which no message says.
    pub owner: UniqueId,
}

/// What a message does to the entry of its key.
#[derive(Clone, Copy, Debug)]
pub enum Change {
    Written(Held),
    Counts(Held),
    Gone(Bytes),
    Unknown,
}

/// What the server decides: its rule on what it has found.
pub fn decided(rule: OnDuplicate, found: Option<Held>, kind: MessageKind) -> Change {
    match kind {
        MessageKind::Alloc => match register(rule, found, SIZE) {
            Registration::Written(held) => Change::Written(held),
            Registration::Again(held) => Change::Counts(held),
        },
        MessageKind::Free => match release(found) {
            Release::Unknown => Change::Unknown,
            Release::Kept(held) => Change::Counts(held),
            Release::Gone(size) => Change::Gone(size),
        },
    }
}

/// The books of a server of a generation.
#[derive(Debug)]
pub struct Books {
    pub rule: OnDuplicate,
    entries: BTreeMap<Key, (Held, UniqueId)>,
    bytes: i128,
    found: BTreeSet<OracleName>,
}

impl Books {
    pub fn new(kind: ServerKind) -> Self {
        let rule = OnDuplicate::of(kind);
        Self { rule, entries: BTreeMap::new(), bytes: 0, found: BTreeSet::new() }
    }

    /// Reads a message, whole.
    pub fn receive(&mut self, message: Message) {
        let change = decided(self.rule, self.look_up(message.key), message.kind);
        self.write(message, change);
    }

    /// The first half: what the key holds.
    pub fn look_up(&self, key: Key) -> Option<Held> {
        self.entries.get(&key).map(|&(held, _)| held)
    }

    /// The second half: what was decided is written down.
    pub fn write(&mut self, Message { key, owner, .. }: Message, change: Change) {
        let whose = self.entries.get(&key).map(|&(_, owner)| owner);
        match change {
            Change::Written(held) => {
                self.bytes += i128::from(held.size.0);
                self.entries.insert(key, (held, owner));
            }
            Change::Counts(held) => {
                self.entries.insert(key, (held, whose.unwrap_or(owner)));
            }
            Change::Gone(size) => {
                self.bytes -= i128::from(size.0);
                self.entries.remove(&key);
                // Only a server that counts no references can say whose entry it was.
                if self.rule == OnDuplicate::Overwrite && whose != Some(owner) {
                    self.found.insert(OracleName::StaleFree);
                }
            }
            Change::Unknown => {
                self.found.insert(OracleName::UnknownFree);
            }
        }
    }

    /// What was wrong, now that every buffer is gone.
    pub fn verdict(&self) -> BTreeSet<OracleName> {
        let mut found = self.found.clone();
        if !self.entries.is_empty() || self.bytes != 0 {
            found.insert(OracleName::Residue);
        }
        found
    }
}
