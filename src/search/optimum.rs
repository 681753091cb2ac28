//! The yardstick of the reducer: is there anything shorter, or as long and smaller, that fails in
//! the same way?
//!
//! The question is asked over the words of the input, by enumeration alone: no pass of the reducer
//! is asked.

use std::collections::{BTreeMap, BTreeSet};

use super::aim::Hunted;
use super::enumerate::{Limits, alphabet_on, enumerate, enumerate_smaller};
use crate::op::{
    BufferHandle, BufferSpec, CacheKey, CircularBufferSpec, MeshHandle, Name, Op, Pages,
    ProgramHandle, RunSpec, TraceHandle,
};
use crate::scenario::Case;
use crate::units::{Bytes, MeshShape};

/// The smallest page: what every allocator of the machines rounds up to.
const PAGE: Bytes = Bytes(32);

/// One circular buffer of the smallest size.
const SMALLEST_GROUP: CircularBufferSpec = CircularBufferSpec { count: 1, size: PAGE, cores: None };

/// Of longer inputs only the smallest and the largest size of each kind of operation count.
const EVERY_SIZE_OPERATIONS_MAX: usize = 16;

/// With more letters than these, sequences of two of them are too many to look at.
const LETTERS_MAX: u64 = 1 << 14;

/// What became of the question.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Optimum {
    /// The operations that the sequences were made of.
    pub letters: Vec<Op>,
    /// How many sequences were looked at, shorter ones and those as long: all in which every
    /// operation does something.
    pub sequences: u64,
    /// How many states the shorter ones lead to.
    pub states: u64,
    /// A shorter sequence that fails in the same way, or one as long whose sizes sum up to less.
    pub better: Option<Case>,
    /// Whether the search gave up before its end.
    pub limited: bool,
}

impl Optimum {
    /// Whether everything was looked at, and there is nothing better.
    #[must_use]
    pub fn is_reached(&self) -> bool {
        self.better.is_none() && !self.limited
    }
}

/// Looks at every sequence of the words of the input that is shorter than the result, and at those
/// as long whose sizes sum up to less; what meets a foreign cause is no failure.
///
/// Threads do not take turns in those sequences.
#[must_use]
pub fn optimum(input: &Case, result: &Case, hunted: impl Into<Hunted>, limits: Limits) -> Optimum {
    let Some(letters) = words(input, result, limits.states_max.min(LETTERS_MAX)) else {
        let letters = Vec::new();
        return Optimum { letters, sequences: 0, states: 0, better: None, limited: true };
    };
    let start = Case { setup: input.setup.clone(), ..Case::default() };
    let count = result.ops.len();
    let hunted = hunted.into();
    let shorter = enumerate(&start, &letters, hunted, count.saturating_sub(1), limits);
    let mut optimum = Optimum {
        sequences: shorter.sequences,
        states: shorter.states,
        better: shorter.found,
        limited: shorter.limited,
        letters,
    };
    if optimum.is_reached() {
        let letters = &optimum.letters;
        let Some(limits) = limits.after(shorter.states) else {
            return Optimum { limited: true, ..optimum };
        };
        let smaller = enumerate_smaller(&start, letters, hunted, (count, size(result)), limits);
        optimum.sequences += smaller.sequences;
        optimum.states += smaller.states;
        optimum.better = smaller.found;
        optimum.limited = smaller.limited;
    }
    optimum
}

/// The sizes that a case says, in all.
#[must_use]
pub fn size(case: &Case) -> Bytes {
    Bytes(case.ops.iter().map(|(_, op)| op.size().0).sum())
}

/// The operations of the input and of the result, on as many names of each kind as the input has
/// and a sequence no longer than the result can use, in their sizes and in smaller ones.
///
/// Of an input of at most 16 operations, every size that is said counts, and half of it, and so on
/// down to one page of 32 bytes. Of a longer one, for each kind of operation the smallest and the
/// largest size that is said, and one page of 32 bytes.
///
/// None if they are more than `letters_max`, which is known before any of them is made.
#[must_use]
pub fn words(input: &Case, result: &Case, letters_max: u64) -> Option<Vec<Op>> {
    let said: BTreeSet<Op> = input.ops.iter().map(|(_, op)| on_first_names(op)).collect();
    let mut ops: BTreeSet<Op> = match input.ops.len() > EVERY_SIZE_OPERATIONS_MAX {
        true => extremes(said),
        false => said.iter().flat_map(variants).collect(),
    };
    ops.extend(result.ops.iter().map(|(_, op)| on_first_names(op)));
    let names = names(input, result);
    let count = ops.iter().map(|op| choices(op, &names));
    let count = count.fold(0, u64::saturating_add);
    (count <= letters_max).then(|| alphabet_on(&ops, &names))
}

