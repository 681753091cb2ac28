//! Each oracle fires on the fault it asks about, and is silent on the legal twin of that fault.
//!
//! The events are fed straight into the oracles: what the model can produce does not matter here.

use freeorder::event::{
    AllocationStatus, AllocatorId, AllocatorState, Event, GraphNode, Guard, Observer, Part,
    ProgramBuffers, RawPointer, Region, RegionBounds, Singleton, TableBlock, Tick, TrackedDevice,
};
use freeorder::journal::Tracking;
use freeorder::message::{AllocMessage, CallPath, MessageKind, ObjectRef, Origin, Role, UniqueId};
use freeorder::op::{BufferHandle, RunMode, SubDeviceManagerId, TraceHandle};
use freeorder::oracle::Oracles;
use freeorder::units::{BufferType, Bytes, DeviceAddr, DeviceId, Lanes};
use freeorder::violation::OracleName::{self, *};

const CHIPS: Lanes = Lanes(0b11);
const A: u32 = 1;
const B: u32 = 2;

type Counts = Vec<(OracleName, u64)>;

/// What the oracles count over a stream, which is undone and repeated on the way.
fn said(events: &[Event<'_>]) -> Counts {
    let mut oracles = Oracles::new(Tracking::FULL, 16);
    let initial = oracles.hash();
    for round in 0..2 {
        for (index, event) in events.iter().enumerate() {
            oracles.mark();
            oracles.observe(Tick(index as u64), event);
        }
        if round == 0 {
            while oracles.undo() {}
            assert_eq!(oracles.hash(), initial, "undo restores what the oracles remember");
            assert_eq!(oracles.findings().counts().count(), 0, "and what they said");
        }
    }
    let findings = oracles.findings();
    let kept: u64 = findings.violations().iter().map(freeorder::violation::Violation::count).sum();
    let counted: u64 = findings.counts().map(|(_, count)| count).sum();
    assert_eq!(kept, counted, "all are kept");
    findings.counts().collect()
}

fn object(number: u32) -> ObjectRef {
    let origin = Origin::Named(BufferHandle(number));
    ObjectRef { origin, unique_id: UniqueId(u64::from(number)) }
}

fn region(allocator: u32) -> Region {
    Region { allocator: AllocatorId(allocator), buffer_type: BufferType::L1 }
}

fn opened(allocator: u32) -> Event<'static> {
    let (start, end) = (DeviceAddr(1024), DeviceAddr(2048));
    let bounds = RegionBounds { start, end, alignment: Bytes(32) };
    Event::RegionOpened { region: region(allocator), devices: CHIPS, bounds }
}

fn state(allocated: u64, lowest: impl Into<Option<u64>>) -> AllocatorState {
    AllocatorState { allocated: Bytes(allocated), lowest: lowest.into().map(DeviceAddr) }
}

/// A block of 64 bytes, of a buffer of 512 on each chip.
fn taken(allocator: u32, by: u32, address: u64, after: AllocatorState) -> Event<'static> {
    Event::AddressTaken {
        region: region(allocator),
        object: object(by),
        devices: CHIPS,
        address: DeviceAddr(address),
        bytes: Bytes(64),
        size: Bytes(512),
        after,
    }
}

fn returned(by: u32, address: u64, found: Option<u64>, after: AllocatorState) -> Event<'static> {
    let (address, found) = (DeviceAddr(address), found.map(Bytes));
    Event::AddressReturned { region: region(0), by: object(by), address, found, after }
}

fn changed(
    number: u32,
    part: Part,
    from: AllocationStatus,
    to: AllocationStatus,
) -> Event<'static> {
    Event::StatusChanged {
        object: object(number),
        part,
        from,
        to,
        region: region(0),
        address: DeviceAddr(1024),
        allocator_alive: true,
    }
}

fn allocated(number: u32) -> Event<'static> {
    use AllocationStatus::{Allocated, AllocationRequested};
    changed(number, Part::Owner, AllocationRequested, Allocated)
}

fn deallocated(number: u32) -> Event<'static> {
    use AllocationStatus::{Allocated, Deallocated};
    changed(number, Part::Owner, Allocated, Deallocated)
}

fn message(kind: MessageKind, number: u32) -> AllocMessage {
    AllocMessage {
        kind,
        devices: CHIPS,
        address: DeviceAddr(1024),
        size: Bytes(512),
        buffer_type: BufferType::L1,
        pid: 1000,
        owner: UniqueId(u64::from(number)),
        sender: object(number),
        path: CallPath::AllocateImpl,
        released_by: Role::UserHandle,
    }
}

fn alloc(number: u32) -> AllocMessage {
    message(MessageKind::Alloc, number)
}

fn free(number: u32) -> AllocMessage {
    message(MessageKind::Free, number)
}

fn answered(message: &AllocMessage) -> Event<'_> {
    Event::Answered { message, missed: Lanes::NONE }
}

fn block(address: u64, size: u64, allocated: bool) -> TableBlock {
    TableBlock { address: DeviceAddr(address), size: Bytes(size), allocated }
}

fn last(tracked: &[u64], keyed: bool) -> Event<'_> {
    Event::Checkpoint { last: true, tracked, keyed }
}

/// An allocator that loses count corrupts memory long before a program notices.
#[test]
fn a_count_that_is_not_what_was_given_out_is_a_fault_of_the_free_list() {
    assert_eq!(said(&[opened(0), taken(0, A, 1024, state(128, 1024))]), [(FreeList, 1)]);
    assert_eq!(said(&[opened(0), taken(0, A, 1024, state(64, 1024))]), []);
}

/// A failed call must change nothing (invariant 5); the C++ keeps the block that it throws over.
#[test]
fn a_failed_call_that_keeps_its_block_is_a_fault_of_the_free_list_once() {
    let failed = |after| {
        let (region, object, short_of) = (region(0), object(A), None);
        Event::AllocationFailed { region, object, short_of, after }
    };
    let events = [opened(0), failed(state(64, None)), taken(0, A, 1024, state(128, 1024))];
    assert_eq!(said(&events), [(FreeList, 1)]);
    let cleared = Event::RegionCleared { region: region(0), after: state(64, None) };
    let bulk = [opened(0), failed(state(64, None)), cleared, taken(0, A, 1024, state(128, 1024))];
    assert_eq!(said(&bulk), [(FreeList, 1)], "a bulk release does not give it back");
    let twin = [opened(0), failed(state(0, None)), taken(0, A, 1024, state(64, 1024))];
    assert_eq!(said(&twin), []);
}

