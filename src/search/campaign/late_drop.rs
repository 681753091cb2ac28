//! The late drop of a dead handle: the failure that hides best, and so the one to be shown.

use crate::op::{Handle, Name, Op};
use crate::scenario::Case;
use crate::search::aim::{Model, Subject};
use crate::search::replay::Turn;

/// Whether the last of the first operations drops a handle whose buffer was deallocated before.
pub(super) fn is_late_drop(case: &Case, operations: usize) -> bool {
    let Some(((_, Op::Drop(Handle::Buffer(handle))), before)) =
        case.ops.get(..operations).and_then(<[_]>::split_last)
    else {
        return false;
    };
    let last = before.iter().rev().find_map(|(_, op)| match op {
        Op::Deallocate(buffer) if buffer == handle => Some(true),
        Op::Use(_) | Op::Run(_) | Op::Enqueue { .. } => None,
        op => (op.names().first() == Some(&Name::Buffer(*handle))).then_some(false),
    });
    !case.is_stepped() && last.unwrap_or(false)
}

/// The model as a subject that fails only in a late drop.
#[derive(Clone, Debug)]
pub(super) struct LateDrop(pub(super) Model);

impl Subject for LateDrop {
    fn fails(&mut self, case: &Case) -> Option<usize> {
        self.0.fails(case).filter(|&operations| is_late_drop(case, operations))
    }

    fn involved(&mut self, case: &Case) -> Vec<Name> {
        self.0.involved(case)
    }

    fn turns(&mut self, case: &Case) -> Vec<Turn> {
        self.0.turns(case)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::scenario::Scenario;

    fn is_late(lines: &str) -> bool {
        let text = format!("freeorder 1\n{}\n", lines.replace("; ", "\n"));
        let case = Case::of(&text.parse::<Scenario>().expect("the lines parse"));
        is_late_drop(&case, case.ops.len())
    }

    /// A handle that holds something again is no dead one.
    #[test]
    fn a_late_drop_is_one_of_a_handle_that_was_deallocated() {
        let begin = "open m0 1x1; alloc b0 on m0 dram 1x32";
        assert!(is_late(&format!("{begin}; deallocate b0; drop b0")));
        assert!(is_late(&format!("{begin}; deallocate b0; share b1 of b0; use b0; drop b0")));
        assert!(!is_late(&format!("{begin}; drop b0")));
        assert!(!is_late(&format!("{begin}; deallocate b0; drop b1")));
        assert!(!is_late(&format!("{begin}; deallocate b0; drop b0; view b0 of b1; drop b0")));
        assert!(!is_late(&format!("{begin}; deallocate b0; drop b0; exit")));
    }
}
