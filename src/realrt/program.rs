//! Programs for the real runtime: what it can be asked, on any machine.

use crate::allocator::Machine;
use crate::choice::{Choices, Seeded};
use crate::op::{
    BufferHandle, BufferSpec, CacheKey, CaptureStep, ChildEnd, Handle, MeshHandle, Moves, Op,
    Place, ProcessId, RunMode, RunSpec, ThreadId,
};
use crate::runtime::Setup;
use crate::scenario::{Case, SetupLine};
use crate::units::{Bytes, MeshShape};

use super::{specs, translate};

mod meshes;

/// Names of tensors and of meshes in use at a time.
const BUFFERS: u32 = 8;
const MESHES: u32 = 4;

/// The program of a seed on a machine.
///
/// One seed in six is wild: it closes what is in use, captures without dispatch, frees in bulk what
/// is named, and frees one view of what another still shows. The others stay within what is
/// promised: they close what nobody uses. One
/// in four makes its calls on two to four threads, one in 24 is killed and goes on as a new
/// process, one in 24 forks, and one in 32 begins a capture before it opens anything.
///
/// ```
/// use freeorder::{allocator::Machine, realrt::program};
/// assert_eq!(program(Machine::N150, 7), program(Machine::N150, 7));
/// ```
#[must_use]
pub fn program(machine: Machine, seed: u64) -> Case {
    let mut choices = Seeded::new(seed);
    let mut setup = vec![SetupLine::Machine(machine)];
    if choices.chance(1, 2) {
        setup.push(SetupLine::L1Small(Bytes(32768)));
    }
    let wild = choices.chance(1, 6);
    let mut draft = Draft { setup: Setup::on(machine), wild, ..Draft::default() };
    let shape = machine.mesh_shapes()[0];
    draft.push(Op::Open { mesh: MeshHandle(0), shape, at: (0, 0) });
    draft.meshes.push((MeshHandle(0), shape));
    let length = 8 + choices.pick(40);
    for _ in 0..length {
        let kind = choices.weighted(&WEIGHTS.map(|(tame, extra)| tame + u32::from(wild) * extra));
        draft.draw(kind, &mut choices);
    }
    if choices.chance(1, 24) {
        draft.second_life(shape);
        for _ in 0..length / 2 {
            let kind =
                choices.weighted(&WEIGHTS.map(|(tame, extra)| tame + u32::from(wild) * extra));
            draft.draw(kind, &mut choices);
        }
    }
    if wild && choices.chance(1, 8) {
        draft.push(Op::Exit);
    }
    if choices.chance(1, 24) {
        let end = if choices.chance(1, 2) { ChildEnd::Exit } else { ChildEnd::Immediate };
        let place = 1 + choices.pick(draft.ops.len() as u64) as usize;
        draft.ops.insert(place, Op::Fork(end));
    }
    let mut case = Case { setup, ..Case::from_ops(draft.ops) };
    if choices.chance(1, 4) {
        on_threads(&mut case, wild, &mut choices);
    }
    if choices.chance(1, 32) {
        capture_all(&mut case, &mut choices);
    }
    case
}

/// A capture begins before the first mesh is opened, and ends somewhere behind it, on its thread.
fn capture_all(case: &mut Case, choices: &mut Seeded) {
    let thread = case.ops[0].0;
    let end = 1 + choices.pick(case.ops.len() as u64) as usize;
    case.ops.insert(end, (thread, Op::Capture(CaptureStep::End)));
    case.ops.insert(0, (thread, Op::Capture(CaptureStep::Begin(RunMode::Normal))));
}

/// The operations, one after another, on two to four threads. A capture stays on its thread, most
/// of what is done in the meantime too: only a wild program ends one on another.
fn on_threads(case: &mut Case, wild: bool, choices: &mut Seeded) {
    let count = 2 + choices.pick(3);
    let mut captures: Vec<ThreadId> = Vec::new();
    let mut last = ThreadId(0);
    for (thread, op) in &mut case.ops {
        let any = match choices.chance(5, 8) {
            // Neighbours on different threads can be called at a time.
            true => ThreadId(1 + last.0 % (count as u32 - 1)),
            false => ThreadId(choices.pick(count) as u32),
        };
        let own = captures.last().copied();
        *thread = match op {
            Op::Capture(CaptureStep::End) if wild && choices.chance(1, 4) => any,
            _ if choices.chance(1, 4) => any,
            _ => own.unwrap_or(any),
        };
        last = *thread;
        match op {
            Op::Capture(CaptureStep::Begin(_)) => captures.push(*thread),
            Op::Capture(CaptureStep::End) => drop(captures.pop()),
            Op::Kill(_) => captures.clear(),
            _ => {}
        }
    }
}