/// Coalescing was wrong once (PR 28659): two free neighbours, or a gap, are blocks that nobody can
/// have.
#[test]
fn free_neighbours_and_gaps_in_the_block_table_are_faults_of_the_free_list() {
    let table = |blocks| Event::BlockTable { region: region(0), blocks, after: state(64, 1024) };
    let take = taken(0, A, 1024, state(64, 1024));
    let split = [block(1024, 64, true), block(1088, 64, false), block(1152, 896, false)];
    assert_eq!(said(&[opened(0), take, table(&split)]), [(FreeList, 1)]);
    let gap = [block(1024, 64, true), block(1152, 896, false)];
    assert_eq!(said(&[opened(0), take, table(&gap)]), [(FreeList, 1)]);
    let short = [block(1024, 64, true), block(1088, 64, false)];
    assert_eq!(said(&[opened(0), take, table(&short)]), [(FreeList, 1)]);
    let whole = [block(1024, 64, true), block(1088, 960, false)];
    assert_eq!(said(&[opened(0), take, table(&whole)]), []);
}

/// Parent and submesh allocate the same addresses independently (tt-metal.md B5): the fault counts
/// once for each chip they share.
#[test]
fn two_allocators_that_share_bytes_of_a_chip_overlap() {
    let first = taken(0, A, 1024, state(64, 1024));
    let across = [opened(0), opened(1), first, taken(1, B, 1056, state(64, 1056))];
    assert_eq!(said(&across), [(Overlap, 2)]);
    let beside = [opened(0), opened(1), first, taken(1, B, 1088, state(64, 1088))];
    assert_eq!(said(&beside), []);
    let elsewhere = Event::AllocatorDestroyed { allocator: AllocatorId(0) };
    let after = [opened(0), opened(1), first, elsewhere, taken(1, B, 1024, state(64, 1024))];
    assert_eq!(said(&after), [], "a dead allocator holds nothing");
}

/// A block that leaves its region overwrites what lies behind it, and an odd one cannot be read by
/// the DRAM controller (invariant 2).
#[test]
fn a_block_outside_its_region_or_off_its_alignment_overlaps() {
    assert_eq!(said(&[opened(0), taken(0, A, 2016, state(64, 2016))]), [(Overlap, 1)]);
    assert_eq!(said(&[opened(0), taken(0, A, 1040, state(64, 1040))]), [(Overlap, 1)]);
    assert_eq!(said(&[opened(0), taken(0, A, 1984, state(64, 1984))]), []);
}

/// Validation of circular buffers trusts the lowest address: too high, and programs overwrite
/// buffers.
#[test]
fn a_lowest_address_that_is_not_the_lowest_is_inexact() {
    let first = taken(0, A, 1088, state(64, 1088));
    let stale = [opened(0), first, taken(0, B, 1024, state(128, 1088))];
    assert_eq!(said(&stale), [(Lowest, 1)]);
    let exact = [opened(0), first, taken(0, B, 1024, state(128, 1024))];
    assert_eq!(said(&exact), []);
}

/// The C++ looks an address up without asking who frees: a reused one frees its new owner.
#[test]
fn a_block_that_somebody_else_or_nobody_holds_is_not_freed_singly() {
    let take = taken(0, A, 1024, state(64, 1024));
    let by_other = [opened(0), take, returned(B, 1024, Some(64), state(0, None))];
    assert_eq!(said(&by_other), [(SingleFree, 1)]);
    let own = returned(A, 1024, Some(64), state(0, None));
    let twice = [opened(0), take, own, returned(A, 1024, None, state(0, None))];
    assert_eq!(said(&twice), [(SingleFree, 1)]);
    assert_eq!(said(&[opened(0), take, own]), []);
}

/// There is no way back from DEALLOCATED (tt-metal.md A2).
#[test]
fn a_buffer_that_comes_back_to_life_leaves_its_state_machine() {
    use AllocationStatus::{Allocated, Deallocated};
    let back = changed(A, Part::NonOwners(CHIPS), Deallocated, Allocated);
    assert_eq!(said(&[back]), [(StateMachine, 1)]);
    assert_eq!(said(&[allocated(A), deallocated(A)]), []);
}

/// Tracking before the status was the deadlock of PR 17436.
#[test]
fn a_buffer_that_is_tracked_before_it_is_allocated_leaves_its_state_machine() {
    let alloc = alloc(A);
    assert_eq!(said(&[Event::Sent(&alloc), allocated(A)]), [(StateMachine, 1)]);
    assert_eq!(said(&[allocated(A), Event::Sent(&alloc)]), []);
}

/// `mark_as_deallocated` on a backing buffer keeps the block for ever (tt-metal.md 0.1), and its
/// bytes are nobody's from then on.
#[test]
fn a_deallocated_owner_that_keeps_its_block_leaks_it() {
    let take = taken(0, A, 1024, state(64, 1024));
    let none = Event::Quiescent { tracked: &[0, 0] };
    let kept = [opened(0), take, allocated(A), deallocated(A), none];
    assert_eq!(said(&kept), [(DeviceLeak, 1)]);
    let give = returned(A, 1024, Some(64), state(0, None));
    assert_eq!(said(&[opened(0), take, allocated(A), give, deallocated(A), none]), []);
}

/// A block that no event ever took is as lost as one that was not given back.
#[test]
fn a_block_that_nobody_took_is_a_leak_at_a_checkpoint() {
    let blocks = [block(1024, 64, true), block(1088, 960, false)];
    let table = Event::BlockTable { region: region(0), blocks: &blocks, after: state(64, None) };
    assert_eq!(said(&[opened(0), table]), [(DeviceLeak, 1)]);
    assert_eq!(said(&[opened(0), taken(0, A, 1024, state(64, 1024)), table]), []);
}

/// `allocated_buffers_` is a set of raw pointers, walked when the device closes.
#[test]
fn a_dead_owner_in_allocated_buffers_is_a_fault_of_the_registry() {
    let allocator = AllocatorId(0);
    let enter = Event::Registered { allocator, object: object(A) };
    let leave = Event::Unregistered { allocator, object: object(A) };
    let destroyed = |registered| Event::BufferDestroyed {
        object: object(A),
        released_by: Role::UserHandle,
        registered,
    };
    assert_eq!(said(&[enter, allocated(A), deallocated(A)]), [(Registry, 1)]);
    assert_eq!(said(&[enter, allocated(A), destroyed(true)]), [(Registry, 1)]);
    let both = [enter, allocated(A), deallocated(A), destroyed(true)];
    assert_eq!(said(&both), [(Registry, 1)], "one pointer is one fault");
    assert_eq!(said(&[enter, allocated(A), leave, deallocated(A), destroyed(false)]), []);
}

