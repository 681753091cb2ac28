//! `freeorder export`: a scenario as a program for the real thing.

use std::path::PathBuf;

use clap::ValueEnum;

use super::output::{self, Failure, Outcome};
use super::save;
use crate::export::{Target, export};

/// In what a scenario is written.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
enum To {
    /// A Python script that needs nothing but ttnn
    Ttnn,
    /// A C++ test of MeshDevice and MeshBuffer
    Gtest,
}

#[derive(Debug, clap::Args)]
pub struct Args {
    /// The scenario file
    file: PathBuf,
    /// What it becomes
    #[arg(long, value_enum, value_name = "WHAT")]
    to: To,
    /// Where the program goes; without it, to standard output
    #[arg(long, short, value_name = "OUT")]
    out: Option<PathBuf>,
}

pub fn main(args: &Args) -> Result<Outcome, Failure> {
    let name = args.file.display().to_string();
    let scenario = output::read_scenario(&args.file)?;
    output::now_running(&scenario.to_string());
    let target = match args.to {
        To::Ttnn => Target::Ttnn,
        To::Gtest => Target::Gtest,
    };
    let exported = export(&scenario, &name, target)
        .map_err(|error| Failure::input(format!("{name}: {error}")))?;
    match &args.out {
        Some(path) => save::write_file(path, &exported.text)?,
        None => output::print(&exported.text)?,
    }
    if let Some(first) = exported.left_out.first() {
        let (count, all) = (exported.left_out.len(), exported.left_out.len() + exported.done);
        output::say(&format!(
            "warning: {name}: {count} of {all} lines are left out, first line {}: {}: {}",
            first.line, first.op, first.why
        ));
    }
    Ok(Outcome::Clean)
}
