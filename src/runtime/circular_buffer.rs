//! Where static circular buffers go, and what validation says: tt-metal's
//! `circular_buffer_allocation` in `program.cpp` (tt-metal.md C3 and C4).

use crate::journal::{Fingerprint, mix};
use crate::op::{CircularBufferSpec, CoreRange};
use crate::units::{Bytes, DeviceAddr};

/// A region that grows upwards on the cores of one distinct range.
#[derive(Clone, Debug, PartialEq, Eq)]
struct CircularBufferAllocator {
    cores: CoreRange,
    end: Option<DeviceAddr>,
}

/// The placed circular buffers of a program.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct CircularBufferLayout {
    /// Address and size of each circular buffer, in creation order.
    pub placed: Vec<(DeviceAddr, Bytes)>,
    /// For each distinct range of cores that carries one: its name and where its region ends.
    pub region_ends: Vec<(CoreRange, DeviceAddr)>,
}

impl CircularBufferLayout {
    /// Places the circular buffers in creation order, each on the end of the regions of its cores.
    ///
    /// Source: tt-metal.md C3. A region that another range's buffer reaches into is extended too.
    #[must_use]
    pub fn place(
        specs: &[CircularBufferSpec],
        base: DeviceAddr,
        alignment: Bytes,
        all_cores: CoreRange,
    ) -> Self {
        let mut allocators: Vec<CircularBufferAllocator> = Vec::new();
        for spec in specs {
            let cores = spec.cores.unwrap_or(all_cores);
            if !allocators.iter().any(|allocator| allocator.cores == cores) {
                allocators.push(CircularBufferAllocator { cores, end: None });
            }
        }
        let mut placed = Vec::new();
        for spec in specs {
            let cores = spec.cores.unwrap_or(all_cores);
            for _ in 0..spec.count {
                placed.push((
                    place_one(&mut allocators, cores, base, alignment, spec.size),
                    spec.size,
                ));
            }
        }
        let ends = allocators.iter().filter_map(|one| one.end.map(|end| (one.cores, end)));
        Self { placed, region_ends: ends.collect() }
    }

    /// The highest end of any region; the base if there is none.
    #[must_use]
    pub fn region_end(&self, base: DeviceAddr) -> DeviceAddr {
        self.region_ends.iter().map(|&(_, end)| end).max().unwrap_or(base)
    }
}

impl Fingerprint for CircularBufferLayout {
    fn fingerprint(&self) -> u64 {
        let placed = self.placed.iter().map(|&(address, size)| mix(address.0, size.0));
        let ends = self.region_ends.iter().map(|&(CoreRange { start, end }, region_end)| {
            let cores = u32::from_le_bytes([start.0, start.1, end.0, end.1]);
            mix(u64::from(cores), region_end.0)
        });
        placed.chain(ends).fold(self.placed.len() as u64, mix)
    }
}

fn place_one(
    allocators: &mut [CircularBufferAllocator],
    cores: CoreRange,
    base: DeviceAddr,
    alignment: Bytes,
    size: Bytes,
) -> DeviceAddr {
    let own = allocators.iter().find(|one| one.cores == cores).and_then(|one| one.end);
    let start = own.map_or(base, |end| end.max(base));
    let address = DeviceAddr(Bytes(start.0).round_up(alignment).0);
    for other in allocators.iter_mut().filter(|other| other.cores.intersects(cores)) {
        let reaches_back = other.end.is_some_and(|end| address < end);
        if other.cores != cores && reaches_back {
            continue;
        }
        other.end = Some(address.offset(size));
    }
    address
}

/// How the runtime prints a range of cores; it is part of the setup of a scenario, because the
/// documents and the published package differ.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum CoreRangeForm {
    /// `[0-0 - 7-7]`, as the published package prints it.
    #[default]
    Wheel,
    /// `[(x=0,y=0) - (x=7,y=7)]`, as document 002 quotes it.
    Document,
}