/// Issue 12046: a buffer whose address was set does not own it, and was in the map of buffers all
/// the same when somebody else destroyed it.
#[test]
fn an_alias_that_is_destroyed_in_allocated_buffers_is_a_fault_of_the_registry() {
    let enter = Event::Registered { allocator: AllocatorId(0), object: object(B) };
    let destroyed = |registered| Event::BufferDestroyed {
        object: object(B),
        released_by: Role::UserHandle,
        registered,
    };
    assert_eq!(said(&[enter, destroyed(true)]), [(Registry, 1)]);
    assert_eq!(said(&[destroyed(false)]), []);
}

/// Issue 44640: memory whose owner is ALLOCATED, and out of everybody's reach, is as lost as any;
/// what clashes with it clashes with a leak.
#[test]
fn an_owner_that_nobody_can_let_go_of_leaks_its_block() {
    let take = taken(0, A, 1024, state(64, 1024));
    let (region, address) = (region(0), DeviceAddr(1024));
    let stranded = Event::Stranded { object: object(A), region, address };
    let clash =
        Event::ProgramClashed { program: 0, region, lowest: address, region_end: DeviceAddr(1056) };
    let lost = [opened(0), take, allocated(A), stranded, clash];
    assert_eq!(said(&lost), [(DeviceLeak, 1), (CbClash, 1)]);
    assert_eq!(said(&[opened(0), take, allocated(A), clash]), []);
}

/// Issue 53537: a hit that is not validated overwrites the buffers that came after the miss.
#[test]
fn a_program_that_runs_over_an_l1_buffer_clashes() {
    let over = |lowest| Event::ProgramOverlaid {
        program: 0,
        region: region(0),
        lowest: DeviceAddr(lowest),
        region_end: DeviceAddr(1536),
    };
    let held = [opened(0), taken(0, A, 1024, state(64, 1024)), allocated(A)];
    assert_eq!(said(&[held[0], held[1], held[2], over(1024)]), [(CbClash, 1)]);
    assert_eq!(said(&[held[0], held[1], held[2], over(1088)]), [], "nothing is there");
}

/// Issue 35516: out of memory although space suffices. The note tells the two reasons apart.
#[test]
fn memory_that_is_not_to_be_had_is_noted_with_the_reason() {
    let take = taken(0, A, 1536, state(64, 1536));
    let failed = |bytes: Option<u64>| Event::AllocationFailed {
        region: region(0),
        object: object(B),
        short_of: bytes.map(Bytes),
        after: state(64, 1536),
    };
    let reason = |bytes| {
        let mut oracles = Oracles::new(Tracking::NONE, 1);
        for event in [opened(0), take, failed(Some(bytes))] {
            oracles.observe(Tick(0), &event);
        }
        assert!(!oracles.findings().failed(), "a note changes no verdict");
        oracles.findings().violations()[0].what
    };
    assert!(reason(960).contains("fragmentation"), "{}", reason(960));
    assert!(reason(961).contains("exhaustion"), "{}", reason(961));
    assert_eq!(said(&[opened(0), take, failed(Some(960))]), [(Oom, 1)]);
    assert_eq!(said(&[opened(0), take, failed(None)]), [], "it was refused for another reason");
}

/// The published symptom. The keys know the ALLOC here: only the server has forgotten it.
#[test]
fn a_free_that_the_server_does_not_know_is_unknown() {
    let (alloc, free) = (alloc(A), free(A));
    let missed = Event::Answered { message: &free, missed: Lanes::one(DeviceId(1)) };
    assert_eq!(said(&[answered(&alloc), missed]), [(UnknownFree, 1)]);
    assert_eq!(said(&[answered(&alloc), answered(&free)]), []);
}

/// Balance must fire too: a second ALLOC of a live key is an ALLOC that follows an ALLOC.
#[test]
fn an_alloc_of_a_live_key_is_a_duplicate_and_out_of_turn() {
    let (one, other, free) = (alloc(A), alloc(B), free(A));
    let twice = [answered(&one), answered(&other)];
    assert_eq!(said(&twice), [(DuplicateAllocation, 2), (Balance, 2)]);
    let between = [answered(&one), answered(&free), answered(&other)];
    assert_eq!(said(&between), []);
    let typed = AllocMessage { buffer_type: BufferType::Dram, ..other };
    assert_eq!(said(&[answered(&one), answered(&typed)]), [], "DRAM is another key than L1");
}

/// A key may stay open at the end only while its owner is alive: its handle is still held.
#[test]
fn a_key_that_a_dead_owner_leaves_open_is_unbalanced() {
    let (alloc, free) = (alloc(A), free(A));
    assert_eq!(said(&[answered(&alloc), last(&[], true)]), [(Balance, 2)]);
    assert_eq!(said(&[answered(&free)]), [(Balance, 2)], "FREE follows no ALLOC");
    assert_eq!(said(&[allocated(A), answered(&alloc), last(&[], true)]), []);
    assert_eq!(said(&[answered(&alloc), answered(&free), last(&[], true)]), []);
}

/// The late FREE of a dead handle is taken for the new owner's, and every counter stays green
/// (tt-metal.md 0.10).
#[test]
fn a_free_by_another_owner_than_the_one_it_closes_is_stale() {
    let (alloc, stale, own) = (alloc(B), free(A), free(B));
    assert_eq!(said(&[answered(&alloc), answered(&stale)]), [(StaleFree, 2)]);
    assert_eq!(said(&[answered(&alloc), answered(&own)]), []);
}

/// The other three must fire with it: the old owner's FREE is late only if the new owner's ALLOC
/// found the key live, and then it closes the new owner's ALLOC.
#[test]
fn a_free_that_comes_after_the_next_alloc_is_out_of_order_and_stale() {
    let (old, new, late) = (alloc(A), alloc(B), free(A));
    let inverted = [answered(&old), answered(&new), answered(&late)];
    let all = [(DuplicateAllocation, 2), (Balance, 2), (StaleFree, 2), (EventOrder, 2)];
    assert_eq!(said(&inverted), all);
    assert_eq!(said(&[answered(&old), answered(&late), answered(&new)]), []);
}

/// DUMP_REMAINING lists what is left; what a live owner still holds is the system's baseline.
#[test]
fn an_entry_without_a_live_owner_is_residue() {
    let alloc = alloc(A);
    let entry = Event::ServerEntry {
        devices: CHIPS,
        address: DeviceAddr(1024),
        buffer_type: BufferType::L1,
        size: Bytes(512),
    };
    assert_eq!(said(&[answered(&alloc), entry]), [(Residue, 2)]);
    assert_eq!(said(&[allocated(A), answered(&alloc), entry]), []);
    assert_eq!(said(&[last(&[0, 512], false)]), [(Residue, 1)], "a server without keys");
    assert_eq!(said(&[last(&[0, 0], false)]), []);
}

