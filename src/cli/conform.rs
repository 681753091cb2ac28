//! `freeorder conform`: what the real allocator and runtime did, or do, through the model.

mod replay;
mod runtime;

pub use replay::ReplayTable;
pub use runtime::{RuntimeTable, StillTable};

use std::fmt::Write as _;
use std::fs::File;
use std::io::BufReader;
use std::ops::Range;
use std::path::{Path, PathBuf};
use std::time::Duration;

use schemars::JsonSchema;
use serde::Serialize;

use super::fuzz::parse_range;
use super::output::{self, Failure, Outcome};
use super::{Format, duration};
use crate::allocator::Machine;
use crate::interop::conform::{ConformError, Conformance, Mismatch, conform};
use crate::realrt::ORACLES;
use crate::search::matrix::OracleCount;

#[derive(Debug, clap::Args)]
pub struct Args {
    /// Traces of the C++ allocator (.trace) and recordings of the runtime (.jsonl); with --runtime
    /// or --python, scenarios to run against it
    #[arg(required_unless_present_any = ["runtime", "python"], value_name = "FILE")]
    files: Vec<PathBuf>,
    /// Drive the real runtime in a folder that setup-runtime made [default: freeorder-runtime]
    #[arg(long, value_name = "DIR", num_args = 0..=1)]
    runtime: Option<Option<PathBuf>>,
    /// Drive the ttnn that this interpreter imports
    #[arg(long, value_name = "P")]
    python: Option<PathBuf>,
    /// Run the programs of the seeds A to B-1 [default: 0..200]
    #[arg(long, value_name = "A..B", value_parser = parse_range, conflicts_with = "files")]
    seeds: Option<Range<u64>>,
    /// Begin no new program after this time, e.g. 60s
    #[arg(long = "for", id = "duration", value_name = "TIME", value_parser = duration::parse)]
    duration: Option<Duration>,
    /// The machines: N150, N300, T3K, Galaxy, P150, 8xP150 [default: T3K]
    #[arg(long, value_name = "MACHINE", value_delimiter = ',', value_parser = parse_machine)]
    mesh: Vec<Machine>,
    /// Processes that share the seeds [default: one a core]
    #[arg(long, value_name = "N", value_parser = clap::value_parser!(u16).range(1..=64))]
    jobs: Option<u16>,
    /// Stop minimising a finding after this time [default: 120s]
    #[arg(long, value_name = "TIME", value_parser = duration::parse)]
    minimize_for: Option<Duration>,
    /// The folder for the scenarios and scripts of findings
    #[arg(long, value_name = "DIR")]
    out: Option<PathBuf>,
    /// Check that each known divergence still happens, and run no seed
    #[arg(long, conflicts_with = "files")]
    known: bool,
    /// Listen to this oracle alone, e.g. overlap, and go on where others object
    #[arg(long, value_name = "ORACLE", value_parser = parse_oracle)]
    only: Option<String>,
    /// Treat known divergences as if they were new
    #[arg(long, hide = true)]
    forget_known: bool,
    /// Put a wrong rounding into the model, which must be found
    #[arg(long, hide = true)]
    plant: bool,
    /// How the result is printed
    #[arg(long, value_enum, default_value_t)]
    format: Format,
}

/// An answer that the model gives otherwise.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, JsonSchema)]
pub struct MismatchRow {
    /// The line of the file, from 1.
    pub line: u64,
    /// Which part of the answer.
    pub field: String,
    /// What the real thing answered.
    pub recorded: String,
    /// What the model answers.
    pub modelled: String,
    /// The line itself, cut if it is long.
    pub text: String,
}

/// One file.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, JsonSchema)]
pub struct ConformRow {
    /// The file.
    pub file: String,
    /// Operations replayed.
    pub operations: u64,
    /// Answers that differ.
    pub mismatches: u64,
    /// The first of them.
    pub first: Option<MismatchRow>,
    /// What the oracles found while the recording was replayed, notes left out.
    pub violations: Vec<OracleCount>,
}

