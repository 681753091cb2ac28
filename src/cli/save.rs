//! Files that a verb writes: whole or not at all, and never what it should not.

use std::fs;
use std::io::{self, Write as _};
use std::path::{Path, PathBuf};

use super::output::Failure;

/// Where the text goes first.
enum Target {
    /// Into a new file beside the one that it becomes.
    Beside { file: PathBuf, new: PathBuf },
    /// Where it stays: a device, a pipe, what a link points to that is not there yet.
    Through,
}

/// Writes a file whole or not at all: beside it first, then in its place. What is no file, such as
/// a device or a pipe, is written to as it is; a link stays one.
pub fn write_file(path: &Path, text: impl AsRef<[u8]>) -> Result<(), Failure> {
    let text = text.as_ref();
    let written = target(path).and_then(|target| match target {
        Target::Through => fs::OpenOptions::new()
            .write(true)
            .create(true)
            .truncate(true)
            .open(path)
            .and_then(|mut file| file.write_all(text)),
        Target::Beside { file, new } => create(&new, text)
            .and_then(|()| fs::rename(&new, &file))
            // What is left beside it is of no use to anybody.
            .inspect_err(|_| drop(fs::remove_file(&new))),
    });
    written.map_err(|error| failed(path, &error))
}

fn create(new: &Path, text: &[u8]) -> io::Result<()> {
    let mut file = fs::File::create(new)?;
    file.write_all(text)?;
    file.sync_all()
}

/// Says before long work what writing the file after it would say: that its folder takes none, or
/// that it is one of the files that are read.
pub fn can_write<'a>(
    path: &Path,
    inputs: impl IntoIterator<Item = &'a Path>,
) -> Result<(), Failure> {
    let same = |input: &Path| match (path.canonicalize(), input.canonicalize()) {
        (Ok(path), Ok(input)) => path == input,
        _ => false,
    };
    if inputs.into_iter().any(same) {
        let error = io::Error::other("it is read here; write to another file");
        return Err(failed(path, &error));
    }
    let possible = target(path).and_then(|target| match target {
        Target::Through => Ok(()),
        Target::Beside { new, .. } => fs::File::create(&new).and_then(|_| fs::remove_file(&new)),
    });
    possible.map_err(|error| failed(path, &error))
}

/// Says before long work that a folder cannot be made, or takes no files.
pub fn can_write_in(folder: &Path) -> Result<(), Failure> {
    let probe = folder.join(format!(".{}.new", std::process::id()));
    let is_new = !folder.exists();
    let possible = fs::create_dir_all(folder)
        .and_then(|()| fs::File::create(&probe))
        .and_then(|_| fs::remove_file(&probe))
        .and_then(|()| if is_new { fs::remove_dir(folder) } else { Ok(()) });
    possible.map_err(|error| failed(folder, &error))
}

fn target(path: &Path) -> io::Result<Target> {
    let file = match fs::metadata(path) {
        Ok(found) if found.is_dir() => {
            let example = path.join("FILE");
            let text = format!("a folder; name a file, {} say", example.display());
            return Err(io::Error::other(text));
        }
        Ok(found) if found.is_file() => path.canonicalize()?,
        Ok(_) => return Ok(Target::Through),
        Err(error) if error.kind() != io::ErrorKind::NotFound => return Err(error),
        Err(_) if path.is_symlink() => return Ok(Target::Through),
        Err(_) => path.to_path_buf(),
    };
    let name = file.file_name().ok_or_else(|| io::Error::other("names no file"))?;
    let new = format!(".{}.{}.new", name.to_string_lossy(), std::process::id());
    let folder = file.parent().filter(|folder| !folder.as_os_str().is_empty());
    let new = folder.unwrap_or(Path::new(".")).join(new);
    Ok(Target::Beside { file, new })
}

fn failed(path: &Path, error: &io::Error) -> Failure {
    Failure::input(format!("{}: {error}", path.display()))
}
