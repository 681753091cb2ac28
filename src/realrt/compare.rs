//! The parts of an answer, each held against what the model says of it.

use super::counters;
use super::graph;
use super::lockstep::Pair;
use super::protocol::{Address, Answer, BufferSeen, MeshSeen};
use super::tally::Figures;
use super::tensors;
use super::watch::KINDS;
use crate::allocator::AllocatorId;
use crate::op::{BufferHandle, MeshHandle, Op};
use crate::runtime::object::MeshBufferState;
use crate::units::BufferType;

/// A part that differs: its name, what the runtime says, and what the model says.
pub(super) type Part = (String, String, String);

impl Pair<'_> {
    /// The parts of the answer that the model gives otherwise, and both versions of each.
    pub fn compare(&mut self, op: &Op, modelled: &Option<String>) -> Vec<Part> {
        self.adopt_ids();
        let answer =
            Answer { ok: self.seen.ok, error: self.seen.error.clone(), ..Answer::default() };
        let raised = self.compare_raised(op, &answer, modelled);
        if !raised.is_empty() {
            // What it did instead is no other difference.
            return raised;
        }
        let buffers: Vec<BufferHandle> = self.names.buffers.keys().copied().collect();
        let differs = buffers.into_iter().filter_map(|name| self.compare_buffer(name));
        let meshes = self.names.meshes.keys().flat_map(|&name| self.compare_mesh(name));
        differs.chain(meshes).chain(self.compare_graph()).chain(self.compare_counters()).collect()
    }

    /// What a call raises.
    pub fn compare_raised(
        &mut self,
        op: &Op,
        answer: &Answer,
        modelled: &Option<String>,
    ) -> Vec<Part> {
        let real =
            (!answer.ok).then(|| self.plain(&answer.error, modelled.as_deref().unwrap_or("")));
        let told = |text: &Option<String>| match text {
            Some(text) => format!("`{text}`"),
            None => "nothing".to_owned(),
        };
        let part = || (format!("what {} raises", super::word(op)), told(&real), told(modelled));
        (real != *modelled).then(part).into_iter().collect()
    }

    fn compare_buffer(&self, name: BufferHandle) -> Option<Part> {
        let seen = self.seen.buffers.get(&name.to_string());
        let real = match seen {
            None => "that it holds nothing".to_owned(),
            Some((false, _)) => "not allocated".to_owned(),
            Some((true, Address::At(address))) => address.to_string(),
            Some((true, address)) => format!("{address:?}"),
        };
        let object = self.model.runtime().object(name);
        let model = match object {
            None => "that it holds nothing".to_owned(),
            Some(object) if object.state == MeshBufferState::Deallocated => {
                "not allocated".to_owned()
            }
            Some(object) => object.address.0.to_string(),
        };
        let part = if real.parse::<u64>().is_ok() && model.parse::<u64>().is_ok() {
            "the address"
        } else {
            "whether a tensor is allocated"
        };
        (real != model).then(|| (part.to_owned(), format!("{name} {real}"), model))
    }

    fn compare_mesh(&self, name: MeshHandle) -> Vec<Part> {
        let runtime = self.model.runtime();
        let Some(seen) = self.seen.meshes.get(&name.to_string()) else {
            let (real, model) = ("nothing".to_owned(), format!("{name} is there"));
            return vec![("the meshes".to_owned(), real, model)];
        };
        let mesh = runtime.mesh_device(name);
        let closed = (seen.closed.is_some(), mesh.is_none_or(|mesh| !mesh.open));
        let id = mesh.map_or(0, |mesh| u64::from(mesh.mesh_id));
        let first = u64::from(self.first_mesh.unwrap_or(0));
        let cache = runtime.cache_entries(name).unwrap_or(0) as u64;
        let facts = [
            ("whether a mesh is closed", u64::from(closed.0), u64::from(closed.1)),
            ("the mesh id", u64::from(seen.id) - first.min(u64::from(seen.id)), id),
            ("the cache's count", seen.cache.unwrap_or(cache), cache),
        ];
        let facts = facts.into_iter().filter(|(_, real, model)| real != model);
        let facts = facts.map(|(part, real, model)| {
            (part.to_owned(), format!("{name} {real}"), model.to_string())
        });
        let mut parts: Vec<_> = facts.collect();
        let chips: Vec<u8> =
            mesh.map_or(Vec::new(), |mesh| mesh.chips.iter().map(|chip| chip.0).collect());
        if seen.chips != chips {
            let (real, model) = (format!("{name} {:?}", seen.chips), format!("{chips:?}"));
            parts.push(("the chips of a mesh".to_owned(), real, model));
        }
        if !closed.0 && !closed.1 {
            parts.extend(KINDS.into_iter().filter_map(|kind| self.compare_table(name, seen, kind)));
            parts.extend(self.compare_rows(name, seen));
        }
        parts
    }

    fn compare_table(&self, mesh: MeshHandle, seen: &MeshSeen, kind: BufferType) -> Option<Part> {
        let runtime = self.model.runtime();
        let list = runtime.allocator_of(mesh)?.manager(kind).allocator(AllocatorId(0)).ok()?;
        let base = list.config().offset.0;
        let blocks = list.blocks().filter(|block| block.allocated);
        let model: Vec<_> = blocks.map(|one| (one.address.0 - base, one.size.0)).collect();
        let kind = tensors::kind_name(kind);
        let real = seen.tables.get(kind).cloned().unwrap_or_default();
        let place = (0..real.len().max(model.len())).find(|&at| real.get(at) != model.get(at))?;
        let told = |block: Option<&(u64, u64)>| match block {
            Some((start, size)) => format!("{size} bytes at {start}"),
            None => "none".to_owned(),
        };
        let real = format!("{mesh} {kind} block {place}: {}", told(real.get(place)));
        Some(("the block table".to_owned(), real, told(model.get(place))))
    }

    /// The rows of `get_buffers`, and the buffers that the model has in the same set.
    fn compare_rows(&self, mesh: MeshHandle, seen: &MeshSeen) -> Option<Part> {
        let allocator = self.model.runtime().allocator_of(mesh)?.id();
        let first_mesh = self.first_mesh.unwrap_or(0);
        let rows = self.ledger.registered(allocator).map(|made| {
            let figures = graph::figures(&self.setup, &made.spec);
            BufferSeen {
                address: made.address.0,
                kind: tensors::kind_name(made.spec.buffer_type).to_owned(),
                device: made.mesh_id + first_mesh,
                layout: figures.layout.to_owned(),
                per_bank: figures.per_bank,
            }
        });
        let (mut model, mut real): (Vec<_>, Vec<_>) = (rows.collect(), seen.buffers.clone());
        model.sort();
        real.sort();
        let place = (0..real.len().max(model.len())).find(|&at| real.get(at) != model.get(at))?;
        let told = |row: Option<&BufferSeen>| match row {
            Some(BufferSeen { address, kind, device, layout, per_bank }) => {
                format!("{kind} at {address} of mesh {device}, {layout}, {per_bank} a bank")
            }
            None => "none".to_owned(),
        };
        let row = format!("{mesh} row {place}: {}", told(real.get(place)));
        Some(("a row of get_buffers".to_owned(), row, told(model.get(place))))
    }

    /// The nodes of a capture that ended.
    fn compare_graph(&self) -> Option<Part> {
        let graph = self.ledger.ended.as_ref()?;
        let first_mesh = self.first_mesh.unwrap_or(0);
        let model = graph::modelled(graph, &self.ledger, &self.setup, first_mesh);
        let real = graph::shown(&self.seen.nodes);
        let place = (0..real.len().max(model.len())).find(|&at| real.get(at) != model.get(at))?;
        let told = |line: Option<&String>| line.map_or("none", String::as_str).to_owned();
        let node = format!("node {place}: {}", told(real.get(place)));
        Some(("a node of the graph".to_owned(), node, told(model.get(place))))
    }

    /// Whether what the graph of a capture that ended shows of circular buffers is what the model
    /// does.
    pub fn shows_circular_buffers(&self) -> bool {
        let Some(graph) = self.ledger.ended.as_ref() else { return true };
        let first_mesh = self.first_mesh.unwrap_or(0);
        let model = graph::modelled(graph, &self.ledger, &self.setup, first_mesh);
        let real = graph::shown(&self.seen.nodes);
        let is_one = |line: &&String| line.starts_with("circular_buffer");
        model.iter().filter(is_one).eq(real.iter().filter(is_one))
    }

    /// What the process counts of its buffers, on each chip.
    pub fn compare_counters(&self) -> Vec<Part> {
        let all = self.seen.counters.iter().flat_map(|of| BufferType::ALL.map(|kind| (of, kind)));
        let differs = all.filter_map(|((&chip, region), kind)| {
            let real = Figures::shown(region, kind);
            let model = self.ledger.tally.figures(chip, kind);
            if real == model {
                return None;
            }
            let (real, model) = match real.own == model.own {
                true => (real.to_string(), model.to_string()),
                false => (format!("{} bytes", real.own), model.own.to_string()),
            };
            Some(("the counters".to_owned(), format!("{real} of {kind} on chip {chip}"), model))
        });
        differs.chain(self.compare_circular_buffers()).collect()
    }

    /// What is counted of circular buffers: the runtime looks ten times a second at most, so each
    /// number can be an old one, but it is one that some of the programs come to.
    fn compare_circular_buffers(&self) -> Option<Part> {
        let base = self.setup.memory.l1.offset.0;
        let all = self.setup.machine.grid().core_count();
        let programs = self.ledger.programs.iter().map(|&(cores, end)| {
            let cores = cores.unwrap_or(all).min(all);
            (u64::from(cores), end.0.saturating_sub(base))
        });
        let sums = counters::sums(&programs.collect::<Vec<_>>())?;
        let told = self
            .seen
            .counters
            .iter()
            .flat_map(|(chip, region)| region.circular_buffers().map(|bytes| (*chip, bytes)));
        // What a killed process counted is there besides.
        let is_one = |real: u64| {
            let mut rest = self.resident.iter().filter_map(|left| real.checked_sub(*left));
            sums.contains(&real) || rest.any(|rest| sums.contains(&rest))
        };
        let mut odd = told.filter(|&(_, real)| !is_one(real));
        let (chip, real) = odd.next()?;
        let real = format!("{real} bytes of circular buffers on chip {chip}");
        Some(("the counters".to_owned(), real, format!("one of {sums:?}")))
    }
}
