//! What is wrong in an input, with its facts.

use super::event::{Device, Event, Memory, PathId, Place, Process};
use crate::units::{Bytes, DeviceAddr};

macro_rules! kinds {
    ($($(#[$doc:meta])* $variant:ident = $name:literal, note = $note:literal,
       $means:literal;)*) => {
        /// What kind of thing is wrong.
        #[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
        #[repr(u8)]
        pub enum FindingKind {
            $($(#[$doc])* $variant,)*
        }

        impl FindingKind {
            /// Every kind.
            pub const ALL: [Self; [$(Self::$variant),*].len()] = [$(Self::$variant),*];

            /// The name in reports.
            #[must_use]
            pub fn name(self) -> &'static str {
                match self { $(Self::$variant => $name,)* }
            }

            /// Whether it is a note, which changes no exit code.
            #[must_use]
            pub fn is_note(self) -> bool {
                match self { $(Self::$variant => $note,)* }
            }

            /// What it means, in one sentence.
            #[must_use]
            pub fn means(self) -> &'static str {
                match self { $(Self::$variant => $means,)* }
            }
        }
    };
}

kinds! {
    /// A FREE of a key that nobody registered.
    UnknownFree = "unknown-free", note = false,
        "a FREE of a key for which there is no ALLOC";
    /// A FREE of a key that is free already.
    DuplicateFree = "duplicate-free", note = false,
        "a FREE of a key that was freed before and not registered again";
    /// A FREE by somebody who is not the owner.
    StaleFree = "stale-free", note = false,
        "a FREE that takes the entry of another owner of the address";
    /// A key that is live at the end.
    MissingFree = "missing-free", note = false,
        "a key that was registered more often than it was freed";
    /// A process that died with live keys.
    Orphaned = "orphaned", note = false,
        "the reaper removed what a dead process had not freed";
    /// Lines that cannot all be true.
    Contradiction = "contradiction", note = false,
        "what is stated does not follow from the events before: something is missing between";
    /// A line or record that is no whole one.
    Torn = "torn", note = false,
        "a line that starts as an event and does not end as one";
    /// A wire stream that lost its step.
    Resync = "resync", note = false,
        "bytes that are no record: a message was torn or has another size";
    /// A message with a field that cannot be.
    BadField = "bad-field", note = false,
        "a message with a field out of range";
    /// Two live owners of one address.
    Overlap = "overlap", note = false,
        "two live buffers share bytes of one chip";
    /// A circular buffer in an L1 buffer.
    CircularClash = "cb-clash", note = false,
        "a circular buffer lies within a live L1 buffer of the chip";
    /// Circular buffers that are not given back where they were built.
    CircularUnpaired = "cb-unpaired", note = false,
        "circular buffers are built on chips for which no deallocation comes";
    /// One number for a mesh and for a chip.
    MeshIdAlias = "mesh-id-alias", note = false,
        "a device id stands for a mesh in some events and for another set of chips in others";
    /// Counters of a snapshot that do not add up.
    CounterMismatch = "counter-mismatch", note = false,
        "the counters of a region, of its chips and of its processes do not add up";
    /// Bytes that no process holds.
    GhostBytes = "ghost-bytes", note = false,
        "a region counts bytes although no process is registered in it";
    /// A live key that is registered again.
    RegisteredAgain = "registered-again", note = true,
        "a live key was registered again; it balances if it is freed as often";
    /// What a capture leaves.
    LiveAtEnd = "live-at-end", note = true,
        "a buffer was live when the capture or report ended";
    /// What was there before a capture.
    OlderThanCapture = "older-than-capture", note = true,
        "a buffer was deallocated that is older than the capture";
    /// The destructor of a buffer that never had a block.
    NonOwner = "non-owner", note = true,
        "the destructor of a buffer without an allocation block: it owned nothing";
    /// A message that the server refused.
    Refused = "refused", note = true,
        "the server refused a message";
    /// The last line of a file that is being written.
    CutEnd = "cut-end", note = true,
        "the last line has no end: the file was cut or is still being written";
}

/// One thing that is wrong.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Finding {
    /// What kind.
    pub kind: FindingKind,
    /// Where.
    pub place: Place,
    /// The other place that belongs to it: of the ALLOC, of the last FREE.
    pub other: Option<Place>,
    /// The device of the event.
    pub device: Option<Device>,
    /// The chips that are concerned, the numbers below 64 as bits; 0 if none is known.
    pub chips: u64,
    /// The key's buffer id.
    pub address: Option<DeviceAddr>,
    /// How large.
    pub size: Option<Bytes>,
    /// In which memory.
    pub memory: Option<Memory>,
    /// Who did it.
    pub process: Option<Process>,
    /// In which call.
    pub path: Option<PathId>,
    /// What is stated.
    pub stated: Option<u64>,
    /// What follows from the events before.
    pub follows: Option<u64>,
    /// For how many events or references it stands.
    pub count: u64,
    /// One sentence.
    pub what: &'static str,
}

impl Finding {
    /// A finding at an event, with the facts of the event.
    #[must_use]
    pub fn at(kind: FindingKind, event: &Event, what: &'static str) -> Self {
        let has_key = event.address.0 != 0 || event.size.is_some();
        Self {
            kind,
            place: event.place,
            other: None,
            device: (event.device != Device::UNSTATED).then_some(event.device),
            chips: 0,
            address: has_key.then_some(event.address),
            size: event.size,
            memory: event.memory,
            process: event.process,
            path: event.path,
            stated: None,
            follows: None,
            count: 1,
            what,
        }
    }

    /// The same with what is stated and what follows.
    #[must_use]
    pub fn stating(self, stated: u64, follows: u64) -> Self {
        Self { stated: Some(stated), follows: Some(follows), ..self }
    }
}

/// What was found: the first of each kind with their facts, and how often.
#[derive(Clone, Debug)]
pub struct Findings {
    kept: Vec<Finding>,
    counts: [u64; FindingKind::ALL.len()],
    keep_max: usize,
}

impl Findings {
    /// Nothing yet; so many of each kind are kept with their facts.
    #[must_use]
    pub fn new(keep_max: usize) -> Self {
        Self { kept: Vec::new(), counts: [0; FindingKind::ALL.len()], keep_max }
    }

    /// Adds one.
    pub fn add(&mut self, finding: Finding) {
        let count = &mut self.counts[finding.kind as usize];
        if *count < self.keep_max as u64 {
            self.kept.push(finding);
        }
        *count += 1;
    }

    /// Those that were kept, in the order of their places.
    #[must_use]
    pub fn kept(&self) -> &[Finding] {
        &self.kept
    }

    /// How many there are of a kind.
    #[must_use]
    pub fn count(&self, kind: FindingKind) -> u64 {
        self.counts[kind as usize]
    }

    /// How many there are, notes left out.
    #[must_use]
    pub fn failing(&self) -> u64 {
        let failing = FindingKind::ALL.into_iter().filter(|kind| !kind.is_note());
        failing.map(|kind| self.count(kind)).sum()
    }

    /// Puts what was kept in the order of the places.
    pub fn sort(&mut self) {
        self.kept.sort_by_key(|finding| (finding.place, finding.kind, finding.device));
    }
}
