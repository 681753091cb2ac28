//! The shortest ordering that leads to each violation.

use std::time::Instant;

use super::canonical::Canonical;
use super::driver::{Driver, Executed};
use super::plan::Plan;
use super::walk::{Found, States, note};
use super::{Counterexample, Limits, Options};
use crate::journal::mix;
use crate::violation::ViolationClass;

/// Up to so many states are looked at for something shorter.
const STATES_MAX: usize = 20_000;
/// Up to so many choices.
const CHOICES_MAX: usize = 1000;

/// For each class found, an ordering that leads to it: the shortest there is, if that can be told.
///
/// The orderings of one choice are looked at first, then those of two, and so on, over states that
/// are merged but with no order taken for another: the first to show a class are the shortest.
pub(super) fn counterexamples<'p>(
    plan: &'p Plan,
    options: &Options<'p>,
    found: Found,
    bound: Option<u32>,
) -> Vec<Counterexample> {
    if found.is_empty() {
        return Vec::new();
    }
    let mut search = Search {
        driver: Driver::new(plan, options.fixes, options.server),
        canonical: Canonical::new(plan, options.reduction.symmetry),
        bound,
        found,
        seen: States::default(),
        looked_at: 0,
        limits: options.limits,
        frontier: usize::MAX,
    };
    let proven = search.run();
    let one = |(&class, (executed, steps)): (&ViolationClass, &(Vec<Executed>, usize))| {
        let (steps, is_shortest) = (*steps, *steps <= proven);
        Counterexample { class, case: search.driver.case(executed), steps, is_shortest }
    };
    let mut all: Vec<Counterexample> = search.found.iter().map(one).collect();
    all.sort_by_key(|one| (one.steps, one.class));
    all
}

/// Who took the last step, and how often somebody has been interrupted.
type Course = (Option<usize>, u32);

struct Search<'p> {
    limits: Limits<'p>,
    driver: Driver<'p>,
    canonical: Canonical,
    bound: Option<u32>,
    found: Found,
    /// For each state the number of choices that could still follow when it was looked at.
    seen: States<usize>,
    looked_at: usize,
    /// The least that was executed where choices were left; nothing later has been looked at.
    frontier: usize,
}

impl Search<'_> {
    /// Goes through one number of choices after the other; the answer is up to where everything has
    /// been looked at.
    fn run(&mut self) -> usize {
        let mut proven = 0;
        let classes: Vec<ViolationClass> = self.found.keys().copied().collect();
        for choices in 0..CHOICES_MAX {
            self.seen.clear();
            self.frontier = usize::MAX;
            if self.below(choices, (None, 0)).is_none() {
                return proven;
            }
            proven = self.frontier;
            if classes.iter().all(|class| self.found[class].1 <= proven) {
                break;
            }
        }
        proven
    }

    /// Looks at everything that at most so many choices lead to; none if that is too much.
    fn below(&mut self, choices: usize, course: Course) -> Option<()> {
        note(&mut self.found, &self.driver);
        let moves = self.driver.moves();
        if moves.is_empty() {
            let found = &mut self.found;
            self.driver.at_end(|driver| note(found, driver));
            return Some(());
        }
        if choices == 0 {
            self.frontier = self.frontier.min(self.driver.executed().len());
            return Some(());
        }
        let running = course.0.filter(|_| self.bound.is_some()).filter(|&running| {
            moves.iter().any(|&chosen| self.driver.thread_of(chosen) == Some(running))
        });
        let mut key = self.canonical.hash(&self.driver);
        if self.bound.is_some() {
            let running = running.map_or(0, |running| running as u64 + 1);
            key = mix(mix(key, running), u64::from(course.1));
        }
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
            let thread = self.driver.thread_of(chosen);
            let interrupts = running.is_some() && thread.is_some() && thread != running;
            let preemptions = course.1 + u32::from(interrupts);
            if self.bound.is_none_or(|bound| preemptions <= bound) {
                self.driver.take(chosen);
                let done = self.below(choices - 1, (thread.or(running), preemptions));
                self.driver.undo();
                done?;
            }
        }
        Some(())
    }
}
