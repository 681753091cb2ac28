//! How long the reducer takes, and how short what it leaves is.

use std::time::Instant;

use crate::choice::Seeded;
use crate::fix::FixSet;
use crate::generate::Generator;
use crate::op::Op;
use crate::runtime::Setup;
use crate::scenario::Case;
use crate::search::aim::{Aim, Failure, Model};
use crate::search::enumerate::{Limits, alphabet, enumerate};
use crate::search::minimize::{Minimized, Options, minimize};
use crate::search::replay::Replayer;
use crate::server::ServerKind;
use crate::violation::OracleName;

/// What of an input is to be kept.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Kept {
    /// Any of the classes, another one with each seed.
    Any,
    /// The last class of an oracle.
    Last(OracleName),
}

/// A kind of input: operations of profile `basic`, and what is kept of how they fail.
#[derive(Clone, Copy, Debug)]
pub struct Kind {
    fixes: &'static str,
    server: ServerKind,
    /// Operations before the others, among which nothing fails.
    harmless: usize,
    operations: usize,
    kept: Kept,
}

/// The kinds of input that `freeorder bench minimize` has a row for. Of the long ones only the
/// first fails early.
pub const KINDS: [Kind; 11] = [
    short("original", ServerKind::K1),
    short("before", ServerKind::K1),
    short("three-fixes", ServerKind::K1),
    short("final", ServerKind::K2),
    short("fork-head", ServerKind::K1),
    short("upstream-shm+stale-override", ServerKind::Shm),
    long("three-fixes", ServerKind::K1, OracleName::CbClash),
    long("three-fixes", ServerKind::K1, OracleName::Residue),
    long("final", ServerKind::K2, OracleName::Balance),
    long("final", ServerKind::K2, OracleName::Teardown),
    Kind {
        harmless: 9_900,
        operations: 100,
        ..long("fork-head", ServerKind::K1, OracleName::StaleFree)
    },
];

const fn short(fixes: &'static str, server: ServerKind) -> Kind {
    Kind { fixes, server, harmless: 0, operations: 100, kept: Kept::Any }
}

const fn long(fixes: &'static str, server: ServerKind, oracle: OracleName) -> Kind {
    Kind { fixes, server, harmless: 0, operations: 10_000, kept: Kept::Last(oracle) }
}

/// A case that fails, and how.
#[derive(Clone, Debug)]
pub struct Input {
    /// The case.
    pub case: Case,
    /// How it fails.
    pub aim: Aim,
}

impl Kind {
    /// Its name.
    #[must_use]
    pub fn name(self) -> String {
        let Self { fixes, server, harmless, operations, kept } = self;
        let failure = match kept {
            Kept::Any => "any class".to_owned(),
            Kept::Last(oracle) if harmless > 0 => format!("late {oracle}"),
            Kept::Last(oracle) => oracle.to_string(),
        };
        format!("{} operations, {fixes} {server}, {failure}", harmless + operations)
    }

    /// The inputs of the kind, for one seed after another; seeds that do not fail are left out.
    ///
    /// ```
    /// let kind = freeorder::measure::reduction::KINDS[0];
    /// assert_eq!(kind.inputs().next().map(|input| input.case.ops.len()), Some(102));
    /// ```
    ///
    /// # Panics
    /// If a row of the table has fixes that there are not.
    pub fn inputs(self) -> impl Iterator<Item = Input> {
        let fixes: FixSet = self.fixes.parse().expect("the table names fixes that there are");
        let mut replayer = Replayer::new(fixes, self.server);
        (0..).filter_map(move |seed| {
            let case = Case::from_ops(self.ops(seed));
            let mut classes = replayer.classes(&case).to_vec();
            classes.retain(|class| match self.kept {
                Kept::Any => !class.oracle.is_note(),
                Kept::Last(oracle) => class.oracle == oracle,
            });
            let class = match self.kept {
                Kept::Any => classes.get(seed as usize % classes.len().max(1)).copied()?,
                Kept::Last(_) => classes.last().copied()?,
            };
            let aim = Aim { fixes, server: self.server, failure: Failure::Class(class) };
            Some(Input { case, aim })
        })
    }

    /// The mesh, the operations that a seed draws, and the exit.
    fn ops(self, seed: u64) -> Vec<Op> {
        let mut choices = Seeded::new(seed);
        let mut generator = Generator::new();
        let mut drawn = std::iter::repeat_with(move || generator.next_op(&mut choices));
        let mut ops = vec![Generator::opening(&Setup::default())];
        let is_harmless = |op: &Op| !matches!(op, Op::Deallocate(_) | Op::View { .. });
        ops.extend(drawn.by_ref().filter(is_harmless).take(self.harmless));
        ops.extend(drawn.take(self.operations));
        ops.push(Op::Exit);
        ops
    }
}

/// One reduction, measured.
#[derive(Clone, Debug)]
pub struct Reduction {
    /// What came out.
    pub minimized: Minimized,
    /// How long it took.
    pub milliseconds: f64,
}

/// Reduces an input.
///
/// # Panics
/// If the input does not fail.
#[must_use]
pub fn reduce(input: &Input) -> Reduction {
    let begin = Instant::now();
    let mut model = Model::new(input.aim);
    let minimized = minimize(&input.case, &mut model, &mut Options::default())
        .expect("the classes of an input are those of a run");
    Reduction { minimized, milliseconds: begin.elapsed().as_secs_f64() * 1e3 }
}

/// Whether every shorter sequence of the kinds of operation in the result was looked at, and none
/// fails; none if there are too many.
#[must_use]
pub fn is_at_optimum(result: &Case, aim: Aim, limits: Limits) -> Option<bool> {
    let shorter = result.ops.len().saturating_sub(1);
    let all = enumerate(result, &alphabet(result), aim, shorter, limits);
    match all.found {
        Some(_) => Some(false),
        None => (!all.limited).then_some(true),
    }
}
