//! The published fixes, and real bugs of the past, as named switches; and the baselines and presets
//! they are combined into.
//!
//! A switch is read in exactly one place of the module it changes, with the claim it comes from
//! quoted above that place. No switch implies another: contradictory sets are legal, since
//! measuring them is the point.

mod asked;
mod defect;
mod preset;
mod table;

pub(crate) use asked::Asked;
pub use asked::{Ask, Switches};
pub use defect::{DEFECTS, Defect, DefectInfo};
pub use preset::Preset;
pub use table::{FIXES, FixInfo};

use std::fmt;
use std::str::FromStr;

use crate::suggest;

/// What tt-metal does before any switch is set.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Baseline {
    /// The personal branch the documents were written on: ALLOC also for buffers created at a
    /// given address, and `mark_as_deallocated` sends FREE if the status is ALLOCATED.
    Fork,
    /// The main branch: neither.
    Upstream,
}

impl Baseline {
    /// Both baselines.
    pub const ALL: [Self; 2] = [Self::Fork, Self::Upstream];

    /// The name used on the command line.
    #[must_use]
    pub fn name(self) -> &'static str {
        match self {
            Self::Fork => "fork",
            Self::Upstream => "upstream",
        }
    }
}

/// One published change of behaviour.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
#[repr(u8)]
pub enum Fix {
    /// ~Program releases `owned_buffer_pool` before the rest of the program dies. Source: document
    /// 000, fix 1.
    ReleasePool,
    /// `MeshBuffer::deallocate` calls `mark_as_deallocated` on the backing buffer first. Source:
    /// document 000, fix 2.
    BackingFirst,
    /// Mark_as_deallocated sends FREE only for buffers that own their memory. Source: document
    /// 000, fix 3.
    OwnsDataGate,
    /// Track_allocate skips buffers whose device is a MeshDevice. Source: document 004, solution
    /// 1.
    MeshFilterAlloc,
    /// Track_deallocate skips buffers whose device is a MeshDevice. Source: document 004,
    /// solution 1.
    MeshFilterFree,
    /// `MeshBuffer::deallocate` marks each device-local buffer while its mesh is alive. Source:
    /// document 004, solution 3.
    MarkLocals,
    /// Mark_as_deallocated returns at once if the buffer is already deallocated. Source: document
    /// 003.
    GuardMark,
    /// Deallocate_impl returns at once if the buffer is already deallocated. Source: document
    /// 001, guard 2.
    GuardDealloc,
    /// A non-owner sends FREE in its own deallocate or destructor; `mark_as_deallocated` sends
    /// nothing. Source: tt-metal.md A6, variant F2.
    NonownerFree,
    /// Only owners report, and a MeshDevice's buffer reports once for each of its chips. Source:
    /// tt-metal.md A6, variant U-SHM.
    OwnerFanOut,
    /// The buffer type joins the server's key. Source: allocation-server.md 1.7.
    TypedKey,
    /// The owner's `unique_id` joins the server's key. Source: tt-metal.md A1.
    OwnerIdKey,
    /// The bulk `deallocate_buffers` of a closing device sends FREE. Source: allocation-server.md
    /// 5.2 #3.
    ReportOnClose,
    /// Close clears the program cache first. Source: allocation-server.md 5.2 #8.
    ClearCacheOnClose,
    /// A dying program flushes its own circular buffers, not every program's on the device.
    /// Source: allocation-server.md 1.6.
    CbFlushPerProgram,
    /// L1 buffers are kept above the circular buffer region. Source: document 002, option B.
    CbAwareL1,
    /// A full socket blocks the sender instead of losing the message. Source: allocation-
    /// server.md 5.2 #19.
    BlockingSend,
    /// The old socket is closed, and so read to its end, before a new one is opened. Source:
    /// allocation-server.md 1.6, era B.
    CloseBeforeReconnect,
    /// A MeshBuffer whose mesh is gone still sends its FREE messages. Source: tt-metal.md F,
    /// S-EXPIRED.
    FreeWhenExpired,
    /// Buffers whose allocation was hooked send nothing. Source: tt-metal.md F, S-NODISPATCH.
    SilentHooked,
    /// A submesh allocates from its parent's allocator state instead of a fresh one. Source: tt-
    /// metal.md B5.
    SubmeshSharesState,
    /// An allocation below the address limit gives its block back before it throws. Source: tt-
    /// metal.md F, S-THROWLEAK.
    AtomicAllocation,
    /// Clear() also forgets the lowest occupied address. Source: tt-metal.md F, S-CLEARLOW.
    ClearResetsLowest,
    /// L1 and L1_SMALL are searched by best fit. Source: tt-metal.md D3, pull request 35515.
    BestFitL1,
}

impl Fix {
    /// The row of the table that describes this switch.
    #[must_use]
    pub fn info(self) -> &'static FixInfo {
        &FIXES[self as usize]
    }

    /// The name used on the command line.
    #[must_use]
    pub fn name(self) -> &'static str {
        self.info().name
    }
}

