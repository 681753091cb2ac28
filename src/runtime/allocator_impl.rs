//! The allocator of a mesh or device: tt-metal's `allocator.cpp` (tt-metal.md D5).

mod calls;

use super::Setup;
use crate::allocator::{
    AllocatorId as BankAllocatorId, BankManager, ClearLowest, Dependencies, Freed,
};
use crate::event::{AllocatorId, AllocatorState, Region, RegionBounds, TableBlock};
use crate::fix::{Fix, FixSet};
use crate::journal::mix;
use crate::units::{BufferType, Bytes, DeviceAddr, Lanes};

/// The managers have one allocator each: nothing in a scenario makes dependent ones.
const ONLY: BankAllocatorId = BankAllocatorId(0);

#[derive(Clone, Debug)]
enum Change {
    Taken(BufferType, DeviceAddr, Option<DeviceAddr>),
    Returned(BufferType, DeviceAddr, Freed, Option<DeviceAddr>),
    Replaced(BufferType, Box<BankManager>),
    Died,
}

/// One BankManager for each buffer type, over the same chips.
#[derive(Clone, Debug)]
pub struct AllocatorImpl {
    id: AllocatorId,
    managers: [BankManager; 4],
    devices: Lanes,
    process: u32,
    alive: bool,
    journal: Vec<Change>,
    undo: bool,
}

impl AllocatorImpl {
    fn new(id: AllocatorId, setup: &Setup, fixes: FixSet, undo: bool) -> Self {
        // tt-metal.md D1: "if result < limit => throw [...]: the block stays allocated (leak on
        // throw)".
        let atomic_allocation = fixes.has(Fix::AtomicAllocation);
        let manager = |buffer_type| {
            let mut config = setup.memory.bank_manager(buffer_type);
            if let Some(limit) = setup.l1_limit {
                config.interleaved_address_limit = limit;
            }
            config.atomic_allocation = atomic_allocation;
            BankManager::new(config, Dependencies::default())
        };
        let managers = BufferType::ALL.map(manager);
        let (devices, process) = (Lanes::NONE, 0);
        Self { id, managers, devices, process, alive: false, journal: Vec::new(), undo }
    }

    /// Takes a pooled allocator into use.
    fn open(&mut self, devices: Lanes, process: u32) {
        for manager in &mut self.managers {
            manager.clear(ClearLowest::Reset);
        }
        self.devices = devices;
        self.process = process;
        self.alive = true;
        self.journal.clear();
    }

    /// Its number.
    #[must_use]
    pub fn id(&self) -> AllocatorId {
        self.id
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
        let list = self.manager(buffer_type).allocator(ONLY);
        let list = list.expect("every manager has its first allocator");
        AllocatorState { allocated: list.allocated_bytes(), lowest: list.lowest_occupied_address() }
    }

    /// The size of the block that starts at an address; none if no allocated one does.
    #[inline]
    pub(super) fn block_at(&self, buffer_type: BufferType, address: DeviceAddr) -> Option<Bytes> {
        let list = self.manager(buffer_type).allocator(ONLY);
        list.expect("every manager has its first allocator").block_size(address)
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
        let list = self.manager(buffer_type).allocator(ONLY);
        let list = list.expect("every manager has its first allocator");
        into.clear();
        into.extend(list.blocks().map(|block| TableBlock {
            address: block.address,
            size: block.size,
            allocated: block.allocated,
        }));
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
                Change::Died => self.alive = true,
            }
        }
    }

    pub(super) fn fingerprint(&self) -> u64 {
        let managers = self.managers.iter().map(BankManager::fingerprint);
        managers.fold(u64::from(self.alive) | u64::from(self.process) << 1, mix)
    }
}
