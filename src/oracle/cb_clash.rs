//! Is a clash with circular buffers justified by a reachable owner?
//!
//! A program that meets an L1 buffer somebody still holds is the application's affair. A block that
//! nobody can reach any more, or no block at all, is the runtime's (tt-metal.md 0.2), and so is a
//! clash that nobody looks for: the program overwrites the buffer.

use super::{Facts, Findings};
use crate::event::{Event, Tick};
use crate::violation::{OracleName, Relation, Violation};

#[inline]
pub(super) fn watch(tick: Tick, event: &Event<'_>, facts: &Facts<'_>, findings: &mut Findings) {
    let (region, lowest, region_end, refused) = match *event {
        Event::ProgramClashed { region, lowest, region_end, .. } => {
            (region, lowest, region_end, true)
        }
        Event::ProgramOverlaid { region, lowest, region_end, .. } => {
            (region, lowest, region_end, false)
        }
        _ => return,
    };
    let held = facts.holdings.region(region).and_then(|held| held.at(lowest));
    let what = match held {
        Some(_) if !refused => "a program runs with its circular buffers over an L1 buffer",
        None if !refused => return,
        None => "a program clashes with an address at which nothing is",
        Some(held) if held.abandoned || !facts.living.of(held.owner.unique_id).allocated => {
            "a program clashes with a block that no owner can give back"
        }
        Some(_) => return,
    };
    findings.flag(Violation {
        address: Some(lowest),
        buffer_type: Some(region.buffer_type),
        bytes: Some(crate::units::Bytes(region_end.0 - lowest.0)),
        other: held.map(|held| held.owner),
        relation: if held.is_some() { Relation::OtherOwner } else { Relation::None },
        ..Violation::new(OracleName::CbClash, tick, what)
    });
}
