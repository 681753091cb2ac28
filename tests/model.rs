//! Facts of the model, each with its source: T is tt-metal.md, S is allocation-server.md.

mod common;

use std::collections::BTreeMap;
use std::sync::Arc;

use common::Lines;
use freeorder::choice::{Choices, Seeded};
use freeorder::event::AllocationStatus;
use freeorder::fix::FixSet;
use freeorder::generate::{Order, Profile, case};
use freeorder::journal::Tracking;
use freeorder::op::{
    BufferHandle, BufferSpec, CacheKey, CaptureStep, ChildEnd, CircularBufferSpec, Handle,
    MeshHandle, Moves, Op, Pages, Piece, Place, ProcessId, ProgramHandle, RunMode, RunSpec, Stream,
};
use freeorder::runtime::Setup;
use freeorder::runtime::object::{MeshBufferState, Object};
use freeorder::scenario::{Report, Scenario, Simulation, run};
use freeorder::server::ServerKind::{self, K0, K1, K2, Shm};
use freeorder::units::BufferType::{self, Dram, L1};
use freeorder::units::{Bytes, DeviceAddr, DeviceId, Lanes, MeshShape};
use freeorder::violation::OracleName::{self, *};

const M0: MeshHandle = MeshHandle(0);
const M1: MeshHandle = MeshHandle(1);
const B0: BufferHandle = BufferHandle(0);
const B1: BufferHandle = BufferHandle(1);
const B2: BufferHandle = BufferHandle(2);
const P0: ProgramHandle = ProgramHandle(0);
const P1: ProgramHandle = ProgramHandle(1);

/// A simulation and the lines of everything that happened in it.
struct Model {
    simulation: Simulation,
    lines: Lines,
}

impl Model {
    fn new(fixes: &str, server: ServerKind) -> Self {
        Self::on(Setup::default(), fixes, server)
    }

    fn on(setup: Setup, fixes: &str, server: ServerKind) -> Self {
        let fixes: FixSet = fixes.parse().expect("a set of fixes");
        let setup = Arc::new(setup.settled());
        let simulation = Simulation::new(setup, fixes, server, Tracking::FULL, 64);
        Self { simulation, lines: Lines::default() }
    }

    /// On the whole mesh of a T3K.
    fn opened(fixes: &str, server: ServerKind) -> Self {
        Self::new(fixes, server).then(&[open(M0)])
    }

    /// After the lines of a scenario.
    fn after(fixes: &str, text: &str) -> Self {
        let scenario: Scenario = format!("freeorder 1\n{text}").parse().expect("a scenario");
        let ops: Vec<Op> = scenario.ops().map(|(_, op)| op.clone()).collect();
        Self::on(scenario.setup(), fixes, Shm).then(&ops)
    }

    fn then(mut self, ops: &[Op]) -> Self {
        for op in ops {
            self.simulation.apply(op, &mut self.lines);
        }
        self
    }

    fn finish(mut self) -> Self {
        self.simulation.finish(&mut self.lines);
        self
    }

    /// The text of a refused operation.
    fn refused(&mut self, op: &Op) -> Option<String> {
        self.simulation.apply(op, &mut self.lines).refused
    }

    fn object(&self, name: BufferHandle) -> &Object {
        self.simulation.world().runtime().object(name).expect("the name holds a buffer")
    }

    fn report(&self) -> Report {
        self.simulation.report()
    }

    fn count(&self, oracle: OracleName) -> u64 {
        self.simulation.oracles().findings().count(oracle)
    }

    fn counts(&self) -> Vec<(OracleName, u64)> {
        self.simulation.oracles().findings().counts().collect()
    }

    /// ALLOCs, FREEs and FREEs of nothing.
    fn messages(&self) -> (u64, u64, u64) {
        let totals = self.simulation.totals();
        (totals.alloc, totals.free, totals.unknown_free)
    }

    fn says(&self, text: &str) -> usize {
        self.lines.0.iter().filter(|line| line.contains(text)).count()
    }
}

fn open(mesh: MeshHandle) -> Op {
    Op::Open { mesh, shape: MeshShape { rows: 2, columns: 4 }, at: (0, 0) }
}

fn submesh(mesh: MeshHandle, parent: MeshHandle) -> Op {
    Op::Submesh { mesh, parent, shape: MeshShape { rows: 1, columns: 2 }, at: (0, 0) }
}

fn spec(buffer_type: BufferType, count: u32, size: u64) -> BufferSpec {
    let pages = Pages { count, size: Bytes(size) };
    BufferSpec { buffer_type, pages, top_down: None, shards: None }
}

fn alloc_on(buffer: BufferHandle, mesh: MeshHandle, spec: BufferSpec) -> Op {
    Op::Alloc { buffer, place: Place::Mesh(mesh), spec }
}

fn dram(buffer: BufferHandle) -> Op {
    alloc_on(buffer, M0, spec(Dram, 1, 2048))
}

fn l1(buffer: BufferHandle) -> Op {
    alloc_on(buffer, M0, spec(L1, 1, 2048))
}

/// An L1 buffer at the very bottom, where circular buffers are.
fn low_l1(buffer: BufferHandle) -> Op {
    alloc_on(buffer, M0, BufferSpec { top_down: Some(false), ..spec(L1, 1, 2048) })
}

fn drop_buffer(buffer: BufferHandle) -> Op {
    Op::Drop(Handle::Buffer(buffer))
}

fn drop_program(program: ProgramHandle) -> Op {
    Op::Drop(Handle::Program(program))
}

const DROP_M0: Op = Op::Drop(Handle::Mesh(M0));

fn cbs() -> Vec<CircularBufferSpec> {
    vec![CircularBufferSpec { count: 3, size: Bytes(4096), cores: None }]
}

fn program(program: ProgramHandle) -> Op {
    Op::Program { program, mesh: M0, circular_buffers: cbs() }
}

fn enqueue(program: ProgramHandle) -> Op {
    Op::Enqueue { program, reads: Vec::new() }
}

fn operation(key: u32) -> RunSpec {
    RunSpec {
        key: CacheKey(key),
        mesh: M0,
        circular_buffers: cbs(),
        kernel: None,
        reads: Vec::new(),
        output: None,
        stale: false,
        moves: None,
    }
}

fn run_op(key: u32) -> Op {
    Op::Run(Box::new(operation(key)))
}

