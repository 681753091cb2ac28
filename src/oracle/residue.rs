//! Is the tracker empty, live owners aside, at quiescence?
//!
//! The system baseline, buffers that a live owner still holds, is no residue. A server without keys
//! is asked for the bytes of chips on which nobody holds any.

use super::{Facts, Findings};
use crate::event::{Event, Tick};
use crate::units::{BufferType, Bytes, DeviceAddr, DeviceId, Lanes};
use crate::violation::{OracleName, Violation};

pub(super) fn watch(tick: Tick, event: &Event<'_>, facts: &Facts<'_>, findings: &mut Findings) {
    match *event {
        Event::ServerEntry { devices, address, buffer_type, size } => {
            let left = unowned(devices, buffer_type, address, facts);
            if !left.is_empty() {
                let what = "an entry without a live owner is left in the server";
                flag(tick, left, Some((buffer_type, address)), size, (what, findings));
            }
        }
        Event::Checkpoint { tracked, keyed: false, .. } => keyless(tick, tracked, facts, findings),
        _ => {}
    }
}

/// The devices of an entry on which no live owner registered the key.
fn unowned(
    devices: Lanes,
    buffer_type: BufferType,
    address: DeviceAddr,
    facts: &Facts<'_>,
) -> Lanes {
    let mut left = devices;
    facts.register.each(buffer_type, address, |registered_on, registered| {
        if facts.is_alive(registered.owner) {
            left = left.minus(registered_on);
        }
    });
    left
}

#[cold]
fn keyless(tick: Tick, tracked: &[u64], facts: &Facts<'_>, findings: &mut Findings) {
    for (device, &bytes) in tracked.iter().enumerate() {
        let live = facts.holdings.live_bytes().get(device).copied().unwrap_or(0);
        if bytes > 0 && live == 0 {
            let what = "bytes are left in the counters of a chip on which nobody holds any";
            let on = Lanes::one(DeviceId(device as u8));
            flag(tick, on, None, Bytes(bytes), (what, findings));
        }
    }
}

fn flag(
    tick: Tick,
    devices: Lanes,
    place: Option<(BufferType, DeviceAddr)>,
    bytes: Bytes,
    (what, findings): (&'static str, &mut Findings),
) {
    findings.flag(Violation {
        devices,
        buffer_type: place.map(|(buffer_type, _)| buffer_type),
        address: place.map(|(_, address)| address),
        bytes: Some(bytes),
        ..Violation::new(OracleName::Residue, tick, what)
    });
}
