//! Findings as scenarios that fail the same way, and where two inputs part.

#![allow(clippy::unwrap_used, reason = "a test that cannot start the command has failed")]

mod command;

use std::fs;

use command::freeorder;

use freeorder::audit::{Action, Options, Place, Reader, Registered, wire};

fn place(name: &str) -> String {
    command::place(name).to_str().unwrap().to_owned()
}

fn text(bytes: &[u8]) -> String {
    String::from_utf8_lossy(bytes).into_owned()
}

/// A finding that nobody can run is an anecdote: the scenario names what it fails under, and does.
#[test]
fn imported_findings_fail_as_they_say() {
    let cases = [
        ("k0.log", "unknown-free", "unknown-free", "k0"),
        ("k1.log", "unknown-free", "unknown-free", "k1"),
        ("k2e.log", "duplicate-free", "unknown-free", "k2e"),
        ("k2e.log", "unknown-free", "unknown-free", "k2e"),
        ("c4.log", "cb-unpaired", "tracker-truth", "k2"),
        ("buffer-debug.log", "stale-free", "stale-free", "k2"),
        ("buffer-debug.log", "missing-free", "residue", "k2"),
        ("t3k-submesh.graph.json", "overlap", "overlap", "k2"),
        ("t3k-submesh.graph.json", "cb-unpaired", "tracker-truth", "k2"),
        ("report.sqlite", "overlap", "overlap", "k2"),
    ];
    for (file, finding, oracle, server) in cases {
        if file == "report.sqlite" && cfg!(not(feature = "sqlite")) {
            continue;
        }
        let input = format!("tests/data/audit/{file}");
        let scenario = place(&format!("{file}-{finding}.scenario"));
        let output = freeorder(&["import", &input, "--finding", finding, "-o", &scenario]);
        assert_eq!(output.status.code(), Some(0), "{file}: {}", text(&output.stderr));
        let written = fs::read_to_string(&scenario).unwrap();
        let command = written.lines().find_map(|line| line.split_once("freeorder run FILE "));
        let arguments: Vec<&str> = command.unwrap().1.split(' ').collect();
        assert_eq!(arguments[3], server, "{file} {finding}");
        let run = freeorder(&[&["run", &scenario], &arguments[..]].concat());
        assert_eq!(run.status.code(), Some(1), "{file} {finding}: {}", text(&run.stderr));
        // An expectation that did not hold would be said on standard error.
        assert_eq!(text(&run.stderr), "", "{file} {finding}");
        let report = text(&run.stdout);
        assert!(report.contains(&format!("{oracle} ")), "{file} {finding}: {report}");
    }
}

/// Where an input says nothing of meshes, an overlap is one of a mesh and its submesh on the chip.
#[test]
fn an_overlap_on_a_chip_is_imported() {
    let alloc = |device: u32, buffer: u64, size: u64| {
        format!(
            "\u{2713} [PID 7] Allocated {size} bytes of DRAM on device {device} \
             (buffer_id={buffer})\n"
        )
    };
    for device in [0, 1, 7, 31, 40] {
        let log = place(&format!("overlap-{device}.log"));
        let lines = alloc(device, 1 << 20, 12 << 20) + &alloc(device, (1 << 20) + 32, 4096);
        fs::write(&log, lines).unwrap();
        let scenario = place(&format!("overlap-{device}.scenario"));
        let output = freeorder(&["import", &log, "--finding", "overlap", "-o", &scenario]);
        if device > 31 {
            assert_eq!(output.status.code(), Some(2));
            assert!(text(&output.stderr).contains("no machine of the model has these devices"));
            continue;
        }
        assert_eq!(output.status.code(), Some(0), "{device}: {}", text(&output.stderr));
        let run = freeorder(&["run", &scenario]);
        let report = text(&run.stdout);
        assert!(report.contains("overlap "), "{device}: {report} {}", text(&run.stderr));
    }
}

/// Sizes that no buffer has, and shares of a bank that make far too many pages.
#[test]
fn an_overlap_of_any_size_is_imported_or_refused() {
    let capture = fs::read_to_string("tests/data/audit/t3k-submesh.graph.json").unwrap();
    for size in ["0", "1", "17179869184", "18446744073709551615"] {
        for per_bank in ["0", "1", "3", "18446744073709551615"] {
            let mut nodes: serde_json::Value = serde_json::from_str(&capture).unwrap();
            for node in nodes.as_array_mut().unwrap() {
                if node["node_type"] == "buffer_allocate" {
                    node["params"]["size"] = size.into();
                    node["params"]["max_size_per_bank"] = per_bank.into();
                }
            }
            let input = command::file("extreme.graph.json", nodes.to_string().as_bytes());
            let output = freeorder(&["import", &input, "--finding", "overlap"]);
            let code = output.status.code().unwrap();
            assert!(code == 0 || code == 2, "{size} {per_bank}: {}", text(&output.stderr));
        }
    }
}

