//! Does every FREE hit an entry of the server?
//!
//! The published symptom: "Deallocation for unknown buffer". The answer depends on the generation
//! of the server as much as on the messages.

use super::Findings;
use crate::event::{Event, Tick};
use crate::violation::{OracleName, Relation, Violation};

pub(super) fn watch(tick: Tick, event: &Event<'_>, findings: &mut Findings) {
    if let Event::Answered { message, missed } = event
        && !missed.is_empty()
    {
        findings.flag(Violation {
            devices: *missed,
            address: Some(message.address),
            buffer_type: Some(message.buffer_type),
            by: Some(message.sender),
            role: Some(message.released_by),
            path: Some(message.path),
            relation: Relation::None,
            ..Violation::new(OracleName::UnknownFree, tick, "a FREE hit no entry")
        });
    }
}
