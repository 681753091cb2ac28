//! Streams that no client sent: bytes are records, or skipped.

use std::fmt;

use super::{TestCase, audited};
use crate::audit::Kind;

/// The bytes of what clients send to the allocation server.
///
/// ```
/// use freeorder::fuzzing::{TestCase, wire::Wire};
/// assert_eq!(Wire::of(&[1; 100]).check(), Ok(()));
/// ```
#[derive(Clone, Debug)]
pub struct Wire(Vec<u8>);

impl TestCase for Wire {
    fn of(bytes: &[u8]) -> Self {
        Self(bytes.to_vec())
    }

    fn check(&self) -> Result<(), String> {
        audited::check(&self.0, Kind::Wire)
    }
}

impl fmt::Display for Wire {
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
    fn smoke_wire() {
        assert_eq!(smoke::<Wire>(5, 500, 400), 500);
        let (seeds, mut choices) = (audited::seeds(Kind::Wire), Seeded::new(5));
        for round in 0..500 {
            let mut bytes = seeds[round % seeds.len()].clone();
            audited::mutate(&mut choices, &mut bytes);
            super::super::run::<Wire>(&bytes);
        }
    }
}
