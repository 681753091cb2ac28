//! Failing cases to reduce, and subjects whose optimum is known.

use freeorder::choice::{Choices, Seeded};
use freeorder::fix::FixSet;
use freeorder::generate::{self, Order, Profile};
use freeorder::op::{Op, ThreadId};
use freeorder::scenario::{Case, Scenario};
use freeorder::search::aim::{Aim, Failure, Subject};
use freeorder::search::minimize::{Minimized, Options, minimize};
use freeorder::search::replay::{Replayer, Turn};
use freeorder::server::ServerKind;

use crate::common;

/// Fixes and servers under which something fails.
pub const UNDER: [(&str, &str); 12] = [
    ("original", "k1"),
    ("before", "k1"),
    ("before", "k2"),
    ("guard", "k1"),
    ("workaround", "k0"),
    ("three-fixes", "k1"),
    ("three-fixes", "k2"),
    ("final", "k2"),
    ("final", "k2e"),
    ("final", "shm"),
    ("fork-head", "k1"),
    ("upstream-shm+stale-override", "shm"),
];

/// A case and how it fails.
#[derive(Clone, Debug)]
pub struct Input {
    pub case: Case,
    pub aim: Aim,
}

/// The case that profile `basic` draws: a mesh, 100 operations, and the exit.
pub fn basic(seed: u64) -> Case {
    generate::case(Profile::Basic, Order::Urw, &mut Seeded::new(seed))
}

/// Any operations of any kind, most of which change nothing.
pub fn arbitrary(seed: u64, length: usize) -> Case {
    Case::from_ops(common::sequence(length, &mut Seeded::new(seed)))
}

/// The operations in other hands: two threads, and picks that mix their steps.
pub fn threaded(mut case: Case, seed: u64) -> Case {
    let mut choices = Seeded::new(seed);
    for (thread, _) in case.ops.iter_mut().skip(1) {
        *thread = ThreadId(choices.pick(3) as u32);
    }
    picked(case, seed + 1)
}

/// The same threads, with other picks.
pub fn picked(mut case: Case, seed: u64) -> Case {
    let mut choices = Seeded::new(seed);
    case.schedule.clear();
    case.picks = (0..2 * case.ops.len()).map(|_| choices.pick(3)).collect();
    case
}

pub fn case(lines: &str) -> Case {
    let text = format!("freeorder 1\n{}\n", lines.replace("; ", "\n"));
    Case::of(&text.parse::<Scenario>().unwrap())
}

pub fn ops(case: &Case) -> Vec<Op> {
    case.ops.iter().map(|(_, op)| op.clone()).collect()
}

/// The case under some fixes and a server, to be reduced to the `nth` of the classes that it shows.
pub fn input(case: Case, under: (&str, &str), nth: usize) -> Option<Input> {
    let (fixes, server): (FixSet, ServerKind) =
        (under.0.parse().unwrap(), under.1.parse().unwrap());
    let mut classes = Replayer::new(fixes, server).classes(&case).to_vec();
    classes.retain(|class| !class.oracle.is_note());
    let class = *classes.get(nth % classes.len().max(1))?;
    Some(Input { case, aim: Aim { fixes, server, failure: Failure::Class(class) } })
}

/// The threads of a case under some fixes and a server, to be reduced to a class that they do not
/// show one after another; none if there is no such class.
pub fn race(case: Case, under: (&str, &str)) -> Option<Input> {
    let (fixes, server): (FixSet, ServerKind) =
        (under.0.parse().unwrap(), under.1.parse().unwrap());
    let mut replayer = Replayer::new(fixes, server);
    let in_turn = Case { picks: Vec::new(), schedule: Vec::new(), ..case.clone() };
    let known = replayer.classes(&in_turn).to_vec();
    let mut classes = replayer.classes(&case).iter();
    let class = classes.find(|class| !class.oracle.is_note() && !known.contains(class))?;
    Some(Input { aim: Aim { fixes, server, failure: Failure::Class(*class) }, case })
}

/// Inputs of profile `basic`: seed after seed, each under another set and server, each time another
/// of the classes.
pub fn basics(count: usize) -> Vec<Input> {
    let under = |seed: usize| UNDER[seed % UNDER.len()];
    let inputs =
        (0..).filter_map(|seed| input(basic(seed as u64), under(seed), seed / UNDER.len()));
    inputs.take(count).collect()
}

/// The same of arbitrary operations of all kinds.
pub fn wild(count: usize) -> Vec<Input> {
    let inputs = (0..).filter_map(|seed: usize| {
        input(arbitrary(seed as u64, 40), UNDER[seed % UNDER.len()], seed / UNDER.len())
    });
    inputs.take(count).collect()
}

pub fn reduce(case: &Case, subject: &mut impl Subject) -> Minimized {
    minimize(case, subject, &mut Options::default()).unwrap()
}

/// A subject that fails as a function of the operations says, and so has an optimum that is known.
pub struct Planted<F>(pub F);

impl<F: Fn(&Case) -> bool> Subject for Planted<F> {
    fn fails(&mut self, case: &Case) -> Option<usize> {
        (self.0)(case).then_some(case.ops.len())
    }

    fn turns(&mut self, _: &Case) -> Vec<Turn> {
        Vec::new()
    }
}

/// The page counts of the buffers that are allocated.
pub fn counts(case: &Case) -> Vec<u32> {
    let specs = case.ops.iter().filter_map(|(_, op)| op.spec());
    specs.map(|spec| spec.pages.count).collect()
}
