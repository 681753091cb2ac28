//! Which meshes hold the chips together, and which of them were closed without being asked.

use std::collections::{BTreeMap, BTreeSet};

use crate::runtime::Runtime;

/// A mesh that was opened and those that were cut from it, by the id of the first.
///
/// `scoped_devices_` is shared by a mesh and all its submeshes (tt-metal.md B5). Measured: the last
/// of them that is closed or destroyed closes every chip that the process has open, also those that
/// another such set holds.
#[derive(Clone, Debug, Default)]
pub(super) struct Families {
    of: BTreeMap<u32, u32>,
    closed_under: BTreeSet<u32>,
}

impl Families {
    /// A mesh was opened, or cut from another; both by their ids.
    pub fn made(&mut self, mesh: u32, parent: Option<u32>) {
        let family = parent.and_then(|parent| self.of.get(&parent).copied()).unwrap_or(mesh);
        self.of.insert(mesh, family);
    }

    /// The families of which a mesh is open.
    pub fn open(&self, runtime: &Runtime) -> BTreeSet<u32> {
        runtime.open_meshes().filter_map(|mesh| self.of.get(&mesh.mesh_id).copied()).collect()
    }

    /// What a call did that returned, before which these were open.
    pub fn note(&mut self, before: &BTreeSet<u32>, runtime: &Runtime) {
        let left = self.open(runtime);
        if before.difference(&left).next().is_some() {
            self.closed_under.extend(left.intersection(before));
        }
    }

    /// Whether the chips of a mesh were closed with those of another family.
    pub fn are_closed_under(&self, mesh: u32) -> bool {
        self.of.get(&mesh).is_some_and(|family| self.closed_under.contains(family))
    }
}
