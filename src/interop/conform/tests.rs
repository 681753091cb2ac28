//! Bad input: one clear error with its place, whatever is in the file, and never a panic.

use std::fs;
use std::io::{self, BufReader, Read};
use std::path::{Path, PathBuf};

use super::{ConformError, Conformance, LINE_LENGTH_MAX, conform};
use crate::choice::{Choices, Seeded};

const OPEN: &str = concat!(
    r#"{"op": "open", "arch": "WORMHOLE_B0", "mesh": [1, 1], "device_ids": [0], "#,
    r#""mesh_device_id": 0, "dram": {"banks": 12, "bank_size": 1072693184}, "#,
    r#""l1": {"banks": 72, "bank_size": 1393312}, "l1_small": {"banks": 0, "bank_size": 0}}"#,
);
const MAKE: &str = concat!(
    r#"{"op": "alloc", "name": "t0", "kind": "l1", "dtype": "bfloat16", "layout": "tile", "#,
    r#""shape": [32, 32], "address": 1497088, "per_bank": 2048}"#,
);

fn data(folder: &str, extension: &str) -> Vec<PathBuf> {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/data").join(folder);
    let paths = folder.read_dir().unwrap().map(|entry| entry.unwrap().path());
    let mut paths: Vec<_> =
        paths.filter(|path| path.extension().is_some_and(|found| found == extension)).collect();
    paths.sort();
    paths
}

fn replay(text: &str) -> Result<Conformance, ConformError> {
    conform("test.jsonl", text.as_bytes())
}

/// The complaint about a recording of an open mesh and these lines.
fn complaint(lines: &str) -> String {
    replay(&format!("{OPEN}\n{lines}")).unwrap_err().to_string()
}

fn trace_complaint(text: &str) -> String {
    conform("test.trace", text.as_bytes()).unwrap_err().to_string()
}

