//! `freeorder bench serve`: a server in a process of its own, and many clients.

use std::fs::{self, File};
use std::io::{self, BufReader, Read};
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};

use nix::sys::signal::{Signal, kill};
use nix::unistd::Pid;
use schemars::JsonSchema;
use serde::Serialize;

use super::Failure;
use crate::serve::{Delivery, Load};

/// How long the server has to begin.
const PATIENCE: Duration = Duration::from_secs(10);

/// The figures of a server under load.
#[derive(Clone, Debug, PartialEq, Serialize, JsonSchema)]
pub struct ServeRow {
    /// What was measured.
    pub name: String,
    /// Clients, each with a connection and one send() a message.
    pub clients: u32,
    /// Messages of all of them.
    pub messages: u64,
    /// Seconds until the server had answered the last question of each.
    pub seconds: f64,
    /// Messages a second.
    pub per_second: f64,
    /// Messages that are not in the recording.
    pub lost: u64,
    /// Messages that are in the recording behind a later one of the same client.
    pub reordered: u64,
}

impl ServeRow {
    pub fn found(&self) -> bool {
        self.lost + self.reordered > 0
    }
}

/// A server that ends with the measurement, and its folder with it.
struct Server {
    child: Child,
    folder: PathBuf,
}

impl Drop for Server {
    fn drop(&mut self) {
        // What cannot be killed or removed is gone already.
        let _ = self.child.kill();
        let _ = self.child.wait();
        let _ = fs::remove_dir_all(&self.folder);
    }
}

pub fn measure(load: Load) -> Result<ServeRow, Failure> {
    let failed = |error: io::Error| Failure::input(format!("the server under load: {error}"));
    let folder = std::env::temp_dir().join(format!("freeorder-bench-{}", std::process::id()));
    fs::create_dir(&folder).map_err(failed)?;
    let (socket, recording) = (folder.join("socket"), folder.join("recording"));
    let mut server = start(folder, &socket, &recording).map_err(failed)?;
    let taken = load.run(&socket).map_err(failed)?;
    stop(&mut server.child).map_err(failed)?;
    let recording = File::open(recording).map_err(failed)?;
    let recording = BufReader::with_capacity(1 << 20, recording);
    let Delivery { lost, reordered } = load.delivery(recording).map_err(failed)?;
    let seconds = taken.as_secs_f64();
    let Load { clients, messages, record_size, .. } = load;
    Ok(ServeRow {
        name: format!("serve, records of {record_size} bytes"),
        clients,
        messages,
        seconds,
        per_second: messages as f64 / seconds,
        lost,
        reordered,
    })
}

fn start(folder: PathBuf, socket: &Path, recording: &Path) -> io::Result<Server> {
    let mut command = Command::new(std::env::current_exe()?);
    command.arg("serve").arg("--socket").arg(socket).arg("--record").arg(recording);
    command.args(["--stats", "0", "--format", "json"]);
    command.stdin(Stdio::null()).stdout(Stdio::piped()).stderr(Stdio::null());
    let child = command.spawn().inspect_err(|_| {
        let _ = fs::remove_dir_all(&folder);
    })?;
    let mut server = Server { child, folder };
    let until = Instant::now() + PATIENCE;
    while !socket.exists() {
        if until < Instant::now() || server.child.try_wait()?.is_some() {
            return Err(io::Error::other("it does not begin"));
        }
        std::thread::sleep(Duration::from_millis(5));
    }
    Ok(server)
}

/// Tells it to end, and waits until it has written everything.
fn stop(child: &mut Child) -> io::Result<()> {
    kill(Pid::from_raw(child.id() as i32), Signal::SIGTERM)?;
    let mut summary = String::new();
    if let Some(out) = &mut child.stdout {
        out.read_to_string(&mut summary)?;
    }
    // What is live when the clients end decides between 0 and 1.
    match child.wait()?.code() {
        Some(0 | 1) => Ok(()),
        _ => Err(io::Error::other("it failed")),
    }
}
