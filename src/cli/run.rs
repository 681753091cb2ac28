//! `freeorder run`: one scenario, or the scenarios of seeds.

use std::fmt::Write as _;
use std::io::{self, BufWriter};
use std::ops::Range;
use std::path::PathBuf;

use rayon::prelude::*;
use schemars::JsonSchema;
use serde::Serialize;

use super::Format;
use super::output::{self, Failure, Outcome};
use super::spinner::Spinner;
use crate::choice::Seeded;
use crate::event::{Event, Observer, Tick};
use crate::fix::FixSet;
use crate::generate::{self, Order, Profile};
use crate::scenario::{DigestSink, LineSink, Report, Scenario, run};
use crate::search::matrix::OracleCount;
use crate::server::ServerKind;

/// How many seeds one call runs: it keeps a row for each.
const SEEDS_MAX: u64 = 1_000_000;

/// How many violations of a run are printed with their facts.
const PRINTED_MAX: usize = 20;

#[derive(Debug, clap::Args)]
#[command(group(clap::ArgGroup::new("input").required(true).args(["file", "seed", "seeds"])))]
pub struct Args {
    /// The scenario file
    file: Option<PathBuf>,
    /// Run the scenario that the profile draws from this seed
    #[arg(long, value_name = "N", value_parser = parse_seed)]
    seed: Option<u64>,
    /// Run the scenarios of the seeds A to B-1
    #[arg(long, value_name = "A..B", value_parser = parse_seeds)]
    seeds: Option<Range<u64>>,
    /// What kind of program is drawn from a seed; `freeorder list profiles` tells
    #[arg(long, value_name = "NAME", default_value_t, conflicts_with = "file")]
    profile: Profile,
    /// How the order of threads and teardowns is sampled: urw, pct, pos or random
    #[arg(long, value_name = "NAME", default_value_t, conflicts_with = "file")]
    order: Order,
    /// Run what a fuzz target found; the file holds its bytes
    #[cfg(feature = "fuzzing")]
    #[arg(
        long,
        value_name = "TARGET",
        value_parser = super::crash::parse,
        requires = "file",
        conflicts_with_all = ["fixes", "server", "jobs", "trace", "digest", "print", "format"]
    )]
    crash: Option<crate::fuzzing::Target>,
    /// A preset or baseline, then +switch or -switch
    #[arg(long, value_name = "FIXES", default_value = "final")]
    fixes: FixSet,
    /// The generation of the allocation server: k0, k1, k2, k2e or shm
    #[arg(long, value_name = "SERVER", default_value = "k2")]
    server: ServerKind,
    /// Threads that share the seeds; the result is the same for any number
    #[arg(long, value_name = "N", value_parser = clap::value_parser!(u16).range(1..=256))]
    jobs: Option<u16>,
    /// Print every event, one a line
    #[arg(long, conflicts_with = "seeds")]
    trace: bool,
    /// Print the BLAKE3 hash of the event lines
    #[arg(long)]
    digest: bool,
    /// Print the scenario itself, in a form that `run` reads back
    #[arg(long, conflicts_with = "seeds")]
    print: bool,
    /// How the result is printed
    #[arg(long, value_enum, default_value_t)]
    format: Format,
}

/// One run.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, JsonSchema)]
pub struct RunRow {
    /// The file, or the seed.
    pub scenario: String,
    /// Lines that changed something.
    pub operations: u64,
    /// ALLOC messages sent, one a device.
    pub alloc: u64,
    /// FREE messages sent, one a device.
    pub free: u64,
    /// FREE messages that hit no entry.
    pub unknown_free: u64,
    /// Entries of the server at quiescence; null where it has no keys.
    pub leftover_keys: Option<u64>,
    /// The server's own counters at quiescence, all devices together.
    pub leftover_bytes: u64,
    /// What the oracles found, notes left out.
    pub violations: Vec<OracleCount>,
    /// What the oracles noted; changes no verdict.
    pub notes: Vec<OracleCount>,
    /// The BLAKE3 hash of the event lines, if asked for.
    pub digest: Option<String>,
}

/// The result of `run`.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, JsonSchema)]
pub struct RunTable {
    /// The version of this form.
    pub version: u32,
    /// The fixes.
    pub fixes: String,
    /// The server.
    pub server: String,
    /// One row a run, seeds in order.
    pub rows: Vec<RunRow>,
    /// The BLAKE3 hash of all runs' digests, if asked for.
    pub digest: Option<String>,
}

/// Accepts decimal and 0x-prefixed seeds.
pub(super) fn parse_seed(text: &str) -> Result<u64, String> {
    let parsed = match text.strip_prefix("0x") {
        Some(hex) => u64::from_str_radix(hex, 16),
        None => text.parse(),
    };
    parsed.map_err(|_| format!("`{text}` is no seed: a number from 0 to 2^64 - 1, or 0x and hex"))
}

