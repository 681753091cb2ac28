//! What a message does: books, recording, answers, and what is printed.

use std::collections::BTreeMap;
use std::fmt::Write as _;
use std::io;

use nix::errno::Errno;
use nix::sys::signal::kill;
use nix::unistd::Pid;

use super::audience::Unprinted;
use super::framing::Broken;
use super::log;
use super::machine::device_info;
use super::message::{Item, Message, Refusal};
use super::recording::Recording;
use super::table::{Answer, Table};
use crate::allocator::memory_map::Machine;
use crate::wire::{Head, RecordType, Reply};

/// Refusals that are explained, of one connection; all are counted.
const EXPLAINED_MAX: u32 = 10;

/// Processes that a connection can speak for and be alive for; a real client is one.
const PROCESSES_MAX: usize = 64;

/// What came in, besides what the devices count.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Counts {
    /// Connections.
    pub connections: u64,
    /// Connections that are open.
    pub open: u64,
    /// Messages: whole records.
    pub messages: u64,
    /// Messages that made no sense.
    pub refused: u64,
    /// What was no message.
    pub broken: Broken,
    /// Connections that were closed because they sent nothing else.
    pub hopeless: u64,
    /// Messages that should have been printed, and were not: nobody read what was.
    pub unprinted: u64,
}

/// What is known of the sender of a message, besides how its bytes are cut.
#[derive(Debug, Default)]
pub(super) struct Client {
    /// Answers that wait to be sent.
    pub(super) out: Vec<u8>,
    /// For whom it spoke, the last one first.
    processes: Vec<i32>,
    refused: u32,
}

/// Everything but the sockets.
pub(super) struct State {
    pub(super) table: Table,
    pub(super) recording: Option<Recording>,
    pub(super) machine: Option<Machine>,
    pub(super) counts: Counts,
    /// Print each message.
    pub(super) log: bool,
    /// What waits to be printed.
    pub(super) unprinted: Unprinted,
    /// For how many connections each process has spoken that are open.
    connected: BTreeMap<i32, u32>,
}

impl State {
    pub(super) fn new(table: Table, recording: Option<Recording>) -> Self {
        Self {
            table,
            recording,
            machine: None,
            counts: Counts::default(),
            log: false,
            unprinted: Unprinted::default(),
            connected: BTreeMap::new(),
        }
    }

    /// Takes a message: the head of a record of that size.
    #[inline]
    pub(super) fn message(&mut self, record: &[u8], size: usize, client: &mut Client) {
        self.counts.messages += 1;
        if let Some(recording) = &mut self.recording {
            recording.push(record);
        }
        let done = match Message::of(&Head::of(record)) {
            Ok(Message::Alloc(item)) => self.alloc(&item, client),
            Ok(Message::Free(item)) => {
                self.free(&item, client);
                Ok(())
            }
            Ok(message) => self.rare(message, size, client),
            Err(refusal) => Err(refusal),
        };
        if let Err(refusal) = done {
            self.refuse(&refusal, client);
        }
    }

    #[inline]
    fn alloc(&mut self, item: &Item, client: &mut Client) -> Result<(), Refusal> {
        self.speaks_for(item.process, client);
        let answer = self.table.alloc(item)?;
        if self.log && self.unprinted.has_room() {
            log::alloc(&mut self.unprinted.lines, self.table.semantics(), item, answer);
        }
        Ok(())
    }

    #[inline]
    fn free(&mut self, item: &Item, client: &mut Client) {
        self.speaks_for(item.process, client);
        let answer: Answer = self.table.free(item);
        if self.log && self.unprinted.has_room() {
            log::free(&mut self.unprinted.lines, self.table.semantics(), item, answer);
        }
    }

