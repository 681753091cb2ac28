//! What clients send to the allocation server, as a stream that somebody kept.

use std::io;

use super::super::event::{
    Action, Device, Event, Memory, Missed, Place, Process, Registered, Released,
};
use super::chunks::Chunks;
use crate::units::Bytes;
use crate::wire::{HEAD, Head, is_plausible, is_record};
pub use crate::wire::{RECORD_SIZES, record_size};

/// How much of a stream decides the size of its records.
const SAMPLE: usize = 64 << 10;

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
        let (mut used, mut torn) = (0, false);
        while let Some(record) = available.get(used..used + size) {
            let has_more = has_more(record);
            if has_more && used > 0 && used + 3 * size > available.len() {
                // What comes after it tells whether it is whole.
                break;
            }
            if !is_record(record) || has_more && is_torn(&available[used..], size) {
                torn = true;
                break;
            }
            self.records += 1;
            events.push(event(record, Place(self.records)));
            used += size;
        }
        let rest = available.len() - used;
        self.chunks.take(used);
        if torn || rest > 0 && used == 0 {
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

/// Whether there is something behind the head, where requests have zeros.
#[inline(always)]
fn has_more(record: &[u8]) -> bool {
    record[HEAD..].iter().fold(0, |all, byte| all | byte) != 0
}

/// Whether a record ends too early: another one begins in it, and goes on where the next but one
/// should.
fn is_torn(bytes: &[u8], size: usize) -> bool {
    let begins = |at: usize| bytes.get(at..at + HEAD).is_some_and(is_plausible);
    let goes_on = |at: usize| begins(at) || at == bytes.len();
    !goes_on(size) && (1..size).any(|at| begins(at) && goes_on(at + size))
}

#[inline(always)]
fn event(record: &[u8], place: Place) -> Event {
    let head = Head::of(record);
    let action = match head.code {
        1 => Action::Alloc(Registered::Plain),
        2 => Action::Free(Released::Plain),
        8 => Action::CircularAlloc,
        9 => Action::CircularFree,
        10 => Action::KernelLoad,
        11 => Action::KernelUnload,
        _ => Action::Other,
    };
    let event = Event {
        device: Device(head.device),
        address: head.buffer,
        process: Some(Process(head.process)),
        ..Event::new(place, action)
    };
    match action {
        Action::Alloc(_) => {
            Event { size: Some(head.size), memory: Memory::from_code(head.memory.into()), ..event }
        }
        Action::CircularAlloc | Action::CircularFree | Action::KernelLoad => {
            Event { size: Some(head.size), ..event }
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
    let head = Head {
        code,
        device: event.device.0,
        size: event.size.unwrap_or_default(),
        memory: event.memory.unwrap_or_default() as u8,
        process: event.process.unwrap_or_default().0,
        buffer: event.address,
        timestamp: 0,
    };
    Some(head.record(size))
}
