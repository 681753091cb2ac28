//! The oracles on real answers: what must hold whatever a model says.

use std::collections::BTreeMap;

use super::protocol::{Address, Answer};
use super::tensors;
use super::translate::Names;
use crate::op::{BufferHandle, CaptureStep, Handle, MeshHandle, Op, RunMode};
use crate::runtime::Setup;
use crate::units::BufferType;

/// What an oracle says: its name, and the facts.
pub(super) type Finding = (&'static str, String);

/// An owner that no name holds any more: it is part of a cycle.
#[derive(Clone, Copy, Debug)]
struct Cycled {
    mesh: MeshHandle,
    buffer_type: BufferType,
    address: u64,
}

/// What the oracles remember of a program.
#[derive(Clone, Debug, Default)]
pub(super) struct Watch {
    cycled: Vec<Cycled>,
    /// The modes of the captures that have not ended: that of the first holds.
    captures: Vec<RunMode>,
}

/// A step: what was asked, what could be seen before and after it, and what names held.
#[derive(Clone, Copy, Debug)]
pub(super) struct Step<'a> {
    pub setup: &'a Setup,
    pub op: &'a Op,
    pub before: (&'a Answer, &'a Names),
    pub after: (&'a Answer, &'a Names),
}

const KINDS: [BufferType; 3] = [BufferType::Dram, BufferType::L1, BufferType::L1Small];

impl Watch {
    /// The first thing that is wrong after a step.
    pub fn look(&mut self, step: &Step<'_>) -> Option<Finding> {
        let found = step
            .failed_call_changed()
            .or_else(|| self.use_after_free(step))
            .or_else(|| step.touches_other())
            .or_else(|| step.frees_anothers())
            .or_else(|| self.circular_buffers_nowhere(step))
            .or_else(|| step.graph_events());
        self.remember(step);
        found.or_else(|| step.reports_disagree()).or_else(|| self.blocks(step))
    }

    fn remember(&mut self, step: &Step<'_>) {
        match step.op {
            Op::Cycle(name) => {
                let held = step.before.1.buffers.get(name);
                let seen = address(step.before.0, *name);
                if let (Some(held), Some(address)) = (held, seen) {
                    let (mesh, buffer_type) = (held.mesh, held.spec.buffer_type);
                    self.cycled.push(Cycled { mesh, buffer_type, address });
                }
            }
            Op::Gc => self.cycled.clear(),
            Op::Drop(Handle::Mesh(mesh)) => self.cycled.retain(|cycled| cycled.mesh != *mesh),
            Op::Capture(CaptureStep::Begin(mode)) => self.captures.push(*mode),
            Op::Capture(CaptureStep::End) => drop(self.captures.pop()),
            _ => {}
        }
    }

    /// Use after free raises.
    fn use_after_free(&self, step: &Step<'_>) -> Option<Finding> {
        let ((before, names), (after, _)) = (step.before, step.after);
        let reads: &[BufferHandle] = match step.op {
            Op::Use(name) => std::slice::from_ref(name),
            Op::Run(run) => &run.reads,
            _ => return None,
        };
        if !after.ok {
            return None;
        }
        for name in reads {
            let held = names.buffers.get(name)?;
            let group = names.buffers.iter().filter(|(_, other)| other.group == held.group);
            let mut group = group;
            let freed = group.find(|(other, _)| !is_allocated(before, **other));
            if let Some((other, _)) = freed {
                let text = format!("{name} is read, though {other}, the same tensor, is gone");
                return Some(("use-after-free", text));
            }
            let nowhere = address(before, *name) == Some(0);
            if nowhere && held.spec.pages.total().0 > 0 && self.captures.is_empty() {
                let text = format!("{name} is read, which has no memory: its address is 0");
                return Some(("use-of-nothing", text));
            }
        }
        None
    }

