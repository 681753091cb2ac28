//! The auditor: it replays what an input says, and compares.

mod free;
mod rare;

use super::bursts::Bursts;
use super::capture::Capture;
use super::counters::Counters;
use super::devices::Devices;
use super::era::Era;
use super::event::{Action, Event, Memory, Place, Registered};
use super::excess::Excess;
use super::finding::{Finding, FindingKind, Findings};
use super::ledger::{Entry, Key, Ledger};
use super::overlaps::Overlaps;
use super::read::Kind;
use super::statements::Statements;
use crate::wire;

/// Device numbers are below this.
const DEVICES_MAX: u32 = wire::DEVICES_MAX as u32;

/// Events whose keys are fetched together.
const BATCH: usize = 64;

/// Replays events and finds what is wrong.
///
/// ```
/// use freeorder::audit::{Auditor, FindingKind, Kind, Options, Reader};
/// let log = "\u{2713} [PID 7] Allocated 64 bytes of L1 on device 0 (buffer_id=1024)\n";
/// let mut reader = Reader::new(Box::new(log.as_bytes()), Options::default())?;
/// let (mut auditor, mut events) = (Auditor::new(Kind::ServerLog, 10), Vec::new());
/// while reader.read(&mut events)? {}
/// auditor.events_in(&events);
/// auditor.finish();
/// assert_eq!(auditor.findings().count(FindingKind::MissingFree), 1);
/// # Ok::<(), freeorder::audit::ReadError>(())
/// ```
pub struct Auditor {
    kind: Kind,
    events: u64,
    ledger: Ledger,
    /// The devices that anything was registered on, a bit each.
    registered_on: u64,
    devices: Devices,
    findings: Findings,
    era: Era,
    excess: Excess,
    bursts: Bursts,
    statements: Statements,
    overlaps: Overlaps,
    capture: Capture,
    counters: Counters,
    /// The log is of a server whose key has process and memory in it.
    is_strict: bool,
}

/// Process and memory, as a part of a key.
#[cold]
fn strict_region(event: &Event) -> u32 {
    let process = event.process.unwrap_or_default().0 as u32;
    process << 3 | event.memory.unwrap_or_default() as u32
}

impl Auditor {
    /// An auditor of one input, which keeps so many findings of each kind with their facts.
    #[must_use]
    pub fn new(kind: Kind, keep_max: usize) -> Self {
        Self {
            kind,
            events: 0,
            ledger: Ledger::new(),
            registered_on: 0,
            devices: Devices::new(),
            findings: Findings::new(keep_max),
            era: Era::default(),
            excess: Excess::default(),
            bursts: Bursts::default(),
            statements: Statements::default(),
            overlaps: Overlaps::new(),
            capture: Capture::default(),
            counters: Counters::default(),
            is_strict: false,
        }
    }

    /// Takes the next events.
    pub fn events_in(&mut self, events: &[Event]) {
        for batch in events.chunks(BATCH) {
            // Entries lie anywhere in megabytes: those of a batch are fetched all at once, not one
            // after another, each when its event needs it.
            let touched = batch.iter().map(|event| self.ledger.touch(self.key(event)));
            std::hint::black_box(touched.fold(0, |all, one| all ^ one));
            batch.iter().for_each(|event| self.event(event));
        }
    }

    /// Takes the next event.
    #[inline]
    pub fn event(&mut self, event: &Event) {
        match event.action {
            Action::Alloc(registered) => self.alloc(event, registered),
            Action::Free(released) => self.free(event, released),
            _ => self.rare(event),
        }
    }

    /// Says that there are no more events.
    pub fn finish(&mut self) {
        self.bursts.close();
        self.sweep(Place(u64::MAX));
        self.leave();
        self.capture.finish(&mut self.findings);
        self.counters.finish(&mut self.findings);
        self.findings.sort();
    }

    /// What was found.
    #[must_use]
    pub fn findings(&self) -> &Findings {
        &self.findings
    }

    /// ALLOC, FREE and circular-buffer events, and counters.
    #[must_use]
    pub fn events(&self) -> u64 {
        self.events
    }

    /// The balance of each device.
    #[must_use]
    pub fn devices(&self) -> &Devices {
        &self.devices
    }

    /// Which server can have said this.
    #[must_use]
    pub fn era(&self) -> &Era {
        &self.era
    }

    /// The keys that were freed more often than registered.
    #[must_use]
    pub fn excess(&self) -> &Excess {
        &self.excess
    }

    /// What a mesh buffer sends.
    #[must_use]
    pub fn bursts(&self) -> &Bursts {
        &self.bursts
    }

