#![no_main]
use freeorder::fuzzing::{self, server_log::ServerLog};
libfuzzer_sys::fuzz_target!(|bytes: &[u8]| fuzzing::run::<ServerLog>(bytes));
