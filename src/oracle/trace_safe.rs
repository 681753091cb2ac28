//! Does a replay spare every buffer allocated after its capture, and do counters return to 0?
//!
//! The programs of a trace use the addresses of their capture for ever, whoever holds them by now
//! (tt-metal.md G 26, 28). Once the last trace of a mesh is released nothing may make its
//! allocations unsafe any more, and no trace buffer may count against the trace region (G 27).

use super::{Facts, Findings};
use crate::event::{Event, Tick};
use crate::violation::{OracleName, Relation, Violation};

#[inline]
pub(super) fn watch(tick: Tick, event: &Event<'_>, facts: &Facts<'_>, findings: &mut Findings) {
    match *event {
        Event::TraceAccessed { region, address, bytes, since, .. } => {
            let Some(held) = facts.holdings.region(region) else { return };
            let end = address.offset(bytes);
            let overwritten = held.overlapping(address, end).filter(|held| !held.abandoned);
            for held in overwritten.filter(|held| held.owner.unique_id >= since) {
                let what = "a replay uses memory of a buffer that was allocated after its capture";
                findings.flag(Violation {
                    address: Some(held.start),
                    buffer_type: Some(region.buffer_type),
                    other: Some(held.owner),
                    relation: Relation::OtherOwner,
                    ..Violation::new(OracleName::TraceSafe, tick, what)
                });
            }
        }
        Event::TraceReleased { left: 0, active: 1.., .. } => {
            let what = "the last trace is released, and allocations stay unsafe";
            findings.flag(Violation::new(OracleName::TraceSafe, tick, what));
        }
        Event::TraceReleased { left: 0, buffers_size, .. } if buffers_size.0 > 0 => {
            let what = "the last trace is released, and its buffer counts against the trace region";
            let bytes = Some(buffers_size);
            findings.flag(Violation { bytes, ..Violation::new(OracleName::TraceSafe, tick, what) });
        }
        _ => {}
    }
}
