//! Every sequence of operations over an alphabet, up to a length: the proof that nothing shorter
//! fails.
//!
//! The search goes depth first with undo, and looks at a state once for each number of operations
//! that may still follow. What it counts are sequences: those that begin in a state it has been in
//! are counted without being run again.

mod names;

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;
use std::time::Instant;

use super::aim::Hunted;
use super::causes::Causes;
use crate::journal::{Tracking, mix};
use crate::op::{Handle, Name, Op, ThreadId};
use crate::scenario::{Case, Simulation};
use crate::units::Bytes;
use names::Names;

/// Where a search gives up.
#[derive(Clone, Copy, Debug)]
pub struct Limits {
    /// States that are looked at.
    pub states_max: u64,
    /// When it stops; none means never.
    pub deadline: Option<Instant>,
    /// Asked now and then: whether to stop.
    pub interrupted: fn() -> bool,
}

impl Limits {
    /// So many states, however long it takes.
    #[must_use]
    pub const fn states(states_max: u64) -> Self {
        Self { states_max, deadline: None, interrupted: || false }
    }

    /// What is left after so many states; none if that was all.
    #[must_use]
    pub fn after(self, states: u64) -> Option<Self> {
        let states_max = self.states_max.checked_sub(states).filter(|&left| left > 0)?;
        Some(Self { states_max, ..self })
    }
}

impl Default for Limits {
    /// Two million states.
    fn default() -> Self {
        Self::states(2_000_000)
    }
}

/// What a search over an alphabet came to.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Enumeration {
    /// A shortest sequence that fails, if there is one.
    pub found: Option<Case>,
    /// The longest length of which all sequences were looked at.
    pub length: usize,
    /// How many sequences that are.
    pub sequences: u64,
    /// How many states they lead to.
    pub states: u64,
    /// Whether a limit was reached before the length that was asked for.
    pub limited: bool,
}

/// The operations of some kinds on as many names of each kind as the case has.
///
/// Every operation of the case comes with all other names in its places, and what lets a buffer or
/// a mesh go comes for each of them.
///
/// ```
/// use freeorder::{scenario::{Case, Scenario}, search::enumerate::alphabet};
/// let text = "freeorder 1\nopen m0 1x1\nalloc b0 on m0 dram 1x32\nview b1 of b0\n";
/// let letters = alphabet(&Case::of(&text.parse::<Scenario>()?));
/// assert!(letters.iter().any(|op| op.to_string() == "view b0 of b1"));
/// assert!(letters.iter().any(|op| op.to_string() == "drop m0"));
/// # Ok::<(), freeorder::scenario::ScenarioError>(())
/// ```
#[must_use]
pub fn alphabet(case: &Case) -> Vec<Op> {
    let names = case.ops.iter().flat_map(|(_, op)| op.names()).collect();
    alphabet_on(case.ops.iter().map(|(_, op)| op), &names)
}

/// The operations on every choice of the names, and what lets each of those go.
pub(super) fn alphabet_on<'a>(
    ops: impl IntoIterator<Item = &'a Op>,
    names: &BTreeSet<Name>,
) -> Vec<Op> {
    let mut letters: BTreeSet<Op> = BTreeSet::new();
    for op in ops {
        let slots = op.names();
        let mut chosen = Vec::with_capacity(slots.len());
        fill(op, &slots, names, &mut chosen, &mut letters);
    }
    for &name in names {
        match name {
            Name::Buffer(buffer) => {
                letters.extend([Op::Deallocate(buffer), Op::Drop(Handle::Buffer(buffer))]);
            }
            Name::Mesh(mesh) => {
                letters.extend([Op::Close(mesh), Op::Drop(Handle::Mesh(mesh))]);
            }
            Name::Program(program) => {
                letters.insert(Op::Drop(Handle::Program(program)));
            }
            Name::Trace(trace) => {
                letters.insert(Op::ReleaseTrace(trace));
            }
            Name::Process(_) | Name::Key(_) => {}
        }
    }
    letters.into_iter().collect()
}

