//! The bodies of the fuzz targets: bytes become a case, the case is checked.
//!
//! A target in `fuzz/` is three lines that call [`run`]; what it checks is here, where a test runs
//! it on stable, and where `freeorder run --crash` replays what a fuzzer found.

pub mod allocator;
pub mod audited;
pub mod canary;
pub mod fix_pairs;
pub mod graph_json;
pub mod orderings;
pub mod recording_json;
mod runner;
pub mod scenario_text;
pub mod seeds;
pub mod server_log;
pub mod shm;
mod tokens;
pub mod wire;

use std::fmt;

/// What the bytes of a fuzzer stand for, and what must hold of it.
pub trait TestCase: fmt::Display + Sized {
    /// The case of some bytes; all bytes are a case.
    fn of(bytes: &[u8]) -> Self;

    /// Checks what must hold.
    ///
    /// # Errors
    /// With what does not hold, in words. A panic is a failure too.
    fn check(&self) -> Result<(), String>;
}

/// Runs the case of some bytes.
///
/// # Panics
/// If something does not hold; the text has the case.
pub fn run<T: TestCase>(bytes: &[u8]) {
    let case = T::of(bytes);
    if let Err(wrong) = case.check() {
        panic!("{wrong}\n{case}");
    }
}

/// A fuzz target.
#[derive(Clone, Copy, Debug)]
pub struct Target {
    /// Its name, as `cargo fuzz run` takes it.
    pub name: &'static str,
    /// The text of the case that some bytes stand for.
    pub text: fn(&[u8]) -> String,
    /// Checks the case that some bytes stand for.
    pub check: fn(&[u8]) -> Result<(), String>,
}

const fn target<T: TestCase>(name: &'static str) -> Target {
    Target { name, text: |bytes| T::of(bytes).to_string(), check: |bytes| T::of(bytes).check() }
}

/// Every target, by name.
pub const TARGETS: [Target; 10] = [
    target::<allocator::Calls>("allocator"),
    target::<canary::Canary>("canary"),
    target::<fix_pairs::FixPairs>("fix_pairs"),
    target::<graph_json::GraphJson>("graph_json"),
    target::<orderings::Ordering>("orderings"),
    target::<recording_json::Recording>("recording_json"),
    target::<scenario_text::Text>("scenario_text"),
    target::<server_log::ServerLog>("server_log"),
    target::<shm::Shm>("shm"),
    target::<wire::Wire>("wire"),
];

/// The target of that name.
#[must_use]
pub fn target_of(name: &str) -> Option<Target> {
    TARGETS.into_iter().find(|target| target.name == name)
}

#[cfg(test)]
mod tests {
    use std::path::Path;

    use super::*;
    use crate::choice::{Choices, Seeded};

    /// Checks the cases of seeded byte strings; returns how many.
    pub(super) fn smoke<T: TestCase>(seed: u64, count: usize, length_max: u64) -> usize {
        let mut choices = Seeded::new(seed);
        for _ in 0..count {
            let length = choices.pick(length_max + 1);
            let bytes: Vec<u8> = (0..length).map(|_| choices.pick(256) as u8).collect();
            run::<T>(&bytes);
        }
        count
    }

    /// A target without a body, or a body without a target, is fuzzed by nobody.
    #[test]
    fn every_target_has_a_file_and_every_file_is_a_target() {
        let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("fuzz/fuzz_targets");
        let files = std::fs::read_dir(folder).expect("the targets are part of the project");
        let paths = files.map(|file| file.expect("a readable folder").path());
        let name = |path: std::path::PathBuf| {
            path.file_stem().expect("a name").to_string_lossy().into_owned()
        };
        let mut names: Vec<String> = paths.map(name).collect();
        names.sort();
        assert_eq!(names, TARGETS.map(|target| target.name.to_owned()));
        for name in names {
            assert_eq!(target_of(&name).expect("it is listed").name, name);
        }
    }
}
