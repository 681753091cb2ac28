//! Simpler operations of the same kind, machines and names.

use std::collections::BTreeMap;

use super::reducer::Reducer;
use super::sizes::{below, lower};
use crate::allocator::Machine;
use crate::op::{
    BufferHandle, BufferSpec, CacheKey, CircularBufferSpec, CoreRange, MeshHandle, Name, Op, Pages,
    Piece, Place, ProgramHandle, RunSpec, SubDeviceManagerId, TraceHandle,
};
use crate::scenario::Case;
use crate::scenario::SetupLine;
use crate::units::{BufferType, Bytes, DeviceId, MeshShape};

/// The smallest page: what every allocator of the machines rounds up to.
pub(super) const PAGE: Bytes = Bytes(32);

impl Reducer<'_, '_> {
    /// Replaces operations by simpler ones of their kind, the machine by a smaller one, and names
    /// by the first ones.
    pub(super) fn simplify_operations(&mut self) {
        self.begin("machine");
        self.shrink_machine();
        self.begin("values");
        // What fails earlier is cut off there, so that the case can become shorter at any offer.
        let options_at = |best: &Case, op: usize| {
            best.ops.get(op).map_or_else(Vec::new, |(_, op)| simpler(op)).into_iter()
        };
        let mut op = 0;
        while op < self.best.ops.len() && !self.was_stopped() {
            let mut options = options_at(&self.best, op);
            while let Some(option) = options.next() {
                let mut candidate = self.best.clone();
                candidate.ops[op].1 = option;
                if self.offer(candidate) {
                    options = options_at(&self.best, op);
                }
            }
            op += 1;
        }
        self.simplify_together();
        self.begin("ids");
        for is_made_anew in [true, false] {
            let candidate = renumbered(&self.best, is_made_anew);
            if candidate == self.best || self.offer(candidate) {
                return;
            }
        }
    }

    /// Says less of all buffers at once: what must fit together cannot change alone.
    fn simplify_together(&mut self) {
        self.begin("values together");
        let changes: [fn(&mut BufferSpec); 4] = [
            |spec| spec.buffer_type = BufferType::Dram,
            |spec| spec.buffer_type = BufferType::L1,
            |spec| spec.top_down = None,
            |spec| spec.shards = None,
        ];
        for change in changes {
            let mut candidate = self.best.clone();
            for_each_spec(&mut candidate, |spec| {
                let mut option = *spec;
                change(&mut option);
                if is_plainer(option, *spec) {
                    *spec = option;
                }
            });
            if candidate != self.best {
                self.offer(candidate);
            }
        }
    }

    /// Tries the smallest machine first, every mesh on all of its chips or on one.
    fn shrink_machine(&mut self) {
        let chip_count = self.best.start().machine.chip_count();
        for machine in [Machine::N150, Machine::N300, Machine::T3k] {
            let chips = machine.mesh_shapes()[0];
            let mut candidate = self.best.clone();
            candidate.setup.retain(|line| !matches!(line, SetupLine::Machine(_)));
            // A T3K is what there is without a line.
            if machine != Machine::T3k {
                candidate.setup.insert(0, SetupLine::Machine(machine));
            } else if chip_count <= machine.chip_count() {
                return;
            }
            for (_, op) in &mut candidate.ops {
                if let Op::Open { shape, at, .. } = op {
                    *shape = smaller(*shape, chips);
                    *at = (0, 0);
                }
            }
            if candidate == self.best || self.offer(candidate) {
                return;
            }
        }
    }
}

/// Visits the specs of the buffers that a case allocates, in file order.
pub(super) fn for_each_spec(case: &mut Case, visit: impl FnMut(&mut BufferSpec)) {
    case.ops.iter_mut().filter_map(|(_, op)| op.spec_mut()).for_each(visit);
}

fn smaller(shape: MeshShape, most: MeshShape) -> MeshShape {
    MeshShape { rows: shape.rows.min(most.rows), columns: shape.columns.min(most.columns) }
}

