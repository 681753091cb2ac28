#![no_main]
use freeorder::fuzzing::{self, shm::Shm};
libfuzzer_sys::fuzz_target!(|bytes: &[u8]| fuzzing::run::<Shm>(bytes));
