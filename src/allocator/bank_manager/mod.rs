//! tt-metal's `BankManager`: the allocators of one buffer type, over banks in lock step.
//!
//! A buffer's pages go round the banks, so a request becomes a number of bytes a bank, and one
//! address is valid in every bank. A manager has one allocator, or several with overlapping ranges
//! of cores, of which neighbours avoid each other's addresses.

mod config;
mod dependencies;
mod error;
mod lane;

pub use config::{BankManagerConfig, Freed, Placement, Request};
pub use dependencies::{AllocatorId, Dependencies, DependencyError};
pub use error::{AllocationError, OutOfMemory};

use super::free_list_opt::{ClearLowest, FreeListConfig, FreeListOpt, Statistics};
use crate::units::{BufferType, Bytes, DeviceAddr};
use dependencies::first_fit;
use lane::Lane;

/// The allocators of one buffer type.
#[derive(Clone, Debug)]
pub struct BankManager {
    config: BankManagerConfig,
    lanes: Vec<Lane>,
    dependencies: Dependencies,
}

/// Bytes that each of `bank_count` banks stores of a buffer with `num_pages` pages.
///
/// # Panics
/// If `bank_count` is 0.
#[must_use]
#[inline]
pub fn size_per_bank(
    num_pages: u64,
    page_size: Bytes,
    page_alignment: Bytes,
    bank_count: u32,
) -> Bytes {
    Bytes(num_pages.div_ceil(u64::from(bank_count)) * page_size.round_up(page_alignment).0)
}

impl BankManager {
    /// A manager whose banks are free.
    #[must_use]
    pub fn new(config: BankManagerConfig, dependencies: Dependencies) -> Self {
        let list = FreeListOpt::new(FreeListConfig {
            max_size: config.bank_size,
            offset: config.offset,
            min_allocation: config.block_alignment,
            alignment: config.block_alignment,
            policy: config.policy,
        });
        let lanes = vec![Lane::new(list); dependencies.allocator_count()];
        Self { config, lanes, dependencies }
    }

    /// What the manager was made with.
    #[must_use]
    pub fn config(&self) -> &BankManagerConfig {
        &self.config
    }

    /// The allocator with this id, to read.
    ///
    /// # Errors
    /// If there is none.
    pub fn allocator(&self, id: AllocatorId) -> Result<&FreeListOpt, AllocationError> {
        self.lanes.get(id.0 as usize).map(|lane| &lane.list).ok_or_else(|| self.invalid(id))
    }

    /// Works out what a request needs of each bank.
    ///
    /// # Errors
    /// If the buffer type, or the number of cores, does not allow the request.
    pub fn placement(&self, request: Request) -> Result<Placement, AllocationError> {
        let Self { config, .. } = self;
        let interleaved = request.num_shards.is_none();
        if interleaved && config.buffer_type == BufferType::L1Small {
            return Err(AllocationError::ShardedOnly);
        }
        let bank_count = request.num_shards.unwrap_or(config.bank_count);
        if !interleaved && bank_count > config.compute_core_count {
            let compute_core_count = config.compute_core_count;
            return Err(AllocationError::TooManyShards {
                num_shards: bank_count,
                compute_core_count,
            });
        }
        let limited = interleaved && config.buffer_type == BufferType::L1;
        if limited && config.interleaved_address_limit == DeviceAddr(0) {
            return Err(AllocationError::NoAddressLimit);
        }
        let num_pages = request.size.0.checked_div(request.page_size.0).unwrap_or(0);
        let size_per_bank =
            size_per_bank(num_pages, request.page_size, config.page_alignment, bank_count.max(1));
        Ok(Placement {
            size: request.size,
            size_per_bank,
            bank_count,
            address_limit: if limited { config.interleaved_address_limit } else { DeviceAddr(0) },
            direction: request.direction,
        })
    }

    /// Allocates a buffer.
    ///
    /// # Errors
    /// If the request is not allowed or no block fits. Below the address limit the block stays
    /// allocated unless the manager is made with `atomic_allocation`.
    pub fn allocate(
        &mut self,
        id: AllocatorId,
        request: Request,
    ) -> Result<DeviceAddr, AllocationError> {
        let placement = self.placement(request)?;
        self.allocate_placed(id, &placement)
    }

    /// Allocates what [`placement`](Self::placement) worked out.
    ///
    /// # Errors
    /// As [`allocate`](Self::allocate).
    #[inline]
    pub fn allocate_placed(
        &mut self,
        id: AllocatorId,
        placement: &Placement,
    ) -> Result<DeviceAddr, AllocationError> {
        let Some(lane) = self.lanes.get_mut(id.0 as usize) else {
            return Err(self.invalid(id));
        };
        if self.dependencies.has_neighbours(id) {
            return self.allocate_beside(id, placement);
        }
        let previous_lowest = lane.list.lowest_occupied_address();
        match lane.list.allocate(placement.size_per_bank, placement.direction) {
            Some(address) if address >= placement.address_limit => Ok(address),
            Some(address) => Err(self.refuse(id, address, previous_lowest, placement)),
            None => Err(self.out_of_memory(id, placement)),
        }
    }

    /// Gives the block at `address` back; `None` if no block starts there, which is silent in
    /// tt-metal.
    ///
    /// # Errors
    /// If there is no such allocator.
    #[inline]
    pub fn deallocate(
        &mut self,
        id: AllocatorId,
        address: DeviceAddr,
    ) -> Result<Option<Freed>, AllocationError> {
        let Some(lane) = self.lanes.get_mut(id.0 as usize) else {
            return Err(self.invalid(id));
        };
        Ok(lane.deallocate(address))
    }

