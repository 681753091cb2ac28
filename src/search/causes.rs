//! What tells two failures of one class apart: the situations that each comes from.

use crate::event::{Event, Observer, Tick};
use crate::mark::Mark;

/// The marks that a run met which are causes of failures by themselves, see [`Mark::is_cause`].
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash)]
pub struct Causes(u64);

const _: () = assert!(Mark::ALL.len() <= 64, "a mark is a bit");

impl Causes {
    /// None.
    pub const NONE: Self = Self(0);

    /// Every one that there is.
    pub const ALL: Self = Self(u64::MAX);

    /// These, but for the others.
    #[must_use]
    pub fn without(self, others: Self) -> Self {
        Self(self.0 & !others.0)
    }

    /// Whether there are some that both have.
    #[must_use]
    pub fn meets(self, others: Self) -> bool {
        self.0 & others.0 != 0
    }
}

impl Observer for Causes {
    fn observe(&mut self, _: Tick, event: &Event<'_>) {
        if let Event::Reached(mark) = event
            && mark.is_cause()
        {
            self.0 |= 1 << *mark as u8;
        }
    }
}
