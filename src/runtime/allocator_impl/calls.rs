//! How buffers ask the allocator of their mesh or device, and what it tells: the other half of
//! `allocator.cpp` (tt-metal.md D5).

use super::{AllocatorImpl, Change, ONLY};
use crate::allocator::{AllocationError, BankManager, ClearLowest, Direction, Request};
use crate::event::{AllocationStatus, AllocatorId, Event, TableBlock};
use crate::fix::{Asked, Fix};
use crate::message::ObjectRef;
use crate::op::BufferSpec;
use crate::runtime::object::{Object, ObjectId};
use crate::runtime::{Refusal, Runtime, Surroundings};
use crate::units::{BufferType, Bytes, DeviceAddr, Lanes};

/// What each bank would have had to store, if that was more than any free block.
#[cold]
fn short_of(error: &AllocationError) -> Option<Bytes> {
    match error {
        AllocationError::OutOfMemory(facts) => Some(facts.size_per_bank),
        _ => None,
    }
}

/// The switches that the allocator was made with, and that have decided something in this call.
#[inline]
fn note_switches(
    fixes: &Asked,
    buffer_type: BufferType,
    answer: &Result<DeviceAddr, AllocationError>,
) {
    if matches!(buffer_type, BufferType::L1 | BufferType::L1Small) {
        fixes.note(Fix::BestFitL1);
    }
    if matches!(answer, Err(AllocationError::BelowLimit { .. })) {
        fixes.note(Fix::AtomicAllocation);
    }
}

impl Runtime {
    /// A fresh allocator over the chips, with the full range of the machine's memory.
    pub(in crate::runtime) fn open_allocator<S: Surroundings>(
        &mut self,
        out: &mut S,
        devices: Lanes,
    ) -> AllocatorId {
        let index = *self.allocators_open;
        let id = AllocatorId(index);
        if self.allocators.len() == index as usize {
            let undo = self.tracking.undo;
            self.allocators.push(AllocatorImpl::new(id, &self.setup, self.fixes.set(), undo));
        }
        let process = self.process;
        let allocator = &mut self.allocators[index as usize];
        allocator.open(devices, process);
        for buffer_type in BufferType::ALL {
            let (region, bounds) = (allocator.region(buffer_type), allocator.bounds(buffer_type));
            if bounds.start < bounds.end {
                out.emit(Event::RegionOpened { region, devices, bounds });
            }
        }
        self.allocators_open.update(|open| *open += 1);
        id
    }

    #[inline]
    pub(in crate::runtime) fn allocator_is_alive(&self, allocator: AllocatorId) -> bool {
        self.allocators[allocator.0 as usize].alive
    }

