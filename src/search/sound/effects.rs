//! What each fix does, told by what each oracle says of each scenario.

use super::diagram::Diagrams;
use super::proof::Proofs;
use super::{Change, Decided, Effect, Minimal};
use crate::fix::{Fix, FixSet};

/// What a fix does; it is needed if it is in one of the minimal sets.
pub(super) fn effect(
    fix: Fix,
    minimal: &[Minimal],
    (decided, diagrams): (&[Decided], &Diagrams),
    proofs: &Proofs<'_>,
) -> Effect {
    let mut needs = minimal.iter().flat_map(|one| &one.needs);
    let need = needs.find(|change| change.fix == fix).cloned();
    let change = |helps| smallest(fix, helps, (decided, diagrams)).map(|one| one.proven(proofs));
    Effect { fix, need, helps: change(true), harms: change(false) }
}

/// A change before it is proven.
struct Found<'a> {
    decided: &'a Decided,
    change: Change,
}

impl Found<'_> {
    fn proven(self, proofs: &Proofs<'_>) -> Change {
        let Self { decided, change } = self;
        let proof = proofs.difference(&decided.question, change.oracle, change.sets());
        Change { proof, ..change }
    }
}

/// The change that takes the least: the fewest operations and other fixes together.
fn smallest<'a>(
    fix: Fix,
    helps: bool,
    (decided, diagrams): (&'a [Decided], &Diagrams),
) -> Option<Found<'a>> {
    let mut best: Option<(usize, Found<'_>)> = None;
    // What fails first says nothing of what else does.
    for one in decided.iter().filter(|one| one.question.is_whole()) {
        let operations = one.question.case().ops.len();
        if best.as_ref().is_some_and(|&(least, _)| least <= operations) {
            break;
        }
        if !diagrams.depends_on(one.node, fix) {
            continue;
        }
        for oracle in one.sometimes().iter() {
            let wanted = ([oracle].into_iter().collect(), !helps);
            let Some(others) = diagrams.flips(one.node, fix, wanted) else { continue };
            let size = operations + others.iter().count();
            if best.as_ref().is_none_or(|&(least, _)| size < least) {
                let scenario = one.name.clone();
                let change = Change { fix, scenario, oracle, others, helps, proof: None };
                best = Some((size, Found { decided: one, change }));
            }
        }
    }
    best.map(|(_, found)| found)
}

impl Change {
    /// The set under which the oracle passes, and the one under which it fails.
    #[must_use]
    pub fn sets(&self) -> [FixSet; 2] {
        let (without, with) = (self.others.without(self.fix), self.others.with(self.fix));
        if self.helps { [with, without] } else { [without, with] }
    }
}
