//! What must hold of every input of the auditor, and how inputs are made from real ones.

use std::io::{self, Read};

use crate::audit::{
    Action, Auditor, Counted, CounterOf, Device, Event, Kind, Memory, Options, Place, Process,
    ReadError, Reader, Registered, Released, shm, wire,
};
use crate::choice::Choices;
use crate::units::{Bytes, DeviceAddr};

/// The longest message that is still one clear sentence.
const MESSAGE_MAX: usize = 1000;

/// Findings of each kind that are kept; all are counted.
const KEPT: usize = 100;

/// The targets that read what an audit reads.
pub const TARGETS: [(&str, Kind); 4] = [
    ("graph_json", Kind::Graph),
    ("server_log", Kind::ServerLog),
    ("shm", Kind::Shm),
    ("wire", Kind::Wire),
];

/// Inputs with which the targets start.
const LOGS: [&[u8]; 5] = [
    include_bytes!("../../tests/data/audit/k0.log"),
    include_bytes!("../../tests/data/audit/k1.log"),
    include_bytes!("../../tests/data/audit/k2.log"),
    include_bytes!("../../tests/data/audit/k2e.log"),
    include_bytes!("../../tests/data/audit/c4.log"),
];
const DEBUG_LOG: &[u8] = include_bytes!("../../tests/data/audit/buffer-debug.log");
const REPORT: &[u8] = include_bytes!("../../tests/data/audit/report.sqlite");
const CAPTURES: [&[u8]; 2] = [
    include_bytes!("../../tests/data/audit/old-report.graph.json"),
    include_bytes!("../../tests/data/audit/t3k-submesh.graph.json"),
];

/// A source that gives a few bytes at a time, as sockets and pipes do.
struct Stepped {
    bytes: Vec<u8>,
    at: usize,
    step: usize,
}

impl Read for Stepped {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        let rest = &self.bytes[self.at..];
        let count = self.step.min(buffer.len()).min(rest.len());
        buffer[..count].copy_from_slice(&rest[..count]);
        self.at += count;
        Ok(count)
    }
}

/// Reads and audits some bytes, so many at a time; what came of it, as text.
fn audited(bytes: &[u8], kind: Kind, step: usize) -> Result<(Vec<Event>, String), ReadError> {
    let source = Stepped { bytes: bytes.to_vec(), at: 0, step };
    let mut reader = Reader::new(Box::new(source), Options { kind: Some(kind), record: None })?;
    let mut events = Vec::new();
    while reader.read(&mut events)? {}
    let mut auditor = Auditor::new(kind, KEPT);
    auditor.events_in(&events);
    auditor.finish();
    let devices: Vec<_> = auditor.devices().iter().collect();
    let findings = auditor.findings();
    Ok((events, format!("{devices:?} {:?} {}", findings.kept(), findings.failing())))
}

/// Checks that an input is events or one error, the same in whatever pieces it comes.
///
/// # Errors
/// With what does not hold.
pub fn check(bytes: &[u8], kind: Kind) -> Result<(), String> {
    is_read(bytes, kind).map(drop)
}

/// The same, and whether it is events.
///
/// # Errors
/// With what does not hold.
pub fn is_read(bytes: &[u8], kind: Kind) -> Result<bool, String> {
    let whole = match audited(bytes, kind, usize::MAX) {
        Ok(whole) => whole,
        Err(error) if error.to_string().len() > MESSAGE_MAX => {
            return Err(format!("a message of {} bytes", error.to_string().len()));
        }
        Err(_) => return Ok(false),
    };
    let step = 1 + bytes.len() % 61;
    match audited(bytes, kind, step) {
        Err(error) => Err(format!("in pieces of {step} bytes: {error}")),
        Ok(pieces) if pieces != whole => {
            Err(format!("pieces of {step} bytes are audited otherwise"))
        }
        Ok(_) => Ok(true),
    }
}

/// The inputs with which the target of a kind starts: none of a kind that this program cannot read.
#[must_use]
pub fn seeds(kind: Kind) -> Vec<Vec<u8>> {
    match kind {
        Kind::ServerLog => LOGS.map(<[u8]>::to_vec).to_vec(),
        Kind::BufferLog => vec![DEBUG_LOG.to_vec()],
        Kind::Graph => CAPTURES.map(<[u8]>::to_vec).to_vec(),
        Kind::Wire => wire::RECORD_SIZES.map(stream).to_vec(),
        Kind::Shm => (1..=4).map(|version| shm::region(version, &counters())).collect(),
        Kind::ReportDb if cfg!(feature = "sqlite") => vec![REPORT.to_vec()],
        Kind::ReportDb => Vec::new(),
    }
}

