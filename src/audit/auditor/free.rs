//! FREE messages: whose key they close, and whether that is what the server says.

use super::super::event::{Action, Device, Event, Missed, Place, Released};
use super::super::finding::{Finding, FindingKind};
use super::super::ledger::{Entry, Key};
use super::super::read::Kind;
use super::{Auditor, DEVICES_MAX};

impl Auditor {
    #[inline(always)]
    pub(super) fn free(&mut self, event: &Event, released: Released) {
        self.events += 1;
        if !self.kind.is_capture() {
            self.bursts.add(event, false);
        }
        let key = self.key(event);
        let key = if key.device == Device::UNSTATED { self.stored(key, event) } else { key };
        let balance = self.devices.of(key.device);
        balance.free += 1;
        if released != Released::Plain {
            self.era.counts(event.place);
        }
        // What nearly every line is: the last reference goes, and all facts agree.
        let is_last = match released {
            Released::Final => true,
            Released::Plain => self.kind == Kind::Wire,
            Released::Remaining(_) => false,
        };
        let is_expected = |entry: &Entry| {
            is_last
                && entry.references == 1
                && event.process.is_none_or(|process| process == entry.process)
                && event.size.is_none_or(|size| size == entry.size)
                && event.object.is_none()
        };
        if !self.take(key, event.place, is_expected) {
            self.free_slowly(key, event, released);
        }
    }

    /// A FREE that is not the last one of a key, or not in agreement with its ALLOC.
    fn free_slowly(&mut self, key: Key, event: &Event, released: Released) {
        let Some(entry) = self.ledger.get(key) else {
            self.missing(key, event);
            return;
        };
        let is_log = self.kind == Kind::ServerLog;
        let owner = entry.process;
        let differs = event.process.is_some_and(|process| process != owner)
            || is_log && event.size.is_some_and(|size| size != entry.size)
            || event.object.is_some_and(|object| object != entry.object);
        let left = match released {
            Released::Final => 0,
            Released::Remaining(count) => count,
            Released::Plain => entry.references.saturating_sub(1),
        };
        let is_unexpected = left != entry.references.saturating_sub(1)
            || released == Released::Remaining(0)
            || released == Released::Plain;
        if differs || is_unexpected {
            let copy = *entry;
            self.forget(key);
            self.look_closer(&copy, event, released);
        }
        if left == 0 {
            self.close(key, event.place);
        } else if let Some(entry) = self.ledger.get(key) {
            entry.references = left;
        }
    }

    /// The key of a FREE that names no device: its server has one entry for an address, which the
    /// last ALLOC wrote, on whatever device; with it all others of the address are forgotten.
    #[cold]
    fn stored(&mut self, key: Key, event: &Event) -> Key {
        let is_of = |entry: &Entry| event.size.is_none_or(|size| size == entry.size);
        let rank = |entry: &&Entry| (entry.is_held, is_of(entry), entry.place);
        let Some(stored) = self.with_address(key).max_by_key(rank) else { return key };
        let stored = stored.key;
        for other in self.on_devices(key).filter(|&other| other != stored) {
            self.forget(other);
        }
        stored
    }

    /// The key on each device that anything was registered on, the lowest first.
    fn on_devices(&self, key: Key) -> impl Iterator<Item = Key> + use<> {
        let registered_on = self.registered_on;
        let all = (0..DEVICES_MAX).filter(move |device| registered_on >> device & 1 == 1);
        all.map(move |device| Key { device: Device(device as i32), ..key })
    }

    /// The live keys of an address, those of the lowest devices first.
    fn with_address(&self, key: Key) -> impl Iterator<Item = &Entry> {
        self.on_devices(key).filter_map(|key| self.ledger.live(key))
    }

    /// The server has an entry no longer, whatever the messages say.
    fn forget(&mut self, key: Key) {
        if let Some(entry) = self.ledger.get(key) {
            entry.is_held = false;
        }
    }

    /// Removes a key whose last reference went.
    #[inline(always)]
    fn close(&mut self, key: Key, place: Place) {
        self.take(key, place, |_| true);
    }

    /// Removes a key if it is as expected: whether it was.
    #[inline(always)]
    fn take(&mut self, key: Key, place: Place, is_expected: impl FnOnce(&Entry) -> bool) -> bool {
        let Self { kind, ledger, devices, capture, overlaps, .. } = self;
        ledger.take(key, place, is_expected, |entry| {
            devices.of(entry.key.device).key(entry.memory, entry.size, false);
            if kind.is_capture() {
                capture.close(entry);
            } else if overlaps.is_one_by_one() {
                overlaps.remove(entry);
            }
        })
    }

