//! `freeorder defects`: real bugs of the past, how short their reproducers are, and how soon a
//! search finds them.

mod hunts;

use std::fmt::Write as _;
use std::path::Path;

use rayon::prelude::*;
use schemars::JsonSchema;
use serde::Serialize;

use super::Format;
use super::output::{self, Failure, Outcome};
use super::save;
use super::spinner::Spinner;
use crate::search::catalogue::{self, Entry, Optimum};
use crate::search::enumerate::Limits;
use crate::search::prove::{Proof, prove};

pub use hunts::HuntTable;

#[derive(Debug, clap::Args)]
pub struct Args {
    /// Only these, by name
    #[arg(value_name = "NAME")]
    names: Vec<String>,
    /// Try every shorter sequence of operations again, to prove that the reproducers are shortest
    #[arg(long)]
    prove: bool,
    /// Write what was proved into the files of corpus/defects
    #[arg(long, requires = "prove")]
    update: bool,
    /// Search for each bug in generated cases, minimize what is found, and say how soon it was
    #[arg(long, conflicts_with = "prove")]
    bench: bool,
    /// How many streams of cases are searched for each bug
    #[arg(long, value_name = "N", requires = "bench", default_value_t = 20,
          value_parser = clap::value_parser!(u64).range(1..=10_000))]
    seeds: u64,
    /// After how many operations a bug counts as not found
    #[arg(long, value_name = "N", requires = "bench", default_value_t = 1_000_000)]
    operations: u64,
    /// Threads; by default one a core
    #[arg(long, value_name = "N", value_parser = clap::value_parser!(u16).range(1..=1024))]
    jobs: Option<u16>,
    /// How the result is printed
    #[arg(long, value_enum, default_value_t)]
    format: Format,
}

/// One bug of the catalogue.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, JsonSchema)]
pub struct DefectRow {
    /// The name of its file in corpus/defects.
    pub name: String,
    /// The rows of table F of tt-metal.md that it stands for.
    pub rows: Vec<u8>,
    /// What went wrong.
    pub what: String,
    /// The switches that make the difference.
    pub switches: Vec<String>,
    /// With the bug.
    pub fixes: String,
    /// Without it.
    pub reference: String,
    /// Under which server.
    pub server: String,
    /// Who sees it.
    pub oracle: String,
    /// The profile that the bench draws from.
    pub profile: String,
    /// Operations of the shortest reproducer; absent if this is no bug, and must not be seen.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub optimum: Option<usize>,
    /// How many shorter sequences were tried.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub sequences: Option<u64>,
    /// The issues and pull requests that tell of it.
    pub sources: Vec<String>,
}

/// The catalogue.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, JsonSchema)]
pub struct DefectTable {
    /// The version of this form.
    pub version: u32,
    /// One row a bug, in the order of their names.
    pub rows: Vec<DefectRow>,
}

/// What trying every shorter sequence came to.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, JsonSchema)]
pub struct ProofRow {
    /// The bug.
    pub name: String,
    /// Operations of its reproducer.
    pub optimum: usize,
    /// The operations of the alphabet.
    pub letters: usize,
    /// How many shorter sequences there are.
    pub sequences: u64,
    /// How many states they lead to; with threads, how many courses they were run in.
    pub states: u64,
    /// A shorter sequence that fails, as a scenario.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub shorter: Option<String>,
    /// Whether the file says the same.
    pub stated: bool,
}

/// What was proved.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, JsonSchema)]
pub struct ProofTable {
    /// The version of this form.
    pub version: u32,
    /// One row a bug.
    pub rows: Vec<ProofRow>,
}

pub fn main(args: &Args) -> Result<Outcome, Failure> {
    let entries = chosen(&args.names)?;
    let jobs = usize::from(args.jobs.unwrap_or(0));
    let pool = rayon::ThreadPoolBuilder::new().num_threads(jobs).build();
    let pool = pool.map_err(|error| Failure::input(format!("--jobs {jobs}: {error}")))?;
    if args.prove {
        return pool.install(|| print_proofs(&entries, args));
    }
    if args.bench {
        let limits = (args.seeds, args.operations);
        return pool.install(|| hunts::print_hunts(&entries, limits, args.format));
    }
    let rows: Vec<DefectRow> = entries.iter().map(row).collect();
    match args.format {
        Format::Json => output::print_json(&DefectTable { version: 1, rows })?,
        Format::Text => output::print(&table(&rows))?,
    }
    Ok(Outcome::Clean)
}

fn chosen(names: &[String]) -> Result<Vec<Entry>, Failure> {
    let all = catalogue::entries().map_err(|error| Failure::input(error.to_string()))?;
    let hint = |name: &str| crate::suggest::hint(name, all.iter().map(|entry| entry.name));
    if let Some(wrong) = names.iter().find(|name| !all.iter().any(|entry| entry.name == **name)) {
        return Err(Failure::input(format!("unknown defect `{wrong}`; {}", hint(wrong))));
    }
    let wanted = |entry: &Entry| names.is_empty() || names.iter().any(|name| name == entry.name);
    Ok(all.into_iter().filter(wanted).collect())
}

