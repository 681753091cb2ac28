//! Writing a program as the bytes from which it is read.
//!
//! There is no second copy of the generator here: for each operation the picks are searched for
//! with which the generator draws it.

use std::cmp::Reverse;
use std::mem::discriminant;

use super::book::BUFFERS;
use super::bytes::{self, OPERATIONS_MAX};
use super::draw::Drawer;
use super::kind::Kind;
use super::names::FirstUses;
use super::profile::Profile;
use super::values;
use crate::allocator::Machine;
use crate::choice::{Bytes, Choices};
use crate::op::Op;
use crate::scenario::{Case, SetupLine};

/// Why a program cannot be written as bytes.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum EncodeError {
    /// The setup is none of those that are drawn.
    #[error(
        "the setup cannot be drawn; without setup lines, or with `l1-small 32768` and \
         `trace-region 1048576`, it could"
    )]
    Setup,
    /// Recorded picks depend on what is ready.
    #[error("picks cannot be written as bytes; a `schedule` can")]
    Picks,
    /// More operations than are read.
    #[error("{count} operations are more than the {OPERATIONS_MAX} that are read from bytes")]
    TooMany {
        /// How many there are.
        count: usize,
    },
    /// An operation, or its thread, that the profile does not draw there.
    #[error("operation {number}, `{line}`, cannot be drawn under profile {profile}; {nearest}")]
    Operation {
        /// Which operation, from 1.
        number: usize,
        /// Its line, with its names in order of first use.
        line: String,
        /// The profile.
        profile: Profile,
        /// What would be right.
        nearest: String,
    },
    /// A turn of a thread that is not drawn.
    #[error("turn {number} of the schedule is of a thread above t3")]
    Turn {
        /// Which turn, from 1.
        number: usize,
    },
}

/// How many operations the search for one may draw before it gives up.
const DRAWS_MAX: u32 = 5_000;

/// How many picks in a row may bring it no nearer, one search after another: with `reads b5,b5` the
/// word that is there agrees before there is a second one, and no longer with one that is another.
const DETOURS: [u32; 4] = [1, 2, 4, u32::MAX];

/// The same program with its names in order of first use, and without setup lines that change
/// nothing.
///
/// ```
/// use freeorder::{generate::canonical, scenario::{Case, Scenario}};
/// let scenario: Scenario = "freeorder 1\nopen m3 2x4\nclose m3\n".parse()?;
/// assert_eq!(canonical(&Case::of(&scenario)).ops[1].1.to_string(), "close m0");
/// # Ok::<(), freeorder::scenario::ScenarioError>(())
/// ```
#[must_use]
pub fn canonical(case: &Case) -> Case {
    let mut names = FirstUses::default();
    let mut canonical = case.clone();
    canonical.ops.iter_mut().for_each(|(_, op)| names.renumber(op));
    let usual = |line: &SetupLine| {
        matches!(
            line,
            SetupLine::Class(_) | SetupLine::Tracked(true) | SetupLine::Machine(Machine::T3k)
        )
    };
    canonical.setup.retain(|line| !usual(line));
    canonical
}

/// The bytes from which [`from_bytes`](super::from_bytes) reads the [`canonical`] program.
///
/// # Errors
/// If the profile does not draw one of the operations where it stands.
pub fn encode(profile: Profile, case: &Case) -> Result<Vec<u8>, EncodeError> {
    let case = canonical(case);
    let mut written = Vec::new();
    let variants = if profile == Profile::Basic { 1 } else { 2 };
    let setup = (0..variants).find(|&variant| values::setup(variant) == case.setup);
    Bytes::write(&mut written, setup.ok_or(EncodeError::Setup)?, variants);
    if !case.picks.is_empty() {
        return Err(EncodeError::Picks);
    }
    if case.ops.len() > OPERATIONS_MAX {
        return Err(EncodeError::TooMany { count: case.ops.len() });
    }
    let mut drawer = Drawer::new(profile);
    for (index, (thread, op)) in case.ops.iter().enumerate() {
        let cannot = |nearest| EncodeError::Operation {
            number: index + 1,
            line: if thread.0 == 0 { op.to_string() } else { format!("{thread}: {op}") },
            profile,
            nearest,
        };
        let whose = bytes::whose(profile, *thread)
            .map_err(|most| cannot(format!("its threads are {most}")))?;
        Bytes::write(&mut written, whose, bytes::threads(profile));
        let found = Search::new(&drawer, op).run().map_err(cannot)?;
        drawer.book.note(op);
        found.into_iter().for_each(|(value, n)| Bytes::write(&mut written, value, n));
    }
    if !case.schedule.is_empty() {
        Bytes::write(&mut written, bytes::NOBODYS, bytes::threads(profile));
    }
    for (index, &turn) in case.schedule.iter().enumerate() {
        let pick = bytes::pick_of(turn).filter(|_| profile.is_threaded());
        let pick = pick.ok_or(EncodeError::Turn { number: index + 1 })?;
        Bytes::write(&mut written, pick, bytes::TURNS);
    }
    Ok(written)
}

