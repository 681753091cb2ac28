//! Depth first through the states, each once.

use std::collections::{BTreeMap, BTreeSet};
use std::time::Instant;

use hashbrown::HashMap;
use hashbrown::hash_map::Entry;
use num_bigint::BigUint;

use super::canonical::Canonical;
use super::driver::{Driver, Executed};
use super::plan::Plan;
use super::preemptions::Preemptions;
use super::shown::Nothing;
use super::{Options, Stop};
use crate::fix::Switches;
use crate::journal::mix;
use crate::mark::Mark;
use crate::violation::{OracleName, ViolationClass};

/// How often limits are looked at, in states.
const LOOK: u64 = 256;

/// A map of hashes, which are hashed already.
pub(super) type States<T> = HashMap<u64, T, std::hash::BuildHasherDefault<Same>>;

/// The hash of a hash: itself.
#[derive(Clone, Copy, Debug, Default)]
pub(super) struct Same(u64);

impl std::hash::Hasher for Same {
    fn finish(&self) -> u64 {
        self.0
    }

    fn write(&mut self, bytes: &[u8]) {
        for &byte in bytes {
            self.0 = mix(self.0, u64::from(byte));
        }
    }

    fn write_u64(&mut self, word: u64) {
        self.0 = word;
    }
}

/// A class of violation with the shortest way to it that was met: what was executed, and after how
/// much of it the class was seen.
pub(super) type Found = BTreeMap<ViolationClass, (Vec<Executed>, usize)>;

/// What a walk came to.
#[derive(Clone, Debug, Default)]
pub(super) struct Ended {
    /// The orderings that were gone through, if they were counted.
    pub(super) orderings: BigUint,
    pub(super) states: u64,
    pub(super) transitions: u64,
    pub(super) ends: u64,
    pub(super) bytes: u64,
    pub(super) found: Found,
    pub(super) marks: BTreeSet<Mark>,
    pub(super) stopped: Option<Stop>,
    /// The switches that something depended on.
    pub(super) read: Switches,
    /// Whether the order of steps was left out of account anywhere.
    pub(super) was_reduced: bool,
    /// Whether a chip came to show less than it holds, or less than before.
    pub(super) showed_less: bool,
    /// When a chip shows nothing at the earliest, if one does.
    pub(super) nothing: Nothing,
    /// Whether a step was left out because of the bound on preemptions.
    pub(super) was_bounded: bool,
}

/// A choice: what to take, how many choices it stands for, and who has been interrupted then.
#[derive(Clone, Copy, Debug)]
struct Choice {
    chosen: usize,
    stands_for: u32,
    preemptions: Preemptions,
}

#[derive(Clone, Debug)]
struct Frame {
    key: u64,
    choices: Vec<Choice>,
    next: usize,
    /// The orderings from here on, as far as they are counted.
    orderings: BigUint,
    /// For how many choices of the state before this one stands.
    stands_for: u32,
}

/// A search in progress.
pub(super) struct Walk<'a> {
    options: &'a Options<'a>,
    driver: Driver<'a>,
    canonical: Canonical,
    bound: Option<u32>,
    /// Whether the order of commuting steps is left out of account.
    by_order: bool,
    seen: States<BigUint>,
    stack: Vec<Frame>,
    ended: Ended,
}

impl<'a> Walk<'a> {
    pub(super) fn new(plan: &'a Plan, options: &'a Options<'a>, bound: Option<u32>) -> Self {
        let mut driver = Driver::new(plan, options.fixes, options.server);
        let by_order = options.reduction.order && bound.is_none() && !plan.is_threaded();
        if by_order {
            driver.watch_shown();
        }
        Self {
            options,
            canonical: Canonical::new(plan, options.reduction.symmetry),
            driver,
            bound,
            by_order,
            seen: States::default(),
            stack: Vec::new(),
            ended: Ended::default(),
        }
    }

    pub(super) fn run(mut self) -> Ended {
        self.note();
        let root = self.frame(Preemptions::new(self.bound), 1);
        self.seen.insert(root.key, BigUint::ZERO);
        self.stack.push(root);
        while let Some(frame) = self.stack.last_mut() {
            match frame.choices.get(frame.next).copied() {
                Some(choice) => {
                    frame.next += 1;
                    self.follow(choice);
                }
                None => self.leave(),
            }
            if self.ended.stopped.is_some() {
                break;
            }
        }
        self.conclude()
    }

    /// Takes a step; a state that was looked at is not looked at again.
    fn follow(&mut self, choice: Choice) {
        self.driver.take(choice.chosen);
        self.ended.transitions += 1;
        self.note();
        let frame = self.frame(choice.preemptions, choice.stands_for);
        match self.seen.entry(frame.key) {
            Entry::Occupied(known) => {
                let parent = self.stack.last_mut().expect("a step leads from a state");
                parent.orderings += known.get() * choice.stands_for;
                self.driver.undo();
            }
            Entry::Vacant(new) => {
                new.insert(BigUint::ZERO);
                self.stack.push(frame);
                self.look();
            }
        }
    }