    /// Circular buffers of a program that runs are somewhere.
    fn circular_buffers_nowhere(&self, step: &Step<'_>) -> Option<Finding> {
        let nodes = &step.after.0.nodes;
        let nowhere = |facts: &BTreeMap<String, serde_json::Value>| {
            let address = facts.get("address");
            address.is_some_and(|one| one.as_u64() == Some(0) || one.as_str() == Some("0"))
        };
        let shown = nodes.iter().filter(|(kind, _)| kind == "circular_buffer_allocate");
        let found = shown.filter(|(_, facts)| nowhere(facts)).count();
        (found > 0 && self.captures.first() == Some(&RunMode::Normal)).then(|| {
            let text = format!("{found} circular buffers of programs that ran are at address 0");
            ("circular-buffers-nowhere", text)
        })
    }

    /// One live owner has one block of its own; every block has a live owner.
    fn blocks(&self, step: &Step<'_>) -> Option<Finding> {
        let (after, names) = step.after;
        for mesh in names.meshes.keys() {
            let Some(seen) = after.meshes.get(&mesh.to_string()) else { continue };
            for kind in KINDS.into_iter().filter(|_| seen.closed.is_none()) {
                let base = step.setup.memory.region(kind).offset.0;
                let blocks = seen.tables.get(tensors::kind_name(kind));
                let blocks: Vec<(u64, u64)> = blocks
                    .into_iter()
                    .flatten()
                    .map(|&(start, size)| (base + start, size))
                    .collect();
                let found = self.owners(step, *mesh, kind, &blocks);
                if found.is_some() {
                    return found;
                }
            }
        }
        None
    }

    fn owners(
        &self,
        step: &Step<'_>,
        mesh: MeshHandle,
        kind: BufferType,
        blocks: &[(u64, u64)],
    ) -> Option<Finding> {
        let (after, names) = step.after;
        let mut owners: BTreeMap<u64, (BufferHandle, u32)> = BTreeMap::new();
        let here = names.buffers.iter();
        let here = here.filter(|(_, held)| {
            held.mesh == mesh && held.spec.buffer_type == kind && !held.expired
        });
        for (name, held) in here.filter(|(_, held)| held.spec.pages.total().0 > 0) {
            let Some(address) = address(after, *name).filter(|&address| address > 0) else {
                continue;
            };
            if !blocks.iter().any(|&(start, _)| start == address) {
                let text = format!("{name} is allocated at {address} and no block is there");
                return Some(("no-block", text));
            }
            let other = owners.insert(address, (*name, held.group));
            if let Some((other, _)) = other.filter(|&(_, group)| group != held.group) {
                let text = format!("{other} and {name} are both allocated at {address}");
                return Some(("overlap", text));
            }
        }
        let is_cycled = |start: u64| {
            self.cycled.iter().any(|cycled| {
                (cycled.mesh, cycled.buffer_type, cycled.address) == (mesh, kind, start)
            })
        };
        let orphan =
            blocks.iter().find(|&&(start, _)| !owners.contains_key(&start) && !is_cycled(start));
        orphan.map(|(start, size)| {
            let text = format!("{size} bytes of {mesh} at {start} are allocated to nobody");
            ("orphan-block", text)
        })
    }
}

