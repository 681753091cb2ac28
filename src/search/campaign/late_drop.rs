//! The late drop of a dead handle: the stale FREE that hides best, and so the one to be shown.

use crate::op::{Handle, Name, Op};
use crate::scenario::Case;
use crate::search::aim::{Model, Subject};
use crate::search::causes::Causes;
use crate::search::enumerate::Limits;
use crate::search::replay::Turn;

/// The deallocation that the last of the first operations comes too late after: that of the buffer
/// whose handle it drops.
pub(super) fn deallocation(case: &Case, operations: usize) -> Option<usize> {
    if case.is_stepped() {
        return None;
    }
    let ((_, last), before) = case.ops.get(..operations)?.split_last()?;
    let Op::Drop(Handle::Buffer(handle)) = last else { return None };
    let is_about = |op: &Op| match op {
        Op::Run(_) | Op::Use(_) | Op::Enqueue { .. } => false,
        op => op.names().first() == Some(&Name::Buffer(*handle)),
    };
    let latest = before.iter().rposition(|(_, op)| is_about(op))?;
    matches!(before[latest].1, Op::Deallocate(_)).then_some(latest)
}

/// The model as a subject that fails only in a late drop: without the deallocation it does not.
#[derive(Clone, Debug)]
pub(super) struct LateDrop(pub(super) Model);

impl Subject for LateDrop {
    fn fails(&mut self, case: &Case) -> Option<usize> {
        let operations = self.0.fails(case)?;
        let deallocation = deallocation(case, operations)?;
        let mut without = case.clone();
        without.ops.truncate(operations);
        without.ops.remove(deallocation);
        self.0.fails(&without).is_none().then_some(operations)
    }

    fn involved(&mut self, case: &Case) -> Vec<Name> {
        self.0.involved(case)
    }

    fn causes(&mut self, case: &Case, steps: usize) -> Causes {
        self.0.causes(case, steps)
    }

    fn turns(&mut self, case: &Case) -> Vec<Turn> {
        self.0.turns(case)
    }

    fn better(&mut self, input: &Case, result: &Case, limits: Limits) -> Option<Case> {
        self.0.better(input, result, limits).filter(|better| self.fails(better).is_some())
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::fix::Preset;
    use crate::scenario::Scenario;
    use crate::search::aim::{Aim, Failure};
    use crate::server::ServerKind;
    use crate::violation::OracleName;

    fn is_late(lines: &str) -> bool {
        let text = format!("freeorder 1\n{}\n", lines.replace("; ", "\n"));
        let case = Case::of(&text.parse::<Scenario>().expect("the lines parse"));
        let failure = Failure::Oracle(OracleName::StaleFree);
        let aim = Aim { fixes: Preset::ForkHead.fixes(), server: ServerKind::K1, failure };
        LateDrop(Model::new(aim)).fails(&case).is_some()
    }

    /// A FREE that is stale for another reason is none, whatever the operations look like.
    #[test]
    fn a_late_drop_is_one_of_a_handle_that_was_deallocated() {
        let begin = "open m0 1x1; alloc b0 on m0 dram 1x32";
        let next = "alloc b1 on m0 dram 1x32";
        assert!(is_late(&format!("{begin}; deallocate b0; {next}; drop b0")));
        assert!(is_late(&format!("{begin}; deallocate b0; {next}; use b1; use b0; drop b0")));
        assert!(!is_late(&format!("{begin}; {next}; deallocate b0; drop b0")));
        assert!(!is_late(&format!("{begin}; deallocate b0; {next}; drop b1")));
        let overlapping = "open m0 1x1; submesh m1 of m0 1x1; alloc b0 on m0 dram 1x32";
        assert!(!is_late(&format!(
            "{overlapping}; alloc b1 on m1 dram 1x32; deallocate b0; alloc b2 on m1 dram 1x32; \
             drop b0"
        )));
    }
}
