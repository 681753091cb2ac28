//! What led to a deviation: the model, which agreed with the runtime up to there, replayed.

use std::sync::Arc;

use super::super::bindings::Bindings;
use super::super::lockstep::Deviation;
use super::super::model::Model;
use super::super::overlaps::Overlapping;
use super::super::processors::Processors;
use super::super::translate::{Held, Names, Translated};
use super::families::Families;
use crate::op::{BufferHandle, CaptureStep, Handle, MeshHandle, Op, Place, RunMode, ThreadId};
use crate::runtime::Setup;
use crate::runtime::object::{MeshBufferState, Object};
use crate::scenario::Case;
use crate::units::{DeviceId, MeshShape};

/// What a tensor that is let go has.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Freed {
    /// The id of its mesh.
    pub mesh: u32,
    /// Whether it has memory, which no hook keeps from the device.
    pub has_memory: bool,
    address: u64,
    group: u32,
}

/// What happened before a deviation, and what it is.
#[derive(Debug)]
pub(super) struct Story<'a> {
    pub class: &'a str,
    pub detail: &'a str,
    /// The operation that shows it, and its thread; none if the end does.
    pub op: Option<&'a (ThreadId, Op)>,
    /// The one before it, if the two may have been called at a time.
    pub beside: Option<&'a Op>,
    /// What names held before it.
    pub names: Names,
    /// Which meshes hold the chips, before it.
    families: Families,
    /// The same when it has returned.
    families_after: Families,
    /// On how many chips the largest mesh is that the process opened; none if it opened none.
    pub chips_max: Option<u32>,
    /// What is in cycles.
    cycled: Vec<Freed>,
    /// The captures that have not ended, each with its thread, the first one first.
    pub captures: Vec<(ThreadId, RunMode)>,
    /// Whether the process before this one was killed.
    pub was_killed: bool,
    /// Whether a mesh was closed since then.
    pub was_closed: bool,
    /// What listens to each thread.
    pub processors: Processors,
    setup: Arc<Setup>,
    model: Model,
    /// The model when the operation has returned or raised, and what it raised.
    after: Model,
    refused: Option<String>,
}

/// The operation before one, if both are on threads of their own.
fn beside(case: &Case, place: usize) -> Option<&Op> {
    let (other, _) = case.ops.get(place)?;
    let (thread, op) = case.ops.get(place.checked_sub(1)?)?;
    (thread.0 > 0 && other.0 > 0 && thread != other).then_some(op)
}

impl<'a> Story<'a> {
    /// What led to a deviation of a case.
    pub fn of(case: &'a Case, deviation: &'a Deviation) -> Self {
        let setup = Arc::new(case.start());
        let place = deviation.step.saturating_sub(1);
        let model = Model::new(setup.clone());
        let mut story = Self {
            class: &deviation.class,
            detail: &deviation.detail,
            op: case.ops.get(place),
            beside: beside(case, place),
            names: Names::default(),
            families: Families::default(),
            families_after: Families::default(),
            chips_max: None,
            cycled: Vec::new(),
            captures: Vec::new(),
            was_killed: false,
            was_closed: false,
            processors: Processors::default(),
            after: model.clone(),
            refused: None,
            model,
            setup,
        };
        let mut bindings = Bindings::default();
        for (thread, op) in &case.ops[..place.min(case.ops.len())] {
            if matches!(story.names.translate(&story.setup, op), Translated::Ask(_)) {
                story.take(*thread, op, &mut bindings);
            }
        }
        story.processors = bindings.processors;
        story.look_ahead();
        story
    }

    /// What comes of the operation that shows it.
    fn look_ahead(&mut self) {
        self.after = self.model.clone();
        self.families_after = self.families.clone();
        let Some((thread, op)) = self.op else { return };
        let before = self.families.open(self.model.runtime());
        self.refused = self.after.call((*thread, op), &mut ());
        self.families_after.note(&before, self.after.runtime());
    }

    fn take(&mut self, thread: ThreadId, op: &Op, bindings: &mut Bindings) {
        let is_gone = |name: &BufferHandle| self.is_deallocated(*name);
        let is_closed = |name: &BufferHandle| {
            self.names.buffers.get(name).is_some_and(|held| self.is_closed(held.mesh))
        };
        if bindings.raise((thread, op), is_gone, is_closed).is_some() {
            return;
        }
        let ends = match op {
            Op::Close(mesh) | Op::Drop(Handle::Mesh(mesh)) => Some(*mesh),
            _ => None,
        };
        self.was_closed |= ends.is_some();
        let open = self.families.open(self.model.runtime());
        let freed = match op {
            Op::Cycle(name) => self.has(*name),
            _ => None,
        };
        if self.model.call((thread, op), &mut ()).is_some() {
            return;
        }
        self.families.note(&open, self.model.runtime());
        self.cycled.extend(freed);
        bindings.note(thread, op);
        self.names.note(op);
        self.took(thread, op);
    }