impl Step<'_> {
    /// A failed call changes nothing.
    fn failed_call_changed(&self) -> Option<Finding> {
        let (before, after) = (self.before.0, self.after.0);
        if after.ok || (before.buffers == after.buffers && before.meshes == after.meshes) {
            return None;
        }
        let text = format!("the call raised `{}`, and something changed", after.error);
        Some(("failed-call", text))
    }

    /// Freeing or closing one handle touches no other.
    fn touches_other(&self) -> Option<Finding> {
        let ((before, names), (after, _)) = (self.before, self.after);
        let own = match self.op {
            Op::Deallocate(name)
            | Op::DeallocateUnforced(name)
            | Op::Drop(Handle::Buffer(name))
            | Op::Cycle(name) => names.buffers.get(name).map(|held| held.group),
            Op::Gc | Op::Use(_) | Op::Share { .. } | Op::Close(_) | Op::Open { .. } => None,
            Op::Drop(Handle::Mesh(_)) | Op::Submesh { .. } | Op::ClearCache(_) => None,
            Op::Fork(_) => None,
            _ => return None,
        };
        for (name, _) in names.buffers.iter().filter(|(_, held)| Some(held.group) != own) {
            let key = name.to_string();
            let (was, is) = (before.buffers.get(&key), after.buffers.get(&key));
            if was != is {
                let text =
                    format!("{name}, which has nothing to do with it, was {was:?}, is {is:?}");
                return Some(("touches-other", text));
            }
        }
        let own = match self.op {
            Op::Close(mesh) | Op::Drop(Handle::Mesh(mesh)) | Op::ClearCache(mesh) => Some(*mesh),
            Op::Fork(_) => None,
            _ => return None,
        };
        for mesh in names.meshes.keys().filter(|&&mesh| Some(mesh) != own) {
            let key = mesh.to_string();
            if before.meshes.get(&key) != after.meshes.get(&key) {
                let text = format!("{mesh} is not what it was before `{}`", self.op);
                return Some(("touches-other", text));
            }
        }
        None
    }

    /// A tensor that is let go takes nobody else's block with it.
    fn frees_anothers(&self) -> Option<Finding> {
        let ((before, names), (after, _)) = (self.before, self.after);
        let (Op::Deallocate(name) | Op::DeallocateUnforced(name) | Op::Drop(Handle::Buffer(name))) =
            self.op
        else {
            return None;
        };
        let own = names.buffers.get(name)?;
        let others =
            names.buffers.iter().filter(|(_, held)| held.group != own.group && !held.expired);
        for (other, held) in others {
            let (kind, mesh) = (held.spec.buffer_type, held.mesh.to_string());
            let base = self.setup.memory.region(kind).offset.0;
            let Some(address) = address(before, *other).filter(|&address| address >= base) else {
                continue;
            };
            let has = |answer: &Answer| {
                let table = answer.meshes.get(&mesh)?.tables.get(tensors::kind_name(kind))?;
                Some(table.iter().any(|&(start, _)| base + start == address))
            };
            if (has(before), has(after)) == (Some(true), Some(false)) {
                let text = format!("{other} at {address} lost its block when {name} was let go");
                return Some(("frees-anothers", text));
            }
        }
        None
    }

    /// The table of blocks and the report of buffers are of one mind.
    fn reports_disagree(&self) -> Option<Finding> {
        for (mesh, seen) in self.after.0.meshes.iter().filter(|(_, seen)| seen.closed.is_none()) {
            for kind in KINDS {
                let name = tensors::kind_name(kind);
                let blocks = seen.tables.get(name).map_or(0, Vec::len);
                let buffers = seen.buffers.iter().filter(|(_, one)| one == name).count();
                if blocks != buffers {
                    let text = format!(
                        "{mesh} has {blocks} blocks of {name} and get_buffers reports {buffers}"
                    );
                    return Some(("reports-disagree", text));
                }
            }
        }
        None
    }

    /// Circular buffers that a capture saw built on several chips are cleared on each of them.
    fn graph_events(&self) -> Option<Finding> {
        let device = |facts: &BTreeMap<String, serde_json::Value>| -> Option<u64> {
            let id = facts.get("device_id")?;
            id.as_u64().or_else(|| id.as_str()?.parse().ok())
        };
        let of = |wanted: &'static str| {
            let nodes = self.after.0.nodes.iter().filter(move |(kind, _)| kind == wanted);
            nodes.filter_map(move |(_, facts)| device(facts)).collect::<Vec<_>>()
        };
        let mut built = of("circular_buffer_allocate");
        let cleared = of("circular_buffer_deallocate_all");
        built.sort_unstable();
        built.dedup();
        let left: Vec<_> = built.iter().filter(|id| !cleared.contains(id)).collect();
        (built.len() > 1 && !left.is_empty()).then(|| {
            let text = format!(
                "circular buffers were built on devices {built:?} and cleared on {cleared:?}"
            );
            ("circular-buffers-not-cleared", text)
        })
    }
}

fn is_allocated(answer: &Answer, name: BufferHandle) -> bool {
    answer.buffers.get(&name.to_string()).is_some_and(|(allocated, _)| *allocated)
}

/// Where a tensor that is allocated is.
fn address(answer: &Answer, name: BufferHandle) -> Option<u64> {
    match answer.buffers.get(&name.to_string())? {
        (true, Address::At(address)) => Some(*address),
        _ => None,
    }
}
