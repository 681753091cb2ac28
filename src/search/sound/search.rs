//! The search: which sets of fixes pass, which of them are minimal, and what no set can change.

use std::collections::BTreeSet;
use std::sync::atomic::{AtomicU64, Ordering};

use crate::fix::{FIXES, Fix, FixSet};
use crate::scenario::{Case, Class};
use crate::search::aim::Subject;
use crate::search::causes::Causes;
use crate::search::matrix::Named;
use crate::search::minimize::{Options, minimize};
use crate::search::replay::{Replayer, Turn};
use crate::server::ServerKind;
use crate::violation::OracleName;

use super::cubes::Cubes;
use super::{Cube, Decided, Question, decide};

/// Who hears of a search, and who may end it.
#[derive(Clone, Copy)]
pub struct Watch<'a> {
    /// Asked before every run: whether to stop.
    pub interrupted: &'a (dyn Fn() -> bool + Sync),
    /// Told when a scenario is decided under a server.
    pub progress: &'a (dyn Fn(&Verdict, ServerKind) + Sync),
}

impl std::fmt::Debug for Watch<'_> {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Watch").finish_non_exhaustive()
    }
}

impl Default for Watch<'_> {
    fn default() -> Self {
        Self { interrupted: &|| false, progress: &|_, _| () }
    }
}

/// One scenario under one server, under every set.
#[derive(Clone, Debug)]
pub struct Verdict {
    /// Its name.
    pub name: String,
    /// Whose affair its failure is.
    pub class: Class,
    /// In how many orderings it was run; none if that depends on what its threads meet.
    pub orderings: Option<String>,
    /// The sets that were run; all others agree with one of them on whatever it read.
    pub runs: u64,
    /// The sets under which no oracle fails but those that always do.
    pub passing: Cubes,
    /// The oracles that fail under every set.
    pub always: Vec<OracleName>,
}

/// A fix of a minimal set, and what fails without it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Need {
    /// The fix.
    pub fix: Fix,
    /// The shortest of the scenarios that fail without it.
    pub scenario: String,
    /// The oracle that fails first.
    pub oracle: OracleName,
}

/// A set that passes, and from which no fix can be taken.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Minimal {
    /// The set.
    pub fixes: FixSet,
    /// Why each of its fixes is needed.
    pub needs: Vec<Need>,
}

/// What a fix does to the verdicts of all sets: of a scenario as a whole; of what else some set can
/// pass in it, if something fails in it under every set.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Effect {
    /// The fix.
    pub fix: Fix,
    /// The shortest scenario that some set passes with it and not without it.
    pub helps: Option<String>,
    /// The shortest scenario that some set passes without it and not with it.
    pub harms: Option<String>,
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

/// What the search came to under one server.
#[derive(Clone, Debug)]
pub struct ServerSearch {
    /// The server.
    pub server: ServerKind,
    /// Each scenario, the shortest first.
    pub verdicts: Vec<Verdict>,
    /// The sets under which nothing fails, in any scenario of class lifecycle, that does not fail
    /// under every set.
    pub passing: Cubes,
    /// Those of which no part passes.
    pub minimal: Vec<Minimal>,
    /// What fails under every set in scenarios of class lifecycle.
    pub impossible: Vec<Impossible>,
    /// Scenarios of class lifecycle that no set passes with all shorter ones, and the oracles that
    /// fail in them under every set that passes those, or one or the other of which does; whatever
    /// else can be passed in them is.
    pub conflicts: Vec<(String, Vec<OracleName>)>,
    /// What each fix does.
    pub effects: Vec<Effect>,
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
        self.verdicts.len() as u64 * Cube::ALL.count() - self.runs()
    }
}

/// A scenario that was not decided: the search was interrupted, or the scenario has more states in
/// its orderings than [`Limits::default`](crate::search::explore::Limits) lets it look at.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("{0}: not decided under every set")]
pub struct Undecided(pub String);

