//! The names of the user's program and what they hold.
//!
//! All processes share one set of names, but no memory: in another process a name holds nothing,
//! and cannot be given away a second time either.

use super::object::{Object, ObjectId};
use super::{Refusal, Runtime, Surroundings};
use crate::event::Singleton;
use crate::journal::{Fingerprint, Slab, Vacant, mix};
use crate::message::Role;
use crate::op::{BufferHandle, Handle, MeshHandle, ProgramHandle};

/// What a name holds: an index, or nothing; and whether the name is a static variable.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Slot(Option<u32>, bool);

impl Vacant for Slot {
    fn vacant() -> Self {
        Self(None, false)
    }

    fn is_vacant(&self) -> bool {
        self.0.is_none()
    }
}

impl Fingerprint for Slot {
    fn fingerprint(&self) -> u64 {
        mix(1 + u64::from(self.1), u64::from(self.0.unwrap_or(u32::MAX)))
    }
}

#[inline]
fn held(table: &Slab<Slot>, name: u32) -> Option<u32> {
    table.get(name).and_then(|slot| slot.0)
}

#[inline]
fn hold(table: &mut Slab<Slot>, name: u32, index: Option<u32>) {
    put(table, name, Slot(index, false));
}

#[inline]
fn put(table: &mut Slab<Slot>, name: u32, slot: Slot) {
    while table.len() <= name {
        table.insert(Slot::vacant());
    }
    table.update(name, |held| *held = slot);
}

impl Runtime {
    /// The object that a buffer's name holds, if it is of this process.
    #[inline]
    pub(crate) fn buffer(&self, name: BufferHandle) -> Option<ObjectId> {
        let own = |&index: &u32| self.objects[index].process == self.process;
        held(&self.buffer_handles, name.0).filter(own).map(ObjectId)
    }

    /// Whether a buffer's name holds anything, in whatever process.
    #[inline]
    pub(super) fn is_buffer(&self, name: BufferHandle) -> bool {
        held(&self.buffer_handles, name.0).is_some()
    }

    /// Whether a mesh's name holds anything, in whatever process.
    pub(super) fn is_mesh(&self, name: MeshHandle) -> bool {
        held(&self.mesh_handles, name.0).is_some()
    }

    /// Whether a program's name holds anything, in whatever process.
    pub(super) fn is_program(&self, name: ProgramHandle) -> bool {
        held(&self.program_handles, name.0).is_some()
    }

    /// The object that a buffer's name holds, for whoever compares with the real runtime.
    #[must_use]
    pub fn object(&self, name: BufferHandle) -> Option<&Object> {
        self.buffer(name).map(|id| &self.objects[id.0])
    }

    /// The mesh, as an index, that a name holds, if it is of this process.
    #[inline]
    pub(super) fn mesh(&self, name: MeshHandle) -> Option<u32> {
        let own = |&index: &u32| self.meshes[index].process == self.process;
        held(&self.mesh_handles, name.0).filter(own)
    }

    /// The mesh that a name holds, if it is open.
    #[inline]
    pub(super) fn open_mesh(&self, name: MeshHandle) -> Result<u32, Refusal> {
        let mesh = self.mesh(name).ok_or_else(Refusal::noop)?;
        if self.meshes[mesh].open {
            Ok(mesh)
        } else {
            Err(Refusal::closed(self.meshes[mesh].mesh_id))
        }
    }

    /// The program, as an index, that a name holds, if it is of this process.
    #[inline]
    pub(super) fn program(&self, name: ProgramHandle) -> Option<u32> {
        let own = |&index: &u32| self.programs[index].process == self.process;
        held(&self.program_handles, name.0).filter(own)
    }

    #[inline]
    pub(super) fn bind_handle(&mut self, name: BufferHandle, id: ObjectId) {
        hold(&mut self.buffer_handles, name.0, Some(id.0));
    }

    pub(super) fn bind_mesh(&mut self, name: MeshHandle, mesh: u32) {
        hold(&mut self.mesh_handles, name.0, Some(mesh));
    }