fn row(entry: &Entry) -> DefectRow {
    DefectRow {
        name: entry.name.to_owned(),
        rows: entry.rows.clone(),
        what: entry.what.clone(),
        switches: entry.switches(),
        fixes: entry.fixes.to_string(),
        reference: entry.reference.to_string(),
        server: entry.server.to_string(),
        oracle: entry.oracle.to_string(),
        profile: entry.profile.to_string(),
        optimum: entry.optimum.map(|optimum| optimum.length),
        sequences: entry.optimum.map(|optimum| optimum.sequences),
        sources: entry.sources.iter().map(|&source| source.to_owned()).collect(),
    }
}

fn table(rows: &[DefectRow]) -> String {
    let mut out = String::new();
    for row in rows {
        let numbers: Vec<String> = row.rows.iter().map(u8::to_string).collect();
        let _ = writeln!(out, "{} (row {})", row.name, numbers.join(", "));
        let _ = writeln!(out, "    {}", row.what);
        let not = if row.optimum.is_some() { "" } else { "not " };
        let switches = row.switches.join(" ");
        let under = format!("under {} and {}", row.reference, row.server);
        let _ = writeln!(out, "    {not}seen by {} with {switches}, {under}", row.oracle);
        let _ = write!(out, "    corpus/defects/{}.scenario", row.name);
        if let (Some(optimum), Some(sequences)) = (row.optimum, row.sequences) {
            let _ = write!(out, ": {optimum} operations; {sequences} shorter sequences tried");
        }
        out.push('\n');
        row.sources.iter().for_each(|source| _ = writeln!(out, "    {source}"));
    }
    let mut numbers: Vec<u8> = rows.iter().flat_map(|row| row.rows.iter().copied()).collect();
    numbers.sort_unstable();
    numbers.dedup();
    let _ = writeln!(out, "{} bugs, {} rows", rows.len(), numbers.len());
    out
}

/// More states than any reproducer of the catalogue asks for; each takes some hundred bytes.
const STATES_MAX: u64 = 20_000_000;

fn print_proofs(entries: &[Entry], args: &Args) -> Result<Outcome, Failure> {
    let limits = Limits::states(STATES_MAX);
    let bugs: Vec<(&Entry, Optimum)> =
        entries.iter().filter_map(|entry| entry.optimum.map(|optimum| (entry, optimum))).collect();
    let spinner = Spinner::start("enumerating shorter sequences");
    let proofs: Vec<Proof> =
        bugs.par_iter().map(|&(entry, optimum)| prove(entry, optimum, limits)).collect();
    drop(spinner);
    let mut rows = Vec::new();
    for (&(entry, optimum), proof) in bugs.iter().zip(&proofs) {
        if proof.limited {
            return Err(Failure::input(format!("{}: more than {STATES_MAX} states", entry.name)));
        }
        if args.update {
            update(entry, optimum, proof)?;
        }
        rows.push(proof_row(entry, optimum, proof, args.update));
    }
    let failed = rows.iter().any(|row| row.shorter.is_some() || !row.stated);
    match args.format {
        Format::Json => output::print_json(&ProofTable { version: 1, rows })?,
        Format::Text => output::print(&proof_table(&rows))?,
    }
    Ok(if failed { Outcome::Found } else { Outcome::Clean })
}

fn proof_row(entry: &Entry, optimum: Optimum, proof: &Proof, updated: bool) -> ProofRow {
    ProofRow {
        name: entry.name.to_owned(),
        optimum: optimum.length,
        letters: proof.letters,
        sequences: proof.sequences,
        states: proof.states,
        shorter: proof.shorter.as_ref().map(|case| case.scenario().to_string()),
        stated: updated || optimum.sequences == proof.sequences,
    }
}

fn proof_table(rows: &[ProofRow]) -> String {
    let mut out = String::new();
    for row in rows {
        let _ = writeln!(
            out,
            "{}: {} operations; {} shorter sequences over {} operations, {} states",
            row.name, row.optimum, row.sequences, row.letters, row.states
        );
        if let Some(shorter) = &row.shorter {
            let _ = writeln!(out, "a shorter one fails:\n{shorter}");
        } else if !row.stated {
            let _ = writeln!(out, "    the file states another number of sequences");
        }
    }
    out
}

/// Writes the number of sequences into the entry's file.
fn update(entry: &Entry, optimum: Optimum, proof: &Proof) -> Result<(), Failure> {
    let path = Path::new("corpus/defects").join(format!("{}.scenario", entry.name));
    let failure = |error| Failure::input(format!("{}: {error}", path.display()));
    let text = std::fs::read_to_string(&path).map_err(failure)?;
    let stated = Optimum { sequences: proof.sequences, ..optimum };
    let text = text.replace(&optimum.line(), &stated.line());
    save::write_file(&path, text)
}
