//! Properties of `FreeListOpt`, held against a naive second reading of its rules.
// A test may stop at its first surprise; its helpers too.
#![allow(clippy::unwrap_used)]

use std::collections::BTreeMap;

use freeorder::allocator::reference::ReferenceList;
use freeorder::allocator::{
    AllocatorId, BankManager, BankManagerConfig, Block, ClearLowest, Dependencies, Direction,
    FreeListConfig, FreeListOpt, Placement, SearchPolicy,
};
use freeorder::units::{BufferType, Bytes, DeviceAddr};
use proptest::prelude::*;

#[derive(Clone, Debug)]
enum Step {
    Allocate(u64, Direction),
    AllocateAt(u64, u64),
    /// Frees the live block with this number, modulo their count.
    Free(usize),
    FreeUnknown(u64),
    Shrink(u64),
    Reset,
    Clear(ClearLowest),
}

fn direction() -> impl Strategy<Value = Direction> {
    prop_oneof![Just(Direction::BottomUp), Just(Direction::TopDown)]
}

fn config() -> impl Strategy<Value = FreeListConfig> {
    let policy = prop_oneof![Just(SearchPolicy::Best), Just(SearchPolicy::First)];
    // 48 is no power of two; 100_001 bytes are no multiple of any alignment here.
    let alignment = prop::sample::select(vec![1_u64, 16, 32, 48, 64, 1024]);
    let max_size = prop::sample::select(vec![3000_u64, 65_536, 100_001, 1 << 20]);
    let least = prop::sample::select(vec![0_u64, 1, 32, 1024]);
    let offset = prop::sample::select(vec![0_u64, 96, 4096]);
    (policy, alignment, max_size, least, offset).prop_map(
        |(policy, alignment, max_size, least, offset)| FreeListConfig {
            max_size: Bytes(max_size),
            offset: DeviceAddr(offset),
            min_allocation: Bytes(least),
            alignment: Bytes(alignment),
            policy,
        },
    )
}

fn step() -> impl Strategy<Value = Step> {
    let size = prop_oneof![0_u64..200, 200_u64..6000, 6000_u64..80_000];
    prop_oneof![
        12 => (size.clone(), direction()).prop_map(|(size, end)| Step::Allocate(size, end)),
        8 => any::<usize>().prop_map(Step::Free),
        2 => (0_u64..70_000, size.clone()).prop_map(|(at, size)| Step::AllocateAt(at, size)),
        1 => (0_u64..70_000).prop_map(Step::FreeUnknown),
        1 => (0_u64..4000).prop_map(Step::Shrink),
        1 => Just(Step::Reset),
        1 => prop_oneof![Just(ClearLowest::Keep), Just(ClearLowest::Reset)].prop_map(Step::Clear),
    ]
}

fn blocks(list: &FreeListOpt) -> Vec<Block> {
    list.blocks().collect()
}

fn live(list: &FreeListOpt) -> Vec<DeviceAddr> {
    list.blocks().filter(|block| block.allocated).map(|block| block.address).collect()
}

/// Invariants 1, 2 and 6: the blocks tile what is left of the region, no two free ones meet, sizes
/// add up, and every list of blocks tells the same.
fn check_invariants(list: &FreeListOpt) {
    let config = list.config();
    let mut at = list.region_start();
    let mut previous_free = false;
    for block in list.blocks() {
        assert_eq!(block.address, at, "blocks tile the region");
        assert!(block.allocated || !previous_free, "two free blocks meet at {at}");
        assert!(block.size > Bytes(0));
        if block.allocated {
            assert_eq!(list.block_size(block.address), Some(block.size));
            let granule = config.alignment.0.max(1);
            assert_eq!(block.size.0 % granule, 0, "sizes are multiples of the alignment");
        }
        previous_free = !block.allocated;
        at = at.offset(block.size);
    }
    assert_eq!(at, config.offset.offset(config.max_size));

    let statistics = list.statistics();
    let sum = statistics.total_allocated.0 + statistics.total_free.0;
    assert_eq!(sum, statistics.total_allocatable.0, "bytes are conserved");
    assert_eq!(statistics.total_allocated, list.allocated_bytes());
    let mut allocated = list.allocated_addresses();
    allocated.sort_unstable();
    assert_eq!(allocated.iter().map(|range| range.0).collect::<Vec<_>>(), live(list));
    let holes: u64 =
        list.available_addresses(Bytes(0)).iter().map(|hole| hole.1.0 - hole.0.0).sum();
    assert!(holes <= statistics.total_free.0);
    assert_eq!(list.block_table().len(), list.blocks().count());
}

