//! A program from a seed: a build-up in which kinds of operation are left out, and a teardown in
//! which everybody who holds something lets go, in a sampled order.

use super::book::Book;
use super::draw::Drawer;
use super::kind::{Kind, Kinds};
use super::names::Touched;
use super::order::{Order, merge};
use super::profile::Profile;
use super::set::{each, one};
use super::values;
use crate::choice::Choices;
use crate::op::{BufferHandle, Handle, MeshHandle, Op, ProgramHandle, Stream, TraceHandle};
use crate::scenario::SetupLine;

/// The setup and the operations of a program of one thread.
pub(super) fn program(
    profile: Profile,
    order: Order,
    choices: &mut impl Choices,
) -> (Vec<SetupLine>, Vec<Op>) {
    let setup = values::setup(choices.pick(2));
    let mut drawer = Drawer::new(profile);
    let mut ops = build_up(&mut drawer, choices);
    let strands = teardown(profile, &drawer.book, choices);
    let races = |a: &Op, b: &Op| Touched::by(a).races_with(Touched::by(b));
    let ending = merge(order, strands, races, choices);
    ops.extend(ending.into_iter().filter(|op| drawer.book.keep(op)));
    let book = &drawer.book;
    let destroyed_after_main =
        book.buffers.own & book.buffers.statics | book.meshes.own & book.meshes.statics != 0;
    if choices.pick(2) == 1 || destroyed_after_main {
        ops.push(Op::Exit);
    }
    (setup, ops)
}

/// The operations before the teardown; the first one opens a mesh.
pub(super) fn build_up(drawer: &mut Drawer, choices: &mut impl Choices) -> Vec<Op> {
    drawer.off = swarm(choices);
    let (least, most) = drawer.operations();
    let count = u64::from(least) + choices.pick(u64::from(most - least) + 1);
    let opening = drawer.open(choices);
    drawer.book.note(&opening);
    let mut ops = Vec::with_capacity(2 * count as usize);
    ops.push(opening);
    ops.extend((0..count).map(|_| drawer.next(choices)));
    ops
}

/// The kinds that a program leaves out: none, a quarter or half of those it can do without. What is
/// left happens more often, and some bugs need something not to happen.
fn swarm(choices: &mut impl Choices) -> Kinds {
    let mut off = Kinds::default();
    off.put(Kind::Exit, true);
    let quarters = choices.pick(3);
    for kind in Kind::ALL {
        let needed = matches!(
            kind,
            Kind::Open
                | Kind::Alloc
                | Kind::Gc
                | Kind::CaptureEnd
                | Kind::EndTrace
                | Kind::Replay
                | Kind::TrackingOn
        );
        off.put(kind, !needed && choices.pick(4) < quarters);
    }
    off
}

/// What each of those who still hold something does in the end.
pub(super) fn teardown(profile: Profile, book: &Book, choices: &mut impl Choices) -> Vec<Vec<Op>> {
    let mut strands = Vec::new();
    let mut cycles = book.garbage;
    for buffer in each(book.buffers.own & !book.buffers.statics) {
        let owns_live = book.own_live() & book.owners & one(buffer) != 0;
        let strand = buffer_ends(BufferHandle(buffer), owns_live, choices);
        cycles |= matches!(strand[..], [Op::Cycle(_)]);
        strands.push(strand);
    }
    let drop = |program| Op::Drop(Handle::Program(ProgramHandle(program)));
    let tame = profile.is_tame();
    if !tame {
        strands.extend(each(book.programs.own).map(|program| vec![drop(program)]));
    }
    strands.extend(each(book.traces.own()).map(|trace| vec![Op::ReleaseTrace(TraceHandle(trace))]));
    for mesh in each(book.meshes.own) {
        // An ordinary program lets go of its programs before the mesh they are for.
        let programs = if tame { book.programs_on(mesh) } else { 0 };
        let mut strand: Vec<Op> = each(programs).map(drop).collect();
        if book.meshes.statics & one(mesh) == 0 {
            mesh_ends(mesh, tame, book, &mut strand, choices);
        }
        strands.push(strand);
        if book.cached & one(mesh) != 0 && choices.pick(2) == 1 {
            strands.push(vec![Op::ClearCache(MeshHandle(mesh))]);
        }
    }
    if cycles {
        strands.push(vec![Op::Gc]);
    }
    if profile == Profile::Faults {
        surroundings(book, &mut strands, choices);
    }
    strands
}

fn buffer_ends(buffer: BufferHandle, owns_live: bool, choices: &mut impl Choices) -> Vec<Op> {
    let drop = Op::Drop(Handle::Buffer(buffer));
    match choices.pick(4) {
        0 | 1 if owns_live => vec![Op::Deallocate(buffer), drop],
        2 => vec![Op::Cycle(buffer)],
        _ => vec![drop],
    }
}

fn mesh_ends(mesh: u32, tame: bool, book: &Book, strand: &mut Vec<Op>, choices: &mut impl Choices) {
    let open = book.open & one(mesh) != 0;
    let mesh = MeshHandle(mesh);
    let drop = Op::Drop(Handle::Mesh(mesh));
    // Who lets go of a mesh that others were cut from must have closed it: they keep it alive.
    let close_first = tame && book.meshes.own.count_ones() > 1;
    match choices.pick(3) {
        0 if !close_first => strand.push(drop),
        1 if open => strand.extend([Op::ClearCache(mesh), Op::Close(mesh), drop]),
        _ if open => strand.extend([Op::Close(mesh), drop]),
        _ => strand.push(drop),
    }
}

/// What the world around the program still does.
fn surroundings(book: &Book, strands: &mut Vec<Vec<Op>>, choices: &mut impl Choices) {
    if !book.tracking {
        strands.push(vec![Op::Tracking(true)]);
    }
    if book.stalled {
        strands.push(vec![Op::Reconnect]);
    }
    if book.stalled || book.reconnected {
        let read = |stream| (0..3).map(|_| Op::Deliver(stream)).collect();
        strands.push(read(Stream::Old));
        strands.push(read(Stream::New));
    }
    match choices.pick(4) {
        0 => strands.push(vec![Op::ServerRestart]),
        1 => strands.push(vec![Op::Lose(1 + choices.pick(8) as u32)]),
        2 => strands.push(vec![Op::Kill(crate::op::ProcessId(book.process)), Op::Reap]),
        _ => {}
    }
}

impl Book {
    /// Takes note of an operation that ends something, if what it names is there.
    pub fn keep(&mut self, op: &Op) -> bool {
        let there = match op {
            Op::Deallocate(buffer) | Op::Drop(Handle::Buffer(buffer)) | Op::Cycle(buffer) => {
                self.buffers.own & one(buffer.0) != 0
            }
            Op::Drop(Handle::Program(program)) => self.programs.own & one(program.0) != 0,
            Op::Close(mesh) | Op::ClearCache(mesh) | Op::Drop(Handle::Mesh(mesh)) => {
                self.meshes.own & one(mesh.0) != 0
            }
            Op::ReleaseTrace(trace) => self.traces.own() & one(trace.0) != 0,
            Op::Deliver(_) => self.stalled || self.reconnected,
            _ => true,
        };
        if there {
            self.note(op);
        }
        there
    }
}