/// S 1.8: the verdict on one MeshBuffer of eight devices is the product of what is sent and of how
/// the server counts it: (unknown FREEs, keys left, sizes left) under k0, k1 and k2.
#[test]
fn one_mesh_buffer_leaves_what_table_1_8_says_under_every_policy_and_server() {
    type Cell = (u64, u64, u64);
    let table: [(&str, (u64, u64), [Cell; 3]); 7] = [
        ("before", (9, 9), [(8, 0, 8), (1, 0, 1), (0, 0, 0)]),
        ("three-fixes", (9, 1), [(0, 0, 8), (0, 7, 8), (0, 8, 8)]),
        ("before+owns-data-gate", (9, 1), [(0, 0, 8), (0, 7, 8), (0, 8, 8)]),
        ("final", (8, 8), [(7, 0, 7), (0, 0, 0), (0, 0, 0)]),
        ("final+owns-data-gate", (8, 0), [(0, 1, 8), (0, 8, 8), (0, 8, 8)]),
        ("original", (9, 1), [(0, 0, 8), (0, 7, 8), (0, 8, 8)]),
        ("before+mesh-filter-alloc", (8, 9), [(8, 0, 7), (1, 0, 0), (1, 0, 0)]),
    ];
    for (fixes, (allocs, frees), cells) in table {
        for (server, cell) in [K0, K1, K2].into_iter().zip(cells) {
            let model = Model::opened(fixes, server);
            let model = model.then(&[dram(B0), Op::Deallocate(B0), drop_buffer(B0)]);
            let (alloc, free, unknown) = model.messages();
            let report = model.report();
            let keys = report.leftover_keys.expect("these servers have keys");
            assert_eq!((alloc, free), (allocs, frees), "{fixes} {server}");
            assert_eq!((unknown, keys, report.leftover_bytes / 2048), cell, "{fixes} {server}");
        }
    }
}

/// T A3: "size 0 => status ALLOCATED at once, no allocator, no tracking"; S 1.6: the device-locals,
/// created at an address, "always" send ALLOC, "even for size 0".
#[test]
fn an_empty_buffer_is_allocated_without_an_address_and_only_its_locals_are_tracked() {
    let empty = alloc_on(B0, M0, spec(Dram, 0, 2048));
    let model = Model::opened("before", K2).then(&[empty]);
    assert_eq!(model.object(B0).status, AllocationStatus::Allocated);
    assert_eq!(model.object(B0).address, DeviceAddr(0));
    assert_eq!((model.says("address-taken"), model.messages()), (0, (8, 0, 0)));
    let model = model.then(&[drop_buffer(B0)]).finish();
    assert_eq!((model.messages(), model.counts()), ((8, 8, 0), vec![]));
}

/// T F, S-ZERO: "zero-size owner marked deallocated under F0 => FREE without ALLOC".
#[test]
fn an_empty_owner_that_is_marked_sends_a_free_without_an_alloc() {
    let place = Place::Device(DeviceId(3));
    let empty = Op::Alloc { buffer: B0, place, spec: spec(Dram, 0, 2048) };
    let model = Model::opened("before", K2).then(&[empty, Op::Mark(B0)]);
    assert_eq!(model.messages(), (0, 1, 1));
}

/// T A5: a hooked buffer has address 0 and never meets the allocator; T F, S-NODISPATCH: two of
/// them share the key {device, 0}, unless silent-hooked keeps them quiet.
#[test]
fn hooked_buffers_share_address_0_and_silent_hooked_keeps_them_quiet() {
    let captured = [
        Op::Capture(CaptureStep::Begin(RunMode::NoDispatch)),
        dram(B0),
        dram(B1),
        Op::Capture(CaptureStep::End),
    ];
    let both = [drop_buffer(B0), drop_buffer(B1)];
    let model = Model::opened("upstream-shm", K2).then(&captured);
    assert!(model.object(B0).hooked && !model.object(B0).registered);
    assert_eq!((model.object(B1).address, model.says("address-taken")), (DeviceAddr(0), 0));
    assert_eq!((model.messages(), model.count(DuplicateAllocation)), ((16, 0, 0), 8));
    let freed = model.then(&both).finish();
    assert_eq!((freed.messages(), freed.says("address-returned")), ((16, 16, 0), 0));
    let silent = Model::opened("upstream-shm+silent-hooked", K2).then(&captured).then(&both);
    assert_eq!((silent.messages(), silent.finish().counts()), ((0, 0, 0), vec![]));
}

/// T A5: with a capture running the hook claims real buffers too, "not given to the allocator =>
/// leak".
#[test]
fn a_real_buffer_that_is_freed_during_a_capture_leaks() {
    let freed = [
        dram(B0),
        Op::Capture(CaptureStep::Begin(RunMode::NoDispatch)),
        Op::Deallocate(B0),
        Op::Capture(CaptureStep::End),
    ];
    let model = Model::opened("upstream-shm", Shm).then(&freed);
    assert_eq!((model.count(DeviceLeak), model.count(Registry)), (1, 1));
    assert_eq!(model.says("address-returned"), 0);
}

/// T A3: "A view keeps the root OBJECT alive (shared_ptr), not its allocation".
#[test]
fn a_view_keeps_its_root_object_but_not_its_memory() {
    let view = Op::View { buffer: B1, of: B0, pages: None };
    let model = Model::opened("upstream-shm", Shm).then(&[dram(B0), view, drop_buffer(B0)]);
    assert_eq!(model.object(B1).address, DeviceAddr(1_048_640));
    assert_eq!((model.says("buffer-destroyed"), model.says("address-returned")), (0, 1));
    let model = model.then(&[Op::Use(B1)]);
    assert_eq!(model.counts(), [(UseAfterFree, 1)]);
    let model = model.then(&[drop_buffer(B1)]).finish();
    assert_eq!((model.says("buffer-destroyed"), model.counts()), (2, vec![(UseAfterFree, 1)]));
}

/// A pool is a vector: a buffer that was assigned twice is in it twice, and is given back by the
/// second place. Nobody lost it in between.
#[test]
fn a_buffer_that_is_in_a_pool_twice_is_not_stranded() {
    let text = "freeorder 1\nopen m0 1x1\nalloc b0 on m0 dram 1x32\nprogram p0 on m0\n\
                assign b0 to p0\nassign b0 to p0\ndrop b0\ndrop p0\n";
    let scenario: Scenario = text.parse().expect("it is a scenario");
    let fixes = "upstream-shm".parse().expect("it is a preset");
    let report = run(&scenario, fixes, Shm, 8, &mut ());
    assert_eq!((report.findings.violations(), report.leftover_bytes), (&[][..], 0));
}

