//! What a search may have the world take note of.

use super::World;

impl World {
    /// Has the server take note of what of its key matters, before anything is done.
    pub(crate) fn watch_keys(&mut self) {
        self.server.watch_keys();
    }
}
