//! Where the regions of each machine lie, as the runtime lays them out on it.

use std::fmt;

use serde::{Deserialize, Serialize};

use super::bank_manager::BankManagerConfig;
use super::free_list_opt::SearchPolicy;
pub use crate::units::MeshShape;
use crate::units::{BufferType, Bytes, DeviceAddr, DeviceId};

/// A machine that the runtime was seen on.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
pub enum Machine {
    /// One Wormhole chip.
    N150,
    /// Two Wormhole chips.
    N300,
    /// Eight Wormhole chips.
    #[serde(rename = "T3K")]
    T3k,
    /// Thirty-two Wormhole chips.
    #[serde(rename = "Galaxy")]
    Galaxy6u,
    /// One Blackhole chip.
    P150,
    /// Eight Blackhole chips.
    #[serde(rename = "8xP150")]
    P150x8,
}

/// A chip's architecture.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
pub enum Arch {
    /// `WORMHOLE_B0`.
    #[serde(rename = "WORMHOLE_B0")]
    WormholeB0,
    /// `BLACKHOLE`.
    #[serde(rename = "BLACKHOLE")]
    Blackhole,
}

/// Columns and rows of worker cores on a chip.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
pub struct CoreGrid {
    /// Cores in a row.
    pub x: u8,
    /// Cores in a column.
    pub y: u8,
}

/// What a mesh reserves when it is opened.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(default)]
pub struct Reserved {
    /// Bytes at the top of each core's L1, before rounding.
    pub l1_small_size: Bytes,
    /// Bytes for captured traces over all DRAM banks, before rounding.
    pub trace_region_size: Bytes,
}

/// One region, in every one of its banks.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Region {
    /// Banks that it is in.
    pub bank_count: u32,
    /// Its bytes in each.
    pub bank_size: Bytes,
    /// Its first address.
    pub offset: DeviceAddr,
}

/// The regions of one chip, and what surrounds them.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct MemoryMap {
    /// Off-chip memory.
    pub dram: Region,
    /// On-chip memory between the reserved part and `L1_SMALL`.
    pub l1: Region,
    /// The top of on-chip memory.
    pub l1_small: Region,
    /// The top of off-chip memory.
    pub trace: Region,
    /// Where static circular buffers start, upwards.
    pub circular_buffer_base: DeviceAddr,
    /// Bytes of on-chip memory a core, all told.
    pub l1_size: Bytes,
    /// Alignment of pages in L1, in bytes.
    pub l1_alignment: Bytes,
    /// Alignment of pages in DRAM, and of blocks everywhere, in bytes.
    pub dram_alignment: Bytes,
}

struct ArchFigures {
    dram_bank_count: u32,
    dram_base: u64,
    dram_end: u64,
    l1_base: u64,
    l1_end: u64,
    dram_alignment: u64,
}

const WORMHOLE: ArchFigures = ArchFigures {
    dram_bank_count: 12,
    dram_base: 1_048_640,
    dram_end: 1 << 30,
    l1_base: 105_824,
    l1_end: 1464 << 10,
    dram_alignment: 32,
};

const BLACKHOLE: ArchFigures = ArchFigures {
    dram_bank_count: 8,
    dram_base: 1_048_704,
    dram_end: 4080 << 20,
    l1_base: 111_744,
    l1_end: 1536 << 10,
    dram_alignment: 64,
};

/// Bytes a bank that the trace region is rounded up to; the same on both architectures.
const TRACE_GRANULE: Bytes = Bytes(8192);

const fn shape(rows: u8, columns: u8) -> MeshShape {
    MeshShape { rows, columns }
}

const GALAXY_IDS: [u8; 32] = [
    0, 16, 18, 2, 4, 20, 22, 6, 8, 24, 26, 10, 12, 28, 30, 14, 13, 29, 31, 15, 9, 25, 27, 11, 5,
    21, 23, 7, 1, 17, 19, 3,
];

impl Machine {
    /// Every machine, smallest first within an architecture.
    pub const ALL: [Self; 6] =
        [Self::N150, Self::N300, Self::T3k, Self::Galaxy6u, Self::P150, Self::P150x8];

