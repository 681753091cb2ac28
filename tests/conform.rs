//! Replays of what the real runtime answered: every answer must be the model's, and a changed
//! answer must be found.
// A test may stop at its first surprise; its helpers too.
#![allow(clippy::unwrap_used)]

use std::fs;
use std::io::BufReader;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use freeorder::allocator::Machine;
use freeorder::fix::FixSet;
use freeorder::interop::conform::{ConformError, Conformance, conform};
use freeorder::journal::Tracking;
use freeorder::op::{MeshHandle, Op};
use freeorder::runtime::Setup;
use freeorder::server::ServerKind;
use freeorder::units::MeshShape;
use freeorder::world::World;

const OPEN: &str = r#"{"op": "open", "arch": "WORMHOLE_B0", "mesh": [1, 1], "device_ids": [0], "mesh_device_id": 0, "dram": {"banks": 12, "bank_size": 1072693184}, "l1": {"banks": 72, "bank_size": 1393312}, "l1_small": {"banks": 0, "bank_size": 0}}"#;
const MAKE: &str = r#"{"op": "alloc", "name": "t0", "kind": "l1", "dtype": "bfloat16", "layout": "tile", "shape": [32, 32], "address": 1497088, "per_bank": 2048}"#;

fn data(folder: &str, extension: &str) -> Vec<PathBuf> {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/data").join(folder);
    let paths = folder.read_dir().unwrap().map(|entry| entry.unwrap().path());
    let mut paths: Vec<_> =
        paths.filter(|path| path.extension().is_some_and(|found| found == extension)).collect();
    paths.sort();
    paths
}

fn recording(name: &str) -> String {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/data/recordings");
    fs::read_to_string(folder.join(name)).unwrap()
}

fn replay(text: &str) -> Result<Conformance, ConformError> {
    conform("test.jsonl", text.as_bytes())
}

/// The complaint about a recording of an open mesh and these lines.
fn complaint(lines: &str) -> String {
    replay(&format!("{OPEN}\n{lines}")).unwrap_err().to_string()
}

fn agrees(path: &Path) -> u64 {
    let reader = BufReader::new(fs::File::open(path).unwrap());
    let found = conform(&path.to_string_lossy(), reader).unwrap();
    let first = found.first.as_ref().map(ToString::to_string);
    assert!(found.holds(), "{}: {first:?} {:?}", path.display(), found.violations);
    found.operations
}

/// The reason for the whole module: the model is the real runtime as far as answers tell.
#[test]
fn every_recorded_answer_is_the_models() {
    let recordings = data("recordings", "jsonl");
    assert!(recordings.len() >= 14, "{recordings:?}");
    let operations: u64 = recordings.iter().map(|path| agrees(path)).sum();
    assert!(operations > 10_000, "{operations}");
    let traces = data("golden/free_list_opt", "trace");
    assert!(traces.len() >= 12, "{traces:?}");
    let operations: u64 = traces.iter().map(|path| agrees(path)).sum();
    assert!(operations > 3_000, "{operations}");
}

/// A recorder that was stopped leaves the beginning of a recording: tensors are still alive, and
/// no oracle may take them for a leak.
#[test]
fn the_beginning_of_a_recording_is_a_recording() {
    let text = recording("galaxy-403.jsonl");
    let lines: Vec<_> = text.lines().take(160).collect();
    for count in 1..=lines.len() {
        let found = replay(&lines[..count].join("\n")).unwrap();
        assert!(found.holds(), "{count} lines: {found:?}");
        assert_eq!(found.operations, count as u64);
    }
}

/// The order of chips belongs to the shape of the mesh: a T3K opened as a row is another walk.
#[test]
fn a_t3k_opened_as_a_row_has_the_measured_order_of_chips() {
    let shape = MeshShape { rows: 1, columns: 8 };
    let setup = Arc::new(Setup::on(Machine::T3k));
    let mut world = World::new(setup, FixSet::default(), ServerKind::Shm, Tracking::NONE);
    world.apply(&Op::Open { mesh: MeshHandle(0), shape, at: (0, 0) }, &mut ());
    let mesh = world.runtime().mesh_device(MeshHandle(0)).unwrap();
    let chips: Vec<u8> = mesh.chips.iter().map(|chip| chip.0).collect();
    assert_eq!(chips, [4, 0, 2, 6, 7, 3, 1, 5]);
}