impl CoreRangeForm {
    /// The printed range.
    #[must_use]
    pub fn print(self, cores: CoreRange) -> String {
        let ((x0, y0), (x1, y1)) = (cores.start, cores.end);
        match self {
            Self::Wheel => format!("[{x0}-{y0} - {x1}-{y1}]"),
            Self::Document => format!("[(x={x0},y={y0}) - (x={x1},y={y1})]"),
        }
    }
}

/// The exact text of a clash.
///
/// Source: document 002 and real-runtime.md.
#[must_use]
pub fn clash_text(program: u32, cores: &str, lowest: DeviceAddr, region_end: DeviceAddr) -> String {
    format!(
        "Statically allocated circular buffers in program {program} clash with L1 buffers on core \
         range {cores}. L1 buffer allocated at {lowest} and static circular buffer region ends at \
         {region_end}"
    )
}

/// The exact text of circular buffers that outgrow L1.
///
/// Source: tt-metal.md C4.
#[must_use]
pub fn too_large_text(cores: &str, region_end: DeviceAddr, l1_size: Bytes) -> String {
    format!(
        "Statically allocated circular buffers on core range {cores} grow to {region_end} B which \
         is beyond max L1 size of {l1_size} B"
    )
}

/// What validation of a program found.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Validation {
    /// Nothing in the way.
    Passed,
    /// The circular buffers outgrow L1.
    TooLarge(String),
    /// The circular buffers reach an L1 buffer: the text, and where their region ends.
    Clash(String, DeviceAddr),
}

/// The facts that validation looks at besides the layout.
#[derive(Clone, Copy, Debug)]
pub struct L1Facts {
    /// The runtime id of the program.
    pub program: u32,
    /// The lowest occupied L1 address of the mesh.
    pub lowest: Option<DeviceAddr>,
    /// L1 bytes on each core.
    pub l1_size: Bytes,
    /// How ranges of cores are printed.
    pub form: CoreRangeForm,
}

/// Checks a layout against L1; made on every enqueue, cache hits included (tt-metal.md C4).
#[must_use]
pub fn validate(layout: &CircularBufferLayout, facts: L1Facts) -> Validation {
    for &(cores, end) in &layout.region_ends {
        let printed = || facts.form.print(cores);
        if end.0 > facts.l1_size.0 {
            return Validation::TooLarge(too_large_text(&printed(), end, facts.l1_size));
        }
        if let Some(lowest) = facts.lowest.filter(|&lowest| lowest < end) {
            let text = clash_text(facts.program, &printed(), lowest, end);
            return Validation::Clash(text, end);
        }
    }
    Validation::Passed
}

#[cfg(test)]
mod tests {
    use super::*;

    const ALL: CoreRange = CoreRange { start: (0, 0), end: (7, 7) };
    const CORNER: CoreRange = CoreRange { start: (0, 0), end: (3, 3) };
    const REST: CoreRange = CoreRange { start: (4, 4), end: (7, 7) };

    fn spec(count: u32, size: u64, cores: Option<CoreRange>) -> CircularBufferSpec {
        CircularBufferSpec { count, size: Bytes(size), cores }
    }

    fn place(specs: &[CircularBufferSpec]) -> CircularBufferLayout {
        CircularBufferLayout::place(specs, DeviceAddr(105_824), Bytes(32), ALL)
    }

    /// The recordings' clash: three buffers of 4096 from the base end at 118112.
    #[test]
    fn buffers_on_all_cores_stack_upwards_from_the_base() {
        let layout = place(&[spec(3, 4096, None)]);
        assert_eq!(layout.region_end(DeviceAddr(0)), DeviceAddr(118_112));
        assert_eq!(layout.placed[2].0, DeviceAddr(114_016));
    }

    /// Disjoint ranges of cores share addresses; a range over both starts above neither's end,
    /// because only regions of an equal range push it up.
    #[test]
    fn ranges_of_cores_have_regions_of_their_own() {
        let layout = place(&[spec(1, 64, Some(CORNER)), spec(1, 96, Some(REST))]);
        assert_eq!(layout.placed[0].0, layout.placed[1].0);
        let layout = place(&[spec(1, 64, Some(ALL)), spec(1, 64, Some(CORNER))]);
        assert_eq!(layout.placed[1].0, layout.placed[0].0.offset(Bytes(64)));
    }
}
