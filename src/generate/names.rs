//! The names in an operation: what it touches, and what it is called.

use crate::op::{Handle, Op, Place, RunSpec};

/// A sort of names; each counts from 0.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Sort {
    Buffer,
    Mesh,
    Program,
    Key,
}

/// Shows every name of the operation, in the order of its line, and lets it be changed.
#[allow(clippy::too_many_lines, reason = "one arm for each shape of operation")]
pub(super) fn visit(op: &mut Op, see: &mut impl FnMut(Sort, &mut u32)) {
    match op {
        Op::Open { mesh, .. }
        | Op::Close(mesh)
        | Op::ClearCache(mesh)
        | Op::DisableCache(mesh)
        | Op::EnableCache(mesh)
        | Op::DeallocateAll(mesh)
        | Op::ClearAllocator(mesh)
        | Op::Drop(Handle::Mesh(mesh)) => see(Sort::Mesh, &mut mesh.0),
        Op::Submesh { mesh, parent, .. } => {
            see(Sort::Mesh, &mut mesh.0);
            see(Sort::Mesh, &mut parent.0);
        }
        Op::Alloc { buffer, place, .. } => {
            see(Sort::Buffer, &mut buffer.0);
            if let Place::Mesh(mesh) = place {
                see(Sort::Mesh, &mut mesh.0);
            }
        }
        Op::Alias { buffer, of } | Op::View { buffer, of, .. } | Op::Share { buffer, of } => {
            see(Sort::Buffer, &mut buffer.0);
            see(Sort::Buffer, &mut of.0);
        }
        Op::Deallocate(buffer)
        | Op::Mark(buffer)
        | Op::Cycle(buffer)
        | Op::Use(buffer)
        | Op::Release { buffer, .. }
        | Op::Drop(Handle::Buffer(buffer)) => see(Sort::Buffer, &mut buffer.0),
        Op::Program { program, mesh, .. } => {
            see(Sort::Program, &mut program.0);
            see(Sort::Mesh, &mut mesh.0);
        }
        Op::ShareProgram { program, of } => {
            see(Sort::Program, &mut program.0);
            see(Sort::Program, &mut of.0);
        }
        Op::Assign { buffer, program } => {
            see(Sort::Buffer, &mut buffer.0);
            see(Sort::Program, &mut program.0);
        }
        Op::Enqueue { program, reads } => {
            see(Sort::Program, &mut program.0);
            reads.iter_mut().for_each(|read| see(Sort::Buffer, &mut read.0));
        }
        Op::Drop(Handle::Program(program)) => see(Sort::Program, &mut program.0),
        Op::Run(spec) => visit_run(spec, see),
        Op::Gc
        | Op::Capture(_)
        | Op::Tracking(_)
        | Op::ServerRestart
        | Op::Lose(_)
        | Op::Stall
        | Op::Reconnect
        | Op::Deliver(_)
        | Op::Process(_)
        | Op::Kill(_)
        | Op::Reap
        | Op::Checkpoint
        | Op::Exit => {}
    }
}

fn visit_run(spec: &mut RunSpec, see: &mut impl FnMut(Sort, &mut u32)) {
    see(Sort::Key, &mut spec.key.0);
    see(Sort::Mesh, &mut spec.mesh.0);
    spec.reads.iter_mut().for_each(|read| see(Sort::Buffer, &mut read.0));
    if let Some((buffer, _)) = &mut spec.output {
        see(Sort::Buffer, &mut buffer.0);
    }
}

/// The buffers, meshes and programs that an operation touches, a bit each; names above 63 share
/// the last one.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(super) struct Touched([u64; 3]);

impl Touched {
    /// What the operation touches.
    pub fn by(op: &Op) -> Self {
        let mut touched = Self::default();
        visit(&mut op.clone(), &mut |sort, number| {
            if sort != Sort::Key {
                touched.0[sort as usize] |= 1 << (*number).min(63);
            }
        });
        touched
    }

    /// Whether the two touch the same thing, so that their order can matter.
    pub fn races_with(self, other: Self) -> bool {
        self.0.iter().zip(other.0).any(|(mine, theirs)| mine & theirs != 0)
    }
}

/// The names in order of first use, for each sort.
#[derive(Clone, Debug, Default)]
pub(super) struct FirstUses([Vec<u32>; 4]);

impl FirstUses {
    /// Renames every name of the operation to its place in the order of first use.
    pub fn renumber(&mut self, op: &mut Op) {
        visit(op, &mut |sort, number| {
            let seen = &mut self.0[sort as usize];
            let place = seen.iter().position(|known| known == number).unwrap_or_else(|| {
                seen.push(*number);
                seen.len() - 1
            });
            *number = place as u32;
        });
    }
}
