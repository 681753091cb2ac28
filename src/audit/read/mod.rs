//! Readers: whatever the input is, it becomes events, a batch at a time.

mod buffer_log;
pub(super) mod chunks;
mod cursor;
mod graph;
mod number;
mod server_log;
pub mod shm;
#[cfg(feature = "sqlite")]
mod sqlite;
pub mod wire;

use std::fmt;
use std::io::{self, Cursor as Bytes, Read};
use std::str::FromStr;

use memchr::memmem;

use super::event::Event;
use crate::suggest;
use crate::wire::is_stream;
use buffer_log::BufferLog;
use chunks::Chunks;
use server_log::ServerLog;
use wire::Wire;

/// How much of an input decides its kind.
const SAMPLE: usize = 1 << 20;

/// How a SQLite database begins.
const SQLITE: &[u8] = b"SQLite format 3\0";

/// What kind of input it is.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Kind {
    /// The output of the allocation server.
    ServerLog,
    /// The bytes that clients send to it.
    Wire,
    /// The debug log of buffer.cpp.
    BufferLog,
    /// A graph capture of ttnn.
    Graph,
    /// A copy of a chip's shared-memory counters.
    Shm,
    /// A report of ttnn-visualizer, which is read with the feature `sqlite` only.
    ReportDb,
}

impl Kind {
    /// Every kind.
    pub const ALL: [Self; 6] =
        [Self::ServerLog, Self::Wire, Self::BufferLog, Self::Graph, Self::Shm, Self::ReportDb];

    /// The name on the command line.
    #[must_use]
    pub fn name(self) -> &'static str {
        match self {
            Self::ServerLog => "server-log",
            Self::Wire => "wire",
            Self::BufferLog => "buffer-log",
            Self::Graph => "graph",
            Self::Shm => "shm",
            Self::ReportDb => "report-db",
        }
    }

    /// What a place in such an input is.
    #[must_use]
    pub fn place(self) -> &'static str {
        match self {
            Self::ServerLog | Self::BufferLog => "line",
            Self::Wire => "record",
            Self::Graph => "node",
            Self::Shm => "byte",
            Self::ReportDb => "operation",
        }
    }

    /// Whether it says what allocators hold, and not what was told to a server.
    pub(super) fn is_capture(self) -> bool {
        matches!(self, Self::Graph | Self::ReportDb)
    }

    /// The kind of an input that begins with this sample; `whole` if there is no more of it.
    ///
    /// ```
    /// use freeorder::audit::Kind;
    /// let log = "\u{2713} [PID 7] Allocated 64 bytes of L1 on device 0 (buffer_id=1024)\n";
    /// assert_eq!(Kind::detect(log.as_bytes(), true), Some(Kind::ServerLog));
    /// assert_eq!(Kind::detect(b"[{\"counter\": 0}]", true), Some(Kind::Graph));
    /// assert_eq!(Kind::detect(b"nothing of the sort", true), None);
    /// ```
    #[must_use]
    pub fn detect(sample: &[u8], whole: bool) -> Option<Self> {
        if sample.starts_with(SQLITE) {
            return Some(Self::ReportDb);
        }
        if whole && shm::is_region(sample) {
            return Some(Self::Shm);
        }
        let text = sample.trim_ascii_start();
        let next = text.get(1..).map(<[u8]>::trim_ascii_start).and_then(<[u8]>::first);
        match (text.first(), next) {
            (Some(b'['), Some(b'{' | b']')) | (Some(b'{'), Some(b'"')) => return Some(Self::Graph),
            _ => {}
        }
        let has = |word: &[u8]| memmem::find(sample, word).is_some();
        if sample.iter().take(4096).any(|&byte| byte == 0) {
            let start = &sample[..sample.len().min(64 << 10)];
            return is_stream(start).then_some(Self::Wire);
        }
        let blocks: [&[u8]; 4] = [
            b"BUFFER ALLOCATED",
            b"BUFFER DEALLOCATED",
            b"BUFFER DESTRUCTOR",
            b"=== Pre-Allocated Buffer Created ===",
        ];
        if blocks.iter().any(|word| has(word)) {
            return Some(Self::BufferLog);
        }
        let words: [&[u8]; 6] = [
            b"] Allocated ",
            b"] Freed buffer ",
            b"Deallocation for ",
            b"Allocation Server st",
            b"REMAINING ALLOCATED BUFFERS",
            b" Statistics:",
        ];
        words.iter().any(|word| has(word)).then_some(Self::ServerLog)
    }
}

