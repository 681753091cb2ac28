//! The allocation server, driven as real clients drive it: records in, records out.
#![cfg(target_os = "linux")]
#![allow(clippy::unwrap_used, reason = "a test that cannot start the server has failed")]

mod served;

use std::fs;
use std::io::{Read, Write};
use std::os::unix::fs::PermissionsExt;
use std::os::unix::process::CommandExt;
use std::path::Path;
use std::process::{Command, Stdio};
use std::sync::atomic::{AtomicBool, Ordering};
use std::thread::sleep;
use std::time::{Duration, Instant};

use freeorder::choice::{Choices, Seeded};
use freeorder::units::Bytes;
use freeorder::wire::{Head, RECORD_SIZES, RecordType};
use nix::sys::signal::Signal;
use serde_json::Value;
use served::{Folder, Server, alloc, free, freeorder};

/// A record, written by hand: the offsets of allocation-server.md 1.2, and nothing of the crate's.
fn by_hand(size: usize, fields: &[(usize, &[u8])]) -> Vec<u8> {
    let mut record = vec![0; size];
    for (at, bytes) in fields {
        record[*at..at + bytes.len()].copy_from_slice(bytes);
    }
    record
}

fn quad(value: u64) -> [u8; 8] {
    value.to_le_bytes()
}

fn word(value: u32) -> [u8; 4] {
    value.to_le_bytes()
}

/// Nothing says which version a client speaks; its answers must be of that version, to the byte.
#[test]
fn every_version_gets_its_exact_answers() {
    let mut server = Server::start(&["--machine", "T3K"]);
    for (nth, size) in RECORD_SIZES.into_iter().enumerate() {
        let device = nth as i32;
        let mut client = server.client(size);
        for (memory, bytes) in [(0, 4096), (1, 2048), (2, 30), (3, 7), (4, 512)] {
            client.send(alloc(device, 1024 * (u64::from(memory) + 1), bytes, memory));
        }
        if size >= 128 {
            let code = RecordType::CircularAlloc as u8;
            client.send(Head { code, ..alloc(device, 0x18b20, 4096, 0) });
            let code = RecordType::KernelLoad as u8;
            client.send(Head { code, ..alloc(device, 0x7f00_0000_1000, 56 << 10, 1) });
        }
        let id = word(device as u32);
        let mut fields: Vec<(usize, &[u8])> = vec![(0, &[4]), (4, &id)];
        let totals = [(40, quad(4096)), (48, quad(2048)), (56, quad(37)), (64, quad(512))];
        fields.extend(totals.iter().map(|(at, bytes)| (*at, &bytes[..])));
        let more = [(72, quad(4096)), (80, quad(56 << 10))];
        if size >= 128 {
            fields.extend(more.iter().map(|(at, bytes)| (*at, &bytes[..])));
        }
        assert_eq!(client.ask(RecordType::Query, device), by_hand(size, &fields), "{size}");
        // A device that cannot be is answered with zeros.
        let fields: [(usize, &[u8]); 2] = [(0, &[4]), (4, &word(100))];
        assert_eq!(client.ask(RecordType::Query, 100), by_hand(size, &fields));
        if size == 72 {
            continue;
        }
        let info = if size == 112 { 72 } else { 88 };
        let fields: [(usize, &[u8]); 4] =
            [(0, &[7]), (4, &[0xff; 4]), (info + 32, &[1]), (info + 36, &[8])];
        assert_eq!(client.ask(RecordType::DeviceInfoQuery, -1), by_hand(size, &fields));
        let fields: [(usize, &[u8]); 9] = [
            (0, &[7]),
            (4, &word(5)),
            (info, &quad(12 << 30)),
            (info + 8, &quad(64 * (1464 << 10))),
            (info + 16, &[2]),
            (info + 20, &[12]),
            (info + 24, &word(1 << 30)),
            (info + 28, &word(1464 << 10)),
            (info + 32, &[1]),
        ];
        assert_eq!(client.ask(RecordType::DeviceInfoQuery, 5), by_hand(size, &fields));
        let fields: [(usize, &[u8]); 2] = [(0, &[7]), (4, &word(8))];
        assert_eq!(client.ask(RecordType::DeviceInfoQuery, 8), by_hand(size, &fields));
    }
    assert_eq!(server.stop(Signal::SIGINT), 1);
    let mut server = Server::start(&[]);
    let fields: [(usize, &[u8]); 2] = [(0, &[7]), (4, &[0xff; 4])];
    let answer = server.client(112).ask(RecordType::DeviceInfoQuery, -1);
    assert_eq!(answer, by_hand(112, &fields), "a server that finds no device says so");
    assert_eq!(server.stop(Signal::SIGTERM), 0);
}

