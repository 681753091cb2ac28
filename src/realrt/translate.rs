//! An operation of a scenario as a call of the real runtime.

use std::collections::BTreeMap;

use super::protocol::Request;
use super::tensors::{self, Shaped};
use crate::interop::conform::tensor::Layout;
use crate::op::{
    BufferHandle, BufferSpec, CacheKey, CaptureStep, ChildEnd, CircularBufferSpec, Handle,
    MeshHandle, Moves, Op, Place, ProcessId, RunMode, RunSpec,
};
use crate::runtime::Setup;
use crate::units::{BufferType, Bytes};

/// What an operation is on the real runtime.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Translated {
    /// It names something that is not there: a no-op, for both.
    Nothing,
    /// The runtime cannot be asked this.
    Foreign,
    /// A call.
    Ask(Request),
}

/// What a name holds.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Held {
    pub mesh: MeshHandle,
    pub spec: BufferSpec,
    /// Names of one group are views of one tensor.
    pub group: u32,
    /// How many dimensions it has more than the tensor that was allocated: each view adds one.
    pub views: u32,
    /// The name of its mesh was dropped; it may stand for another one by now.
    pub expired: bool,
}

/// What the names of the program hold, in the runtime.
#[derive(Clone, Debug, Default)]
pub(super) struct Names {
    pub buffers: BTreeMap<BufferHandle, Held>,
    pub meshes: BTreeMap<MeshHandle, Option<MeshHandle>>,
    groups: u32,
    /// What the programs that move tensors were built for.
    moved: BTreeMap<CacheKey, (BufferSpec, u32)>,
    /// Whether the first process was killed: the rest is another's.
    killed: bool,
}

impl Names {
    /// The call that an operation is.
    pub fn translate(&self, setup: &Setup, op: &Op) -> Translated {
        let mesh = |name: MeshHandle, ask: fn(String) -> Request| match self.meshes.get(&name) {
            Some(_) => Translated::Ask(ask(name.to_string())),
            None => Translated::Nothing,
        };
        let buffer = |name: BufferHandle, ask: fn(String) -> Request| match self.buffers.get(&name)
        {
            Some(_) => Translated::Ask(ask(name.to_string())),
            None => Translated::Nothing,
        };
        match op {
            Op::Kill(ProcessId(0)) if !self.killed => Translated::Ask(Request::Kill),
            Op::Fork(ChildEnd::Exit) => Translated::Ask(Request::Fork { end: "exit" }),
            Op::Fork(ChildEnd::Immediate) => Translated::Ask(Request::Fork { end: "_exit" }),
            Op::Open { .. } | Op::Submesh { .. } => self.open(setup, op),
            Op::Alloc { buffer, place: Place::Mesh(mesh), spec } => {
                self.alloc(setup, *buffer, *mesh, spec)
            }
            Op::Share { buffer, of } => {
                let free = !self.buffers.contains_key(buffer);
                // A view asks for the mesh, and who else keeps it alive is not known here.
                if !free || self.buffers.get(of).is_none_or(|held| held.expired) {
                    return Translated::Nothing;
                }
                let views = self.buffers.get(of).map_or(0, |held| held.views);
                let function = VIEWS[(buffer.0 + views) as usize % VIEWS.len()];
                let (name, of) = (buffer.to_string(), of.to_string());
                Translated::Ask(Request::View { name, of, function })
            }
            Op::Run(run) => match run.moves {
                None => self.run(run),
                Some(moves) => self.moved(setup, run, moves),
            },
            Op::Close(name) => mesh(*name, |mesh| Request::Close { mesh }),
            Op::ClearCache(name) => mesh(*name, |mesh| Request::ClearCache { mesh }),
            Op::DisableCache(name) => mesh(*name, |mesh| Request::DisableCache { mesh }),
            Op::EnableCache(name) => mesh(*name, |mesh| Request::EnableCache { mesh }),
            Op::DeallocateAll(name) => mesh(*name, |mesh| Request::DeallocateAll { mesh }),
            Op::Drop(Handle::Mesh(name)) => mesh(*name, |name| Request::Drop { name }),
            Op::Drop(Handle::Buffer(name)) => buffer(*name, |name| Request::Drop { name }),
            Op::Deallocate(name) => buffer(*name, |name| Request::Deallocate { name, force: true }),
            Op::DeallocateUnforced(name) => {
                buffer(*name, |name| Request::Deallocate { name, force: false })
            }
            Op::Cycle(name) => buffer(*name, |name| Request::Cycle { name }),
            Op::Use(name) => self.used(*name),
            Op::Gc => Translated::Ask(Request::Gc),
            Op::Capture(step) => Translated::Ask(match step {
                CaptureStep::Begin(RunMode::Normal) => Request::CaptureBegin { mode: "normal" },
                CaptureStep::Begin(RunMode::NoDispatch) => {
                    Request::CaptureBegin { mode: "no_dispatch" }
                }
                CaptureStep::End => Request::CaptureEnd,
            }),
            Op::Exit => Translated::Ask(Request::Exit),
            _ => Translated::Foreign,
        }
    }