impl fmt::Display for Kind {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.name())
    }
}

impl FromStr for Kind {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        Self::ALL.into_iter().find(|kind| kind.name() == text).ok_or_else(|| {
            let hint = suggest::hint(text, Self::ALL.into_iter().map(Self::name));
            format!("unknown kind `{text}`; {hint}")
        })
    }
}

/// Why an input could not be read.
#[derive(Debug, thiserror::Error)]
pub enum ReadError {
    /// The file could not be read.
    #[error("{0}")]
    Io(#[from] io::Error),
    /// Nothing in it says what it is.
    #[error(
        "this is no server log, wire stream, buffer log, graph capture, snapshot or report; \
         --kind says what to take it for"
    )]
    UnknownKind,
    /// Nothing in it is what it was to be taken for.
    #[error("nothing in it is of a {0}; without --kind its content decides what it is")]
    OtherKind(Kind),
    /// No graph capture.
    #[error("not a graph capture: {}", suggest::shown(&.0.to_string()))]
    Graph(#[from] serde_json::Error),
    /// A snapshot of another length.
    #[error("a snapshot has 8576 bytes, or 9280 in version 1; this has {}", length(*.0))]
    ShmLength(u64),
    /// A snapshot of another version.
    #[error("a snapshot of {0} bytes and version {1}: versions 2 to 4 have 8576, version 1 9280")]
    ShmVersion(u64, u32),
    /// No report, or one that cannot be read.
    #[error("not a report that can be read: {0}")]
    ReportDb(String),
    /// No database.
    #[error("a report is a SQLite database, and this does not begin as one")]
    NoDatabase,
    /// A database, and nothing to read it with.
    #[error(
        "this is a SQLite database, such as the db.sqlite of ttnn-visualizer, and this build \
         reads none; one with `cargo build --features sqlite` does"
    )]
    NoSqlite,
}

/// How an input is to be read.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Options {
    /// Its kind; none means that the content decides.
    pub kind: Option<Kind>,
    /// The size of a record of a wire stream; none means that the content decides.
    pub record: Option<usize>,
}

/// A reader of any input.
///
/// ```
/// use freeorder::audit::{Options, Reader};
/// let log = "\u{2717} [PID 7] Freed buffer 1024 on device 0 (64 bytes, FINAL)\n";
/// let mut reader = Reader::new(Box::new(log.as_bytes()), Options::default())?;
/// let mut events = Vec::new();
/// while reader.read(&mut events)? {}
/// assert_eq!(events.len(), 1);
/// # Ok::<(), freeorder::audit::ReadError>(())
/// ```
pub struct Reader {
    source: Source,
}

enum Source {
    ServerLog(ServerLog),
    Wire(Wire),
    BufferLog(BufferLog),
    Graph(graph::Capture),
    Shm(Vec<Event>),
    ReportDb(graph::Capture),
}

impl Reader {
    /// A reader of an input.
    ///
    /// # Errors
    /// If it cannot be read, or is nothing that is known.
    pub fn new(source: Box<dyn Read>, options: Options) -> Result<Self, ReadError> {
        let mut chunks = Chunks::new(source);
        let sample = chunks.at_least(SAMPLE)?;
        let whole = sample.len() < SAMPLE;
        let kind = options.kind.or_else(|| Kind::detect(sample, whole));
        let source = match kind.ok_or(ReadError::UnknownKind)? {
            Kind::ServerLog => Source::ServerLog(ServerLog::new(chunks)),
            Kind::Wire => Source::Wire(Wire::new(chunks, options.record)?),
            Kind::BufferLog => Source::BufferLog(BufferLog::new(chunks)),
            Kind::Graph => Source::Graph(graph::read(whole_of(chunks))?),
            Kind::Shm => Source::Shm(region(whole_of(chunks))?),
            Kind::ReportDb => Source::ReportDb(report(whole_of(chunks))?),
        };
        Ok(Self { source })
    }

