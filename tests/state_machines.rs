//! The allocator and the server as state machines, call by call against plain references.

#![allow(clippy::unwrap_used, reason = "a test may stop at its first surprise")]

use std::collections::BTreeMap;

use freeorder::allocator::reference::ReferenceList;
use freeorder::allocator::{
    Block, ClearLowest, Direction, FreeListConfig, FreeListOpt, SearchPolicy,
};
use freeorder::fix::{Fix, FixSet};
use freeorder::journal::Tracking;
use freeorder::message::{AllocMessage, CallPath, MessageKind, ObjectRef, Origin, Role, UniqueId};
use freeorder::op::BufferHandle;
use freeorder::server::{Server, ServerKind};
use freeorder::units::{BufferType, Bytes, DeviceAddr, DeviceId, Lanes};
use proptest::prelude::*;
use proptest::test_runner::Config;
use proptest_state_machine::{ReferenceStateMachine, StateMachineTest, prop_state_machine};

/// A call of the allocator.
#[derive(Clone, Debug)]
enum Call {
    Allocate(Bytes, Direction),
    AllocateAt(DeviceAddr, Bytes),
    Deallocate(DeviceAddr),
    Clear(ClearLowest),
    Shrink(Bytes),
    Grow,
}

/// What a call answered.
#[derive(Clone, Debug, PartialEq, Eq)]
enum Answer {
    Nothing,
    Address(Option<DeviceAddr>),
    Freed(Option<Bytes>),
    Shrunk(bool),
}

/// The plain list, and its last answer.
#[derive(Clone, Debug)]
struct PlainList {
    config: FreeListConfig,
    list: ReferenceList,
    answer: Answer,
}

impl PlainList {
    fn live(&self) -> Vec<DeviceAddr> {
        let blocks = self.list.blocks().into_iter();
        blocks.filter(|block| block.allocated).map(|block| block.address).collect()
    }
}

fn size() -> impl Strategy<Value = Bytes> {
    prop_oneof![0_u64..200, 200_u64..6000, 6000_u64..80_000].prop_map(Bytes)
}

impl ReferenceStateMachine for PlainList {
    type State = Self;
    type Transition = Call;

    fn init_state() -> BoxedStrategy<Self> {
        let policy = prop::sample::select(vec![SearchPolicy::Best, SearchPolicy::First]);
        let alignment = prop::sample::select(vec![1_u64, 32, 48, 1024]);
        let max_size = prop::sample::select(vec![3000_u64, 65_536, 100_001, 1 << 20]);
        let least = prop::sample::select(vec![0_u64, 32, 1024]);
        let config = (policy, alignment, max_size, least, prop::bool::ANY).prop_map(
            |(policy, alignment, max_size, least, high)| FreeListConfig {
                max_size: Bytes(max_size),
                offset: DeviceAddr(if high { 4096 } else { 0 }),
                min_allocation: Bytes(least),
                alignment: Bytes(alignment),
                policy,
            },
        );
        let start =
            |config| Self { config, list: ReferenceList::new(config), answer: Answer::Nothing };
        config.prop_map(start).boxed()
    }

    fn transitions(state: &Self) -> BoxedStrategy<Call> {
        let end = prop::sample::select(vec![Direction::BottomUp, Direction::TopDown]);
        let anywhere = (0_u64..110_000).prop_map(DeviceAddr);
        let mut known = state.live();
        known.push(state.config.offset);
        let clear = prop::sample::select(vec![ClearLowest::Keep, ClearLowest::Reset]);
        prop_oneof![
            12 => (size(), end).prop_map(|(size, end)| Call::Allocate(size, end)),
            8 => prop::sample::select(known).prop_map(Call::Deallocate),
            3 => (anywhere.clone(), size()).prop_map(|(at, size)| Call::AllocateAt(at, size)),
            1 => anywhere.prop_map(Call::Deallocate),
            1 => clear.prop_map(Call::Clear),
            1 => (0_u64..4000).prop_map(|size| Call::Shrink(Bytes(size))),
            1 => Just(Call::Grow),
        ]
        .boxed()
    }

    fn apply(mut state: Self, call: &Call) -> Self {
        let list = &mut state.list;
        state.answer = match *call {
            Call::Allocate(size, end) => Answer::Address(list.allocate(size, end)),
            Call::AllocateAt(at, size) => Answer::Address(list.allocate_at_address(at, size)),
            Call::Deallocate(address) => Answer::Freed(list.deallocate(address)),
            Call::Clear(lowest) => {
                list.clear(lowest);
                Answer::Nothing
            }
            Call::Shrink(size) => Answer::Shrunk(list.shrink_size(size)),
            Call::Grow => {
                list.reset_size();
                Answer::Nothing
            }
        };
        state
    }
}

