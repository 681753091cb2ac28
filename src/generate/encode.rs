//! Writing a program as the bytes from which it is read.
//!
//! There is no second copy of the generator here: for each operation the picks are searched for
//! with which the generator draws it.

use std::cmp::Reverse;
use std::mem::discriminant;

use super::book::BUFFERS;
use super::bytes::{self, CHOICES_OF_THREADS};
use super::draw::Drawer;
use super::names::FirstUses;
use super::profile::Profile;
use super::threads::THREADS_MAX;
use super::values;
use crate::allocator::Machine;
use crate::choice::{Bytes, Choices};
use crate::op::{Op, ThreadId};
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
const DRAWS_MAX: u32 = 200_000;

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
    let mut bytes = Vec::new();
    let variants = if profile == Profile::Basic { 1 } else { 2 };
    let setup = (0..variants).find(|&variant| values::setup(variant) == case.setup);
    Bytes::write(&mut bytes, setup.ok_or(EncodeError::Setup)?, variants);
    if !case.picks.is_empty() {
        return Err(EncodeError::Picks);
    }
    let mut drawer = Drawer::new(profile);
    for (index, wanted) in case.ops.iter().enumerate() {
        let found = search(&drawer, profile, wanted).map_err(|nearest| EncodeError::Operation {
            number: index + 1,
            line: line(wanted),
            profile,
            nearest,
        })?;
        drawer.book.note(&wanted.1);
        found.into_iter().for_each(|(value, n)| Bytes::write(&mut bytes, value, n));
    }
    if !case.schedule.is_empty() {
        Bytes::write(&mut bytes, THREADS_MAX, CHOICES_OF_THREADS);
    }
    for (index, &turn) in case.schedule.iter().enumerate() {
        let pick = bytes::pick_of(turn).filter(|_| profile.is_threaded());
        let pick = pick.ok_or(EncodeError::Turn { number: index + 1 })?;
        Bytes::write(&mut bytes, pick, bytes::TURNS);
    }
    Ok(bytes)
}

fn line((thread, op): &(ThreadId, Op)) -> String {
    if thread.0 == 0 { op.to_string() } else { format!("{thread}: {op}") }
}

/// A source that follows a path of picks and takes the first option past its end.
#[derive(Default)]
struct Seeking {
    path: Vec<u64>,
    /// Every pick so far: its value, of how many, and the options among those.
    picks: Vec<(u64, u64)>,
    /// The number of options at each pick.
    options: Vec<u64>,
}

impl Seeking {
    fn take(&mut self, options: u64) -> u64 {
        let option = self.path.get(self.options.len()).copied().unwrap_or(0);
        self.options.push(options);
        option
    }
}

impl Choices for Seeking {
    fn pick(&mut self, n: u64) -> u64 {
        if n <= 1 {
            return 0;
        }
        let option = self.take(n);
        self.picks.push((option, n));
        option
    }

    /// One option for each weight, not one for each value of the pick.
    fn weighted(&mut self, weights: &[u32]) -> usize {
        let possible = || (0..weights.len()).filter(|&index| weights[index] > 0);
        let option = self.take(possible().count() as u64);
        let index = possible().nth(option as usize).expect("an option of those there are");
        let before: u64 = weights[..index].iter().map(|&weight| u64::from(weight)).sum();
        let total: u64 = weights.iter().map(|&weight| u64::from(weight)).sum();
        if total > 1 {
            self.picks.push((before, total));
        }
        index
    }
}

/// What one path of picks draws.
struct Drawn {
    /// How well it agrees with what is wanted, and whether it is just that.
    agreement: usize,
    found: bool,
    picks: Vec<(u64, u64)>,
    options: Vec<u64>,
}

/// A search for the picks with which an operation is drawn.
struct Search<'a> {
    drawer: &'a Drawer,
    profile: Profile,
    wanted: &'a (ThreadId, Op),
    line: String,
    draws: u32,
    /// The line that agrees with the wanted one for longest, and for how long.
    nearest: (usize, String),
}

/// The picks with which the drawer draws the operation, or what it could draw instead.
fn search(
    drawer: &Drawer,
    profile: Profile,
    wanted: &(ThreadId, Op),
) -> Result<Vec<(u64, u64)>, String> {
    let nearest = (0, String::new());
    let mut search = Search { drawer, profile, wanted, line: line(wanted), draws: 0, nearest };
    if wanted.0.0 > 0 && !profile.is_threaded() {
        return Err("it has one thread, t0".to_owned());
    }
    let first = search.draw(&[]);
    let found = search.explore(&mut Vec::new(), first);
    found.ok_or_else(|| match &search.nearest {
        (0, _) => "no operation of its kind can".to_owned(),
        (_, nearest) => format!("the nearest that can is `{nearest}`"),
    })
}

impl Search<'_> {
    fn draw(&mut self, path: &[u64]) -> Drawn {
        self.draws += 1;
        let mut seeking = Seeking { path: path.to_vec(), ..Seeking::default() };
        let drawn = bytes::peek(self.drawer, self.profile, &mut seeking);
        let (agreement, found) = self.compare(drawn.as_ref());
        Drawn { agreement, found, picks: seeking.picks, options: seeking.options }
    }

    /// How well something agrees with what is wanted, and whether it is just that.
    fn compare(&mut self, drawn: Option<&(ThreadId, Op)>) -> (usize, bool) {
        let Some((thread, op)) = drawn.filter(|(thread, _)| *thread == self.wanted.0) else {
            return (0, false);
        };
        if discriminant(op) != discriminant(&self.wanted.1) {
            return (1, false);
        }
        let line = line(&(*thread, op.clone()));
        let agreement = 1 + agreement(&line, &self.line);
        if agreement > self.nearest.0 {
            self.nearest = (agreement, line);
        }
        (agreement, *op == self.wanted.1)
    }

    /// Depth first, those options first whose line agrees with the wanted one for longest: picks
    /// are made in the order of the line, so that mostly a single one of them goes on.
    fn explore(&mut self, path: &mut Vec<u64>, drawn: Drawn) -> Option<Vec<(u64, u64)>> {
        if drawn.found {
            return Some(drawn.picks);
        }
        let options = *drawn.options.get(path.len())?;
        let mut next = Vec::new();
        for option in 0..options {
            if self.draws > DRAWS_MAX {
                return None;
            }
            path.push(option);
            let drawn = self.draw(path);
            path.pop();
            if drawn.found {
                return Some(drawn.picks);
            }
            next.push((option, drawn));
        }
        next.sort_by_key(|(_, drawn)| Reverse(drawn.agreement));
        for (option, drawn) in next {
            path.push(option);
            let found = self.explore(path, drawn);
            path.pop();
            if found.is_some() {
                return found;
            }
        }
        None
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