/// How often each kind of operation is drawn, and how much more often in a wild program.
const WEIGHTS: [(u32, u32); 20] = [
    (30, 0), // 0 allocate
    (12, 4), // 1 deallocate
    (10, 4), // 2 drop
    (14, 4), // 3 add
    (3, 1),  // 4 add in place
    (2, 4),  // 5 view
    (3, 2),  // 6 cycle
    (2, 2),  // 7 collect
    (4, 3),  // 8 read
    (3, 1),  // 9 clear the cache
    (1, 1),  // 10 disable it
    (2, 1),  // 11 enable it
    (3, 4),  // 12 submesh
    (1, 4),  // 13 open
    (2, 4),  // 14 close
    (1, 3),  // 15 drop a mesh
    (1, 2),  // 16 free in bulk
    (2, 5),  // 17 begin or end a capture
    (3, 2),  // 18 deallocate without force
    (5, 2),  // 19 move or reallocate
];

#[derive(Debug)]
struct Draft {
    setup: Setup,
    wild: bool,
    ops: Vec<Op>,
    meshes: Vec<(MeshHandle, MeshShape)>,
    /// Those of them that were cut from another, and from which.
    parts: Vec<(MeshHandle, MeshHandle)>,
    /// Names that hold a tensor, with what it was made from, as far as a draft can know.
    buffers: Vec<(BufferHandle, MeshHandle, BufferSpec)>,
    /// Those of them that were deallocated: only a wild program uses them again.
    gone: Vec<BufferHandle>,
    /// Names that were ever views, or had one.
    shared: Vec<BufferHandle>,
    /// Views, with how many views there are between each and what was allocated.
    views: Vec<(BufferHandle, u32)>,
    /// What was moved: the place counts in the key.
    moved: Vec<(BufferSpec, u32)>,
    capturing: bool,
}

impl Default for Draft {
    fn default() -> Self {
        Self {
            setup: Setup::on(Machine::T3k),
            wild: false,
            ops: Vec::new(),
            meshes: Vec::new(),
            parts: Vec::new(),
            buffers: Vec::new(),
            gone: Vec::new(),
            shared: Vec::new(),
            views: Vec::new(),
            moved: Vec::new(),
            capturing: false,
        }
    }
}

impl Draft {
    fn push(&mut self, op: Op) {
        self.ops.push(op);
    }

    /// The process is killed, and another one begins.
    fn second_life(&mut self, shape: MeshShape) {
        self.push(Op::Kill(ProcessId(0)));
        self.meshes = vec![(MeshHandle(0), shape)];
        self.parts.clear();
        self.buffers.clear();
        self.gone.clear();
        self.shared.clear();
        self.views.clear();
        self.capturing = false;
        self.push(Op::Open { mesh: MeshHandle(0), shape, at: (0, 0) });
    }

    fn draw(&mut self, kind: usize, choices: &mut Seeded) {
        match kind {
            0 => self.alloc(choices),
            3 | 4 => self.run(choices, kind == 3),
            5 => self.view(choices),
            1 | 2 | 6 | 8 | 18 => self.on_buffer(kind, choices),
            7 => self.push(Op::Gc),
            12 | 13 => self.mesh(choices, kind == 12),
            17 => self.capture(choices),
            19 => self.moved(choices),
            _ => self.on_mesh(kind, choices),
        }
    }

    /// The names that may be used: in a wild program all of them.
    fn usable(&self) -> Vec<(BufferHandle, MeshHandle, BufferSpec)> {
        let is_usable = |name: &BufferHandle| self.wild || !self.gone.contains(name);
        self.buffers.iter().filter(|(name, ..)| is_usable(name)).copied().collect()
    }

    fn free_buffer(&self) -> Option<BufferHandle> {
        let is_held = |name: &BufferHandle| self.buffers.iter().any(|(held, ..)| held == name);
        (0..BUFFERS).map(BufferHandle).find(|name| !is_held(name))
    }

    fn alloc(&mut self, choices: &mut Seeded) {
        let Some(buffer) = self.free_buffer() else { return };
        let Some(&(mesh, _)) = one_of(&self.meshes, choices) else { return };
        let spec = specs::spec(choices, self.wild);
        self.push(Op::Alloc { buffer, place: Place::Mesh(mesh), spec });
        self.buffers.push((buffer, mesh, spec));
    }

