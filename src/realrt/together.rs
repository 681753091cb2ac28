//! Two calls at a time, on two threads, where no order of the two can be told from the other.

use super::lockstep::{Difference, Pair, mismatch};
use super::process;
use super::protocol::{Address, Answer, Request};
use super::translate::{Held, Names, Translated};
use super::watch::Step;
use crate::op::{BufferHandle, Handle, MeshHandle, Op, Place, ThreadId};

/// What a call has to do with.
#[derive(Debug)]
struct Reach {
    mesh: MeshHandle,
    /// The tensors that it reads or lets go.
    groups: Vec<u32>,
    makes: Option<BufferHandle>,
    takes: bool,
    frees: bool,
}

impl Reach {
    /// Of a call on what is sound: on an open mesh, and on tensors that have memory of their own.
    fn of(names: &Names, seen: &Answer, op: &Op) -> Option<Self> {
        let sound = |name: &BufferHandle| -> Option<Held> {
            let held = *names.buffers.get(name).filter(|held| !held.expired)?;
            let alone =
                names.buffers.values().filter(|other| other.group == held.group).count() == 1;
            let address = seen.buffers.get(&name.to_string());
            let is_somewhere = matches!(address, Some((true, Address::At(1..))));
            (alone && is_somewhere).then_some(held)
        };
        let one = |name: &BufferHandle, frees: bool| {
            let held = sound(name)?;
            let (groups, takes) = (vec![held.group], false);
            Some(Self { mesh: held.mesh, groups, makes: None, takes, frees })
        };
        let reach = match op {
            Op::Alloc { buffer, place: Place::Mesh(mesh), .. } => {
                let (groups, makes) = (Vec::new(), Some(*buffer));
                Self { mesh: *mesh, groups, makes, takes: true, frees: false }
            }
            Op::Run(run) if run.moves.is_none() => {
                let held: Vec<Held> = run.reads.iter().map(sound).collect::<Option<_>>()?;
                let groups = held.iter().map(|held| held.group).collect();
                let makes = run.output.map(|(name, _)| name);
                Self { mesh: run.mesh, groups, makes, takes: true, frees: false }
            }
            Op::Use(name) => one(name, false)?,
            Op::Deallocate(name) | Op::DeallocateUnforced(name) => one(name, true)?,
            Op::Drop(Handle::Buffer(name)) => one(name, true)?,
            _ => return None,
        };
        let mesh = seen.meshes.get(&reach.mesh.to_string())?;
        mesh.closed.is_none().then_some(reach)
    }

    /// Whether the two come to the same in either order.
    fn is_apart_from(&self, other: &Self) -> bool {
        let shares = self.groups.iter().any(|group| other.groups.contains(group));
        let makes_one = self.makes.is_some() && self.makes == other.makes;
        // Where one allocates decides where the other one does.
        let places = self.takes && other.takes && self.mesh == other.mesh;
        // So does what is freed; and counters that are held at 0 tell the order.
        let counts = self.takes && other.frees || self.frees && other.takes;
        !(shares || makes_one || places || counts)
    }
}

impl Pair<'_> {
    /// The request of two calls at a time, if they can be made so: on threads of their own, of
    /// which none captures, in a process that has one mesh, and parts of it.
    pub fn both(&self, calls: [&(ThreadId, Op); 2]) -> Option<Request> {
        let [(one, first), (other, second)] = calls;
        let is_free =
            |thread: &ThreadId| thread.0 > 0 && !self.bindings.processors.captures(*thread);
        if one == other || !is_free(one) || !is_free(other) || self.opened > 1 {
            return None;
        }
        let reach = |op| Reach::of(&self.names, &self.seen, op);
        if !reach(first)?.is_apart_from(&reach(second)?) {
            return None;
        }
        let ask = |thread: &ThreadId, op| match self.names.translate(&self.setup, op) {
            Translated::Ask(request) => Some(Box::new(request.on(*thread))),
            Translated::Nothing | Translated::Foreign => None,
        };
        Some(Request::Both { first: ask(one, first)?, second: ask(other, second)? })
    }

    /// Makes both, and compares what can be seen when both have returned.
    pub fn step_both(
        &mut self,
        runtime: &mut impl process::Runtime,
        [(one, first), (other, second)]: [&(ThreadId, Op); 2],
        request: &Request,
    ) -> Vec<Difference> {
        let mut answer = match runtime.ask(request) {
            Ok(answer) => answer,
            Err(death) => return vec![death.told()],
        };
        let earlier = answer.first.take().map(|answer| *answer).unwrap_or_default();
        let names = self.names.clone();
        for (op, is_ok) in [(first, earlier.ok), (second, answer.ok)] {
            if is_ok {
                self.names.note(op);
            }
        }
        let before = std::mem::replace(&mut self.seen, answer);
        let step = Step {
            setup: &self.setup,
            op: second,
            thread: *other,
            before: (&before, &names),
            after: (&self.seen, &self.names),
        };
        let found = self.watch.look_at_state(&step);
        let raised = self.modelled((*one, first), &before);
        let differs = self.compare_raised(first, &earlier, &raised);
        let mut differs: Vec<_> = differs.into_iter().map(mismatch).collect();
        let modelled = self.modelled((*other, second), &before);
        differs.extend(self.told(second, found, &modelled));
        differs
    }
}
