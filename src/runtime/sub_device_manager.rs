//! Which sub-device manager a mesh has loaded: tt-metal's `sub_device_manager_tracker.cpp`
//! (tt-metal.md A1, A4, B6).
//!
//! ASSUMED: a sharded L1 buffer that is created while a manager other than the default one is
//! loaded is created on its sub-device; in tt-metal the caller says so. Its addresses come from the
//! mesh's own allocator: the local allocators of sub-devices are not modelled.

use super::object::Object;
use super::{EXPIRED, Refusal, Runtime, Surroundings};
use crate::event::Event;
use crate::fix::Defect;
use crate::op::{BufferSpec, MeshHandle, SubDeviceManagerId};
use crate::units::BufferType;

/// The manager that every mesh starts with, and that owns its global allocator.
const DEFAULT: SubDeviceManagerId = SubDeviceManagerId(0);

impl Runtime {
    /// `load-manager m0 s1`.
    pub(crate) fn load_manager<S: Surroundings>(
        &mut self,
        out: &mut S,
        mesh: MeshHandle,
        manager: SubDeviceManagerId,
    ) -> Result<bool, Refusal> {
        let mesh = self.open_mesh(mesh)?;
        if self.meshes[mesh].manager == manager {
            return Ok(false);
        }
        if self.meshes[mesh].traces.capturing().is_some() {
            return Err(Refusal::new("Cannot reset worker state during trace capture"));
        }
        self.finish_queue(out, mesh);
        let allocator = self.meshes[mesh].allocator;
        let local = |object: &Object| object.registered && object.sub_device_manager.is_some();
        if self.objects.iter().any(|(_, one)| one.allocator == allocator && local(one)) {
            let text = "Cannot switch sub device managers while sub devices still have local \
                        allocations";
            return Err(Refusal::new(text));
        }
        let mesh_id = self.meshes[mesh].mesh_id;
        self.meshes.update(mesh, |mesh| mesh.manager = manager);
        out.emit(Event::ManagerLoaded { mesh_id, manager });
        Ok(true)
    }

    /// The manager that a new buffer remembers: the loaded one, if the buffer is on its sub-device.
    pub(super) fn manager_of_new(&self, mesh: u32, spec: BufferSpec) -> Option<SubDeviceManagerId> {
        let on_sub_device = spec.buffer_type == BufferType::L1 && spec.shards.is_some();
        let manager = self.meshes[mesh].manager;
        (on_sub_device && manager != DEFAULT).then_some(manager)
    }

    /// `validate_sub_device_manager_id`, before the allocator takes a block back. Where the two
    /// differ the real runtime throws, and dies of it in a destructor (tt-metal.md A4).
    pub(super) fn validate_manager<S: Surroundings>(&self, out: &mut S, object: &Object) {
        let mesh = object.mesh.filter(|&mesh| mesh != EXPIRED);
        let (Some(allocated), Some(mesh)) = (object.sub_device_manager, mesh) else {
            return;
        };
        let freed = self.meshes[mesh].manager;
        out.emit(Event::ManagerValidated { object: object.reference(), allocated, freed });
    }

    /// The tracker of a closing mesh is reset.
    pub(super) fn reset_managers(&mut self, mesh: u32) {
        if self.meshes[mesh].manager != DEFAULT {
            self.meshes.update(mesh, |mesh| mesh.manager = DEFAULT);
        }
    }

    /// What a close does before the buffers of the mesh are given back.
    pub(super) fn reset_managers_early(&mut self, mesh: u32) {
        // I/21315, P/21727: "SubDeviceManager reset; then [...] free"; and tt-metal.md B6: "buffers
        // with a sub_device_manager_id call device->get_active_sub_device_manager_id() from here
        // while the tracker is being reset".
        if self.fixes.has_defect(Defect::ManagerResetFirst) {
            self.reset_managers(mesh);
        }
    }
}
