//! Host threads: operations in parts, between which others can run.

use std::sync::Arc;

use super::{Outcome, World};
use crate::event::{Event, Observer};
use crate::journal::{Fingerprint, mix};
use crate::mark::Mark;
use crate::message::ObjectRef;
use crate::op::{BufferHandle, Handle, Op};
use crate::runtime::Refusal;
use crate::runtime::object::ObjectId;

/// What a thread still has to do of the operation it is in.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Rest {
    /// The allocator has answered; status and tracking are to come.
    FinishAlloc(BufferHandle, ObjectId, ObjectRef),
    /// `deallocate` has looked at the state; the marks are to come.
    Marks(ObjectId, ObjectRef),
    /// The marks are set; the release is to come.
    Releases(ObjectId, ObjectRef),
}

#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(super) struct Thread {
    pub(super) next_op: u32,
    pub(super) rest: Option<Rest>,
}

#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(super) struct Threads(pub(super) Vec<Thread>);

impl Rest {
    /// The buffer that the operation is about.
    fn object(self) -> ObjectId {
        match self {
            Self::FinishAlloc(_, id, _) | Self::Marks(id, _) | Self::Releases(id, _) => id,
        }
    }
}

/// The buffer that an operation calls something of.
fn called_on(op: &Op) -> Option<BufferHandle> {
    match *op {
        Op::Deallocate(buffer)
        | Op::DeallocateUnforced(buffer)
        | Op::Mark(buffer)
        | Op::Cycle(buffer)
        | Op::Use(buffer)
        | Op::Release { buffer, .. }
        | Op::Assign { buffer, .. }
        | Op::Drop(Handle::Buffer(buffer))
        | Op::View { of: buffer, .. }
        | Op::Alias { of: buffer, .. }
        | Op::Share { of: buffer, .. } => Some(buffer),
        _ => None,
    }
}

impl Fingerprint for Threads {
    fn fingerprint(&self) -> u64 {
        self.0.iter().fold(0, |hash, thread| {
            let rest = match thread.rest {
                None => 0,
                Some(Rest::FinishAlloc(_, id, _)) => u64::from(id.0) << 2 | 1,
                Some(Rest::Marks(id, _)) => u64::from(id.0) << 2 | 2,
                Some(Rest::Releases(id, _)) => u64::from(id.0) << 2 | 3,
            };
            mix(mix(hash, u64::from(thread.next_op)), rest)
        })
    }
}

impl World {
    /// One step of a thread: the next part of the operation it is in, or the first of the next.
    pub(super) fn step_thread<O: Observer>(&mut self, index: usize, observer: &mut O) -> Outcome {
        if let Some(rest) = self.threads.0[index].rest {
            let next = self.continue_op(rest, observer);
            self.threads.update(|threads| threads.0[index].rest = next);
            return Outcome::DONE;
        }
        let next_op = self.threads.0[index].next_op as usize;
        self.threads.update(|threads| threads.0[index].next_op += 1);
        if self.threads.0.iter().any(|thread| thread.rest.is_some()) {
            observer.observe(self.tick, &Event::Reached(Mark::ThreadsInterleaved));
        }
        self.note_in_flight();
        let programs = Arc::clone(&self.programs);
        let op = &programs[index][next_op];
        if called_on(op).is_some_and(|buffer| self.runtime.is_in_flight(buffer)) {
            observer.observe(self.tick, &Event::Reached(Mark::SameBufferInterleaved));
        }
        match self.begin_op(op, observer) {
            Ok((outcome, rest)) => {
                self.threads.update(|threads| threads.0[index].rest = rest);
                outcome
            }
            Err(refusal) => self.refuse(refusal, observer),
        }
    }

    /// Tells the runtime which buffers threads are in the middle of, as it is now: after a reset or
    /// an undo they are others.
    #[inline]
    pub(super) fn note_in_flight(&mut self) {
        let rests = self.threads.0.iter().filter_map(|thread| thread.rest);
        self.runtime.set_in_flight(rests.map(Rest::object));
    }

    /// The first part of an operation. Allocation and deallocation of a MeshBuffer have parts
    /// between which other threads can run; everything else is one step.
    fn begin_op<O: Observer>(
        &mut self,
        op: &Op,
        observer: &mut O,
    ) -> Result<(Outcome, Option<Rest>), Refusal> {
        let (runtime, mut out) = self.split(observer);
        match op {
            Op::Alloc { buffer, place, spec } => {
                let id = runtime.begin_alloc(&mut out, *buffer, *place, *spec)?;
                let rest = Rest::FinishAlloc(*buffer, id, runtime.reference(id));
                Ok((Outcome::DONE, Some(rest)))
            }
            Op::Deallocate(buffer) => match runtime.begin_deallocate(*buffer) {
                Some(id) => Ok((Outcome::DONE, Some(Rest::Marks(id, runtime.reference(id))))),
                None => self.execute_at_once(op, observer),
            },
            _ => self.execute_at_once(op, observer),
        }
    }

    /// An operation that is one step.
    fn execute_at_once<O: Observer>(
        &mut self,
        op: &Op,
        observer: &mut O,
    ) -> Result<(Outcome, Option<Rest>), Refusal> {
        self.execute(op, observer).map(|outcome| (outcome, None))
    }

    fn continue_op<O: Observer>(&mut self, rest: Rest, observer: &mut O) -> Option<Rest> {
        let (runtime, mut out) = self.split(observer);
        let (Rest::FinishAlloc(_, id, object)
        | Rest::Marks(id, object)
        | Rest::Releases(id, object)) = rest;
        // The process may have been killed under the thread.
        if !runtime.exists(id, object) {
            return None;
        }
        match rest {
            Rest::FinishAlloc(name, ..) => {
                runtime.overwrite(&mut out, name);
                runtime.finish_alloc(&mut out, name, id);
                None
            }
            Rest::Marks(..) => {
                runtime.continue_marks(&mut out, id);
                Some(Rest::Releases(id, object))
            }
            Rest::Releases(..) => {
                runtime.continue_releases(&mut out, id);
                None
            }
        }
    }
}