/// Scripts read the log of the real server; every type of message has its line.
#[test]
fn the_log_is_in_the_words_of_the_real_server() {
    let mut server = Server::start(&["--log", "--stats", "0"]);
    let mut client = server.client(144);
    let pid = std::process::id();
    client.send(alloc(0, 2_560_032, 4_194_304, 0));
    client.send(alloc(0, 2_560_032, 64, 1));
    client.send(free(0, 2_560_032));
    client.send(free(0, 2_560_032));
    client.send(free(4, 1_402_304));
    client.send(alloc(3, 0x18b20, 12_288, 1));
    let of = |kind: RecordType, size, code| Head { code: kind as u8, ..alloc(1, 7, size, code) };
    client.send(of(RecordType::CircularAlloc, 1 << 18, 0));
    client.send(of(RecordType::CircularFree, 0, 0));
    client.send(of(RecordType::KernelLoad, 1 << 17, 2));
    client.send(of(RecordType::DumpKernels, 0, 0));
    client.send(of(RecordType::KernelUnload, 1 << 17, 0));
    client.send(of(RecordType::DumpRemaining, 0, 0));
    client.send(of(RecordType::Response, 0, 0));
    client.send(alloc(2_657_333, 0, 64, 0));
    client.send(alloc(0, 0, u64::MAX, 0));
    client.send(alloc(0, 77, 64, 9));
    client.ask(RecordType::Query, 0);
    assert_eq!(server.stop(Signal::SIGTERM), 1);
    let err = server.text("err");
    let warning = "\u{26a0}\u{fe0f}  ";
    let refused = [
        "Unknown message type: 4",
        "Invalid device_id 2657333 - ignoring message",
        "Invalid size 18446744073709551615 - ignoring message",
        "Invalid buffer_type 9 for buffer 77 on device 0",
    ];
    let expected: String = refused.iter().map(|line| format!("{warning}{line}\n")).collect();
    assert_eq!(err, expected);
    let socket = server.folder.at("s").display().to_string();
    let out = server.text("out").replace(&socket, "SOCKET");
    let out =
        out.replace(&format!("PID {pid}"), "PID ...").replace(&format!("PID: {pid}"), "PID: ...");
    insta::assert_snapshot!("serve_log", out);
    // What it prints is a server log of the last era, for whoever reads such.
    let log = server.folder.at("out");
    let audit = freeorder(&["audit", log.to_str().unwrap(), "--format", "json"]);
    let report: Value = serde_json::from_slice(&audit.stdout).unwrap();
    assert_eq!(report["kind"], "server-log");
    let counts: Vec<(&str, u64)> = report["files"][0]["counts"]
        .as_array()
        .unwrap()
        .iter()
        .map(|row| (row["kind"].as_str().unwrap(), row["count"].as_u64().unwrap()))
        .collect();
    assert_eq!(counts[..2], [("unknown-free", 1), ("missing-free", 1)], "{counts:?}");
    assert!(counts.iter().all(|(kind, _)| *kind != "contradiction" && *kind != "torn"));
}

/// Two servers on one socket would each see half of what happens.
#[test]
fn a_live_server_keeps_its_socket_and_a_dead_one_loses_it() {
    let mut first = Server::start(&[]);
    let socket = first.folder.at("s");
    let path = socket.to_str().unwrap();
    let mode = fs::metadata(&socket).unwrap().permissions().mode();
    assert_eq!(mode & 0o7777, 0o600);
    let second = freeorder(&["serve", "--socket", path]);
    let said = String::from_utf8(second.stderr).unwrap();
    assert_eq!(second.status.code(), Some(2));
    assert!(said.contains("another server is listening there; stop it, or name another --socket"));
    assert_eq!(first.client(72).ask(RecordType::Query, 0).len(), 72, "the first goes on");
    first.child.kill().unwrap();
    first.child.wait().unwrap();
    assert!(socket.exists(), "kill -9 leaves the file");
    let folder = Folder(std::mem::take(&mut first.folder.0));
    let mut third = Server::start_in(folder, &[]);
    let mode = fs::metadata(&socket).unwrap().permissions().mode();
    assert_eq!(mode & 0o7777, 0o600);
    assert_eq!(third.client(112).ask(RecordType::Query, 0).len(), 112);
    let left: Vec<String> = fs::read_dir(&third.folder.0)
        .unwrap()
        .map(|entry| entry.unwrap().file_name().into_string().unwrap())
        .filter(|name| name.starts_with('.'))
        .collect();
    assert_eq!(left, [""; 0], "nothing is left beside the socket");
    assert_eq!(third.stop(Signal::SIGTERM), 0);
    assert!(!socket.exists(), "a server that ends takes its socket along");
}

/// What is no socket is somebody's file; a socket that another server has made since is its own.
#[test]
fn nothing_of_anybody_else_is_removed() {
    let folder = Folder::new();
    let file = folder.at("precious");
    fs::write(&file, "data").unwrap();
    let output = freeorder(&["serve", "--socket", file.to_str().unwrap()]);
    assert_eq!(output.status.code(), Some(2));
    assert!(String::from_utf8_lossy(&output.stderr).contains("this is no socket"));
    assert_eq!(fs::read_to_string(&file).unwrap(), "data");
    let long = folder.at(&"x".repeat(108));
    let output = freeorder(&["serve", "--socket", long.to_str().unwrap()]);
    assert!(String::from_utf8_lossy(&output.stderr).contains("at most 107 bytes"));
    let recording = file.to_str().unwrap();
    let socket = folder.at("s");
    let socket = socket.to_str().unwrap();
    let output = freeorder(&["serve", "--socket", socket, "--record", recording]);
    assert_eq!(output.status.code(), Some(2), "a recording overwrites nothing");
    assert_eq!(fs::read_to_string(&file).unwrap(), "data");
    assert!(!Path::new(socket).exists(), "a server that could not start leaves no socket");
    let mut server = Server::start_in(folder, &[]);
    let socket = server.folder.at("s");
    fs::remove_file(&socket).unwrap();
    let other = std::os::unix::net::UnixListener::bind(&socket).unwrap();
    assert_eq!(server.stop(Signal::SIGTERM), 0);
    assert!(socket.exists(), "the socket of another server stays");
    drop(other);
}