    /// `AllocatorImpl::allocate_buffer`.
    #[inline]
    pub(in crate::runtime) fn take_address<S: Surroundings>(
        &mut self,
        out: &mut S,
        object: &Object,
        spec: BufferSpec,
        floor: Option<DeviceAddr>,
    ) -> Result<DeviceAddr, Refusal> {
        let buffer_type = spec.buffer_type;
        let bottom_up = match spec.top_down {
            Some(top_down) => !top_down,
            // tt-metal.md A1: bottom_up_ defaults to is_dram(), true for DRAM and TRACE.
            None => matches!(buffer_type, BufferType::Dram | BufferType::Trace),
        };
        let allocator = &mut self.allocators[object.allocator.0 as usize];
        let before = allocator.state(buffer_type);
        let manager = &mut allocator.managers[buffer_type.index()];
        let page_size = spec.pages.size.round_up(manager.config().page_alignment);
        let request = Request {
            size: Bytes(page_size.0 * u64::from(spec.pages.count)),
            page_size,
            num_shards: spec.shards,
            direction: if bottom_up { Direction::BottomUp } else { Direction::TopDown },
        };
        let answer = manager.allocate(ONLY, request);
        note_switches(&self.fixes, buffer_type, &answer);
        let after = allocator.state(buffer_type);
        let region = allocator.region(buffer_type);
        let kept = Bytes(after.allocated.0 - before.allocated.0);
        match answer {
            Ok(address) if floor.is_some_and(|floor| address < floor) => {
                allocator.managers[buffer_type.index()].undo_allocate(ONLY, address, before.lowest);
                let after = allocator.state(buffer_type);
                let (object, short_of) = (object.reference(), None);
                out.emit(Event::AllocationFailed { region, object, short_of, after });
                Err(Refusal::new(format!(
                    "Out of Memory: Cannot allocate at an address below {}. Allocation at \
                     {address}",
                    floor.expect("the guard has looked at it")
                )))
            }
            Ok(address) => {
                allocator.note(|| Change::Taken(buffer_type, address, before.lowest));
                allocator.reuse_ended(buffer_type, address);
                let (devices, bytes, size) = (object.devices, kept, object.size);
                let object = object.reference();
                out.emit(Event::AddressTaken {
                    region,
                    object,
                    devices,
                    address,
                    bytes,
                    size,
                    after,
                });
                Ok(address)
            }
            Err(error) => {
                if let AllocationError::BelowLimit { address, .. } = error
                    && kept.0 > 0
                {
                    allocator.note(|| Change::Taken(buffer_type, address, before.lowest));
                }
                let (object, short_of) = (object.reference(), short_of(&error));
                out.emit(Event::AllocationFailed { region, object, short_of, after });
                Err(Refusal::new(error.to_string()))
            }
        }
    }

    /// `AllocatorImpl::deallocate_buffer`: the set forgets the buffer, the manager its address,
    /// whoever has it now.
    #[inline]
    pub(in crate::runtime) fn release_block<S: Surroundings>(&mut self, out: &mut S, id: ObjectId) {
        let object = self.objects[id.0];
        let (by, buffer_type, address) = (object.reference(), object.buffer_type, object.address);
        if object.registered {
            out.emit(Event::Unregistered { allocator: object.allocator, object: by });
            self.objects.update(id.0, |object| object.registered = false);
        }
        let allocator = &mut self.allocators[object.allocator.0 as usize];
        let found = allocator.give_back(buffer_type, address);
        let (region, after) = (allocator.region(buffer_type), allocator.state(buffer_type));
        out.emit(Event::AddressReturned { region, by, address, found, after });
    }

    /// The lowest address that an L1 buffer may have.
    pub(in crate::runtime) fn l1_floor(&self, object: &Object) -> Option<DeviceAddr> {
        // Document 002, option B: "L1 allocator should start AFTER CB region".
        if object.buffer_type != BufferType::L1 || !self.fixes.has(Fix::CbAwareL1) {
            return None;
        }
        let base = self.setup.memory.circular_buffer_base;
        let on_mesh = self.programs.iter().filter(|(_, one)| Some(one.mesh) == object.mesh);
        on_mesh.map(|(_, program)| program.layout.region_end(base)).max()
    }

    /// The live buffers in `allocated_buffers_`, in order of their unique ids.
    ///
    /// ASSUMED: the C++ set orders raw pointers; no claim depends on the order.
    pub(in crate::runtime) fn registered(&self, allocator: AllocatorId) -> Vec<ObjectId> {
        let mut live: Vec<_> = self
            .objects
            .iter()
            .filter(|(_, object)| object.registered && object.allocator == allocator)
            .map(|(index, object)| (object.unique_id, ObjectId(index)))
            .collect();
        live.sort_unstable();
        live.into_iter().map(|(_, id)| id).collect()
    }

    /// A registered buffer was destroyed: its pointer stays in the set.
    #[cold]
    pub(in crate::runtime) fn leave_dangling(&mut self, object: &Object) {
        let (allocator, reference) = (object.allocator.0, object.reference());
        self.dangling.update(|all| match all.iter_mut().find(|(one, _)| *one == allocator) {
            Some((_, objects)) => objects.push(reference),
            None => all.push((allocator, vec![reference])),
        });
    }