    fn used(&self, name: BufferHandle) -> Translated {
        match self.buffers.get(&name) {
            // Who else keeps a mesh alive whose name is gone is not known here.
            None | Some(Held { expired: true, .. }) => Translated::Nothing,
            // Whether the host has room for it is no question to the runtime.
            Some(held) if !fits_host(&held.spec) => Translated::Foreign,
            Some(_) => Translated::Ask(Request::Use { name: name.to_string() }),
        }
    }

    fn open(&self, setup: &Setup, op: &Op) -> Translated {
        let (name, request) = match *op {
            Op::Open { mesh, shape, at } => {
                let (shape, at) = ([shape.rows, shape.columns], [at.0, at.1]);
                let l1_small = setup.reserved.l1_small_size.0;
                (mesh, Request::Open { mesh: mesh.to_string(), shape, at, l1_small })
            }
            Op::Submesh { mesh, parent, shape, at } if self.meshes.contains_key(&parent) => {
                let (shape, at) = ([shape.rows, shape.columns], [at.0, at.1]);
                let (name, parent) = (mesh.to_string(), parent.to_string());
                (mesh, Request::Submesh { mesh: name, parent, shape, at })
            }
            _ => return Translated::Nothing,
        };
        if self.meshes.contains_key(&name) { Translated::Nothing } else { Translated::Ask(request) }
    }

    fn alloc(
        &self,
        setup: &Setup,
        name: BufferHandle,
        mesh: MeshHandle,
        spec: &BufferSpec,
    ) -> Translated {
        if self.buffers.contains_key(&name) || !self.meshes.contains_key(&mesh) {
            return Translated::Nothing;
        }
        let shards = spec.shards.unwrap_or(0);
        let even = spec.shards.is_none_or(|shards| {
            shards > 0 && spec.pages.count > 0 && spec.pages.count.is_multiple_of(shards)
        });
        let grid = setup.machine.grid();
        let fits = u32::from(grid.x) * u32::from(grid.y) >= shards;
        match tensors::tensor(spec).filter(|_| even && fits && grows_as_usual(spec)) {
            None => Translated::Foreign,
            Some(Shaped { tensor, shape, sharding }) => Translated::Ask(Request::Alloc {
                name: name.to_string(),
                mesh: mesh.to_string(),
                kind: tensors::kind_name(spec.buffer_type),
                dtype: tensors::dtype_name(tensor.dtype),
                layout: tensors::layout_name(tensor.layout),
                shape,
                shards,
                cut: sharding.map_or("INTERLEAVED", |sharding| sharding.cut.name()),
                shard: sharding.map_or([0, 0], |sharding| sharding.shard),
                grid: [grid.x, grid.y],
            }),
        }
    }

    /// `ttnn.add(a, b)` into a new tensor, or `ttnn.add_(a, b)` without one.
    fn run(&self, run: &RunSpec) -> Translated {
        let held = |name: &BufferHandle| self.buffers.get(name).copied();
        let Some(reads) = run.reads.iter().map(held).collect::<Option<Vec<_>>>() else {
            return Translated::Nothing;
        };
        if reads.iter().any(|held| held.expired) || !self.meshes.contains_key(&run.mesh) {
            return Translated::Nothing;
        }
        let (Some(&first), Some(a), Some(b)) = (reads.first(), run.reads.first(), run.reads.last())
        else {
            return Translated::Foreign;
        };
        let alike = reads.len() <= 2
            && reads.iter().all(|one| one.spec == first.spec && one.mesh == run.mesh);
        if !alike || canonical(first.spec, run).is_none_or(|meant| meant != *run) {
            return Translated::Foreign;
        }
        let (a, b) = (a.to_string(), b.to_string());
        match run.output {
            Some((name, _)) if self.buffers.contains_key(&name) => Translated::Nothing,
            Some((name, _)) => {
                Translated::Ask(Request::Run { name: name.to_string(), a, b, function: "add" })
            }
            None => Translated::Ask(Request::Run { name: a.clone(), a, b, function: "add_" }),
        }
    }

    /// `ttnn.move(a)` or `ttnn.reallocate(a)`.
    fn moved(&self, setup: &Setup, run: &RunSpec, moves: Moves) -> Translated {
        let (&[of], Some((name, _))) = (run.reads.as_slice(), run.output) else {
            return Translated::Foreign;
        };
        let held = self.buffers.get(&of).filter(|held| !held.expired);
        let (Some(held), false) = (held, self.buffers.contains_key(&name)) else {
            return Translated::Nothing;
        };
        if !self.meshes.contains_key(&run.mesh) {
            return Translated::Nothing;
        }
        // The cache tells shapes apart, and the shape of a view is not that of its base.
        let shape = (held.spec, held.views);
        let is_its_key = match self.moved.get(&run.key) {
            Some(moved) => *moved == shape,
            None => !self.moved.values().any(|moved| *moved == shape),
        };
        let meant = canonical_move(setup, held.spec, run);
        if !is_its_key || held.mesh != run.mesh || meant.is_none_or(|meant| meant != *run) {
            return Translated::Foreign;
        }
        let function = match moves {
            Moves::Move => "move",
            Moves::Reallocate => "reallocate",
        };
        let (name, of) = (name.to_string(), of.to_string());
        Translated::Ask(Request::Run { name, b: of.clone(), a: of, function })
    }