/// A client may write a byte at a time, and pause where the record of an older version ends.
#[test]
fn a_slow_client_is_understood() {
    let mut server = Server::start(&["--format", "json"]);
    for size in RECORD_SIZES {
        let mut client = server.client(size);
        let device = size as i32 / 16;
        let bytes = [alloc(device, 4096, 64, 1).record(size), free(device, 4096).record(size)];
        for byte in bytes.concat() {
            client.stream.write_all(&[byte]).unwrap();
        }
        assert_eq!(client.ask(RecordType::Query, device).len(), size);
        let mut paused = server.client(size);
        let record = alloc(device, 8192, 64, 1).record(size);
        for piece in [&record[..33], &record[33..72], &record[72..]] {
            paused.stream.write_all(piece).unwrap();
            sleep(Duration::from_millis(60));
        }
        paused.send(free(device, 8192));
        assert_eq!(paused.ask(RecordType::Query, device).len(), size);
    }
    let summary = server.summary();
    let of = |field: &str| summary[field].as_u64().unwrap();
    assert_eq!((of("alloc"), of("free"), of("unknown"), of("live")), (8, 8, 0, 0));
    assert_eq!((of("torn"), of("skipped"), of("refused")), (0, 0, 0));
}

/// A send() that was cut off, as the first clients had them: the message is lost, not the stream.
#[test]
fn a_torn_record_costs_one_message() {
    let mut server = Server::start(&["--format", "json"]);
    for (device, cut) in (0..).zip([1, 19, 24, 39, 40, 71, 100]) {
        let mut client = server.client(112);
        client.send(alloc(device, 4096, 64, 1));
        client.stream.write_all(&alloc(device, 8192, 64, 1).record(112)[..cut]).unwrap();
        client.send(free(device, 4096));
        assert_eq!(client.ask(RecordType::Query, device)[48..56], quad(0), "{cut}");
        // And one at the very end, by a client that dies.
        client.stream.write_all(&alloc(device, 8192, 64, 1).record(112)[..cut]).unwrap();
    }
    let summary = server.summary();
    let of = |field: &str| summary[field].as_u64().unwrap();
    assert_eq!((of("alloc"), of("free"), of("unknown"), of("live")), (7, 7, 0, 0), "{summary}");
    assert_eq!((of("torn"), of("refused")), (14, 0), "{summary}");
}

/// Everything a client wrote is read, and answered, when it stops writing; and a client that does
/// not read its answers stops nobody but itself.
#[test]
fn a_client_may_close_its_half_or_never_read() {
    let mut server = Server::start(&[]);
    let mut half = server.client(144);
    half.send(alloc(0, 4096, 64, 0));
    half.send(Head { code: 3, process: 1, ..Head::default() });
    half.stream.shutdown(std::net::Shutdown::Write).unwrap();
    let mut answers = Vec::new();
    half.stream.read_to_end(&mut answers).unwrap();
    assert_eq!((answers.len(), &answers[40..48]), (144, &quad(64)[..]));
    // A question that is a whole record of the oldest version only because nothing follows.
    let mut short = server.client(72);
    short.send(Head { code: 3, process: 1, ..Head::default() });
    short.stream.shutdown(std::net::Shutdown::Write).unwrap();
    answers.clear();
    short.stream.read_to_end(&mut answers).unwrap();
    assert_eq!(answers.len(), 72);
    let deaf = server.client(144);
    deaf.stream.set_nonblocking(true).unwrap();
    let question = Head { code: 3, process: 1, ..Head::default() }.record(144);
    let (mut asked, mut refused_in_a_row) = (0, 0);
    let mut writer = &deaf.stream;
    while refused_in_a_row < 200 {
        assert!(asked < 200_000, "{asked} questions of a client that does not listen");
        refused_in_a_row += 1;
        match writer.write(&question) {
            Ok(written) => {
                assert_eq!(written, question.len(), "a small message is sent whole or not at all");
                (asked, refused_in_a_row) = (asked + 1, 0);
            }
            Err(_) => sleep(Duration::from_millis(1)),
        }
    }
    assert_eq!(server.client(112).ask(RecordType::Query, 0)[40..48], quad(64));
    deaf.stream.set_nonblocking(false).unwrap();
    deaf.stream.shutdown(std::net::Shutdown::Write).unwrap();
    answers.clear();
    let mut deaf = deaf;
    deaf.stream.read_to_end(&mut answers).unwrap();
    assert_eq!(answers.len() % 144, 0);
    assert!(answers.len() / 144 <= asked && answers.len() / 144 >= 100);
    assert_eq!(server.stop(Signal::SIGTERM), 1);
}

/// How much noise: all of it in the slow lane.
const NOISE: usize = if cfg!(feature = "slow-tests") { 10_000_000 } else { 300_000 };

