//! The ground truth that several oracles share: who holds which block, by the allocator's events.

use super::undo::OracleMark;
use crate::event::{AllocatorId, Event, Region, RegionBounds};
use crate::journal::{Columns, LaneCounters, Tracking, mix};
use crate::message::ObjectRef;
use crate::units::{BufferType, Bytes, DeviceAddr, Lanes};

/// A block and who took it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Held {
    /// Its first address.
    pub start: DeviceAddr,
    /// The address after its last byte.
    pub end: DeviceAddr,
    /// On which chips: those of the region, or some of them.
    pub devices: Lanes,
    /// The size of the buffer on each device.
    pub size: Bytes,
    /// The owner.
    pub owner: ObjectRef,
    /// Whether the owner gave up without giving it back: its bytes count for nobody.
    pub abandoned: bool,
}

/// A region of an allocator and what is held in it, lowest address first.
#[derive(Clone, Debug)]
pub struct HeldRegion {
    /// Which region.
    pub region: Region,
    /// On which chips.
    pub devices: Lanes,
    /// Its extent.
    pub bounds: RegionBounds,
    /// The sum of the blocks, and of what failed calls kept.
    pub allocated: Bytes,
    /// Whether its allocator still exists.
    pub alive: bool,
    blocks: Vec<Held>,
}

impl HeldRegion {
    /// The blocks, lowest address first.
    #[must_use]
    #[inline]
    pub fn blocks(&self) -> &[Held] {
        &self.blocks
    }

    /// The block that starts at an address.
    #[must_use]
    #[inline]
    pub fn at(&self, address: DeviceAddr) -> Option<&Held> {
        let index = self.position(address);
        self.blocks.get(index).filter(|held| held.start == address)
    }

    /// The blocks that share a byte with the range.
    #[inline]
    pub fn overlapping(&self, start: DeviceAddr, end: DeviceAddr) -> impl Iterator<Item = &Held> {
        let before = self.position(start).saturating_sub(1);
        let near = self.blocks[before..].iter().take_while(move |held| held.start < end);
        near.filter(move |held| held.end > start)
    }

    #[inline]
    fn position(&self, address: DeviceAddr) -> usize {
        self.blocks.partition_point(|held| held.start < address)
    }
}

#[derive(Clone, Debug)]
enum Change {
    Inserted(usize, usize),
    Removed(usize, usize, Held),
    Abandoned(usize, usize),
    Allocated(usize, Bytes),
    Opened(usize),
    Emptied(usize, Vec<Held>),
    Died(usize),
}

/// Regions of one allocator: one for each buffer type.
const TYPES: usize = BufferType::ALL.len();

/// All regions and the live bytes of each chip.
#[derive(Clone, Debug)]
pub struct Holdings {
    /// Four for each allocator, by number and type; a region that was never opened is dead.
    regions: Vec<HeldRegion>,
    live: LaneCounters,
    journal: Vec<Change>,
    hash: u64,
    tracking: Tracking,
}

impl Holdings {
    pub(super) fn new(tracking: Tracking) -> Self {
        let live = LaneCounters::new(tracking);
        Self { regions: Vec::new(), live, journal: Vec::new(), hash: 0, tracking }
    }

    pub(super) fn reset(&mut self) {
        for region in &mut self.regions {
            region.alive = false;
        }
        self.live.reset();
        self.journal.clear();
        self.hash = 0;
    }

    /// The bytes of live owners on each chip, chip 0 first.
    #[must_use]
    #[inline]
    pub fn live_bytes(&self) -> &[u64] {
        self.live.get()
    }

    /// The living regions of a buffer type, oldest allocator first.
    #[inline]
    pub fn regions(&self, buffer_type: BufferType) -> impl Iterator<Item = &HeldRegion> {
        let of_type = self.regions.chunks_exact(TYPES).map(move |all| &all[buffer_type.index()]);
        of_type.filter(|region| region.alive)
    }

