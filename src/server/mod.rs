//! The allocation server's generations, behind one trait.
//!
//! The server is part of the model, because its bookkeeping decides the verdict: the same messages
//! are "8 warnings", "1 warning" or "clean" under k0, k1 and k2 (allocation-server.md 1.7, 1.8).

mod keyed;
mod keys_read;
pub mod rule;
mod shm;
mod single_key;

use std::fmt;
use std::str::FromStr;

use crate::fix::{Defect, Fix, FixSet, Switches};
use crate::journal::{Columns, Tracking};
use crate::message::{AllocMessage, UniqueId};
use crate::suggest;
use crate::units::{BufferType, Bytes, DeviceAddr, Lanes};

use keyed::Keyed;
use keys_read::KeysRead;
use shm::Shm;
use single_key::SingleKey;

/// Which generation of the server.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum ServerKind {
    /// Keyed by buffer id alone; a duplicate ALLOC overwrites.
    K0,
    /// Keyed by {device, buffer id}; a duplicate ALLOC overwrites.
    K1,
    /// Keyed by {device, buffer id}; a duplicate ALLOC counts a reference.
    #[default]
    K2,
    /// K2 with sizes that a duplicate ALLOC replaces, so that the counters drift and wrap.
    K2e,
    /// The shared-memory counters of the main branch: no keys at all.
    Shm,
}

impl ServerKind {
    /// Every generation.
    pub const ALL: [Self; 5] = [Self::K0, Self::K1, Self::K2, Self::K2e, Self::Shm];

    /// The name on the command line.
    #[must_use]
    pub fn name(self) -> &'static str {
        match self {
            Self::K0 => "k0",
            Self::K1 => "k1",
            Self::K2 => "k2",
            Self::K2e => "k2e",
            Self::Shm => "shm",
        }
    }

    /// What it does, in one line.
    #[must_use]
    pub fn summary(self) -> &'static str {
        match self {
            Self::K0 => "keyed by buffer id; a duplicate ALLOC overwrites",
            Self::K1 => "keyed by {device, buffer id}; a duplicate ALLOC overwrites",
            Self::K2 => "keyed by {device, buffer id}; a duplicate ALLOC counts a reference",
            Self::K2e => "k2, but a duplicate ALLOC replaces the size and leaves the counters",
            Self::Shm => "shared-memory byte counters, saturating; no keys",
        }
    }
}

impl fmt::Display for ServerKind {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.name())
    }
}

/// A `--server` value that names no generation.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("unknown server `{name}`; {hint}")]
pub struct ServerKindError {
    /// What was written.
    pub name: String,
    /// What would be right.
    pub hint: String,
}

impl FromStr for ServerKind {
    type Err = ServerKindError;

    fn from_str(text: &str) -> Result<Self, ServerKindError> {
        Self::ALL.into_iter().find(|kind| kind.name() == text).ok_or_else(|| ServerKindError {
            name: text.to_owned(),
            hint: suggest::hint(text, Self::ALL.into_iter().map(Self::name)),
        })
    }
}

/// An entry of the server's table, for checkpoints.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct Entry {
    /// On which devices.
    pub devices: Lanes,
    /// The buffer id.
    pub address: DeviceAddr,
    /// The stored type.
    pub buffer_type: BufferType,
    /// The stored size.
    pub size: Bytes,
}

/// A place in the journals of a server.
pub(crate) type ServerMark = [usize; 6];

/// What every generation can do.
trait Semantics {
    /// Reads a message; the answer is the set of devices whose FREE hit no entry.
    fn receive(&mut self, message: &AllocMessage) -> Lanes;

    /// The byte counters, device 0 first.
    fn bytes(&self) -> &[u64];

    /// The number of entries; none if there are no keys.
    fn keys(&self) -> Option<u64>;

    /// The entries, for checkpoints.
    fn entries(&self) -> Vec<Entry>;

    /// Forgets everything.
    fn restart(&mut self);

    /// Forgets what a dead process left; the answer is how many entries that were.
    fn reap(&mut self, pid: u32) -> u64;

    /// The processes that have entries.
    fn owners(&self) -> Vec<u32>;

    /// Forgets everything, the journals too.
    fn reset(&mut self);

    /// A place to come back to.
    fn mark(&self) -> ServerMark;

    /// Takes back everything since the mark.
    fn undo_to(&mut self, mark: ServerMark);

