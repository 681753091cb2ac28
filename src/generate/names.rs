//! The names in an operation: what it touches, and what it is called.

use crate::op::{BufferHandle, CacheKey, MeshHandle, Name, Op, ProgramHandle, TraceHandle};

/// A sort of names; each counts from 0.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Sort {
    Buffer,
    Mesh,
    Program,
    Trace,
    Key,
}

/// Shows every name of the operation but those of processes, in the order of its line, and lets it
/// be changed.
pub(super) fn visit(op: &mut Op, see: &mut impl FnMut(Sort, &mut u32)) {
    let mut changed = |sort, mut number| {
        see(sort, &mut number);
        number
    };
    op.rename(|name| match name {
        Name::Buffer(BufferHandle(number)) => {
            Name::Buffer(BufferHandle(changed(Sort::Buffer, number)))
        }
        Name::Mesh(MeshHandle(number)) => Name::Mesh(MeshHandle(changed(Sort::Mesh, number))),
        Name::Program(ProgramHandle(number)) => {
            Name::Program(ProgramHandle(changed(Sort::Program, number)))
        }
        Name::Trace(TraceHandle(number)) => Name::Trace(TraceHandle(changed(Sort::Trace, number))),
        Name::Key(CacheKey(number)) => Name::Key(CacheKey(changed(Sort::Key, number))),
        Name::Process(_) => name,
    });
}

/// The buffers, meshes, programs and traces that an operation touches, a bit each; names above 63
/// share the last one.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(super) struct Touched([u64; 4]);

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
pub(super) struct FirstUses([Vec<u32>; 5]);

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
