//! The causal cone: what has a path of names to the failure.

use std::collections::{BTreeMap, BTreeSet};

use super::reducer::Reducer;
use crate::op::Name;

/// A cone of fewer operations than these is found by deletion as fast.
const WORTHWHILE_OPERATIONS_MIN: usize = 16;

impl Reducer<'_, '_> {
    /// Keeps only the operations about what the failure is about, or about what that came from, and
    /// those that are about nothing; one run confirms it.
    pub(super) fn keep_cone(&mut self) {
        self.begin("cone");
        if self.best.ops.len() < WORTHWHILE_OPERATIONS_MIN {
            return;
        }
        let involved = self.subject.involved(&self.best);
        let all: Vec<Vec<Name>> = self.best.ops.iter().map(|(_, op)| op.names()).collect();
        let cone = cone(&all, involved);
        self.offer_without(|op| !is_about(&all[op], &cone));
    }
}

/// Whether an operation makes or changes something in the cone, or uses more of it than a mesh.
fn is_about(names: &[Name], cone: &BTreeSet<Name>) -> bool {
    let is_more = |name: &Name| !matches!(name, Name::Mesh(_));
    let Some(first) = names.first() else { return true };
    cone.contains(first) || names.iter().any(|name| is_more(name) && cone.contains(name))
}

/// The names that the involved ones came from: an operation about one of them, its first name,
/// draws in the others that it mentions.
fn cone(all: &[Vec<Name>], involved: Vec<Name>) -> BTreeSet<Name> {
    let mut about: BTreeMap<Name, Vec<&[Name]>> = BTreeMap::new();
    for names in all {
        if let Some(&first) = names.first() {
            about.entry(first).or_default().push(names);
        }
    }
    let mut cone: BTreeSet<Name> = involved.iter().copied().collect();
    let mut waiting = involved;
    while let Some(name) = waiting.pop() {
        for names in about.remove(&name).unwrap_or_default() {
            waiting.extend(names.iter().copied().filter(|&name| cone.insert(name)));
        }
    }
    cone
}
