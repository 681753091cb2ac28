//! What runs have answered: nothing is run twice for sets that agree on what decided it.

use std::collections::BTreeMap;
use std::sync::{Mutex, MutexGuard, PoisonError};

use crate::fix::{FixSet, Switches};
use crate::violation::OracleName;

/// Of some runs of one scenario under one server: which of the oracles that were asked failed
/// first, and the switches that this depended on.
#[derive(Debug, Default)]
pub(super) struct Memory(Mutex<BTreeMap<Vec<OracleName>, Answers>>);

/// The answers to one question, by the switches that were read and which of them were set.
type Answers = BTreeMap<u32, BTreeMap<u32, Option<OracleName>>>;

impl Memory {
    /// The answer of a run under a set that agrees with this one on all that was read.
    pub(super) fn get(
        &self,
        oracles: &[OracleName],
        fixes: FixSet,
    ) -> Option<(Option<OracleName>, Switches)> {
        let bits = fixes.bits();
        self.answers().get(oracles)?.iter().find_map(|(&read, answers)| {
            let failing = answers.get(&(bits & read))?;
            Some((*failing, Switches::from_bits(read)))
        })
    }

    /// Remembers what a run under a set answered.
    pub(super) fn put(
        &self,
        oracles: &[OracleName],
        fixes: FixSet,
        (failing, read): (Option<OracleName>, Switches),
    ) {
        let mut all = self.answers();
        let answers = all.entry(oracles.to_vec()).or_default();
        let same = answers.entry(read.bits()).or_default();
        same.insert(fixes.bits() & read.bits(), failing);
    }

    fn answers(&self) -> MutexGuard<'_, BTreeMap<Vec<OracleName>, Answers>> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}
