//! Where two inputs part: their events, whatever the kinds of the inputs.

use std::collections::VecDeque;

use super::event::{Action, Device, Event, Memory, Place};
use crate::units::{Bytes, DeviceAddr};

/// What of an event both kinds of input can say.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Said {
    /// What happened: ALLOC, FREE, and so on.
    pub what: &'static str,
    /// Where.
    pub place: Place,
    device: Device,
    address: DeviceAddr,
    memory: Option<Memory>,
    size: Option<Bytes>,
}

impl Said {
    /// What an event says; none if it is no message.
    #[must_use]
    pub fn of(event: &Event) -> Option<Self> {
        let what = match event.action {
            Action::Alloc(_) => "ALLOC",
            // Whether the server knew the key is its own affair.
            Action::Free(_) | Action::UnknownFree(_) => "FREE",
            Action::CircularAlloc => "CB_ALLOC",
            Action::CircularFree => "CB_FREE",
            Action::CircularFreeAll => "CB_FREE of all",
            Action::KernelLoad => "KERNEL_LOAD",
            Action::KernelUnload => "KERNEL_UNLOAD",
            Action::Counter(_, counted) => counted.name(),
            _ => return None,
        };
        // A FREE on the wire has neither size nor memory; what is printed of it is the server's.
        let is_free = what == "FREE";
        Some(Self {
            what,
            place: event.place,
            device: event.device,
            address: event.address,
            memory: event.memory.filter(|_| !is_free),
            size: event.size.filter(|_| !is_free),
        })
    }

    /// Whether two inputs say the same, as far as both say it.
    #[must_use]
    pub fn agrees(&self, other: &Self) -> bool {
        let either =
            |one: Option<u64>, two: Option<u64>| one.is_none() || two.is_none() || one == two;
        let unstated = self.device == Device::UNSTATED || other.device == Device::UNSTATED;
        let is_counter = self.address == DeviceAddr(0) && other.address == DeviceAddr(0);
        self.what == other.what
            && (unstated || self.device == other.device)
            && (is_counter || self.address == other.address)
            && either(self.size.map(|size| size.0), other.size.map(|size| size.0))
            && either(self.memory.map(|one| one as u64), other.memory.map(|one| one as u64))
    }
}

impl std::fmt::Display for Said {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "{} device {} buffer {}", self.what, self.device, self.address)?;
        if let Some(size) = self.size {
            write!(f, ", {size} bytes")?;
        }
        self.memory.map_or(Ok(()), |memory| write!(f, " of {memory}"))
    }
}

/// How far ahead an event of the one is looked for in the other.
pub const AHEAD: usize = 4096;

/// Where two inputs part.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Parting {
    /// Events that are the same before.
    pub same: u64,
    /// The last of them.
    pub before: Vec<(Said, Said)>,
    /// What the first says next; none if it ends.
    pub left: Option<Said>,
    /// What the second says next; none if it ends.
    pub right: Option<Said>,
    /// After how many events the second says what the first says next, if it does so soon.
    pub left_in_right: Option<usize>,
    /// After how many events the first says what the second says next, if it does so soon.
    pub right_in_left: Option<usize>,
}

/// Events before the parting that are kept.
const BEFORE: usize = 3;

/// Compares two inputs event by event; none if they say the same.
///
/// # Errors
/// Whatever the inputs' own errors are.
pub fn diff<E>(
    left: &mut dyn Iterator<Item = Result<Said, E>>,
    right: &mut dyn Iterator<Item = Result<Said, E>>,
) -> Result<(u64, Option<Parting>), E> {
    let (mut same, mut before) = (0, VecDeque::new());
    loop {
        match (left.next().transpose()?, right.next().transpose()?) {
            (None, None) => return Ok((same, None)),
            (Some(one), Some(two)) if one.agrees(&two) => {
                same += 1;
                before.push_back((one, two));
                if before.len() > BEFORE {
                    before.pop_front();
                }
            }
            (one, two) => {
                let before = before.into_iter().collect();
                let left_in_right = ahead(one, right)?;
                let right_in_left = ahead(two, left)?;
                let parting =
                    Parting { same, before, left: one, right: two, left_in_right, right_in_left };
                return Ok((same, Some(parting)));
            }
        }
    }
}

fn ahead<E>(
    said: Option<Said>,
    other: &mut dyn Iterator<Item = Result<Said, E>>,
) -> Result<Option<usize>, E> {
    let Some(said) = said else { return Ok(None) };
    for nth in 1..=AHEAD {
        match other.next().transpose()? {
            None => return Ok(None),
            Some(next) if next.agrees(&said) => return Ok(Some(nth)),
            Some(_) => {}
        }
    }
    Ok(None)
}
