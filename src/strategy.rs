//! proptest strategies over the generator, which shrink with the reducer.
//!
//! A property is any closure over a case. What proptest prints when one fails is a scenario that
//! can be pasted into a file: as small as `freeorder minimize` makes it.

use std::cell::Cell;
use std::fmt;

use proptest::arbitrary::any;
use proptest::strategy::{NewTree, Strategy, ValueTree};
use proptest::test_runner::TestRunner;

use crate::choice::Seeded;
use crate::fix::Preset;
use crate::generate::{Order, Profile, case};
use crate::scenario::Case;
use crate::search::aim::Subject;
use crate::search::minimize::{Options, minimize};
use crate::search::replay::{Replayer, Turn};
use crate::server::ServerKind;

/// A case that was drawn, or what it was shrunk to; its `Debug` form is the scenario.
#[derive(Clone, PartialEq, Eq)]
pub struct Input(pub Case);

impl fmt::Debug for Input {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "\n{}", self.0.scenario())
    }
}

/// Cases that a profile draws.
///
/// ```
/// use freeorder::{fix::Preset, generate::Profile, server::ServerKind, strategy::Cases};
/// use freeorder::search::replay::Replayer;
/// use proptest::test_runner::{TestError, TestRunner};
/// let fails = |fixes: Preset| {
///     TestRunner::deterministic().run(&Cases::of(Profile::Basic), |input| {
///         let mut replayer = Replayer::new(fixes.fixes(), ServerKind::K2);
///         proptest::prop_assert!(replayer.classes(&input.0).iter().all(|c| c.oracle.is_note()));
///         Ok(())
///     })
/// };
/// assert_eq!(fails(Preset::UpstreamShm), Ok(()));
/// let Err(TestError::Fail(_, smallest)) = fails(Preset::Final) else { panic!("it fails") };
/// assert!(smallest.0.ops.len() <= 3, "{smallest:?}");
/// ```
#[derive(Clone, Copy, Debug)]
pub struct Cases {
    profile: Profile,
    order: Order,
}

impl Cases {
    /// The cases of a profile, with orders of teardown that are uniform.
    ///
    /// ```
    /// use freeorder::{generate::{Order, Profile}, strategy::Cases};
    /// let cases = Cases::of(Profile::Teardown).in_order(Order::Pos);
    /// assert!(format!("{cases:?}").contains("Pos"));
    /// ```
    #[must_use]
    pub fn of(profile: Profile) -> Self {
        Self { profile, order: Order::Urw }
    }

    /// The same with another distribution of orders.
    #[must_use]
    pub fn in_order(self, order: Order) -> Self {
        Self { order, ..self }
    }
}

impl Strategy for Cases {
    type Tree = CaseTree;
    type Value = Input;

    fn new_tree(&self, runner: &mut TestRunner) -> NewTree<Self> {
        let seed = any::<u64>().new_tree(runner)?.current();
        Ok(CaseTree::new(case(self.profile, self.order, &mut Seeded::new(seed))))
    }
}

/// A case while it shrinks.
///
/// The reducer is a function of the verdicts it hears, and proptest tells them one at a time. So
/// each step runs the reducer again with the verdicts so far, up to the first candidate that nobody
/// has tried.
#[derive(Clone, Debug)]
pub struct CaseTree {
    drawn: Case,
    /// Whether the candidates failed, in the order in which the reducer asks; first the case drawn.
    verdicts: Vec<bool>,
    best: Case,
    /// What is to be tried next.
    candidate: Option<Case>,
}

impl CaseTree {
    /// A case that was drawn.
    ///
    /// ```
    /// use freeorder::{scenario::Scenario, scenario::Case, strategy::CaseTree};
    /// use proptest::strategy::ValueTree as _;
    /// let scenario: Scenario = "freeorder 1\nopen m0 2x4\nexit\n".parse()?;
    /// let mut tree = CaseTree::new(Case::of(&scenario));
    /// assert!(tree.simplify());
    /// assert!(tree.current().0.ops.len() < 2);
    /// # Ok::<(), freeorder::scenario::ScenarioError>(())
    /// ```
    #[must_use]
    pub fn new(drawn: Case) -> Self {
        Self { best: drawn.clone(), drawn, verdicts: Vec::new(), candidate: None }
    }

    /// Takes down whether the last candidate failed, and goes on to the next; false at the end.
    fn hear(&mut self, fails: bool) -> bool {
        self.verdicts.push(fails);
        let is_open = Cell::new(false);
        let mut told = Told { verdicts: self.verdicts.iter(), candidate: None, is_open: &is_open };
        let interrupted = || is_open.get();
        let mut options = Options { interrupted: Some(&interrupted), ..Options::default() };
        let minimized = minimize(&self.drawn, &mut told, &mut options)
            .expect("the first verdict is that the case fails");
        self.candidate = told.candidate;
        self.best = minimized.case;
        self.candidate.is_some()
    }
}

impl ValueTree for CaseTree {
    type Value = Input;

    fn current(&self) -> Input {
        Input(self.candidate.as_ref().unwrap_or(&self.best).clone())
    }

    /// What was current fails.
    fn simplify(&mut self) -> bool {
        let is_begun = !self.verdicts.is_empty();
        (!is_begun || self.candidate.is_some()) && self.hear(true)
    }

    /// What was current does not fail.
    fn complicate(&mut self) -> bool {
        self.candidate.is_some() && self.hear(false)
    }
}

/// A subject that answers as it was told, and asks when nobody has told it yet.
struct Told<'a> {
    verdicts: std::slice::Iter<'a, bool>,
    candidate: Option<Case>,
    is_open: &'a Cell<bool>,
}

impl Subject for Told<'_> {
    fn fails(&mut self, case: &Case) -> Option<usize> {
        let Some(&fails) = self.verdicts.next() else {
            if !self.is_open.replace(true) {
                self.candidate = Some(case.clone());
            }
            return None;
        };
        // Only the end shows it, as far as anybody can tell from outside.
        fails.then_some(case.ops.len() + 1)
    }

    /// Which operation a turn belongs to is the same under all fixes and servers.
    fn turns(&mut self, case: &Case) -> Vec<Turn> {
        Replayer::new(Preset::UpstreamShm.fixes(), ServerKind::Shm).turns(case)
    }
}
