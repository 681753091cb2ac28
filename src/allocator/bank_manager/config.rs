//! What a manager is made with, asked for, and gives back.

use crate::allocator::free_list_opt::{Direction, SearchPolicy};
use crate::units::{BufferType, Bytes, DeviceAddr};

/// What a manager is made with.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct BankManagerConfig {
    /// What its buffers are for.
    pub buffer_type: BufferType,
    /// Banks that an interleaved buffer is spread over.
    pub bank_count: u32,
    /// Bytes of each bank that the manager hands out; 0 is a region that was not reserved.
    pub bank_size: Bytes,
    /// Address of the first of them.
    pub offset: DeviceAddr,
    /// Pages are rounded up to it, in bytes.
    pub page_alignment: Bytes,
    /// Blocks are rounded up to it, in bytes; tt-metal takes the DRAM alignment everywhere.
    pub block_alignment: Bytes,
    /// An interleaved L1 buffer below it is refused.
    pub interleaved_address_limit: DeviceAddr,
    /// The greatest number of shards.
    pub compute_core_count: u32,
    /// How a free block is chosen; the runtime uses first fit.
    pub policy: SearchPolicy,
    /// Whether a refused allocation gives its block back. In tt-metal it keeps it.
    pub atomic_allocation: bool,
}

/// What a buffer asks for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Request {
    /// Bytes in all its pages, each aligned.
    pub size: Bytes,
    /// Bytes in one page, aligned.
    pub page_size: Bytes,
    /// How many shards it has; `None` if it is interleaved.
    pub num_shards: Option<u32>,
    /// Which end it is taken from.
    pub direction: Direction,
}

/// A request as a manager sees it; worked out once, it can be allocated many times.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Placement {
    /// Bytes in all pages; only error texts need it.
    pub size: Bytes,
    /// Bytes that each bank stores.
    pub size_per_bank: Bytes,
    /// Banks, or shards, that it is spread over.
    pub bank_count: u32,
    /// No address below it is accepted; 0 if any is.
    pub address_limit: DeviceAddr,
    /// Which end it is taken from.
    pub direction: Direction,
}

/// What a deallocation gave back.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Freed {
    /// Bytes in the block, a bank.
    pub size: Bytes,
    /// Whether the block was one that a refused allocation had kept.
    pub was_leaked: bool,
}