/// The device-local buffers can die one by one under a view, and the backing buffer too.
#[test]
fn a_view_keeps_a_root_of_which_every_piece_was_released() {
    let view = Op::View { buffer: B1, of: B0, pages: None };
    let mut ops = vec![dram(B0), view];
    ops.extend((0..8).map(|chip| Op::Release { buffer: B0, piece: Piece::Local(DeviceId(chip)) }));
    ops.push(Op::Release { buffer: B0, piece: Piece::Backing });
    let model = Model::opened("upstream-shm", Shm).then(&ops).then(&[drop_buffer(B0)]);
    assert_eq!(model.says("buffer-destroyed"), 0);
    let model = model.then(&[drop_buffer(B1)]).finish();
    assert_eq!((model.says("buffer-destroyed"), model.counts()), (2, vec![]));
}

/// T F, S-VIEW: "drop view; free root (F2/F0: unknown FREE on root)" where a duplicate overwrites.
#[test]
fn the_free_of_a_view_is_taken_for_its_roots() {
    let view = Op::View { buffer: B1, of: B0, pages: None };
    let ops = [dram(B0), view, drop_buffer(B1), Op::Deallocate(B0), drop_buffer(B0)];
    let model = Model::opened("fork-head", K1).then(&ops);
    assert_eq!(model.messages(), (16, 16, 8));
}

/// T B3: with the mesh pointer expired "no event, no allocator"; T F, S-EXPIRED: "F4 sends no FREE
/// for N locals". free-when-expired sends what would have been sent, under every way of sending.
#[test]
fn a_buffer_that_outlives_its_mesh_frees_nothing_unless_free_when_expired() {
    let ops = [dram(B0), DROP_M0, drop_buffer(B0)];
    for (fixes, allocs, without, with) in
        [("original", 9, 1, 9), ("final", 8, 0, 8), ("fork-head", 8, 0, 8)]
    {
        let off = Model::opened(fixes, K2).then(&ops).finish();
        let on = Model::opened(&format!("{fixes}+free-when-expired"), K2).then(&ops).finish();
        assert_eq!(off.messages(), (allocs, without, 0), "{fixes}");
        assert_eq!(on.messages(), (allocs, with, 0), "{fixes}");
        let left = |model: &Model| model.report().leftover_keys;
        assert_eq!((left(&off), left(&on)), (Some(8), Some(0)), "{fixes}");
        assert_eq!(off.says("reached mesh-dropped-first"), 1);
    }
    let shared = Model::opened("upstream-shm", Shm).then(&ops).finish();
    assert_eq!((shared.messages(), shared.counts()), ((8, 8, 0), vec![]), "freed by ~MeshDevice");
}

/// T B6: "live tensors at close are force-deallocated under the user's feet; later user deallocate
/// is a no-op".
#[test]
fn upstream_deallocates_what_is_live_at_close_and_a_later_drop_does_nothing() {
    let model = Model::opened("upstream-shm", Shm).then(&[dram(B0), l1(B1), Op::Close(M0)]);
    assert_eq!((model.messages(), model.says("mesh-closed id=0 live=2")), ((16, 16, 0), 1));
    let ops = [Op::Deallocate(B0), drop_buffer(B0), drop_buffer(B1), DROP_M0];
    let model = model.then(&ops).finish();
    assert_eq!((model.messages(), model.counts()), ((16, 16, 0), vec![]));
}

/// S 5.2 #3: on the fork "Allocator::deallocate_buffers (device close)" is silent; report-on-close
/// reports what is live.
#[test]
fn the_fork_closes_in_silence_unless_report_on_close() {
    let ops = [dram(B0), l1(B1), Op::Close(M0)];
    assert_eq!(Model::opened("original", K2).then(&ops).messages(), (18, 0, 0));
    assert_eq!(Model::opened("original+report-on-close", K2).then(&ops).messages(), (18, 2, 0));
    let quiet = Model::opened("final", K2).then(&ops);
    assert_eq!(quiet.count(Lowest), 0, "the bulk release frees address by address");
}

/// T B5: mesh ids are a counter of their own, from 0, also over submeshes: "parent 1xN consumes id
/// k, submeshes k+1..."; T 0.6: the events of a submesh's backing buffer land on the wrong chip.
#[test]
fn a_submesh_takes_the_next_mesh_id_and_reports_under_it() {
    let on_submesh = alloc_on(B0, M1, spec(Dram, 1, 2048));
    let model = Model::opened("original", K2).then(&[submesh(M1, M0), on_submesh]);
    assert_eq!(model.says("mesh-opened id=1 devices=0,4"), 1);
    assert_eq!((model.says("sent ALLOC device=1 "), model.says("sent ALLOC device=0,4 ")), (1, 1));
}

/// T B5: "Submesh creation makes ANOTHER fresh allocator of the same full range", so that parent
/// and submesh hand out one address twice; submesh-shares-state removes it.
#[test]
fn a_submesh_overlaps_its_parent_unless_they_share_the_allocator() {
    let ops = [submesh(M1, M0), dram(B0), alloc_on(B1, M1, spec(Dram, 1, 2048))];
    let apart = Model::opened("upstream-shm", Shm).then(&ops);
    let twice = [(Overlap, 2), (DuplicateAllocation, 2), (Balance, 2)];
    assert_eq!(apart.counts(), twice, "one place is one key");
    let shared = Model::opened("upstream-shm+submesh-shares-state", Shm).then(&ops);
    assert_eq!(shared.counts(), []);
}

/// The text is the real runtime's, in src/runtime/mod.rs.
#[test]
fn a_closed_mesh_refuses_to_allocate() {
    let mut model = Model::opened("final", K2).then(&[Op::Close(M0)]);
    let text = model.refused(&dram(B0)).expect("the mesh is closed");
    assert!(text.starts_with("SubDeviceManagerTracker is not initialized on MeshDevice 0. "));
    assert!(text.ends_with("Use is_remote_only() to check before calling this method."));
}

/// real-runtime.md: "The program id rises by 2 with every program built (0, 2, 4 ..)"; a cache hit
/// keeps the id of the program it finds (T C6).
#[test]
fn program_ids_are_even_and_a_cache_hit_keeps_the_id() {
    let model = Model::opened("final", K2).then(&[program(P0), run_op(0), run_op(1), run_op(0)]);
    assert_eq!(model.says("program-built 0 "), 1);
    assert_eq!(model.says("program-built 2 ") + model.says("program-built 4 "), 2);
    assert_eq!((model.says("cache-hit 2"), model.says("program-built")), (1, 3));
    assert_eq!(model.simulation.world().runtime().cache_entries(M0), Some(2));
}

