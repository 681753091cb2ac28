//! Whether a reproducer of the catalogue is the shortest: every shorter sequence is tried.

use std::collections::BTreeSet;

use super::aim::{Aim, Model, Subject};
use super::catalogue::{Entry, Optimum};
use super::enumerate::{Limits, enumerate};
use crate::choice::{Choices, Exhaustive};
use crate::corpus;
use crate::journal::Tracking;
use crate::op::{Op, ThreadId};
use crate::scenario::{Case, Simulation};
use std::sync::Arc;

/// What trying every shorter sequence came to.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Proof {
    /// Operations in the alphabet.
    pub letters: usize,
    /// How many shorter sequences there are.
    pub sequences: u64,
    /// How many states they lead to; with threads, how many courses they were run in.
    pub states: u64,
    /// A shorter sequence that fails.
    pub shorter: Option<Case>,
    /// Whether the search gave up before its end.
    pub limited: bool,
}

/// Tries every sequence over the alphabet that is shorter than the optimum.
#[must_use]
pub fn prove(entry: &Entry, optimum: Optimum, limits: Limits) -> Proof {
    let letters = letters(entry, optimum);
    let length_max = optimum.length - 1;
    if entry.case.is_stepped() {
        return with_threads(&letters, entry.aim(), length_max);
    }
    let start = Case { ops: Vec::new(), ..entry.case.clone() };
    let done = enumerate(&start, &letters, entry.aim(), length_max, limits);
    Proof {
        letters: letters.len(),
        sequences: done.sequences,
        states: done.states,
        shorter: done.found,
        limited: done.limited,
    }
}

/// The operations of the alphabet and of the reproducer.
fn letters(entry: &Entry, optimum: Optimum) -> Vec<Op> {
    let stated = corpus::ALPHABETS.iter().find(|file| file.name == optimum.alphabet);
    let stated = stated.and_then(|file| file.scenario().ok());
    let stated: Vec<Op> =
        stated.iter().flat_map(|scenario| scenario.ops().map(|(_, op)| op.clone())).collect();
    let own = entry.case.ops.iter().map(|(_, op)| op.clone());
    let all: BTreeSet<Op> = stated.into_iter().chain(own).collect();
    all.into_iter().collect()
}

/// Two threads: every sequence of operations, each given to one of the threads, in every course
/// that their steps can take. The first operation is the first thread's: names of threads do not
/// matter.
fn with_threads(letters: &[Op], aim: Aim, length_max: usize) -> Proof {
    let mut proof =
        Proof { letters: letters.len(), sequences: 0, states: 0, shorter: None, limited: false };
    let mut model = Model::new(aim);
    for length in 1..=length_max {
        let mut all = Exhaustive::default();
        while all.next_run() {
            let thread = |nth: usize, all: &mut Exhaustive| match nth {
                0 => ThreadId(0),
                _ => ThreadId(all.pick(2) as u32),
            };
            let ops = (0..length).map(|nth| {
                let thread = thread(nth, &mut all);
                (thread, letters[all.pick(letters.len() as u64) as usize].clone())
            });
            let case = Case { ops: ops.collect(), ..Case::default() };
            proof.sequences += 1;
            let (courses, failing) = every_course(&case, aim, &mut model);
            proof.states += courses;
            if failing.is_some() {
                proof.shorter = failing;
                return proof;
            }
        }
    }
    proof
}

/// Runs a case in every course; the answer is how many there are, and one that fails.
fn every_course(case: &Case, aim: Aim, model: &mut Model) -> (u64, Option<Case>) {
    let setup = Arc::new(case.start());
    let mut simulation = Simulation::new(setup, aim.fixes, aim.server, Tracking::NONE, 0);
    let mut all = Exhaustive::default();
    let mut courses = 0;
    while all.next_run() {
        simulation.load(case.threads());
        simulation.reset();
        let mut schedule = Vec::new();
        loop {
            let ready = simulation.world().ready();
            if ready.is_empty() {
                break;
            }
            let next = all.pick(ready.len() as u64) as usize;
            schedule.push(ready[next]);
            simulation.step(next, &mut ());
        }
        simulation.finish(&mut ());
        courses += 1;
        if !aim.failure.is_among(simulation.oracles().findings().classes()) {
            continue;
        }
        let course = Case { schedule, ..case.clone() };
        if model.fails(&course).is_some() {
            return (courses, Some(course));
        }
    }
    (courses, None)
}
