//! Running one case after another, keeping the memory.

use std::sync::Arc;

use super::case::Case;
use crate::choice::{Choices, Recorded};
use crate::fix::FixSet;
use crate::journal::Tracking;
use crate::scenario::{SetupLine, Simulation};
use crate::server::ServerKind;
use crate::violation::ViolationClass;

/// Runs cases under one set of fixes and one server.
///
/// ```
/// use freeorder::{fix::Preset, scenario::Scenario, search::{case::Case, replay::Replayer}};
/// use freeorder::server::ServerKind;
/// let text = "freeorder 1\nopen m0 2x4\nalloc b0 on m0 dram 1x2048\nview b1 of b0\ndrop b1\n";
/// let case = Case::of(&text.parse::<Scenario>()?);
/// let mut replayer = Replayer::new(Preset::Before.fixes(), ServerKind::K1);
/// let classes = replayer.classes(&case).to_vec();
/// assert_eq!(replayer.first(&case, classes[0]), Some(2));
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

    /// How many operations or steps it takes until a violation of the class is seen; one more than
    /// there are if only the last checkpoint shows it, and none if nothing does.
    pub fn first(&mut self, case: &Case, class: ViolationClass) -> Option<usize> {
        let mut seen = 0;
        self.run(case, |classes| {
            let new = classes[seen..].contains(&class);
            seen = classes.len();
            new
        })
    }

    /// The simulation as the last run left it.
    #[must_use]
    pub fn simulation(&self) -> &Simulation {
        &self.simulation
    }

    /// Runs a case until `stop` says so of the classes seen so far; how far it came, if it did.
    fn run(
        &mut self,
        case: &Case,
        mut stop: impl FnMut(&[ViolationClass]) -> bool,
    ) -> Option<usize> {
        self.start(case);
        let simulation = &mut self.simulation;
        let mut picks = Recorded::new(case.picks.clone());
        let mut ops = case.ops.iter();
        let mut steps = 0;
        loop {
            if case.picks.is_empty() {
                let Some((_, op)) = ops.next() else { break };
                simulation.apply(op, &mut ());
            } else {
                let ready = simulation.world().ready().len();
                if ready == 0 {
                    break;
                }
                simulation.step(picks.pick(ready as u64) as usize, &mut ());
            }
            steps += 1;
            if stop(simulation.oracles().findings().classes()) {
                return Some(steps);
            }
        }
        simulation.finish(&mut ());
        stop(simulation.oracles().findings().classes()).then_some(steps + 1)
    }

    fn start(&mut self, case: &Case) {
        if self.setup == case.setup {
            self.simulation.reset();
        } else {
            self.setup.clone_from(&case.setup);
            self.simulation = simulation(&case.setup, self.fixes, self.server);
        }
        let stepped = !case.picks.is_empty();
        self.simulation.load(if stepped { case.threads() } else { Vec::new() });
    }
}

fn simulation(setup: &[SetupLine], fixes: FixSet, server: ServerKind) -> Simulation {
    let start = Case { setup: setup.to_vec(), ..Case::default() }.start();
    Simulation::new(Arc::new(start), fixes, server, Tracking::NONE, 0)
}
