//! Is the lowest occupied address exact?
//!
//! Validation of circular buffers trusts it: too low, and programs clash with nothing; too high,
//! and they overwrite buffers.

use super::{Facts, Findings};
use crate::event::{Event, Region, Tick};
use crate::violation::{OracleName, Violation};

/// Checks after the holdings have followed the event.
#[inline]
pub(super) fn watch(tick: Tick, event: &Event<'_>, facts: &Facts<'_>, findings: &mut Findings) {
    let (region, after) = match *event {
        Event::AddressTaken { region, after, .. }
        | Event::AddressReturned { region, after, .. }
        | Event::AllocationFailed { region, after, .. }
        | Event::RegionCleared { region, after } => (region, after),
        _ => return,
    };
    let Some(held) = facts.holdings.region(region) else { return };
    let lowest = held.blocks().first().map(|held| held.start);
    if lowest != after.lowest {
        flag(tick, region, after.lowest, findings);
    }
}

#[cold]
fn flag(
    tick: Tick,
    region: Region,
    reported: Option<crate::units::DeviceAddr>,
    findings: &mut Findings,
) {
    findings.flag(Violation {
        buffer_type: Some(region.buffer_type),
        address: reported,
        ..Violation::new(OracleName::Lowest, tick, "the lowest occupied address is not the lowest")
    });
}
