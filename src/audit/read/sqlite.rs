//! A report of ttnn-visualizer: a SQLite database that says what is live after each operation.
//!
//! What one snapshot has and the one before has not is an ALLOC, the opposite a FREE; within an
//! operation those that go come first, as the memory of one may be another's.

use std::cmp::Ordering;
use std::collections::BTreeMap;
use std::io::Read;

use rusqlite::types::ValueRef;
use rusqlite::{Connection, Row};

use super::super::event::{Action, Device, Event, Memory, PathId, Place, Registered, Released};
use super::super::paths::Paths;
use super::graph::Capture;
use super::{ReadError, SQLITE};
use crate::suggest;
use crate::units::{Bytes, DeviceAddr};
use crate::wire;

/// SQLite takes no more memory for one thing.
const BYTES_MAX: u64 = 2_147_483_391;

/// The columns of `buffers` that are read.
const BUFFERS: [&str; 5] =
    ["operation_id", "device_id", "address", "max_size_per_bank", "buffer_type"];

/// A buffer of a snapshot.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
struct Buffer {
    device: Device,
    memory: Memory,
    address: DeviceAddr,
    per_bank: Bytes,
}

/// An operation.
struct Operation {
    path: Option<PathId>,
    has_ended: bool,
}

/// Reads a report.
///
/// # Errors
/// If it is no database, a damaged one, or no report of one host.
pub fn read(source: Box<dyn Read>) -> Result<Capture, ReadError> {
    let mut bytes = Vec::new();
    source.take(BYTES_MAX + 1).read_to_end(&mut bytes)?;
    header(&bytes)?;
    let connection = open(&bytes)?;
    drop(bytes);
    let mut report = Report::default();
    report.operations(&connection)?;
    report.buffers(&connection)?;
    Ok(report.capture)
}

/// What the first page says: that the file is whole, and that nothing lies beside it.
fn header(bytes: &[u8]) -> Result<(), ReadError> {
    let Some(head) = bytes.first_chunk::<100>().filter(|head| head.starts_with(SQLITE)) else {
        return Err(wrong("it does not begin as a SQLite database does"));
    };
    let length = bytes.len() as u64;
    if length > BYTES_MAX {
        return Err(wrong(format!("it has more than {BYTES_MAX} bytes, which are not read")));
    }
    let page = match u16::from_be_bytes([head[16], head[17]]) {
        1 => 1 << 16,
        page => u64::from(page),
    };
    let pages = u64::from(u32::from_be_bytes([head[28], head[29], head[30], head[31]]));
    // A writer before SQLite 3.7 leaves the number of pages as it was.
    let is_stated = head[24..28] == head[92..96];
    if is_stated && pages * page > length {
        let said = pages * page;
        return Err(wrong(format!("it is cut: {length} bytes of {said}")));
    }
    if head[18..20].contains(&2) {
        return Err(wrong(
            "its newest rows may be in a -wal file beside it; \
             `sqlite3 FILE 'PRAGMA journal_mode = DELETE'` brings them in",
        ));
    }
    Ok(())
}

fn open(bytes: &[u8]) -> Result<Connection, ReadError> {
    let mut connection = Connection::open_in_memory()?;
    connection.deserialize_read_exact("main", bytes, bytes.len(), true)?;
    connection.execute_batch("PRAGMA trusted_schema = OFF; PRAGMA cell_size_check = ON;")?;
    let check = |row: &Row<'_>| row.get::<_, String>(0);
    let said = connection.query_row("PRAGMA quick_check(1)", [], check)?;
    if said == "ok" { Ok(connection) } else { Err(wrong(said)) }
}

/// The columns of a table, which is no view.
fn columns(connection: &Connection, table: &str) -> Result<Vec<String>, ReadError> {
    let count = "SELECT count(*) FROM sqlite_schema WHERE type = 'table' AND name = ?1";
    let tables: i64 = connection.query_row(count, [table], |row| row.get(0))?;
    if tables == 0 {
        return Err(wrong(format!("it has no table `{table}`")));
    }
    // rusqlite's own list of them panics where a name is no UTF-8.
    let mut statement = connection.prepare("SELECT name FROM pragma_table_info(?1)")?;
    let mut rows = statement.query([table])?;
    let mut columns = Vec::new();
    while let Some(row) = rows.next()? {
        if let ValueRef::Text(name) = row.get_ref(0)? {
            columns.push(String::from_utf8_lossy(name).into_owned());
        }
    }
    if columns.iter().any(|column| column == "rank") {
        let count = format!("SELECT count(DISTINCT rank) FROM {table}");
        let ranks: i64 = connection.query_row(&count, [], |row| row.get(0))?;
        if ranks > 1 {
            return Err(wrong(format!(
                "it is of {ranks} hosts (column `rank` of `{table}`), whose ids start anew; \
                 make one of each, without the rows of the others"
            )));
        }
    }
    Ok(columns)
}

#[derive(Default)]
struct Report {
    capture: Capture,
    operations: BTreeMap<u64, Operation>,
    live: Vec<Buffer>,
}

impl Report {
    fn operations(&mut self, connection: &Connection) -> Result<(), ReadError> {
        let table = "operations";
        let columns = columns(connection, table)?;
        let has = |name: &str| columns.iter().any(|column| column == name);
        if !has("operation_id") {
            return Err(no_column(table, "operation_id"));
        }
        let or_not = |name| if has(name) { name } else { "0" };
        let (name, duration) = (or_not("name"), or_not("duration"));
        let query = format!("SELECT operation_id, {name}, {duration} FROM {table}");
        let mut statement = connection.prepare(&query)?;
        let mut rows = statement.query([])?;
        while let Some(row) = rows.next()? {
            let id = number(row, (0, "operation_id"), table, i64::MAX as u64)?;
            let path = match row.get_ref(1)? {
                ValueRef::Text(name) => Some(path(&mut self.capture.paths, name)),
                _ => None,
            };
            let has_ended = row.get_ref(2)? != ValueRef::Null;
            self.operations.insert(id, Operation { path, has_ended });
        }
        self.capture.nodes = self.operations.len() as u64;
        Ok(())
    }