/// One sentence with the place, and what would be right: nothing is skipped.
#[test]
fn what_no_recorder_writes_is_an_error_with_its_place() {
    let cases = [
        (r#"{"op": "alocate", "name": "t0"}"#, "unknown operation `alocate`; did you mean"),
        (r#"{"op": "drop"}"#, "column 14: missing field `name`"),
        (r#"{"name": "t0"}"#, "missing field `op`"),
        (r#"{"op": "drop", "name": "t9"}"#, "line 2: `t9` stands for nothing"),
        (r#"{"op": "add", "a": "t9", "name": "t1", "error": ""}"#, "`t9` stands for nothing"),
        (r#"{"op": "drop", "nam": "t0"}"#, "line 2, column 20: unknown field `nam`, expected"),
        (r#"{"op": "clear_program_cache"}"#, "missing field `cache`"),
        (r#"["drop", "t0"]"#, "the line is no JSON object"),
        (r#"{"op": "drop", "name": "t0""#, "EOF while parsing"),
        (r#"{"op": "drop", "name": "t0"} x"#, "trailing characters"),
    ];
    for (line, expected) in cases {
        let complaint = complaint(line);
        assert!(complaint.starts_with("test.jsonl: line 2"), "{complaint}");
        assert!(complaint.contains(expected), "{complaint}");
    }
    let changes = [
        ("bfloat16", "bfloat17", "unknown variant `bfloat17`, expected one of `bfloat16`"),
        ("tile", "tiled", "unknown variant `tiled`, expected `tile` or `row_major`"),
        ("\"l1\"", "\"trace\"", "unknown variant `trace`, expected one of `dram`"),
        (", \"per_bank\": 2048", "", "half of the answer is missing; expected `address` and"),
        (", \"address\": 1497088, \"per_bank\": 2048", "", "the answer is missing"),
        ("\"per_bank\": 2048", "\"per_bank\": 2048, \"error\": \"\"", "beside the error"),
        ("[32, 32]", "[]", "the shape is empty"),
        ("[32, 32]", "[4294967295, 4294967295, 1]", "too many pages"),
        ("[32, 32]", "[-1, 32]", "invalid value"),
    ];
    for (from, to, expected) in changes {
        let complaint = complaint(&MAKE.replace(from, to));
        assert!(complaint.contains(expected), "{complaint}");
    }
    let twice = complaint(&format!("{MAKE}\n{MAKE}"));
    assert!(twice.contains("line 3: `t0` already stands for the tensor of line 2"), "{twice}");
}

/// The file as a whole can be wrong too.
#[test]
fn what_is_no_recording_at_all_is_an_error() {
    let name = |path: &str| conform(path, io::empty()).unwrap_err().to_string();
    assert!(name("a.json").contains("`.json` files are not replayed; a free-list trace"));
    assert!(name("recording").contains("the name has no extension"));
    assert!(name("a.jsonl").contains("nothing to replay: a recording begins with a line"));
    assert!(name("a.trace").contains("nothing to replay: a trace begins with a line `new"));
    assert!(replay("\n \n").unwrap_err().to_string().contains("nothing to replay"));
    assert!(replay(MAKE).unwrap_err().to_string().contains("no mesh is open"));
    let mesh = replay(&OPEN.replace("[1, 1]", "[2, 2]")).unwrap_err().to_string();
    assert!(mesh.contains("no WORMHOLE_B0 machine is known by its mesh 2x2; known are 1x1 (N150)"));
    let arch = replay(&OPEN.replace("WORMHOLE_B0", "GRAYSKULL")).unwrap_err().to_string();
    assert!(arch.contains("unknown variant `GRAYSKULL`, expected `WORMHOLE_B0` or"), "{arch}");
    let gzip: &[u8] = &[0x1f, 0x8b, 8, 0, 0];
    let complaint = conform("a.jsonl", gzip).unwrap_err().to_string();
    assert!(complaint.contains("line 1, column 2: the bytes are not UTF-8 text"), "{complaint}");
    let endless = BufReader::new(io::repeat(b'a'));
    let complaint = conform("a.trace", endless).unwrap_err().to_string();
    assert!(complaint.contains("line 1: the line is longer than 16 MiB"), "{complaint}");
    assert_eq!(LINE_LENGTH_MAX, 16 << 20);
    let deep = format!("{OPEN}\n{{\"op\": {}", "[".repeat(1 << 20));
    assert!(replay(&deep).is_err());
    let deep = format!("{OPEN}\n{{\"op\": \"drop\", \"name\": {}", "{\"a\":".repeat(1 << 20));
    assert!(replay(&deep).is_err());
    let broken = BufReader::new(Broken);
    assert!(conform("a.jsonl", broken).unwrap_err().to_string().contains("cannot be read"));
}

struct Broken;

impl Read for Broken {
    fn read(&mut self, _: &mut [u8]) -> io::Result<usize> {
        Err(io::Error::other("the disk is gone"))
    }
}

/// The words of a trace are as strict as the fields of a recording.
#[test]
fn what_no_trace_says_is_an_error_with_its_place() {
    let new = "new capacity=4096 offset=0 min=32 align=32 policy=first";
    let cases = [
        ("alloc 32 top", "line 2, column 13: the answer is missing; the form is `alloc SIZE"),
        ("alloc 32 up -> 0", "column 10: unknown direction `up`"),
        ("alloc +1 top -> 0", "column 7: the size is not a number: `+1`"),
        ("alloc 32 top => 0", "`=>` stands for `->`"),
        ("alloc 32 top -> 0 0", "column 19: `0` stands after the end"),
        ("alocc 32 top -> 0", "unknown operation `alocc`; did you mean `alloc`?"),
        ("alloc_at 0 -> 0", "the size is not a number: `->`"),
        ("free 0 -> known", "unknown answer `known`"),
        ("clear all", "`all` stands after the end; the form is `clear`"),
        ("new capacity=1 offset=0 min=1 align=1", "`policy=` is missing"),
        ("new capacity=1 capacity=1", "`capacity` is given twice"),
        ("new size=1", "unknown parameter `size`; expected one of capacity, offset"),
        ("new capacity=4294967295 offset=0 min=1 align=1 policy=best", "too large for the model"),
        ("free 99999999999999999999", "is not a number"),
    ];
    for (line, expected) in cases {
        let complaint = trace_complaint(&format!("{new}\n{line}\n"));
        assert!(complaint.starts_with("test.trace: line 2"), "{complaint}");
        assert!(complaint.contains(expected), "{complaint}");
    }
    let early = trace_complaint("clear\n");
    assert!(early.contains("line 1: `clear` before the allocator was made"), "{early}");
}

/// One of the ways in which a file gets damaged.
fn damage(choices: &mut Seeded, bytes: &mut Vec<u8>) {
    let length = bytes.len() as u64;
    let at = choices.pick(length) as usize;
    match choices.pick(9) {
        0 => bytes[at] = choices.pick(256) as u8,
        1 => bytes[at] = b'0' + choices.pick(10) as u8,
        2 => bytes.truncate(at),
        3 => drop(bytes.drain(at..(at + choices.pick(40) as usize).min(bytes.len()))),
        4 => {
            let huge = ["9", "99999999", "4294967295", "18446744073709551615", "-1", "0", "1e99"];
            let digits = |byte: &u8| byte.is_ascii_digit();
            if let Some(start) = bytes[at..].iter().position(digits).map(|start| at + start) {
                let count = bytes[start..].iter().take_while(|byte| digits(byte)).count();
                let number = huge[choices.pick(huge.len() as u64) as usize];
                bytes.splice(start..start + count, number.bytes());
            }
        }
        5 => drop(bytes.splice(at..at, vec![b'['; 200])),
        6 => {
            // A line again somewhere else.
            let mut lines: Vec<Vec<u8>> =
                bytes.split(|&byte| byte == b'\n').map(<[u8]>::to_vec).collect();
            let from = choices.pick(lines.len() as u64) as usize;
            let to = choices.pick(lines.len() as u64) as usize;
            lines.insert(to, lines[from].clone());
            *bytes = lines.join(&b'\n');
        }
        7 => {
            let words = ["l1_small", "row_major", "bfloat8_b", "uint8", "null", "true", "\\u0000"];
            let word = words[choices.pick(words.len() as u64) as usize];
            if let Some(start) = bytes[at..].iter().position(|&byte| byte == b'"') {
                let start = at + start + 1;
                let end = bytes[start..].iter().position(|&byte| byte == b'"').unwrap_or(0);
                bytes.splice(start..start + end, word.bytes());
            }
        }
        _ => {
            let other = choices.pick(length) as usize;
            bytes.swap(at, other);
        }
    }
    if bytes.is_empty() {
        bytes.push(b'\n');
    }
}

/// Whatever is in a file, the answer is a count or one error, and no panic.
#[test]
fn damaged_files_never_panic() {
    let take = |path: &PathBuf, count: usize| {
        let text = fs::read_to_string(path).unwrap();
        let lines: Vec<_> = text.lines().collect();
        let mut some: Vec<&str> = lines.iter().take(count).copied().collect();
        // Of long recordings also lines that are rare at the beginning.
        let view = lines.iter().find(|line| line.contains("\"view\"") && line.len() < 1500);
        some.extend(view);
        some.join("\n").into_bytes()
    };
    let recordings = data("recordings", "jsonl");
    let traces = data("golden/free_list_opt", "trace");
    let mut sources: Vec<(&str, Vec<u8>)> = Vec::new();
    sources.extend(recordings.iter().map(|path| ("a.jsonl", take(path, 24))));
    sources.extend(traces.iter().map(|path| ("a.trace", take(path, 40))));
    let count = if cfg!(feature = "slow-tests") { 100_000 } else { 20_000 };
    let mut choices = Seeded::new(20_000);
    let (mut replayed, mut refused) = (0, 0);
    for _ in 0..count {
        let (name, text) = &sources[choices.pick(sources.len() as u64) as usize];
        let mut bytes = text.clone();
        for _ in 0..=choices.pick(3) {
            damage(&mut choices, &mut bytes);
        }
        match conform(name, bytes.as_slice()) {
            Ok(_) => replayed += 1,
            Err(error) => {
                refused += 1;
                assert!(error.to_string().len() < 2_000, "{error}");
            }
        }
    }
    assert!(replayed > 2_000 && refused > 2_000, "{replayed} replayed, {refused} refused");
}
