//! What clients send to the allocation server: packed records, no header, no length.
//!
//! The first 40 bytes of a record are the same in every version (allocation-server.md 1.2), so that
//! a version is nothing but a size: 72, 112, 128 or 144 bytes.

use std::io;

use super::super::event::{
    Action, Device, Event, Memory, Missed, Place, Process, Registered, Released,
};
use super::chunks::Chunks;
use crate::units::{Bytes, DeviceAddr};

/// The sizes of a record, oldest version first.
pub const RECORD_SIZES: [usize; 4] = [72, 112, 128, 144];

/// How much of a stream decides the size of its records.
const SAMPLE: usize = 64 << 10;

/// The part of a record that every version has.
const HEAD: usize = 40;

/// A reader of a stream.
pub(super) struct Wire {
    chunks: Chunks,
    size: usize,
    records: u64,
}

impl Wire {
    /// A reader of records of that size, or of whatever size fits the beginning best.
    pub fn new(mut chunks: Chunks, size: Option<usize>) -> io::Result<Self> {
        let size = match size {
            Some(size) => size,
            None => record_size(chunks.at_least(SAMPLE)?).unwrap_or(RECORD_SIZES[0]),
        };
        Ok(Self { chunks, size, records: 0 })
    }

    /// The bytes read so far.
    pub fn bytes(&self) -> u64 {
        self.chunks.taken()
    }

    /// The size of a record.
    pub fn size(&self) -> usize {
        self.size
    }

    /// The records so far.
    pub fn records(&self) -> u64 {
        self.records
    }

    /// Reads some records; false at the end.
    pub fn read(&mut self, events: &mut Vec<Event>) -> io::Result<bool> {
        let size = self.size;
        let available = self.chunks.at_least(size.max(SAMPLE))?;
        if available.is_empty() {
            return Ok(false);
        }
        let mut used = 0;
        while let Some(record) = available.get(used..used + size) {
            if !is_record(record) {
                break;
            }
            self.records += 1;
            events.push(event(record, Place(self.records)));
            used += size;
        }
        let rest = available.len() - used;
        self.chunks.take(used);
        if rest > 0 && (used == 0 || rest >= size) {
            self.resync(events)?;
        }
        Ok(true)
    }

    /// Skips bytes until two records in a row make sense, or one at the very end.
    fn resync(&mut self, events: &mut Vec<Event>) -> io::Result<()> {
        let size = self.size;
        let mut skipped = 0_u64;
        loop {
            let available = self.chunks.at_least(size.max(SAMPLE))?;
            let is_last = available.len() < size.max(SAMPLE);
            let starts = 0..(available.len() + 1).saturating_sub(2 * size);
            let from = usize::from(skipped == 0);
            let found = starts.skip(from).find(|&at| {
                is_plausible(&available[at..at + size])
                    && is_plausible(&available[at + size..at + 2 * size])
            });
            let last = available.len().checked_sub(size);
            let found = found.or_else(|| {
                last.filter(|&at| is_last && at >= from && is_plausible(&available[at..]))
            });
            let skip = match found {
                Some(at) => at,
                None if is_last => available.len(),
                None => (available.len() + 1).saturating_sub(2 * size),
            };
            skipped += skip as u64;
            self.chunks.take(skip);
            if found.is_some() || is_last {
                let place = Place(self.records + 1);
                events.push(Event::new(place, Action::Resync(Bytes(skipped))));
                return Ok(());
            }
        }
    }
}

/// The size at which records cover most of a sample; none if there is no record.
#[must_use]
pub fn record_size(sample: &[u8]) -> Option<usize> {
    // What is plausible tells sizes apart best; a stream of broken messages still has a shape.
    [is_plausible, is_record].into_iter().find_map(|is_good: fn(&[u8]) -> bool| {
        let covered = RECORD_SIZES.map(|size| (covered(sample, size, is_good), size));
        // Half of the records of one version cover as much as all of another: the smaller size.
        let best = covered.into_iter().rev().max_by_key(|&(bytes, _)| bytes);
        best.filter(|&(bytes, _)| bytes > 0).map(|(_, size)| size)
    })
}

