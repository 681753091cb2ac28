//! The model in the runtime's place.

use std::collections::BTreeMap;
use std::sync::Arc;

mod reported;

use super::super::model::Model;
use super::super::tensors::kind_name;
use super::super::translate::{MOVES, canonical, canonical_move};
use super::super::*;
use crate::allocator::{AllocatorId, Machine};
use crate::op::{
    BufferHandle, BufferSpec, CacheKey, ChildEnd, Handle, MeshHandle, Moves, Place, RunSpec,
    ThreadId,
};
use crate::runtime::Setup;
use crate::runtime::object::MeshBufferState;
use crate::units::{BufferType, Bytes, DeviceId, MeshShape};

/// The model in the runtime's place: it reads requests and answers as the driver does.
pub struct Played {
    setup: Setup,
    model: Model,
    buffers: BTreeMap<BufferHandle, BufferSpec>,
    moved: Vec<(BufferSpec, u32)>,
    /// How many views lie between a name's tensor and what was allocated.
    views: BTreeMap<BufferHandle, u32>,
    meshes: Vec<MeshHandle>,
    bindings: Bindings,
    /// The chips to whose counters a process is attached that was killed, each with how many are.
    dead: BTreeMap<u8, u32>,
    /// What it reports besides tables: kept as the one that watches it keeps the model's.
    ledger: ledger::Ledger,
    thread: ThreadId,
    /// Nothing was opened since it started, or was reset.
    is_new: bool,
    /// What was done before.
    early: Vec<(ThreadId, Op)>,
    /// What is wrong with it.
    fault: fn(&Request, &mut Answer) -> bool,
}

const KINDS: [BufferType; 3] = [BufferType::Dram, BufferType::L1, BufferType::L1Small];

fn model(setup: &Setup) -> Model {
    Model::new(Arc::new(setup.clone()))
}

fn death(ending: Ending, symbol: Option<&str>) -> Death {
    let (symbol, said) = (symbol.map(str::to_owned), String::new());
    Death { ending, symbol, said, of_child: false, looked_at: None }
}

fn buffer(name: &str) -> BufferHandle {
    BufferHandle(name[1..].parse().unwrap())
}

fn mesh(name: &str) -> MeshHandle {
    MeshHandle(name[1..].parse().unwrap())
}

impl Played {
    pub fn new(machine: Machine, fault: fn(&Request, &mut Answer) -> bool) -> Self {
        let setup = Setup::on(machine);
        let model = model(&setup);
        Self {
            setup,
            model,
            buffers: BTreeMap::new(),
            moved: Vec::new(),
            views: BTreeMap::new(),
            meshes: Vec::new(),
            bindings: Bindings::default(),
            dead: BTreeMap::new(),
            ledger: ledger::Ledger::default(),
            thread: ThreadId(0),
            is_new: true,
            early: Vec::new(),
            fault,
        }
    }

    fn views_of(&self, name: BufferHandle) -> u32 {
        self.views.get(&name).copied().unwrap_or(0)
    }

