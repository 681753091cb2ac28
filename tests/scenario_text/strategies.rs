//! Any scenario that the language can say.

use freeorder::allocator::Machine;
use freeorder::fix::{FIXES, FixSet, Preset};
use freeorder::op::{
    BufferHandle, BufferSpec, CacheKey, CaptureStep, ChildEnd, CircularBufferSpec, CoreRange,
    Handle, MeshHandle, Moves, Op, Pages, Piece, Place, ProcessId, ProgramHandle, RunMode, RunSpec,
    Stream, SubDeviceManagerId, ThreadId, TraceHandle,
};
use freeorder::runtime::circular_buffer::CoreRangeForm;
use freeorder::scenario::{Class, Expectation, Item, Line, Measure, Scenario, SetupLine};
use freeorder::server::ServerKind;
use freeorder::units::{BufferType, Bytes, DeviceAddr, DeviceId, MeshShape};
use freeorder::violation::OracleName;
use freeorder::world::Action;
use proptest::collection::vec;
use proptest::option;
use proptest::prelude::*;
use proptest::sample::{select, subsequence};

fn buffer() -> impl Strategy<Value = BufferHandle> {
    prop_oneof![0..4_u32, 0..1_000_000_u32].prop_map(BufferHandle)
}

fn mesh() -> impl Strategy<Value = MeshHandle> {
    (0..4096_u32).prop_map(MeshHandle)
}

fn program() -> impl Strategy<Value = ProgramHandle> {
    (0..1_000_000_u32).prop_map(ProgramHandle)
}

fn trace() -> impl Strategy<Value = TraceHandle> {
    (0..4096_u32).prop_map(TraceHandle)
}

fn process() -> impl Strategy<Value = ProcessId> {
    (0..64_u32).prop_map(ProcessId)
}

fn device() -> impl Strategy<Value = DeviceId> {
    (0..64_u8).prop_map(DeviceId)
}

fn shape() -> impl Strategy<Value = MeshShape> {
    (1..=64_u8, 1..=64_u8).prop_map(|(rows, columns)| MeshShape { rows, columns })
}

fn at() -> impl Strategy<Value = (u8, u8)> {
    prop_oneof![Just((0, 0)), (0..64_u8, 0..64_u8)]
}

fn pages() -> impl Strategy<Value = Pages> {
    let count = prop_oneof![0..20_u32, 0..1_u32 << 24];
    (count, 1..=1_u64 << 32).prop_map(|(count, size)| {
        let most = ((1_u64 << 36) - 1) / u64::from(count.max(1));
        Pages { count, size: Bytes(size.min(most)) }
    })
}

fn spec() -> impl Strategy<Value = BufferSpec> {
    (select(&BufferType::ALL), pages(), any::<Option<bool>>(), option::of(1..=1024_u32)).prop_map(
        |(buffer_type, pages, top_down, shards)| BufferSpec {
            buffer_type,
            pages,
            top_down,
            shards,
        },
    )
}

fn circular_buffers() -> impl Strategy<Value = Vec<CircularBufferSpec>> {
    let cores = (0..32_u8, 0..32_u8, 0..32_u8, 0..32_u8)
        .prop_map(|(x, y, w, h)| CoreRange { start: (x, y), end: (x + w, y + h) });
    let one = (1..=256_u32, 1..=1_u64 << 24, option::of(cores));
    vec(one, 0..5).prop_map(|list| {
        let spec = |(count, size, cores)| CircularBufferSpec { count, size: Bytes(size), cores };
        list.into_iter().map(spec).collect()
    })
}

fn run_op() -> impl Strategy<Value = Op> {
    let what = (0..1_000_000_u32, mesh(), circular_buffers(), option::of(pages()));
    let moves = option::of(select(vec![Moves::Move, Moves::Reallocate]));
    let with = (vec(buffer(), 0..4), option::of((buffer(), spec())), any::<bool>(), moves);
    (what, with).prop_map(
        |((key, mesh, circular_buffers, kernel), (reads, output, stale, moves))| {
            let key = CacheKey(key);
            let spec = RunSpec { key, mesh, circular_buffers, kernel, reads, output, stale, moves };
            Op::Run(Box::new(spec))
        },
    )
}

