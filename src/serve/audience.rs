//! Who is told what the server has to say, and what waits for that.

use std::ops::ControlFlow;

use super::state::Counts;
use super::table::Table;

/// Text that is longer makes the clients of a server that prints each message wait.
const WAIT_FROM: usize = 2 << 20;

/// What comes when so much text waits is not printed: it is only counted.
const UNPRINTED_MAX: usize = 4 << 20;

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

/// Whoever is told; nothing here may wait for anybody, as the server waits for it.
pub trait Audience {
    /// Takes a report; a break ends the server.
    fn report(&mut self, report: Report<'_>) -> ControlFlow<()>;

    /// Whether everything that it took is printed, so that it takes more.
    fn is_ready(&self) -> bool;

    /// Whether what it took has not been read for long.
    fn is_stalled(&self) -> bool;
}

/// Text that waits to be printed.
pub(super) struct Unprinted {
    pub(super) lines: String,
    /// The same for standard error.
    pub(super) warnings: String,
    /// Messages of which there is no text, because there was too much.
    lost: u64,
    /// From here on text is lost.
    max: usize,
}

impl Default for Unprinted {
    fn default() -> Self {
        Self { lines: String::new(), warnings: String::new(), lost: 0, max: UNPRINTED_MAX }
    }
}

impl Unprinted {
    /// Bytes.
    pub(super) fn len(&self) -> usize {
        self.lines.len() + self.warnings.len()
    }

    /// Whether clients must wait, if each of their messages is printed.
    pub(super) fn is_long(&self) -> bool {
        self.len() >= WAIT_FROM
    }

    /// Whether there is room for the text of a message; else it is counted.
    #[inline]
    pub(super) fn has_room(&mut self) -> bool {
        self.has_room_below(self.max)
    }

    /// The same for what is longer than a line.
    pub(super) fn has_room_for_a_dump(&mut self) -> bool {
        self.has_room_below(UNPRINTED_MAX)
    }

    fn has_room_below(&mut self, max: usize) -> bool {
        let has_room = self.len() < max;
        self.lost += u64::from(!has_room);
        has_room
    }

    /// No line is lost any more: there will not be many.
    pub(super) fn keep_all_lines(&mut self) {
        self.max = usize::MAX;
    }

    /// Lines, warnings, and how many messages have no text, since it was taken last.
    pub(super) fn take(&mut self) -> (String, String, u64) {
        let lost = std::mem::take(&mut self.lost);
        (std::mem::take(&mut self.lines), std::mem::take(&mut self.warnings), lost)
    }
}
