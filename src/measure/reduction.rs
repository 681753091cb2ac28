//! How long the reducer takes, and how short what it leaves is.

use std::collections::BTreeMap;
use std::time::Instant;

use crate::choice::{Choices as _, Seeded};
use crate::fix::FixSet;
use crate::generate::{self, Generator, Order, Profile};
use crate::op::{Op, ThreadId};
use crate::runtime::Setup;
use crate::scenario::Case;
use crate::search::aim::{Aim, Failure, Model};
use crate::search::minimize::{Minimized, Options, minimize};
use crate::search::replay::Replayer;
use crate::server::ServerKind;
use crate::violation::{OracleName, ViolationClass};

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

/// Fixes and servers under which small programs fail.
const UNDER: [(&str, ServerKind); 10] = [
    ("original", ServerKind::K1),
    ("before", ServerKind::K1),
    ("guard", ServerKind::K1),
    ("workaround", ServerKind::K0),
    ("three-fixes", ServerKind::K1),
    ("three-fixes", ServerKind::K2),
    ("final", ServerKind::K2),
    ("final", ServerKind::K2e),
    ("fork-head", ServerKind::K1),
    ("upstream-shm+stale-override", ServerKind::Shm),
];

/// The fewest and the most operations of a small input.
const SMALL_OPERATIONS: (usize, usize) = (6, 10);

/// What the small inputs are called.
pub const SMALL_INPUTS: &str = "6 to 10 operations, all profiles, any class";

/// So often an operation is left out of what a profile draws to make a small input.
const THINNING_TRIES_MAX: u32 = 400;

/// So many small inputs at most have the same class under the same fixes and server.
const SMALL_ALIKE_MAX: usize = 2;

/// A small input, and the seed that it is drawn from.
#[derive(Clone, Debug)]
pub struct Small {
    /// The seed.
    pub seed: u64,
    /// The input.
    pub input: Input,
}

/// Small inputs: 6 to 10 operations of those that a profile draws, in its order, in turns under one
/// set of fixes and another.
///
/// From even seeds any operations stay, and any class that they come to is kept. From odd ones
/// operations are left out at random as long as a class stays that was chosen before, so that more
/// of what is left is needed. At most two have the same class under the same fixes.
///
/// ```
/// let small = freeorder::measure::reduction::small_inputs().next();
/// assert!(small.is_some_and(|small| small.input.case.ops.len() <= 10));
/// ```
///
/// # Panics
/// If the table has fixes that there are not.
pub fn small_inputs() -> impl Iterator<Item = Small> {
    let mut seen: BTreeMap<(usize, ViolationClass), usize> = BTreeMap::new();
    (0..).filter_map(move |seed: u64| {
        let mut choices = Seeded::new(seed);
        let profile = Profile::ALL[choices.pick(Profile::ALL.len() as u64) as usize];
        let under = choices.pick(UNDER.len() as u64) as usize;
        let (fixes, server) = UNDER[under];
        let fixes: FixSet = fixes.parse().expect("the table names fixes that there are");
        let drawn = Case { picks: Vec::new(), ..generate::case(profile, Order::Urw, &mut choices) };
        let ops = drawn.ops.into_iter().map(|(_, op)| (ThreadId(0), op)).collect();
        let drawn = Case { schedule: Vec::new(), ops, ..drawn };
        let mut replayer = Replayer::new(fixes, server);
        let (case, class) = match seed % 2 {
            0 => any_few(drawn, &mut choices, &mut replayer)?,
            _ => failing_few(drawn, &mut choices, &mut replayer)?,
        };
        let alike = seen.entry((under, class)).or_default();
        *alike += 1;
        let aim = Aim { fixes, server, failure: Failure::Class(class) };
        (*alike <= SMALL_ALIKE_MAX).then_some(Small { seed, input: Input { case, aim } })
    })
}

/// Any few of the operations, and a class that they come to.
fn any_few(
    mut case: Case,
    choices: &mut Seeded,
    replayer: &mut Replayer,
) -> Option<(Case, ViolationClass)> {
    let (fewest, most) = SMALL_OPERATIONS;
    let count = fewest + choices.pick((most - fewest + 1) as u64) as usize;
    while case.ops.len() > count {
        case.ops.remove(1 + choices.pick(case.ops.len() as u64 - 1) as usize);
    }
    let class = any_class(&case, choices, replayer)?;
    Some((case, class))
}

/// A class that all of the operations come to, and a few of them that come to it as well.
fn failing_few(
    mut case: Case,
    choices: &mut Seeded,
    replayer: &mut Replayer,
) -> Option<(Case, ViolationClass)> {
    let class = any_class(&case, choices, replayer)?;
    let (fewest, most) = SMALL_OPERATIONS;
    let count = fewest + choices.pick((most - fewest + 1) as u64) as usize;
    for _ in 0..THINNING_TRIES_MAX {
        if case.ops.len() <= count {
            return Some((case, class));
        }
        let mut fewer = case.clone();
        fewer.ops.remove(choices.pick(case.ops.len() as u64) as usize);
        if replayer.classes(&fewer).contains(&class) {
            case = fewer;
        }
    }
    None
}

/// One of the classes that a case comes to.
fn any_class(case: &Case, choices: &mut Seeded, replayer: &mut Replayer) -> Option<ViolationClass> {
    let mut classes = replayer.classes(case).to_vec();
    classes.retain(|class| !class.oracle.is_note());
    let nth = choices.pick(classes.len().max(1) as u64) as usize;
    classes.get(nth).copied()
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
