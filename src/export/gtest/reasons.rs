//! Why a test of tt-metal's public headers cannot do an operation.

use crate::op::{Op, Place};

/// What an allocation server hears of.
pub(in crate::export) const TRACKER: &str =
    "it is about what an allocation server hears, which no call of tt-metal decides";

/// Why no statement is an operation.
pub(super) fn why_not(op: &Op) -> &'static str {
    match op {
        Op::Alloc { place: Place::Device(_), .. } => {
            "`Buffer::create` on one device is not public any more"
        }
        Op::View { .. } => "`Buffer::view` is not public any more",
        Op::Mark(_) => "`Buffer::mark_as_deallocated` is not public any more",
        Op::Release { .. } => "the pieces of a MeshBuffer are private",
        Op::Assign { .. } => {
            "`AssignGlobalBufferToProgram` takes a shared_ptr, and a MeshBuffer hands out none"
        }
        Op::Run(_) => "it is an operation of ttnn, with ttnn's program cache",
        Op::DeallocateUnforced(_) => "`force` is a word of ttnn's `deallocate`",
        Op::DataflowProgram { .. } => "Metal 2.0 programs are experimental",
        Op::Async { .. } => "`enable_async` is gone",
        Op::ClearAllocator(_) => "`Allocator::clear` is not public any more",
        Op::Capture(_) => "captures are ttnn's",
        Op::Inspector => "the Inspector is switched by the environment of the process",
        Op::Fork(_) => "a child of the test would go on with the tests after it",
        Op::Static(_) => "a static variable would outlive its test, and meet the next one's",
        Op::Tracking(_)
        | Op::ServerRestart
        | Op::Lose(_)
        | Op::Stall
        | Op::Reconnect
        | Op::Deliver(_)
        | Op::Reap
        | Op::Checkpoint => TRACKER,
        Op::Open { .. }
        | Op::Submesh { .. }
        | Op::Close(_)
        | Op::Alloc { place: Place::Mesh(_), .. }
        | Op::Alias { .. }
        | Op::Share { .. }
        | Op::Deallocate(_)
        | Op::Drop(_)
        | Op::Cycle(_)
        | Op::Gc
        | Op::Use(_)
        | Op::Program { .. }
        | Op::ShareProgram { .. }
        | Op::Enqueue { .. }
        | Op::ClearCache(_)
        | Op::DisableCache(_)
        | Op::EnableCache(_)
        | Op::BeginTrace { .. }
        | Op::EndTrace(_)
        | Op::Replay(_)
        | Op::ReleaseTrace(_)
        | Op::Finish(_)
        | Op::LoadManager { .. }
        | Op::DeallocateAll(_)
        | Op::Process(_)
        | Op::Kill(_)
        | Op::Exit => "tt-metal has no call for it",
    }
}
