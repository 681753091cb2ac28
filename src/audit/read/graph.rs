//! A graph capture of ttnn, with values as numbers or, in older versions, as strings.
//!
//! Buffer events carry the mesh's id, circular-buffer events the chip's; the tensors say which
//! chips a mesh has (real-runtime.md, "What was seen").

use std::collections::{BTreeMap, BTreeSet};
use std::fmt;
use std::io::{self, BufReader, Read};

use serde::Deserialize;
use serde::de::{DeserializeSeed, Deserializer, IgnoredAny, MapAccess, SeqAccess, Visitor};

use super::super::event::{
    Action, Device, Event, Memory, Numbers, Object, Place, Registered, Released,
};
use super::super::paths::Paths;
use super::number::Number;
use crate::units::{Bytes, DeviceAddr};

/// The innermost calls that make a call path.
const PATH_DEPTH: usize = 6;

/// What a capture says.
#[derive(Debug, Default)]
pub struct Capture {
    /// The events, those that say which chips a mesh has first.
    pub events: Vec<Event>,
    /// The call paths.
    pub paths: Paths,
    /// The nodes.
    pub nodes: u64,
}

/// Reads a capture: an array of nodes, or a report with one under `graph`.
///
/// # Errors
/// If it is no JSON, or no capture.
pub fn read(source: Box<dyn Read>) -> Result<Capture, serde_json::Error> {
    let mut builder = Builder::default();
    let source = BufReader::with_capacity(1 << 16, Short { source, since_a_quote: 0 });
    let mut json = serde_json::Deserializer::from_reader(source);
    Nodes { builder: &mut builder, is_report: true }.deserialize(&mut json)?;
    json.end()?;
    let Builder { mut meshes, events, paths, nodes, .. } = builder;
    meshes.extend(events);
    Ok(Capture { events: meshes, paths, nodes })
}

/// No name, value or list of numbers of a capture is longer.
const STRING_MAX: usize = 16 << 20;

/// An input that fails, instead of taking all memory, once it is a string without an end.
struct Short<R> {
    source: R,
    since_a_quote: usize,
}

impl<R: Read> Read for Short<R> {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        let count = self.source.read(buffer)?;
        self.since_a_quote = match memchr::memrchr(b'"', &buffer[..count]) {
            Some(last) => count - last,
            None => self.since_a_quote + count,
        };
        if self.since_a_quote > STRING_MAX {
            let what = format!("a string of it is longer than {STRING_MAX} bytes");
            return Err(io::Error::new(io::ErrorKind::InvalidData, what));
        }
        Ok(count)
    }
}

#[derive(Deserialize)]
struct Node {
    counter: Option<Number>,
    node_type: String,
    params: Option<Params>,
    #[serde(default)]
    connections: Vec<Number>,
    stacking_level: Option<Number>,
}

#[derive(Default, Deserialize)]
#[serde(default)]
struct Params {
    address: Option<Number>,
    size: Option<Number>,
    device_id: Option<Number>,
    physical_device_id: Option<Number>,
    max_size_per_bank: Option<Number>,
    buffer_type: Option<Number>,
    globally_allocated: Option<Number>,
    #[serde(rename = "type")]
    memory: Option<String>,
    name: Option<String>,
    device_tensors: Option<String>,
}

#[derive(Deserialize)]
struct DeviceTensor {
    device_id: Option<Number>,
    mesh_device_id: Option<Number>,
}

/// A buffer, as its allocation described it.
#[derive(Clone, Copy)]
struct Described {
    address: DeviceAddr,
    size: Option<Bytes>,
    per_bank: Option<Bytes>,
    memory: Option<Memory>,
    device: Device,
}

#[derive(Default)]
struct Builder {
    meshes: Vec<Event>,
    members: BTreeSet<(Device, Device)>,
    events: Vec<Event>,
    paths: Paths,
    nodes: u64,
    calls: Vec<String>,
    described: BTreeMap<u64, Described>,
    last_tensors: String,
}

impl Builder {
    fn node(&mut self, node: &Node) {
        let place = Place(node.counter.map_or(self.nodes, Number::value));
        self.nodes += 1;
        let empty = Params::default();
        let params = node.params.as_ref().unwrap_or(&empty);
        match node.node_type.as_str() {
            "function_start" => self.call(node, params),
            "function_end" => _ = self.calls.pop(),
            "buffer_allocate" => self.allocate(node, params, place),
            "buffer_deallocate" => self.deallocate(node, params, place),
            "circular_buffer_allocate" => {
                let is_global = params.globally_allocated.is_some_and(|flag| flag.value() != 0);
                let event = Event {
                    device: device(params),
                    address: DeviceAddr(params.address.map_or(0, Number::value)),
                    size: params.size.map(|size| Bytes(size.value())),
                    ..Event::new(place, Action::CircularAlloc)
                };
                // A globally allocated one is a view of an L1 buffer, which has its own event.
                let action = if is_global { Action::Other } else { event.action };
                self.push(Event { action, ..event });
            }
            "circular_buffer_deallocate_all" => {
                let event = Event::new(place, Action::CircularFreeAll);
                self.push(Event { device: device(params), numbers: Numbers::Meshes, ..event });
            }
            "tensor" => self.tensor(params, place),
            "program_execution" => {
                if let (Some(mesh), Some(chip)) = (params.device_id, params.physical_device_id) {
                    self.member(mesh, chip, place);
                }
            }
            _ => {}
        }
    }

