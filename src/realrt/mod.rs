//! The real runtime: driven in step with the model, watched by oracles, its failures minimised.
//!
//! A scenario is lowered to calls of ttnn: a buffer's pages become a tensor that has them, `share`
//! a view, `run` an addition. A driver in Python makes the calls and says what can be seen after
//! each one. What the model answers otherwise, what an oracle objects to and what kills the process
//! is a [`Deviation`]; each has a class, which the one reducer keeps while it makes the case small.

mod bindings;
mod captures;
mod child;
mod compare;
mod counters;
mod descriptor;
mod graph;
mod hunt;
mod ids;
mod kept;
mod known;
mod ledger;
mod lockstep;
mod model;
mod overlaps;
mod process;
mod processors;
mod program;
mod protocol;
mod script;
mod setup;
mod shown;
mod specs;
mod subject;
mod symbol;
mod tally;
mod tensors;
#[cfg(test)]
mod tests;
mod together;
mod translate;
mod watch;

pub(crate) use bindings::Bindings;
pub use child::{Child, Ending};
pub use counters::{Counts, Region};
pub use descriptor::descriptor;
pub use graph::Node;
pub use hunt::{Finding, Found, Hunt, minimized};
pub use known::{KNOWN, Known};
pub use lockstep::{Check, Deviation, Plant, Ran, run};
pub use process::{DRIVER, Death, Installation, Process, Runtime, Waits};
pub use program::program;
pub use protocol::{Address, Answer, BufferSeen, ChildSeen, MeshSeen, Request};
pub use script::script;
pub(crate) use script::{FORK, IMPORTS, Python, SHARDED, Writer};
pub use setup::{SetupError, VERSION, set_up, write_around};
pub use subject::Real;
pub use watch::ORACLES;

use crate::op::{CaptureStep, Op, RunMode};

/// The word that a kind of operation is called by in classes and in the table of divergences.
fn word(op: &Op) -> String {
    match op {
        Op::Capture(CaptureStep::Begin(RunMode::Normal)) => "capture-normal".to_owned(),
        Op::Capture(CaptureStep::Begin(RunMode::NoDispatch)) => "capture-no-dispatch".to_owned(),
        Op::Capture(CaptureStep::End) => "capture-end".to_owned(),
        Op::Drop(crate::op::Handle::Mesh(_)) => "drop-mesh".to_owned(),
        Op::Run(run) if run.moves.is_some() => "move".to_owned(),
        Op::Fork(_) => op.to_string().replace(' ', "-"),
        op => op.to_string().split(' ').next().unwrap_or_default().to_owned(),
    }
}
