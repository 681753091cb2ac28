//! Turns: from many threads to few, and from many switches between them to few.

use super::reducer::Reducer;
use crate::op::ThreadId;
use crate::scenario::Case;
use crate::search::aim::Subject;
use crate::world::Action;

impl<S: Subject> Reducer<'_, '_, S> {
    /// Writes the picks as turns, which keep their meaning when others are deleted, and tries to do
    /// without turns at all.
    pub(super) fn take_turns_apart(&mut self) {
        self.begin("turns");
        if !self.best.is_stepped() {
            self.join_threads();
            return;
        }
        let turns = self.subject.turns(&self.best);
        let mut one_thread = Case { setup: self.best.setup.clone(), ..Case::default() };
        let mut begun = vec![false; self.best.ops.len()];
        for &(_, op) in &turns {
            if let Some(op) = op.filter(|&op| !std::mem::replace(&mut begun[op], true)) {
                one_thread.ops.push((ThreadId(0), self.best.ops[op].1.clone()));
            }
        }
        if self.offer(one_thread) {
            return;
        }
        let schedule = turns.iter().map(|&(turn, _)| turn).collect();
        let candidate = Case { schedule, picks: Vec::new(), ..self.best.clone() };
        self.offer(candidate);
    }

    /// Fewer threads, fewer turns, fewer switches.
    pub(super) fn simplify_turns(&mut self) {
        self.begin("turns");
        if !self.best.is_stepped() {
            self.join_threads();
            return;
        }
        self.take_turns_apart();
        if !self.best.is_stepped() {
            return;
        }
        self.shorten_schedule();
        let mut place = 1;
        while place < self.best.schedule.len() {
            let mut candidate = self.best.clone();
            candidate.schedule.swap(place - 1, place);
            let better = switches(&candidate.schedule) < switches(&self.best.schedule);
            if better && self.offer(candidate) {
                place = 1;
            } else {
                place += 1;
            }
        }
    }

    /// Without turns it does not matter who says an operation.
    fn join_threads(&mut self) {
        if self.best.ops.iter().any(|(thread, _)| *thread != ThreadId(0)) {
            let mut candidate = self.best.clone();
            candidate.ops.iter_mut().for_each(|(thread, _)| *thread = ThreadId(0));
            self.offer(candidate);
        }
    }

    /// Past the end of the schedule the first thread goes on: what that gives need not be said.
    fn shorten_schedule(&mut self) {
        let mut kept = self.best.schedule.len();
        while kept > 0 {
            let mut candidate = self.best.clone();
            candidate.schedule.truncate(kept - 1);
            if !candidate.is_stepped() || !self.offer(candidate) {
                return;
            }
            kept = self.best.schedule.len();
        }
    }
}

/// How often another one has the turn.
fn switches(schedule: &[Action]) -> usize {
    schedule.windows(2).filter(|pair| pair[0] != pair[1]).count()
}
