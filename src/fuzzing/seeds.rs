//! Scenarios as the inputs with which the targets start.

use rayon::prelude::*;

use super::TestCase;
use super::canary::Canary;
use super::fix_pairs::FixPairs;
use super::orderings::{self, Ordering};
use super::scenario_text::Text;
use crate::fix::Preset;
use crate::generate::{Profile, canonical, encode, from_bytes};
use crate::scenario::Case;
use crate::server::ServerKind;

/// A scenario from which seeds are made.
#[derive(Clone, Debug)]
pub struct Source {
    /// What its seeds are called.
    pub name: String,
    /// What of it decides how it runs.
    pub case: Case,
    /// Its text.
    pub text: String,
}

/// An input of a target.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Seed {
    /// The scenario that it stands for.
    pub name: String,
    /// The bytes.
    pub bytes: Vec<u8>,
}

/// The longest program that becomes a seed: a fuzzer is fast on short inputs.
const OPERATIONS_MAX: usize = 200;

/// The inputs of each target that reads scenarios. A program that the profile of a target does not
/// draw is no input of it, and one that fails already is no beginning.
#[must_use]
pub fn seeds(sources: &[Source]) -> Vec<(&'static str, Vec<Seed>)> {
    let orderings = programs(sources, orderings::profile());
    let programs = programs(sources, Profile::Lifecycle);
    let pairs = programs.iter().enumerate().map(|(at, seed)| {
        // Every base and every server has its turn.
        let base = Preset::ALL[at % Preset::ALL.len()];
        let server = ServerKind::ALL[at % ServerKind::ALL.len()];
        let prefix = FixPairs::prefix(base, server).into_iter();
        Seed { bytes: prefix.chain(seed.bytes.iter().copied()).collect(), ..seed.clone() }
    });
    let pairs = pairs.collect();
    let texts = sources.iter().map(|source| {
        let bytes = source.text.clone().into_bytes();
        Seed { name: source.name.clone(), bytes }
    });
    vec![
        ("canary", passing::<Canary>(programs)),
        ("fix_pairs", passing::<FixPairs>(pairs)),
        ("orderings", passing::<Ordering>(orderings)),
        ("scenario_text", passing::<Text>(texts.collect())),
    ]
}

fn passing<T: TestCase>(seeds: Vec<Seed>) -> Vec<Seed> {
    seeds.into_iter().filter(|seed| T::of(&seed.bytes).check().is_ok()).collect()
}

/// The programs that the profile draws, as bytes.
fn programs(sources: &[Source], profile: Profile) -> Vec<Seed> {
    let short = |source: &&Source| source.case.ops.len() <= OPERATIONS_MAX;
    let read = sources.par_iter().filter(short).filter_map(|source| {
        let bytes = encode(profile, &source.case).ok()?;
        let same = from_bytes(profile, &bytes) == canonical(&source.case);
        same.then(|| Seed { name: source.name.clone(), bytes })
    });
    read.collect()
}
