//! `freeorder bench`: how fast the allocator and the whole model are here and now.

use std::fmt::Write as _;
use std::time::Instant;

use clap::ValueEnum;
use schemars::JsonSchema;
use serde::Serialize;

use super::Format;
use super::output::{self, Failure, Outcome};
use crate::allocator::SearchPolicy;
use crate::allocator::walk::{LIVE_BLOCK_COUNTS, Walk as AllocatorWalk};
use crate::fix::FixSet;
use crate::journal::Tracking;
use crate::measure::Walk;
use crate::server::ServerKind;

/// What is measured.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
enum What {
    /// The allocator alone, on the walk of the C++ class: N to 2N live blocks, policy BEST.
    Allocator,
    /// The whole model with every oracle, eight devices, sequences of 100 operations.
    Walk,
}

#[derive(Debug, clap::Args)]
pub struct Args {
    /// What is measured
    #[arg(value_enum)]
    what: What,
    /// Seconds for each row
    #[arg(long, value_name = "SECONDS", default_value_t = 1.0, value_parser = seconds)]
    seconds: f64,
    /// A preset or baseline, then +switch or -switch (walk)
    #[arg(long, value_name = "FIXES", default_value = "final")]
    fixes: FixSet,
    /// The generation of the allocation server (walk)
    #[arg(long, value_name = "SERVER", default_value = "k2")]
    server: ServerKind,
    /// Keep what undoes each step, and the state hash, as an exploration does (walk)
    #[arg(long)]
    undo: bool,
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

/// The figures.
#[derive(Clone, Debug, PartialEq, Serialize, JsonSchema)]
pub struct BenchTable {
    /// The version of this form.
    pub version: u32,
    /// One row a figure.
    pub rows: Vec<BenchRow>,
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
    let rows = match args.what {
        What::Allocator => LIVE_BLOCK_COUNTS.map(|live| allocator(live, args)).to_vec(),
        What::Walk if args.undo => vec![walk("walk with undo and hash", Tracking::FULL, args)],
        What::Walk => vec![walk("walk", Tracking::NONE, args)],
    };
    match args.format {
        Format::Json => output::print_json(&BenchTable { version: 1, rows })?,
        Format::Text => output::print(&text(&rows))?,
    }
    Ok(Outcome::Clean)
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

fn walk(name: &str, tracking: Tracking, args: &Args) -> BenchRow {
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

fn text(rows: &[BenchRow]) -> String {
    let mut out = String::new();
    for BenchRow { name, live, ops_per_s, ns_per_op } in rows {
        let live = live.map_or_else(String::new, |live| format!(", {live} live blocks"));
        let millions = ops_per_s / 1e6;
        let _ = writeln!(
            out,
            "{name}{live}: {millions:.2} million operations/s, {ns_per_op:.1} ns each"
        );
    }
    out
}