fn handle_op() -> impl Strategy<Value = Op> {
    let handle = prop_oneof![
        buffer().prop_map(Handle::Buffer),
        mesh().prop_map(Handle::Mesh),
        program().prop_map(Handle::Program),
    ];
    let place = prop_oneof![mesh().prop_map(Place::Mesh), device().prop_map(Place::Device)];
    let piece = prop_oneof![Just(Piece::Backing), device().prop_map(Piece::Local)];
    prop_oneof![
        handle.clone().prop_map(Op::Drop),
        handle.prop_map(Op::Static),
        (buffer(), place, spec()).prop_map(|(buffer, place, spec)| Op::Alloc {
            buffer,
            place,
            spec
        }),
        (buffer(), buffer()).prop_map(|(buffer, of)| Op::Alias { buffer, of }),
        (buffer(), buffer(), option::of(pages())).prop_map(|(buffer, of, pages)| Op::View {
            buffer,
            of,
            pages
        }),
        (buffer(), buffer()).prop_map(|(buffer, of)| Op::Share { buffer, of }),
        buffer().prop_map(Op::Deallocate),
        buffer().prop_map(Op::DeallocateUnforced),
        buffer().prop_map(Op::Mark),
        buffer().prop_map(Op::Cycle),
        buffer().prop_map(Op::Use),
        (buffer(), piece).prop_map(|(buffer, piece)| Op::Release { buffer, piece }),
        (program(), mesh(), circular_buffers()).prop_map(|(program, mesh, circular_buffers)| {
            Op::Program { program, mesh, circular_buffers }
        }),
        (program(), mesh(), circular_buffers()).prop_map(|(program, mesh, dataflow_buffers)| {
            Op::DataflowProgram { program, mesh, dataflow_buffers }
        }),
        (program(), program()).prop_map(|(program, of)| Op::ShareProgram { program, of }),
        (buffer(), program()).prop_map(|(buffer, program)| Op::Assign { buffer, program }),
        (program(), vec(buffer(), 0..4))
            .prop_map(|(program, reads)| Op::Enqueue { program, reads }),
        run_op(),
    ]
}

fn mesh_op() -> impl Strategy<Value = Op> {
    prop_oneof![
        (mesh(), shape(), at()).prop_map(|(mesh, shape, at)| Op::Open { mesh, shape, at }),
        (mesh(), mesh(), shape(), at()).prop_map(|(mesh, parent, shape, at)| Op::Submesh {
            mesh,
            parent,
            shape,
            at
        }),
        mesh().prop_map(Op::Close),
        mesh().prop_map(Op::ClearCache),
        mesh().prop_map(Op::DisableCache),
        mesh().prop_map(Op::EnableCache),
        mesh().prop_map(Op::DeallocateAll),
        mesh().prop_map(Op::ClearAllocator),
    ]
}

fn queue_op() -> impl Strategy<Value = Op> {
    prop_oneof![
        (trace(), mesh()).prop_map(|(trace, mesh)| Op::BeginTrace { trace, mesh }),
        trace().prop_map(Op::EndTrace),
        trace().prop_map(Op::Replay),
        trace().prop_map(Op::ReleaseTrace),
        (mesh(), any::<bool>()).prop_map(|(mesh, on)| Op::Async { mesh, on }),
        mesh().prop_map(Op::Finish),
        (mesh(), (0..64_u32).prop_map(SubDeviceManagerId))
            .prop_map(|(mesh, manager)| Op::LoadManager { mesh, manager }),
    ]
}

fn world_op() -> impl Strategy<Value = Op> {
    prop_oneof![
        select(vec![
            Op::Capture(CaptureStep::Begin(RunMode::NoDispatch)),
            Op::Capture(CaptureStep::Begin(RunMode::Normal)),
            Op::Capture(CaptureStep::End),
            Op::Inspector,
        ]),
        any::<bool>().prop_map(Op::Tracking),
        (0..=1_000_000_u32).prop_map(Op::Lose),
        select(vec![Stream::Old, Stream::New]).prop_map(Op::Deliver),
        process().prop_map(Op::Process),
        process().prop_map(Op::Kill),
        select(vec![ChildEnd::Exit, ChildEnd::Immediate]).prop_map(Op::Fork),
        select(vec![
            Op::Gc,
            Op::ServerRestart,
            Op::Stall,
            Op::Reconnect,
            Op::Reap,
            Op::Checkpoint,
            Op::Exit
        ]),
    ]
}

pub fn op() -> impl Strategy<Value = Op> {
    prop_oneof![handle_op(), mesh_op(), queue_op(), world_op()]
}

/// The row of the table; a new operation does not compile before it has one.
pub fn row(op: &Op) -> usize {
    match op {
        Op::Open { .. } => 0,
        Op::Submesh { .. } => 1,
        Op::Close(_) => 2,
        Op::Alloc { .. } => 3,
        Op::Alias { .. } => 4,
        Op::View { .. } => 5,
        Op::Share { .. } => 6,
        Op::Deallocate(_) => 7,
        Op::Mark(_) => 8,
        Op::Drop(_) => 9,
        Op::Cycle(_) => 10,
        Op::Gc => 11,
        Op::Release { .. } => 12,
        Op::Use(_) => 13,
        Op::Program { .. } => 14,
        Op::ShareProgram { .. } => 15,
        Op::Assign { .. } => 16,
        Op::Enqueue { .. } => 17,
        Op::Run(_) => 18,
        Op::ClearCache(_) => 19,
        Op::DisableCache(_) => 20,
        Op::EnableCache(_) => 21,
        Op::BeginTrace { .. } => 22,
        Op::EndTrace(_) => 23,
        Op::Replay(_) => 24,
        Op::ReleaseTrace(_) => 25,
        Op::Async { .. } => 26,
        Op::Finish(_) => 27,
        Op::LoadManager { .. } => 28,
        Op::DeallocateAll(_) => 29,
        Op::ClearAllocator(_) => 30,
        Op::Capture(_) => 31,
        Op::Tracking(_) => 32,
        Op::ServerRestart => 33,
        Op::Lose(_) => 34,
        Op::Stall => 35,
        Op::Reconnect => 36,
        Op::Deliver(_) => 37,
        Op::Process(_) => 38,
        Op::Kill(_) => 39,
        Op::Reap => 40,
        Op::Checkpoint => 41,
        Op::Exit => 42,
        Op::DataflowProgram { .. } => 43,
        Op::Inspector => 44,
        Op::Static(_) => 45,
        Op::DeallocateUnforced(_) => 46,
        Op::Fork(_) => 47,
    }
}

