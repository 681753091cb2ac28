//! Inputs of an audit: files, and streams that have to be read more than once.

use std::fs::{self, File, OpenOptions};
use std::io::{self, Read, Seek as _};
use std::path::{Path, PathBuf};

use super::output::Failure;
use crate::audit::{Options, ReadError, Reader};

/// A file, or a stream whose bytes are kept.
pub struct Input<'a> {
    path: &'a Path,
    kept: Option<File>,
}

impl<'a> Input<'a> {
    /// An input that is read once.
    pub fn once(path: &'a Path) -> Self {
        Self { path, kept: None }
    }

    /// An input that is read more than once: what standard input or a pipe says is kept in a file
    /// that has no name, and goes with the process.
    pub fn again(path: &'a Path) -> Result<Self, Failure> {
        let is_stream = path == Path::new("-") || fs::metadata(path).is_ok_and(|of| !of.is_file());
        if !is_stream {
            return Ok(Self::once(path));
        }
        let keep = || -> io::Result<Self> {
            let mut kept = nameless()?;
            io::copy(&mut Self::once(path).open()?, &mut kept)?;
            Ok(Self { path, kept: Some(kept) })
        };
        keep().map_err(|error| failed(path, &error))
    }

    /// Reads it from its beginning.
    pub fn bytes(&self) -> Result<Box<dyn Read>, Failure> {
        self.open().map_err(|error| failed(self.path, &error))
    }

    /// Reads it from its beginning, as what it is.
    pub fn events(&self, options: Options) -> Result<Reader, Failure> {
        Reader::new(self.bytes()?, options).map_err(|error| self.unreadable(&error))
    }

    /// What is said of an input that cannot be read as what it is.
    pub fn unreadable(&self, error: &ReadError) -> Failure {
        failed(self.path, error)
    }

    fn open(&self) -> io::Result<Box<dyn Read>> {
        if let Some(kept) = &self.kept {
            let mut kept = kept.try_clone()?;
            kept.rewind()?;
            return Ok(Box::new(kept));
        }
        if self.path == Path::new("-") {
            return Ok(Box::new(io::stdin()));
        }
        Ok(Box::new(File::open(self.path)?))
    }
}

fn failed(path: &Path, error: &dyn std::fmt::Display) -> Failure {
    Failure::input(format!("{}: {error}", path.display()))
}

/// A file that nobody else can open.
pub fn nameless() -> io::Result<File> {
    let path = |number: u32| -> PathBuf {
        std::env::temp_dir().join(format!("freeorder-{}-{number}", std::process::id()))
    };
    for number in 0.. {
        let path = path(number);
        match OpenOptions::new().read(true).write(true).create_new(true).open(&path) {
            Ok(file) => {
                fs::remove_file(&path)?;
                return Ok(file);
            }
            Err(error) if error.kind() == io::ErrorKind::AlreadyExists => {}
            Err(error) => return Err(error),
        }
    }
    unreachable!("some number is free")
}