    fn run(&mut self, choices: &mut Seeded, with_output: bool) {
        let Some(&(read, mesh, spec)) = one_of(&self.usable(), choices) else { return };
        // An addition of rows without columns kills the process.
        if !self.wild && spec.pages.count == 0 {
            return;
        }
        let output = match (with_output, self.free_buffer()) {
            (true, Some(name)) => Some((name, spec)),
            (true, None) => return,
            (false, _) => None,
        };
        let others = self.usable().into_iter().filter(|&(_, on, of)| (on, of) == (mesh, spec));
        let others: Vec<BufferHandle> = others.map(|(name, ..)| name).collect();
        let mut reads = vec![read];
        if choices.chance(1, 3) {
            reads.extend(one_of(&others, choices));
        }
        let run = RunSpec {
            key: CacheKey(0),
            mesh,
            circular_buffers: Vec::new(),
            kernel: None,
            reads,
            output,
            stale: false,
            moves: None,
        };
        let Some(run) = translate::canonical(spec, &run) else { return };
        self.push(Op::Run(Box::new(run)));
        self.buffers.extend(output.map(|(name, _)| (name, mesh, spec)));
    }

    fn views_between(&self, name: BufferHandle) -> u32 {
        self.views.iter().find(|(view, _)| *view == name).map_or(0, |&(_, count)| count)
    }

    fn moved(&mut self, choices: &mut Seeded) {
        let Some(buffer) = self.free_buffer() else { return };
        let Some(&(of, mesh, spec)) = one_of(&self.usable(), choices) else { return };
        let shape = (spec, self.views_between(of));
        let known = self.moved.iter().position(|moved| *moved == shape);
        let place = known.unwrap_or(self.moved.len());
        let run = RunSpec {
            key: CacheKey(translate::MOVES + place as u32),
            mesh,
            circular_buffers: Vec::new(),
            kernel: None,
            reads: vec![of],
            output: Some((buffer, spec)),
            stale: false,
            moves: Some(if choices.chance(1, 2) { Moves::Move } else { Moves::Reallocate }),
        };
        let Some(run) = translate::canonical_move(&self.setup, spec, &run) else { return };
        if known.is_none() {
            self.moved.push(shape);
        }
        self.push(Op::Run(Box::new(run)));
        self.buffers.push((buffer, mesh, spec));
        if self.shared.contains(&of) {
            self.shared.push(buffer);
        }
        self.views.push((buffer, shape.1));
        self.gone.push(of);
    }

    fn view(&mut self, choices: &mut Seeded) {
        let Some(buffer) = self.free_buffer() else { return };
        let Some(&(of, mesh, spec)) = one_of(&self.usable(), choices) else { return };
        self.push(Op::Share { buffer, of });
        self.shared.extend([buffer, of]);
        self.views.push((buffer, self.views_between(of) + 1));
        self.buffers.push((buffer, mesh, spec));
    }

    fn on_buffer(&mut self, kind: usize, choices: &mut Seeded) {
        if self.buffers.is_empty() {
            return;
        }
        let place = choices.pick(self.buffers.len() as u64) as usize;
        let (name, _, spec) = self.buffers[place];
        match kind {
            8 if !translate::fits_host(&spec) => return,
            // What a view outlives is its memory: that is wild.
            1 if !self.wild && self.shared.contains(&name) => return,
            // If another name shows it, it stays; a draft need not know.
            1 | 18 => self.gone.push(name),
            2 | 6 => {
                self.buffers.remove(place);
                self.views.retain(|&(view, _)| view != name);
                self.gone.retain(|&gone| gone != name);
            }
            _ if !self.usable().iter().any(|&(usable, ..)| usable == name) => return,
            _ => {}
        }
        self.push(match kind {
            1 => Op::Deallocate(name),
            18 => Op::DeallocateUnforced(name),
            2 => Op::Drop(Handle::Buffer(name)),
            6 => Op::Cycle(name),
            _ => Op::Use(name),
        });
    }

    fn capture(&mut self, choices: &mut Seeded) {
        let end = if self.wild { choices.chance(1, 2) } else { self.capturing };
        let mode = match self.wild && choices.chance(1, 2) {
            true => RunMode::NoDispatch,
            false => RunMode::Normal,
        };
        self.capturing = !end;
        self.push(Op::Capture(if end { CaptureStep::End } else { CaptureStep::Begin(mode) }));
    }
}

fn one_of<'a, T>(items: &'a [T], choices: &mut Seeded) -> Option<&'a T> {
    items.get(choices.pick(items.len() as u64) as usize)
}
