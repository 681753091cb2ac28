//! What `freeorder audit` finds in reports of ttnn-visualizer, good and bad.
#![cfg(feature = "sqlite")]
#![allow(clippy::unwrap_used, reason = "a test that cannot make its database has failed")]

mod audited;
mod command;

use std::fs;
use std::io::Cursor;

use audited::{Audited, try_audit};
use command::{code, folder, freeorder, stderr, stdout};
use rusqlite::Connection;

use freeorder::audit::{Action, Event, FindingKind, Kind, Memory, Options, Place, Reader};
use freeorder::units::DeviceAddr;

/// The tables, as ttnn makes them.
const TABLES: &str = "
    CREATE TABLE devices (device_id int, num_y_cores int, num_x_cores int);
    CREATE TABLE operations (operation_id int UNIQUE, name text, duration float);
    CREATE TABLE buffers (operation_id int, device_id int, address int, max_size_per_bank int,
        buffer_type int, buffer_layout int);
    INSERT INTO devices VALUES (0, 8, 8), (1, 8, 8);";

/// The bytes of the database that these statements make.
fn database(statements: &[&str]) -> Vec<u8> {
    let mut connection = Connection::open_in_memory().unwrap();
    statements.iter().for_each(|statement| connection.execute_batch(statement).unwrap());
    connection.serialize("main").unwrap().to_vec()
}

/// A report of operations 1, 2 and so on, with these buffers.
fn report(operations: u32, buffers: &str) -> Vec<u8> {
    let rows: Vec<String> = (1..=operations).map(|id| format!("({id}, 'op{id}', 0.5)")).collect();
    let operations = format!("INSERT INTO operations VALUES {}", rows.join(", "));
    database(&[TABLES, &operations, &format!("INSERT INTO buffers VALUES {buffers}")])
}

fn audit(bytes: &[u8]) -> Result<Audited, String> {
    let audited = try_audit(bytes, Options::default())?;
    assert_eq!(audited.kind, Kind::ReportDb);
    Ok(audited)
}

/// What came and went: operation, ALLOC or FREE, device, address, bytes in a bank.
fn changes(audited: &Audited) -> Vec<(u64, &'static str, i32, u64, u64)> {
    let said = |event: &Event| {
        let word = if matches!(event.action, Action::Alloc(_)) { "ALLOC" } else { "FREE" };
        assert_eq!(event.size, None, "a report has no total size");
        let per_bank = event.per_bank.unwrap().0;
        (event.place.0, word, event.device.0, event.address.0, per_bank)
    };
    audited.events.iter().map(said).collect()
}

/// Snapshots say what is; what came and went is what they differ by.
#[test]
fn snapshots_become_events() {
    let audited = audit(&report(
        4,
        "(1, 0, 1024, 64, 0, NULL), (1, 1, 1024, 64, 0, NULL), (2, 0, 1024, 64, 0, NULL),
         (2, 0, 1024, 32, 1, 2), (3, 0, 1024, 64, 0, NULL), (3, 0, 1024, 48, 1, 2)",
    ))
    .unwrap();
    let said = [
        (1, "ALLOC", 0, 1024, 64),
        (1, "ALLOC", 1, 1024, 64),
        (2, "FREE", 1, 1024, 64),
        (2, "ALLOC", 0, 1024, 32),
        // Another size under a key is another buffer.
        (3, "FREE", 0, 1024, 32),
        (3, "ALLOC", 0, 1024, 48),
        // After the last operation there are no rows: nothing is live.
        (4, "FREE", 0, 1024, 64),
        (4, "FREE", 0, 1024, 48),
    ];
    assert_eq!(changes(&audited), said);
    assert_eq!(audited.events[3].memory, Some(Memory::L1));
    assert_eq!(audited.paths, ["op1", "op1", "op2", "op2", "op3", "op3", "op4", "op4"]);
    assert_eq!(audited.counts(), []);
}