    /// A FREE that found its key: is it the owner's, and does what the server says follow?
    fn look_closer(&mut self, entry: &Entry, event: &Event, released: Released) {
        let at =
            |kind, what| Finding { other: Some(entry.place), ..Finding::at(kind, event, what) };
        let is_log = self.kind == Kind::ServerLog;
        let follows = entry.references.saturating_sub(1);
        match released {
            Released::Plain if is_log => {
                self.era.plain_free(event, entry.is_held);
                if self.era.is_counting() {
                    let what = "a FREE without the server's count among those with one";
                    self.findings.add(at(FindingKind::Contradiction, what));
                }
            }
            Released::Plain => {}
            Released::Final | Released::Remaining(_) => {
                let left = if let Released::Remaining(left) = released { left } else { 0 };
                if left != follows || released == Released::Remaining(0) {
                    let what = "what remains does not follow: a line is missing or torn";
                    let finding = at(FindingKind::Contradiction, what);
                    self.findings.add(finding.stating(left.into(), follows.into()));
                }
            }
        }
        if event.object.is_some_and(|object| object != entry.object) {
            let what = "the buffer that is freed is not the one that holds the address";
            self.findings.add(at(FindingKind::StaleFree, what));
        }
        // ASSUMED: a server without counts may print the sender; what it printed is in no source,
        // and one document's line has the only process of its log.
        let says_sender = is_log && released == Released::Plain;
        let other_process =
            !says_sender && event.process.is_some_and(|process| process != entry.process);
        if other_process && is_log {
            let what = "the server names another owner than the ALLOC line: a line is missing";
            let stated = u64::from(event.process.unwrap_or_default().0.unsigned_abs());
            let follows = u64::from(entry.process.0.unsigned_abs());
            self.findings.add(at(FindingKind::Contradiction, what).stating(stated, follows));
        } else if other_process && !entry.is_shared {
            let what = "another process than the owner freed the key";
            self.findings.add(at(FindingKind::StaleFree, what));
        }
        if let Some(size) = event.size.filter(|&size| is_log && size != entry.size) {
            let what = "the server freed another size than the ALLOC line registered";
            self.findings.add(at(FindingKind::Contradiction, what).stating(size.0, entry.size.0));
        }
    }

    /// A FREE of a key that is not live.
    #[cold]
    fn missing(&mut self, key: Key, event: &Event) {
        if self.kind == Kind::ServerLog {
            // The server had the key: its ALLOC line is what is missing.
            let what = "the server freed a key that no line before registered";
            let finding = Finding::at(FindingKind::Contradiction, event, what);
            self.findings.add(Finding { other: self.ledger.died(key), ..finding });
            match event.action {
                Action::Free(Released::Plain) => self.era.plain_free(event, true),
                _ => self.era.counts(event.place),
            }
            if let Action::Free(Released::Remaining(left)) = event.action
                && left > 0
            {
                self.insert(key, event, left);
            }
            return;
        }
        if self.kind == Kind::Graph && self.capture.unhook(event) {
            return;
        }
        if self.kind == Kind::Graph && !self.capture.has_seen(event) {
            let what = "the capture began after this buffer was allocated";
            self.findings.add(Finding::at(FindingKind::OlderThanCapture, event, what));
            return;
        }
        self.unknown(key, event);
    }

    /// A FREE of nothing.
    fn unknown(&mut self, key: Key, event: &Event) {
        self.devices.of(key.device).unknown += 1;
        self.excess.add(key);
        let died = self.ledger.died(key);
        let (kind, what) = match died {
            Some(_) => {
                (FindingKind::DuplicateFree, "the key was freed before, and not registered since")
            }
            None => (FindingKind::UnknownFree, "no ALLOC of this key is known"),
        };
        self.findings.add(Finding { other: died, ..Finding::at(kind, event, what) });
    }

    /// A FREE that the server itself did not know.
    pub(super) fn missed(&mut self, event: &Event, missed: Missed) {
        self.events += 1;
        self.bursts.add(event, false);
        self.era.missed(event, missed);
        let key = self.key(event);
        let key = if key.device == Device::UNSTATED { self.unnamed(key, event) } else { key };
        self.devices.of(key.device).free += 1;
        let Some(&mut entry) = self.ledger.get(key) else {
            self.unknown(key, event);
            return;
        };
        let at =
            |kind, what| Finding { other: Some(entry.place), ..Finding::at(kind, event, what) };
        if !entry.is_held && !self.era.is_counting() {
            let what = "the server had forgotten one of two registrations: the messages balance";
            self.findings.add(at(FindingKind::UnknownFree, what));
            match entry.references {
                0 | 1 => self.close(key, event.place),
                more => {
                    let left = more - 1;
                    if let Some(entry) = self.ledger.get(key) {
                        entry.references = left;
                    }
                }
            }
            return;
        }
        self.era.unexplained(event.place);
        let what = "the server does not know a key that the lines before registered";
        self.findings.add(at(FindingKind::Contradiction, what).stating(0, entry.references.into()));
        self.close(key, event.place);
    }

    /// The key that a warning is about that names no device: one that the server has forgotten, or
    /// else one that died. Only a server with one entry for an address must know all that live.
    #[cold]
    fn unnamed(&mut self, key: Key, event: &Event) -> Key {
        if let Some(forgotten) = self.with_address(key).find(|entry| !entry.is_held) {
            return forgotten.key;
        }
        let live = self.with_address(key).next().map(|entry| entry.key);
        if let Some(live) = live {
            self.era.unexplained_address(event.place);
            if self.era.is_by_address() {
                return live;
            }
        }
        let mut others = self.on_devices(key);
        others.find(|&other| self.ledger.died(other).is_some()).unwrap_or(key)
    }
}
