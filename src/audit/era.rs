//! Which server can have printed a log.

use super::event::{Device, Event, Missed, Place};
use crate::server::ServerKind;

/// A form of line, with the first place where it stands.
type Seen = Option<Place>;

/// The forms that tell the generations of the server apart.
#[derive(Clone, Copy, Debug, Default)]
pub struct Era {
    counts: Seen,
    plain_frees: Seen,
    frees_without_device: Seen,
    frees_with_device: Seen,
    misses: Seen,
    histories: Seen,
    warnings: Seen,
    bare_duplicates: Seen,
    found_twice: Seen,
    unexplained: Seen,
    unexplained_addresses: Seen,
}

/// Whether a server explains an input, and if not, what is against it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Verdict {
    /// The server.
    pub server: ServerKind,
    /// The first thing that is against it, and where; none if it explains everything.
    pub against: Option<(Place, &'static str)>,
}

fn see(seen: &mut Seen, place: Place) {
    seen.get_or_insert(place);
}

impl Era {
    /// The server counts references.
    #[inline(always)]
    pub(super) fn counts(&mut self, place: Place) {
        if self.counts.is_none() {
            self.counts = Some(place);
        }
    }

    pub(super) fn histories(&mut self, place: Place) {
        see(&mut self.histories, place);
    }

    pub(super) fn bare_duplicate(&mut self, place: Place) {
        see(&mut self.bare_duplicates, place);
    }

    pub(super) fn unexplained(&mut self, place: Place) {
        see(&mut self.unexplained, place);
    }

    /// A buffer was not known by its address, which is live on some device.
    pub(super) fn unexplained_address(&mut self, place: Place) {
        see(&mut self.unexplained_addresses, place);
    }

    pub(super) fn plain_free(&mut self, event: &Event, is_held: bool) {
        see(&mut self.plain_frees, event.place);
        if event.device == Device::UNSTATED {
            see(&mut self.frees_without_device, event.place);
        } else {
            see(&mut self.frees_with_device, event.place);
        }
        if !is_held {
            see(&mut self.found_twice, event.place);
        }
    }

    pub(super) fn missed(&mut self, event: &Event, missed: Missed) {
        match missed {
            Missed::Unknown => see(&mut self.misses, event.place),
            Missed::Warning => see(&mut self.warnings, event.place),
            Missed::NeverTracked | Missed::AlreadyFreed => see(&mut self.histories, event.place),
        }
    }

    #[inline(always)]
    pub(super) fn is_counting(&self) -> bool {
        self.counts.is_some()
    }

    /// Whether its FREE lines name buffers, and no devices.
    pub(super) fn is_by_address(&self) -> bool {
        self.frees_without_device.is_some() && self.frees_with_device.is_none()
    }

    pub(super) fn has_bare_duplicates(&self) -> bool {
        self.bare_duplicates.is_some()
    }

    /// What speaks for and against each server.
    #[must_use]
    pub fn verdicts(&self) -> Vec<Verdict> {
        let overwrites = [
            (self.counts, "it counts references"),
            (self.histories, "it keeps histories"),
            (self.found_twice, "a key was found twice after an overwriting ALLOC"),
            (self.unexplained, "a key was not found that these lines registered"),
        ];
        let counts = [
            (self.plain_frees, "it does not say FINAL"),
            (self.warnings, "it warns without naming a process"),
            (self.bare_duplicates, "a live key was registered without a count"),
            (self.unexplained, "a key was not found that these lines registered"),
        ];
        let mut single = overwrites.to_vec();
        single.push((self.frees_with_device, "it names the device of a FREE"));
        single.push((
            self.unexplained_addresses,
            "a buffer was not found that these lines registered on some device",
        ));
        let mut keyed = overwrites.to_vec();
        keyed.push((self.frees_without_device, "it names no device"));
        let mut counting = counts.to_vec();
        counting.push((self.histories, "it keeps histories"));
        let mut histories = counts.to_vec();
        histories.push((self.misses, "it does not say whether a key was known before"));
        let nothing = Some(Place(1));
        let shm = vec![(nothing, "counters in shared memory print no such lines")];
        let all = [
            (ServerKind::K0, single),
            (ServerKind::K1, keyed),
            (ServerKind::K2, counting),
            (ServerKind::K2e, histories),
            (ServerKind::Shm, shm),
        ];
        let first = |contrary: Vec<(Seen, &'static str)>| {
            let seen = contrary.into_iter().filter_map(|(seen, why)| Some((seen?, why)));
            seen.min_by_key(|&(place, _)| place)
        };
        all.map(|(server, contrary)| Verdict { server, against: first(contrary) }).to_vec()
    }
}