    /// The destroyed buffers that are still in the set.
    pub(in crate::runtime) fn dangling(&self, allocator: AllocatorId) -> &[ObjectRef] {
        let own = self.dangling.iter().find(|(one, _)| *one == allocator.0);
        own.map_or(&[], |(_, objects)| objects)
    }

    /// `AllocatorImpl::clear`.
    pub(in crate::runtime) fn clear_regions<S: Surroundings>(
        &mut self,
        out: &mut S,
        id: AllocatorId,
    ) {
        // tt-metal.md D1: clear() "does not reset lowest_occupied_address_ => after clear()
        // without per-address frees the old value persists".
        let lowest = if self.fixes.has(Fix::ClearResetsLowest) {
            ClearLowest::Reset
        } else {
            ClearLowest::Keep
        };
        self.empty_regions(out, id, |manager| manager.clear(lowest));
    }

    /// `AllocatorImpl::deallocate_buffers`: every address of every manager is freed.
    pub(in crate::runtime) fn deallocate_regions<S: Surroundings>(
        &mut self,
        out: &mut S,
        id: AllocatorId,
    ) {
        self.empty_regions(out, id, BankManager::deallocate_all);
    }

    fn empty_regions<S: Surroundings>(
        &mut self,
        out: &mut S,
        id: AllocatorId,
        empty: impl Fn(&mut BankManager),
    ) {
        let allocator = &mut self.allocators[id.0 as usize];
        for buffer_type in BufferType::ALL {
            if allocator.state(buffer_type).allocated.0 > 0 {
                allocator.replace(buffer_type, &empty);
                let (region, after) = (allocator.region(buffer_type), allocator.state(buffer_type));
                out.emit(Event::RegionCleared { region, after });
            }
        }
    }

    /// `clear-allocator m0`.
    pub(crate) fn clear_allocator<S: Surroundings>(
        &mut self,
        out: &mut S,
        mesh: crate::op::MeshHandle,
    ) -> Result<(), Refusal> {
        let mesh = self.open_mesh(mesh)?;
        let allocator = self.meshes[mesh].allocator;
        let held = self.objects.iter().any(|(_, object)| {
            object.allocator == allocator && object.status == AllocationStatus::Allocated
        });
        if !held {
            return Err(Refusal::noop());
        }
        self.note_emptied(out, allocator);
        self.clear_regions(out, allocator);
        Ok(())
    }

    /// The allocator goes with its device.
    pub(in crate::runtime) fn destroy_allocator<S: Surroundings>(
        &mut self,
        out: &mut S,
        id: AllocatorId,
    ) {
        let allocator = &mut self.allocators[id.0 as usize];
        allocator.alive = false;
        allocator.note(|| Change::Died);
        out.emit(Event::AllocatorDestroyed { allocator: id });
    }

    /// Tells the block tables of all living allocators.
    pub(crate) fn report_block_tables<S: Surroundings>(
        &self,
        out: &mut S,
        blocks: &mut Vec<TableBlock>,
    ) {
        for allocator in self.open_allocators().filter(|allocator| allocator.alive) {
            for buffer_type in BufferType::ALL {
                allocator.block_table(buffer_type, blocks);
                let (region, after) = (allocator.region(buffer_type), allocator.state(buffer_type));
                out.emit(Event::BlockTable { region, blocks, after });
            }
        }
    }

    /// The block table of one buffer type of a mesh, for whoever compares with the real runtime.
    #[must_use]
    pub fn block_table_of(
        &self,
        mesh: crate::op::MeshHandle,
        buffer_type: BufferType,
    ) -> Option<Vec<TableBlock>> {
        let mesh = self.mesh(mesh)?;
        let mut blocks = Vec::new();
        let allocator = self.meshes[mesh].allocator;
        self.allocators[allocator.0 as usize].block_table(buffer_type, &mut blocks);
        Some(blocks)
    }
}
