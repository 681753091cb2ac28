//! The form in which a search of all sets is printed.

use schemars::JsonSchema;
use serde::Serialize;

use crate::scenario::{Case, Class};
use crate::search::sound::{
    Branch, Change, Conflict, Effect, Impossible, Minimal, OracleSet, ServerSearch, Undecided,
    Verdict,
};

/// What `freeorder matrix --search --format json` prints.
#[derive(Clone, Debug, Serialize, JsonSchema)]
pub struct SearchTable {
    /// The version of this form.
    pub version: u32,
    /// The fixes that a set may have.
    pub fixes: usize,
    /// The sets: every combination of those, on either baseline.
    pub sets: u64,
    /// What ended the search too early: states, memory, time or interrupted; null if nothing did.
    pub stopped: Option<String>,
    /// What the search came to under each server.
    pub servers: Vec<SearchServer>,
}

/// What the search came to under one server.
#[derive(Clone, Debug, Serialize, JsonSchema)]
pub struct SearchServer {
    /// The server.
    pub server: String,
    /// Verdicts that were reached by running a set: a scenario each. None of them is counted twice.
    pub runs: u64,
    /// Verdicts that followed from those, since the sets agree on every switch that was read.
    pub followed: u64,
    /// Runs that made proofs small, and decided nothing.
    pub proof_runs: u64,
    /// The scenarios that were not decided; nothing below takes them into account.
    pub undecided: Vec<SearchUndecided>,
    /// What fails under every set in scenarios of class lifecycle.
    pub impossible: Vec<SearchImpossible>,
    /// What of the rest can be had together: every choice to which nothing can be added. The first
    /// gives up something in the fewest scenarios, and of those does the least harm by it.
    pub branches: Vec<SearchBranch>,
    /// What each fix does to what the oracles say.
    pub effects: Vec<SearchEffect>,
    /// Each scenario, the shortest first.
    pub scenarios: Vec<SearchScenario>,
}

/// A scenario that was not decided.
#[derive(Clone, Debug, Serialize, JsonSchema)]
pub struct SearchUndecided {
    /// The scenario.
    pub scenario: String,
    /// What ended it: states, memory, time or interrupted.
    pub stopped: String,
}

/// Properties that hold together, such that no other one holds with all of them.
#[derive(Clone, Debug, Serialize, JsonSchema)]
pub struct SearchBranch {
    /// The sets under which they hold.
    pub passing: u64,
    /// Those from which no fix can be taken.
    pub minimal: Vec<SearchMinimal>,
    /// What fails under each of the sets, and not under every set.
    pub gives_up: Vec<SearchGivenUp>,
    /// The worst of that, null if nothing is given up: damage to what is somebody else's; loss of
    /// memory; a wrong count; a message without a counterpart.
    pub worst: Option<String>,
    /// Something of that which the first branch keeps; in the first branch, which another keeps.
    pub conflict: Option<SearchConflict>,
}

/// What fails in a scenario.
#[derive(Clone, Debug, Serialize, JsonSchema)]
pub struct SearchGivenUp {
    /// The scenario.
    pub scenario: String,
    /// The oracles.
    pub oracles: Vec<String>,
}

/// An oracle that one branch gives up and another keeps.
#[derive(Clone, Debug, Serialize, JsonSchema)]
pub struct SearchConflict {
    /// The scenario.
    pub scenario: String,
    /// The oracle.
    pub oracle: String,
    /// A set of the branch that gives it up.
    pub fails: String,
    /// A set of the other branch.
    pub passes: String,
    /// The smallest scenario in which it fails under the one and not under the other; null if the
    /// search was ended before.
    pub proof: Option<String>,
}

/// A set that passes, and from which no fix can be taken.
#[derive(Clone, Debug, Serialize, JsonSchema)]
pub struct SearchMinimal {
    /// The set.
    pub fixes: String,
    /// What fails without each of its fixes; only of the sets of the first choice.
    pub needs: Vec<SearchChange>,
}

/// An oracle that says something else with a fix than without it.
#[derive(Clone, Debug, Serialize, JsonSchema)]
pub struct SearchChange {
    /// The fix.
    pub fix: String,
    /// The scenario.
    pub scenario: String,
    /// The oracle.
    pub oracle: String,
    /// The set without the fix.
    pub others: String,
    /// Whether the oracle fails without the fix; otherwise it fails with it.
    pub helps: bool,
    /// The smallest scenario that shows it; null if the search was ended before.
    pub proof: Option<String>,
}

/// An oracle that fails in a scenario under every set.
#[derive(Clone, Debug, Serialize, JsonSchema)]
pub struct SearchImpossible {
    /// The scenario.
    pub scenario: String,
    /// The oracle.
    pub oracle: String,
    /// What it asks.
    pub property: String,
    /// The smallest scenario in which it fails under every set; null if different orderings fail
    /// under different sets.
    pub smallest: Option<String>,
}

/// What a fix does to what the oracles say.
#[derive(Clone, Debug, Serialize, JsonSchema)]
pub struct SearchEffect {
    /// The fix.
    pub fix: String,
    /// `needed` by a minimal set of the first branch; `changes` what some oracle says in the
    /// company of some fixes; or `nothing`, in no decided scenario, with no other fixes.
    pub effect: String,
    /// What fails without it and the rest of a minimal set; null if it is in none.
    pub need: Option<SearchChange>,
    /// The least that it takes for an oracle to fail without it and not with it; null if there is
    /// nothing.
    pub helps: Option<SearchChange>,
    /// The least that it takes for an oracle to fail with it and not without it; null if there is
    /// nothing.
    pub harms: Option<SearchChange>,
    /// In how many scenarios it was asked what it does, each under every set.
    pub scenarios: u64,
}