    #[cold]
    fn sweep(&mut self, now: Place) {
        self.overlaps.sweep(&self.ledger, now, &mut self.findings);
    }

    #[inline(always)]
    fn key(&self, event: &Event) -> Key {
        // The server's key has no memory in it; allocators have one for each.
        let region = match (self.kind, event.memory) {
            (
                Kind::Graph | Kind::BufferLog | Kind::ReportDb,
                Some(Memory::L1 | Memory::L1Small),
            ) => 1,
            _ if self.is_strict => strict_region(event),
            _ => 0,
        };
        Key { device: event.device, region, address: event.address }
    }

    #[inline(always)]
    fn alloc(&mut self, event: &Event, registered: Registered) {
        self.events += 1;
        if self.overlaps.is_due() {
            self.sweep(event.place);
        }
        let key = self.key(event);
        self.devices.of(key.device).alloc += 1;
        if !self.kind.is_capture() {
            self.bursts.add(event, true);
        } else if self.kind == Kind::ReportDb && self.ledger.has(key) {
            // Where the first of its owners is: it is found below.
        } else if !self.capture.alloc(event, &mut self.findings) {
            return;
        }
        let size = if self.kind == Kind::ReportDb { event.per_bank } else { event.size };
        if key.device.0 as u32 >= DEVICES_MAX || size.is_none_or(|size| size > wire::SIZE_MAX) {
            self.bad_field(event);
        }
        let count = if let Registered::Count(count) = registered { count } else { 1 };
        if !self.insert(key, event, count) {
            self.again(key, event, registered);
        } else if registered != Registered::Plain {
            self.era.counts(event.place);
            let what = "the server counts more references than there are ALLOC lines";
            let finding = Finding::at(FindingKind::Contradiction, event, what);
            self.findings.add(finding.stating(count.into(), 1));
        }
    }

    /// Adds a key; false if it is live.
    #[inline(always)]
    fn insert(&mut self, key: Key, event: &Event, references: u32) -> bool {
        let size = event.size.unwrap_or_default();
        if !self.ledger.insert(key, || Entry::of(key, event, references)) {
            return false;
        }
        self.registered_on |= 1 << (key.device.0 as u32 % DEVICES_MAX);
        self.devices.of(key.device).key(event.memory, size, true);
        if self.overlaps.is_one_by_one() && !self.kind.is_capture() {
            let entry = Entry::of(key, event, references);
            self.overlaps.insert(&entry, event, &mut self.findings);
        }
        true
    }

    /// An ALLOC of a live key.
    fn again(&mut self, key: Key, event: &Event, registered: Registered) {
        let counts = self.era.is_counting();
        let Some(entry) = self.ledger.get(key) else { return };
        let follows = entry.references.saturating_add(1);
        let at =
            |kind, what| Finding { other: Some(entry.place), ..Finding::at(kind, event, what) };
        let is_other = event.object.is_some_and(|object| object != entry.object);
        if is_other && self.kind != Kind::Graph || self.kind == Kind::ReportDb {
            let what = "two buffers are allocated at one address";
            self.findings.add(at(FindingKind::Overlap, what));
        }
        self.findings.add(at(FindingKind::RegisteredAgain, "a live key is registered again"));
        match registered {
            Registered::Count(count) => {
                self.era.counts(event.place);
                if count != follows {
                    let what = "the reference count does not follow: a line is missing or torn";
                    let finding = at(FindingKind::Contradiction, what);
                    self.findings.add(finding.stating(count.into(), follows.into()));
                }
                entry.references = count;
            }
            Registered::Plain if counts => {
                let what = "the key is live by the lines before, and the server registered it as \
                            new: its FREE is missing";
                self.findings.add(at(FindingKind::Contradiction, what).stating(1, follows.into()));
                entry.references = 1;
                entry.process = event.process.unwrap_or_default();
            }
            Registered::Plain => {
                entry.references = follows;
                if self.kind == Kind::ServerLog {
                    self.era.bare_duplicate(event.place);
                    // Whoever prints no count overwrites the entry.
                    let old = std::mem::replace(&mut entry.size, event.size.unwrap_or_default());
                    let (memory, new) = (entry.memory, entry.size);
                    entry.process = event.process.unwrap_or_default();
                    let balance = self.devices.of(key.device);
                    balance.key(memory, old, false);
                    balance.key(memory, new, true);
                }
            }
        }
        entry.is_held = true;
        entry.is_shared |= event.process.is_some_and(|process| process != entry.process);
    }

    fn bad_field(&mut self, event: &Event) {
        let what = "a device, size or memory that cannot be";
        self.findings.add(Finding::at(FindingKind::BadField, event, what));
    }
}
