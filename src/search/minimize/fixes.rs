//! Which of the fixes a failure needs.

use crate::fix::{Defect, Fix, FixSet};
use crate::scenario::Case;
use crate::search::aim::{Aim, Model, Subject};

/// Sets of switches that are tried before those that one by one could not be taken out are said to
/// be needed.
const SETS_MAX: usize = 4096;

/// The fewest of the switches under which the case still fails the same way.
///
/// None of them can be taken out. That no smaller set of others would do was tried for up to 4096
/// sets, which are all there are of twelve switches.
///
/// ```
/// use freeorder::{fix::Preset, scenario::{Case, Scenario}, server::ServerKind};
/// use freeorder::violation::OracleName;
/// use freeorder::search::{aim::{Aim, Failure}, minimize::needed_fixes};
/// let text = "freeorder 1\nopen m0 1x1\nalloc b0 on m0 dram 1x32\ndeallocate b0\n";
/// let failure = Failure::Oracle(OracleName::DeviceLeak);
/// let aim = Aim { fixes: Preset::ThreeFixes.fixes(), server: ServerKind::K1, failure };
/// let case = Case::of(&text.parse::<Scenario>()?);
/// assert_eq!(needed_fixes(&case, aim).to_string(), "original+backing-first");
/// # Ok::<(), freeorder::scenario::ScenarioError>(())
/// ```
#[must_use]
pub fn needed_fixes(case: &Case, aim: Aim) -> FixSet {
    let fails = |fixes: FixSet| Model::new(Aim { fixes, ..aim }).fails(case).is_some();
    let mut needed = without_each(aim.fixes, fails);
    loop {
        let fewer = without_each(needed, fails);
        if fewer == needed {
            break;
        }
        needed = fewer;
    }
    fewest(aim.fixes, count(needed), fails).unwrap_or(needed)
}

/// Takes out each switch that can go.
fn without_each(fixes: FixSet, fails: impl Fn(FixSet) -> bool) -> FixSet {
    switches(fixes).into_iter().fold(fixes, |fixes, switch| {
        let fewer = switch.taken_from(fixes);
        if fails(fewer) { fewer } else { fixes }
    })
}

/// The first set of fewer than so many of the switches under which it fails, the smallest sets
/// first, among as many as [`SETS_MAX`].
fn fewest(fixes: FixSet, below: usize, fails: impl Fn(FixSet) -> bool) -> Option<FixSet> {
    let switches = switches(fixes);
    let none = switches.iter().fold(fixes, |fixes, switch| switch.taken_from(fixes));
    let mut sets = vec![(none, 0)];
    let mut tried = 0;
    for _ in 0..below {
        for &(set, _) in &sets {
            tried += 1;
            if tried > SETS_MAX {
                return None;
            }
            if fails(set) {
                return Some(set);
            }
        }
        let larger = sets.iter().flat_map(|&(set, from)| {
            let rest = switches.iter().enumerate().skip(from);
            rest.map(move |(index, switch)| (switch.put_into(set), index + 1))
        });
        sets = larger.take(SETS_MAX).collect();
    }
    None
}

fn count(fixes: FixSet) -> usize {
    switches(fixes).len()
}

/// A fix or a bug of the past.
#[derive(Clone, Copy, Debug)]
enum Switch {
    Fix(Fix),
    Defect(Defect),
}

impl Switch {
    fn taken_from(self, fixes: FixSet) -> FixSet {
        match self {
            Self::Fix(fix) => fixes.without(fix),
            Self::Defect(defect) => fixes.without_defect(defect),
        }
    }

    fn put_into(self, fixes: FixSet) -> FixSet {
        match self {
            Self::Fix(fix) => fixes.with(fix),
            Self::Defect(defect) => fixes.with_defect(defect),
        }
    }
}

fn switches(fixes: FixSet) -> Vec<Switch> {
    fixes.iter().map(Switch::Fix).chain(fixes.defects().map(Switch::Defect)).collect()
}
