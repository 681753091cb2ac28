#![no_main]
use freeorder::fuzzing::{self, recording_json::Recording};
libfuzzer_sys::fuzz_target!(|bytes: &[u8]| fuzzing::run::<Recording>(bytes));
