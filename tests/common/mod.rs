//! What the integration tests share: arbitrary operations, fix sets and recorded lines.
#![allow(dead_code, reason = "each test crate uses a part of it")]

use std::sync::Arc;

use freeorder::choice::Choices;
use freeorder::event::{Event, Observer, Tick};
use freeorder::fix::{Baseline, DEFECTS, FIXES, FixSet, Preset};
use freeorder::journal::Tracking;
use freeorder::op::{
    BufferHandle, BufferSpec, CacheKey, CaptureStep, ChildEnd, CircularBufferSpec, CoreRange,
    Handle, MeshHandle, Moves, Op, Pages, Piece, Place, ProcessId, ProgramHandle, RunMode, RunSpec,
    Stream, SubDeviceManagerId, TraceHandle,
};
use freeorder::runtime::Setup;
use freeorder::scenario::Simulation;
use freeorder::server::ServerKind;
use freeorder::units::{BufferType, Bytes, DeviceAddr, DeviceId, MeshShape};

/// A T3K with every region reserved, so that all buffer types can be had.
pub fn setup() -> Arc<Setup> {
    let mut setup = Setup::default();
    setup.reserved.l1_small_size = Bytes(32768);
    setup.reserved.trace_region_size = Bytes(1 << 20);
    Arc::new(setup.settled())
}

/// The same with an address limit in the middle of L1, so that allocations throw below it.
pub fn limited_setup() -> Arc<Setup> {
    let mut setup = (*setup()).clone();
    setup.l1_limit = Some(DeviceAddr(800_000));
    Arc::new(setup.settled())
}

/// A simulation with nothing in it.
pub fn simulation(fixes: FixSet, server: ServerKind, tracking: Tracking) -> Simulation {
    Simulation::new(setup(), fixes, server, tracking, 16)
}

/// The sets that the properties must hold for: the published ones and the extremes.
pub fn fix_sets() -> Vec<FixSet> {
    let presets = [
        Preset::Original,
        Preset::Before,
        Preset::ThreeFixes,
        Preset::Final,
        Preset::ForkHead,
        Preset::UpstreamShm,
    ];
    let mut sets: Vec<FixSet> = presets.into_iter().map(Preset::fixes).collect();
    for baseline in Baseline::ALL {
        sets.push(with_switches(baseline, u32::MAX));
    }
    sets
}

/// The set with the bugs of the past whose bits are set.
pub fn with_defects(fixes: FixSet, bits: u64) -> FixSet {
    let defects = DEFECTS.iter().map(|info| info.defect);
    let chosen = defects.filter(|&defect| bits >> defect as u32 & 1 == 1);
    chosen.fold(fixes, FixSet::with_defect)
}

/// A baseline with the switches whose bits are set.
pub fn with_switches(baseline: Baseline, bits: u32) -> FixSet {
    let switches = FIXES.iter().map(|info| info.fix);
    let chosen = switches.filter(|&fix| bits >> fix as u32 & 1 == 1);
    chosen.fold(FixSet::none(baseline), FixSet::with)
}

/// The digits of a number as choices: a decision is a remainder, so that a small number is a
/// simple operation.
pub struct Digits(pub u64);

impl Choices for Digits {
    fn pick(&mut self, n: u64) -> u64 {
        let digit = self.0 % n.max(1);
        self.0 /= n.max(1);
        digit
    }
}

fn one_of<T: Copy>(choices: &mut impl Choices, options: &[T]) -> T {
    options[choices.pick(options.len() as u64) as usize]
}

fn buffer(choices: &mut impl Choices) -> BufferHandle {
    BufferHandle(choices.pick(4) as u32)
}

fn mesh(choices: &mut impl Choices) -> MeshHandle {
    // The first mesh is drawn more often, so that something happens on it.
    MeshHandle(one_of(choices, &[0, 0, 1, 2]))
}

fn program(choices: &mut impl Choices) -> ProgramHandle {
    ProgramHandle(choices.pick(2) as u32)
}

fn trace(choices: &mut impl Choices) -> TraceHandle {
    TraceHandle(one_of(choices, &[0, 0, 0, 1]))
}

fn traced_mesh(choices: &mut impl Choices) -> MeshHandle {
    MeshHandle(one_of(choices, &[0, 0, 0, 1]))
}

fn pages(choices: &mut impl Choices) -> Pages {
    let count = one_of(choices, &[1, 2, 64, 0, 20_000]);
    Pages { count, size: Bytes(one_of(choices, &[2048, 32, 4096, 1])) }
}

