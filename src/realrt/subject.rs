//! The real runtime as a subject of the reducer.

use super::known::Known;
use super::lockstep::{Check, Deviation, Ran, run};
use super::process::Runtime;
use crate::scenario::Case;
use crate::search::aim::Subject;
use crate::search::replay::Turn;

/// A deviation of one class, looked for on a runtime.
pub struct Real<'a, R> {
    runtime: &'a mut R,
    class: String,
    /// The known divergence that it is: what is new must not become one that is known.
    known: Option<&'static str>,
    check: &'a Check,
    /// Start a new process for each case: for what depends on the past of the process.
    fresh: bool,
}

impl<'a, R: Runtime> Real<'a, R> {
    /// A subject that fails as a case did: in this class, and as the same known divergence or none.
    pub fn new(
        runtime: &'a mut R,
        (case, deviation): (&Case, &Deviation),
        check: &'a Check,
        fresh: bool,
    ) -> Self {
        let known = Known::of(case, deviation).map(|known| known.id);
        Self { runtime, class: deviation.class.clone(), known, check, fresh }
    }

    fn is_it(&self, case: &Case, deviation: &Deviation) -> bool {
        deviation.class == self.class
            && Known::of(case, deviation).map(|known| known.id) == self.known
    }
}

impl<R: Runtime> Subject for Real<'_, R> {
    fn fails(&mut self, case: &Case) -> Option<usize> {
        if self.fresh {
            self.runtime.restart();
        }
        match run(self.runtime, case, self.check) {
            Ran::Deviated(deviation) if self.is_it(case, &deviation) => Some(deviation.step),
            Ran::Deviated(_) | Ran::Agreed(_) | Ran::Foreign => None,
        }
    }

    fn turns(&mut self, _: &Case) -> Vec<Turn> {
        Vec::new()
    }
}

impl<R> std::fmt::Debug for Real<'_, R> {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Real").field("class", &self.class).finish_non_exhaustive()
    }
}