fn stream(size: usize) -> Vec<u8> {
    let actions = [
        Action::Alloc(Registered::Plain),
        Action::Alloc(Registered::Plain),
        Action::CircularAlloc,
        Action::Free(Released::Plain),
        Action::CircularFree,
    ];
    let messages = actions.into_iter().zip([0, 1, 1, 0, 1]).map(|(action, device)| Event {
        device: Device(device),
        address: DeviceAddr(1_048_640),
        size: Some(Bytes(4096)),
        memory: Some(Memory::Dram),
        process: Some(Process(4242)),
        ..Event::new(Place(0), action)
    });
    messages.filter_map(|event| wire::record(&event, size)).flatten().collect()
}

fn counters() -> Vec<Event> {
    let counter = |of, id| Event {
        device: Device(id),
        process: Some(Process(id)),
        size: Some(Bytes(4096)),
        ..Event::new(Place(0), Action::Counter(of, Counted::L1))
    };
    vec![counter(CounterOf::Region, 0), counter(CounterOf::Chip, 1), counter(CounterOf::Process, 7)]
}

/// The nodes of a capture, each as it is written.
pub struct Nodes(Vec<String>);

impl Nodes {
    /// Those of a capture that is a list of nodes; of a report there are none.
    #[must_use]
    pub fn of(capture: &[u8]) -> Self {
        let nodes: Vec<serde_json::Value> = serde_json::from_slice(capture).unwrap_or_default();
        Self(nodes.iter().map(ToString::to_string).collect())
    }

    /// Some of them in a row, in no more than so many bytes, as a capture: some are missing, twice
    /// there, or in another place.
    pub fn some(&self, choices: &mut impl Choices, bytes_max: usize) -> Vec<u8> {
        let from = choices.pick(self.0.len() as u64) as usize;
        let mut length = 2;
        let fits = |node: &&String| {
            length += node.len() + 1;
            length <= bytes_max
        };
        let mut nodes: Vec<&str> =
            self.0[from..].iter().take_while(fits).map(String::as_str).collect();
        for _ in 0..choices.pick(4) {
            let mut place = || choices.pick(nodes.len() as u64) as usize;
            let (at, to) = (place(), place());
            match choices.pick(3) {
                _ if nodes.is_empty() => {}
                0 => drop(nodes.remove(at)),
                1 => nodes.insert(to, nodes[at]),
                _ => nodes.swap(at, to),
            }
        }
        format!("[{}]", nodes.join(",")).into_bytes()
    }
}

/// Changes some bytes: single ones, numbers, stretches; what is left is mostly still an input.
pub fn mutate(choices: &mut impl Choices, bytes: &mut Vec<u8>) {
    change(choices, bytes, WAYS);
}

/// The same without moving any: what lies at a fixed place is still there.
pub fn mutate_in_place(choices: &mut impl Choices, bytes: &mut Vec<u8>) {
    change(choices, bytes, WAYS_IN_PLACE);
}

/// Ways to change bytes; the first leave all others where they are.
const WAYS: u64 = 8;
const WAYS_IN_PLACE: u64 = 4;

fn change(choices: &mut impl Choices, bytes: &mut Vec<u8>, ways: u64) {
    for _ in 0..=choices.pick(4) {
        if bytes.is_empty() {
            bytes.push(choices.pick(256) as u8);
        }
        let at = choices.pick(bytes.len() as u64) as usize;
        let length = (choices.pick(80) as usize).min(bytes.len() - at);
        match choices.pick(ways) {
            0 => bytes[at] ^= 1 << choices.pick(8),
            1 => bytes[at] = choices.pick(256) as u8,
            2 => {
                let digits = bytes.iter().skip(at).position(u8::is_ascii_digit);
                if let Some(digit) = digits {
                    bytes[at + digit] = b'0' + choices.pick(10) as u8;
                }
            }
            3 => bytes[at..at + length].fill([0, 0xff][choices.pick(2) as usize]),
            4 => drop(bytes.drain(at..at + length)),
            5 => {
                let piece = bytes[at..at + length].to_vec();
                let to = choices.pick(bytes.len() as u64 + 1) as usize;
                bytes.splice(to..to, piece);
            }
            6 => bytes.truncate(at),
            _ => {
                let word = [&b"18446744073709551615"[..], b"-1", b"0x", b"\n", b"\"", b"[PID "];
                let word = word[choices.pick(word.len() as u64) as usize];
                bytes.splice(at..at, word.iter().copied());
            }
        }
    }
}
