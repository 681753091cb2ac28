//! Reading a file line by line, in memory that does not grow with it.

use std::io::{BufRead, Read};

use super::error::{ConformError, Place};
use crate::suggest::shown;

/// The greatest length of a line, in bytes.
pub const LINE_LENGTH_MAX: usize = 16 << 20;

/// A line and where it stands.
#[derive(Clone, Copy, Debug)]
pub(super) struct Here<'a> {
    pub path: &'a str,
    pub number: u64,
    pub text: &'a str,
}

impl Here<'_> {
    pub fn place(&self, column: Option<u64>) -> Place {
        Place { path: self.path.to_owned(), line: self.number, column }
    }

    /// The line is no operation with its answer.
    pub fn malformed(
        &self,
        column: Option<u64>,
        message: &str,
        hint: impl Into<String>,
    ) -> ConformError {
        let (message, hint) = (shown(message), hint.into());
        ConformError::Malformed { at: self.place(column), message, hint }
    }

    /// The operation cannot happen here.
    pub fn impossible(&self, message: &str, hint: impl Into<String>) -> ConformError {
        let (message, hint) = (shown(message), hint.into());
        ConformError::Impossible { at: self.place(None), message, hint }
    }
}

/// The lines of a file that say something.
pub(super) struct Lines<'a, R> {
    path: &'a str,
    reader: R,
    buffer: Vec<u8>,
    number: u64,
}

impl<'a, R: BufRead> Lines<'a, R> {
    pub fn new(path: &'a str, reader: R) -> Self {
        Self { path, reader, buffer: Vec::new(), number: 0 }
    }

    /// The next line that is not empty; none at the end.
    pub fn next(&mut self) -> Result<Option<Here<'_>>, ConformError> {
        loop {
            self.buffer.clear();
            self.number += 1;
            let limit = LINE_LENGTH_MAX as u64 + 1;
            let mut limited = self.reader.by_ref().take(limit);
            let read = limited.read_until(b'\n', &mut self.buffer);
            if read.map_err(|source| ConformError::Read { at: self.at(None), source })? == 0 {
                return Ok(None);
            }
            if self.buffer.last() == Some(&b'\n') {
                self.buffer.pop();
            }
            if self.buffer.len() > LINE_LENGTH_MAX {
                let length_max = LINE_LENGTH_MAX;
                return Err(ConformError::TooLong { at: self.at(None), length_max });
            }
            if !self.buffer.iter().all(u8::is_ascii_whitespace) {
                break;
            }
        }
        match std::str::from_utf8(&self.buffer) {
            Ok(text) => Ok(Some(Here { path: self.path, number: self.number, text })),
            Err(error) => {
                let column = Some(error.valid_up_to() as u64 + 1);
                Err(ConformError::NotText { at: self.at(column) })
            }
        }
    }

    fn at(&self, column: Option<u64>) -> Place {
        Place { path: self.path.to_owned(), line: self.number, column }
    }
}
