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
        let (devices, other) = (facts.transition.foreign, facts.transition.other);
        let what = "a FREE closed another owner's ALLOC";
        findings.flag(Violation {
            other: other.map(|other| other.object()),
            relation: relation(message.owner, other),
            ..Violation::of_message(OracleName::StaleFree, tick, what, message, devices)
        });
    }
}
