//! Captures that nobody took: nodes are events, or the file is one error.

use std::fmt;

use super::{TestCase, audited};
use crate::audit::Kind;

/// The bytes of a graph capture.
///
/// ```
/// use freeorder::fuzzing::{TestCase, graph_json::GraphJson};
/// assert_eq!(GraphJson::of(b"[{\"node_type\": \"buffer\"}]").check(), Ok(()));
/// ```
#[derive(Clone, Debug)]
pub struct GraphJson(Vec<u8>);

impl TestCase for GraphJson {
    fn of(bytes: &[u8]) -> Self {
        Self(bytes.to_vec())
    }

    fn check(&self) -> Result<(), String> {
        audited::check(&self.0, Kind::Graph)
    }
}

impl fmt::Display for GraphJson {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&String::from_utf8_lossy(&self.0))
    }
}

#[cfg(test)]
mod tests {
    use super::super::tests::smoke;
    use super::*;
    use crate::choice::Seeded;

    /// What is no capture is told in one sentence, however long the text that is in its place.
    #[test]
    fn a_long_text_in_the_place_of_anything_makes_no_long_message() {
        let text = serde_json::to_string(&"Tensor(\n\"storage\") ".repeat(1000)).unwrap();
        for around in
            ["@", "[@]", "{\"graph\": @}", "[{\"node_type\": \"buffer\", \"counter\": @}]"]
        {
            assert_eq!(GraphJson::of(around.replace('@', &text).as_bytes()).check(), Ok(()));
        }
    }

    /// Anything at all, and real samples with some bytes changed.
    #[test]
    fn smoke_graph_json() {
        assert_eq!(smoke::<GraphJson>(5, 500, 400), 500);
        let (seeds, mut choices) = (audited::seeds(Kind::Graph), Seeded::new(5));
        for round in 0..500 {
            let mut bytes = seeds[round % seeds.len()].clone();
            audited::mutate(&mut choices, &mut bytes);
            super::super::run::<GraphJson>(&bytes);
        }
    }
}
