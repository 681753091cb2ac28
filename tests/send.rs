//! Scenarios sent to a server of the real binary: it counts what the simulator's own server counts.
#![cfg(target_os = "linux")]
#![allow(clippy::unwrap_used, reason = "a test that cannot start the server has failed")]

mod served;

use std::fs;
use std::path::{Path, PathBuf};

use freeorder::fix::{Fix, Preset};
use freeorder::scenario::{Scenario, run};
use freeorder::serve::{Note, messages};
use freeorder::server::ServerKind;
use freeorder::wire::RECORD_SIZES;
use nix::sys::signal::Signal;
use rayon::iter::{
    IndexedParallelIterator as _, IntoParallelRefIterator as _, ParallelIterator as _,
};
use serde_json::Value;
use served::{Server, freeorder};

fn scenarios(folder: &Path, found: &mut Vec<PathBuf>) {
    let mut entries: Vec<PathBuf> =
        fs::read_dir(folder).unwrap().map(|entry| entry.unwrap().path()).collect();
    entries.sort();
    for path in entries {
        if path.is_dir() {
            scenarios(&path, found);
        } else if path.extension().is_some_and(|ending| ending == "scenario") {
            found.push(path);
        }
    }
}

/// What the servers of all scenarios counted together.
#[derive(Default)]
struct Counted {
    sent: u64,
    unknown: u64,
    left_out: usize,
}

/// The servers of the model and of the wire are one: same messages, same counts, for each scenario
/// of the corpus, under k1 and k2, in each version.
#[test]
fn a_real_server_counts_what_the_simulated_one_counts() {
    let mut files = Vec::new();
    scenarios(&Path::new(env!("CARGO_MANIFEST_DIR")).join("corpus"), &mut files);
    let counted = files.par_iter().enumerate().map(|(nth, file)| count(nth, file));
    let Counted { sent, unknown, left_out } = counted.reduce(Counted::default, |one, other| {
        let (sent, unknown) = (one.sent + other.sent, one.unknown + other.unknown);
        Counted { sent, unknown, left_out: one.left_out + other.left_out }
    });
    println!("{sent} messages, {unknown} of nothing, {left_out} of {} left out", files.len());
    assert!(sent > 100_000 && unknown > 50 && left_out * 10 < files.len());
}

/// Sends the scenario to a real server of each kind, and compares.
fn count(nth: usize, file: &Path) -> Counted {
    let presets = [Preset::Before, Preset::ForkHead, Preset::ThreeFixes, Preset::Final];
    let preset = presets[nth % presets.len()];
    let fixes = preset.fixes();
    assert!(!fixes.has(Fix::TypedKey) && !fixes.has(Fix::OwnerIdKey));
    let scenario = Scenario::parse_bytes(&fs::read(file).unwrap()).unwrap();
    let notes = messages(&scenario, fixes);
    let mut counted = Counted::default();
    // What no client can do is not compared.
    if notes.iter().any(|note| matches!(note, Note::Restarted | Note::Reaped(_))) {
        counted.left_out = 1;
        return counted;
    }
    for (kind, name) in [(ServerKind::K1, "k1"), (ServerKind::K2, "k2")] {
        let arguments = ["--server", name, "--reap", "0", "--format", "json"];
        let mut server = Server::start(&arguments);
        let wire = RECORD_SIZES[(nth + usize::from(name == "k2")) % 4].to_string();
        let socket = server.folder.at("s");
        let (file, socket) = (file.to_str().unwrap(), socket.to_str().unwrap());
        let arguments = ["send", file, "--socket", socket, "--wire", &wire, "--fixes"];
        let output = freeorder(&[&arguments[..], &[preset.name(), "--format", "json"]].concat());
        assert_eq!(output.status.code(), Some(0), "{file}: {:?}", output.stderr);
        let report: Value = serde_json::from_slice(&output.stdout).unwrap();
        let summary = server.summary();
        let simulated = run(&scenario, fixes, kind, 0, &mut ());
        let of = |field: &str| summary[field].as_u64().unwrap();
        // What a full socket swallows is sent, and reaches no server.
        if !scenario.to_string().contains("\nlose ") {
            assert_eq!(of("alloc"), simulated.totals.alloc, "{file} {name}");
            assert_eq!(of("free"), simulated.totals.free, "{file} {name}");
        }
        assert_eq!((of("alloc"), of("free")), (number(&report, "alloc"), number(&report, "free")));
        assert_eq!(of("unknown"), simulated.totals.unknown_free, "{file} {name}");
        assert_eq!(Some(of("live")), simulated.leftover_keys, "{file} {name}");
        let bytes = |row: &Value| {
            let types = ["dram", "l1", "l1_small", "trace"];
            types.iter().fold(0_u64, |sum, of| sum.wrapping_add(row[of].as_u64().unwrap()))
        };
        let sum = |rows: &Value| {
            rows.as_array().unwrap().iter().fold(0_u64, |sum, row| sum.wrapping_add(bytes(row)))
        };
        assert_eq!(sum(&summary["devices"]), simulated.leftover_bytes, "{file} {name}");
        assert_eq!(sum(&report["devices"]), simulated.leftover_bytes, "the answers say it, too");
        assert_eq!((of("refused"), of("torn"), of("skipped")), (0, 0, 0), "{file}");
        counted.sent += of("alloc") + of("free");
        counted.unknown += of("unknown");
    }
    counted
}

fn number(report: &Value, field: &str) -> u64 {
    report[field].as_u64().unwrap()
}

/// What a person sees of it, and that the dump that was asked for is printed.
#[test]
fn send_says_what_it_sent_and_what_the_server_said() {
    let mut server = Server::start(&["--machine", "T3K", "--reap", "0"]);
    let socket = server.folder.at("s");
    let file = "corpus/claims/late-drop-of-a-dead-handle.scenario";
    let output =
        freeorder(&["send", file, "--socket", socket.to_str().unwrap(), "--dump", "--wire", "112"]);
    assert_eq!(output.status.code(), Some(0));
    insta::assert_snapshot!("send_text", String::from_utf8(output.stdout).unwrap());
    assert_eq!(server.stop(Signal::SIGTERM), 0);
    let out = server.text("out");
    assert!(out.contains("No buffers remaining"), "{out}");
    let output = freeorder(&["send", file, "--socket", socket.to_str().unwrap()]);
    assert_eq!(output.status.code(), Some(2));
    assert!(String::from_utf8_lossy(&output.stderr).contains("is a server listening there?"));
}

/// The measurement runs, loses nothing and says so.
#[test]
fn bench_serve_counts_every_message_of_every_client() {
    let count = if cfg!(feature = "slow-tests") { "10000000" } else { "100000" };
    let output = freeorder(&["bench", "serve", "--messages", count, "--format", "json"]);
    assert_eq!(output.status.code(), Some(0), "{:?}", output.stderr);
    let table: Value = serde_json::from_slice(&output.stdout).unwrap();
    let row = &table["rows"][0];
    assert_eq!((number(row, "lost"), number(row, "reordered")), (0, 0));
    assert_eq!((number(row, "clients"), &number(row, "messages").to_string()[..]), (64, count));
    let (seconds, rate) = (row["seconds"].as_f64().unwrap(), row["per_second"].as_f64().unwrap());
    assert!((seconds * rate - number(row, "messages") as f64).abs() < 1.0);
}