/// Files joined with `cat` are processes one after another, each with a mesh 0 of its own.
#[test]
fn a_second_open_begins_a_second_process() {
    let (first, second) = (recording("n300-13.jsonl"), recording("p150-504.jsonl"));
    let begun: Vec<_> = second.lines().take(50).collect();
    let found = replay(&format!("{}\n{first}{second}", begun.join("\n"))).unwrap();
    assert!(found.holds(), "{found:?}");
    assert_eq!(found.operations as usize, 50 + first.lines().count() + second.lines().count());
}

/// The bytes of a line that are answers.
fn answers(line: &str) -> std::ops::Range<usize> {
    let keys = ["\"device_ids\"", "\"dram\": {", "\"address\"", "\"error\"", "\"cache\""];
    let start = keys.iter().filter_map(|key| line.find(key)).min().unwrap_or(line.len());
    start..line.len()
}

/// Every digit of the answers, each with another in its place; the digits of field names are none.
fn changed_answers(line: &str) -> Vec<String> {
    let bytes = line.as_bytes();
    let digits = answers(line).filter(|&at| {
        let named = bytes[at - 1] == b'l' && matches!(bytes[at + 1], b'"' | b'_');
        bytes[at].is_ascii_digit() && !named
    });
    let changed = digits.map(|at| {
        let mut copy = bytes.to_vec();
        copy[at] = if bytes[at] == b'9' { b'8' } else { bytes[at] + 1 };
        String::from_utf8(copy).unwrap()
    });
    changed.collect()
}

/// The lines around each kind of answer, so that the test below sees all of them.
fn varied_lines() -> Vec<String> {
    let text = recording("8xp150-603.jsonl");
    let mut lines: Vec<String> = text.lines().map(str::to_owned).collect();
    let needed = ["Out of Memory", "UINT8", "Statically", "\"op\": \"view\"", "\"cache\": 2"];
    let place = |word: &&str| lines.iter().position(|line| line.contains(*word)).unwrap();
    let count = needed.iter().map(place).max().unwrap() + 1;
    lines.truncate(count);
    lines
}

/// A replay that compares nothing agrees with everything: each digit of each answer is changed, one
/// at a time, and the line must be named.
#[test]
fn a_changed_digit_in_any_answer_is_found() {
    let lines = varied_lines();
    let mut tried = 0;
    let mut before = String::new();
    for (index, line) in lines.iter().enumerate() {
        for changed in changed_answers(line) {
            let found = replay(&format!("{before}{changed}\n")).unwrap();
            assert!(found.mismatches > 0, "not found: {changed}\ninstead of {line}");
            assert_eq!(found.first.unwrap().line, index as u64 + 1, "{changed}");
            tried += 1;
        }
        before.push_str(line);
        before.push('\n');
    }
    assert!(tried > 2_000, "{tried} changes in {} lines", lines.len());
}

/// The same for a trace of the allocator alone: addresses, `none` and `unknown`.
#[test]
fn a_changed_answer_in_a_trace_is_found() {
    for path in data("golden/free_list_opt", "trace").iter().step_by(5) {
        let text = fs::read_to_string(path).unwrap();
        let lines: Vec<_> = text.lines().take(150).collect();
        let mut before = String::new();
        for line in lines {
            let (asked, answer) = line.split_once("->").unwrap_or((line, ""));
            let mut changed: Vec<String> = Vec::new();
            for (at, digit) in answer.bytes().enumerate().filter(|(_, byte)| byte.is_ascii_digit())
            {
                let mut copy = answer.as_bytes().to_vec();
                copy[at] = if digit == b'9' { b'8' } else { digit + 1 };
                changed.push(format!("{asked}->{}", String::from_utf8(copy).unwrap()));
            }
            match answer.trim() {
                "none" => changed.push(format!("{asked}-> 0")),
                "unknown" => changed.push(asked.to_owned()),
                "" if line.starts_with("free") => changed.push(format!("{line} -> unknown")),
                _ => {}
            }
            for changed in changed {
                let found = conform("a.trace", format!("{before}{changed}\n").as_bytes()).unwrap();
                assert_eq!(found.mismatches, 1, "{changed} instead of {line}");
            }
            before.push_str(line);
            before.push('\n');
        }
    }
}

