//! Is each block returned once, by its owner?
//!
//! The C++ looks addresses up without asking who frees: an unknown address is ignored in silence,
//! and a reused one frees its new owner (tt-metal.md D1).

use super::{Facts, Findings};
use crate::event::{Event, Tick};
use crate::message::ObjectRef;
use crate::units::DeviceAddr;
use crate::violation::{OracleName, Relation, Violation};

#[inline]
pub(super) fn watch(tick: Tick, event: &Event<'_>, facts: &Facts<'_>, findings: &mut Findings) {
    let Event::AddressReturned { region, by, address, found, .. } = *event else { return };
    let held = facts.holdings.region(region).and_then(|region| region.at(address));
    match (found, held) {
        (None, _) => {
            flag(tick, (by, None), address, "a block was returned that is not taken", findings);
        }
        (Some(_), Some(held)) if held.owner.unique_id != by.unique_id => {
            let who = (by, Some(held.owner));
            flag(tick, who, address, "a block was returned by somebody else", findings);
        }
        (Some(_), _) => {}
    }
}

#[cold]
fn flag(
    tick: Tick,
    (by, other): (ObjectRef, Option<ObjectRef>),
    address: DeviceAddr,
    what: &'static str,
    findings: &mut Findings,
) {
    findings.flag(Violation {
        address: Some(address),
        by: Some(by),
        other,
        relation: if other.is_some() { Relation::OtherOwner } else { Relation::SameObject },
        ..Violation::new(OracleName::SingleFree, tick, what)
    });
}