    /// Its usual name.
    #[must_use]
    pub fn name(self) -> &'static str {
        match self {
            Self::N150 => "N150",
            Self::N300 => "N300",
            Self::T3k => "T3K",
            Self::Galaxy6u => "Galaxy",
            Self::P150 => "P150",
            Self::P150x8 => "8xP150",
        }
    }

    /// The machine with this name.
    #[must_use]
    pub fn from_name(name: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|machine| machine.name() == name)
    }

    /// The architecture of its chips.
    #[must_use]
    pub fn arch(self) -> Arch {
        match self {
            Self::N150 | Self::N300 | Self::T3k | Self::Galaxy6u => Arch::WormholeB0,
            Self::P150 | Self::P150x8 => Arch::Blackhole,
        }
    }

    /// The shapes of a mesh over all its chips, the usual one first.
    #[must_use]
    pub fn mesh_shapes(self) -> &'static [MeshShape] {
        const SINGLE: &[MeshShape] = &[shape(1, 1)];
        match self {
            Self::N150 | Self::P150 => SINGLE,
            Self::N300 => const { &[shape(1, 2)] },
            Self::T3k => const { &[shape(2, 4), shape(1, 8)] },
            Self::Galaxy6u => const { &[shape(8, 4)] },
            Self::P150x8 => const { &[shape(2, 4)] },
        }
    }

    /// How many chips it has.
    #[must_use]
    pub fn chip_count(self) -> usize {
        self.mesh_shapes()[0].chip_count()
    }

    /// The chips of a mesh over all of them, row by row; `None` if it has no mesh of that shape.
    #[must_use]
    pub fn device_ids(self, mesh: MeshShape) -> Option<Vec<DeviceId>> {
        if !self.mesh_shapes().contains(&mesh) {
            return None;
        }
        let ids: &[u8] = match self {
            Self::N150 | Self::P150 => &[0],
            Self::N300 => &[0, 1],
            Self::T3k if mesh.rows == 1 => &[4, 0, 2, 6, 7, 3, 1, 5],
            Self::T3k => &[4, 0, 2, 6, 5, 1, 3, 7],
            Self::Galaxy6u => &GALAXY_IDS,
            Self::P150x8 => &[1, 0, 4, 5, 3, 2, 6, 7],
        };
        Some(ids.iter().copied().map(DeviceId).collect())
    }

    /// The worker cores of a chip; each is a bank of L1.
    #[must_use]
    pub fn grid(self) -> CoreGrid {
        let (x, y) = match self {
            Self::N150 => (8, 9),
            Self::N300 | Self::T3k => (8, 8),
            Self::Galaxy6u => (8, 10),
            Self::P150 => (12, 10),
            Self::P150x8 => (13, 10),
        };
        CoreGrid { x, y }
    }

    /// Where its regions lie when a mesh is opened with `reserved`.
    #[must_use]
    pub fn memory_map(self, reserved: Reserved) -> MemoryMap {
        let figures = self.arch().figures();
        let l1_banks = self.grid().core_count();
        let dram_alignment = Bytes(figures.dram_alignment);
        let room = Bytes(figures.l1_end - figures.l1_base);
        let small = reserved.l1_small_size.min(room).round_up(dram_alignment).min(room);
        let banks = u64::from(figures.dram_bank_count);
        let room = Bytes(figures.dram_end - figures.dram_base);
        let share = Bytes(reserved.trace_region_size.0.div_ceil(banks));
        let trace = share.min(room).round_up(TRACE_GRANULE).min(room);
        let region = |bank_count, start: u64, end: u64| Region {
            bank_count,
            bank_size: Bytes(end - start),
            offset: DeviceAddr(start),
        };
        let small_banks = if small == Bytes(0) { 0 } else { l1_banks };
        let (l1_top, dram_top) = (figures.l1_end - small.0, figures.dram_end - trace.0);
        MemoryMap {
            dram: region(figures.dram_bank_count, figures.dram_base, dram_top),
            l1: region(l1_banks, figures.l1_base, l1_top),
            l1_small: region(small_banks, l1_top, figures.l1_end),
            trace: region(figures.dram_bank_count, dram_top, figures.dram_end),
            circular_buffer_base: DeviceAddr(figures.l1_base),
            l1_size: Bytes(figures.l1_end),
            l1_alignment: Bytes(16),
            dram_alignment,
        }
    }
}

impl fmt::Display for Machine {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.name())
    }
}

impl Arch {
    /// The name that the runtime prints.
    #[must_use]
    pub fn name(self) -> &'static str {
        match self {
            Self::WormholeB0 => "WORMHOLE_B0",
            Self::Blackhole => "BLACKHOLE",
        }
    }

    fn figures(self) -> &'static ArchFigures {
        match self {
            Self::WormholeB0 => &WORMHOLE,
            Self::Blackhole => &BLACKHOLE,
        }
    }
}

impl fmt::Display for Arch {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.name())
    }
}

impl CoreGrid {
    /// Cores in the grid.
    #[must_use]
    pub fn core_count(self) -> u32 {
        u32::from(self.x) * u32::from(self.y)
    }
}

/// The range of all cores, as the text of a circular-buffer clash names it: `[0-0 - 7-8]`.
impl fmt::Display for CoreGrid {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "[0-0 - {}-{}]", self.x.saturating_sub(1), self.y.saturating_sub(1))
    }
}

impl MemoryMap {
    /// The region of a buffer type.
    #[must_use]
    pub fn region(&self, buffer_type: BufferType) -> &Region {
        match buffer_type {
            BufferType::Dram => &self.dram,
            BufferType::L1 => &self.l1,
            BufferType::L1Small => &self.l1_small,
            BufferType::Trace => &self.trace,
        }
    }

    /// The alignment of a buffer type's pages, in bytes.
    #[must_use]
    pub fn page_alignment(&self, buffer_type: BufferType) -> Bytes {
        match buffer_type {
            BufferType::Dram | BufferType::Trace => self.dram_alignment,
            BufferType::L1 | BufferType::L1Small => self.l1_alignment,
        }
    }

    /// What the runtime's manager of a buffer type is made with.
    #[must_use]
    pub fn bank_manager(&self, buffer_type: BufferType) -> BankManagerConfig {
        let region = self.region(buffer_type);
        BankManagerConfig {
            buffer_type,
            bank_count: region.bank_count,
            bank_size: region.bank_size,
            offset: region.offset,
            page_alignment: self.page_alignment(buffer_type),
            block_alignment: self.dram_alignment,
            interleaved_address_limit: self.l1.offset,
            compute_core_count: self.l1.bank_count,
            policy: SearchPolicy::First,
            atomic_allocation: false,
        }
    }
}
