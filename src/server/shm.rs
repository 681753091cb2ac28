use super::{Entry, Semantics};
use crate::journal::{Cell, LaneCounters, Tracking, mix};
use crate::message::{AllocMessage, MessageKind};
use crate::units::{Bytes, Lanes};

/// The counters of one process: its slot in each chip's region.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
struct ProcessSlot {
    pid: u32,
    bytes: Vec<u64>,
}

/// The shared-memory counters of the main branch (allocation-server.md 6): ALLOC adds, FREE
/// subtracts and stops at 0, and nothing is ever unknown.
///
/// Source: layout version 4, whose slot of a dead process any attacher reaps by what it holds.
#[derive(Clone, Debug)]
pub struct Shm {
    bytes: LaneCounters,
    slots: Cell<Vec<ProcessSlot>>,
    tracking: Tracking,
}

impl Shm {
    pub fn new(tracking: Tracking) -> Self {
        Self {
            bytes: LaneCounters::new(tracking),
            slots: Cell::new(Vec::new(), tracking),
            tracking,
        }
    }

    fn slot(&mut self, message: &AllocMessage) {
        let AllocMessage { kind, devices, size, pid, .. } = *message;
        self.slots.update(|slots| {
            let index = slots.iter().position(|slot| slot.pid == pid).unwrap_or_else(|| {
                slots.push(ProcessSlot { pid, bytes: Vec::new() });
                slots.len() - 1
            });
            let bytes = &mut slots[index].bytes;
            let length = 64 - devices.0.leading_zeros() as usize;
            if bytes.len() < length {
                bytes.resize(length, 0);
            }
            for device in devices.iter() {
                let counter = &mut bytes[usize::from(device.0)];
                *counter = match kind {
                    MessageKind::Alloc => *counter + size.0,
                    MessageKind::Free => counter.saturating_sub(size.0),
                };
            }
        });
    }
}

impl Semantics for Shm {
    #[inline]
    fn receive(&mut self, message: &AllocMessage) -> Lanes {
        match message.kind {
            MessageKind::Alloc => self.bytes.add(message.devices, message.size),
            MessageKind::Free => self.bytes.subtract(message.devices, message.size),
        }
        self.slot(message);
        Lanes::NONE
    }

    #[inline]
    fn bytes(&self) -> &[u64] {
        self.bytes.get()
    }

    fn keys(&self) -> Option<u64> {
        None
    }

    fn entries(&self) -> Vec<Entry> {
        Vec::new()
    }

    fn restart(&mut self) {
        // The counters are in shared memory: no server that could forget them is involved.
    }

    fn reap(&mut self, pid: u32) -> u64 {
        let slot = self.slots.iter().find(|slot| slot.pid == pid).cloned();
        let Some(slot) = slot else { return 0 };
        for (device, &bytes) in slot.bytes.iter().enumerate() {
            self.bytes.subtract(Lanes(1 << device), Bytes(bytes));
        }
        self.slots.update(|slots| slots.retain(|slot| slot.pid != pid));
        1
    }

    fn owners(&self) -> Vec<u32> {
        self.slots.iter().map(|slot| slot.pid).collect()
    }

    fn reset(&mut self) {
        let tracking = self.tracking;
        self.bytes.reset();
        self.slots = Cell::new(Vec::new(), tracking);
    }

    fn mark(&self) -> [usize; 2] {
        [self.bytes.mark(), self.slots.mark()]
    }

    fn undo_to(&mut self, [bytes, slots]: [usize; 2]) {
        self.bytes.undo_to(bytes);
        self.slots.undo_to(slots);
    }

    fn hash(&self) -> u64 {
        self.slots.iter().fold(self.bytes.hash(), |hash, slot| {
            slot.bytes.iter().fold(mix(hash, u64::from(slot.pid)), |hash, &bytes| mix(hash, bytes))
        })
    }
}
