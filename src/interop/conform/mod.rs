//! Does the model answer as the real runtime did?
//!
//! Two kinds of file hold what was asked and what was answered. A `.trace` drove the C++ class
//! `FreeListOpt` and is replayed against [`FreeListOpt`](crate::allocator::FreeListOpt). A `.jsonl`
//! drove the whole runtime and is replayed through [`Simulation`](crate::scenario::Simulation), the
//! oracles watching: every recorded address, size, count, block and error text is compared.

mod error;
mod lines;
mod operation;
mod process;
mod recording;
mod tally;
pub(crate) mod tensor;
#[cfg(test)]
mod tests;
mod trace;

pub use error::{ConformError, Place};
pub use lines::LINE_LENGTH_MAX;
pub use tally::{Conformance, Mismatch, Violations};

use std::io::BufRead;
use std::path::Path;

use lines::Lines;
use recording::Recording;
use trace::Trace;

use crate::suggest;

/// Replays a file; `path_name` names it in messages, and its extension says what it is.
///
/// After a mismatch the replay goes on, so that its extent is known; the first is the one to look
/// at. The memory it takes grows with the tensors alive, not with the file.
///
/// ```
/// use freeorder::interop::conform::conform;
/// let trace = "new capacity=1048576 offset=0 min=1024 align=1024 policy=best\n\
///              alloc 3888 top -> 1044480\n\
///              free 1044480\n";
/// let conformance = conform("small.trace", trace.as_bytes())?;
/// assert_eq!((conformance.operations, conformance.mismatches), (3, 0));
/// # Ok::<(), freeorder::interop::conform::ConformError>(())
/// ```
///
/// # Errors
/// If the name has neither extension, the file cannot be read, or a line is no operation with its
/// answer: nothing is skipped.
pub fn conform(path_name: &str, reader: impl BufRead) -> Result<Conformance, ConformError> {
    let extension = Path::new(path_name).extension().and_then(|extension| extension.to_str());
    let lines = Lines::new(path_name, reader);
    match extension {
        Some("trace") => replay_trace(path_name, lines),
        Some("jsonl") => replay_recording(path_name, lines),
        Some(other) => {
            let found = format!("`.{}` files are not replayed", suggest::shown(other));
            Err(ConformError::Extension { path: path_name.to_owned(), found })
        }
        None => {
            let found = "the name has no extension".to_owned();
            Err(ConformError::Extension { path: path_name.to_owned(), found })
        }
    }
}

fn replay_trace<R: BufRead>(
    path_name: &str,
    mut lines: Lines<'_, R>,
) -> Result<Conformance, ConformError> {
    let mut found = Conformance::default();
    let mut trace = Trace::default();
    while let Some(here) = lines.next()? {
        trace.replay(&here, &mut found)?;
        found.operations += 1;
    }
    not_empty(path_name, found, "a trace begins with a line `new capacity=.. offset=.. ..`")
}

fn replay_recording<R: BufRead>(
    path_name: &str,
    mut lines: Lines<'_, R>,
) -> Result<Conformance, ConformError> {
    let mut found = Conformance::default();
    let mut recording = Recording::default();
    while let Some(here) = lines.next()? {
        recording.replay(&here, &mut found)?;
        found.operations += 1;
    }
    recording.finish(&mut found);
    not_empty(path_name, found, "a recording begins with a line {\"op\": \"open\", ..}")
}

/// A replay of nothing would prove nothing.
fn not_empty(
    path_name: &str,
    found: Conformance,
    hint: &'static str,
) -> Result<Conformance, ConformError> {
    if found.operations == 0 {
        return Err(ConformError::Empty { path: path_name.to_owned(), hint });
    }
    Ok(found)
}
