//! The Inspector's list of MeshBuffers: tt-metal's `inspector.cpp` (tt-metal.md B8).

use super::object::{ObjectId, ObjectKind};
use super::{Runtime, Surroundings, pid};
use crate::event::Event;
use crate::message::UniqueId;

impl Runtime {
    /// `inspector on`: false if it is.
    pub(crate) fn start_inspector<S: Surroundings>(&mut self, out: &mut S) -> bool {
        if *self.inspector {
            return false;
        }
        self.inspector.update(|on| *on = true);
        out.emit(Event::InspectorStarted { next: UniqueId(*self.next_unique_id) });
        true
    }

    /// `Inspector::mesh_buffer_allocated` after `MeshBuffer::create`, and
    /// `Inspector::mesh_buffer_deallocated` in `MeshBuffer::deallocate`.
    #[inline]
    pub(super) fn inspect<S: Surroundings>(&self, out: &mut S, id: ObjectId, allocated: bool) {
        if *self.inspector {
            self.report_to_inspector(out, id, allocated);
        }
    }

    #[cold]
    fn report_to_inspector<S: Surroundings>(&self, out: &mut S, id: ObjectId, allocated: bool) {
        let object = &self.objects[id.0];
        if object.kind == ObjectKind::MeshBuffer {
            let (pid, object) = (pid(object.process), object.reference());
            out.emit(Event::Inspected { pid, object, allocated });
        }
    }
}
