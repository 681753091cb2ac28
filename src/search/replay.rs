//! Running one case after another, keeping the memory.

use std::sync::Arc;

use super::causes::Causes;
use crate::event::Observer;
use crate::fix::FixSet;
use crate::journal::Tracking;
use crate::scenario::{Case, SetupLine, Simulation};
use crate::server::ServerKind;
use crate::violation::ViolationClass;
use crate::world::Action;

/// An action that is taken, with the operation it belongs to, by its place in the case; a delivery
/// belongs to none.
pub type Turn = (Action, Option<usize>);

/// Runs cases under one set of fixes and one server.
///
/// ```
/// use freeorder::{fix::Preset, scenario::{Case, Scenario}, search::replay::Replayer};
/// use freeorder::server::ServerKind;
/// let text = "freeorder 1\nopen m0 2x4\nalloc b0 on m0 dram 1x2048\nview b1 of b0\ndrop b1\n";
/// let case = Case::of(&text.parse::<Scenario>()?);
/// let mut replayer = Replayer::new(Preset::Before.fixes(), ServerKind::K1);
/// let classes = replayer.classes(&case).to_vec();
/// assert_eq!(replayer.first(&case, |seen| seen.contains(&classes[0])), Some(2));
/// # Ok::<(), freeorder::scenario::ScenarioError>(())
/// ```
#[derive(Clone, Debug)]
pub struct Replayer {
    fixes: FixSet,
    server: ServerKind,
    setup: Vec<SetupLine>,
    simulation: Simulation,
}

impl Replayer {
    /// A replayer that has run nothing.
    #[must_use]
    pub fn new(fixes: FixSet, server: ServerKind) -> Self {
        Self { fixes, server, setup: Vec::new(), simulation: simulation(&[], fixes, server) }
    }

    /// The different classes of violation of a case run to its end, notes included, in the order
    /// in which they were first seen.
    pub fn classes(&mut self, case: &Case) -> &[ViolationClass] {
        self.run(case, |_| false);
        self.simulation.oracles().findings().classes()
    }

    /// How many operations or steps it takes until one of the classes seen is wanted; one more than
    /// there are if only the last checkpoint shows it, and none if nothing does.
    pub fn first(
        &mut self,
        case: &Case,
        is_wanted: impl Fn(&[ViolationClass]) -> bool,
    ) -> Option<usize> {
        let mut seen = 0;
        self.run(case, |classes| {
            let new = classes.len() > seen && is_wanted(&classes[seen..]);
            seen = classes.len();
            new
        })
    }

    /// The causes that the case meets in its first so many operations or steps.
    pub fn causes(&mut self, case: &Case, steps: usize) -> Causes {
        let mut met = Causes::NONE;
        let mut taken = 0;
        self.watch(case, &mut met, |_| {
            taken += 1;
            taken >= steps
        });
        met
    }

    /// Who takes which turn when the case is run, each with the operation it belongs to, by its
    /// place in the case; a delivery belongs to none.
    pub fn turns(&mut self, case: &Case) -> Vec<Turn> {
        self.start(case);
        self.simulation.load(case.threads());
        let places = places(case);
        let mut course = case.course();
        let mut turns = Vec::new();
        loop {
            let ready = self.simulation.world().ready();
            if ready.is_empty() {
                return turns;
            }
            let next = course.next(&ready);
            let place = match ready[next] {
                Action::Deliver(_) => None,
                Action::Step(thread) => {
                    let nth = self.simulation.world().current_op(thread);
                    nth.map(|nth| places[thread.0 as usize][nth])
                }
            };
            turns.push((ready[next], place));
            self.simulation.step(next, &mut ());
        }
    }

    /// The simulation as the last run left it.
    #[must_use]
    pub fn simulation(&self) -> &Simulation {
        &self.simulation
    }

    /// Runs a case until `stop` says so of the classes seen so far; how far it came, if it did.
    fn run(&mut self, case: &Case, stop: impl FnMut(&[ViolationClass]) -> bool) -> Option<usize> {
        self.watch(case, &mut (), stop)
    }

    fn watch<O: Observer>(
        &mut self,
        case: &Case,
        observer: &mut O,
        mut stop: impl FnMut(&[ViolationClass]) -> bool,
    ) -> Option<usize> {
        self.start(case);
        let stop = |simulation: &Simulation| stop(simulation.oracles().findings().classes());
        self.simulation.play(case, observer, stop)
    }

    fn start(&mut self, case: &Case) {
        if self.setup == case.setup {
            self.simulation.reset();
        } else {
            self.setup.clone_from(&case.setup);
            self.simulation = simulation(&case.setup, self.fixes, self.server);
        }
        let stepped = case.is_stepped();
        self.simulation.load(if stepped { case.threads() } else { Vec::new() });
    }
}

/// For each thread, where its operations stand in the case.
fn places(case: &Case) -> Vec<Vec<usize>> {
    let mut places: Vec<Vec<usize>> = Vec::new();
    for (place, (thread, _)) in case.ops.iter().enumerate() {
        while places.len() <= thread.0 as usize {
            places.push(Vec::new());
        }
        places[thread.0 as usize].push(place);
    }
    places
}

fn simulation(setup: &[SetupLine], fixes: FixSet, server: ServerKind) -> Simulation {
    let start = Case { setup: setup.to_vec(), ..Case::default() }.start();
    Simulation::new(Arc::new(start), fixes, server, Tracking::NONE, 0)
}
