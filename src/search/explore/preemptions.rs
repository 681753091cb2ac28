//! Who took the last step, and how often somebody who had more to do was interrupted.

use super::driver::Driver;
use crate::journal::mix;

/// What of the past counts where preemptions are bounded, and nothing where they are not.
#[derive(Clone, Copy, Debug)]
pub(super) struct Preemptions {
    bound: Option<u32>,
    /// Who took the last step; after [`Preemptions::arrived`] only if it has more to do.
    running: Option<usize>,
    /// The block of the scenario whose chain that is.
    stage: usize,
    count: u32,
}

impl Preemptions {
    /// Before the first step.
    pub(super) fn new(bound: Option<u32>) -> Self {
        Self { bound, running: None, stage: 0, count: 0 }
    }

    /// The same in the state that the driver has come to, with the moves that there are.
    pub(super) fn arrived(self, driver: &Driver<'_>, moves: &[usize]) -> Self {
        let stage = driver.stage();
        let has_more = |&running: &usize| {
            stage == self.stage
                && moves.iter().any(|&chosen| driver.thread_of(chosen) == Some(running))
        };
        Self { running: self.running.filter(has_more), stage, ..self }
    }

    /// The hash of a state together with what counts of how it was reached.
    pub(super) fn key(self, hash: u64) -> u64 {
        if self.bound.is_none() {
            return hash;
        }
        let running = self.running.map_or(0, |running| running as u64 + 1);
        mix(mix(hash, running), u64::from(self.count))
    }

    /// After a step of a chain or thread, or of nobody; none if that is beyond the bound.
    pub(super) fn after(self, thread: Option<usize>) -> Option<Self> {
        let Some(bound) = self.bound else { return Some(self) };
        let interrupts = self.running.is_some() && thread.is_some() && thread != self.running;
        let count = self.count + u32::from(interrupts);
        let running = thread.or(self.running);
        (count <= bound).then_some(Self { running, count, ..self })
    }
}
