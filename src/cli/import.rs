//! `freeorder import`: the part of a real input around a finding, as a scenario.

use std::path::{Path, PathBuf};

use super::audit::records;
use super::input::Input;
use super::output::{self, Failure, Outcome};
use super::save;
use crate::audit::{
    Auditor, Event, Finding, FindingKind, Kind, Options, ReadError, Reader, Source, concerns,
    explain, import,
};
use crate::fix::Preset;
use crate::scenario::{Item, Line, Scenario};
use crate::server::ServerKind;
use crate::suggest;

#[derive(Debug, clap::Args)]
pub struct Args {
    /// What an audit reads; - is stdin
    file: PathBuf,
    /// Where the scenario goes; without it, to standard output
    #[arg(long, short, value_name = "OUT")]
    out: Option<PathBuf>,
    /// Import the first finding of this kind; without it, the first of which there is a scenario
    #[arg(long, value_name = "KIND", value_parser = parse_finding)]
    finding: Option<FindingKind>,
    /// What the file is: server-log, wire, buffer-log, graph, shm or report-db; else its
    /// content decides
    #[arg(long, value_name = "KIND")]
    kind: Option<Kind>,
    /// The bytes of a record of a wire stream: 72, 112, 128 or 144; else the content decides
    #[arg(long, value_name = "BYTES", value_parser = records)]
    record: Option<usize>,
}

fn parse_finding(text: &str) -> Result<FindingKind, String> {
    let kinds = || FindingKind::ALL.into_iter().filter(|kind| !kind.is_note());
    kinds().find(|kind| kind.name() == text).ok_or_else(|| {
        let hint = suggest::hint(text, kinds().map(FindingKind::name));
        format!("unknown finding `{text}`; {hint}")
    })
}

/// Findings that are tried, of each kind.
const TRIED: usize = 20;

pub fn main(args: &Args) -> Result<Outcome, Failure> {
    let name = args.file.display().to_string();
    output::now_running(&format!("import {name}"));
    let options = Options { kind: args.kind, record: args.record };
    let input = Input::again(&args.file)?;
    let mut first = input.events(options)?;
    let mut auditor = Auditor::new(first.kind(), TRIED);
    each(&input, &mut first, |event| auditor.event(event))?;
    auditor.finish();
    let wanted = |finding: &&Finding| match args.finding {
        Some(kind) => finding.kind == kind,
        None => !finding.kind.is_note(),
    };
    let findings: Vec<Finding> = auditor.findings().kept().iter().filter(wanted).copied().collect();
    if findings.is_empty() {
        return Err(Failure::input(format!("{name}: an audit finds nothing to import")));
    }
    // One more pass, in which the events of all of them are kept.
    let mut events: Vec<Vec<Event>> = vec![Vec::new(); findings.len()];
    each(&input, &mut input.events(options)?, |event| {
        for (finding, events) in findings.iter().zip(&mut events) {
            if concerns(finding, event) {
                keep(events, finding, event);
            }
        }
    })?;
    let devices = auditor.bursts().shapes().keys().map(|shape| shape.devices).max();
    let explained = explained(&auditor, first.kind());
    let source = Source { explained, devices: devices.unwrap_or(0) };
    let mut error = None;
    for (finding, events) in findings.iter().zip(&events) {
        match import(finding, events, &source) {
            Ok(import) => {
                let at = format!("{} {}", first.kind().place(), finding.place);
                let head = [
                    format!("From {name}, {at}: {}: {}.", finding.kind.name(), finding.what),
                    format!(
                        "It fails so: freeorder run FILE --fixes {} --server {}",
                        import.fixes, import.server
                    ),
                ];
                return write(args.out.as_deref(), &head, import.scenario);
            }
            Err(wrong) => error = error.or(Some(wrong)),
        }
    }
    let error = error.expect("there is a finding, and it was tried");
    Err(Failure::input(format!("{name}: {error}")))
}

/// Events of a key that are kept: the last before its finding.
const KEPT: usize = 256;

fn keep(events: &mut Vec<Event>, finding: &Finding, event: &Event) {
    let is_late = event.place > finding.place;
    if events.len() >= KEPT && (is_late || !matches!(finding.kind, FindingKind::Overlap)) {
        if is_late {
            return;
        }
        events.remove(0);
    }
    events.push(*event);
}

fn each(
    input: &Input<'_>,
    reader: &mut Reader,
    mut take: impl FnMut(&Event),
) -> Result<(), Failure> {
    let failed = |error: ReadError| input.unreadable(&error);
    let mut events = Vec::new();
    loop {
        events.clear();
        let more = reader.read(&mut events).map_err(failed)?;
        events.iter().for_each(&mut take);
        if !more {
            return Ok(());
        }
    }
}

/// The presets and servers that explain the input.
fn explained(auditor: &Auditor, kind: Kind) -> Vec<(Preset, ServerKind)> {
    let servers: Vec<ServerKind> = match kind {
        Kind::ServerLog => auditor
            .era()
            .verdicts()
            .into_iter()
            .filter(|verdict| verdict.against.is_none())
            .map(|verdict| verdict.server)
            .collect(),
        Kind::Wire | Kind::BufferLog | Kind::Graph | Kind::Shm | Kind::ReportDb => {
            vec![ServerKind::K2]
        }
    };
    let verdicts = explain(auditor.bursts()).into_iter();
    let presets: Vec<Preset> = verdicts
        .filter(|verdict| verdict.against.is_none())
        .map(|verdict| verdict.preset)
        .collect();
    let presets = if presets.is_empty() { Preset::ALL.to_vec() } else { presets };
    let pairs = presets.iter();
    pairs.flat_map(|&preset| servers.iter().map(move |&server| (preset, server))).collect()
}

fn write(out: Option<&Path>, head: &[String], scenario: Scenario) -> Result<Outcome, Failure> {
    let plain = |text: &String| {
        let text = text.replace(|letter: char| letter.is_control(), "?");
        Line { comment: Some(format!(" {text}")), ..Line::new(Item::Blank) }
    };
    let lines = head.iter().map(plain).chain(scenario.lines);
    let text = Scenario { lines: lines.collect() }.to_string();
    match out {
        Some(path) => save::write_file(path, &text)?,
        None => output::print(&text)?,
    }
    Ok(Outcome::Clean)
}
