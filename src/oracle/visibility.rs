//! Does every chip that holds bytes show them?
//!
//! The expectation of every document: "All 8 devices show buffer allocations".

use super::Findings;
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
    /// The chips on which the answer was wrong at the last quiescent point.
    #[inline]
    pub(super) fn wrong(self) -> Lanes {
        self.wrong
    }

    /// Takes the answer of a quiescent point: the chips on which it is wrong.
    pub(super) fn watch(&mut self, tick: Tick, wrong: Lanes, findings: &mut Findings) {
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