/// A baseline and the switches, fixes and bugs, that are set on top of it.
///
/// ```
/// use freeorder::fix::{Fix, FixSet};
/// let fixes: FixSet = "final-mesh-filter-free".parse()?;
/// assert!(fixes.has(Fix::MeshFilterAlloc) && !fixes.has(Fix::MeshFilterFree));
/// assert_eq!(fixes.to_string(), "before+mesh-filter-alloc");
/// # Ok::<(), freeorder::fix::FixSetError>(())
/// ```
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct FixSet {
    baseline: Baseline,
    switches: u32,
    defects: u64,
}

impl FixSet {
    /// The baseline with no switch set.
    #[must_use]
    pub const fn none(baseline: Baseline) -> Self {
        Self { baseline, switches: 0, defects: 0 }
    }

    /// The set with one more switch.
    #[must_use]
    pub const fn with(self, fix: Fix) -> Self {
        Self { switches: self.switches | 1 << fix as u8, ..self }
    }

    /// The set without a switch.
    #[must_use]
    pub const fn without(self, fix: Fix) -> Self {
        Self { switches: self.switches & !(1 << fix as u8), ..self }
    }

    /// Whether the switch is set.
    #[must_use]
    #[inline]
    pub const fn has(self, fix: Fix) -> bool {
        self.switches >> fix as u8 & 1 == 1
    }

    /// The set with one more bug of the past.
    #[must_use]
    pub const fn with_defect(self, defect: Defect) -> Self {
        Self { defects: self.defects | 1 << defect as u8, ..self }
    }

    /// The set without a bug of the past.
    #[must_use]
    pub const fn without_defect(self, defect: Defect) -> Self {
        Self { defects: self.defects & !(1 << defect as u8), ..self }
    }

    /// Whether the bug of the past is there.
    #[must_use]
    #[inline]
    pub const fn has_defect(self, defect: Defect) -> bool {
        self.defects >> defect as u8 & 1 == 1
    }

    /// The bugs of the past that are there, in the order of their table.
    pub fn defects(self) -> impl Iterator<Item = Defect> {
        DEFECTS.iter().map(|info| info.defect).filter(move |&defect| self.has_defect(defect))
    }

    /// The baseline.
    #[must_use]
    #[inline]
    pub const fn baseline(self) -> Baseline {
        self.baseline
    }

    /// One bit a switch, as [`Switches`] has them: set fixes, then whether it starts from upstream.
    #[must_use]
    pub const fn bits(self) -> u32 {
        let upstream = matches!(self.baseline, Baseline::Upstream) as u32;
        self.switches | upstream << FIXES.len()
    }

    /// The set that has these bits, without bugs of the past.
    #[must_use]
    pub const fn from_bits(bits: u32) -> Self {
        let upstream = bits >> FIXES.len() & 1 == 1;
        let baseline = if upstream { Baseline::Upstream } else { Baseline::Fork };
        Self { switches: bits & ((1 << FIXES.len()) - 1), ..Self::none(baseline) }
    }

    /// The switches that are set, in the order of the table.
    pub fn iter(self) -> impl Iterator<Item = Fix> {
        FIXES.iter().map(|info| info.fix).filter(move |&fix| self.has(fix))
    }
}

impl FixSet {
    /// The set with the switch of that name set or not; a name that does not exist changes nothing.
    fn switched(self, name: &str, on: bool) -> Self {
        let fix = FIXES.iter().find(|info| info.name == name).map(|info| info.fix);
        let defect = DEFECTS.iter().find(|info| info.name == name).map(|info| info.defect);
        match (fix, defect, on) {
            (Some(fix), _, true) => self.with(fix),
            (Some(fix), _, false) => self.without(fix),
            (None, Some(defect), true) => self.with_defect(defect),
            (None, Some(defect), false) => self.without_defect(defect),
            (None, None, _) => self,
        }
    }
}

impl Default for FixSet {
    /// The preset `final`, which the last of the documents calls the final fix.
    fn default() -> Self {
        Preset::Final.fixes()
    }
}

impl fmt::Display for FixSet {
    /// Prints the nearest preset and the switches that differ from it, in a form that parses back.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let bases = Baseline::ALL.into_iter().map(|base| (base.name(), Self::none(base)));
        let presets = Preset::ALL.into_iter().map(|preset| (preset.name(), preset.fixes()));
        let (name, base) = presets
            .chain(bases)
            .filter(|(_, set)| set.baseline == self.baseline)
            .min_by_key(|(_, set)| {
                let removed = (set.switches & !self.switches).count_ones();
                (2 * removed + (self.switches & !set.switches).count_ones(), removed)
            })
            .expect("every baseline is itself a candidate");
        f.write_str(name)?;
        for info in &FIXES {
            match (self.has(info.fix), base.has(info.fix)) {
                (true, false) => write!(f, "+{}", info.name)?,
                (false, true) => write!(f, "-{}", info.name)?,
                (true, true) | (false, false) => {}
            }
        }
        self.defects().try_for_each(|defect| write!(f, "+{}", defect.name()))
    }
}

