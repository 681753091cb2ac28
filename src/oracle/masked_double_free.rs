//! Did a guard swallow a call?
//!
//! A note, not a violation: the guards of documents 001 and 003 hide what the status test behind
//! them already stopped (tt-metal.md 0.4).

use super::Findings;
use crate::event::{Event, Tick};
use crate::violation::{OracleName, Relation, Violation};

#[inline]
pub(super) fn watch(tick: Tick, event: &Event<'_>, findings: &mut Findings) {
    if let Event::Swallowed { object, devices, .. } = *event {
        findings.flag(Violation {
            devices,
            by: Some(object),
            relation: Relation::SameObject,
            ..Violation::new(OracleName::MaskedDoubleFree, tick, "a guard swallowed a call")
        });
    }
}
