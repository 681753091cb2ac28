//! A snapshot of the shared-memory counters of one chip's region.
//!
//! Two layouts: 9280 bytes in version 1, 8576 bytes in versions 2 to 4 (allocation-server.md 6).

use super::super::event::{Action, Counted, CounterOf, Device, Event, Header, Place, Process};
use crate::units::Bytes;

/// The size of a region of version 1.
pub const SIZE_V1: usize = 9280;

/// The size of a region of versions 2 to 4.
pub const SIZE: usize = 8576;

/// `used` in `chip_id` of no chip, from version 2 on.
const NO_CHIP: u32 = u32::MAX;

/// Where things are in a version.
struct Layout {
    counters: usize,
    chips: usize,
    chip_size: usize,
    processes: usize,
    process_size: usize,
}

const LAYOUT_V1: Layout =
    Layout { counters: 6, chips: 96, chip_size: 56, processes: 992, process_size: 128 };
const LAYOUT: Layout =
    Layout { counters: 5, chips: 88, chip_size: 48, processes: 856, process_size: 120 };

/// Slots for chips and for processes.
const CHIPS: usize = 16;
const PROCESSES: usize = 64;

/// Whether these are the bytes of a region.
#[must_use]
pub fn is_region(bytes: &[u8]) -> bool {
    let version = bytes.first_chunk().map(|bytes| u32::from_le_bytes(*bytes));
    match bytes.len() {
        SIZE_V1 => version == Some(1),
        SIZE => matches!(version, Some(2..=4)),
        _ => false,
    }
}

/// The counters of a region; none if the length is that of no version.
#[must_use]
pub fn read(bytes: &[u8]) -> Option<Vec<Event>> {
    let layout = match bytes.len() {
        SIZE_V1 => LAYOUT_V1,
        SIZE => LAYOUT,
        _ => return None,
    };
    let region = Region { bytes, layout };
    let head = [
        (0, Header::Version(region.word(0))),
        (4, Header::Processes(region.word(4))),
        (16, Header::References(region.word(16))),
    ];
    let mut events: Vec<Event> =
        head.map(|(at, header)| Event::new(Place(at), Action::Head(header))).to_vec();
    region.counters(48, CounterOf::Region, Event::new(Place(0), Action::Other), &mut events);
    let is_first = bytes.len() == SIZE_V1;
    for slot in 0..CHIPS {
        let at = region.layout.chips + slot * region.layout.chip_size;
        let chip = region.word(at);
        let is_used = match is_first {
            // The first version has no mark for a slot that is not used but zeros.
            true => region.bytes[at..at + region.layout.chip_size].iter().any(|&byte| byte != 0),
            false => chip != NO_CHIP,
        };
        if is_used {
            let of = Event { device: Device(chip as i32), ..Event::new(Place(0), Action::Other) };
            region.counters(at + 8, CounterOf::Chip, of, &mut events);
        }
    }
    for slot in 0..PROCESSES {
        let at = region.layout.processes + slot * region.layout.process_size;
        let process = region.word(at) as i32;
        if process != 0 {
            let of =
                Event { process: Some(Process(process)), ..Event::new(Place(0), Action::Other) };
            region.counters(at + 8, CounterOf::Process, of, &mut events);
        }
    }
    Some(events)
}

struct Region<'a> {
    bytes: &'a [u8],
    layout: Layout,
}

impl Region<'_> {
    fn word(&self, at: usize) -> u32 {
        let bytes = self.bytes[at..].first_chunk().expect("the layout is within the region");
        u32::from_le_bytes(*bytes)
    }

    fn quad(&self, at: usize) -> u64 {
        let bytes = self.bytes[at..].first_chunk().expect("the layout is within the region");
        u64::from_le_bytes(*bytes)
    }

    fn counters(&self, at: usize, of: CounterOf, whose: Event, events: &mut Vec<Event>) {
        for (index, counted) in Counted::ALL.into_iter().take(self.layout.counters).enumerate() {
            let at = at + 8 * index;
            events.push(Event {
                place: Place(at as u64),
                action: Action::Counter(of, counted),
                size: Some(Bytes(self.quad(at))),
                ..whose
            });
        }
    }
}

/// A region with these counters, as the runtime writes it; for tests and examples.
#[must_use]
pub fn region(version: u32, counters: &[Event]) -> Vec<u8> {
    let is_first = version == 1;
    let (size, layout) = if is_first { (SIZE_V1, LAYOUT_V1) } else { (SIZE, LAYOUT) };
    let mut bytes = vec![0; size];
    let mut put = |at: usize, value: &[u8]| bytes[at..at + value.len()].copy_from_slice(value);
    put(0, &version.to_le_bytes());
    let (mut chips, mut processes) = (Vec::new(), Vec::new());
    for slot in 0..CHIPS {
        let mark = if is_first { 0 } else { NO_CHIP };
        put(layout.chips + slot * layout.chip_size, &mark.to_le_bytes());
    }
    let slot = |known: &mut Vec<i32>, id: i32| {
        known.iter().position(|&other| other == id).unwrap_or_else(|| {
            known.push(id);
            known.len() - 1
        })
    };
    for event in counters {
        let Action::Counter(of, counted) = event.action else { continue };
        let at = match of {
            CounterOf::Region => 48,
            CounterOf::Chip => {
                let at = layout.chips + slot(&mut chips, event.device.0) * layout.chip_size;
                put(at, &event.device.0.to_le_bytes());
                at + 8
            }
            CounterOf::Process => {
                let process = event.process.unwrap_or_default().0;
                let at = layout.processes + slot(&mut processes, process) * layout.process_size;
                put(at, &process.to_le_bytes());
                at + 8
            }
        };
        put(at + 8 * counted as usize, &event.size.unwrap_or_default().0.to_le_bytes());
    }
    let count = processes.len() as u32;
    put(4, &count.to_le_bytes());
    put(16, &count.to_le_bytes());
    bytes
}
