//! `freeorder bench`: how fast the allocator, the whole model and the reducer are here and now.

mod audit;
mod orderings;
#[cfg(target_os = "linux")]
mod serve;

use std::fmt;
use std::time::Instant;

use clap::ValueEnum;
use schemars::JsonSchema;
use serde::Serialize;

pub use orderings::OrderingsReport;

use super::Format;
use super::output::{self, Failure, Outcome};
use super::spinner::Spinner;
use crate::allocator::SearchPolicy;
use crate::allocator::walk::{LIVE_BLOCK_COUNTS, Walk as AllocatorWalk};
use crate::fix::FixSet;
use crate::journal::Tracking;
use crate::measure::Walk;
use crate::measure::reduction::{Input, KINDS, Reduction, SMALL_INPUTS, reduce, small_inputs};
use crate::search::enumerate::Limits;
use crate::search::optimum::optimum;
#[cfg(target_os = "linux")]
use crate::serve::Load;
use crate::server::ServerKind;

/// How many states are looked at for what is better than the result of a small input: all of them.
const SMALL: Limits = Limits::states(10_000_000);

/// The same for a long input, where more of them would take more than some seconds.
const LONG: Limits = Limits::states(500_000);

/// What is measured.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
enum What {
    /// The allocator alone, on the walk of the C++ class: N to 2N live blocks, policy BEST.
    Allocator,
    /// The whole model with every oracle, eight devices, sequences of 100 operations.
    Walk,
    /// The audit, on a log and on a stream of messages.
    Audit,
    /// The reducer, on failing inputs of 6 to 10, of 100 and of 10,000 operations; exit code 1 if
    /// anything shorter or smaller in the words of one of the first fails as its result does.
    Minimize,
    /// An exploration: pieces of buffers that are released in every order.
    Orderings,
    /// The server, with clients that send one message after another.
    #[cfg(target_os = "linux")]
    Serve,
}

#[derive(Debug, clap::Args)]
pub struct Args {
    /// What is measured
    #[arg(value_enum)]
    what: What,
    /// Seconds for each row (allocator, walk)
    #[arg(long, value_name = "SECONDS", default_value_t = 1.0, value_parser = seconds)]
    seconds: f64,
    /// A preset or baseline, then +switch or -switch (walk, orderings)
    #[arg(long, value_name = "FIXES", default_value = "final")]
    fixes: FixSet,
    /// The generation of the allocation server (walk, orderings)
    #[arg(long, value_name = "SERVER", default_value = "k2")]
    server: ServerKind,
    /// Keep what undoes each step, and the state hash, as an exploration does (walk)
    #[arg(long)]
    undo: bool,
    /// Keys that are live at once (audit)
    #[arg(long, value_name = "N", default_value_t = 100_000)]
    #[arg(value_parser = clap::value_parser!(u64).range(1..=200_000))]
    live: u64,
    /// Mebibytes of each input (audit)
    #[arg(long, value_name = "MIB", default_value_t = 256)]
    #[arg(value_parser = clap::value_parser!(u64).range(1..=1 << 20))]
    mib: u64,
    /// Keep each log in a file without a name and time `rg -c buffer` on it as well (audit)
    #[arg(long)]
    rg: bool,
    /// Inputs for each row (minimize)
    #[arg(long, value_name = "N", default_value_t = 20)]
    #[arg(value_parser = clap::value_parser!(u64).range(1..=10_000))]
    cases: u64,
    /// Clients (serve)
    #[arg(long, value_name = "N", default_value_t = 64)]
    #[arg(value_parser = clap::value_parser!(u32).range(1..=512))]
    clients: u32,
    /// Messages of all clients (serve)
    #[arg(long, value_name = "N", default_value_t = 10_000_000)]
    #[arg(value_parser = clap::value_parser!(u64).range(1..=1_000_000_000))]
    messages: u64,
    #[command(flatten)]
    orderings: orderings::OrderingsArgs,
    /// The bytes of a record: 72, 112, 128 or 144 (serve)
    #[arg(long, value_name = "BYTES", default_value_t = 112, value_parser = super::audit::records)]
    wire: usize,
    /// How the result is printed
    #[arg(long, value_enum, default_value_t)]
    format: Format,
}

/// One figure.
#[derive(Clone, Debug, PartialEq, Serialize, JsonSchema)]
pub struct BenchRow {
    /// What was measured.
    pub name: String,
    /// Live blocks, where that is what varies.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub live: Option<usize>,
    /// Operations a second.
    pub ops_per_s: f64,
    /// Nanoseconds an operation.
    pub ns_per_op: f64,
}

