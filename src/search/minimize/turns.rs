//! Turns: from many threads to few, and from many switches between them to few.

use std::collections::BTreeSet;

use super::reducer::Reducer;
use crate::op::ThreadId;
use crate::scenario::Case;
use crate::search::replay::Turn;
use crate::world::Action;

/// All orders of the turns are tried if there are not more than these.
const ORDERS_MAX: usize = 1000;

/// Cases of up to so many operations are tried with one left out in all orders of the others.
const REORDERED_OPERATIONS_MAX: usize = 12;

impl Reducer<'_, '_> {
    /// Writes the picks as turns, which keep their meaning when others are deleted, and tries to do
    /// without turns at all.
    pub(super) fn take_turns_apart(&mut self) {
        self.begin("turns");
        if self.try_one_thread() {
            return;
        }
        let schedule = actions(self.turns());
        self.offer(Case { schedule, picks: Vec::new(), ..self.best.clone() });
    }

    /// Fewer threads, fewer switches, fewer turns.
    pub(super) fn simplify_turns(&mut self) {
        self.begin("turns");
        if self.try_one_thread() {
            return;
        }
        self.join_two_threads();
        while self.join_blocks() && !self.is_stopped() {}
        self.try_all_orders();
        self.shorten_schedule();
    }

    /// Whether no turns are needed any more: the operations are executed in the order in which they
    /// began, each at once, by one thread.
    fn try_one_thread(&mut self) -> bool {
        let threads: BTreeSet<ThreadId> = self.best.ops.iter().map(|&(thread, _)| thread).collect();
        if !self.best.is_stepped() {
            if threads.iter().any(|&thread| thread != ThreadId(0)) {
                let mut candidate = self.best.clone();
                candidate.ops.iter_mut().for_each(|(thread, _)| *thread = ThreadId(0));
                self.offer(candidate);
            }
            return true;
        }
        let turns = self.turns().to_vec();
        let mut candidate = Case { setup: self.best.setup.clone(), ..Case::default() };
        let mut begun = vec![false; self.best.ops.len()];
        for (_, op) in turns {
            if let Some(op) = op.filter(|&op| !std::mem::replace(&mut begun[op], true)) {
                candidate.ops.push((ThreadId(0), self.best.ops[op].1.clone()));
            }
        }
        self.offer(candidate)
    }

    /// Lets one thread do what two did.
    fn join_two_threads(&mut self) {
        let threads: BTreeSet<ThreadId> = self.best.ops.iter().map(|&(thread, _)| thread).collect();
        let last = ThreadId(threads.len() as u32);
        for &from in threads.iter().rev() {
            // To another one, or, if that does not do, to the first number that is not used.
            let unused = (0..last.0).map(ThreadId).find(|thread| !threads.contains(thread));
            let lower = threads.iter().copied().filter(|&to| to < from);
            for to in lower.chain(unused.filter(|&unused| unused < from)) {
                let schedule = actions(self.turns());
                let mut candidate = Case { schedule, picks: Vec::new(), ..self.best.clone() };
                let owners = candidate.ops.iter_mut().map(|(thread, _)| thread);
                owners.filter(|thread| **thread == from).for_each(|thread| *thread = to);
                let turns = candidate.schedule.iter_mut();
                let of_thread = turns.filter(|turn| **turn == Action::Step(from));
                of_thread.for_each(|turn| *turn = Action::Step(to));
                if self.offer(candidate) {
                    return;
                }
            }
        }
    }

    /// Moves a block of turns to the one of the same actor before it, or the other way round.
    fn join_blocks(&mut self) -> bool {
        let schedule = actions(self.turns());
        let blocks = blocks(&schedule);
        for (later, &(start, end)) in blocks.iter().enumerate() {
            if self.was_stopped() {
                break;
            }
            let same = |&&(start_of_other, _): &&(usize, usize)| {
                schedule[start_of_other] == schedule[start]
            };
            let Some(&(other_start, other_end)) = blocks[..later].iter().rev().find(same) else {
                continue;
            };
            let mut up = schedule.clone();
            up[other_end..end].rotate_right(end - start);
            let mut down = schedule.clone();
            down[other_start..start].rotate_left(other_end - other_start);
            if self.offer_order(up) || self.offer_order(down) {
                return true;
            }
        }
        false
    }

