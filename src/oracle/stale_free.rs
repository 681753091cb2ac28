//! Does each FREE come from the owner whose ALLOC it closes?
//!
//! The late FREE of a dead handle is accepted as the new owner's, and every counter stays green
//! (tt-metal.md 0.10).

use super::{Facts, Findings, relation};
use crate::event::{Event, Tick};
use crate::violation::{OracleName, Violation};

pub(super) fn watch(tick: Tick, event: &Event<'_>, facts: &Facts<'_>, findings: &mut Findings) {
    if let Event::Answered { message, .. } = event
        && !facts.transition.foreign.is_empty()
    {
        let other = facts.transition.other;
        findings.flag(Violation {
            devices: facts.transition.foreign,
            address: Some(message.address),
            buffer_type: Some(message.buffer_type),
            by: Some(message.sender),
            other: other.map(|other| other.object()),
            relation: relation(message.owner, other),
            role: Some(message.released_by),
            path: Some(message.path),
            ..Violation::new(OracleName::StaleFree, tick, "a FREE closed another owner's ALLOC")
        });
    }
}
