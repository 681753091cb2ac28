//! A scenario as a Python script.

use std::fmt::Write as _;

use super::course::Turns;
use super::walk::{self, Dialect, Held, Step, Walked, Written, notes};
use super::{Exported, LeftOut};
use crate::allocator::Machine;
use crate::op::{BufferHandle, Handle, Op, Place, ThreadId};
use crate::realrt::{Bindings, FORK, IMPORTS, Python, SHARDED, VERSION, Writer};
use crate::runtime::Runtime;
use crate::runtime::object::MeshBufferState;
use crate::scenario::{Scenario, SetupLine};

const STEPS: &str = include_str!("../../runtime/steps.py");

pub(super) fn export(scenario: &Scenario, name: &str, course: &Turns<'_>) -> Exported {
    let (setup, left_out) = walk::setup(scenario, no_setup);
    let machine = setup.machine;
    let mut dialect = Ttnn { writer: Writer::new(setup.clone()), bindings: Bindings::default() };
    let walked = walk::walk(course, (setup, left_out), &mut dialect);
    let mut text = head(name, machine, &walked);
    if walked.steps.iter().any(|(turn, _)| matches!(turn.op, Op::Fork(_))) {
        let _ = write!(text, "{FORK}\n\n");
    }
    for (turn, step) in &walked.steps {
        for line in &turn.before {
            comment(&mut text, line);
        }
        notes(turn).iter().for_each(|line| comment(&mut text, line));
        match step {
            Step::Nothing => comment(&mut text, NOTHING),
            Step::LeftOut(why) => comment(&mut text, &format!("LEFT OUT: {why}.")),
            Step::Call { statements, .. } if *turn.op == Op::Exit => {
                let _ = writeln!(text, "{statements}");
            }
            Step::Call { statements, raises, changes } => {
                let _ = write!(text, "step({}, {}", turn.line, quoted(statements));
                // The child has but this thread, and ends as a process does.
                if turn.thread.0 > 0 && !matches!(turn.op, Op::Fork(_)) {
                    let _ = write!(text, ", thread=\"{}\"", turn.thread);
                }
                if let Some(raises) = raises {
                    let _ = write!(text, ", raises={}", quoted(raises));
                }
                for (name, held) in changes {
                    let _ = write!(text, ", {name}={}", value(*held));
                }
                text.push_str(")\n");
            }
        }
    }
    course.behind.iter().for_each(|line| comment(&mut text, line));
    text.push_str("finish()\n");
    let Walked { left_out, done, .. } = walked;
    Exported { text, done, left_out }
}

const NOTHING: &str = "It names nothing that is there, or something that is: it changes nothing.";

struct Ttnn {
    writer: Writer,
    bindings: Bindings,
}

impl Dialect for Ttnn {
    fn write(&mut self, op: &Op, _: &Runtime) -> Written {
        match self.writer.call(op) {
            Python::Nothing => Written::Nothing,
            Python::Foreign => Written::LeftOut(why_not(op)),
            // The end of the program says what differed.
            Python::Call(_) if *op == Op::Exit => Written::Call("finish(exit=True)".to_owned()),
            Python::Call(call) if matches!(op, Op::Fork(_)) => {
                Written::Call(format!("assert {call} == 0, \"the child does not exit with 0\""))
            }
            Python::Call(call) => Written::Call(call),
        }
    }

    fn note(&mut self, op: &Op) {
        self.writer.note(op);
    }

    fn raise(&mut self, op: &Op, model: &Runtime) -> Option<&'static str> {
        let state = |name: &BufferHandle| model.object(*name).map(|object| object.state);
        let is_gone = |name: &BufferHandle| state(name) == Some(MeshBufferState::Deallocated);
        let is_closed = |name: &BufferHandle| {
            let mesh = self.writer.mesh_of(*name).and_then(|mesh| model.mesh_device(mesh));
            mesh.is_some_and(|mesh| !mesh.open)
        };
        self.bindings.raise((ThreadId(0), op), is_gone, is_closed)
    }
}

/// Why a line of the setup is not followed.
fn no_setup(fact: &SetupLine) -> Option<&'static str> {
    match fact {
        SetupLine::L1Base(_) | SetupLine::L1Limit(_) => Some("L1 starts where the machine says"),
        SetupLine::TraceRegion(_) => Some("no trace is captured, so that no region is reserved"),
        SetupLine::Tracked(_) => Some(TRACKER),
        SetupLine::CoreRanges(_) => Some("texts are those of the published package"),
        SetupLine::Machine(_) | SetupLine::L1Small(_) | SetupLine::Class(_) => None,
    }
}

const TRACKER: &str = "it is about what an allocation server hears, which no call of ttnn decides";

