//! Cases run one after another in simulations that are reset, not made anew.

use std::hash::{Hash, Hasher};
use std::sync::Arc;

use crate::event::{Event, Observer, Tick};
use crate::fix::FixSet;
use crate::journal::{Mixer, Tracking};
use crate::scenario::{Case, SetupLine, Simulation};
use crate::server::ServerKind;

/// Hashes everything that happens, except the calls that a guard swallowed.
#[derive(Clone, Copy, Debug, Default)]
pub(super) struct Events {
    hasher: Mixer,
    unheard: bool,
}

impl Events {
    /// Hashes nothing. That it is of the same type keeps a fuzzer from seeing the same model twice.
    pub fn unheard() -> Self {
        Self { unheard: true, ..Self::default() }
    }

    pub fn hash(self) -> u64 {
        self.hasher.finish()
    }
}

impl Observer for Events {
    #[inline]
    fn observe(&mut self, tick: Tick, event: &Event<'_>) {
        if !self.unheard && !matches!(event, Event::Swallowed { .. }) {
            self.hasher.write_u64(tick.0);
            event.hash(&mut self.hasher);
        }
    }
}

/// What a case runs under.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Under {
    pub fixes: FixSet,
    pub server: ServerKind,
}

/// Runs cases under one set of fixes and one server; keeps a simulation for each setup.
#[derive(Debug)]
pub(super) struct Runner {
    pub under: Under,
    tracking: Tracking,
    simulations: Vec<(Vec<SetupLine>, Simulation)>,
    /// The simulation of the case at hand.
    current: usize,
}

impl Runner {
    pub fn new(under: Under, tracking: Tracking) -> Self {
        Self { under, tracking, simulations: Vec::new(), current: 0 }
    }

    /// The simulation of the last case.
    pub fn simulation(&mut self) -> &mut Simulation {
        &mut self.simulations[self.current].1
    }

    /// Runs a case from its start to its end.
    pub fn run_anew<O: Observer>(&mut self, case: &Case, observer: &mut O) {
        self.start(case);
        self.run(case, observer, |_| {});
    }

    /// Runs a case to its end from where its simulation is; `each` sees the state before every
    /// step.
    pub fn run<O: Observer>(
        &mut self,
        case: &Case,
        observer: &mut O,
        mut each: impl FnMut(&Simulation),
    ) {
        let simulation = self.simulation();
        simulation.load(if case.is_stepped() { case.threads() } else { Vec::new() });
        if case.is_stepped() {
            let mut course = case.course();
            loop {
                let ready = simulation.world().ready();
                if ready.is_empty() {
                    break;
                }
                each(simulation);
                simulation.step(course.next(&ready), observer);
            }
        } else {
            for (_, op) in &case.ops {
                each(simulation);
                simulation.apply(op, observer);
            }
        }
        each(simulation);
        simulation.finish(observer);
    }

    /// Takes the simulation of the case's setup, as it is before the first step.
    pub fn start(&mut self, case: &Case) {
        let known = self.simulations.iter().position(|(setup, _)| *setup == case.setup);
        self.current = known.unwrap_or_else(|| {
            let Under { fixes, server } = self.under;
            let start = Arc::new(case.start());
            let simulation = Simulation::new(start, fixes, server, self.tracking, 0);
            self.simulations.push((case.setup.clone(), simulation));
            self.simulations.len() - 1
        });
        self.simulation().reset();
    }
}
