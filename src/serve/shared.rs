//! What the readers share: the books and the recording, and a mailbox for each of them.

use std::io;
use std::os::unix::net::UnixStream;
use std::sync::atomic::{AtomicBool, AtomicU64, AtomicUsize, Ordering};
use std::sync::{Mutex, MutexGuard};

use nix::sys::eventfd::{EfdFlags, EventFd};

use super::ServeError;
use super::server::Config;
use super::state::State;

/// What all threads see.
pub(super) struct Shared<'c> {
    pub(super) config: &'c Config,
    state: Mutex<State>,
    /// One for each reader; the first is that of the thread that listens.
    mailboxes: Vec<Mailbox>,
    /// How often the readers were asked to catch up.
    asked: AtomicU64,
    /// Connections that are gone.
    closed: AtomicU64,
    /// There are no more file descriptors: somebody waits for a connection to go.
    full: AtomicBool,
    stopping: AtomicBool,
    /// What was printed is not read any more.
    stalled: AtomicBool,
}

/// How a reader is reached.
struct Mailbox {
    bell: EventFd,
    /// Connections that are to be its own.
    streams: Mutex<Vec<UnixStream>>,
    /// How many it has, with those.
    open: AtomicUsize,
    /// The last request to catch up that it has met.
    done: AtomicU64,
}

/// Dropped, it ends all readers: nobody serves on where another one has failed.
pub(super) struct Stop<'s>(&'s Shared<'s>);

impl Drop for Stop<'_> {
    fn drop(&mut self) {
        self.0.stop();
    }
}

impl<'c> Shared<'c> {
    /// For so many readers.
    pub(super) fn new(
        config: &'c Config,
        state: State,
        readers: usize,
    ) -> Result<Self, ServeError> {
        let mailbox = |_| -> Result<Mailbox, ServeError> {
            let flags = EfdFlags::EFD_CLOEXEC | EfdFlags::EFD_NONBLOCK;
            Ok(Mailbox {
                bell: EventFd::from_flags(flags).map_err(io::Error::from)?,
                streams: Mutex::default(),
                open: AtomicUsize::new(0),
                done: AtomicU64::new(0),
            })
        };
        Ok(Self {
            config,
            state: Mutex::new(state),
            mailboxes: (0..readers).map(mailbox).collect::<Result<_, _>>()?,
            asked: AtomicU64::new(0),
            closed: AtomicU64::new(0),
            full: AtomicBool::new(false),
            stopping: AtomicBool::new(false),
            stalled: AtomicBool::new(false),
        })
    }

    /// The books: never while a socket is read or written.
    pub(super) fn state(&self) -> MutexGuard<'_, State> {
        self.state.lock().expect("nobody panics over the books")
    }

    /// The books, when all readers have ended.
    pub(super) fn into_state(self) -> State {
        self.state.into_inner().expect("nobody panics over the books")
    }

    pub(super) fn readers(&self) -> usize {
        self.mailboxes.len()
    }

    /// What wakes a reader.
    pub(super) fn bell(&self, reader: usize) -> &EventFd {
        &self.mailboxes[reader].bell
    }

    fn ring(&self, reader: usize) {
        // A bell that has been rung 2^64 times and not been heard rings anyway.
        let _ = self.bell(reader).write(1);
    }

    /// Wakes the thread that listens.
    pub(super) fn ring_main(&self) {
        self.ring(0);
    }

    /// Asks every reader to read all that has been written by now, and answers which request that
    /// is.
    pub(super) fn ask(&self) -> u64 {
        let request = self.asked.fetch_add(1, Ordering::SeqCst) + 1;
        (0..self.readers()).for_each(|reader| self.ring(reader));
        request
    }

    /// The last request, and whether a reader has still to meet it.
    pub(super) fn asked(&self, reader: usize) -> (u64, bool) {
        let request = self.asked.load(Ordering::SeqCst);
        (request, self.mailboxes[reader].done.load(Ordering::SeqCst) != request)
    }

    /// A reader has read all that had been written when that request came.
    pub(super) fn caught_up(&self, reader: usize, request: u64) {
        let before = self.mailboxes[reader].done.swap(request, Ordering::SeqCst);
        if before != request && reader != 0 {
            self.ring_main();
        }
    }

    /// The last request that every reader has met.
    pub(super) fn done(&self) -> u64 {
        let done = self.mailboxes.iter().map(|mailbox| mailbox.done.load(Ordering::SeqCst));
        done.min().unwrap_or(0)
    }

    /// The reader that has the fewest connections.
    pub(super) fn least_busy(&self) -> usize {
        let open = |reader: &usize| self.mailboxes[*reader].open.load(Ordering::Relaxed);
        (0..self.readers()).min_by_key(open).unwrap_or(0)
    }

    /// Gives a connection to a reader.
    pub(super) fn give(&self, stream: UnixStream, reader: usize) {
        let mailbox = &self.mailboxes[reader];
        mailbox.open.fetch_add(1, Ordering::Relaxed);
        mailbox.streams.lock().expect("nobody panics over the mail").push(stream);
        self.ring(reader);
    }

    /// The connections that were given to a reader.
    pub(super) fn given(&self, reader: usize) -> Vec<UnixStream> {
        let mut streams = self.mailboxes[reader].streams.lock();
        std::mem::take(streams.as_mut().expect("nobody panics over the mail"))
    }

    /// A connection of a reader is gone.
    pub(super) fn closed(&self, reader: usize) {
        self.mailboxes[reader].open.fetch_sub(1, Ordering::Relaxed);
        self.closed.fetch_add(1, Ordering::SeqCst);
        if self.full.load(Ordering::SeqCst) {
            self.ring_main();
        }
    }

    /// How many are gone.
    pub(super) fn closed_count(&self) -> u64 {
        self.closed.load(Ordering::SeqCst)
    }

    /// Whether somebody waits until one is gone.
    pub(super) fn set_full(&self, full: bool) {
        self.full.store(full, Ordering::SeqCst);
    }

    /// Notes whether what was printed is not read any more.
    pub(super) fn set_stalled(&self, stalled: bool) {
        self.stalled.store(stalled, Ordering::SeqCst);
    }

    /// Whether clients have to wait for the printing: only where each message is printed, as long
    /// as it goes on, and not at the end.
    pub(super) fn is_behind(&self) -> bool {
        self.config.log
            && !self.stalled.load(Ordering::SeqCst)
            && !self.is_stopping()
            && self.state().unprinted.is_long()
    }

    pub(super) fn is_stopping(&self) -> bool {
        self.stopping.load(Ordering::SeqCst)
    }

    /// What ends all readers with it.
    pub(super) fn until_dropped(&self) -> Stop<'_> {
        Stop(self)
    }

    fn stop(&self) {
        self.stopping.store(true, Ordering::SeqCst);
        (0..self.readers()).for_each(|reader| self.ring(reader));
    }
}