    pub(super) fn bind_program(&mut self, name: ProgramHandle, program: u32) {
        hold(&mut self.program_handles, name.0, Some(program));
    }

    /// Moves what a mesh's name holds to another name.
    pub(crate) fn rename_mesh(&mut self, from: MeshHandle, to: MeshHandle) {
        let mesh = held(&self.mesh_handles, from.0);
        hold(&mut self.mesh_handles, from.0, None);
        hold(&mut self.mesh_handles, to.0, mesh);
    }

    /// The name lets go of whatever it holds, because it is about to hold something else.
    pub(crate) fn overwrite<S: Surroundings>(&mut self, out: &mut S, name: BufferHandle) {
        if let Some(index) = held(&self.buffer_handles, name.0) {
            hold(&mut self.buffer_handles, name.0, None);
            self.release_object(out, ObjectId(index), Role::UserHandle);
        }
    }

    /// `drop`: the name lets go; false if it holds nothing.
    pub(crate) fn drop_handle<S: Surroundings>(&mut self, out: &mut S, handle: Handle) -> bool {
        match handle {
            Handle::Buffer(name) => {
                if self.buffer(name).is_none() {
                    return false;
                }
                self.overwrite(out, name);
            }
            Handle::Mesh(name) => {
                let Some(mesh) = self.mesh(name) else { return false };
                hold(&mut self.mesh_handles, name.0, None);
                self.release_mesh(out, mesh);
            }
            Handle::Program(name) => {
                let Some(program) = self.program(name) else { return false };
                hold(&mut self.program_handles, name.0, None);
                self.release_program(out, program, Role::UserHandle);
            }
        }
        true
    }

    /// `share b1 of b0`.
    pub(crate) fn share(&mut self, name: BufferHandle, of: BufferHandle) -> bool {
        let Some(id) = self.buffer(of) else { return false };
        let Some(owners) = self.objects[id.0].owners.gain(Role::UserHandle) else { return false };
        if self.is_buffer(name) {
            return false;
        }
        self.objects.update(id.0, |object| object.owners = owners);
        self.bind_handle(name, id);
        true
    }

    /// `share-program p1 of p0`.
    pub(crate) fn share_program(&mut self, name: ProgramHandle, of: ProgramHandle) -> bool {
        let Some(program) = self.program(of) else { return false };
        let owners = self.programs[program].owners.gain(Role::UserHandle);
        let Some(owners) = owners.filter(|_| !self.is_program(name)) else { return false };
        self.programs.update(program, |program| program.owners = owners);
        self.bind_program(name, program);
        true
    }

    /// `cycle b0`: from now on only the collector can let go.
    pub(crate) fn enter_cycle(&mut self, name: BufferHandle) -> bool {
        let Some(id) = self.buffer(name) else { return false };
        let owners = self.objects[id.0].owners;
        let Some(owners) = owners.gain(Role::Cycle) else { return false };
        hold(&mut self.buffer_handles, name.0, None);
        let owners = owners.lose(Role::UserHandle);
        self.objects.update(id.0, |object| object.owners = owners);
        true
    }

    /// `gc`: every cycle lets go, lowest name first.
    pub(crate) fn collect<S: Surroundings>(&mut self, out: &mut S) -> bool {
        let cyclic = |object: &Object| object.owners.count(Role::Cycle) > 0;
        let mut garbage: Vec<_> = self
            .objects
            .iter()
            .filter(|(_, object)| cyclic(object) && object.process == self.process)
            .map(|(index, object)| (object.origin, object.unique_id, index))
            .collect();
        garbage.sort_unstable();
        for &(_, _, index) in &garbage {
            self.note_collected(out, &self.objects[index]);
            while self.objects.get(index).is_some_and(cyclic) {
                self.release_object(out, ObjectId(index), Role::Cycle);
            }
        }
        !garbage.is_empty()
    }

