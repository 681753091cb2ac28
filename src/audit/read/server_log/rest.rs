//! Lines of the server that are no ALLOC and no FREE.

use memchr::memmem;

use super::super::super::event::{Action, Device, Event, Missed, Place, Process};
use super::super::cursor::Cursor;
use crate::units::{Bytes, DeviceAddr};

/// `0xID: X KB (PID P, ref_count=N)` of a dump.
pub(super) fn dumped(mut cursor: Cursor<'_>) -> Option<(Action, Event)> {
    let address = DeviceAddr(cursor.id()?);
    cursor.text(b": ")?;
    cursor.fraction()?;
    cursor.text(b" KB (PID ")?;
    let process = Some(Process(cursor.signed()?));
    cursor.text(b", ref_count=")?;
    let count = cursor.small()?;
    let event = Event::new(Place(0), Action::Other);
    Some((Action::StatedEntry(count), Event { address, process, ..event }))
}

pub(super) fn ends_with(line: &[u8], ends: &[&[u8]]) -> bool {
    ends.iter().any(|end| line.ends_with(end))
}

/// What `freeorder serve --server strict` says of its books.
const STRICT_BOOKS: &[u8] = b"Books: one for each process and memory";

/// The rest of what the server prints: its life, its reaper, circular buffers and kernels.
pub(super) fn other(line: &[u8], place: Place) -> Option<Event> {
    if ends_with(line, &[b"Allocation Server started", b"(with history tracking)"]) {
        return Some(Event::new(place, Action::Started));
    }
    if line == STRICT_BOOKS {
        return Some(Event::new(place, Action::StrictBooks));
    }
    if let Some(at) = memmem::find(line, b"Deallocation for unknown buffer ") {
        let mut cursor = Cursor::new(&line[at + 32..]);
        let address = DeviceAddr(cursor.id()?);
        let action = Action::UnknownFree(Missed::Warning);
        let device = Device::UNSTATED;
        return Some(Event { device, address, ..Event::new(place, action) });
    }
    if let Some(at) = memmem::find(line, b" Removed ") {
        return reaped(Cursor::new(&line[at + 9..]), place);
    }
    if let Some(at) = memmem::find(line, b" [") {
        return sized(Cursor::new(&line[at + 2..]), place);
    }
    let refused: [&[u8]; 4] =
        [b"Invalid device_id", b"Invalid size", b"Invalid buffer_type", b"Unknown message type: "];
    let refused = refused.iter().any(|text| memmem::find(line, text).is_some());
    refused.then(|| Event::new(place, Action::Rejected))
}

/// `N buffers (X MB) from PID P`.
fn reaped(mut cursor: Cursor<'_>, place: Place) -> Option<Event> {
    let count = cursor.small()?;
    cursor.text(b" buffers (")?;
    cursor.fraction()?;
    cursor.text(b" MB) from PID ")?;
    let process = Some(Process(cursor.signed()?));
    Some(Event { process, ..Event::new(place, Action::Reaped(count)) })
}

/// `CB_ALLOC] Device D: +X MB (Total: Y MB)` and its like.
fn sized(mut cursor: Cursor<'_>, place: Place) -> Option<Event> {
    let action = match cursor.word() {
        b"CB_ALLOC" => Action::CircularAlloc,
        b"CB_FREE" => Action::CircularFree,
        b"KERNEL_LOAD" => Action::KernelLoad,
        b"KERNEL_UNLOAD" => Action::KernelUnload,
        _ => return None,
    };
    cursor.text(b"] ")?;
    let at = memmem::find(cursor.rest(), b"Device ")?;
    let mut cursor = Cursor::new(&cursor.rest()[at + 7..]);
    let device = Device(cursor.signed()?);
    cursor.text(b": ")?;
    let megabytes = cursor.fraction()?.abs();
    // Six significant digits of megabytes: the size is known to about a part in a million.
    let size = Some(Bytes((megabytes * f64::from(1 << 20)).round() as u64));
    Some(Event { device, size, ..Event::new(place, action) })
}
