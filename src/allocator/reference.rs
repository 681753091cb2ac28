//! A second reading of the allocator's rules, as plain as it can be, to hold [`FreeListOpt`]
//! against.
//!
//! It keeps the allocated ranges in one sorted list and works everything else out from them.
//!
//! [`FreeListOpt`]: super::FreeListOpt

use super::free_list_opt::{Block, ClearLowest, Direction, FreeListConfig, SearchPolicy};
use crate::units::{Bytes, DeviceAddr};

/// The naive allocator.
#[derive(Clone, Debug)]
pub struct ReferenceList {
    config: FreeListConfig,
    /// Start and end of each allocated block, relative to the offset, ascending.
    allocated: Vec<(u64, u64)>,
    lowest: Option<u64>,
    shrunk: u64,
}

impl ReferenceList {
    /// An allocator whose region is free.
    #[must_use]
    pub fn new(config: FreeListConfig) -> Self {
        Self { config, allocated: Vec::new(), lowest: None, shrunk: 0 }
    }

    /// As [`FreeListOpt::allocate`](super::FreeListOpt::allocate).
    pub fn allocate(&mut self, size: Bytes, direction: Direction) -> Option<DeviceAddr> {
        let size = self.rounded(size)?;
        let mut holes: Vec<_> =
            self.holes().into_iter().filter(|hole| hole.1 - hole.0 >= size).collect();
        if direction == Direction::TopDown {
            holes.reverse();
        }
        if self.config.policy == SearchPolicy::Best {
            holes.sort_by_key(|hole| self.class(hole.1 - hole.0));
        }
        let &(start, end) = holes.first()?;
        let start = match direction {
            Direction::BottomUp => start,
            Direction::TopDown => end - size,
        };
        Some(self.occupy(start, size))
    }

    /// As [`FreeListOpt::allocate_at_address`](super::FreeListOpt::allocate_at_address).
    pub fn allocate_at_address(&mut self, start: DeviceAddr, size: Bytes) -> Option<DeviceAddr> {
        let start = start.0.checked_sub(self.config.offset.0)?;
        let size = self.rounded(size)?;
        let end = start.checked_add(size)?;
        let fits = self.holes().iter().any(|hole| hole.0 <= start && end <= hole.1);
        fits.then(|| self.occupy(start, size))
    }

    /// As [`FreeListOpt::deallocate`](super::FreeListOpt::deallocate).
    pub fn deallocate(&mut self, address: DeviceAddr) -> Option<Bytes> {
        let start = address.0.checked_sub(self.config.offset.0)?;
        let index = self.allocated.iter().position(|range| range.0 == start)?;
        let (_, end) = self.allocated.remove(index);
        if self.lowest.is_none_or(|lowest| start <= lowest) {
            self.lowest = self.allocated.iter().map(|range| range.0).find(|&other| other > start);
        }
        Some(Bytes(end - start))
    }

    /// As [`FreeListOpt::clear`](super::FreeListOpt::clear).
    pub fn clear(&mut self, lowest: ClearLowest) {
        self.allocated.clear();
        self.shrunk = 0;
        if lowest == ClearLowest::Reset {
            self.lowest = None;
        }
    }

    /// As [`FreeListOpt::shrink_size`](super::FreeListOpt::shrink_size); says only whether it did.
    pub fn shrink_size(&mut self, size: Bytes) -> bool {
        let boundary = self.shrunk + size.0;
        let fits = boundary < self.config.max_size.0
            && self.allocated.iter().all(|range| range.0 >= boundary);
        if fits {
            self.shrunk = boundary;
        }
        fits || size == Bytes(0)
    }

    /// As [`FreeListOpt::reset_size`](super::FreeListOpt::reset_size).
    pub fn reset_size(&mut self) {
        self.shrunk = 0;
    }

    /// As [`FreeListOpt::lowest_occupied_address`](super::FreeListOpt::lowest_occupied_address).
    #[must_use]
    pub fn lowest_occupied_address(&self) -> Option<DeviceAddr> {
        self.lowest.map(|lowest| DeviceAddr(lowest + self.config.offset.0))
    }

    /// Every block, by address.
    #[must_use]
    pub fn blocks(&self) -> Vec<Block> {
        let allocated = self.allocated.iter().map(|&range| (range, true));
        let free = self.holes().into_iter().map(|range| (range, false));
        let mut blocks: Vec<_> = allocated.chain(free).collect();
        blocks.sort_unstable();
        let offset = self.config.offset;
        let block = |((start, end), allocated): ((u64, u64), bool)| Block {
            address: offset.offset(Bytes(start)),
            size: Bytes(end - start),
            allocated,
        };
        blocks.into_iter().map(block).collect()
    }

    fn occupy(&mut self, start: u64, size: u64) -> DeviceAddr {
        self.allocated.push((start, start + size));
        self.allocated.sort_unstable();
        self.lowest = Some(self.lowest.map_or(start, |lowest| lowest.min(start)));
        DeviceAddr(start + self.config.offset.0)
    }

    fn rounded(&self, size: Bytes) -> Option<u64> {
        let least = size.0.max(self.config.min_allocation.0).max(1);
        (least <= self.config.max_size.0).then(|| Bytes(least).round_up(self.config.alignment).0)
    }

    fn holes(&self) -> Vec<(u64, u64)> {
        let mut holes = Vec::new();
        let mut from = self.shrunk;
        let end = self.config.max_size.0;
        for &(start, after) in self.allocated.iter().chain([&(end, end)]) {
            if start > from {
                holes.push((from, start));
            }
            from = from.max(after);
        }
        holes
    }

    /// `floor(log2(size / 1 KiB))`, 0 below 2 KiB; the last of 2 to 18 classes takes the rest.
    fn class(&self, size: u64) -> u32 {
        let log = |kibibytes: u64| kibibytes.checked_ilog2();
        let count = log(self.config.max_size.0 / 1024).map_or(0, |bits| bits + 1).clamp(2, 18);
        log(size / 1024).unwrap_or(0).min(count - 1)
    }
}
