//! Are live owners of one allocator, and of one chip, disjoint, aligned, inside their region?
//!
//! A mesh, a submesh and a physical device allocate the same addresses independently (tt-metal.md
//! B5), so that a new block is compared with every allocator that shares a chip with it.

use super::{Facts, Findings};
use crate::event::{Event, Region, Tick};
use crate::message::ObjectRef;
use crate::units::{Bytes, DeviceAddr, Lanes};
use crate::violation::{OracleName, Relation, Violation};

#[inline]
pub(super) fn watch(tick: Tick, event: &Event<'_>, facts: &Facts<'_>, findings: &mut Findings) {
    let Event::AddressTaken { region, object, devices, address, bytes, .. } = *event else {
        return;
    };
    let Some(own) = facts.holdings.region(region) else { return };
    let end = address.offset(bytes);
    let bounds = own.bounds;
    let taken = Taken { region, object, address, bytes };
    let position = Bytes(address.0.wrapping_sub(bounds.start.0));
    if address < bounds.start || end > bounds.end {
        flag(tick, &taken, (Lanes::NONE, None), "a block leaves its region", findings);
    } else if position.round_up(bounds.alignment) != position {
        flag(tick, &taken, (Lanes::NONE, None), "a block is not aligned", findings);
    }
    for other in facts.holdings.regions(region.buffer_type) {
        if other.devices.and(devices).is_empty() {
            continue;
        }
        let mut overlapping = other.overlapping(address, end);
        if let Some(held) = overlapping.find(|held| !held.devices.and(devices).is_empty()) {
            let shared = held.devices.and(devices);
            let relation = match other.region == region {
                true => Relation::OtherOwner,
                false => Relation::OtherMesh,
            };
            let other = Some((held.owner, relation));
            flag(tick, &taken, (shared, other), "two live owners share bytes of a chip", findings);
        }
    }
}

struct Taken {
    region: Region,
    object: ObjectRef,
    address: DeviceAddr,
    bytes: Bytes,
}

#[cold]
fn flag(
    tick: Tick,
    taken: &Taken,
    (devices, other): (Lanes, Option<(ObjectRef, Relation)>),
    what: &'static str,
    findings: &mut Findings,
) {
    findings.flag(Violation {
        devices,
        address: Some(taken.address),
        buffer_type: Some(taken.region.buffer_type),
        bytes: Some(taken.bytes),
        by: Some(taken.object),
        other: other.map(|(other, _)| other),
        relation: other.map_or(Relation::None, |(_, relation)| relation),
        ..Violation::new(OracleName::Overlap, tick, what)
    });
}
