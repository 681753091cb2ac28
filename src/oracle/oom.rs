//! Is it fragmentation or exhaustion when memory is not to be had?
//!
//! A note, not a violation: whoever asks for more than there is gets nothing. But memory that would
//! suffice and lies in pieces is the allocator's doing (issue 35516).

use super::{Facts, Findings};
use crate::event::{Event, Tick};
use crate::units::Bytes;
use crate::violation::{OracleName, Violation};

#[inline]
pub(super) fn watch(tick: Tick, event: &Event<'_>, facts: &Facts<'_>, findings: &mut Findings) {
    let Event::AllocationFailed { region, object, short_of: Some(short_of), .. } = *event else {
        return;
    };
    let Some(held) = facts.holdings.region(region) else { return };
    let whole = held.bounds.end.0 - held.bounds.start.0;
    let free = Bytes(whole - held.allocated.0.min(whole));
    let what = if free >= short_of.round_up(held.bounds.alignment) {
        "out of memory by fragmentation: enough is free, but not in one piece"
    } else {
        "out of memory by exhaustion: not enough is free"
    };
    findings.flag(Violation {
        buffer_type: Some(region.buffer_type),
        bytes: Some(short_of),
        by: Some(object),
        ..Violation::new(OracleName::Oom, tick, what)
    });
}
