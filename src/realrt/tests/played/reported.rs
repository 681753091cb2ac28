//! What the model reports besides tables and addresses, in the words of the driver.

use std::collections::BTreeMap;

use serde_json::json;

use super::super::super::tensors::{dtype_name, kind_name, layout_name};
use super::super::super::*;
use super::{KINDS, Played};
use crate::event::GraphNode;
use crate::op::{BufferSpec, MeshHandle, Pages};
use crate::units::{BufferType, Bytes, DeviceId};

impl Played {
    pub(super) fn rows(&self, mesh: MeshHandle) -> Vec<BufferSeen> {
        let allocator = self.model.runtime().allocator_of(mesh).unwrap().id();
        let rows = self.ledger.registered(allocator).map(|made| {
            let figures = graph::figures(&self.setup, &made.spec);
            BufferSeen {
                address: made.address.0,
                kind: kind_name(made.spec.buffer_type).to_owned(),
                device: made.mesh_id,
                layout: figures.layout.to_owned(),
                per_bank: figures.per_bank,
            }
        });
        let mut rows: Vec<_> = rows.collect();
        rows.sort();
        rows
    }

    /// Of each chip that a mesh is open on, and zeros of the others.
    pub(super) fn counters(&self) -> BTreeMap<u8, Region> {
        let runtime = self.model.runtime();
        let meshes = self.meshes.iter().filter_map(|&name| runtime.mesh_device(name));
        let open: Vec<_> = meshes.filter(|mesh| mesh.open).map(|mesh| mesh.devices).collect();
        let all = 0..self.setup.machine.chip_count() as u8;
        all.map(|chip| {
            let is_open = open.iter().any(|devices| devices.contains(DeviceId(chip)));
            let dead = self.dead.get(&chip).copied().unwrap_or(0);
            let references = dead + u32::from(is_open);
            let mut region = Region { references, ..Region::default() };
            for kind in BufferType::ALL {
                let (at, all) = (counters::counted(kind) as usize, &self.ledger.tally);
                let figures = all.figures(chip, kind);
                region.own[at] = figures.own;
                region.total[at] = figures.total;
                region.chips[at] = figures.chips;
                region.processes[at] = figures.processes;
            }
            (chip, region)
        })
        .collect()
    }

    /// The nodes of a capture, as the runtime's graph has them.
    #[allow(clippy::too_many_lines, reason = "an arm for each kind of node")]
    pub(super) fn nodes(&self, ended: &ledger::Graph) -> Vec<Node> {
        let mut nodes: Vec<Node> = Vec::new();
        let mut known = BTreeMap::new();
        let node = |kind: &str, of: &[u64], facts: serde_json::Value| Node {
            kind: kind.to_owned(),
            connections: of.to_vec(),
            params: serde_json::from_value(facts).unwrap(),
            ..Node::default()
        };
        for (shown, cores) in ended {
            let (kind, object, address, size) = match *shown {
                GraphNode::BufferAllocate { object, address, size, .. } => {
                    ("buffer_allocate", object, address, size)
                }
                GraphNode::BufferDeallocate { object, address, size, .. } => {
                    ("buffer_deallocate", object, address, size)
                }
                GraphNode::CircularBufferAllocate { device, address, size } => {
                    let cores = graph::core_ranges(*cores, self.setup.machine.grid());
                    nodes.extend(graph::devices(device, 0).into_iter().rev().map(|device| {
                        let facts = json!({
                            "device_id": device, "address": address.0.to_string(),
                            "size": size.0.to_string(), "core_range_set": cores,
                            "globally_allocated": "0",
                        });
                        node("circular_buffer_allocate", &[], facts)
                    }));
                    continue;
                }
                GraphNode::CircularBufferDeallocateAll { device } => {
                    nodes.extend(graph::devices(device, 0).into_iter().map(|device| {
                        node("circular_buffer_deallocate_all", &[], json!({"device_id": device}))
                    }));
                    continue;
                }
                _ => continue,
            };
            let Some(made) = self.ledger.made(object) else { continue };
            let figures = graph::figures(&self.setup, &made.spec);
            let (code, group) = match made.spec.buffer_type {
                BufferType::Dram => (0, "DRAM"),
                BufferType::L1 => (1, "L1"),
                BufferType::L1Small => (3, "L1"),
                BufferType::Trace => (4, "DRAM"),
            };
            let mut facts = json!({
                "buffer_type": code, "type": group, "size": size.0, "device_id": made.mesh_id,
                "layout": figures.layout,
            });
            let of = *known.entry(object.unique_id).or_insert_with(|| {
                let counter = 1000 + nodes.len() as u64;
                nodes.push(Node { counter, ..node("buffer", &[], facts.clone()) });
                counter
            });
            let more = json!({
                "address": address.0, "page_size": made.spec.pages.size.0,
                "num_cores": figures.cores, "max_size_per_bank": figures.aligned_per_bank,
            });
            facts.as_object_mut().unwrap().extend(more.as_object().unwrap().clone());
            nodes.push(node(kind, &[of], facts));
        }
        nodes
    }
}

/// The pages of the tensor that is asked for, worked out from dtype, layout and shape.
pub(super) fn spec(request: &Request) -> BufferSpec {
    use crate::interop::conform::tensor::{Dtype, Kind, Layout, Tensor};
    let Request::Alloc { kind, dtype, layout, shape, shards, .. } = request else {
        panic!("only an allocation has a shape")
    };
    let dtypes = [
        Dtype::Bfloat16,
        Dtype::Float32,
        Dtype::Uint32,
        Dtype::Int32,
        Dtype::Uint16,
        Dtype::Uint8,
        Dtype::Bfloat8B,
        Dtype::Bfloat4B,
    ];
    let dtype = dtypes.into_iter().find(|&one| dtype_name(one) == *dtype).unwrap();
    let layouts = [Layout::Tile, Layout::RowMajor];
    let layout = layouts.into_iter().find(|&one| layout_name(one) == *layout).unwrap();
    let buffer_type = KINDS.into_iter().find(|&one| kind_name(one) == *kind).unwrap();
    let tensor = Tensor::new((Kind::Dram, dtype, layout), shape).unwrap();
    let mut pages = tensor.pages;
    if shape.last() == Some(&0) {
        // What is asked for as `0xS`.
        pages = Pages { count: 0, size: Bytes(u64::from(shape[0])) };
    }
    let shards = Some(*shards).filter(|&shards| shards > 0);
    BufferSpec { buffer_type, pages, top_down: None, shards }
}
