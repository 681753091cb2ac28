//! Whose the socket is: a live server keeps it, a dead one's is replaced.

use std::fs;
use std::io;
use std::os::unix::ffi::OsStrExt;
use std::os::unix::fs::{FileTypeExt, MetadataExt};
use std::os::unix::net::{UnixListener, UnixStream};
use std::path::{Path, PathBuf};
use std::sync::mpsc;
use std::thread;
use std::time::Duration;

use nix::sys::stat::{Mode, umask};

use super::ServeError;

/// Where clients look for the server.
pub const DEFAULT_SOCKET: &str = "/tmp/tt_allocation_server.sock";

/// The longest path of a socket: `sun_path` has 108 bytes.
const PATH_MAX: usize = 107;

/// How long a server has to accept a connection.
const PATIENCE: Duration = Duration::from_secs(2);

/// A socket that is listened on; dropped, its file is removed if it is still the same.
pub(super) struct Claimed {
    pub(super) listener: UnixListener,
    path: PathBuf,
    file: (u64, u64),
}

impl Drop for Claimed {
    fn drop(&mut self) {
        if identity(&self.path).is_ok_and(|file| file == self.file) {
            let _ = fs::remove_file(&self.path);
        }
    }
}

fn identity(path: &Path) -> io::Result<(u64, u64)> {
    fs::symlink_metadata(path).map(|file| (file.dev(), file.ino()))
}

/// Listens on a socket, unless somebody else does.
pub(super) fn claim(path: &Path) -> Result<Claimed, ServeError> {
    let failed = |error: io::Error| ServeError::Socket { path: path.to_owned(), error };
    if path.as_os_str().as_bytes().len() > PATH_MAX {
        return Err(ServeError::LongPath { path: path.to_owned() });
    }
    match fs::symlink_metadata(path) {
        Ok(file) if file.file_type().is_socket() => replace(path)?,
        Ok(_) => return Err(ServeError::NoSocket { path: path.to_owned() }),
        Err(error) if error.kind() == io::ErrorKind::NotFound => {}
        Err(error) => return Err(failed(error)),
    }
    // Under another name first: what has the name of the server answers from its first moment on.
    let beside = beside(path, "new");
    let _ = fs::remove_file(&beside);
    let before = umask(Mode::from_bits_truncate(0o177));
    let bound = UnixListener::bind(&beside);
    umask(before);
    let listener = bound.map_err(failed)?;
    let linked = fs::hard_link(&beside, path).and_then(|()| identity(path));
    let _ = fs::remove_file(&beside);
    let file = linked.map_err(|error| match error.kind() {
        io::ErrorKind::AlreadyExists => ServeError::Live { path: path.to_owned() },
        _ => failed(error),
    })?;
    let claimed = Claimed { listener, path: path.to_owned(), file };
    claimed.listener.set_nonblocking(true).map_err(failed)?;
    Ok(claimed)
}

/// A name in the same folder.
fn beside(path: &Path, what: &str) -> PathBuf {
    let folder = path.parent().filter(|folder| !folder.as_os_str().is_empty());
    folder.unwrap_or(Path::new(".")).join(format!(".{}.{what}", std::process::id()))
}

/// Takes a dead server's socket away; a live one's stays.
fn replace(path: &Path) -> Result<(), ServeError> {
    let failed = |error: io::Error| ServeError::Socket { path: path.to_owned(), error };
    if is_live(path).map_err(failed)? {
        return Err(ServeError::Live { path: path.to_owned() });
    }
    // Between the question and the answer another server may have come: what is taken away is asked
    // again, and put back.
    let old = beside(path, "old");
    match fs::rename(path, &old) {
        Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(()),
        renamed => renamed.map_err(failed)?,
    }
    let live = is_live(&old).map_err(failed)?;
    if live {
        fs::hard_link(&old, path).map_err(failed)?;
    }
    fs::remove_file(&old).map_err(failed)?;
    if live { Err(ServeError::Live { path: path.to_owned() }) } else { Ok(()) }
}

/// Whether somebody listens there. A server that is too busy to accept lives, too: connecting to it
/// takes forever.
fn is_live(path: &Path) -> io::Result<bool> {
    let (tell, told) = mpsc::channel();
    let socket = path.to_owned();
    thread::spawn(move || tell.send(UnixStream::connect(socket).map(drop)));
    match told.recv_timeout(PATIENCE) {
        Ok(Ok(())) | Err(_) => Ok(true),
        Ok(Err(error)) => match error.kind() {
            io::ErrorKind::ConnectionRefused | io::ErrorKind::NotFound => Ok(false),
            _ => Err(error),
        },
    }
}
