//! What oracles share besides the ledgers.

use super::{Holdings, Living, Register, Registered, Transition};
use crate::event::Region;
use crate::message::UniqueId;
use crate::units::Bytes;
use crate::violation::Relation;

/// What an oracle may look at besides the event.
pub(super) struct Facts<'a> {
    /// What the message of this event did to the register.
    pub(super) transition: Transition,
    pub(super) register: &'a Register,
    pub(super) holdings: &'a Holdings,
    pub(super) living: &'a Living,
    pub(super) programs: &'a [u32],
}

impl Facts<'_> {
    /// The bytes that should be allocated in a region before the event.
    #[inline]
    pub(super) fn expected(&self, region: Region) -> Option<Bytes> {
        self.holdings.region(region).map(|held| held.allocated)
    }

    /// Whether an owner of memory, or the program of circular buffers, is alive.
    pub(super) fn is_alive(&self, owner: UniqueId) -> bool {
        match owner.program() {
            Some(program) => self.programs.contains(&program),
            None => self.living.of(owner).allocated,
        }
    }
}

/// How the sender of a message is related to the registration that it met.
pub(super) fn relation(owner: UniqueId, other: Option<Registered>) -> Relation {
    match other {
        None => Relation::None,
        Some(other) if other.owner == owner => Relation::SameObject,
        Some(_) => Relation::OtherOwner,
    }
}
