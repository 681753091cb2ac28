//! The meshes of a program: how they are opened, cut, closed and let go.

use super::{Draft, MESHES, one_of};
use crate::choice::{Choices, Seeded};
use crate::op::{Handle, MeshHandle, Op};
use crate::units::MeshShape;

impl Draft {
    pub(super) fn mesh(&mut self, choices: &mut Seeded, is_part: bool) {
        let is_held = |name: &MeshHandle| self.meshes.iter().any(|(held, _)| held == name);
        let Some(mesh) = (0..MESHES).map(MeshHandle).find(|name| !is_held(name)) else { return };
        let parent = if is_part { one_of(&self.meshes, choices).copied() } else { None };
        if is_part && parent.is_none() {
            return;
        }
        let whole = parent.map_or(self.setup.system_shape(), |(_, shape)| shape);
        let rows = 1 + choices.pick(u64::from(whole.rows)) as u8;
        let columns = 1 + choices.pick(u64::from(whole.columns)) as u8;
        let at = (
            choices.pick(u64::from(whole.rows - rows) + 1) as u8,
            choices.pick(u64::from(whole.columns - columns) + 1) as u8,
        );
        let mut shape = MeshShape { rows, columns };
        match parent {
            Some((parent, _)) => {
                self.push(Op::Submesh { mesh, parent, shape, at });
                self.parts.push((mesh, parent));
            }
            None => {
                let at = self.place(&mut shape, at, choices);
                // The lines of a Galaxy are not modelled.
                let is_line = shape.chip_count() > 1 && (shape.rows == 1 || shape.columns == 1);
                if is_line && whole.rows > 2 {
                    return;
                }
                self.push(Op::Open { mesh, shape, at });
            }
        }
        self.meshes.push((mesh, shape));
    }

    /// Where a mesh is opened: some lie along the ring, some are turned, and some fit nowhere.
    fn place(&self, shape: &mut MeshShape, at: (u8, u8), choices: &mut Seeded) -> (u8, u8) {
        let whole = self.setup.system_shape();
        let anywhere = (
            choices.pick(u64::from(whole.rows)) as u8,
            choices.pick(u64::from(whole.columns)) as u8,
        );
        let count = whole.chip_count() as u64;
        match choices.pick(8) {
            0 => {
                let length = 1 + choices.pick(count) as u8;
                *shape = MeshShape { rows: 1, columns: length };
                anywhere
            }
            1 => {
                *shape = MeshShape { rows: shape.columns, columns: shape.rows };
                at
            }
            2 => anywhere,
            _ => at,
        }
    }

    pub(super) fn on_mesh(&mut self, kind: usize, choices: &mut Seeded) {
        if self.meshes.is_empty() {
            return;
        }
        let place = choices.pick(self.meshes.len() as u64) as usize;
        let (mesh, _) = self.meshes[place];
        if !self.wild && matches!(kind, 14..=16) {
            return self.end(kind, mesh);
        }
        if kind == 15 {
            self.meshes.remove(place);
            self.parts.retain(|&(part, _)| part != mesh);
        }
        self.push(match kind {
            9 => Op::ClearCache(mesh),
            10 => Op::DisableCache(mesh),
            11 => Op::EnableCache(mesh),
            14 => Op::Close(mesh),
            15 => Op::Drop(Handle::Mesh(mesh)),
            _ => Op::DeallocateAll(mesh),
        });
    }

    /// A mesh ends that nobody uses, and whose end closes no chips under another: a part of one
    /// that is left, or the last one, after which the next is opened.
    fn end(&mut self, kind: usize, mesh: MeshHandle) {
        let is_used = self.buffers.iter().any(|(_, on, _)| *on == mesh)
            || self.parts.iter().any(|(_, parent)| *parent == mesh);
        let is_part = self.parts.iter().any(|(part, _)| *part == mesh);
        if is_used || self.capturing {
            return;
        }
        if kind == 16 {
            return self.push(Op::DeallocateAll(mesh));
        }
        if !is_part && self.meshes.len() > 1 {
            return;
        }
        if kind == 14 {
            self.push(Op::Close(mesh));
        }
        self.push(Op::Drop(Handle::Mesh(mesh)));
        self.meshes.retain(|(held, _)| *held != mesh);
        self.parts.retain(|(part, _)| *part != mesh);
        if self.meshes.is_empty() {
            let shape = self.setup.machine.mesh_shapes()[0];
            self.push(Op::Open { mesh, shape, at: (0, 0) });
            self.meshes.push((mesh, shape));
        }
    }
}
