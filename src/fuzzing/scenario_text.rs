//! The language of scenarios: no text makes the parser fail, and what it reads it prints back.

use std::fmt;

use super::TestCase;
pub use super::tokens::{dictionary, mutate};
use crate::fix::{FixSet, Preset};
use crate::scenario::{Scenario, run};
use crate::server::ServerKind;

/// The most operations of a text that is run, repeats unrolled.
const OPERATIONS_MAX: usize = 500;

/// The longest message that is still one clear sentence.
const MESSAGE_MAX: usize = 2000;

/// The bytes of a scenario file.
///
/// ```
/// use freeorder::fuzzing::{TestCase, scenario_text::Text};
/// assert_eq!(Text::of(b"freeorder 1\nopen m0 2x4\n").check(), Ok(()));
/// assert_eq!(Text::of(b"\xff no scenario").check(), Ok(()));
/// ```
#[derive(Clone, Debug)]
pub struct Text {
    bytes: Vec<u8>,
}

impl TestCase for Text {
    fn of(bytes: &[u8]) -> Self {
        Self { bytes: bytes.to_vec() }
    }

    fn check(&self) -> Result<(), String> {
        match Scenario::parse_bytes(&self.bytes) {
            Ok(scenario) => {
                prints_back(&scenario)?;
                self.runs(&scenario)
            }
            Err(error) => {
                let message = error.to_string();
                if message.len() > MESSAGE_MAX {
                    return Err(format!("a message of {} bytes", message.len()));
                }
                if error.offset() + error.length() > self.bytes.len() {
                    return Err(format!("the place of `{message}` is behind the end"));
                }
                Ok(())
            }
        }
    }
}

fn prints_back(scenario: &Scenario) -> Result<(), String> {
    let printed = scenario.to_string();
    match printed.parse::<Scenario>() {
        Ok(again) if again != *scenario => Err(format!("printed, it reads otherwise:\n{printed}")),
        Ok(again) if again.to_string() != printed => {
            Err(format!("printed twice, it prints otherwise:\n{printed}"))
        }
        Ok(_) => Ok(()),
        Err(error) => Err(format!("printed, it does not parse: {error}\n{printed}")),
    }
}

impl Text {
    /// Runs a scenario that is not too long; which fixes and which server, the text decides.
    fn runs(&self, scenario: &Scenario) -> Result<(), String> {
        if scenario.ops().take(OPERATIONS_MAX + 1).count() > OPERATIONS_MAX {
            return Ok(());
        }
        let (fixes, server) = self.under();
        let totals = || run(scenario, fixes, server, 0, &mut ()).totals;
        if totals() == totals() { Ok(()) } else { Err("a second run differs".to_owned()) }
    }

    fn under(&self) -> (FixSet, ServerKind) {
        let length = self.bytes.len();
        let presets = Preset::ALL.len();
        let server = ServerKind::ALL[length / presets % ServerKind::ALL.len()];
        (Preset::ALL[length % presets].fixes(), server)
    }
}

impl fmt::Display for Text {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&String::from_utf8_lossy(&self.bytes))
    }
}

#[cfg(test)]
mod tests {
    use super::super::tests::smoke;
    use super::*;
    use crate::choice::{Choices, Seeded};
    use crate::corpus::{CLAIMS, REGRESSIONS};

    /// Scenarios of the corpus, mutated again and again.
    #[test]
    fn smoke_scenario_text() {
        assert_eq!(smoke::<Text>(2, 1000, 200), 1000);
        let files: Vec<_> = CLAIMS.iter().chain(REGRESSIONS).collect();
        let mut choices = Seeded::new(2);
        let (mut parsed, mut refused) = (0, 0);
        for _ in 0..800 {
            let file = files[choices.pick(files.len() as u64) as usize];
            let mut bytes = file.text.as_bytes().to_vec();
            let length_max = bytes.len() + 200;
            for _ in 0..5 {
                let length = bytes.len();
                bytes.resize(length_max, 0);
                let seed = choices.pick(1 << 32) as u32;
                let after = mutate(&mut bytes, length, length_max, seed);
                bytes.truncate(after);
                super::super::run::<Text>(&bytes);
                let right = Scenario::parse_bytes(&bytes).is_ok();
                *if right { &mut parsed } else { &mut refused } += 1;
            }
        }
        assert!(parsed > 500 && refused > 500, "{parsed} parsed, {refused} refused");
    }
}
