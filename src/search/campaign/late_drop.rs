//! The late drop of a dead handle: the failure that hides best, and so the one to be shown.

use crate::op::{Handle, Name, Op};
use crate::scenario::Case;
use crate::search::aim::{Model, Subject};
use crate::search::replay::Turn;

/// Whether the last of the first operations drops a handle whose buffer was deallocated before
/// something else was allocated.
pub(super) fn is_late_drop(case: &Case, operations: usize) -> bool {
    let Some(((_, Op::Drop(Handle::Buffer(handle))), before)) =
        case.ops.get(..operations).and_then(<[_]>::split_last)
    else {
        return false;
    };
    let mut allocated = false;
    for (_, op) in before.iter().rev() {
        match op {
            Op::Deallocate(buffer) if buffer == handle => return allocated && !case.is_stepped(),
            Op::Run(_) => allocated = true,
            Op::Use(_) | Op::Enqueue { .. } => {}
            op if op.names().first() == Some(&Name::Buffer(*handle)) => return false,
            op => allocated |= matches!(op, Op::Alloc { .. }),
        }
    }
    false
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

    /// A handle that holds something again is no dead one, and without a next owner nobody is hurt.
    #[test]
    fn a_late_drop_is_one_of_a_handle_that_was_deallocated() {
        let begin = "open m0 1x1; alloc b0 on m0 dram 1x32";
        let next = "alloc b1 on m0 dram 1x32";
        assert!(is_late(&format!("{begin}; deallocate b0; {next}; drop b0")));
        assert!(is_late(&format!("{begin}; deallocate b0; run k0 on m0; use b0; drop b0")));
        assert!(!is_late(&format!("{begin}; {next}; drop b0")));
        assert!(!is_late(&format!("{begin}; {next}; deallocate b0; drop b0")));
        assert!(!is_late(&format!("{begin}; deallocate b0; {next}; drop b1")));
        assert!(!is_late(&format!("{begin}; deallocate b0; {next}; view b0 of b1; drop b0")));
        assert!(!is_late(&format!("{begin}; deallocate b0; {next}; drop b0; exit")));
    }
}
