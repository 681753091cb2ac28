//! Inputs of any length, for measuring.

use std::io::{self, Read};

use super::event::{Action, Device, Event, Memory, Place, Process, Registered, Released};
use super::read::{Kind, wire};
use crate::choice::{Choices, Seeded};
use crate::units::{Bytes, DeviceAddr};

/// Devices that the keys are on.
const DEVICES: u64 = 8;

/// Keys that are freed and registered again before everything repeats.
const ROUND: u64 = 1 << 18;

/// A balanced log or stream: so many keys come, are freed and registered again in a random order,
/// and go.
///
/// ```
/// use std::io::Read;
/// use freeorder::audit::{Kind, Workload};
/// let mut log = Workload::new(Kind::ServerLog, 100, 1 << 16);
/// let mut text = String::new();
/// log.read_to_string(&mut text)?;
/// assert!(text.len() >= 1 << 16 && text.ends_with("bytes, FINAL)\n"));
/// # Ok::<(), std::io::Error>(())
/// ```
pub struct Workload {
    parts: [Vec<u8>; 3],
    part: usize,
    at: usize,
    rounds: u64,
}

impl Workload {
    /// A workload of at least so many bytes. Of the kinds, the stream has records of 72 bytes, and
    /// all others are the log.
    #[must_use]
    pub fn new(kind: Kind, live: u64, bytes: u64) -> Self {
        let is_stream = kind == Kind::Wire;
        let mut choices = Seeded::new(1);
        let sizes = [2048, 4096, 262_144, 4_194_304, 12_503_040];
        let keys: Vec<Event> = (0..live.max(1))
            .map(|key| {
                let size = sizes[choices.pick(sizes.len() as u64) as usize];
                let memory = if size < 5000 { Memory::L1 } else { Memory::Dram };
                Event {
                    device: Device((key % DEVICES) as i32),
                    // So far apart that no two of them overlap.
                    address: DeviceAddr(1_048_640 + ((key / DEVICES) << 21)),
                    size: Some(Bytes(size)),
                    memory: Some(memory),
                    process: Some(Process(1_714_322)),
                    ..Event::new(Place(0), Action::Other)
                }
            })
            .collect();
        let mut parts = [Vec::new(), Vec::new(), Vec::new()];
        for key in &keys {
            write(&mut parts[0], key, true, is_stream);
            write(&mut parts[2], key, false, is_stream);
        }
        while parts[1].len() < (ROUND * 160).min(bytes) as usize {
            let key = &keys[choices.pick(live.max(1)) as usize];
            write(&mut parts[1], key, false, is_stream);
            write(&mut parts[1], key, true, is_stream);
        }
        let around = (parts[0].len() + parts[2].len()) as u64;
        let rounds = bytes.saturating_sub(around).div_ceil(parts[1].len().max(1) as u64);
        Self { parts, part: 0, at: 0, rounds }
    }

    /// How many bytes it has.
    #[must_use]
    pub fn length(&self) -> u64 {
        let length = |part: usize| self.parts[part].len() as u64;
        length(0) + self.rounds * length(1) + length(2)
    }
}

fn write(out: &mut Vec<u8>, key: &Event, is_alloc: bool, is_stream: bool) {
    use std::io::Write as _;
    if is_stream {
        let action = match is_alloc {
            true => Action::Alloc(Registered::Plain),
            false => Action::Free(Released::Plain),
        };
        let size = wire::RECORD_SIZES[0];
        out.extend(wire::record(&Event { action, ..*key }, size).into_iter().flatten());
        return;
    }
    let (device, address) = (key.device, key.address);
    let (size, process) = (key.size.unwrap_or_default(), key.process.unwrap_or_default());
    let memory = key.memory.unwrap_or_default();
    let written = match is_alloc {
        true => writeln!(
            out,
            "\u{2713} [PID {process}] Allocated {size} bytes of {memory} on device {device} \
             (buffer_id={address})"
        ),
        false => writeln!(
            out,
            "\u{2717} [PID {process}] Freed buffer {address} on device {device} \
             ({size} bytes, FINAL)"
        ),
    };
    written.expect("a vector takes everything");
}

impl Read for Workload {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        loop {
            let Some(part) = self.parts.get(self.part) else { return Ok(0) };
            let rest = &part[self.at..];
            if !rest.is_empty() && (self.part != 1 || self.rounds > 0) {
                let count = rest.len().min(buffer.len());
                buffer[..count].copy_from_slice(&rest[..count]);
                self.at += count;
                return Ok(count);
            }
            self.at = 0;
            self.rounds = self.rounds.saturating_sub(u64::from(self.part == 1));
            self.part += usize::from(self.part != 1 || self.rounds == 0);
        }
    }
}