/// Decides every set over the scenarios, under one server.
///
/// # Errors
/// If a scenario could not be decided, or the search was interrupted.
///
/// ```
/// use freeorder::{corpus, fix::Fix, server::ServerKind};
/// use freeorder::search::{matrix::Named, sound::{Watch, search}};
/// let file = corpus::CLAIMS.iter().find(|file| file.name == "s-throwleak").expect("it is there");
/// let named = Named { name: file.name.to_owned(), scenario: file.scenario()? };
/// let found = search(&[named], ServerKind::Shm, Watch::default()).expect("nobody interrupts");
/// assert!(found.minimal.iter().all(|minimal| minimal.fixes.has(Fix::AtomicAllocation)));
/// # Ok::<(), freeorder::scenario::ScenarioError>(())
/// ```
pub fn search(
    scenarios: &[Named],
    server: ServerKind,
    watch: Watch<'_>,
) -> Result<ServerSearch, Undecided> {
    let mut sorted: Vec<&Named> = scenarios.iter().collect();
    sorted.sort_by_key(|named| (named.scenario.ops().count(), &named.name));
    let question = |named: &&Named| Question::of(&named.scenario, server);
    let mut questions: Vec<Question> = sorted.iter().map(question).collect();
    let mut verdicts = Vec::new();
    for (named, question) in sorted.iter().zip(&mut questions) {
        let verdict = verdict(named, question, watch);
        let verdict = verdict.ok_or_else(|| Undecided(named.name.clone()))?;
        (watch.progress)(&verdict, server);
        verdicts.push(verdict);
    }
    let mut found = ServerSearch {
        server,
        passing: Cubes::all(),
        minimal: Vec::new(),
        impossible: Vec::new(),
        conflicts: Vec::new(),
        effects: Vec::new(),
        verdicts,
    };
    let judged = found.intersect(questions, watch)?;
    found.effects = FIXES.iter().map(|info| effect(info.fix, &found.verdicts, &judged)).collect();
    let minimal = found.passing.minimal().into_iter();
    found.minimal = minimal.map(|set| Minimal { fixes: set, needs: needs(set, &judged) }).collect();
    Ok(found)
}

/// Decides a scenario; if no set passes it, what fails under every set is left out of the question.
fn verdict(named: &Named, question: &mut Question, watch: Watch<'_>) -> Option<Verdict> {
    let mut decided = decide_all(&Cubes::all(), question, watch)?;
    let mut runs = decided.len() as u64;
    let mut always = Vec::new();
    if passing(&decided).is_empty() {
        always = self::always(&Cubes::all(), question, watch)?;
        *question = question.clone().except(&always);
        decided = decide_all(&Cubes::all(), question, watch)?;
        runs += decided.len() as u64;
    }
    Some(Verdict {
        name: named.name.clone(),
        class: named.scenario.class(),
        orderings: question.orderings(),
        runs,
        passing: passing(&decided),
        always,
    })
}

fn decide_all(
    sets: &Cubes,
    question: &Question,
    watch: Watch<'_>,
) -> Option<Vec<Decided<Option<OracleName>>>> {
    decide(sets.cubes(), &|fixes| question.ask(fixes, &watch.interrupted))
}

/// The oracles that fail under each of the sets; none if it was interrupted.
fn always(sets: &Cubes, question: &Question, watch: Watch<'_>) -> Option<Vec<OracleName>> {
    let fails_always = |&oracle: &OracleName| {
        let question = question.clone().about(&[oracle]);
        // That ends with the first set that passes.
        let ask = |fixes| {
            let (failing, read) = question.ask(fixes, &watch.interrupted)?;
            failing.map(|_| ((), read))
        };
        decide(sets.cubes(), &ask).is_some()
    };
    let always = question.oracles().iter().copied().filter(fails_always).collect();
    (!(watch.interrupted)()).then_some(always)
}

fn passing(decided: &[Decided<Option<OracleName>>]) -> Cubes {
    let passing = decided.iter().filter(|one| one.verdict.is_none());
    Cubes::new(passing.map(|one| one.cube).collect())
}

fn effect(fix: Fix, verdicts: &[Verdict], judged: &[Judged]) -> Effect {
    let first = |with: bool| {
        let alone = verdicts.iter().map(|verdict| (&verdict.name, &verdict.passing));
        // What excludes each other in a scenario is left out of the question only there.
        let together = judged.iter().map(|(name, _, passing)| (name, passing));
        let found = alone.chain(together).find(|(_, passing)| passing.needs(fix, with));
        found.map(|(name, _)| name.clone())
    };
    Effect { fix, helps: first(true), harms: first(false) }
}

/// A scenario of class lifecycle, what was asked of it, and the sets that pass.
type Judged = (String, Question, Cubes);

