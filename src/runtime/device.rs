//! Physical devices: open as long as a mesh holds them, with allocators of their own: tt-metal's
//! `device.cpp` (tt-metal.md B5).

use super::{Refusal, Runtime, Surroundings};
use crate::event::AllocatorId;
use crate::units::{DeviceId, Lanes};

impl Runtime {
    /// The allocator of a physical device, made on first use: devices allocate independently of
    /// the meshes they belong to (tt-metal.md B5).
    pub(super) fn device_allocator<S: Surroundings>(
        &mut self,
        out: &mut S,
        device: DeviceId,
    ) -> Result<AllocatorId, Refusal> {
        if !self.setup.chips().contains(&device) {
            return Err(Refusal::new(format!("device {device} is not part of this machine")));
        }
        if !self.device_is_open(device, self.process) {
            return Err(Refusal::new(format!("device {device} is not open: no mesh holds it")));
        }
        let own = self.device_allocators.iter().find(|&&(one, allocator)| {
            let allocator = &self.allocators[allocator as usize];
            one == device.0 && allocator.is_alive() && allocator.process() == self.process
        });
        if let Some(&(_, allocator)) = own {
            return Ok(AllocatorId(allocator));
        }
        let allocator = self.open_allocator(out, Lanes::one(device));
        self.device_allocators.update(|all| all.push((device.0, allocator.0)));
        Ok(allocator)
    }

    /// Whether an open mesh of the process holds the device.
    pub(super) fn device_is_open(&self, device: DeviceId, process: u32) -> bool {
        let mut meshes = self.meshes.iter().map(|(_, mesh)| mesh);
        meshes.any(|mesh| mesh.open && mesh.process == process && mesh.devices.contains(device))
    }

    /// A mesh has let its devices go: those that nobody holds any more close, and their allocators
    /// go with them (tt-metal.md B5: "physical devices close when the last reference drops").
    pub(super) fn close_devices<S: Surroundings>(&mut self, out: &mut S) {
        for (device, allocator) in (*self.device_allocators).clone() {
            let own = &self.allocators[allocator as usize];
            if own.is_alive() && !self.device_is_open(DeviceId(device), own.process()) {
                let live = self.registered(AllocatorId(allocator));
                self.note_device_closing(out, live.len());
                self.end_allocator(out, AllocatorId(allocator), &live);
            }
        }
    }
}