    /// What is remembered of a call that returned.
    fn took(&mut self, thread: ThreadId, op: &Op) {
        match op {
            Op::Open { mesh, .. } => {
                if let Some(mesh) = self.model.runtime().mesh_device(*mesh) {
                    self.families.made(mesh.mesh_id, None);
                    self.chips_max = self.chips_max.max(Some(mesh.devices.count()));
                }
            }
            Op::Submesh { mesh, parent, .. } => {
                if let Some(mesh) = self.mesh_id(*mesh) {
                    self.families.made(mesh, self.mesh_id(*parent));
                }
            }
            Op::Gc => self.cycled.clear(),
            Op::Run(run) => {
                let (of, output) = (run.reads.first(), run.output);
                let kept = of.filter(|of| run.moves.is_some() && !self.is_deallocated(**of));
                if let (Some(&of), Some((name, _))) = (kept, output) {
                    self.names.join(name, of);
                }
            }
            Op::Capture(CaptureStep::Begin(mode)) => {
                self.captures.push((thread, *mode));
            }
            Op::Capture(CaptureStep::End) => {
                let own = self.captures.iter().rposition(|(other, _)| *other == thread);
                own.map(|place| self.captures.remove(place));
            }
            Op::Kill(_) => {
                self.was_killed = true;
                self.was_closed = false;
                self.families = Families::default();
                self.chips_max = None;
                self.cycled.clear();
                self.captures.clear();
            }
            _ => {}
        }
    }

