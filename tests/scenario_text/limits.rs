//! Which cases can be said.

use freeorder::allocator::Machine;
use freeorder::op::{
    BufferHandle, BufferSpec, CacheKey, CircularBufferSpec, CoreRange, MeshHandle, Op, Pages,
    Piece, Place, ProgramHandle, RunSpec, SubDeviceManagerId,
};
use freeorder::scenario::{Case, Scenario, SetupLine};
use freeorder::units::{BufferType, Bytes, DeviceAddr, DeviceId, MeshShape};

fn pages(count: u32, size: u64) -> Pages {
    Pages { count, size: Bytes(size) }
}

fn run(groups: &[(u32, u64)], kernel: Option<Pages>) -> Op {
    let group =
        |&(count, size): &(u32, u64)| CircularBufferSpec { count, size: Bytes(size), cores: None };
    Op::Run(Box::new(RunSpec {
        key: CacheKey(0),
        mesh: MeshHandle(0),
        circular_buffers: groups.iter().map(group).collect(),
        kernel,
        reads: Vec::new(),
        output: None,
        stale: false,
        moves: None,
    }))
}

fn alloc(device: u8, shards: Option<u32>, pages: Pages) -> Op {
    let spec = BufferSpec { buffer_type: BufferType::Dram, pages, top_down: None, shards };
    Op::Alloc { buffer: BufferHandle(0), place: Place::Device(DeviceId(device)), spec }
}

fn program(start: (u8, u8), end: (u8, u8)) -> Op {
    let cores = Some(CoreRange { start, end });
    Op::Program {
        program: ProgramHandle(0),
        mesh: MeshHandle(0),
        circular_buffers: vec![CircularBufferSpec { count: 1, size: Bytes(32), cores }],
    }
}

fn open(rows: u8, at: u8) -> Op {
    Op::Open { mesh: MeshHandle(0), shape: MeshShape { rows, columns: 1 }, at: (at, 0) }
}

fn view(pages: Option<Pages>) -> Op {
    Op::View { buffer: BufferHandle(1), of: BufferHandle(0), pages }
}

fn manager(number: u32) -> Op {
    Op::LoadManager { mesh: MeshHandle(0), manager: SubDeviceManagerId(number) }
}

fn release(device: u8) -> Op {
    Op::Release { buffer: BufferHandle(0), piece: Piece::Local(DeviceId(device)) }
}

/// What is just within a limit, and what is just past it.
fn pairs() -> [(Op, Op); 19] {
    [
        (alloc(63, Some(1024), pages((1 << 24) - 1, 4095)), alloc(64, None, pages(1, 32))),
        (alloc(0, None, pages(15, 1 << 32)), alloc(0, None, pages(16, 1 << 32))),
        (alloc(0, None, pages(0, 1)), alloc(0, None, pages(0, 0))),
        (alloc(0, Some(1), pages(1, 32)), alloc(0, Some(0), pages(1, 32))),
        (alloc(0, None, pages(1, 1 << 32)), alloc(0, None, pages(1, (1 << 32) + 32))),
        (alloc(0, None, pages((1 << 24) - 1, 32)), alloc(0, None, pages(1 << 24, 32))),
        (run(&[(1024, 1 << 24)], None), run(&[(1, (1 << 24) + 32)], None)),
        (run(&[(1000, 32), (24, 32)], None), run(&[(1000, 32), (25, 32)], None)),
        (run(&[], Some(pages(1, 32))), run(&[], Some(pages(1 << 24, 32)))),
        (program((0, 0), (63, 63)), program((0, 0), (64, 63))),
        (program((3, 3), (3, 3)), program((4, 3), (3, 3))),
        (open(64, 63), open(65, 0)),
        (open(1, 63), open(1, 64)),
        (view(None), view(Some(pages(1 << 24, 1)))),
        (manager(63), manager(64)),
        (release(63), release(64)),
        (Op::Lose(1_000_000), Op::Lose(1_000_001)),
        (Op::Mark(BufferHandle(999_999)), Op::Mark(BufferHandle(1_000_000))),
        (Op::Close(MeshHandle(4095)), Op::Close(MeshHandle(4096))),
    ]
}

/// One definition of the limits: what is sayable by its numbers is what can be read again.
#[test]
fn a_case_is_sayable_if_and_only_if_its_text_can_be_read() {
    let is_read = |case: &Case| {
        let read = case.scenario().to_string().parse::<Scenario>();
        read.is_ok_and(|scenario| Case::of(&scenario) == *case)
    };
    for (right, wrong) in pairs() {
        for (op, expected) in [(right, true), (wrong, false)] {
            let case = Case::from_ops([op]);
            assert_eq!((case.is_sayable(), is_read(&case)), (expected, expected), "{case:?}");
        }
    }
    let on = SetupLine::Machine;
    let facts: [(Vec<SetupLine>, bool); 5] = [
        (vec![on(Machine::P150), SetupLine::TraceRegion(Bytes(20 << 30))], true),
        (vec![on(Machine::N150), SetupLine::TraceRegion(Bytes(20 << 30))], false),
        (vec![SetupLine::L1Small(Bytes(1 << 40))], false),
        (vec![SetupLine::L1Limit(DeviceAddr(1 << 36))], false),
        (vec![SetupLine::L1Base(DeviceAddr(101_153))], false),
    ];
    for (setup, expected) in facts {
        let case = Case { setup, ..Case::default() };
        assert_eq!((case.is_sayable(), is_read(&case)), (expected, expected), "{case:?}");
    }
}
