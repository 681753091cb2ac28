//! `freeorder regress`: every scenario of a folder against the numbers recorded in it.

pub(super) mod files;
mod junit;
mod rewrite;

use std::fmt::Write as _;
use std::path::PathBuf;

use rayon::iter::Either;
use rayon::prelude::*;
use schemars::JsonSchema;
use serde::Serialize;

use super::Format;
use super::output::{self, Failure, InputError, Outcome};
use super::save;
use crate::corpus;
use crate::search::regress::{Checked, Difference, check};
use files::{File, Unreadable};

#[derive(Debug, clap::Args)]
pub struct Args {
    /// A folder, with everything below it, or a scenario file
    #[arg(value_name = "DIR", default_value = "corpus")]
    dir: PathBuf,
    /// Write the results as JUnit XML
    #[arg(long, value_name = "FILE")]
    junit: Option<PathBuf>,
    /// Rewrite recorded numbers that are no longer what the model says, and show the difference
    ///
    /// Claims are what documents say: nothing in corpus/claims is ever rewritten.
    #[arg(long)]
    update: bool,
    /// How the result is printed
    #[arg(long, value_enum, default_value_t)]
    format: Format,
}

/// A recorded number that the model does not bear out.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, JsonSchema)]
pub struct ChangeRow {
    /// The line, from 1.
    pub line: u32,
    /// Under which fixes.
    pub fixes: String,
    /// Under which server.
    pub server: String,
    /// Which number.
    pub measure: String,
    /// What is recorded.
    pub recorded: u64,
    /// What the model says; null where the server has no such number.
    pub got: Option<u64>,
    /// Whether the file says that the model disagrees with this number, and it agrees.
    pub disputed: bool,
}

/// One file.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, JsonSchema)]
pub struct RegressRow {
    /// The file.
    pub file: String,
    /// Numbers that `expect` lines record; 0 if the file expects nothing.
    pub numbers: usize,
    /// Numbers of documents with which the model disagrees.
    pub disputed: usize,
    /// The numbers that changed.
    pub changed: Vec<ChangeRow>,
    /// Whether the file was rewritten.
    pub updated: bool,
}

/// The result of `regress`.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, JsonSchema)]
pub struct RegressTable {
    /// The version of this form.
    pub version: u32,
    /// One row a file, by name.
    pub rows: Vec<RegressRow>,
}

/// A file with what came of it.
struct Verdict {
    file: File,
    checked: Checked,
    updated: bool,
}

pub fn main(args: &Args) -> Result<Outcome, Failure> {
    if args.update {
        rewrite::refuse_claims(&args.dir)?;
    }
    let (files, mut unreadable) = files::below(&args.dir)?;
    if let Some(path) = &args.junit {
        if corpus::is_scenario(path) {
            let path = path.display();
            return Err(Failure::input(format!("{path}: XML would be read as a scenario")));
        }
        save::can_write(path, files.iter().map(|file| file.path.as_path()))?;
    }
    let (mut verdicts, wrong) = check_all(files);
    unreadable.extend(wrong);
    if args.update && !unreadable.is_empty() {
        return Err(files::failure(unreadable));
    }
    let diffs = if args.update { rewrite::all(&mut verdicts)? } else { String::new() };
    if let Some(path) = &args.junit {
        junit::write(path, &verdicts, &unreadable)?;
    }
    if verdicts.is_empty() {
        return Err(files::failure(unreadable));
    }
    let found = verdicts.iter().any(|verdict| verdict.remaining().next().is_some());
    let annotations = annotations(&verdicts);
    match args.format {
        Format::Text => output::print(&(text(&verdicts) + &annotations + &diffs))?,
        Format::Json => {
            // Standard output holds the JSON and nothing else; GitHub reads both streams.
            let notes = annotations + &diffs;
            if !notes.is_empty() {
                output::say(notes.trim_end());
            }
            let rows = verdicts.iter().map(row).collect();
            output::print_json(&RegressTable { version: 1, rows })?;
        }
    }
    match unreadable.is_empty() {
        false => Err(files::failure(unreadable)),
        true if found => Ok(Outcome::Found),
        true => Ok(Outcome::Clean),
    }
}

