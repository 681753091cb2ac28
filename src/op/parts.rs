//! What an operation makes, and of what.

use super::{BufferSpec, CircularBufferSpec, Name, Op};
use crate::units::Bytes;

impl Op {
    /// The name under which it makes something.
    ///
    /// ```
    /// use freeorder::op::{BufferHandle, Name, Op};
    /// let op = Op::Share { buffer: BufferHandle(1), of: BufferHandle(0) };
    /// assert_eq!(op.made(), Some(Name::Buffer(BufferHandle(1))));
    /// assert_eq!(Op::Deallocate(BufferHandle(1)).made(), None);
    /// ```
    #[must_use]
    pub fn made(&self) -> Option<Name> {
        match self {
            Self::Open { mesh, .. } | Self::Submesh { mesh, .. } => Some(Name::Mesh(*mesh)),
            Self::Alloc { buffer, .. }
            | Self::Alias { buffer, .. }
            | Self::View { buffer, .. }
            | Self::Share { buffer, .. } => Some(Name::Buffer(*buffer)),
            Self::Program { program, .. }
            | Self::DataflowProgram { program, .. }
            | Self::ShareProgram { program, .. } => Some(Name::Program(*program)),
            Self::Run(run) => run.output.map(|(buffer, _)| Name::Buffer(buffer)),
            Self::BeginTrace { trace, .. } => Some(Name::Trace(*trace)),
            Self::Close(_)
            | Self::Deallocate(_)
            | Self::DeallocateUnforced(_)
            | Self::Mark(_)
            | Self::Drop(_)
            | Self::Cycle(_)
            | Self::Gc
            | Self::Release { .. }
            | Self::Use(_)
            | Self::Assign { .. }
            | Self::Enqueue { .. }
            | Self::ClearCache(_)
            | Self::DisableCache(_)
            | Self::EnableCache(_)
            | Self::EndTrace(_)
            | Self::Replay(_)
            | Self::ReleaseTrace(_)
            | Self::Async { .. }
            | Self::Finish(_)
            | Self::LoadManager { .. }
            | Self::DeallocateAll(_)
            | Self::ClearAllocator(_)
            | Self::Capture(_)
            | Self::Inspector
            | Self::Static(_)
            | Self::Tracking(_)
            | Self::ServerRestart
            | Self::Lose(_)
            | Self::Stall
            | Self::Reconnect
            | Self::Deliver(_)
            | Self::Process(_)
            | Self::Kill(_)
            | Self::Fork(_)
            | Self::Reap
            | Self::Checkpoint
            | Self::Exit => None,
        }
    }

    /// The sizes that it says, in all: of its buffer, its circular or dataflow buffers, its kernel.
    ///
    /// ```
    /// use freeorder::{op::Op, scenario::{Case, Scenario}, units::Bytes};
    /// let text = "freeorder 1\nrun k0 on m0 cbs 3x64 kernel 1x32 out b0 dram 2x2048\n";
    /// let case = Case::of(&text.parse::<Scenario>()?);
    /// assert_eq!(case.ops[0].1.size(), Bytes(192 + 32 + 4096));
    /// assert_eq!(Op::Exit.size(), Bytes(0));
    /// # Ok::<(), freeorder::scenario::ScenarioError>(())
    /// ```
    #[must_use]
    pub fn size(&self) -> Bytes {
        let groups = |groups: &[CircularBufferSpec]| {
            groups.iter().map(|group| u64::from(group.count) * group.size.0).sum::<u64>()
        };
        let own = match self {
            Self::Program { circular_buffers, .. } => groups(circular_buffers),
            Self::DataflowProgram { dataflow_buffers, .. } => groups(dataflow_buffers),
            Self::Run(run) => {
                groups(&run.circular_buffers) + run.kernel.map_or(0, |kernel| kernel.total().0)
            }
            _ => 0,
        };
        Bytes(own + self.spec().map_or(0, |spec| spec.pages.total().0))
    }

    /// The spec of the buffer that it allocates, if it says one.
    #[must_use]
    pub fn spec(&self) -> Option<&BufferSpec> {
        match self {
            Self::Alloc { spec, .. } => Some(spec),
            Self::Run(run) => run.output.as_ref().map(|(_, spec)| spec),
            _ => None,
        }
    }

    /// The same, to be changed.
    pub fn spec_mut(&mut self) -> Option<&mut BufferSpec> {
        match self {
            Self::Alloc { spec, .. } => Some(spec),
            Self::Run(run) => run.output.as_mut().map(|(_, spec)| spec),
            _ => None,
        }
    }
}
