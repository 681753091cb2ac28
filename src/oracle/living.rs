//! Which owners are alive: the third ground truth that several oracles share.

use crate::event::{AllocationStatus, Event, Part};
use crate::journal::{Fingerprint, LaneMap, Tracking, mix};
use crate::message::UniqueId;
use crate::units::{DeviceId, Lanes};

/// What is known of an owner.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Life {
    /// ALLOCATED.
    pub allocated: bool,
    /// In `allocated_buffers_`.
    pub registered: bool,
}

impl Fingerprint for Life {
    fn fingerprint(&self) -> u64 {
        mix(u64::from(self.allocated), u64::from(self.registered))
    }
}

const ONLY: Lanes = Lanes(1);

/// Owners and programs that are alive, by unique id.
#[derive(Clone, Debug)]
pub struct Living {
    owners: LaneMap<Life>,
}

impl Living {
    pub(super) fn new(tracking: Tracking) -> Self {
        Self { owners: LaneMap::new(tracking) }
    }

    pub(super) fn reset(&mut self) {
        self.owners.reset();
    }

    /// What is known of an owner.
    #[must_use]
    #[inline]
    pub fn of(&self, owner: UniqueId) -> Life {
        self.owners.get(owner.0, DeviceId(0)).unwrap_or_default()
    }

    #[inline]
    pub(super) fn follow(&mut self, event: &Event<'_>) {
        match *event {
            Event::StatusChanged { object, part: Part::Owner, to, .. } => {
                let allocated = to == AllocationStatus::Allocated;
                self.set(object.unique_id, |life| Life { allocated, ..life });
            }
            Event::Registered { object, .. } => {
                self.set(object.unique_id, |life| Life { registered: true, ..life });
            }
            Event::Unregistered { object, .. } => {
                self.set(object.unique_id, |life| Life { registered: false, ..life });
            }
            Event::BufferDestroyed { object, .. } => {
                if self.of(object.unique_id) != Life::default() {
                    self.set(object.unique_id, |_| Life::default());
                }
            }
            _ => {}
        }
    }

    #[inline]
    fn set(&mut self, owner: UniqueId, change: impl Fn(Life) -> Life) {
        self.owners.update(owner.0, ONLY, |_, old| {
            let new = change(old.unwrap_or_default());
            (new != Life::default()).then_some(new)
        });
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
