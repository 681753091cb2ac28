//! Handles of static storage duration, and what their destructors find after `main`.
//!
//! Namespace-scope variables are constructed before `main`, and so destroyed after the singletons
//! of the runtime, which are constructed at their first use: unless a singleton is never destroyed.

use super::{Runtime, Surroundings};
use crate::event::{Event, Singleton};
use crate::fix::Defect;

impl Runtime {
    /// Code of the runtime goes to a singleton. Before the end of `main` all of them are alive.
    #[inline]
    pub(super) fn use_singleton<S: Surroundings>(&self, out: &mut S, singleton: Singleton) {
        if self.after_main {
            self.use_singleton_after_main(out, singleton);
        }
    }

    #[cold]
    fn use_singleton_after_main<S: Surroundings>(&self, out: &mut S, singleton: Singleton) {
        let destroyed = match singleton {
            // github.com/mudler/vllm.cpp, issue 1486: the caches of tensors "are destroyed after
            // the UMD device drivers [...] and `deallocate_impl` reaches
            // `GraphTracker::is_enabled()` on a torn-down tracker".
            Singleton::GraphTracker => self.fixes.has_defect(Defect::StaticTensors),
            // PR 15689: "a corner case [...] where `SystemMesh` was already destructed before
            // MeshDevice", whose destructor unmaps itself there.
            Singleton::SystemMesh => self.fixes.has_defect(Defect::StaticMesh),
        };
        out.emit(Event::SingletonUsed { singleton, alive: !destroyed });
    }
}
