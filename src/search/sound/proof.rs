//! The smallest cases that show what was found.

use std::sync::atomic::{AtomicU64, Ordering};

use super::{Bounds, Question, decide};
use crate::fix::FixSet;
use crate::scenario::Case;
use crate::search::aim::Subject;
use crate::search::causes::Causes;
use crate::search::minimize::{Options, minimize};
use crate::search::replay::{Replayer, Turn};
use crate::server::ServerKind;
use crate::violation::OracleName;

/// Makes cases small, and counts the runs that it takes.
#[derive(Debug)]
pub(super) struct Proofs<'a> {
    pub(super) bounds: Bounds<'a>,
    pub(super) runs: AtomicU64,
}

impl Proofs<'_> {
    /// The smallest case in which the oracle fails under every set, if there is one.
    pub(super) fn hopeless(&self, question: &Question, oracle: OracleName) -> Option<Case> {
        let mut subject = Hopeless { server: question.server(), oracle, proofs: self };
        self.reduce(question.case(), &mut subject)
    }

    /// The smallest ordering in which an oracle fails under the second of two sets, and under the
    /// first does not; none if the bounds end the search for it.
    pub(super) fn difference(
        &self,
        question: &Question,
        oracle: OracleName,
        [passes, fails]: [FixSet; 2],
    ) -> Option<Case> {
        self.runs.fetch_add(1, Ordering::Relaxed);
        let case = question.ordering(fails, oracle, &self.bounds)?;
        let server = question.server();
        let mut subject = Difference { server, oracle, passes, fails, runs: &self.runs };
        self.reduce(&case, &mut subject)
    }

    fn reduce(&self, case: &Case, subject: &mut impl Subject) -> Option<Case> {
        let ask = || (self.bounds.interrupted)();
        let deadline = self.bounds.deadline;
        let mut options = Options { interrupted: Some(&ask), deadline, log: None };
        let minimized = minimize(case, subject, &mut options);
        // A case that is not yet small would be long.
        self.bounds.stop().map_or_else(|| minimized.ok().map(|one| one.case), |_| None)
    }
}

/// A case fails if the oracle does under every set.
struct Hopeless<'a> {
    server: ServerKind,
    oracle: OracleName,
    proofs: &'a Proofs<'a>,
}

impl Subject for Hopeless<'_> {
    fn fails(&mut self, case: &Case) -> Option<usize> {
        let question = Question::new(case.clone(), self.server);
        let last = AtomicU64::new(0);
        // The first set that passes ends it.
        let ask = |fixes| {
            self.proofs.runs.fetch_add(1, Ordering::Relaxed);
            let (steps, read) = question.first(fixes, self.oracle);
            let steps = steps.filter(|_| self.proofs.bounds.stop().is_none()).ok_or(())?;
            last.fetch_max(steps as u64, Ordering::Relaxed);
            Ok::<_, ()>(((), read))
        };
        decide(&ask).ok()?;
        usize::try_from(last.into_inner()).ok()
    }

    /// Which chips meshes share and how they close is nearly the same under every set.
    fn causes(&mut self, case: &Case, steps: usize) -> Causes {
        Replayer::new(FixSet::default(), self.server).causes(case, steps)
    }

    fn turns(&mut self, case: &Case) -> Vec<Turn> {
        Replayer::new(FixSet::default(), self.server).turns(case)
    }
}

/// A case fails if the oracle does under one set and not under the other.
struct Difference<'a> {
    server: ServerKind,
    oracle: OracleName,
    passes: FixSet,
    fails: FixSet,
    runs: &'a AtomicU64,
}

impl Subject for Difference<'_> {
    fn fails(&mut self, case: &Case) -> Option<usize> {
        self.runs.fetch_add(3, Ordering::Relaxed);
        let question = Question::new(case.clone(), self.server);
        let fails = |fixes| question.first(fixes, self.oracle).0.is_some();
        // What the one set passes is told by the end of the case: none of it is cut off.
        let differs = fails(self.fails) && !fails(self.passes);
        differs.then(|| question.length(self.fails) + 1)
    }

    fn turns(&mut self, case: &Case) -> Vec<Turn> {
        Replayer::new(self.fails, self.server).turns(case)
    }
}
