//! What only a capture tells: which chips a mesh has, what lies where on a chip, and which circular
//! buffers are given back.

use std::collections::{BTreeMap, BTreeSet};

use super::event::{Action, Device, Event, Memory, Numbers, Object, Place};
use super::finding::{Finding, FindingKind, Findings};
use super::ledger::Entry;
use super::ranges::{Lane, Range, Ranges};
use super::read::Kind;
use crate::units::{Bytes, DeviceAddr};

/// Circular buffers that were built since the last deallocation.
#[derive(Clone, Debug, Default)]
struct Build {
    cleared: Option<Device>,
    place: Place,
    chips: BTreeSet<Device>,
    events: u64,
}

/// Builds that look the same, as one finding.
#[derive(Clone, Copy, Debug)]
struct Builds {
    place: Place,
    events: u64,
}

/// The state of a capture.
#[derive(Clone, Debug, Default)]
pub struct Capture {
    members: BTreeMap<Device, BTreeSet<Device>>,
    meshes: BTreeMap<Device, Place>,
    chips: BTreeMap<Device, Place>,
    ranges: Ranges,
    seen: BTreeSet<Object>,
    /// Buffers that came without memory, and have not gone.
    hooked: BTreeSet<Object>,
    build: Build,
    unpaired: BTreeMap<(Option<Device>, BTreeSet<Device>), Builds>,
    /// Circular buffers of a device that were given back less often than built, in a log.
    balance: BTreeMap<Device, (i64, Place)>,
}

/// Devices with circular buffers that are counted in a log.
const DEVICES_MAX: usize = 1024;

impl Capture {
    /// A buffer comes; false if it was never given to an allocator.
    pub fn alloc(&mut self, event: &Event, out: &mut Findings) -> bool {
        self.meshes.entry(event.device).or_insert(event.place);
        self.seen.extend(event.object);
        if event.address == DeviceAddr(0) {
            self.hooked.extend(event.object);
            return false;
        }
        let range = Range {
            start: event.address,
            end: end(event.address, event.per_bank.unwrap_or_default()),
            place: event.place,
            of: event.device,
        };
        let mut met: BTreeMap<Place, (Range, u64)> = BTreeMap::new();
        for lane in self.lanes(event.device, event.memory) {
            for other in self.ranges.insert(lane, range) {
                let chip = if let Lane::Chip(chip, _) = lane { bit(chip) } else { 0 };
                met.entry(other.place).or_insert((other, 0)).1 |= chip;
            }
        }
        for (place, (other, chips)) in met {
            let what = match (other.of == event.device, event.numbers) {
                (true, Numbers::Chips) => "this buffer lies in one that is live on the same device",
                (true, Numbers::Meshes) => "this buffer lies in one that is live on the same mesh",
                (false, _) => {
                    "this buffer lies in one that is live on the same chips for another mesh"
                }
            };
            let finding = Finding::at(FindingKind::Overlap, event, what);
            out.add(Finding { other: Some(place), chips, ..finding });
        }
        true
    }

    /// A buffer goes.
    pub fn close(&mut self, entry: &Entry) {
        for lane in self.lanes(entry.key.device, entry.memory) {
            self.ranges.remove(lane, entry.key.address, entry.place);
        }
    }

    /// A buffer goes that was never given to an allocator; false if it is none, or has gone before.
    pub fn unhook(&mut self, event: &Event) -> bool {
        let object = event.object.filter(|_| event.address == DeviceAddr(0));
        object.is_some_and(|object| self.hooked.remove(&object))
    }

    /// Whether the capture has seen the buffer come.
    pub fn has_seen(&self, event: &Event) -> bool {
        event.object.is_some_and(|object| self.seen.contains(&object))
    }

    /// Where a mesh's memory is: on its chips, or on nobody knows which.
    fn lanes(&self, mesh: Device, memory: Option<Memory>) -> Vec<Lane> {
        let memory = memory.unwrap_or_default();
        match self.members.get(&mesh) {
            None => vec![Lane::Mesh(mesh, memory)],
            Some(chips) => chips.iter().map(|&chip| Lane::Chip(chip, memory)).collect(),
        }
    }

    /// Circular buffers and the chips of meshes.
    pub fn circular(&mut self, kind: Kind, event: &Event, out: &mut Findings) {
        match event.action {
            Action::MeshChip(chip) => {
                self.members.entry(event.device).or_default().insert(chip);
                self.chips.entry(chip).or_insert(event.place);
            }
            Action::CircularAlloc if kind == Kind::Graph => self.build(event, out),
            Action::CircularFreeAll => {
                self.close_build();
                self.build.cleared = Some(event.device);
            }
            Action::CircularAlloc => self.count(event, 1),
            Action::CircularFree => self.count(event, -1),
            _ => {}
        }
    }

