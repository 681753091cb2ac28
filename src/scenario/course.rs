//! Which of the actions that are ready is taken next.

use super::Scenario;
use crate::choice::{Choices, Recorded};
use crate::world::Action;

/// The recorded course of a scenario: first its schedule, then its picks, then what comes first.
///
/// A turn of somebody who is not ready is skipped, so any turn and any operation can be deleted.
#[derive(Clone, Debug, Default)]
pub struct Course {
    schedule: Vec<Action>,
    turn: usize,
    picks: Recorded,
}

impl Course {
    /// The course that the scenario records.
    #[must_use]
    pub fn of(scenario: &Scenario) -> Self {
        Self::new(scenario.schedule(), scenario.picks())
    }

    /// A course of turns and picks.
    #[must_use]
    pub fn new(schedule: Vec<Action>, picks: Vec<u64>) -> Self {
        Self { schedule, turn: 0, picks: Recorded::new(picks) }
    }

    /// The index of the action that is taken, of those that are ready.
    pub fn next(&mut self, ready: &[Action]) -> usize {
        while let Some(turn) = self.schedule.get(self.turn) {
            self.turn += 1;
            if let Some(index) = ready.iter().position(|action| action == turn) {
                return index;
            }
        }
        self.picks.pick(ready.len() as u64) as usize
    }
}