/// The case with every name replaced by the first unused one of its kind, by first use; on request
/// also what is made under a name of before gets a new one.
fn renumbered(case: &Case, is_made_anew: bool) -> Case {
    let mut given: BTreeMap<Name, Name> = BTreeMap::new();
    let mut next = [0_u32; 5];
    let mut candidate = case.clone();
    for (_, op) in &mut candidate.ops {
        if let Some(made) = op.made().filter(|_| is_made_anew) {
            given.remove(&made);
        }
        op.rename(|name| {
            *given.entry(name).or_insert_with(|| {
                let (kind, make): (usize, fn(u32) -> Name) = match name {
                    Name::Buffer(_) => (0, |n| Name::Buffer(BufferHandle(n))),
                    Name::Mesh(_) => (1, |n| Name::Mesh(MeshHandle(n))),
                    Name::Program(_) => (2, |n| Name::Program(ProgramHandle(n))),
                    Name::Key(_) => (3, |n| Name::Key(CacheKey(n))),
                    Name::Trace(_) => (4, |n| Name::Trace(TraceHandle(n))),
                    // The program starts in process 0 without an operation that says so.
                    Name::Process(_) => return name,
                };
                next[kind] += 1;
                make(next[kind] - 1)
            })
        });
    }
    candidate
}

/// The operation with as little said in it as its kind allows.
pub(super) fn plainest(op: &Op) -> Op {
    let mut plain = op.clone();
    while let Some(simpler) = simpler(&plain).into_iter().next() {
        plain = simpler;
    }
    plain
}

/// Simpler operations of the same kind, the simplest first.
#[allow(clippy::too_many_lines, reason = "one arm for each operation")]
fn simpler(op: &Op) -> Vec<Op> {
    match op {
        Op::Open { mesh, shape, at } => smaller_shapes(*shape, *at)
            .map(|(shape, at)| Op::Open { mesh: *mesh, shape, at })
            .collect(),
        Op::Submesh { mesh, parent, shape, at } => smaller_shapes(*shape, *at)
            .map(|(shape, at)| Op::Submesh { mesh: *mesh, parent: *parent, shape, at })
            .collect(),
        Op::Alloc { buffer, place, spec } => {
            let alloc = |place, spec| Op::Alloc { buffer: *buffer, place, spec };
            let mut options: Vec<Op> = plainer(*spec).map(|spec| alloc(*place, spec)).collect();
            if let Place::Device(device) = place {
                let nearer = (0..device.0).map(|device| Place::Device(DeviceId(device)));
                options.splice(0..0, nearer.map(|place| alloc(place, *spec)));
            }
            options
        }
        Op::View { buffer, of, pages: Some(pages) } => {
            let fewer = lower(*pages).into_iter().map(Some);
            let options = [None].into_iter().chain(fewer);
            options.map(|pages| Op::View { buffer: *buffer, of: *of, pages }).collect()
        }
        Op::Release { buffer, piece: Piece::Local(device) } => {
            let nearer = (0..device.0).map(|device| Piece::Local(DeviceId(device)));
            nearer.map(|piece| Op::Release { buffer: *buffer, piece }).collect()
        }
        Op::Program { program, mesh, circular_buffers } => fewer(circular_buffers)
            .map(|circular_buffers| Op::Program {
                program: *program,
                mesh: *mesh,
                circular_buffers,
            })
            .collect(),
        Op::DataflowProgram { program, mesh, dataflow_buffers } => fewer(dataflow_buffers)
            .map(|dataflow_buffers| Op::DataflowProgram {
                program: *program,
                mesh: *mesh,
                dataflow_buffers,
            })
            .collect(),
        Op::Enqueue { program, reads } => {
            without_one(reads).map(|reads| Op::Enqueue { program: *program, reads }).collect()
        }
        Op::Run(spec) => simpler_runs(spec),
        Op::LoadManager { mesh, manager } => {
            let first = (1..manager.0).map(SubDeviceManagerId);
            first.map(|manager| Op::LoadManager { mesh: *mesh, manager }).collect()
        }
        Op::DeallocateUnforced(buffer) => vec![Op::Deallocate(*buffer)],
        Op::Lose(count @ 2..) => vec![Op::Lose(1), Op::Lose(count / 2), Op::Lose(count - 1)],
        Op::Fork(_)
        | Op::Kill(_)
        | Op::Process(_)
        | Op::Close(_)
        | Op::Alias { .. }
        | Op::View { .. }
        | Op::Share { .. }
        | Op::Deallocate(_)
        | Op::Mark(_)
        | Op::Drop(_)
        | Op::Cycle(_)
        | Op::Gc
        | Op::Release { .. }
        | Op::Use(_)
        | Op::ShareProgram { .. }
        | Op::Assign { .. }
        | Op::ClearCache(_)
        | Op::DisableCache(_)
        | Op::EnableCache(_)
        | Op::BeginTrace { .. }
        | Op::EndTrace(_)
        | Op::Replay(_)
        | Op::ReleaseTrace(_)
        | Op::Async { .. }
        | Op::Finish(_)
        | Op::DeallocateAll(_)
        | Op::ClearAllocator(_)
        | Op::Capture(_)
        | Op::Inspector
        | Op::Static(_)
        | Op::Tracking(_)
        | Op::ServerRestart
        | Op::Lose(_)
        | Op::Stall
        | Op::Reconnect
        | Op::Deliver(_)
        | Op::Reap
        | Op::Checkpoint
        | Op::Exit => Vec::new(),
    }
}

