//! `freeorder setup-runtime`: an environment with the real runtime, without hardware.

use std::path::PathBuf;

use super::output::{self, Failure, Outcome};
use crate::realrt::{VERSION, set_up};

#[derive(Debug, clap::Args)]
pub struct Args {
    /// The folder; what is there already is kept
    #[arg(value_name = "DIR", default_value = "freeorder-runtime")]
    folder: PathBuf,
    /// The version of the ttnn wheel
    #[arg(long, value_name = "VERSION", default_value = VERSION)]
    wheel: String,
}

pub fn main(args: &Args) -> Result<Outcome, Failure> {
    let mut broken = None;
    let mut say = |line: &str| {
        broken = output::print(&format!("{line}\n")).err().or(broken.take());
    };
    let installation = set_up(&args.folder, &args.wheel, &mut say);
    if let Some(failure) = broken {
        return Err(failure);
    }
    let installation = installation.map_err(|error| Failure::input(error.to_string()))?;
    let folder = installation.home.display();
    output::print(&format!("ready: freeorder conform --runtime {folder}\n"))?;
    Ok(Outcome::Clean)
}
