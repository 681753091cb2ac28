//! The client end of the socket: tt-metal's `allocation_client.cpp` (allocation-server.md 1.6).

use super::{Runtime, Surroundings, decide};
use crate::event::Event;
use crate::fix::Fix;
use crate::journal::{Fingerprint, mix};
use crate::mark::Mark;
use crate::message::{AllocMessage, MessageKind};
use crate::op::Stream;
use crate::units::Lanes;

/// The state of the client and of its sockets.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Client {
    /// Whether anything is reported.
    pub tracking: bool,
    /// How many more messages find the socket full.
    pub full_for: u32,
    /// Whether the server has stopped reading the socket.
    pub stalled: bool,
    /// Whether a second socket is open.
    pub reconnected: bool,
    /// What is unread in the old socket, oldest first.
    pub old: Vec<AllocMessage>,
    /// What is unread in the new one.
    pub new: Vec<AllocMessage>,
}

impl Fingerprint for Client {
    fn fingerprint(&self) -> u64 {
        let flags = u64::from(self.tracking)
            | u64::from(self.stalled) << 1
            | u64::from(self.reconnected) << 2
            | u64::from(self.full_for) << 8;
        let unread = self.old.iter().chain(&self.new);
        unread.fold(mix(flags, self.old.len() as u64), |hash, message| {
            let AllocMessage { kind, buffer_type, path, released_by, .. } = *message;
            let kinds = [kind as u8, buffer_type as u8, path as u8, released_by as u8];
            let kinds = u64::from(u32::from_le_bytes(kinds));
            let AllocMessage { devices, address, size, owner, sender, pid, .. } = *message;
            let sender = sender.unique_id;
            let words = [devices.0, address.0, owner.0, sender.0, size.0, u64::from(pid)];
            words.iter().fold(mix(hash, kinds), |hash, &word| mix(hash, word))
        })
    }
}

impl Runtime {
    /// `AllocationClient::report_allocation` and `report_deallocation`, of at least one device.
    #[inline]
    pub(super) fn report<S: Surroundings>(&mut self, out: &mut S, message: &AllocMessage) {
        if !self.client.tracking {
            if message.kind == MessageKind::Alloc {
                out.emit(Event::Reached(Mark::AllocatedUntracked));
            }
            return;
        }
        if self.client.full_for > 0 || self.client.stalled || self.client.reconnected {
            self.report_under_stress(out, message);
        } else {
            out.emit(Event::Sent(message));
            out.deliver(message);
        }
    }

    /// A full, unread or replaced socket.
    #[cold]
    fn report_under_stress<S: Surroundings>(&mut self, out: &mut S, message: &AllocMessage) {
        let mut devices = message.devices;
        if self.client.full_for > 0 {
            let full_for = self.client.full_for;
            let first: Vec<_> = devices.iter().take(full_for as usize).collect();
            let met = first.into_iter().fold(Lanes::NONE, |met, id| met.or(Lanes::one(id)));
            self.client.update(|client| client.full_for -= met.count());
            // allocation-server.md 5.2 #19: "Non-blocking send: EAGAIN = dropped message [...]";
            // a blocking sender waits until the socket drains.
            if !self.fixes.has(Fix::BlockingSend) {
                out.emit(Event::Lost(&message.to(met)));
                out.emit(Event::Reached(Mark::MessageLost));
                devices = devices.minus(met);
            }
        }
        if devices.is_empty() {
            return;
        }
        let message = message.to(devices);
        out.emit(Event::Sent(&message));
        match decide::queue(self.client.stalled, self.client.reconnected) {
            Some(Stream::New) => self.client.update(|client| client.new.push(message)),
            Some(Stream::Old) => self.client.update(|client| client.old.push(message)),
            None => out.deliver(&message),
        }
    }

    /// The client opens a new socket; the server has a thread for each and reads both.
    pub(crate) fn reconnect<S: Surroundings>(&mut self, out: &mut S) -> bool {
        if self.client.reconnected {
            return false;
        }
        if decide::reads_old_first(&self.fixes) {
            self.drain(out, Stream::Old);
            self.client.update(|client| client.stalled = false);
        } else {
            if !self.client.old.is_empty() {
                out.emit(Event::Reached(Mark::ReconnectedWithUnread));
            }
            self.client.update(|client| {
                client.reconnected = true;
                client.stalled = false;
            });
        }
        true
    }

    /// The server reads everything that is left in a socket.
    pub(crate) fn drain<S: Surroundings>(&mut self, out: &mut S, stream: Stream) {
        while self.deliver_one(out, stream) {}
    }

    /// The server reads the oldest message of a socket; false if there is none.
    pub(crate) fn deliver_one<S: Surroundings>(&mut self, out: &mut S, stream: Stream) -> bool {
        let unread = match stream {
            Stream::Old => &self.client.old,
            Stream::New => &self.client.new,
        };
        let Some(&message) = unread.first() else {
            return false;
        };
        if stream == Stream::New && !self.client.old.is_empty() {
            out.emit(Event::Reached(Mark::MessageOvertook));
        }
        self.client.update(|client| match stream {
            Stream::Old => client.old.remove(0),
            Stream::New => client.new.remove(0),
        });
        out.deliver(&message);
        true
    }

    /// Whether a socket holds unread messages.
    #[inline]
    pub(crate) fn has_unread(&self, stream: Stream) -> bool {
        match stream {
            Stream::Old => !self.client.old.is_empty(),
            Stream::New => !self.client.new.is_empty(),
        }
    }
}
