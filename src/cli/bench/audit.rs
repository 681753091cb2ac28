//! The speed of the audit.

use std::fmt;
use std::fs::File;
use std::io::{self, Read, Seek};
use std::process::{Command, Stdio};
use std::time::Instant;

use schemars::JsonSchema;
use serde::Serialize;

use super::{Args, Row};
use crate::audit::{Auditor, Kind, Lifetimes, Options, ReadError, Reader, Workload};
use crate::cli::input::nameless;
use crate::cli::output::Failure;

/// The figures of the audit of one kind of input.
#[derive(Clone, Debug, PartialEq, Serialize, JsonSchema)]
pub struct AuditRow {
    /// The kind, and how long its keys live.
    pub name: String,
    /// Keys that are live at once.
    pub live_keys: u64,
    /// Bytes of the input.
    pub bytes: u64,
    /// Events in it.
    pub events: u64,
    /// Millions of bytes a second.
    pub mb_per_s: f64,
    /// Nanoseconds an event.
    pub ns_per_event: f64,
    /// How often `rg -c buffer` goes through the same file in the time of the audit.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub times_rg: Option<f64>,
}

impl fmt::Display for AuditRow {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { name, live_keys, bytes, events, mb_per_s, ns_per_event, times_rg } = self;
        write!(f, "{name}, {live_keys} live keys, {bytes} bytes, {events} events: ")?;
        write!(f, "{mb_per_s:.0} MB/s, {ns_per_event:.1} ns an event")?;
        match times_rg {
            Some(times) => write!(f, ", {times:.2} x the time of `rg -c buffer`"),
            None => Ok(()),
        }
    }
}

/// Audits a log and a stream of the size that was asked for, with lifetimes of each sort.
pub fn audits(args: &Args) -> Result<Vec<Row>, Failure> {
    let kinds = [Kind::ServerLog, Kind::Wire].into_iter();
    let all = kinds.flat_map(|kind| Lifetimes::ALL.map(|lifetimes| (kind, lifetimes)));
    all.map(|(kind, lifetimes)| row(kind, lifetimes, args)).collect()
}

fn row(kind: Kind, lifetimes: Lifetimes, args: &Args) -> Result<Row, Failure> {
    let mut workload = Workload::new(kind, lifetimes, args.live, args.mib << 20);
    let bytes = workload.length();
    let (timed, rg_seconds) = if kind == Kind::ServerLog && args.rg {
        let failed = |error: io::Error| Failure::input(format!("rg: {error}"));
        let mut file = nameless().map_err(failed)?;
        io::copy(&mut workload, &mut file).map_err(failed)?;
        let rg_seconds = rg(&mut file).map_err(failed)?;
        (timed(kind, Box::new(file))?, Some(rg_seconds))
    } else {
        (timed(kind, Box::new(workload))?, None)
    };
    let Timed { seconds, events } = timed;
    Ok(Row::Audit(AuditRow {
        name: format!("audit of a {kind}, {}", lifetimes.name()),
        live_keys: args.live,
        bytes,
        events,
        mb_per_s: bytes as f64 / 1e6 / seconds,
        ns_per_event: seconds * 1e9 / events as f64,
        times_rg: rg_seconds.map(|rg_seconds| seconds / rg_seconds),
    }))
}

struct Timed {
    seconds: f64,
    events: u64,
}

fn timed(kind: Kind, source: Box<dyn Read>) -> Result<Timed, Failure> {
    let failed = |error: ReadError| Failure::input(error.to_string());
    let start = Instant::now();
    let mut reader =
        Reader::new(source, Options { kind: Some(kind), record: None }).map_err(failed)?;
    let (mut auditor, mut events) = (Auditor::new(kind, 1), Vec::new());
    while reader.read(&mut events).map_err(failed)? {
        auditor.events_in(&events);
        events.clear();
    }
    auditor.finish();
    let seconds = start.elapsed().as_secs_f64();
    if auditor.findings().failing() > 0 {
        return Err(Failure::input("the workload of the audit is not clean"));
    }
    Ok(Timed { seconds, events: auditor.events() })
}

/// The seconds that `rg -c buffer` takes for a file.
fn rg(file: &mut File) -> io::Result<f64> {
    file.rewind()?;
    let start = Instant::now();
    let mut rg = Command::new("rg");
    rg.args(["-c", "buffer", "-"]).stdin(file.try_clone()?).stderr(Stdio::inherit());
    let output = rg.output()?;
    let seconds = start.elapsed().as_secs_f64();
    file.rewind()?;
    output.status.success().then_some(seconds).ok_or_else(|| io::Error::other("it found nothing"))
}
