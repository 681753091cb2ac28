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
        let other = facts.transition.other;
        findings.flag(Violation {
            devices: facts.transition.again,
            address: Some(message.address),
            buffer_type: Some(message.buffer_type),
            by: Some(message.sender),
            other: other.map(|other| other.object()),
            relation: relation(message.owner, other),
            path: Some(message.path),
            ..Violation::new(
                OracleName::DuplicateAllocation,
                tick,
                "a live key was allocated again",
            )
        });
    }
}