/// A hostile client costs nothing but its own connection.
#[test]
fn random_bytes_do_no_harm() {
    let mut server = Server::start(&["--format", "json"]);
    let mut good = server.client(112);
    good.send(alloc(0, 4096, 64, 0));
    let mut choices = Seeded::new(7);
    let (mut sent, mut connections) = (0, 0_u64);
    while sent < NOISE {
        let mut client = server.client(112);
        connections += 1;
        // Some begin as clients do.
        if choices.pick(2) == 0 {
            client.send(free(63, 0xdead_0000));
        }
        loop {
            let bytes: Vec<u8> = (0..4096).map(|_| choices.pick(256) as u8).collect();
            sent += bytes.len();
            if client.stream.write_all(&bytes).is_err() || sent >= NOISE {
                break;
            }
        }
    }
    assert_eq!(good.ask(RecordType::Query, 0)[40..48], quad(64));
    good.send(free(0, 4096));
    good.ask(RecordType::Query, 0);
    let status = fs::read_to_string(format!("/proc/{}/status", server.child.id())).unwrap();
    let peak = status.lines().find_map(|line| line.strip_prefix("VmHWM:")).unwrap();
    let peak: u64 = peak.trim().trim_end_matches(" kB").parse().unwrap();
    assert!(peak < 100_000, "{peak} kB");
    let summary = server.summary();
    let of = |field: &str| summary[field].as_u64().unwrap();
    assert_eq!((of("alloc"), of("live"), of("refused")), (1, 0, 0), "{summary}");
    assert_eq!(of("connections"), connections + 1);
    assert!(of("hopeless") + 1 >= connections && of("free") <= connections + 1);
}

/// A process that dies leaves its buffers; one that only may not be signalled is alive.
#[test]
fn the_reaper_takes_the_dead_and_nobody_else() {
    let folder = Folder::new();
    let mut command = Command::new(env!("CARGO_BIN_EXE_freeorder"));
    // Whoever this test is, process 1 or itself must be somebody whom the server may not signal.
    let is_root = fs::metadata("/proc/self")
        .is_ok_and(|file| std::os::linux::fs::MetadataExt::st_uid(&file) == 0);
    if is_root {
        fs::set_permissions(&folder.0, fs::Permissions::from_mode(0o777)).unwrap();
        let binary = folder.at("freeorder");
        fs::copy(env!("CARGO_BIN_EXE_freeorder"), &binary).unwrap();
        command = Command::new(binary);
        command.uid(65534).gid(65534);
    }
    let mut server = Server::spawn(folder, command, &["--reap", "1"]);
    let mut dead = Command::new("true").spawn().unwrap();
    let pid = dead.id() as i32;
    dead.wait().unwrap();
    let send = |process: i32, device: i32| {
        let mut client = server.client(144);
        client.send(Head { process, ..alloc(device, 4096, 1000, 0) });
        let code = RecordType::CircularAlloc as u8;
        client.send(Head { code, process, ..alloc(device, 0x18b20, 10, 0) });
        let code = RecordType::KernelLoad as u8;
        client.send(Head { code, process, ..alloc(device, 0x7f00, 20, 0) });
        client.ask(RecordType::Query, device);
        client
    };
    drop(send(1, 1));
    // The connection of a client whose id means nothing here, as from a container, shows its life.
    let mut connected = send(pid, 2);
    let mut other = Command::new("true").spawn().unwrap();
    let gone = other.id() as i32;
    other.wait().unwrap();
    drop(send(gone, 3));
    sleep(Duration::from_millis(2500));
    let totals = |client: &mut served::Client, device: i32| -> Vec<u64> {
        let answer = client.ask(RecordType::Query, device);
        let at = |at: usize| u64::from_le_bytes(answer[at..at + 8].try_into().unwrap());
        [40, 72, 80].map(at).to_vec()
    };
    assert_eq!(totals(&mut connected, 1), [1000, 10, 20], "EPERM is not death");
    assert_eq!(totals(&mut connected, 2), [1000, 10, 20], "a connected client lives");
    assert_eq!(totals(&mut connected, 3), [0, 0, 0], "the dead are reaped");
    drop(connected);
    let mut asking = server.client(144);
    asking.send(Head { code: RecordType::DumpRemaining as u8, process: 1, ..Head::default() });
    assert_eq!(totals(&mut asking, 2), [0, 0, 0], "a dump reaps first");
    assert_eq!(server.stop(Signal::SIGTERM), 1);
    let out = server.text("out");
    let removed = format!("   PID {gone} is dead, removing its buffers...\n");
    assert_eq!(out.matches(&removed).count(), 1, "{out}");
    assert!(out.contains("Removed 1 CBs (9.53674e-06 MB)"), "{out}");
}

