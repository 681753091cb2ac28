//! What an oracle says: which question got the wrong answer, and the facts.

use std::fmt;

use crate::event::Tick;
use crate::message::{AllocMessage, CallPath, MessageKind, ObjectRef, Role};
use crate::units::{BufferType, Bytes, DeviceAddr, Lanes};

macro_rules! oracles {
    ($($(#[$doc:meta])* $variant:ident = $name:literal, $asks:literal, note = $note:literal;)*) => {
        /// An oracle, and so the kind of a violation that it reports.
        ///
        /// Source: table H of tt-metal.md.
        #[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
        #[repr(u8)]
        pub enum OracleName {
            $($(#[$doc])* $variant,)*
        }

        impl OracleName {
            /// Every oracle.
            pub const ALL: [Self; [$(Self::$variant),*].len()] = [$(Self::$variant),*];

            /// The name that the command line and `expect` lines use.
            #[must_use]
            pub fn name(self) -> &'static str {
                match self { $(Self::$variant => $name,)* }
            }

            /// The question, in words.
            #[must_use]
            pub fn asks(self) -> &'static str {
                match self { $(Self::$variant => $asks,)* }
            }

            /// Whether what it says is a note, which changes no verdict and no exit code.
            #[must_use]
            pub fn is_note(self) -> bool {
                match self { $(Self::$variant => $note,)* }
            }
        }
    };
}

oracles! {
    /// The blocks of a region.
    FreeList = "free-list",
        "do blocks tile the region with no two free neighbours, and do failed calls change nothing",
        note = false;
    /// Two owners of one place.
    Overlap = "overlap",
        "are live owners of one allocator, and of one chip, disjoint, aligned, inside their region",
        note = false;
    /// The lowest occupied address.
    Lowest = "lowest", "is the lowest occupied address exact", note = false;
    /// Blocks given back.
    SingleFree = "single-free", "is each block returned once, by its owner", note = false;
    /// Status changes.
    StateMachine = "state-machine",
        "does each buffer take only legal transitions, and is it tracked after the state",
        note = false;
    /// Blocks never given back.
    DeviceLeak = "device-leak",
        "does a deallocated owner give its block back, and is the allocator empty at the end",
        note = false;
    /// `allocated_buffers_`.
    Registry = "registry", "does allocated_buffers_ hold only live owners", note = false;
    /// FREEs of nothing.
    UnknownFree = "unknown-free", "does every FREE hit an entry of the server", note = false;
    /// ALLOCs of a live key.
    DuplicateAllocation = "duplicate-allocation", "is no live key allocated again", note = false;
    /// ALLOC and FREE in turn.
    Balance = "balance",
        "do ALLOC and FREE of a key (device, type, address) alternate and end equal",
        note = false;
    /// FREEs of somebody else's entry.
    StaleFree = "stale-free",
        "does each FREE come from the owner whose ALLOC it closes",
        note = false;
    /// What the server keeps.
    Residue = "residue", "is the tracker empty, live owners aside, at quiescence", note = false;
    /// What the server counts.
    TrackerTruth = "tracker-truth",
        "does the tracker count the live bytes of each chip at every quiescent point",
        note = false;
    /// What the server shows.
    Visibility = "visibility", "does every chip that holds bytes show them", note = false;
    /// The order of messages at one place.
    EventOrder = "event-order",
        "does the FREE of the old owner of an address precede the ALLOC of the new one",
        note = false;
    /// Circular buffers against L1 buffers.
    CbClash = "cb-clash", "is a clash with circular buffers justified by a reachable owner",
        note = false;
    /// Reads of memory that is gone.
    UseAfterFree = "use-after-free",
        "does a program or view use only memory that its owner holds, bound in this call",
        note = false;
    /// Calls on things that are gone.
    Teardown = "teardown", "is no raw pointer followed after its target died", note = false;
    /// Traces and what they overwrite.
    TraceSafe = "trace-safe",
        "does a replay spare every buffer allocated after its capture, and do counters return to 0",
        note = false;
    /// Buffers of sub-devices.
    SubDevice = "sub-device",
        "is a buffer given back under the sub-device manager it was allocated under",
        note = false;
    /// Nodes of a graph capture.
    GraphEvents = "graph-events",
        "is each event of a graph capture well formed, and does each program show its buffers",
        note = false;
    /// Hooked allocations.
    Hook = "hook",
        "is a hooked buffer freed hooked, never through the allocator, and none outside a capture",
        note = false;
    /// What the Inspector is told.
    Inspector = "inspector",
        "are mesh_buffer_allocated and mesh_buffer_deallocated exactly paired", note = false;
    /// Destructors after the end of `main`.
    StaticOrder = "static-order", "does nothing go to a singleton after it is gone",
        note = false;
    /// Memory that was not to be had.
    Oom = "oom", "is it fragmentation or exhaustion when memory is not to be had", note = true;
    /// Calls that a guard swallowed.
    MaskedDoubleFree = "masked-double-free", "did a guard swallow a call", note = true;
}

impl OracleName {
    /// How many oracles there are.
    pub const COUNT: usize = Self::ALL.len();

    /// The oracle of that name.
    #[must_use]
    pub fn from_name(name: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|oracle| oracle.name() == name)
    }
}

impl fmt::Display for OracleName {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.name())
    }
}