    fn call(&mut self, node: &Node, params: &Params) {
        // A call that threw has no end.
        if let Some(level) = node.stacking_level {
            self.calls.truncate(usize::try_from(level.value()).unwrap_or(0).saturating_sub(1));
        }
        self.calls.push(params.name.clone().unwrap_or_default());
    }

    fn push(&mut self, event: Event) {
        let from = self.calls.len().saturating_sub(PATH_DEPTH);
        let path = match self.calls[from..] {
            [] => None,
            ref calls => Some(self.paths.id(&calls.join(" > "))),
        };
        self.events.push(Event { path, ..event });
    }

    fn allocate(&mut self, node: &Node, params: &Params, place: Place) {
        let described = Described {
            address: DeviceAddr(params.address.map_or(0, Number::value)),
            size: params.size.map(|size| Bytes(size.value())),
            per_bank: params.max_size_per_bank.map(|size| Bytes(size.value())),
            memory: memory(params),
            device: device(params),
        };
        let object = node.connections.first().map(|node| node.value());
        if let Some(object) = object {
            self.described.insert(object, described);
        }
        self.buffer(Action::Alloc(Registered::Plain), described, object, place);
    }

    fn deallocate(&mut self, node: &Node, params: &Params, place: Place) {
        let object = node.connections.first().map(|node| node.value());
        let known = object.and_then(|object| self.described.get(&object)).copied();
        // Older versions leave the address out and write a size of 0: the allocation has both.
        let described = match (params.address, known) {
            // Older than the capture, and nobody knows where it lay.
            (None, None) => Described {
                address: DeviceAddr(0),
                size: None,
                per_bank: None,
                memory: memory(params),
                device: device(params),
            },
            (None, Some(known)) => known,
            (Some(address), known) => Described {
                address: DeviceAddr(address.value()),
                size: params.size.map(|size| Bytes(size.value())).filter(|size| size.0 > 0),
                per_bank: params.max_size_per_bank.map(|size| Bytes(size.value())),
                memory: memory(params).or(known.and_then(|known| known.memory)),
                device: device(params),
            },
        };
        self.buffer(Action::Free(Released::Plain), described, object, place);
    }

    fn buffer(&mut self, action: Action, of: Described, object: Option<u64>, place: Place) {
        self.push(Event {
            device: of.device,
            numbers: Numbers::Meshes,
            address: of.address,
            size: of.size,
            per_bank: of.per_bank,
            memory: of.memory,
            object: object.map(Object),
            ..Event::new(place, action)
        });
    }

    fn tensor(&mut self, params: &Params, place: Place) {
        let Some(text) = &params.device_tensors else { return };
        if *text == self.last_tensors {
            return;
        }
        self.last_tensors.clone_from(text);
        let tensors: Vec<DeviceTensor> = serde_json::from_str(text).unwrap_or_default();
        for tensor in tensors {
            if let (Some(mesh), Some(chip)) = (tensor.mesh_device_id, tensor.device_id) {
                self.member(mesh, chip, place);
            }
        }
    }

    fn member(&mut self, mesh: Number, chip: Number, place: Place) {
        let (mesh, chip) = (Device(mesh.small()), Device(chip.small()));
        if self.members.insert((mesh, chip)) {
            let event = Event::new(place, Action::MeshChip(chip));
            self.meshes.push(Event { device: mesh, numbers: Numbers::Meshes, ..event });
        }
    }
}

fn device(params: &Params) -> Device {
    Device(params.device_id.map_or(0, Number::small))
}

/// `buffer_type` is the memory; `type` says no more than DRAM or L1.
fn memory(params: &Params) -> Option<Memory> {
    let code = params.buffer_type.and_then(|code| Memory::from_code(code.value()));
    code.or_else(|| Memory::from_name(params.memory.as_ref()?.as_bytes()))
}

/// The nodes of a capture, one at a time.
struct Nodes<'a> {
    builder: &'a mut Builder,
    /// Whether a report is as good as its nodes.
    is_report: bool,
}

impl<'de> DeserializeSeed<'de> for Nodes<'_> {
    type Value = ();

    fn deserialize<D: Deserializer<'de>>(self, deserializer: D) -> Result<(), D::Error> {
        deserializer.deserialize_any(self)
    }
}

impl<'de> Visitor<'de> for Nodes<'_> {
    type Value = ();

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("the nodes of a graph capture, or a report with them under \"graph\"")
    }

    fn visit_seq<A: SeqAccess<'de>>(self, mut nodes: A) -> Result<(), A::Error> {
        while let Some(node) = nodes.next_element::<Node>()? {
            self.builder.node(&node);
        }
        Ok(())
    }

    fn visit_map<A: MapAccess<'de>>(self, mut report: A) -> Result<(), A::Error> {
        if !self.is_report {
            return Err(serde::de::Error::custom("\"graph\" is no list of nodes"));
        }
        let mut has_graph = false;
        while let Some(key) = report.next_key::<String>()? {
            if key == "graph" {
                has_graph = true;
                report.next_value_seed(Nodes { builder: &mut *self.builder, is_report: false })?;
            } else {
                report.next_value::<IgnoredAny>()?;
            }
        }
        let missing = || serde::de::Error::custom("a report has its nodes under \"graph\"");
        has_graph.then_some(()).ok_or_else(missing)
    }
}