/// The bytes of records that another one follows, or the end.
fn covered(sample: &[u8], size: usize, is_good: fn(&[u8]) -> bool) -> usize {
    let good = |at: usize| sample.get(at..at + HEAD).is_some_and(is_good);
    let (mut at, mut bytes) = (0, 0);
    while at + HEAD <= sample.len() {
        let next = at + size;
        let ends = next == sample.len() || next < sample.len() && next + HEAD > sample.len();
        if good(at) && (ends || good(next)) {
            bytes += size;
            at = next;
        } else {
            at += 1;
        }
    }
    bytes
}

/// Whether a record can start here: the server of the last era asks for no more than a type of 1
/// to 12; clients clear the padding first.
#[inline(always)]
fn is_record(bytes: &[u8]) -> bool {
    let padding = u32::from_le_bytes([0, bytes[1], bytes[2], bytes[3]]);
    let more = u32::from_le_bytes([0, bytes[17], bytes[18], bytes[19]]);
    bytes[0].wrapping_sub(1) < 12 && padding == 0 && more == 0
}

/// The largest process id of Linux.
const PROCESS_MAX: i32 = 1 << 22;

/// Whether a record starts here whose fields can all be: in the middle of a record there is
/// something that looks like one more often than not.
fn is_plausible(bytes: &[u8]) -> bool {
    is_record(bytes)
        && (-1..64).contains(&word(bytes, 4))
        && (1..=PROCESS_MAX).contains(&word(bytes, 20))
        && quad(bytes, 8) <= 100 << 30
}

#[inline(always)]
fn quad(record: &[u8], at: usize) -> u64 {
    let bytes = record[at..at + 8].first_chunk().expect("eight bytes were asked for");
    u64::from_le_bytes(*bytes)
}

#[inline(always)]
fn word(record: &[u8], at: usize) -> i32 {
    let bytes = record[at..at + 4].first_chunk().expect("four bytes were asked for");
    i32::from_le_bytes(*bytes)
}

#[inline(always)]
fn event(record: &[u8], place: Place) -> Event {
    let action = match record[0] {
        1 => Action::Alloc(Registered::Plain),
        2 => Action::Free(Released::Plain),
        8 => Action::CircularAlloc,
        9 => Action::CircularFree,
        10 => Action::KernelLoad,
        11 => Action::KernelUnload,
        _ => Action::Other,
    };
    let event = Event {
        device: Device(word(record, 4)),
        address: DeviceAddr(quad(record, 24)),
        process: Some(Process(word(record, 20))),
        ..Event::new(place, action)
    };
    match action {
        Action::Alloc(_) => Event {
            size: Some(Bytes(quad(record, 8))),
            memory: Memory::from_code(record[16].into()),
            ..event
        },
        Action::CircularAlloc | Action::CircularFree | Action::KernelLoad => {
            Event { size: Some(Bytes(quad(record, 8))), ..event }
        }
        _ => event,
    }
}

/// The bytes of an event, as a client of that version sends it; none if no message says it.
///
/// ```
/// use freeorder::audit::{Action, Event, Place, Registered, wire};
/// let event = Event::new(Place(1), Action::Alloc(Registered::Plain));
/// assert_eq!(wire::record(&event, 72).map(|bytes| bytes.len()), Some(72));
/// ```
#[must_use]
pub fn record(event: &Event, size: usize) -> Option<Vec<u8>> {
    let code = match event.action {
        Action::Alloc(_) => 1,
        Action::Free(_) | Action::UnknownFree(Missed::Unknown) => 2,
        Action::CircularAlloc => 8,
        Action::CircularFree => 9,
        Action::KernelLoad => 10,
        Action::KernelUnload => 11,
        _ => return None,
    };
    let mut bytes = vec![0; size.max(HEAD)];
    bytes[0] = code;
    bytes[4..8].copy_from_slice(&event.device.0.to_le_bytes());
    bytes[8..16].copy_from_slice(&event.size.unwrap_or_default().0.to_le_bytes());
    bytes[16] = event.memory.unwrap_or_default() as u8;
    bytes[20..24].copy_from_slice(&event.process.unwrap_or_default().0.to_le_bytes());
    bytes[24..32].copy_from_slice(&event.address.0.to_le_bytes());
    Some(bytes)
}
