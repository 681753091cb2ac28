//! What some operations choose between.

use std::fmt;

use crate::units::DeviceId;

/// Which part of a MeshBuffer `release` lets go.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Piece {
    /// The backing buffer: the last `shared_ptr` in `OwnedBufferState`.
    Backing,
    /// The device-local buffer of one device.
    Local(DeviceId),
}

impl fmt::Display for Piece {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Backing => f.write_str("backing"),
            Self::Local(device) => write!(f, "d{device}"),
        }
    }
}

/// Which of the client's two sockets, after a reconnect.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Stream {
    /// The socket from before the reconnect.
    Old,
    /// The socket in use now.
    New,
}

impl fmt::Display for Stream {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Old => "old",
            Self::New => "new",
        })
    }
}

/// How an operation of ttnn moves the tensor that it reads: it gives its memory back first, and its
/// result takes what is free then. A tensor that somebody else holds too is its own result.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Moves {
    /// `ttnn.move`.
    Move,
    /// `ttnn.reallocate`.
    Reallocate,
}

impl fmt::Display for Moves {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Move => "move",
            Self::Reallocate => "reallocate",
        })
    }
}

/// How the child of a fork ends: at once, either way.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum ChildEnd {
    /// `exit`, as a program that is done: destructors run, on copies of what the process has.
    Exit,
    /// `_exit`: nothing more runs.
    Immediate,
}

impl fmt::Display for ChildEnd {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Exit => "exit",
            Self::Immediate => "_exit",
        })
    }
}

/// The mode of a graph capture: `RunMode`.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum RunMode {
    /// Everything really happens.
    Normal,
    /// The hook keeps allocations from the allocator, and programs from the device.
    NoDispatch,
}

impl fmt::Display for RunMode {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Normal => "NORMAL",
            Self::NoDispatch => "NO_DISPATCH",
        })
    }
}

/// `GraphProcessor::begin_graph_capture` or `end_graph_capture`.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum CaptureStep {
    /// A capture begins, within those of the process that have not ended.
    Begin(RunMode),
    /// The innermost one ends.
    End,
}

impl fmt::Display for CaptureStep {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Begin(RunMode::NoDispatch) => "begin",
            Self::Begin(RunMode::Normal) => "begin normal",
            Self::End => "end",
        })
    }
}
