//! The search: which sets of fixes pass, which of them are minimal, and what no set can change.

use std::sync::atomic::AtomicU64;

use super::branches::{Condition, Kept, branches, conditions};
use super::effects::effect;
use super::proof::Proofs;
use super::{
    Bounds, Branch, Change, Conflict, Decision, Diagrams, Harm, Impossible, Minimal, Node,
    OracleSet, Question, ServerSearch, Undecided, Verdict, decide,
};
use crate::fix::{FIXES, Fix, FixSet};
use crate::scenario::{Class, Item, Scenario};
use crate::search::matrix::Named;
use crate::server::ServerKind;
use crate::violation::OracleName;

/// Who hears of a search, and what ends it.
#[derive(Clone, Copy)]
pub struct Watch<'a> {
    /// Where it gives up.
    pub bounds: Bounds<'a>,
    /// Told when a scenario is decided under a server, or given up.
    pub progress: &'a (dyn Fn(&str, ServerKind) + Sync),
}

impl std::fmt::Debug for Watch<'_> {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Watch").field("bounds", &self.bounds).finish_non_exhaustive()
    }
}

impl Default for Watch<'_> {
    fn default() -> Self {
        Self { bounds: Bounds::default(), progress: &|_, _| () }
    }
}

/// A scenario that was decided.
#[derive(Clone, Debug)]
pub(in crate::search::sound) struct Decided {
    pub(in crate::search::sound) name: String,
    pub(in crate::search::sound) class: Class,
    pub(in crate::search::sound) question: Question,
    because: Option<String>,
    runs: u64,
    /// What fails under each set.
    pub(in crate::search::sound) node: Node,
    /// What fails under every set.
    always: OracleSet,
    /// What fails under some set.
    ever: OracleSet,
}

impl Decided {
    /// What fails under some sets and not under others.
    pub(in crate::search::sound) fn sometimes(&self) -> OracleSet {
        self.ever.without(self.always)
    }
}

/// Decides every set over the scenarios, under one server.
///
/// ```
/// use freeorder::{corpus, fix::Fix, server::ServerKind};
/// use freeorder::search::{matrix::Named, sound::{Watch, search}};
/// let file = corpus::CLAIMS.iter().find(|file| file.name == "s-throwleak").expect("it is there");
/// let named = Named { name: file.name.to_owned(), scenario: file.scenario()? };
/// let found = search(&[named], ServerKind::Shm, Watch::default());
/// let mut minimal = found.branches.iter().flat_map(|branch| &branch.minimal);
/// assert!(minimal.all(|minimal| minimal.fixes.has(Fix::AtomicAllocation)));
/// # Ok::<(), freeorder::scenario::ScenarioError>(())
/// ```
#[must_use]
pub fn search(scenarios: &[Named], server: ServerKind, watch: Watch<'_>) -> ServerSearch {
    let mut sorted: Vec<&Named> = scenarios.iter().collect();
    sorted.sort_by_key(|named| (named.scenario.ops().count(), &named.name));
    let (mut decided, mut undecided) = (Vec::new(), Vec::new());
    let mut diagrams = Diagrams::default();
    for named in sorted {
        let question = Question::of(&named.scenario, server);
        match decide(&|fixes| question.ask(fixes, &watch.bounds)) {
            Ok(decision) => {
                decided.push(Decided::new(named, question, (&decision, &mut diagrams)));
            }
            Err(stop) => undecided.push(Undecided { scenario: named.name.clone(), stop }),
        }
        (watch.progress)(&named.name, server);
    }
    let proofs = Proofs { bounds: watch.bounds, runs: AtomicU64::new(0) };
    let verdicts = decided.iter().map(|one| one.verdict(&mut diagrams)).collect();
    let conditions = conditions(&decided, &mut diagrams);
    // Where nothing was decided nothing is known to hold.
    let is_any = !decided.is_empty();
    let kept = if is_any { branches(&conditions, &mut diagrams) } else { Vec::new() };
    let context = Context { decided: &decided, conditions: &conditions, proofs: &proofs };
    let branches = context.branches(&kept, &diagrams);
    let minimal = branches.first().map_or(&[][..], |branch| &branch.minimal);
    let all = (&decided[..], &diagrams);
    let effects = FIXES.iter().map(|info| effect(info.fix, minimal, all, &proofs)).collect();
    let impossible = impossible(&decided, &proofs);
    let proof_runs = proofs.runs.into_inner();
    ServerSearch {
        server,
        verdicts,
        undecided,
        impossible,
        branches,
        effects,
        proof_runs,
        diagrams,
    }
}

impl Decided {
    fn new(
        named: &Named,
        question: Question,
        (decision, diagrams): (&Decision<OracleSet>, &mut Diagrams),
    ) -> Self {
        let node = diagrams.of(decision);
        let values = diagrams.values(node);
        Self {
            name: named.name.clone(),
            class: named.scenario.class(),
            because: because(&named.scenario),
            runs: decision.leaves(),
            always: values.iter().fold(OracleSet::ALL, |all, &one| all.and(one)),
            ever: values.iter().fold(OracleSet::NONE, |all, &one| all.or(one)),
            question,
            node,
        }
    }

    fn verdict(&self, diagrams: &mut Diagrams) -> Verdict {
        let sometimes = self.sometimes();
        let passing = diagrams.sparing(self.node, sometimes);
        Verdict {
            name: self.name.clone(),
            class: self.class,
            because: self.because.clone(),
            orderings: self.question.orderings(),
            runs: self.runs,
            passing: diagrams.count(passing),
            always: self.always,
            mended: mended(self.node, sometimes, diagrams),
            is_whole: self.question.is_whole(),
            failing: self.node,
        }
    }
}

