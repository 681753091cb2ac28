//! How long it takes to cover every order in which the pieces of buffers can be released.

use std::time::Instant;

use schemars::JsonSchema;
use serde::Serialize;

use crate::cli::Format;
use crate::cli::output::{self, Failure, Outcome};
use crate::search::explore::{Family, Options, Plan, Sizes, explore};

#[derive(Debug, clap::Args)]
pub struct OrderingsArgs {
    /// Buffers, each with a backing buffer (orderings)
    #[arg(long, value_name = "N", default_value_t = 3)]
    #[arg(value_parser = clap::value_parser!(u32).range(1..=32))]
    handles: u32,
    /// Chips, each with a device-local buffer of every buffer (orderings)
    #[arg(long, value_name = "N", default_value_t = 4)]
    #[arg(value_parser = clap::value_parser!(u32).range(1..=32))]
    devices: u32,
}

/// The figures of an exploration.
#[derive(Clone, Debug, PartialEq, Serialize, JsonSchema)]
pub struct OrderingsReport {
    /// The version of this form.
    pub version: u32,
    /// Buffers.
    pub handles: u32,
    /// Chips.
    pub devices: u32,
    /// The fixes.
    pub fixes: String,
    /// The server.
    pub server: String,
    /// How many orderings were covered, as a decimal number.
    pub orderings: String,
    /// How many states were looked at.
    pub states_visited: u64,
    /// How many classes of violation were found, notes left out.
    pub violations: usize,
    /// How long it took, with the shortest ordering of each violation.
    pub seconds: f64,
    /// The most memory that the process ever had; where the system does not tell, what remembering
    /// the states took.
    pub peak_bytes: u64,
}

pub fn main(args: &super::Args) -> Result<Outcome, Failure> {
    let OrderingsArgs { handles, devices } = args.orderings;
    let sizes = Sizes { handles, devices, views: 0, ..Sizes::default() };
    let scenario = Family::Teardown.scenario(sizes).map_err(Failure::input)?;
    let options = Options::new(args.fixes, args.server);
    let start = Instant::now();
    let result = explore(&Plan::of(&scenario), &options);
    let report = OrderingsReport {
        version: 1,
        handles,
        devices,
        fixes: args.fixes.to_string(),
        server: args.server.to_string(),
        orderings: result.orderings.to_string(),
        states_visited: result.states,
        violations: result.violations().count(),
        seconds: start.elapsed().as_secs_f64(),
        peak_bytes: peak_bytes().unwrap_or(result.bytes),
    };
    match args.format {
        Format::Json => output::print_json(&report)?,
        Format::Text => {
            let OrderingsReport { orderings, states_visited, seconds, peak_bytes, .. } = &report;
            let mib = peak_bytes.div_ceil(1 << 20);
            output::print(&format!(
                "{handles} handles over {devices} devices: {orderings} orderings, \
                 {states_visited} states, {seconds:.4} s, {mib} MiB\n"
            ))?;
        }
    }
    Ok(if result.stopped.is_some() { Outcome::Limited } else { Outcome::Clean })
}

/// The most memory that this process ever had, as Linux tells it.
fn peak_bytes() -> Option<u64> {
    let status = std::fs::read_to_string("/proc/self/status").ok()?;
    let line = status.lines().find_map(|line| line.strip_prefix("VmHWM:"))?;
    let kibibytes: u64 = line.trim().strip_suffix("kB")?.trim().parse().ok()?;
    Some(kibibytes << 10)
}
