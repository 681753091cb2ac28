#![no_main]
use freeorder::fuzzing::{self, allocator::Calls};
libfuzzer_sys::fuzz_target!(|bytes: &[u8]| fuzzing::run::<Calls>(bytes));
