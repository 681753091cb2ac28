//! What the oracles remember, taken back and hashed.

use super::Oracles;
use crate::journal::{Columns, Fingerprint, mix};
use crate::violation::OracleName;

/// A place in the journals of the oracles.
#[derive(Clone, Debug)]
pub(crate) struct OracleMark(pub(super) Vec<usize>);

#[derive(Clone, Debug)]
pub(super) struct OraclesMark {
    holdings: OracleMark,
    cells: [usize; 7],
    instruments: [[usize; 2]; 2],
    counts: [u64; OracleName::COUNT],
    kept: usize,
    classes: usize,
}

impl Fingerprint for Vec<u32> {
    fn fingerprint(&self) -> u64 {
        self.iter().fold(0, |hash, &word| hash ^ mix(1, u64::from(word)))
    }
}

impl Oracles {
    /// Makes a place to come back to with [`Oracles::undo`].
    pub fn mark(&mut self) {
        self.marks.push(OraclesMark {
            holdings: self.holdings.mark(),
            cells: [
                self.register.mark(),
                self.living.mark(),
                self.programs.mark(),
                self.state_machine.mark(),
                self.tracker_truth.mark(),
                self.visibility.mark(),
                self.graph_events.mark(),
            ],
            instruments: [self.hook.mark(), self.inspector.mark()],
            counts: self.findings.counts,
            kept: self.findings.kept.len(),
            classes: self.findings.classes.len(),
        });
    }

    /// Takes back everything since the last mark; false if there is none.
    pub fn undo(&mut self) -> bool {
        let Some(mark) = self.marks.pop() else {
            return false;
        };
        let [register, living, programs, state_machine, tracker_truth, rest @ ..] = mark.cells;
        let [visibility, graph_events] = rest;
        let [hook, inspector] = mark.instruments;
        self.holdings.undo_to(&mark.holdings);
        self.register.undo_to(register);
        self.living.undo_to(living);
        self.programs.undo_to(programs);
        self.state_machine.undo_to(state_machine);
        self.tracker_truth.undo_to(tracker_truth);
        self.visibility.undo_to(visibility);
        self.graph_events.undo_to(graph_events);
        self.hook.undo_to(hook);
        self.inspector.undo_to(inspector);
        self.findings.counts = mark.counts;
        self.findings.kept.truncate(mark.kept);
        self.findings.classes.truncate(mark.classes);
        self.findings.firsts.truncate(mark.classes);
        true
    }

    /// Adds what the oracles remember to the columns.
    pub(crate) fn columns(&self, columns: &mut Columns) {
        self.holdings.columns(columns);
        self.register.columns(columns);
        columns.on(self.tracker_truth.wrong(), 0x0a3, 0);
        columns.on(self.visibility.wrong(), 0x0a4, 0);
        let parts = [
            self.living.hash(),
            self.programs.fingerprint(),
            self.graph_events.fingerprint(),
            self.hook.hash(),
            self.inspector.hash(),
        ];
        columns.shared(0x0a5, parts.into_iter().fold(0, mix));
    }

    /// A hash of what the oracles remember; what they said is not part of it, nor is the buffer
    /// that `state-machine` saw last, which no later step asks for.
    #[must_use]
    pub fn hash(&self) -> u64 {
        let parts = [
            self.holdings.hash(),
            self.register.hash(),
            self.living.hash(),
            self.programs.fingerprint(),
            self.tracker_truth.fingerprint(),
            self.visibility.fingerprint(),
            self.graph_events.fingerprint(),
            self.hook.hash(),
            self.inspector.hash(),
        ];
        parts.into_iter().fold(0, mix)
    }
}