/// A tracker that miscounts is balanced all the same (invariant 30).
#[test]
fn a_tracker_that_counts_other_bytes_than_are_held_is_not_true() {
    let take = taken(0, A, 1024, state(64, 1024));
    let counts = |tracked| Event::Quiescent { tracked };
    assert_eq!(said(&[opened(0), take, counts(&[512, 256])]), [(TrackerTruth, 1)]);
    let still = [opened(0), take, counts(&[512, 256]), counts(&[512, 256])];
    assert_eq!(said(&still), [(TrackerTruth, 1)], "what stays wrong is one fault");
    assert_eq!(said(&[opened(0), take, counts(&[512, 512])]), []);
}

/// Tracker-truth must fire too: a chip that shows nothing shows other bytes than it holds.
#[test]
fn a_chip_that_holds_bytes_and_shows_none_is_invisible() {
    let take = taken(0, A, 1024, state(64, 1024));
    let counts = |tracked| Event::Quiescent { tracked };
    let hidden = [opened(0), take, counts(&[512])];
    assert_eq!(said(&hidden), [(TrackerTruth, 1), (Visibility, 1)]);
    assert_eq!(said(&[opened(0), take, counts(&[512, 512])]), []);
}

/// A clash with a buffer that somebody holds is the application's affair (tt-metal.md 0.2).
#[test]
fn a_clash_with_what_nobody_can_give_back_is_not_justified() {
    let clash = Event::ProgramClashed {
        program: 0,
        region: region(0),
        lowest: DeviceAddr(1024),
        region_end: DeviceAddr(1280),
    };
    let take = taken(0, A, 1024, state(64, 1024));
    assert_eq!(said(&[opened(0), clash]), [(CbClash, 1)], "nothing is there");
    let leaked = [opened(0), take, allocated(A), deallocated(A), clash];
    assert_eq!(said(&leaked), [(DeviceLeak, 1), (CbClash, 1)], "a clash needs a leak first");
    assert_eq!(said(&[opened(0), take, allocated(A), clash]), []);
}

/// A view keeps its root object alive, not its allocation, and a cached program keeps raw
/// addresses.
#[test]
fn memory_that_its_owner_does_not_hold_is_used_after_free() {
    let read = |owner: u32, fresh| Event::MemoryAccessed {
        region: region(0),
        by: object(A),
        owner: UniqueId(u64::from(owner)),
        address: DeviceAddr(1024),
        size: Bytes(512),
        fresh,
    };
    let take = taken(0, A, 1024, state(64, 1024));
    assert_eq!(said(&[opened(0), read(A, true)]), [(UseAfterFree, 1)], "nobody holds it");
    assert_eq!(said(&[opened(0), take, read(B, true)]), [(UseAfterFree, 1)], "another does");
    assert_eq!(said(&[opened(0), take, read(A, false)]), [(UseAfterFree, 1)], "not bound now");
    assert_eq!(said(&[opened(0), take, read(A, true)]), []);
}

/// After close or expiry nothing may reach an allocator, a device or a registered buffer that is
/// gone.
#[test]
fn a_raw_pointer_to_what_is_gone_is_a_fault_of_teardown() {
    let follow = |alive| {
        let pointer = RawPointer::RegisteredBuffer;
        Event::RawPointerUsed { pointer, alive, object: object(A) }
    };
    assert_eq!(said(&[follow(false)]), [(Teardown, 1)]);
    let gone = Event::AllocatorDestroyed { allocator: AllocatorId(0) };
    let late = [opened(0), gone, taken(0, A, 1024, state(64, 1024))];
    assert_eq!(said(&late), [(Teardown, 1)]);
    assert_eq!(said(&[follow(true), opened(0), taken(0, A, 1024, state(64, 1024)), gone]), []);
}

/// A capture: the nodes, counted as they should be.
fn captured(nodes: &[GraphNode]) -> Vec<Event<'static>> {
    let mut counter = 0;
    let count = |&node: &GraphNode| {
        let event = Event::Captured { pid: 1000, depth: 0, counter, node };
        counter += node.count();
        event
    };
    nodes.iter().map(count).collect()
}

fn node(number: u32) -> GraphNode {
    GraphNode::Buffer { object: object(number), size: Bytes(512) }
}

fn node_allocated(number: u32, connection: u32, address: u64) -> GraphNode {
    let (object, address, size) = (object(number), DeviceAddr(address), Bytes(512));
    GraphNode::BufferAllocate { object, connection, region: region(0), address, size }
}

fn node_deallocated(number: u32, connection: u32, address: u64) -> GraphNode {
    let (object, address, size) = (object(number), DeviceAddr(address), Bytes(512));
    GraphNode::BufferDeallocate { object, connection, address, size }
}

/// After a block was taken, the nodes of a capture, all in their places.
fn said_of_capture(nodes: &[GraphNode]) -> Counts {
    let nodes = captured(&[&[GraphNode::CaptureStart], nodes, &[GraphNode::CaptureEnd]].concat());
    said(&[vec![opened(0), taken(0, A, 1024, state(64, 1024))], nodes].concat())
}

/// A capture that tells buffers apart by host pointer or address connects a new one to the node of
/// a dead one (PR 18764).
#[test]
fn a_buffer_event_that_is_connected_to_another_node_is_a_fault_of_the_graph() {
    assert_eq!(said_of_capture(&[node(B), node_allocated(A, 1, 1024)]), [(GraphEvents, 1)]);
    assert_eq!(said_of_capture(&[node_deallocated(A, 0, 1024)]), [(GraphEvents, 1)]);
    assert_eq!(said_of_capture(&[node(A), node(A)]), [(GraphEvents, 1)]);
    let both = [node(A), node_allocated(A, 1, 1024), node_deallocated(A, 1, 1024)];
    assert_eq!(said_of_capture(&both), []);
}

/// What the node says must be what the allocator did, at both ends.
#[test]
fn a_buffer_event_with_another_address_or_size_is_a_fault_of_the_graph() {
    assert_eq!(said_of_capture(&[node(A), node_allocated(A, 1, 1088)]), [(GraphEvents, 1)]);
    let moved = [node(A), node_allocated(A, 1, 1024), node_deallocated(A, 1, 1088)];
    assert_eq!(said_of_capture(&moved), [(GraphEvents, 1)]);
    let larger = GraphNode::Buffer { object: object(A), size: Bytes(1024) };
    assert_eq!(said_of_capture(&[larger, node_allocated(A, 1, 1024)]), [(GraphEvents, 1)]);
    assert_eq!(said_of_capture(&[node(A), node_allocated(A, 1, 0)]), [], "a hooked buffer");
    assert_eq!(said_of_capture(&[node(A), node_deallocated(A, 1, 1088)]), [], "an older buffer");
}

