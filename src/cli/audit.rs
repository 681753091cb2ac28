//! `freeorder audit`: what is wrong in logs, wire streams, captures and snapshots.

mod progress;
mod report;
mod sarif;
mod text;

use std::fs::File;
use std::io::{self, BufReader, Read};
use std::path::{Path, PathBuf};

use clap::ValueEnum;

use super::output::{self, Failure, Outcome};
use crate::audit::{Auditor, Kind, Options, Published, Reader, as_published, wire};
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
    for path in &args.files {
        let file = audit(path, args)?;
        if args.format == AuditFormat::Text {
            output::print(&text::file(&file))?;
        }
        files.push(file);
    }
    let found = files.iter().any(|file| file.failing > 0);
    let report = AuditReport::new(files);
    match args.format {
        AuditFormat::Text if report.files.len() > 1 => output::print(&text::total(&report))?,
        AuditFormat::Text => {}
        AuditFormat::Json => output::print_json(&report)?,
        AuditFormat::Sarif => output::print_json(&sarif::log(&report))?,
    }
    Ok(if found { Outcome::Found } else { Outcome::Clean })
}

/// Opens a file, or standard input for `-`.
pub fn open(path: &Path) -> Result<Box<dyn Read>, Failure> {
    if path == Path::new("-") {
        return Ok(Box::new(io::stdin()));
    }
    let file = File::open(path);
    let file = file.map_err(|error| Failure::input(format!("{}: {error}", path.display())))?;
    Ok(Box::new(file))
}

/// Opens a file as what it is.
pub fn reader(path: &Path, options: Options) -> Result<Reader, Failure> {
    let name = path.display();
    Reader::new(open(path)?, options).map_err(|error| Failure::input(format!("{name}: {error}")))
}

fn audit(path: &Path, args: &Args) -> Result<FileReport, Failure> {
    let name = path.display().to_string();
    output::now_running(&format!("audit {name}"));
    let mut reader = reader(path, Options { kind: args.kind, record: args.record })?;
    let mut auditor = Auditor::new(reader.kind(), args.show as usize);
    let mut progress = Progress::start(path);
    let mut events = Vec::new();
    loop {
        events.clear();
        let more = reader.read(&mut events);
        let more = more.map_err(|error| Failure::input(format!("{name}: {error}")))?;
        auditor.events_in(&events);
        if !more {
            break;
        }
        progress.update(reader.bytes());
    }
    auditor.finish();
    progress.end();
    let published = match args.as_published && reader.kind() == Kind::ServerLog {
        true => published(path)?,
        false => Vec::new(),
    };
    Ok(FileReport::new(name, &reader, &auditor, &published))
}

fn published(path: &Path) -> Result<Vec<Published>, Failure> {
    if path == Path::new("-") {
        return Err(Failure::input("--as-published reads a file twice, so it cannot be stdin"));
    }
    let log = BufReader::with_capacity(1 << 16, open(path)?);
    as_published(log).map_err(|error| Failure::input(format!("{}: {error}", path.display())))
}
