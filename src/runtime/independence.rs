//! What an exploration asks: what the end of a buffer can touch.

use super::Runtime;
use super::graph_processor::Hook;
use super::object::{Object, ObjectId};
use crate::op::BufferHandle;
use crate::units::{DeviceAddr, Lanes};

/// What the end of a buffer, or of a piece of it, can touch at most.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Reach {
    /// The object at the root of its views, which stands for all of them.
    pub root: ObjectId,
    /// The addresses in the messages.
    pub addresses: [DeviceAddr; 2],
    /// The devices in the messages, the mesh's own number included.
    pub devices: Lanes,
}

impl Runtime {
    /// Whether nothing is there that ties the ends of two buffers with different addresses: no
    /// other process, program, capture, session of the Inspector or trace, no queue of commands, no
    /// message that is kept back, and none of the bugs of the past.
    pub(crate) fn buffers_end_alone(&self) -> bool {
        let client = &self.client;
        let plain = client.full_for == 0 && !client.stalled && !client.reconnected;
        let meshes = self.meshes.iter().all(|(_, mesh)| {
            !mesh.queue.asynchronous && mesh.queue.commands.is_empty() && mesh.traces.all.is_empty()
        });
        let hooks = self.processes.iter().all(|(_, process)| process.hook == Hook::default());
        let instruments = self.graphs.is_empty() && !*self.inspector && hooks;
        let bugs = self.fixes.set().defects().next().is_some();
        let alone = self.processes.iter().count() == 1 && self.programs.iter().next().is_none();
        plain && meshes && instruments && !bugs && alone
    }

    /// Whether two names hold the same object in the same way.
    pub(crate) fn are_alike(&self, one: BufferHandle, other: BufferHandle) -> bool {
        let held = self.buffer(one).is_some();
        held && self.buffer_handles.get(one.0) == self.buffer_handles.get(other.0)
    }

    /// What the end of the buffer that a name holds can touch; none if it holds nothing.
    pub(crate) fn reach(&self, name: BufferHandle) -> Option<Reach> {
        let id = self.buffer(name)?;
        let object = &self.objects[id.0];
        let root = object.root.unwrap_or(id);
        let devices = |object: &Object| {
            let number = object
                .mesh
                .map_or(Lanes::NONE, |_| super::graph_tracker::mesh_id_lane(object.mesh_id));
            object.devices.or(object.non_owners).or(number)
        };
        let above = &self.objects[root.0];
        Some(Reach {
            root,
            addresses: [object.address, above.address],
            devices: devices(object).or(devices(above)),
        })
    }
}
