//! One operation fewer, and another one changed: where deletion alone is stuck.

use super::reducer::Reducer;
use crate::op::{CacheKey, Op, RunSpec};
use crate::search::aim::Subject;
use crate::search::enumerate::alphabet;

/// Cases of up to so many operations are tried: the number of exchanges grows with the cube.
const EXCHANGED_OPERATIONS_MAX: usize = 7;

/// Allocations are merged in cases of up to so many operations.
const MERGED_OPERATIONS_MAX: usize = 64;

/// Each allocation is rounded up to all banks of a memory, of which the largest has 64; one has
/// less to round up than two.
const ROUNDED_PAGES: [u32; 3] = [0, 64, 128];

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
    })))
}

impl<S: Subject> Reducer<'_, '_, S> {
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

    /// Makes one allocation of two: what fills a memory need not be many buffers.
    pub(super) fn merge_allocations(&mut self) {
        self.begin("merge");
        let mut kept = self.best.ops.len();
        while kept > 0 && kept <= MERGED_OPERATIONS_MAX {
            kept -= 1;
            for left_out in (0..self.best.ops.len()).rev() {
                if self.merge(kept, left_out) {
                    kept = self.best.ops.len();
                    break;
                }
            }
        }
    }

    /// Gives the pages of one allocation to another of the same memory and page.
    fn merge(&mut self, kept: usize, left_out: usize) -> bool {
        let spec = |op: usize| self.best.ops.get(op).and_then(|(_, op)| op.spec().copied());
        let (Some(one), Some(other)) = (spec(kept), spec(left_out)) else { return false };
        let alike = one.buffer_type == other.buffer_type && one.pages.size == other.pages.size;
        if kept == left_out || !alike {
            return false;
        }
        let place = kept - usize::from(left_out < kept);
        ROUNDED_PAGES.into_iter().any(|more| {
            let mut candidate = self.without(|op| op == left_out);
            if let Some(spec) = candidate.ops[place].1.spec_mut() {
                let sum = one.pages.count.saturating_add(other.pages.count);
                spec.pages.count = sum.saturating_add(more);
            }
            self.offer(candidate)
        })
    }
}
