//! What a replay found: how many answers differ, and what the oracles said.

use std::fmt;

use super::lines::Here;
use crate::oracle::Findings;
use crate::suggest::shown;
use crate::violation::{OracleName, Violation};

/// An answer that the model gives otherwise.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Mismatch {
    /// The line, from 1.
    pub line: u64,
    /// Which part of the answer: `address`, `error`, `l1.blocks[3]`.
    pub field: String,
    /// What the real runtime answered.
    pub recorded: String,
    /// What the model answers.
    pub modelled: String,
    /// The line itself, cut if it is long.
    pub text: String,
}

impl fmt::Display for Mismatch {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { line, field, recorded, modelled, text } = self;
        write!(f, "line {line}: {field}: recorded {recorded}, modelled {modelled}, in {text}")
    }
}

/// What the oracles said while a recording was replayed.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Violations {
    counts: Vec<(OracleName, u64)>,
    first: Vec<Violation>,
}

/// How many violations are kept with their facts.
pub(super) const VIOLATIONS_MAX: usize = 8;

impl Violations {
    /// The oracles that said anything, with their counts.
    #[must_use]
    pub fn counts(&self) -> &[(OracleName, u64)] {
        &self.counts
    }

    /// The first few violations.
    #[must_use]
    pub fn first(&self) -> &[Violation] {
        &self.first
    }

    /// How many violations there were; notes do not count.
    #[must_use]
    pub fn total(&self) -> u64 {
        let failing = self.counts.iter().filter(|(oracle, _)| !oracle.is_note());
        failing.map(|&(_, count)| count).sum()
    }

    pub(super) fn absorb(&mut self, findings: &Findings) {
        for (oracle, count) in findings.counts() {
            match self.counts.iter_mut().find(|(one, _)| *one == oracle) {
                Some((_, sum)) => *sum += count,
                None => self.counts.push((oracle, count)),
            }
        }
        let room = VIOLATIONS_MAX - self.first.len();
        self.first.extend(findings.violations().iter().take(room));
    }
}

/// The outcome of a replay.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Conformance {
    /// Operations replayed, one a line.
    pub operations: u64,
    /// Answers, or parts of answers, that the model gives otherwise.
    pub mismatches: u64,
    /// The first of them; those after it may only follow from it.
    pub first: Option<Mismatch>,
    /// What the oracles said of the same operations; a free-list trace has none.
    pub violations: Violations,
}

impl Conformance {
    /// Whether every answer is the model's, and no oracle objects.
    #[must_use]
    pub fn holds(&self) -> bool {
        self.mismatches == 0 && self.violations.total() == 0
    }

    /// Compares one part of an answer.
    pub(super) fn compare<T: PartialEq + fmt::Display>(
        &mut self,
        here: &Here<'_>,
        field: impl fmt::Display,
        (recorded, modelled): (T, T),
    ) {
        if recorded != modelled {
            self.differ(here, &field, (&recorded, &modelled));
        }
    }

    /// Takes a difference down.
    #[cold]
    pub(super) fn differ(
        &mut self,
        here: &Here<'_>,
        field: &dyn fmt::Display,
        (recorded, modelled): (&dyn fmt::Display, &dyn fmt::Display),
    ) {
        self.mismatches += 1;
        if self.first.is_none() {
            self.first = Some(Mismatch {
                line: here.number,
                field: field.to_string(),
                recorded: shown(&recorded.to_string()),
                modelled: shown(&modelled.to_string()),
                text: shown(here.text),
            });
        }
    }
}