/// A recording is a stream that the audit reads, and it comes to what the server itself counted.
#[test]
fn the_audit_of_a_recording_counts_what_the_server_counted() {
    for (seed, size) in RECORD_SIZES.into_iter().enumerate() {
        let folder = Folder::new();
        let recording = folder.at("r");
        let path = recording.to_str().unwrap().to_owned();
        let mut server = Server::start_in(folder, &["--record", &path, "--format", "json"]);
        let mut choices = Seeded::new(seed as u64);
        let mut clients: Vec<_> = (0..3).map(|_| server.client(size)).collect();
        for _ in 0..3000 {
            let client = &mut clients[choices.pick(3) as usize];
            let (device, buffer) = (choices.pick(8) as i32, choices.pick(40) * 1024);
            match choices.pick(20) {
                0..10 => client.send(alloc(device, buffer, 64, choices.pick(5) as u8)),
                10..19 => client.send(free(device, buffer)),
                _ => drop(client.ask(RecordType::Query, device)),
            }
        }
        let mode = fs::metadata(&recording).unwrap().permissions().mode();
        assert_eq!(mode & 0o7777, 0o600);
        let summary = server.summary();
        let audit = freeorder(&["audit", &path, "--format", "json"]);
        let report: Value = serde_json::from_slice(&audit.stdout).unwrap();
        let file = &report["files"][0];
        assert_eq!((&report["kind"], &file["record"]), (&"wire".into(), &72.into()));
        assert_eq!(file["places"], summary["messages"]);
        let devices = |rows: &Value, fields: [&str; 4]| -> Vec<Vec<u64>> {
            let rows = rows.as_array().unwrap().iter();
            let row = |row: &Value| fields.map(|field| row[field].as_u64().unwrap()).to_vec();
            let mut rows: Vec<Vec<u64>> = rows.map(row).collect();
            rows.sort();
            rows
        };
        let fields = ["device", "alloc", "free", "unknown"];
        assert_eq!(devices(&file["devices"], fields), devices(&summary["devices"], fields));
        let lives = |rows: &Value| devices(rows, ["device", "live", "live", "live"]);
        assert_eq!(lives(&file["devices"]), lives(&summary["devices"]));
        assert!(summary["unknown"].as_u64() > Some(100) && summary["live"].as_u64() > Some(100));
    }
}

/// What a server prints is explained by that server, to the last line: duplicates, unknown frees,
/// processes and memories that share an address, statistics and dumps.
#[test]
fn the_log_of_each_kind_of_server_is_explained_by_it() {
    for (kind, explains) in [("k1", "k1"), ("k2", "k2"), ("strict", "k2")] {
        for seed in 0..4 {
            let few = seed % 2 == 0;
            let mut server =
                Server::start(&["--log", "--server", kind, "--stats", "1", "--reap", "0"]);
            let mut choices = Seeded::new(seed);
            let mut client = server.client(RECORD_SIZES[seed as usize]);
            let processes = [std::process::id(), 1, std::os::unix::process::parent_id()];
            for round in 0..2000 {
                let at = choices.pick(if few { 3 } else { 200 }) * (1 << 20);
                let (device, memory) = (choices.pick(8) as i32, choices.pick(5) as u8);
                let process = processes[choices.pick(3) as usize] as i32;
                let head = match choices.pick(20) {
                    0..9 => alloc(device, at, 64 << choices.pick(3), memory),
                    9..19 => Head { memory: memory / 3, ..free(device, at) },
                    _ if round % 3 == 0 => {
                        Head { code: RecordType::DumpRemaining as u8, ..Head::default() }
                    }
                    _ => continue,
                };
                client.send(Head { process, ..head });
            }
            client.ask(RecordType::Query, 0);
            if seed == 0 {
                // Statistics, too.
                sleep(Duration::from_millis(1300));
            }
            assert_eq!(server.stop(Signal::SIGTERM), 1);
            let log = server.folder.at("out");
            let audit = freeorder(&["audit", log.to_str().unwrap(), "--format", "json"]);
            let report: Value = serde_json::from_slice(&audit.stdout).unwrap();
            let file = &report["files"][0];
            let verdicts = file["servers"].as_array().unwrap();
            let verdict = verdicts.iter().find(|verdict| verdict["name"] == explains).unwrap();
            assert_eq!(verdict["explains"], true, "{kind} {seed}: {verdict}");
            let count = |what: &str| {
                let counts = file["counts"].as_array().unwrap();
                let found = counts.iter().find(|row| row["kind"] == what);
                found.map_or(0, |row| row["count"].as_u64().unwrap())
            };
            for what in ["contradiction", "torn", "bad-field", "cut-end"] {
                assert_eq!(count(what), 0, "{kind} {seed}: {what}");
            }
            if kind == "k1" {
                continue; // the audit counts what k1 forgets
            }
            // What the summary says of the devices, the audit counts.
            let text = server.text("out");
            let of = |what: &str| -> u64 {
                let found = text.lines().filter(|line| line.starts_with("  device "));
                let facts = found.flat_map(|line| line.split(", "));
                facts
                    .filter_map(|fact| {
                        fact.strip_suffix(what)?.split(' ').next()?.parse::<u64>().ok()
                    })
                    .sum::<u64>()
            };
            let unknown = count("unknown-free") + count("duplicate-free");
            assert_eq!((unknown, count("missing-free")), (of(" of nothing"), of(" live")));
            assert!(unknown > 50 && count("missing-free") > 5, "{kind} {seed}: {unknown}");
        }
    }
}

