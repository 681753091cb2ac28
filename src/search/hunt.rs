//! How soon a search meets the bugs of the catalogue, and how short it makes what it found.
//!
//! From each seed comes a stream of generated cases. They are run one after another until one fails
//! by the bug, and not without it; that one is minimized as `freeorder minimize` does it, with the
//! enumeration of what is shorter; since it is a difference, that is also looked for in other
//! words.

use rayon::prelude::*;

use super::aim::{Model, Subject};
use super::catalogue::Entry;
use super::enumerate::Limits;
use super::minimize::{Options, minimize_by_enumeration};
use crate::choice::Seeded;
use crate::generate::{self, Order, Profile};
use crate::journal::mix;
use crate::scenario::Case;

/// How many states are looked at for what is shorter than a catch.
const STATES_MAX: u64 = 50_000;

/// A bug that was met.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Catch {
    /// The number of its case in the stream, from 0.
    pub nth: u64,
    /// Operations that were executed with the bug until it was seen.
    pub operations: u64,
    /// The case as it was generated.
    pub case: Case,
    /// The case after reduction.
    pub minimized: Case,
}

/// What came of one bug and all seeds.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Hunt<'a> {
    /// The bug.
    pub entry: &'a Entry,
    /// For each seed, the bug if it was met.
    pub catches: Vec<Option<Catch>>,
}

impl Hunt<'_> {
    /// For how many seeds the bug was met.
    #[must_use]
    pub fn found(&self) -> usize {
        self.catches.iter().flatten().count()
    }

    /// How many operations it took, where it was met, the fewest first.
    #[must_use]
    pub fn operations(&self) -> Vec<u64> {
        let mut operations: Vec<u64> =
            self.catches.iter().flatten().map(|one| one.operations).collect();
        operations.sort_unstable();
        operations
    }

    /// The minimized cases that are shorter than the reproducer of which no shorter one was known.
    pub fn shorter(&self) -> impl Iterator<Item = &Case> {
        let optimum = self.entry.optimum.map_or(0, |optimum| optimum.length);
        let minimized = self.catches.iter().flatten().map(|one| &one.minimized);
        minimized.filter(move |case| case.ops.len() < optimum)
    }

    /// How many operations the reproducers have, the fewest first.
    #[must_use]
    pub fn lengths(&self) -> Vec<u64> {
        let mut lengths: Vec<u64> =
            self.catches.iter().flatten().map(|one| one.minimized.ops.len() as u64).collect();
        lengths.sort_unstable();
        lengths
    }
}

/// The value below which a part of the sorted values lies: 0.5 is the median; none without values.
#[must_use]
pub fn quantile(sorted: &[u64], part: f64) -> Option<u64> {
    let place = (part * sorted.len() as f64).ceil() as usize;
    sorted.get(place.max(1) - 1).copied()
}

/// The case of that number in the stream of a seed.
#[must_use]
pub fn nth_case(profile: Profile, seed: u64, nth: u64) -> Case {
    generate::case(profile, Order::Urw, &mut Seeded::new(mix(seed, nth)))
}

/// Draws cases until the bug is met, or so many operations are executed.
#[must_use]
pub fn hunt(entry: &Entry, seed: u64, operations_max: u64) -> Option<Catch> {
    let mut model = Model::new(entry.aim());
    let mut operations = 0;
    for nth in 0.. {
        let case = nth_case(entry.profile, seed, nth);
        let Some(steps) = model.fails(&case) else {
            operations += case.ops.len() as u64;
            if operations > operations_max {
                break;
            }
            continue;
        };
        operations += steps.min(case.ops.len()) as u64;
        if operations > operations_max {
            break;
        }
        let limits = Limits::states(STATES_MAX);
        let reduced = minimize_by_enumeration(&case, &mut model, &mut Options::default(), limits);
        let minimized = reduced.expect("the case has just failed").case;
        return Some(Catch { nth, operations, case, minimized });
    }
    None
}

/// Hunts for all bugs from the seeds 0 up to `seeds`, in parallel, with results in order.
#[must_use]
pub fn hunt_all(entries: &[Entry], seeds: u64, operations_max: u64) -> Vec<Hunt<'_>> {
    let bugs: Vec<&Entry> = entries.iter().filter(|entry| entry.optimum.is_some()).collect();
    let tasks: Vec<(&Entry, u64)> =
        bugs.iter().flat_map(|&entry| (0..seeds).map(move |seed| (entry, seed))).collect();
    let catches = tasks.into_par_iter().map(|(entry, seed)| hunt(entry, seed, operations_max));
    let mut catches = catches.collect::<Vec<_>>().into_iter();
    let of_entry = |entry| Hunt { entry, catches: catches.by_ref().take(seeds as usize).collect() };
    bugs.into_iter().map(of_entry).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    /// The quantile of the nearest rank: always a value that was measured.
    #[test]
    fn quantiles_are_measured_values() {
        assert_eq!(quantile(&[], 0.5), None);
        assert_eq!(quantile(&[7], 0.9), Some(7));
        let tens: Vec<u64> = (1..=10).map(|ten| 10 * ten).collect();
        assert_eq!(quantile(&tens, 0.5), Some(50));
        assert_eq!(quantile(&tens, 0.9), Some(90));
        assert_eq!(quantile(&tens, 1.0), Some(100));
    }
}