/// `FreeListOpt` under test.
struct FreeLists;

impl StateMachineTest for FreeLists {
    type SystemUnderTest = FreeListOpt;
    type Reference = PlainList;

    fn init_test(plain: &PlainList) -> FreeListOpt {
        FreeListOpt::new(plain.config)
    }

    fn apply(mut list: FreeListOpt, plain: &PlainList, call: Call) -> FreeListOpt {
        let answer = match call {
            Call::Allocate(size, end) => Answer::Address(list.allocate(size, end)),
            Call::AllocateAt(at, size) => Answer::Address(list.allocate_at_address(at, size)),
            Call::Deallocate(address) => Answer::Freed(list.deallocate(address)),
            Call::Clear(lowest) => {
                list.clear(lowest);
                Answer::Nothing
            }
            Call::Shrink(size) => Answer::Shrunk(list.shrink_size(size, true).is_ok()),
            Call::Grow => {
                list.reset_size();
                Answer::Nothing
            }
        };
        assert_eq!(answer, plain.answer);
        list
    }

    fn check_invariants(list: &FreeListOpt, plain: &PlainList) {
        assert_eq!(list.blocks().collect::<Vec<Block>>(), plain.list.blocks());
        assert_eq!(list.lowest_occupied_address(), plain.list.lowest_occupied_address());
    }
}

/// Something that happens to the server.
#[derive(Clone, Debug)]
enum Heard {
    Message(AllocMessage),
    Dead(u32),
    Restart,
}

/// An entry of a plain map.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
struct PlainEntry {
    device: u8,
    size: u64,
    buffer_type: BufferType,
    references: u32,
    pid: u32,
}

/// Where an entry is: its device, where the server has that in its key, its buffer id, its type and
/// its owner, where those are.
type Place = (Option<u8>, u64, Option<BufferType>, Option<u64>);

/// A server as plain as can be: one entry for each device and buffer, in a map.
#[derive(Clone, Debug)]
struct PlainServer {
    kind: ServerKind,
    fixes: FixSet,
    entries: BTreeMap<Place, PlainEntry>,
    bytes: [u64; 8],
    missed: Lanes,
    reaped: u64,
}

impl PlainServer {
    fn place(&self, device: u8, message: &AllocMessage) -> Place {
        // K0 is keyed by the buffer id alone.
        let device = (self.kind != ServerKind::K0).then_some(device);
        let switched = |name: &str| self.fixes.iter().any(|fix: Fix| fix.name() == name);
        let buffer_type = switched("typed-key").then_some(message.buffer_type);
        let owner = switched("owner-id-key").then_some(message.owner.0);
        (device, message.address.0, buffer_type, owner)
    }

    fn allocate(&mut self, device: u8, message: &AllocMessage) {
        let place = self.place(device, message);
        let fresh = PlainEntry {
            device,
            size: message.size.0,
            buffer_type: message.buffer_type,
            references: 1,
            pid: message.pid,
        };
        let counts = matches!(self.kind, ServerKind::K2 | ServerKind::K2e);
        match self.entries.get_mut(&place).filter(|_| counts) {
            Some(entry) => {
                entry.references += 1;
                if self.kind == ServerKind::K2e {
                    entry.size = fresh.size;
                }
            }
            None => {
                self.entries.insert(place, fresh);
                let bytes = &mut self.bytes[usize::from(device)];
                *bytes = bytes.wrapping_add(fresh.size);
            }
        }
    }

    /// Whether there was an entry.
    fn free(&mut self, device: u8, message: &AllocMessage) -> bool {
        let place = self.place(device, message);
        let Some(entry) = self.entries.get_mut(&place) else { return false };
        if entry.references > 1 {
            entry.references -= 1;
            return true;
        }
        let entry = self.entries.remove(&place).unwrap();
        self.take(entry);
        true
    }

    /// K0 stops at zero, the others wrap as an unsigned counter does.
    fn take(&mut self, entry: PlainEntry) {
        let bytes = &mut self.bytes[usize::from(entry.device)];
        *bytes = match self.kind {
            ServerKind::K0 => bytes.saturating_sub(entry.size),
            _ => bytes.wrapping_sub(entry.size),
        };
    }
}

