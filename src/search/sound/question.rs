//! What is asked of a set of fixes: does anything go wrong in this scenario under this server?

use std::sync::Arc;

use crate::fix::{FixSet, Switches};
use crate::journal::Tracking;
use crate::op::Op;
use crate::runtime::Setup;
use crate::scenario::{Case, Item, Line, Scenario, Simulation};
use crate::search::explore::{self, Limits, Options, Plan};
use crate::server::ServerKind;
use crate::violation::OracleName;

use super::memory::Memory;

/// A scenario under a server, as it stands or in every ordering, ready to be asked many times.
#[derive(Clone, Debug)]
pub struct Question {
    case: Case,
    setup: Arc<Setup>,
    threads: Vec<Vec<Op>>,
    /// What is gone through in every ordering, if it is.
    plan: Option<Plan>,
    server: ServerKind,
    /// The oracles that count.
    oracles: Vec<OracleName>,
    /// What was answered before, whichever oracles counted.
    memory: Arc<Memory>,
}

impl Question {
    /// Whether any oracle fails.
    #[must_use]
    pub fn new(case: Case, server: ServerKind) -> Self {
        let (setup, threads) = (Arc::new(case.start()), case.threads());
        let oracles = OracleName::ALL.into_iter().filter(|oracle| !oracle.is_note()).collect();
        let memory = Arc::default();
        Self { case, setup, threads, plan: None, server, oracles, memory }
    }

    /// Whether any oracle fails in any ordering, if the scenario has pending steps; in its lines as
    /// they stand if not.
    #[must_use]
    pub fn of(scenario: &Scenario, server: ServerKind) -> Self {
        let is_block = |line: &Line| matches!(line.item, Item::Any(_));
        let is_threaded = scenario.ops().any(|(thread, _)| thread.0 > 0) && !scenario.is_stepped();
        let pending = scenario.lines.iter().any(is_block) || is_threaded;
        let plan = pending.then(|| Plan::of(scenario));
        Self { plan, ..Self::new(Case::of(scenario), server) }
    }

    /// Whether one of these oracles fails.
    #[must_use]
    pub fn about(self, oracles: &[OracleName]) -> Self {
        Self { oracles: oracles.to_vec(), ..self }
    }

    /// Whether any oracle but these fails.
    #[must_use]
    pub fn except(mut self, oracles: &[OracleName]) -> Self {
        self.oracles.retain(|oracle| !oracles.contains(oracle));
        self
    }

    /// The number of orderings, where it does not depend on what happens.
    #[must_use]
    pub fn orderings(&self) -> Option<String> {
        self.plan.as_ref().map_or(Some("1".to_owned()), |plan| {
            plan.orderings().map(|orderings| orderings.to_string())
        })
    }

    /// The oracles that count.
    #[must_use]
    pub fn oracles(&self) -> &[OracleName] {
        &self.oracles
    }

    /// The server.
    #[must_use]
    pub fn server(&self) -> ServerKind {
        self.server
    }

    /// What is run.
    #[must_use]
    pub fn case(&self) -> &Case {
        &self.case
    }

    /// The oracle that fails first, if one does, and the switches that were read until then: under
    /// every set that agrees on them the same happens. None if it was interrupted.
    pub fn ask(
        &self,
        fixes: FixSet,
        interrupted: &dyn Fn() -> bool,
    ) -> Option<(Option<OracleName>, Switches)> {
        if interrupted() {
            return None;
        }
        let known = self.memory.get(&self.oracles, fixes);
        known.or_else(|| {
            let answer = self.run(fixes, interrupted)?;
            self.memory.put(&self.oracles, fixes, answer);
            Some(answer)
        })
    }

    fn run(
        &self,
        fixes: FixSet,
        interrupted: &dyn Fn() -> bool,
    ) -> Option<(Option<OracleName>, Switches)> {
        let Some(plan) = &self.plan else {
            let (failing, read) = self.ask_lines(fixes);
            return Some((failing.map(|(oracle, _)| oracle), read));
        };
        let limits = Limits { interrupted, ..Limits::default() };
        let options = Options { limits, ..Options::new(fixes, self.server) };
        explore::first_failing(plan, &options, &self.oracles)
    }

    /// The same of the lines as they stand, the oracle with how many operations or steps that took;
    /// one more than there are if only the last checkpoint shows it.
    #[must_use]
    pub fn ask_lines(&self, fixes: FixSet) -> (Option<(OracleName, usize)>, Switches) {
        let (setup, none) = (Arc::clone(&self.setup), Tracking::NONE);
        let mut simulation = Simulation::new(setup, fixes, self.server, none, 0);
        if self.case.is_stepped() {
            simulation.load(self.threads.clone());
        }
        let mut failing = None;
        let steps = simulation.play(&self.case, &mut (), |simulation| {
            failing = self.failing(simulation);
            failing.is_some()
        });
        (failing.zip(steps), simulation.read())
    }

    fn failing(&self, simulation: &Simulation) -> Option<OracleName> {
        let classes = simulation.oracles().findings().classes();
        classes.iter().map(|class| class.oracle).find(|oracle| self.oracles.contains(oracle))
    }
}