/// A source that follows a path of picks, takes the first option past its end, and writes down of
/// how many each pick was.
struct Seeking<'a> {
    path: &'a [u64],
    picks: Vec<(u64, u64)>,
}

impl Choices for Seeking<'_> {
    fn pick(&mut self, n: u64) -> u64 {
        if n <= 1 {
            return 0;
        }
        let pick = self.path.get(self.picks.len()).copied().unwrap_or(0);
        self.picks.push((pick, n));
        pick
    }
}

/// What one path of picks draws.
struct Drawn {
    op: Op,
    /// How well it agrees with what is wanted.
    agreement: usize,
    /// The picks, each with the number of its options.
    picks: Vec<(u64, u64)>,
}

/// A search for the picks with which an operation is drawn.
struct Search<'a> {
    drawer: &'a Drawer,
    wanted: &'a Op,
    line: String,
    draws: u32,
    detour_max: u32,
    /// The line that agrees with the wanted one for longest, and for how long.
    nearest: (usize, String),
}

impl<'a> Search<'a> {
    fn new(drawer: &'a Drawer, wanted: &'a Op) -> Self {
        let (line, nearest) = (wanted.to_string(), (0, String::new()));
        Self { drawer, wanted, line, draws: 0, detour_max: 0, nearest }
    }

    /// The picks with which the drawer draws the operation, or what it could draw instead: a search
    /// for each kind of operation that has the right form, which makes ever more picks in a row
    /// that bring it no nearer.
    fn run(mut self) -> Result<Vec<(u64, u64)>, String> {
        let kinds = self.drawer.kinds();
        for detour_max in DETOURS {
            (self.draws, self.detour_max) = (0, detour_max);
            for kind in kinds.iter() {
                let first = self.draw(kind, &[]);
                if first.agreement == 0 {
                    continue;
                }
                if let Some(picks) = self.explore(kind, &mut Vec::new(), first, detour_max) {
                    let before = self.drawer.weight(kinds.before(kind));
                    let kind = (before.into(), self.drawer.weight(kinds).into());
                    return Ok(std::iter::once(kind).chain(picks).collect());
                }
            }
        }
        Err(match self.nearest {
            (0, _) => "no operation of its kind can".to_owned(),
            (_, nearest) => format!("the nearest that can is `{nearest}`"),
        })
    }

    fn draw(&mut self, kind: Kind, path: &[u64]) -> Drawn {
        self.draws += 1;
        let mut seeking = Seeking { path, picks: Vec::new() };
        let op = self.drawer.of_kind(kind, &mut seeking);
        let picks = seeking.picks;
        if discriminant(&op) != discriminant(self.wanted) {
            return Drawn { op, agreement: 0, picks };
        }
        let line = op.to_string();
        let agreement = 1 + agreement(&line, &self.line);
        if agreement > self.nearest.0 {
            self.nearest = (agreement, line);
        }
        Drawn { op, agreement, picks }
    }

    /// Depth first: at once an option whose line agrees with the wanted one for longer than before,
    /// then the others, while so many of a detour are left. Picks are made in the order of the
    /// line, so that mostly the first such option goes on to the end. Options that draw the same
    /// are tried once.
    fn explore(
        &mut self,
        kind: Kind,
        path: &mut Vec<u64>,
        drawn: Drawn,
        detour: u32,
    ) -> Option<Vec<(u64, u64)>> {
        if drawn.op == *self.wanted {
            return Some(drawn.picks);
        }
        let &(_, options) = drawn.picks.get(path.len())?;
        let mut tried: Vec<(u64, Drawn)> = Vec::new();
        for option in 0..options {
            if self.draws > DRAWS_MAX {
                return None;
            }
            path.push(option);
            let next = self.draw(kind, path);
            let found = if next.agreement > drawn.agreement {
                self.explore(kind, path, next, self.detour_max)
            } else {
                if !tried.iter().any(|(_, other)| other.goes_on_as(&next, path.len())) {
                    tried.push((option, next));
                }
                None
            };
            path.pop();
            if found.is_some() {
                return found;
            }
        }
        let detour = detour.checked_sub(1)?;
        tried.sort_by_key(|(_, next)| Reverse(next.agreement));
        for (option, next) in tried {
            path.push(option);
            let found = self.explore(kind, path, next, detour);
            path.pop();
            if found.is_some() {
                return found;
            }
        }
        None
    }
}

impl Drawn {
    /// Whether the other one is the same operation, with the same number of options to come.
    fn goes_on_as(&self, other: &Self, from: usize) -> bool {
        let to_come = |drawn: &Self| -> Vec<u64> {
            drawn.picks[from..].iter().map(|&(_, options)| options).collect()
        };
        self.op == other.op && to_come(self) == to_come(other)
    }
}

/// How many words the two lines have in common before they differ, twice, and one more if the
/// first one ends there: it can still go on as the other one does.
fn agreement(line: &str, wanted: &str) -> usize {
    let words = |line| str::split(line, [' ', ',']);
    let common = words(line).zip(words(wanted)).take_while(|(one, other)| one == other).count();
    2 * common + usize::from(common == words(line).count())
}

const _: () = assert!(BUFFERS <= 64, "a set of names is one word");
