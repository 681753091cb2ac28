//! Which tensors programs for the real runtime make.

use crate::choice::{Choices, Seeded};
use crate::op::{BufferSpec, Pages};
use crate::units::{BufferType, Bytes};

/// Sizes of pages: tiles of each type, rows whose length is aligned, and rows whose length is not.
const SIZES: [u64; 12] = [2048, 2048, 2048, 2048, 4096, 1088, 576, 64, 70, 1024, 2000, 9];

/// A buffer that a tensor may ask for.
pub(super) fn spec(choices: &mut Seeded, wild: bool) -> BufferSpec {
    let size = Bytes(SIZES[choices.pick(SIZES.len() as u64) as usize]);
    let (buffer_type, shards) = match choices.pick(16) {
        0..=5 => (BufferType::Dram, None),
        6..=12 => (BufferType::L1, None),
        13 | 14 => (BufferType::L1, Some(1 + choices.pick(16) as u32)),
        _ => (BufferType::L1Small, Some(1 + choices.pick(4) as u32)),
    };
    let count = match (buffer_type, shards, choices.pick(8)) {
        (_, Some(shards), _) => shards * (1 + choices.pick(4) as u32),
        (_, None, 0) => 0,
        (_, None, 1..=4) => 1 + choices.pick(8) as u32,
        (BufferType::Dram, None, _) => 1 + choices.pick(2000) as u32,
        // So much of L1 that the next one may not fit, or leaves no room for circular buffers.
        (_, None, 5) => 30_000 + choices.pick(25_000) as u32,
        (_, None, _) => 64 * (1 + choices.pick(100) as u32),
    };
    let huge = wild && shards.is_none() && choices.chance(1, 24);
    let count = if huge { 1 << (22 + choices.pick(5)) } else { count };
    BufferSpec { buffer_type, pages: Pages { count, size }, top_down: None, shards }
}
