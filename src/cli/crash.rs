//! `freeorder run --crash`: what a fuzzer found, on stable.

use std::path::Path;

use super::output::{self, Failure, Outcome};
use crate::fuzzing::orderings::check_environment;
use crate::fuzzing::{TARGETS, Target, target_of};
use crate::suggest;

/// Reads the name of a fuzz target.
pub fn parse(name: &str) -> Result<Target, String> {
    let names = TARGETS.iter().map(|target| target.name);
    target_of(name).ok_or_else(|| format!("no such target; {}", suggest::hint(name, names)))
}

/// Prints the case that the file stands for, and behind it, as a comment, what became of it.
pub fn main(target: Target, path: &Path) -> Result<Outcome, Failure> {
    check_environment().map_err(Failure::input)?;
    let bytes = output::read_bytes(path)?;
    let text = (target.text)(&bytes);
    output::now_running(&text);
    output::print(&text)?;
    if !text.ends_with('\n') {
        output::print("\n")?;
    }
    match (target.check)(&bytes) {
        Ok(()) => {
            output::print(&format!("# {}: nothing is wrong\n", target.name))?;
            Ok(Outcome::Clean)
        }
        Err(wrong) => {
            let wrong = wrong.lines().next().unwrap_or_default();
            output::print(&format!("# {}: {wrong}\n", target.name))?;
            Ok(Outcome::Found)
        }
    }
}
