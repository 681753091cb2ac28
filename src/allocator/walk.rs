//! The walk that the allocator's speed is measured on.

use std::time::{Duration, Instant};

use super::{Direction, FreeListConfig, FreeListOpt, SearchPolicy};
use crate::units::{Bytes, DeviceAddr};

/// The live-block counts that figures are given for.
pub const LIVE_BLOCK_COUNTS: [usize; 5] = [16, 64, 256, 1024, 4096];

/// The C++ class on this walk, in ns an operation, on a quiet machine, for each of
/// [`LIVE_BLOCK_COUNTS`].
pub const CPP_NANOSECONDS: [f64; 5] = [64.0, 71.0, 76.0, 93.0, 121.0];

/// A walk over the allocator: between `live` and `2 * live` blocks, each step a coin flip between
/// allocating a block and freeing a random one.
#[derive(Clone, Debug)]
pub struct Walk {
    list: FreeListOpt,
    addresses: Vec<DeviceAddr>,
    live: usize,
    random: u64,
    sum: u64,
}

/// What a walk did, and how long it took.
#[derive(Clone, Copy, Debug)]
pub struct Outcome {
    /// Allocations and frees done.
    pub operation_count: u64,
    /// The time they took together.
    pub elapsed: Duration,
    /// Sum of the addresses; the same for any allocator that answers as the C++ class does.
    pub checksum: u64,
}

impl Outcome {
    /// Nanoseconds an operation.
    #[must_use]
    pub fn nanoseconds_per_operation(&self) -> f64 {
        self.elapsed.as_nanos() as f64 / self.operation_count as f64
    }
}

/// Runs `operation_count` steps at `live` blocks, best fit from the bottom, after a warm-up.
#[must_use]
pub fn walk(live: usize, operation_count: u64, seed: u64) -> Outcome {
    let mut walk = Walk::new(live, SearchPolicy::Best, seed);
    walk.run(live as u64 * 20);
    let start = Instant::now();
    walk.run(operation_count);
    Outcome { operation_count, elapsed: start.elapsed(), checksum: walk.checksum() }
}

impl Walk {
    /// A walk over 1 GiB at offset 1 MiB with blocks of 2 KiB to 128 KiB, aligned to 32 bytes.
    #[must_use]
    pub fn new(live: usize, policy: SearchPolicy, seed: u64) -> Self {
        let list = FreeListOpt::new(FreeListConfig {
            max_size: Bytes(1 << 30),
            offset: DeviceAddr(1 << 20),
            min_allocation: Bytes(32),
            alignment: Bytes(32),
            policy,
        });
        let random = seed.wrapping_mul(0x9E37_79B9_7F4A_7C15) | 1;
        Self { list, addresses: Vec::with_capacity(2 * live), live, random, sum: 0 }
    }

    /// Does `operation_count` steps.
    pub fn run(&mut self, operation_count: u64) {
        for _ in 0..operation_count {
            self.step();
        }
    }

    /// The allocator that is walked over.
    #[must_use]
    pub fn list(&self) -> &FreeListOpt {
        &self.list
    }

    /// The allocator as the walk leaves it.
    #[must_use]
    pub fn into_list(self) -> FreeListOpt {
        self.list
    }

    /// Sum of all addresses given so far.
    #[must_use]
    pub fn checksum(&self) -> u64 {
        self.sum
    }

    #[inline]
    fn step(&mut self) {
        let random = self.next();
        let count = self.addresses.len();
        let allocate = count < self.live || (count < 2 * self.live && random & 1 == 0);
        if allocate {
            let size = Bytes(2048 * (1 + ((random >> 1) & 63)));
            let address = self.list.allocate(size, Direction::BottomUp);
            let address = address.expect("the blocks fill half of the region at most");
            self.sum = self.sum.wrapping_add(address.0);
            self.addresses.push(address);
        } else {
            let victim = ((random >> 32) * count as u64) >> 32;
            let address = self.addresses.swap_remove(victim as usize);
            self.list.deallocate(address);
        }
    }

    /// The xorshift64* generator: the walk needs speed, not quality.
    #[inline]
    fn next(&mut self) -> u64 {
        self.random ^= self.random >> 12;
        self.random ^= self.random << 25;
        self.random ^= self.random >> 27;
        self.random.wrapping_mul(0x2545_F491_4F6C_DD1D)
    }
}