impl ServerSearch {
    /// The sets that pass whatever can be passed, the shortest scenarios first.
    fn intersect(
        &mut self,
        questions: Vec<Question>,
        watch: Watch<'_>,
    ) -> Result<Vec<Judged>, Undecided> {
        let mut judged = Vec::new();
        let mut whole = 0;
        for (verdict, mut question) in self.verdicts.iter().zip(questions) {
            if verdict.class != Class::Lifecycle {
                continue;
            }
            let undecided = || Undecided(verdict.name.clone());
            for &oracle in &verdict.always {
                let smallest = smallest(&question, oracle, watch).ok_or_else(undecided)?;
                let scenario = verdict.name.clone();
                self.impossible.push(Impossible { scenario, oracle, smallest });
            }
            let mut passing = self.passing.and(&verdict.passing);
            if passing.is_empty() {
                let mut failing = always(&self.passing, &question, watch).ok_or_else(undecided)?;
                question = question.except(&failing);
                let mut decided =
                    decide_all(&self.passing, &question, watch).ok_or_else(undecided)?;
                whole += usize::from(decided.iter().any(|one| one.verdict.is_none()));
                while decided.iter().all(|one| one.verdict.is_some()) {
                    // Each set fails one or the other: these exclude each other.
                    let others: BTreeSet<OracleName> =
                        decided.iter().filter_map(|one| one.verdict).collect();
                    failing.extend(others);
                    question = question.except(&failing);
                    decided = decide_all(&self.passing, &question, watch).ok_or_else(undecided)?;
                }
                passing = self::passing(&decided);
                self.conflicts.push((verdict.name.clone(), failing));
            } else {
                whole += 1;
            }
            self.passing = passing.clone();
            judged.push((verdict.name.clone(), question, passing));
        }
        if whole == 0 && !self.conflicts.is_empty() {
            // Every scenario has something of which each set fails one or the other.
            self.passing = Cubes::new(Vec::new());
            judged.clear();
        }
        Ok(judged)
    }
}

/// For each fix of a minimal set, the first scenario that fails without it.
fn needs(fixes: FixSet, judged: &[Judged]) -> Vec<Need> {
    let need = |fix: Fix| {
        let without = fixes.without(fix);
        let first = judged.iter().find(|(_, _, passing)| !passing.contains(without));
        let (name, question, _) = first.expect("without it the set would pass, and be minimal");
        let asked = question.ask(without, &|| false);
        let oracle = asked.and_then(|(oracle, _)| oracle).expect("the set does not pass");
        Need { fix, scenario: name.clone(), oracle }
    };
    fixes.iter().map(need).collect()
}

/// The smallest case in which the oracle fails under every set, if there is one; none if it was
/// interrupted.
fn smallest(question: &Question, oracle: OracleName, watch: Watch<'_>) -> Option<Option<Case>> {
    let mut subject = Hopeless { server: question.server(), oracle, watch };
    let ask = || (watch.interrupted)();
    let mut options = Options { interrupted: Some(&ask), ..Options::default() };
    let minimized = minimize(question.case(), &mut subject, &mut options);
    (!(watch.interrupted)()).then(|| minimized.ok().map(|minimized| minimized.case))
}

/// A case fails if the oracle does under every set.
struct Hopeless<'a> {
    server: ServerKind,
    oracle: OracleName,
    watch: Watch<'a>,
}

impl Subject for Hopeless<'_> {
    fn fails(&mut self, case: &Case) -> Option<usize> {
        let question = Question::new(case.clone(), self.server).about(&[self.oracle]);
        let last = AtomicU64::new(0);
        let ask = |fixes| {
            let (failing, read) = question.ask_lines(fixes);
            let (_, steps) = failing.filter(|_| !(self.watch.interrupted)())?;
            last.fetch_max(steps as u64, Ordering::Relaxed);
            Some(((), read))
        };
        decide(&[Cube::ALL], &ask)?;
        usize::try_from(last.into_inner()).ok()
    }

    /// Which chips meshes share and how they close is nearly the same under every set.
    fn causes(&mut self, case: &Case, steps: usize) -> Causes {
        Replayer::new(FixSet::default(), self.server).causes(case, steps)
    }

    fn turns(&mut self, case: &Case) -> Vec<Turn> {
        Replayer::new(FixSet::default(), self.server).turns(case)
    }
}
