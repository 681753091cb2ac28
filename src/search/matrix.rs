//! Every preset under every server, over the scenarios of the corpus.

use std::hash::{Hash, Hasher};

use rayon::prelude::*;
use schemars::JsonSchema;
use serde::Serialize;

use crate::event::{Event, Observer, Tick};
use crate::fix::{FixSet, Preset};
use crate::journal::Mixer;
use crate::scenario::{Class, Report, Scenario, run};
use crate::server::ServerKind;
use crate::violation::OracleName;

/// A scenario with its name.
#[derive(Clone, Debug)]
pub struct Named {
    /// The name that rows print.
    pub name: String,
    /// The scenario.
    pub scenario: Scenario,
}

/// How often an oracle fired.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, JsonSchema)]
pub struct OracleCount {
    /// The oracle.
    pub oracle: String,
    /// Its count: once for each violation and device.
    pub count: u64,
}

/// One preset, one server, one scenario.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, JsonSchema)]
pub struct Row {
    /// The preset.
    pub fixes: String,
    /// The server.
    pub server: String,
    /// The scenario.
    pub scenario: String,
    /// ALLOC messages sent, one a device.
    pub alloc: u64,
    /// FREE messages sent, one a device.
    pub free: u64,
    /// FREE messages that hit no entry, printed or not.
    pub unknown_free: u64,
    /// Entries of the server at quiescence; null where it has no keys.
    pub leftover_keys: Option<u64>,
    /// The server's own counters at quiescence, all devices together.
    pub leftover_bytes: u64,
    /// What the oracles found, notes left out.
    pub violations: Vec<OracleCount>,
    /// Whether the event stream, swallowed calls left out, is that of the preset this one starts
    /// from; null for a preset that starts from a baseline of its own.
    pub changes_nothing: Option<bool>,
}

/// The whole table.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, JsonSchema)]
pub struct Matrix {
    /// The version of this form.
    pub version: u32,
    /// One row for each preset, server and scenario.
    pub rows: Vec<Row>,
}

/// Hashes the event stream, swallowed calls left out, without printing it.
#[derive(Clone, Copy, Debug, Default)]
struct StreamHash(Mixer);

impl Observer for StreamHash {
    fn observe(&mut self, tick: Tick, event: &Event<'_>) {
        if !matches!(event, Event::Swallowed { .. }) {
            self.0.write_u64(tick.0);
            event.hash(&mut self.0);
        }
    }
}

/// What one run of the table answered.
struct Cell {
    report: Report,
    stream: u64,
}

/// Runs every scenario under every preset and server.
#[must_use]
pub fn matrix(scenarios: &[Named]) -> Matrix {
    let servers = ServerKind::ALL;
    let places: Vec<(ServerKind, usize)> = servers
        .into_iter()
        .flat_map(|server| (0..scenarios.len()).map(move |index| (server, index)))
        .collect();
    let columns: Vec<Vec<Row>> =
        places.par_iter().map(|&(server, index)| column(&scenarios[index], server)).collect();
    let mut rows = Vec::with_capacity(columns.len() * Preset::ALL.len());
    for preset in 0..Preset::ALL.len() {
        rows.extend(columns.iter().map(|column| column[preset].clone()));
    }
    Matrix { version: 1, rows }
}

/// One scenario under one server, with every preset.
fn column(named: &Named, server: ServerKind) -> Vec<Row> {
    let cells: Vec<Cell> = Preset::ALL
        .into_iter()
        .map(|preset| {
            let mut stream = StreamHash::default();
            let report = run(&named.scenario, preset.fixes(), server, 0, &mut stream);
            Cell { report, stream: stream.0.finish() }
        })
        .collect();
    let stream = |preset: Preset| cells[preset as usize].stream;
    Preset::ALL
        .into_iter()
        .map(|preset| {
            let report = &cells[preset as usize].report;
            let changes_nothing = preset.parent().map(|parent| stream(parent) == stream(preset));
            Row { changes_nothing, ..row(named, preset.name().to_owned(), server, report) }
        })
        .collect()
}

