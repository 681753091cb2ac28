//! The allocator of a mesh or device: tt-metal's `allocator.cpp` (tt-metal.md D5).

mod calls;
mod ended;

use super::Setup;
use crate::allocator::{
    AllocatorId as BankAllocatorId, BankManager, ClearLowest, Dependencies, FreeListOpt, Freed,
    SearchPolicy,
};
use crate::event::{AllocatorId, AllocatorState, Region, RegionBounds, TableBlock};
use crate::fix::{Defect, Fix, FixSet};
use crate::journal::mix;
use crate::units::{BufferType, Bytes, DeviceAddr, Lanes};

/// The managers have one allocator each: nothing in a scenario makes dependent ones.
const ONLY: BankAllocatorId = BankAllocatorId(0);

#[derive(Clone, Debug)]
enum Change {
    Taken(BufferType, DeviceAddr, Option<DeviceAddr>),
    Returned(BufferType, DeviceAddr, Freed, Option<DeviceAddr>),
    Replaced(BufferType, Box<BankManager>),
    Ended(Vec<(BufferType, TableBlock)>),
    Died,
}

/// Bugs of the past that change what the allocator does.
#[derive(Clone, Copy, Debug)]
struct Faults {
    /// The block table shows blocks that have ended.
    ended_blocks_shown: bool,
    /// A region without a free block gets none back.
    full_region_lost: bool,
}

/// One BankManager for each buffer type, over the same chips.
#[derive(Clone, Debug)]
pub struct AllocatorImpl {
    id: AllocatorId,
    managers: [BankManager; 4],
    devices: Lanes,
    process: u32,
    alive: bool,
    /// Blocks that ended when they were joined with a neighbour, and that the block table shows
    /// all the same; always empty without the bug of that.
    ended: Vec<(BufferType, TableBlock)>,
    faults: Faults,
    journal: Vec<Change>,
    undo: bool,
}

impl AllocatorImpl {
    fn new(id: AllocatorId, setup: &Setup, fixes: FixSet, undo: bool) -> Self {
        // tt-metal.md D1: "if result < limit => throw [...]: the block stays allocated (leak on
        // throw)".
        let atomic_allocation = fixes.has(Fix::AtomicAllocation);
        // PR 35515: "use BEST-fit for L1/L1_SMALL to reduce fragmentation under top-down
        // allocations". PR 4457: the best strategy "had a bug - it was same as first search
        // strategy".
        let best_fit = fixes.has(Fix::BestFitL1) && !fixes.has_defect(Defect::BestIsFirst);
        let manager = |buffer_type| {
            let mut config = setup.memory.bank_manager(buffer_type);
            if let Some(limit) = setup.l1_limit {
                config.interleaved_address_limit = limit;
            }
            config.atomic_allocation = atomic_allocation;
            if best_fit && matches!(buffer_type, BufferType::L1 | BufferType::L1Small) {
                config.policy = SearchPolicy::Best;
            }
            BankManager::new(config, Dependencies::default())
        };
        let managers = BufferType::ALL.map(manager);
        let faults = Faults {
            // PR 28659: "Add check for stale metablocks when iterating through block_addresses_".
            ended_blocks_shown: fixes.has_defect(Defect::StaleMetaBlock),
            // PR 875: "Fix bug in allocating an entire region of free space that results in no
            // more free blocks".
            full_region_lost: fixes.has_defect(Defect::RegionLost),
        };
        Self {
            id,
            managers,
            devices: Lanes::NONE,
            process: 0,
            alive: false,
            ended: Vec::new(),
            faults,
            journal: Vec::new(),
            undo,
        }
    }

    /// Takes a pooled allocator into use.
    fn open(&mut self, devices: Lanes, process: u32) {
        for manager in &mut self.managers {
            manager.clear(ClearLowest::Reset);
        }
        self.devices = devices;
        self.process = process;
        self.alive = true;
        self.ended.clear();
        self.journal.clear();
    }