/// What is not a number differs too: an error for a tensor, a tensor for an error, and a flag.
#[test]
fn an_answer_of_another_kind_is_found() {
    let refused = MAKE.replace(r#""address": 1497088, "per_bank": 2048"#, r#""error": "no""#);
    let found = replay(&format!("{OPEN}\n{refused}\n{MAKE}\n")).unwrap();
    let first = found.first.unwrap();
    assert_eq!((found.mismatches, first.line, first.field.as_str()), (1, 2, "error"));
    assert_eq!(first.modelled, "none (address 1497088, per_bank 2048)");
    // The runtime made what the model refuses: the name exists, and the rest is followed.
    let made = MAKE.replace("[32, 32]", "[320000, 3200]");
    let add = r#"{"op": "add", "a": "t0", "name": "t1", "address": 1, "cache": 1}"#;
    let rest = r#"{"op": "deallocate", "name": "t0"}"#;
    let found = replay(&format!("{OPEN}\n{made}\n{add}\n{rest}\n")).unwrap();
    assert_eq!(found.mismatches, 2, "{found:?}");
    assert!(found.first.unwrap().modelled.starts_with("Out of Memory"));
    let text = recording("n300-13.jsonl");
    let view = text.find("true]").unwrap();
    let changed = format!("{}false]{}", &text[..view], &text[view + 5..]);
    let first = replay(&changed).unwrap().first.unwrap();
    assert!(first.field.contains(".blocks["), "{first}");
}

/// Measured texts and answers that no recording in the collection happens to contain.
#[test]
fn what_was_measured_apart_is_answered_alike() {
    let lines = [
        r#"{"op": "alloc", "name": "a", "kind": "l1", "dtype": "bfloat4_b", "layout": "row_major", "shape": [32, 32], "error": "Only TILE layout is supported for BFLOAT8_B dtype!"}"#,
        r#"{"op": "alloc", "name": "a", "kind": "l1", "dtype": "uint8", "layout": "tile", "shape": [0, 32], "address": 0, "per_bank": 0}"#,
        r#"{"op": "alloc", "name": "b", "kind": "dram", "dtype": "uint16", "layout": "tile", "shape": [0, 32], "address": 0, "per_bank": 0}"#,
        r#"{"op": "add", "a": "b", "name": "c", "address": 0, "cache": 1}"#,
        r#"{"op": "alloc", "name": "d", "kind": "l1", "dtype": "uint8", "layout": "tile", "shape": [32], "address": 1498112, "per_bank": 1024}"#,
        r#"{"op": "deallocate", "name": "d"}"#,
        r#"{"op": "deallocate", "name": "d"}"#,
        r#"{"op": "add", "a": "d", "name": "e", "error": "Input Tensor A is not allocated"}"#,
        r#"{"op": "drop", "name": "d"}"#,
    ];
    let found = replay(&format!("{OPEN}\n{}\n", lines.join("\n"))).unwrap();
    assert!(found.holds(), "{found:?}");
    let kills = complaint(
        "{\"op\": \"alloc\", \"name\": \"a\", \"kind\": \"dram\", \"dtype\": \"uint8\", \"layout\": \
         \"row_major\", \"shape\": [4, 0], \"address\": 0, \"per_bank\": 0}\n\
         {\"op\": \"add\", \"a\": \"a\", \"name\": \"b\", \"error\": \"\"}",
    );
    assert!(kills.contains("line 3: `add` of a row-major tensor with width 0"), "{kills}");
}
