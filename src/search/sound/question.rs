//! What is asked of a set of fixes: what goes wrong in this scenario under this server?

use std::sync::Arc;
use std::time::Instant;

use super::OracleSet;
use crate::fix::{FixSet, Switches};
use crate::journal::Tracking;
use crate::op::Op;
use crate::runtime::Setup;
use crate::scenario::{Case, Item, Line, Scenario, Simulation};
use crate::search::explore::{self, Limits, Options, Plan, Stop};
use crate::server::ServerKind;
use crate::violation::OracleName;

/// A longer scenario is run only until something fails: to tell all that does would take a run to
/// its end under every set.
const WHOLE_OPERATIONS_MAX: usize = 10_000;

/// Where a question is given up.
#[derive(Clone, Copy)]
pub struct Bounds<'a> {
    /// States that an exploration looks at.
    pub states_max: u64,
    /// Memory for what is remembered of them, in bytes.
    pub memory_max_bytes: u64,
    /// When nothing more is asked; none means never.
    pub deadline: Option<Instant>,
    /// Asked before every run: whether to stop.
    pub interrupted: &'a (dyn Fn() -> bool + Sync),
}

impl Default for Bounds<'_> {
    /// Ten million states in a gigabyte.
    fn default() -> Self {
        let Limits { states_max, memory_max_bytes, .. } = Limits::default();
        Self { states_max, memory_max_bytes, deadline: None, interrupted: &|| false }
    }
}

impl std::fmt::Debug for Bounds<'_> {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        let Self { states_max, memory_max_bytes, deadline, .. } = self;
        f.debug_struct("Bounds")
            .field("states_max", states_max)
            .field("memory_max_bytes", memory_max_bytes)
            .field("deadline", deadline)
            .finish_non_exhaustive()
    }
}

impl Bounds<'_> {
    /// Why nothing more is asked, if that is so.
    #[must_use]
    pub fn stop(&self) -> Option<Stop> {
        if (self.interrupted)() {
            return Some(Stop::Interrupted);
        }
        self.deadline.filter(|&deadline| Instant::now() >= deadline).map(|_| Stop::Time)
    }
}

/// A scenario under a server, as it stands or in every ordering, ready to be asked many times.
#[derive(Clone, Debug)]
pub struct Question {
    case: Case,
    setup: Arc<Setup>,
    threads: Vec<Vec<Op>>,
    /// What is gone through in every ordering, if it is.
    plan: Option<Plan>,
    server: ServerKind,
}

impl Question {
    /// The lines as they stand.
    #[must_use]
    pub fn new(case: Case, server: ServerKind) -> Self {
        let (setup, threads) = (Arc::new(case.start()), case.threads());
        Self { case, setup, threads, plan: None, server }
    }

    /// Every ordering, if the scenario has pending steps; its lines as they stand if not.
    #[must_use]
    pub fn of(scenario: &Scenario, server: ServerKind) -> Self {
        let is_block = |line: &Line| matches!(line.item, Item::Any(_));
        let is_threaded = scenario.ops().any(|(thread, _)| thread.0 > 0) && !scenario.is_stepped();
        let pending = scenario.lines.iter().any(is_block) || is_threaded;
        let plan = pending.then(|| Plan::of(scenario));
        Self { plan, ..Self::new(Case::of(scenario), server) }
    }

    /// The number of orderings, where it does not depend on what happens.
    #[must_use]
    pub fn orderings(&self) -> Option<String> {
        self.plan.as_ref().map_or(Some("1".to_owned()), |plan| {
            plan.orderings().map(|orderings| orderings.to_string())
        })
    }

    /// Whether everything that fails is asked, and not only what fails first.
    #[must_use]
    pub fn is_whole(&self) -> bool {
        self.plan.is_some() || self.case.ops.len() <= WHOLE_OPERATIONS_MAX
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

    /// The oracles that fail, notes left aside, and the switches that were read: under every set
    /// that agrees on them the same happens.
    ///
    /// # Errors
    /// If it was given up: why.
    pub fn ask(&self, fixes: FixSet, bounds: &Bounds<'_>) -> Result<(OracleSet, Switches), Stop> {
        if let Some(stop) = bounds.stop() {
            return Err(stop);
        }
        let Some(plan) = &self.plan else { return Ok(self.ask_lines(fixes)) };
        let limits = Limits {
            states_max: bounds.states_max,
            memory_max_bytes: bounds.memory_max_bytes,
            deadline: bounds.deadline,
            interrupted: &bounds.interrupted,
            ..Limits::default()
        };
        let options = Options { limits, ..Options::new(fixes, self.server) };
        let (failing, read) = explore::failing(plan, &options)?;
        Ok((failing.into_iter().collect(), read))
    }

    fn ask_lines(&self, fixes: FixSet) -> (OracleSet, Switches) {
        let mut simulation = self.start(fixes);
        let ends_soon = !self.is_whole();
        simulation
            .play(&self.case, &mut (), |simulation| ends_soon && !failing(simulation).is_empty());
        (failing(&simulation), simulation.read())
    }

    /// After how many operations or steps of the lines as they stand an oracle fails, one more than
    /// there are if only the last checkpoint shows it, and none if it does not; and the switches
    /// that were read until then.
    #[must_use]
    pub fn first(&self, fixes: FixSet, oracle: OracleName) -> (Option<usize>, Switches) {
        let mut simulation = self.start(fixes);
        let mut fails = false;
        let steps = simulation.play(&self.case, &mut (), |simulation| {
            fails = failing(simulation).contains(oracle);
            fails
        });
        (steps.filter(|_| fails), simulation.read())
    }

    /// How many operations or steps the lines as they stand take.
    #[must_use]
    pub fn length(&self, fixes: FixSet) -> usize {
        if !self.case.is_stepped() {
            return self.case.ops.len();
        }
        let mut looked_at = 0;
        self.start(fixes).play(&self.case, &mut (), |_| {
            looked_at += 1;
            false
        });
        // The end was looked at, too.
        looked_at - 1
    }

    /// An ordering in which an oracle fails, if one does: the shortest that is known.
    #[must_use]
    pub fn ordering(&self, fixes: FixSet, oracle: OracleName, bounds: &Bounds<'_>) -> Option<Case> {
        let Some(plan) = &self.plan else {
            return self.first(fixes, oracle).0.map(|_| self.case.clone());
        };
        let limits = Limits {
            states_max: bounds.states_max,
            memory_max_bytes: bounds.memory_max_bytes,
            deadline: bounds.deadline,
            interrupted: &bounds.interrupted,
            ..Limits::default()
        };
        let options = Options { limits, ..Options::new(fixes, self.server) };
        let found = explore::explore(plan, &options).found;
        found.into_iter().find(|one| one.class.oracle == oracle).map(|one| one.case)
    }

    fn start(&self, fixes: FixSet) -> Simulation {
        let setup = Arc::clone(&self.setup);
        let simulation = Simulation::new(setup, fixes, self.server, Tracking::NONE, 0);
        let mut simulation = simulation.watching_keys();
        if self.case.is_stepped() {
            simulation.load(self.threads.clone());
        }
        simulation
    }
}

fn failing(simulation: &Simulation) -> OracleSet {
    let classes = simulation.oracles().findings().classes();
    classes.iter().map(|class| class.oracle).filter(|oracle| !oracle.is_note()).collect()
}
