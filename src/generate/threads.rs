//! Programs of several threads: who executes which operation, and whose turn it is at each step.

use super::book::BUFFERS;
use super::draw::Drawer;
use super::names::{Sort, Touched, visit};
use super::order::{Order, Turns, merge};
use super::phases;
use super::profile::Profile;
use super::values;
use crate::choice::Choices;
use crate::op::{Op, ThreadId};
use crate::scenario::Case;
use crate::world::Action;

/// The most threads of a program.
pub(super) const THREADS_MAX: u64 = 4;

/// A program of two to four threads with a schedule.
pub(super) fn case(profile: Profile, order: Order, choices: &mut impl Choices) -> Case {
    let setup = values::setup(choices.pick(2));
    let threads = 2 + choices.pick(THREADS_MAX - 1);
    let mut drawer = Drawer::new(profile);
    let mut deal = Deal { threads, first_user: [0; BUFFERS] };
    let built = phases::build_up(&mut drawer, choices);
    let mut ops: Vec<(ThreadId, Op)> =
        built.into_iter().map(|op| (deal.thread(&op, choices), op)).collect();
    // The first thread opens the first mesh, before the others start.
    ops[0].0 = ThreadId(0);
    let strands = phases::teardown(profile, &drawer.book, choices);
    let strands = strands.into_iter().map(|strand| {
        let thread = ThreadId(choices.pick(threads) as u32);
        strand.into_iter().map(|op| (thread, op)).collect()
    });
    let strands: Vec<Vec<(ThreadId, Op)>> = strands.collect();
    let races =
        |a: &(ThreadId, Op), b: &(ThreadId, Op)| Touched::by(&a.1).races_with(Touched::by(&b.1));
    let ending = merge(order, strands, races, choices);
    ops.extend(ending.into_iter().filter(|(_, op)| drawer.book.keep(op)));
    let schedule = schedule(&ops, threads as usize, order, choices);
    Case { setup, ops, schedule, picks: Vec::new() }
}

/// Deals operations out: mostly to the thread that first used the buffer, sometimes to any.
struct Deal {
    threads: u64,
    first_user: [u8; BUFFERS],
}

impl Deal {
    fn thread(&mut self, op: &Op, choices: &mut impl Choices) -> ThreadId {
        let mut buffer = None;
        visit(&mut op.clone(), &mut |sort, number| {
            if sort == Sort::Buffer && buffer.is_none() {
                buffer = Some(*number as usize);
            }
        });
        let creates = matches!(op, Op::Alloc { .. });
        match buffer {
            Some(buffer) if !creates && choices.pick(4) < 3 => {
                ThreadId(self.first_user[buffer].into())
            }
            _ => {
                let thread = choices.pick(self.threads) as u8;
                if let (Some(buffer), true) = (buffer, creates) {
                    self.first_user[buffer] = thread;
                }
                ThreadId(thread.into())
            }
        }
    }
}

/// How many steps an operation has, if it does something.
fn steps(op: &Op) -> u64 {
    match op {
        Op::Alloc { .. } => 2,
        Op::Deallocate(_) => 3,
        _ => 1,
    }
}

/// Whose turn it is at each step. An operation that takes fewer steps than it could leaves turns
/// over, which its thread uses for its next ones.
fn schedule(
    ops: &[(ThreadId, Op)],
    threads: usize,
    order: Order,
    choices: &mut impl Choices,
) -> Vec<Action> {
    let mut programs: Vec<Vec<(u64, Touched)>> = vec![Vec::new(); threads];
    for (thread, op) in ops.iter().skip(1).rev() {
        programs[thread.0 as usize].push((steps(op), Touched::by(op)));
    }
    let mut left: Vec<u64> =
        programs.iter().map(|ops| ops.iter().map(|(steps, _)| steps).sum()).collect();
    let mut turns = Turns::new(order, &left, choices);
    let mut schedule = vec![Action::Step(ThreadId(0))];
    while left.iter().any(|&steps| steps > 0) {
        let races = |one: usize, other: usize| match (programs[one].last(), programs[other].last())
        {
            (Some((_, one)), Some((_, other))) => one.races_with(*other),
            _ => false,
        };
        let next = turns.next(&left, races, choices);
        left[next] -= 1;
        if let Some((steps, _)) = programs[next].last_mut() {
            *steps -= 1;
            if *steps == 0 {
                programs[next].pop();
            }
        }
        schedule.push(Action::Step(ThreadId(next as u32)));
    }
    schedule
}
