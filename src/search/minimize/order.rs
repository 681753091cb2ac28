//! Order: back to the order in which an ordinary program would say it.

use std::cmp::Reverse;
use std::fmt;
use std::ops::Range;

use super::reducer::Reducer;
use super::turns::{actions, blocks};
use crate::op::{Handle, Op, ThreadId};
use crate::scenario::Case;
use crate::search::replay::Turn;

/// Two operations, or steps of threads, whose order matters: if the second came first, the failure
/// would be gone.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Inversion {
    /// What comes first, although an ordinary program says it later.
    pub first: Op,
    /// What comes after it.
    pub then: Op,
    /// Where threads take turns, whose operations they are, and which step of each it is, from 1.
    pub steps: Option<[(ThreadId, usize); 2]>,
}

impl fmt::Display for Inversion {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { first, then, steps } = self;
        match steps {
            None => write!(f, "`{first}` before `{then}`"),
            Some([(one, step), (other, later)]) => write!(
                f,
                "step {step} of `{one}: {first}` before step {later} of `{other}: {then}`"
            ),
        }
    }
}

impl Reducer<'_, '_> {
    /// Moves operations towards program order while the failure stays; for turns, see
    /// [`Reducer::simplify_turns`].
    pub(super) fn restore_order(&mut self) {
        self.begin("order");
        if self.best.is_stepped() {
            return;
        }
        while self.put_pairs_right() && !self.is_stopped() {}
    }

    /// Goes through all pairs once; a case that fails earlier once they are put right gets shorter
    /// on the way.
    fn put_pairs_right(&mut self) -> bool {
        let mut moved = false;
        let mut first = 0;
        while first < self.best.ops.len() && !self.is_stopped() {
            let mut then = first + 1;
            while then < self.best.ops.len() {
                let is_wrong = is_inverted(&self.best, first, then) && !self.is_stopped();
                moved |= is_wrong && self.put_right(first, then);
                then += 1;
            }
            first += 1;
        }
        moved
    }

    /// The inverted pairs that are left: none could be put right without losing the failure. When
    /// time is up, those that were tried by then.
    pub(super) fn necessary_inversions(&mut self) -> Vec<Inversion> {
        self.begin("inversions");
        let mut necessary = Vec::new();
        if self.best.is_stepped() {
            return self.necessary_turns();
        }
        for first in 0..self.best.ops.len() {
            for then in first + 1..self.best.ops.len() {
                if !is_inverted(&self.best, first, then) {
                    continue;
                }
                let stays = self.stays_when_exchanged(first, then);
                if self.is_stopped() {
                    return necessary;
                }
                if !stays {
                    let op = |index: usize| self.best.ops[index].1.clone();
                    necessary.push(Inversion { first: op(first), then: op(then), steps: None });
                }
            }
        }
        necessary
    }

    /// The steps of different threads that cannot be exchanged without losing the failure:
    /// neighbouring ones, or else everything that one thread does in a row and what the next one
    /// does, of which the first and the last step are named.
    fn necessary_turns(&mut self) -> Vec<Inversion> {
        let turns = self.turns().to_vec();
        let blocks = blocks(&actions(&turns));
        let mut necessary = Vec::new();
        for pair in blocks.windows(2) {
            let [(start, boundary), (_, end)] = *pair else { continue };
            let neighbours = boundary - 1..boundary + 1;
            for exchanged in [neighbours, start..end] {
                let (first, last) = (exchanged.start, exchanged.end - 1);
                let lost = self.is_lost_by_exchange(&turns, exchanged, boundary);
                if self.is_stopped() {
                    return necessary;
                }
                if lost && let Some(inversion) = self.inversion(&turns, first, last) {
                    necessary.push(inversion);
                    break;
                }
            }
        }
        necessary
    }

    /// Whether the failure is gone when what is taken after a turn comes before what is taken up
    /// to it.
    fn is_lost_by_exchange(
        &mut self,
        turns: &[Turn],
        exchanged: Range<usize>,
        boundary: usize,
    ) -> bool {
        let mut schedule = actions(turns);
        let moved = boundary - exchanged.start;
        schedule[exchanged].rotate_left(moved);
        !self.fails(&Case { schedule, picks: Vec::new(), ..self.best.clone() })
    }