fn message() -> impl Strategy<Value = AllocMessage> {
    let kind = prop::sample::select(vec![MessageKind::Alloc, MessageKind::Free]);
    let address = (0_u64..4).prop_map(|place| DeviceAddr(place * 4096));
    let buffer_type = prop::sample::select(vec![BufferType::Dram, BufferType::L1]);
    let facts = (1_u64..256, address, buffer_type, 1_u64..5, 1000_u32..1003, 0_u64..3);
    (kind, facts).prop_map(|(kind, (devices, address, buffer_type, kibibytes, pid, owner))| {
        let owner = UniqueId(owner);
        AllocMessage {
            kind,
            devices: Lanes(devices),
            address,
            size: Bytes(kibibytes << 10),
            buffer_type,
            pid,
            owner,
            sender: ObjectRef { origin: Origin::Named(BufferHandle(0)), unique_id: owner },
            path: CallPath::AllocateImpl,
            released_by: Role::UserHandle,
        }
    })
}

impl ReferenceStateMachine for PlainServer {
    type State = Self;
    type Transition = Heard;

    fn init_state() -> BoxedStrategy<Self> {
        use ServerKind::{K0, K1, K2, K2e};
        let fixes = ["final", "final+typed-key", "final+owner-id-key"].map(|text| {
            let fixes: FixSet = text.parse().unwrap();
            fixes
        });
        let kinds = prop::sample::select(vec![K0, K1, K2, K2e]);
        (kinds, prop::sample::select(fixes.to_vec()))
            .prop_map(|(kind, fixes)| Self {
                kind,
                fixes,
                entries: BTreeMap::new(),
                bytes: [0; 8],
                missed: Lanes::NONE,
                reaped: 0,
            })
            .boxed()
    }

    fn transitions(_: &Self) -> BoxedStrategy<Heard> {
        prop_oneof![
            20 => message().prop_map(Heard::Message),
            1 => (1000_u32..1003).prop_map(Heard::Dead),
            1 => Just(Heard::Restart),
        ]
        .boxed()
    }

    fn apply(mut state: Self, heard: &Heard) -> Self {
        state.missed = Lanes::NONE;
        match heard {
            Heard::Message(message) => {
                for device in message.devices.iter() {
                    match message.kind {
                        MessageKind::Alloc => state.allocate(device.0, message),
                        MessageKind::Free => {
                            if !state.free(device.0, message) {
                                state.missed = state.missed.or(Lanes::one(device));
                            }
                        }
                    }
                }
            }
            Heard::Dead(pid) => {
                let dead: Vec<Place> = state
                    .entries
                    .iter()
                    .filter(|(_, entry)| entry.pid == *pid)
                    .map(|(place, _)| *place)
                    .collect();
                state.reaped = dead.len() as u64;
                for place in dead {
                    let entry = state.entries.remove(&place).unwrap();
                    state.take(entry);
                }
            }
            Heard::Restart => {
                state.entries.clear();
                state.bytes = [0; 8];
            }
        }
        state
    }
}

/// The keyed servers under test.
struct Servers;

impl StateMachineTest for Servers {
    type SystemUnderTest = Server;
    type Reference = PlainServer;

    fn init_test(plain: &PlainServer) -> Server {
        Server::new(plain.kind, plain.fixes, Tracking::FULL)
    }

    fn apply(mut server: Server, plain: &PlainServer, heard: Heard) -> Server {
        match heard {
            Heard::Message(message) => assert_eq!(server.receive(&message), plain.missed),
            Heard::Dead(dead) => {
                let reaped: u64 =
                    server.reap(|pid| pid != dead).iter().map(|&(_, keys)| keys).sum();
                assert_eq!(reaped, plain.reaped);
            }
            Heard::Restart => server.restart(),
        }
        server
    }

    fn check_invariants(server: &Server, plain: &PlainServer) {
        assert_eq!(server.keys(), Some(plain.entries.len() as u64));
        let mut bytes = server.bytes().to_vec();
        bytes.resize(8, 0);
        assert_eq!(bytes, plain.bytes);
        let mut told = Vec::new();
        for entry in server.entries() {
            let one =
                |device: DeviceId| (device.0, entry.address.0, entry.buffer_type, entry.size.0);
            told.extend(entry.devices.iter().map(one));
        }
        let mut kept: Vec<(u8, u64, BufferType, u64)> = plain
            .entries
            .iter()
            .map(|(place, entry)| (entry.device, place.1, entry.buffer_type, entry.size))
            .collect();
        told.sort_unstable();
        kept.sort_unstable();
        assert_eq!(told, kept);
    }
}

prop_state_machine! {
    #![proptest_config(Config { cases: 96, failure_persistence: None, ..Config::default() })]

    /// Every answer, every block and the lowest address, after every call.
    #[test]
    fn the_allocator_answers_as_the_plain_list(sequential 1..60 => FreeLists);

    /// Every missed FREE, every entry and every counter, after every message.
    #[test]
    fn keyed_servers_keep_what_a_plain_map_keeps(sequential 1..60 => Servers);
}
