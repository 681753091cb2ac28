//! `freeorder conform --runtime DIR FILE...`: scenarios, each against the real runtime.

use std::path::{Path, PathBuf};

use schemars::JsonSchema;
use serde::Serialize;

use super::Args;
use super::runtime::waits;
use crate::cli::output::{self, Failure, Outcome};
use crate::cli::{Format, interrupt};
use crate::realrt::{Check, Deviation, Installation, Known, Process, Ran, run, script};
use crate::scenario::Case;

/// What a scenario came to.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, JsonSchema)]
pub struct ReplayRow {
    /// The file.
    pub file: String,
    /// The machine that it is for.
    pub machine: String,
    /// Calls of the runtime, up to the divergence if there is one.
    pub calls: usize,
    /// The operation that shows the divergence; none if there is no divergence or the end shows it.
    pub operation: Option<String>,
    /// The class of the divergence.
    pub class: Option<String>,
    /// Its facts.
    pub detail: Option<String>,
    /// The id that it is known by.
    pub known: Option<String>,
}

/// The result of `conform --runtime FILE...`.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, JsonSchema)]
pub struct ReplayTable {
    /// The version of this form.
    pub version: u32,
    /// The version of the wheel.
    pub ttnn: String,
    /// One row a file.
    pub rows: Vec<ReplayRow>,
}

/// Runs each file in a process of its own.
pub fn main(
    args: &Args,
    files: &[PathBuf],
    (installation, check, ttnn): (&Installation, &Check, &str),
) -> Result<Outcome, Failure> {
    let mut rows = Vec::new();
    for path in files {
        if interrupt::was_asked() {
            break;
        }
        let row = one(path, installation, check)?;
        if args.format == Format::Text {
            output::print(&text(&row))?;
        }
        rows.push(row);
    }
    let is_new = |row: &ReplayRow| row.class.is_some() && row.known.is_none();
    let found = rows.iter().any(is_new);
    if args.format == Format::Json {
        output::print_json(&ReplayTable { version: 1, ttnn: ttnn.to_owned(), rows })?;
    }
    Ok(match (interrupt::was_asked(), found) {
        (true, _) => Outcome::Interrupted,
        (false, true) => Outcome::Found,
        (false, false) => Outcome::Clean,
    })
}

fn one(path: &Path, installation: &Installation, check: &Check) -> Result<ReplayRow, Failure> {
    let case = Case::of(&output::read_scenario(path)?);
    let machine = case.start().machine;
    let (file, machine_name) = (path.display().to_string(), machine.to_string());
    let row = ReplayRow {
        file,
        machine: machine_name,
        calls: 0,
        operation: None,
        class: None,
        detail: None,
        known: None,
    };
    let mut process = Process::new(installation, machine, 0).waiting(waits);
    match run(&mut process, &case, check) {
        Ran::Agreed(calls) => Ok(ReplayRow { calls, ..row }),
        Ran::Foreign => {
            let file = row.file;
            Err(Failure::input(format!("{file}: it has an operation that no call of ttnn is")))
        }
        Ran::Deviated(deviation) => {
            let known = Known::of(&case, &deviation).map(|known| known.id.to_owned());
            let (_, calls) = script(&up_to(&case, deviation.step), &deviation, "");
            let shows = case.ops.get(deviation.step.saturating_sub(1));
            let operation = shows.map(|(_, op)| op.to_string());
            let Deviation { class, detail, .. } = deviation;
            let (class, detail) = (Some(class), Some(detail));
            Ok(ReplayRow { calls, operation, class, detail, known, ..row })
        }
    }
}

/// The case without what comes after a step.
fn up_to(case: &Case, step: usize) -> Case {
    let mut case = case.clone();
    case.ops.truncate(step);
    case
}

fn text(row: &ReplayRow) -> String {
    let ReplayRow { file, machine, calls, operation, class, detail, known } = row;
    let (Some(class), Some(detail)) = (class, detail) else {
        return format!("{file}: {machine}, {calls} calls agreed\n");
    };
    let at = match operation {
        Some(operation) => format!("call {calls}, `{operation}`"),
        None => "the end".to_owned(),
    };
    let id = known.as_deref().unwrap_or("without an id");
    format!("{file}: {machine}, {at}: {id}\n  {class}\n    {detail}\n")
}
