//! The nodes of a capture, in one form for both: what the runtime showed, and the model.

use std::collections::BTreeMap;
use std::fmt;

use serde::Deserialize;

use super::ledger::{Graph, Ledger};
use super::tensors;
use crate::allocator::CoreGrid;
use crate::event::{GraphNode, TrackedDevice};
use crate::op::BufferSpec;
use crate::runtime::Setup;
use crate::units::BufferType;

/// A node of the runtime's graph that concerns memory.
#[derive(Clone, Debug, Default, PartialEq, Eq, Deserialize)]
pub struct Node {
    /// Its `node_type`.
    pub kind: String,
    /// Its number.
    pub counter: u64,
    /// The numbers of the nodes that it leads to.
    pub connections: Vec<u64>,
    /// Its facts.
    pub params: BTreeMap<String, serde_json::Value>,
}

impl Node {
    /// A fact that is a number, which may be written as a text.
    pub(super) fn number(&self, name: &str) -> Option<u64> {
        let value = self.params.get(name)?;
        value.as_u64().or_else(|| value.as_str()?.parse().ok())
    }

    fn text(&self, name: &str) -> String {
        match self.params.get(name) {
            None => "none".to_owned(),
            Some(serde_json::Value::String(text)) => text.clone(),
            Some(value) => value.to_string(),
        }
    }

    /// The buffer of an event, as it is told, and the number of its own node.
    fn buffer(&self) -> Buffer {
        Buffer {
            device: self.text("device_id"),
            kind: format!("{} {}", self.text("buffer_type"), self.text("type")),
            size: self.text("size"),
            layout: self.text("layout"),
        }
    }

    fn of(&self) -> Option<u64> {
        self.connections.first().copied()
    }
}

/// What an event and the node of its buffer both say.
#[derive(Clone, Debug, PartialEq, Eq)]
struct Buffer {
    device: String,
    kind: String,
    size: String,
    layout: String,
}

impl fmt::Display for Buffer {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { device, kind, size, layout } = self;
        write!(f, "size={size} type={kind} device={device} layout={layout}")
    }
}

/// What a buffer's spec comes to: its layout, its cores, and what a bank has of it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Figures {
    pub layout: &'static str,
    pub cores: u32,
    pub per_bank: u64,
    /// The same of the pages as they are aligned.
    pub aligned_per_bank: u64,
}

/// `get_buffers` reports pages as they are, a graph as they are aligned.
pub(super) fn figures(setup: &Setup, spec: &BufferSpec) -> Figures {
    let layout = tensors::buffer_layout(spec);
    let (cores, banks) = match spec.shards {
        None => (0, setup.memory.region(spec.buffer_type).bank_count),
        Some(shards) => (shards, shards),
    };
    let pages = spec.pages.count.div_ceil(banks.max(1));
    let aligned = spec.pages.size.round_up(setup.memory.page_alignment(spec.buffer_type));
    let [per_bank, aligned_per_bank] =
        [spec.pages.size, aligned].map(|size| u64::from(pages) * size.0);
    Figures { layout, cores, per_bank, aligned_per_bank }
}

/// `BufferType` as the runtime numbers and groups it.
fn type_text(buffer_type: BufferType) -> &'static str {
    match buffer_type {
        BufferType::Dram => "0 DRAM",
        BufferType::L1 => "1 L1",
        BufferType::L1Small => "3 L1",
        BufferType::Trace => "4 DRAM",
    }
}

/// Numbers buffers in the order in which they are met.
#[derive(Debug, Default)]
struct Order(Vec<u64>);

impl Order {
    fn number(&mut self, of: u64) -> usize {
        self.0.iter().position(|&one| one == of).unwrap_or_else(|| {
            self.0.push(of);
            self.0.len() - 1
        })
    }
}

/// The runtime's nodes, a line each.
pub(super) fn shown(nodes: &[Node]) -> Vec<String> {
    let mut order = Order::default();
    let lines = nodes.iter().filter_map(|node| {
        let word = node.kind.as_str();
        let device = node.text("device_id");
        Some(match word {
            "buffer_allocate" | "buffer_deallocate" => {
                let of = order.number(node.of().unwrap_or(u64::MAX));
                let own = nodes
                    .iter()
                    .find(|one| one.kind == "buffer" && Some(one.counter) == node.of())
                    .map(Node::buffer);
                let said = node.buffer();
                let [address, page, cores, bank] =
                    ["address", "page_size", "num_cores", "max_size_per_bank"]
                        .map(|name| node.text(name));
                let aside = match own {
                    Some(own) if own == said => String::new(),
                    Some(own) => format!(", and its buffer's node says {own}"),
                    None => ", and its buffer has no node".to_owned(),
                };
                format!(
                    "{word} of={of} address={address} {said} page={page} cores={cores} \
                     per-bank={bank}{aside}"
                )
            }
            "circular_buffer_allocate" => {
                let [address, size, cores, globally] =
                    ["address", "size", "core_range_set", "globally_allocated"]
                        .map(|name| node.text(name));
                format!(
                    "{word} device={device} address={address} size={size} cores={cores} \
                     globally-allocated={globally}"
                )
            }
            "circular_buffer_deallocate_all" => format!("{word} device={device}"),
            _ => return None,
        })
    });
    in_order(lines.collect())
}