/// T C6: disabling flips a flag, and `disable_and_clear_program_cache` clears first.
#[test]
fn a_disabled_cache_keeps_nothing_until_it_is_enabled() {
    let disabled = [run_op(0), Op::DisableCache(M0), run_op(0), run_op(0)];
    let model = Model::opened("final", K2).then(&disabled);
    assert_eq!((model.says("cache-hit"), model.says("program-built")), (0, 3));
    assert_eq!(model.simulation.world().runtime().cache_entries(M0), Some(0));
    let model = model.then(&[Op::EnableCache(M0), run_op(0), run_op(0)]);
    assert_eq!((model.says("cache-hit"), model.says("program-built")), (1, 4));
}

const CLASH: &str = "Statically allocated circular buffers in program 0 clash with L1 buffers on \
     core range [0-0 - 7-7]. L1 buffer allocated at 105824 and static circular buffer region ends \
     at 118112";

/// T C4: the text, and that validation "runs on EVERY enqueue"; the clash with a buffer that
/// somebody holds is no violation.
#[test]
fn circular_buffers_clash_with_a_low_l1_buffer_in_the_runtimes_words() {
    let mut model = Model::opened("final", K2).then(&[low_l1(B0)]);
    assert_eq!(model.refused(&run_op(0)).as_deref(), Some(CLASH));
    let model = model.then(&[drop_buffer(B0), run_op(0), low_l1(B0)]);
    assert_eq!((model.says("program-ran 2"), model.count(CbClash)), (1, 0));
    let mut model = model;
    let again = model.refused(&run_op(0)).expect("a cache hit is validated too");
    assert_eq!(again, CLASH.replace("program 0", "program 2"));
}

/// T 0.2: "MeshBuffers in L1 + Fix 2 + one program => clash; without Fix 2 => none"; T 0.1: the
/// pointer that stays in `allocated_buffers_` is followed at close, handle or no handle.
#[test]
fn backing_first_leaks_until_programs_clash_and_close_follows_a_dead_pointer() {
    let ops = [low_l1(B0), Op::Deallocate(B0), run_op(0)];
    let sound = Model::opened("before", K2).then(&ops);
    assert_eq!((sound.count(DeviceLeak), sound.count(CbClash)), (0, 0));
    let leaking = Model::opened("before+backing-first", K2).then(&ops);
    assert_eq!((leaking.count(DeviceLeak), leaking.count(Registry)), (1, 1));
    assert_eq!((leaking.count(CbClash), leaking.says("program-clashed")), (1, 1));
    for kept in [vec![], vec![drop_buffer(B0)]] {
        let ops = [dram(B0), Op::Deallocate(B0)];
        let model = Model::opened("upstream-shm+backing-first", Shm).then(&ops).then(&kept);
        assert_eq!(model.then(&[Op::Close(M0)]).count(Teardown), 1);
    }
}

/// Document 002, option B: with the switch a buffer that would lie in the region of circular
/// buffers is refused, and nothing clashes.
#[test]
fn cb_aware_l1_refuses_the_buffer_instead_of_the_program() {
    let off = Model::opened("final", K2).then(&[program(P0), low_l1(B0), enqueue(P0)]);
    assert_eq!(off.says("program-clashed"), 1);
    let mut on = Model::opened("final+cb-aware-l1", K2).then(&[program(P0)]);
    let text = "Out of Memory: Cannot allocate at an address below 118112. Allocation at 105824";
    assert_eq!(on.refused(&low_l1(B0)).as_deref(), Some(text));
    let on = on.then(&[l1(B0), enqueue(P0)]).finish();
    assert_eq!((on.says("program-clashed"), on.says("program-ran 0")), (0, 1));
    assert_eq!(on.count(FreeList) + on.count(Lowest), 0, "the refusal changes nothing");
}

/// S 1.6: the flush sends FREE for "EVERY program's CBs of that device pointer, not the dying
/// program's"; cb-flush-per-program narrows it. A program without circular buffers has no part.
#[test]
fn a_dying_program_flushes_every_programs_circular_buffers_unless_told_otherwise() {
    let two = [program(P0), program(P1), enqueue(P0), enqueue(P1), drop_program(P0)];
    assert_eq!(Model::opened("final", K2).then(&two).messages(), (6, 6, 0));
    let narrow = Model::opened("final+cb-flush-per-program", K2).then(&two);
    assert_eq!(narrow.messages(), (6, 3, 0));
    assert_eq!(narrow.then(&[drop_program(P1)]).messages(), (6, 6, 0));
    let bare = Op::Program { program: P0, mesh: M0, circular_buffers: Vec::new() };
    let reused = [bare, enqueue(P0), drop_program(P0), program(P1), enqueue(P1), drop_program(P1)];
    assert_eq!(Model::opened("final", K2).then(&reused).messages(), (3, 3, 0));
}

/// T 0.8: "Fix 1 only moves the release a few instructions earlier [..] unless ProgramImpl is
/// co-owned, in which case ~Program of one handle empties the pool another still uses."
#[test]
fn release_pool_shows_only_where_a_program_has_two_owners() {
    let share = Op::ShareProgram { program: P1, of: P0 };
    let assign = Op::Assign { buffer: B0, program: P0 };
    let ops = [program(P0), share, dram(B0), assign, drop_buffer(B0), drop_program(P0)];
    let off = Model::opened("final", K2).then(&ops);
    let on = Model::opened("final+release-pool", K2).then(&ops);
    assert_eq!((off.says("address-returned"), on.says("address-returned")), (0, 1));
    let sole: Vec<Op> =
        ops.iter().filter(|op| !matches!(op, Op::ShareProgram { .. })).cloned().collect();
    let off = Model::opened("final", K2).then(&sole);
    assert_eq!(off.lines, Model::opened("final+release-pool", K2).then(&sole).lines);
}

/// T 0.4: "Both guards are no-ops single-threaded": all they leave is a note.
#[test]
fn the_guards_only_note_what_they_swallow() {
    let place = Place::Device(DeviceId(0));
    let single = Op::Alloc { buffer: B1, place, spec: spec(Dram, 1, 2048) };
    let twice =
        [single, Op::Deallocate(B1), Op::Deallocate(B1), dram(B0), Op::Mark(B0), Op::Mark(B0)];
    for guard in ["guard-mark", "guard-dealloc"] {
        let off = Model::opened("before", K2).then(&twice);
        let on = Model::opened(&format!("before+{guard}"), K2).then(&twice);
        assert_eq!((off.count(MaskedDoubleFree), on.count(MaskedDoubleFree)), (0, 1), "{guard}");
        assert_eq!(off.lines.0, on.lines.without_swallowed(), "{guard}");
    }
}

