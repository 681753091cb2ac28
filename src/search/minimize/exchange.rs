//! One operation fewer, and another one changed: where deletion alone is stuck.

use super::reducer::Reducer;
use crate::op::{CacheKey, Op, RunSpec};
use crate::search::enumerate::{Limits, alphabet};
use crate::search::optimum::size;

/// Cases of up to so many operations are tried: the number of exchanges grows with the cube.
const EXCHANGED_OPERATIONS_MAX: usize = 7;

/// Cases of up to so many operations are tried: the number of moves grows with the cube.
const MOVED_OPERATIONS_MAX: usize = 12;

/// Longer results are not compared with every shorter sequence: few of them would be seen.
const COMPARED_OPERATIONS_MAX: usize = 7;

/// How many states of shorter sequences are looked at.
const COMPARED_STATES_MAX: u64 = 1_000;

/// The operation that makes a program, runs it and keeps it: one line for what can take three.
fn run_through_the_cache(op: &Op) -> Option<Op> {
    let Op::Program { mesh, circular_buffers, .. } = op else { return None };
    Some(Op::Run(Box::new(RunSpec {
        key: CacheKey(0),
        mesh: *mesh,
        circular_buffers: circular_buffers.clone(),
        kernel: None,
        reads: Vec::new(),
        output: None,
        stale: false,
        moves: None,
    })))
}

impl Reducer<'_, '_> {
    /// Leaves out an operation and puts another one in the place of a second: one of the alphabet,
    /// or one that does what two did.
    pub(super) fn exchange_operations(&mut self) {
        self.begin("exchange");
        let count = self.best.ops.len();
        if count > EXCHANGED_OPERATIONS_MAX || self.best.is_stepped() {
            return;
        }
        let mut letters = alphabet(&self.best);
        letters.extend(self.best.ops.iter().filter_map(|(_, op)| run_through_the_cache(op)));
        for changed in (0..count).rev() {
            for left_out in (0..count).rev().filter(|&other| other != changed) {
                for letter in &letters {
                    let mut candidate = self.best.clone();
                    candidate.ops[changed].1.clone_from(letter);
                    candidate.ops.remove(left_out);
                    if self.offer(candidate) {
                        return;
                    }
                }
            }
        }
    }

    /// Leaves out an operation and says another one earlier or later.
    pub(super) fn move_operations(&mut self) {
        self.begin("move");
        let count = self.best.ops.len();
        if count > MOVED_OPERATIONS_MAX || self.best.is_stepped() {
            return;
        }
        for left_out in (0..count).rev() {
            let shorter = self.without(|op| op == left_out);
            for from in 0..count - 1 {
                for to in (0..count - 1).filter(|&to| to != from) {
                    let mut candidate = shorter.clone();
                    let moved = candidate.ops.remove(from);
                    candidate.ops.insert(to, moved);
                    if self.offer(candidate) {
                        return;
                    }
                }
            }
        }
    }

    /// Looks for what is shorter, or as long and smaller, among the sequences of the input's words,
    /// in a number of states that takes about a millisecond.
    pub(super) fn compare_with_all(&mut self) {
        self.begin("words");
        let measure = (self.best.ops.len(), size(&self.best));
        let is_known = self.compared.is_some_and(|compared| compared <= measure);
        if is_known || measure.0 > COMPARED_OPERATIONS_MAX || self.best.is_stepped() {
            return;
        }
        if self.is_stopped() {
            return;
        }
        self.compared = Some(measure);
        let limits = Limits { deadline: self.deadline(), ..Limits::states(COMPARED_STATES_MAX) };
        if let Some(better) = self.subject.better(&self.input, &self.best, limits) {
            self.offer(better);
        }
    }
}
