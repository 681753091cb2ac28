//! The scenario files below a folder.

use std::fs;
use std::io;
use std::path::{Path, PathBuf};

use crate::cli::output::{self, Failure};
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

/// Every scenario file below a folder, by name; of a file, the file itself.
pub fn below(path: &Path) -> Result<Vec<File>, Failure> {
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
    paths.into_iter().map(read).collect()
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

fn read(path: PathBuf) -> Result<File, Failure> {
    let name = path.display().to_string();
    let (text, scenario) = output::read_scenario_text(&path)?;
    Ok(File { path, name, text, scenario })
}