/// The nine messages and eight keys of document 004 are a MeshBuffer that is deallocated.
#[test]
fn the_log_of_document_004_becomes_its_scenario() {
    let output = freeorder(&["import", "tests/data/audit/k1.log"]);
    let scenario = text(&output.stdout);
    assert!(scenario.contains("open m0 2x4\nalloc b0 on m0 dram 12x2048\ndeallocate b0\n"));
    assert!(scenario.contains("expect before k1: alloc=9 free=9 unknown-free=1"), "{scenario}");
}

/// What the model has nothing like, and what is clean, is said to be so.
#[test]
fn what_is_no_scenario_is_refused() {
    let output = freeorder(&["import", "tests/data/audit/k2.log"]);
    assert_eq!(output.status.code(), Some(2));
    assert!(text(&output.stderr).contains("nothing that the model could do"));
    let path = place("clean.log");
    fs::write(&path, "\u{1f680} Allocation Server started\n").unwrap();
    let output = freeorder(&["import", &path]);
    assert_eq!(output.status.code(), Some(2));
    assert!(text(&output.stderr).contains("finds nothing"));
}

/// A log and the stream that made it say the same, until one of them loses a message.
#[test]
fn a_log_and_its_stream_part_where_a_message_was_lost() {
    let log = fs::read("tests/data/audit/k1.log").unwrap();
    let mut reader = Reader::new(Box::new(std::io::Cursor::new(log)), Options::default()).unwrap();
    let mut events = Vec::new();
    while reader.read(&mut events).unwrap() {}
    let record = |event| wire::record(event, 112);
    let whole: Vec<u8> = events.iter().filter_map(record).flatten().collect();
    let path = place("whole.wire");
    fs::write(&path, &whole).unwrap();
    let same = freeorder(&["diff", "tests/data/audit/k1.log", &path]);
    assert_eq!(same.status.code(), Some(0), "{}", text(&same.stdout));
    assert_eq!(text(&same.stdout), "18 events are the same\n");
    assert_eq!(events[4].action, Action::Alloc(Registered::Plain));
    assert_eq!(events[4].place, Place(5));
    let lost: Vec<u8> = [&whole[..4 * 112], &whole[5 * 112..]].concat();
    let path = place("lost.wire");
    fs::write(&path, &lost).unwrap();
    let parts = freeorder(&["diff", "tests/data/audit/k1.log", &path]);
    assert_eq!(parts.status.code(), Some(1));
    let report = text(&parts.stdout);
    assert!(report.starts_with("4 events are the same\n"), "{report}");
    let missing = "- ALLOC device 7 buffer 3700768, 1048576 bytes of DRAM (tests/data/audit/k1.log";
    assert!(report.contains(missing), "{report}");
    let json = freeorder(&["diff", "tests/data/audit/k1.log", &path, "--format", "json"]);
    let json: serde_json::Value = serde_json::from_slice(&json.stdout).unwrap();
    assert_eq!((&json["same"], &json["sides"][0]["place"]), (&4.into(), &5.into()));
    assert_eq!(json["sides"][1]["later_in_the_other"], 1);
}

/// What comes through a pipe cannot be read twice, and is imported and counted all the same.
#[test]
fn a_pipe_is_as_good_as_a_file() {
    let from_pipe = |arguments: &[&str]| {
        let log = fs::File::open("tests/data/audit/k1.log").unwrap();
        command::command().args(arguments).stdin(log).output().unwrap()
    };
    let from_file = |arguments: &[&str]| freeorder(arguments);
    for arguments in [&["import"][..], &["audit", "--as-published"]] {
        let piped = from_pipe(&[arguments, &["-"]].concat());
        let read = from_file(&[arguments, &["tests/data/audit/k1.log"]].concat());
        assert_eq!(piped.status.code(), read.status.code(), "{}", text(&piped.stderr));
        let named = |output: &[u8]| text(output).replace("tests/data/audit/k1.log", "-");
        assert_eq!(named(&piped.stdout), named(&read.stdout));
        assert!(piped.stdout.len() > 200);
    }
}
