//! Operations one after another, in the words of a dialect and with the answers of the model.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use super::course::{Turn, Turns};
use super::{LeftOut, words};
use crate::fix::{FixSet, Preset};
use crate::journal::Tracking;
use crate::op::{BufferHandle, Handle, Op, ProcessId, ThreadId};
use crate::runtime::object::MeshBufferState;
use crate::runtime::{Runtime, Setup};
use crate::scenario::{Item, Scenario, SetupLine, Simulation};
use crate::server::ServerKind;

/// What the model is: today's runtime, as for `conform --runtime`.
pub(super) fn fixes() -> FixSet {
    Preset::UpstreamShm.fixes()
}

/// Its server, of which the programs see nothing.
pub(super) const SERVER: ServerKind = ServerKind::Shm;

/// What an operation is in a language.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Written {
    /// It names something that is not there.
    Nothing,
    /// The language cannot say it, for a reason.
    LeftOut(&'static str),
    /// Statements, a line each.
    Call(String),
}

/// A language, and what its names hold after the statements so far.
pub(super) trait Dialect {
    /// The operation in this language.
    fn write(&mut self, op: &Op, model: &Runtime) -> Written;

    /// Takes down what a statement that does not raise has made or let go.
    fn note(&mut self, op: &Op);

    /// What the language raises before the runtime is asked; none if it asks.
    fn raise(&mut self, op: &Op, model: &Runtime) -> Option<&'static str>;
}

/// What a name of a buffer holds.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Held {
    Nothing,
    Deallocated,
    At(u64),
}

impl Held {
    /// What the name holds in the model.
    fn of(model: &Runtime, name: BufferHandle) -> Self {
        match model.object(name) {
            None => Self::Nothing,
            Some(object) if object.state == MeshBufferState::Deallocated => Self::Deallocated,
            Some(object) => Self::At(object.address.0),
        }
    }
}

/// What becomes of an operation.
#[derive(Clone, Debug)]
pub(super) enum Step {
    /// It changes nothing.
    Nothing,
    /// It cannot be said.
    LeftOut(String),
    /// It is done.
    Call {
        statements: String,
        /// What it raises.
        raises: Option<String>,
        /// What names hold after it that held something else before.
        changes: Vec<(BufferHandle, Held)>,
    },
}

/// The steps of a program.
#[derive(Clone, Debug)]
pub(super) struct Walked<'a> {
    pub steps: Vec<(&'a Turn<'a>, Step)>,
    /// The lines that are left out: of the setup, too.
    pub left_out: Vec<LeftOut>,
    pub done: usize,
}

/// Lines of the setup that a program cannot follow.
pub(super) type NoSetup = fn(&SetupLine) -> Option<&'static str>;

/// The setup as a dialect can have it, and the lines that it cannot.
pub(super) fn setup(scenario: &Scenario, no: NoSetup) -> (Setup, Vec<LeftOut>) {
    let (mut kept, mut left_out) = (Vec::new(), Vec::new());
    for line in &scenario.lines {
        let Item::Setup(fact) = &line.item else { continue };
        match no(fact) {
            None => kept.push(line.clone()),
            Some(why) => left_out.push(LeftOut {
                line: line.number,
                op: fact.to_string(),
                why: why.to_owned(),
            }),
        }
    }
    (Scenario { lines: kept }.setup(), left_out)
}

/// Walks the operations.
pub(super) fn walk<'a>(
    turns: &'a Turns<'a>,
    (setup, left_out): (Setup, Vec<LeftOut>),
    dialect: &mut impl Dialect,
) -> Walked<'a> {
    let simulation = Simulation::new(Arc::new(setup), fixes(), SERVER, Tracking::NONE, 0);
    let mut walk = Walk {
        dialect,
        simulation,
        process: Process::Own,
        missing: BTreeSet::new(),
        names: BTreeMap::new(),
    };
    let mut walked = Walked { steps: Vec::new(), left_out, done: 0 };
    for turn in &turns.turns {
        let step = walk.step(turn);
        match &step {
            Step::Nothing => {}
            Step::Call { .. } => walked.done += 1,
            Step::LeftOut(why) => {
                let (line, op) = (turn.line, turn.op.to_string());
                walked.left_out.push(LeftOut { line, op, why: why.clone() });
            }
        }
        walked.steps.push((turn, step));
    }
    walked
}

/// Where the scenario is: a program is its first process.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Process {
    Own,
    Other(ProcessId),
    /// The own one ended on a line.
    Over(u32),
}

struct Walk<'a, D> {
    dialect: &'a mut D,
    simulation: Simulation,
    process: Process,
    /// Names that would hold something, had nothing been left out.
    missing: BTreeSet<String>,
    /// What the names of buffers hold, as far as it is told.
    names: BTreeMap<BufferHandle, Held>,
}