/// The figures of one kind of input of the reducer.
#[derive(Clone, Debug, PartialEq, Serialize, JsonSchema)]
pub struct MinimizeRow {
    /// The kind.
    pub name: String,
    /// How many inputs.
    pub cases: usize,
    /// Milliseconds for one, on average.
    pub mean_ms: f64,
    /// Half of them took no longer.
    pub median_ms: f64,
    /// Nine of ten took no longer.
    pub p90_ms: f64,
    /// None took longer.
    pub max_ms: f64,
    /// Candidates that were run for one, on average.
    pub replays_mean: f64,
    /// Operations that were left, on average.
    pub operations_mean: f64,
    /// Results than which no sequence of the input's words is shorter, or as long with sizes that
    /// sum up to less, and fails in the same way: every one was looked at.
    pub at_optimum: usize,
    /// Results of which not every such sequence could be looked at within the limit.
    pub undecided: usize,
}

impl MinimizeRow {
    fn all_at_optimum(&self) -> bool {
        self.at_optimum + self.undecided == self.cases
    }
}

/// A row: of what runs at a speed, of the reducer, or of the audit.
#[derive(Clone, Debug, PartialEq, Serialize, JsonSchema)]
#[serde(untagged)]
pub enum Row {
    /// A speed.
    Speed(BenchRow),
    /// Reductions.
    Minimize(MinimizeRow),
    /// Audits.
    Audit(audit::AuditRow),
    /// A server under load.
    #[cfg(target_os = "linux")]
    Serve(serve::ServeRow),
}

impl Row {
    /// Whether what was measured was wrong, too.
    fn found(&self) -> bool {
        match self {
            Self::Speed(_) | Self::Audit(_) => false,
            Self::Minimize(row) => row.name == SMALL_INPUTS && !row.all_at_optimum(),
            #[cfg(target_os = "linux")]
            Self::Serve(row) => row.found(),
        }
    }
}

/// The figures.
#[derive(Clone, Debug, PartialEq, Serialize, JsonSchema)]
pub struct BenchTable {
    /// The version of this form.
    pub version: u32,
    /// One row a figure.
    pub rows: Vec<Row>,
}

fn seconds(text: &str) -> Result<f64, String> {
    let seconds: f64 = text.parse().map_err(|_| format!("`{text}` is no number of seconds"))?;
    if seconds > 0.0 && seconds <= 3600.0 {
        Ok(seconds)
    } else {
        Err("between 0 and 3600 seconds".to_owned())
    }
}

pub fn main(args: &Args) -> Result<Outcome, Failure> {
    let spinner = Spinner::start("measuring");
    let rows = match args.what {
        What::Allocator => LIVE_BLOCK_COUNTS.map(|live| Row::Speed(allocator(live, args))).to_vec(),
        What::Walk => vec![Row::Speed(walk(args))],
        What::Audit => audit::audits(args)?,
        What::Orderings => return orderings::main(args),
        #[cfg(target_os = "linux")]
        What::Serve => {
            let (clients, messages, record_size) = (args.clients, args.messages, args.wire);
            let process = std::process::id() as i32;
            let load = Load { clients, messages, record_size, process };
            vec![Row::Serve(serve::measure(load)?)]
        }
        What::Minimize => reductions(args),
    };
    drop(spinner);
    let found = rows.iter().any(Row::found);
    match args.format {
        Format::Json => output::print_json(&BenchTable { version: 1, rows })?,
        Format::Text => output::print(&text(&rows))?,
    }
    Ok(if found { Outcome::Found } else { Outcome::Clean })
}

fn allocator(live: usize, args: &Args) -> BenchRow {
    let mut walk = AllocatorWalk::new(live, SearchPolicy::Best, 1);
    walk.run(100_000);
    let steps = 10_000;
    let measured = measured(args.seconds, || {
        walk.run(steps);
        steps
    });
    measured.row("allocator".to_owned(), Some(live))
}

fn walk(args: &Args) -> BenchRow {
    let (name, tracking) = match args.undo {
        true => ("walk with undo and hash", Tracking::FULL),
        false => ("walk", Tracking::NONE),
    };
    let mut walk = Walk::new(args.fixes, args.server, tracking);
    let mut seed = 0;
    let mut sequence = || {
        seed += 1;
        walk.sequence(seed)
    };
    for _ in 0..100 {
        sequence();
    }
    measured(args.seconds, sequence).row(name.to_owned(), None)
}

struct Measured {
    operations: u64,
    nanoseconds: f64,
}

