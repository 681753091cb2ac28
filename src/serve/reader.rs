//! A thread's share of the connections: it sleeps until one of them has something to say.

use std::io;
use std::os::fd::AsFd;
use std::os::unix::net::UnixStream;
use std::time::Instant;

use nix::sys::epoll::{Epoll, EpollCreateFlags, EpollEvent, EpollFlags, EpollTimeout};

use super::ServeError;
use super::connection::{Connection, Fate};
use super::shared::Shared;

/// What is read of a client at once.
const BUFFER: usize = 256 << 10;

/// From here on, a token is no connection; this one is the bell.
const BELL: u64 = u64::MAX - 7;

/// The most tokens of its owner, which count down from the largest number.
pub(super) const OTHERS_MAX: u64 = u64::MAX - BELL;

/// A reader.
pub(super) struct Reader<'s> {
    shared: &'s Shared<'s>,
    number: usize,
    epoll: Epoll,
    events: Vec<EpollEvent>,
    connections: Vec<Option<Connection>>,
    free: Vec<usize>,
    buffer: Vec<u8>,
    /// Connections whose first bytes may be a whole record.
    undecided: Vec<usize>,
    /// Connections that may have something to send.
    answering: Vec<usize>,
    /// Connections of which everything has been read.
    ending: Vec<usize>,
    /// Tokens of its owner that were ready in the last round.
    pub(super) others: Vec<u64>,
}

impl<'s> Reader<'s> {
    /// The reader of that number.
    pub(super) fn new(shared: &'s Shared<'s>, number: usize) -> Result<Self, ServeError> {
        let epoll = Epoll::new(EpollCreateFlags::EPOLL_CLOEXEC).map_err(io::Error::from)?;
        let reader = Self {
            shared,
            number,
            epoll,
            events: Vec::new(),
            connections: Vec::new(),
            free: Vec::new(),
            buffer: vec![0; BUFFER],
            undecided: Vec::new(),
            answering: Vec::new(),
            ending: Vec::new(),
            others: Vec::new(),
        };
        reader.watch(shared.bell(number), BELL).map_err(io::Error::from)?;
        Ok(reader)
    }

    /// Looks at something else, too.
    pub(super) fn watch(&self, other: impl AsFd, token: u64) -> nix::Result<()> {
        self.epoll.add(other, EpollEvent::new(EpollFlags::EPOLLIN, token))
    }

    /// No longer.
    pub(super) fn unwatch(&self, other: impl AsFd) -> nix::Result<()> {
        self.epoll.delete(other)
    }

    /// Reads until all readers are to stop.
    pub(super) fn run(mut self) -> Result<Self, ServeError> {
        let _stop = self.shared.until_dropped();
        while !self.shared.is_stopping() {
            self.round(None)?;
        }
        Ok(self)
    }

    /// Waits, reads whoever has something to say, records that, and answers.
    pub(super) fn round(&mut self, until: Option<Instant>) -> Result<(), ServeError> {
        let (asked, at_once) = self.shared.asked(self.number);
        self.fetch()?;
        let mut events = std::mem::take(&mut self.events);
        // Room for all that can be ready: after one round, everything that was there has been read.
        events.resize(self.connections.len() + OTHERS_MAX as usize + 1, EpollEvent::empty());
        let timeout = if at_once { EpollTimeout::ZERO } else { self.timeout(until) };
        let ready = match self.epoll.wait(&mut events, timeout) {
            Ok(ready) => ready,
            Err(nix::errno::Errno::EINTR) => 0,
            Err(error) => return Err(ServeError::System(error.into())),
        };
        for event in &events[..ready] {
            match event.data() {
                // It rings until it is heard.
                BELL => drop(self.shared.bell(self.number).read()),
                token if token > BELL => self.others.push(token),
                token => self.ready(token as usize),
            }
        }
        self.events = events;
        self.silences();
        self.answer()?;
        // Who waits for the printing may have left something unread.
        if !self.shared.is_behind() {
            self.shared.caught_up(self.number, asked);
        }
        Ok(())
    }

    fn timeout(&self, until: Option<Instant>) -> EpollTimeout {
        let of = |index: &usize| self.connections[*index].as_ref().and_then(Connection::whole_at);
        let Some(next) = self.undecided.iter().filter_map(of).chain(until).min() else {
            return EpollTimeout::NONE;
        };
        let wait = next.saturating_duration_since(Instant::now());
        let milliseconds = wait.as_micros().div_ceil(1000);
        u16::try_from(milliseconds).map_or(EpollTimeout::from(u16::MAX), EpollTimeout::from)
    }