/// How the two buffers of a violation are related; part of what makes two failures the same.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Relation {
    /// There is no second buffer.
    #[default]
    None,
    /// Both are one object, or belong to one owner.
    SameObject,
    /// Another owner under the same key.
    OtherOwner,
    /// The same address on another device.
    OtherDevice,
    /// A buffer of another mesh.
    OtherMesh,
}

impl fmt::Display for Relation {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::None => "no other",
            Self::SameObject => "same object",
            Self::OtherOwner => "other owner",
            Self::OtherDevice => "other device",
            Self::OtherMesh => "other mesh",
        })
    }
}

/// What makes two failures the same failure: never their text, and never where they happened.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct ViolationClass {
    /// Which question.
    pub oracle: OracleName,
    /// Who let go.
    pub role: Option<Role>,
    /// How the two buffers are related.
    pub relation: Relation,
}

impl fmt::Display for ViolationClass {
    /// Prints `stale-free by the user handle, other owner`.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}", self.oracle)?;
        if let Some(role) = self.role {
            write!(f, " by the {role}")?;
        }
        match self.relation {
            Relation::None => Ok(()),
            relation => write!(f, ", {relation}"),
        }
    }
}

/// A wrong answer, with its facts.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Violation {
    /// Which question.
    pub oracle: OracleName,
    /// When.
    pub tick: Tick,
    /// On which devices; the count of a violation is the number of devices, at least 1.
    pub devices: Lanes,
    /// Where.
    pub address: Option<DeviceAddr>,
    /// In which memory.
    pub buffer_type: Option<BufferType>,
    /// How many bytes.
    pub bytes: Option<Bytes>,
    /// The buffer that did it.
    pub by: Option<ObjectRef>,
    /// The buffer it was done to.
    pub other: Option<ObjectRef>,
    /// How the two are related.
    pub relation: Relation,
    /// Who let go.
    pub role: Option<Role>,
    /// In which function.
    pub path: Option<CallPath>,
    /// One sentence.
    pub what: &'static str,
}

impl Violation {
    /// A violation with no facts but its sentence.
    #[must_use]
    pub fn new(oracle: OracleName, tick: Tick, what: &'static str) -> Self {
        Self {
            oracle,
            tick,
            devices: Lanes::NONE,
            address: None,
            buffer_type: None,
            bytes: None,
            by: None,
            other: None,
            relation: Relation::None,
            role: None,
            path: None,
            what,
        }
    }

    /// A violation that a message shows on some of its devices: where, by whom, in which function
    /// and, of a FREE, who let go.
    #[must_use]
    pub fn of_message(
        oracle: OracleName,
        tick: Tick,
        what: &'static str,
        message: &AllocMessage,
        devices: Lanes,
    ) -> Self {
        Self {
            devices,
            address: Some(message.address),
            buffer_type: Some(message.buffer_type),
            by: Some(message.sender),
            role: (message.kind == MessageKind::Free).then_some(message.released_by),
            path: Some(message.path),
            ..Self::new(oracle, tick, what)
        }
    }

    /// What makes it the same failure as another.
    #[must_use]
    pub fn class(&self) -> ViolationClass {
        ViolationClass { oracle: self.oracle, role: self.role, relation: self.relation }
    }

    /// How much the violation counts: once for each device, at least once.
    #[must_use]
    #[inline]
    pub fn count(&self) -> u64 {
        u64::from(self.devices.count().max(1))
    }
}

impl fmt::Display for Violation {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}: {}", self.oracle, self.what)?;
        if !self.devices.is_empty() {
            write!(f, ", device {}", self.devices)?;
        }
        if let Some(buffer_type) = self.buffer_type {
            write!(f, ", {buffer_type}")?;
        }
        if let Some(address) = self.address {
            write!(f, ", address {address}")?;
        }
        if let Some(bytes) = self.bytes {
            write!(f, ", {bytes} bytes")?;
        }
        if let Some(by) = self.by {
            write!(f, ", by {by}")?;
        }
        if let Some(other) = self.other {
            write!(f, ", of {other}")?;
        }
        if let Some(path) = self.path {
            write!(f, ", in {path}")?;
        }
        if let Some(role) = self.role {
            write!(f, ", released by the {role}")?;
        }
        Ok(())
    }
}
