//! The plain words of a program: what a shorter failure may say that neither the result nor the
//! input does.

use std::collections::BTreeSet;
use std::time::Instant;

use super::simpler::PAGE;
use crate::op::{
    BufferHandle, BufferSpec, CacheKey, CaptureStep, CircularBufferSpec, Handle, MeshHandle, Name,
    Op, Pages, Place, ProgramHandle, RunMode, RunSpec, ThreadId,
};
use crate::scenario::Case;
use crate::search::aim::{Hunted, Model, Subject};
use crate::search::enumerate::{Limits, alphabet, enumerate};
use crate::units::{BufferType, MeshShape};

/// How many states are looked at: enough for all sequences of four operations over fifty letters.
const STATES_MAX: u64 = 10_000;

/// Where longer sequences are asked for, exchanges are tried first: they cost less.
const ENUMERATED_OPERATIONS_MAX: usize = 4;

/// Longer results are not exchanged: the exchanges grow with the square of their length.
const EXCHANGED_OPERATIONS_MAX: usize = 24;

/// A case that fails the same way and is shorter than the result, if one is met in the states that
/// may be looked at.
pub(super) fn shorter_in_vocabulary(
    result: &Case,
    model: &mut Model,
    (hunted, limits): (Hunted, Limits),
) -> Option<Case> {
    let letters = vocabulary(result);
    let length_max = result.ops.len().saturating_sub(1);
    let is_long = length_max > ENUMERATED_OPERATIONS_MAX;
    let exchanged =
        if is_long { exchanged(result, &letters, model, (hunted, limits)) } else { None };
    exchanged.or_else(|| {
        let limits = Limits { states_max: limits.states_max.min(STATES_MAX), ..limits };
        enumerate(result, &letters, hunted, length_max, limits).found
    })
}

/// Every kind of operation of an ordinary program in its plain form, on the names of the result and
/// at least two buffers, a program and a key, with the memories and circular buffers of the result
/// combined freely. What is not ordinary comes if the result has something of it: traces, a queue,
/// graph captures, static variables.
fn vocabulary(result: &Case) -> Vec<Op> {
    let mut said = result.clone();
    said.ops.extend(templates(result).into_iter().map(|op| (ThreadId(0), op)));
    let own: BTreeSet<&Op> = result.ops.iter().map(|(_, op)| op).collect();
    let mut letters = alphabet(&said);
    letters.retain(|op| own.contains(op) || !is_made_of_itself(op));
    letters
}

/// Whether a name is given to what is made from the one that it names.
fn is_made_of_itself(op: &Op) -> bool {
    op.made().is_some_and(|made| op.names().iter().filter(|&&name| name == made).count() > 1)
}

/// The plain operations, each on one choice of names: the alphabet says them of the others.
fn templates(result: &Case) -> Vec<Op> {
    let mut names = result.ops.iter().flat_map(|(_, op)| op.names());
    let mesh = names.find_map(|name| if let Name::Mesh(mesh) = name { Some(mesh) } else { None });
    let mesh = mesh.unwrap_or(MeshHandle(0));
    let (buffer, other, program) = (BufferHandle(0), BufferHandle(1), ProgramHandle(0));
    let mut ops = vec![
        Op::Use(buffer),
        Op::View { buffer: other, of: buffer, pages: None },
        Op::Share { buffer: other, of: buffer },
        Op::Mark(buffer),
        Op::Assign { buffer, program },
        Op::Enqueue { program, reads: Vec::new() },
        Op::ClearCache(mesh),
        Op::Exit,
    ];
    if !result.ops.iter().any(|(_, op)| matches!(op, Op::Open { .. })) {
        ops.push(Op::Open { mesh, shape: MeshShape { rows: 1, columns: 1 }, at: (0, 0) });
    }
    let specs = specs(result);
    ops.extend(specs.iter().map(|&spec| Op::Alloc { buffer, place: Place::Mesh(mesh), spec }));
    ops.extend(runs(result, &specs, mesh));
    for circular_buffers in circular_buffers(result) {
        ops.push(Op::Program { program, mesh, circular_buffers });
    }
    ops.extend(result.ops.iter().flat_map(|(_, op)| company(op, mesh)));
    ops
}

