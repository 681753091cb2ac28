//! Snapshots of regions that never were: counters are added up whatever they say.

use std::fmt;

use super::{TestCase, audited};
use crate::audit::Kind;

/// The bytes of a snapshot of shared-memory counters.
///
/// ```
/// use freeorder::fuzzing::{TestCase, shm::Shm};
/// assert_eq!(Shm::of(&[0; 8576]).check(), Ok(()));
/// ```
#[derive(Clone, Debug)]
pub struct Shm(Vec<u8>);

impl TestCase for Shm {
    fn of(bytes: &[u8]) -> Self {
        Self(bytes.to_vec())
    }

    fn check(&self) -> Result<(), String> {
        audited::check(&self.0, Kind::Shm)
    }
}

impl fmt::Display for Shm {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&String::from_utf8_lossy(&self.0))
    }
}

#[cfg(test)]
mod tests {
    use super::super::tests::smoke;
    use super::*;
    use crate::choice::Seeded;

    /// Anything at all, and real samples with some bytes changed.
    #[test]
    fn smoke_shm() {
        assert_eq!(smoke::<Shm>(5, 500, 400), 500);
        let (seeds, mut choices) = (audited::seeds(Kind::Shm), Seeded::new(5));
        for round in 0..500 {
            let mut bytes = seeds[round % seeds.len()].clone();
            audited::mutate(&mut choices, &mut bytes);
            super::super::run::<Shm>(&bytes);
        }
    }
}