    /// The operation that shows it.
    pub fn op(&self) -> Option<&'a Op> {
        self.op.map(|(_, op)| op)
    }

    /// The thread of that operation.
    pub fn thread(&self) -> ThreadId {
        self.op.map_or(ThreadId(0), |(thread, _)| *thread)
    }

    pub fn object(&self, name: BufferHandle) -> Option<&Object> {
        self.model.runtime().object(name)
    }

    pub fn is_deallocated(&self, name: BufferHandle) -> bool {
        self.object(name).is_some_and(|object| object.state == MeshBufferState::Deallocated)
    }

    pub fn is_closed(&self, mesh: MeshHandle) -> bool {
        self.model.runtime().mesh_device(mesh).is_some_and(|mesh| !mesh.open)
    }

    pub fn held(&self, name: BufferHandle) -> Option<Held> {
        self.names.buffers.get(&name).copied()
    }

    /// Whether a capture keeps what this thread does from the device.
    pub fn is_hooked(&self) -> bool {
        let mut own = self.captures.iter().filter(|(thread, _)| *thread == self.thread());
        own.next().is_some_and(|(_, mode)| *mode == RunMode::NoDispatch)
    }

    /// The modes of the thread's own captures, the outermost first.
    pub fn own_captures(&self) -> Vec<RunMode> {
        let own = self.captures.iter().filter(|(thread, _)| *thread == self.thread());
        own.map(|(_, mode)| *mode).collect()
    }

    /// The id of the mesh that a name holds.
    pub fn mesh_id(&self, name: MeshHandle) -> Option<u32> {
        self.model.runtime().mesh_device(name).map(|mesh| mesh.mesh_id)
    }

    /// Whether any mesh is open.
    pub fn is_any_open(&self) -> bool {
        self.model.runtime().open_meshes().next().is_some()
    }

    /// Whether the chips of a mesh, by its id, were closed with another one; the operation at hand
    /// counts.
    pub fn is_closed_under(&self, mesh: u32) -> bool {
        self.families_after.are_closed_under(mesh)
    }

    /// Whether a mesh goes with the operation that has programs in its cache.
    pub fn ends_programs(&self) -> bool {
        let is_there = |id: u32| self.after.runtime().meshes().any(|mesh| mesh.mesh_id == id);
        let mut meshes = self.model.runtime().meshes();
        meshes.any(|mesh| !mesh.cache.is_empty() && !is_there(mesh.mesh_id))
    }

    /// What the model answers to the operation: the text that it raises.
    pub fn refused(&self) -> Option<&str> {
        self.refused.as_deref()
    }

    /// What a name's tensor has.
    fn has(&self, name: BufferHandle) -> Option<Freed> {
        let (object, held) = (self.object(name)?, self.held(name)?);
        let is_there = object.state != MeshBufferState::Deallocated && object.address.0 > 0;
        let (mesh, has_memory) = (object.mesh_id, is_there && !object.hooked);
        Some(Freed { mesh, has_memory, address: object.address.0, group: held.group })
    }

    /// The tensors that the operation lets go, or may: those that nothing else holds.
    pub fn freed(&self) -> Vec<Freed> {
        let holders = |group: u32| {
            let names = self.names.buffers.values().filter(|held| held.group == group).count();
            names + self.cycled.iter().filter(|cycled| cycled.group == group).count()
        };
        let last = |name: &BufferHandle| self.has(*name).filter(|one| holders(one.group) == 1);
        match self.op() {
            Some(Op::Deallocate(name)) => self.has(*name).into_iter().collect(),
            Some(Op::DeallocateUnforced(name) | Op::Drop(Handle::Buffer(name))) => {
                last(name).into_iter().collect()
            }
            Some(Op::Run(run)) if run.moves.is_some() => {
                run.reads.iter().filter_map(last).collect()
            }
            Some(Op::Gc) => {
                let is_named = |group| self.names.buffers.values().any(|held| held.group == group);
                self.cycled.iter().filter(|cycled| !is_named(cycled.group)).copied().collect()
            }
            _ => Vec::new(),
        }
    }

    /// The id of the mesh that the driver was looking at when it died; none if it was not.
    pub fn looked_at(&self) -> Option<u32> {
        let name = self.detail.strip_prefix("the process died when ")?;
        let name = name.strip_suffix(" was looked at")?;
        let runtime = self.after.runtime();
        let number = |letter| name.strip_prefix(letter).and_then(|number| number.parse().ok());
        match (number('m'), number('b')) {
            (Some(mesh), _) => runtime.mesh_device(MeshHandle(mesh)).map(|mesh| mesh.mesh_id),
            (_, Some(buffer)) => runtime.object(BufferHandle(buffer)).map(|object| object.mesh_id),
            _ => None,
        }
    }

    /// The ids of the open meshes over the chip whose allocator may have put one of the two there.
    pub fn meshes_of_owner(&self, owner: Overlapping, chip: u8) -> Vec<u32> {
        let runtime = self.after.runtime();
        let named = runtime.object(owner.name).filter(|object| {
            object.state != MeshBufferState::Deallocated && object.address.0 == owner.address
        });
        let is_one = |cycled: &&Freed| cycled.has_memory && cycled.address == owner.address;
        let cycled = self.cycled.iter().filter(is_one).map(|cycled| cycled.mesh);
        let meshes = named.map(|object| object.mesh_id).into_iter().chain(cycled);
        meshes.filter(|mesh| self.is_over(*mesh, chip)).collect()
    }

    /// Whether a mesh, by its id, is open over a chip.
    pub fn is_over(&self, mesh: u32, chip: u8) -> bool {
        let mut open = self.after.runtime().open_meshes().filter(|one| one.mesh_id == mesh);
        open.any(|one| one.devices.contains(DeviceId(chip)))
    }

    /// The chips of a mesh that fits at an offset only when it is turned, if it lay at a place.
    pub fn turned(&self, shape: MeshShape, at: (u8, u8), place: (u8, u8)) -> Option<Vec<u8>> {
        let chips = self.setup.turned(shape, at, place)?;
        Some(chips.iter().map(|chip| chip.0).collect())
    }

    /// The chip that the detail names.
    pub fn chip(&self) -> Option<u8> {
        let (_, rest) = self.detail.split_once(" on chip ")?;
        rest.split(|c: char| !c.is_ascii_digit()).next()?.parse().ok()
    }

    /// The id of the mesh that the detail is about, if its first name is a mesh's.
    pub fn subject_mesh(&self) -> Option<u32> {
        let number = self.subject()?.strip_prefix('m')?.parse().ok()?;
        self.mesh_id(MeshHandle(number))
    }

    /// The ids of the meshes that the operation itself has to do with.
    pub fn touched(&self) -> Vec<u32> {
        let of = |name: &BufferHandle| self.object(*name).map(|object| object.mesh_id);
        let mesh = |name: &MeshHandle| self.mesh_id(*name).into_iter().collect();
        match self.op() {
            Some(Op::Run(run)) => mesh(&run.mesh),
            Some(Op::Alloc { place: Place::Mesh(name), .. }) => mesh(name),
            Some(Op::Share { of: name, .. } | Op::Use(name)) => of(name).into_iter().collect(),
            Some(
                Op::Submesh { parent: name, .. }
                | Op::Close(name)
                | Op::ClearCache(name)
                | Op::DisableCache(name)
                | Op::EnableCache(name)
                | Op::DeallocateAll(name),
            ) => mesh(name),
            Some(
                Op::Deallocate(_)
                | Op::DeallocateUnforced(_)
                | Op::Drop(Handle::Buffer(_))
                | Op::Gc,
            ) => self.freed().into_iter().map(|freed| freed.mesh).collect(),
            // What ends with a mesh is not told by its name alone; and the end ends all.
            Some(Op::Drop(Handle::Mesh(_))) | None => {
                self.model.runtime().meshes().map(|mesh| mesh.mesh_id).collect()
            }
            Some(_) => Vec::new(),
        }
    }

    /// The name that the detail is about: its first word that is one.
    pub fn subject(&self) -> Option<&'a str> {
        let is_name = |word: &&str| {
            let digits = word.strip_prefix('b').or_else(|| word.strip_prefix('m'));
            digits.is_some_and(|digits| {
                !digits.is_empty() && digits.bytes().all(|byte| byte.is_ascii_digit())
            })
        };
        self.detail.split(|c: char| !c.is_ascii_alphanumeric()).find(is_name)
    }
}
