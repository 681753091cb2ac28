//! Which of the fixes a failure needs.

use crate::fix::FixSet;
use crate::scenario::Case;
use crate::search::aim::{Aim, Model, Subject};

/// The fewest switches under which the case still fails the same way: each is taken out, in the
/// order of the tables, and stays out if the failure stays.
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
    let mut needed = aim.fixes;
    let fails = |fixes: FixSet| Model::new(Aim { fixes, ..aim }).fails(case).is_some();
    for fix in aim.fixes.iter() {
        if fails(needed.without(fix)) {
            needed = needed.without(fix);
        }
    }
    for defect in aim.fixes.defects() {
        if fails(needed.without_defect(defect)) {
            needed = needed.without_defect(defect);
        }
    }
    needed
}