    /// Two turns as steps of their operations; none if one of them is a delivery.
    fn inversion(&self, turns: &[Turn], first: usize, then: usize) -> Option<Inversion> {
        let step = |place: usize| {
            let own = turns[place].1?;
            let step = turns[..=place].iter().filter(|&&(_, of)| of == Some(own)).count();
            let (thread, op) = self.best.ops[own].clone();
            Some((op, (thread, step)))
        };
        let ((first, one), (then, other)) = (step(first)?, step(then)?);
        Some(Inversion { first, then, steps: Some([one, other]) })
    }

    fn put_right(&mut self, first: usize, then: usize) -> bool {
        let inversions = inversions(&self.best);
        exchanges(&self.best, first, then).into_iter().any(|candidate| {
            candidate.ops.len() == self.best.ops.len()
                && self::inversions(&candidate) < inversions
                && self.offer(candidate)
        })
    }

    fn stays_when_exchanged(&mut self, first: usize, then: usize) -> bool {
        exchanges(&self.best, first, then).iter().any(|candidate| self.fails(candidate))
    }
}

/// The ways to bring the second before the first: it moves up, or the first moves down.
fn exchanges(case: &Case, first: usize, then: usize) -> [Case; 2] {
    let (mut up, mut down) = (case.clone(), case.clone());
    up.ops[first..=then].rotate_right(1);
    down.ops[first..=then].rotate_left(1);
    [up, down]
}

fn inversions(case: &Case) -> usize {
    let pairs = (0..case.ops.len()).flat_map(|then| (0..then).map(move |first| (first, then)));
    pairs.filter(|&(first, then)| is_inverted(case, first, then)).count()
}

fn is_inverted(case: &Case, first: usize, then: usize) -> bool {
    let rank = |index: usize| program_rank(&case.ops[index].1);
    matches!((rank(first), rank(then)), (Some(first), Some(then)) if first > then)
}

/// Where an ordinary program has the operation: meshes are opened, things made, then used, then
/// let go, the newest first, then the meshes closed. None for what has no place of its own.
fn program_rank(op: &Op) -> Option<(u8, Reverse<u32>, u8)> {
    let newest_first = |stage, number, step| Some((stage, Reverse(number), step));
    match op {
        Op::Open { .. } => newest_first(0, 0, 0),
        Op::Submesh { .. } => newest_first(1, 0, 0),
        Op::Alloc { .. }
        | Op::Alias { .. }
        | Op::View { .. }
        | Op::Share { .. }
        | Op::Program { .. }
        | Op::DataflowProgram { .. }
        | Op::ShareProgram { .. }
        | Op::Assign { .. }
        | Op::Enqueue { .. }
        | Op::Run(_)
        | Op::Use(_) => newest_first(2, 0, 0),
        Op::Drop(Handle::Program(program)) => newest_first(3, program.0, 0),
        Op::Deallocate(buffer)
        | Op::DeallocateUnforced(buffer)
        | Op::Mark(buffer)
        | Op::Release { buffer, .. } => newest_first(4, buffer.0, 0),
        Op::Cycle(buffer) => newest_first(4, buffer.0, 1),
        Op::Drop(Handle::Buffer(buffer)) => newest_first(4, buffer.0, 2),
        Op::Gc => newest_first(5, 0, 0),
        Op::ClearCache(_) | Op::DisableCache(_) | Op::ReleaseTrace(_) => newest_first(6, 0, 0),
        Op::Close(mesh) => newest_first(7, mesh.0, 0),
        Op::Drop(Handle::Mesh(mesh)) => newest_first(7, mesh.0, 1),
        Op::Exit => newest_first(8, 0, 0),
        Op::EnableCache(_)
        | Op::BeginTrace { .. }
        | Op::EndTrace(_)
        | Op::Replay(_)
        | Op::Async { .. }
        | Op::Finish(_)
        | Op::LoadManager { .. }
        | Op::DeallocateAll(_)
        | Op::ClearAllocator(_)
        | Op::Capture(_)
        | Op::Inspector
        | Op::Static(_)
        | Op::Tracking(_)
        | Op::ServerRestart
        | Op::Lose(_)
        | Op::Stall
        | Op::Reconnect
        | Op::Deliver(_)
        | Op::Process(_)
        | Op::Kill(_)
        | Op::Fork(_)
        | Op::Reap
        | Op::Checkpoint => None,
    }
}
