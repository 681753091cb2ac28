//! Deletion: chunks, single operations, everything about a name, pairs.

use std::collections::BTreeSet;

use super::reducer::Reducer;
use crate::op::Name;
use crate::scenario::SetupLine;

/// Pairs are tried on cases of up to so many operations: their number grows with its square.
pub const PAIRED_OPERATIONS_MAX: usize = 64;

/// What is left in more than so many chunks has withstood some rounds.
const CHUNKS_MAX: usize = 8;

impl Reducer<'_, '_> {
    /// ddmin by complements: leaves out ever smaller chunks, the last ones first. Before the small
    /// ones, which are many, come fewer and larger buffers.
    pub(super) fn delete_chunks(&mut self) {
        let mut size = self.best.ops.len() / 2;
        let mut raised = false;
        while size > 1 && !self.is_stopped() {
            let is_small = size < self.best.ops.len() / CHUNKS_MAX;
            if is_small && !std::mem::replace(&mut raised, true) {
                self.merge_crowd();
                self.raise_sizes();
                size = self.best.ops.len() / 2;
                continue;
            }
            self.begin("ddmin");
            self.delete_chunks_of(size);
            size = size.min(self.best.ops.len()) / 2;
        }
    }

    /// Leaves out single operations until none can go.
    pub(super) fn delete_singles(&mut self) {
        self.begin("singles");
        while self.delete_chunks_of(1) && !self.is_stopped() {}
    }

    fn delete_chunks_of(&mut self, size: usize) -> bool {
        let mut deleted = false;
        let mut end = self.best.ops.len();
        while end > 0 && !self.was_stopped() {
            let start = end.saturating_sub(size);
            deleted |= self.offer_without(|op| (start..end).contains(&op));
            // What was kept may have been cut off earlier still.
            end = start.min(self.best.ops.len());
        }
        deleted
    }

    /// Leaves out everything that mentions a name, or that a thread does.
    pub(super) fn delete_groups(&mut self) {
        self.begin("names");
        let mentioned = self.best.ops.iter().flat_map(|(_, op)| op.names());
        let names: BTreeSet<Name> = mentioned.collect();
        for name in names.into_iter().rev() {
            if self.was_stopped() {
                return;
            }
            let ops = self.best.ops.iter();
            let about: Vec<bool> = ops.map(|(_, op)| op.names().contains(&name)).collect();
            if about.iter().filter(|&&about| about).count() > 1 {
                self.offer_without(|op| about[op]);
            }
        }
        self.begin("threads");
        let threads: BTreeSet<u32> = self.best.ops.iter().map(|(thread, _)| thread.0).collect();
        if threads.len() > 1 {
            for thread in threads.into_iter().rev() {
                let ops = self.best.ops.iter();
                let own: Vec<bool> = ops.map(|(owner, _)| owner.0 == thread).collect();
                self.offer_without(|op| own[op]);
            }
        }
        self.begin("setup");
        for line in (0..self.best.setup.len()).rev() {
            // The machine is another pass's: without its line it would be a larger one.
            if matches!(self.best.setup[line], SetupLine::Machine(_)) {
                continue;
            }
            let mut candidate = self.best.clone();
            candidate.setup.remove(line);
            self.offer(candidate);
        }
        self.lower_setup();
    }

    /// Leaves out pairs of operations: what releases a thing is often as unneeded as the thing.
    pub(super) fn delete_pairs(&mut self) {
        self.begin("pairs");
        if self.best.ops.len() > PAIRED_OPERATIONS_MAX {
            return;
        }
        let mut second = self.best.ops.len();
        while second > 1 {
            second = second.min(self.best.ops.len()) - 1;
            for first in (0..second).rev() {
                if self.offer_without(|op| op == first || op == second) {
                    second = self.best.ops.len();
                    break;
                }
            }
            if self.is_stopped() {
                return;
            }
        }
    }
}
