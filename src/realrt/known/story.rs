//! What led to a deviation: the model, which agreed with the runtime up to there, replayed.

use std::sync::Arc;

use super::super::bindings::Bindings;
use super::super::lockstep::Deviation;
use super::super::model::Model;
use super::super::processors::Processors;
use super::super::translate::{Held, Names, Translated};
use crate::op::{BufferHandle, CaptureStep, Handle, MeshHandle, Op, RunMode, ThreadId};
use crate::runtime::Setup;
use crate::runtime::object::{MeshBufferState, Object};
use crate::scenario::Case;
use crate::units::Lanes;

/// A mesh that was opened, and is not cut from another.
#[derive(Clone, Copy, Debug)]
pub(super) struct Root {
    pub mesh: MeshHandle,
    pub devices: Lanes,
    /// Whether another one was closed while it was open: that closes every device.
    pub is_closed_under: bool,
    /// Whether it was closed since, or its name dropped.
    pub is_ended: bool,
}

/// What happened before a deviation, and what it is.
#[derive(Debug)]
pub(super) struct Story<'a> {
    pub class: &'a str,
    pub detail: &'a str,
    /// The operation that shows it, and its thread; none if the end does.
    pub op: Option<&'a (ThreadId, Op)>,
    /// What names held before it.
    pub names: Names,
    /// The meshes of the process that were opened, whether they are closed or not.
    pub roots: Vec<Root>,
    /// The captures that have not ended, each with its thread, the first one first.
    pub captures: Vec<(ThreadId, RunMode)>,
    /// Whether the process before this one was killed.
    pub was_killed: bool,
    /// Whether a mesh was closed since then.
    pub was_closed: bool,
    /// Whether a program has run.
    pub has_run: bool,
    /// What listens to each thread.
    pub processors: Processors,
    setup: Arc<Setup>,
    model: Model,
}

fn meet(one: Lanes, other: Lanes) -> bool {
    one.minus(other) != one
}

impl<'a> Story<'a> {
    /// What led to a deviation of a case.
    pub fn of(case: &'a Case, deviation: &'a Deviation) -> Self {
        let setup = Arc::new(case.start());
        let place = deviation.step.saturating_sub(1);
        let mut story = Self {
            class: &deviation.class,
            detail: &deviation.detail,
            op: case.ops.get(place),
            names: Names::default(),
            roots: Vec::new(),
            captures: Vec::new(),
            was_killed: false,
            was_closed: false,
            has_run: false,
            processors: Processors::default(),
            model: Model::new(setup.clone()),
            setup,
        };
        let mut bindings = Bindings::default();
        for (thread, op) in &case.ops[..place.min(case.ops.len())] {
            if matches!(story.names.translate(&story.setup, op), Translated::Ask(_)) {
                story.take(*thread, op, &mut bindings);
            }
        }
        story.processors = bindings.processors;
        story
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
        let is_root = |root: &Root| Some(root.mesh) == ends && !root.is_ended;
        let is_one = self.roots.iter().any(is_root);
        for root in &mut self.roots {
            root.is_closed_under |= is_one && !root.is_ended && Some(root.mesh) != ends;
            root.is_ended |= Some(root.mesh) == ends;
        }
        if self.model.call((thread, op), &mut ()).is_some() {
            return;
        }
        bindings.note(thread, op);
        self.names.note(op);
        self.took(thread, op);
    }

    /// What is remembered of a call that returned.
    fn took(&mut self, thread: ThreadId, op: &Op) {
        match op {
            Op::Open { mesh, .. } => {
                let runtime = self.model.runtime();
                let devices = runtime.mesh_device(*mesh).map_or(Lanes::NONE, |mesh| mesh.devices);
                let (mesh, is_closed_under, is_ended) = (*mesh, false, false);
                self.roots.push(Root { mesh, devices, is_closed_under, is_ended });
            }
            Op::Run(run) => {
                self.has_run = true;
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
                self.has_run = false;
                self.roots.clear();
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

    /// The chips of the mesh that was opened and that this one is, or is a part of.
    pub fn devices_of(&self, mesh: MeshHandle) -> Lanes {
        let mesh = self.model.runtime().mesh_device(mesh);
        mesh.map_or(Lanes::NONE, |mesh| mesh.devices)
    }

    /// Whether a mesh was open when another one was closed; the operation at hand counts.
    pub fn is_closed_under(&self, mesh: MeshHandle) -> bool {
        let own = self.devices_of(mesh);
        let ends_now = match self.op() {
            Some(Op::Close(ended) | Op::Drop(Handle::Mesh(ended))) => Some(*ended),
            _ => None,
        };
        let is_one = |root: &&Root| Some(root.mesh) == ends_now && !root.is_ended;
        let ending = self.roots.iter().find(is_one).map(|root| root.mesh);
        self.roots.iter().filter(|root| meet(root.devices, own)).any(|root| {
            root.is_closed_under
                || !root.is_ended && ending.is_some_and(|ending| ending != root.mesh)
        })
    }

    /// Whether any mesh that is open by its name was closed under.
    pub fn is_any_closed_under(&self) -> bool {
        let mut open = self.names.meshes.keys().filter(|&&mesh| !self.is_closed(mesh));
        open.any(|&mesh| self.is_closed_under(mesh))
    }

    /// What the model answers to the operation: the text that it raises.
    pub fn refused(&self) -> Option<String> {
        self.model.clone().call((self.thread(), self.op()?), &mut ())
    }

    /// The tensors that the operation lets go, or may.
    pub fn freed(&self) -> Vec<BufferHandle> {
        match self.op() {
            Some(
                Op::Deallocate(name)
                | Op::DeallocateUnforced(name)
                | Op::Drop(Handle::Buffer(name)),
            ) => vec![*name],
            Some(Op::Run(run)) if run.moves.is_some() => run.reads.clone(),
            _ => Vec::new(),
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
