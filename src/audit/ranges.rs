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
    /// Two ranges shared bytes at some time. Until then, what begins before another range and is
    /// not the last to do so ends before it, too.
    was_shared: bool,
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
        let mut is_last = false;
        let near = near.map(|(_, &other)| other).take_while(|other| {
            let goes_on = !is_last;
            is_last = !live.was_shared && other.start <= range.start;
            goes_on
        });
        let near = near.take(LOOKS_MAX);
        near.filter(|other| other.end > range.start && other.start < range.end).collect()
    }

    /// Adds a range, and answers those that share bytes with it.
    pub fn insert(&mut self, lane: Lane, range: Range) -> Vec<Range> {
        let others = self.overlapping(lane, range);
        let live = self.lanes.entry(lane.memory()).or_default();
        live.was_shared |= !others.is_empty();
        live.longest = live.longest.max(range.end.0 - range.start.0);
        live.ranges.insert((range.start, range.place), range);
        others
    }

    /// Removes a range by its start and where it came.
    pub fn remove(&mut self, lane: Lane, start: DeviceAddr, place: Place) {
        if let Some(live) = self.lanes.get_mut(&lane.memory()) {
            live.ranges.remove(&(start, place));
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::choice::{Choices, Seeded};

    /// Ranges that are found by looking at neighbours are those that looking at all of them finds.
    #[test]
    fn what_shares_bytes_is_found_whatever_came_before() {
        let lane = Lane::Chip(Device(0), Memory::L1);
        let mut shared = 0;
        for seed in 0..200 {
            let mut choices = Seeded::new(seed);
            let (mut ranges, mut all) = (Ranges::default(), Vec::<Range>::new());
            for place in 0..60 {
                if choices.chance(1, 3) && !all.is_empty() {
                    let gone = all.swap_remove(choices.pick(all.len() as u64) as usize);
                    ranges.remove(lane, gone.start, gone.place);
                }
                let start = DeviceAddr(choices.pick(4_000));
                let end = DeviceAddr(start.0 + 1 + choices.pick(60));
                let range = Range { start, end, place: Place(place), of: Device(0) };
                let meets = |other: &&Range| other.end > range.start && other.start < range.end;
                let mut expected: Vec<Range> = all.iter().filter(meets).copied().collect();
                expected.sort_by_key(|other| std::cmp::Reverse((other.start, other.place)));
                assert_eq!(ranges.insert(lane, range), expected);
                shared += expected.len();
                all.push(range);
            }
        }
        assert!(shared > 1_000);
    }
}