    fn count(&mut self, event: &Event, change: i64) {
        if self.balance.len() < DEVICES_MAX || self.balance.contains_key(&event.device) {
            let (balance, place) = self.balance.entry(event.device).or_default();
            *balance += change;
            *place = event.place;
        }
    }

    fn build(&mut self, event: &Event, out: &mut Findings) {
        if self.build.events == 0 {
            self.build.place = event.place;
        }
        self.build.events += 1;
        self.build.chips.insert(event.device);
        let range = Range {
            start: event.address,
            end: end(event.address, event.size.unwrap_or_default()),
            place: event.place,
            of: event.device,
        };
        let lane = Lane::Chip(event.device, Memory::L1);
        if event.address != DeviceAddr(0)
            && let Some(other) = self.ranges.overlapping(lane, range).first()
        {
            let what = "a circular buffer lies within a live L1 buffer of the chip";
            let finding = Finding::at(FindingKind::CircularClash, event, what);
            out.add(Finding { other: Some(other.place), chips: bit(event.device), ..finding });
        }
    }

    fn close_build(&mut self) {
        let Build { cleared, place, chips, events } = std::mem::take(&mut self.build);
        if chips.iter().any(|&chip| Some(chip) != cleared) {
            let none = Builds { place, events: 0 };
            let builds = self.unpaired.entry((cleared, chips)).or_insert(none);
            builds.events += events;
        }
    }

    /// Reports what the whole capture shows.
    pub fn finish(&mut self, out: &mut Findings) {
        self.close_build();
        let is_ambiguous = self.aliases().next().is_some();
        for ((cleared, chips), builds) in &self.unpaired {
            if !is_ambiguous && self.is_its_chip(*cleared, chips) {
                continue;
            }
            let what = match cleared {
                Some(_) => {
                    "circular buffers were built on these chips, and given back for this id \
                            only"
                }
                None => "circular buffers were built on these chips, and given back on none",
            };
            let event = Event::new(builds.place, Action::CircularAlloc);
            let finding = Finding::at(FindingKind::CircularUnpaired, &event, what);
            let chips = chips.iter().fold(0, |bits, &chip| bits | bit(chip));
            let finding = Finding { device: *cleared, chips, count: builds.events, ..finding };
            out.add(finding);
        }
        self.finish_ids(out);
        for (&device, &(balance, place)) in
            self.balance.iter().filter(|(_, balance)| balance.0 != 0)
        {
            let what = match balance > 0 {
                true => "more circular buffers were built on the device than given back",
                false => "more circular buffers were given back on the device than built",
            };
            let event = Event { device, ..Event::new(place, Action::CircularAlloc) };
            let finding = Finding::at(FindingKind::CircularUnpaired, &event, what);
            out.add(Finding { count: balance.unsigned_abs(), chips: bit(device), ..finding });
        }
    }

    /// Whether the circular buffers of a mesh were given back that has these chips and no others:
    /// one, since each build is of one, and the id of the mesh stands for it.
    fn is_its_chip(&self, cleared: Option<Device>, chips: &BTreeSet<Device>) -> bool {
        let members = cleared.and_then(|mesh| self.members.get(&mesh));
        members.is_some_and(|members| members.len() == 1 && members == chips)
    }

    /// The meshes whose id is the number of a chip, unless the mesh is that chip and no more: where
    /// they are met first, their chips, and where the chip is.
    fn aliases(&self) -> impl Iterator<Item = (Device, Place, &BTreeSet<Device>, Place)> {
        self.meshes.iter().filter_map(|(&mesh, &place)| {
            let (members, &chip) = (self.members.get(&mesh)?, self.chips.get(&mesh)?);
            let is_same = members.len() == 1 && members.contains(&mesh);
            (!is_same).then_some((mesh, place, members, chip))
        })
    }

    fn finish_ids(&self, out: &mut Findings) {
        for (mesh, place, members, chip) in self.aliases() {
            let what = match members.contains(&mesh) {
                true => {
                    "this id is a mesh's in buffer events and a chip's in others; the mesh has \
                         more chips"
                }
                false => {
                    "this id is a mesh's in buffer events and a chip's in others; the chip is \
                          not of the mesh"
                }
            };
            let event = Event { device: mesh, ..Event::new(place, Action::Other) };
            let chips = members.iter().fold(0, |bits, &chip| bits | bit(chip));
            let finding = Finding::at(FindingKind::MeshIdAlias, &event, what);
            out.add(Finding { other: Some(chip), chips, ..finding });
        }
    }
}

/// The bit of a chip; chips beyond 63 have none.
fn bit(chip: Device) -> u64 {
    u32::try_from(chip.0).ok().and_then(|chip| 1_u64.checked_shl(chip)).unwrap_or(0)
}

/// Where a range ends; an empty one takes a byte, so that it is somewhere.
fn end(start: DeviceAddr, size: Bytes) -> DeviceAddr {
    DeviceAddr(start.0.saturating_add(size.0.max(1)))
}