fn parse_seeds(text: &str) -> Result<Range<u64>, String> {
    let (from, to) = text.split_once("..").ok_or("a range of seeds looks like 0..500")?;
    let range = parse_seed(from)?..parse_seed(to)?;
    match range.end.saturating_sub(range.start) {
        0 => Err(format!("the range {text} is empty")),
        1..=SEEDS_MAX => Ok(range),
        _ => Err(format!("the range {text} has more than {SEEDS_MAX} seeds; split it")),
    }
}

pub fn main(args: &Args) -> Result<Outcome, Failure> {
    #[cfg(feature = "fuzzing")]
    if let (Some(target), Some(path)) = (args.crash, &args.file) {
        return super::crash::main(target, path);
    }
    if let Some(seeds) = &args.seeds {
        return many(args, seeds.clone());
    }
    let (name, scenario) = one(args)?;
    if args.print {
        output::print(&scenario.to_string())?;
        return Ok(Outcome::Clean);
    }
    let Observed { report, digest, refusals } = observed(args, &scenario)?;
    let wrong = unmet(args, &scenario, &report);
    let failed = report.findings.failed() || !wrong.is_empty();
    let row = row(name, &report, digest);
    match args.format {
        Format::Json => output::print_json(&table(args, vec![row], None))?,
        Format::Text => output::print(&text(args, &row, &report, &refusals))?,
    }
    wrong.iter().for_each(|line| output::say(line));
    Ok(if failed { Outcome::Found } else { Outcome::Clean })
}

/// The expectations of the scenario for these fixes and this server that do not hold.
fn unmet(args: &Args, scenario: &Scenario, report: &Report) -> Vec<String> {
    let mut wrong = Vec::new();
    for (line, expectation) in scenario.expectations() {
        if (expectation.fixes, expectation.server) != (args.fixes, args.server) {
            continue;
        }
        for &(measure, expected) in &expectation.measures {
            let got = report.measure(measure);
            if got != Some(expected) {
                let got = got.map_or_else(|| "not counted".to_owned(), |got| got.to_string());
                wrong.push(format!("line {line}: expected {measure}={expected}, it is {got}"));
            }
        }
    }
    wrong
}

fn one(args: &Args) -> Result<(String, Scenario), Failure> {
    match (&args.file, args.seed) {
        (Some(path), _) => Ok((path.display().to_string(), output::read_scenario(path)?)),
        (None, Some(seed)) => Ok((format!("seed {seed}"), of_seed(args, seed))),
        (None, None) => Err(Failure::input("name a scenario file, a --seed or --seeds")),
    }
}

/// The scenario of a seed.
fn of_seed(args: &Args, seed: u64) -> Scenario {
    generate::case(args.profile, args.order, &mut Seeded::new(seed)).scenario()
}

/// Sees events only if asked to.
struct Maybe<O>(Option<O>);

impl<O: Observer> Observer for Maybe<O> {
    fn observe(&mut self, tick: Tick, event: &Event<'_>) {
        if let Some(observer) = &mut self.0 {
            observer.observe(tick, event);
        }
    }
}

/// The texts with which the runtime refused operations, as many as are printed.
#[derive(Default)]
struct Refusals {
    texts: Vec<(Tick, String)>,
    count: usize,
}

impl Observer for Refusals {
    fn observe(&mut self, tick: Tick, event: &Event<'_>) {
        if let Event::Refused { text } = event {
            self.count += 1;
            if self.count <= PRINTED_MAX {
                self.texts.push((tick, (*text).to_owned()));
            }
        }
    }
}

struct Observed {
    report: Report,
    digest: Option<String>,
    refusals: Refusals,
}

fn observed(args: &Args, scenario: &Scenario) -> Result<Observed, Failure> {
    output::now_running(&scenario.to_string());
    let trace = args.trace.then(|| LineSink::new(BufWriter::new(io::stdout().lock())));
    let digest = args.digest.then(DigestSink::default);
    let mut watching = ((Maybe(trace), Maybe(digest)), Refusals::default());
    let report = run(scenario, args.fixes, args.server, PRINTED_MAX, &mut watching);
    let ((Maybe(trace), Maybe(digest)), refusals) = watching;
    if let Some(trace) = trace {
        output::heard(trace.finish())?;
    }
    Ok(Observed { report, digest: digest.map(|digest| digest.hex()), refusals })
}

