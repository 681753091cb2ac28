//! A scenario taken apart, in the form that a search changes.

use crate::op::{Op, ThreadId};
use crate::runtime::Setup;
use crate::scenario::{Item, Line, Scenario, SetupLine};

/// What of a scenario decides how it runs: no comments, no expectations, repeats unrolled.
///
/// Names are stable: an operation on a name that holds nothing is a no-op, so any operation can be
/// left out without the others changing their meaning.
///
/// ```
/// use freeorder::{scenario::Scenario, search::case::Case};
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
    /// The recorded picks; none means that the operations are executed in file order.
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
            picks: scenario.picks(),
        }
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
        let picks = (!self.picks.is_empty()).then(|| Item::Picks(self.picks.clone()));
        Scenario { lines: setup.chain(ops).chain(picks).map(Line::new).collect() }
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
