//! What could happen next, and what an operation did.

use std::fmt;

use crate::op::{Stream, ThreadId};

/// Something that could happen next.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Action {
    /// A thread takes its next step.
    Step(ThreadId),
    /// The server reads the oldest message of a socket.
    Deliver(Stream),
}

impl fmt::Display for Action {
    /// Prints `t0` for a step, `old` or `new` for a socket.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Step(thread) => thread.fmt(f),
            Self::Deliver(stream) => stream.fmt(f),
        }
    }
}

/// What an operation did.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Outcome {
    /// Whether anything changed. A line that names something that is not there changes nothing.
    pub changed: bool,
    /// The text with which the runtime refused, if it did.
    pub refused: Option<String>,
}

impl Outcome {
    pub(super) const DONE: Self = Self { changed: true, refused: None };

    pub(super) fn of(changed: bool) -> Self {
        Self { changed, refused: None }
    }
}
