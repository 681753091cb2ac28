//! Exploration merges states with equal hashes: whatever decides what happens next must be in them.
//!
//! Each test changes one thing at a time, so that a field that is left out, or that another one
//! hides, makes two states alike.

use std::fmt::Debug;
use std::sync::Arc;

use freeorder::event::{AllocationStatus, AllocatorId, Region};
use freeorder::fix::FixSet;
use freeorder::journal::Fingerprint;
use freeorder::journal::Tracking;
use freeorder::message::{AllocMessage, CallPath, MessageKind, ObjectRef, Origin, Role, UniqueId};
use freeorder::op::{BufferHandle, CacheKey, CoreRange, SubDeviceManagerId, TraceHandle};
use freeorder::runtime::circular_buffer::CircularBufferLayout;
use freeorder::runtime::command_queue::{Command, CommandQueue};
use freeorder::runtime::object::{MeshBufferState, Object, ObjectId, ObjectKind, Owners};
use freeorder::runtime::program::{Bound, Program};
use freeorder::runtime::trace::{OwnedRange, Trace, Traces};
use freeorder::runtime::{Client, MeshDevice};
use freeorder::scenario::Scenario;
use freeorder::server::ServerKind;
use freeorder::units::{BufferType, Bytes, DeviceAddr, DeviceId, Lanes, MeshShape};
use freeorder::world::World;

type Change<T> = fn(&mut T);

fn assert_all_differ<T: Fingerprint + Debug>(states: &[T]) {
    let hashes: Vec<u64> = states.iter().map(Fingerprint::fingerprint).collect();
    for (index, hash) in hashes.iter().enumerate() {
        if let Some(other) = hashes[..index].iter().position(|other| other == hash) {
            panic!("{:?}\nand\n{:?}\nshare a hash", states[other], states[index]);
        }
    }
}

/// A state, and the state after each of the changes.
fn assert_each_counts<T: Fingerprint + Debug + Clone>(state: &T, changes: &[Change<T>]) {
    let mut states = vec![state.clone()];
    for change in changes {
        states.push(state.clone());
        change(states.last_mut().expect("one was pushed"));
    }
    assert_all_differ(&states);
}

fn region(allocator: u32, buffer_type: BufferType) -> Region {
    Region { allocator: AllocatorId(allocator), buffer_type }
}

fn object(number: u64) -> ObjectRef {
    let origin = Origin::Named(BufferHandle(number as u32));
    ObjectRef { origin, unique_id: UniqueId(number) }
}

/// Events name a buffer by where it comes from, also where two have the same number.
#[test]
fn every_origin_counts() {
    let mut origins = Vec::new();
    for number in 0..3 {
        origins.extend([
            Origin::Named(BufferHandle(number)),
            Origin::KernelBinary(CacheKey(number)),
            Origin::TemporaryView(CacheKey(number)),
            Origin::CircularBuffers(number),
            Origin::TraceBuffer(TraceHandle(number)),
        ]);
    }
    assert_all_differ(&origins);
}

/// The id of its mesh is not asked for: each mesh has an allocator of its own.
#[test]
fn everything_about_an_object_counts() {
    let object = Object {
        kind: ObjectKind::MeshBuffer,
        origin: Origin::Named(BufferHandle(0)),
        unique_id: UniqueId(0),
        owner: UniqueId(0),
        mesh: None,
        mesh_id: 0,
        allocator: AllocatorId(0),
        process: 0,
        devices: Lanes::NONE,
        state: MeshBufferState::ExternallyOwned,
        status: AllocationStatus::AllocationRequested,
        non_owners: Lanes::NONE,
        non_owners_allocated: Lanes::NONE,
        address: DeviceAddr(0),
        size: Bytes(0),
        buffer_type: BufferType::Dram,
        hooked: false,
        registered: false,
        husk: false,
        owners: Owners::default(),
        sub_device_manager: None,
        root: None,
    };
    let changes: &[Change<Object>] = &[
        |it| it.kind = ObjectKind::Buffer,
        |it| it.kind = ObjectKind::PreAllocated,
        |it| it.kind = ObjectKind::View,
        |it| it.origin = Origin::Named(BufferHandle(1)),
        |it| it.unique_id = UniqueId(1),
        |it| it.owner = UniqueId(1),
        |it| it.mesh = Some(0),
        |it| it.mesh = Some(1),
        |it| it.allocator = AllocatorId(1),
        |it| it.process = 1,
        |it| it.devices = Lanes(1),
        |it| it.state = MeshBufferState::Owned,
        |it| it.state = MeshBufferState::Deallocated,
        |it| it.status = AllocationStatus::Allocated,
        |it| it.status = AllocationStatus::Deallocated,
        |it| it.non_owners = Lanes(1),
        |it| it.non_owners_allocated = Lanes(1),
        |it| it.address = DeviceAddr(1),
        |it| it.size = Bytes(1),
        |it| it.buffer_type = BufferType::L1,
        |it| it.buffer_type = BufferType::L1Small,
        |it| it.buffer_type = BufferType::Trace,
        |it| it.hooked = true,
        |it| it.registered = true,
        |it| it.husk = true,
        |it| it.owners = Owners::one(Role::UserHandle),
        |it| it.owners = Owners::one(Role::Pool),
        |it| it.sub_device_manager = Some(SubDeviceManagerId(0)),
        |it| it.sub_device_manager = Some(SubDeviceManagerId(1)),
        |it| it.root = Some(ObjectId(0)),
        |it| it.root = Some(ObjectId(1)),
    ];
    assert_each_counts(&object, changes);
}