    fn buffers(&mut self, connection: &Connection) -> Result<(), ReadError> {
        let table = "buffers";
        let columns = columns(connection, table)?;
        let missing = BUFFERS.iter().find(|&&name| !columns.iter().any(|column| column == name));
        if let Some(name) = missing {
            return Err(no_column(table, name));
        }
        let query = format!("SELECT {} FROM {table} ORDER BY operation_id", BUFFERS.join(", "));
        let mut statement = connection.prepare(&query)?;
        let mut rows = statement.query([])?;
        let mut snapshot: Option<(u64, Vec<Buffer>)> = None;
        while let Some(row) = rows.next()? {
            let (id, buffer) = buffer(row, table)?;
            let (of, buffers) = snapshot.get_or_insert_with(|| (id, Vec::new()));
            if *of != id {
                let taken = std::mem::take(buffers);
                self.snapshot(*of, taken);
                *of = id;
            }
            // Without an address it was never given to an allocator.
            buffers.extend(Some(buffer).filter(|buffer| buffer.address != DeviceAddr(0)));
        }
        if let Some((of, buffers)) = snapshot {
            self.snapshot(of, buffers);
        }
        self.until(u64::MAX);
        Ok(())
    }

    /// Operations before this one after which nothing was live.
    fn until(&mut self, id: u64) {
        while let Some(first) = self.operations.first_entry().filter(|first| *first.key() < id) {
            let (id, operation) = first.remove_entry();
            // ASSUMED: ttnn writes the row before the call and the duration after it, with the
            // snapshot; a call that never ended has none.
            if operation.has_ended {
                self.changed(id, operation.path, Vec::new());
            }
        }
    }

    /// An operation and what was live after it.
    fn snapshot(&mut self, id: u64, now: Vec<Buffer>) {
        self.until(id);
        let path = self.operations.remove(&id).and_then(|operation| operation.path);
        self.changed(id, path, now);
    }

    fn changed(&mut self, id: u64, path: Option<PathId>, mut now: Vec<Buffer>) {
        now.sort_unstable();
        let mut came = Vec::new();
        let (mut old, mut new) = (self.live.iter().peekable(), now.iter().peekable());
        let event = |buffer: &Buffer, action| Event {
            device: buffer.device,
            memory: Some(buffer.memory),
            address: buffer.address,
            per_bank: Some(buffer.per_bank),
            path,
            ..Event::new(Place(id), action)
        };
        let order = |old: Option<&&Buffer>, new: Option<&&Buffer>| match (old, new) {
            (None, None) => None,
            (Some(_), None) => Some(Ordering::Less),
            (None, Some(_)) => Some(Ordering::Greater),
            (Some(old), Some(new)) => Some(old.cmp(new)),
        };
        while let Some(order) = order(old.peek(), new.peek()) {
            let gone = if order == Ordering::Greater { None } else { old.next() };
            let here = if order == Ordering::Less { None } else { new.next() };
            match (gone, here) {
                (Some(gone), None) => {
                    self.capture.events.push(event(gone, Action::Free(Released::Plain)));
                }
                (None, Some(here)) => came.push(event(here, Action::Alloc(Registered::Plain))),
                _ => {}
            }
        }
        self.capture.events.append(&mut came);
        self.live = now;
    }
}

fn path(paths: &mut Paths, name: &[u8]) -> PathId {
    paths.id(&String::from_utf8_lossy(name))
}

fn buffer(row: &Row<'_>, table: &str) -> Result<(u64, Buffer), ReadError> {
    let number = |column: usize, max| number(row, (column, BUFFERS[column]), table, max);
    let code = number(4, Memory::ALL.len() as u64 - 1)?;
    let device = number(1, i32::MAX as u64)?;
    let buffer = Buffer {
        device: Device(device as i32),
        memory: Memory::from_code(code).unwrap_or_default(),
        address: DeviceAddr(number(2, i64::MAX as u64)?),
        per_bank: Bytes(number(3, wire::SIZE_MAX.0)?),
    };
    Ok((number(0, i64::MAX as u64)?, buffer))
}

/// A number of a row, from 0 to a largest one.
fn number(
    row: &Row<'_>,
    (at, column): (usize, &str),
    table: &str,
    max: u64,
) -> Result<u64, ReadError> {
    let is = match row.get_ref(at)? {
        ValueRef::Integer(value) => match u64::try_from(value).ok().filter(|&value| value <= max) {
            Some(value) => return Ok(value),
            None => format!("{value}, and not from 0 to {max}"),
        },
        ValueRef::Real(value) => format!("{value:e}, which is no integer"),
        ValueRef::Null => "NULL".to_owned(),
        ValueRef::Text(_) => "a text".to_owned(),
        ValueRef::Blob(_) => "a blob".to_owned(),
    };
    Err(wrong(format!("a `{column}` of `{table}` is {is}")))
}

fn no_column(table: &str, column: &str) -> ReadError {
    wrong(format!("its table `{table}` has no column `{column}`"))
}

fn wrong(what: impl AsRef<str>) -> ReadError {
    ReadError::ReportDb(suggest::shown(what.as_ref()))
}

impl From<rusqlite::Error> for ReadError {
    fn from(error: rusqlite::Error) -> Self {
        wrong(error.to_string())
    }
}
