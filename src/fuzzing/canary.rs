//! The body of `orderings` where it must fail: the fuzzer that does not find this is broken.

use std::fmt;

use super::TestCase;
use super::orderings::Ordering;
use super::runner::Under;
use crate::fix::Preset;
use crate::generate::Profile;
use crate::server::ServerKind;

/// The operations that bytes stand for, under `three-fixes` and k1.
///
/// ```
/// use freeorder::fuzzing::{TestCase, canary::Canary};
/// assert_eq!(Canary::of(b"").check(), Ok(()));
/// ```
#[derive(Clone, Debug)]
pub struct Canary(Ordering);

impl TestCase for Canary {
    fn of(bytes: &[u8]) -> Self {
        let under = Under { fixes: Preset::ThreeFixes.fixes(), server: ServerKind::K1 };
        Self(Ordering::under(under, Profile::Lifecycle, bytes))
    }

    fn check(&self) -> Result<(), String> {
        self.0.check()
    }
}

impl fmt::Display for Canary {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.fmt(f)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::choice::{Choices, Seeded};

    /// Never loosen it to pass: if random bytes stop failing here, the search broke.
    #[test]
    fn smoke_canary() {
        let mut choices = Seeded::new(5);
        let mut failed = 0;
        for _ in 0..2000 {
            let bytes: Vec<u8> = (0..100).map(|_| choices.pick(256) as u8).collect();
            failed += usize::from(Canary::of(&bytes).check().is_err());
        }
        assert!(failed > 1000, "only {failed} of 2000 failed");
    }
}
