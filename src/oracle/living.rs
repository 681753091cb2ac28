//! Which owners are alive: the third ground truth that several oracles share.

use crate::event::{AllocationStatus, Event, Part};
use crate::journal::{IdMap, Tracking};
use crate::message::UniqueId;

/// What is known of an owner.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Life {
    /// ALLOCATED.
    pub allocated: bool,
    /// In `allocated_buffers_`, and not deallocated since it got there.
    pub registered: bool,
}

const ALLOCATED: u8 = 0b01;
const REGISTERED: u8 = 0b10;

/// Owners that are alive, by unique id.
#[derive(Clone, Debug)]
pub struct Living {
    owners: IdMap,
}

impl Living {
    pub(super) fn new(tracking: Tracking) -> Self {
        Self { owners: IdMap::new(tracking) }
    }

    pub(super) fn reset(&mut self) {
        self.owners.reset();
    }

    /// What is known of an owner.
    #[must_use]
    #[inline]
    pub fn of(&self, owner: UniqueId) -> Life {
        let bits = self.owners.get(owner.0);
        Life { allocated: bits & ALLOCATED != 0, registered: bits & REGISTERED != 0 }
    }

    #[inline(always)]
    pub(super) fn follow(&mut self, event: &Event<'_>) {
        match *event {
            Event::StatusChanged { object, part: Part::Owner, to, .. } => match to {
                AllocationStatus::Deallocated => {
                    self.change(object.unique_id, ALLOCATED | REGISTERED, false);
                }
                AllocationStatus::Allocated => self.change(object.unique_id, ALLOCATED, true),
                AllocationStatus::AllocationRequested => {}
            },
            Event::Registered { object, .. } => self.change(object.unique_id, REGISTERED, true),
            Event::Unregistered { object, .. } => self.change(object.unique_id, REGISTERED, false),
            Event::BufferDestroyed { object, .. } => {
                self.change(object.unique_id, ALLOCATED | REGISTERED, false);
            }
            _ => {}
        }
    }

    #[inline]
    fn change(&mut self, owner: UniqueId, bits: u8, on: bool) {
        self.owners.update(owner.0, |old| if on { old | bits } else { old & !bits });
    }

    pub(super) fn mark(&self) -> usize {
        self.owners.mark()
    }

    pub(super) fn undo_to(&mut self, mark: usize) {
        self.owners.undo_to(mark);
    }

    pub(super) fn hash(&self) -> u64 {
        self.owners.hash()
    }
}
