//! Does a deallocated owner give its block back, and is the allocator empty at the end?
//!
//! Messages cannot tell: `mark_as_deallocated` on a backing buffer sends its FREE and keeps the
//! block for ever (tt-metal.md 0.1). On the host, the commands that were cached for a program must
//! die with it (G 32).

use super::{Facts, Findings};
use crate::event::{AllocationStatus, Event, Part, Region, Tick};
use crate::message::ObjectRef;
use crate::units::{Bytes, DeviceAddr};
use crate::violation::{OracleName, Violation};

/// Answers with the block that an owner has just abandoned.
#[inline]
pub(super) fn watch_owner(
    tick: Tick,
    event: &Event<'_>,
    facts: &Facts<'_>,
    findings: &mut Findings,
) -> Option<(Region, DeviceAddr)> {
    match *event {
        Event::StatusChanged {
            object,
            part: Part::Owner,
            to: AllocationStatus::Deallocated,
            region,
            address,
            allocator_alive: true,
            ..
        } => {
            let held = facts.holdings.region(region)?.at(address)?;
            if held.owner.unique_id != object.unique_id {
                return None;
            }
            let bytes = Bytes(held.end.0 - held.start.0);
            let what = "a deallocated owner keeps its block";
            flag(tick, region, (Some(object), Some(address), bytes), what, findings);
            Some((region, address))
        }
        Event::Stranded { object, region, address } => {
            let held = facts.holdings.region(region)?.at(address)?;
            let bytes = Bytes(held.end.0 - held.start.0);
            let what = "nobody is left who could give a block back";
            flag(tick, region, (Some(object), Some(address), bytes), what, findings);
            Some((region, address))
        }
        _ => None,
    }
}

/// What is left of a program, and of everything at a checkpoint.
pub(super) fn watch(tick: Tick, event: &Event<'_>, facts: &Facts<'_>, findings: &mut Findings) {
    match *event {
        Event::CommandsKept { .. } => {
            let what = "the cached commands of a program are left when it dies";
            findings.flag(Violation::new(OracleName::DeviceLeak, tick, what));
        }
        Event::BlockTable { region, after, .. } => {
            let Some(held) = facts.holdings.region(region) else { return };
            let owned: u64 = held.blocks().iter().map(|held| held.end.0 - held.start.0).sum();
            if after.allocated.0 > owned {
                let bytes = Bytes(after.allocated.0 - owned);
                let what = "blocks that nobody took are left";
                flag(tick, region, (None, None, bytes), what, findings);
            }
        }
        _ => {}
    }
}

#[cold]
fn flag(
    tick: Tick,
    region: Region,
    (by, address, bytes): (Option<ObjectRef>, Option<DeviceAddr>, Bytes),
    what: &'static str,
    findings: &mut Findings,
) {
    findings.flag(Violation {
        by,
        address,
        buffer_type: Some(region.buffer_type),
        bytes: Some(bytes),
        ..Violation::new(OracleName::DeviceLeak, tick, what)
    });
}
