//! Which programs with captures can be asked, and what of the process before them matters.

use crate::op::{CaptureStep, Op, ThreadId};
use crate::scenario::Case;

/// Whether something is done on another thread while a capture goes on: captures are of a thread,
/// and the model's are of a process. That one ends there it can say.
pub(super) fn leaves_a_capture(ops: &[(ThreadId, Op)]) -> bool {
    let mut captures = Vec::new();
    ops.iter().any(|(thread, op)| {
        let elsewhere = captures.last().is_some_and(|own| own != thread);
        match op {
            Op::Capture(CaptureStep::Begin(_)) => captures.push(*thread),
            Op::Capture(CaptureStep::End) => {
                captures.pop();
                return false;
            }
            Op::Kill(_) => captures.clear(),
            _ => {}
        }
        elsewhere
    })
}

/// Whether a capture ends that did not begin.
pub(super) fn ends_capture_again(case: &Case) -> bool {
    let mut depth = 0_u32;
    case.ops.iter().any(|(_, op)| match op {
        Op::Capture(CaptureStep::Begin(_)) => {
            depth += 1;
            false
        }
        Op::Capture(CaptureStep::End) if depth == 0 => true,
        Op::Capture(CaptureStep::End) => {
            depth -= 1;
            false
        }
        Op::Kill(_) => {
            depth = 0;
            false
        }
        _ => false,
    })
}
