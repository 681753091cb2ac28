//! The speed of the audit.

use std::time::Instant;

use super::{Args, AuditRow, Row};
use crate::audit::{Auditor, Kind as InputKind, Options, ReadError, Reader, Workload};
use crate::cli::output::Failure;

/// Audits an input of a kind, of the size that was asked for.
pub fn audit(kind: InputKind, args: &Args) -> Result<Row, Failure> {
    let failed = |error: ReadError| Failure::input(error.to_string());
    let workload = Workload::new(kind, args.live, args.mib << 20);
    let bytes = workload.length();
    let options = Options { kind: Some(kind), record: None };
    let start = Instant::now();
    let mut reader = Reader::new(Box::new(workload), options).map_err(failed)?;
    let (mut auditor, mut events) = (Auditor::new(kind, 1), Vec::new());
    while reader.read(&mut events).map_err(failed)? {
        auditor.events_in(&events);
        events.clear();
    }
    auditor.finish();
    let nanoseconds = start.elapsed().as_nanos() as f64;
    if auditor.findings().failing() > 0 {
        return Err(Failure::input("the workload of the audit is not clean"));
    }
    Ok(Row::Audit(AuditRow {
        name: format!("audit of a {kind}"),
        live_keys: args.live,
        bytes,
        events: auditor.events(),
        mb_per_s: bytes as f64 * 1e3 / nanoseconds,
        ns_per_event: nanoseconds / auditor.events() as f64,
    }))
}