/// T A6, F2: "FREE on non-owner dtor/deallocate: yes".
#[test]
fn nonowner_free_frees_the_locals_when_they_die() {
    let ops = [dram(B0), drop_buffer(B0)];
    assert_eq!(Model::opened("original", K2).then(&ops).messages(), (9, 1, 0));
    assert_eq!(Model::opened("original+nonowner-free", K2).then(&ops).messages(), (9, 9, 0));
}

/// T A6, U-SHM: "fans out one record [...] to each underlying physical Device, on alloc and on
/// free"; without it only the mesh's own id shows the bytes.
#[test]
fn owner_fan_out_shows_every_chip() {
    let plain = Model::opened("upstream", Shm).then(&[dram(B0)]);
    assert_eq!((plain.messages(), plain.count(Visibility)), ((1, 0, 0), 7));
    let fanned = Model::opened("upstream+owner-fan-out", Shm).then(&[dram(B0)]);
    assert_eq!((fanned.messages(), fanned.counts()), ((8, 0, 0), vec![]));
}

/// T F, S-TYPECOLLIDE: L1 and DRAM at one address of one device share an entry; typed-key parts
/// them.
#[test]
fn typed_key_parts_l1_and_dram_at_one_address() {
    let high = BufferSpec { shards: Some(1), ..spec(L1, 1, 1_499_136 - 1_048_640) };
    let ops = [dram(B0), alloc_on(B1, M0, high)];
    let shared = Model::opened("final", K2).then(&ops);
    assert_eq!(shared.object(B0).address, shared.object(B1).address);
    assert_eq!(shared.report().leftover_keys, Some(8));
    assert_eq!(shared.count(TrackerTruth), 8);
    let typed = Model::opened("final+typed-key", K2).then(&ops);
    assert_eq!((typed.report().leftover_keys, typed.counts()), (Some(16), vec![]));
}

/// T F, S-GC-REUSE: "alloc A; A.deallocate(); alloc B (gets A's address); drop A handle; free B".
/// The late FREE kills the new entry; with the owner's id in the key it finds its own.
#[test]
fn a_late_free_kills_the_new_owners_entry_unless_the_key_has_the_owner() {
    let reuse = [dram(B0), Op::Deallocate(B0), dram(B1), drop_buffer(B0), drop_buffer(B1)];
    let model = Model::opened("fork-head", K1).then(&reuse).finish();
    assert_eq!((model.messages(), model.count(StaleFree)), ((16, 16, 8), 8));
    let by_owner = Model::opened("fork-head+owner-id-key", K1).then(&reuse).finish();
    assert_eq!((by_owner.messages(), by_owner.report().leftover_keys), ((16, 16, 0), Some(0)));
}

/// S 1.7: "owner_pid = pid of the FIRST ALLOC"; "when the first owner dies the entry goes, and the
/// survivor's FREE is unknown".
#[test]
fn the_reaper_removes_a_shared_entry_and_the_survivors_free_is_unknown() {
    let q = |process| Op::Process(ProcessId(process));
    let other = alloc_on(B1, M1, spec(Dram, 1, 2048));
    let ops = [dram(B0), q(1), open(M1), other, Op::Kill(ProcessId(0)), Op::Reap];
    let model = Model::opened("final", K2).then(&ops);
    assert_eq!((model.says("reaped pid=1000 keys=8"), model.report().leftover_keys), (1, Some(0)));
    assert_eq!(model.report().leftover_bytes, 0, "the size is subtracted once");
    let model = model.then(&[drop_buffer(B1)]);
    assert_eq!(model.messages(), (16, 8, 8));
}

/// T E3: the slot of a dead process is "reaped if pid is dead (bytes subtracted)"; a survivor keeps
/// its own.
#[test]
fn the_shared_counters_of_a_dead_process_are_subtracted() {
    let q = |process| Op::Process(ProcessId(process));
    let other = alloc_on(B1, M1, spec(Dram, 1, 4096));
    let ops = [dram(B0), q(1), open(M1), other, Op::Kill(ProcessId(0))];
    let model = Model::opened("upstream-shm", Shm).then(&ops);
    assert_eq!(model.report().leftover_bytes, 8 * (2048 + 4096));
    let model = model.then(&[Op::Reap]);
    assert_eq!(model.report().leftover_bytes, 8 * 4096);
    assert_eq!(model.then(&[drop_buffer(B1)]).report().leftover_bytes, 0);
}

/// What the child of a fork has are copies: whatever becomes of them, the process has its own.
#[test]
fn a_fork_changes_nothing_of_the_process_and_sends_nothing() {
    for (server, fixes) in [(K1, "fork-head"), (K2, "final"), (Shm, "upstream-shm")] {
        let model = Model::opened(fixes, server).then(&[dram(B0), Op::Deallocate(B0), dram(B1)]);
        let before = model.messages();
        let forks = [Op::Fork(ChildEnd::Exit), Op::Fork(ChildEnd::Immediate)];
        let model = model.then(&forks);
        assert_eq!(model.messages(), before);
        assert_eq!((model.says("forked pid=1000 end=exit"), model.says("end=_exit")), (1, 1));
        let plain = Model::opened(fixes, server).then(&[dram(B0), Op::Deallocate(B0), dram(B1)]);
        let ended = |model: Model| model.then(&[Op::Exit]).finish().messages();
        assert_eq!(ended(model), ended(plain));
    }
}

/// A process cannot reach another's memory: its names hold nothing elsewhere.
#[test]
fn a_name_holds_nothing_in_another_process() {
    let q = |process| Op::Process(ProcessId(process));
    let ops = [dram(B0), q(1), Op::Deallocate(B0), drop_buffer(B0), Op::Close(M0), Op::Exit];
    let model = Model::opened("final", K2).then(&ops);
    assert_eq!((model.messages(), model.says("mesh-closed")), ((8, 0, 0), 0));
    let model = model.then(&[dram(B0), q(0), drop_buffer(B0)]);
    assert_eq!(model.messages(), (8, 8, 0));
}