    /// `static b0`: false if it is one, or holds nothing.
    pub(crate) fn make_static(&mut self, handle: Handle) -> bool {
        let (table, name, held) = match handle {
            Handle::Buffer(name) => {
                let held = self.buffer(name).map(|id| id.0);
                (&mut self.buffer_handles, name.0, held)
            }
            Handle::Mesh(name) => {
                let held = self.mesh(name);
                (&mut self.mesh_handles, name.0, held)
            }
            Handle::Program(name) => {
                let held = self.program(name);
                (&mut self.program_handles, name.0, held)
            }
        };
        if held.is_none() || table[name].1 {
            return false;
        }
        put(table, name, Slot(held, true));
        true
    }

    /// `exit`: the variables of `main`, then those of static storage duration.
    pub(crate) fn exit<S: Surroundings>(&mut self, out: &mut S) -> bool {
        let dropped = self.drop_handles(out, false);
        self.after_main = true;
        let destroyed = self.drop_handles(out, true);
        self.after_main = false;
        dropped || destroyed
    }

    /// Drops all handles that are static variables, or all that are not: buffers newest first, then
    /// cycles, programs and meshes.
    fn drop_handles<S: Surroundings>(&mut self, out: &mut S, are_static: bool) -> bool {
        let mut buffers: Vec<_> = self
            .buffer_handles
            .iter()
            .filter(|(_, slot)| slot.1 == are_static)
            .filter_map(|(name, slot)| slot.0.map(|id| (self.objects[id].unique_id, name, id)))
            .filter(|&(_, _, id)| self.objects[id].process == self.process)
            .collect();
        buffers.sort_unstable();
        for &(_, name, _) in buffers.iter().rev() {
            // `~Tensor` asks `GraphTracker::is_enabled()`, whatever is left to deallocate.
            self.use_singleton(out, Singleton::GraphTracker);
            self.drop_handle(out, Handle::Buffer(BufferHandle(name)));
        }
        let collected = !are_static && self.collect(out);
        let mut dropped = !buffers.is_empty();
        for name in names(&self.program_handles, are_static).into_iter().rev() {
            dropped |= self.drop_handle(out, Handle::Program(ProgramHandle(name)));
        }
        dropped |= !are_static && self.drop_traces(out);
        for name in names(&self.mesh_handles, are_static).into_iter().rev() {
            dropped |= self.drop_handle(out, Handle::Mesh(MeshHandle(name)));
        }
        collected || dropped
    }

    /// Empties the names whose objects died with their process.
    pub(super) fn forget_dead_names(&mut self) {
        let dead = |vacant: &dyn Fn(u32) -> bool, table: &Slab<Slot>| -> Vec<u32> {
            let held = table.iter().filter_map(|(name, slot)| slot.0.map(|index| (name, index)));
            held.filter(|&(_, index)| vacant(index)).map(|(name, _)| name).collect()
        };
        let buffers = dead(&|index| self.objects[index].is_vacant(), &self.buffer_handles);
        let meshes = dead(&|index| self.meshes[index].is_vacant(), &self.mesh_handles);
        let programs = dead(&|index| self.programs[index].is_vacant(), &self.program_handles);
        buffers.into_iter().for_each(|name| hold(&mut self.buffer_handles, name, None));
        meshes.into_iter().for_each(|name| hold(&mut self.mesh_handles, name, None));
        programs.into_iter().for_each(|name| hold(&mut self.program_handles, name, None));
    }
}

fn names(table: &Slab<Slot>, are_static: bool) -> Vec<u32> {
    table.iter().filter(|(_, slot)| slot.1 == are_static).map(|(name, _)| name).collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::journal::assert_all_differ;

    /// What a name holds decides what its line does, and a static variable dies after `main`.
    #[test]
    fn what_a_name_holds_counts() {
        let slots = [
            Slot(None, false),
            Slot(Some(0), false),
            Slot(Some(1), false),
            Slot(Some(0), true),
            Slot(Some(1), true),
        ];
        assert_all_differ(&slots.map(|slot| slot.fingerprint()));
    }
}
