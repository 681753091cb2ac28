//! The real runtime as a subject of the reducer.

use super::lockstep::{Check, Ran, run};
use super::process::Runtime;
use crate::scenario::Case;
use crate::search::aim::Subject;
use crate::search::replay::Turn;

/// A deviation of one class, looked for on a runtime.
pub struct Real<'a, R> {
    runtime: &'a mut R,
    class: String,
    check: &'a Check,
    /// Start a new process for each case: for what depends on the past of the process.
    fresh: bool,
}

impl<'a, R: Runtime> Real<'a, R> {
    /// A subject that fails if the class is what is seen first.
    pub fn new(runtime: &'a mut R, class: &str, check: &'a Check, fresh: bool) -> Self {
        Self { runtime, class: class.to_owned(), check, fresh }
    }
}

impl<R: Runtime> Subject for Real<'_, R> {
    fn fails(&mut self, case: &Case) -> Option<usize> {
        if self.fresh {
            self.runtime.restart();
        }
        match run(self.runtime, case, self.check) {
            Ran::Deviated(deviation) if deviation.class == self.class => Some(deviation.step),
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
