//! The loop: one thread, which sleeps until there is something to read.

use std::io;
use std::ops::ControlFlow;
use std::path::PathBuf;
use std::time::{Duration, Instant};

use nix::sys::epoll::{Epoll, EpollCreateFlags, EpollEvent, EpollFlags, EpollTimeout};
use nix::sys::signal::{SigSet, Signal};
use nix::sys::signalfd::{SfdFlags, SignalFd};

use super::ServeError;
use super::connection::{Connection, Fate};
use super::recording::Recording;
use super::socket::{Claimed, claim};
use super::state::{Counts, State};
use super::table::{Semantics, Table};
use crate::allocator::memory_map::Machine;

/// What is read of a client at once.
const BUFFER: usize = 256 << 10;

/// How often the server looks up without a reason.
const TICK: Duration = Duration::from_millis(250);

/// How long the last messages are waited for when the server is told to end.
const LAST_WORDS: Duration = Duration::from_secs(2);

const LISTENER: u64 = u64::MAX;
const SIGNALS: u64 = u64::MAX - 1;

/// How a server is set up.
#[derive(Clone, Debug)]
pub struct Config {
    /// Where clients look for it.
    pub socket: PathBuf,
    /// How the books are kept.
    pub semantics: Semantics,
    /// The file of all messages.
    pub record: Option<PathBuf>,
    /// The size of a record; none means that each connection is looked at.
    pub record_size: Option<usize>,
    /// Which devices a DEVICE_INFO_QUERY tells of.
    pub machine: Option<Machine>,
    /// How often dead processes are looked for; none means never.
    pub reap_every: Option<Duration>,
    /// More live keys are refused.
    pub live_max: usize,
    /// Print each message.
    pub log: bool,
}