fn bound() -> Bound {
    Bound {
        region: region(0, BufferType::Dram),
        by: object(0),
        owner: UniqueId(0),
        address: DeviceAddr(0),
        size: Bytes(0),
    }
}

/// A program that runs again reads and frees what it was built with.
#[test]
fn everything_about_a_program_counts() {
    let changes: &[Change<Bound>] = &[
        |it| it.region = region(1, BufferType::Dram),
        |it| it.region = region(0, BufferType::L1),
        |it| it.by = object(1),
        |it| it.owner = UniqueId(1),
        |it| it.address = DeviceAddr(1),
        |it| it.size = Bytes(1),
    ];
    assert_each_counts(&bound(), changes);
    let changes: &[Change<Program>] = &[
        |it| it.runtime_id = 1,
        |it| it.mesh = 1,
        |it| it.mesh_id = 1,
        |it| it.process = 1,
        |it| it.layout.placed.push((DeviceAddr(0), Bytes(0))),
        |it| it.dataflow = true,
        |it| it.allocated = true,
        |it| it.pool.push(ObjectId(0)),
        |it| it.pool.push(ObjectId(1)),
        |it| it.pool.extend([ObjectId(0), ObjectId(1)]),
        |it| it.pool.extend([ObjectId(1), ObjectId(0)]),
        |it| it.owners = Owners::one(Role::UserHandle),
        |it| it.kernel = Some(ObjectId(0)),
        |it| it.kernel = Some(ObjectId(1)),
        |it| it.bound.push(bound()),
        |it| it.bound.extend([bound(), bound()]),
    ];
    assert_each_counts(&Program::default(), changes);
}

/// Circular buffers are freed at their places, and validated by the end of their regions.
#[test]
fn every_place_of_circular_buffers_counts() {
    const CORES: CoreRange = CoreRange { start: (0, 0), end: (0, 0) };
    let changes: &[Change<CircularBufferLayout>] = &[
        |it| it.placed.push((DeviceAddr(0), Bytes(0))),
        |it| it.placed.push((DeviceAddr(1), Bytes(0))),
        |it| it.placed.push((DeviceAddr(0), Bytes(1))),
        |it| it.region_ends.push((CORES, DeviceAddr(0))),
        |it| it.region_ends.push((CORES, DeviceAddr(1))),
        |it| it.region_ends.push((CoreRange { start: (1, 0), ..CORES }, DeviceAddr(0))),
        |it| it.region_ends.push((CoreRange { start: (0, 1), ..CORES }, DeviceAddr(0))),
        |it| it.region_ends.push((CoreRange { end: (1, 0), ..CORES }, DeviceAddr(0))),
        |it| it.region_ends.push((CoreRange { end: (0, 1), ..CORES }, DeviceAddr(0))),
    ];
    assert_each_counts(&CircularBufferLayout::default(), changes);
}

fn trace(name: u32) -> Trace {
    Trace {
        name: TraceHandle(name),
        manager: SubDeviceManagerId(0),
        capturing: false,
        programs: 0,
        owned: Vec::new(),
        since: UniqueId(0),
        buffer: None,
    }
}

const OWNED: OwnedRange = OwnedRange {
    region: Region { allocator: AllocatorId(0), buffer_type: BufferType::Dram },
    address: DeviceAddr(0),
    bytes: Bytes(0),
};

