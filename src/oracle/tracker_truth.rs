//! Does the tracker count the live bytes of each chip at every quiescent point?
//!
//! Counting messages is not enough: a tracker that says nothing is balanced too.

use super::Findings;
use crate::event::Tick;
use crate::journal::Fingerprint;
use crate::units::Lanes;
use crate::violation::{OracleName, Violation};

/// Remembers the chips on which the answer was wrong, to report each time it becomes so once.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(super) struct TrackerTruth {
    wrong: Lanes,
}

impl Fingerprint for TrackerTruth {
    fn fingerprint(&self) -> u64 {
        self.wrong.0
    }
}

impl TrackerTruth {
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
            let what = "the tracker counts other bytes than live owners hold";
            findings.flag(Violation {
                devices: newly,
                ..Violation::new(OracleName::TrackerTruth, tick, what)
            });
        }
    }
}

/// The chips whose counters differ, and those on which the tracker shows nothing of what is there;
/// a counter that was never used is 0.
#[inline]
pub(super) fn compare_chips(tracked: &[u64], live: &[u64]) -> (Lanes, Lanes) {
    let (mut different, mut hidden) = (0, 0);
    let shared = tracked.len().min(live.len());
    for (chip, (&tracked, &live)) in tracked[..shared].iter().zip(&live[..shared]).enumerate() {
        if tracked != live {
            different |= 1 << chip;
            hidden |= u64::from(tracked == 0) << chip;
        }
    }
    for (chip, &tracked) in tracked.iter().enumerate().skip(shared) {
        different |= u64::from(tracked != 0) << chip;
    }
    for (chip, &live) in live.iter().enumerate().skip(shared) {
        different |= u64::from(live != 0) << chip;
        hidden |= u64::from(live != 0) << chip;
    }
    (Lanes(different), Lanes(hidden))
}