fn row(named: &Named, fixes: String, server: ServerKind, report: &Report) -> Row {
    let violations = report
        .failing()
        .map(|(oracle, count)| OracleCount { oracle: oracle.name().to_owned(), count });
    Row {
        fixes,
        server: server.name().to_owned(),
        scenario: named.name.clone(),
        alloc: report.totals.alloc,
        free: report.totals.free,
        unknown_free: report.totals.unknown_free,
        leftover_keys: report.leftover_keys,
        leftover_bytes: report.leftover_bytes,
        violations: violations.collect(),
        changes_nothing: None,
    }
}

/// Runs one scenario under one set and server, as a row of the table.
#[must_use]
pub fn single(named: &Named, fixes: FixSet, server: ServerKind) -> Row {
    let report = run(&named.scenario, fixes, server, 0, &mut ());
    row(named, fixes.to_string(), server, &report)
}

/// One preset and one server, all scenarios together.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Summary {
    /// The preset.
    pub fixes: String,
    /// The server.
    pub server: String,
    /// ALLOC messages of all scenarios.
    pub alloc: u64,
    /// FREE messages of all scenarios.
    pub free: u64,
    /// FREE messages that hit no entry.
    pub unknown_free: u64,
    /// Entries left; none where the server has no keys.
    pub leftover_keys: Option<u64>,
    /// Scenarios of class lifecycle in which an oracle failed, of how many.
    pub failed: (usize, usize),
    /// The oracles that fail in those, most often first, with the number of scenarios.
    pub oracles: Vec<(String, usize)>,
    /// Lifecycle scenarios with a FREE that hit no entry: what users see as a warning.
    pub warns: usize,
    /// Lifecycle scenarios that leave entries or bytes of no live owner in the server.
    pub residue: usize,
    /// Lifecycle scenarios that leak device memory.
    pub leaks: usize,
    /// Whether the preset changes nothing in any scenario.
    pub changes_nothing: Option<bool>,
    /// The smallest of those scenarios.
    pub smallest: Option<String>,
}

impl Matrix {
    /// The table with the scenarios of each preset and server added up; `scenarios` are those it
    /// was made of.
    #[must_use]
    pub fn summaries(&self, scenarios: &[Named]) -> Vec<Summary> {
        let mut summaries: Vec<Summary> = Vec::new();
        for chunk in self.rows.chunk_by(|a, b| a.fixes == b.fixes && a.server == b.server) {
            summaries.push(summarize(chunk, scenarios));
        }
        summaries
    }
}

fn summarize(rows: &[Row], scenarios: &[Named]) -> Summary {
    let named = |row: &Row| scenarios.iter().find(|named| named.name == row.scenario);
    let lifecycle: Vec<&Row> = rows
        .iter()
        .filter(|row| named(row).is_none_or(|one| one.scenario.class() == Class::Lifecycle))
        .collect();
    let size = |row: &Row| named(row).map_or(0, |named| named.scenario.ops().count());
    let failing: Vec<&&Row> = lifecycle.iter().filter(|row| !row.violations.is_empty()).collect();
    let mut oracles: Vec<(String, usize)> = Vec::new();
    for violation in failing.iter().flat_map(|row| &row.violations) {
        match oracles.iter_mut().find(|(oracle, _)| *oracle == violation.oracle) {
            Some((_, count)) => *count += 1,
            None => oracles.push((violation.oracle.clone(), 1)),
        }
    }
    oracles.sort_by(|a, b| b.1.cmp(&a.1).then_with(|| a.0.cmp(&b.0)));
    let fired = |oracle: OracleName| {
        let counted = oracles.iter().find(|(name, _)| name == oracle.name());
        counted.map_or(0, |&(_, scenarios)| scenarios)
    };
    let smallest = failing.iter().min_by_key(|row| (size(row), &row.scenario));
    Summary {
        fixes: rows[0].fixes.clone(),
        server: rows[0].server.clone(),
        alloc: rows.iter().map(|row| row.alloc).sum(),
        free: rows.iter().map(|row| row.free).sum(),
        unknown_free: rows.iter().map(|row| row.unknown_free).sum(),
        leftover_keys: rows.iter().map(|row| row.leftover_keys).sum(),
        warns: fired(OracleName::UnknownFree),
        residue: fired(OracleName::Residue),
        leaks: fired(OracleName::DeviceLeak),
        failed: (failing.len(), lifecycle.len()),
        changes_nothing: rows[0]
            .changes_nothing
            .map(|_| rows.iter().all(|row| row.changes_nothing == Some(true))),
        smallest: smallest.map(|row| row.scenario.clone()),
        oracles,
    }
}
