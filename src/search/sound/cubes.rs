//! Sets of sets of fixes, as disjoint cubes.

use super::Cube;
use crate::fix::{Fix, FixSet};

/// Many sets of fixes.
///
/// ```
/// use freeorder::fix::Preset;
/// use freeorder::search::sound::Cubes;
/// assert!(Cubes::all().contains(Preset::Guard.fixes()));
/// ```
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Cubes(Vec<Cube>);

impl Cubes {
    /// The sets of the cubes, no two of which may have one in common.
    #[must_use]
    pub(super) fn new(cubes: Vec<Cube>) -> Self {
        Self(cubes)
    }

    /// Every set on both baselines.
    #[must_use]
    pub fn all() -> Self {
        Self(vec![Cube::ALL])
    }

    pub(super) fn cubes(&self) -> &[Cube] {
        &self.0
    }

    /// Whether there is none.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.0.is_empty()
    }

    /// How many sets there are.
    #[must_use]
    pub fn count(&self) -> u64 {
        self.0.iter().map(|cube| cube.count()).sum()
    }

    /// Whether a set is one of them.
    #[must_use]
    pub fn contains(&self, fixes: FixSet) -> bool {
        self.0.iter().any(|cube| cube.contains(fixes))
    }

    /// The sets that are in both.
    #[must_use]
    pub fn and(&self, others: &Self) -> Self {
        let pairs = self.0.iter().flat_map(|&one| others.0.iter().map(move |&other| (one, other)));
        Self(pairs.filter_map(|(one, other)| one.and(other)).collect())
    }

    /// The sets of which no part is here: on the same baseline, with fewer fixes.
    #[must_use]
    pub fn minimal(&self) -> Vec<FixSet> {
        let fewest: Vec<FixSet> = self.0.iter().map(|cube| cube.fewest()).collect();
        let contains = |set: FixSet, part: FixSet| {
            let same = set.baseline() == part.baseline();
            same && set != part && part.bits() & !set.bits() == 0
        };
        let is_minimal = |&set: &FixSet| !fewest.iter().any(|&part| contains(set, part));
        let mut minimal: Vec<FixSet> = fewest.iter().copied().filter(is_minimal).collect();
        minimal.sort_by_key(|set| (set.baseline(), set.iter().count(), set.bits()));
        minimal.dedup();
        minimal
    }

    /// Whether some set is here with the fix and not without it; or, if `with` is false, without it
    /// and not with it.
    #[must_use]
    pub fn needs(&self, fix: Fix, with: bool) -> bool {
        let flipped = self.0.iter().filter_map(|cube| cube.flipped(fix, with));
        flipped.into_iter().any(|cube| {
            let covered = self.0.iter().filter_map(|&other| cube.and(other));
            covered.map(Cube::count).sum::<u64>() < cube.count()
        })
    }
}