/// Shapes of fewer chips, the fewest first, and the same shape in the first corner.
fn smaller_shapes(shape: MeshShape, at: (u8, u8)) -> impl Iterator<Item = (MeshShape, (u8, u8))> {
    let mut shapes = Vec::new();
    for rows in 1..=shape.rows {
        for columns in 1..=shape.columns {
            shapes.push(MeshShape { rows, columns });
        }
    }
    shapes.sort_by_key(|shape| (shape.chip_count(), shape.rows));
    let placed = shapes.into_iter().flat_map(move |shape| [(shape, (0, 0)), (shape, at)]);
    placed.take_while(move |&option| option != (shape, at))
}

/// Specs with less said in them; sizes are another pass's.
fn plainer(spec: BufferSpec) -> impl Iterator<Item = BufferSpec> {
    let plain = BufferSpec {
        buffer_type: BufferType::Dram,
        pages: Pages { count: spec.pages.count.min(1), size: PAGE },
        top_down: None,
        shards: None,
    };
    let options = [
        plain,
        BufferSpec { pages: spec.pages, ..plain },
        BufferSpec { buffer_type: BufferType::L1, pages: spec.pages, ..plain },
        BufferSpec { top_down: None, ..spec },
        BufferSpec { shards: None, ..spec },
        BufferSpec { shards: spec.shards.map(|_| 1), ..spec },
    ];
    options.into_iter().filter(move |&option| option != spec && is_plainer(option, spec))
}

/// Whether less is said; sizes do not count.
fn is_plainer(option: BufferSpec, spec: BufferSpec) -> bool {
    let weight = |spec: BufferSpec| {
        let memory = match spec.buffer_type {
            BufferType::Dram => 0,
            BufferType::L1 => 1,
            BufferType::L1Small => 2,
            BufferType::Trace => 3,
        };
        let shards = spec.shards.map_or(0, |shards| 1 + u64::from(shards));
        (memory, shards, spec.top_down.is_some(), spec.pages.total().0)
    };
    weight(option) < weight(spec)
}

