//! Does each buffer take only legal transitions, and is it tracked after the state?
//!
//! ALLOCATION_REQUESTED -> ALLOCATED -> DEALLOCATED, with no way back (tt-metal.md A2); tracking a
//! buffer before its status is set was a deadlock (PR 17436).

use super::Findings;
use crate::event::{AllocationStatus, Event, Tick};
use crate::message::{CallPath, MessageKind, ObjectRef, UniqueId};
use crate::violation::{OracleName, Violation};

/// Remembers the buffer that last became ALLOCATED.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(super) struct StateMachine {
    allocated: Option<UniqueId>,
}

impl StateMachine {
    #[inline(always)]
    pub(super) fn watch(&mut self, tick: Tick, event: &Event<'_>, findings: &mut Findings) {
        match *event {
            Event::StatusChanged { object, from, to, .. } => {
                if !legal(from, to) {
                    flag(
                        tick,
                        object,
                        "a transition that the state machine does not have",
                        findings,
                    );
                }
                if to == AllocationStatus::Allocated {
                    self.allocated = Some(object.unique_id);
                }
            }
            Event::Sent(message) if message.kind == MessageKind::Alloc => {
                let circular_buffer = message.path == CallPath::CircularBufferAllocate;
                if !circular_buffer && self.allocated != Some(message.sender.unique_id) {
                    flag(tick, message.sender, "tracked before it was ALLOCATED", findings);
                }
            }
            _ => {}
        }
    }
}

#[inline]
fn legal(from: AllocationStatus, to: AllocationStatus) -> bool {
    use AllocationStatus::{Allocated, AllocationRequested, Deallocated};
    matches!((from, to), (AllocationRequested, Allocated) | (Allocated, Deallocated))
}

#[cold]
fn flag(tick: Tick, object: ObjectRef, what: &'static str, findings: &mut Findings) {
    let by = Some(object);
    findings.flag(Violation { by, ..Violation::new(OracleName::StateMachine, tick, what) });
}
