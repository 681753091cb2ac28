//! Recordings and traces that nobody recorded: each is a count of mismatches or one error.

use std::fmt;

use super::TestCase;
use crate::interop::conform::conform;

/// What a file is that starts with this byte; any other is a recording.
const TRACE: u8 = b'n';

/// The longest message that is still one clear sentence.
const MESSAGE_MAX: usize = 4000;

/// The bytes of a `.jsonl` recording, or of a `.trace` where they begin as one does.
///
/// ```
/// use freeorder::fuzzing::{TestCase, recording_json::Recording};
/// assert_eq!(Recording::of(b"{\"op\": \"open\"").check(), Ok(()));
/// ```
#[derive(Clone, Debug)]
pub struct Recording {
    bytes: Vec<u8>,
}

impl Recording {
    fn name(&self) -> &'static str {
        if self.bytes.first() == Some(&TRACE) { "case.trace" } else { "case.jsonl" }
    }

    fn replay(&self) -> String {
        match conform(self.name(), self.bytes.as_slice()) {
            Ok(found) => format!("{found:?}"),
            Err(error) => error.to_string(),
        }
    }
}

impl TestCase for Recording {
    fn of(bytes: &[u8]) -> Self {
        Self { bytes: bytes.to_vec() }
    }

    fn check(&self) -> Result<(), String> {
        let first = self.replay();
        if first != self.replay() {
            return Err("a second replay differs from the first".to_owned());
        }
        match conform(self.name(), self.bytes.as_slice()) {
            Err(error) if error.to_string().len() > MESSAGE_MAX => {
                Err(format!("a message of {} bytes", error.to_string().len()))
            }
            Err(_) | Ok(_) => Ok(()),
        }
    }
}

impl fmt::Display for Recording {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        writeln!(f, "{}:", self.name())?;
        f.write_str(&String::from_utf8_lossy(&self.bytes))
    }
}

#[cfg(test)]
mod tests {
    use std::path::Path;

    use super::super::tests::smoke;
    use super::super::tokens::mutate;
    use super::*;
    use crate::choice::{Choices, Seeded};

    fn lines(path: &str, count: usize) -> Vec<u8> {
        let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/data").join(path);
        let text = std::fs::read_to_string(path).expect("the recordings are part of the project");
        let lines: Vec<&str> = text.lines().take(count).collect();
        lines.join("\n").into_bytes()
    }

    /// The beginnings of recordings and traces, with their lines and numbers mixed up.
    #[test]
    fn smoke_recording_json() {
        assert_eq!(smoke::<Recording>(3, 1000, 200), 1000);
        let sources = [
            lines("recordings/n150-12.jsonl", 12),
            lines("recordings/t3k-11.jsonl", 12),
            lines("golden/free_list_opt/01.trace", 40),
        ];
        let mut choices = Seeded::new(3);
        let mut replayed = 0;
        for round in 0..1500 {
            let mut bytes = sources[round % sources.len()].clone();
            let length = bytes.len();
            bytes.resize(length + 200, 0);
            let after = mutate(&mut bytes, length, length + 200, choices.pick(1 << 32) as u32);
            bytes.truncate(after);
            super::super::run::<Recording>(&bytes);
            replayed += usize::from(conform(Recording::of(&bytes).name(), &bytes[..]).is_ok());
        }
        assert!(replayed > 150, "only {replayed} were replayed to their ends");
    }
}