/// Does one step on both and compares the answers.
fn apply(list: &mut FreeListOpt, reference: &mut ReferenceList, step: &Step) {
    match *step {
        Step::Allocate(size, end) => {
            let before = (blocks(list), list.fingerprint());
            let answer = list.allocate(Bytes(size), end);
            assert_eq!(answer, reference.allocate(Bytes(size), end));
            if answer.is_none() {
                assert_eq!((blocks(list), list.fingerprint()), before, "a failure changes nothing");
            }
        }
        Step::AllocateAt(at, size) => {
            let (at, size) = (DeviceAddr(at), Bytes(size));
            let answer = list.allocate_at_address(at, size);
            assert_eq!(answer, reference.allocate_at_address(at, size));
        }
        Step::Free(number) => {
            let live = live(list);
            if let Some(&address) = live.get(number % live.len().max(1)) {
                let freed = list.deallocate(address);
                assert!(freed.is_some());
                assert_eq!(freed, reference.deallocate(address));
                assert_eq!(list.deallocate(address), None, "each block is freed once");
            }
        }
        Step::FreeUnknown(address) => {
            let address = DeviceAddr(address);
            assert_eq!(list.deallocate(address), reference.deallocate(address));
        }
        Step::Shrink(size) => {
            let done = list.shrink_size(Bytes(size), true).is_ok();
            assert_eq!(done, reference.shrink_size(Bytes(size)));
        }
        Step::Reset => {
            list.reset_size();
            reference.reset_size();
        }
        Step::Clear(lowest) => {
            list.clear(lowest);
            reference.clear(lowest);
        }
    }
}

proptest! {
    #![proptest_config(ProptestConfig { failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn every_answer_is_that_of_the_naive_reading(
        config in config(),
        steps in prop::collection::vec(step(), 1..120),
    ) {
        let mut list = FreeListOpt::new(config);
        let mut reference = ReferenceList::new(config);
        for step in &steps {
            apply(&mut list, &mut reference, step);
            check_invariants(&list);
            prop_assert_eq!(blocks(&list), reference.blocks());
            prop_assert_eq!(list.lowest_occupied_address(), reference.lowest_occupied_address());
        }
    }

    /// Invariant 3, which the C++ class breaks only through `clear`.
    #[test]
    fn lowest_is_exact_while_clear_resets_it(
        config in config(),
        steps in prop::collection::vec(step(), 1..80),
    ) {
        let mut list = FreeListOpt::new(config);
        let mut reference = ReferenceList::new(config);
        for step in &steps {
            let step = match step {
                Step::Clear(_) => &Step::Clear(ClearLowest::Reset),
                other => other,
            };
            apply(&mut list, &mut reference, step);
            prop_assert_eq!(list.lowest_occupied_address(), live(&list).first().copied());
        }
    }

    #[test]
    fn undo_restores_ranges_lowest_and_fingerprint(
        config in config(),
        steps in prop::collection::vec(step(), 1..60),
        size in 0_u64..5000,
        end in direction(),
        number in any::<usize>(),
    ) {
        let mut list = FreeListOpt::new(config);
        let mut reference = ReferenceList::new(config);
        for step in &steps {
            apply(&mut list, &mut reference, step);
            let lowest = list.lowest_occupied_address();
            let before = (blocks(&list), lowest, list.fingerprint());
            let after = |list: &FreeListOpt| {
                (blocks(list), list.lowest_occupied_address(), list.fingerprint())
            };
            if let Some(address) = list.allocate(Bytes(size), end) {
                prop_assert_ne!(list.fingerprint(), before.2);
                list.undo_allocate(address, lowest);
                prop_assert_eq!(after(&list), before.clone());
            }
            let live = live(&list);
            if let Some(&address) = live.get(number % live.len().max(1)) {
                let freed = list.deallocate(address).unwrap();
                prop_assert_ne!(list.fingerprint(), before.2);
                list.undo_deallocate(address, freed, lowest);
                prop_assert_eq!(after(&list), before);
            }
            check_invariants(&list);
        }
    }

    #[test]
    fn the_fingerprint_does_not_remember_how_the_state_came_about(
        config in config(),
        steps in prop::collection::vec(step(), 1..80),
    ) {
        let mut list = FreeListOpt::new(config);
        let mut reference = ReferenceList::new(config);
        for step in &steps {
            apply(&mut list, &mut reference, step);
        }
        let mut rebuilt = FreeListOpt::new(config);
        let shrunk = list.region_start().0 - config.offset.0;
        for block in list.blocks().collect::<Vec<_>>().into_iter().rev().filter(|at| at.allocated) {
            prop_assert_eq!(
                rebuilt.allocate_at_address(block.address, block.size),
                Some(block.address)
            );
        }
        rebuilt.shrink_size(Bytes(shrunk), true).unwrap();
        rebuilt.restore_lowest(list.lowest_occupied_address());
        prop_assert_eq!(blocks(&rebuilt), blocks(&list));
        prop_assert_eq!(rebuilt.fingerprint(), list.fingerprint());
    }

    /// A manager over one allocator adds nothing to what the list says.
    #[test]
    fn a_bank_manager_answers_as_its_list(
        steps in prop::collection::vec((0_u64..20_000, direction(), any::<usize>()), 1..80),
    ) {
        let config = BankManagerConfig {
            buffer_type: BufferType::Dram,
            bank_count: 12,
            bank_size: Bytes(1 << 18),
            offset: DeviceAddr(4096),
            page_alignment: Bytes(32),
            block_alignment: Bytes(32),
            interleaved_address_limit: DeviceAddr(0),
            compute_core_count: 64,
            policy: SearchPolicy::First,
            atomic_allocation: false,
        };
        let mut manager = BankManager::new(config, Dependencies::single());
        let id = AllocatorId(0);
        let mut list = FreeListOpt::new(*manager.allocator(id).unwrap().config());
        for (size, direction, number) in steps {
            let address_limit = DeviceAddr(0);
            let (size, size_per_bank) = (Bytes(size * 12), Bytes(size));
            let placement =
                Placement { size, size_per_bank, bank_count: 12, address_limit, direction };
            let answer = manager.allocate_placed(id, &placement).ok();
            prop_assert_eq!(answer, list.allocate(size_per_bank, direction));
            let buffers = manager.allocated_buffers(id).unwrap();
            prop_assert_eq!(&buffers, &live(&list));
            if number.is_multiple_of(3) && !buffers.is_empty() {
                let address = buffers[number % buffers.len()];
                let freed = manager.deallocate(id, address).unwrap().unwrap();
                prop_assert_eq!(Some(freed.size), list.deallocate(address));
            }
        }
    }
}

