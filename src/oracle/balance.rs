//! Do ALLOC and FREE of a key (device, type, address) alternate and end equal?
//!
//! At the end a key may stay open only while the owner that opened it is alive.

use super::{Facts, Findings, relation};
use crate::event::{Event, Tick};
use crate::message::AllocMessage;
use crate::violation::{OracleName, Violation};

pub(super) fn watch(tick: Tick, event: &Event<'_>, facts: &Facts<'_>, findings: &mut Findings) {
    match event {
        Event::Answered { message, .. } => {
            let seen = facts.transition;
            if !seen.again.is_empty() {
                out_of_turn(tick, message, seen.again, "ALLOC follows ALLOC", (facts, findings));
            }
            if !seen.unknown.is_empty() {
                out_of_turn(
                    tick,
                    message,
                    seen.unknown,
                    "FREE follows no ALLOC",
                    (facts, findings),
                );
            }
        }
        Event::Checkpoint { last: true, .. } => unequal_ends(tick, facts, findings),
        _ => {}
    }
}

#[cold]
fn out_of_turn(
    tick: Tick,
    message: &AllocMessage,
    devices: crate::units::Lanes,
    what: &'static str,
    (facts, findings): (&Facts<'_>, &mut Findings),
) {
    findings.flag(Violation {
        other: facts.transition.other.map(|other| other.object()),
        relation: relation(message.owner, facts.transition.other),
        ..Violation::of_message(OracleName::Balance, tick, what, message, devices)
    });
}

fn unequal_ends(tick: Tick, facts: &Facts<'_>, findings: &mut Findings) {
    let mut open: Vec<_> = facts
        .register
        .iter()
        .filter(|(.., registered)| registered.depth > 1 || !facts.is_alive(registered.owner))
        .collect();
    open.sort_unstable_by_key(|&(buffer_type, address, devices, _)| {
        (address, buffer_type, devices)
    });
    for (buffer_type, address, devices, registered) in open {
        findings.flag(Violation {
            devices,
            address: Some(address),
            buffer_type: Some(buffer_type),
            by: Some(registered.object()),
            ..Violation::new(OracleName::Balance, tick, "more ALLOCs than FREEs at the end")
        });
    }
}