    /// The region, if its allocator still exists.
    #[must_use]
    #[inline]
    pub fn region(&self, region: Region) -> Option<&HeldRegion> {
        self.index(region).map(|index| &self.regions[index])
    }

    #[inline]
    fn index(&self, region: Region) -> Option<usize> {
        let index = region.allocator.0 as usize * TYPES + region.buffer_type.index();
        self.regions.get(index).filter(|one| one.alive).map(|_| index)
    }

    /// Follows a call of an allocator, after the oracles that compare with the state before it.
    #[inline]
    pub(super) fn follow(&mut self, event: &Event<'_>) {
        match *event {
            Event::AddressTaken { region, object, devices, address, bytes, size, .. } => {
                let Some(index) = self.index(region) else { return };
                let (start, end) = (address, address.offset(bytes));
                let held = Held { start, end, devices, size, owner: object, abandoned: false };
                self.insert(index, held);
                self.live.add(devices, size);
                self.set_allocated(index, Bytes(self.regions[index].allocated.0 + bytes.0));
            }
            Event::AddressReturned { region, address, found: Some(_), .. } => {
                let Some(index) = self.index(region) else { return };
                let region = &self.regions[index];
                let position = region.position(address);
                if region.blocks.get(position).is_some_and(|held| held.start == address) {
                    self.remove(index, position);
                }
            }
            Event::RegionCleared { .. } => self.follow_region(event),
            _ => {}
        }
    }

    /// Follows what happens to a whole region.
    pub(super) fn follow_region(&mut self, event: &Event<'_>) {
        match *event {
            Event::RegionOpened { region, devices, bounds } => self.open(region, devices, bounds),
            Event::RegionCleared { region, .. } => {
                if let Some(index) = self.index(region) {
                    self.empty(index);
                }
            }
            Event::AllocatorDestroyed { allocator } => self.destroy(allocator),
            _ => {}
        }
    }

    fn open(&mut self, region: Region, devices: Lanes, bounds: RegionBounds) {
        let index = region.allocator.0 as usize * TYPES + region.buffer_type.index();
        while self.regions.len() <= index || !self.regions.len().is_multiple_of(TYPES) {
            let place = self.regions.len();
            let allocator = AllocatorId((place / TYPES) as u32);
            let region = Region { allocator, buffer_type: BufferType::ALL[place % TYPES] };
            self.regions.push(HeldRegion {
                region,
                devices: Lanes::NONE,
                bounds: RegionBounds { start: bounds.start, end: bounds.start, ..bounds },
                allocated: Bytes(0),
                alive: false,
                blocks: Vec::new(),
            });
        }
        let place = &mut self.regions[index];
        (place.devices, place.bounds, place.allocated) = (devices, bounds, Bytes(0));
        place.blocks.clear();
        place.alive = true;
        self.note(Change::Opened(index));
    }

    /// The owner gave up without giving the block back: its bytes are nobody's from now on.
    pub(super) fn abandon(&mut self, region: Region, address: DeviceAddr) {
        let Some(index) = self.index(region) else { return };
        let position = self.regions[index].position(address);
        let held = self.regions[index].blocks[position];
        if !held.abandoned {
            self.live.subtract(held.devices, held.size);
            self.toggle(index, &held);
            self.regions[index].blocks[position].abandoned = true;
            let held = self.regions[index].blocks[position];
            self.toggle(index, &held);
            self.note(Change::Abandoned(index, position));
        }
    }

    /// A failed call kept bytes: from now on they are expected.
    pub(super) fn expect_allocated(&mut self, region: Region, allocated: Bytes) {
        if let Some(index) = self.index(region) {
            self.set_allocated(index, allocated);
        }
    }

    #[inline]
    fn insert(&mut self, index: usize, held: Held) {
        let position = self.regions[index].position(held.start);
        self.regions[index].blocks.insert(position, held);
        self.toggle(index, &held);
        self.note(Change::Inserted(index, position));
    }

