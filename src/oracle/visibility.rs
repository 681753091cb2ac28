//! Does every chip that holds bytes show them?
//!
//! The expectation of every document: "All 8 devices show buffer allocations".

use super::{Findings, chips_where};
use crate::event::Tick;
use crate::journal::Fingerprint;
use crate::units::Lanes;
use crate::violation::{OracleName, Violation};

/// Remembers the chips on which the answer was wrong, to report each time it becomes so once.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(super) struct Visibility {
    wrong: Lanes,
}

impl Fingerprint for Visibility {
    fn fingerprint(&self) -> u64 {
        self.wrong.0
    }
}

impl Visibility {
    /// Looks at the counters of a quiescent point.
    #[inline]
    pub(super) fn watch(
        &mut self,
        tick: Tick,
        tracked: &[u64],
        live: &[u64],
        findings: &mut Findings,
    ) {
        let wrong = chips_where(tracked, live, |tracked, live| live > 0 && tracked == 0);
        let newly = wrong.minus(self.wrong);
        self.wrong = wrong;
        if !newly.is_empty() {
            let what = "a chip that holds bytes shows none";
            findings.flag(Violation {
                devices: newly,
                ..Violation::new(OracleName::Visibility, tick, what)
            });
        }
    }
}
