//! A scenario taken apart, in the form that a search changes.

use super::{Course, Item, Line, Scenario, SetupLine};
use crate::op::{Op, ThreadId};
use crate::runtime::Setup;
use crate::world::Action;

/// What of a scenario decides how it runs: no comments, no expectations, repeats unrolled.
///
/// Names are stable: an operation on a name that holds nothing is a no-op, so any operation can be
/// left out without the others changing their meaning.
///
/// ```
/// use freeorder::{scenario::{Case, Scenario}};
/// let scenario: Scenario = "freeorder 1\nopen m0 2x4\n# a comment\nclose m0\n".parse()?;
/// let case = Case::of(&scenario);
/// assert_eq!(case.ops.len(), 2);
/// assert_eq!(Case::of(&case.scenario()), case);
/// # Ok::<(), freeorder::scenario::ScenarioError>(())
/// ```
#[derive(Clone, Debug, Default, PartialEq, Eq, Hash)]
pub struct Case {
    /// The lines of the setup.
    pub setup: Vec<SetupLine>,
    /// The operations in file order, each with its thread.
    pub ops: Vec<(ThreadId, Op)>,
    /// The recorded turns.
    pub schedule: Vec<Action>,
    /// The recorded picks, used past the end of the schedule.
    pub picks: Vec<u64>,
}

impl Case {
    /// Takes a scenario apart.
    #[must_use]
    pub fn of(scenario: &Scenario) -> Self {
        let setup = scenario.lines.iter().filter_map(|line| match line.item {
            Item::Setup(fact) => Some(fact),
            _ => None,
        });
        Self {
            setup: setup.collect(),
            ops: scenario.ops().map(|(thread, op)| (thread, op.clone())).collect(),
            schedule: scenario.schedule(),
            picks: scenario.picks(),
        }
    }

    /// Whether threads take turns; otherwise the operations are executed in file order.
    #[must_use]
    pub fn is_stepped(&self) -> bool {
        !self.schedule.is_empty() || !self.picks.is_empty()
    }

    /// Who takes which turn, if it is stepped.
    #[must_use]
    pub fn course(&self) -> Course {
        Course::new(self.schedule.clone(), self.picks.clone())
    }

    /// A case of one thread under the usual setup.
    #[must_use]
    pub fn from_ops(ops: impl IntoIterator<Item = Op>) -> Self {
        let ops = ops.into_iter().map(|op| (ThreadId(0), op)).collect();
        Self { ops, ..Self::default() }
    }

    /// The scenario that it is.
    #[must_use]
    pub fn scenario(&self) -> Scenario {
        let setup = self.setup.iter().map(|&fact| Item::Setup(fact));
        let ops = self.ops.iter().map(|(thread, op)| Item::Op(*thread, op.clone()));
        let turns = (!self.schedule.is_empty()).then(|| Item::Schedule(self.schedule.clone()));
        let picks = (!self.picks.is_empty()).then(|| Item::Picks(self.picks.clone()));
        let lines = setup.chain(ops).chain(turns).chain(picks);
        Scenario { lines: lines.map(Line::new).collect() }
    }

    /// What it starts from.
    #[must_use]
    pub fn start(&self) -> Setup {
        let setup = self.setup.iter().map(|&fact| Line::new(Item::Setup(fact)));
        Scenario { lines: setup.collect() }.setup()
    }

    /// The operations of each thread.
    #[must_use]
    pub fn threads(&self) -> Vec<Vec<Op>> {
        let mut threads: Vec<Vec<Op>> = Vec::new();
        for (thread, op) in &self.ops {
            while threads.len() <= thread.0 as usize {
                threads.push(Vec::new());
            }
            threads[thread.0 as usize].push(op.clone());
        }
        threads
    }
}
