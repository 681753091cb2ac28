//! How large a scenario of a family is.

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::Family;

/// How large a scenario of a family is.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct Sizes {
    /// Buffers.
    pub handles: u32,
    /// Chips of the mesh.
    pub devices: u32,
    /// Views of the buffers.
    pub views: u32,
    /// Cached programs.
    pub programs: u32,
    /// Submeshes.
    pub submeshes: u32,
    /// Host threads.
    pub threads: u32,
}

impl Default for Sizes {
    fn default() -> Self {
        Self { handles: 2, devices: 2, views: 1, programs: 1, submeshes: 1, threads: 2 }
    }
}

impl Sizes {
    /// Those that count in a family, and 0 for the others.
    #[must_use]
    pub fn of(self, family: Family) -> Self {
        let own = |name: &str, size: u32| {
            if family.sizes().split(", ").any(|one| one == name) { size } else { 0 }
        };
        Self {
            handles: own("handles", self.handles),
            devices: own("devices", self.devices),
            views: own("views", self.views),
            programs: own("programs", self.programs),
            submeshes: own("submeshes", self.submeshes),
            threads: own("threads", self.threads),
        }
    }
}