/// Puts every choice of names of the right kinds into the slots of an operation.
fn fill(
    op: &Op,
    slots: &[Name],
    names: &BTreeSet<Name>,
    chosen: &mut Vec<Name>,
    letters: &mut BTreeSet<Op>,
) {
    let Some(slot) = slots.get(chosen.len()) else {
        let mut letter = op.clone();
        let mut next = chosen.iter();
        letter.rename(|name| next.next().copied().unwrap_or(name));
        letters.insert(letter);
        return;
    };
    let kind = std::mem::discriminant(slot);
    for &name in names.iter().filter(|&name| std::mem::discriminant(name) == kind) {
        chosen.push(name);
        fill(op, slots, names, chosen, letters);
        chosen.pop();
    }
}

/// Looks at every sequence of up to `length_max` letters, the shorter ones first, for one that
/// fails as the aim says.
///
/// Names that can be exchanged are used in order of their numbers: sequences that differ in them
/// alone are counted once. Sequences in which a letter changes nothing are not counted, unless it
/// is the last one of the longest.
#[must_use]
pub fn enumerate(
    start: &Case,
    letters: &[Op],
    hunted: impl Into<Hunted>,
    length_max: usize,
    limits: Limits,
) -> Enumeration {
    let mut walk = Walk::new(start, letters, hunted.into(), limits);
    let mut done = Enumeration { found: None, length: 0, sequences: 0, states: 0, limited: false };
    for length in 1..=length_max {
        walk.looks_at(length, 0, &mut done);
        if done.found.is_some() || done.limited {
            break;
        }
    }
    done
}

/// Looks at every sequence of exactly `length` letters whose sizes sum up to less than `size`, for
/// one that fails as the aim says.
#[must_use]
pub fn enumerate_smaller(
    start: &Case,
    letters: &[Op],
    hunted: impl Into<Hunted>,
    (length, size): (usize, Bytes),
    limits: Limits,
) -> Enumeration {
    let mut walk = Walk::new(start, letters, hunted.into(), limits);
    let mut done = Enumeration { found: None, length: 0, sequences: 0, states: 0, limited: false };
    if let Some(room) = size.0.checked_sub(1) {
        walk.sizes = letters.iter().map(|letter| letter.size().0).collect();
        walk.looks_at(length, room, &mut done);
    }
    done
}

struct Walk<'a> {
    start: &'a Case,
    letters: &'a [Op],
    hunted: Hunted,
    limits: Limits,
    /// The world that must fail, and the one that must not.
    simulation: Simulation,
    other: Option<Simulation>,
    /// What each letter takes of the room that there is for sizes.
    sizes: Vec<u64>,
    /// The names that count as used before the first letter.
    names: Names,
    path: Vec<usize>,
    /// For a state, with what has been used and said and the room that is left, and a number of
    /// operations that may follow: how many sequences those make.
    seen: BTreeMap<(u64, usize), u64>,
    found: Option<Vec<usize>>,
    limited: bool,
}

impl<'a> Walk<'a> {
    fn new(start: &'a Case, letters: &'a [Op], hunted: Hunted, limits: Limits) -> Self {
        let aim = hunted.aim;
        let setup = Arc::new(start.start());
        let simulate =
            |fixes| Simulation::new(Arc::clone(&setup), fixes, aim.server, Tracking::FULL, 0);
        Self {
            start,
            letters,
            hunted,
            limits,
            simulation: simulate(aim.fixes),
            other: aim.failure.without().map(simulate),
            sizes: vec![0; letters.len()],
            names: Names::used_from_the_start(letters),
            path: Vec::new(),
            seen: BTreeMap::new(),
            found: None,
            limited: false,
        }
    }

