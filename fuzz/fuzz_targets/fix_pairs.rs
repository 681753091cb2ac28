#![no_main]
use freeorder::fuzzing::{self, fix_pairs::FixPairs};
libfuzzer_sys::fuzz_target!(|bytes: &[u8]| fuzzing::run::<FixPairs>(bytes));
