//! Recorded numbers rewritten in place.

use std::ffi::OsStr;
use std::fs;
use std::io::{self, Write};
use std::path::Path;

use similar::TextDiff;

use super::Verdict;
use crate::cli::output::Failure;
use crate::search::regress::updated;

/// Refuses a path in `corpus/claims`.
pub fn refuse_claims(path: &Path) -> Result<(), Failure> {
    let wrong = |error: io::Error| Failure::input(format!("{}: {error}", path.display()));
    // A link must not lead around the rule.
    let real = path.canonicalize().map_err(wrong)?;
    let parts: Vec<&OsStr> = real.iter().collect();
    if parts.windows(2).any(|pair| pair == [OsStr::new("corpus"), OsStr::new("claims")]) {
        return Err(Failure::input(format!(
            "{}: corpus/claims holds what documents say, which no run of the model can change; \
             edit the file by hand, or write the number as `# disputed` with the reason",
            path.display()
        )));
    }
    Ok(())
}

/// Rewrites every file whose numbers changed, and says what it changed as a unified diff.
///
/// If one of them must not be rewritten, none is.
pub fn all(verdicts: &mut [Verdict]) -> Result<String, Failure> {
    let mut diffs = String::new();
    let mut writes = Vec::new();
    for verdict in verdicts.iter_mut().filter(|one| !one.checked.differences.is_empty()) {
        refuse_claims(&verdict.file.path)?;
        let before = &verdict.file.text;
        let after = updated(before, &verdict.checked.differences);
        if after != *before {
            let diff = TextDiff::from_lines(before, &after);
            let mut unified = diff.unified_diff();
            unified.header(&verdict.file.name, &verdict.file.name);
            diffs.push_str(&unified.to_string());
            writes.push((verdict, after));
        }
    }
    for (verdict, after) in writes {
        let path = &verdict.file.path;
        replace(path, after.as_bytes())
            .map_err(|error| Failure::input(format!("{}: {error}", path.display())))?;
        verdict.updated = true;
    }
    Ok(diffs)
}

/// Puts a new file in the place of the old one, so that at no moment there is half of one.
fn replace(path: &Path, bytes: &[u8]) -> io::Result<()> {
    let real = path.canonicalize()?;
    let mut name = real.file_name().unwrap_or_default().to_owned();
    name.push(format!(".{}.new", std::process::id()));
    let new = real.with_file_name(name);
    let written =
        write_new(&new, bytes, &fs::metadata(&real)?).and_then(|()| fs::rename(&new, &real));
    if written.is_err() {
        // The first error is the one to tell; what is left of the new file is of no use.
        let _ = fs::remove_file(&new);
    }
    written
}

fn write_new(path: &Path, bytes: &[u8], like: &fs::Metadata) -> io::Result<()> {
    let mut file = fs::OpenOptions::new().write(true).create_new(true).open(path)?;
    file.write_all(bytes)?;
    file.set_permissions(like.permissions())?;
    file.sync_all()
}