/// What k2 mixes up, strict books keep apart: processes and memories that share an address.
#[test]
fn strict_books_are_kept_for_each_process_and_memory() {
    let answers = |server: &str| {
        let mut server = Server::start(&["--server", server, "--format", "json"]);
        let mut client = server.client(144);
        let init = |head: Head| Head { process: 1, ..head };
        client.send(alloc(0, 4096, 100, 0));
        client.send(init(alloc(0, 4096, 200, 0)));
        client.send(alloc(0, 4096, 300, 1));
        client.send(free(0, 4096));
        client.send(init(free(0, 4096)));
        client.send(init(free(0, 4096)));
        let code = RecordType::CircularFree as u8;
        client.send(Head { code, size: Bytes(5), ..alloc(0, 1, 5, 0) });
        let answer = client.ask(RecordType::Query, 0);
        let at = |at: usize| u64::from_le_bytes(answer[at..at + 8].try_into().unwrap());
        let summary = server.summary();
        let counts = ["again", "unknown", "live"].map(|field| summary[field].as_u64().unwrap());
        (counts, [at(40), at(48), at(72)])
    };
    assert_eq!(answers("k2"), ([2, 0, 0], [0, 0, 5_u64.wrapping_neg()]));
    assert_eq!(answers("k1"), ([2, 2, 0], [300, 0, 5_u64.wrapping_neg()]));
    assert_eq!(answers("strict"), ([0, 1, 1], [0, 300, 0]));
}

/// Memory is finite: a client that only ever allocates is refused at some point, and told so.
#[test]
fn a_full_table_refuses_and_goes_on() {
    let mut server = Server::start(&["--live-max", "10", "--format", "json"]);
    let mut client = server.client(112);
    (0..30).for_each(|nth| client.send(alloc(0, nth * 1024, 64, 0)));
    client.send(alloc(0, 0, 64, 0));
    (0..10).for_each(|nth| client.send(free(0, nth * 1024)));
    client.send(free(0, 0));
    client.send(alloc(0, 77 * 1024, 64, 0));
    assert_eq!(client.ask(RecordType::Query, 0)[40..48], quad(64));
    let summary = server.summary();
    let of = |field: &str| summary[field].as_u64().unwrap();
    assert_eq!((of("alloc"), of("refused"), of("live"), of("unknown")), (12, 20, 1, 0));
    let err = server.text("err");
    assert_eq!(err.matches("More than 10 buffers").count(), 10, "{err}");
}

/// Circular buffers and kernels are kept in memory, too: what is there can be named again, what is
/// not is refused, and room is room for either.
#[test]
fn a_full_table_refuses_circular_buffers_and_kernels() {
    let mut server = Server::start(&["--live-max", "3", "--format", "json"]);
    let mut client = server.client(144);
    let mut send = |kind: RecordType, buffer, size| {
        client.send(Head { code: kind as u8, ..alloc(0, buffer, size, 1) });
    };
    send(RecordType::Alloc, 1, 1);
    send(RecordType::CircularAlloc, 1, 10);
    send(RecordType::KernelLoad, 1, 100);
    for buffer in 2..20 {
        send(RecordType::Alloc, buffer, 1);
        send(RecordType::CircularAlloc, buffer, 10);
        send(RecordType::KernelLoad, buffer, 100);
    }
    send(RecordType::CircularAlloc, 1, 10);
    send(RecordType::KernelUnload, 1, 100);
    send(RecordType::CircularAlloc, 2, 10);
    send(RecordType::CircularAlloc, 3, 10);
    let answer = client.ask(RecordType::Query, 0);
    assert_eq!((&answer[48..56], &answer[72..80]), (&quad(1)[..], &quad(30)[..]));
    assert_eq!(&answer[80..88], quad(0));
    let summary = server.summary();
    assert_eq!((&summary["refused"], &summary["live"]), (&(18 * 3 + 1).into(), &1.into()));
    let err = server.text("err");
    assert_eq!(err.matches("More than 3 buffers").count(), 10, "{err}");
}

/// Out of file descriptors, the server serves whom it has, sleeps, and takes the others later.
#[test]
fn more_clients_than_descriptors_wait_for_their_turn() {
    let mut command = Command::new("sh");
    command.args(["-c", "ulimit -n 40; exec \"$0\" \"$@\"", env!("CARGO_BIN_EXE_freeorder")]);
    let mut server = Server::spawn(Folder::new(), command, &["--format", "json"]);
    let mut clients: Vec<_> = (0..60).map(|_| server.client(112)).collect();
    (0..60).zip(&mut clients).for_each(|(nth, client)| client.send(alloc(nth, 4096, 64, 0)));
    clients[0].ask(RecordType::Query, 0);
    let spent = || -> u64 {
        let stat = fs::read_to_string(format!("/proc/{}/stat", server.child.id())).unwrap();
        let fields: Vec<&str> = stat.rsplit_once(')').unwrap().1.split_whitespace().collect();
        fields[11].parse::<u64>().unwrap() + fields[12].parse::<u64>().unwrap()
    };
    let before = spent();
    sleep(Duration::from_millis(500));
    assert!(spent() - before < 10, "{} hundredths of a second", spent() - before);
    for (nth, mut client) in (0..).zip(clients) {
        client.send(free(nth, 4096));
        client.ask(RecordType::Query, nth);
    }
    let summary = server.summary();
    let of = |field: &str| summary[field].as_u64().unwrap();
    assert_eq!((of("alloc"), of("free"), of("connections")), (60, 60, 60));
    assert_eq!(summary["balanced"], true);
}

/// The numbers of the messages about a device in a recording, in its order.
fn numbers(recording: &Path, device: i32) -> Vec<u64> {
    let bytes = fs::read(recording).unwrap();
    let heads = bytes.chunks_exact(72).map(Head::of);
    let own = heads.filter(|head| head.device == device && head.code == RecordType::Alloc as u8);
    own.map(|head| head.timestamp).collect()
}