/// A model's weights are live when its last operation ends: that is worth a note, and no more.
#[test]
fn what_is_live_at_the_end_is_a_note() {
    let audited = audit(&report(2, "(1, 0, 1024, 64, 0, 0), (2, 0, 1024, 64, 0, 0)")).unwrap();
    assert_eq!(audited.counts(), [("live-at-end", 1)]);
    let left = audited.first(FindingKind::LiveAtEnd);
    assert_eq!((left.place, left.address, left.size), (Place(1), Some(DeviceAddr(1024)), None));
    assert_eq!(audited.auditor.findings().failing(), 0);
}

/// An allocator gives no byte of a bank twice: to the byte, on one device, in one memory.
#[test]
fn buffers_that_overlap_are_found_and_neighbours_are_not() {
    let pair = |device, address, memory| {
        let rows = format!("(1, 0, 4096, 2048, 1, 0), (1, {device}, {address}, 2048, {memory}, 0)");
        audit(&report(2, &rows)).unwrap()
    };
    let broken = pair(0, 6143, 1);
    assert_eq!(broken.counts(), [("overlap", 1)]);
    let overlap = broken.first(FindingKind::Overlap);
    assert_eq!((overlap.place, overlap.address), (Place(1), Some(DeviceAddr(6143))));
    assert!(overlap.what.contains("on the same device"), "{}", overlap.what);
    // L1_SMALL is the top of L1.
    assert_eq!(pair(0, 6143, 3).counts(), [("overlap", 1)]);
    for (device, address, memory) in [(0, 6144, 1), (1, 6143, 1), (0, 6143, 0), (0, 2048, 1)] {
        assert_eq!(pair(device, address, memory).counts(), [], "{device} {address} {memory}");
    }
}

/// What goes within an operation makes room for what comes in it.
#[test]
fn memory_that_is_used_again_is_no_overlap() {
    let audited = audit(&report(3, "(1, 0, 4096, 2048, 1, 0), (2, 0, 4000, 4096, 1, 0)")).unwrap();
    assert_eq!(audited.counts(), []);
    assert_eq!(changes(&audited)[1], (2, "FREE", 0, 4096, 2048));
}

/// Two live buffers at one address: one too many, whichever of them goes first.
#[test]
fn a_key_that_stands_twice_is_registered_twice() {
    let twice = "(1, 0, 1024, 64, 0, 0), (1, 0, 1024, 64, 0, 0)";
    let audited = audit(&report(2, twice)).unwrap();
    assert_eq!(audited.counts(), [("overlap", 1), ("registered-again", 1)]);
    assert_eq!(changes(&audited).len(), 4);
    // The second comes later and goes first; what comes at its place afterwards overlaps nothing.
    let rows = "(1, 0, 1024, 64, 0, 0), (2, 0, 1024, 64, 0, 0), (2, 0, 1024, 96, 0, 0),
        (3, 0, 1024, 64, 0, 0), (5, 0, 1056, 64, 0, 0)";
    let audited = audit(&report(6, rows)).unwrap();
    assert_eq!(audited.counts(), [("overlap", 1), ("registered-again", 1)]);
    assert_eq!(audited.first(FindingKind::Overlap).place, Place(2));
    assert_eq!(audited.first(FindingKind::Overlap).other, Some(Place(1)));
}

/// The snapshot is written when a call returns; without one, nothing is known of it.
#[test]
fn a_call_that_never_ended_has_no_snapshot() {
    let rows = "INSERT INTO operations VALUES (1, 'made', 0.5), (2, 'threw', NULL);
        INSERT INTO buffers VALUES (1, 0, 1024, 64, 0, 0);";
    let audited = audit(&database(&[TABLES, rows])).unwrap();
    assert_eq!((changes(&audited).len(), audited.counts()), (1, vec![("live-at-end", 1)]));
}

/// Without memory there is nothing to overlap, and nothing to give back.
#[test]
fn buffers_without_an_address_are_left_out() {
    let audited = audit(&report(1, "(1, 0, 0, 64, 0, 0), (1, 0, 0, 64, 0, 0)")).unwrap();
    assert_eq!((changes(&audited).len(), audited.counts().len()), (0, 0));
}

