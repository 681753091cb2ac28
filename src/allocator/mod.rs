//! The device-memory allocator: which address a request gets, and what a free gives back.
//!
//! [`FreeListOpt`] answers exactly as tt-metal's class of that name; a [`BankManager`] puts one or
//! more of them behind the rounding and the limits of one buffer type, and [`memory_map`] says
//! where the regions of each machine lie.

pub mod bank_manager;
pub mod free_list_opt;
pub mod memory_map;
#[doc(hidden)]
pub mod reference;
pub mod walk;

pub use bank_manager::{
    AllocationError, AllocatorId, BankManager, BankManagerConfig, Dependencies, DependencyError,
    Freed, OutOfMemory, Placement, Request,
};
pub use free_list_opt::{
    Block, BlockId, ClearLowest, Direction, FreeListConfig, FreeListOpt, SearchPolicy, ShrinkError,
    Statistics, TableRow,
};
pub use memory_map::{Arch, CoreGrid, Machine, MemoryMap, MeshShape, Region, Reserved};