    /// Frees every buffer. What refused allocations have kept stays.
    pub fn deallocate_all(&mut self) {
        for lane in &mut self.lanes {
            lane.deallocate_all();
        }
    }

    /// Frees everything and undoes any shrink.
    pub fn clear(&mut self, lowest: ClearLowest) {
        for lane in &mut self.lanes {
            lane.list.clear(lowest);
            lane.leaked.clear();
        }
    }

    /// The addresses of tt-metal's `allocated_buffers_`, ascending.
    ///
    /// # Errors
    /// If there is no such allocator.
    pub fn allocated_buffers(&self, id: AllocatorId) -> Result<Vec<DeviceAddr>, AllocationError> {
        let lane = self.lanes.get(id.0 as usize).ok_or_else(|| self.invalid(id))?;
        Ok(lane.allocated_buffers())
    }

    /// Takes bytes off the low end of the only allocator's region.
    ///
    /// # Errors
    /// If there are more allocators, or as [`FreeListOpt::shrink_size`].
    pub fn shrink_size(&mut self, size: Bytes, bottom_up: bool) -> Result<(), AllocationError> {
        Ok(self.only_list()?.shrink_size(size, bottom_up)?)
    }

    /// Gives back what [`shrink_size`](Self::shrink_size) took.
    ///
    /// # Errors
    /// If there are more allocators than one.
    pub fn reset_size(&mut self) -> Result<(), AllocationError> {
        self.only_list()?.reset_size();
        Ok(())
    }

    /// A hash of the state that decides future answers; independent of how it came about.
    #[must_use]
    #[inline]
    pub fn fingerprint(&self) -> u64 {
        self.lanes.iter().fold(0, |hash: u64, lane| {
            hash.rotate_left(23).wrapping_mul(0x9E37_79B9_7F4A_7C15) ^ lane.fingerprint()
        })
    }

    /// Takes back an allocation, refused or not; see [`FreeListOpt::undo_allocate`].
    ///
    /// # Panics
    /// If nothing is allocated at `address`.
    pub fn undo_allocate(
        &mut self,
        id: AllocatorId,
        address: DeviceAddr,
        previous_lowest: Option<DeviceAddr>,
    ) {
        let lane = &mut self.lanes[id.0 as usize];
        lane.leaked.retain(|&leaked| leaked != address);
        lane.list.undo_allocate(address, previous_lowest);
    }

    /// Takes back a deallocation that returned `freed`; see [`FreeListOpt::undo_deallocate`].
    ///
    /// # Panics
    /// If the range is not free.
    pub fn undo_deallocate(
        &mut self,
        id: AllocatorId,
        address: DeviceAddr,
        freed: Freed,
        previous_lowest: Option<DeviceAddr>,
    ) {
        let lane = &mut self.lanes[id.0 as usize];
        if freed.was_leaked {
            lane.leaked.push(address);
        }
        lane.list.undo_deallocate(address, freed.size, previous_lowest);
    }

    fn only_list(&mut self) -> Result<&mut FreeListOpt, AllocationError> {
        match self.lanes.as_mut_slice() {
            [lane] => Ok(&mut lane.list),
            _ => Err(AllocationError::ExpectedSingleAllocator),
        }
    }

    /// tt-metal finds the address below the limit after it took the block, and throws.
    #[cold]
    fn refuse(
        &mut self,
        id: AllocatorId,
        address: DeviceAddr,
        previous_lowest: Option<DeviceAddr>,
        placement: &Placement,
    ) -> AllocationError {
        let lane = &mut self.lanes[id.0 as usize];
        if self.config.atomic_allocation {
            lane.list.undo_allocate(address, previous_lowest);
        } else {
            lane.list.restore_lowest(previous_lowest);
            lane.leaked.push(address);
        }
        AllocationError::BelowLimit { limit: placement.address_limit, address }
    }

    /// Allocates where neither this allocator nor a neighbour has a block.
    fn allocate_beside(
        &mut self,
        id: AllocatorId,
        placement: &Placement,
    ) -> Result<DeviceAddr, AllocationError> {
        let lane = &self.lanes[id.0 as usize];
        let mut available = lane.list.available_addresses(placement.size_per_bank);
        available.sort_unstable();
        let neighbours = self.dependencies.neighbours(id);
        let mut taken: Vec<_> = neighbours
            .iter()
            .flat_map(|neighbour| self.lanes[neighbour.0 as usize].list.allocated_addresses())
            .collect();
        taken.sort_unstable();
        let address = first_fit(&available, &taken, placement)
            .ok_or_else(|| self.out_of_memory(id, placement))?;
        if address.0 % self.config.page_alignment.0.max(1) != 0 {
            let alignment = self.config.page_alignment;
            return Err(AllocationError::Unaligned { address, alignment });
        }
        let list = &mut self.lanes[id.0 as usize].list;
        list.allocate_at_address(address, placement.size_per_bank)
            .ok_or(AllocationError::NotPlaced { address })
    }

    #[cold]
    fn invalid(&self, id: AllocatorId) -> AllocationError {
        AllocationError::InvalidAllocatorId { id, allocator_count: self.lanes.len() }
    }

    #[cold]
    fn out_of_memory(&self, id: AllocatorId, placement: &Placement) -> AllocationError {
        let Statistics { total_allocatable, total_allocated, total_free, largest_free } =
            self.lanes[id.0 as usize].list.statistics();
        AllocationError::OutOfMemory(OutOfMemory {
            size: placement.size,
            buffer_type: self.config.buffer_type,
            bank_count: placement.bank_count,
            size_per_bank: placement.size_per_bank,
            bank_size: total_allocatable,
            allocated: total_allocated,
            free: total_free,
            largest_free,
            beside_neighbours: self.dependencies.has_neighbours(id),
        })
    }
}
