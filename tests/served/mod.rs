//! A server of the real binary in a folder of its own, and clients for it.

#![allow(dead_code, reason = "each test binary uses a part of it")]

use std::fs;
use std::io::{Read, Write};
use std::os::unix::net::UnixStream;
use std::path::PathBuf;
use std::process::{Child, Command, Output, Stdio};
use std::sync::atomic::{AtomicU32, Ordering};
use std::thread::sleep;
use std::time::{Duration, Instant};

use freeorder::units::{Bytes, DeviceAddr};
use freeorder::wire::{Head, RecordType};
use nix::sys::signal::{Signal, kill};
use nix::unistd::Pid;
use serde_json::Value;

static FOLDERS: AtomicU32 = AtomicU32::new(0);

/// A folder that goes with the test. The path of a socket must be short.
pub struct Folder(pub PathBuf);

impl Folder {
    pub fn new() -> Self {
        let name = format!("fo-{}-{}", std::process::id(), FOLDERS.fetch_add(1, Ordering::Relaxed));
        let path = std::env::temp_dir().join(name);
        fs::create_dir(&path).unwrap();
        Self(path)
    }

    pub fn at(&self, name: &str) -> PathBuf {
        self.0.join(name)
    }
}

impl Drop for Folder {
    fn drop(&mut self) {
        let _ = fs::remove_dir_all(&self.0);
    }
}

/// A running server; dropped, it is killed.
pub struct Server {
    pub child: Child,
    pub folder: Folder,
}

impl Drop for Server {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

pub fn freeorder(arguments: &[&str]) -> Output {
    Command::new(env!("CARGO_BIN_EXE_freeorder"))
        .args(arguments)
        .env("NO_COLOR", "1")
        .current_dir(env!("CARGO_MANIFEST_DIR"))
        .stdin(Stdio::null())
        .output()
        .unwrap()
}

impl Server {
    pub fn start(arguments: &[&str]) -> Self {
        Self::start_in(Folder::new(), arguments)
    }

    pub fn start_in(folder: Folder, arguments: &[&str]) -> Self {
        Self::spawn(folder, Command::new(env!("CARGO_BIN_EXE_freeorder")), arguments)
    }

    pub fn spawn(folder: Folder, mut command: Command, arguments: &[&str]) -> Self {
        let file = |name| fs::File::create(folder.at(name)).unwrap();
        command.arg("serve").arg("--socket").arg(folder.at("s")).args(arguments);
        command.stdin(Stdio::null()).stdout(file("out")).stderr(file("err")).env("NO_COLOR", "1");
        let child = command.spawn().unwrap();
        let mut server = Self { child, folder };
        let until = Instant::now() + Duration::from_secs(20);
        while !server.text("out").contains("Listening on") && !server.text("err").contains("Listen")
        {
            let gone = server.child.try_wait().unwrap().is_some();
            assert!(!gone && Instant::now() < until, "{}", server.text("err"));
            sleep(Duration::from_millis(2));
        }
        server
    }

    /// A file of the folder.
    pub fn text(&self, name: &str) -> String {
        String::from_utf8_lossy(&fs::read(self.folder.at(name)).unwrap_or_default()).into_owned()
    }

    pub fn client(&self, size: usize) -> Client {
        let stream = UnixStream::connect(self.folder.at("s")).unwrap();
        stream.set_read_timeout(Some(Duration::from_secs(20))).unwrap();
        Client { stream, size }
    }

    pub fn signal(&self, signal: Signal) {
        kill(Pid::from_raw(self.child.id() as i32), signal).unwrap();
    }

    /// Ends it, and answers its exit code.
    pub fn stop(&mut self, signal: Signal) -> i32 {
        self.signal(signal);
        self.child.wait().unwrap().code().unwrap()
    }

    /// Ends a server that was started with `--format json`, and answers its summary.
    pub fn summary(&mut self) -> Value {
        let code = self.stop(Signal::SIGTERM);
        assert!(code < 2, "exit code {code}: {}", self.text("err"));
        serde_json::from_str(&self.text("out")).unwrap()
    }
}

/// A connection that sends records of one size.
pub struct Client {
    pub stream: UnixStream,
    pub size: usize,
}

impl Client {
    pub fn send(&mut self, head: Head) {
        self.stream.write_all(&head.record(self.size)).unwrap();
    }

    /// Reads one answer.
    pub fn answer(&mut self) -> Vec<u8> {
        let mut record = vec![0; self.size];
        self.stream.read_exact(&mut record).unwrap();
        record
    }

    /// Sends a question and reads the answer: by then everything before it was read.
    pub fn ask(&mut self, kind: RecordType, device: i32) -> Vec<u8> {
        self.send(Head { code: kind as u8, device, process: 1, ..Head::default() });
        self.answer()
    }
}

/// An ALLOC as clients send it, from a process that lives: this one.
pub fn alloc(device: i32, buffer: u64, size: u64, memory: u8) -> Head {
    Head {
        code: RecordType::Alloc as u8,
        device,
        size: Bytes(size),
        memory,
        process: std::process::id() as i32,
        buffer: DeviceAddr(buffer),
        timestamp: 1_700_000_000_000_000_000,
    }
}

/// A FREE as clients send it.
pub fn free(device: i32, buffer: u64) -> Head {
    let code = RecordType::Free as u8;
    Head { code, timestamp: 0, ..alloc(device, buffer, 0, 0) }
}
