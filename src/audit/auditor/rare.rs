//! Everything but ALLOC and FREE: statements, the reaper, new servers, and what is left.

use super::super::event::{Action, Event, Object, Process};
use super::super::finding::{Finding, FindingKind};
use super::super::read::Kind;
use super::Auditor;
use crate::units::Bytes;

impl Auditor {
    #[cold]
    pub(super) fn rare(&mut self, event: &Event) {
        let at = |kind, what| Finding::at(kind, event, what);
        match event.action {
            Action::Alloc(_) | Action::Free(_) | Action::Other => {}
            Action::UnknownFree(missed) => self.missed(event, missed),
            Action::Resized(old) => self.resized(event, old),
            Action::Destructor => self.destructor(event),
            Action::Torn => self.findings.add(at(FindingKind::Torn, "this is no whole event")),
            Action::Cut => {
                self.findings.add(at(FindingKind::CutEnd, "the last line has no end"));
            }
            Action::Resync(bytes) => {
                let what = "these bytes are no record";
                self.findings.add(Finding { size: Some(bytes), ..at(FindingKind::Resync, what) });
            }
            Action::Rejected => {
                self.findings.add(at(FindingKind::Refused, "the server refused a message"));
            }
            Action::Started => self.restart(),
            Action::StrictBooks => self.is_strict = self.kind == Kind::ServerLog,
            Action::Reaped(count) => self.reaped(event, count),
            Action::Counter(..) | Action::Head(_) => {
                self.events += 1;
                self.counters.add(event, &mut self.findings);
            }
            Action::CircularAlloc
            | Action::CircularFree
            | Action::CircularFreeAll
            | Action::KernelLoad
            | Action::KernelUnload
            | Action::MeshChip(_) => {
                self.events += u64::from(!matches!(event.action, Action::MeshChip(_)));
                self.capture.circular(self.kind, event, &mut self.findings);
            }
            Action::Statement
            | Action::StatedKeys(_)
            | Action::StatedBuffers(_)
            | Action::StatedBytes(_)
            | Action::StatedEntry(_) => self.stated(event),
        }
    }

    fn stated(&mut self, event: &Event) {
        let key = self.key(event);
        let entry = match event.action {
            Action::StatedEntry(_) => self.ledger.get(key).map(|entry| entry.references),
            _ => None,
        };
        let live = self.ledger.count();
        let overwrites = self.era.has_bare_duplicates() || self.era.is_by_address();
        let can_compare = self.era.is_counting() || !overwrites;
        let balance = self.devices.of(key.device);
        let stated = match event.action {
            Action::StatedKeys(stated) if can_compare => (stated, live),
            Action::StatedBuffers(stated) if can_compare => match event.memory {
                None => (stated, balance.live),
                Some(memory) => (stated, balance.keys[memory as usize]),
            },
            Action::StatedBytes(stated) if can_compare => {
                (stated.0, balance.bytes[event.memory.unwrap_or_default() as usize])
            }
            Action::StatedEntry(stated) => (stated.into(), entry.unwrap_or(0).into()),
            _ => return,
        };
        self.statements.compare(event, stated, &mut self.findings);
    }

    fn resized(&mut self, event: &Event, old: Bytes) {
        self.era.histories(event.place);
        let key = self.key(event);
        let Some(entry) = self.ledger.get(key) else { return };
        if entry.size != old {
            let what = "the server remembers another size than the ALLOC line registered";
            let finding = Finding::at(FindingKind::Contradiction, event, what);
            self.findings.add(finding.stating(old.0, entry.size.0));
        }
        entry.size = event.size.unwrap_or_default();
    }

    fn destructor(&mut self, event: &Event) {
        let key = self.key(event);
        let object = event.object.unwrap_or_default();
        if self.ledger.get(key).is_none_or(|entry| entry.object != object) {
            let what = "a destructor of a buffer whose allocation is not in the log";
            self.findings.add(Finding::at(FindingKind::NonOwner, event, what));
        }
    }

    /// A new server knows nothing of what the old one had.
    fn restart(&mut self) {
        self.leave();
        self.is_strict = false;
        self.ledger.clear();
        self.overlaps.clear();
        self.devices.restart();
        self.statements.restart();
    }

    fn reaped(&mut self, event: &Event, count: u32) {
        let process = event.process.unwrap_or_default();
        let (mut removed, mut bytes) = (0_u64, 0_u64);
        let (devices, overlaps) = (&mut self.devices, &mut self.overlaps);
        self.ledger.reap(process, |entry| {
            removed += 1;
            bytes = bytes.saturating_add(entry.size.0);
            devices.of(entry.key.device).key(entry.memory, entry.size, false);
            overlaps.remove(entry);
        });
        let at =
            |kind, what| Finding { size: Some(Bytes(bytes)), ..Finding::at(kind, event, what) };
        let what = "a process died before it had freed these";
        self.findings.add(Finding { count: count.into(), ..at(FindingKind::Orphaned, what) });
        if removed != u64::from(count) {
            let what = "the reaper removed another number of keys than the process had";
            self.findings.add(at(FindingKind::Contradiction, what).stating(count.into(), removed));
        }
    }

    /// Reports what is live: at the end, and where a server is replaced.
    pub(super) fn leave(&mut self) {
        let (kind, what) = match self.kind {
            Kind::Graph => (FindingKind::LiveAtEnd, "the capture ended before this buffer"),
            Kind::ReportDb => (FindingKind::LiveAtEnd, "live after the last operation"),
            _ => (FindingKind::MissingFree, "registered and not freed"),
        };
        for entry in self.ledger.sorted() {
            let event = Event {
                device: entry.key.device,
                address: entry.key.address,
                size: Some(entry.size).filter(|_| self.kind != Kind::ReportDb),
                memory: entry.memory,
                process: (entry.process != Process(0)).then_some(entry.process),
                object: (entry.object != Object(0)).then_some(entry.object),
                path: entry.path,
                ..Event::new(entry.place, Action::Other)
            };
            let count = entry.references.into();
            self.findings.add(Finding { count, ..Finding::at(kind, &event, what) });
        }
    }
}