    /// All orders of the turns, those of the fewest switches first.
    fn try_all_orders(&mut self) {
        let turns = actions(self.turns());
        let most = switches(&turns);
        for order in orders(turns).into_iter().take_while(|order| switches(order) < most) {
            if self.offer_order(order) {
                return;
            }
        }
    }

    /// Leaves out an operation where that fails in another order of the turns that are left.
    pub(super) fn delete_and_reorder(&mut self) {
        self.begin("turns of fewer");
        if !self.best.is_stepped() || self.best.ops.len() > REORDERED_OPERATIONS_MAX {
            return;
        }
        let mut left_out = self.best.ops.len();
        while left_out > 0 && !self.is_stopped() {
            left_out -= 1;
            let fewer = self.without(|op| op == left_out);
            let turns = actions(&self.subject.turns(&fewer));
            let mut orders = orders(turns).into_iter();
            if orders.any(|schedule| self.offer(Case { schedule, ..fewer.clone() })) {
                left_out = self.best.ops.len();
            }
        }
    }

    /// Takes an order of the turns if it fails, and really has fewer switches when it is run.
    fn offer_order(&mut self, schedule: Vec<Action>) -> bool {
        if self.is_stopped() {
            return false;
        }
        let before = switches(&actions(self.turns()));
        let candidate = Case { schedule, picks: Vec::new(), ..self.best.clone() };
        let after = switches(&actions(&self.subject.turns(&candidate)));
        after < before && self.offer(candidate)
    }

    /// Past the end of the schedule the first thread goes on: what that gives need not be said.
    fn shorten_schedule(&mut self) {
        let before = switches(&actions(self.turns()));
        let mut kept = self.best.schedule.len();
        while kept > 1 {
            kept -= 1;
            let mut candidate = self.best.clone();
            candidate.schedule.truncate(kept);
            let more = switches(&actions(&self.subject.turns(&candidate))) > before;
            if more || !self.offer(candidate) {
                return;
            }
        }
    }
}

/// All orders of some turns, those of the fewest switches first; none if they are too many.
fn orders(mut order: Vec<Action>) -> Vec<Vec<Action>> {
    if order_count(&order) > ORDERS_MAX {
        return Vec::new();
    }
    order.sort_unstable();
    let mut orders = vec![order.clone()];
    while next_order(&mut order) {
        orders.push(order.clone());
    }
    orders.sort_by_key(|order| switches(order));
    orders
}

pub(super) fn actions(turns: &[Turn]) -> Vec<Action> {
    turns.iter().map(|&(action, _)| action).collect()
}

/// How often another one has the turn.
fn switches(schedule: &[Action]) -> usize {
    schedule.windows(2).filter(|pair| pair[0] != pair[1]).count()
}

/// Where the turns that one actor takes in a row begin and end.
pub(super) fn blocks(schedule: &[Action]) -> Vec<(usize, usize)> {
    let mut start = 0;
    let runs = schedule.chunk_by(|one, other| one == other).map(|run| {
        start += run.len();
        (start - run.len(), start)
    });
    runs.collect()
}

/// How many different orders the turns have; a large number if they are many.
fn order_count(schedule: &[Action]) -> usize {
    let mut sorted = schedule.to_vec();
    sorted.sort_unstable();
    let mut count = 1_usize;
    let mut placed = 0;
    for run in blocks(&sorted) {
        for own in 1..=run.1 - run.0 {
            placed += 1;
            // The product is divisible at every step, because it is a binomial coefficient.
            count = count.saturating_mul(placed) / own;
            if count > usize::MAX / (schedule.len() + 1) {
                return count;
            }
        }
    }
    count
}

/// The next order of the turns, from the sorted one to the reversed one.
fn next_order(order: &mut [Action]) -> bool {
    let Some(pivot) = order.windows(2).rposition(|pair| pair[0] < pair[1]) else {
        return false;
    };
    let other = order.iter().rposition(|action| *action > order[pivot]);
    order.swap(pivot, other.expect("the one behind the pivot is greater"));
    order[pivot + 1..].reverse();
    true
}