/// The counter of a deallocation was once that of the buffer node made for it (PR 12169).
#[test]
fn two_nodes_with_one_counter_are_a_fault_of_the_graph() {
    let mut events = captured(&[GraphNode::CaptureStart, node(A), node_deallocated(A, 1, 1024)]);
    assert_eq!(said(&events), []);
    let node = node_deallocated(A, 1, 1024);
    events[2] = Event::Captured { pid: 1000, depth: 0, counter: 1, node };
    assert_eq!(said(&events), [(GraphEvents, 1)]);
}

/// Reports of the L1 that a program needs add up what lies between two deallocations (PR 11687,
/// PR 52757).
#[test]
fn a_program_that_does_not_show_its_buffers_is_a_fault_of_the_graph() {
    let mesh = TrackedDevice::Mesh(0);
    let chips = TrackedDevice::Chips(CHIPS);
    let (address, size) = (DeviceAddr(0), Bytes(64));
    let gone = GraphNode::CircularBufferDeallocateAll { device: mesh };
    let died = GraphNode::CircularBufferDeallocateAll { device: chips };
    let circular = GraphNode::CircularBufferAllocate { device: chips, address, size };
    let dataflow = GraphNode::DataflowBufferAllocate { device: mesh, address, size };
    let buffers = |circular, dataflow| ProgramBuffers { circular, dataflow };
    let with = |nodes: &[GraphNode], program| {
        let mut events = captured(&[&[GraphNode::CaptureStart], nodes].concat());
        events.push(program);
        said(&events)
    };
    let ran = |buffers| Event::ProgramRan { pid: 1000, program: 0, mesh_id: 0, buffers };
    let hooked = |buffers| Event::ProgramHooked { pid: 1000, program: 0, mesh_id: 0, buffers };
    assert_eq!(with(&[], ran(buffers(0, 0))), [(GraphEvents, 1)]);
    assert_eq!(with(&[died], ran(buffers(0, 0))), [(GraphEvents, 1)], "another program died");
    assert_eq!(with(&[gone, circular], ran(buffers(2, 0))), [(GraphEvents, 1)], "one of two");
    assert_eq!(with(&[gone], hooked(buffers(0, 1))), [(GraphEvents, 1)]);
    assert_eq!(with(&[gone, circular, circular], ran(buffers(2, 0))), []);
    assert_eq!(with(&[gone], ran(buffers(2, 0))), [], "they have got their places before");
    assert_eq!(with(&[gone, dataflow], hooked(buffers(0, 1))), []);
    assert_eq!(said(&[ran(buffers(2, 0)), hooked(buffers(2, 0))]), [], "no capture");
}

fn switched(mode: Option<RunMode>) -> Event<'static> {
    Event::CaptureSwitched { pid: 1000, mode }
}

/// A hook that stays makes real programs compute with buffers that do not exist (PR 11627).
#[test]
fn a_buffer_that_is_hooked_outside_a_capture_is_a_fault_of_the_hook() {
    let hooked = Event::AllocationHooked { pid: 1000, object: object(A) };
    let (on, off) = (switched(Some(RunMode::NoDispatch)), switched(None));
    assert_eq!(said(&[on, off, hooked]), [(Hook, 1)]);
    assert_eq!(said(&[switched(Some(RunMode::Normal)), hooked]), [(Hook, 1)]);
    assert_eq!(said(&[on, Event::ProcessKilled { pid: 1000 }, hooked]), [(Hook, 1)]);
    assert_eq!(said(&[on, hooked, off]), []);
    let inner = switched(Some(RunMode::Normal));
    assert_eq!(said(&[on, inner, hooked, off, hooked, off]), [], "the outermost mode holds");
    assert_eq!(said(&[inner, on, hooked, off]), [(Hook, 1)], "and it is another");
    assert_eq!(said(&[on, inner, off, off, hooked]), [(Hook, 1)], "both have ended");
}

/// A capture within another counts its own nodes, and the end of it ends no other.
#[test]
fn each_capture_counts_its_own_nodes() {
    let at = |depth, counter, node| Event::Captured { pid: 1000, depth, counter, node };
    let [start, end] = [GraphNode::CaptureStart, GraphNode::CaptureEnd];
    let with = |inner, outer| {
        let block = [opened(0), taken(0, A, 1024, state(64, 1024))];
        let nodes = [
            at(0, 0, start),
            at(1, 0, start),
            at(0, 1, node(A)),
            at(0, 2, node_allocated(A, 1, 1024)),
            at(1, inner, node(A)),
            at(1, inner + 1, node_allocated(A, inner, 1024)),
            at(1, inner + 2, end),
            at(0, outer, node_deallocated(A, 1, 1024)),
        ];
        said(&[block.to_vec(), nodes.to_vec()].concat())
    };
    assert_eq!(with(1, 3), []);
    assert_eq!(with(3, 3), [(GraphEvents, 4)], "counted together");
    assert_eq!(with(1, 4), [(GraphEvents, 1)], "the end of the inner one is no node of the outer");
}

/// A hooked buffer has no block: an allocator that is asked to free it frees another's, or reads
/// what is gone (PR 21806). Single-free must fire too: nobody holds a block at address 0.
#[test]
fn a_hooked_buffer_that_is_freed_through_the_allocator_is_a_fault_of_the_hook() {
    let hooked = Event::AllocationHooked { pid: 1000, object: object(A) };
    let (on, off) = (switched(Some(RunMode::NoDispatch)), switched(None));
    let free = returned(A, 0, None, state(0, None));
    assert_eq!(said(&[opened(0), on, hooked, off, free]), [(SingleFree, 1), (Hook, 1)]);
    let destroyed = Event::BufferDestroyed {
        object: object(A),
        released_by: Role::UserHandle,
        registered: false,
    };
    assert_eq!(said(&[opened(0), on, hooked, off, destroyed]), []);
    let real = [taken(0, A, 1024, state(64, 1024)), returned(A, 1024, Some(64), state(0, None))];
    assert_eq!(said(&[&[opened(0), on, hooked, destroyed, off], &real[..]].concat()), []);
}