impl Measured {
    fn row(&self, name: String, live: Option<usize>) -> BenchRow {
        let ns_per_op = self.nanoseconds / self.operations as f64;
        BenchRow { name, live, ops_per_s: 1e9 / ns_per_op, ns_per_op }
    }
}

/// Repeats the work, which answers with its number of operations, for so many seconds.
fn measured(seconds: f64, mut work: impl FnMut() -> u64) -> Measured {
    let start = Instant::now();
    let mut operations = 0;
    loop {
        operations += work();
        let elapsed = start.elapsed();
        if elapsed.as_secs_f64() >= seconds {
            return Measured { operations, nanoseconds: elapsed.as_nanos() as f64 };
        }
    }
}

/// The rows of the small inputs and of each kind of long ones.
fn reductions(args: &Args) -> Vec<Row> {
    let count = args.cases as usize;
    let small = small_inputs().take(count).map(|small| small.input);
    let small = reductions_of(SMALL_INPUTS.to_owned(), small, SMALL);
    let long = KINDS.map(|kind| reductions_of(kind.name(), kind.inputs().take(count), LONG));
    std::iter::once(small).chain(long).map(Row::Minimize).collect()
}

fn reductions_of(name: String, inputs: impl Iterator<Item = Input>, limits: Limits) -> MinimizeRow {
    let mut row = Reductions::default();
    for input in inputs {
        let Reduction { minimized, milliseconds } = reduce(&input);
        row.milliseconds.push(milliseconds);
        row.replays += minimized.replays;
        row.operations += minimized.case.ops.len();
        let optimum = optimum(&input.case, &minimized.case, input.aim, limits);
        row.at_optimum += usize::from(optimum.is_reached());
        row.undecided += usize::from(optimum.limited);
        if let Some(better) = optimum.better {
            let (result, better) = (minimized.case.scenario(), better.scenario());
            output::say(&format!("{name}: missed\n{better}and came to\n{result}"));
        }
    }
    row.row(name)
}

#[derive(Default)]
struct Reductions {
    milliseconds: Vec<f64>,
    replays: u64,
    operations: usize,
    at_optimum: usize,
    undecided: usize,
}

impl Reductions {
    fn row(mut self, name: String) -> MinimizeRow {
        self.milliseconds.sort_by(f64::total_cmp);
        let cases = self.milliseconds.len();
        let of = |tenths: usize| self.milliseconds[(cases - 1) * tenths / 10];
        let mean = |sum: f64| sum / cases as f64;
        MinimizeRow {
            name,
            cases,
            mean_ms: mean(self.milliseconds.iter().sum()),
            median_ms: of(5),
            p90_ms: of(9),
            max_ms: of(10),
            replays_mean: mean(self.replays as f64),
            operations_mean: mean(self.operations as f64),
            at_optimum: self.at_optimum,
            undecided: self.undecided,
        }
    }
}

fn text(rows: &[Row]) -> String {
    rows.iter().map(|row| format!("{row}\n")).collect()
}

impl fmt::Display for Row {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Speed(BenchRow { name, live, ops_per_s, ns_per_op }) => {
                let live = live.map_or_else(String::new, |live| format!(", {live} live blocks"));
                let millions = ops_per_s / 1e6;
                write!(f, "{name}{live}: ")?;
                write!(f, "{millions:.2} million operations/s, {ns_per_op:.1} ns each")
            }
            Self::Audit(row) => row.fmt(f),
            #[cfg(target_os = "linux")]
            Self::Serve(row) => {
                let serve::ServeRow { name, clients, messages, seconds, .. } = row;
                let millions = row.per_second / 1e6;
                write!(f, "{name}, {clients} clients, {messages} messages: {seconds:.2} s, ")?;
                write!(f, "{millions:.2} million messages/s, ")?;
                write!(f, "{} lost, {} reordered", row.lost, row.reordered)
            }
            Self::Minimize(row) => {
                let MinimizeRow { name, cases, mean_ms, median_ms, p90_ms, max_ms, .. } = row;
                let MinimizeRow { replays_mean, operations_mean, at_optimum, undecided, .. } = row;
                write!(f, "{name}: mean {mean_ms:.2} ms, median {median_ms:.2} ms, ")?;
                write!(f, "p90 {p90_ms:.2} ms, max {max_ms:.2} ms, {replays_mean:.0} replays; ")?;
                write!(
                    f,
                    "{operations_mean:.2} operations, {at_optimum} of {cases} at the optimum"
                )?;
                if *undecided > 0 { write!(f, ", {undecided} undecided") } else { Ok(()) }
            }
        }
    }
}
