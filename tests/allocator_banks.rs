//! Bank managers on the machines that the runtime was measured on.
// A test may stop at its first surprise; its helpers too.
#![allow(clippy::unwrap_used)]

use freeorder::allocator::bank_manager::size_per_bank;
use freeorder::allocator::{
    AllocationError, AllocatorId, BankManager, BankManagerConfig, ClearLowest, Dependencies,
    Direction, Freed, Machine, MeshShape, Request, Reserved,
};
use freeorder::units::{BufferType, Bytes, DeviceAddr};

const ONLY: AllocatorId = AllocatorId(0);

fn manager(config: BankManagerConfig) -> BankManager {
    BankManager::new(config, Dependencies::single())
}

fn interleaved(size: u64, page_size: u64, direction: Direction) -> Request {
    Request { size: Bytes(size), page_size: Bytes(page_size), num_shards: None, direction }
}

fn reserved(l1_small_size: u64, trace_region_size: u64) -> Reserved {
    Reserved { l1_small_size: Bytes(l1_small_size), trace_region_size: Bytes(trace_region_size) }
}

/// The table "Figures by mesh", which was measured on the runtime.
#[test]
fn every_machine_has_the_measured_figures() {
    let rows = [
        (Machine::N150, 12, 1_072_693_184, 1_048_640, 72, 1_393_312, 1_497_088, "[0-0 - 7-8]"),
        (Machine::N300, 12, 1_072_693_184, 1_048_640, 64, 1_393_312, 1_497_088, "[0-0 - 7-7]"),
        (Machine::T3k, 12, 1_072_693_184, 1_048_640, 64, 1_393_312, 1_497_088, "[0-0 - 7-7]"),
        (Machine::Galaxy6u, 12, 1_072_693_184, 1_048_640, 80, 1_393_312, 1_497_088, "[0-0 - 7-9]"),
        (Machine::P150, 8, 4_277_141_376, 1_048_704, 120, 1_461_120, 1_570_816, "[0-0 - 11-9]"),
        (Machine::P150x8, 8, 4_277_141_376, 1_048_704, 130, 1_461_120, 1_570_816, "[0-0 - 12-9]"),
    ];
    for (machine, dram_banks, dram, first_dram, l1_banks, l1, first_l1, range) in rows {
        let map = machine.memory_map(Reserved::default());
        assert_eq!((map.dram.bank_count, map.dram.bank_size), (dram_banks, Bytes(dram)));
        assert_eq!((map.l1.bank_count, map.l1.bank_size), (l1_banks, Bytes(l1)), "{machine}");
        assert_eq!(machine.grid().to_string(), range);
        assert_eq!(map.circular_buffer_base, map.l1.offset);
        for (buffer_type, first) in [(BufferType::Dram, first_dram), (BufferType::L1, first_l1)] {
            let direction = match buffer_type {
                BufferType::Dram => Direction::BottomUp,
                _ => Direction::TopDown,
            };
            let mut manager = manager(map.bank_manager(buffer_type));
            let address = manager.allocate(ONLY, interleaved(2048, 2048, direction));
            assert_eq!(address, Ok(DeviceAddr(first)), "{machine} {buffer_type}");
        }
    }
}