/// One group of circular buffers less, or one simpler.
fn fewer(groups: &[CircularBufferSpec]) -> impl Iterator<Item = Vec<CircularBufferSpec>> {
    let simplest = CircularBufferSpec { count: 1, size: PAGE, cores: None };
    let mut options: Vec<Vec<CircularBufferSpec>> = without_one(groups).collect();
    for (index, group) in groups.iter().enumerate() {
        let mut simpler = vec![
            simplest,
            CircularBufferSpec { size: group.size, ..simplest },
            CircularBufferSpec { size: Bytes(group.size.0 * u64::from(group.count)), ..simplest },
            CircularBufferSpec { cores: None, ..*group },
        ];
        let sizes = below(group.size.0 / PAGE.0).map(|units| Bytes(units * PAGE.0));
        simpler.extend(sizes.map(|size| CircularBufferSpec { size, ..*group }));
        let counts = below(group.count.into()).map(|count| count as u32);
        simpler.extend(counts.map(|count| CircularBufferSpec { count, ..*group }));
        let cores = group.cores.map_or_else(Vec::new, smaller_ranges);
        simpler.extend(
            cores.into_iter().map(|cores| CircularBufferSpec { cores: Some(cores), ..*group }),
        );
        let said = |group: &CircularBufferSpec| {
            (group.cores.is_some(), group.count, group.size, group.cores.map(range_size))
        };
        let says_less = |option: &CircularBufferSpec| said(option) < said(group);
        options.extend(simpler.into_iter().filter(says_less).map(|simpler| {
            let mut other = groups.to_vec();
            other[index] = simpler;
            other
        }));
    }
    options.into_iter()
}

/// Rectangles of cores that say less: the first core of all, each corner alone, one side shorter by
/// a half and so on down to one, and the same rectangle nearer to the first core.
fn smaller_ranges(range: CoreRange) -> Vec<CoreRange> {
    let CoreRange { start, end } = range;
    let alone = [(0, 0), start, end].map(|core| CoreRange { start: core, end: core });
    let mut ranges = alone.to_vec();
    for less in [1, 2, 4, 8, 16, 32] {
        ranges.extend([
            CoreRange { end: (end.0.saturating_sub(less), end.1), ..range },
            CoreRange { end: (end.0, end.1.saturating_sub(less)), ..range },
            CoreRange { start: (start.0.saturating_add(less), start.1), ..range },
            CoreRange { start: (start.0, start.1.saturating_add(less)), ..range },
        ]);
        let nearer = |core: (u8, u8), by: (u8, u8)| {
            Some((core.0.checked_sub(by.0)?, core.1.checked_sub(by.1)?))
        };
        for by in [(less, 0), (0, less)] {
            if let (Some(start), Some(end)) = (nearer(start, by), nearer(end, by)) {
                ranges.push(CoreRange { start, end });
            }
        }
    }
    let is_range = |range: &CoreRange| range.start.0 <= range.end.0 && range.start.1 <= range.end.1;
    ranges.retain(is_range);
    ranges.sort_by_key(|&range| range_size(range));
    ranges
}

/// How many cores a range has, and how far from the first one it ends.
fn range_size(range: CoreRange) -> (u32, u32) {
    let side = |first: u8, last: u8| (u32::from(last) + 1).saturating_sub(first.into());
    let cores = side(range.start.0, range.end.0) * side(range.start.1, range.end.1);
    (cores, u32::from(range.end.0) + u32::from(range.end.1))
}

fn without_one<T: Clone>(items: &[T]) -> impl Iterator<Item = Vec<T>> {
    (0..items.len()).rev().map(|left_out| {
        let stay = items.iter().enumerate().filter(move |&(index, _)| index != left_out);
        stay.map(|(_, item)| item.clone()).collect()
    })
}

fn simpler_runs(spec: &RunSpec) -> Vec<Op> {
    let mut options = Vec::new();
    let mut offer = |change: &dyn Fn(&mut RunSpec)| {
        let mut other = spec.clone();
        change(&mut other);
        if other != *spec {
            options.push(Op::Run(Box::new(other)));
        }
    };
    offer(&|spec| spec.kernel = None);
    offer(&|spec| spec.output = None);
    offer(&|spec| spec.stale = false);
    offer(&|spec| spec.moves = None);
    for lower in spec.kernel.map_or_else(Vec::new, lower) {
        offer(&|spec| spec.kernel = Some(lower));
    }
    for fewer in fewer(&spec.circular_buffers) {
        offer(&|spec| spec.circular_buffers.clone_from(&fewer));
    }
    for reads in without_one(&spec.reads) {
        offer(&|spec| spec.reads.clone_from(&reads));
    }
    if let Some((_, output)) = spec.output {
        for plain in plainer(output) {
            offer(&|spec| spec.output = spec.output.map(|(name, _)| (name, plain)));
        }
    }
    options
}
