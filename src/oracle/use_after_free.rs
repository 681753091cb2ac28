//! Does a program or view use only memory that its owner holds, at an address bound in this call?
//!
//! A view keeps its root object alive, not its allocation (tt-metal.md A3), and a cached program
//! keeps raw addresses that every hit must patch (C6).

use super::{Facts, Findings};
use crate::event::{Event, Tick};
use crate::violation::{OracleName, Relation, Violation};

#[inline]
pub(super) fn watch(tick: Tick, event: &Event<'_>, facts: &Facts<'_>, findings: &mut Findings) {
    let Event::MemoryAccessed { region, by, owner, address, size, fresh } = *event else { return };
    let held = facts.holdings.region(region).and_then(|held| held.at(address));
    let owned = held.filter(|held| !held.abandoned && held.owner.unique_id == owner);
    let what = match (owned, fresh) {
        (Some(_), true) => return,
        (Some(_), false) => "a program uses an address that this call did not bind",
        (None, _) => "memory is used that its owner does not hold",
    };
    let other = held.map(|held| held.owner).filter(|other| other.unique_id != owner);
    findings.flag(Violation {
        address: Some(address),
        buffer_type: Some(region.buffer_type),
        bytes: Some(size),
        by: Some(by),
        other,
        relation: if other.is_some() { Relation::OtherOwner } else { Relation::None },
        ..Violation::new(OracleName::UseAfterFree, tick, what)
    });
}
