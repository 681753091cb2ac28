//! A file in pieces of whole lines, without an allocation for any of them.

use std::io::{self, Read};

/// What is read at once. Small enough that what is made of it stays in the cache.
const PIECE: usize = 32 << 10;

/// A line longer than this is no line of any input; the rest of it is skipped.
pub const LINE_MAX: usize = 1 << 20;

/// The bytes of an input, a piece at a time.
pub struct Chunks {
    source: Box<dyn Read>,
    buffer: Vec<u8>,
    /// The part of the buffer that nobody has taken yet.
    rest: std::ops::Range<usize>,
    ended: bool,
    /// What comes is the rest of a line that was too long.
    skips: bool,
    taken: u64,
}

impl Chunks {
    pub fn new(source: Box<dyn Read>) -> Self {
        Self { source, buffer: vec![0; PIECE], rest: 0..0, ended: false, skips: false, taken: 0 }
    }

    /// The bytes given out so far.
    pub fn taken(&self) -> u64 {
        self.taken
    }

    /// Whether there is nothing behind what was last made available.
    pub fn is_over(&self) -> bool {
        self.ended
    }

    /// Makes at least so many bytes available, unless the input ends before; what there is.
    pub fn at_least(&mut self, count: usize) -> io::Result<&[u8]> {
        while self.rest.len() < count && !self.ended {
            self.read()?;
        }
        Ok(&self.buffer[self.rest.clone()])
    }

    /// Gives up the first bytes of what there is.
    pub fn take(&mut self, count: usize) {
        self.rest.start += count.min(self.rest.len());
        self.taken += count as u64;
    }

    /// What was last made available.
    pub fn available(&self) -> &[u8] {
        &self.buffer[self.rest.clone()]
    }

    /// What nobody has taken yet, and the input behind it.
    pub fn into_parts(self) -> (Vec<u8>, Box<dyn Read>) {
        (self.buffer[self.rest].to_vec(), self.source)
    }

    /// Makes whole lines available; how many bytes they are, 0 at the end.
    pub fn lines(&mut self) -> io::Result<usize> {
        self.skip()?;
        let mut searched = 0;
        loop {
            if self.rest.len() > searched {
                let fresh = &self.buffer[self.rest.start + searched..self.rest.end];
                if let Some(last) = memchr::memrchr(b'\n', fresh) {
                    return Ok(searched + last + 1);
                }
                searched = self.rest.len();
            }
            if self.ended || searched >= LINE_MAX {
                self.skips = !self.ended;
                return Ok(self.rest.len());
            }
            self.read()?;
        }
    }

    /// Goes to the end of a line that was too long.
    fn skip(&mut self) -> io::Result<()> {
        while self.skips {
            let end = memchr::memchr(b'\n', self.available()).map(|end| end + 1);
            self.take(end.unwrap_or(self.rest.len()));
            self.skips = end.is_none() && !self.ended;
            if self.skips {
                self.read()?;
            }
        }
        Ok(())
    }

    fn read(&mut self) -> io::Result<()> {
        if self.rest.start > 0 {
            self.buffer.copy_within(self.rest.clone(), 0);
            self.rest = 0..self.rest.len();
        }
        if self.rest.end == self.buffer.len() {
            self.buffer.resize(self.buffer.len() * 2, 0);
        }
        // A large buffer, once needed, must not make every later piece large.
        let end = self.buffer.len().min(self.rest.end + PIECE);
        match self.source.read(&mut self.buffer[self.rest.end..end]) {
            Ok(0) => self.ended = true,
            Ok(count) => self.rest.end += count,
            Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
            Err(error) => return Err(error),
        }
        Ok(())
    }
}
