//! What a server decides about one entry: pure functions, which the model and `serve` share.

use super::ServerKind;
use crate::units::Bytes;

/// What a second ALLOC of a live key does.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum OnDuplicate {
    /// Overwrites the entry and adds to the counters again (k1).
    Overwrite,
    /// Counts a reference and touches nothing else (k2).
    Count,
    /// Counts a reference and replaces the size without correcting the counters (k2e).
    CountAndReplaceSize,
}

impl OnDuplicate {
    /// The rule of a generation of the server.
    #[must_use]
    pub fn of(kind: ServerKind) -> Self {
        match kind {
            ServerKind::K0 | ServerKind::K1 => Self::Overwrite,
            ServerKind::K2 | ServerKind::Shm => Self::Count,
            ServerKind::K2e => Self::CountAndReplaceSize,
        }
    }
}

/// What an entry counts.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Held {
    /// The stored size.
    pub size: Bytes,
    /// References: ALLOC messages that wait for a FREE.
    pub references: u32,
}

/// What an ALLOC does.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Registration {
    /// The entry is written anew, with type and owner, and its size is added to the counters.
    Written(Held),
    /// The entry counts this from now on; type, owner and counters stay.
    Again(Held),
}

/// Decides what an ALLOC of that size does to what its key holds.
#[must_use]
#[inline]
pub fn register(rule: OnDuplicate, held: Option<Held>, size: Bytes) -> Registration {
    let Some(old) = held.filter(|_| rule != OnDuplicate::Overwrite) else {
        return Registration::Written(Held { size, references: 1 });
    };
    let references = old.references.saturating_add(1);
    match rule {
        OnDuplicate::CountAndReplaceSize => Registration::Again(Held { size, references }),
        OnDuplicate::Count | OnDuplicate::Overwrite => {
            Registration::Again(Held { references, ..old })
        }
    }
}

/// What a FREE does.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Release {
    /// The key has no entry.
    Unknown,
    /// The entry counts this from now on.
    Kept(Held),
    /// The entry goes, and the counters lose its stored size.
    Gone(Bytes),
}

/// Decides what a FREE does to what its key holds.
#[must_use]
#[inline]
pub fn release(held: Option<Held>) -> Release {
    match held {
        None => Release::Unknown,
        Some(old) if old.references > 1 => {
            Release::Kept(Held { references: old.references - 1, ..old })
        }
        Some(old) => Release::Gone(old.size),
    }
}