    /// A hash of the state.
    fn hash(&self) -> u64;

    /// Adds the state to the columns.
    fn columns(&self, columns: &mut Columns);
}

#[derive(Clone, Debug)]
enum Generation {
    SingleKey(SingleKey),
    Keyed(Keyed),
    Shm(Box<Shm>),
}

/// An allocation server.
///
/// ```
/// use freeorder::fix::FixSet;
/// use freeorder::journal::Tracking;
/// use freeorder::server::{Server, ServerKind};
/// let server = Server::new(ServerKind::K2, FixSet::default(), Tracking::NONE);
/// assert_eq!(server.keys(), Some(0));
/// ```
#[derive(Clone, Debug)]
pub struct Server {
    kind: ServerKind,
    generation: Generation,
    /// What of its key mattered, if anybody asks.
    keys_read: Option<Box<KeysRead>>,
}

macro_rules! each {
    ($server:expr, $generation:ident => $answer:expr) => {
        match $server {
            Generation::SingleKey($generation) => $answer,
            Generation::Keyed($generation) => $answer,
            Generation::Shm($generation) => $answer,
        }
    };
}

impl Server {
    /// An empty server of a generation; of the fixes it reads those that change its key.
    #[must_use]
    pub fn new(kind: ServerKind, fixes: FixSet, tracking: Tracking) -> Self {
        let keys = KeyRule {
            // tt-metal.md A6: "The buffer type is not in the key: L1 address X, DRAM address X on
            // the same device collide".
            typed: fixes.has(Fix::TypedKey),
            // tt-metal.md A1: unique_id is "the ONLY safe identity: addresses and pointers get
            // reused".
            by_owner: fixes.has(Fix::OwnerIdKey),
        };
        let generation = match kind {
            ServerKind::K0 => Generation::SingleKey(SingleKey::new(keys, tracking)),
            ServerKind::K1 | ServerKind::K2 | ServerKind::K2e => {
                Generation::Keyed(Keyed::new(kind, keys, tracking))
            }
            ServerKind::Shm => {
                // PR 37218: the layouts before version 4 had no slots for processes and "leaked on
                // SIGKILL" (tt-metal.md E3).
                let slots = !fixes.has_defect(Defect::NoProcessSlots);
                Generation::Shm(Box::new(Shm::new(slots, tracking)))
            }
        };
        Self { kind, generation, keys_read: None }
    }

    /// Takes note from here on of what of its key matters; nothing may have been sent before.
    pub(crate) fn watch_keys(&mut self) {
        self.keys_read = Some(Box::default());
    }

    /// Its generation.
    #[must_use]
    pub fn kind(&self) -> ServerKind {
        self.kind
    }

    /// The switches that its answers depend on.
    #[must_use]
    pub fn read(&self) -> Switches {
        match (self.kind, &self.keys_read) {
            (ServerKind::Shm, _) => Switches::NONE,
            (_, Some(keys)) => keys.read(),
            (_, None) => Switches::NONE.with(Fix::TypedKey).with(Fix::OwnerIdKey),
        }
    }

    /// Reads a message; the answer is the set of devices whose FREE hit no entry.
    #[inline(always)]
    pub fn receive(&mut self, message: &AllocMessage) -> Lanes {
        if let Some(keys) = &mut self.keys_read {
            keys.note(message);
        }
        each!(&mut self.generation, server => server.receive(message))
    }

    /// The byte counters, device 0 first.
    #[must_use]
    #[inline]
    pub fn bytes(&self) -> &[u64] {
        each!(&self.generation, server => server.bytes())
    }

    /// The number of entries; none if the server has no keys.
    #[must_use]
    pub fn keys(&self) -> Option<u64> {
        each!(&self.generation, server => server.keys())
    }

    /// The entries, lowest address first.
    #[must_use]
    pub fn entries(&self) -> Vec<Entry> {
        let mut entries = each!(&self.generation, server => server.entries());
        entries.sort_unstable_by_key(|entry| (entry.address, entry.devices));
        entries
    }

    /// Forgets everything, as a restarted server has.
    pub fn restart(&mut self) {
        each!(&mut self.generation, server => server.restart());
    }

