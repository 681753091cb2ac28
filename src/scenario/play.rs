//! A whole case, played in a simulation.

use super::{Case, Simulation};
use crate::event::Observer;

impl Simulation {
    /// Has the server take note of what of its key matters, before anything is done: without this
    /// [`Simulation::read`] names all that a key can be made of.
    #[must_use]
    pub fn watching_keys(mut self) -> Self {
        self.world.watch_keys();
        self
    }

    /// Plays a case, whose threads are loaded, to its end or until `stop` says so: then how many
    /// operations or steps that took; one more than there are if it says so only after the last
    /// checkpoint.
    pub(crate) fn play<O: Observer>(
        &mut self,
        case: &Case,
        observer: &mut O,
        mut stop: impl FnMut(&Self) -> bool,
    ) -> Option<usize> {
        let mut course = case.course();
        let mut ops = case.ops.iter();
        let mut steps = 0;
        loop {
            if !case.is_stepped() {
                let Some((_, op)) = ops.next() else { break };
                self.apply(op, observer);
            } else {
                let ready = self.world().ready();
                if ready.is_empty() {
                    break;
                }
                self.step(course.next(&ready), observer);
            }
            steps += 1;
            if stop(self) {
                return Some(steps);
            }
        }
        self.finish(observer);
        stop(self).then_some(steps + 1)
    }
}