/// The Inspector's list is of pointers: one that is reported too often, or never, is another's.
#[test]
fn a_mesh_buffer_that_is_not_reported_in_pairs_is_a_fault_of_the_inspector() {
    let started = Event::InspectorStarted { next: UniqueId(u64::from(A)) };
    let inspected = |allocated| Event::Inspected { pid: 1000, object: object(A), allocated };
    let destroyed =
        |released_by| Event::BufferDestroyed { object: object(A), released_by, registered: false };
    let (allocated, deallocated) = (inspected(true), inspected(false));
    let gone = destroyed(Role::UserHandle);
    assert_eq!(said(&[started, allocated, deallocated, deallocated]), [(Inspector, 1)]);
    assert_eq!(said(&[started, allocated, allocated]), [(Inspector, 1)]);
    assert_eq!(said(&[started, allocated, gone]), [(Inspector, 1)]);
    assert_eq!(said(&[started, allocated, deallocated, gone]), []);
    assert_eq!(said(&[started, allocated, destroyed(Role::Device)]), [], "its process was killed");
    let later = Event::InspectorStarted { next: UniqueId(u64::from(B)) };
    assert_eq!(said(&[later, deallocated]), [], "it is older than the session");
}

/// A green test run that ends in a segmentation fault (tt-metal.md F 24, 25).
#[test]
fn a_singleton_that_is_used_after_it_is_gone_is_out_of_static_order() {
    let used = |singleton, alive| Event::SingletonUsed { singleton, alive };
    for singleton in [Singleton::GraphTracker, Singleton::SystemMesh] {
        assert_eq!(said(&[used(singleton, false)]), [(StaticOrder, 1)]);
        assert_eq!(said(&[used(singleton, true)]), []);
    }
}

/// The programs of a trace use the addresses of their capture for ever (tt-metal.md G 26).
#[test]
fn a_replay_over_a_buffer_that_is_younger_than_its_capture_is_not_safe() {
    let replay = |since| Event::TraceAccessed {
        trace: TraceHandle(0),
        region: region(0),
        address: DeviceAddr(1024),
        bytes: Bytes(64),
        since: UniqueId(since),
    };
    let take = taken(0, B, 1056, state(64, 1056));
    let old = taken(0, A, 1056, state(64, 1056));
    assert_eq!(said(&[opened(0), take, replay(2)]), [(TraceSafe, 1)]);
    assert_eq!(said(&[opened(0), old, replay(2)]), [], "the capture knew it");
    let beside = taken(0, B, 1088, state(64, 1088));
    assert_eq!(said(&[opened(0), beside, replay(2)]), []);
    let back = returned(B, 1056, Some(64), state(0, None));
    assert_eq!(said(&[opened(0), take, back, replay(2)]), [], "consumed before the replay");
}

/// The registrations that make allocations unsafe, and the bytes that count against the trace
/// region, go with the last trace (tt-metal.md G 27).
#[test]
fn a_counter_that_outlives_the_last_trace_is_not_safe() {
    let released = |left, active, buffers_size| Event::TraceReleased {
        trace: TraceHandle(0),
        mesh_id: 0,
        left,
        active,
        buffers_size: Bytes(buffers_size),
    };
    assert_eq!(said(&[released(0, 1, 0)]), [(TraceSafe, 1)]);
    assert_eq!(said(&[released(0, 0, 1024)]), [(TraceSafe, 1)]);
    assert_eq!(said(&[released(1, 1, 1024), released(0, 0, 0)]), []);
}

/// Each sub-device manager has allocators of its own (tt-metal.md A4).
#[test]
fn a_buffer_given_back_under_another_manager_is_a_fault_of_its_sub_device() {
    let validated = |freed| Event::ManagerValidated {
        object: object(A),
        allocated: SubDeviceManagerId(1),
        freed: SubDeviceManagerId(freed),
    };
    assert_eq!(said(&[validated(0)]), [(SubDevice, 1)]);
    assert_eq!(said(&[validated(1)]), []);
}

/// On the host, a program's cached commands die with it (tt-metal.md F 30).
#[test]
fn commands_that_outlive_their_program_are_a_leak() {
    let destroyed = Event::ProgramDestroyed { program: 2 };
    assert_eq!(said(&[Event::CommandsKept { program: 2 }, destroyed]), [(DeviceLeak, 1)]);
    assert_eq!(said(&[destroyed]), []);
}

/// A guard hides what the status test behind it already stopped: a note, which fails nothing.
#[test]
fn a_swallowed_call_is_noted_and_fails_nothing() {
    let swallowed = Event::Swallowed { object: object(A), devices: CHIPS, guard: Guard::Mark };
    let mut oracles = Oracles::new(Tracking::NONE, 1);
    oracles.observe(Tick(1), &swallowed);
    let findings = oracles.findings();
    assert_eq!((findings.count(MaskedDoubleFree), findings.failed()), (2, false));
    assert_eq!(said(&[swallowed]), [(MaskedDoubleFree, 2)]);
    assert_eq!(said(&[allocated(A), deallocated(A)]), []);
}

