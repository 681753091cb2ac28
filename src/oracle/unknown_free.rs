//! Does every FREE hit an entry of the server?
//!
//! The published symptom: "Deallocation for unknown buffer". The answer depends on the generation
//! of the server as much as on the messages.

use super::Findings;
use crate::event::{Event, Tick};
use crate::violation::{OracleName, Violation};

pub(super) fn watch(tick: Tick, event: &Event<'_>, findings: &mut Findings) {
    if let Event::Answered { message, missed } = event
        && !missed.is_empty()
    {
        let what = "a FREE hit no entry";
        let oracle = OracleName::UnknownFree;
        findings.flag(Violation::of_message(oracle, tick, what, message, *missed));
    }
}