/// A scenario under one server.
#[derive(Clone, Debug, Serialize, JsonSchema)]
pub struct SearchScenario {
    /// Its name.
    pub scenario: String,
    /// Whose affair its failure is.
    pub class: String,
    /// What it says of itself; null if it says nothing.
    pub because: Option<String>,
    /// In how many orderings, as a decimal number; null if that depends on what threads meet.
    pub orderings: Option<String>,
    /// Whether all that fails was asked; of a very long one it is only asked whether anything does.
    pub whole: bool,
    /// The sets that were run.
    pub runs: u64,
    /// The sets under which nothing else fails than what fails under every set.
    pub passing: u64,
    /// The oracles that fail under every set.
    pub always: Vec<String>,
    /// The smallest sets that spare what does not fail under every set.
    pub mended: Vec<SearchMended>,
}

/// Oracles of a scenario that one set spares.
#[derive(Clone, Debug, Serialize, JsonSchema)]
pub struct SearchMended {
    /// The set.
    pub fixes: String,
    /// The oracles.
    pub oracles: Vec<String>,
}

impl From<&ServerSearch> for SearchServer {
    fn from(found: &ServerSearch) -> Self {
        let whole = found.verdicts.iter().filter(|verdict| verdict.is_whole).count() as u64;
        let effect = |effect| SearchEffect { scenarios: whole, ..SearchEffect::from(effect) };
        Self {
            server: found.server.name().to_owned(),
            runs: found.runs(),
            followed: found.followed(),
            proof_runs: found.proof_runs,
            undecided: found.undecided.iter().map(SearchUndecided::from).collect(),
            impossible: found.impossible.iter().map(SearchImpossible::from).collect(),
            branches: found.branches.iter().map(SearchBranch::from).collect(),
            effects: found.effects.iter().map(effect).collect(),
            scenarios: found.verdicts.iter().map(SearchScenario::from).collect(),
        }
    }
}

fn names(oracles: OracleSet) -> Vec<String> {
    oracles.iter().map(|oracle| oracle.name().to_owned()).collect()
}

fn text(case: &Case) -> String {
    case.scenario().to_string()
}

impl From<&Undecided> for SearchUndecided {
    fn from(one: &Undecided) -> Self {
        Self { scenario: one.scenario.clone(), stopped: one.stop.name().to_owned() }
    }
}

impl From<&Branch> for SearchBranch {
    fn from(branch: &Branch) -> Self {
        let gives_up = branch.gives_up.iter();
        let given_up = |(scenario, oracles): &(String, OracleSet)| SearchGivenUp {
            scenario: scenario.clone(),
            oracles: names(*oracles),
        };
        Self {
            passing: branch.passing,
            minimal: branch.minimal.iter().map(SearchMinimal::from).collect(),
            gives_up: gives_up.map(given_up).collect(),
            worst: branch.worst.map(|harm| harm.name().to_owned()),
            conflict: branch.conflict.as_ref().map(SearchConflict::from),
        }
    }
}

impl From<&Conflict> for SearchConflict {
    fn from(one: &Conflict) -> Self {
        Self {
            scenario: one.scenario.clone(),
            oracle: one.oracle.name().to_owned(),
            fails: one.fails.to_string(),
            passes: one.passes.to_string(),
            proof: one.proof.as_ref().map(text),
        }
    }
}

impl From<&Minimal> for SearchMinimal {
    fn from(minimal: &Minimal) -> Self {
        let needs = minimal.needs.iter().map(SearchChange::from);
        Self { fixes: minimal.fixes.to_string(), needs: needs.collect() }
    }
}

impl From<&Change> for SearchChange {
    fn from(change: &Change) -> Self {
        Self {
            fix: change.fix.name().to_owned(),
            scenario: change.scenario.clone(),
            oracle: change.oracle.name().to_owned(),
            others: change.others.to_string(),
            helps: change.helps,
            proof: change.proof.as_ref().map(text),
        }
    }
}

impl From<&Impossible> for SearchImpossible {
    fn from(one: &Impossible) -> Self {
        Self {
            scenario: one.scenario.clone(),
            oracle: one.oracle.name().to_owned(),
            property: one.oracle.asks().to_owned(),
            smallest: one.smallest.as_ref().map(text),
        }
    }
}

impl From<&Effect> for SearchEffect {
    fn from(one: &Effect) -> Self {
        let effect = match one {
            Effect { need: Some(_), .. } => "needed",
            Effect { helps: None, harms: None, .. } => "nothing",
            Effect { .. } => "changes",
        };
        Self {
            fix: one.fix.name().to_owned(),
            effect: effect.to_owned(),
            need: one.need.as_ref().map(SearchChange::from),
            helps: one.helps.as_ref().map(SearchChange::from),
            harms: one.harms.as_ref().map(SearchChange::from),
            scenarios: 0,
        }
    }
}

impl From<&Verdict> for SearchScenario {
    fn from(verdict: &Verdict) -> Self {
        let mended = verdict.mended.iter();
        let mended = mended.map(|(oracles, fixes)| SearchMended {
            fixes: fixes.to_string(),
            oracles: names(*oracles),
        });
        Self {
            scenario: verdict.name.clone(),
            class: verdict.class.name().to_owned(),
            because: verdict.because.clone(),
            orderings: verdict.orderings.clone(),
            whole: verdict.is_whole,
            runs: verdict.runs,
            passing: verdict.passing,
            always: names(verdict.always),
            mended: mended.collect(),
        }
    }
}

impl SearchScenario {
    /// Whether it is the runtime's affair.
    pub fn is_of_lifecycle(&self) -> bool {
        self.class == Class::Lifecycle.name()
    }
}
