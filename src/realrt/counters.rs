//! The runtime's counters in shared memory: read after each answer, of chips that are a process's
//! own, since every process counts in the regions of the chips that it opens.

use std::collections::{BTreeMap, BTreeSet};
use std::path::PathBuf;

use crate::audit::{Action, Counted, CounterOf, Header, Process, shm};
use crate::units::BufferType;

/// Bytes by [`Counted`].
pub type Counts = [u64; Counted::ALL.len()];

/// What the region of one chip says.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Region {
    /// How many attached to it and did not detach.
    pub references: u32,
    /// The counters of the whole region.
    pub total: Counts,
    /// Those of its chips, added up.
    pub chips: Counts,
    /// Those of its processes, added up.
    pub processes: Counts,
    /// Those of the process that was asked.
    pub own: Counts,
}

impl Region {
    /// What a region's bytes say; none if they are none of a region.
    #[must_use]
    pub fn of(bytes: &[u8], own: i32) -> Option<Self> {
        if !shm::is_region(bytes) {
            return None;
        }
        let mut region = Self::default();
        for event in shm::read(bytes)? {
            let (of, counted) = match event.action {
                Action::Head(Header::References(count)) => {
                    region.references = count;
                    continue;
                }
                Action::Counter(of, counted) => (of, counted as usize),
                _ => continue,
            };
            let bytes = event.size.map_or(0, |size| size.0);
            match of {
                CounterOf::Region => region.total[counted] = bytes,
                CounterOf::Chip => region.chips[counted] += bytes,
                CounterOf::Process => {
                    region.processes[counted] += bytes;
                    if event.process == Some(Process(own)) {
                        region.own[counted] += bytes;
                    }
                }
            }
        }
        Some(region)
    }

    /// What is said of circular buffers: in all, by chip, and by process.
    pub(super) fn circular_buffers(&self) -> [u64; 3] {
        [&self.total, &self.chips, &self.processes].map(|of| of[Counted::CircularBuffers as usize])
    }

    /// What processes count that are not the one that was asked, circular buffers aside.
    pub(super) fn of_others(&self) -> u64 {
        let buffers = 0..Counted::CircularBuffers as usize;
        buffers.map(|at| self.processes[at].saturating_sub(self.own[at])).sum()
    }

    /// The first counter of which the parts are not the whole; circular buffers are counted now and
    /// then, so that theirs need not agree.
    pub(super) fn contradiction(&self) -> Option<String> {
        let (total, chips, processes) = (&self.total, &self.chips, &self.processes);
        let differs = |&at: &usize| total[at] != chips[at] || total[at] != processes[at];
        let mut all = 0..total.len();
        let at = all.find(|at| *at != Counted::CircularBuffers as usize && differs(at))?;
        let name = Counted::ALL[at].name();
        let (total, chips, processes) = (total[at], chips[at], processes[at]);
        Some(format!("{name} {total} in all, {chips} by chip and {processes} by process"))
    }
}

/// The counter of a type of buffer.
pub(super) fn counted(buffer_type: BufferType) -> Counted {
    match buffer_type {
        BufferType::Dram => Counted::Dram,
        BufferType::L1 => Counted::L1,
        BufferType::L1Small => Counted::L1Small,
        BufferType::Trace => Counted::Trace,
    }
}

/// Each sum that circular buffers can come to: on each core those of some of the programs, from the
/// base to the highest end. Programs are told by how many cores they run on, which are the first of
/// all, and by how many bytes they take on each; none if there are too many.
pub(super) fn sums(programs: &[(u64, u64)]) -> Option<BTreeSet<u64>> {
    let mut programs = programs.to_vec();
    programs.sort_unstable();
    programs.dedup();
    if programs.len() > SUMMED_MAX {
        return None;
    }
    // From the program on the most cores to that on the fewest, the larger ones count alone.
    let mut partial = BTreeSet::from([(0_u64, 0_u64)]);
    for &(cores, bytes) in programs.iter().rev() {
        let with = partial.iter().filter(|(_, highest)| bytes > *highest);
        let with: Vec<_> =
            with.map(|(sum, highest)| (sum + cores * (bytes - highest), bytes)).collect();
        partial.extend(with);
    }
    Some(partial.into_iter().map(|(sum, _)| sum).collect())
}

/// With more programs than this, sums are not worked out.
const SUMMED_MAX: usize = 14;

/// The regions of the chips with these ids that are there.
pub(super) fn regions(ids: &[u64], own: i32) -> BTreeMap<u8, Region> {
    let read = |(chip, &id): (usize, &u64)| {
        let bytes = std::fs::read(path(id)).ok()?;
        Some((chip as u8, Region::of(&bytes, own)?))
    };
    ids.iter().enumerate().filter_map(read).collect()
}

/// Where the runtime keeps the region of a chip; it stays when the process ends.
pub(super) fn path(id: u64) -> PathBuf {
    PathBuf::from(format!("/dev/shm/tt_device_{id}_memory"))
}

#[cfg(test)]
mod tests {
    use super::*;

    /// The larger of two programs counts on the cores that both run on.
    #[test]
    fn circular_buffers_are_counted_where_they_reach() {
        let of = |programs: &[(u64, u64)]| sums(programs).map(Vec::from_iter);
        assert_eq!(of(&[]), Some(vec![0]));
        assert_eq!(of(&[(10, 100), (10, 50)]), Some(vec![0, 500, 1000]));
        assert_eq!(of(&[(10, 100), (4, 50)]), Some(vec![0, 200, 1000]));
        assert_eq!(of(&[(10, 50), (4, 100)]), Some(vec![0, 400, 500, 700]));
        assert_eq!(of(&(0..15).map(|one| (1, one)).collect::<Vec<_>>()), None);
    }

    /// The bytes of a region are read as they are counted; a part that is not the whole is told.
    #[test]
    fn a_region_adds_up() {
        use crate::audit::{Device, Event, Place};
        use crate::units::Bytes;
        let counter = |of, size| Event {
            size: Some(Bytes(size)),
            device: Device(0),
            process: Some(Process(7)),
            ..Event::new(Place(0), Action::Counter(of, Counted::L1))
        };
        let parts = |own| {
            let all = [CounterOf::Region, CounterOf::Chip].map(|of| counter(of, 4096));
            let events = [all[0], all[1], counter(CounterOf::Process, own)];
            Region::of(&shm::region(3, &events), 7)
        };
        let sound = parts(4096);
        assert_eq!(sound.as_ref().map(|region| region.own[1]), Some(4096));
        assert_eq!(sound.and_then(|region| region.contradiction()), None);
        let told = parts(2048).and_then(|region| region.contradiction());
        assert_eq!(told.as_deref(), Some("L1 4096 in all, 4096 by chip and 2048 by process"));
        assert_eq!(Region::of(&[0; 100], 7), None);
    }
}