/// Why a `--fixes` value was not understood.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum FixSetError {
    /// The text before the first `+` or `-switch` is no preset and no baseline.
    #[error("unknown preset or baseline `{name}`; {hint}")]
    UnknownBase {
        /// What was written.
        name: String,
        /// What would be right.
        hint: String,
    },
    /// A switch that does not exist.
    #[error("unknown fix `{name}`; {hint}")]
    UnknownFix {
        /// What was written.
        name: String,
        /// What would be right.
        hint: String,
    },
}

impl FromStr for FixSet {
    type Err = FixSetError;

    /// Reads a preset or baseline followed by `+switch` and `-switch`.
    fn from_str(text: &str) -> Result<Self, FixSetError> {
        let (base, mut rest) = split_base(text);
        let mut set = named_base(base).ok_or_else(|| FixSetError::UnknownBase {
            name: base.to_owned(),
            hint: suggest::hint(base, base_names()),
        })?;
        while let Some(sign) = rest.chars().next() {
            let name = longest_switch(&rest[1..]).ok_or_else(|| {
                let name = rest[1..].split('+').next().unwrap_or_default().to_owned();
                let hint = suggest::hint(&name, switch_names());
                FixSetError::UnknownFix { name, hint }
            })?;
            set = set.switched(name, sign == '+');
            rest = &rest[1 + name.len()..];
        }
        Ok(set)
    }
}

/// Splits off the preset or baseline: the longest known name that a `+`, a `-` or the end follows.
fn split_base(text: &str) -> (&str, &str) {
    base_names()
        .filter(|name| text.starts_with(name) && ends_a_name(&text[name.len()..]))
        .max_by_key(|name| name.len())
        .map_or_else(
            || text.split_at(text.find('+').unwrap_or(text.len())),
            |name| text.split_at(name.len()),
        )
}

fn longest_switch(text: &str) -> Option<&'static str> {
    switch_names()
        .filter(|name| text.starts_with(name) && ends_a_name(&text[name.len()..]))
        .max_by_key(|name| name.len())
}

fn switch_names() -> impl Iterator<Item = &'static str> {
    let defects = DEFECTS.iter().map(|info| info.name);
    FIXES.iter().map(|info| info.name).chain(defects)
}

fn ends_a_name(rest: &str) -> bool {
    rest.is_empty() || rest.starts_with(['+', '-'])
}

fn base_names() -> impl Iterator<Item = &'static str> {
    let presets = Preset::ALL.into_iter().map(Preset::name);
    presets.chain(Baseline::ALL.into_iter().map(Baseline::name))
}

fn named_base(name: &str) -> Option<FixSet> {
    let preset = Preset::ALL.into_iter().find(|preset| preset.name() == name);
    let baseline = Baseline::ALL.into_iter().find(|baseline| baseline.name() == name);
    preset.map(Preset::fixes).or(baseline.map(FixSet::none))
}

#[cfg(test)]
mod tests {
    use super::*;

    /// The table is indexed by the switch: a row out of place would describe another fix.
    #[test]
    fn the_table_is_in_the_order_of_the_switches() {
        for (index, info) in FIXES.iter().enumerate() {
            assert_eq!(info.fix as usize, index);
        }
    }

    /// An `expect` line prints a set and a reader pastes it back.
    #[test]
    fn every_printed_set_parses_back() {
        let mut sets: Vec<FixSet> = Preset::ALL.into_iter().map(Preset::fixes).collect();
        for preset in Preset::ALL {
            sets.extend(FIXES.iter().map(|info| preset.fixes().with(info.fix)));
            sets.extend(FIXES.iter().map(|info| preset.fixes().without(info.fix)));
            sets.extend(DEFECTS.iter().map(|info| preset.fixes().with_defect(info.defect)));
        }
        for set in sets {
            assert_eq!(set.to_string().parse::<FixSet>(), Ok(set));
        }
    }

    /// A typing error must be answered with the nearest name, not with a wrong set.
    #[test]
    fn a_wrong_name_is_answered_with_the_right_one() {
        let error = "finl".parse::<FixSet>().expect_err("no such preset");
        assert_eq!(error.to_string(), "unknown preset or baseline `finl`; did you mean `final`?");
        let error = "final+gaurd-mark".parse::<FixSet>().expect_err("no such fix");
        assert_eq!(error.to_string(), "unknown fix `gaurd-mark`; did you mean `guard-mark`?");
        assert!("final+".parse::<FixSet>().is_err());
        assert!("three-fixes-".parse::<FixSet>().is_err());
        assert!("".parse::<FixSet>().is_err());
    }
}
