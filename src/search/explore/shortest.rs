//! The shortest ordering that leads to each violation.

use std::time::Instant;

use super::canonical::Canonical;
use super::driver::{Driver, Executed};
use super::plan::Plan;
use super::preemptions::Preemptions;
use super::walk::{Ended, Found, States, note};
use super::{Counterexample, Limits, Options};
use crate::violation::{OracleName, ViolationClass};

/// Up to so many states are looked at for something shorter.
const STATES_MAX: usize = 20_000;
/// Up to so many choices.
const CHOICES_MAX: usize = 1000;

/// For each class found, an ordering that leads to it: the shortest there is, if that can be told.
///
/// Of many classes the walk itself has told it. For the others the orderings of one choice are
/// looked at first, then those of two, and so on, over states that are merged but with no order
/// taken for another: the first to show a class are the shortest. What a step shows is decided by
/// the steps that it has to do with, so chains that have to do with each other are looked at
/// without the rest; but some questions are about all of them.
pub(super) fn counterexamples<'p>(
    plan: &'p Plan,
    options: &Options<'p>,
    ended: &Ended,
    bound: Option<u32>,
) -> Vec<Counterexample> {
    if ended.found.is_empty() {
        return Vec::new();
    }
    let mut search = Search {
        driver: Driver::new(plan, options.fixes, options.server),
        canonical: Canonical::new(plan, options.reduction.symmetry),
        bound,
        among: None,
        found: ended.found.clone(),
        seen: States::default(),
        looked_at: 0,
        limits: options.limits,
        frontier: usize::MAX,
    };
    for steps in &ended.nothing.soonest {
        search.follow(steps);
    }
    let told = |(&class, &(_, steps)): (&ViolationClass, &(_, usize))| {
        (!is_told(plan, ended, (class, steps))).then_some(class)
    };
    let open: Vec<ViolationClass> = search.found.iter().filter_map(told).collect();
    let by_group = options.reduction.order && bound.is_none() && plan.blocks() == 1;
    let (proven, proven_of_all) = search.run_all(&open, by_group, ended);
    let one = |(&class, (executed, steps)): (&ViolationClass, &(Vec<Executed>, usize))| {
        let proven = if is_of_all(ended, class) { proven_of_all } else { proven };
        // What was looked at ends there, and the next step is the soonest that can show more.
        let is_shortest = !open.contains(&class) || *steps <= proven.saturating_add(1);
        Counterexample { class, case: search.driver.case(executed), steps: *steps, is_shortest }
    };
    let mut all: Vec<Counterexample> = search.found.iter().map(one).collect();
    all.sort_by_key(|one| (one.steps, one.class));
    all
}

/// Whether the question is about all buffers of a chip at once.
fn is_of_all(ended: &Ended, class: ViolationClass) -> bool {
    match class.oracle {
        OracleName::Visibility => true,
        // Counters that stop at 0 can be right by chance.
        OracleName::TrackerTruth => ended.showed_less,
        _ => false,
    }
}

/// Whether the walk has shown that no ordering leads to a class sooner.
fn is_told(plan: &Plan, ended: &Ended, (class, steps): (ViolationClass, usize)) -> bool {
    if ended.stopped.is_some() || plan.is_threaded() {
        return false;
    }
    // Everything was looked at, and it takes the same number of steps to a state on every way.
    !ended.was_reduced
        // Every order is another of one that was looked at, and has the same step at this place.
        || !is_of_all(ended, class) && plan.is_fixed_at(steps)
        || class.oracle == OracleName::Visibility && steps <= ended.nothing.until + 1
}

struct Search<'p> {
    limits: Limits<'p>,
    driver: Driver<'p>,
    canonical: Canonical,
    bound: Option<u32>,
    /// The chains that are looked at; none for all.
    among: Option<Vec<usize>>,
    found: Found,
    /// For each state the number of choices that could still follow when it was looked at.
    seen: States<usize>,
    looked_at: usize,
    /// The least that was executed where choices were left; nothing later has been looked at.
    frontier: usize,
}

impl Search<'_> {
    /// Looks at one ordering of the first block, as far as its steps can be taken.
    fn follow(&mut self, steps: &[usize]) {
        let mut taken = 0;
        for &step in steps {
            let chain = self.driver.chain_of(step);
            if !self.driver.moves().contains(&chain) {
                break;
            }
            self.driver.take(chain);
            taken += 1;
            note(&mut self.found, &self.driver);
        }
        for _ in 0..taken {
            self.driver.undo();
        }
    }

    /// Looks for classes, group by group if that is allowed; the answers are up to where everything
    /// has been looked at, for questions about some of the buffers and about all of them.
    fn run_all(
        &mut self,
        open: &[ViolationClass],
        by_group: bool,
        ended: &Ended,
    ) -> (usize, usize) {
        let groups = if by_group && !open.is_empty() { self.driver.groups() } else { Vec::new() };
        if groups.len() < 2 {
            let proven = self.run(open);
            return (proven, proven);
        }
        let (of_all, others): (Vec<_>, Vec<_>) =
            open.iter().partition(|&&class| is_of_all(ended, class));
        let mut proven = usize::MAX;
        for group in groups {
            self.among = Some(group);
            proven = proven.min(self.run(&others));
        }
        self.among = None;
        (proven, self.run(&of_all))
    }

    /// Goes through one number of choices after the other, until nothing shorter can show any of
    /// the classes; the answer is up to where everything has been looked at.
    fn run(&mut self, classes: &[ViolationClass]) -> usize {
        let mut proven = 0;
        for choices in 0..CHOICES_MAX {
            if classes.iter().all(|class| self.found[class].1 <= proven + 1) {
                break;
            }
            self.seen.clear();
            self.frontier = usize::MAX;
            if self.below(choices, Preemptions::new(self.bound)).is_none() {
                break;
            }
            proven = self.frontier;
            if proven == usize::MAX {
                break;
            }
        }
        proven
    }

    /// Looks at everything that at most so many choices lead to; none if that is too much.
    fn below(&mut self, choices: usize, preemptions: Preemptions) -> Option<()> {
        note(&mut self.found, &self.driver);
        let mut moves = self.driver.moves();
        if moves.is_empty() {
            let found = &mut self.found;
            self.driver.at_end(|driver| note(found, driver));
            return Some(());
        }
        if let Some(among) = &self.among {
            moves.retain(|chain| among.contains(chain));
        }
        if moves.is_empty() {
            return Some(());
        }
        if choices == 0 {
            self.frontier = self.frontier.min(self.driver.executed().len());
            return Some(());
        }
        let preemptions = preemptions.arrived(&self.driver, &moves);
        let key = preemptions.key(self.canonical.hash(&self.driver));
        if self.seen.get(&key).is_some_and(|&known| known >= choices) {
            return Some(());
        }
        self.seen.insert(key, choices);
        self.looked_at += 1;
        let late = || self.limits.deadline.is_some_and(|deadline| Instant::now() >= deadline);
        if self.looked_at >= STATES_MAX || (self.limits.interrupted)() || late() {
            return None;
        }
        for (chosen, _) in self.canonical.representatives(&self.driver, &moves) {
            if let Some(preemptions) = preemptions.after(self.driver.thread_of(chosen)) {
                self.driver.take(chosen);
                let done = self.below(choices - 1, preemptions);
                self.driver.undo();
                done?;
            }
        }
        Some(())
    }
}
