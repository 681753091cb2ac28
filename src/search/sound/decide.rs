//! Every set of fixes decided at the cost of a few runs.
//!
//! A run reads some switches and no others, so that every set that agrees with it on those is
//! decided by it. What is left is cut into cubes along the switches that were read, and each is
//! asked in turn, until all sets are covered.

use rayon::prelude::*;

use crate::fix::{Fix, FixSet, Switches};

/// The sets that agree on some switches.
///
/// ```
/// use freeorder::fix::Preset;
/// use freeorder::search::sound::Cube;
/// assert_eq!(Cube::ALL.count(), 1 << 25);
/// assert!(Cube::ALL.contains(Preset::Final.fixes()));
/// ```
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Cube {
    /// The switches that are decided, a bit each.
    decided: u32,
    /// Which of those are set.
    set: u32,
}

impl Cube {
    /// Every set on both baselines.
    pub const ALL: Self = Self { decided: 0, set: 0 };

    /// How many sets it holds.
    #[must_use]
    pub fn count(self) -> u64 {
        1 << (Switches::COUNT - self.decided.count_ones())
    }

    /// Whether a set is one of them.
    #[must_use]
    pub fn contains(self, fixes: FixSet) -> bool {
        fixes.bits() & self.decided == self.set
    }

    /// The one with the fewest switches; all others contain it.
    #[must_use]
    pub fn fewest(self) -> FixSet {
        FixSet::from_bits(self.set)
    }

    /// The sets that are in both, if there are any.
    #[must_use]
    pub fn and(self, other: Self) -> Option<Self> {
        let agree = (self.set ^ other.set) & self.decided & other.decided == 0;
        let (decided, set) = (self.decided | other.decided, self.set | other.set);
        agree.then_some(Self { decided, set })
    }

    /// The same sets with a fix changed, if it is decided, and set or not as `with` says.
    pub(super) fn flipped(self, fix: Fix, with: bool) -> Option<Self> {
        let bit = 1 << fix as u8;
        let is_so = self.decided & bit != 0 && (self.set & bit != 0) == with;
        is_so.then_some(Self { set: self.set ^ bit, ..self })
    }

    /// The sets of it that agree with its fewest on what was read, and the rest in cubes.
    fn split(self, read: Switches) -> (Self, Vec<Self>) {
        let mut agreeing = self;
        let mut rest = Vec::new();
        // The baseline first: on one of them much less is read.
        for switch in (0..Switches::COUNT).rev().map(|index| 1 << index) {
            if read.bits() & switch & !self.decided != 0 {
                agreeing.decided |= switch;
                rest.push(Self { set: agreeing.set | switch, ..agreeing });
            }
        }
        (agreeing, rest)
    }
}

/// What a run says of the sets that agree with it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Decided<V> {
    /// The sets.
    pub cube: Cube,
    /// What holds of all of them.
    pub verdict: V,
}

/// Asks until every set of the cubes is covered; none if a question was not answered.
///
/// The answer names the switches that it depends on. The result does not depend on the number of
/// threads.
pub fn decide<V: Send>(
    cubes: &[Cube],
    ask: &(impl Fn(FixSet) -> Option<(V, Switches)> + Sync),
) -> Option<Vec<Decided<V>>> {
    // One question without an answer ends them all.
    let parts: Option<Vec<Vec<Decided<V>>>> =
        cubes.par_iter().map(|&cube| decide_cube(cube, ask)).collect();
    parts.map(|parts| parts.into_iter().flatten().collect())
}

fn decide_cube<V: Send>(
    cube: Cube,
    ask: &(impl Fn(FixSet) -> Option<(V, Switches)> + Sync),
) -> Option<Vec<Decided<V>>> {
    let (verdict, read) = ask(cube.fewest())?;
    let (cube, rest) = cube.split(read);
    let mut all = vec![Decided { cube, verdict }];
    all.append(&mut decide(&rest, ask)?);
    Some(all)
}

#[cfg(test)]
mod tests {
    use super::*;

    /// A set that two cubes claim, or none, would be counted wrongly, or be decided by nothing.
    #[test]
    fn cubes_cover_every_set_once() {
        let ask = |fixes: FixSet| {
            let read = Switches::NONE.with(Fix::GuardMark).with(Fix::OwnerFanOut);
            let read = if fixes.has(Fix::OwnerFanOut) { read.with(Fix::TypedKey) } else { read };
            Some((fixes.has(Fix::GuardMark) && fixes.has(Fix::TypedKey), read))
        };
        let decided = decide(&[Cube::ALL], &ask).expect("every question is answered");
        assert_eq!(decided.iter().map(|one| one.cube.count()).sum::<u64>(), Cube::ALL.count());
        for bits in (0..1 << Switches::COUNT).step_by(4099) {
            let set = FixSet::from_bits(bits);
            assert_eq!(decided.iter().filter(|one| one.cube.contains(set)).count(), 1, "{set}");
        }
    }
}
