//! The names that an operation mentions, to be looked at or changed.

use super::{
    BufferHandle, CacheKey, Handle, MeshHandle, Op, Place, ProcessId, ProgramHandle, TraceHandle,
};

/// A name of any kind.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Name {
    /// `b0`
    Buffer(BufferHandle),
    /// `m0`
    Mesh(MeshHandle),
    /// `p0`
    Program(ProgramHandle),
    /// `q0`
    Process(ProcessId),
    /// `k0`
    Key(CacheKey),
    /// `r0`
    Trace(TraceHandle),
}

impl Op {
    /// The names that it mentions, in the order of its text; one that stands twice comes twice.
    ///
    /// ```
    /// use freeorder::op::{BufferHandle, Name, Op};
    /// let op = Op::Share { buffer: BufferHandle(1), of: BufferHandle(0) };
    /// assert_eq!(op.names()[0], Name::Buffer(BufferHandle(1)));
    /// ```
    #[must_use]
    pub fn names(&self) -> Vec<Name> {
        let mut names = Vec::new();
        self.clone().rename(|name| {
            names.push(name);
            name
        });
        names
    }

    /// Replaces every name by another of the same kind; one of another kind changes nothing.
    #[allow(clippy::too_many_lines, reason = "one arm for each operation")]
    pub fn rename(&mut self, mut to: impl FnMut(Name) -> Name) {
        let to = &mut to;
        match self {
            Self::Open { mesh, .. }
            | Self::Close(mesh)
            | Self::ClearCache(mesh)
            | Self::DisableCache(mesh)
            | Self::EnableCache(mesh)
            | Self::Async { mesh, .. }
            | Self::Finish(mesh)
            | Self::LoadManager { mesh, .. }
            | Self::DeallocateAll(mesh)
            | Self::ClearAllocator(mesh) => rename_mesh(mesh, to),
            Self::Submesh { mesh, parent, .. } => {
                rename_mesh(mesh, to);
                rename_mesh(parent, to);
            }
            Self::Alloc { buffer, place, .. } => {
                rename_buffer(buffer, to);
                if let Place::Mesh(mesh) = place {
                    rename_mesh(mesh, to);
                }
            }
            Self::Alias { buffer, of }
            | Self::View { buffer, of, .. }
            | Self::Share { buffer, of } => {
                rename_buffer(buffer, to);
                rename_buffer(of, to);
            }
            Self::Deallocate(buffer)
            | Self::DeallocateUnforced(buffer)
            | Self::Mark(buffer)
            | Self::Cycle(buffer)
            | Self::Use(buffer)
            | Self::Drop(Handle::Buffer(buffer))
            | Self::Static(Handle::Buffer(buffer))
            | Self::Release { buffer, .. } => rename_buffer(buffer, to),
            Self::Drop(Handle::Mesh(mesh)) | Self::Static(Handle::Mesh(mesh)) => {
                rename_mesh(mesh, to);
            }
            Self::Drop(Handle::Program(program)) | Self::Static(Handle::Program(program)) => {
                rename_program(program, to);
            }
            Self::Program { program, mesh, .. } | Self::DataflowProgram { program, mesh, .. } => {
                rename_program(program, to);
                rename_mesh(mesh, to);
            }
            Self::ShareProgram { program, of } => {
                rename_program(program, to);
                rename_program(of, to);
            }
            Self::Assign { buffer, program } => {
                rename_buffer(buffer, to);
                rename_program(program, to);
            }
            Self::Enqueue { program, reads } => {
                rename_program(program, to);
                reads.iter_mut().for_each(|buffer| rename_buffer(buffer, to));
            }
            Self::Run(spec) => {
                if let Name::Key(key) = to(Name::Key(spec.key)) {
                    spec.key = key;
                }
                rename_mesh(&mut spec.mesh, to);
                spec.reads.iter_mut().for_each(|buffer| rename_buffer(buffer, to));
                if let Some((buffer, _)) = &mut spec.output {
                    rename_buffer(buffer, to);
                }
            }
            Self::BeginTrace { trace, mesh } => {
                rename_trace(trace, to);
                rename_mesh(mesh, to);
            }
            Self::EndTrace(trace) | Self::Replay(trace) | Self::ReleaseTrace(trace) => {
                rename_trace(trace, to);
            }
            Self::Process(process) | Self::Kill(process) => {
                if let Name::Process(other) = to(Name::Process(*process)) {
                    *process = other;
                }
            }
            Self::Gc
            | Self::Capture(_)
            | Self::Inspector
            | Self::Tracking(_)
            | Self::ServerRestart
            | Self::Lose(_)
            | Self::Stall
            | Self::Reconnect
            | Self::Deliver(_)
            | Self::Fork(_)
            | Self::Reap
            | Self::Checkpoint
            | Self::Exit => {}
        }
    }
}

fn rename_buffer(buffer: &mut BufferHandle, to: &mut impl FnMut(Name) -> Name) {
    if let Name::Buffer(other) = to(Name::Buffer(*buffer)) {
        *buffer = other;
    }
}

fn rename_mesh(mesh: &mut MeshHandle, to: &mut impl FnMut(Name) -> Name) {
    if let Name::Mesh(other) = to(Name::Mesh(*mesh)) {
        *mesh = other;
    }
}

fn rename_program(program: &mut ProgramHandle, to: &mut impl FnMut(Name) -> Name) {
    if let Name::Program(other) = to(Name::Program(*program)) {
        *program = other;
    }
}

fn rename_trace(trace: &mut TraceHandle, to: &mut impl FnMut(Name) -> Name) {
    if let Name::Trace(other) = to(Name::Trace(*trace)) {
        *trace = other;
    }
}