fn setup_line() -> impl Strategy<Value = Item> {
    let size = 0..1_u64 << 36;
    prop_oneof![
        select(&Machine::ALL).prop_map(SetupLine::Machine),
        (0..1_000_000_u64).prop_map(|size| SetupLine::L1Small(Bytes(size))),
        (0..1_u64 << 33).prop_map(|size| SetupLine::TraceRegion(Bytes(size))),
        // Below the end of L1, whatever the other lines reserve.
        (0..1_653_u64).prop_map(|base| SetupLine::L1Base(DeviceAddr(64 * base))),
        size.prop_map(|limit| SetupLine::L1Limit(DeviceAddr(limit))),
        select(vec![CoreRangeForm::Wheel, CoreRangeForm::Document]).prop_map(SetupLine::CoreRanges),
        any::<bool>().prop_map(SetupLine::Tracked),
        select(&Class::ALL).prop_map(SetupLine::Class),
    ]
    .prop_map(Item::Setup)
}

fn expectation() -> impl Strategy<Value = Item> {
    let changes = vec((any::<bool>(), select(&FIXES)), 0..3);
    let fixes_text = (select(&Preset::ALL), changes).prop_map(|(preset, changes)| {
        let sign = |on| if on { '+' } else { '-' };
        let changes = changes.iter().map(|(on, info)| format!("{}{}", sign(*on), info.name));
        preset.name().to_owned() + &changes.collect::<String>()
    });
    let all: Vec<Measure> =
        Measure::NUMBERS.into_iter().chain(OracleName::ALL.map(Measure::Oracle)).collect();
    let measures = (subsequence(all, 1..=4), vec(any::<u64>(), 4));
    (fixes_text, select(&ServerKind::ALL), measures).prop_map(
        |(fixes_text, server, (names, counts))| {
            let fixes: FixSet = fixes_text.parse().expect("it is made of known names");
            let measures = names.into_iter().zip(counts).collect();
            Item::Expect(Expectation { fixes, fixes_text, server, measures })
        },
    )
}

fn line<I: Strategy<Value = Item>>(item: I) -> impl Strategy<Value = Line> {
    let comment = option::weighted(0.2, "[^\\p{Cc}]{0,12}|\t| ");
    (item, comment).prop_map(|(item, comment)| Line { item, comment, number: 0 })
}

fn operation_line() -> BoxedStrategy<Line> {
    let thread = prop_oneof![Just(0), 0..64_u32].prop_map(ThreadId);
    let operation = (thread, op()).prop_map(|(thread, op)| Item::Op(thread, op));
    line(prop_oneof![1 => Just(Item::Blank), 6 => operation]).boxed()
}

fn turn() -> impl Strategy<Value = Action> {
    let sockets = select(&[Stream::Old, Stream::New][..]).prop_map(Action::Deliver);
    prop_oneof![(0..64_u32).prop_map(|thread| Action::Step(ThreadId(thread))), sockets]
}

pub fn scenario() -> impl Strategy<Value = Scenario> {
    let block = operation_line().prop_recursive(4, 20, 5, |inner| {
        let repeat = (0..20_u32, vec(inner, 0..5)).prop_map(|(n, body)| Item::Repeat(n, body));
        line(repeat).boxed()
    });
    let any_order = line(vec(operation_line(), 0..6).prop_map(Item::Any));
    let block = prop_oneof![5 => block, 1 => any_order.boxed()];
    let picks = vec(any::<u64>(), 0..6).prop_map(Item::Picks);
    let schedule = vec(turn(), 0..6).prop_map(Item::Schedule);
    let recorded = line(prop_oneof![picks, schedule, expectation()]).boxed();
    let first = vec(prop_oneof![4 => line(setup_line()).boxed(), 1 => recorded.clone()], 0..5);
    let second = vec(prop_oneof![6 => block, 1 => recorded], 0..12);
    (first, second)
        .prop_map(|(first, second)| Scenario { lines: first.into_iter().chain(second).collect() })
}
