#![no_main]
use freeorder::fuzzing::{self, graph_json::GraphJson};
libfuzzer_sys::fuzz_target!(|bytes: &[u8]| fuzzing::run::<GraphJson>(bytes));
