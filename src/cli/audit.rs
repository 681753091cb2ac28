//! `freeorder audit`: what is wrong in logs, wire streams, captures and snapshots.

mod progress;
mod report;
mod sarif;
mod text;

use std::io::BufReader;
use std::path::{Path, PathBuf};

use clap::ValueEnum;

use super::input::Input;
use super::output::{self, Failure, Outcome};
use crate::audit::{Action, Auditor, Kind, Options, Published, ReadError, as_published, wire};
use progress::Progress;
pub use report::AuditReport;
use report::FileReport;

/// How the result is printed.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, ValueEnum)]
enum AuditFormat {
    /// For people.
    #[default]
    Text,
    /// For programs.
    Json,
    /// For code hosts: SARIF 2.1.0.
    Sarif,
}

#[derive(Debug, clap::Args)]
pub struct Args {
    /// Server logs, wire streams, buffer debug logs, graph captures, snapshots and reports; - is
    /// stdin
    #[arg(required = true, value_name = "FILE")]
    files: Vec<PathBuf>,
    /// What the files are: server-log, wire, buffer-log, graph, shm or report-db; else
    /// their content decides
    #[arg(long, value_name = "KIND")]
    kind: Option<Kind>,
    /// The bytes of a record of a wire stream: 72, 112, 128 or 144; else the content decides
    #[arg(long, value_name = "BYTES", value_parser = records)]
    record: Option<usize>,
    /// Say what the published scripts would have counted in a server log
    #[arg(long)]
    as_published: bool,
    /// Show so many findings of each kind with their facts; all are counted
    #[arg(long, value_name = "N", default_value_t = 20)]
    #[arg(value_parser = clap::value_parser!(u32).range(0..=1_000_000))]
    show: u32,
    /// How the result is printed
    #[arg(long, value_enum, default_value_t)]
    format: AuditFormat,
}

/// Reads the size of a record.
pub fn records(text: &str) -> Result<usize, String> {
    let size = text.parse().ok().filter(|size| wire::RECORD_SIZES.contains(size));
    size.ok_or_else(|| format!("`{text}` is no size of a record: 72, 112, 128 or 144"))
}

pub fn main(args: &Args) -> Result<Outcome, Failure> {
    let mut files = Vec::with_capacity(args.files.len());
    // What one file cannot say, the others do.
    let mut unreadable = Vec::new();
    for path in &args.files {
        match audit(path, args) {
            Ok(file) => {
                if args.format == AuditFormat::Text {
                    output::print(&text::file(&file))?;
                }
                files.push(file);
            }
            Err(Failure::Input(error)) => unreadable.push(error.to_string()),
            Err(failure) => return Err(failure),
        }
    }
    let unreadable = (!unreadable.is_empty()).then(|| Failure::input(unreadable.join("\n")));
    if files.is_empty()
        && let Some(failure) = unreadable
    {
        return Err(failure);
    }
    let found = files.iter().any(|file| file.failing > 0);
    let report = AuditReport::new(files);
    match args.format {
        AuditFormat::Text if report.files.len() > 1 => output::print(&text::total(&report))?,
        AuditFormat::Text => {}
        AuditFormat::Json => output::print_json(&report)?,
        AuditFormat::Sarif => output::print_json(&sarif::log(&report))?,
    }
    match unreadable {
        Some(failure) => Err(failure),
        None if found => Ok(Outcome::Found),
        None => Ok(Outcome::Clean),
    }
}

fn audit(path: &Path, args: &Args) -> Result<FileReport, Failure> {
    let name = path.display().to_string();
    output::now_running(&format!("audit {name}"));
    let input = if args.as_published { Input::again(path)? } else { Input::once(path) };
    let mut reader = input.events(Options { kind: args.kind, record: args.record })?;
    let mut auditor = Auditor::new(reader.kind(), args.show as usize);
    let mut progress = Progress::start(path);
    let mut events = Vec::new();
    let mut is_of_its_kind = false;
    loop {
        events.clear();
        let more = reader.read(&mut events).map_err(|error| input.unreadable(&error))?;
        is_of_its_kind |= events.iter().any(|event| !matches!(event.action, Action::Resync(_)));
        auditor.events_in(&events);
        if !more {
            break;
        }
        progress.update(reader.bytes());
    }
    auditor.finish();
    progress.end();
    if args.kind.is_some() && !is_of_its_kind && reader.bytes() > 0 {
        return Err(input.unreadable(&ReadError::OtherKind(reader.kind())));
    }
    let published = match args.as_published && reader.kind() == Kind::ServerLog {
        true => published(&input)?,
        false => Vec::new(),
    };
    Ok(FileReport::new(name, &reader, &auditor, &published))
}

fn published(input: &Input<'_>) -> Result<Vec<Published>, Failure> {
    let log = BufReader::with_capacity(1 << 16, input.bytes()?);
    as_published(log).map_err(|error| input.unreadable(&error.into()))
}
