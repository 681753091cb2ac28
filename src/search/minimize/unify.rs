//! One name instead of two: what a second handle or mesh did, the first one can often do as well.

use std::collections::{BTreeMap, BTreeSet};

use super::reducer::Reducer;
use crate::op::{Name, Op};

/// The name that an operation gives to something made of another of its kind, and the other's.
fn copied(op: &Op) -> Option<(Name, Name)> {
    match *op {
        Op::Submesh { mesh, parent, .. } => Some((Name::Mesh(mesh), Name::Mesh(parent))),
        Op::ShareProgram { program, of } => Some((Name::Program(program), Name::Program(of))),
        Op::Share { buffer, of } | Op::Alias { buffer, of } | Op::View { buffer, of, .. } => {
            Some((Name::Buffer(buffer), Name::Buffer(of)))
        }
        _ => None,
    }
}

/// Cases of up to so many operations are tried: the number of choices grows with the cube.
const UNIFIED_OPERATIONS_MAX: usize = 24;

impl Reducer<'_, '_> {
    /// Says of a buffer what is said of another handle, alias or view of it, which is left out, and
    /// so of programs and meshes: of all of them, of half of them and so on.
    pub(super) fn shorten_chains(&mut self) {
        self.begin("chains");
        let mut size = self.copies().len();
        while size > 0 && !self.is_stopped() {
            let mut end = self.copies().len();
            while end > 0 && !self.was_stopped() {
                let copies = self.copies();
                end = end.min(copies.len());
                let start = end.saturating_sub(size);
                self.offer_without_copies(&copies[start..end]);
                end = start;
            }
            size /= 2;
        }
    }

    /// The operations that make something of another of its kind.
    fn copies(&self) -> Vec<usize> {
        let ops = self.best.ops.iter().enumerate();
        ops.filter(|(_, (_, op))| copied(op).is_some()).map(|(place, _)| place).collect()
    }

    fn offer_without_copies(&mut self, copies: &[usize]) -> bool {
        let mut origins: BTreeMap<Name, Name> = BTreeMap::new();
        let mut renamed = self.best.ops.clone();
        for (place, (_, op)) in renamed.iter_mut().enumerate() {
            op.rename(|name| origins.get(&name).copied().unwrap_or(name));
            if copies.binary_search(&place).is_ok()
                && let Some((copy, of)) = copied(&self.best.ops[place].1)
            {
                origins.insert(copy, origins.get(&of).copied().unwrap_or(of));
            }
        }
        let is_left_out = |place: usize| copies.binary_search(&place).is_ok();
        let mut candidate = self.without(is_left_out);
        let kept = renamed.into_iter().enumerate().filter(|&(place, _)| !is_left_out(place));
        candidate.ops = kept.map(|(_, op)| op).collect();
        self.offer(candidate)
    }

    /// Leaves out one operation on a name, and says the others of another name of its kind.
    pub(super) fn unify_names(&mut self) {
        self.begin("unify");
        if self.best.ops.len() > UNIFIED_OPERATIONS_MAX {
            return;
        }
        while self.unify_two() && !self.is_stopped() {}
    }

    fn unify_two(&mut self) -> bool {
        let mentioned = self.best.ops.iter().flat_map(|(_, op)| op.names());
        let names: BTreeSet<Name> = mentioned.collect();
        for &name in names.iter().rev() {
            let kind = std::mem::discriminant(&name);
            let others = names.iter().filter(|&other| std::mem::discriminant(other) == kind);
            for &other in others.filter(|&&other| other != name) {
                for left_out in 0..self.best.ops.len() {
                    if !self.best.ops[left_out].1.names().contains(&name) {
                        continue;
                    }
                    let mut candidate = self.without(|op| op == left_out);
                    for (_, op) in &mut candidate.ops {
                        op.rename(|one| if one == name { other } else { one });
                    }
                    if self.offer(candidate) {
                        return true;
                    }
                }
            }
        }
        false
    }
}