/// On how many choices of the names there is an operation.
fn choices(op: &Op, names: &BTreeSet<Name>) -> u64 {
    let alike = |slot: &Name| {
        let kind = std::mem::discriminant(slot);
        names.iter().filter(|name| std::mem::discriminant(*name) == kind).count() as u64
    };
    op.names().iter().map(alike).fold(1, u64::saturating_mul)
}

fn on_first_names(op: &Op) -> Op {
    let mut op = op.clone();
    op.rename(|name| numbered(name, 0));
    op
}

/// Of the operations that differ in nothing but their sizes, the smallest and the largest one, and
/// one with the smallest sizes of all.
fn extremes(said: BTreeSet<Op>) -> BTreeSet<Op> {
    let mut alike: BTreeMap<Op, Vec<Op>> = BTreeMap::new();
    for op in said {
        alike.entry(smallest(&op)).or_default().push(op);
    }
    let extremes = alike.into_iter().flat_map(|(smallest, alike)| {
        let low = alike.iter().min_by_key(|op| extent(op)).cloned();
        let high = alike.iter().max_by_key(|op| extent(op)).cloned();
        let mut plain = vec![smallest];
        if let Op::Run(run) = &plain[0] {
            let runs = smaller_runs(run).into_iter().map(|run| Op::Run(Box::new(run)));
            plain.extend(runs.collect::<Vec<Op>>());
        }
        low.into_iter().chain(high).chain(plain)
    });
    extremes.collect()
}

/// The operation with the smallest value in the place of each size that it says.
fn smallest(op: &Op) -> Op {
    let mut smallest = op.clone();
    if let Some(spec) = smallest.spec_mut() {
        spec.pages = smallest_of(spec.pages);
    }
    match &mut smallest {
        Op::Open { shape, at, .. } | Op::Submesh { shape, at, .. } => {
            (*shape, *at) = (MeshShape { rows: 1, columns: 1 }, (0, 0));
        }
        Op::Program { circular_buffers: groups, .. }
        | Op::DataflowProgram { dataflow_buffers: groups, .. } => shrink(groups),
        Op::Run(run) => {
            shrink(&mut run.circular_buffers);
            run.kernel = run.kernel.map(smallest_of);
            run.reads.truncate(1);
        }
        Op::Enqueue { reads, .. } => reads.truncate(1),
        _ => {}
    }
    smallest
}

fn shrink(groups: &mut Vec<CircularBufferSpec>) {
    groups.truncate(1);
    groups.fill(SMALLEST_GROUP);
}

fn smallest_of(pages: Pages) -> Pages {
    Pages { count: pages.count.min(1), size: PAGE }
}

/// How much an operation asks for: bytes, or chips.
fn extent(op: &Op) -> u64 {
    match op {
        Op::Open { shape, .. } | Op::Submesh { shape, .. } => shape.chip_count() as u64,
        op => op.size().0,
    }
}

/// The first names of each kind, and the result's.
fn names(input: &Case, result: &Case) -> BTreeSet<Name> {
    let of = |case: &Case| -> BTreeSet<Name> {
        case.ops.iter().flat_map(|(_, op)| op.names()).collect()
    };
    // A sequence as long as the result makes a mesh first, and can then use so many names at most.
    let used_max = result.ops.len().saturating_sub(1).max(1) as u32;
    let mut names = of(result);
    let mut counts: BTreeMap<Name, u32> = BTreeMap::new();
    for name in of(input) {
        let count = counts.entry(numbered(name, 0)).or_default();
        if *count < used_max {
            names.insert(numbered(name, *count));
        }
        *count += 1;
    }
    names
}

/// The name of the same kind with another number; a process stays, since its number is no name.
fn numbered(name: Name, number: u32) -> Name {
    match name {
        Name::Buffer(_) => Name::Buffer(BufferHandle(number)),
        Name::Mesh(_) => Name::Mesh(MeshHandle(number)),
        Name::Program(_) => Name::Program(ProgramHandle(number)),
        Name::Key(_) => Name::Key(CacheKey(number)),
        Name::Trace(_) => Name::Trace(TraceHandle(number)),
        Name::Process(_) => name,
    }
}

