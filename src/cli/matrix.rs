//! `freeorder matrix`: presets by servers, over the corpus; with `--search`, every set of fixes.

mod search;
mod searched;
mod words;

use std::fmt::Write as _;
use std::path::PathBuf;
use std::time::Duration;

use clap::ValueEnum;

use super::output::{self, Failure, Outcome};
use super::{duration, memory};
use crate::corpus;
use crate::fix::Preset;
use crate::scenario::{Item, Line};
use crate::search::explore::{Family, Sizes};
use crate::search::matrix::{Named, Summary, matrix};
use crate::server::ServerKind;
pub use searched::SearchTable;

/// How the table is printed.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, ValueEnum)]
enum TableFormat {
    /// Columns for a terminal.
    #[default]
    Text,
    /// A table for a README.
    Markdown,
    /// One row for each preset, server and scenario.
    Json,
}

#[derive(Debug, clap::Args)]
pub struct Args {
    /// How the table is printed
    #[arg(long, value_enum, default_value_t)]
    format: TableFormat,
    /// End with exit code 1 if this preset fails under any server (may be repeated)
    #[arg(long, value_name = "PRESET", value_parser = preset)]
    deny: Vec<Preset>,
    /// Decide every set of fixes instead of the presets, over the whole corpus and every family
    ///
    /// Every scenario of claims, defects, regressions, canaries and sound is asked. The reproducers
    /// of defects are programs like others: their bugs are planted by switches of their own, which
    /// no set of fixes has. What is in alphabets is no program but lists of operations.
    #[arg(long, conflicts_with = "deny")]
    search: bool,
    /// Search under this server only: k0, k1, k2, k2e or shm (may be repeated)
    #[arg(long, value_name = "SERVER", requires = "search")]
    server: Vec<ServerKind>,
    /// Threads; all processors if it is not given
    #[arg(long, value_name = "N", requires = "search")]
    jobs: Option<u16>,
    /// Explore no scenario, under no set, over more states than this
    #[arg(long, value_name = "N", requires = "search", default_value_t = 10_000_000)]
    #[arg(value_parser = clap::value_parser!(u64).range(1..))]
    max_states: u64,
    /// Nor when the states take so much memory, in each thread: 50M, 2G
    #[arg(long, value_name = "SIZE", requires = "search", default_value = "1G")]
    #[arg(value_parser = memory::parse)]
    memory: u64,
    /// Ask nothing more after this time, e.g. 60s
    #[arg(long = "for", id = "duration", value_name = "TIME", requires = "search")]
    #[arg(value_parser = duration::parse)]
    duration: Option<Duration>,
    /// Scenario files to use instead of the claims of the corpus
    #[arg(value_name = "FILE")]
    files: Vec<PathBuf>,
}

fn preset(name: &str) -> Result<Preset, String> {
    let found = Preset::ALL.into_iter().find(|preset| preset.name() == name);
    let names = || Preset::ALL.into_iter().map(Preset::name);
    found.ok_or_else(|| crate::suggest::hint(name, names()))
}

pub fn main(args: &Args) -> Result<Outcome, Failure> {
    if args.search {
        return search(args, &searched(&args.files)?);
    }
    let scenarios = scenarios(&args.files)?;
    let table = matrix(&scenarios);
    let summaries = table.summaries(&scenarios);
    match args.format {
        TableFormat::Json => output::print_json(&table)?,
        TableFormat::Text => output::print(&text(&summaries, scenarios.len()))?,
        TableFormat::Markdown => output::print(&markdown(&summaries))?,
    }
    let denied = table.rows.iter().any(|row| {
        !row.violations.is_empty() && args.deny.iter().any(|preset| preset.name() == row.fixes)
    });
    Ok(if denied { Outcome::Found } else { Outcome::Clean })
}

fn search(args: &Args, scenarios: &[Named]) -> Result<Outcome, Failure> {
    let jobs = usize::from(args.jobs.unwrap_or(0));
    let pool = rayon::ThreadPoolBuilder::new().num_threads(jobs).build();
    let pool = pool.map_err(|error| Failure::input(format!("--jobs {jobs}: {error}")))?;
    let servers = if args.server.is_empty() { &ServerKind::ALL[..] } else { &args.server };
    let limits = search::SearchLimits {
        states_max: args.max_states,
        memory_max_bytes: args.memory,
        duration: args.duration,
    };
    let (table, outcome) = pool.install(|| search::table(scenarios, servers, limits));
    match args.format {
        TableFormat::Json => output::print_json(&table)?,
        TableFormat::Text => output::print(&table.text())?,
        TableFormat::Markdown => output::print(&table.markdown())?,
    }
    Ok(outcome)
}

