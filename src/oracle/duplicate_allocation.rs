//! Is no live key allocated again?
//!
//! A key is {device, type, address}. A second ALLOC before the FREE of the first overwrites an
//! entry, or counts a reference, and the two FREEs that follow cannot both be right.

use super::{Facts, Findings, relation};
use crate::event::{Event, Tick};
use crate::violation::{OracleName, Violation};

pub(super) fn watch(tick: Tick, event: &Event<'_>, facts: &Facts<'_>, findings: &mut Findings) {
    if let Event::Answered { message, .. } = event
        && !facts.transition.again.is_empty()
    {
        let (devices, other) = (facts.transition.again, facts.transition.other);
        let what = "a live key was allocated again";
        findings.flag(Violation {
            other: other.map(|other| other.object()),
            relation: relation(message.owner, other),
            ..Violation::of_message(OracleName::DuplicateAllocation, tick, what, message, devices)
        });
    }
}