    /// The operation that a request is: the way back.
    #[allow(clippy::too_many_lines, reason = "an arm for each request")]
    fn op(&mut self, request: &Request) -> Option<Op> {
        let at = |[row, column]: [u8; 2]| (row, column);
        let rows = |[rows, columns]: [u8; 2]| MeshShape { rows, columns };
        Some(match request {
            Request::Open { mesh: name, shape, at: from, l1_small } => {
                if std::mem::take(&mut self.is_new) {
                    self.setup.reserved.l1_small_size = Bytes(*l1_small);
                    self.setup = self.setup.clone().settled();
                    self.model = model(&self.setup);
                    let tally = std::mem::take(&mut self.ledger.tally);
                    self.ledger = ledger::Ledger::default();
                    self.ledger.tally = tally;
                    for (thread, op) in std::mem::take(&mut self.early) {
                        self.ledger.begin((thread, &op), None);
                        self.model.call((thread, &op), &mut self.ledger);
                    }
                }
                self.meshes.push(mesh(name));
                Op::Open { mesh: mesh(name), shape: rows(*shape), at: at(*from) }
            }
            Request::Submesh { mesh: name, parent, shape, at: from } => {
                self.meshes.push(mesh(name));
                let (mesh, parent) = (mesh(name), mesh(parent));
                Op::Submesh { mesh, parent, shape: rows(*shape), at: at(*from) }
            }
            Request::Alloc { name, mesh: on, .. } => {
                let spec = reported::spec(request);
                self.buffers.insert(buffer(name), spec);
                self.views.remove(&buffer(name));
                Op::Alloc { buffer: buffer(name), place: Place::Mesh(mesh(on)), spec }
            }
            Request::View { name, of, .. } => {
                self.buffers.insert(buffer(name), self.buffers[&buffer(of)]);
                self.views.insert(buffer(name), self.views_of(buffer(of)) + 1);
                Op::Share { buffer: buffer(name), of: buffer(of) }
            }
            Request::Run { name, a, b, function } => {
                let spec = self.buffers[&buffer(a)];
                let object = self.model.runtime().object(buffer(a)).unwrap();
                let on = object.mesh_id;
                let mesh = self.meshes.iter().copied().find(|&name| {
                    let mesh = self.model.runtime().mesh_device(name);
                    mesh.is_some_and(|mesh| mesh.mesh_id == on)
                })?;
                let output = (*function != "add_").then(|| (buffer(name), spec));
                let moves = match *function {
                    "move" => Some(Moves::Move),
                    "reallocate" => Some(Moves::Reallocate),
                    _ => None,
                };
                let views = if moves.is_some() { self.views_of(buffer(a)) } else { 0 };
                if *function != "add_" {
                    self.views.insert(buffer(name), views);
                }
                let shape = (spec, views);
                let known = self.moved.iter().position(|moved| *moved == shape);
                let place = known.unwrap_or(self.moved.len());
                if moves.is_some() && known.is_none() {
                    self.moved.push(shape);
                }
                let mut reads = vec![buffer(a), buffer(b)];
                reads.dedup();
                let run = RunSpec {
                    key: CacheKey(MOVES + place as u32),
                    mesh,
                    circular_buffers: Vec::new(),
                    kernel: None,
                    reads,
                    output,
                    stale: false,
                    moves,
                };
                self.buffers.extend(output);
                let run = match moves {
                    None => canonical(spec, &run)?,
                    Some(_) => canonical_move(&self.setup, spec, &run)?,
                };
                Op::Run(Box::new(run))
            }
            Request::Drop { name } if name.starts_with('m') => {
                self.meshes.retain(|&held| held != mesh(name));
                Op::Drop(Handle::Mesh(mesh(name)))
            }
            Request::Drop { name } => {
                self.buffers.remove(&buffer(name));
                Op::Drop(Handle::Buffer(buffer(name)))
            }
            Request::Cycle { name } => {
                self.buffers.remove(&buffer(name));
                Op::Cycle(buffer(name))
            }
            Request::Deallocate { name, force: true } => Op::Deallocate(buffer(name)),
            Request::Deallocate { name, force: false } => Op::DeallocateUnforced(buffer(name)),
            Request::Use { name } => Op::Use(buffer(name)),
            Request::Close { mesh: name } => Op::Close(mesh(name)),
            Request::ClearCache { mesh: name } => Op::ClearCache(mesh(name)),
            Request::DisableCache { mesh: name } => Op::DisableCache(mesh(name)),
            Request::EnableCache { mesh: name } => Op::EnableCache(mesh(name)),
            Request::DeallocateAll { mesh: name } => Op::DeallocateAll(mesh(name)),
            Request::Gc => Op::Gc,
            Request::CaptureBegin { mode: "normal" } => {
                Op::Capture(CaptureStep::Begin(RunMode::Normal))
            }
            Request::CaptureBegin { .. } => Op::Capture(CaptureStep::Begin(RunMode::NoDispatch)),
            Request::CaptureEnd => Op::Capture(CaptureStep::End),
            Request::Fork { end: "exit" } => Op::Fork(ChildEnd::Exit),
            Request::Fork { .. } => Op::Fork(ChildEnd::Immediate),
            Request::On { .. }
            | Request::Both { .. }
            | Request::Hello
            | Request::Reset
            | Request::Kill
            | Request::Exit => return None,
        })
    }

