//! Is a buffer given back under the sub-device manager it was allocated under?
//!
//! Each manager has allocators of its own, so that another one would look the address up in the
//! wrong free list (tt-metal.md A4, G 15).

use super::Findings;
use crate::event::{Event, Tick};
use crate::violation::{OracleName, Violation};

#[inline]
pub(super) fn watch(tick: Tick, event: &Event<'_>, findings: &mut Findings) {
    let Event::ManagerValidated { object, allocated, freed } = *event else { return };
    if allocated != freed {
        let what = "a buffer is given back under another sub-device manager than its own";
        let by = Some(object);
        findings.flag(Violation { by, ..Violation::new(OracleName::SubDevice, tick, what) });
    }
}
