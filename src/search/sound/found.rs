//! What a search comes to.

use super::{Diagrams, Harm, Node, OracleSet, SETS};
use crate::fix::{Fix, FixSet};
use crate::scenario::{Case, Class};
use crate::search::explore::Stop;
use crate::server::ServerKind;
use crate::violation::OracleName;

/// What the search came to under one server.
#[derive(Clone, Debug)]
pub struct ServerSearch {
    /// The server.
    pub server: ServerKind,
    /// Each scenario that was decided, the shortest first.
    pub verdicts: Vec<Verdict>,
    /// Those that were not; nothing below takes them into account.
    pub undecided: Vec<Undecided>,
    /// What fails under every set in scenarios of class lifecycle.
    pub impossible: Vec<Impossible>,
    /// What of the rest can be had together: every choice to which nothing can be added. The first
    /// gives up something in the fewest scenarios, and of those does the least [`Harm`] by it.
    pub branches: Vec<Branch>,
    /// What each fix does.
    pub effects: Vec<Effect>,
    /// The runs that it took to make proofs small; they decided nothing.
    pub proof_runs: u64,
    pub(super) diagrams: Diagrams,
}

impl ServerSearch {
    /// The sets that were run, over all scenarios.
    #[must_use]
    pub fn runs(&self) -> u64 {
        self.verdicts.iter().map(|verdict| verdict.runs).sum()
    }

    /// The verdicts that followed from those runs, over all scenarios.
    #[must_use]
    pub fn followed(&self) -> u64 {
        self.verdicts.len() as u64 * SETS - self.runs()
    }

    /// Whether a set keeps everything that a branch does.
    #[must_use]
    pub fn keeps(&self, branch: &Branch, fixes: FixSet) -> bool {
        !self.diagrams.at(branch.sets, fixes).is_empty()
    }

    /// The oracles that fail in a decided scenario under a set, or, if it is too long to ask for
    /// all, at least one of them.
    #[must_use]
    pub fn failing(&self, verdict: &Verdict, fixes: FixSet) -> OracleSet {
        self.diagrams.at(verdict.failing, fixes)
    }
}

/// One scenario under one server, under every set.
#[derive(Clone, Debug)]
pub struct Verdict {
    /// Its name.
    pub name: String,
    /// Whose affair its failure is.
    pub class: Class,
    /// What it says of itself, if anything.
    pub because: Option<String>,
    /// In how many orderings it was run; none if that depends on what its threads meet.
    pub orderings: Option<String>,
    /// The sets that were run; all others agree with one of them on whatever it read.
    pub runs: u64,
    /// How many sets fail no oracle but those that always do.
    pub passing: u64,
    /// The oracles that fail under every set.
    pub always: OracleSet,
    /// The oracles that fail under some sets and not under others, and for each the smallest set
    /// that spares it; as many of them as possible are spared by one set.
    pub mended: Vec<(OracleSet, FixSet)>,
    /// Whether all that fails was asked, and not only what fails first.
    pub is_whole: bool,
    /// What fails under each set.
    pub(super) failing: Node,
}

/// A scenario that was not decided: the search was ended, or the scenario has more states in its
/// orderings than there may be.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Undecided {
    /// Its name.
    pub scenario: String,
    /// What ended it.
    pub stop: Stop,
}

/// A scenario of class lifecycle in which something fails under every set.
#[derive(Clone, Debug)]
pub struct Impossible {
    /// Its name.
    pub scenario: String,
    /// The oracle that fails under every set.
    pub oracle: OracleName,
    /// The smallest case in which it fails under every set; none if the lines as they stand do not
    /// fail so, but different orderings under different sets.
    pub smallest: Option<Case>,
}

/// What holds together, such that nothing else holds with all of it.
#[derive(Clone, Debug)]
pub struct Branch {
    /// How many sets keep all of it.
    pub passing: u64,
    /// Those of them from which no fix can be taken; only of the first branch with reasons.
    pub minimal: Vec<Minimal>,
    /// Scenarios, each with the oracles that fail in it under every set that keeps all the rest.
    pub gives_up: Vec<(String, OracleSet)>,
    /// The worst that is given up.
    pub worst: Option<Harm>,
    /// What excludes what: something that is given up here and kept in the first branch; in the
    /// first branch, something that is kept in another.
    pub conflict: Option<Conflict>,
    pub(super) sets: Node,
}

/// An oracle that one branch gives up and another keeps.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Conflict {
    /// The scenario.
    pub scenario: String,
    /// The oracle.
    pub oracle: OracleName,
    /// A minimal set of the branch that gives it up.
    pub fails: FixSet,
    /// A minimal set of the branch that keeps it.
    pub passes: FixSet,
    /// The smallest ordering in which it fails under the one and not under the other.
    pub proof: Option<Case>,
}

/// A set that passes, and from which no fix can be taken.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Minimal {
    /// The set.
    pub fixes: FixSet,
    /// Why each of its fixes is needed.
    pub needs: Vec<Change>,
}

/// An oracle that says something else of a scenario with a fix than without it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Change {
    /// The fix.
    pub fix: Fix,
    /// The scenario.
    pub scenario: String,
    /// The oracle.
    pub oracle: OracleName,
    /// The other fixes that it takes.
    pub others: FixSet,
    /// Whether the oracle fails without the fix; otherwise it fails with it.
    pub helps: bool,
    /// The smallest ordering that shows it; none if it was not looked for to the end.
    pub proof: Option<Case>,
}

/// What a fix does to what the oracles say; nothing, in all that was decided, if all is none.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Effect {
    /// The fix.
    pub fix: Fix,
    /// What fails without it in the company of the rest of a minimal set of the first branch.
    pub need: Option<Change>,
    /// The least that it takes for an oracle to fail without it and not with it.
    pub helps: Option<Change>,
    /// The least that it takes for an oracle to fail with it and not without it.
    pub harms: Option<Change>,
}
