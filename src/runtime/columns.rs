//! The state of the runtime, told apart by what each device has.

use super::Runtime;
use super::object::Object;
use crate::journal::{Columns, Fingerprint, mix};
use crate::units::{DeviceId, Lanes};

/// What a number of a table belongs to.
#[derive(Clone, Copy)]
enum Table {
    Objects,
    Meshes,
    Programs,
    Processes,
    BufferHandles,
    MeshHandles,
    ProgramHandles,
    Dangling,
    DeviceAllocators,
    Allocators,
    Rest,
}

fn tag(table: Table, index: u32, field: u64) -> u64 {
    mix(table as u64, u64::from(index) << 8 | field)
}

impl Runtime {
    /// Adds the state to the columns.
    pub(crate) fn columns(&self, columns: &mut Columns) {
        for (index, object) in self.objects.iter() {
            self.object_columns(columns, index, object);
        }
        for (index, mesh) in self.meshes.iter() {
            // The chips have places in a mesh, but what happens on it goes by the set of them.
            columns.shared(tag(Table::Meshes, index, 0), mesh.fingerprint());
            columns.on(mesh.devices, tag(Table::Meshes, index, 1), 0);
            if self.tells_mesh_numbers() {
                // The number that a mesh answers as its device is that of a chip, too.
                columns.name(super::graph_tracker::mesh_id_lane(mesh.mesh_id));
            }
        }
        for (index, program) in self.programs.iter() {
            columns.shared(tag(Table::Programs, index, 0), program.fingerprint());
            // Circular buffers are reported under it whatever is done about backing buffers.
            columns.name(super::graph_tracker::mesh_id_lane(program.mesh_id));
        }
        for (index, process) in self.processes.iter() {
            columns.shared(tag(Table::Processes, index, 0), process.fingerprint());
        }
        self.name_columns(columns);
        self.allocator_columns(columns);
        let rest = [
            self.client.hash(),
            *self.next_unique_id,
            u64::from(self.process),
            u64::from(*self.inspector),
        ];
        rest.iter().for_each(|&word| columns.shared(tag(Table::Rest, 0, 0), word));
        // A message that waits names its devices in an order, and so does a capture.
        if self.client.full_for > 0 || self.has_messages_in_flight() || !self.graphs.is_empty() {
            columns.shared(tag(Table::Rest, 0, 1), self.graphs.hash());
            columns.name(Lanes::first(Lanes::CAPACITY));
        }
    }

    fn object_columns(&self, columns: &mut Columns, index: u32, object: &Object) {
        let none = Lanes::NONE;
        let alone =
            Object { devices: none, non_owners: none, non_owners_allocated: none, ..*object };
        columns.shared(tag(Table::Objects, index, 0), alone.fingerprint());
        columns.on(object.devices, tag(Table::Objects, index, 1), 0);
        columns.on(object.non_owners, tag(Table::Objects, index, 2), 0);
        columns.on(object.non_owners_allocated, tag(Table::Objects, index, 3), 0);
        if object.mesh.is_some() && self.tells_mesh_numbers() {
            columns.name(super::graph_tracker::mesh_id_lane(object.mesh_id));
        }
    }

    fn name_columns(&self, columns: &mut Columns) {
        for (name, slot) in self.buffer_handles.iter() {
            columns.shared(tag(Table::BufferHandles, name, 0), slot.fingerprint());
        }
        for (name, slot) in self.mesh_handles.iter() {
            columns.shared(tag(Table::MeshHandles, name, 0), slot.fingerprint());
        }
        for (name, slot) in self.program_handles.iter() {
            columns.shared(tag(Table::ProgramHandles, name, 0), slot.fingerprint());
        }
    }

    fn allocator_columns(&self, columns: &mut Columns) {
        for (allocator, objects) in self.dangling.iter() {
            for object in objects {
                columns.shared(tag(Table::Dangling, *allocator, 0), object.unique_id.0);
            }
        }
        for &(device, allocator) in self.device_allocators.iter() {
            let device = Lanes::one(DeviceId(device));
            columns.on(device, tag(Table::DeviceAllocators, allocator, 0), 0);
        }
        for (index, allocator) in self.open_allocators().enumerate() {
            let index = index as u32;
            columns.shared(tag(Table::Allocators, index, 0), allocator.fingerprint());
            columns.on(allocator.devices(), tag(Table::Allocators, index, 1), 0);
        }
    }
}