/// Few free blocks share one list and many have a list a class; a walk from few to many and back
/// crosses both borders.
#[test]
fn long_free_lists_answer_as_short_ones() {
    for (policy, end) in [
        (SearchPolicy::Best, Direction::BottomUp),
        (SearchPolicy::Best, Direction::TopDown),
        (SearchPolicy::First, Direction::BottomUp),
        (SearchPolicy::First, Direction::TopDown),
    ] {
        let config = FreeListConfig {
            max_size: Bytes(1 << 24),
            offset: DeviceAddr(4096),
            min_allocation: Bytes(32),
            alignment: Bytes(32),
            policy,
        };
        let mut list = FreeListOpt::new(config);
        let mut reference = ReferenceList::new(config);
        let mut addresses = Vec::new();
        let mut random = 1_u64;
        let mut most_holes = 0;
        for goal in [400, 20, 300, 0] {
            while addresses.len() != goal {
                random = random.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1);
                // Four steps in five go towards the goal.
                let towards = !(random >> 33).is_multiple_of(5);
                let number = (random >> 40) as usize;
                if addresses.is_empty() || (addresses.len() < goal) == towards {
                    let size = Bytes((32 << (number % 10)) | (random % 4096));
                    let address = list.allocate(size, end);
                    assert_eq!(address, reference.allocate(size, end));
                    addresses.extend(address);
                } else {
                    let address = addresses.swap_remove(number % addresses.len());
                    assert_eq!(list.deallocate(address), reference.deallocate(address));
                }
                most_holes = most_holes.max(list.available_addresses(Bytes(1)).len());
            }
            check_invariants(&list);
            assert_eq!(blocks(&list), reference.blocks());
        }
        assert!(most_holes > 80, "only {most_holes} free blocks at once");
    }
}

/// A search merges states by fingerprint; two states with one value would hide orderings.
#[test]
fn small_states_have_fingerprints_of_their_own() {
    let config = FreeListConfig {
        max_size: Bytes(12 * 1024),
        offset: DeviceAddr(0),
        min_allocation: Bytes(1024),
        alignment: Bytes(1024),
        policy: SearchPolicy::First,
    };
    let mut seen = BTreeMap::new();
    let mut pending = vec![FreeListOpt::new(config)];
    while let Some(list) = pending.pop() {
        let state: Vec<_> = blocks(&list);
        match seen.insert(list.fingerprint(), state.clone()) {
            Some(other) => assert_eq!(other, state, "two states share a fingerprint"),
            None => {
                for start in 0..12 {
                    for size in 1..=3 {
                        let mut next = list.clone();
                        let start = DeviceAddr(start * 1024);
                        if next.allocate_at_address(start, Bytes(size * 1024)).is_some() {
                            next.restore_lowest(None);
                            pending.push(next);
                        }
                    }
                }
            }
        }
    }
    // Tilings of 12 cells by single free cells and blocks of 1, 2 or 3: the recurrence
    // t(n) = 2 t(n - 1) + t(n - 2) + t(n - 3).
    let tilings = (3..=12).fold([1, 2, 5], |[a, b, c], _| [b, c, 2 * c + b + a]);
    assert_eq!(seen.len(), tilings[2]);
}
