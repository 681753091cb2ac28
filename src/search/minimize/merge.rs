//! Several allocations become one: what fills a memory need not be many buffers.

use super::reducer::Reducer;
use super::sizes::{CROWDED_OPERATIONS_MIN, bytes_per_bank};
use crate::op::{BufferSpec, Pages};
use crate::scenario::Case;
use crate::units::{BufferType, Bytes};

/// Any two allocations are merged in cases of up to so many operations, and only neighbours in
/// longer ones.
const PAIRED_OPERATIONS_MAX: usize = 64;

/// A crowded case is merged in so many parts at first.
const PARTS_MAX: usize = 8;

impl Reducer<'_, '_> {
    /// Makes one allocation of ever fewer neighbours in the same memory, and then of any two.
    pub(super) fn merge_allocations(&mut self) {
        self.begin("merge");
        for buffer_type in BufferType::ALL {
            self.merge_neighbours(buffer_type, 2);
        }
        self.merge_pairs();
    }

    /// Makes few allocations of the many of a crowded case.
    pub(super) fn merge_crowd(&mut self) {
        self.begin("merge");
        for buffer_type in BufferType::ALL {
            if self.best.ops.len() >= CROWDED_OPERATIONS_MIN {
                let parts = self.allocations(buffer_type).len() / PARTS_MAX;
                self.merge_neighbours(buffer_type, parts.max(2));
            }
        }
    }

    /// Makes one of all allocations in a memory, or of half of them, and so on down to so many.
    fn merge_neighbours(&mut self, buffer_type: BufferType, least: usize) {
        let mut size = self.allocations(buffer_type).len();
        while size >= least && !self.is_stopped() {
            let mut end = self.allocations(buffer_type).len();
            while end > 1 && !self.was_stopped() {
                let start = end.saturating_sub(size);
                let places = self.allocations(buffer_type);
                if let Some((&kept, left_out)) = places[start..end].split_last() {
                    self.merge(kept, left_out);
                }
                // What is left may have been cut off earlier still.
                end = start.min(self.allocations(buffer_type).len());
            }
            size = size.min(self.allocations(buffer_type).len() + 1) / 2;
        }
    }

    fn merge_pairs(&mut self) {
        let mut kept = self.best.ops.len();
        while kept > 0 && kept <= PAIRED_OPERATIONS_MAX && !self.is_stopped() {
            kept -= 1;
            let Some(&BufferSpec { buffer_type, .. }) = self.best.ops[kept].1.spec() else {
                continue;
            };
            let others = self.allocations(buffer_type).into_iter().rev();
            for left_out in others.filter(|&other| other != kept).collect::<Vec<_>>() {
                if self.merge(kept, &[left_out]) {
                    kept = self.best.ops.len();
                    break;
                }
            }
        }
    }

    /// The operations that allocate in a memory.
    fn allocations(&self, buffer_type: BufferType) -> Vec<usize> {
        let is_there = |case: &Case, op: usize| {
            case.ops[op].1.spec().is_some_and(|spec| spec.buffer_type == buffer_type)
        };
        (0..self.best.ops.len()).filter(|&op| is_there(&self.best, op)).collect()
    }

    /// Gives an allocation, as a single page, what each bank has of it and of others, or all that
    /// they have.
    fn merge(&mut self, kept: usize, left_out: &[usize]) -> bool {
        if left_out.is_empty() {
            return false;
        }
        let memory = self.best.start().memory;
        let of = |bytes: &dyn Fn(&BufferSpec) -> Bytes| {
            let merged = left_out.iter().chain([&kept]);
            let specs = merged.filter_map(|&op| self.best.ops[op].1.spec());
            Bytes(specs.map(|spec| bytes(spec).0).sum())
        };
        let sums = [of(&|spec| bytes_per_bank(spec, &memory)), of(&|spec| spec.pages.total())];
        let place = kept - left_out.iter().filter(|&&op| op < kept).count();
        let shorter = self.without(|op| left_out.contains(&op));
        sums.into_iter().any(|sum| {
            let mut candidate = shorter.clone();
            if let Some(spec) = candidate.ops[place].1.spec_mut() {
                spec.pages = Pages { count: 1, size: sum };
            }
            self.offer(candidate)
        })
    }
}
