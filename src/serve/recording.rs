//! A file of every message, in the order of arrival, which `freeorder audit` reads.

use std::fs::{File, OpenOptions};
use std::io::{self, Write};
use std::os::unix::fs::OpenOptionsExt;
use std::path::Path;

use crate::wire::{HEAD, RECORD_SIZES};

/// Every message is kept as a record of the oldest version: its head has all that clients say.
const RECORD: usize = RECORD_SIZES[0];

/// What waits to be written is written when it is larger: while it is still in the nearest cache.
const FULL: usize = 32 << 10;

/// A recording.
pub(super) struct Recording {
    file: File,
    waiting: Vec<u8>,
    error: Option<io::Error>,
}

impl Recording {
    /// Begins one; a file that is there is nobody's to overwrite.
    pub(super) fn create(path: &Path) -> io::Result<Self> {
        let file = OpenOptions::new().write(true).create_new(true).mode(0o600).open(path)?;
        Ok(Self { file, waiting: Vec::with_capacity(FULL + RECORD), error: None })
    }

    /// Takes the head of a message.
    #[inline]
    pub(super) fn push(&mut self, head: &[u8]) {
        self.waiting.extend_from_slice(head);
        self.waiting.extend_from_slice(&[0; RECORD - HEAD]);
        if self.waiting.len() >= FULL {
            self.write();
        }
    }

    /// Hands everything that was taken to the system. Once that has failed, it always does: nothing
    /// is written behind what is missing, and nothing is answered.
    pub(super) fn flush(&mut self) -> io::Result<()> {
        if !self.waiting.is_empty() {
            self.write();
        }
        match &self.error {
            Some(error) => Err(io::Error::new(error.kind(), error.to_string())),
            None => Ok(()),
        }
    }

    fn write(&mut self) {
        if self.error.is_none() {
            self.error = self.file.write_all(&self.waiting).err();
        }
        self.waiting.clear();
    }
}