    /// Looks at the sequences of exactly `length` letters, and writes down what came of it.
    fn looks_at(&mut self, length: usize, room: u64, done: &mut Enumeration) {
        self.seen.clear();
        let sequences = self.below(length, self.names, room);
        done.states = done.states.max(self.seen.len() as u64);
        if let Some(path) = self.found.take() {
            let ops = path.into_iter().map(|letter| (ThreadId(0), self.letters[letter].clone()));
            done.found = Some(Case { ops: ops.collect(), ..self.start.clone() });
        } else if self.limited {
            done.limited = true;
        } else {
            done.length = length;
            done.sequences = sequences;
        }
    }

    /// The number of sequences of up to `length` letters from here whose sizes there is room for,
    /// those left out in which a letter changes nothing.
    fn below(&mut self, length: usize, names: Names, room: u64) -> u64 {
        if self.found.is_some() || self.is_limited() {
            return 0;
        }
        let state = self.key(names);
        let here = mix(state, room);
        if let Some(&sequences) = self.seen.get(&(here, length)) {
            return sequences;
        }
        if length == 0 {
            if self.fails() {
                self.found = Some(self.path.clone());
            }
            self.seen.insert((here, 0), 0);
            return 0;
        }
        let mut sequences = 0_u64;
        for letter in 0..self.letters.len() {
            let Some(used) = names.after(&self.letters[letter]) else { continue };
            let Some(room) = room.checked_sub(self.sizes[letter]) else { continue };
            self.path.push(letter);
            let is_foreign = self.apply(letter);
            // The last letter may fail without changing anything: a read does. One that only
            // mentions a name changes nothing.
            if is_foreign {
                // No sequence from here fails for the cause that is looked for.
            } else if length == 1 || self.key(names) != state {
                sequences = sequences.saturating_add(1 + self.below(length - 1, used, room));
            }
            self.undo();
            self.path.pop();
            if self.found.is_some() || self.limited {
                return sequences;
            }
        }
        self.seen.insert((here, length), sequences);
        sequences
    }

    /// Whether the sequence that was just executed fails, its end included.
    fn fails(&mut self) -> bool {
        self.simulation.finish(&mut ());
        let failure = self.hunted.aim.failure;
        let mut fails = failure.is_among(self.simulation.oracles().findings().classes());
        self.simulation.undo();
        if let Some(other) = self.other.as_mut().filter(|_| fails) {
            other.finish(&mut ());
            fails = !failure.is_among(other.oracles().findings().classes());
            other.undo();
        }
        fails
    }

    /// Whether a letter brings in a cause that is not looked for.
    fn apply(&mut self, letter: usize) -> bool {
        let mut met = Causes::NONE;
        match self.hunted.foreign == Causes::NONE {
            true => self.simulation.apply(&self.letters[letter], &mut ()),
            false => self.simulation.apply(&self.letters[letter], &mut met),
        };
        if let Some(other) = &mut self.other {
            other.apply(&self.letters[letter], &mut ());
        }
        met.meets(self.hunted.foreign)
    }

    fn undo(&mut self) {
        self.simulation.undo();
        if let Some(other) = &mut self.other {
            other.undo();
        }
    }

    /// A hash of the state, of the names used, and of whether the failure has been seen.
    fn key(&self, names: Names) -> u64 {
        let failure = self.hunted.aim.failure;
        let of = |simulation: &Simulation| {
            let said = failure.is_among(simulation.oracles().findings().classes());
            mix(simulation.hash(), u64::from(said))
        };
        let states = mix(of(&self.simulation), self.other.as_ref().map_or(0, of));
        names.0.iter().fold(states, |hash, &used| mix(hash, u64::from(used)))
    }

    fn is_limited(&mut self) -> bool {
        let late = self.limits.deadline.is_some_and(|deadline| Instant::now() >= deadline)
            || (self.limits.interrupted)();
        self.limited |= late || self.seen.len() as u64 >= self.limits.states_max;
        self.limited
    }
}