/// The result of `conform`.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, JsonSchema)]
pub struct ConformTable {
    /// The version of this form.
    pub version: u32,
    /// One row a file.
    pub rows: Vec<ConformRow>,
}

fn parse_machine(text: &str) -> Result<Machine, String> {
    Machine::from_name(text).ok_or_else(|| {
        let hint = crate::suggest::hint(text, Machine::ALL.into_iter().map(Machine::name));
        format!("unknown machine `{text}`; {hint}")
    })
}

fn parse_oracle(text: &str) -> Result<String, String> {
    if ORACLES.contains(&text) {
        return Ok(text.to_owned());
    }
    let hint = crate::suggest::hint(text, ORACLES.into_iter());
    Err(format!("unknown oracle `{text}`; {hint}"))
}

pub fn main(args: &Args) -> Result<Outcome, Failure> {
    if args.runtime.is_some() || args.python.is_some() {
        return runtime::main(args);
    }
    let mut rows = Vec::with_capacity(args.files.len());
    for path in &args.files {
        let conformance = replay(path)?;
        let row = row(path, &conformance);
        if args.format == Format::Text {
            output::print(&text(&row, &conformance))?;
        }
        rows.push(row);
    }
    let found = rows.iter().any(|row| row.mismatches > 0 || !row.violations.is_empty());
    match args.format {
        Format::Json => output::print_json(&ConformTable { version: 1, rows })?,
        Format::Text => output::print(&total(&rows))?,
    }
    Ok(if found { Outcome::Found } else { Outcome::Clean })
}

fn replay(path: &Path) -> Result<Conformance, Failure> {
    let name = path.display().to_string();
    output::now_running(&name);
    let file = File::open(path).map_err(|error| Failure::input(format!("{name}: {error}")))?;
    conform(&name, BufReader::with_capacity(1 << 16, file)).map_err(|error| match &error {
        ConformError::Read { source, .. } => Failure::input(format!("{error}: {source}")),
        _ => Failure::input(error.to_string()),
    })
}

fn row(path: &Path, conformance: &Conformance) -> ConformRow {
    let first = conformance.first.clone();
    let failing = conformance.violations.counts().iter().filter(|(oracle, _)| !oracle.is_note());
    ConformRow {
        file: path.display().to_string(),
        operations: conformance.operations,
        mismatches: conformance.mismatches,
        first: first.map(|Mismatch { line, field, recorded, modelled, text }| MismatchRow {
            line,
            field,
            recorded,
            modelled,
            text,
        }),
        violations: failing
            .map(|&(oracle, count)| OracleCount { oracle: oracle.to_string(), count })
            .collect(),
    }
}

fn text(row: &ConformRow, conformance: &Conformance) -> String {
    let mut out = String::new();
    let ConformRow { file, operations, mismatches, first, .. } = row;
    let _ = writeln!(out, "{file}: {operations} operations, {mismatches} mismatches");
    if let Some(first) = first {
        let _ = writeln!(out, "  line {}: {}", first.line, first.text);
        let _ = writeln!(out, "    field     {}", first.field);
        let _ = writeln!(out, "    recorded  {}", first.recorded);
        let _ = writeln!(out, "    modelled  {}", first.modelled);
    }
    for violation in conformance.violations.first() {
        let _ = writeln!(out, "  tick {}: {violation}", violation.tick.0);
    }
    out
}

fn total(rows: &[ConformRow]) -> String {
    let operations: u64 = rows.iter().map(|row| row.operations).sum();
    let mismatches: u64 = rows.iter().map(|row| row.mismatches).sum();
    let violations: u64 =
        rows.iter().flat_map(|row| &row.violations).map(|violation| violation.count).sum();
    format!(
        "{} files, {operations} operations: {mismatches} mismatches, {violations} violations\n",
        rows.len()
    )
}
