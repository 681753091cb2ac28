//! Which meshes Python keeps: a mesh object keeps each submesh that was cut from it.

use crate::event::Observer;
use crate::op::{Handle, MeshHandle, Op};
use crate::scenario::Simulation;

/// The first of the names that meshes have in the model whose own names are gone.
const NAMELESS: u32 = 4096;

/// A mesh object of Python's.
#[derive(Clone, Copy, Debug)]
struct Kept {
    /// What holds it in the program.
    name: Option<MeshHandle>,
    /// Its name in the model.
    stands: MeshHandle,
    /// The object that keeps it, by its place.
    parent: Option<usize>,
    is_alive: bool,
}

/// The mesh objects of a process.
#[derive(Clone, Debug, Default)]
pub(crate) struct KeptMeshes(Vec<Kept>);

impl KeptMeshes {
    /// A mesh was opened, or cut from another.
    pub fn made(&mut self, name: MeshHandle, parent: Option<MeshHandle>) {
        let parent = parent.and_then(|parent| self.named(parent));
        self.0.push(Kept { name: Some(name), stands: name, parent, is_alive: true });
    }

    fn named(&self, name: MeshHandle) -> Option<usize> {
        self.0.iter().rposition(|kept| kept.is_alive && kept.name == Some(name))
    }

    /// A name is dropped: the model hears of the objects that end with it, if any do.
    ///
    /// `create_submesh` is bound with `keep_alive<1, 0>`: measured, since a tensor on a submesh
    /// whose name is gone finds its mesh for as long as the parent's object is there.
    pub fn drop<O: Observer>(
        &mut self,
        simulation: &mut Simulation,
        name: MeshHandle,
        observer: &mut O,
    ) -> Option<String> {
        let Some(place) = self.named(name) else {
            return simulation.apply(&Op::Drop(Handle::Mesh(name)), observer).refused;
        };
        self.0[place].name = None;
        if self.0[place].parent.is_some_and(|parent| self.0[parent].is_alive) {
            let nameless = MeshHandle(NAMELESS + place as u32);
            simulation.runtime_mut().rename_mesh(name, nameless);
            self.0[place].stands = nameless;
            return None;
        }
        self.end(simulation, place, observer)
    }

    fn end<O: Observer>(
        &mut self,
        simulation: &mut Simulation,
        place: usize,
        observer: &mut O,
    ) -> Option<String> {
        self.0[place].is_alive = false;
        let ends = Op::Drop(Handle::Mesh(self.0[place].stands));
        let mut refused = simulation.apply(&ends, observer).refused;
        for child in place + 1..self.0.len() {
            let kept = self.0[child];
            if kept.is_alive && kept.name.is_none() && kept.parent == Some(place) {
                refused = refused.or(self.end(simulation, child, observer));
            }
        }
        refused
    }
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;

    use super::super::model::Model;
    use super::*;
    use crate::allocator::Machine;
    use crate::op::ThreadId;
    use crate::runtime::Setup;
    use crate::scenario::{Case, Scenario};

    /// As it was measured: a submesh whose name is gone lives as long as its parent's object, a
    /// parent whose name is gone as long as a submesh that has one.
    #[test]
    fn a_submesh_lives_with_its_parent() {
        let left = |text: &str| {
            let scenario: Result<Scenario, _> = format!("freeorder 1\n{text}").parse();
            let mut model = Model::new(Arc::new(Setup::on(Machine::T3k)));
            for (_, op) in Case::of(&scenario.expect("it is a scenario")).ops {
                model.call((ThreadId(0), &op), &mut ());
            }
            let open = |&name: &u32| model.runtime().mesh_device(MeshHandle(name)).is_some();
            [0, 1, 2, NAMELESS, NAMELESS + 1, NAMELESS + 2]
                .into_iter()
                .filter(open)
                .collect::<Vec<_>>()
        };
        let two = "open m0 2x4\nsubmesh m1 of m0 2x2\nsubmesh m2 of m1 1x1\n";
        assert_eq!(left(two), [0, 1, 2]);
        assert_eq!(left(&format!("{two}drop m2\n")), [0, 1, NAMELESS + 2]);
        assert_eq!(left(&format!("{two}drop m1\n")), [0, 2, NAMELESS + 1]);
        assert_eq!(left(&format!("{two}drop m2\ndrop m1\ndrop m0\n")), [0_u32; 0]);
        assert_eq!(left(&format!("{two}drop m0\n")), [1, 2]);
        assert_eq!(left(&format!("{two}drop m0\ndrop m1\n")), [2]);
        assert_eq!(left(&format!("{two}drop m1\nopen m1 1x1 at 1,3\n")), [0, 1, 2, NAMELESS + 1]);
    }
}
