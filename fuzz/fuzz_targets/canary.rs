#![no_main]
use freeorder::fuzzing::{self, canary::Canary};
libfuzzer_sys::fuzz_target!(|bytes: &[u8]| fuzzing::run::<Canary>(bytes));
