//! The server: a thread that listens, looks for the dead and ends all, and reads its share of the
//! connections; the others read theirs. What there is to print goes to somebody else.

use std::fmt::Write as _;
use std::io;
use std::ops::ControlFlow;
use std::os::fd::AsFd;
use std::os::unix::net::UnixStream;
use std::panic::resume_unwind;
use std::path::PathBuf;
use std::thread;
use std::time::{Duration, Instant};

use nix::poll::{PollFd, PollFlags, PollTimeout, poll};
use nix::sys::signal::{SigSet, Signal};
use nix::sys::signalfd::{SfdFlags, SignalFd};

use super::ServeError;
use super::audience::{Audience, Report};
use super::reader::Reader;
use super::recording::Recording;
use super::shared::Shared;
use super::socket::{Claimed, claim};
use super::state::{Counts, State};
use super::table::{Semantics, Table};
use crate::allocator::memory_map::Machine;

/// How often the server looks up without a reason.
const TICK: Duration = Duration::from_millis(250);

/// How often it looks up while text waits for what was told before to be printed.
const SOON: Duration = Duration::from_millis(20);

/// How long the last messages are waited for when the server is told to end. Whatever was in the
/// sockets by then is read before that time counts.
const LAST_WORDS: Duration = Duration::from_millis(300);

const UNREAD: &str = "nobody reads what is";

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
    /// Print each message; then there is one reader, and clients wait while the printing goes on.
    pub log: bool,
    /// Threads that read, from 1.
    pub readers: usize,
}

/// Serves until SIGINT or SIGTERM comes, or until a report is answered with a break, and answers
/// the books as they are then, and what came in.
///
/// SIGINT and SIGTERM are blocked for the calling thread, for good.
///
/// # Errors
/// If the socket belongs to another server, or the recording cannot be written.
pub fn serve(config: &Config, audience: &mut dyn Audience) -> Result<(Table, Counts), ServeError> {
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
    let table = Table::new(config.semantics, config.live_max);
    let mut state = State::new(table, recording.transpose()?);
    (state.machine, state.log) = (config.machine, config.log);
    let readers = if config.log { 1 } else { config.readers.max(1) };
    let shared = Shared::new(config, state, readers)?;
    let mut server = Server::new(&shared, claimed, signals)?;
    let flow = audience.report(Report::Listening);
    let helpers = server.with_helpers(flow, audience)?;
    if config.log && !audience.is_stalled() {
        shared.state().unprinted.keep_all_lines();
    }
    server.last_words(helpers)?;
    let _ = server.tell(audience);
    drop(server);
    let state = shared.into_state();
    Ok((state.table, state.counts))
}

struct Server<'s> {
    shared: &'s Shared<'s>,
    claimed: Claimed,
    signals: SignalFd,
    reader: Reader<'s>,
    /// Connections that are read once everything has been that was written before them: with what
    /// was asked of the readers for it.
    asked: Option<(u64, Vec<UnixStream>)>,
    /// Connections that come after those.
    accepted: Vec<UnixStream>,
    started: Instant,
    reap_at: Option<Instant>,
    tick_at: Instant,
    /// No more connections can be accepted until there are more of those that are gone.
    full: Option<u64>,
    stopping: bool,
}

impl<'s> Server<'s> {
    fn new(
        shared: &'s Shared<'s>,
        claimed: Claimed,
        signals: SignalFd,
    ) -> Result<Self, ServeError> {
        let reader = Reader::new(shared, 0)?;
        reader.watch(&claimed.listener, LISTENER).map_err(io::Error::from)?;
        reader.watch(&signals, SIGNALS).map_err(io::Error::from)?;
        let now = Instant::now();
        Ok(Self {
            shared,
            claimed,
            signals,
            reader,
            asked: None,
            accepted: Vec::new(),
            started: now,
            reap_at: shared.config.reap_every.map(|every| now + every),
            tick_at: now + TICK,
            full: None,
            stopping: false,
        })
    }

