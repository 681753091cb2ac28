//! Whether it mattered what the key is made of.

use std::collections::BTreeMap;

use crate::fix::{Fix, Switches};
use crate::message::{AllocMessage, UniqueId};
use crate::units::{BufferType, DeviceAddr};

/// Who sent the first message about each address, and the parts of a key that told another sender
/// from that one.
///
/// As long as all messages about an address name one type, a key with the type and a key without it
/// are two names of one thing; so it is with owners. Nothing of this is ever taken back: a message
/// that a search has gone back from was sent in some ordering.
#[derive(Clone, Debug, Default)]
pub(super) struct KeysRead {
    first: BTreeMap<DeviceAddr, (BufferType, UniqueId)>,
    read: Switches,
}

impl KeysRead {
    pub(super) fn note(&mut self, message: &AllocMessage) {
        let AllocMessage { address, buffer_type, owner, .. } = *message;
        let (first_type, first_owner) = *self.first.entry(address).or_insert((buffer_type, owner));
        if first_type != buffer_type {
            self.read = self.read.with(Fix::TypedKey);
        }
        if first_owner != owner {
            self.read = self.read.with(Fix::OwnerIdKey);
        }
    }

    pub(super) fn read(&self) -> Switches {
        self.read
    }
}