/// What the server says while it runs.
#[derive(Clone, Copy)]
pub enum Report<'a> {
    /// It listens.
    Listening,
    /// Lines for its log.
    Log(&'a str),
    /// Lines for standard error.
    Warning(&'a str),
    /// A moment has passed.
    Tick(&'a Table, &'a Counts),
}

/// Serves until SIGINT or SIGTERM comes, or until a report is answered with a break, and answers
/// the books as they are then, and what came in.
///
/// SIGINT and SIGTERM are blocked for the calling thread, for good.
///
/// # Errors
/// If the socket belongs to another server, or the recording cannot be written.
pub fn serve(
    config: &Config,
    report: &mut dyn FnMut(Report<'_>) -> ControlFlow<()>,
) -> Result<(Table, Counts), ServeError> {
    let mut server = Server::new(config)?;
    let mut flow = report(Report::Listening);
    while flow.is_continue() && !server.stopping {
        server.round()?;
        flow = server.tell(report);
    }
    server.last_words()?;
    let _ = server.tell(report);
    Ok((server.state.table, server.state.counts))
}

struct Server<'c> {
    config: &'c Config,
    claimed: Claimed,
    epoll: Epoll,
    signals: SignalFd,
    state: State,
    connections: Vec<Option<Connection>>,
    free: Vec<usize>,
    buffer: Vec<u8>,
    /// Connections whose first bytes may be a whole record.
    undecided: Vec<usize>,
    /// Connections that may have something to send.
    answering: Vec<usize>,
    /// Connections of which everything has been read.
    ending: Vec<usize>,
    started: Instant,
    reap_at: Option<Instant>,
    tick_at: Instant,
    /// No more connections can be accepted for now.
    full: bool,
    stopping: bool,
}

impl<'c> Server<'c> {
    fn new(config: &'c Config) -> Result<Self, ServeError> {
        let system = |error: nix::errno::Errno| ServeError::System(error.into());
        let mut mask = SigSet::empty();
        mask.add(Signal::SIGINT);
        mask.add(Signal::SIGTERM);
        mask.thread_block().map_err(system)?;
        let flags = SfdFlags::SFD_CLOEXEC | SfdFlags::SFD_NONBLOCK;
        let signals = SignalFd::with_flags(&mask, flags).map_err(system)?;
        let claimed = claim(&config.socket)?;
        let recording = config.record.as_ref().map(|path| {
            let created = Recording::create(path);
            created.map_err(|error| ServeError::Recording { path: path.clone(), error })
        });
        let mut state =
            State::new(Table::new(config.semantics, config.live_max), recording.transpose()?);
        (state.machine, state.log) = (config.machine, config.log);
        let epoll = Epoll::new(EpollCreateFlags::EPOLL_CLOEXEC).map_err(system)?;
        let readable = |token| EpollEvent::new(EpollFlags::EPOLLIN, token);
        epoll.add(&claimed.listener, readable(LISTENER)).map_err(system)?;
        epoll.add(&signals, readable(SIGNALS)).map_err(system)?;
        let now = Instant::now();
        Ok(Self {
            config,
            claimed,
            epoll,
            signals,
            state,
            connections: Vec::new(),
            free: Vec::new(),
            buffer: vec![0; BUFFER],
            undecided: Vec::new(),
            answering: Vec::new(),
            ending: Vec::new(),
            started: now,
            reap_at: config.reap_every.map(|every| now + every),
            tick_at: now + TICK,
            full: false,
            stopping: false,
        })
    }

    /// Waits, reads whoever has something to say, records that, and answers.
    fn round(&mut self) -> Result<(), ServeError> {
        let mut events = [EpollEvent::empty(); 256];
        let ready = match self.epoll.wait(&mut events, self.timeout()) {
            Ok(ready) => ready,
            Err(nix::errno::Errno::EINTR) => 0,
            Err(error) => return Err(ServeError::System(error.into())),
        };
        self.state.table.set_now(self.started.elapsed().as_secs());
        for event in &events[..ready] {
            match event.data() {
                LISTENER => self.accept()?,
                SIGNALS => {
                    self.stopping |= self.signals.read_signal().is_ok_and(|got| got.is_some())
                }
                token => self.ready(token as usize),
            }
        }
        self.silences();
        self.answer()?;
        self.reap();
        Ok(())
    }

    fn timeout(&self) -> EpollTimeout {
        let of = |index: &usize| self.connections[*index].as_ref().and_then(Connection::whole_at);
        let wakes = self.undecided.iter().filter_map(of).chain(self.reap_at);
        let next = wakes.fold(self.tick_at, Instant::min);
        let wait = next.saturating_duration_since(Instant::now());
        let milliseconds = wait.as_micros().div_ceil(1000);
        u16::try_from(milliseconds).map_or(EpollTimeout::from(u16::MAX), EpollTimeout::from)
    }

    fn accept(&mut self) -> Result<(), ServeError> {
        loop {
            let stream = match self.claimed.listener.accept() {
                Ok((stream, _)) => stream,
                Err(error) => match error.kind() {
                    io::ErrorKind::WouldBlock => return Ok(()),
                    io::ErrorKind::Interrupted | io::ErrorKind::ConnectionAborted => continue,
                    // Out of file descriptors: whoever waits is accepted when another one goes.
                    _ => {
                        let _ = self.epoll.delete(&self.claimed.listener);
                        self.full = true;
                        return Ok(());
                    }
                },
            };
            stream.set_nonblocking(true)?;
            let index = self.free.pop().unwrap_or_else(|| {
                self.connections.push(None);
                self.connections.len() - 1
            });
            let event = EpollEvent::new(EpollFlags::EPOLLIN, index as u64);
            self.epoll.add(&stream, event).map_err(io::Error::from)?;
            self.connections[index] = Some(Connection::new(stream, self.config.record_size));
            self.state.counts.connections += 1;
            self.state.counts.open += 1;
        }
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
        if connection.read(&mut self.state, &mut self.buffer) == Fate::Closed {
            connection.end(&mut self.state);
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
        connection.gone(&mut self.state);
        self.free.push(index);
        if self.full {
            let event = EpollEvent::new(EpollFlags::EPOLLIN, LISTENER);
            self.full = self.epoll.add(&self.claimed.listener, event).is_err();
        }
    }

    /// Looks at the connections of which it was not clear whether more would follow.
    fn silences(&mut self) {
        let now = Instant::now();
        for index in std::mem::take(&mut self.undecided) {
            let Some(connection) = &mut self.connections[index] else { continue };
            match connection.whole_at() {
                Some(at) if at <= now => {
                    connection.silence(&mut self.state);
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

    fn flush(&mut self) -> Result<(), ServeError> {
        self.state.flush().map_err(|error| {
            let path = self.config.record.clone().unwrap_or_default();
            ServeError::Recording { path, error }
        })
    }

    fn reap(&mut self) {
        if self.reap_at.is_some_and(|at| at <= Instant::now()) {
            self.state.reap();
            self.reap_at = self.config.reap_every.map(|every| Instant::now() + every);
        }
    }

    /// Reports what there is to report.
    fn tell(&mut self, report: &mut dyn FnMut(Report<'_>) -> ControlFlow<()>) -> ControlFlow<()> {
        if !self.state.warnings.is_empty() {
            report(Report::Warning(&std::mem::take(&mut self.state.warnings)))?;
        }
        if !self.state.text.is_empty() {
            report(Report::Log(&std::mem::take(&mut self.state.text)))?;
        }
        let now = Instant::now();
        if self.tick_at <= now || self.stopping {
            self.tick_at = now + TICK;
            report(Report::Tick(&self.state.table, &self.state.counts))?;
        }
        ControlFlow::Continue(())
    }

    /// Reads what clients had written before the server was told to end.
    fn last_words(&mut self) -> Result<(), ServeError> {
        let until = Instant::now() + LAST_WORDS;
        self.accept()?;
        loop {
            let before = self.state.counts.messages;
            (0..self.connections.len()).for_each(|index| self.ready(index));
            if self.state.counts.messages == before || until <= Instant::now() {
                break;
            }
            self.answer()?;
        }
        for connection in self.connections.iter_mut().flatten() {
            connection.end(&mut self.state);
        }
        self.answer()?;
        (0..self.connections.len()).for_each(|index| self.close(index));
        Ok(())
    }
}