/// What the oracles tell of a stream: each violation as a report prints it, and the relation of its
/// two buffers, which is part of what makes two failures the same.
fn told(events: &[Event<'_>]) -> Vec<String> {
    let mut oracles = Oracles::new(Tracking::NONE, 16);
    for (index, event) in events.iter().enumerate() {
        oracles.observe(Tick(index as u64), event);
    }
    let violations = oracles.findings().violations().iter();
    violations.map(|violation| format!("{violation}; {}", violation.relation)).collect()
}

/// Whoever reads a report looks for the block: where it is, how large, and who holds it.
#[test]
fn a_fault_of_an_allocator_is_told_with_its_block() {
    let take = taken(0, A, 1024, state(64, 1024));
    let region = region(0);
    assert_eq!(
        told(&[opened(0), taken(0, A, 1024, state(160, 1024))]),
        ["free-list: the count is not what was given out, L1, 96 bytes; no other"]
    );
    let other = taken(1, B, 1056, state(64, 1056));
    assert_eq!(
        told(&[opened(0), opened(1), take, other]),
        ["overlap: two live owners share bytes of a chip, device 0-1, L1, address 1056, 64 \
             bytes, by b2#2, of b1#1; other mesh"]
    );
    let again = taken(0, B, 1056, state(128, 1024));
    assert_eq!(
        told(&[opened(0), take, again]),
        ["overlap: two live owners share bytes of a chip, device 0-1, L1, address 1056, 64 \
             bytes, by b2#2, of b1#1; other owner"]
    );
    assert_eq!(
        told(&[opened(0), taken(0, A, 2016, state(64, 2016))]),
        ["overlap: a block leaves its region, L1, address 2016, 64 bytes, by b1#1; no other"]
    );
    assert_eq!(
        told(&[opened(0), taken(0, A, 1088, state(64, 1056))]),
        ["lowest: the lowest occupied address is not the lowest, L1, address 1056; no other"]
    );
    assert_eq!(
        told(&[opened(0), take, returned(B, 1024, Some(64), state(0, None))]),
        ["single-free: a block was returned by somebody else, address 1024, by b2#2, of b1#1; \
             other owner"]
    );
    let stranded = Event::Stranded { object: object(A), region, address: DeviceAddr(1024) };
    assert_eq!(
        told(&[opened(0), take, allocated(A), stranded]),
        ["device-leak: nobody is left who could give a block back, L1, address 1024, 64 bytes, \
             by b1#1; no other"]
    );
    assert_eq!(
        told(&[opened(0), take, allocated(A), deallocated(A)]),
        ["device-leak: a deallocated owner keeps its block, L1, address 1024, 64 bytes, by \
             b1#1; no other"]
    );
    let blocks = [block(1024, 96, true), block(1120, 928, false)];
    let table = Event::BlockTable { region, blocks: &blocks, after: state(96, None) };
    assert_eq!(
        told(&[opened(0), table]),
        ["device-leak: blocks that nobody took are left, L1, 96 bytes; no other"]
    );
    let short_of = Some(Bytes(1000));
    let failed =
        Event::AllocationFailed { region, object: object(B), short_of, after: state(64, 1024) };
    assert_eq!(
        told(&[opened(0), take, failed]),
        ["oom: out of memory by exhaustion: not enough is free, L1, 1000 bytes, by b2#2; no \
             other"]
    );
}

/// Whoever reads a report looks for the message: its key, its sender and whom it met.
#[test]
fn a_fault_of_a_message_is_told_with_its_key_and_both_owners() {
    let (old, new, late) = (alloc(A), alloc(B), free(A));
    let inverted = [answered(&old), answered(&new), answered(&late)];
    assert_eq!(
        told(&inverted),
        [
            "duplicate-allocation: a live key was allocated again, device 0-1, L1, address 1024, \
             by b2#2, of b1#1, in allocate_impl; other owner",
            "balance: ALLOC follows ALLOC, device 0-1, L1, address 1024, by b2#2, of b1#1, in \
             allocate_impl; other owner",
            "stale-free: a FREE closed another owner's ALLOC, device 0-1, L1, address 1024, by \
             b1#1, of b2#2, in allocate_impl, released by the user handle; other owner",
            "event-order: the FREE came after the next ALLOC, device 0-1, L1, address 1024, by \
             b1#1, of b2#2, in allocate_impl, released by the user handle; other owner"
        ]
    );
    let again = [allocated(A), answered(&old), answered(&old), last(&[], true)];
    assert_eq!(
        told(&again),
        [
            "duplicate-allocation: a live key was allocated again, device 0-1, L1, address 1024, \
             by b1#1, of b1#1, in allocate_impl; same object",
            "balance: ALLOC follows ALLOC, device 0-1, L1, address 1024, by b1#1, of b1#1, in \
             allocate_impl; same object",
            "balance: more ALLOCs than FREEs at the end, device 0-1, L1, address 1024, by b1#1; \
             no other"
        ]
    );
    let missed = Event::Answered { message: &late, missed: Lanes::one(DeviceId(1)) };
    assert_eq!(
        told(&[answered(&old), missed]),
        ["unknown-free: a FREE hit no entry, device 1, L1, address 1024, by b1#1, in \
             allocate_impl, released by the user handle; no other"]
    );
    let entry = Event::ServerEntry {
        devices: CHIPS,
        address: DeviceAddr(1024),
        buffer_type: BufferType::L1,
        size: Bytes(512),
    };
    assert_eq!(
        told(&[answered(&old), entry]),
        ["residue: an entry without a live owner is left in the server, device 0-1, L1, \
             address 1024, 512 bytes; no other"]
    );
    assert_eq!(
        told(&[last(&[0, 512], false)]),
        ["residue: bytes are left in the counters of a chip on which nobody holds any, device \
             1, 512 bytes; no other"]
    );
    let swallowed = Event::Swallowed { object: object(A), devices: CHIPS, guard: Guard::Mark };
    assert_eq!(
        told(&[swallowed]),
        ["masked-double-free: a guard swallowed a call, device 0-1, by b1#1; same object"]
    );
}

/// Whoever reads a report looks for the memory that a program used, and whose it is by now.
#[test]
fn a_fault_of_a_program_is_told_with_the_memory_it_used() {
    let take = taken(0, B, 1056, state(64, 1056));
    let (region, address) = (region(0), DeviceAddr(1056));
    let overlaid = Event::ProgramOverlaid {
        program: 0,
        region,
        lowest: address,
        region_end: DeviceAddr(1152),
    };
    assert_eq!(
        told(&[opened(0), take, overlaid]),
        ["cb-clash: a program runs with its circular buffers over an L1 buffer, L1, address \
             1056, 96 bytes, of b2#2; other owner"]
    );
    let clashed =
        Event::ProgramClashed { program: 0, region, lowest: address, region_end: DeviceAddr(1152) };
    assert_eq!(
        told(&[opened(0), clashed]),
        ["cb-clash: a program clashes with an address at which nothing is, L1, address 1056, \
             96 bytes; no other"]
    );
    let (by, owner, size) = (object(A), UniqueId(u64::from(A)), Bytes(512));
    let read = Event::MemoryAccessed { region, by, owner, address, size, fresh: true };
    assert_eq!(
        told(&[opened(0), take, read]),
        ["use-after-free: memory is used that its owner does not hold, L1, address 1056, 512 \
             bytes, by b1#1, of b2#2; other owner"]
    );
    let (trace, since, bytes) = (TraceHandle(0), UniqueId(2), Bytes(64));
    let replay = Event::TraceAccessed { trace, region, address, bytes, since };
    assert_eq!(
        told(&[opened(0), take, replay]),
        ["trace-safe: a replay uses memory of a buffer that was allocated after its capture, \
             L1, address 1056, of b2#2; other owner"]
    );
    let buffers_size = Bytes(1024);
    let released = Event::TraceReleased { trace, mesh_id: 0, left: 0, active: 0, buffers_size };
    assert_eq!(
        told(&[released]),
        ["trace-safe: the last trace is released, and its buffer counts against the trace \
             region, 1024 bytes; no other"]
    );
}

fn hash_after(events: &[Event<'_>]) -> u64 {
    let mut oracles = Oracles::new(Tracking::FULL, 0);
    for event in [opened(0), opened(1)].iter().chain(events) {
        oracles.observe(Tick(0), event);
    }
    oracles.hash()
}

/// Exploration merges states with equal hashes: what an oracle will answer by must be in its hash,
/// or the answer of one state is taken for that of another.
fn assert_all_differ(memories: &[Vec<Event<'_>>]) {
    let hashes: Vec<u64> = memories.iter().map(|events| hash_after(events)).collect();
    for (index, hash) in hashes.iter().enumerate() {
        if let Some(other) = hashes[..index].iter().position(|other| other == hash) {
            panic!("{:?}\nand\n{:?}\nshare a hash", memories[other], memories[index]);
        }
    }
}

/// Blocks are told apart by place, owner and chips, and counters by the chips they are wrong on.
#[test]
fn no_two_states_of_memory_share_a_hash() {
    let block = |allocator, by, address, bytes, devices| Event::AddressTaken {
        region: region(allocator),
        object: object(by),
        devices,
        address: DeviceAddr(address),
        bytes: Bytes(bytes),
        size: Bytes(512),
        after: state(bytes, address),
    };
    let take = block(0, A, 1024, 64, CHIPS);
    let (region, address) = (region(0), DeviceAddr(1024));
    let stranded = Event::Stranded { object: object(A), region, address };
    let counts = |tracked| Event::Quiescent { tracked };
    assert_all_differ(&[
        vec![],
        vec![take],
        vec![block(0, B, 1024, 64, CHIPS)],
        vec![block(0, A, 1056, 64, CHIPS)],
        vec![block(0, A, 1024, 32, CHIPS)],
        vec![block(0, A, 1024, 64, Lanes(0b01))],
        vec![block(1, A, 1024, 64, CHIPS)],
        vec![take, block(1, A, 1024, 64, CHIPS)],
        vec![take, stranded],
        vec![take, counts(&[512])],
        vec![take, counts(&[512, 256])],
        vec![counts(&[64])],
        vec![counts(&[0, 64])],
    ]);
    let apart = [take, block(0, B, 1088, 64, CHIPS)];
    let turned = [apart[1], apart[0]];
    assert_eq!(hash_after(&apart), hash_after(&turned), "the history does not count");
}

/// Keys are told apart by type, address and chips, and their owners by who opened them how often.
#[test]
fn no_two_states_of_keys_owners_and_programs_share_a_hash() {
    let (one, other) = (alloc(A), alloc(B));
    let elsewhere = AllocMessage { address: DeviceAddr(1056), ..one };
    let typed = AllocMessage { buffer_type: BufferType::Dram, ..one };
    let single = AllocMessage { devices: Lanes(0b01), ..one };
    let registered = Event::Registered { allocator: AllocatorId(0), object: object(A) };
    let built = |program| Event::ProgramBuilt { program, mesh_id: 0, region_end: DeviceAddr(1024) };
    assert_all_differ(&[
        vec![],
        vec![answered(&one)],
        vec![answered(&other)],
        vec![answered(&elsewhere)],
        vec![answered(&typed)],
        vec![answered(&single)],
        vec![answered(&other), answered(&other)],
        vec![answered(&one), answered(&other)],
        vec![registered],
        vec![allocated(A)],
        vec![allocated(B)],
        vec![registered, allocated(A)],
        vec![built(1)],
        vec![built(2)],
        vec![built(1), built(2)],
    ]);
    let turned = [built(2), built(1)];
    assert_eq!(hash_after(&turned), hash_after(&[built(1), built(2)]), "the order does not count");
}

/// Captures are told apart by their process, their next node and what they have shown since the
/// last program.
#[test]
fn no_two_states_of_captures_hooks_and_the_inspector_share_a_hash() {
    let capture = |nodes: &[GraphNode]| captured(&[&[GraphNode::CaptureStart], nodes].concat());
    let (chips, mesh) = (TrackedDevice::Chips(CHIPS), TrackedDevice::Mesh(0));
    let (address, size) = (DeviceAddr(0), Bytes(64));
    let circular = GraphNode::CircularBufferAllocate { device: chips, address, size };
    let dataflow = GraphNode::DataflowBufferAllocate { device: mesh, address, size };
    let died = GraphNode::CircularBufferDeallocateAll { device: chips };
    let gone = GraphNode::CircularBufferDeallocateAll { device: mesh };
    let larger = GraphNode::Buffer { object: object(A), size: Bytes(1024) };
    let start = Event::Captured { pid: 1001, depth: 0, counter: 0, node: GraphNode::CaptureStart };
    let inner = Event::Captured { pid: 1000, depth: 1, counter: 0, node: GraphNode::CaptureStart };
    let switched = |pid| Event::CaptureSwitched { pid, mode: Some(RunMode::NoDispatch) };
    let normal = Event::CaptureSwitched { pid: 1000, mode: Some(RunMode::Normal) };
    let hooked = |number| Event::AllocationHooked { pid: 1000, object: object(number) };
    let started = |next| Event::InspectorStarted { next: UniqueId(next) };
    let inspected =
        |number| Event::Inspected { pid: 1000, object: object(number), allocated: true };
    let mut both = capture(&[]);
    both.push(start);
    assert_all_differ(&[
        vec![],
        capture(&[]),
        vec![start],
        both,
        [capture(&[]), vec![inner]].concat(),
        capture(&[died]),
        capture(&[node_deallocated(A, 9, 1024)]),
        capture(&[gone]),
        capture(&[circular]),
        capture(&[dataflow]),
        capture(&[circular, circular]),
        capture(&[circular, dataflow]),
        capture(&[node(A)]),
        capture(&[node(B)]),
        capture(&[larger]),
        capture(&[node(A), node_allocated(A, 1, 1024)]),
        capture(&[node(A), node_allocated(A, 1, 1088)]),
        vec![switched(1000)],
        vec![switched(1001)],
        vec![normal, switched(1000)],
        vec![switched(1000), normal],
        vec![switched(1000), switched(1001)],
        vec![hooked(A)],
        vec![hooked(B)],
        vec![started(0)],
        vec![started(1)],
        vec![inspected(A)],
        vec![inspected(B)],
    ]);
}

/// A table that is not looked at proves nothing: this file must plant a fault for every oracle.
#[test]
fn every_oracle_has_a_planted_fault_in_this_file() {
    let text = include_str!("oracles.rs");
    for oracle in OracleName::ALL {
        assert!(
            text.contains(&format!("[({oracle:?}, ")) || text.contains(&format!(" ({oracle:?}, "))
        );
    }
}
