//! The state of a reduction: the best case so far, and the verdicts already known.

use std::collections::BTreeMap;
use std::hash::{Hash, Hasher};
use std::time::Instant;

use super::{DoesNotFail, Inversion, Minimized, Options};
use crate::journal::Mixer;
use crate::scenario::Case;
use crate::search::aim::Subject;
use crate::search::causes::Causes;
use crate::search::replay::Turn;
use crate::units::Bytes;

/// Verdicts are kept for cases of up to so many operations: longer ones are hardly ever met twice,
/// and cost more to hash than to run.
const CACHED_OPERATIONS_MAX: usize = 64;

/// A candidate that was tried.
#[derive(Clone, Copy, Debug)]
pub struct Attempt<'a> {
    /// The pass that tries it.
    pub pass: &'static str,
    /// How many operations it has.
    pub operations: usize,
    /// Whether it fails as it should, and so is kept.
    pub kept: bool,
    /// The candidate.
    pub case: &'a Case,
}

pub(super) struct Reducer<'a, 'o> {
    pub(super) subject: &'a mut dyn Subject,
    /// The case that came in.
    pub(super) input: Case,
    /// The causes that it does not meet until it fails, and so what is kept does not either.
    foreign: Causes,
    pub(super) best: Case,
    /// The length and the size of the case that was last compared with all that is better.
    pub(super) compared: Option<(usize, Bytes)>,
    /// The turns of the best case, once they were asked for.
    turns: Option<Vec<Turn>>,
    verdicts: BTreeMap<u64, bool>,
    options: &'a mut Options<'o>,
    pass: &'static str,
    replays: u64,
    accepted: u64,
    stopped: bool,
}

impl<'a, 'o> Reducer<'a, 'o> {
    pub(super) fn start(
        case: &Case,
        subject: &'a mut dyn Subject,
        options: &'a mut Options<'o>,
    ) -> Result<Self, DoesNotFail> {
        let steps = subject.fails(case).ok_or(DoesNotFail)?;
        let foreign = Causes::ALL.without(subject.causes(case, steps));
        let mut reducer = Self {
            subject,
            input: case.clone(),
            foreign,
            best: case.clone(),
            compared: None,
            turns: None,
            verdicts: BTreeMap::new(),
            options,
            pass: "truncate",
            replays: 1,
            accepted: 0,
            stopped: false,
        };
        reducer.accept(case.clone(), steps);
        Ok(reducer)
    }

    /// Names the pass that tries from here on.
    pub(super) fn begin(&mut self, pass: &'static str) {
        self.pass = pass;
    }

    /// How often a candidate was better than the best.
    pub(super) fn accepted(&self) -> u64 {
        self.accepted
    }

    /// When time is up, if ever.
    pub(super) fn deadline(&self) -> Option<Instant> {
        self.options.deadline
    }

    /// Whether time is up.
    pub(super) fn is_stopped(&mut self) -> bool {
        let late = self.options.deadline.is_some_and(|deadline| Instant::now() >= deadline);
        self.stopped |= late || self.options.interrupted.is_some_and(|ask| ask());
        self.stopped
    }

    /// Whether an attempt was refused since time was up: making another would be in vain.
    pub(super) fn was_stopped(&self) -> bool {
        self.stopped
    }

    /// Whether a candidate fails as it should; false when time is up.
    pub(super) fn fails(&mut self, candidate: &Case) -> bool {
        self.verdict(candidate).is_some()
    }

    /// Takes a candidate as the best if it fails, and can be read again when it is printed.
    pub(super) fn offer(&mut self, candidate: Case) -> bool {
        match self.verdict(&candidate) {
            Some(steps) => {
                self.accept(candidate, steps);
                self.accepted += 1;
                true
            }
            None => false,
        }
    }

    /// Offers the best case without some of its operations, and without their turns.
    pub(super) fn offer_without(&mut self, is_left_out: impl Fn(usize) -> bool) -> bool {
        if self.stopped {
            return false;
        }
        let candidate = self.without(is_left_out);
        self.offer(candidate)
    }

    /// The result.
    pub(super) fn finish(self, inversions: Vec<Inversion>) -> Minimized {
        Minimized { case: self.best, inversions, replays: self.replays, complete: !self.stopped }
    }

    /// The turns that are taken when the best case is run; none if it is not stepped.
    pub(super) fn turns(&mut self) -> &[Turn] {
        let (subject, best) = (&mut *self.subject, &self.best);
        let turns = || if best.is_stepped() { subject.turns(best) } else { Vec::new() };
        self.turns.get_or_insert_with(turns)
    }

    /// The best case without some of its operations, and without their turns.
    pub(super) fn without(&mut self, is_left_out: impl Fn(usize) -> bool) -> Case {
        let turns = self.turns().to_vec();
        let stays = |&(_, op): &(_, Option<usize>)| op.is_none_or(|op| !is_left_out(op));
        let ops = self.best.ops.iter().enumerate();
        Case {
            setup: self.best.setup.clone(),
            ops: ops.filter(|&(op, _)| !is_left_out(op)).map(|(_, op)| op.clone()).collect(),
            schedule: turns.iter().filter(|turn| stays(turn)).map(|&(turn, _)| turn).collect(),
            picks: Vec::new(),
        }
    }

    /// A verdict that is known to be good is asked for again, since only a run tells how far to
    /// truncate; one that is known to be bad is not.
    fn verdict(&mut self, candidate: &Case) -> Option<usize> {
        if self.is_stopped() {
            return None;
        }
        let known = (candidate.ops.len() <= CACHED_OPERATIONS_MAX).then(|| {
            let mut hasher = Mixer::default();
            candidate.hash(&mut hasher);
            hasher.finish()
        });
        if known.is_some_and(|hash| self.verdicts.get(&hash) == Some(&false)) {
            return None;
        }
        self.replays += 1;
        let (subject, foreign) = (&mut *self.subject, self.foreign);
        let steps = subject
            .fails(candidate)
            .filter(|_| candidate.is_sayable())
            .filter(|&steps| !subject.causes(candidate, steps).meets(foreign));
        if let Some(hash) = known {
            self.verdicts.insert(hash, steps.is_some());
        }
        let pass = self.pass;
        if let Some(log) = &mut self.options.log {
            let operations = candidate.ops.len();
            log(&Attempt { pass, operations, kept: steps.is_some(), case: candidate });
        }
        steps
    }

    /// Keeps a case that fails after so many steps, cut off there.
    fn accept(&mut self, mut case: Case, steps: usize) {
        if !case.is_stepped() {
            case.ops.truncate(steps);
        }
        self.best = case;
        self.turns = None;
    }
}
