//! What the counters in shared memory must show, by what the runtime is known to do to them.

use std::collections::BTreeMap;
use std::fmt;

use super::counters::{Region, counted};
use crate::message::{AllocMessage, MessageKind};
use crate::units::BufferType;

/// The counters of one chip and one type of buffer. Each is held at 0 by itself where more is
/// freed than was counted.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(super) struct Figures {
    /// Of the process.
    pub own: u64,
    /// Of the region.
    pub total: u64,
    /// Of the region's chips.
    pub chips: u64,
    /// Of the region's processes.
    pub processes: u64,
}

impl Figures {
    /// What a region shows.
    pub fn shown(region: &Region, kind: BufferType) -> Self {
        let at = counted(kind) as usize;
        Self {
            own: region.own[at],
            total: region.total[at],
            chips: region.chips[at],
            processes: region.processes[at],
        }
    }

    fn add(&mut self, bytes: u64) {
        for of in [&mut self.own, &mut self.total, &mut self.chips, &mut self.processes] {
            *of += bytes;
        }
    }

    fn subtract(&mut self, bytes: u64) {
        let dead = self.processes.saturating_sub(self.own);
        for of in [&mut self.own, &mut self.total, &mut self.chips] {
            *of = of.saturating_sub(bytes);
        }
        self.processes = dead + self.own;
    }

    /// The process lets go of the region, to which others are attached: its own go from all but the
    /// chips' figures.
    fn detach(&mut self) {
        self.total = self.total.saturating_sub(self.own);
        self.processes = self.processes.saturating_sub(self.own);
        self.own = 0;
    }
}

impl fmt::Display for Figures {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { total, chips, processes, .. } = self;
        write!(f, "{total} in all, {chips} by chip and {processes} by process")
    }
}

/// The counters of all chips.
#[derive(Clone, Debug, Default)]
pub(super) struct Tally {
    figures: BTreeMap<(u8, BufferType), Figures>,
}

impl Tally {
    /// What a chip's counters of a type must show.
    pub fn figures(&self, chip: u8, kind: BufferType) -> Figures {
        self.figures.get(&(chip, kind)).copied().unwrap_or_default()
    }

    /// A buffer is taken or given back on a thread that counts.
    pub fn take(&mut self, message: &AllocMessage) {
        for chip in message.devices.iter() {
            let figures = self.figures.entry((chip.0, message.buffer_type)).or_default();
            match message.kind {
                MessageKind::Alloc => figures.add(message.size.0),
                MessageKind::Free => figures.subtract(message.size.0),
            }
        }
    }

    /// A chip was closed, and nobody is attached to its region: it begins anew.
    pub fn forget(&mut self, chip: u8) {
        self.figures.retain(|&(of, _), _| of != chip);
    }

    /// A chip was closed, and somebody is attached still.
    pub fn detach(&mut self, chip: u8) {
        for (_, figures) in self.figures.iter_mut().filter(|((of, _), _)| *of == chip) {
            figures.detach();
        }
    }

    /// The child of a fork has detached from a chip's region, in which it counts nothing, and
    /// nobody seems to be attached to it: of what the process counts its slot is left.
    pub fn lose(&mut self, chip: u8) {
        for (_, figures) in self.figures.iter_mut().filter(|((of, _), _)| *of == chip) {
            (figures.total, figures.chips) = (0, 0);
        }
    }

    /// The process is killed, and detaches from nothing.
    pub fn bury(&mut self) {
        self.figures.values_mut().for_each(|figures| figures.own = 0);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Measured: 6144 bytes of a killed process, then 4096 of the next, and a free of 16384 bytes
    /// that were not counted; then 2048 more, and the chip is closed.
    #[test]
    fn each_figure_is_held_at_0_by_itself() {
        let mut figures = Figures::default();
        figures.add(6144);
        figures.own = 0;
        figures.add(4096);
        assert_eq!(figures, Figures { own: 4096, total: 10240, chips: 10240, processes: 10240 });
        figures.subtract(16384);
        assert_eq!(figures, Figures { own: 0, total: 0, chips: 0, processes: 6144 });
        figures.add(2048);
        figures.detach();
        assert_eq!(figures, Figures { own: 0, total: 0, chips: 2048, processes: 6144 });
    }
}