/// A trace replays what it captured, and what is active makes allocations unsafe.
#[test]
fn everything_about_traces_counts() {
    let changes: &[Change<Trace>] = &[
        |it| it.name = TraceHandle(1),
        |it| it.manager = SubDeviceManagerId(1),
        |it| it.capturing = true,
        |it| it.programs = 1,
        |it| it.programs = 2,
        |it| it.owned.push(OWNED),
        |it| it.owned.push(OwnedRange { region: region(1, BufferType::Dram), ..OWNED }),
        |it| it.owned.push(OwnedRange { region: region(0, BufferType::L1), ..OWNED }),
        |it| it.owned.push(OwnedRange { region: region(0, BufferType::L1Small), ..OWNED }),
        |it| it.owned.push(OwnedRange { address: DeviceAddr(1), ..OWNED }),
        |it| it.owned.push(OwnedRange { bytes: Bytes(1), ..OWNED }),
        |it| it.since = UniqueId(1),
        |it| it.buffer = Some(ObjectId(0)),
        |it| it.buffer = Some(ObjectId(1)),
    ];
    assert_each_counts(&trace(0), changes);
    let changes: &[Change<Traces>] = &[
        |it| it.all.push(trace(0)),
        |it| it.all.push(trace(1)),
        |it| it.all.extend([trace(0), trace(1)]),
        |it| it.active.push((SubDeviceManagerId(0), TraceHandle(0))),
        |it| it.active.push((SubDeviceManagerId(1), TraceHandle(0))),
        |it| it.active.push((SubDeviceManagerId(0), TraceHandle(1))),
        |it| it.buffers_size = Bytes(1),
    ];
    assert_each_counts(&Traces::default(), changes);
}

/// What a worker has still to do will be done.
#[test]
fn everything_about_a_command_queue_counts() {
    let run =
        |program, bound: &[Bound], fresh| Command::Run { program, bound: bound.to_vec(), fresh };
    let deallocate = |object, role| Command::Deallocate { object: ObjectId(object), role };
    let commands = [
        run(0, &[], false),
        run(0, &[], true),
        run(1, &[], false),
        run(0, &[bound()], false),
        deallocate(0, Role::UserHandle),
        deallocate(1, Role::UserHandle),
        deallocate(0, Role::Cycle),
    ];
    assert_all_differ(&commands);
    let changes: &[Change<CommandQueue>] = &[
        |it| it.asynchronous = true,
        |it| it.commands.push(Command::Deallocate { object: ObjectId(0), role: Role::Cycle }),
        |it| it.commands.push(Command::Deallocate { object: ObjectId(1), role: Role::Cycle }),
        |it| it.cached.push(0),
        |it| it.cached.push(1),
    ];
    assert_each_counts(&CommandQueue::default(), changes);
}

/// What a mesh knows decides what closing it, and running on it, does.
#[test]
fn everything_about_a_mesh_counts() {
    let changes: &[Change<MeshDevice>] = &[
        |it| it.open = true,
        |it| it.mesh_id = 1,
        |it| it.chips.push(DeviceId(0)),
        |it| it.chips.push(DeviceId(1)),
        |it| it.devices = Lanes(1),
        |it| it.shape = MeshShape { rows: 1, columns: 0 },
        |it| it.shape = MeshShape { rows: 0, columns: 1 },
        |it| it.allocator = AllocatorId(1),
        |it| it.parent = Some(0),
        |it| it.parent = Some(1),
        |it| it.references = 1,
        |it| it.process = 1,
        |it| it.cache_enabled = true,
        |it| it.cache.push((CacheKey(0), 0)),
        |it| it.cache.push((CacheKey(1), 0)),
        |it| it.cache.push((CacheKey(0), 1)),
        |it| it.reported_cbs.push(0),
        |it| it.reported_cbs.push(1),
        |it| it.traces.buffers_size = Bytes(1),
        |it| it.queue.asynchronous = true,
        |it| it.manager = SubDeviceManagerId(1),
    ];
    assert_each_counts(&MeshDevice::default(), changes);
}

fn message() -> AllocMessage {
    AllocMessage {
        kind: MessageKind::Alloc,
        devices: Lanes(1),
        address: DeviceAddr(0),
        size: Bytes(0),
        buffer_type: BufferType::Dram,
        pid: 0,
        owner: UniqueId(0),
        sender: object(0),
        path: CallPath::AllocateImpl,
        released_by: Role::UserHandle,
    }
}