/// Why no call of ttnn is an operation.
fn why_not(op: &Op) -> &'static str {
    const PROGRAM: &str = "programs are made in C++; ttnn makes its own";
    match op {
        Op::Alloc { place: Place::Device(_), .. } => "a tensor is on a mesh, never on one device",
        Op::Alloc { place: Place::Mesh(_), .. } => {
            "no tensor has these pages in these shards, from this end of the region"
        }
        Op::Alias { .. } => "ttnn makes no tensor at a given address",
        Op::View { .. } => "ttnn has no `Buffer::view`",
        Op::Run(_) => {
            "of ttnn's operations `add`, `add_`, `move` and `reallocate` are modelled, \
                       and it is none"
        }
        Op::Mark(_) | Op::Release { .. } => "ttnn does not reach into a MeshBuffer",
        Op::Program { .. }
        | Op::DataflowProgram { .. }
        | Op::ShareProgram { .. }
        | Op::Assign { .. }
        | Op::Enqueue { .. }
        | Op::Drop(Handle::Program(_)) => PROGRAM,
        Op::BeginTrace { .. } | Op::EndTrace(_) | Op::Replay(_) | Op::ReleaseTrace(_) => {
            "without hardware dispatch is slow, and slow dispatch refuses traces"
        }
        Op::LoadManager { .. } => {
            "without hardware dispatch is slow, and slow dispatch refuses sub-device managers"
        }
        Op::Async { .. } | Op::Finish(_) => "ttnn has no `enable_async` any more",
        Op::ClearAllocator(_) => "ttnn does not clear an allocator",
        Op::Inspector => "the Inspector is switched by the environment of the process",
        Op::Static(_) => "Python has no variables of static storage duration",
        Op::Tracking(_)
        | Op::ServerRestart
        | Op::Lose(_)
        | Op::Stall
        | Op::Reconnect
        | Op::Deliver(_)
        | Op::Reap
        | Op::Checkpoint => TRACKER,
        Op::Open { .. }
        | Op::Submesh { .. }
        | Op::Close(_)
        | Op::Share { .. }
        | Op::Deallocate(_)
        | Op::DeallocateUnforced(_)
        | Op::Drop(Handle::Buffer(_) | Handle::Mesh(_))
        | Op::Cycle(_)
        | Op::Gc
        | Op::Use(_)
        | Op::ClearCache(_)
        | Op::DisableCache(_)
        | Op::EnableCache(_)
        | Op::DeallocateAll(_)
        | Op::Capture(_)
        | Op::Process(_)
        | Op::Fork(_)
        | Op::Kill(_)
        | Op::Exit => "ttnn has no call for it",
    }
}

fn head(name: &str, machine: Machine, walked: &Walked<'_>) -> String {
    let Walked { left_out, done, .. } = walked;
    let mut text = format!(
        "#!/usr/bin/env python3\n\
         # A scenario of freeorder {} as calls of ttnn.\n\
         # From {name}, for a {machine}: {}.\n#\n\
         # Each step prints the call, what it raises, and what names hold after it that held\n\
         # something else. What is expected is what the model of tt-metal answers to these calls,\n\
         # as ttnn {VERSION} does. Exit code: 0 if nothing differs, 1 if something does.\n#\n\
         # Without hardware, `freeorder setup-runtime DIR` makes what it needs:\n\
         #   DIR/run.sh {machine} THIS_FILE\n",
        env!("CARGO_PKG_VERSION"),
        summary(*done, left_out)
    );
    for LeftOut { line, op, why } in left_out.iter().take(SHOWN) {
        comment(&mut text, &format!("  line {line}: {op}: {why}"));
    }
    if left_out.len() > SHOWN {
        comment(&mut text, &format!("  and {} more", left_out.len() - SHOWN));
    }
    let _ = write!(text, "{IMPORTS}\n{STEPS}\n\n{SHARDED}\n\n");
    text
}

/// What is left out and shown at the head of a program; all of it stands at its place, too.
pub(super) const SHOWN: usize = 20;

/// How much of a scenario a program is.
pub(super) fn summary(done: usize, left_out: &[LeftOut]) -> String {
    let are = |count: usize, one: &str, more: &str| match count {
        1 => format!("1 {one}"),
        count => format!("{count} {more}"),
    };
    let done = are(done, "operation is a call", "operations are calls");
    match left_out.len() {
        0 => format!("{done}, and nothing is left out"),
        count => format!("{done}, and {} left out", are(count, "line is", "lines are")),
    }
}

fn comment(text: &mut String, line: &str) {
    let _ = match line {
        "" => writeln!(text),
        line => writeln!(text, "# {line}"),
    };
}

fn value(held: Held) -> String {
    match held {
        Held::Nothing => "GONE".to_owned(),
        Held::Deallocated => "None".to_owned(),
        Held::At(address) => address.to_string(),
    }
}

/// A literal of Python.
fn quoted(text: &str) -> String {
    let mut out = String::from("\"");
    for letter in text.chars() {
        match letter {
            '"' | '\\' => out.extend(['\\', letter]),
            '\n' => out.push_str("\\n"),
            letter if letter.is_control() => {
                let _ = write!(out, "\\x{:02x}", u32::from(letter));
            }
            letter => out.push(letter),
        }
    }
    out + "\""
}
