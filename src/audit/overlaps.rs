//! Live buffers of a log that cannot both be where they are.
//!
//! A message has a buffer's size over all banks, and an address is one in every bank. At least one
//! bank holds its share, so that `size / banks` bytes from the address on are taken, whatever the
//! pages are; with the most banks that a machine has, that is never too much.

use super::event::{Event, Memory, Place};
use super::finding::{Finding, FindingKind, Findings};
use super::ledger::{Entry, Ledger};
use super::ranges::{Lane, Range, Ranges};
use crate::allocator::{Machine, Reserved};
use crate::units::{BufferType, Bytes, DeviceAddr};

/// So many events are compared one by one; it is more than any published log has.
const ONE_BY_ONE: u64 = 1 << 17;

/// Past them, the live keys are compared after every so many events.
const SWEEP_EVERY: u64 = 1 << 20;

/// Numbers above this are no addresses: kernels report their cores in them.
const ADDRESS_MAX: u64 = 1 << 36;

/// The live ranges, and when they were last compared.
pub struct Overlaps {
    ranges: Ranges,
    banks: [u64; Memory::ALL.len()],
    is_one_by_one: bool,
    events: u64,
    swept: Place,
}

impl Overlaps {
    pub fn new() -> Self {
        let maps = Machine::ALL.map(|machine| machine.memory_map(Reserved::default()));
        let most = |buffer_type: BufferType| {
            let banks = maps.iter().map(|map| u64::from(map.region(buffer_type).bank_count));
            banks.max().unwrap_or(1).max(1)
        };
        let banks = Memory::ALL.map(|memory| match memory {
            Memory::Dram | Memory::SystemMemory | Memory::Trace => most(BufferType::Dram),
            Memory::L1 | Memory::L1Small => most(BufferType::L1),
        });
        let ranges = Ranges::default();
        Self { ranges, banks, is_one_by_one: true, events: 0, swept: Place(0) }
    }

    /// Whether every event is compared, as long as there are few.
    #[inline(always)]
    pub fn is_one_by_one(&self) -> bool {
        self.is_one_by_one
    }

    /// Counts an event; true if the live keys are to be compared now.
    #[inline(always)]
    pub fn is_due(&mut self) -> bool {
        self.events += 1;
        self.events & (SWEEP_EVERY - 1) == 0
    }

    /// A key came.
    pub fn insert(&mut self, entry: &Entry, event: &Event, out: &mut Findings) {
        let Some((lane, range)) = self.range(entry) else { return };
        for other in self.ranges.insert(lane, range) {
            out.add(finding(event, &other));
        }
        if self.events >= ONE_BY_ONE {
            self.is_one_by_one = false;
            self.ranges = Ranges::default();
            self.swept = event.place;
        }
    }

    /// A key went.
    pub fn remove(&mut self, entry: &Entry) {
        if let Some((lane, range)) = self.range(entry) {
            self.ranges.remove(lane, range.start, range.place);
        }
    }

    /// Forgets everything.
    pub fn clear(&mut self) {
        self.ranges = Ranges::default();
    }

    /// Compares all live keys with one another, of which one came since the last time.
    pub fn sweep(&mut self, ledger: &Ledger, now: Place, out: &mut Findings) {
        if self.is_one_by_one {
            return;
        }
        let ranges = ledger.iter().filter_map(|entry| Some((self.range(entry)?, entry)));
        let mut ranges: Vec<((Lane, Range), &Entry)> = ranges.collect();
        ranges.sort_unstable_by_key(|((lane, range), _)| (lane.memory(), range.start, range.place));
        let mut widest: Option<(Lane, Range)> = None;
        for ((lane, range), entry) in ranges {
            let lane = lane.memory();
            let before =
                widest.filter(|&(other, before)| other == lane && before.end > range.start);
            let is_new = |range: &Range| range.place > self.swept;
            if let Some((_, before)) = before.filter(|(_, before)| is_new(before) || is_new(&range))
            {
                let event = Event {
                    device: entry.key.device,
                    address: entry.key.address,
                    size: Some(entry.size),
                    memory: entry.memory,
                    process: Some(entry.process),
                    ..Event::new(entry.place, super::event::Action::Other)
                };
                out.add(finding(&event, &before));
            }
            if before.is_none_or(|(_, before)| before.end < range.end) {
                widest = Some((lane, range));
            }
        }
        self.swept = now;
    }

    fn range(&self, entry: &Entry) -> Option<(Lane, Range)> {
        let (memory, start) = (entry.memory?, entry.key.address);
        if start.0 == 0 || start.0 >= ADDRESS_MAX {
            return None;
        }
        let Bytes(size) = entry.size;
        let bytes = size.div_ceil(self.banks[memory as usize]).max(1);
        let end = DeviceAddr(start.0.saturating_add(bytes));
        let range = Range { start, end, place: entry.place, of: entry.key.device };
        Some((Lane::Chip(entry.key.device, memory), range))
    }
}

fn finding(event: &Event, other: &Range) -> Finding {
    let what = "this buffer lies in one that is live on the same device";
    let finding = Finding::at(FindingKind::Overlap, event, what);
    Finding { other: Some(other.place), ..finding }
}