    /// Takes down what a call that returned has made or let go.
    pub fn note(&mut self, op: &Op) {
        match op {
            Op::Open { mesh, .. } => drop(self.meshes.insert(*mesh, None)),
            Op::Submesh { mesh, parent, .. } => drop(self.meshes.insert(*mesh, Some(*parent))),
            Op::Alloc { buffer, place: Place::Mesh(mesh), spec } => {
                self.hold(*buffer, *mesh, *spec);
            }
            Op::Share { buffer, of } => {
                if let Some(&held) = self.buffers.get(of) {
                    self.buffers.insert(*buffer, Held { views: held.views + 1, ..held });
                }
            }
            Op::Run(run) => {
                let of = run.reads.first().and_then(|name| self.buffers.get(name));
                let moved = of.filter(|_| run.moves.is_some());
                let views = moved.map_or(0, |held| held.views);
                if run.moves.is_some() {
                    self.moved.extend(run.output.map(|(_, spec)| (run.key, (spec, views))));
                }
                if let Some((name, spec)) = run.output {
                    self.hold(name, run.mesh, spec);
                    self.buffers.entry(name).and_modify(|held| held.views = views);
                }
            }
            Op::Drop(Handle::Buffer(name)) | Op::Cycle(name) => drop(self.buffers.remove(name)),
            Op::Drop(Handle::Mesh(name)) => {
                self.meshes.remove(name);
                let held = self.buffers.values_mut().filter(|held| held.mesh == *name);
                held.for_each(|held| held.expired = true);
            }
            Op::Kill(_) => {
                self.killed = true;
                self.buffers.clear();
                self.meshes.clear();
            }
            _ => {}
        }
    }

    /// Takes down that two names hold one tensor: what was to be moved was returned as it is.
    pub fn join(&mut self, name: BufferHandle, of: BufferHandle) {
        if let Some(&held) = self.buffers.get(&of) {
            self.buffers.insert(name, held);
        }
    }

    fn hold(&mut self, name: BufferHandle, mesh: MeshHandle, spec: BufferSpec) {
        self.groups += 1;
        let (group, views, expired) = (self.groups, 0, false);
        self.buffers.insert(name, Held { mesh, spec, group, views, expired });
    }
}

/// Whether what a buffer has on a chip is small enough to be read back on any host.
pub(super) fn fits_host(spec: &BufferSpec) -> bool {
    spec.pages.total() <= READ_MAX
}

/// More than this a chip is not read back.
const READ_MAX: Bytes = Bytes(1 << 28);

/// Whether a buffer is taken from the end of its region that its type is taken from.
fn grows_as_usual(spec: &BufferSpec) -> bool {
    let usual = matches!(spec.buffer_type, BufferType::L1 | BufferType::L1Small);
    spec.top_down.is_none_or(|top_down| top_down == usual)
}

/// The one form in which `ttnn.add` of tensors of a spec is written: its key, its circular buffers
/// and its output follow from the tensor.
pub(super) fn canonical(spec: BufferSpec, run: &RunSpec) -> Option<RunSpec> {
    let tensor = tensors::tensor(&spec)?.tensor;
    // A sharded add has circular buffers on the tensor itself, and an entry for each shard spec.
    if spec.shards.is_some() || tensor.refused_by_add().is_some() {
        return None;
    }
    // "Optional output tensor with Row Major input is not supported right now".
    if run.output.is_none() && tensor.layout == Layout::RowMajor {
        return None;
    }
    Some(RunSpec {
        key: tensor.cache_key(),
        mesh: run.mesh,
        circular_buffers: tensor.circular_buffers(),
        kernel: None,
        reads: run.reads.clone(),
        output: run.output.map(|(name, _)| (name, spec)),
        stale: false,
        moves: None,
    })
}

/// The calls that make a view with one dimension more, which all do the same.
const VIEWS: [&str; 3] = ["experimental.view", "reshape", "unsqueeze"];

/// Below this are the keys of additions.
pub(super) const MOVES: u32 = 100;

/// The one form in which `ttnn.move` of a tensor of a spec is written; its key counts the specs
/// that were moved.
pub(super) fn canonical_move(setup: &Setup, spec: BufferSpec, run: &RunSpec) -> Option<RunSpec> {
    tensors::tensor(&spec)?;
    let size = spec.pages.size.round_up(setup.memory.page_alignment(spec.buffer_type));
    let two = CircularBufferSpec { count: 1, size: Bytes(2 * size.0), cores: None };
    // Of sharded tensors they are the tensors themselves.
    let circular_buffers = if spec.shards.is_some() { Vec::new() } else { vec![two] };
    Some(RunSpec {
        key: CacheKey(run.key.0.max(MOVES)),
        mesh: run.mesh,
        circular_buffers,
        kernel: None,
        reads: run.reads.clone(),
        output: run.output.map(|(name, _)| (name, spec)),
        stale: false,
        moves: run.moves,
    })
}
