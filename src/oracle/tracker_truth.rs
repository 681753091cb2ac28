//! Does the tracker count the live bytes of each chip at every quiescent point?
//!
//! Counting messages is not enough: a tracker that says nothing is balanced too.

use super::{Facts, Findings};
use crate::event::{Event, Tick};
use crate::journal::Fingerprint;
use crate::units::{DeviceId, Lanes};
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
    #[inline]
    pub(super) fn watch(
        &mut self,
        tick: Tick,
        event: &Event<'_>,
        facts: &Facts<'_>,
        findings: &mut Findings,
    ) {
        if let Event::Quiescent { tracked } = event {
            let live = facts.holdings.live_bytes();
            if *tracked == live && self.wrong.is_empty() {
                return;
            }
            self.compare(tick, (tracked, live), findings);
        }
    }

    #[cold]
    fn compare(&mut self, tick: Tick, (tracked, live): (&[u64], &[u64]), findings: &mut Findings) {
        let chip = |bytes: &[u64], chip: usize| bytes.get(chip).copied().unwrap_or(0);
        let wrong = (0..tracked.len().max(live.len())).filter(|&index| {
            let (tracked, live) = (chip(tracked, index), chip(live, index));
            tracked != live
        });
        let wrong = wrong.fold(Lanes::NONE, |all, index| all.or(Lanes::one(DeviceId(index as u8))));
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