    /// Serves, with the help of the other readers, and answers them when all have stopped.
    fn with_helpers(
        &mut self,
        flow: ControlFlow<()>,
        audience: &mut dyn Audience,
    ) -> Result<Vec<Reader<'s>>, ServeError> {
        let numbers = 1..self.shared.readers();
        let helpers = numbers.map(|number| Reader::new(self.shared, number));
        let helpers: Vec<Reader<'s>> = helpers.collect::<Result<_, _>>()?;
        thread::scope(|scope| {
            let stop = self.shared.until_dropped();
            let start = |reader: Reader<'s>| {
                thread::Builder::new().name("reader".into()).spawn_scoped(scope, || reader.run())
            };
            let threads: Vec<_> = helpers.into_iter().map(start).collect::<io::Result<_>>()?;
            let served = self.serve(flow, audience);
            drop(stop);
            let ended = threads
                .into_iter()
                .map(|thread| thread.join().unwrap_or_else(|panic| resume_unwind(panic)));
            let helpers: Vec<Reader<'s>> = ended.collect::<Result<_, _>>()?;
            served.map(|()| helpers)
        })
    }

    fn serve(
        &mut self,
        mut flow: ControlFlow<()>,
        audience: &mut dyn Audience,
    ) -> Result<(), ServeError> {
        while flow.is_continue() && !self.stopping && !self.shared.is_stopping() {
            let stalled = audience.is_stalled();
            self.shared.set_stalled(stalled);
            if self.shared.is_behind() {
                self.wait_for_signals();
            } else {
                self.round()?;
            }
            if audience.is_ready() {
                flow = self.tell(audience);
            }
        }
        Ok(())
    }

    /// Gives the printing time, and looks for nothing but the end.
    fn wait_for_signals(&mut self) {
        let mut looked = [PollFd::new(self.signals.as_fd(), PollFlags::POLLIN)];
        let milliseconds = u16::try_from(SOON.as_millis()).unwrap_or(u16::MAX);
        if poll(&mut looked, PollTimeout::from(milliseconds)).is_ok_and(|ready| ready > 0) {
            self.stopping |= self.is_told_to_end();
        }
    }

    fn is_told_to_end(&self) -> bool {
        self.signals.read_signal().is_ok_and(|got| got.is_some())
    }

    fn round(&mut self) -> Result<(), ServeError> {
        let mut wake_at = self.reap_at.map_or(self.tick_at, |at| at.min(self.tick_at));
        let mut state = self.shared.state();
        state.table.set_now(self.started.elapsed().as_secs());
        if state.unprinted.len() > 0 {
            wake_at = wake_at.min(Instant::now() + SOON);
        }
        drop(state);
        self.reader.round(Some(wake_at))?;
        for token in std::mem::take(&mut self.reader.others) {
            if token == LISTENER {
                self.accept()?;
            } else {
                self.stopping |= self.is_told_to_end();
            }
        }
        self.hand_out();
        self.listen_again();
        self.reap();
        Ok(())
    }

    /// Accepts whoever waits.
    fn accept(&mut self) -> Result<(), ServeError> {
        let before = self.accepted.len();
        loop {
            let closed = self.shared.closed_count();
            match self.claimed.listener.accept() {
                Ok((stream, _)) => {
                    stream.set_nonblocking(true)?;
                    self.accepted.push(stream);
                }
                Err(error) => match error.kind() {
                    io::ErrorKind::WouldBlock => break,
                    io::ErrorKind::Interrupted | io::ErrorKind::ConnectionAborted => {}
                    // Out of file descriptors: whoever waits is accepted when another one goes.
                    _ => {
                        let _ = self.reader.unwatch(&self.claimed.listener);
                        self.full = Some(closed);
                        self.shared.set_full(true);
                        break;
                    }
                },
            }
        }
        let came = (self.accepted.len() - before) as u64;
        let mut state = self.shared.state();
        state.counts.connections += came;
        state.counts.open += came;
        Ok(())
    }

    /// Gives connections to readers, once everything has been read that was written before they
    /// were made: a client that reconnects, or a program that is started after the end of another
    /// one, must not overtake what is in the hands of a slower reader.
    fn hand_out(&mut self) {
        let done = self.shared.done();
        if let Some((_, streams)) = self.asked.take_if(|(request, _)| *request <= done) {
            let mut streams = streams.into_iter();
            self.hand_out_together(&mut streams);
            self.accepted.splice(0..0, streams);
        }
        if self.asked.is_none() && !self.accepted.is_empty() {
            self.asked = Some((self.shared.ask(), std::mem::take(&mut self.accepted)));
        }
    }

    /// Gives those that do not precede each other, or that one reader takes one after the other:
    /// the rest must wait until those have been read, too.
    fn hand_out_together(&self, streams: &mut std::vec::IntoIter<UnixStream>) {
        let mut same = None;
        while let Some(stream) = streams.as_slice().first() {
            let said = Said::of(stream);
            if same.is_some() && said != Said::All {
                return;
            }
            let reader = same.unwrap_or_else(|| self.shared.least_busy());
            streams.next().into_iter().for_each(|stream| self.shared.give(stream, reader));
            match said {
                Said::Nothing => {}
                Said::Something => return,
                Said::All => same = Some(reader),
            }
        }
    }

    /// Accepts again, if one is gone.
    fn listen_again(&mut self) {
        if self.full.is_some_and(|closed| closed != self.shared.closed_count())
            && self.reader.watch(&self.claimed.listener, LISTENER).is_ok()
        {
            self.full = None;
            self.shared.set_full(false);
        }
    }

    fn reap(&mut self) {
        if self.reap_at.is_some_and(|at| at <= Instant::now()) {
            self.shared.state().reap();
            self.reap_at = self.shared.config.reap_every.map(|every| Instant::now() + every);
        }
    }

    /// Reports what there is to report.
    fn tell(&mut self, audience: &mut dyn Audience) -> ControlFlow<()> {
        let mut state = self.shared.state();
        let (lines, mut warnings, lost) = state.unprinted.take();
        state.counts.unprinted += lost;
        drop(state);
        if lost > 0 {
            let _ = writeln!(warnings, "\u{26a0}\u{fe0f}  {lost} messages not printed: {UNREAD}");
        }
        if !warnings.is_empty() {
            audience.report(Report::Warning(&warnings))?;
        }
        if !lines.is_empty() {
            audience.report(Report::Log(&lines))?;
        }
        let now = Instant::now();
        if self.tick_at <= now || self.stopping {
            self.tick_at = now + TICK;
            let state = self.shared.state();
            audience.report(Report::Tick(&state.table, &state.counts))?;
        }
        ControlFlow::Continue(())
    }

    /// Reads what clients had written before the server was told to end.
    fn last_words(&mut self, mut helpers: Vec<Reader<'s>>) -> Result<(), ServeError> {
        helpers.iter_mut().chain([&mut self.reader]).try_for_each(Reader::read_all)?;
        self.accept()?;
        let asked = self.asked.take().map(|(_, streams)| streams).unwrap_or_default();
        helpers.iter_mut().try_for_each(|reader| reader.append([]))?;
        self.reader.append(asked.into_iter().chain(self.accepted.drain(..)))?;
        let until = Instant::now() + LAST_WORDS;
        loop {
            let before = self.shared.state().counts.messages;
            for reader in helpers.iter_mut().chain([&mut self.reader]) {
                reader.read_all()?;
            }
            if self.shared.state().counts.messages == before || until <= Instant::now() {
                break;
            }
        }
        helpers.iter_mut().chain([&mut self.reader]).try_for_each(Reader::end_all)
    }
}

/// What was written to a connection that nobody has read.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Said {
    /// It precedes no other one that is there.
    Nothing,
    Something,
    /// It is closed.
    All,
}

impl Said {
    fn of(stream: &UnixStream) -> Self {
        let mut looked = [PollFd::new(stream.as_fd(), PollFlags::POLLIN)];
        match poll(&mut looked, PollTimeout::ZERO) {
            Ok(0) => Self::Nothing,
            Ok(_) if looked[0].revents().is_some_and(|is| is.contains(PollFlags::POLLHUP)) => {
                Self::All
            }
            _ => Self::Something,
        }
    }
}