/// Every scenario of the corpus, and every family with one buffer on two chips; or the files.
fn searched(files: &[PathBuf]) -> Result<Vec<Named>, Failure> {
    if !files.is_empty() {
        return scenarios(files);
    }
    let mut all = Vec::new();
    for &(folder, list) in corpus::SCENARIOS {
        for file in list {
            let named = embedded(file)?;
            all.push(Named { name: format!("{folder}/{}", named.name), ..named });
        }
    }
    for family in Family::ALL {
        let sizes = Sizes { handles: 1, ..Sizes::default() };
        let mut scenario = family.scenario(sizes).map_err(Failure::input)?;
        let comment = Some(format!(" {}", family.summary()));
        scenario.lines.insert(0, Line { comment, ..Line::new(Item::Blank) });
        all.push(Named { name: format!("family {family}"), scenario });
    }
    Ok(all)
}

fn scenarios(files: &[PathBuf]) -> Result<Vec<Named>, Failure> {
    if files.is_empty() {
        return corpus::CLAIMS.iter().map(embedded).collect();
    }
    let named = files.iter().map(|path| {
        let scenario = output::read_scenario(path)?;
        Ok(Named { name: path.display().to_string(), scenario })
    });
    named.collect()
}

fn embedded(file: &corpus::File) -> Result<Named, Failure> {
    let parsed = file.scenario();
    let scenario = parsed.map_err(|error| Failure::scenario(file.name, file.text, &error))?;
    Ok(Named { name: file.name.to_owned(), scenario })
}

/// The columns of a small terminal.
const WIDTH: usize = 78;

const HEADS: [&str; 11] = [
    "fixes", "server", "ALLOC", "FREE", "unknown", "left", "warns", "keeps", "leaks", "failed",
    "changes",
];

/// The columns of one row of the printed table.
fn columns(summary: &Summary) -> [String; 11] {
    let (failed, of) = summary.failed;
    [
        summary.fixes.clone(),
        summary.server.clone(),
        summary.alloc.to_string(),
        summary.free.to_string(),
        summary.unknown_free.to_string(),
        summary.leftover_keys.map_or_else(|| "-".to_owned(), |keys| keys.to_string()),
        summary.warns.to_string(),
        summary.residue.to_string(),
        summary.leaks.to_string(),
        format!("{failed}/{of}"),
        match summary.changes_nothing {
            Some(true) => "nothing".to_owned(),
            Some(false) => "yes".to_owned(),
            None => "-".to_owned(),
        },
    ]
}

fn oracles(summary: &Summary) -> String {
    let named = summary.oracles.iter().map(|(oracle, scenarios)| format!("{oracle} {scenarios}"));
    named.collect::<Vec<_>>().join(", ")
}

/// Breaks a list at its commas, so that no line is wider than a terminal.
fn wrapped(list: &str) -> String {
    let mut out = String::new();
    let mut width = 0;
    for item in list.split_inclusive(", ") {
        if width == 0 || width + item.trim_end().len() > WIDTH {
            out.truncate(out.trim_end().len());
            out.push_str(if width == 0 { "    " } else { "\n    " });
            width = 4;
        }
        out.push_str(item);
        width += item.len();
    }
    out
}

const LEGEND: &str = "\
unknown: FREEs that hit no entry. left: entries left in the server.
warns, keeps, leaks, failed: lifecycle scenarios with an unknown FREE, with
  something of no live owner left in the server, with leaked device memory, with
  any oracle fired. Below: the smallest of them, and the oracles, each with its
  number of scenarios.
changes: \"nothing\" if all events equal those of the preset it starts from.
";

fn text(summaries: &[Summary], scenarios: usize) -> String {
    let rows: Vec<[String; 11]> = summaries.iter().map(columns).collect();
    let mut widths = HEADS.map(str::len);
    for row in &rows {
        for (width, cell) in widths.iter_mut().zip(row) {
            *width = (*width).max(cell.len());
        }
    }
    let mut out = String::new();
    let line = |out: &mut String, cells: &[String; 11]| {
        for (index, (cell, width)) in cells.iter().zip(widths).enumerate() {
            let number = (2..=9).contains(&index);
            let _ = match number {
                true => write!(out, "{cell:>width$} "),
                false => write!(out, "{cell:<width$} "),
            };
        }
        out.truncate(out.trim_end().len());
        out.push('\n');
    };
    line(&mut out, &HEADS.map(str::to_owned));
    for (index, (row, summary)) in rows.iter().zip(summaries).enumerate() {
        if index > 0 && summaries[index - 1].fixes != summary.fixes {
            out.push('\n');
        }
        line(&mut out, row);
        if let Some(smallest) = &summary.smallest {
            let _ = writeln!(out, "{}", wrapped(&format!("{smallest}: {}", oracles(summary))));
        }
    }
    let _ = write!(out, "\n{scenarios} scenarios, whose messages are added up.\n{LEGEND}");
    out
}

fn markdown(summaries: &[Summary]) -> String {
    let mut out = String::new();
    let _ = writeln!(out, "| {} | smallest failing scenario |", HEADS.join(" | "));
    let _ = writeln!(out, "|---|---|--:|--:|--:|--:|--:|--:|--:|--:|---|---|");
    for summary in summaries {
        let smallest = summary.smallest.as_deref().unwrap_or("-");
        let _ = writeln!(out, "| {} | {} |", columns(summary).join(" | "), smallest);
    }
    out
}
