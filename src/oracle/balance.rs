//! Do ALLOC and FREE of a key (device, type, address) alternate and end equal?
//!
//! At the end a key may stay open only while the owner that opened it is alive.

use super::{Facts, Findings, Registered, relation};
use crate::event::{Event, Tick};
use crate::message::AllocMessage;
use crate::units::Lanes;
use crate::violation::{OracleName, Violation};

pub(super) fn watch(tick: Tick, event: &Event<'_>, facts: &Facts<'_>, findings: &mut Findings) {
    match event {
        Event::Answered { message, .. } => {
            let seen = facts.transition;
            if !seen.again.is_empty() {
                let what = "ALLOC follows ALLOC";
                out_of_turn(tick, message, (seen.again, seen.other), what, findings);
            }
            if !seen.unknown.is_empty() {
                // What the message met on other devices is no part of this.
                let what = "FREE follows no ALLOC";
                out_of_turn(tick, message, (seen.unknown, None), what, findings);
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
    (devices, other): (Lanes, Option<Registered>),
    what: &'static str,
    findings: &mut Findings,
) {
    findings.flag(Violation {
        other: other.map(|other| other.object()),
        relation: relation(message.owner, other),
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