/// What is unread in a socket will be read, in this order.
#[test]
fn everything_about_the_client_counts() {
    let changes: &[Change<Client>] = &[
        |it| it.tracking = true,
        |it| it.full_for = 1,
        |it| it.full_for = 2,
        |it| it.stalled = true,
        |it| it.reconnected = true,
        |it| it.old.push(message()),
        |it| it.new.push(message()),
        |it| it.new.push(AllocMessage { kind: MessageKind::Free, ..message() }),
        |it| it.new.push(AllocMessage { devices: Lanes(2), ..message() }),
        |it| it.new.push(AllocMessage { address: DeviceAddr(1), ..message() }),
        |it| it.new.push(AllocMessage { size: Bytes(1), ..message() }),
        |it| it.new.push(AllocMessage { buffer_type: BufferType::L1, ..message() }),
        |it| it.new.push(AllocMessage { pid: 1, ..message() }),
        |it| it.new.push(AllocMessage { owner: UniqueId(1), ..message() }),
        |it| it.new.push(AllocMessage { sender: object(1), ..message() }),
        |it| it.new.push(AllocMessage { path: CallPath::DeallocateImpl, ..message() }),
        |it| it.new.push(AllocMessage { released_by: Role::OwnedBufferState, ..message() }),
    ];
    assert_each_counts(&Client::default(), changes);
    let busy = Client {
        tracking: true,
        stalled: true,
        reconnected: true,
        full_for: 1,
        ..Client::default()
    };
    let changes: &[Change<Client>] = &[
        |it| it.tracking = false,
        |it| it.stalled = false,
        |it| it.reconnected = false,
        |it| it.full_for = 0,
    ];
    assert_each_counts(&busy, changes);
}

/// The hash of a world after the lines of a scenario, on a T3K.
fn world(lines: &str, server: ServerKind) -> u64 {
    let text = format!("freeorder 1\nopen m0 2x4\n{}\n", lines.replace("; ", "\n"));
    let scenario: Scenario = text.parse().expect("a scenario");
    let setup = Arc::new(scenario.setup());
    let mut world = World::new(setup, FixSet::default(), server, Tracking::FULL);
    for (_, op) in scenario.ops() {
        world.apply(op, &mut ());
    }
    world.hash()
}

fn assert_worlds_differ(one: &str, other: &str) {
    assert_ne!(world(one, ServerKind::K2), world(other, ServerKind::K2), "{one} | {other}");
}

/// What a handle holds decides what the next operation on it does.
#[test]
fn which_handle_is_left_counts() {
    let shared = "alloc b0 on m0 dram 4x2048; share b1 of b0";
    assert_worlds_differ(&format!("{shared}; drop b0"), &format!("{shared}; drop b1"));
    assert_worlds_differ(&format!("{shared}; cycle b0"), &format!("{shared}; cycle b1"));
    let two = "alloc b0 on m0 dram 4x2048; alloc b1 on m0 dram 4x2048";
    assert_worlds_differ(
        &format!("{two}; share b2 of b0; share b3 of b1"),
        &format!("{two}; share b2 of b1; share b3 of b0"),
    );
}

#[test]
fn the_mode_of_a_capture_counts() {
    assert_worlds_differ("capture begin", "capture begin normal");
    let alloc = "alloc b0 on m0 dram 4x2048";
    assert_worlds_differ(
        &format!("capture begin normal; {alloc}"),
        &format!("{alloc}; capture begin normal"),
    );
    assert_worlds_differ("capture begin normal", "capture begin normal; capture end");
}

/// The runtime is the same, and what the server knows of it is not.
#[test]
fn what_the_server_knows_counts() {
    let (missed, knows) = (
        "tracking off; alloc b0 on m0 dram 4x2048; tracking on",
        "tracking off; tracking on; alloc b0 on m0 dram 4x2048",
    );
    for server in ServerKind::ALL {
        assert_ne!(world(missed, server), world(knows, server), "{server}");
    }
}

/// The objects are the same, and the free lists under them are not.
#[test]
fn the_free_lists_count() {
    let made = "alloc b0 on m0 dram 4x2048; alloc b1 on m0 dram 4x2048";
    assert_worlds_differ(made, &format!("{made}; clear-allocator m0"));
    assert_worlds_differ(made, &format!("{made}; deallocate-all m0"));
}
