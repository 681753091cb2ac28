//! Is a hooked buffer freed hooked, never through the allocator, and does a hook claim buffers only
//! while a NO_DISPATCH capture runs?
//!
//! A buffer whose allocation was hooked has address 0 and no block: a hook that comes off before
//! the buffer dies must not change that (PR 21806), and must come off (PR 11627).

use super::Findings;
use crate::event::{Event, Tick};
use crate::journal::{Cell, Fingerprint, IdMap, Tracking, mix};
use crate::message::ObjectRef;
use crate::op::RunMode;
use crate::violation::{OracleName, Violation};

/// Remembers which buffers are hooked, and which captures processes are in.
#[derive(Clone, Debug)]
pub(super) struct Hook {
    hooked: IdMap,
    /// A process for each of its captures, and whether it is one without dispatch.
    capturing: Cell<Vec<(u32, bool)>>,
}

impl Fingerprint for Vec<(u32, bool)> {
    fn fingerprint(&self) -> u64 {
        let captures = self.iter().map(|&(pid, blocks)| u64::from(pid) << 1 | u64::from(blocks));
        captures.fold(self.len() as u64, mix)
    }
}

impl Hook {
    pub(super) fn new(tracking: Tracking) -> Self {
        Self { hooked: IdMap::new(tracking), capturing: Cell::new(Vec::new(), tracking) }
    }

    pub(super) fn reset(&mut self) {
        self.hooked.reset();
        self.capturing.reset(Vec::new());
    }

    /// Whether no buffer is hooked.
    #[inline]
    pub(super) fn is_idle(&self) -> bool {
        self.hooked.is_empty()
    }

    #[cold]
    pub(super) fn watch(&mut self, tick: Tick, event: &Event<'_>, findings: &mut Findings) {
        match *event {
            Event::CaptureSwitched { pid, mode: Some(mode) } => {
                let capture = (pid, mode == RunMode::NoDispatch);
                self.capturing.update(|captures| captures.push(capture));
            }
            Event::CaptureSwitched { pid, mode: None } => {
                let innermost = self.capturing.iter().rposition(|&(one, _)| one == pid);
                if let Some(place) = innermost {
                    self.capturing.update(|captures| captures.remove(place));
                }
            }
            Event::ProcessKilled { pid } => {
                self.capturing.update(|captures| captures.retain(|&(one, _)| one != pid));
            }
            Event::AllocationHooked { pid, object } => {
                // The mode of the outermost capture holds.
                let outermost = self.capturing.iter().find(|&&(one, _)| one == pid);
                if !outermost.is_some_and(|&(_, blocks)| blocks) {
                    let what = "a hook claimed an allocation outside a NO_DISPATCH capture";
                    flag(tick, object, what, findings);
                }
                self.hooked.set(object.unique_id.0, 1);
            }
            Event::AddressReturned { by, .. } if self.hooked.get(by.unique_id.0) != 0 => {
                flag(tick, by, "a hooked buffer is freed through the allocator", findings);
            }
            Event::BufferDestroyed { object, .. } => self.hooked.set(object.unique_id.0, 0),
            _ => {}
        }
    }

    pub(super) fn mark(&self) -> [usize; 2] {
        [self.hooked.mark(), self.capturing.mark()]
    }

    pub(super) fn undo_to(&mut self, [hooked, capturing]: [usize; 2]) {
        self.hooked.undo_to(hooked);
        self.capturing.undo_to(capturing);
    }

    pub(super) fn hash(&self) -> u64 {
        mix(self.hooked.hash(), self.capturing.fingerprint())
    }
}

fn flag(tick: Tick, object: ObjectRef, what: &'static str, findings: &mut Findings) {
    let by = Some(object);
    findings.flag(Violation { by, ..Violation::new(OracleName::Hook, tick, what) });
}
