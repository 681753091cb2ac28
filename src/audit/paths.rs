//! The call paths that occur in an input, each once.

use std::collections::BTreeMap;

use super::event::PathId;

/// More different paths than this are one.
const PATHS_MAX: usize = 1 << 16;

/// The call paths of an input.
///
/// ```
/// use freeorder::audit::Paths;
/// let mut paths = Paths::default();
/// let add = paths.id("ttnn.add");
/// assert_eq!((paths.id("ttnn.add"), paths.name(add)), (add, "ttnn.add"));
/// ```
#[derive(Clone, Debug, Default)]
pub struct Paths {
    numbers: BTreeMap<String, PathId>,
    names: Vec<String>,
}

impl Paths {
    /// The number of a path.
    pub fn id(&mut self, path: &str) -> PathId {
        if let Some(&id) = self.numbers.get(path) {
            return id;
        }
        let path = if self.names.len() < PATHS_MAX { path } else { "(other call paths)" };
        let next = PathId(self.names.len() as u32);
        let id = *self.numbers.entry(path.to_owned()).or_insert(next);
        if id == next {
            self.names.push(path.to_owned());
        }
        id
    }

    /// The path of a number; empty for a number that was never given.
    #[must_use]
    pub fn name(&self, id: PathId) -> &str {
        self.names.get(id.0 as usize).map_or("", String::as_str)
    }
}
