//! Why a text is not a scenario, where, and what would be right.

use std::fmt;

/// A place in the text of a scenario.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Position {
    /// The line, from 1.
    pub line: u32,
    /// The column, from 1, in characters.
    pub column: u32,
    /// The distance from the start of the text, in bytes.
    pub offset: usize,
    /// The length of the wrong part, in bytes; 0 where something is missing.
    pub length: usize,
}

impl fmt::Display for Position {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "line {}, column {}", self.line, self.column)
    }
}

/// Why a text is not a scenario: the first thing that is wrong with it.
///
/// ```
/// use freeorder::scenario::Scenario;
/// let error = "freeorder 1\ndealocate b0\n".parse::<Scenario>().unwrap_err();
/// assert_eq!(
///     error.to_string(),
///     "line 2, column 1: unknown operation `dealocate`; did you mean `deallocate`?"
/// );
/// assert_eq!((error.line(), error.column(), error.offset(), error.length()), (2, 1, 12, 9));
/// ```
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("{}: {}; {}", self.position(), self.message(), self.hint())]
pub enum ScenarioError {
    /// Bytes that are no text.
    InvalidUtf8 {
        /// The first of them.
        at: Position,
    },
    /// A character that no text file has.
    ControlCharacter {
        /// Where.
        at: Position,
        /// Its code point.
        code: u32,
    },
    /// The first line is not the version line.
    MissingVersion {
        /// The first line.
        at: Position,
        /// Whether a byte order mark is all that is wrong at its start.
        byte_order_mark: bool,
    },
    /// The version line names a version that this crate does not read.
    UnknownVersion {
        /// The version.
        at: Position,
        /// What was written.
        found: String,
    },
    /// A name from a fixed list was expected and another one found.
    UnknownName {
        /// The name.
        at: Position,
        /// What it should name: `operation`, `fix`, `server`.
        what: &'static str,
        /// What was written.
        found: String,
        /// What would be right.
        hint: String,
    },
    /// Another word was expected.
    Unexpected {
        /// The word, or the end of the line.
        at: Position,
        /// What was expected, and what was found.
        message: String,
        /// What the whole line looks like.
        hint: String,
    },
    /// A number that is too small or too large.
    OutOfRange {
        /// The number.
        at: Position,
        /// Which number, and what was written.
        message: String,
        /// What would be right.
        hint: String,
    },
    /// A line, or a comment, that is right in itself and stands in the wrong place.
    Misplaced {
        /// What is out of place.
        at: Position,
        /// What it is.
        message: String,
        /// Where it would be right.
        hint: &'static str,
    },
}

impl ScenarioError {
    /// Where it is.
    #[must_use]
    pub fn position(&self) -> Position {
        match self {
            Self::InvalidUtf8 { at }
            | Self::ControlCharacter { at, .. }
            | Self::MissingVersion { at, .. }
            | Self::UnknownVersion { at, .. }
            | Self::UnknownName { at, .. }
            | Self::Unexpected { at, .. }
            | Self::OutOfRange { at, .. }
            | Self::Misplaced { at, .. } => *at,
        }
    }

    /// The line, from 1.
    #[must_use]
    pub fn line(&self) -> u32 {
        self.position().line
    }

    /// The column, from 1, in characters.
    #[must_use]
    pub fn column(&self) -> u32 {
        self.position().column
    }

    /// The distance from the start of the text, in bytes.
    #[must_use]
    pub fn offset(&self) -> usize {
        self.position().offset
    }

    /// The length of the wrong part, in bytes; 0 where something is missing.
    #[must_use]
    pub fn length(&self) -> usize {
        self.position().length
    }

    /// What is wrong, without the place.
    #[must_use]
    pub fn message(&self) -> String {
        match self {
            Self::InvalidUtf8 { .. } => "the bytes are not UTF-8 text".to_owned(),
            Self::ControlCharacter { code, .. } => {
                format!("the control character U+{code:04X} is not text")
            }
            Self::MissingVersion { byte_order_mark: true, .. } => {
                "a byte order mark stands before the version line".to_owned()
            }
            Self::MissingVersion { byte_order_mark: false, .. } => {
                "the version line is missing".to_owned()
            }
            Self::UnknownVersion { found, .. } => format!("unknown version `{found}`"),
            Self::UnknownName { what, found, .. } => format!("unknown {what} `{found}`"),
            Self::Unexpected { message, .. }
            | Self::OutOfRange { message, .. }
            | Self::Misplaced { message, .. } => message.clone(),
        }
    }

    /// What would be right.
    #[must_use]
    pub fn hint(&self) -> String {
        let version = super::VERSION;
        match self {
            Self::InvalidUtf8 { .. } | Self::ControlCharacter { .. } => {
                "a scenario is a text file in UTF-8".to_owned()
            }
            Self::MissingVersion { byte_order_mark: true, .. } => {
                "save the file as UTF-8 without one".to_owned()
            }
            Self::MissingVersion { byte_order_mark: false, .. } => {
                format!("the first line must be `freeorder {version}`")
            }
            Self::UnknownVersion { .. } => format!("this freeorder reads `freeorder {version}`"),
            Self::UnknownName { hint, .. }
            | Self::Unexpected { hint, .. }
            | Self::OutOfRange { hint, .. } => hint.clone(),
            Self::Misplaced { hint, .. } => (*hint).to_owned(),
        }
    }
}