/// S 1.6, era A: "any error => message lost"; S 5.2 #19: a blocking sender loses none.
#[test]
fn a_full_socket_loses_messages_unless_the_sender_blocks() {
    let ops = [Op::Lose(8), dram(B0), drop_buffer(B0)];
    let lossy = Model::opened("final", K2).then(&ops);
    assert_eq!((lossy.messages(), lossy.says(" lost ")), ((0, 8, 8), 1));
    let blocking = Model::opened("final+blocking-send", K2).then(&ops);
    assert_eq!((blocking.messages(), blocking.counts()), ((8, 8, 0), vec![]));
}

/// S 1.6, era B: "an unread ALLOC on the old socket can be overtaken by its FREE on the new one".
#[test]
fn a_free_overtakes_its_alloc_on_a_new_socket_unless_the_old_one_is_closed_first() {
    let ops = [Op::Stall, dram(B0), Op::Reconnect, drop_buffer(B0)];
    let read = [Op::Deliver(Stream::New), Op::Deliver(Stream::Old)];
    let racing = Model::opened("final", K2).then(&ops);
    assert_eq!(racing.says("answered"), 0, "both wait in their sockets");
    let racing = racing.then(&read).finish();
    assert_eq!((racing.messages(), racing.count(Residue)), ((8, 8, 8), 8));
    assert_eq!(racing.says("reached message-overtook"), 1);
    let closing = Model::opened("final+close-before-reconnect", K2).then(&ops).then(&read).finish();
    assert_eq!((closing.messages(), closing.counts()), ((8, 8, 0), vec![]));
}

/// A search is rewarded for the mark: an empty socket has nothing that could be overtaken.
#[test]
fn a_reconnect_reaches_its_mark_only_if_something_is_unread() {
    let reached =
        |ops: &[Op]| Model::opened("final", K2).then(ops).says("reached reconnected-with-unread");
    assert_eq!(reached(&[dram(B0), Op::Reconnect]), 0);
    assert_eq!(reached(&[Op::Stall, dram(B0), Op::Reconnect]), 1);
}

/// T A1: the pool keeps a backing buffer alive. One that is gone cannot join it, and one that a
/// pool still holds can.
#[test]
fn a_deallocated_buffer_joins_a_pool_only_if_a_pool_has_kept_it() {
    let changed = |lines: &str| {
        let text = format!("open m0 1x1\nprogram p0 on m0\nalloc b0 on m0 dram 1x32\n{lines}");
        let mut model = Model::after("upstream-shm", &text);
        model.simulation.apply(&Op::Assign { buffer: B0, program: P0 }, &mut ()).changed
    };
    assert!(changed(""));
    assert!(!changed("deallocate b0\n"));
    assert!(changed("assign b0 to p0\ndeallocate b0\n"));
}

/// T B5: a mesh that closes takes its sub-device managers with it, and they their trace buffers.
#[test]
fn a_closing_mesh_destroys_its_trace_buffers() {
    let text = "trace-region 1048576\nopen m0 1x1\nbegin-trace r0 on m0\nrun k0 on m0\n\
                end-trace r0\n";
    let open = Model::after("upstream-shm", text);
    assert_eq!(open.says("buffer-destroyed trace(r0)"), 0);
    let closed = open.then(&[Op::Close(M0)]);
    assert_eq!(closed.says("buffer-destroyed trace(r0)"), 1);
}

/// P/9584: what a mesh did not wait for is never executed, but neither is it kept for ever.
#[test]
fn a_closed_mesh_lets_go_of_what_is_left_in_its_queue() {
    let text = "open m0 1x1\nprogram p0 on m0\nalloc b0 on m0 dram 1x32\nassign b0 to p0\n\
                async m0 on\nenqueue p0\ndrop p0\ndrop b0\nclose m0\n";
    let model = Model::after("upstream-shm+close-without-drain", text);
    assert_eq!(model.says("queued-program-ran"), 0);
    assert_eq!((model.says("program-destroyed"), model.says("buffer-destroyed b0")), (1, 1));
}

/// T B5: a physical device has one allocator of its own, whoever asks for it.
#[test]
fn the_buffers_of_a_device_share_one_allocator() {
    let text = "open m0 2x4\nalloc b0 on d0 dram 1x32\nalloc b1 on d0 dram 1x32\n\
                alloc b2 on d1 dram 1x32\n";
    let model = Model::after("upstream-shm", text);
    let place = |name| {
        let object = model.object(BufferHandle(name));
        (object.allocator, object.address)
    };
    assert_eq!(place(0).0, place(1).0);
    assert_ne!(place(0).1, place(1).1);
    assert_ne!(place(0).0, place(2).0);
}

/// A reducer drops a line that changes nothing; a collection without garbage is one.
#[test]
fn a_collection_changes_something_only_if_there_is_garbage() {
    let changed = |lines: &str| {
        let mut model = Model::after("upstream-shm", &format!("open m0 1x1\n{lines}"));
        model.simulation.apply(&Op::Gc, &mut ()).changed
    };
    assert!(!changed("alloc b0 on m0 dram 1x32\n"));
    assert!(changed("alloc b0 on m0 dram 1x32\ncycle b0\n"));
}

/// T F, S-STALEFREE: "bank-level deallocate_all, then object free after reuse" frees the new
/// owner's block; that owner's own free then finds nothing.
#[test]
fn a_bulk_release_makes_the_old_handle_free_the_new_owners_block() {
    let ops = [dram(B0), Op::DeallocateAll(M0), dram(B1), drop_buffer(B0)];
    let model = Model::opened("upstream-shm", Shm).then(&ops);
    assert_eq!(model.count(SingleFree), 1);
    assert_eq!(model.then(&[drop_buffer(B1)]).count(SingleFree), 2);
}

/// T F, S-CLEARLOW: "clear() leaves stale lowest_occupied", and programs clash with nothing.
#[test]
fn clearing_the_allocator_leaves_a_stale_lowest_address_unless_it_is_reset() {
    let ops = [low_l1(B0), Op::ClearAllocator(M0), run_op(0)];
    let stale = Model::opened("upstream-shm", Shm).then(&ops);
    assert_eq!((stale.count(Lowest), stale.count(CbClash)), (1, 1));
    let reset = Model::opened("upstream-shm+clear-resets-lowest", Shm).then(&ops);
    assert_eq!((reset.count(Lowest), reset.count(CbClash), reset.says("program-ran 0")), (0, 0, 1));
}

