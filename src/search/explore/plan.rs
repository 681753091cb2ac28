//! What an exploration goes through: which steps there are, and which of them keep an order.

use num_bigint::BigUint;

use crate::op::{Op, ThreadId};
use crate::scenario::{Case, Item, Line, Scenario, SetupLine};

/// Operations that keep their order.
pub(super) type Chain = Vec<Op>;

/// The steps of a scenario: stages one after another, or threads.
///
/// ```
/// use freeorder::{scenario::Scenario, search::explore::Plan};
/// let text = "freeorder 1\nopen m0 2x4\nalloc b0 on m0 dram 1x2048\n\
///             any {\n  t1: mark b0\n  t1: drop b0\n  close m0\n}\nexit\n";
/// let plan = Plan::of(&text.parse::<Scenario>()?);
/// assert_eq!(plan.orderings().map(|count| count.to_string()).as_deref(), Some("3"));
/// # Ok::<(), freeorder::scenario::ScenarioError>(())
/// ```
#[derive(Clone, Debug)]
pub struct Plan {
    pub(super) case: Case,
    pub(super) stages: Vec<Stage>,
}

/// What comes between two barriers: a block whose chains can be interleaved in any way.
#[derive(Clone, Debug, Default)]
pub(super) struct Stage {
    pub(super) chains: Vec<Chain>,
}

impl Stage {
    /// Whether there is nothing to choose.
    pub(super) fn is_fixed(&self) -> bool {
        self.chains.len() <= 1
    }

    /// The number of orders in which its steps can happen.
    fn orderings(&self) -> BigUint {
        let mut orderings = BigUint::from(1_u8);
        let mut steps = 0_u64;
        for chain in &self.chains {
            // Choose the places of this chain among those before it.
            for own in 1..=chain.len() as u64 {
                steps += 1;
                orderings = orderings * steps / own;
            }
        }
        orderings
    }
}

impl Plan {
    /// The plan of a scenario: its `any` blocks; its threads, if it has none.
    #[must_use]
    pub fn of(scenario: &Scenario) -> Self {
        let case = Case { schedule: Vec::new(), picks: Vec::new(), ..Case::of(scenario) };
        let is_block = |line: &Line| matches!(line.item, Item::Any(_));
        let mut stages = Vec::new();
        if scenario.lines.iter().any(is_block) {
            let mut fixed = Chain::new();
            for line in &scenario.lines {
                let alone = Scenario { lines: vec![line.clone()] };
                if is_block(line) {
                    stages.push(Stage { chains: vec![std::mem::take(&mut fixed)] });
                    stages.push(block(&alone));
                } else {
                    fixed.extend(alone.ops().map(|(_, op)| op.clone()));
                }
            }
            stages.push(Stage { chains: vec![fixed] });
        }
        Self { case, stages }
    }

    /// Whether the threads of the scenario are interleaved, with what the sockets hold.
    #[must_use]
    pub fn is_threaded(&self) -> bool {
        self.stages.is_empty()
    }

    /// The number of orders in which the steps of its blocks can happen; none for threads, whose
    /// steps depend on what they meet.
    #[must_use]
    pub fn orderings(&self) -> Option<BigUint> {
        let product = |product, stage: &Stage| product * stage.orderings();
        let all = || self.stages.iter().fold(BigUint::from(1_u8), product);
        (!self.is_threaded()).then(all)
    }

    /// How many steps can change places.
    #[must_use]
    pub fn steps(&self) -> usize {
        let blocks = self.stages.iter().filter(|stage| !stage.is_fixed());
        blocks.flat_map(|stage| &stage.chains).map(Vec::len).sum()
    }

    /// How many of its stages have anything to choose.
    pub(super) fn blocks(&self) -> usize {
        self.stages.iter().filter(|stage| !stage.is_fixed()).count()
    }

    /// Whether what is executed at a place, counted from 1, is the same in every ordering.
    pub(super) fn is_fixed_at(&self, place: usize) -> bool {
        let mut last = 0;
        let stage = self.stages.iter().find(|stage| {
            last += stage.chains.iter().map(Vec::len).sum::<usize>();
            place <= last
        });
        stage.is_none_or(Stage::is_fixed)
    }

    /// The facts of the setup.
    pub(super) fn setup(&self) -> &[SetupLine] {
        &self.case.setup
    }
}

/// The chains of a block: one for each named thread, one for each line without.
fn block(lines: &Scenario) -> Stage {
    let mut chains: Vec<(Option<ThreadId>, Chain)> = Vec::new();
    for (thread, op) in lines.ops() {
        let named = Some(thread).filter(|thread| thread.0 > 0);
        let own = chains.iter_mut().find(|(of, _)| named.is_some() && *of == named);
        match own {
            Some((_, chain)) => chain.push(op.clone()),
            None => chains.push((named, vec![op.clone()])),
        }
    }
    Stage { chains: chains.into_iter().map(|(_, chain)| chain).collect() }
}