impl<D: Dialect> Walk<'_, D> {
    fn step(&mut self, turn: &Turn<'_>) -> Step {
        if let Some(why) = self.elsewhere(turn) {
            return self.leave_out(turn.op, why);
        }
        match self.dialect.write(turn.op, self.simulation.world().runtime()) {
            Written::LeftOut(why) => self.leave_out(turn.op, why.to_owned()),
            Written::Nothing => {
                let mut words = words(turn.op).into_iter();
                match words.find(|word| self.missing.contains(word)) {
                    Some(name) => self.leave_out(turn.op, format!("{name} was left out")),
                    None => Step::Nothing,
                }
            }
            Written::Call(statements) => self.call(turn, statements),
        }
    }

    /// Why a line is none of this program's.
    fn elsewhere(&mut self, turn: &Turn<'_>) -> Option<String> {
        let other = |process| format!("process {process} is another program");
        match (self.process, turn.op) {
            (Process::Over(line), _) => Some(format!("the program ended on line {line}")),
            (_, Op::Process(ProcessId(0))) => {
                self.process = Process::Own;
                Some("this program is process q0 already".to_owned())
            }
            (_, Op::Process(process)) => {
                self.process = Process::Other(*process);
                Some(other(*process))
            }
            (_, Op::Kill(ProcessId(0))) => {
                self.process = Process::Over(turn.line);
                Some("a program does not kill itself; it ends here".to_owned())
            }
            (_, Op::Kill(process)) => Some(other(*process)),
            (Process::Other(process), _) => Some(other(process)),
            (Process::Own, _) => None,
        }
    }

    fn leave_out(&mut self, op: &Op, why: String) -> Step {
        self.missing.extend(made_by(op));
        Step::LeftOut(why)
    }

    fn call(&mut self, turn: &Turn<'_>, statements: String) -> Step {
        let op = turn.op;
        let raises = match self.dialect.raise(op, self.simulation.world().runtime()) {
            Some(text) => Some(text.to_owned()),
            None => self.simulation.apply(op, &mut ()).refused,
        };
        if *op == Op::Exit {
            self.process = Process::Over(turn.line);
            return Step::Call { statements, raises, changes: Vec::new() };
        }
        if raises.is_none() {
            self.dialect.note(op);
            if let Some(name) = made_by(op) {
                self.missing.remove(&name);
            }
        }
        if let Some(name) = buffer_made_by(op) {
            self.names.entry(name).or_insert(Held::Nothing);
        }
        let model = self.simulation.world().runtime();
        let mut changes = Vec::new();
        for (&name, held) in &mut self.names {
            let now = Held::of(model, name);
            if std::mem::replace(held, now) != now {
                changes.push((name, now));
            }
        }
        Step::Call { statements, raises, changes }
    }
}

fn buffer_made_by(op: &Op) -> Option<BufferHandle> {
    match op {
        Op::Alloc { buffer, .. }
        | Op::Alias { buffer, .. }
        | Op::View { buffer, .. }
        | Op::Share { buffer, .. } => Some(*buffer),
        Op::Run(run) => run.output.map(|(buffer, _)| buffer),
        _ => None,
    }
}

/// The name under which an operation creates something.
fn made_by(op: &Op) -> Option<String> {
    let other = match op {
        Op::Open { mesh, .. } | Op::Submesh { mesh, .. } => Some(Handle::Mesh(*mesh)),
        Op::Program { program, .. }
        | Op::DataflowProgram { program, .. }
        | Op::ShareProgram { program, .. } => Some(Handle::Program(*program)),
        Op::BeginTrace { trace, .. } => return Some(trace.to_string()),
        _ => buffer_made_by(op).map(Handle::Buffer),
    };
    other.map(|handle| handle.to_string())
}

/// The threads beside the first one that make calls.
pub(super) fn threads(walked: &Walked<'_>) -> BTreeSet<ThreadId> {
    let calls = walked.steps.iter().filter(|(_, step)| matches!(step, Step::Call { .. }));
    calls.map(|(turn, _)| turn.thread).filter(|thread| thread.0 > 0).collect()
}

/// Every line of a setup, as comments: what stands in a file is nowhere lost.
pub(super) fn notes(turn: &Turn<'_>) -> Vec<String> {
    let comment = turn.comment.map_or(String::new(), |text| format!(" #{text}"));
    let thread = if turn.thread.0 > 0 { format!("{}: ", turn.thread) } else { String::new() };
    let mut notes = vec![format!("line {}: {thread}{}{comment}", turn.line, turn.op)];
    if let Some(other) = turn.interrupted {
        notes.push(format!(
            "Between its parts line {other} begins in the scenario; a call has no parts, and is \
             made whole."
        ));
    }
    notes
}
