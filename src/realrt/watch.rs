//! The oracles on real answers: what must hold whatever a model says.

use std::collections::BTreeSet;

use super::overlaps::Overlaps;
use super::protocol::{Address, Answer};
use super::shown::Captures;
use super::tensors;
use super::translate::Names;
use crate::op::{BufferHandle, Handle, MeshHandle, Op, ThreadId};
use crate::runtime::Setup;
use crate::units::BufferType;

/// What an oracle says: its name, and the facts.
pub(super) type Finding = (&'static str, String);

/// The names of the oracles.
pub const ORACLES: [&str; 16] = [
    "failed-call",
    "use-after-free",
    "use-of-nothing",
    "touches-other",
    "frees-anothers",
    "circular-buffers-nowhere",
    "circular-buffers-not-cleared",
    "graph-blocks",
    "reports-disagree",
    "no-block",
    "overlap",
    "orphan-block",
    "counters-disagree",
    "counts-of-the-dead",
    "not-counted",
    "capture-does-not-end",
];

/// How what is said of counters that do not add up begins.
const SUMS: &str = "the counters of chip ";

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
    captures: Captures,
    overlaps: Overlaps,
}

/// A step: what was asked, what could be seen before and after it, and what names held.
#[derive(Clone, Copy, Debug)]
pub(super) struct Step<'a> {
    pub setup: &'a Setup,
    pub op: &'a Op,
    pub thread: ThreadId,
    pub before: (&'a Answer, &'a Names),
    pub after: (&'a Answer, &'a Names),
}

pub(super) const KINDS: [BufferType; 3] = [BufferType::Dram, BufferType::L1, BufferType::L1Small];

impl Watch {
    /// Everything that is wrong after a step, what matters most first.
    pub fn look(&mut self, step: &Step<'_>) -> Vec<Finding> {
        let found = [
            step.failed_call_changed(),
            self.use_after_free(step),
            step.touches_other(),
            step.frees_anothers(),
        ];
        let endless = self.captures.does_not_end(step);
        let shown = endless.into_iter().chain(self.captures.look(step));
        self.remember(step);
        let overlaps = self.overlaps.look(step);
        let found = found.into_iter().flatten().chain(shown).chain(step.reports_disagree());
        let found = found.chain(overlaps).chain(self.blocks(step)).chain(step.counters_disagree());
        found.chain(step.counts_of_the_dead()).chain(step.not_counted()).collect()
    }

    /// What is wrong with the state after it, whatever led there.
    pub fn look_at_state(&mut self, step: &Step<'_>) -> Vec<Finding> {
        let overlaps = self.overlaps.look(step);
        let found = step.reports_disagree().into_iter().chain(overlaps).chain(self.blocks(step));
        found.chain(step.counters_disagree()).collect()
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
            if nowhere && held.spec.pages.total().0 > 0 && !self.captures.any() {
                let text = format!("{name} is read, which has no memory: its address is 0");
                return Some(("use-of-nothing", text));
            }
        }
        None
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
        let mut owners: BTreeSet<u64> = BTreeSet::new();
        let here = names.buffers.iter();
        let here = here.filter(|(_, held)| {
            held.mesh == mesh && held.spec.buffer_type == kind && !held.expired
        });
        for (name, _) in here.filter(|(_, held)| held.spec.pages.total().0 > 0) {
            let Some(address) = address(after, *name).filter(|&address| address > 0) else {
                continue;
            };
            if !blocks.iter().any(|&(start, _)| start == address) {
                let text = format!("{name} is allocated at {address} and no block is there");
                return Some(("no-block", text));
            }
            owners.insert(address);
        }
        let is_cycled = |start: u64| {
            self.cycled.iter().any(|cycled| {
                (cycled.mesh, cycled.buffer_type, cycled.address) == (mesh, kind, start)
            })
        };
        let orphan =
            blocks.iter().find(|&&(start, _)| !owners.contains(&start) && !is_cycled(start));
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