fn many(args: &Args, seeds: Range<u64>) -> Result<Outcome, Failure> {
    let jobs = usize::from(args.jobs.unwrap_or(0));
    let pool = rayon::ThreadPoolBuilder::new().num_threads(jobs).build();
    let pool = pool.map_err(|error| Failure::input(format!("--jobs {jobs}: {error}")))?;
    let spinner = Spinner::start("runs the seeds");
    let rows: Vec<RunRow> = pool.install(|| {
        let runs = seeds.into_par_iter().map(|seed| {
            let mut digest = Maybe(args.digest.then(DigestSink::default));
            let (profile, order) = (args.profile, args.order);
            output::now_running(&format!(
                "freeorder run --seed {seed} --profile {profile} --order {order} --print"
            ));
            let report = run(&of_seed(args, seed), args.fixes, args.server, 0, &mut digest);
            row(format!("seed {seed}"), &report, digest.0.map(|digest| digest.hex()))
        });
        runs.collect()
    });
    drop(spinner);
    let failed = rows.iter().any(|row| !row.violations.is_empty());
    let digest = args.digest.then(|| {
        let mut hasher = blake3::Hasher::new();
        for digest in rows.iter().filter_map(|row| row.digest.as_ref()) {
            hasher.update(digest.as_bytes());
        }
        hasher.finalize().to_hex().to_string()
    });
    match args.format {
        Format::Json => output::print_json(&table(args, rows, digest))?,
        Format::Text => output::print(&summary(args, &rows, digest.as_deref()))?,
    }
    Ok(if failed { Outcome::Found } else { Outcome::Clean })
}

fn row(scenario: String, report: &Report, digest: Option<String>) -> RunRow {
    let counts = |notes: bool| {
        let wanted = report.findings.counts().filter(move |(oracle, _)| oracle.is_note() == notes);
        let named = wanted.map(|(oracle, count)| OracleCount { oracle: oracle.to_string(), count });
        named.collect()
    };
    RunRow {
        scenario,
        operations: report.operations,
        alloc: report.totals.alloc,
        free: report.totals.free,
        unknown_free: report.totals.unknown_free,
        leftover_keys: report.leftover_keys,
        leftover_bytes: report.leftover_bytes,
        violations: counts(false),
        notes: counts(true),
        digest,
    }
}

fn table(args: &Args, rows: Vec<RunRow>, digest: Option<String>) -> RunTable {
    let (fixes, server) = (args.fixes.to_string(), args.server.to_string());
    RunTable { version: 1, fixes, server, rows, digest }
}

fn text(args: &Args, row: &RunRow, report: &Report, refusals: &Refusals) -> String {
    let mut out = String::new();
    let keys =
        row.leftover_keys.map_or_else(|| "no keys".to_owned(), |keys| format!("{keys} keys"));
    let _ = writeln!(out, "{} under {} and {}", row.scenario, args.fixes, args.server);
    let _ = writeln!(
        out,
        "  {} operations, {} ALLOC, {} FREE, {} unknown; left in the server: {keys}, {} bytes",
        row.operations, row.alloc, row.free, row.unknown_free, row.leftover_bytes
    );
    for (tick, text) in &refusals.texts {
        let _ = writeln!(out, "  tick {}: refused: {text}", tick.0);
    }
    if refusals.count > refusals.texts.len() {
        let _ = writeln!(out, "  and {} more refusals", refusals.count - refusals.texts.len());
    }
    for violation in report.findings.violations() {
        let _ = writeln!(out, "  tick {}: {violation}", violation.tick.0);
    }
    let kept: u64 = report.findings.violations().iter().map(|violation| violation.count()).sum();
    let all: u64 = report.findings.counts().map(|(_, count)| count).sum();
    if all > kept {
        let _ = writeln!(out, "  and {} more", all - kept);
    }
    let _ = writeln!(out, "  {}", verdict(&row.violations, &row.notes));
    if let Some(digest) = &row.digest {
        let _ = writeln!(out, "digest {digest}");
    }
    out
}

fn verdict(violations: &[OracleCount], notes: &[OracleCount]) -> String {
    let list = |counts: &[OracleCount]| {
        let each = counts.iter().map(|one| format!("{} {}", one.oracle, one.count));
        each.collect::<Vec<_>>().join(", ")
    };
    let mut text = match violations {
        [] => "no violation".to_owned(),
        found => format!("violations: {}", list(found)),
    };
    if !notes.is_empty() {
        let _ = write!(text, " (notes: {})", list(notes));
    }
    text
}

fn summary(args: &Args, rows: &[RunRow], digest: Option<&str>) -> String {
    let mut out = String::new();
    let failing: Vec<&RunRow> = rows.iter().filter(|row| !row.violations.is_empty()).collect();
    let operations: u64 = rows.iter().map(|row| row.operations).sum();
    let _ = writeln!(
        out,
        "{} seeds, {operations} operations under {} and {}: {} with a violation",
        rows.len(),
        args.fixes,
        args.server,
        failing.len()
    );
    for row in failing.iter().take(10) {
        let _ = writeln!(out, "  {}: {}", row.scenario, verdict(&row.violations, &row.notes));
    }
    if failing.len() > 10 {
        let _ = writeln!(out, "  and {} more", failing.len() - 10);
    }
    if let Some(digest) = digest {
        let _ = writeln!(out, "digest {digest}");
    }
    out
}
