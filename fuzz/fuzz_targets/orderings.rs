#![no_main]
use freeorder::fuzzing::{self, orderings::Ordering};
libfuzzer_sys::fuzz_target!(|bytes: &[u8]| fuzzing::run::<Ordering>(bytes));
