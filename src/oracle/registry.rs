//! Does `allocated_buffers_` hold only live owners?
//!
//! It is a set of raw pointers, walked when a device closes: an owner that is DEALLOCATED or gone
//! must not be in it (tt-metal.md 0.1).

use super::{Facts, Findings};
use crate::event::{AllocationStatus, Event, Part, Tick};
use crate::violation::{OracleName, Violation};

#[inline]
pub(super) fn watch(tick: Tick, event: &Event<'_>, facts: &Facts<'_>, findings: &mut Findings) {
    let (object, what) = match *event {
        Event::StatusChanged {
            object,
            part: Part::Owner,
            to: AllocationStatus::Deallocated,
            allocator_alive: true,
            ..
        } => (object, "a deallocated owner is left in allocated_buffers_"),
        Event::BufferDestroyed { object, registered: true, .. } => {
            (object, "a pointer in allocated_buffers_ dangles")
        }
        _ => return,
    };
    // A pointer that was left at the deallocation is forgotten then: one pointer is one fault.
    if facts.living.of(object.unique_id).registered {
        let by = Some(object);
        findings.flag(Violation { by, ..Violation::new(OracleName::Registry, tick, what) });
    }
}