/// What a scenario says of itself: the comment that it begins with.
fn because(scenario: &Scenario) -> Option<String> {
    let head = scenario.lines.iter().take_while(|line| line.item == Item::Blank);
    let words = head.map_while(|line| line.comment.as_deref()).map(str::trim);
    let words: Vec<&str> = words.take_while(|line| !line.starts_with("https://")).collect();
    (!words.is_empty()).then(|| words.join(" "))
}

/// The smallest set that spares all of these oracles; if there is none, one for as many as it can,
/// the worst first, and others for the rest.
fn mended(node: Node, mut oracles: OracleSet, diagrams: &mut Diagrams) -> Vec<(OracleSet, FixSet)> {
    let mut all = Vec::new();
    while !oracles.is_empty() {
        let mut worst: Vec<OracleName> = oracles.iter().collect();
        worst.sort_by_key(|&oracle| (Harm::of(oracle), oracle));
        let mut spared = OracleSet::NONE;
        for oracle in worst {
            let more = spared.or([oracle].into_iter().collect());
            if diagrams.sparing(node, more) != Node::NO_SET {
                spared = more;
            }
        }
        let sets = diagrams.sparing(node, spared);
        let minimal = diagrams.minimal(sets).into_iter();
        let smallest = minimal.min_by_key(|set| set.iter().count());
        all.push((spared, smallest.expect("each of them is spared by some set")));
        oracles = oracles.without(spared);
    }
    all
}

fn impossible(decided: &[Decided], proofs: &Proofs<'_>) -> Vec<Impossible> {
    let of_lifecycle = decided.iter().filter(|one| one.class == Class::Lifecycle);
    let each = of_lifecycle.flat_map(|one| one.always.iter().map(move |oracle| (one, oracle)));
    let each = each.map(|(one, oracle)| Impossible {
        scenario: one.name.clone(),
        oracle,
        smallest: proofs.hopeless(&one.question, oracle),
    });
    each.collect()
}

/// What the branches are told from.
struct Context<'a> {
    decided: &'a [Decided],
    conditions: &'a [Condition],
    proofs: &'a Proofs<'a>,
}

impl Context<'_> {
    fn branches(&self, kept: &[Kept], diagrams: &Diagrams) -> Vec<Branch> {
        let smallest: Vec<FixSet> = kept
            .iter()
            .map(|one| *diagrams.minimal(one.sets).first().expect("some set keeps all of it"))
            .collect();
        let of = |(place, one): (usize, &Kept)| {
            let worst = one.gives_up.values().flat_map(|oracles| oracles.iter()).map(Harm::of);
            let named = |(&scenario, &oracles): (&usize, &OracleSet)| {
                (self.decided[scenario].name.clone(), oracles)
            };
            let minimal = diagrams.minimal(one.sets).into_iter();
            let minimal = minimal.map(|fixes| match place {
                0 => self.minimal(fixes, one, diagrams),
                _ => Minimal { fixes, needs: Vec::new() },
            });
            let other = usize::from(place == 0);
            let conflict = kept.get(other).and_then(|other_kept| {
                self.conflict([(one, smallest[place]), (other_kept, smallest[other])], diagrams)
            });
            Branch {
                passing: diagrams.count(one.sets),
                minimal: minimal.collect(),
                gives_up: one.gives_up.iter().map(named).collect(),
                worst: worst.min(),
                conflict,
                sets: one.sets,
            }
        };
        kept.iter().enumerate().map(of).collect()
    }

    /// The first scenario that one branch gives up and another keeps.
    fn conflict(
        &self,
        [(here, fails), (there, passes)]: [(&Kept, FixSet); 2],
        diagrams: &Diagrams,
    ) -> Option<Conflict> {
        let only = here.given_up.iter().filter(|place| !there.given_up.contains(place));
        let properties = only.flat_map(|&place| &self.conditions[place].properties);
        let &(scenario, oracles) = properties.min_by_key(|&&(scenario, _)| scenario)?;
        let one = &self.decided[scenario];
        let failing = diagrams.at(one.node, fails).and(oracles);
        let oracle = failing.iter().next()?;
        let proof = self.proofs.difference(&one.question, oracle, [passes, fails]);
        Some(Conflict { scenario: one.name.clone(), oracle, fails, passes, proof })
    }

    /// For each fix of a minimal set, the first scenario in which something fails without it.
    fn minimal(&self, fixes: FixSet, kept: &Kept, diagrams: &Diagrams) -> Minimal {
        let holding = self.conditions.iter().enumerate();
        let holding = holding.filter(|(place, _)| !kept.given_up.contains(place));
        let holding: Vec<&Condition> = holding.map(|(_, condition)| condition).collect();
        let need = |fix: Fix| {
            let without = fixes.without(fix);
            let failing = |&(scenario, oracles): &(usize, OracleSet)| {
                let node = self.decided[scenario].node;
                let failing = diagrams.at(node, without).and(oracles);
                failing.iter().next().map(|oracle| (scenario, oracle))
            };
            let properties = holding.iter().flat_map(|condition| &condition.properties);
            let first = properties.filter_map(failing).min();
            let (scenario, oracle) = first.expect("without it the set would keep all, too");
            let one = &self.decided[scenario];
            let proof = self.proofs.difference(&one.question, oracle, [fixes, without]);
            let scenario = one.name.clone();
            Change { fix, scenario, oracle, others: without, helps: true, proof }
        };
        Minimal { fixes, needs: fixes.iter().map(need).collect() }
    }
}
