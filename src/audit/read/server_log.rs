//! What the allocation server prints, in every era.
//!
//! The forms are those of allocation-server.md 2.1; ids are decimal or hexadecimal. Lines of
//! anybody else are skipped, and a line that starts as the server's and ends otherwise is torn.

mod rest;

use std::io;

use memchr::memmem;

use super::super::event::{
    Action, Device, Event, Memory, Missed, Place, Process, Registered, Released,
};
use super::chunks::Chunks;
use super::cursor::Cursor;
use crate::units::{Bytes, DeviceAddr};
use rest::{dumped, ends_with, other};

/// The check mark, the cross and the warning sign that lines begin with.
const CHECK: &[u8; 9] = b"\xe2\x9c\x93 [PID ";
const CROSS: &[u8; 9] = b"\xe2\x9c\x97 [PID ";

/// Which part of the server's output the last line belonged to.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Section {
    /// None that lasts longer than a line.
    Events,
    /// `Current Statistics:`.
    Statistics,
    /// `REMAINING ALLOCATED BUFFERS`.
    Dump,
}

/// A reader of the server's output.
pub struct ServerLog {
    chunks: Chunks,
    line: u64,
    other: u64,
    section: Section,
    device: Device,
    memory: Option<Memory>,
}

impl ServerLog {
    pub fn new(chunks: Chunks) -> Self {
        let (section, device) = (Section::Events, Device::UNSTATED);
        Self { chunks, line: 0, other: 0, section, device, memory: None }
    }

    /// The bytes read so far.
    pub fn bytes(&self) -> u64 {
        self.chunks.taken()
    }

    /// The lines so far.
    pub fn lines(&self) -> u64 {
        self.line
    }

    /// The lines so far that are nothing of the server's.
    pub fn other(&self) -> u64 {
        self.other
    }

    /// Reads some lines; false at the end.
    pub fn read(&mut self, events: &mut Vec<Event>) -> io::Result<bool> {
        let length = self.chunks.lines()?;
        if length == 0 {
            return Ok(false);
        }
        let mut parser = Parser {
            events,
            section: self.section,
            device: self.device,
            memory: self.memory,
            line: self.line,
            other: self.other,
        };
        let mut rest = &self.chunks.available()[..length];
        while !rest.is_empty() {
            let end = memchr::memchr(b'\n', rest).unwrap_or(rest.len());
            parser.line(&rest[..end]);
            rest = rest.get(end + 1..).unwrap_or_default();
        }
        if self.chunks.is_over() && !self.chunks.available()[..length].ends_with(b"\n") {
            parser.cut();
        }
        let Parser { section, device, memory, line, other, .. } = parser;
        (self.section, self.device, self.memory) = (section, device, memory);
        (self.line, self.other) = (line, other);
        self.chunks.take(length);
        Ok(true)
    }
}

struct Parser<'e> {
    events: &'e mut Vec<Event>,
    section: Section,
    device: Device,
    /// What a dump lists.
    memory: Option<Memory>,
    line: u64,
    other: u64,
}

