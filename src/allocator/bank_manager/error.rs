//! Why a buffer gets no memory, in tt-metal's words.

use std::fmt;

use super::AllocatorId;
use crate::allocator::free_list_opt::ShrinkError;
use crate::units::{BufferType, Bytes, DeviceAddr};

/// Why a manager refused; the text of each is the runtime's, or its source's.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum AllocationError {
    /// No block fits.
    #[error("{0}")]
    OutOfMemory(OutOfMemory),
    /// The only block that fits lies too low.
    #[error("Out of Memory: Cannot allocate at an address below {limit}. Allocation at {address}")]
    BelowLimit {
        /// The least address allowed.
        limit: DeviceAddr,
        /// Where the block is.
        address: DeviceAddr,
    },
    /// An interleaved buffer in `L1_SMALL`.
    #[error("L1_SMALL only supports sharded allocations, see validate_num_banks")]
    ShardedOnly,
    /// More shards than cores.
    #[error(
        "Expected number of shards {num_shards} to be less than or equal to total number of L1 \
         banks {compute_core_count} in compute cores"
    )]
    TooManyShards {
        /// Shards of the buffer.
        num_shards: u32,
        /// Cores that can hold one.
        compute_core_count: u32,
    },
    /// An L1 manager without a limit.
    #[error("Address limit 0 needs to be larger than zero.")]
    NoAddressLimit,
    /// No such allocator.
    #[error("Invalid allocator ID {} (num_allocators={allocator_count})", id.0)]
    InvalidAllocatorId {
        /// The id asked for.
        id: AllocatorId,
        /// How many there are.
        allocator_count: usize,
    },
    /// An operation for managers with one allocator.
    #[error("Expected single allocator!")]
    ExpectedSingleAllocator,
    /// The gap between neighbours starts at an odd address.
    #[error("Chosen address {address} is not aligned to {alignment} B")]
    Unaligned {
        /// Where the gap starts.
        address: DeviceAddr,
        /// What it should be a multiple of.
        alignment: Bytes,
    },
    /// The gap between neighbours is too small for the rounded block.
    #[error("Allocator failed to place at chosen address {address}")]
    NotPlaced {
        /// Where the gap starts.
        address: DeviceAddr,
    },
    /// The region could not be shrunk.
    #[error(transparent)]
    Shrink(#[from] ShrinkError),
}

/// The figures of an out-of-memory error.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct OutOfMemory {
    /// Bytes in all pages.
    pub size: Bytes,
    /// What the buffer is for.
    pub buffer_type: BufferType,
    /// Banks, or shards, that it would be spread over.
    pub bank_count: u32,
    /// Bytes that each would store.
    pub size_per_bank: Bytes,
    /// Bytes in a bank.
    pub bank_size: Bytes,
    /// Bytes of a bank that are allocated.
    pub allocated: Bytes,
    /// Bytes of a bank that are free.
    pub free: Bytes,
    /// Bytes in the largest free block of a bank.
    pub largest_free: Bytes,
    /// Whether neighbouring allocators were considered.
    pub beside_neighbours: bool,
}

impl OutOfMemory {
    fn advice(&self) -> &'static str {
        match (self.buffer_type, self.bank_size) {
            (BufferType::L1Small, Bytes(0)) => {
                " The L1_SMALL region is 0 B because it is reserved at device open; set \
                 l1_small_size large enough for this allocation when opening the device."
            }
            (BufferType::L1Small, _) => {
                " The L1_SMALL region is sized at device open; increase l1_small_size when \
                 opening the device."
            }
            (BufferType::Dram | BufferType::L1 | BufferType::Trace, _) => "",
        }
    }
}

impl fmt::Display for OutOfMemory {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { size, buffer_type, bank_count, size_per_bank, bank_size, .. } = self;
        let Self { allocated, free, largest_free, .. } = self;
        write!(f, "Out of Memory: Not enough space ")?;
        if self.beside_neighbours {
            // ASSUMED: the rest of this text, from the source of 2025; the runtime was not seen to
            // print it.
            write!(f, "after considering dependencies to allocate {size} B {buffer_type} across ")?;
            write!(
                f,
                "{bank_count} banks ({size_per_bank} B per bank), bank size is {bank_size} "
            )?;
            write!(f, "B (allocated: {allocated} B, free: {free} B, largest free block: ")?;
            return write!(f, "{largest_free} B)");
        }
        write!(f, "to allocate {size} B {buffer_type} buffer across {bank_count} banks, where ")?;
        write!(f, "each bank needs to store {size_per_bank} B, but bank size is {bank_size} B ")?;
        write!(f, "(allocated: {allocated} B, free: {free} B, largest free block: ")?;
        write!(f, "{largest_free} B).{}", self.advice())
    }
}
