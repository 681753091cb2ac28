//! Running the cases of a few seeds, and counting what they reach.

use std::hash::{Hash, Hasher};
use std::ops::Range;
use std::sync::Arc;

use super::finding::{Found, Key};
use super::late_drop::{LateDrop, deallocation};
use super::plan::Plan;
use crate::event::{Event, Observer, Tick};
use crate::journal::{Mixer, Tracking, mix};
use crate::mark::Mark;
use crate::scenario::Case;
use crate::scenario::{SetupLine, Simulation};
use crate::search::aim::Subject;
use crate::violation::OracleName;
use crate::world::{Action, Outcome};

/// Hashes without a journal: a campaign only runs forwards, and asks where it is.
const TRACKING: Tracking = Tracking { undo: false, hash: true };

/// What the cases of some seeds came to.
#[derive(Clone, Debug, Default)]
pub struct Block {
    /// Operations and steps that changed something.
    pub operations: u64,
    /// How often each situation was reached.
    pub marks: Marks,
    /// How much each oracle noted.
    pub notes: [u64; OracleName::COUNT],
    /// A hash for each executed order.
    pub orderings: Vec<u64>,
    /// A hash for each state after a step.
    pub states: Vec<u64>,
    /// What failed, one for each oracle and role.
    pub found: Vec<Found>,
}

/// How often each rare situation was reached.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Marks(pub [u64; Mark::ALL.len()]);

impl Observer for Marks {
    #[inline]
    fn observe(&mut self, _: Tick, event: &Event<'_>) {
        if let Event::Reached(mark) = event {
            self.0[*mark as usize] += 1;
        }
    }
}

/// Runs one case after another, keeping the memory.
#[derive(Debug)]
pub struct Worker {
    plan: Plan,
    setup: Vec<SetupLine>,
    simulation: Simulation,
}

impl Worker {
    /// A worker that has run nothing.
    pub fn new(plan: Plan) -> Self {
        Self { plan, setup: Vec::new(), simulation: simulation(plan, &Case::default()) }
    }

    /// Runs the cases of the seeds.
    pub fn block(&mut self, seeds: Range<u64>, running: impl Fn(u64)) -> Block {
        let mut block = Block::default();
        for seed in seeds {
            running(seed);
            let case = self.plan.case(seed);
            self.run(&case, &mut block);
            block.take(&self.plan, seed, &case, &self.simulation);
        }
        block.states.sort_unstable();
        block.states.dedup();
        block
    }

    fn run(&mut self, case: &Case, block: &mut Block) {
        self.start(case);
        let mut path = Path::of(case);
        if case.is_stepped() {
            self.take_turns(case, &mut path, block);
        } else {
            for (_, op) in &case.ops {
                let outcome = self.simulation.apply(op, &mut block.marks);
                path.step(op, &outcome, &self.simulation, block);
            }
        }
        self.simulation.finish(&mut block.marks);
        block.orderings.push(path.order);
    }

    fn take_turns(&mut self, case: &Case, path: &mut Path, block: &mut Block) {
        let threads = case.threads();
        self.simulation.load(threads.clone());
        let mut course = case.course();
        loop {
            let ready = self.simulation.world().ready();
            if ready.is_empty() {
                return;
            }
            let next = course.next(&ready);
            let action = ready[next];
            let op = match action {
                Action::Deliver(_) => None,
                Action::Step(thread) => {
                    let nth = self.simulation.world().current_op(thread);
                    nth.map(|nth| &threads[thread.0 as usize][nth])
                }
            };
            let outcome = self.simulation.step(next, &mut block.marks);
            path.step(&(action, op), &outcome, &self.simulation, block);
        }
    }

    fn start(&mut self, case: &Case) {
        if self.setup == case.setup {
            self.simulation.load(Vec::new());
            self.simulation.reset();
        } else {
            self.setup.clone_from(&case.setup);
            self.simulation = simulation(self.plan, case);
        }
    }
}

/// Where a run is, and how it came there.
struct Path {
    setup: u64,
    order: u64,
    state: Option<u64>,
}

impl Path {
    fn of(case: &Case) -> Self {
        let setup = hashed(&case.setup);
        Self { setup, order: setup, state: None }
    }

    /// Takes down what was done, if it changed anything, and the state that it led to.
    #[inline]
    fn step(
        &mut self,
        what: &impl Hash,
        outcome: &Outcome,
        simulation: &Simulation,
        block: &mut Block,
    ) {
        if !outcome.changed && outcome.refused.is_none() {
            return;
        }
        block.operations += u64::from(outcome.changed);
        self.order = mix(self.order, hashed(what));
        let state = mix(self.setup, simulation.hash());
        if self.state.replace(state) != Some(state) {
            block.states.push(state);
        }
    }
}

impl Block {
    /// Takes down what the oracles said of a finished run.
    fn take(&mut self, plan: &Plan, seed: u64, case: &Case, simulation: &Simulation) {
        let findings = simulation.oracles().findings();
        for (oracle, count) in findings.counts().filter(|(oracle, _)| oracle.is_note()) {
            self.notes[oracle as usize] += count;
        }
        for first in findings.firsts().iter().filter(|first| !first.oracle.is_note()) {
            let found = Found { seed, class: first.class(), late_drop: false };
            let known =
                self.found.iter().position(|one| Key::of(one.class) == Key::of(found.class));
            if known.is_some_and(|known| self.found[known].late_drop) {
                continue;
            }
            let found = Found { late_drop: is_late_drop(plan, case, found, first.tick), ..found };
            match known {
                None => self.found.push(found),
                Some(known) if found.rank() < self.found[known].rank() => self.found[known] = found,
                Some(_) => {}
            }
        }
    }
}

/// Whether a stale FREE at a tick is that of a late drop.
fn is_late_drop(plan: &Plan, case: &Case, found: Found, tick: Tick) -> bool {
    found.class.oracle == OracleName::StaleFree
        && deallocation(case, tick.0 as usize).is_some()
        && LateDrop(found.model(plan)).fails(case).is_some()
}

fn hashed(what: &impl Hash) -> u64 {
    let mut hasher = Mixer::default();
    what.hash(&mut hasher);
    hasher.finish()
}

fn simulation(plan: Plan, case: &Case) -> Simulation {
    Simulation::new(Arc::new(case.start()), plan.fixes, plan.server, TRACKING, 0)
}