/// Old reports have fewer columns, new ones more; what is needed is needed.
#[test]
fn columns_may_be_missing_unless_they_are_needed() {
    let old = database(&["CREATE TABLE operations (operation_id int);
         CREATE TABLE buffers (buffer_type int, address int, operation_id int, device_id int,
             max_size_per_bank int, more text);
         INSERT INTO operations VALUES (2), (1);
         INSERT INTO buffers VALUES (1, 1024, 1, 0, 64, 'x');"]);
    let audited = audit(&old).unwrap();
    assert_eq!(changes(&audited), [(1, "ALLOC", 0, 1024, 64), (2, "FREE", 0, 1024, 64)]);
    for column in ["operation_id", "device_id", "address", "max_size_per_bank", "buffer_type"] {
        let drop = format!("ALTER TABLE buffers DROP COLUMN {column}");
        let error = audit(&database(&[TABLES, &drop])).err().unwrap();
        let column = format!("`buffers` has no column `{column}`");
        assert!(error.contains(&column), "{error}");
    }
    for table in ["buffers", "operations"] {
        let error = audit(&database(&[TABLES, &format!("DROP TABLE {table}")])).err().unwrap();
        assert!(error.contains(&format!("has no table `{table}`")), "{error}");
    }
    // A view could compute for ever.
    let view = "DROP TABLE buffers; CREATE VIEW buffers AS SELECT 1 AS operation_id";
    let error = audit(&database(&[TABLES, view])).err().unwrap();
    assert!(error.contains("has no table `buffers`"), "{error}");
}

/// Every host numbers its operations and devices from the start.
#[test]
fn reports_of_several_hosts_are_refused() {
    let ranks = |second: u32| {
        let rows = format!(
            "ALTER TABLE buffers ADD COLUMN rank int; ALTER TABLE operations ADD COLUMN rank int;
             INSERT INTO operations VALUES (1, 'a', 0.5, 0);
             INSERT INTO buffers VALUES (1, 0, 1024, 64, 0, 0, 0), (1, 0, 1088, 64, 0, 0, {second})"
        );
        audit(&database(&[TABLES, &rows]))
    };
    assert_eq!(changes(&ranks(0).unwrap()).len(), 2);
    let error = ranks(1).err().unwrap();
    assert!(error.contains("it is of 2 hosts (column `rank` of `buffers`)"), "{error}");
}

/// What cannot be is said, with the column, and nothing is guessed.
#[test]
fn values_that_cannot_be_are_one_error() {
    let cases = [
        ("(-1, 0, 1024, 64, 0, 0)", "a `operation_id` of `buffers` is -1, and not from 0"),
        ("(1, -1, 1024, 64, 0, 0)", "a `device_id` of `buffers` is -1, and not from 0"),
        ("(1, 4294967296, 1024, 64, 0, 0)", "a `device_id` of `buffers` is 4294967296"),
        ("(1, 0, -1024, 64, 0, 0)", "a `address` of `buffers` is -1024"),
        ("(1, 0, 9223372036854775808, 64, 0, 0)", "a `address` of `buffers` is 9.22"),
        ("(1, 0, 1024, 9223372036854775807, 0, 0)", "is 9223372036854775807, and not from 0"),
        ("(1, 0, 1024, 64, 5, 0)", "a `buffer_type` of `buffers` is 5, and not from 0 to 4"),
        ("(1, 0, 1024, 64, NULL, 0)", "a `buffer_type` of `buffers` is NULL"),
        ("('one', 0, 1024, 64, 0, 0)", "a `operation_id` of `buffers` is a text"),
        ("(1, 0, x'0102', 64, 0, 0)", "a `address` of `buffers` is a blob"),
        ("(1, 0, 0.5, 64, 0, 0)", "a `address` of `buffers` is 5e-1, which is no integer"),
    ];
    for (row, sentence) in cases {
        let error = audit(&report(1, row)).err().unwrap();
        assert!(error.contains(sentence), "{row}: {error}");
    }
    let largest = "(1, 63, 9223372036854775807, 107374182400, 0, 0)";
    assert_eq!(audit(&report(2, largest)).unwrap().counts(), []);
}

/// A copy of a file that is being written, or of half of one.
#[test]
fn a_report_that_is_cut_or_damaged_is_one_error() {
    let rows: Vec<String> =
        (0..500).map(|at| format!("(1, 0, {}, 64, 0, 0)", 1024 + 64 * at)).collect();
    let whole = report(2, &rows.join(", "));
    assert_eq!(changes(&audit(&whole).unwrap()).len(), 1000);
    for length in [16, 99, 100, 1000, 4096, whole.len() / 2, whole.len() - 1] {
        let error = audit(&whole[..length]).err().unwrap();
        let is_said = error.contains("it is cut") || error.contains("does not begin as");
        assert!(is_said, "{length}: {error}");
    }
    let mut damaged = whole.clone();
    let last = damaged.len() - 4096;
    damaged[last..].fill(0xff);
    let error = audit(&damaged).err().unwrap();
    assert!(error.starts_with("not a report that can be read: "), "{error}");
    let mut renamed = whole.clone();
    let name = renamed.windows(13).position(|name| name == b"buffer_layout").unwrap();
    renamed[name] = 0xff;
    assert_eq!(changes(&audit(&renamed).unwrap()).len(), 1000);
    let mut journalled = whole;
    journalled[18..20].fill(2);
    let error = audit(&journalled).err().unwrap();
    assert!(error.contains("-wal"), "{error}");
}

/// Read as a report by force, nothing else is one.
#[test]
fn what_is_no_database_is_said_to_be_none() {
    let options = Options { kind: Some(Kind::ReportDb), record: None };
    for bytes in [&b""[..], b"[{\"counter\": 0}]", &[0; 200]] {
        let error = Reader::new(Box::new(Cursor::new(bytes.to_vec())), options).err().unwrap();
        assert!(error.to_string().contains("does not begin as a SQLite database"), "{error}");
    }
}

/// The command, in each form, with its exit codes.
#[test]
fn a_report_is_audited_as_everything_else_is() {
    let file = "tests/data/audit/report.sqlite";
    let output = freeorder(&["audit", file]);
    assert_eq!(code(&output), 1, "{}", stderr(&output));
    let text = stdout(&output);
    let line = format!(
        "{file}:operation 3: overlap: this buffer lies in one that is live on the same device, \
         device 0, buffer 104448, memory L1, see operation 3, in ttnn.matmul\n"
    );
    assert!(text.contains(&line), "{text}");
    assert!(text.contains(&format!("{file}: report-db, 4 operations, ")), "{text}");
    let json: serde_json::Value =
        serde_json::from_slice(&freeorder(&["audit", file, "--format", "json"]).stdout).unwrap();
    assert_eq!(
        (&json["kind"], &json["violations"][0]["at"]),
        (&"report-db".into(), &"operation".into())
    );
    assert_eq!(json["violations"][0]["place"], 3);
    let sarif = stdout(&freeorder(&["audit", file, "--format", "sarif"]));
    assert!(sarif.contains("\"operation 3\""), "{sarif}");

    let cut = folder("reports").join("cut.sqlite");
    let bytes = fs::read(file).unwrap();
    fs::write(&cut, &bytes[..bytes.len() - 512]).unwrap();
    let output = freeorder(&["audit", cut.to_str().unwrap()]);
    assert_eq!((code(&output), stdout(&output).as_str()), (2, ""));
    assert!(stderr(&output).contains("it is cut: 2560 bytes of 3072"), "{}", stderr(&output));

    let clean = cut.with_file_name("clean.sqlite");
    fs::write(&clean, report(2, "(1, 0, 1024, 64, 0, 0)")).unwrap();
    let output = freeorder(&["audit", clean.to_str().unwrap()]);
    assert_eq!(code(&output), 0, "{}", stdout(&output));
    assert!(stdout(&output).contains("balanced, nothing found"), "{}", stdout(&output));
}