/// Runs every file; the verdicts, and the files that expect what there is not.
fn check_all(files: Vec<File>) -> (Vec<Verdict>, Vec<Unreadable>) {
    let checked = files.into_par_iter().map(|file| {
        output::now_running(&file.text);
        match check(&file.scenario) {
            Ok(checked) => Either::Left(Verdict { file, checked, updated: false }),
            Err(error) => {
                let error = Box::new(InputError::new(format!("{}: {error}", file.name)));
                Either::Right(Unreadable { name: file.name, error })
            }
        }
    });
    checked.partition_map(|either| either)
}

impl Verdict {
    /// The differences that are still there.
    fn remaining(&self) -> impl Iterator<Item = &Difference> {
        let settled = |one: &&Difference| self.updated && !one.disputed && one.got.is_some();
        self.checked.differences.iter().filter(move |one| !settled(one))
    }

    /// What the file says of itself: one phrase.
    fn state(&self) -> String {
        let Checked { expected, disputed, differences } = &self.checked;
        let numbers = |count: usize| count_of(count, "number");
        match (expected + disputed, differences.len(), self.updated) {
            (0, ..) => "no expectation".to_owned(),
            (_, 0, _) => format!("{} as recorded", numbers(expected + disputed)),
            (all, changed, false) => format!("{changed} of {} changed", numbers(all)),
            (all, changed, true) => format!("{changed} of {} changed, rewritten", numbers(all)),
        }
    }
}

fn count_of(count: usize, thing: &str) -> String {
    format!("{count} {thing}{}", if count == 1 { "" } else { "s" })
}

/// What changed, in one sentence.
fn sentence(difference: &Difference) -> String {
    let Difference { fixes, server, measure, recorded, got, disputed, .. } = difference;
    match (got, disputed) {
        (_, true) => format!(
            "{fixes} {server}: the disputed {measure}={recorded} is now what the model says"
        ),
        (Some(got), false) => {
            format!("{fixes} {server}: recorded is {measure}={recorded}, the model says {got}")
        }
        (None, false) => {
            format!("{fixes} {server}: recorded is {measure}={recorded}, which {server} has not")
        }
    }
}

fn text(verdicts: &[Verdict]) -> String {
    let mut out = String::new();
    for verdict in verdicts {
        let _ = writeln!(out, "{}: {}", verdict.file.name, verdict.state());
        for difference in &verdict.checked.differences {
            let _ = writeln!(out, "  line {}: {}", difference.line, sentence(difference));
        }
    }
    let numbers = |verdict: &Verdict| verdict.checked.expected + verdict.checked.disputed;
    let changed: usize = verdicts.iter().map(|verdict| verdict.checked.differences.len()).sum();
    let silent = verdicts.iter().filter(|verdict| numbers(verdict) == 0).count();
    let _ = write!(
        out,
        "{}, {}: {changed} changed in {}",
        count_of(verdicts.len(), "file"),
        count_of(verdicts.iter().map(numbers).sum(), "number"),
        count_of(verdicts.iter().filter(|one| !one.checked.differences.is_empty()).count(), "file"),
    );
    match silent {
        0 => out.push('\n'),
        1 => out.push_str("; 1 file expects nothing\n"),
        _ => _ = writeln!(out, "; {silent} files expect nothing"),
    }
    out
}

/// GitHub's workflow commands, if GitHub runs us: each shows beside its line.
fn annotations(verdicts: &[Verdict]) -> String {
    let mut out = String::new();
    if std::env::var_os("GITHUB_ACTIONS").is_none_or(|value| value.is_empty()) {
        return out;
    }
    let escaped = |text: &str| text.replace('%', "%25").replace('\r', "%0D").replace('\n', "%0A");
    let property = |text: &str| escaped(text).replace(':', "%3A").replace(',', "%2C");
    for verdict in verdicts {
        for difference in verdict.remaining() {
            let (file, line) = (property(&verdict.file.name), difference.line);
            let what = escaped(&sentence(difference));
            let _ = writeln!(out, "::error file={file},line={line}::{what}");
        }
    }
    out
}

fn row(verdict: &Verdict) -> RegressRow {
    let change = |one: &Difference| ChangeRow {
        line: one.line,
        fixes: one.fixes.clone(),
        server: one.server.to_string(),
        measure: one.measure.to_string(),
        recorded: one.recorded,
        got: one.got,
        disputed: one.disputed,
    };
    RegressRow {
        file: verdict.file.name.clone(),
        numbers: verdict.checked.expected,
        disputed: verdict.checked.disputed,
        changed: verdict.checked.differences.iter().map(change).collect(),
        updated: verdict.updated,
    }
}
