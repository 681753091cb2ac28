#![no_main]
use freeorder::fuzzing::{self, wire::Wire};
libfuzzer_sys::fuzz_target!(|bytes: &[u8]| fuzzing::run::<Wire>(bytes));