    fn observe(&self, answer: &mut Answer) {
        let runtime = self.model.runtime();
        for &name in self.buffers.keys() {
            let Some(object) = runtime.object(name) else { continue };
            let gone = object.state == MeshBufferState::Deallocated;
            let address = if gone { Address::Nowhere(()) } else { Address::At(object.address.0) };
            answer.buffers.insert(name.to_string(), (!gone, address));
            let mut meshes = runtime.meshes();
            if meshes.any(|mesh| !gone && mesh.mesh_id == object.mesh_id) {
                answer.on.insert(name.to_string(), object.mesh_id);
            }
        }
        for &name in &self.meshes {
            let Some(mesh) = runtime.mesh_device(name) else { continue };
            let chips = mesh.chips.iter().map(|chip| chip.0).collect();
            let mut seen = MeshSeen { id: mesh.mesh_id, chips, ..MeshSeen::default() };
            if !mesh.open {
                seen.closed = Some("closed".to_owned());
                answer.meshes.insert(name.to_string(), seen);
                continue;
            }
            seen.cache = runtime.cache_entries(name).map(|entries| entries as u64);
            for kind in KINDS {
                let allocator = runtime.allocator_of(name).unwrap();
                let list = allocator.manager(kind).allocator(AllocatorId(0)).unwrap();
                let base = list.config().offset.0;
                let blocks: Vec<_> = list
                    .blocks()
                    .filter(|block| block.allocated)
                    .map(|block| (block.address.0 - base, block.size.0))
                    .collect();
                let word = kind_name(kind);
                seen.tables.insert(word.to_owned(), blocks);
            }
            seen.buffers = self.rows(name);
            answer.meshes.insert(name.to_string(), seen);
        }
        answer.counters = self.counters();
        answer.pid = 7;
    }

    /// The operation on the model, whose tale is kept.
    fn apply(&mut self, op: &Op) -> Option<String> {
        self.ledger.begin((self.thread, op), lockstep::asked(self.model.runtime(), op));
        let raised = self.bindings.raise((self.thread, op), |_| false, |_| false);
        if let Some(text) = raised {
            return Some(text.to_owned());
        }
        if self.is_new {
            self.early.push((self.thread, op.clone()));
        }
        self.ledger.counts = self.bindings.processors.counts(self.thread);
        let refused = self.model.call((self.thread, op), &mut self.ledger);
        if refused.is_none() {
            self.bindings.note(self.thread, op);
        }
        let runtime = self.model.runtime();
        for chip in 0..self.setup.machine.chip_count() as u8 {
            let on_it = |name: &MeshHandle| {
                runtime
                    .mesh_device(*name)
                    .is_some_and(|mesh| mesh.open && mesh.devices.contains(DeviceId(chip)))
            };
            match (self.meshes.iter().any(on_it), self.dead.contains_key(&chip)) {
                (true, _) => {}
                (false, true) => self.ledger.tally.detach(chip),
                (false, false) => self.ledger.tally.forget(chip),
            }
        }
        refused
    }
}

