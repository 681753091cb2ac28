//! Is no raw pointer followed after its target died?
//!
//! After close or expiry, later calls must be no-ops: nothing may reach an allocator, a device or a
//! registered buffer that is gone (tt-metal.md G 18 to 20).

use super::{Facts, Findings};
use crate::event::{Event, Tick};
use crate::message::ObjectRef;
use crate::violation::{OracleName, Violation};

/// Whatever may follow a pointer, but for the calls of an allocator.
pub(super) fn watch(tick: Tick, event: &Event<'_>, findings: &mut Findings) {
    match *event {
        Event::RawPointerUsed { alive: false, object, .. } => {
            flag(tick, object, "a raw pointer was followed after its target died", findings);
        }
        Event::MeshClosed { in_flight: 1.., .. } => {
            let what = "a mesh was closed in the middle of another thread's operation on it";
            findings.flag(Violation::new(OracleName::Teardown, tick, what));
        }
        _ => {}
    }
}

/// The calls of an allocator, which the device owns.
#[inline]
pub(super) fn watch_call(
    tick: Tick,
    event: &Event<'_>,
    facts: &Facts<'_>,
    findings: &mut Findings,
) {
    match *event {
        Event::AddressTaken { region, object, .. }
        | Event::AddressReturned { region, by: object, .. }
            if facts.holdings.region(region).is_none() =>
        {
            flag(tick, object, "an allocator was called after it was destroyed", findings);
        }
        _ => {}
    }
}

#[cold]
fn flag(tick: Tick, object: ObjectRef, what: &'static str, findings: &mut Findings) {
    let by = Some(object);
    findings.flag(Violation { by, ..Violation::new(OracleName::Teardown, tick, what) });
}
