//! What the messages say, by key: the second ground truth that several oracles share.

use crate::journal::{Columns, Fingerprint, LaneMap, Tracking, mix};
use crate::message::{AllocMessage, MessageKind, ObjectRef, Origin, UniqueId};
use crate::units::{BufferType, DeviceAddr, Lanes};

/// An open registration of a key.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Registered {
    /// The owner that the last ALLOC named.
    pub owner: UniqueId,
    /// Who sent it.
    pub sender: Origin,
    /// ALLOCs minus FREEs.
    pub depth: u32,
    /// The owner before, if its registration was still open when the last ALLOC came.
    pub under: Option<UniqueId>,
}

impl Registered {
    /// The registered buffer, as violations name it.
    #[must_use]
    pub fn object(&self) -> ObjectRef {
        ObjectRef { origin: self.sender, unique_id: self.owner }
    }
}

impl Fingerprint for Registered {
    fn fingerprint(&self) -> u64 {
        let under = self.under.map_or(0, |owner| owner.0 + 1);
        mix(mix(self.owner.0, u64::from(self.depth)), under)
    }
}

/// What one message did to the register, device by device.
#[derive(Clone, Copy, Debug, Default)]
pub struct Transition {
    /// ALLOC of a live key.
    pub again: Lanes,
    /// FREE of a key that is not live.
    pub unknown: Lanes,
    /// FREE by another owner than the one whose ALLOC it closes.
    pub foreign: Lanes,
    /// FREE by the owner before, whose registration the present owner's ALLOC overlaid.
    pub overtaken: Lanes,
    /// The registration that an ALLOC found live, or that a foreign FREE hit. Of several, on
    /// different devices, one of another owner rather than one of the sender's own, and of those
    /// the one on the lowest device: which of them the register meets first depends on its past.
    pub other: Option<Registered>,
    /// Where that one is.
    on: Lanes,
}

impl Transition {
    /// A message of an owner meets a registration on some devices.
    fn meet(&mut self, owner: UniqueId, devices: Lanes, other: Registered) {
        let rank =
            |devices: Lanes, other: Registered| (other.owner == owner, devices.0.trailing_zeros());
        if self.other.is_none_or(|known| rank(devices, other) < rank(self.on, known)) {
            (self.other, self.on) = (Some(other), devices);
        }
    }

    /// Whether the message was an ALLOC of a free key or a FREE by its owner.
    #[must_use]
    #[inline]
    pub fn is_clean(&self) -> bool {
        self.other.is_none() && self.unknown.is_empty()
    }
}

/// Open registrations by {device, type, address}.
#[derive(Clone, Debug)]
pub struct Register {
    keys: LaneMap<Registered>,
}

impl Register {
    pub(super) fn new(tracking: Tracking) -> Self {
        Self { keys: LaneMap::new(tracking) }
    }

    pub(super) fn reset(&mut self) {
        self.keys.reset();
    }

    /// Every open registration, in no particular order.
    pub fn iter(&self) -> impl Iterator<Item = (BufferType, DeviceAddr, Lanes, Registered)> {
        self.keys.iter().map(|(key, devices, registered)| {
            let buffer_type = BufferType::ALL[(key & 3) as usize];
            (buffer_type, DeviceAddr(key >> 2), devices, registered)
        })
    }

    /// Visits the registrations of a key.
    pub fn each(
        &self,
        buffer_type: BufferType,
        address: DeviceAddr,
        visit: impl FnMut(Lanes, Registered),
    ) {
        self.keys.each(key(buffer_type, address), visit);
    }

    /// Follows a message that the server has read.
    #[inline]
    pub(super) fn follow(&mut self, message: &AllocMessage) -> Transition {
        let mut seen = Transition::default();
        let key = key(message.buffer_type, message.address);
        self.keys.update(key, message.devices, |devices, old| match message.kind {
            MessageKind::Alloc => Some(allocate(message, devices, old, &mut seen)),
            MessageKind::Free => free(message, devices, old, &mut seen),
        });
        seen
    }

    pub(super) fn mark(&self) -> usize {
        self.keys.mark()
    }

    pub(super) fn undo_to(&mut self, mark: usize) {
        self.keys.undo_to(mark);
    }

    pub(super) fn columns(&self, columns: &mut Columns) {
        self.keys.columns(columns, 0x0a0);
    }

    pub(super) fn hash(&self) -> u64 {
        self.keys.hash()
    }
}

#[inline]
fn allocate(
    message: &AllocMessage,
    devices: Lanes,
    old: Option<Registered>,
    seen: &mut Transition,
) -> Registered {
    let (owner, sender) = (message.owner, message.sender.origin);
    let Some(old) = old else {
        return Registered { owner, sender, depth: 1, under: None };
    };
    seen.again = seen.again.or(devices);
    seen.meet(owner, devices, old);
    let under = if old.owner == owner { old.under } else { Some(old.owner) };
    Registered { owner, sender, depth: old.depth + 1, under }
}

#[inline]
fn free(
    message: &AllocMessage,
    devices: Lanes,
    old: Option<Registered>,
    seen: &mut Transition,
) -> Option<Registered> {
    let Some(old) = old else {
        seen.unknown = seen.unknown.or(devices);
        return None;
    };
    // tt-metal.md C3: "all programs share the same low region", so the key of a circular buffer has
    // no one owner.
    let shared = old.owner.program().is_some() && message.owner.program().is_some();
    if old.owner != message.owner && !shared {
        seen.foreign = seen.foreign.or(devices);
        seen.meet(message.owner, devices, old);
        if old.under == Some(message.owner) {
            seen.overtaken = seen.overtaken.or(devices);
        }
    }
    (old.depth > 1).then(|| Registered { depth: old.depth - 1, ..old })
}

#[inline]
fn key(buffer_type: BufferType, address: DeviceAddr) -> u64 {
    address.0 << 2 | buffer_type.index() as u64
}
