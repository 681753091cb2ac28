use super::{Entry, Semantics, ServerMark};
use crate::journal::{Cell, Columns, LaneCounters, Tracking, mix};
use crate::message::{AllocMessage, MessageKind};
use crate::units::{BufferType, Bytes, DeviceId, Lanes};

/// The counters of one chip, or of one process on it, by buffer type.
type Typed = [u64; BufferType::ALL.len()];

/// What one process holds: its slot in each chip's region.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
struct ProcessSlot {
    pid: u32,
    chips: Vec<Typed>,
}

/// The shared-memory counters of the main branch (allocation-server.md 6), by chip and type: ALLOC
/// adds, FREE subtracts and stops at 0, and nothing is ever unknown.
///
/// Source: layout version 4, whose slot of a dead process any attacher reaps by what it holds.
///
/// ASSUMED: no 65th process and no 17th chip in a region, for which the layout has no slot.
#[derive(Clone, Debug)]
pub struct Shm {
    /// All types together, which is what reports add up.
    total: LaneCounters,
    by_type: [LaneCounters; BufferType::ALL.len()],
    slots: Cell<Vec<ProcessSlot>>,
    /// Whether each process counts in a slot of its own, too.
    slotted: bool,
    tracking: Tracking,
}

impl Shm {
    pub fn new(slotted: bool, tracking: Tracking) -> Self {
        Self {
            total: LaneCounters::new(tracking),
            by_type: std::array::from_fn(|_| LaneCounters::new(tracking)),
            slots: Cell::new(Vec::new(), tracking),
            slotted,
            tracking,
        }
    }

    #[inline]
    fn add(&mut self, devices: Lanes, buffer_type: BufferType, size: Bytes) {
        self.by_type[buffer_type.index()].add(devices, size);
        self.total.add(devices, size);
    }

    /// Takes from the counters of a type what is there, chip by chip.
    fn subtract(&mut self, devices: Lanes, buffer_type: BufferType, size: Bytes) {
        let counters = &mut self.by_type[buffer_type.index()];
        let counted = |counters: &LaneCounters, device: DeviceId| {
            counters.get().get(usize::from(device.0)).copied().unwrap_or(0)
        };
        if devices.iter().all(|device| counted(counters, device) >= size.0) {
            self.total.subtract(devices, size);
        } else {
            for device in devices.iter() {
                let taken = counted(counters, device).min(size.0);
                self.total.subtract(Lanes::one(device), Bytes(taken));
            }
        }
        counters.subtract(devices, size);
    }

    fn slot(&mut self, message: &AllocMessage) {
        let AllocMessage { kind, devices, size, pid, buffer_type, .. } = *message;
        self.slots.update(|slots| {
            let index = slots.iter().position(|slot| slot.pid == pid).unwrap_or_else(|| {
                slots.push(ProcessSlot { pid, chips: Vec::new() });
                slots.len() - 1
            });
            let chips = &mut slots[index].chips;
            let length = 64 - devices.0.leading_zeros() as usize;
            if chips.len() < length {
                chips.resize(length, Typed::default());
            }
            for device in devices.iter() {
                let counter = &mut chips[usize::from(device.0)][buffer_type.index()];
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
        let AllocMessage { kind, devices, buffer_type, size, .. } = *message;
        match kind {
            MessageKind::Alloc => self.add(devices, buffer_type, size),
            MessageKind::Free => self.subtract(devices, buffer_type, size),
        }
        if self.slotted {
            self.slot(message);
        }
        Lanes::NONE
    }

    #[inline]
    fn bytes(&self) -> &[u64] {
        self.total.get()
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
        for (device, typed) in slot.chips.iter().enumerate() {
            for buffer_type in BufferType::ALL {
                let bytes = Bytes(typed[buffer_type.index()]);
                self.subtract(Lanes(1 << device), buffer_type, bytes);
            }
        }
        self.slots.update(|slots| slots.retain(|slot| slot.pid != pid));
        1
    }

    fn owners(&self) -> Vec<u32> {
        self.slots.iter().map(|slot| slot.pid).collect()
    }

    fn reset(&mut self) {
        self.total.reset();
        self.by_type.iter_mut().for_each(LaneCounters::reset);
        self.slots = Cell::new(Vec::new(), self.tracking);
    }

    fn mark(&self) -> ServerMark {
        let [dram, l1, l1_small, trace] = &self.by_type;
        let types = [dram.mark(), l1.mark(), l1_small.mark(), trace.mark()];
        [self.total.mark(), self.slots.mark(), types[0], types[1], types[2], types[3]]
    }

    fn undo_to(&mut self, mark: ServerMark) {
        self.total.undo_to(mark[0]);
        self.slots.undo_to(mark[1]);
        for (counters, &mark) in self.by_type.iter_mut().zip(&mark[2..]) {
            counters.undo_to(mark);
        }
    }

    fn columns(&self, columns: &mut Columns) {
        self.total.columns(columns, 0x5e3);
        for (index, counters) in self.by_type.iter().enumerate() {
            counters.columns(columns, mix(0x5e4, index as u64));
        }
        for slot in self.slots.iter() {
            columns.shared(0x5e5, u64::from(slot.pid));
            for (device, typed) in slot.chips.iter().enumerate() {
                let word = typed.iter().fold(0, |hash, &bytes| mix(hash, bytes));
                columns.on(Lanes(1 << device), mix(0x5e5, u64::from(slot.pid)), word);
            }
        }
    }

    fn hash(&self) -> u64 {
        let types = self.by_type.iter().fold(0, |hash, counters| mix(hash, counters.hash()));
        self.slots.iter().fold(types, |hash, slot| {
            let words = slot.chips.iter().flatten();
            words.fold(mix(hash, u64::from(slot.pid)), |hash, &bytes| mix(hash, bytes))
        })
    }
}