impl Runtime for Played {
    #[allow(clippy::too_many_lines, reason = "what bindings refuse, case by case")]
    fn ask(&mut self, request: &Request) -> Result<Answer, Death> {
        if let Request::On { request: inner, thread } = request {
            self.thread = ThreadId(thread[1..].parse().unwrap());
            let answer = self.ask(inner);
            self.thread = ThreadId(0);
            let mut answer = answer?;
            if (self.fault)(request, &mut answer) {
                return Err(death(Ending::Signal(11), Some("tt::f")));
            }
            return Ok(answer);
        }
        if let Request::Both { first, second } = request {
            let first = self.ask(first)?;
            let answer = self.ask(second)?;
            return Ok(Answer { first: Some(Box::new(first)), ..answer });
        }
        let mut answer = Answer { ok: true, ..Answer::default() };
        let reads = match request {
            Request::Use { name } => vec![name.clone()],
            Request::Run { a, b, function: "add" | "add_", .. } => vec![a.clone(), b.clone()],
            Request::View { of, .. } => vec![of.clone()],
            _ => Vec::new(),
        };
        let runtime = self.model.runtime();
        let is_dead = |name: &String| {
            let object = runtime.object(buffer(name));
            object.is_some_and(|object| object.state == MeshBufferState::Deallocated)
        };
        let (dead, is_gone) = (reads.iter().any(is_dead), reads.first().is_some_and(is_dead));
        let closed = reads.iter().any(|name| {
            let mesh_id = runtime.object(buffer(name)).map(|object| object.mesh_id);
            self.meshes
                .iter()
                .filter_map(|&name| runtime.mesh_device(name))
                .any(|mesh| Some(mesh.mesh_id) == mesh_id && !mesh.open)
        });
        match (request, self.op(request)) {
            (Request::Reset, _) => {
                self.is_new = true;
                self.early.clear();
                self.model.reset();
                self.ledger = ledger::Ledger::default();
                self.buffers.clear();
                self.meshes.clear();
            }
            (Request::View { .. }, _) if dead => {
                answer = Answer { error: "Tensor is not allocated".to_owned(), ..answer };
                answer.ok = false;
            }
            (Request::Run { .. }, Some(_)) if dead => {
                let which = if is_gone { "A" } else { "B" };
                answer.error = format!("Input Tensor {which} is not allocated");
                answer.ok = false;
            }
            (Request::Use { .. }, Some(_)) if closed && !dead => {
                answer.error = "cq_id 0 is out of range".to_owned();
                answer.ok = false;
            }
            (_, Some(op)) => {
                if let Some(error) = self.apply(&op) {
                    answer = Answer { ok: false, error, ..answer };
                }
            }
            (_, None) => {}
        }
        if matches!(request, Request::Exit | Request::Kill) {
            let (mut ledger, counters) = (std::mem::take(&mut self.ledger), self.counters());
            let mut dead = counters;
            dead.retain(|_, region| region.references > 0);
            self.restart();
            if *request == Request::Kill {
                ledger.bury();
                self.ledger = ledger;
                self.dead = dead.into_iter().map(|(chip, one)| (chip, one.references)).collect();
            }
            let by_itself = *request == Request::Exit;
            let ending = if by_itself { Ending::Code(0) } else { Ending::Signal(9) };
            return Err(death(ending, None));
        }
        match request {
            Request::Fork { .. } => {
                answer.child = Some(ChildSeen { code: Some(0), ..ChildSeen::default() });
            }
            Request::Reset => self.bindings = Bindings::default(),
            _ => {}
        }
        // A name holds something only if the call returned.
        let runtime = self.model.runtime();
        self.buffers.retain(|&name, _| runtime.object(name).is_some());
        self.meshes.retain(|&name| runtime.mesh_device(name).is_some());
        self.observe(&mut answer);
        if let (Request::CaptureEnd, true, Some(ended)) = (request, answer.ok, &self.ledger.ended) {
            answer.nodes = self.nodes(ended);
        }
        if (self.fault)(request, &mut answer) {
            return Err(death(Ending::Signal(11), Some("tt::f")));
        }
        Ok(answer)
    }

    fn machine(&self) -> Machine {
        self.setup.machine
    }

    fn restart(&mut self) {
        self.bindings = Bindings::default();
        self.dead.clear();
        self.early.clear();
        self.is_new = true;
        self.model.reset();
        self.ledger = ledger::Ledger::default();
        self.buffers.clear();
        self.meshes.clear();
    }
}