    /// The state is done with: back to the one before it.
    fn leave(&mut self) {
        let frame = self.stack.pop().expect("a state is being looked at");
        if let Some(parent) = self.stack.last_mut() {
            parent.orderings += &frame.orderings * frame.stands_for;
            self.driver.undo();
        } else {
            self.ended.orderings = frame.orderings.clone();
        }
        if !self.by_order
            && let Some(known) = self.seen.get_mut(&frame.key)
        {
            *known = frame.orderings;
        }
    }

    /// The state that the driver is in, with what can be done next.
    fn frame(&mut self, preemptions: Preemptions, stands_for: u32) -> Frame {
        let moves = self.driver.moves();
        let preemptions = preemptions.arrived(&self.driver, &moves);
        let key = preemptions.key(self.canonical.hash(&self.driver));
        let is_end = moves.is_empty();
        let is_new = !self.seen.contains_key(&key);
        let choices = if is_new { self.choices(moves, preemptions) } else { Vec::new() };
        if is_end && is_new {
            self.end();
        }
        let orderings = BigUint::from(u8::from(is_end));
        Frame { key, choices, next: 0, orderings, stands_for }
    }

    /// What is taken from here: some of the steps that could be.
    fn choices(&mut self, moves: Vec<usize>, preemptions: Preemptions) -> Vec<Choice> {
        let all = moves.len();
        let moves = if self.by_order { self.driver.persistent(moves) } else { moves };
        self.ended.was_reduced |= moves.len() < all;
        let representatives = self.canonical.representatives(&self.driver, &moves);
        let mut choices = Vec::new();
        for (chosen, stands_for) in representatives {
            match preemptions.after(self.driver.thread_of(chosen)) {
                Some(preemptions) => choices.push(Choice { chosen, stands_for, preemptions }),
                None => self.ended.was_bounded = true,
            }
        }
        choices
    }

    /// The end of an ordering.
    fn end(&mut self) {
        self.ended.ends += 1;
        (self.options.limits.ended)(&self.driver.simulation);
        let found = &mut self.ended.found;
        self.driver.at_end(|driver| note(found, driver));
    }

    fn note(&mut self) {
        note(&mut self.ended.found, &self.driver);
    }

    /// Looks at the limits.
    fn look(&mut self) {
        self.ended.states += 1;
        let limits = &self.options.limits;
        let bytes = self.bytes();
        self.ended.bytes = self.ended.bytes.max(bytes);
        // A table that is full is copied into one of twice the size.
        let is_full = self.seen.len() == self.seen.capacity();
        let bytes = if is_full { 3 * bytes } else { bytes };
        self.ended.stopped = if self.seen.len() as u64 >= limits.states_max {
            Some(Stop::States)
        } else if bytes >= limits.memory_max_bytes {
            Some(Stop::Memory)
        } else if !self.ended.states.is_multiple_of(LOOK) {
            None
        } else if (limits.interrupted)() {
            Some(Stop::Interrupted)
        } else {
            (limits.progress)(self.ended.states);
            limits.deadline.filter(|&deadline| Instant::now() >= deadline).map(|_| Stop::Time)
        };
    }

    /// What the table of states takes, and what lies on the way here, in bytes.
    fn bytes(&self) -> u64 {
        let state = size_of::<u64>() + size_of::<BigUint>() + 1;
        let frame = size_of::<Frame>() + 64;
        // A count that is not 0 has a few words of its own.
        let counted = if self.by_order { 0 } else { 16 * self.seen.len() };
        (self.seen.capacity() * state * 8 / 7 + counted + self.stack.len() * frame) as u64
    }

    fn conclude(mut self) -> Ended {
        self.ended.states = self.seen.len() as u64;
        self.ended.read = self.driver.simulation.read();
        self.ended.bytes = self.ended.bytes.max(self.bytes());
        if self.ended.stopped.is_some() {
            self.ended.orderings = self.gone_through();
        }
        self.ended.showed_less = self.driver.shown().is_less();
        if self.by_order && self.found_visibility() {
            self.ended.nothing = self.driver.shown().nothing();
        }
        self.ended.marks = std::mem::take(&mut self.driver.marks.0);
        self.ended
    }

    /// Whether an ordering is known in which a chip that holds bytes shows none.
    fn found_visibility(&self) -> bool {
        self.ended.found.keys().any(|class| class.oracle == OracleName::Visibility)
    }

    /// The orderings that were gone through to their end, when the search is stopped.
    fn gone_through(&mut self) -> BigUint {
        let mut below = BigUint::ZERO;
        while let Some(frame) = self.stack.pop() {
            below = (frame.orderings + below) * frame.stands_for;
        }
        below
    }
}

/// Takes down what has been seen on the way here, where it is new or came sooner than before.
pub(super) fn note(found: &mut Found, driver: &Driver<'_>) {
    for (class, after) in driver.seen() {
        let known = found.get(&class).map_or(usize::MAX, |&(_, known)| known);
        if after < known {
            let length = after.min(driver.executed().len());
            found.insert(class, (driver.executed()[..length].to_vec(), after));
        }
    }
}
