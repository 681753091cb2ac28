//! Two owners never have the same bytes of one chip: what the tables of all meshes say together.

use std::collections::{BTreeMap, BTreeSet};

use super::protocol::{Address, Answer, MeshSeen};
use super::tensors;
use super::translate::Names;
use super::watch::{Finding, Step};
use crate::op::{BufferHandle, Handle, Op};
use crate::units::BufferType;

/// Who has bytes of some chips.
#[derive(Clone, Debug, PartialEq, Eq)]
struct Owner {
    name: BufferHandle,
    group: u32,
    /// The id of its mesh.
    mesh: u32,
    buffer_type: BufferType,
    address: u64,
}

/// What is remembered of all meshes and owners.
#[derive(Clone, Debug, Default)]
pub(super) struct Overlaps {
    /// What meshes said last, by their ids: one whose name is gone can live on.
    meshes: BTreeMap<u32, MeshSeen>,
    cycled: Vec<Owner>,
    /// The pairs that overlap already.
    told: BTreeSet<(u32, u32)>,
}

impl Overlaps {
    /// The pairs of owners that begin to overlap with a step.
    pub fn look(&mut self, step: &Step<'_>) -> Vec<Finding> {
        self.remember(step);
        let owners = self.owners(step);
        let (mut found, mut now) = (Vec::new(), BTreeSet::new());
        for (place, one) in owners.iter().enumerate() {
            for other in &owners[place + 1..] {
                let pair = (one.group.min(other.group), one.group.max(other.group));
                let Some(chip) = self.overlap(step, one, other).filter(|_| now.insert(pair)) else {
                    continue;
                };
                if !self.told.contains(&pair) {
                    let [first, second] = [one, other].map(|owner| self.told_of(step, owner));
                    let text = format!("{first}{AND}{second}{ARE}{chip}");
                    found.push(("overlap", text));
                }
            }
        }
        self.told = now;
        found
    }

    fn remember(&mut self, step: &Step<'_>) {
        let ((before, names), (after, _)) = (step.before, step.after);
        for seen in after.meshes.values() {
            self.meshes.insert(seen.id, seen.clone());
        }
        match step.op {
            Op::Cycle(name) if after.ok => self.cycled.extend(owner(before, names, *name)),
            Op::Gc => self.cycled.clear(),
            // What a mesh takes along that nobody names any more cannot be seen.
            Op::Drop(Handle::Mesh(_)) => {
                self.cycled
                    .retain(|cycled| after.meshes.values().any(|seen| seen.id == cycled.mesh));
            }
            _ => {}
        }
    }

    /// Who has memory on a mesh that is not closed.
    fn owners(&self, step: &Step<'_>) -> Vec<Owner> {
        let (after, names) = step.after;
        let named = names.buffers.keys().filter_map(|name| owner(after, names, *name));
        let is_open =
            |owner: &Owner| self.meshes.get(&owner.mesh).is_some_and(|seen| seen.closed.is_none());
        named.chain(self.cycled.iter().cloned()).filter(is_open).collect()
    }

    /// The chip on which two owners that are not one have the same bytes.
    fn overlap(&self, step: &Step<'_>, one: &Owner, other: &Owner) -> Option<u8> {
        let is_dram = |owner: &Owner| owner.buffer_type == BufferType::Dram;
        if one.group == other.group || is_dram(one) != is_dram(other) {
            return None;
        }
        let (first, second) = (self.size(step, one)?, self.size(step, other)?);
        let meet = one.address < other.address + second && other.address < one.address + first;
        let [on, there] = [one, other].map(|owner| &self.meshes[&owner.mesh].chips);
        on.iter().copied().find(|chip| meet && there.contains(chip))
    }

    /// The bytes of the block at an owner's address: what each bank of each chip has of it.
    fn size(&self, step: &Step<'_>, owner: &Owner) -> Option<u64> {
        let base = step.setup.memory.region(owner.buffer_type).offset.0;
        let table =
            self.meshes.get(&owner.mesh)?.tables.get(tensors::kind_name(owner.buffer_type))?;
        let block = table.iter().find(|(start, _)| base + start == owner.address)?;
        Some(block.1)
    }

    /// What [`read`] reads.
    fn told_of(&self, step: &Step<'_>, owner: &Owner) -> String {
        let Owner { name, mesh, address, .. } = owner;
        let size = self.size(step, owner).unwrap_or(0);
        format!("{size} bytes at {address} of {name} on mesh {mesh}")
    }
}

const AND: &str = " and ";
const ARE: &str = " are the same bytes of chip ";

/// One of the two that overlap, as the finding says.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Overlapping {
    pub name: BufferHandle,
    pub address: u64,
    /// The id of its mesh, as the process counts them.
    pub mesh: u32,
}

/// The two that a finding is about, and the chip.
pub(super) fn read(detail: &str) -> Option<([Overlapping; 2], u8)> {
    let (both, chip) = detail.split_once(ARE)?;
    let (first, second) = both.split_once(AND)?;
    let one = |text: &str| {
        let words: Vec<&str> = text.split(' ').collect();
        let &[_, "bytes", "at", address, "of", name, "on", "mesh", mesh] = words.as_slice() else {
            return None;
        };
        let name = BufferHandle(name.strip_prefix('b')?.parse().ok()?);
        Some(Overlapping { name, address: address.parse().ok()?, mesh: mesh.parse().ok()? })
    };
    Some(([one(first)?, one(second)?], chip.parse().ok()?))
}

fn owner(seen: &Answer, names: &Names, name: BufferHandle) -> Option<Owner> {
    let held = names.buffers.get(&name).filter(|held| held.spec.pages.total().0 > 0)?;
    let (mesh, group) = (*seen.on.get(&name.to_string())?, held.group);
    match seen.buffers.get(&name.to_string())? {
        (true, Address::At(address @ 1..)) => {
            let (buffer_type, address) = (held.spec.buffer_type, *address);
            Some(Owner { name, group, mesh, buffer_type, address })
        }
        _ => None,
    }
}
