//! How many different things a campaign has seen: counted up to a limit, estimated past it.

use hashbrown::HashTable;
use hashbrown::hash_table::Entry;

use super::hyperloglog::HyperLogLog;

/// A set of hashes that forgets its members, but not how many they are, when there are too many.
///
/// Whether it counts or estimates, and what it says, depends on the set of hashes alone.
#[derive(Clone, Debug)]
pub struct Distinct {
    exact_max: usize,
    members: Members,
}

#[derive(Clone, Debug)]
enum Members {
    Exact(HashTable<u64>),
    Estimated(HyperLogLog),
}

/// How many different things there were.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Count {
    /// The number, or its estimate.
    pub count: u64,
    /// The relative standard error of an estimate; none if the number is exact.
    pub standard_error: Option<f64>,
}

impl Distinct {
    /// Up to how many hashes a campaign counts exactly.
    pub const EXACT_MAX: usize = 10_000_000;

    /// An empty set that counts up to so many hashes exactly.
    #[must_use]
    pub fn new(exact_max: usize) -> Self {
        Self { exact_max, members: Members::Exact(HashTable::new()) }
    }

    /// A set of which only the estimate is left.
    #[must_use]
    pub fn estimated(exact_max: usize, sketch: HyperLogLog) -> Self {
        Self { exact_max, members: Members::Estimated(sketch) }
    }

    /// Takes hashes down; those that are new are appended to `fresh`, as long as they are counted.
    pub fn extend(&mut self, hashes: &[u64], mut fresh: Option<&mut Vec<u64>>) {
        for &hash in hashes {
            match &mut self.members {
                Members::Estimated(sketch) => sketch.insert(hash),
                Members::Exact(table) => {
                    if let Entry::Vacant(place) =
                        table.entry(hash, |&member| member == hash, |&member| member)
                    {
                        place.insert(hash);
                        if let Some(fresh) = &mut fresh {
                            fresh.push(hash);
                        }
                        self.estimate_if_full();
                    }
                }
            }
        }
    }

    /// How many different hashes there were.
    #[must_use]
    pub fn count(&self) -> Count {
        match &self.members {
            Members::Exact(table) => Count { count: table.len() as u64, standard_error: None },
            Members::Estimated(sketch) => Count {
                count: sketch.estimate(),
                standard_error: Some(HyperLogLog::STANDARD_ERROR),
            },
        }
    }

    /// What is left once it estimates.
    #[must_use]
    pub fn sketch(&self) -> Option<&HyperLogLog> {
        match &self.members {
            Members::Exact(_) => None,
            Members::Estimated(sketch) => Some(sketch),
        }
    }

    #[inline]
    fn estimate_if_full(&mut self) {
        let Members::Exact(table) = &self.members else { return };
        if table.len() > self.exact_max {
            let mut sketch = HyperLogLog::default();
            table.iter().for_each(|&hash| sketch.insert(hash));
            self.members = Members::Estimated(sketch);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::journal::mix;

    /// The limit belongs to the counted side, and crossing it must not change the order of size.
    #[test]
    fn it_counts_up_to_the_limit_and_estimates_past_it() {
        let hashes: Vec<u64> = (0..50_001).map(|word| mix(1, word)).collect();
        let mut distinct = Distinct::new(50_000);
        let mut fresh = Vec::new();
        distinct.extend(&hashes[..50_000], Some(&mut fresh));
        distinct.extend(&hashes[..50_000], Some(&mut fresh));
        assert_eq!(distinct.count(), Count { count: 50_000, standard_error: None });
        assert_eq!(fresh, hashes[..50_000]);
        distinct.extend(&hashes[50_000..], Some(&mut fresh));
        let Count { count, standard_error } = distinct.count();
        let standard_error = standard_error.expect("it estimates past the limit");
        assert!((count as f64 - 50_001.0).abs() < 4.0 * standard_error * 50_001.0, "{count}");
    }

    /// Jobs and interruptions change the order in which hashes come, and nothing else.
    #[test]
    fn the_count_depends_on_the_set_alone() {
        let hashes: Vec<u64> = (0..30_000).map(|word| mix(2, word)).collect();
        let backwards: Vec<u64> = hashes.iter().rev().copied().collect();
        for exact_max in [100, 29_999, 30_000] {
            let (mut one, mut two) = (Distinct::new(exact_max), Distinct::new(exact_max));
            one.extend(&hashes, None);
            two.extend(&backwards, None);
            two.extend(&hashes[..50], None);
            assert_eq!(one.count(), two.count(), "{exact_max}");
        }
    }
}
