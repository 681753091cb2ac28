//! The debug log of buffer.cpp: a block of lines for each buffer that comes or goes.
//!
//! The identity of a buffer is its host pointer, which is reused; buffers that own nothing never
//! get a block but that of their destructor (allocation-server.md 2.3).

use std::io;

use super::super::event::{
    Action, Device, Event, Memory, Object, Place, Process, Registered, Released,
};
use super::super::paths::Paths;
use super::chunks::Chunks;
use super::cursor::Cursor;
use crate::units::{Bytes, DeviceAddr};

/// Lines of a call stack that are kept; the log itself has eight.
const STACK_MAX: usize = 8;

/// A reader of the log.
pub struct BufferLog {
    chunks: Chunks,
    line: u64,
    block: Option<Block>,
    paths: Paths,
}

/// A block that is being read.
struct Block {
    event: Event,
    has_address: bool,
    /// The two forms of the address do not agree, as in a block that two threads wrote.
    differs: bool,
    hooked: bool,
    in_stack: bool,
    stack: Vec<String>,
}

impl BufferLog {
    pub fn new(chunks: Chunks) -> Self {
        Self { chunks, line: 0, block: None, paths: Paths::default() }
    }

    pub fn bytes(&self) -> u64 {
        self.chunks.taken()
    }

    pub fn lines(&self) -> u64 {
        self.line
    }

    pub fn paths(&self) -> &Paths {
        &self.paths
    }

    /// Reads some lines; false at the end.
    pub fn read(&mut self, events: &mut Vec<Event>) -> io::Result<bool> {
        let length = self.chunks.lines()?;
        if length == 0 {
            self.finish(events);
            return Ok(false);
        }
        let lines = self.chunks.available()[..length].to_vec();
        for line in lines.split_inclusive(|&byte| byte == b'\n') {
            self.line += 1;
            self.line(line, events);
        }
        self.chunks.take(length);
        Ok(true)
    }

    fn line(&mut self, line: &[u8], events: &mut Vec<Event>) {
        let is_indented = line.starts_with(b"    ");
        let line = line.trim_ascii();
        if let Some(action) = header(line) {
            self.finish(events);
            self.block = Some(Block {
                event: Event::new(Place(self.line), action),
                has_address: false,
                differs: false,
                hooked: false,
                in_stack: false,
                stack: Vec::new(),
            });
            return;
        }
        let Some(block) = &mut self.block else { return };
        if block.in_stack && is_indented && !line.is_empty() {
            if block.stack.len() < STACK_MAX {
                block.stack.push(String::from_utf8_lossy(line).into_owned());
            }
        } else if block.in_stack || line.starts_with("\u{2550}".as_bytes()) {
            // A separator can stand behind the header, too.
            if block.has_address {
                self.finish(events);
            }
        } else {
            // A line that is not understood leaves the block as it is: the address decides.
            let _ = block.field(line);
        }
    }

    fn finish(&mut self, events: &mut Vec<Event>) {
        let Some(block) = self.block.take() else { return };
        let path = (!block.stack.is_empty()).then(|| self.paths.id(&block.stack.join(" < ")));
        let event = Event { path, ..block.event };
        if !block.has_address || block.differs {
            events.push(Event { path, ..Event::new(event.place, Action::Torn) });
        }
        if block.has_address {
            // A hooked allocation never reached an allocator.
            let action = if block.hooked { Action::Other } else { event.action };
            events.push(Event { action, ..event });
        }
    }
}

fn header(line: &[u8]) -> Option<Action> {
    match line {
        b"BUFFER ALLOCATED" | b"=== Pre-Allocated Buffer Created ===" => {
            Some(Action::Alloc(Registered::Plain))
        }
        b"BUFFER DEALLOCATED" => Some(Action::Free(Released::Plain)),
        _ if line.starts_with(b"BUFFER DESTRUCTOR") => Some(Action::Destructor),
        _ => None,
    }
}

impl Block {
    fn field(&mut self, line: &[u8]) -> Option<()> {
        let mut cursor = Cursor::new(line);
        let event = &mut self.event;
        if cursor.has(b"Device: ") || cursor.has(b"Device ID: ") {
            event.device = Device(cursor.signed()?);
        } else if cursor.has(b"Address: ") {
            let first = cursor.id()?;
            event.address = DeviceAddr(first);
            self.has_address = true;
            cursor.text(b" (")?;
            self.differs = cursor.id()? != first;
        } else if cursor.has(b"Size: ") {
            event.size = Some(Bytes(cursor.number()?));
        } else if cursor.has(b"Type: ") {
            event.memory = Memory::from_name(cursor.word());
        } else if cursor.has(b"Buffer Type: ") {
            event.memory = match cursor.number() {
                Some(code) => Memory::from_code(code),
                None => Memory::from_name(cursor.word()),
            };
        } else if cursor.has(b"Buffer*: ") || cursor.has(b"Buffer Pointer: ") {
            event.object = Some(Object(cursor.id()?));
        } else if cursor.has(b"PID: ") {
            event.process = Some(Process(cursor.signed()?));
        } else if cursor.has(b"Hooked: ") {
            self.hooked = cursor.rest() == b"yes";
        } else if cursor.has(b"Call Stack:") {
            self.in_stack = true;
        }
        Some(())
    }
}
