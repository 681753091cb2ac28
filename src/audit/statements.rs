//! Statistics and dumps, compared with what follows from the events before them.

use std::collections::BTreeMap;

use super::event::{Action, Device, Event, Memory};
use super::finding::{Finding, FindingKind, Findings};
use crate::units::DeviceAddr;

/// What a statement is of.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
enum Of {
    Keys,
    Buffers(Device, Option<Memory>),
    Bytes(Device, Option<Memory>),
    Entry(Device, DeviceAddr),
}

/// Differences that are remembered.
const KNOWN_MAX: usize = 1 << 14;

/// What differed already: statistics come every ten seconds, and one lost line must not be found in
/// each of them.
#[derive(Clone, Debug, Default)]
pub struct Statements {
    known: BTreeMap<Of, i128>,
}

impl Statements {
    pub fn restart(&mut self) {
        self.known.clear();
    }

    pub fn compare(&mut self, event: &Event, (stated, follows): (u64, u64), out: &mut Findings) {
        let (of, what) = match event.action {
            Action::StatedBuffers(_) => (
                Of::Buffers(event.device, event.memory),
                "the server counts another number of buffers on the device than these lines",
            ),
            Action::StatedBytes(_) => (
                Of::Bytes(event.device, event.memory),
                "the server counts other bytes on the device than these lines",
            ),
            Action::StatedEntry(_) => (
                Of::Entry(event.device, event.address),
                "the server counts other references of the key than these lines",
            ),
            _ => (Of::Keys, "the server counts another number of keys than these lines"),
        };
        let difference = i128::from(stated) - i128::from(follows);
        if self.known.get(&of).copied().unwrap_or(0) == difference {
            return;
        }
        if self.known.len() >= KNOWN_MAX {
            self.known.clear();
        }
        self.known.insert(of, difference);
        out.add(Finding::at(FindingKind::Contradiction, event, what).stating(stated, follows));
    }
}
