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
use crate::op::{Name, Op};
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
    /// A hash for each executed order: what was done, in turn, to which of the things at hand.
    /// Runs that differ in sizes, in names or in the setup alone are one ordering.
    pub orderings: Vec<u64>,
    /// A hash for each state after a step.
    pub states: Vec<u64>,
    /// What failed, one for each oracle and role.
    pub found: Vec<Found>,
}

/// How often each rare situation was reached.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Marks(pub [u64; Mark::ALL.len()]);

impl Default for Marks {
    fn default() -> Self {
        Self([0; Mark::ALL.len()])
    }
}

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
                path.step((None, Some(op)), &outcome, &self.simulation, block);
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
            path.step((Some(action), op), &outcome, &self.simulation, block);
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
#[derive(Default)]
struct Path {
    setup: u64,
    order: u64,
    /// The names so far, in the order of their first use.
    names: Vec<Name>,
    state: Option<u64>,
}

impl Path {
    fn of(case: &Case) -> Self {
        let mut hasher = Mixer::default();
        case.setup.hash(&mut hasher);
        Self { setup: hasher.finish(), ..Self::default() }
    }

    /// Takes down what was done, if it changed anything, and the state that it led to.
    #[inline]
    fn step(
        &mut self,
        what: (Option<Action>, Option<&Op>),
        outcome: &Outcome,
        simulation: &Simulation,
        block: &mut Block,
    ) {
        if !outcome.changed && outcome.refused.is_none() {
            return;
        }
        block.operations += u64::from(outcome.changed);
        self.extend_order(what);
        let state = mix(self.setup, simulation.hash());
        if self.state.replace(state) != Some(state) {
            block.states.push(state);
        }
    }

    fn extend_order(&mut self, (action, op): (Option<Action>, Option<&Op>)) {
        let mut hasher = Mixer::default();
        hasher.write_u64(self.order);
        action.hash(&mut hasher);
        if let Some(op) = op {
            std::mem::discriminant(op).hash(&mut hasher);
            for name in op.names() {
                let known = self.names.iter().position(|&other| other == name);
                let number = known.unwrap_or(self.names.len());
                if known.is_none() {
                    self.names.push(name);
                }
                std::mem::discriminant(&name).hash(&mut hasher);
                hasher.write_usize(number);
            }
        }
        self.order = hasher.finish();
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

fn simulation(plan: Plan, case: &Case) -> Simulation {
    Simulation::new(Arc::new(case.start()), plan.fixes, plan.server, TRACKING, 0)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::fix::FixSet;
    use crate::generate::{Order, Profile};
    use crate::scenario::Scenario;
    use crate::server::ServerKind;

    fn ordering(text: &str) -> u64 {
        let scenario: Scenario = text.parse().unwrap();
        let case = Case::of(&scenario);
        let (fixes, server) = (FixSet::default(), ServerKind::K2);
        let plan = Plan { fixes, server, profile: Profile::Lifecycle, order: Order::Urw };
        let mut block = Block::default();
        Worker::new(plan).run(&case, &mut block);
        block.orderings[0]
    }

    const FIRST: &str = "freeorder 1\n\
        open m0 1x2\nalloc b0 on m0 dram 2x2048\nalloc b1 on m0 dram 4x2048\n\
        drop b0\ndrop b1\n";

    /// Raw runs are no measure of a search, so what they share must count once.
    #[test]
    fn an_ordering_is_what_was_done_to_which_thing() {
        let same = "freeorder 1\n\
            open m3 1x2\nalloc b7 on m3 dram 6x2048\nalloc b2 on m3 dram 2x2048\n\
            drop b7\ndrop b2\n";
        assert_eq!(ordering(FIRST), ordering(same));
        let idle = FIRST.replace("drop b0", "drop b9\ndrop b0");
        assert_eq!(ordering(FIRST), ordering(&idle), "a line that does nothing is no step");
    }

    #[test]
    fn another_order_or_another_operation_is_another_ordering() {
        let swapped = FIRST.replace("drop b0\ndrop b1", "drop b1\ndrop b0");
        let deallocated = FIRST.replace("drop b1", "deallocate b1");
        let all = [FIRST, &swapped, &deallocated].map(ordering);
        assert!(all[0] != all[1] && all[0] != all[2] && all[1] != all[2], "{all:?}");
    }
}