/// The model's nodes, a line each; ids of meshes begin where the process was.
pub(super) fn modelled(
    graph: &Graph,
    ledger: &Ledger,
    setup: &Setup,
    first_mesh: u32,
) -> Vec<String> {
    let mut order = Order::default();
    let mut lines = Vec::new();
    for (node, cores) in graph {
        let (word, object, address, size) = match *node {
            GraphNode::BufferAllocate { object, address, size, .. } => {
                ("buffer_allocate", object, address, size)
            }
            GraphNode::BufferDeallocate { object, address, size, .. } => {
                ("buffer_deallocate", object, address, size)
            }
            GraphNode::CircularBufferAllocate { device, address, size } => {
                let cores = core_ranges(*cores, setup.machine.grid());
                lines.extend(devices(device, first_mesh).into_iter().map(|device| {
                    format!(
                        "circular_buffer_allocate device={device} address={address} size={size} \
                         cores={cores} globally-allocated=0"
                    )
                }));
                continue;
            }
            GraphNode::CircularBufferDeallocateAll { device } => {
                lines.extend(
                    devices(device, first_mesh)
                        .into_iter()
                        .map(|device| format!("circular_buffer_deallocate_all device={device}")),
                );
                continue;
            }
            GraphNode::CaptureStart
            | GraphNode::CaptureEnd
            | GraphNode::Buffer { .. }
            | GraphNode::DataflowBufferAllocate { .. } => continue,
        };
        let of = order.number(object.unique_id.0);
        let Some(made) = ledger.made(object) else { continue };
        let Figures { layout, cores, aligned_per_bank: bank, .. } = figures(setup, &made.spec);
        let said = Buffer {
            device: (made.mesh_id + first_mesh).to_string(),
            kind: type_text(made.spec.buffer_type).to_owned(),
            size: size.to_string(),
            layout: layout.to_owned(),
        };
        let page = made.spec.pages.size;
        lines.push(format!(
            "{word} of={of} address={address} {said} page={page} cores={cores} per-bank={bank}"
        ));
    }
    in_order(lines)
}

pub(super) fn devices(device: TrackedDevice, first_mesh: u32) -> Vec<u32> {
    match device {
        TrackedDevice::Mesh(id) => vec![id + first_mesh],
        TrackedDevice::Chips(chips) => chips.iter().map(|chip| u32::from(chip.0)).collect(),
    }
}

/// Work on so many cores is given out column by column.
pub(super) fn core_ranges(cores: Option<u32>, grid: CoreGrid) -> String {
    let (columns, rows) = (u32::from(grid.x), u32::from(grid.y));
    let cores = cores.map_or(columns * rows, |cores| cores.min(columns * rows));
    let (whole, rest) = (cores / rows, cores % rows);
    let mut ranges = Vec::new();
    if whole > 0 {
        ranges.push(format!("[0-0 - {}-{}]", whole - 1, rows - 1));
    }
    if rest > 0 {
        ranges.push(format!("[{whole}-0 - {whole}-{}]", rest - 1));
    }
    format!("{{{}}}", ranges.join(", "))
}

/// Which chip comes first is not modelled: what is placed in a row is put in order.
fn in_order(mut lines: Vec<String>) -> Vec<String> {
    for word in ["circular_buffer_allocate", "circular_buffer_deallocate_all"] {
        let is_one = |line: &String| line.starts_with(word);
        for run in lines.chunk_by_mut(|one, next| is_one(one) && is_one(next)) {
            run.sort();
        }
    }
    lines
}

/// The kind of memory that an event names, as the driver calls it.
pub(super) fn kind_of(node: &Node) -> Option<&'static str> {
    let types = [BufferType::Dram, BufferType::L1, BufferType::L1Small];
    let code = format!("{} {}", node.text("buffer_type"), node.text("type"));
    let found = types.into_iter().find(|&one| type_text(one) == code);
    found.map(tensors::kind_name)
}
