//! Plain replays and plain enumeration: no undo, no hashes to tell states apart, nothing shared with
//! the search but the model itself.

use std::sync::Arc;

use freeorder::journal::Tracking;
use freeorder::op::{BufferHandle, CacheKey, MeshHandle, Name, Op, ProgramHandle, TraceHandle};
use freeorder::scenario::{Case, Simulation, run};
use freeorder::search::aim::Aim;

/// Whether a case fails as the aim says, in a new world.
pub fn fails(case: &Case, aim: Aim) -> bool {
    let scenario = case.scenario();
    let seen = |fixes| {
        let report = run(&scenario, fixes, aim.server, 0, &mut ());
        aim.failure.is_among(report.findings.classes())
    };
    seen(aim.fixes) && aim.failure.without().is_none_or(|fixes| !seen(fixes))
}

/// Replays sequences from the start, one after another.
pub struct Naive<'a> {
    aim: Aim,
    letters: &'a [Op],
    simulations: Vec<Simulation>,
}

impl<'a> Naive<'a> {
    pub fn new(start: &Case, letters: &'a [Op], aim: Aim, tracking: Tracking) -> Self {
        let setup = Arc::new(start.start());
        let fixes = [Some(aim.fixes), aim.failure.without()].into_iter().flatten();
        let simulate = |fixes| Simulation::new(Arc::clone(&setup), fixes, aim.server, tracking, 0);
        Self { aim, letters, simulations: fixes.map(simulate).collect() }
    }

    fn replay(&mut self, sequence: &[usize]) {
        for simulation in &mut self.simulations {
            simulation.reset();
            for &letter in sequence {
                simulation.apply(&self.letters[letter], &mut ());
            }
        }
    }

    pub fn fails(&mut self, sequence: &[usize]) -> bool {
        self.replay(sequence);
        let failure = self.aim.failure;
        let mut seen = self.simulations.iter_mut().map(|simulation| {
            simulation.finish(&mut ());
            failure.is_among(simulation.oracles().findings().classes())
        });
        seen.next().unwrap() && !seen.any(|other| other)
    }

    /// All sequences of exactly so many letters that fail.
    pub fn failing(&mut self, length: usize) -> Vec<Vec<usize>> {
        let mut failing = Vec::new();
        let mut sequence = vec![0; length];
        loop {
            if self.fails(&sequence) {
                failing.push(sequence.clone());
            }
            let Some(last) = sequence.iter().rposition(|&letter| letter + 1 < self.letters.len())
            else {
                return failing;
            };
            sequence[last] += 1;
            sequence[last + 1..].fill(0);
        }
    }

    /// What decides how a prefix goes on: states, whether the failure was seen, and names.
    fn state(&mut self, sequence: &[usize]) -> Vec<(u64, bool)> {
        self.replay(sequence);
        let failure = self.aim.failure;
        let states = self.simulations.iter().map(|simulation| {
            (simulation.hash(), failure.is_among(simulation.oracles().findings().classes()))
        });
        states.collect()
    }

    /// How many sequences of up to `length` letters there are that use names in order, and in which
    /// every letter but the last of the longest ones changes something.
    pub fn count(&mut self, prefix: &mut Vec<usize>, length: usize, free: Free) -> u64 {
        let before = self.state(prefix);
        let mut count = 0;
        for letter in 0..self.letters.len() {
            prefix.push(letter);
            if are_in_order(prefix, self.letters, free) {
                let is_longest = prefix.len() == length;
                if is_longest || self.state(prefix) != before {
                    count += 1;
                    if !is_longest {
                        count += self.count(prefix, length, free);
                    }
                }
            }
            prefix.pop();
        }
        count
    }
}

/// The kinds of name that may be used in any order.
#[derive(Clone, Copy)]
pub struct Free {
    pub buffers: bool,
    pub others: bool,
}

/// Whether a sequence uses no name before its turn.
fn are_in_order(sequence: &[usize], letters: &[Op], free: Free) -> bool {
    let mut used = [0; 5];
    for name in sequence.iter().flat_map(|&letter| letters[letter].names()) {
        let (kind, number) = match name {
            Name::Buffer(BufferHandle(number)) => (0, number),
            Name::Mesh(MeshHandle(number)) => (1, number),
            Name::Program(ProgramHandle(number)) => (2, number),
            Name::Key(CacheKey(number)) => (3, number),
            Name::Trace(TraceHandle(number)) => (4, number),
            Name::Process(_) => continue,
        };
        if if kind == 0 { free.buffers } else { free.others && kind != 3 } {
            continue;
        }
        if number > used[kind] {
            return false;
        }
        used[kind] = used[kind].max(number + 1);
    }
    true
}
