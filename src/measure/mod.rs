//! What `freeorder bench` and the criterion benchmarks measure.

pub mod reduction;

use std::sync::Arc;

use crate::choice::Seeded;
use crate::fix::FixSet;
use crate::generate::Generator;
use crate::journal::Tracking;
use crate::op::Op;
use crate::runtime::Setup;
use crate::scenario::Simulation;
use crate::server::ServerKind;

/// The walk of the whole model: sequences of drawn operations with every oracle watching.
///
/// ```
/// use freeorder::{fix::FixSet, journal::Tracking, measure::Walk, server::ServerKind};
/// let mut walk = Walk::new(FixSet::default(), ServerKind::K2, Tracking::NONE);
/// assert_eq!(walk.sequence(7), 100);
/// ```
#[derive(Debug)]
pub struct Walk {
    simulation: Simulation,
    generator: Generator,
    opening: Op,
}

impl Walk {
    /// Operations that change something in each sequence.
    pub const OPERATIONS: u64 = 100;

    /// A walk over eight devices.
    #[must_use]
    pub fn new(fixes: FixSet, server: ServerKind, tracking: Tracking) -> Self {
        let setup = Arc::new(Setup::default());
        let opening = Generator::opening(&setup);
        Self {
            simulation: Simulation::new(setup, fixes, server, tracking, 0),
            generator: Generator::new(),
            opening,
        }
    }

    /// Resets everything, draws and executes one sequence, and returns the number of operations
    /// that changed something.
    pub fn sequence(&mut self, seed: u64) -> u64 {
        let mut choices = Seeded::new(seed);
        self.simulation.reset();
        self.generator.reset();
        self.simulation.apply(&self.opening, &mut ());
        let mut changed = 0;
        while changed < Self::OPERATIONS {
            let op = self.generator.next_op(&mut choices);
            changed += u64::from(self.simulation.apply(&op, &mut ()).changed);
        }
        self.simulation.finish(&mut ());
        changed
    }

    /// The simulation in the state that the last sequence left.
    #[must_use]
    pub fn simulation(&self) -> &Simulation {
        &self.simulation
    }
}