fn spec(choices: &mut impl Choices) -> BufferSpec {
    use BufferType::{Dram, L1, L1Small, Trace};
    let buffer_type = one_of(choices, &[Dram, L1, L1, L1Small, Trace]);
    BufferSpec {
        buffer_type,
        pages: pages(choices),
        top_down: one_of(choices, &[None, None, Some(true), Some(false)]),
        shards: one_of(choices, &[None, None, Some(1), Some(4), Some(1000)]),
    }
}

fn circular_buffers(choices: &mut impl Choices) -> Vec<CircularBufferSpec> {
    let corner = CoreRange { start: (0, 0), end: (3, 3) };
    let one = |count, size, cores| CircularBufferSpec { count, size: Bytes(size), cores };
    match choices.pick(5) {
        0 => vec![one(3, 4096, None)],
        1 => Vec::new(),
        2 => vec![one(1, 600_000, Some(corner)), one(2, 64, None)],
        3 => vec![one(1, 2_000_000, None)],
        _ => vec![one(1, 1_000_000, None)],
    }
}

fn run(choices: &mut impl Choices) -> Op {
    let reads = (0..choices.pick(3)).map(|_| buffer(choices)).collect();
    Op::Run(Box::new(RunSpec {
        key: CacheKey(choices.pick(3) as u32),
        mesh: mesh(choices),
        circular_buffers: circular_buffers(choices),
        kernel: one_of(choices, &[None, Some(Pages { count: 4, size: Bytes(1024) })]),
        reads,
        output: match choices.pick(2) {
            0 => None,
            _ => Some((buffer(choices), spec(choices))),
        },
        stale: choices.pick(2) == 1,
        moves: one_of(choices, &[None, None, Some(Moves::Move), Some(Moves::Reallocate)]),
    }))
}

/// How many kinds of operation [`op_of`] knows, the frequent ones counted more than once.
pub const KINDS: u64 = 58;

