//! Sets of oracles.

use std::fmt;

use crate::violation::OracleName;

/// Some oracles, a bit each.
///
/// ```
/// use freeorder::search::sound::OracleSet;
/// use freeorder::violation::OracleName;
/// let failing: OracleSet = [OracleName::Residue, OracleName::Balance].into_iter().collect();
/// assert_eq!(failing.to_string(), "balance, residue");
/// ```
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct OracleSet(u32);

impl OracleSet {
    /// None of them.
    pub const NONE: Self = Self(0);
    /// Every one, notes too.
    pub const ALL: Self = Self((1 << OracleName::COUNT) - 1);

    /// Whether there is none.
    #[must_use]
    pub fn is_empty(self) -> bool {
        self.0 == 0
    }

    /// Whether an oracle is one of them.
    #[must_use]
    pub fn contains(self, oracle: OracleName) -> bool {
        self.0 >> oracle as u8 & 1 == 1
    }

    /// Those that are in both.
    #[must_use]
    pub fn and(self, others: Self) -> Self {
        Self(self.0 & others.0)
    }

    /// Those that are in either.
    #[must_use]
    pub fn or(self, others: Self) -> Self {
        Self(self.0 | others.0)
    }

    /// Those that are in one of the two and not in both.
    #[must_use]
    pub fn xor(self, others: Self) -> Self {
        Self(self.0 ^ others.0)
    }

    /// Those that are not in the others.
    #[must_use]
    pub fn without(self, others: Self) -> Self {
        Self(self.0 & !others.0)
    }

    /// In the order of their table.
    pub fn iter(self) -> impl Iterator<Item = OracleName> {
        OracleName::ALL.into_iter().filter(move |&oracle| self.contains(oracle))
    }
}

impl FromIterator<OracleName> for OracleSet {
    fn from_iter<I: IntoIterator<Item = OracleName>>(oracles: I) -> Self {
        Self(oracles.into_iter().fold(0, |bits, oracle| bits | 1 << oracle as u8))
    }
}

impl fmt::Display for OracleSet {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for (index, oracle) in self.iter().enumerate() {
            let comma = if index > 0 { ", " } else { "" };
            write!(f, "{comma}{oracle}")?;
        }
        Ok(())
    }
}
