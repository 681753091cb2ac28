//! What lies where: live address ranges, memory by memory.

use std::collections::BTreeMap;

use super::event::{Device, Memory, Place};
use crate::units::DeviceAddr;

/// A memory in which addresses can overlap.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Lane {
    /// Of a chip.
    Chip(Device, Memory),
    /// Of a mesh whose chips are not known.
    Mesh(Device, Memory),
}

impl Lane {
    /// L1 and L1_SMALL are one memory of a chip, and so are DRAM and TRACE.
    pub fn memory(self) -> Self {
        let whole = |memory| match memory {
            Memory::L1 | Memory::L1Small => Memory::L1,
            Memory::Dram | Memory::Trace => Memory::Dram,
            Memory::SystemMemory => Memory::SystemMemory,
        };
        match self {
            Self::Chip(chip, memory) => Self::Chip(chip, whole(memory)),
            Self::Mesh(mesh, memory) => Self::Mesh(mesh, whole(memory)),
        }
    }
}

/// A live range.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Range {
    /// Its first address.
    pub start: DeviceAddr,
    /// Behind its last address.
    pub end: DeviceAddr,
    /// Where it came.
    pub place: Place,
    /// Whose it is.
    pub of: Device,
}

/// Candidates that are looked at: ranges that overlap each other many times over are a corrupt
/// input, in which one finding is as good as all.
const LOOKS_MAX: usize = 256;

#[derive(Clone, Debug, Default)]
struct Live {
    ranges: BTreeMap<(DeviceAddr, Place), Range>,
    /// No range was ever longer.
    longest: u64,
}

/// The live ranges.
#[derive(Clone, Debug, Default)]
pub struct Ranges {
    lanes: BTreeMap<Lane, Live>,
}

impl Ranges {
    /// The ranges of a lane that share bytes with this one.
    pub fn overlapping(&self, lane: Lane, range: Range) -> Vec<Range> {
        let Some(live) = self.lanes.get(&lane.memory()) else { return Vec::new() };
        let from = DeviceAddr(range.start.0.saturating_sub(live.longest));
        let near = live.ranges.range((from, Place(0))..(range.end, Place(0))).rev();
        let near = near.take(LOOKS_MAX).map(|(_, &other)| other);
        near.filter(|other| other.end > range.start && other.start < range.end).collect()
    }

    /// Adds a range.
    pub fn insert(&mut self, lane: Lane, range: Range) {
        let live = self.lanes.entry(lane.memory()).or_default();
        live.longest = live.longest.max(range.end.0 - range.start.0);
        live.ranges.insert((range.start, range.place), range);
    }

    /// Removes a range by its start and where it came.
    pub fn remove(&mut self, lane: Lane, start: DeviceAddr, place: Place) {
        if let Some(live) = self.lanes.get_mut(&lane.memory()) {
            live.ranges.remove(&(start, place));
        }
    }
}