#[test]
fn reserved_regions_are_rounded_and_taken_off_the_top() {
    // (machine, trace bytes asked, bytes a bank), all measured on the runtime.
    let traces = [
        (Machine::N150, 1, 8192),
        (Machine::N150, 98_304, 8192),
        (Machine::N150, 98_305, 16_384),
        (Machine::N150, 1_000_000, 90_112),
        (Machine::N150, 52_428_800, 4_374_528),
        (Machine::P150, 98_304, 16_384),
        (Machine::P150, 294_911, 40_960),
        (Machine::P150, 1_048_576, 131_072),
        (Machine::P150, 52_428_800, 6_553_600),
    ];
    for (machine, asked, bank_size) in traces {
        let whole = machine.memory_map(Reserved::default()).dram;
        let map = machine.memory_map(reserved(0, asked));
        assert_eq!(map.trace.bank_size, Bytes(bank_size), "{machine} {asked}");
        assert_eq!(map.dram.offset, whole.offset);
        assert_eq!(map.dram.bank_size.0 + bank_size, whole.bank_size.0);
        assert_eq!(map.dram.offset.offset(map.dram.bank_size), map.trace.offset);
    }
    let smalls = [(Machine::N150, 1, 32), (Machine::P150, 1, 64), (Machine::N150, 40_000, 40_000)];
    for (machine, asked, bank_size) in smalls {
        let map = machine.memory_map(reserved(asked, 0));
        assert_eq!(map.l1_small.bank_size, Bytes(bank_size), "{machine} {asked}");
        assert_eq!(map.l1.offset.offset(map.l1.bank_size), map.l1_small.offset);
    }
    let map = Machine::N150.memory_map(reserved(32_768, 0));
    assert_eq!((map.l1_small.offset, map.l1.bank_size), (DeviceAddr(1_466_368), Bytes(1_360_544)));
    assert_eq!(Machine::N150.memory_map(Reserved::default()).l1_small.bank_count, 0);
}

#[test]
fn a_mesh_lists_each_chip_once() {
    for machine in Machine::ALL {
        assert_eq!(Machine::from_name(machine.name()), Some(machine));
        for &shape in machine.mesh_shapes() {
            let ids = machine.device_ids(shape).unwrap();
            let mut sorted: Vec<_> = ids.iter().map(|id| usize::from(id.0)).collect();
            sorted.sort_unstable();
            assert_eq!(sorted, (0..machine.chip_count()).collect::<Vec<_>>(), "{machine} {shape}");
        }
    }
    let ids = Machine::T3k.device_ids(MeshShape { rows: 2, columns: 4 }).unwrap();
    assert_eq!(ids.iter().map(|id| id.0).collect::<Vec<_>>(), [4, 0, 2, 6, 5, 1, 3, 7]);
    assert_eq!(Machine::T3k.device_ids(MeshShape { rows: 4, columns: 2 }), None);
}

#[test]
fn pages_go_round_the_banks() {
    assert_eq!(size_per_bank(512, Bytes(2048), Bytes(32), 12), Bytes(88_064));
    // A row of 35 bfloat16, two pages a bank: 70 B pages, aligned to 16 in L1.
    assert_eq!(size_per_bank(144, Bytes(70), Bytes(16), 72), Bytes(160));
}

fn message(manager: &mut BankManager, request: Request) -> String {
    manager.allocate(ONLY, request).unwrap_err().to_string()
}

#[test]
fn out_of_memory_is_told_in_the_words_of_the_runtime() {
    let map = Machine::T3k.memory_map(Reserved::default());
    let mut l1 = manager(map.bank_manager(BufferType::L1));
    l1.allocate(ONLY, interleaved(64 * 1_392_640, 4096, Direction::TopDown)).unwrap();
    assert_eq!(
        message(&mut l1, interleaved(1_310_720, 4096, Direction::TopDown)),
        "Out of Memory: Not enough space to allocate 1310720 B L1 buffer across 64 banks, where \
         each bank needs to store 20480 B, but bank size is 1393312 B (allocated: 1392640 B, free: \
         672 B, largest free block: 672 B)."
    );
    let sharded = Request { num_shards: Some(2), ..interleaved(65_536, 2048, Direction::TopDown) };
    for (size, advice) in [
        (
            0,
            " The L1_SMALL region is 0 B because it is reserved at device open; set l1_small_size \
             large enough for this allocation when opening the device.",
        ),
        (
            64,
            " The L1_SMALL region is sized at device open; increase l1_small_size when opening \
              the device.",
        ),
    ] {
        let map = Machine::N150.memory_map(reserved(size, 0));
        let mut small = manager(map.bank_manager(BufferType::L1Small));
        let text = message(&mut small, sharded);
        assert!(text.contains("across 2 banks, where each bank needs to store 32768 B"), "{text}");
        assert!(text.ends_with(advice), "{text}");
    }
}

