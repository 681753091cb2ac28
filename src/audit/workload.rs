//! Inputs of any length, for measuring.

use std::io::{self, Read};

use super::event::{Action, Device, Event, Memory, Place, Process, Registered, Released};
use super::read::{Kind, wire};
use crate::choice::{Choices, Seeded};
use crate::units::{Bytes, DeviceAddr};

/// Devices that the keys are on.
const DEVICES: u64 = 8;

/// Keys that are freed, each with one that is registered for it, before everything repeats.
const ROUND: u64 = 1 << 18;

/// What is registered after a key was freed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Lifetimes {
    /// The same key, at once: allocators give the address again to whoever asks next.
    Reused,
    /// Any key that is not live, of twice as many as are: nothing is where it was before.
    Random,
}

impl Lifetimes {
    /// All of them.
    pub const ALL: [Self; 2] = [Self::Reused, Self::Random];

    /// What it is called.
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            Self::Reused => "keys used again at once",
            Self::Random => "random lifetimes",
        }
    }
}

/// A balanced log or stream: so many keys come, are freed in a random order, each with another
/// registered for it, and go.
///
/// ```
/// use std::io::Read;
/// use freeorder::audit::{Kind, Lifetimes, Workload};
/// let mut log = Workload::new(Kind::ServerLog, Lifetimes::Random, 100, 1 << 16);
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
    pub fn new(kind: Kind, lifetimes: Lifetimes, live: u64, bytes: u64) -> Self {
        let is_stream = kind == Kind::Wire;
        let mut choices = Seeded::new(1);
        let live = live.max(1) as usize;
        let keys: Vec<Event> = (0..2 * live as u64).map(|key| key_of(key, &mut choices)).collect();
        let mut parts = [Vec::new(), Vec::new(), Vec::new()];
        for key in &keys[..live] {
            write(&mut parts[0], key, true, is_stream);
            write(&mut parts[2], key, false, is_stream);
        }
        // The second half undoes the first backwards, so that the next round begins as this one.
        let half = (ROUND / 2 * 160).min(bytes / 2) as usize;
        let (mut order, mut steps) = ((0..keys.len()).collect::<Vec<_>>(), Vec::new());
        while parts[1].len() < half {
            let dead = choices.pick(live as u64) as usize;
            let next = match lifetimes {
                Lifetimes::Reused => dead,
                Lifetimes::Random => live + choices.pick(live as u64) as usize,
            };
            let step = (order[dead], order[next]);
            order.swap(dead, next);
            write(&mut parts[1], &keys[step.0], false, is_stream);
            write(&mut parts[1], &keys[step.1], true, is_stream);
            steps.push(step);
        }
        for (before, after) in steps.into_iter().rev() {
            write(&mut parts[1], &keys[after], false, is_stream);
            write(&mut parts[1], &keys[before], true, is_stream);
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

/// A key, so far from all others that no two overlap.
fn key_of(key: u64, choices: &mut impl Choices) -> Event {
    let sizes = [2048, 4096, 262_144, 4_194_304, 12_503_040];
    let size = sizes[choices.pick(sizes.len() as u64) as usize];
    let memory = if size < 5000 { Memory::L1 } else { Memory::Dram };
    Event {
        device: Device((key % DEVICES) as i32),
        address: DeviceAddr(1_048_640 + ((key / DEVICES) << 21)),
        size: Some(Bytes(size)),
        memory: Some(memory),
        process: Some(Process(1_714_322)),
        ..Event::new(Place(0), Action::Other)
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

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;

    use super::super::{Auditor, Options, Reader};
    use super::*;

    /// Over several rounds: each key is freed as often as it is registered, and never twice.
    #[test]
    fn every_workload_is_clean_and_has_the_keys_that_it_promises() {
        for kind in [Kind::ServerLog, Kind::Wire] {
            for (lifetimes, keys) in Lifetimes::ALL.into_iter().zip([50, 100]) {
                let mut workload = Workload::new(kind, lifetimes, 50, 60_000);
                workload.rounds = 3;
                let length = workload.length();
                let mut bytes = Vec::new();
                workload.read_to_end(&mut bytes).unwrap();
                assert_eq!(bytes.len() as u64, length);
                let options = Options { kind: Some(kind), record: None };
                let mut reader = Reader::new(Box::new(io::Cursor::new(bytes)), options).unwrap();
                let mut events = Vec::new();
                while reader.read(&mut events).unwrap() {}
                let mut auditor = Auditor::new(kind, 1);
                auditor.events_in(&events);
                auditor.finish();
                assert_eq!(auditor.findings().failing(), 0, "{kind}, {lifetimes:?}");
                let seen: BTreeSet<_> =
                    events.iter().map(|one| (one.device, one.address)).collect();
                assert_eq!(seen.len(), keys, "{kind}, {lifetimes:?}");
            }
        }
    }
}