/// The operation as it is, and smaller: in sizes, chips, and what a ttnn operation has with it.
fn variants(op: &Op) -> Vec<Op> {
    let mut variants = vec![op.clone()];
    match op {
        Op::Open { shape, .. } | Op::Submesh { shape, .. } => {
            variants.extend(smaller_meshes(op, *shape));
        }
        Op::Alloc { spec, .. } => variants.extend(sizes(spec.pages).map(|pages| {
            let mut smaller = op.clone();
            if let Some(spec) = smaller.spec_mut() {
                spec.pages = pages;
            }
            smaller
        })),
        Op::Program { program, mesh, circular_buffers } => {
            variants.extend(fewer(circular_buffers).map(|circular_buffers| Op::Program {
                program: *program,
                mesh: *mesh,
                circular_buffers,
            }));
        }
        Op::DataflowProgram { program, mesh, dataflow_buffers } => {
            variants.extend(fewer(dataflow_buffers).map(|dataflow_buffers| Op::DataflowProgram {
                program: *program,
                mesh: *mesh,
                dataflow_buffers,
            }));
        }
        Op::Enqueue { program, reads } => {
            let read = |reads| Op::Enqueue { program: *program, reads };
            variants.extend([read(Vec::new()), read(reads.iter().take(1).copied().collect())]);
        }
        Op::Run(run) => {
            variants.extend(smaller_runs(run).into_iter().map(|run| Op::Run(Box::new(run))));
        }
        Op::Lose(_) => variants.push(Op::Lose(1)),
        _ => {}
    }
    variants
}

/// The mesh on one chip and on two, in its first corner.
fn smaller_meshes(op: &Op, said: MeshShape) -> impl Iterator<Item = Op> {
    let shapes = [(1, 1), (1, 2), (2, 1)].map(|(rows, columns)| MeshShape { rows, columns });
    let is_within =
        move |shape: &MeshShape| shape.rows <= said.rows && shape.columns <= said.columns;
    shapes.into_iter().filter(is_within).map(move |smaller| {
        let mut op = op.clone();
        if let Op::Open { shape, at, .. } | Op::Submesh { shape, at, .. } = &mut op {
            (*shape, *at) = (smaller, (0, 0));
        }
        op
    })
}

/// The size, half of its pages, and so on to one, and one of the smallest.
fn sizes(pages: Pages) -> impl Iterator<Item = Pages> {
    let halves = std::iter::successors(Some(pages.count), |&count| Some(count / 2));
    let halves = halves.take_while(|&count| count > 0);
    halves.map(move |count| Pages { count, ..pages }).chain([smallest_of(pages)])
}

/// No circular buffer, the first one, and that one in smaller sizes.
fn fewer(groups: &[CircularBufferSpec]) -> impl Iterator<Item = Vec<CircularBufferSpec>> {
    let first = groups.first().copied();
    let smaller = first.into_iter().flat_map(|first| {
        let one = CircularBufferSpec { count: 1, ..first };
        [vec![first], vec![one], vec![SMALLEST_GROUP]]
    });
    smaller.chain([Vec::new()])
}

/// A ttnn operation with smaller circular buffers, and without what else it has.
fn smaller_runs(run: &RunSpec) -> Vec<RunSpec> {
    let plain = RunSpec {
        kernel: None,
        reads: run.reads.iter().take(1).copied().collect(),
        output: None,
        stale: false,
        moves: None,
        ..run.clone()
    };
    let mut runs = Vec::new();
    for circular_buffers in fewer(&run.circular_buffers) {
        let plain = RunSpec { circular_buffers, ..plain.clone() };
        runs.push(RunSpec { reads: Vec::new(), ..plain.clone() });
        runs.extend(
            run.kernel.map(|kernel| RunSpec { kernel: Some(smallest_of(kernel)), ..plain.clone() }),
        );
        runs.extend(run.output.map(|(name, spec)| RunSpec {
            output: Some((name, BufferSpec { pages: smallest_of(spec.pages), ..spec })),
            ..plain.clone()
        }));
        runs.extend(run.stale.then(|| RunSpec { stale: true, ..plain.clone() }));
        runs.push(plain);
    }
    runs
}