/// T F, S-THROWLEAK: "interleaved L1 below limit throws but keeps block".
#[test]
fn an_allocation_below_the_limit_keeps_its_block_unless_it_is_atomic() {
    let setup = || Setup { l1_limit: Some(DeviceAddr(800_000)), ..Setup::default() };
    let large = alloc_on(B0, M0, spec(L1, 64 * 400, 2048));
    let text = "Out of Memory: Cannot allocate at an address below 800000. Allocation at 679936";
    let mut leaking = Model::on(setup(), "upstream-shm", Shm).then(&[open(M0)]);
    assert_eq!(leaking.refused(&large).as_deref(), Some(text));
    assert_eq!(leaking.counts(), [(FreeList, 1)]);
    let leaking = leaking.finish();
    assert_eq!(leaking.counts(), [(FreeList, 1), (DeviceLeak, 1)], "and it is there at the end");
    let mut atomic = Model::on(setup(), "upstream-shm+atomic-allocation", Shm).then(&[open(M0)]);
    assert_eq!(atomic.refused(&large).as_deref(), Some(text));
    assert_eq!(atomic.finish().counts(), []);
}

/// S 5.2 #8 and T B5: close leaves the program cache to the destructor, so that a kernel binary is
/// live at close; clear-cache-on-close gives it back first.
#[test]
fn clear_cache_on_close_gives_the_kernel_back_before_the_close() {
    let kernel = Some(Pages { count: 4, size: Bytes(1024) });
    let ops = [Op::Run(Box::new(RunSpec { kernel, ..operation(0) })), Op::Close(M0)];
    let off = Model::opened("upstream-shm", Shm).then(&ops);
    assert_eq!((off.says("mesh-closed id=0 live=1"), off.says("cache-cleared")), (1, 0));
    let on = Model::opened("upstream-shm+clear-cache-on-close", Shm).then(&ops);
    assert_eq!((on.says("mesh-closed id=0 live=0"), on.says("cache-cleared")), (1, 1));
}

/// A piece of a MeshBuffer can die on its own; a chip that it is not on has none.
#[test]
fn a_released_local_frees_its_own_chip_only() {
    let release = |device| Op::Release { buffer: B0, piece: Piece::Local(DeviceId(device)) };
    let model = Model::opened("final", K2).then(&[dram(B0), release(3), release(64), release(3)]);
    assert_eq!((model.messages(), model.says("sent FREE device=3 ")), ((8, 1, 0), 1));
    assert_eq!(model.object(B0).non_owners, Lanes(0b1111_0111));
    assert_eq!(model.then(&[drop_buffer(B0)]).messages(), (8, 8, 0));
}

/// The main branch's own tracking (T 0.10, end) must be clean for a program that does nothing wrong,
/// or every count of this simulator is noise.
#[test]
fn an_ordinary_program_is_clean_upstream() {
    let view = Op::View { buffer: BufferHandle(2), of: B0, pages: None };
    let output = Some((BufferHandle(3), spec(L1, 8, 2048)));
    let kernel = Some(Pages { count: 4, size: Bytes(1024) });
    let compute = RunSpec { kernel, output, reads: vec![B0, B1], ..operation(0) };
    let mut ops =
        vec![dram(B0), l1(B1), view, Op::Run(Box::new(compute)), Op::Use(BufferHandle(2))];
    ops.extend([2, 0, 1, 3].map(|name| Op::Deallocate(BufferHandle(name))));
    ops.extend([2, 0, 1, 3].map(|name| drop_buffer(BufferHandle(name))));
    ops.extend([Op::ClearCache(M0), Op::Close(M0), DROP_M0, Op::Exit]);
    let model = Model::opened("upstream-shm", Shm).then(&ops).finish();
    assert_eq!((model.counts(), model.says("program-ran 0")), (vec![], 1));
    assert_eq!((model.messages(), model.report().leftover_bytes), ((32, 32, 0), 0));
}

/// Threads that share an allocator and nothing else must be clean however they interleave, or every
/// violation of an explored order is in doubt.
#[test]
fn threads_with_buffers_of_their_own_are_clean_upstream_in_any_order() {
    let thread = |first: u32, buffer_type| -> Vec<Op> {
        let (one, other) = (BufferHandle(first), BufferHandle(first + 1));
        let alloc = |buffer, count| alloc_on(buffer, M0, spec(buffer_type, count, 2048));
        let again = [alloc(one, 3), alloc(other, 1), Op::Deallocate(one), Op::Checkpoint];
        [&again[..], &[drop_buffer(one), drop_buffer(other), alloc(one, 2)]].concat()
    };
    let (mut choices, mut interleaved) = (Seeded::new(3), 0);
    for _ in 0..300 {
        let mut model = Model::opened("upstream-shm", Shm);
        model.simulation.load(vec![thread(1, Dram), thread(3, Dram), thread(5, L1)]);
        while let ready @ 1.. = model.simulation.world().ready().len() {
            let pick = choices.pick(ready as u64) as usize;
            model.simulation.step(pick, &mut model.lines);
        }
        interleaved += model.says("reached threads-interleaved");
        assert_eq!(model.then(&[Op::Exit]).finish().counts(), []);
    }
    assert!(interleaved > 1000, "only {interleaved} operations began inside another");
}

/// A view keeps its root alive, also when the root's device-local buffers have died one by one and
/// nothing else of it is left: the view lets go of it last.
#[test]
fn a_view_outlives_the_last_device_local_buffer_of_its_root() {
    let one = Op::Open { mesh: M0, shape: MeshShape { rows: 1, columns: 1 }, at: (0, 0) };
    let release = Op::Release { buffer: B0, piece: Piece::Local(DeviceId(4)) };
    let drop = |buffer| Op::Drop(Handle::Buffer(buffer));
    let model = Model::new("before", K1).then(&[
        one,
        l1(B0),
        Op::View { buffer: B1, of: B0, pages: None },
        release,
        drop(B0),
    ]);
    assert_eq!(model.says("buffer-destroyed b0"), 0);
    let model = model.then(&[drop(B1)]);
    assert_eq!(model.says("buffer-destroyed b0"), 1);
    assert_eq!(model.says("buffer-destroyed b1"), 1);
}

/// The same for ordinary programs in random order; views outlive their roots in them, but nothing
/// reads through one, so that not even they are at fault.
#[test]
fn two_thousand_random_ordinary_programs_are_clean_upstream() {
    let fixes: FixSet = "upstream-shm".parse().expect("a preset");
    let mut failing: BTreeMap<OracleName, Vec<u64>> = BTreeMap::new();
    let mut operations = 0;
    for seed in 0..2000 {
        let scenario = case(Profile::Basic, Order::Urw, &mut Seeded::new(seed)).scenario();
        let report = run(&scenario, fixes, Shm, 0, &mut ());
        operations += report.operations;
        for (oracle, _) in report.findings.counts() {
            failing.entry(oracle).or_default().push(seed);
        }
    }
    assert_eq!(failing, BTreeMap::new(), "the seeds at which each oracle fired");
    assert!(operations > 190_000, "only {operations} operations changed anything");
}