/// The operation of a kind whose details are drawn from the choices.
#[allow(clippy::too_many_lines, reason = "one arm for each operation")]
pub fn op_of(kind: u64, choices: &mut impl Choices) -> Op {
    match kind % KINDS {
        0..=4 => {
            let place = match choices.pick(5) {
                0..4 => Place::Mesh(mesh(choices)),
                _ => Place::Device(DeviceId(choices.pick(9) as u8)),
            };
            Op::Alloc { buffer: buffer(choices), place, spec: spec(choices) }
        }
        5..=7 => {
            let shapes = [(2, 4), (1, 8), (1, 2), (2, 2), (3, 3)];
            let (rows, columns) = one_of(choices, &shapes);
            let at = one_of(choices, &[(0, 0), (0, 0), (1, 1), (0, 2)]);
            Op::Open { mesh: mesh(choices), shape: MeshShape { rows, columns }, at }
        }
        8 => {
            let (rows, columns) = one_of(choices, &[(1, 2), (1, 1), (2, 4)]);
            let at = one_of(choices, &[(0, 0), (0, 1), (1, 0)]);
            let shape = MeshShape { rows, columns };
            Op::Submesh { mesh: mesh(choices), parent: mesh(choices), shape, at }
        }
        9 => Op::Close(mesh(choices)),
        10 => Op::Alias { buffer: buffer(choices), of: buffer(choices) },
        11 | 12 => {
            let (buffer, of) = (buffer(choices), buffer(choices));
            let pages = match choices.pick(3) {
                0 => None,
                _ => Some(pages(choices)),
            };
            Op::View { buffer, of, pages }
        }
        13 => Op::Share { buffer: buffer(choices), of: buffer(choices) },
        14..=16 => Op::Deallocate(buffer(choices)),
        17 => Op::Mark(buffer(choices)),
        18..=20 => Op::Drop(Handle::Buffer(buffer(choices))),
        21 => Op::Drop(Handle::Mesh(mesh(choices))),
        22 => Op::Drop(Handle::Program(program(choices))),
        23 => Op::Cycle(buffer(choices)),
        24 => Op::Gc,
        25 => {
            let piece = match choices.pick(2) {
                0 => Piece::Backing,
                _ => Piece::Local(DeviceId(choices.pick(70) as u8)),
            };
            Op::Release { buffer: buffer(choices), piece }
        }
        26 => Op::Use(buffer(choices)),
        27 => Op::Program {
            program: program(choices),
            mesh: mesh(choices),
            circular_buffers: circular_buffers(choices),
        },
        28 => Op::ShareProgram { program: program(choices), of: program(choices) },
        29 => Op::Assign { buffer: buffer(choices), program: program(choices) },
        30 => {
            let reads = (0..choices.pick(3)).map(|_| buffer(choices)).collect();
            Op::Enqueue { program: program(choices), reads }
        }
        31..=34 => run(choices),
        35 => Op::ClearCache(mesh(choices)),
        36 => one_of(choices, &[Op::DisableCache, Op::EnableCache])(mesh(choices)),
        37 => Op::DeallocateAll(mesh(choices)),
        38 => Op::ClearAllocator(mesh(choices)),
        39 => Op::Capture(match choices.pick(4) {
            0 => CaptureStep::Begin(RunMode::NoDispatch),
            1 => CaptureStep::Begin(RunMode::Normal),
            _ => CaptureStep::End,
        }),
        40 => Op::Tracking(choices.pick(2) == 0),
        41 => match choices.pick(3) {
            0 => Op::Reap,
            1 => Op::Checkpoint,
            _ => Op::ServerRestart,
        },
        42 => Op::Lose(choices.pick(12) as u32),
        43 => Op::Stall,
        44 => Op::Reconnect,
        45 => Op::Deliver(one_of(choices, &[Stream::Old, Stream::New])),
        46 => Op::Process(ProcessId(choices.pick(2) as u32)),
        47 => Op::DataflowProgram {
            program: program(choices),
            mesh: mesh(choices),
            dataflow_buffers: circular_buffers(choices),
        },
        48 => Op::Inspector,
        49 => Op::Static(match choices.pick(3) {
            0 => Handle::Buffer(buffer(choices)),
            1 => Handle::Mesh(mesh(choices)),
            _ => Handle::Program(program(choices)),
        }),
        50 => Op::BeginTrace { trace: trace(choices), mesh: traced_mesh(choices) },
        51 => Op::EndTrace(trace(choices)),
        52 => one_of(choices, &[Op::Replay, Op::ReleaseTrace])(trace(choices)),
        53 => match choices.pick(3) {
            0 => Op::Finish(traced_mesh(choices)),
            _ => Op::Async { mesh: traced_mesh(choices), on: choices.pick(3) > 0 },
        },
        54 => {
            let manager = SubDeviceManagerId(choices.pick(4) as u32);
            Op::LoadManager { mesh: traced_mesh(choices), manager }
        }
        55 => Op::DeallocateUnforced(buffer(choices)),
        56 => Op::Fork(one_of(choices, &[ChildEnd::Exit, ChildEnd::Immediate])),
        _ => match choices.pick(3) {
            0 => Op::Kill(ProcessId(choices.pick(2) as u32)),
            _ => Op::Exit,
        },
    }
}

/// So many operations, the first of which opens a mesh.
pub fn sequence(length: usize, choices: &mut impl Choices) -> Vec<Op> {
    let shape = MeshShape { rows: 2, columns: 4 };
    let open = Op::Open { mesh: MeshHandle(0), shape, at: (0, 0) };
    let rest = (1..length).map(|_| op_of(choices.pick(KINDS), choices));
    std::iter::once(open).chain(rest).collect()
}

/// Every event line of a run.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Lines(pub Vec<String>);

impl Observer for Lines {
    fn observe(&mut self, tick: Tick, event: &Event<'_>) {
        self.0.push(format!("{} {event}", tick.0));
    }
}

impl Lines {
    /// What happened, without when.
    pub fn without_ticks(&self) -> Vec<&str> {
        self.0.iter().map(|line| line.split_once(' ').expect("a tick, then an event").1).collect()
    }

    /// The lines without those of swallowed calls.
    pub fn without_swallowed(self) -> Vec<String> {
        self.0.into_iter().filter(|line| !line.contains(" swallowed ")).collect()
    }
}

/// Leaves out operations one by one for as long as the sequence keeps failing.
pub fn shrink(mut ops: Vec<Op>, fails: impl Fn(&[Op]) -> bool) -> Vec<Op> {
    let mut index = ops.len();
    while index > 0 {
        index -= 1;
        let removed = ops.remove(index);
        if !fails(&ops) {
            ops.insert(index, removed);
        }
    }
    ops
}

/// The lines of a scenario.
pub fn text(ops: &[Op]) -> String {
    ops.iter().map(|op| format!("{op}\n")).collect()
}

/// Whether a closure panics.
pub fn panics(run: impl FnOnce()) -> bool {
    std::panic::catch_unwind(std::panic::AssertUnwindSafe(run)).is_err()
}
