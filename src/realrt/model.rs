//! The model that the runtime is held against, one call after another.

use std::sync::Arc;

use super::kept::KeptMeshes;
use crate::event::Observer;
use crate::fix::{Defect, Preset};
use crate::journal::Tracking;
use crate::op::{Handle, Op, ThreadId};
use crate::runtime::{Runtime, Setup};
use crate::scenario::Simulation;
use crate::server::ServerKind;

/// The model, as Python sees it: its captures are of threads, and its meshes are objects.
///
/// The published package closes as the main branch did before it deallocated what is left: the
/// tensors of a closed mesh say that they are allocated, and no graph and no counter shows an end.
#[derive(Clone, Debug)]
pub(super) struct Model {
    simulation: Simulation,
    kept: KeptMeshes,
}

impl Model {
    pub fn new(setup: Arc<Setup>) -> Self {
        let fixes = Preset::UpstreamShm.fixes().with_defect(Defect::CloseKeepsBuffers);
        let mut simulation = Simulation::new(setup, fixes, ServerKind::Shm, Tracking::NONE, 0);
        simulation.runtime_mut().as_published();
        Self { simulation, kept: KeptMeshes::default() }
    }

    /// Makes a call on a thread: the text that it raises, if it does.
    pub fn call<O: Observer>(
        &mut self,
        (thread, op): (ThreadId, &Op),
        observer: &mut O,
    ) -> Option<String> {
        self.simulation.runtime_mut().on_thread(thread);
        if let Op::Drop(Handle::Mesh(name)) = op {
            return self.kept.drop(&mut self.simulation, *name, observer);
        }
        let outcome = self.simulation.apply(op, observer);
        match op {
            Op::Open { mesh, .. } if outcome.changed => self.kept.made(*mesh, None),
            Op::Submesh { mesh, parent, .. } if outcome.changed => {
                self.kept.made(*mesh, Some(*parent));
            }
            Op::Kill(_) => self.kept = KeptMeshes::default(),
            _ => {}
        }
        outcome.refused
    }

    /// Its state.
    pub fn runtime(&self) -> &Runtime {
        self.simulation.world().runtime()
    }

    /// Forgets everything that happened.
    #[cfg(test)]
    pub fn reset(&mut self) {
        self.simulation.reset();
        self.kept = KeptMeshes::default();
    }
}
