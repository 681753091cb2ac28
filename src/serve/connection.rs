//! One client: its bytes in, answers out.

use std::io::{self, Read, Write};
use std::os::unix::net::UnixStream;
use std::time::{Duration, Instant};

use super::framing::Framing;
use super::shared::Shared;
use super::state::{Client, State};

/// How long a client must be silent before its first bytes are taken for a whole record, if a
/// record of a later version could begin alike.
const SILENCE: Duration = Duration::from_millis(20);

/// A client that does not read this many bytes of answers is not read either, until it does.
const ANSWERS_MAX: usize = 64 << 10;

/// Reads of one client before the others have their turn.
const READS_MAX: usize = 4;

/// What became of a connection.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Fate {
    /// It has more to say some time.
    Open,
    /// Everything that was written to it has been read.
    Closed,
}

/// A connection.
pub(super) struct Connection {
    stream: UnixStream,
    framing: Framing,
    client: Client,
    /// Bytes that wait for what follows them.
    waiting: Vec<u8>,
    /// When they are a whole record, if nothing follows.
    whole_at: Option<Instant>,
    /// Nobody will read an answer.
    deaf: bool,
}

impl Connection {
    pub(super) fn new(stream: UnixStream, record_size: Option<usize>) -> Self {
        Self {
            stream,
            framing: Framing::new(record_size),
            client: Client::default(),
            waiting: Vec::new(),
            whole_at: None,
            deaf: false,
        }
    }

    pub(super) fn stream(&self) -> &UnixStream {
        &self.stream
    }

    /// When it must be looked at even if nothing comes.
    pub(super) fn whole_at(&self) -> Option<Instant> {
        self.whole_at
    }

    /// Whether its answers must go out before it is read again.
    pub(super) fn is_blocked(&self) -> bool {
        self.client.out.len() > ANSWERS_MAX
    }

    /// Whether there is anything to send.
    pub(super) fn has_answers(&self) -> bool {
        !self.client.out.is_empty()
    }

    /// Reads what is there, in a buffer that all connections of a reader share. The books are taken
    /// for what has been read, and not before.
    pub(super) fn read(&mut self, shared: &Shared<'_>, buffer: &mut [u8]) -> Fate {
        for _ in 0..READS_MAX {
            if self.is_blocked() || shared.is_behind() {
                return Fate::Open;
            }
            let kept = self.waiting.len();
            buffer[..kept].copy_from_slice(&self.waiting);
            let room = buffer.len() - kept;
            let read = match self.stream.read(&mut buffer[kept..]) {
                Ok(0) => return Fate::Closed,
                Ok(read) => read,
                Err(error) if error.kind() == io::ErrorKind::WouldBlock => return Fate::Open,
                Err(error) if error.kind() == io::ErrorKind::Interrupted => continue,
                // A peer that died with answers unread resets the connection, but only once
                // everything that it wrote has been read.
                Err(_) => return Fate::Closed,
            };
            if self.take(&mut shared.state(), &buffer[..kept + read]) == Fate::Closed {
                return Fate::Closed;
            }
            // Whether a first message is whole may be seen at once: if its client has gone.
            if read < room && self.whole_at.is_none() {
                return Fate::Open;
            }
        }
        Fate::Open
    }

    fn take(&mut self, state: &mut State, bytes: &[u8]) -> Fate {
        let Self { framing, client, .. } = self;
        let mut each = |record: &[u8], size| state.message(record, size, client);
        let Ok(used) = framing.take(bytes, &mut each) else {
            state.counts.hopeless += 1;
            self.waiting.clear();
            return Fate::Closed;
        };
        self.waiting.clear();
        self.waiting.extend_from_slice(&bytes[used..]);
        let whole = self.framing.is_whole_if_silent(&self.waiting);
        self.whole_at = whole.then(|| Instant::now() + SILENCE);
        Fate::Open
    }

    /// Nothing has come for a while.
    pub(super) fn silence(&mut self, state: &mut State) {
        let Self { framing, client, waiting, .. } = self;
        let used = framing.silence(waiting, &mut |record: &[u8], size| {
            state.message(record, size, client);
        });
        waiting.drain(..used);
        self.whole_at = None;
    }

    /// Sends answers as far as the client takes them.
    pub(super) fn answer(&mut self) {
        let mut sent = 0;
        while sent < self.client.out.len() && !self.deaf {
            match self.stream.write(&self.client.out[sent..]) {
                Ok(written) => sent += written,
                Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
                Err(error) if error.kind() == io::ErrorKind::WouldBlock => break,
                // It is gone; what it has written is still to be read.
                Err(_) => self.deaf = true,
            }
        }
        if self.deaf {
            self.client.out.clear();
        } else {
            self.client.out.drain(..sent);
        }
    }

    /// Everything has been read: the client has closed it, or died, or is none.
    pub(super) fn end(&mut self, state: &mut State) {
        self.silence(state);
        self.framing.end(&self.waiting);
        self.waiting.clear();
    }

    /// It is closed.
    pub(super) fn gone(&self, state: &mut State) {
        state.gone(&self.client, self.framing.broken());
    }
}
