//! The scenario files below a folder.

use std::fs;
use std::io;
use std::path::{Path, PathBuf};

use crate::cli::output::{self, Failure, InputError};
use crate::corpus;
use crate::scenario::Scenario;

/// A scenario file.
pub struct File {
    /// Where it is.
    pub path: PathBuf,
    /// The path as it is printed.
    pub name: String,
    /// What stands in it.
    pub text: String,
    /// What it says.
    pub scenario: Scenario,
}

/// A file that is no scenario, or none that can be run.
pub struct Unreadable {
    /// The path as it is printed.
    pub name: String,
    /// Why.
    pub error: Box<InputError>,
}

/// Every scenario file below a folder, by name; of a file, the file itself. A file that cannot be
/// read is no reason to be silent about the others.
pub fn below(path: &Path) -> Result<(Vec<File>, Vec<Unreadable>), Failure> {
    let wrong = |error: io::Error| Failure::input(format!("{}: {error}", path.display()));
    let mut paths = Vec::new();
    if fs::metadata(path).map_err(wrong)?.is_dir() {
        collect(path, &mut paths).map_err(wrong)?;
    } else {
        paths.push(path.to_path_buf());
    }
    if paths.is_empty() {
        let name = path.display();
        return Err(Failure::input(format!("{name}: no file below it ends with `.scenario`")));
    }
    let (mut files, mut unreadable) = (Vec::new(), Vec::new());
    for path in paths {
        let name = path.display().to_string();
        match output::read_scenario_text(&path) {
            Ok((text, scenario)) => files.push(File { path, name, text, scenario }),
            Err(Failure::Input(error)) => unreadable.push(Unreadable { name, error }),
            Err(failure) => return Err(failure),
        }
    }
    Ok((files, unreadable))
}

/// What is said of files that cannot be read: of one all there is, of several a line each.
pub fn failure(mut unreadable: Vec<Unreadable>) -> Failure {
    if unreadable.len() == 1
        && let Some(Unreadable { error, .. }) = unreadable.pop()
    {
        return Failure::Input(error);
    }
    let lines = unreadable.iter().map(|one| one.error.to_string());
    Failure::input(lines.collect::<Vec<_>>().join("\n"))
}

/// Links to folders are not followed: they could lead back here.
fn collect(folder: &Path, found: &mut Vec<PathBuf>) -> io::Result<()> {
    let mut entries = fs::read_dir(folder)?.collect::<io::Result<Vec<_>>>()?;
    entries.sort_by_key(fs::DirEntry::file_name);
    for entry in entries {
        let path = entry.path();
        if entry.file_type()?.is_dir() {
            collect(&path, found)?;
        } else if corpus::is_scenario(&path) && path.is_file() {
            found.push(path);
        }
    }
    Ok(())
}
