//! A client: what the processes of a scenario send, sent to a real server.

use std::collections::BTreeMap;
use std::io::{self, Read, Write};
use std::os::unix::net::UnixStream;
use std::path::PathBuf;
use std::time::Duration;

use crate::event::{Event, Observer, Tick};
use crate::fix::FixSet;
use crate::message::{AllocMessage, MessageKind};
use crate::scenario::{Scenario, run};
use crate::server::ServerKind;
use crate::units::{BufferType, Bytes, DeviceId};
use crate::wire::{Head, RecordType, Reply};

/// How long an answer is waited for.
const PATIENCE: Duration = Duration::from_secs(10);

/// Something that a scenario does to the server.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Note {
    /// A message reaches it: one record a device, in ascending order.
    Message(AllocMessage),
    /// A process dies, and its connection with it.
    Killed(u32),
    /// The scenario restarts its server here, which nobody can ask a real one to do.
    Restarted,
    /// The scenario's reaper removes what this process has left; a real one does so in its own
    /// time.
    Reaped(u32),
}

/// What reaches the server in a scenario under a set of fixes, in the order of arrival.
#[must_use]
pub fn messages(scenario: &Scenario, fixes: FixSet) -> Vec<Note> {
    let mut notes = Notes(Vec::new());
    // The messages do not depend on the server: the runtime never reads it.
    run(scenario, fixes, ServerKind::K2, 0, &mut notes);
    notes.0
}

struct Notes(Vec<Note>);

impl Observer for Notes {
    fn observe(&mut self, _: Tick, event: &Event<'_>) {
        match event {
            Event::Answered { message, .. } => self.0.push(Note::Message(**message)),
            Event::ProcessKilled { pid } => self.0.push(Note::Killed(*pid)),
            Event::ServerRestarted => self.0.push(Note::Restarted),
            Event::Reaped { pid, .. } => self.0.push(Note::Reaped(*pid)),
            _ => {}
        }
    }
}

/// What was sent.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Sent {
    /// ALLOC records.
    pub alloc: u64,
    /// FREE records.
    pub free: u64,
    /// QUERY and DEVICE_INFO_QUERY records, and requests for dumps.
    pub other: u64,
    /// Connections that were made.
    pub connections: u64,
}

/// The simulated clients, each with a connection of its own.
pub struct Sender {
    socket: PathBuf,
    size: usize,
    connections: BTreeMap<u32, UnixStream>,
    /// Who sent last: before another one sends, the server has read that.
    last: Option<u32>,
    sent: Sent,
}

impl Sender {
    /// Clients that send records of that size to that socket.
    #[must_use]
    pub fn new(socket: PathBuf, size: usize) -> Self {
        Self { socket, size, connections: BTreeMap::new(), last: None, sent: Sent::default() }
    }

    /// What was sent so far.
    #[must_use]
    pub fn sent(&self) -> Sent {
        self.sent
    }

    /// Sends a message: one record a device, with a send() each.
    ///
    /// # Errors
    /// If the server cannot be reached, or does not answer.
    pub fn message(&mut self, message: &AllocMessage) -> io::Result<()> {
        self.turn_of(message.pid)?;
        for device in message.devices.iter() {
            self.write(message.pid, &head(message, device))?;
            match message.kind {
                MessageKind::Alloc => self.sent.alloc += 1,
                MessageKind::Free => self.sent.free += 1,
            }
        }
        Ok(())
    }

    /// Closes the connection of a process, as its death does. The server has read everything.
    ///
    /// # Errors
    /// If the server does not answer.
    pub fn kill(&mut self, pid: u32) -> io::Result<()> {
        if self.connections.contains_key(&pid) {
            self.ask(pid, RecordType::Query, 0)?;
            self.connections.remove(&pid);
        }
        self.last = self.last.filter(|&last| last != pid);
        Ok(())
    }

    /// Asks the server something, and answers its answer.
    ///
    /// # Errors
    /// If the server cannot be reached, does not answer, or answers something else.
    pub fn ask(&mut self, pid: u32, kind: RecordType, device: i32) -> io::Result<Reply> {
        let process = i32::try_from(pid).unwrap_or(i32::MAX);
        self.write(pid, &Head { code: kind as u8, device, process, ..Head::default() })?;
        self.sent.other += 1;
        let mut record = vec![0; self.size];
        let stream = self.connection(pid)?;
        stream.read_exact(&mut record).map_err(|error| match error.kind() {
            io::ErrorKind::WouldBlock | io::ErrorKind::TimedOut => {
                io::Error::other("the server does not answer; does it speak this version?")
            }
            _ => error,
        })?;
        Reply::read(&record).ok_or_else(|| io::Error::other("what the server sends is no answer"))
    }

    /// Asks the server to print something.
    ///
    /// # Errors
    /// If the server cannot be reached.
    pub fn request(&mut self, pid: u32, kind: RecordType) -> io::Result<()> {
        self.turn_of(pid)?;
        let process = i32::try_from(pid).unwrap_or(i32::MAX);
        self.sent.other += 1;
        self.write(pid, &Head { code: kind as u8, process, ..Head::default() })
    }

    /// Two connections are two queues: what was sent on one is read before another one is used.
    ///
    /// # Errors
    /// If the server does not answer.
    pub fn turn_of(&mut self, pid: u32) -> io::Result<()> {
        if let Some(last) = self.last.filter(|&last| last != pid) {
            self.ask(last, RecordType::Query, 0)?;
        }
        self.last = Some(pid);
        Ok(())
    }

    fn write(&mut self, pid: u32, head: &Head) -> io::Result<()> {
        let record = head.record(self.size);
        self.connection(pid)?.write_all(&record)
    }

    fn connection(&mut self, pid: u32) -> io::Result<&mut UnixStream> {
        if !self.connections.contains_key(&pid) {
            let stream = UnixStream::connect(&self.socket)?;
            stream.set_read_timeout(Some(PATIENCE))?;
            stream.set_write_timeout(Some(PATIENCE))?;
            self.sent.connections += 1;
            self.connections.insert(pid, stream);
        }
        Ok(self.connections.get_mut(&pid).expect("it was there, or was made"))
    }
}

/// The fields as clients fill them in (allocation-server.md 1.2): a FREE says neither size, nor
/// memory, nor time.
fn head(message: &AllocMessage, device: DeviceId) -> Head {
    let AllocMessage { kind, address, size, buffer_type, pid, .. } = *message;
    let (device, process) = (i32::from(device.0), i32::try_from(pid).unwrap_or(i32::MAX));
    let head = Head { device, process, buffer: address, ..Head::default() };
    match kind {
        MessageKind::Alloc => {
            let memory = memory(buffer_type);
            Head { code: RecordType::Alloc as u8, size, memory, ..head }
        }
        MessageKind::Free => Head { code: RecordType::Free as u8, size: Bytes(0), ..head },
    }
}

/// The code of tt-metal's `BufferType`.
fn memory(buffer_type: BufferType) -> u8 {
    use crate::audit::Memory;
    (match buffer_type {
        BufferType::Dram => Memory::Dram,
        BufferType::L1 => Memory::L1,
        BufferType::L1Small => Memory::L1Small,
        BufferType::Trace => Memory::Trace,
    }) as u8
}
