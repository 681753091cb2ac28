//! What ttnn's Python bindings refuse, which is above what is modelled.

use super::processors::{Processor, Processors};
use crate::op::{BufferHandle, CaptureStep, Op, ThreadId};

/// The bindings: what they remember.
#[derive(Clone, Debug, Default)]
pub(crate) struct Bindings {
    /// What listens to each thread.
    pub processors: Processors,
}

impl Bindings {
    /// What they raise at a call, before the runtime is asked; none if it is.
    ///
    /// `is_gone` says whether a name's tensor is deallocated, `is_closed` whether its mesh is.
    pub fn raise(
        &mut self,
        (thread, op): (ThreadId, &Op),
        is_gone: impl Fn(&BufferHandle) -> bool,
        is_closed: impl Fn(&BufferHandle) -> bool,
    ) -> Option<&'static str> {
        match op {
            // To the model `share` copies a handle; a view is made of a living tensor only.
            Op::Share { of, .. } if is_gone(of) => Some("Tensor is not allocated"),
            // The tensors are looked at before the mesh is.
            Op::Run(run) if run.moves.is_some() => None,
            Op::Run(run) if run.reads.first().is_some_and(&is_gone) => {
                Some("Input Tensor A is not allocated")
            }
            Op::Run(run) if run.reads.last().is_some_and(&is_gone) => {
                Some("Input Tensor B is not allocated")
            }
            Op::Use(name) if !is_gone(name) && is_closed(name) => Some("cq_id 0 is out of range"),
            Op::Capture(CaptureStep::Begin(_)) => {
                self.processors.begin(thread);
                None
            }
            Op::Capture(CaptureStep::End) => match self.processors.end(thread) {
                Some(Processor::Capture) => None,
                Some(Processor::Counters) | None => Some("'NoneType' object is not iterable"),
            },
            Op::Kill(_) => {
                *self = Self::default();
                None
            }
            _ => None,
        }
    }

    /// Takes down what a call that returned has made.
    pub fn note(&mut self, thread: ThreadId, op: &Op) {
        if matches!(op, Op::Open { .. }) {
            self.processors.open(thread);
        }
    }
}