impl Parser<'_> {
    #[inline(always)]
    fn line(&mut self, line: &[u8]) {
        self.line += 1;
        let place = Place(self.line);
        let mut cursor = Cursor::new(line);
        // Nearly every line is one of these two.
        let event = if cursor.has(CHECK) {
            allocated(cursor, place)
        } else if cursor.has(CROSS) {
            freed(cursor, place)
        } else {
            None
        };
        match event {
            Some((event, rest)) if rest.is_over() => self.events.push(event),
            _ => self.rare(line, place),
        }
    }

    /// The last line had no end: if it is torn, that is why.
    fn cut(&mut self) {
        if let Some(Event { action: action @ Action::Torn, .. }) = self.events.last_mut() {
            *action = Action::Cut;
        }
    }

    /// Everything but a whole ALLOC or FREE at the start of its line.
    #[cold]
    #[inline(never)]
    fn rare(&mut self, line: &[u8], place: Place) {
        let line = line.trim_ascii();
        if memmem::find(line, b"[PID ").is_some() {
            self.embedded(line, place);
        } else if let Some(event) = self.statement(line, place).or_else(|| other(line, place)) {
            self.events.push(event);
        } else if !line.is_empty() {
            self.other += 1;
        }
    }

    /// Lines with something before the event, several events, or parts of them.
    fn embedded(&mut self, line: &[u8], place: Place) {
        let before = self.events.len();
        let mut torn = false;
        for at in memmem::find_iter(line, b"[PID ") {
            let cursor = Cursor::new(&line[at + 5..]);
            match body(cursor, place) {
                Some(event) => self.events.push(event),
                None => torn |= starts_an_event(cursor),
            }
        }
        if torn {
            self.events.push(Event::new(place, Action::Torn));
        } else if self.events.len() == before {
            self.other += 1;
        }
    }

    /// A line of the statistics or of the dump.
    fn statement(&mut self, line: &[u8], place: Place) -> Option<Event> {
        let mut cursor = Cursor::new(line);
        if ends_with(line, &[b"Current Statistics:", b"Final Statistics:"]) {
            self.section = Section::Statistics;
            self.device = Device::UNSTATED;
            return Some(Event::new(place, Action::Statement));
        }
        if memmem::find(line, b"REMAINING ALLOCATED BUFFERS").is_some() {
            self.section = Section::Dump;
            self.device = Device::UNSTATED;
            return Some(Event::new(place, Action::Statement));
        }
        if self.section == Section::Events {
            return None;
        }
        let on_device = |action| Event { device: self.device, ..Event::new(place, action) };
        if cursor.has(b"Active allocations: ") {
            self.section = Section::Events;
            return Some(Event::new(place, Action::StatedKeys(cursor.number()?)));
        }
        if cursor.has(b"Total tracked allocations: ") {
            return Some(Event::new(place, Action::StatedKeys(cursor.number()?)));
        }
        if cursor.has(b"Total remaining buffers: ") {
            self.section = Section::Events;
            return Some(Event::new(place, Action::StatedKeys(cursor.number()?)));
        }
        if cursor.has(b"Device ") {
            self.device = Device(cursor.signed()?);
            return (cursor.rest() == b":").then(|| Event::new(place, Action::Other));
        }
        if cursor.has(b"Buffers: ") {
            return Some(on_device(Action::StatedBuffers(cursor.number()?)));
        }
        if cursor.has(b"- Buffer ") {
            return dumped(cursor)
                .map(|(action, event)| Event { action, ..event })
                .map(|event| Event { place, device: self.device, memory: self.memory, ..event });
        }
        let memory = Memory::from_name(cursor.word())?;
        cursor.text(b": ")?;
        let count = cursor.number()?;
        let stated = if cursor.has(b" bytes") {
            on_device(Action::StatedBytes(Bytes(count)))
        } else {
            cursor.text(b" buffers")?;
            on_device(Action::StatedBuffers(count))
        };
        self.memory = Some(memory);
        Some(Event { memory: self.memory, ..stated })
    }
}

/// `P] Allocated N bytes of TYPE on device D (buffer_id=ID)`, or `, ref_count=N)`.
#[inline(always)]
fn allocated(mut cursor: Cursor<'_>, place: Place) -> Option<(Event, Cursor<'_>)> {
    let process = cursor.signed()?;
    cursor.text(b"] Allocated ")?;
    let size = cursor.number()?;
    cursor.text(b" bytes of ")?;
    let memory = if cursor.has(b"DRAM on device ") {
        Memory::Dram
    } else if cursor.has(b"L1 on device ") {
        Memory::L1
    } else {
        let memory = Memory::from_name(cursor.word())?;
        cursor.text(b" on device ")?;
        memory
    };
    let device = cursor.signed()?;
    cursor.text(b" (buffer_id=")?;
    let address = cursor.id()?;
    let registered = if cursor.has(b")") {
        Registered::Plain
    } else {
        cursor.text(b", ref_count=")?;
        let count = cursor.small()?;
        cursor.text(b")")?;
        Registered::Count(count)
    };
    let event = Event {
        device: Device(device),
        address: DeviceAddr(address),
        size: Some(Bytes(size)),
        memory: Some(memory),
        process: Some(Process(process)),
        ..Event::new(place, Action::Alloc(registered))
    };
    Some((event, cursor))
}