    /// Takes the connections that it was given.
    fn fetch(&mut self) -> Result<(), ServeError> {
        self.shared.given(self.number).into_iter().try_for_each(|stream| self.add(stream))
    }

    fn add(&mut self, stream: UnixStream) -> Result<(), ServeError> {
        let index = self.free.pop().unwrap_or_else(|| {
            self.connections.push(None);
            self.connections.len() - 1
        });
        self.watch(&stream, index as u64).map_err(io::Error::from)?;
        let record_size = self.shared.config.record_size;
        self.connections[index] = Some(Connection::new(stream, record_size));
        Ok(())
    }

    /// Reads a connection that has something to say.
    fn ready(&mut self, index: usize) {
        let Some(connection) = self.connections.get_mut(index).and_then(Option::as_mut) else {
            return;
        };
        let had_answers = connection.has_answers();
        if had_answers {
            connection.answer();
        }
        if connection.read(self.shared, &mut self.buffer) == Fate::Closed {
            connection.end(&mut self.shared.state());
            self.ending.push(index);
            return;
        }
        if connection.whole_at().is_some() && !self.undecided.contains(&index) {
            self.undecided.push(index);
        }
        if had_answers || connection.has_answers() {
            self.answering.push(index);
        }
    }

    fn close(&mut self, index: usize) {
        let Some(mut connection) = self.connections[index].take() else { return };
        connection.answer();
        let _ = self.epoll.delete(connection.stream());
        connection.gone(&mut self.shared.state());
        drop(connection);
        self.free.push(index);
        self.shared.closed(self.number);
    }

    /// Looks at the connections of which it was not clear whether more would follow.
    fn silences(&mut self) {
        let now = Instant::now();
        for index in std::mem::take(&mut self.undecided) {
            let Some(connection) = &mut self.connections[index] else { continue };
            match connection.whole_at() {
                Some(at) if at <= now => {
                    connection.silence(&mut self.shared.state());
                    self.answering.push(index);
                }
                Some(_) => self.undecided.push(index),
                None => {}
            }
        }
    }

    /// Records first, then answers: what was answered is in the recording.
    fn answer(&mut self) -> Result<(), ServeError> {
        self.flush()?;
        for index in std::mem::take(&mut self.answering) {
            let Some(connection) = &mut self.connections[index] else { continue };
            connection.answer();
            let mut flags = EpollFlags::EPOLLIN;
            if connection.is_blocked() {
                flags = EpollFlags::EPOLLOUT;
            } else if connection.has_answers() {
                flags |= EpollFlags::EPOLLOUT;
            }
            let mut event = EpollEvent::new(flags, index as u64);
            self.epoll.modify(connection.stream(), &mut event).map_err(io::Error::from)?;
        }
        for index in std::mem::take(&mut self.ending) {
            self.close(index);
        }
        Ok(())
    }

    fn flush(&self) -> Result<(), ServeError> {
        let (flushed, unprinted) = {
            let mut state = self.shared.state();
            (state.flush(), state.unprinted.len())
        };
        if unprinted > 0 && self.number != 0 {
            self.shared.ring_main();
        }
        flushed.map_err(|error| {
            let path = self.shared.config.record.clone().unwrap_or_default();
            ServeError::Recording { path, error }
        })
    }

    /// Reads every connection once, and answers.
    pub(super) fn read_all(&mut self) -> Result<(), ServeError> {
        (0..self.connections.len()).for_each(|index| self.ready(index));
        self.answer()
    }

    /// Takes the connections that it was given and some more, to be read behind all that it has.
    pub(super) fn append(
        &mut self,
        more: impl IntoIterator<Item = UnixStream>,
    ) -> Result<(), ServeError> {
        self.free.clear();
        self.fetch()?;
        more.into_iter().try_for_each(|stream| self.add(stream))
    }

    /// Ends every connection.
    pub(super) fn end_all(&mut self) -> Result<(), ServeError> {
        for connection in self.connections.iter_mut().flatten() {
            connection.end(&mut self.shared.state());
        }
        self.answer()?;
        (0..self.connections.len()).for_each(|index| self.close(index));
        Ok(())
    }
}
