//! Why a file cannot be replayed, where, and what would be right.

use std::fmt;
use std::io;

/// A place in a file of recorded answers.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Place {
    /// The name that the file was given.
    pub path: String,
    /// The line, from 1.
    pub line: u64,
    /// The column, from 1, in bytes; none if the whole line is meant.
    pub column: Option<u64>,
}

impl fmt::Display for Place {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}: line {}", self.path, self.line)?;
        self.column.map_or(Ok(()), |column| write!(f, ", column {column}"))
    }
}

/// Why a file cannot be replayed: the first thing that is wrong with it.
#[derive(Debug, thiserror::Error)]
pub enum ConformError {
    /// The name of the file does not say what is in it.
    #[error("{path}: {found}; a free-list trace ends in .trace, a runtime recording in .jsonl")]
    Extension {
        /// The name that the file was given.
        path: String,
        /// What is wrong with it.
        found: String,
    },
    /// There is nothing in the file.
    #[error("{path}: nothing to replay: {hint}")]
    Empty {
        /// The name that the file was given.
        path: String,
        /// How such a file begins.
        hint: &'static str,
    },
    /// The file could not be read.
    #[error("{at}: cannot be read")]
    Read {
        /// The line that was to be read.
        at: Place,
        /// What the reader said.
        source: io::Error,
    },
    /// A line that no recorder writes.
    #[error("{at}: the line is longer than {} MiB; an operation has one line", length_max >> 20)]
    TooLong {
        /// The line.
        at: Place,
        /// The greatest length of a line, in bytes.
        length_max: usize,
    },
    /// Bytes that are no text.
    #[error("{at}: the bytes are not UTF-8 text; recordings are plain text, not compressed")]
    NotText {
        /// The first of them.
        at: Place,
    },
    /// A line that is no operation with its answer.
    #[error("{at}: {message}; {hint}")]
    Malformed {
        /// The word, or the line.
        at: Place,
        /// What is wrong.
        message: String,
        /// What would be right.
        hint: String,
    },
    /// An operation that cannot happen here, though it is well formed.
    #[error("{at}: {message}; {hint}")]
    Impossible {
        /// The line.
        at: Place,
        /// What is wrong.
        message: String,
        /// What would be right.
        hint: String,
    },
}

impl ConformError {
    /// Where it is; none if it concerns the whole file.
    #[must_use]
    pub fn place(&self) -> Option<&Place> {
        match self {
            Self::Extension { .. } | Self::Empty { .. } => None,
            Self::Read { at, .. }
            | Self::TooLong { at, .. }
            | Self::NotText { at }
            | Self::Malformed { at, .. }
            | Self::Impossible { at, .. } => Some(at),
        }
    }
}
