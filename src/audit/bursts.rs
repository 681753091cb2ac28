//! What one MeshBuffer sends: messages of one address in a row, on one device after another.

use std::collections::BTreeMap;

use super::event::{Event, Place};
use crate::units::{Bytes, DeviceAddr};

/// A burst is no longer than this: nine messages for each of 32 chips, and more.
const MESSAGES_MAX: u32 = 512;

/// What a burst looks like.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct Shape {
    /// Whether it is of ALLOC messages.
    pub is_alloc: bool,
    /// On how many devices.
    pub devices: u32,
    /// How many messages.
    pub messages: u32,
}

/// How often a shape was seen, and where first.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Tally {
    /// How often.
    pub count: u64,
    /// Where first.
    pub first: Place,
}

#[derive(Clone, Copy, Debug, Default)]
struct Burst {
    is_alloc: bool,
    address: DeviceAddr,
    size: Option<Bytes>,
    devices: u64,
    messages: u32,
    place: Place,
}

/// The bursts of an input.
#[derive(Clone, Debug, Default)]
pub struct Bursts {
    current: Burst,
    shapes: BTreeMap<Shape, Tally>,
}

impl Bursts {
    /// Takes the next ALLOC or FREE.
    #[inline(always)]
    pub(super) fn add(&mut self, event: &Event, is_alloc: bool) {
        let burst = &mut self.current;
        let goes_on = burst.address == event.address
            && burst.is_alloc == is_alloc
            && (!is_alloc || burst.size == event.size)
            && burst.messages < MESSAGES_MAX;
        let device = 1_u64 << (event.device.0 & 63);
        if goes_on {
            burst.devices |= device;
            burst.messages += 1;
            return;
        }
        self.close();
        let (address, size, place) = (event.address, event.size, event.place);
        self.current = Burst { is_alloc, address, size, devices: device, messages: 1, place };
    }

    /// Ends the burst that is going on.
    #[inline(always)]
    pub(super) fn close(&mut self) {
        // Messages of a single device say nothing about meshes.
        if self.current.devices & self.current.devices.wrapping_sub(1) != 0 {
            self.count();
        }
        self.current.messages = 0;
        self.current.devices = 0;
    }

    fn count(&mut self) {
        let Burst { is_alloc, devices, messages, place, .. } = self.current;
        let shape = Shape { is_alloc, devices: devices.count_ones(), messages };
        let tally = self.shapes.entry(shape).or_insert(Tally { count: 0, first: place });
        tally.count += 1;
    }

    /// The shapes that were seen on more than one device.
    #[must_use]
    pub fn shapes(&self) -> &BTreeMap<Shape, Tally> {
        &self.shapes
    }
}
