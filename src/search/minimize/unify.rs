//! One name instead of two: what a second handle or mesh did, the first one can often do as well.

use std::collections::BTreeSet;

use super::reducer::Reducer;
use crate::op::Name;

/// Cases of up to so many operations are tried: the number of choices grows with the cube.
const UNIFIED_OPERATIONS_MAX: usize = 24;

impl Reducer<'_, '_> {
    /// Leaves out one operation on a name, and says the others of another name of its kind.
    pub(super) fn unify_names(&mut self) {
        self.begin("unify");
        if self.best.ops.len() > UNIFIED_OPERATIONS_MAX {
            return;
        }
        while self.unify_two() && !self.is_stopped() {}
    }

    fn unify_two(&mut self) -> bool {
        let mentioned = self.best.ops.iter().flat_map(|(_, op)| op.names());
        let names: BTreeSet<Name> = mentioned.collect();
        for &name in names.iter().rev() {
            let kind = std::mem::discriminant(&name);
            let others = names.iter().filter(|&other| std::mem::discriminant(other) == kind);
            for &other in others.filter(|&&other| other != name) {
                for left_out in 0..self.best.ops.len() {
                    if !self.best.ops[left_out].1.names().contains(&name) {
                        continue;
                    }
                    let mut candidate = self.without(|op| op == left_out);
                    for (_, op) in &mut candidate.ops {
                        op.rename(|one| if one == name { other } else { one });
                    }
                    if self.offer(candidate) {
                        return true;
                    }
                }
            }
        }
        false
    }
}