/// A ttnn operation that reads, and one with each of the circular buffers and outputs.
fn runs(result: &Case, specs: &BTreeSet<BufferSpec>, mesh: MeshHandle) -> Vec<Op> {
    let buffer = BufferHandle(0);
    let plain = RunSpec {
        key: CacheKey(0),
        mesh,
        circular_buffers: Vec::new(),
        kernel: None,
        reads: Vec::new(),
        output: None,
        stale: false,
        moves: None,
    };
    let mut runs = vec![RunSpec { reads: vec![buffer], ..plain.clone() }];
    for circular_buffers in circular_buffers(result) {
        let with_them = RunSpec { circular_buffers, ..plain.clone() };
        let outputs = specs.iter().map(|&spec| Some((buffer, spec)));
        runs.extend(outputs.map(|output| RunSpec { output, ..with_them.clone() }));
        runs.push(with_them);
    }
    runs.into_iter().map(|spec| Op::Run(Box::new(spec))).collect()
}

/// What goes with an operation that an ordinary program does not have.
fn company(op: &Op, mesh: MeshHandle) -> Vec<Op> {
    if let Op::BeginTrace { trace, .. }
    | Op::EndTrace(trace)
    | Op::Replay(trace)
    | Op::ReleaseTrace(trace) = *op
    {
        return vec![Op::BeginTrace { trace, mesh }, Op::EndTrace(trace), Op::Replay(trace)];
    }
    if matches!(op, Op::Async { .. } | Op::Finish(_)) {
        return vec![Op::Async { mesh, on: true }, Op::Finish(mesh)];
    }
    if matches!(op, Op::Capture(_)) {
        let begin = [RunMode::Normal, RunMode::NoDispatch].map(CaptureStep::Begin);
        return begin.into_iter().chain([CaptureStep::End]).map(Op::Capture).collect();
    }
    if matches!(op, Op::Static(_)) {
        let (buffer, program) = (BufferHandle(0), ProgramHandle(0));
        let handles = [Handle::Buffer(buffer), Handle::Mesh(mesh), Handle::Program(program)];
        return handles.map(Op::Static).to_vec();
    }
    Vec::new()
}

/// The buffers that the result makes, the plainest one, and the plainest one that lies where the
/// circular buffers do.
fn specs(result: &Case) -> BTreeSet<BufferSpec> {
    let plain = BufferSpec {
        buffer_type: BufferType::Dram,
        pages: Pages { count: 1, size: PAGE },
        top_down: None,
        shards: None,
    };
    let low = BufferSpec { buffer_type: BufferType::L1, top_down: Some(false), ..plain };
    result.ops.iter().filter_map(|(_, op)| op.spec().copied()).chain([plain, low]).collect()
}

/// The circular buffers that the result has, none, and the plainest one.
fn circular_buffers(result: &Case) -> BTreeSet<Vec<CircularBufferSpec>> {
    let plain = CircularBufferSpec { count: 1, size: PAGE, cores: None };
    let said = result.ops.iter().filter_map(|(_, op)| {
        if let Op::Program { circular_buffers, .. } = op {
            return Some(circular_buffers.clone());
        }
        if let Op::Run(spec) = op { Some(spec.circular_buffers.clone()) } else { None }
    });
    said.chain([Vec::new(), vec![plain]]).collect()
}

/// A case that fails with one operation fewer and another one exchanged for one of the letters.
fn exchanged(
    result: &Case,
    letters: &[Op],
    model: &mut Model,
    (hunted, limits): (Hunted, Limits),
) -> Option<Case> {
    let count = result.ops.len();
    if count > EXCHANGED_OPERATIONS_MAX {
        return None;
    }
    for left_out in (0..count).rev() {
        for changed in (0..count - 1).rev() {
            if limits.deadline.is_some_and(|deadline| Instant::now() >= deadline) {
                return None;
            }
            let mut candidate = result.clone();
            candidate.ops.remove(left_out);
            for letter in letters {
                candidate.ops[changed].1.clone_from(letter);
                let steps = model.fails(&candidate);
                if steps.is_some_and(|n| !model.causes(&candidate, n).meets(hunted.foreign)) {
                    return Some(candidate);
                }
            }
        }
    }
    None
}