/// How often clients reconnect.
const RECONNECTIONS: u64 = if cfg!(feature = "slow-tests") { 20_000 } else { 1_000 };

/// One reader may be slower than another, yet what was written before a connection was made comes
/// before what was written to it: whether the old one is closed or not, however short it was.
#[test]
fn a_client_that_reconnects_is_not_overtaken_by_itself() {
    let folder = Folder::new();
    let recording = folder.at("r");
    let arguments = ["--readers", "4", "--record", recording.to_str().unwrap()];
    let mut server = Server::start_in(folder, &[&arguments[..], &["--format", "json"]].concat());
    let socket = server.folder.at("s");
    let done = AtomicBool::new(false);
    std::thread::scope(|scope| {
        // Readers that have nothing else to do are never slow.
        let busy = [0, 1, 2].map(|device| {
            let (mut client, done) = (server.client(112), &done);
            scope.spawn(move || {
                while !done.load(Ordering::Relaxed) {
                    client.send(alloc(device, 4096, 64, 0));
                }
            })
        });
        let clients: Vec<_> = (10..13_u8)
            .map(|device| {
                let socket = &socket;
                scope.spawn(move || {
                    let mut choices = Seeded::new(device.into());
                    let (mut open, mut nth) = (Vec::new(), 0);
                    for _ in 0..RECONNECTIONS {
                        let size = RECORD_SIZES[choices.pick(4) as usize];
                        let stream = std::os::unix::net::UnixStream::connect(socket).unwrap();
                        let mut client = served::Client { stream, size };
                        // Not all at once: the readers must meet some of them one by one.
                        sleep(Duration::from_micros(choices.pick(200)));
                        let stays = choices.pick(4) == 0;
                        // Of a connection that stays, a single message is only whole after a while.
                        for _ in 0..choices.pick(3) + 1 + u64::from(stays) {
                            client
                                .send(Head { timestamp: nth, ..alloc(device.into(), 4096, 64, 0) });
                            nth += 1;
                        }
                        if stays {
                            open.push(client);
                            open.drain(..open.len().saturating_sub(4));
                        }
                    }
                    nth
                })
            })
            .collect();
        let sent: Vec<u64> = clients.into_iter().map(|client| client.join().unwrap()).collect();
        done.store(true, Ordering::Relaxed);
        busy.into_iter().for_each(|client| client.join().unwrap());
        let summary = server.summary();
        assert_eq!((summary["torn"].as_u64(), summary["refused"].as_u64()), (Some(0), Some(0)));
        for (device, sent) in (10..).zip(sent) {
            assert!(sent > RECONNECTIONS && numbers(&recording, device).into_iter().eq(0..sent));
        }
    });
}

/// Several readers are there to be used: each has its share of the clients.
#[test]
fn each_reader_has_its_share() {
    for (arguments, readers) in [(&["--readers", "3"][..], 3), (&["--log", "--readers", "3"], 1)] {
        let mut server = Server::start(arguments);
        let mut clients: Vec<_> = (0..6).map(|_| server.client(112)).collect();
        // How often each thread has left its processor, of itself or not.
        let switches = || -> Vec<u64> {
            let threads = fs::read_dir(format!("/proc/{}/task", server.child.id())).unwrap();
            let of = |thread: std::io::Result<fs::DirEntry>| -> Option<u64> {
                let status = fs::read_to_string(thread.unwrap().path().join("status")).unwrap();
                if status.starts_with("Name:\tprinter\n") {
                    return None;
                }
                let lines = status.lines().filter(|line| line.contains("voluntary_ctxt_switches"));
                let counts = lines.map(|line| line.split_once(':').unwrap().1.trim());
                Some(counts.map(|count| count.parse::<u64>().unwrap()).sum())
            };
            threads.filter_map(of).collect()
        };
        let mut ask_all =
            || clients.iter_mut().for_each(|client| drop(client.ask(RecordType::Query, 0)));
        ask_all();
        let before = switches();
        assert_eq!(before.len(), readers);
        (0..50).for_each(|_| ask_all());
        let after = switches();
        // Two clients each, who wait for the answers: it waits for many of their questions, too.
        let often = before.iter().zip(&after).map(|(before, after)| after - before);
        assert!(often.clone().all(|often| often > 5), "{:?}", often.collect::<Vec<u64>>());
        assert_eq!(server.stop(Signal::SIGTERM), 0);
    }
}

/// A recording that cannot be written on is a prefix, and no reader serves on without it.
#[test]
fn a_recording_that_fails_ends_every_reader() {
    let mut command = Command::new("sh");
    let limited = "trap '' XFSZ; ulimit -f 64; exec \"$0\" \"$@\"";
    command.args(["-c", limited, env!("CARGO_BIN_EXE_freeorder")]);
    let folder = Folder::new();
    let recording = folder.at("r");
    let arguments = ["--readers", "3", "--record", recording.to_str().unwrap()];
    let mut server = Server::spawn(folder, command, &arguments);
    let clients: Vec<_> = (0..6).map(|_| server.client(112)).collect();
    let clients: Vec<_> = (0..)
        .zip(clients)
        .map(|(device, mut client)| {
            std::thread::spawn(move || {
                for nth in 0.. {
                    let head = Head { timestamp: nth, ..alloc(device, 4096, 64, 0) };
                    if client.stream.write_all(&head.record(112)).is_err() {
                        return;
                    }
                }
            })
        })
        .collect();
    clients.into_iter().for_each(|client| client.join().unwrap());
    assert_eq!(server.child.wait().unwrap().code(), Some(2));
    let err = server.text("err");
    assert!(err.contains(recording.to_str().unwrap()) && err.contains("File too large"), "{err}");
    let recorded: usize = (0..6)
        .map(|device| {
            let numbers = numbers(&recording, device);
            assert!(numbers.iter().copied().eq(0..numbers.len() as u64), "not a prefix");
            numbers.len()
        })
        .sum();
    assert!(recorded * 72 + 72 > 32 << 10, "{recorded}");
}