    /// The table of blocks and the report of buffers are of one mind: each block is a buffer's.
    fn reports_disagree(&self) -> Option<Finding> {
        for (mesh, seen) in self.after.0.meshes.iter().filter(|(_, seen)| seen.closed.is_none()) {
            for kind in KINDS {
                let (name, base) =
                    (tensors::kind_name(kind), self.setup.memory.region(kind).offset.0);
                let blocks = seen.tables.get(name).into_iter().flatten();
                let blocks: Vec<_> = blocks.map(|&(start, size)| (base + start, size)).collect();
                let rows = seen.buffers.iter().filter(|row| row.kind == name);
                let rows: Vec<_> = rows.map(|row| (row.address, row.per_bank)).collect();
                let is_one = blocks.len() == rows.len()
                    && blocks.iter().zip(&rows).all(|(block, row)| {
                        // A bank's pages are aligned in the block, and not in the report.
                        block.0 == row.0 && row.1 > 0 && row.1 <= block.1
                    });
                if !is_one {
                    let text = format!(
                        "{mesh} has blocks of {name} {}, and get_buffers reports {}",
                        told(&blocks),
                        told(&rows)
                    );
                    return Some(("reports-disagree", text));
                }
            }
            if let Some(row) = seen.buffers.iter().find(|row| row.device != seen.id) {
                let (id, of) = (seen.id, row.device);
                let text = format!("get_buffers of {mesh}, whose id is {id}, has one of mesh {of}");
                return Some(("reports-disagree", text));
            }
        }
        None
    }

    /// What is counted of the chips of one process alone is what that process has.
    fn counts_of_the_dead(&self) -> Option<Finding> {
        let mut regions = self.after.0.counters.iter().filter(|(_, region)| region.references > 0);
        let dead = regions.find(|(_, region)| region.of_others() > 0);
        let (chip, region) = dead.filter(|_| matches!(self.op, Op::Open { .. }))?;
        let (bytes, references) = (region.of_others(), region.references);
        let text = format!(
            "{bytes} bytes on chip {chip} are counted for no process that lives; {references} are \
             attached"
        );
        Some(("counts-of-the-dead", text))
    }

    /// What is allocated is counted.
    fn not_counted(&self) -> Option<Finding> {
        let (before, after) = (self.before.0, self.after.0);
        let Op::Alloc { buffer, spec, .. } = self.op else { return None };
        let is_somewhere = address(after, *buffer).is_some_and(|address| address > 0);
        let own = |answer: &Answer| -> Vec<_> {
            answer.counters.iter().map(|(chip, region)| (*chip, region.own)).collect()
        };
        let any = after.counters.values().any(|region| region.references > 0);
        (after.ok && is_somewhere && any && own(before) == own(after)).then(|| {
            let text = format!("{buffer}, {} a chip, is in no counter", spec.pages.total());
            ("not-counted", text)
        })
    }

    /// The counters in shared memory are there for each mesh that is open, and add up.
    fn counters_disagree(&self) -> Option<Finding> {
        let after = self.after.0;
        let wrong = after.counters.iter().find_map(|(chip, region)| {
            Some(format!("{SUMS}{chip} are {}", region.contradiction()?))
        });
        // What is closed with another mesh on its chips has lost them; this says nothing of it.
        let asks = matches!(self.op, Op::Open { .. } | Op::Fork(_));
        let is_open = asks && after.meshes.values().any(|seen| seen.closed.is_none());
        let missing = is_open && !after.counters.values().any(|region| region.references > 0);
        let missing = missing.then(|| "a mesh is open, and no chip has counters".to_owned());
        wrong.or(missing).map(|text| ("counters-disagree", text))
    }
}

/// Where things are and how large, shortened.
fn told(of: &[(u64, u64)]) -> String {
    let shown: Vec<String> =
        of.iter().take(4).map(|(start, size)| format!("{size} at {start}")).collect();
    let more = if of.len() > 4 { format!(" and {} more", of.len() - 4) } else { String::new() };
    format!("[{}{more}]", shown.join(", "))
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
