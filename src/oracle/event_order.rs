//! Does the FREE of the old owner of an address precede the ALLOC of the new one?
//!
//! At one physical address the client sends FREE before the allocator can give the address out
//! again (allocation-server.md 1.6); only a FREE that is not tied to the release can come later.

use super::{Facts, Findings, relation};
use crate::event::{Event, Tick};
use crate::violation::{OracleName, Violation};

pub(super) fn watch(tick: Tick, event: &Event<'_>, facts: &Facts<'_>, findings: &mut Findings) {
    if let Event::Answered { message, .. } = event
        && !facts.transition.overtaken.is_empty()
    {
        let (devices, other) = (facts.transition.overtaken, facts.transition.other);
        let what = "the FREE came after the next ALLOC";
        findings.flag(Violation {
            other: other.map(|other| other.object()),
            relation: relation(message.owner, other),
            ..Violation::of_message(OracleName::EventOrder, tick, what, message, devices)
        });
    }
}