/// A server whose standard output is a pipe that nobody reads.
fn unread(arguments: &[&str]) -> Server {
    let folder = Folder::new();
    let mut command = Command::new(env!("CARGO_BIN_EXE_freeorder"));
    command.arg("serve").arg("--socket").arg(folder.at("s")).args(arguments);
    command.arg("--record").arg(folder.at("r"));
    command.stdout(Stdio::piped()).stderr(fs::File::create(folder.at("err")).unwrap());
    let server = Server { child: command.spawn().unwrap(), folder };
    while !server.folder.at("s").exists() {
        sleep(Duration::from_millis(2));
    }
    server
}

/// The most memory that it has had, in kB.
fn peak(server: &Server) -> u64 {
    let status = fs::read_to_string(format!("/proc/{}/status", server.child.id())).unwrap();
    let peak = status.lines().find_map(|line| line.strip_prefix("VmHWM:")).unwrap();
    peak.trim().trim_end_matches(" kB").parse().unwrap()
}

/// A server whose output nobody reads serves all the same, in little memory, and ends when it is
/// told to, with everything in its recording.
#[test]
fn nobody_has_to_read_what_a_server_prints() {
    let dump = Head { code: RecordType::DumpRemaining as u8, process: 1, ..Head::default() };
    for (signal, arguments) in [
        (Signal::SIGTERM, &["--readers", "2"][..]),
        (Signal::SIGINT, &["--readers", "1"]),
        (Signal::SIGTERM, &["--log"]),
        (Signal::SIGINT, &["--log"]),
    ] {
        let mut server = unread(arguments);
        let mut client = server.client(72);
        for device in 0..32 {
            (0..10).for_each(|nth| client.send(alloc(device, nth * 1024, 64, 0)));
        }
        client.ask(RecordType::Query, 0);
        let mut hostile = server.client(72);
        for _ in 0..10 {
            let many: Vec<u8> = (0..2000).flat_map(|_| dump.record(72)).collect();
            hostile.stream.write_all(&many).unwrap();
            // With --log clients wait, until it is clear that nobody reads.
            client.ask(RecordType::Query, 0);
        }
        hostile.ask(RecordType::Query, 0);
        let peak = peak(&server);
        assert!(peak < 100_000, "{arguments:?}: {peak} kB");
        client.send(free(0, 0));
        let began = Instant::now();
        assert_eq!(server.stop(signal), 1, "{arguments:?}");
        let took = began.elapsed();
        assert!(took < Duration::from_secs(1), "{arguments:?}: {took:?}");
        let recorded = fs::metadata(server.folder.at("r")).unwrap().len();
        assert_eq!(recorded, 72 * (320 + 1 + 10 * 2001 + 1 + 1), "{arguments:?}");
    }
}

/// What could not be printed is counted, once somebody reads again; with --log, a reader who is
/// slow but there misses nothing.
#[test]
fn what_is_not_printed_is_counted() {
    let lines = |text: &str| text.matches("Allocated 64 bytes").count();
    for stalls in [false, true] {
        let mut server = unread(&["--log", "--stats", "0"]);
        let mut out = server.child.stdout.take().unwrap();
        let mut client = server.client(72);
        let sent = if stalls { 100_000 } else { 60_000 };
        let writer = std::thread::spawn(move || {
            for nth in 0..sent {
                client.send(alloc(0, nth * 1024, 64, 0));
            }
            client.ask(RecordType::Query, 0);
        });
        if stalls {
            writer.join().unwrap();
        }
        let reader = std::thread::spawn(move || {
            let (mut text, mut buffer) = (Vec::new(), vec![0; 16 << 10]);
            loop {
                match out.read(&mut buffer).unwrap() {
                    0 => return String::from_utf8(text).unwrap(),
                    read => text.extend_from_slice(&buffer[..read]),
                }
                if !stalls && text.len() < 2 << 20 {
                    sleep(Duration::from_millis(5));
                }
            }
        });
        // With the reader back, what waited is printed, and the loss told.
        sleep(Duration::from_millis(if stalls { 1000 } else { 1500 }));
        assert_eq!(server.stop(Signal::SIGTERM), 1);
        let text = reader.join().unwrap();
        let lost = sent as usize - lines(&text);
        assert_eq!(lost > 0, stalls, "{lost} of {sent}");
        let said = format!("  {lost} messages not printed: nobody read what was");
        assert_eq!(text.contains(&said), stalls, "{lost}: {}", &text[text.len() - 300..]);
        let warned = server.text("err").contains("messages not printed: nobody reads what is");
        assert_eq!(warned, stalls);
    }
}
