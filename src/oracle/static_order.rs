//! Does nothing go to a singleton after it is gone?
//!
//! Variables of static storage duration are destroyed after `main`, in the reverse of the order in
//! which they were constructed: a function-local singleton dies before a tensor or a mesh device at
//! namespace scope, whose destructor then finds a dead object (tt-metal.md F 24, 25).

use super::Findings;
use crate::event::{Event, Singleton, Tick};
use crate::violation::{OracleName, Violation};

#[cold]
pub(super) fn watch(tick: Tick, event: &Event<'_>, findings: &mut Findings) {
    if let Event::SingletonUsed { singleton, alive: false } = *event {
        let what = match singleton {
            Singleton::GraphTracker => "the GraphTracker is asked after it was destroyed",
            Singleton::SystemMesh => "the SystemMesh is asked after it was destroyed",
        };
        findings.flag(Violation::new(OracleName::StaticOrder, tick, what));
    }
}
