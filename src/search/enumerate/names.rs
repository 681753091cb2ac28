//! Which names a sequence may use next: those that can be exchanged come in order.

use std::collections::{BTreeMap, BTreeSet};

use crate::op::{BufferHandle, CacheKey, MeshHandle, Name, Op, ProgramHandle, TraceHandle};

/// How many names of each kind have been used: the next new one is the one with that number.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(super) struct Names(pub(super) [u32; 5]);

impl Names {
    /// All names, for the kinds of which no two can be exchanged: the alphabet says something of
    /// one that it does not say of the other, or an operation goes by their numbers, as `gc` does
    /// by those of buffers and `exit` by those of meshes, programs and traces.
    pub(super) fn used_from_the_start(letters: &[Op]) -> Self {
        let has = |wanted: fn(&Op) -> bool| letters.iter().any(wanted);
        let (by_buffer, by_others) = (has(|op| *op == Op::Gc), has(|op| *op == Op::Exit));
        let by_number = [by_buffer || by_others, by_others, by_others, false, by_others];
        let all: BTreeSet<&Op> = letters.iter().collect();
        let mut with: BTreeMap<(usize, u32), Vec<&Op>> = BTreeMap::new();
        for letter in letters {
            for name in letter.names().into_iter().filter_map(numbered) {
                with.entry(name).or_default().push(letter);
            }
        }
        let mut used = by_number.map(|goes| if goes { u32::MAX } else { 0 });
        for (&(kind, number), letters) in with.iter().filter(|((_, number), _)| *number > 0) {
            let others = with.get(&(kind, number - 1)).into_iter().flatten();
            let is_closed = used[kind] == u32::MAX
                || letters.iter().chain(others).all(|letter| {
                    let mut exchanged = Op::clone(letter);
                    exchanged.rename(|name| with_the_one_before(name, (kind, number)));
                    all.contains(&exchanged)
                });
            if !is_closed {
                used[kind] = u32::MAX;
            }
        }
        Self(used)
    }

    /// The names in use after a letter, or none if it uses one before its turn.
    pub(super) fn after(mut self, letter: &Op) -> Option<Self> {
        for name in letter.names() {
            let Some((kind, number)) = numbered(name) else { continue };
            if number > self.0[kind] {
                return None;
            }
            self.0[kind] = self.0[kind].max(number.saturating_add(1));
        }
        Some(self)
    }
}

/// The kind and the number of a name; none of a process, which is no name for something made.
fn numbered(name: Name) -> Option<(usize, u32)> {
    match name {
        Name::Buffer(BufferHandle(number)) => Some((0, number)),
        Name::Mesh(MeshHandle(number)) => Some((1, number)),
        Name::Program(ProgramHandle(number)) => Some((2, number)),
        Name::Key(CacheKey(number)) => Some((3, number)),
        Name::Trace(TraceHandle(number)) => Some((4, number)),
        Name::Process(_) => None,
    }
}

/// The name with a number exchanged for the one before it, and the other way round.
fn with_the_one_before(name: Name, exchanged: (usize, u32)) -> Name {
    let (_, later) = exchanged;
    let Some((kind, number)) = numbered(name).filter(|&(kind, _)| kind == exchanged.0) else {
        return name;
    };
    let other = match number {
        number if number == later => later - 1,
        number if number + 1 == later => later,
        number => number,
    };
    match kind {
        0 => Name::Buffer(BufferHandle(other)),
        1 => Name::Mesh(MeshHandle(other)),
        2 => Name::Program(ProgramHandle(other)),
        3 => Name::Key(CacheKey(other)),
        _ => Name::Trace(TraceHandle(other)),
    }
}