    /// Removes what dead processes left, and reports each of them with its number of entries.
    ///
    /// Source: allocation-server.md 1.7: "Removal is by owner_pid irrespective of ref_count; size
    /// subtracted once."
    pub fn reap(&mut self, alive: impl Fn(u32) -> bool) -> Vec<(u32, u64)> {
        let owners = each!(&self.generation, server => server.owners());
        let dead = owners.into_iter().filter(|&pid| !alive(pid));
        dead.map(|pid| (pid, each!(&mut self.generation, server => server.reap(pid)))).collect()
    }

    /// Forgets everything, keeping the memory.
    pub fn reset(&mut self) {
        self.keys_read = self.keys_read.take().map(|_| Box::default());
        each!(&mut self.generation, server => server.reset());
    }

    pub(crate) fn mark(&self) -> ServerMark {
        each!(&self.generation, server => server.mark())
    }

    pub(crate) fn undo_to(&mut self, mark: ServerMark) {
        each!(&mut self.generation, server => server.undo_to(mark));
    }

    pub(crate) fn hash(&self) -> u64 {
        each!(&self.generation, server => server.hash())
    }

    /// Adds the state to the columns.
    pub(crate) fn columns(&self, columns: &mut Columns) {
        each!(&self.generation, server => server.columns(columns));
    }
}

/// The process ids that occur, lowest first.
fn distinct(pids: impl Iterator<Item = u32>) -> Vec<u32> {
    let all: std::collections::BTreeSet<u32> = pids.collect();
    all.into_iter().collect()
}

/// 24 bits for an owner: enough to tell apart whoever can share a key.
fn owner_bits(owner: UniqueId) -> u64 {
    match owner.program() {
        Some(program) => 1 << 23 | u64::from(program) & 0x7f_ffff,
        None => owner.0 & 0x7f_ffff,
    }
}

/// What the server's key is made of, besides the buffer id and, from k1 on, the device.
#[derive(Clone, Copy, Debug)]
struct KeyRule {
    typed: bool,
    by_owner: bool,
}

impl KeyRule {
    #[inline]
    fn key(self, message: &AllocMessage) -> u64 {
        let typed = if self.typed { message.buffer_type as u64 } else { 0 };
        let owner = if self.by_owner { owner_bits(message.owner) } else { 0 };
        debug_assert!(message.address.0 < 1 << 36, "device addresses have at most 36 bits");
        message.address.0 | typed << 36 | owner << 40
    }

    fn address(key: u64) -> DeviceAddr {
        DeviceAddr(key & ((1 << 36) - 1))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::journal::assert_all_differ;
    use crate::message::{CallPath, MessageKind, ObjectRef, Origin, Role};
    use crate::op::BufferHandle;

    fn alloc() -> AllocMessage {
        let (origin, unique_id) = (Origin::Named(BufferHandle(0)), UniqueId(0));
        AllocMessage {
            kind: MessageKind::Alloc,
            devices: Lanes(0b01),
            address: DeviceAddr(1024),
            size: Bytes(512),
            buffer_type: BufferType::L1,
            pid: 1000,
            owner: unique_id,
            sender: ObjectRef { origin, unique_id },
            path: CallPath::AllocateImpl,
            released_by: Role::UserHandle,
        }
    }

    fn hash_after(kind: ServerKind, messages: &[AllocMessage]) -> u64 {
        let mut server = Server::new(kind, FixSet::default(), Tracking::FULL);
        for message in messages {
            server.receive(message);
        }
        server.hash()
    }

    /// What a server stores decides its answers, its counters and what it reaps.
    #[test]
    fn everything_that_a_server_stores_counts() {
        for kind in ServerKind::ALL {
            let one = alloc();
            let mut states = vec![
                vec![],
                vec![one],
                vec![one, one],
                vec![AllocMessage { devices: Lanes(0b10), ..one }],
                vec![AllocMessage { devices: Lanes(0b11), ..one }],
                vec![AllocMessage { size: Bytes(768), ..one }],
                vec![AllocMessage { buffer_type: BufferType::Dram, ..one }],
                vec![AllocMessage { pid: 1001, ..one }],
            ];
            if kind != ServerKind::Shm {
                states.push(vec![AllocMessage { address: DeviceAddr(2048), ..one }]);
            }
            let hashes: Vec<u64> = states.iter().map(|state| hash_after(kind, state)).collect();
            assert_all_differ(&hashes);
            let free = AllocMessage { kind: MessageKind::Free, ..one };
            let there_and_back = hash_after(kind, &[one, free, one]);
            assert_eq!(there_and_back, hashes[1], "the history does not count");
        }
    }
}
