//! A kill -9 of a client or of the server loses nothing that was promised.
#![cfg(target_os = "linux")]
#![allow(clippy::unwrap_used, reason = "a test that cannot start the server has failed")]

mod served;

use std::fs;
use std::io::{Read, Write};
use std::os::unix::fs::FileExt;
use std::os::unix::net::UnixStream;
use std::path::Path;
use std::process::{Child, Command, Stdio};
use std::thread::sleep;
use std::time::{Duration, SystemTime, UNIX_EPOCH};

use freeorder::choice::{Choices, Seeded};
use freeorder::wire::{Head, RecordType};
use nix::sys::signal::Signal;
use served::{Folder, Server, alloc, freeorder};

/// How many times each is killed: more in the slow lane.
const ROUNDS: u64 = if cfg!(feature = "slow-tests") { 100 } else { 5 };

/// The seed of the moments: from the environment, or drawn from the clock, and printed.
fn seed() -> u64 {
    let drawn = || SystemTime::now().duration_since(UNIX_EPOCH).unwrap().as_nanos() as u64;
    let given = std::env::var("FREEORDER_KILL_SEED").ok();
    let seed = given.map_or_else(drawn, |given| given.parse().unwrap());
    println!("FREEORDER_KILL_SEED={seed}");
    seed
}

/// What a client process sends: message after message, each with its number. It writes down how
/// many it has handed over, and how many the server has answered for.
fn client_process(socket: &Path, client: u64) {
    let mut stream = UnixStream::connect(socket).unwrap();
    let progress = fs::File::create(socket.with_file_name(format!("progress-{client}"))).unwrap();
    let size = [72, 112, 128, 144][client as usize % 4];
    for nth in 0.. {
        let head = Head { timestamp: nth, ..alloc(client as i32, client << 32 | nth << 5, 32, 0) };
        if stream.write_all(&head.record(size)).is_err() {
            break;
        }
        progress.write_at(&(nth + 1).to_le_bytes(), 0).unwrap();
        if nth % 100 == 99 {
            let code = RecordType::Query as u8;
            let question = Head { code, timestamp: 0, ..head };
            let mut answer = vec![0; size];
            let asked = stream.write_all(&question.record(size));
            if asked.and_then(|()| stream.read_exact(&mut answer)).is_err() {
                break;
            }
            progress.write_at(&(nth + 1).to_le_bytes(), 8).unwrap();
        }
    }
}

/// The other tests start this binary once more for each client, with a socket in the environment.
#[test]
fn a_client_of_the_other_tests() {
    let Ok(socket) = std::env::var("FREEORDER_TEST_SOCKET") else {
        assert!(std::env::var_os("FREEORDER_TEST_CLIENT").is_none(), "a client without a socket");
        return;
    };
    let client = std::env::var("FREEORDER_TEST_CLIENT").unwrap().parse().unwrap();
    client_process(Path::new(&socket), client);
}

fn client(server: &Server, client: u64) -> Child {
    Command::new(std::env::current_exe().unwrap())
        .args(["--exact", "a_client_of_the_other_tests"])
        .env("FREEORDER_TEST_SOCKET", server.folder.at("s"))
        .env("FREEORDER_TEST_CLIENT", client.to_string())
        .stdin(Stdio::null())
        .stdout(Stdio::null())
        .stderr(Stdio::null())
        .spawn()
        .unwrap()
}

/// How many messages a client had handed over, and how many the server had answered for.
fn progress(folder: &Folder, client: u64) -> (u64, u64) {
    let bytes = fs::read(folder.at(&format!("progress-{client}"))).unwrap_or_default();
    let at = |at: usize| bytes.get(at..at + 8).map(|bytes| bytes.try_into().unwrap());
    (at(0).map_or(0, u64::from_le_bytes), at(8).map_or(0, u64::from_le_bytes))
}

/// The numbers of a client's messages in a recording, in its order, and the bytes behind the last
/// whole record.
fn recorded(recording: &Path, client: u64) -> (Vec<u64>, usize) {
    let bytes = fs::read(recording).unwrap();
    let records = bytes.chunks_exact(72);
    let rest = records.remainder().len();
    let heads = records.map(Head::of).filter(|head| head.code == RecordType::Alloc as u8);
    let own = heads.filter(|head| head.buffer.0 >> 32 == client);
    (own.map(|head| head.timestamp).collect(), rest)
}

/// All that a client had handed to write(2) arrives, in its order; of a message that it was killed
/// in the middle of, nothing does.
#[test]
fn a_killed_client_loses_nothing_that_it_wrote() {
    let mut moments = Seeded::new(seed());
    for round in 0..ROUNDS {
        let folder = Folder::new();
        let recording = folder.at("r");
        let path = recording.to_str().unwrap().to_owned();
        let mut server = Server::start_in(folder, &["--record", &path, "--format", "json"]);
        let mut clients: Vec<Child> = (0..4).map(|nth| client(&server, nth)).collect();
        while (0..4).any(|nth| progress(&server.folder, nth).0 < 10) {
            sleep(Duration::from_millis(1));
        }
        for child in &mut clients {
            sleep(Duration::from_micros(moments.pick(20_000)));
            child.kill().unwrap();
            child.wait().unwrap();
        }
        let written: Vec<u64> = (0..4).map(|nth| progress(&server.folder, nth).0).collect();
        let summary = server.summary();
        let mut all = 0;
        for (nth, &written) in (0..).zip(&written) {
            let (numbers, rest) = recorded(&recording, nth);
            let count = numbers.len() as u64;
            assert_eq!(rest, 0, "round {round}");
            assert!((written..=written + 1).contains(&count), "{nth}: {written} of {count}");
            assert!(numbers.into_iter().eq(0..count), "round {round}: out of order");
            all += count;
        }
        assert_eq!(summary["alloc"], all);
    }
}

/// What the server has answered for is in the recording, and what is there is what each client sent
/// first: nothing is missing in between.
#[test]
fn a_killed_server_leaves_a_prefix_with_all_that_it_answered_for() {
    let mut moments = Seeded::new(seed());
    for round in 0..ROUNDS {
        let folder = Folder::new();
        let recording = folder.at("r");
        let path = recording.to_str().unwrap().to_owned();
        let mut server = Server::start_in(folder, &["--record", &path]);
        let mut clients: Vec<Child> = (0..4).map(|nth| client(&server, nth)).collect();
        while (0..4).any(|nth| progress(&server.folder, nth).1 < 100) {
            sleep(Duration::from_millis(1));
        }
        sleep(Duration::from_micros(moments.pick(50_000)));
        server.child.kill().unwrap();
        server.child.wait().unwrap();
        for child in &mut clients {
            child.wait().unwrap();
        }
        for nth in 0..4 {
            let (written, answered) = progress(&server.folder, nth);
            let (numbers, rest) = recorded(&recording, nth);
            let count = numbers.len() as u64;
            assert!(answered <= count, "round {round}: {answered} answered, {count} recorded");
            assert!(count <= written + 1, "round {round}: {count} recorded, {written} written");
            assert!(numbers.into_iter().eq(0..count), "round {round}: not a prefix");
            assert!(rest < 72, "round {round}");
        }
        // What is left is read by the audit, and its socket is taken over by the next server.
        let audit = freeorder(&["audit", &path, "--show", "1"]);
        assert_eq!(audit.status.code(), Some(1), "live buffers are missing frees");
        let folder = Folder(std::mem::take(&mut server.folder.0));
        let mut next = Server::start_in(folder, &[]);
        assert_eq!(next.stop(Signal::SIGTERM), 0);
    }
}