    #[inline]
    fn remove(&mut self, index: usize, position: usize) {
        let held = self.regions[index].blocks.remove(position);
        self.toggle(index, &held);
        if !held.abandoned {
            self.live.subtract(held.devices, held.size);
        }
        let bytes = held.end.0 - held.start.0;
        let allocated = Bytes(self.regions[index].allocated.0.saturating_sub(bytes));
        self.note(Change::Removed(index, position, held));
        self.set_allocated(index, allocated);
    }

    fn empty(&mut self, index: usize) {
        let blocks = std::mem::take(&mut self.regions[index].blocks);
        for held in &blocks {
            self.toggle(index, held);
            if !held.abandoned {
                self.live.subtract(held.devices, held.size);
            }
        }
        self.note(Change::Emptied(index, blocks));
        self.set_allocated(index, Bytes(0));
    }

    fn destroy(&mut self, allocator: AllocatorId) {
        for index in 0..self.regions.len() {
            if self.regions[index].region.allocator == allocator && self.regions[index].alive {
                self.empty(index);
                self.regions[index].alive = false;
                self.note(Change::Died(index));
            }
        }
    }

    #[inline]
    fn set_allocated(&mut self, index: usize, allocated: Bytes) {
        let old = std::mem::replace(&mut self.regions[index].allocated, allocated);
        self.note(Change::Allocated(index, old));
    }

    #[inline]
    fn note(&mut self, change: Change) {
        if self.tracking.undo {
            self.journal.push(change);
        }
    }

    #[inline]
    fn toggle(&mut self, index: usize, held: &Held) {
        if self.tracking.hash {
            let place = mix(index as u64, held.start.0);
            self.hash ^= mix(mix(mix(place, held.end.0), state(held)), held.devices.0);
        }
    }

    pub(super) fn mark(&self) -> OracleMark {
        OracleMark(vec![self.journal.len(), self.live.mark()])
    }

    pub(super) fn undo_to(&mut self, mark: &OracleMark) {
        self.live.undo_to(mark.0[1]);
        while self.journal.len() > mark.0[0] {
            let change = self.journal.pop().expect("the journal is longer than the mark");
            self.take_back(change);
        }
    }

    fn take_back(&mut self, change: Change) {
        match change {
            Change::Inserted(index, position) => {
                let held = self.regions[index].blocks.remove(position);
                self.toggle(index, &held);
            }
            Change::Removed(index, position, held) => {
                self.regions[index].blocks.insert(position, held);
                self.toggle(index, &held);
            }
            Change::Abandoned(index, position) => {
                let held = self.regions[index].blocks[position];
                self.toggle(index, &held);
                self.regions[index].blocks[position].abandoned = false;
                let held = self.regions[index].blocks[position];
                self.toggle(index, &held);
            }
            Change::Allocated(index, old) => self.regions[index].allocated = old,
            Change::Opened(index) => self.regions[index].alive = false,
            Change::Emptied(index, blocks) => {
                blocks.iter().for_each(|held| self.toggle(index, held));
                self.regions[index].blocks = blocks;
            }
            Change::Died(index) => self.regions[index].alive = true,
        }
    }

    pub(super) fn columns(&self, columns: &mut Columns) {
        self.live.columns(columns, 0x0a1);
        for (index, region) in self.regions.iter().enumerate().filter(|(_, one)| one.alive) {
            for held in &region.blocks {
                let place = mix(mix(0x0a2, index as u64), held.start.0);
                columns.on(held.devices, mix(place, held.end.0), state(held));
            }
        }
    }

    pub(super) fn hash(&self) -> u64 {
        mix(self.hash, self.live.hash())
    }
}

/// What counts of a block besides its place.
#[inline]
fn state(held: &Held) -> u64 {
    held.owner.unique_id.0 << 1 | u64::from(held.abandoned)
}