    /// Its number.
    #[must_use]
    pub fn id(&self) -> AllocatorId {
        self.id
    }

    /// Its chips.
    pub(super) fn devices(&self) -> Lanes {
        self.devices
    }

    /// Whether its device still exists.
    #[must_use]
    #[inline]
    pub fn is_alive(&self) -> bool {
        self.alive
    }

    /// The process it lives in.
    #[must_use]
    pub fn process(&self) -> u32 {
        self.process
    }

    /// The manager of a buffer type.
    #[must_use]
    #[inline]
    pub fn manager(&self, buffer_type: BufferType) -> &BankManager {
        &self.managers[buffer_type.index()]
    }

    /// What the manager of a buffer type reports of itself.
    #[must_use]
    #[inline]
    pub fn state(&self, buffer_type: BufferType) -> AllocatorState {
        let list = self.list(buffer_type);
        AllocatorState { allocated: list.allocated_bytes(), lowest: list.lowest_occupied_address() }
    }

    #[inline]
    fn list(&self, buffer_type: BufferType) -> &FreeListOpt {
        let list = self.manager(buffer_type).allocator(ONLY);
        list.expect("every manager has its first allocator")
    }

    /// The size, in each bank, of the block that starts at an address.
    pub(super) fn block_size(&self, buffer_type: BufferType, address: DeviceAddr) -> Option<Bytes> {
        self.list(buffer_type).block_size(address)
    }

    fn region(&self, buffer_type: BufferType) -> Region {
        Region { allocator: self.id, buffer_type }
    }

    fn bounds(&self, buffer_type: BufferType) -> RegionBounds {
        let config = self.manager(buffer_type).config();
        RegionBounds {
            start: config.offset,
            end: config.offset.offset(config.bank_size),
            alignment: config.block_alignment,
        }
    }

    /// The block table of a buffer type, lowest address first.
    pub(super) fn block_table(&self, buffer_type: BufferType, into: &mut Vec<TableBlock>) {
        into.clear();
        into.extend(self.list(buffer_type).blocks().map(|block| TableBlock {
            address: block.address,
            size: block.size,
            allocated: block.allocated,
        }));
        self.show_ended(buffer_type, into);
    }

    #[inline]
    fn note(&mut self, change: impl FnOnce() -> Change) {
        if self.undo {
            self.journal.push(change());
        }
    }

    fn replace(&mut self, buffer_type: BufferType, change: impl FnOnce(&mut BankManager)) {
        if self.undo {
            let old = Box::new(self.managers[buffer_type.index()].clone());
            self.journal.push(Change::Replaced(buffer_type, old));
        }
        change(&mut self.managers[buffer_type.index()]);
        self.forget_ended(buffer_type);
    }

    pub(super) fn mark(&self) -> usize {
        self.journal.len()
    }

    pub(super) fn undo_to(&mut self, mark: usize) {
        while self.journal.len() > mark {
            match self.journal.pop().expect("the journal is longer than the mark") {
                Change::Taken(buffer_type, address, lowest) => {
                    self.managers[buffer_type.index()].undo_allocate(ONLY, address, lowest);
                }
                Change::Returned(buffer_type, address, freed, lowest) => {
                    let manager = &mut self.managers[buffer_type.index()];
                    manager.undo_deallocate(ONLY, address, freed, lowest);
                }
                Change::Replaced(buffer_type, old) => self.managers[buffer_type.index()] = *old,
                Change::Ended(old) => self.ended = old,
                Change::Died => self.alive = true,
            }
        }
    }

    pub(super) fn fingerprint(&self) -> u64 {
        let managers = self.managers.iter().map(BankManager::fingerprint);
        let ended = self.ended.iter().map(|(buffer_type, block)| {
            mix(mix(*buffer_type as u64, block.address.0), block.size.0)
        });
        managers.chain(ended).fold(u64::from(self.alive) | u64::from(self.process) << 1, mix)
    }
}