    fn rare(&mut self, message: Message, size: usize, client: &mut Client) -> Result<(), Refusal> {
        match message {
            Message::Query(device) => {
                let totals = self.table.totals(device);
                let reply = Reply { totals, ..Reply::new(RecordType::Response, device) };
                reply.write(size, &mut client.out);
            }
            Message::DeviceInfo(device) => {
                let info = device_info(self.machine, device);
                let reply = Reply { info, ..Reply::new(RecordType::DeviceInfoResponse, device) };
                reply.write(size, &mut client.out);
            }
            Message::DumpRemaining => {
                let has_room = self.unprinted.has_room_for_a_dump();
                if has_room {
                    self.unprinted.lines.push_str(&log::dump_request());
                }
                self.reap();
                if has_room {
                    self.unprinted.lines.push_str(&log::dump(&self.table));
                }
            }
            Message::DumpKernels => {
                if self.unprinted.has_room_for_a_dump() {
                    self.unprinted.lines.push_str(&log::dump_kernels(&self.table));
                }
            }
            Message::CircularAlloc(item) | Message::CircularFree(item) => {
                self.speaks_for(item.process, client);
                let came = matches!(message, Message::CircularAlloc(_));
                if came {
                    self.table.circular_alloc(&item)?;
                } else {
                    self.table.circular_free(&item);
                }
                if self.log && self.unprinted.has_room() {
                    let total = self.table.totals(item.device.0.into()).circular;
                    log::circular(&mut self.unprinted.lines, &item, came, total);
                }
            }
            Message::KernelLoad(item, kind) => {
                self.speaks_for(item.process, client);
                self.table.kernel_load(&item, kind)?;
                self.log_kernel(&item, Some(kind), true);
            }
            Message::KernelUnload(item) => {
                self.speaks_for(item.process, client);
                let kind = self.table.kernel_unload(&item);
                self.log_kernel(&item, kind, false);
            }
            Message::Alloc(_) | Message::Free(_) => unreachable!("the common messages are above"),
        }
        Ok(())
    }

    fn log_kernel(&mut self, item: &Item, kind: Option<u8>, came: bool) {
        if let Some(kind) = kind.filter(|_| self.log && self.unprinted.has_room()) {
            let total = self.table.totals(item.device.0.into()).kernels;
            log::kernel(&mut self.unprinted.lines, item, kind, came, total);
        }
    }

    #[cold]
    fn refuse(&mut self, refusal: &Refusal, client: &mut Client) {
        self.counts.refused += 1;
        client.refused += 1;
        if client.refused > EXPLAINED_MAX || !self.unprinted.has_room() {
            return;
        }
        let warnings = &mut self.unprinted.warnings;
        let _ = writeln!(warnings, "\u{26a0}\u{fe0f}  {refusal}");
        if client.refused == EXPLAINED_MAX {
            warnings.push_str("further such messages of this connection are only counted\n");
        }
    }

    /// Notes that a process has a connection, so that it lives.
    #[inline]
    fn speaks_for(&mut self, process: i32, client: &mut Client) {
        if client.processes.first() != Some(&process) {
            self.also_speaks_for(process, client);
        }
    }

    #[cold]
    fn also_speaks_for(&mut self, process: i32, client: &mut Client) {
        if let Some(at) = client.processes.iter().position(|&known| known == process) {
            client.processes.swap(0, at);
        } else if client.processes.len() < PROCESSES_MAX {
            client.processes.insert(0, process);
            *self.connected.entry(process).or_default() += 1;
        }
    }

    /// A connection is closed.
    pub(super) fn gone(&mut self, client: &Client, broken: Broken) {
        for process in &client.processes {
            if let Some(count) = self.connected.get_mut(process) {
                *count -= 1;
                if *count == 0 {
                    self.connected.remove(process);
                }
            }
        }
        self.counts.open -= 1;
        self.counts.broken.skipped += broken.skipped;
        self.counts.broken.torn += broken.torn;
    }

    /// Removes what dead processes have left.
    pub(super) fn reap(&mut self) {
        let connected = &self.connected;
        let removed = self.table.reap(|pid| !connected.contains_key(&pid) && is_dead(pid));
        if !removed.is_empty() && self.unprinted.has_room() {
            self.unprinted.lines.push_str(&log::reaped(&removed));
        }
    }

    /// Hands the recording to the system: before anything is answered, and before waiting.
    pub(super) fn flush(&mut self) -> io::Result<()> {
        self.recording.as_mut().map_or(Ok(()), Recording::flush)
    }
}

/// Whether there is no such process. One that this server may not signal is there: EPERM is not
/// ESRCH, although the stored servers take every failure for a death (allocation-server.md 1.7).
fn is_dead(pid: i32) -> bool {
    kill(Pid::from_raw(pid), None) == Err(Errno::ESRCH)
}
