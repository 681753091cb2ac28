//! Which switches a run was asked for: runs that agree on these are the same run.

use std::cell::Cell;

use super::{Baseline, Defect, FIXES, Fix, FixSet};

/// Switches, fixes only, and the baseline as one more.
///
/// ```
/// use freeorder::fix::{Fix, Switches};
/// let read = Switches::NONE.with(Fix::GuardMark);
/// assert!(read.has(Fix::GuardMark) && !read.has_baseline());
/// ```
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Switches(u32);

impl Switches {
    /// None of them.
    pub const NONE: Self = Self(0);
    /// How many there are.
    pub const COUNT: u32 = FIXES.len() as u32 + 1;
    /// Every fix and the baseline.
    pub const ALL: Self = Self((1 << Self::COUNT) - 1);
    const BASELINE: u32 = 1 << FIXES.len();

    /// These and a fix.
    #[must_use]
    pub const fn with(self, fix: Fix) -> Self {
        Self(self.0 | 1 << fix as u8)
    }

    /// Whether a fix is among them.
    #[must_use]
    pub const fn has(self, fix: Fix) -> bool {
        self.0 >> fix as u8 & 1 == 1
    }

    /// Whether the baseline is among them.
    #[must_use]
    pub const fn has_baseline(self) -> bool {
        self.0 & Self::BASELINE != 0
    }

    /// These and those.
    #[must_use]
    pub const fn or(self, others: Self) -> Self {
        Self(self.0 | others.0)
    }

    /// One bit a switch: the fixes in the order of their table, then the baseline.
    #[must_use]
    pub const fn bits(self) -> u32 {
        self.0
    }
}

/// Whoever answers questions about switches: a set of fixes, or one that takes note of them.
pub trait Ask: Copy {
    /// Whether the switch is set.
    fn has(self, fix: Fix) -> bool;

    /// Whether the bug of the past is there.
    fn has_defect(self, defect: Defect) -> bool;

    /// The baseline.
    fn baseline(self) -> Baseline;
}

impl Ask for FixSet {
    #[inline(always)]
    fn has(self, fix: Fix) -> bool {
        Self::has(self, fix)
    }

    #[inline(always)]
    fn has_defect(self, defect: Defect) -> bool {
        Self::has_defect(self, defect)
    }

    #[inline(always)]
    fn baseline(self) -> Baseline {
        Self::baseline(self)
    }
}

impl Ask for &Asked {
    #[inline(always)]
    fn has(self, fix: Fix) -> bool {
        Asked::has(self, fix)
    }

    #[inline(always)]
    fn has_defect(self, defect: Defect) -> bool {
        Asked::has_defect(self, defect)
    }

    #[inline(always)]
    fn baseline(self) -> Baseline {
        Asked::baseline(self)
    }
}

/// A set of fixes that remembers which of its switches decided something.
#[derive(Clone, Debug)]
pub(crate) struct Asked {
    fixes: FixSet,
    read: Cell<u32>,
}

impl Asked {
    pub(crate) fn new(fixes: FixSet) -> Self {
        Self { fixes, read: Cell::new(0) }
    }

    /// Whether the switch is set; it is read with this.
    #[inline(always)]
    pub(crate) fn has(&self, fix: Fix) -> bool {
        self.note(fix);
        self.fixes.has(fix)
    }

    /// The baseline; it is read with this.
    #[inline(always)]
    pub(crate) fn baseline(&self) -> Baseline {
        self.read.set(self.read.get() | Switches::BASELINE);
        self.fixes.baseline()
    }

    /// Whether the bug of the past is there; no search over fixes changes that.
    #[inline(always)]
    pub(crate) fn has_defect(&self, defect: Defect) -> bool {
        self.fixes.has_defect(defect)
    }

    /// Takes note of a switch that was looked at before, and decides something only now.
    #[inline(always)]
    pub(crate) fn note(&self, fix: Fix) {
        self.read.set(self.read.get() | 1 << fix as u8);
    }

    /// The set, nothing read.
    pub(crate) fn set(&self) -> FixSet {
        self.fixes
    }

    /// What was read since the last reset.
    pub(crate) fn read(&self) -> Switches {
        Switches(self.read.get())
    }

    pub(crate) fn reset(&self) {
        self.read.set(0);
    }
}
