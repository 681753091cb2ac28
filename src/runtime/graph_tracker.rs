//! What is tracked, and for which devices: tt-metal's `graph_tracking.cpp` (tt-metal.md A6).

use super::decide::{self, Reporter};
use super::object::Object;
use super::{Runtime, Surroundings};
use crate::event::Part;
use crate::fix::{Baseline, Defect, Fix};
use crate::message::{AllocMessage, CallPath, MessageKind, Role};
use crate::units::{DeviceId, Lanes};

impl Runtime {
    /// `GraphTracker::track_allocate` for an owner or for buffers that own nothing.
    #[inline]
    pub(super) fn track_allocate<S: Surroundings>(
        &mut self,
        out: &mut S,
        object: &Object,
        part: Part,
    ) {
        let path = match part {
            Part::Owner => CallPath::AllocateImpl,
            Part::NonOwners(_) => CallPath::CreateAtAddress,
        };
        let devices = self.reporting_devices(object, part, MessageKind::Alloc);
        if !devices.is_empty() {
            let role = Role::UserHandle;
            self.report(out, &message(MessageKind::Alloc, object, devices, path, role));
        }
    }

    /// `GraphTracker::track_deallocate` for an owner or for buffers that own nothing.
    #[inline]
    pub(super) fn track_deallocate<S: Surroundings>(
        &mut self,
        out: &mut S,
        object: &Object,
        part: Part,
        (path, role): (CallPath, Role),
    ) {
        let devices = self.reporting_devices(object, part, MessageKind::Free);
        if !devices.is_empty() {
            self.report(out, &message(MessageKind::Free, object, devices, path, role));
        }
    }

    /// Whether a backing buffer is ever reported under the number of its mesh.
    pub(super) fn tells_mesh_numbers(&self) -> bool {
        [MessageKind::Alloc, MessageKind::Free]
            .into_iter()
            .any(|kind| decide::reporter(&self.fixes, true, true, kind) == Reporter::Mesh)
    }

    /// The `device_id`s under which a buffer reports; none if it is silent.
    #[inline]
    fn reporting_devices(&self, object: &Object, part: Part, kind: MessageKind) -> Lanes {
        // tt-metal.md F, S-NODISPATCH: hooked buffers have address 0, so that two of them share a
        // key.
        if object.hooked && self.fixes.has(Fix::SilentHooked) {
            return Lanes::NONE;
        }
        let (owns_data, devices) = match part {
            Part::Owner => (true, object.devices),
            Part::NonOwners(devices) => (false, devices),
        };
        match decide::reporter(&self.fixes, owns_data, object.mesh.is_some(), kind) {
            Reporter::Nobody => Lanes::NONE,
            Reporter::Mesh => mesh_id_lane(object.mesh_id),
            Reporter::Devices => devices,
        }
    }

    /// `track_allocate_cb`: the fork's client reports each circular buffer as an L1 buffer of the
    /// mesh's own id (allocation-server.md 1.6); upstream reports none.
    pub(super) fn track_allocate_cb<S: Surroundings>(&mut self, out: &mut S, program: u32) {
        // Issue 52010: circular buffers were counted for every program that exists, those of the
        // program cache with them, resident or not.
        let dataflow = self.programs[program].dataflow;
        let counted = self.fixes.has_defect(Defect::CachedProgramsCounted);
        if dataflow || self.fixes.baseline() == Baseline::Upstream && !counted {
            return;
        }
        let mesh = self.programs[program].mesh;
        let messages = self.cb_messages(program, MessageKind::Alloc);
        if messages.is_empty() {
            return;
        }
        self.meshes.update(mesh, |mesh| mesh.reported_cbs.push(program));
        for message in &messages {
            self.report(out, message);
        }
    }

    /// `track_deallocate_cb`: called when a program dies.
    pub(super) fn track_deallocate_cb<S: Surroundings>(&mut self, out: &mut S, program: u32) {
        let mesh = self.programs[program].mesh;
        let Some(device) = self.meshes.get(mesh).filter(|_| self.mesh_exists(program)) else {
            return;
        };
        // allocation-server.md 1.6: the flush sends FREE for "EVERY program's CBs of that device
        // pointer, not the dying program's".
        let flushed: Vec<u32> = if self.fixes.has(Fix::CbFlushPerProgram) {
            device.reported_cbs.iter().copied().filter(|&other| other == program).collect()
        } else {
            device.reported_cbs.clone()
        };
        if flushed.is_empty() {
            return;
        }
        self.meshes.update(mesh, |mesh| mesh.reported_cbs.retain(|one| !flushed.contains(one)));
        for program in flushed {
            for message in &self.cb_messages(program, MessageKind::Free) {
                self.report(out, message);
            }
        }
    }

    fn cb_messages(&self, program: u32, kind: MessageKind) -> Vec<AllocMessage> {
        let program = &self.programs[program];
        let devices = mesh_id_lane(program.mesh_id);
        let path = match kind {
            MessageKind::Alloc => CallPath::CircularBufferAllocate,
            MessageKind::Free => CallPath::CircularBufferFlush,
        };
        let placed = program.layout.placed.iter();
        placed.map(|&cb| program.cb_message(cb, kind, (devices, path))).collect()
    }
}

/// The `device_id` that a MeshDevice answers: its own counter, unrelated to chip numbers
/// (tt-metal.md 0.6).
#[inline]
pub(super) fn mesh_id_lane(mesh_id: u32) -> Lanes {
    Lanes::one(DeviceId(mesh_id as u8))
}

#[inline]
fn message(
    kind: MessageKind,
    object: &Object,
    devices: Lanes,
    path: CallPath,
    released_by: Role,
) -> AllocMessage {
    AllocMessage {
        kind,
        devices,
        address: object.address,
        size: object.size,
        buffer_type: object.buffer_type,
        pid: super::pid(object.process),
        owner: object.owner,
        sender: object.reference(),
        path,
        released_by,
    }
}
