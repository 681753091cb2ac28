//! What the oracles said.

use crate::violation::{OracleName, Violation, ViolationClass};

/// What the oracles said: a count for each, and the violations themselves if asked for.
#[derive(Clone, Debug)]
pub struct Findings {
    pub(super) counts: [u64; OracleName::COUNT],
    pub(super) kept: Vec<Violation>,
    pub(super) classes: Vec<ViolationClass>,
    /// The first violation of each class.
    pub(super) firsts: Vec<Violation>,
    keep_max: usize,
}

impl Findings {
    pub(super) fn new(keep_max: usize) -> Self {
        Self {
            counts: [0; OracleName::COUNT],
            kept: Vec::new(),
            classes: Vec::new(),
            firsts: Vec::new(),
            keep_max,
        }
    }

    /// Takes a violation down.
    #[cold]
    pub(super) fn flag(&mut self, violation: Violation) {
        self.counts[violation.oracle as usize] += violation.count();
        let class = violation.class();
        if !self.classes.contains(&class) {
            self.classes.push(class);
            self.firsts.push(violation);
        }
        if self.kept.len() < self.keep_max {
            self.kept.push(violation);
        }
    }

    /// How much an oracle has counted: once for each violation and device.
    #[must_use]
    pub fn count(&self, oracle: OracleName) -> u64 {
        self.counts[oracle as usize]
    }

    /// The oracles that said anything, with their counts.
    pub fn counts(&self) -> impl Iterator<Item = (OracleName, u64)> {
        let named = OracleName::ALL.into_iter().map(|oracle| (oracle, self.count(oracle)));
        named.filter(|&(_, count)| count > 0)
    }

    /// Whether any oracle reported a violation; notes do not count.
    #[must_use]
    pub fn failed(&self) -> bool {
        self.counts().any(|(oracle, _)| !oracle.is_note())
    }

    /// The different classes of what was said, notes included, in the order of their first time.
    #[must_use]
    pub fn classes(&self) -> &[ViolationClass] {
        &self.classes
    }

    /// The first violation of each class, in the order of [`Findings::classes`].
    #[must_use]
    pub fn firsts(&self) -> &[Violation] {
        &self.firsts
    }

    /// The violations, as many as were to be kept.
    #[must_use]
    pub fn violations(&self) -> &[Violation] {
        &self.kept
    }
}