#[test]
fn l1_small_takes_sharded_buffers_only() {
    let map = Machine::N150.memory_map(reserved(32_768, 0));
    let mut small = manager(map.bank_manager(BufferType::L1Small));
    let request = interleaved(2048, 2048, Direction::TopDown);
    let text = "L1_SMALL only supports sharded allocations, see validate_num_banks";
    assert_eq!(message(&mut small, request), text);
    let sharded = Request { num_shards: Some(1), ..request };
    assert_eq!(small.allocate(ONLY, sharded), Ok(DeviceAddr(1_499_136 - 2048)));
    let too_many = Request { num_shards: Some(73), ..request };
    assert_eq!(
        small.allocate(ONLY, too_many),
        Err(AllocationError::TooManyShards { num_shards: 73, compute_core_count: 72 })
    );
}

/// tt-metal takes the block first, then finds it too low and throws: the block is lost.
#[test]
fn an_allocation_below_the_limit_leaks_unless_it_is_atomic() {
    let map = Machine::N150.memory_map(Reserved::default());
    for atomic_allocation in [false, true] {
        let config = BankManagerConfig {
            interleaved_address_limit: DeviceAddr(1_400_000),
            atomic_allocation,
            ..map.bank_manager(BufferType::L1)
        };
        let mut manager = manager(config);
        let empty = manager.fingerprint();
        let text = message(&mut manager, interleaved(2048, 2048, Direction::BottomUp));
        let expected =
            "Out of Memory: Cannot allocate at an address below 1400000. Allocation at 105824";
        assert_eq!(text, expected);
        let list = manager.allocator(ONLY).unwrap();
        assert_eq!(list.lowest_occupied_address(), None);
        assert_eq!(list.allocated_bytes() == Bytes(0), atomic_allocation);
        assert_eq!(manager.fingerprint() == empty, atomic_allocation);
        assert_eq!(manager.allocated_buffers(ONLY), Ok(Vec::new()));
        manager.deallocate_all();
        let leaked = manager.allocator(ONLY).unwrap().allocated_bytes();
        assert_eq!(leaked == Bytes(0), atomic_allocation, "deallocate_all knows no such buffer");
        if !atomic_allocation {
            let address = DeviceAddr(105_824);
            let freed = Freed { size: Bytes(2048), was_leaked: true };
            let before = manager.fingerprint();
            assert_eq!(manager.deallocate(ONLY, address), Ok(Some(freed)));
            assert_eq!(manager.fingerprint(), empty);
            manager.undo_deallocate(ONLY, address, freed, None);
            assert_eq!(manager.fingerprint(), before);
            manager.undo_allocate(ONLY, address, None);
            assert_eq!(manager.fingerprint(), empty);
        }
    }
}

#[test]
fn freeing_twice_is_silent_and_clear_frees_all() {
    let map = Machine::P150.memory_map(Reserved::default());
    let mut dram = manager(map.bank_manager(BufferType::Dram));
    let request = interleaved(2048, 2048, Direction::BottomUp);
    let placement = dram.placement(request).unwrap();
    let first = dram.allocate_placed(ONLY, &placement).unwrap();
    let second = dram.allocate(ONLY, request).unwrap();
    assert_eq!(dram.allocated_buffers(ONLY), Ok(vec![first, second]));
    assert!(dram.deallocate(ONLY, first).unwrap().is_some());
    assert_eq!(dram.deallocate(ONLY, first), Ok(None));
    dram.clear(ClearLowest::Reset);
    assert_eq!(dram.allocated_buffers(ONLY), Ok(Vec::new()));
    dram.shrink_size(Bytes(64), true).unwrap();
    assert_eq!(dram.allocate(ONLY, request), Ok(DeviceAddr(first.0 + 64)));
    dram.reset_size().unwrap();
    assert_eq!(dram.allocate(ONLY, interleaved(64, 64, Direction::BottomUp)), Ok(first));
}