/// Measured on the real runtime: `ttnn.deallocate(t, force=False)` looks whether anybody else holds
/// the MeshBuffer, in a cycle too.
#[test]
fn deallocate_without_force_spares_what_somebody_else_holds() {
    let shared = "open m0 1x1\nalloc b0 on m0 dram 1x2048\nshare b1 of b0\n";
    for (rest, state) in [
        ("deallocate-unforced b0\n", MeshBufferState::Owned),
        ("cycle b1\ndeallocate-unforced b0\n", MeshBufferState::Owned),
        ("drop b1\ndeallocate-unforced b0\n", MeshBufferState::Deallocated),
        ("deallocate b0\n", MeshBufferState::Deallocated),
    ] {
        let model = Model::after("upstream-shm", &format!("{shared}{rest}"));
        assert_eq!(model.object(B0).state, state, "{rest}");
    }
}

/// Where `ttnn.move` puts a tensor, on an N150: what was there before, where it was, where it is
/// then, and the size of the circular buffer of its program.
#[test]
fn a_moved_tensor_takes_what_is_free_without_it() {
    // From measurements: a hole that is larger, one that is smaller, so that the two overlap.
    let measured = [
        ("dram 288x2048", "1x2048", "dram", (1_097_792, 1_048_640), 4096),
        ("dram 1x2048", "576x2048", "dram", (1_050_688, 1_048_640), 16_384),
        ("dram 1x2048", "11520x70", "dram", (1_050_688, 1_048_640), 12_800),
        ("l1 288x2048", "1x576", "l1", (1_457_600, 1_465_792), 1152),
        ("l1 1x2048", "576x2048", "l1", (1_447_936, 1_449_984), 16_384),
        ("l1 1x2048", "288x128", "l1", (1_463_808, 1_465_856), 256),
    ];
    for (hole, pages, kind, (from, to), size) in measured {
        let two = pages.split_once('x').expect("pages").1.parse::<u64>().expect("a size");
        let alignment = if kind == "l1" { Bytes(16) } else { Bytes(32) };
        let cbs = 2 * Bytes(two).round_up(alignment).0;
        let text = format!(
            "machine N150\nl1-small 32768\nopen m0 1x1\nalloc b9 on m0 {hole}\n\
             alloc b0 on m0 {kind} {pages}\ndrop b9\ncapture begin normal\n"
        );
        let model = Model::after("upstream-shm", &text);
        assert_eq!(model.object(B0).address.0, from, "{hole}, {pages}");
        let moved = format!("run k0 on m0 cbs 1x{cbs} reads b0 out b1 {kind} {pages} move\n");
        let model = Model::after("upstream-shm", &format!("{text}{moved}"));
        assert_eq!(model.object(B1).address.0, to, "{hole}, {pages}");
        assert_eq!(model.object(B0).state, MeshBufferState::Deallocated);
        let shown = format!("circular_buffer_allocate devices=0 address=105824 size={size}");
        assert_eq!(model.says(&shown), 1, "{hole}, {pages}: {:#?}", model.lines.0);
        let again = "run k0 on m0 cbs 1x64 reads b1 out b2 dram 1x2048 reallocate\n";
        let again = again.replace("dram 1x2048", &format!("{kind} {pages}"));
        let model = Model::after("upstream-shm", &format!("{text}{moved}{again}"));
        assert_eq!(model.object(B2).address.0, to, "where it is already");
        assert_eq!(model.says("program-built"), 1, "and no program runs");
    }
}

/// What fails after the tensor gave its memory back has lost it: a closed mesh, a clash.
#[test]
fn a_move_that_fails_has_lost_its_tensor() {
    let moved = "run k0 on m0 cbs 1x8192 reads b0 out b1 dram 1x4096 move\n";
    let scenario: Scenario = format!("freeorder 1\n{moved}").parse().expect("a scenario");
    let moved = scenario.ops().next().expect("one line").1.clone();
    let before = "machine N150\nopen m0 1x1\nalloc b9 on m0 dram 1x4096\n\
                  alloc b0 on m0 dram 1x4096\ndrop b9\n";
    for (then, text) in [
        ("close m0\n", "SubDeviceManagerTracker is not initialized"),
        ("alloc b8 on m0 l1 48744x2048\n", "Statically allocated circular buffers in program 0"),
    ] {
        let mut model = Model::after("upstream-shm", &format!("{before}{then}"));
        let said = model.refused(&moved).expect("it is refused");
        assert!(said.starts_with(text), "{said}");
        assert_eq!(model.object(B0).state, MeshBufferState::Deallocated);
        assert_eq!(model.simulation.world().runtime().object(B1), None);
        let said = model.refused(&moved);
        assert_eq!(said.as_deref(), Some("Tensor is not allocated"));
    }
}

/// A tensor that somebody else holds is its own result; a sharded one is refused.
#[test]
fn a_tensor_that_is_held_twice_is_not_moved() {
    let before = "open m0 1x1\nalloc b9 on m0 l1 2x2048 shards 2\n\
                  alloc b0 on m0 l1 2x2048 shards 2\nshare b3 of b0\ndrop b9\n";
    let mut model = Model::after("upstream-shm", before);
    let moved = Op::Run(Box::new(RunSpec {
        reads: vec![B0],
        output: Some((B1, BufferSpec { shards: Some(2), ..spec(L1, 2, 2048) })),
        moves: Some(Moves::Reallocate),
        ..operation(0)
    }));
    let said = model.refused(&moved);
    assert!(said.is_some_and(|said| said.starts_with("Expect input tensor to be deallocated")));
    let before = before.replace(" shards 2", "");
    let text = format!("{before}run k0 on m0 reads b0 out b1 l1 2x2048 move\n");
    let model = Model::after("upstream-shm", &text);
    assert_eq!(model.object(B1).address, model.object(B0).address);
    assert_eq!(model.object(B0).state, MeshBufferState::Owned);
    assert_eq!(model.says("program-built"), 0);
    assert_eq!(
        Model::after("upstream-shm", &format!("{text}deallocate b1\n")).object(B0).state,
        MeshBufferState::Deallocated
    );
}
