//! One allocator of a manager.

use super::Freed;
use crate::allocator::free_list_opt::FreeListOpt;
use crate::units::DeviceAddr;

/// One allocator, and the blocks that refused allocations have kept.
///
/// tt-metal's `allocated_buffers_` is every allocated block but these.
#[derive(Clone, Debug)]
pub(super) struct Lane {
    pub list: FreeListOpt,
    pub leaked: Vec<DeviceAddr>,
}

impl Lane {
    pub fn new(list: FreeListOpt) -> Self {
        Self { list, leaked: Vec::new() }
    }

    #[inline]
    pub fn deallocate(&mut self, address: DeviceAddr) -> Option<Freed> {
        let size = self.list.deallocate(address)?;
        let was_leaked = !self.leaked.is_empty() && self.forget_leak(address);
        Some(Freed { size, was_leaked })
    }

    #[cold]
    fn forget_leak(&mut self, address: DeviceAddr) -> bool {
        let count = self.leaked.len();
        self.leaked.retain(|&leaked| leaked != address);
        self.leaked.len() != count
    }

    pub fn deallocate_all(&mut self) {
        // ASSUMED: ascending. The C++ class walks a hash set; the order shows in the block table's
        // numbers only.
        for address in self.allocated_buffers() {
            self.list.deallocate(address);
        }
    }

    pub fn allocated_buffers(&self) -> Vec<DeviceAddr> {
        let blocks = self.list.blocks().filter(|block| block.allocated);
        blocks.map(|block| block.address).filter(|at| !self.leaked.contains(at)).collect()
    }

    #[inline]
    pub fn fingerprint(&self) -> u64 {
        let leaked = self.leaked.iter().map(|at| (at.0 + 1).wrapping_mul(0xD6E8_FEB8_6659_FD93));
        self.list.fingerprint() ^ leaked.fold(0, u64::wrapping_add)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::allocator::free_list_opt::{Direction, FreeListConfig, SearchPolicy};
    use crate::units::Bytes;

    /// Exploration merges states by it: no block, one block and a kept block are three states.
    #[test]
    fn blocks_and_leaks_count() {
        let config = FreeListConfig {
            max_size: Bytes(1 << 20),
            offset: DeviceAddr(0),
            min_allocation: Bytes(1024),
            alignment: Bytes(1024),
            policy: SearchPolicy::Best,
        };
        let mut lane = Lane::new(FreeListOpt::new(config));
        let mut seen = vec![lane.fingerprint()];
        for _ in 0..2 {
            let address =
                lane.list.allocate(Bytes(2048), Direction::BottomUp).expect("it is empty");
            seen.push(lane.fingerprint());
            lane.leaked.push(address);
            seen.push(lane.fingerprint());
        }
        let count = seen.len();
        seen.sort_unstable();
        seen.dedup();
        assert_eq!(seen.len(), count);
    }
}