/// `P] Freed buffer ID on device D (N bytes, FINAL)`, and the forms before.
#[inline(always)]
fn freed(mut cursor: Cursor<'_>, place: Place) -> Option<(Event, Cursor<'_>)> {
    let process = cursor.signed()?;
    cursor.text(b"] Freed buffer ")?;
    let address = cursor.id()?;
    // The server that was keyed by buffer id alone named no device.
    let device = match cursor.has(b" on device ") {
        true => Device(cursor.signed()?),
        false => Device::UNSTATED,
    };
    cursor.text(b" (")?;
    let size = cursor.number()?;
    cursor.text(b" bytes")?;
    // Where the memory belongs to the key.
    let memory = memory_of(&mut cursor)?;
    let released = if cursor.has(b", FINAL)") {
        Released::Final
    } else if cursor.has(b")") {
        Released::Plain
    } else {
        cursor.text(b", ref_count=")?;
        let count = cursor.small()?;
        let _ = cursor.has(b" remaining");
        cursor.text(b")")?;
        Released::Remaining(count)
    };
    let event = Event {
        device,
        address: DeviceAddr(address),
        size: Some(Bytes(size)),
        memory,
        process: Some(Process(process)),
        ..Event::new(place, Action::Free(released))
    };
    Some((event, cursor))
}

/// What stands behind `[PID `.
fn body(cursor: Cursor<'_>, place: Place) -> Option<Event> {
    let event = allocated(cursor, place).or_else(|| freed(cursor, place));
    event.map(|(event, _)| event).or_else(|| missed(cursor, place))
}

/// `P] Deallocation for unknown buffer ..`, and what the server with histories says.
fn missed(mut cursor: Cursor<'_>, place: Place) -> Option<Event> {
    let process = Some(Process(cursor.signed()?));
    cursor.text(b"] ")?;
    if cursor.has(b"Buffer reused with DIFFERENT size: old=") {
        let old = Bytes(cursor.number()?);
        cursor.text(b" new=")?;
        let size = Some(Bytes(cursor.number()?));
        cursor.text(b" (buffer_id=")?;
        let address = DeviceAddr(cursor.id()?);
        cursor.text(b", device=")?;
        let device = Device(cursor.signed()?);
        let event = Event::new(place, Action::Resized(old));
        return Some(Event { device, address, size, process, ..event });
    }
    if cursor.has(b"Invalid buffer_type ") {
        return Some(Event { process, ..Event::new(place, Action::Rejected) });
    }
    cursor.text(b"Deallocation for ")?;
    let already = cursor.has(b"ALREADY FREED ");
    if !already {
        cursor.text(b"unknown ")?;
    }
    cursor.text(b"buffer ")?;
    let address = DeviceAddr(cursor.id()?);
    let device = match cursor.has(b" on device ") {
        true => Device(cursor.signed()?),
        false => Device::UNSTATED,
    };
    let memory = memory_of(&mut cursor)?;
    let never = memmem::find(cursor.rest(), b"never tracked").is_some();
    let missed = match (already, never) {
        (true, _) => Missed::AlreadyFreed,
        (false, true) => Missed::NeverTracked,
        (false, false) => Missed::Unknown,
    };
    let event = Event::new(place, Action::UnknownFree(missed));
    Some(Event { device, address, process, memory, ..event })
}

/// ` of TYPE`, if it is there: none if it is no memory.
#[inline(always)]
fn memory_of(cursor: &mut Cursor<'_>) -> Option<Option<Memory>> {
    match cursor.has(b" of ") {
        false => Some(None),
        true => Memory::from_name(cursor.word()).map(Some),
    }
}

/// Whether what stands behind `[PID ` was meant to be an ALLOC or FREE.
fn starts_an_event(mut cursor: Cursor<'_>) -> bool {
    if cursor.signed().is_none() || !cursor.has(b"] ") {
        // Cut within the number: only the last message of a dying process looks like this.
        return cursor.rest().is_empty();
    }
    let words: [&[u8]; 3] = [b"Allocated", b"Freed buffer", b"Deallocation for"];
    let rest = cursor.rest();
    words.iter().any(|word| rest.starts_with(word) || word.starts_with(rest))
}
