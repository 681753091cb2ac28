//! Which allocators of a manager must avoid each other's addresses.

use super::Placement;
use crate::allocator::free_list_opt::Direction;
use crate::units::DeviceAddr;

/// The number of an allocator within its manager.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct AllocatorId(pub u32);

/// An undirected graph of allocators; neighbours share cores.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Dependencies {
    neighbours: Vec<Vec<AllocatorId>>,
}

/// A list of dependencies that names an allocator twice.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error(
    "Duplicate dependency for allocator {}: {} appears more than once!",
    allocator.0, dependency.0
)]
pub struct DependencyError {
    /// Whose list it is.
    pub allocator: AllocatorId,
    /// What it names twice.
    pub dependency: AllocatorId,
}

impl Default for Dependencies {
    fn default() -> Self {
        Self::single()
    }
}

impl Dependencies {
    /// One allocator with no neighbour.
    #[must_use]
    pub fn single() -> Self {
        Self { neighbours: vec![Vec::new()] }
    }

    /// The allocators that the lists name, 0 to the greatest id; an edge in one direction is an
    /// edge in both.
    ///
    /// # Errors
    /// If one list names an allocator twice.
    pub fn new(lists: &[(AllocatorId, &[AllocatorId])]) -> Result<Self, DependencyError> {
        let ids = lists.iter().flat_map(|(id, others)| others.iter().chain([id]));
        let count = ids.map(|id| id.0 as usize + 1).max().unwrap_or(1);
        let mut neighbours = vec![Vec::new(); count];
        for &(allocator, others) in lists {
            for (index, &dependency) in others.iter().enumerate() {
                if others[..index].contains(&dependency) {
                    return Err(DependencyError { allocator, dependency });
                }
                neighbours[allocator.0 as usize].push(dependency);
                neighbours[dependency.0 as usize].push(allocator);
            }
        }
        for list in &mut neighbours {
            list.sort_unstable();
            list.dedup();
        }
        Ok(Self { neighbours })
    }

    /// How many allocators there are.
    #[must_use]
    pub fn allocator_count(&self) -> usize {
        self.neighbours.len()
    }

    /// Whose addresses an allocator avoids, ascending; none if there is no such allocator.
    #[must_use]
    pub fn neighbours(&self, id: AllocatorId) -> &[AllocatorId] {
        self.neighbours.get(id.0 as usize).map_or(&[], Vec::as_slice)
    }

    #[inline]
    pub(super) fn has_neighbours(&self, id: AllocatorId) -> bool {
        !self.neighbours(id).is_empty()
    }
}

type Range = (DeviceAddr, DeviceAddr);

/// The first address, from the placement's end, where it fits into what is `available` and not
/// `taken`; both are sorted.
pub(super) fn first_fit(
    available: &[Range],
    taken: &[Range],
    placement: &Placement,
) -> Option<DeviceAddr> {
    let size = placement.size_per_bank.0;
    let clamped = available.iter().map(|&(start, end)| (start.max(placement.address_limit), end));
    let mut gaps = clamped.flat_map(|range| gaps(range, taken));
    let fits = |&(start, end): &Range| end.0.saturating_sub(start.0) >= size;
    match placement.direction {
        Direction::BottomUp => gaps.find(fits).map(|(start, _)| start),
        Direction::TopDown => gaps.filter(fits).last().map(|(_, end)| DeviceAddr(end.0 - size)),
    }
}

/// The parts of a range that none of the sorted, possibly overlapping `taken` ranges covers.
fn gaps((start, end): Range, taken: &[Range]) -> impl Iterator<Item = Range> {
    let after = (end, end);
    let overlapping = taken.iter().filter(move |other| other.1 > start && other.0 < end);
    overlapping.copied().chain([after]).scan(start, move |free_from, (from, to)| {
        let gap = (*free_from, from);
        *free_from = (*free_from).max(to);
        Some(gap)
    })
}
