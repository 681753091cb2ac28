//! Are `mesh_buffer_allocated` and `mesh_buffer_deallocated` exactly paired?
//!
//! The Inspector keeps a list of its own of the MeshBuffers that are allocated (tt-metal.md B8): a
//! stream with an exact balance, for every buffer that is younger than the session.

use super::Findings;
use crate::event::{Event, Tick};
use crate::journal::{Cell, IdMap, Tracking, mix};
use crate::message::{ObjectRef, Role, UniqueId};
use crate::violation::{OracleName, Violation};

/// Remembers the list, and from which id on it is complete.
#[derive(Clone, Debug)]
pub(super) struct Inspector {
    allocated: IdMap,
    since: Cell<Option<UniqueId>>,
}

impl Inspector {
    pub(super) fn new(tracking: Tracking) -> Self {
        Self { allocated: IdMap::new(tracking), since: Cell::new(None, tracking) }
    }

    pub(super) fn reset(&mut self) {
        self.allocated.reset();
        self.since.reset(None);
    }

    /// Whether the list is empty.
    #[inline]
    pub(super) fn is_idle(&self) -> bool {
        self.allocated.is_empty()
    }

    #[cold]
    pub(super) fn watch(&mut self, tick: Tick, event: &Event<'_>, findings: &mut Findings) {
        match *event {
            Event::InspectorStarted { next } => self.since.update(|since| *since = Some(next)),
            Event::Inspected { object, allocated, .. } => {
                let known = self.allocated.get(object.unique_id.0) != 0;
                let young = self.since.is_some_and(|since| object.unique_id >= since);
                if allocated && known {
                    flag(tick, object, "a MeshBuffer is reported allocated twice", findings);
                }
                if !allocated && !known && young {
                    flag(tick, object, "a MeshBuffer is reported deallocated twice", findings);
                }
                self.allocated.set(object.unique_id.0, u8::from(allocated));
            }
            Event::BufferDestroyed { object, released_by, .. }
                if self.allocated.get(object.unique_id.0) != 0 =>
            {
                self.allocated.set(object.unique_id.0, 0);
                // A process that was killed reports nothing, and its session is gone with it.
                if released_by != Role::Device {
                    let what = "a MeshBuffer is destroyed and was not reported deallocated";
                    flag(tick, object, what, findings);
                }
            }
            _ => {}
        }
    }

    pub(super) fn mark(&self) -> [usize; 2] {
        [self.allocated.mark(), self.since.mark()]
    }

    pub(super) fn undo_to(&mut self, [allocated, since]: [usize; 2]) {
        self.allocated.undo_to(allocated);
        self.since.undo_to(since);
    }

    pub(super) fn hash(&self) -> u64 {
        mix(self.allocated.hash(), self.since.map_or(0, |since| since.0 + 1))
    }
}

fn flag(tick: Tick, object: ObjectRef, what: &'static str, findings: &mut Findings) {
    let by = Some(object);
    findings.flag(Violation { by, ..Violation::new(OracleName::Inspector, tick, what) });
}
