//! Which programs with captures can be asked, and what of the process before them matters.

use std::collections::BTreeMap;

use crate::op::{CaptureStep, Op, ThreadId};
use crate::scenario::Case;

/// Whether a capture ends that did not begin on its thread.
pub(super) fn ends_capture_again(case: &Case) -> bool {
    let mut depths: BTreeMap<ThreadId, u32> = BTreeMap::new();
    case.ops.iter().any(|(thread, op)| {
        let depth = depths.entry(*thread).or_default();
        match op {
            Op::Capture(CaptureStep::Begin(_)) => *depth += 1,
            Op::Capture(CaptureStep::End) if *depth == 0 => return true,
            Op::Capture(CaptureStep::End) => *depth -= 1,
            Op::Kill(_) => depths.clear(),
            _ => {}
        }
        false
    })
}

/// Whether a mesh is opened where what the programs before did would count: on another thread than
/// the first, or in a capture.
pub(super) fn opens_elsewhere(case: &Case) -> bool {
    let mut depth = 0_i32;
    case.ops.iter().any(|(thread, op)| match op {
        Op::Capture(CaptureStep::Begin(_)) => {
            depth += 1;
            false
        }
        Op::Capture(CaptureStep::End) => {
            depth -= 1;
            false
        }
        Op::Open { .. } => depth > 0 || thread.0 > 0,
        _ => false,
    })
}