    /// Its kind.
    #[must_use]
    pub fn kind(&self) -> Kind {
        match &self.source {
            Source::ServerLog(_) => Kind::ServerLog,
            Source::Wire(_) => Kind::Wire,
            Source::BufferLog(_) => Kind::BufferLog,
            Source::Graph(_) => Kind::Graph,
            Source::Shm(_) => Kind::Shm,
            Source::ReportDb(_) => Kind::ReportDb,
        }
    }

    /// Adds some events; false if there are no more.
    ///
    /// # Errors
    /// If the input cannot be read.
    pub fn read(&mut self, events: &mut Vec<Event>) -> Result<bool, ReadError> {
        let more = match &mut self.source {
            Source::ServerLog(log) => log.read(events)?,
            Source::Wire(wire) => wire.read(events)?,
            Source::BufferLog(log) => log.read(events)?,
            Source::Graph(capture) | Source::ReportDb(capture) => {
                events.append(&mut capture.events);
                false
            }
            Source::Shm(counters) => {
                events.append(counters);
                false
            }
        };
        Ok(more)
    }

    /// The bytes read so far.
    #[must_use]
    pub fn bytes(&self) -> u64 {
        match &self.source {
            Source::ServerLog(log) => log.bytes(),
            Source::Wire(wire) => wire.bytes(),
            Source::BufferLog(log) => log.bytes(),
            Source::Graph(_) | Source::Shm(_) | Source::ReportDb(_) => 0,
        }
    }

    /// The lines, records, nodes or operations so far.
    #[must_use]
    pub fn places(&self) -> u64 {
        match &self.source {
            Source::ServerLog(log) => log.lines(),
            Source::Wire(wire) => wire.records(),
            Source::BufferLog(log) => log.lines(),
            Source::Graph(capture) | Source::ReportDb(capture) => capture.nodes,
            Source::Shm(_) => 0,
        }
    }

    /// The lines so far that are nobody's.
    #[must_use]
    pub fn other(&self) -> u64 {
        match &self.source {
            Source::ServerLog(log) => log.other(),
            Source::Wire(_)
            | Source::BufferLog(_)
            | Source::Graph(_)
            | Source::Shm(_)
            | Source::ReportDb(_) => 0,
        }
    }

    /// The size of a record, of a wire stream.
    #[must_use]
    pub fn record_size(&self) -> Option<usize> {
        match &self.source {
            Source::Wire(wire) => Some(wire.size()),
            Source::ServerLog(_)
            | Source::BufferLog(_)
            | Source::Graph(_)
            | Source::Shm(_)
            | Source::ReportDb(_) => None,
        }
    }

    /// The name of a call path.
    #[must_use]
    pub fn path(&self, id: super::event::PathId) -> &str {
        match &self.source {
            Source::BufferLog(log) => log.paths().name(id),
            Source::Graph(capture) | Source::ReportDb(capture) => capture.paths.name(id),
            Source::ServerLog(_) | Source::Wire(_) | Source::Shm(_) => "",
        }
    }
}

/// What is read of a snapshot: more than any has.
const REGION_MAX: u64 = 1 << 20;

/// A length in words.
fn length(of: u64) -> String {
    if of < REGION_MAX { of.to_string() } else { format!("{REGION_MAX} or more") }
}

fn region(source: Box<dyn Read>) -> Result<Vec<Event>, ReadError> {
    let mut bytes = Vec::new();
    source.take(REGION_MAX).read_to_end(&mut bytes)?;
    let length = bytes.len() as u64;
    let events = shm::read(&bytes).ok_or(ReadError::ShmLength(length))?;
    if !shm::is_region(&bytes) {
        let version = bytes.first_chunk().map_or(0, |bytes| u32::from_le_bytes(*bytes));
        return Err(ReadError::ShmVersion(length, version));
    }
    Ok(events)
}

#[cfg(feature = "sqlite")]
use sqlite::read as report;

#[cfg(not(feature = "sqlite"))]
fn report(source: Box<dyn Read>) -> Result<graph::Capture, ReadError> {
    let mut start = Vec::new();
    source.take(SQLITE.len() as u64).read_to_end(&mut start)?;
    Err(if start == SQLITE { ReadError::NoSqlite } else { ReadError::NoDatabase })
}

/// The input, with what was read of it already.
fn whole_of(chunks: Chunks) -> Box<dyn Read> {
    let (start, source) = chunks.into_parts();
    Box::new(Bytes::new(start).chain(source))
}
