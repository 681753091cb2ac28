//! Logs that no server printed: lines are events, torn, or nobody's.

use std::fmt;

use super::{TestCase, audited};
use crate::audit::Kind;

/// The bytes of the output of the allocation server.
///
/// ```
/// use freeorder::fuzzing::{TestCase, server_log::ServerLog};
/// assert_eq!(ServerLog::of(b"\n").check(), Ok(()));
/// ```
#[derive(Clone, Debug)]
pub struct ServerLog(Vec<u8>);

impl TestCase for ServerLog {
    fn of(bytes: &[u8]) -> Self {
        Self(bytes.to_vec())
    }

    fn check(&self) -> Result<(), String> {
        audited::check(&self.0, Kind::ServerLog)
    }
}

impl fmt::Display for ServerLog {
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
    fn smoke_server_log() {
        assert_eq!(smoke::<ServerLog>(5, 500, 400), 500);
        let (seeds, mut choices) = (audited::seeds(Kind::ServerLog), Seeded::new(5));
        for round in 0..500 {
            let mut bytes = seeds[round % seeds.len()].clone();
            audited::mutate(&mut choices, &mut bytes);
            super::super::run::<ServerLog>(&bytes);
        }
    }
}
