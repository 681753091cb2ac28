#![no_main]
use freeorder::fuzzing::{self, scenario_text::Text};
libfuzzer_sys::fuzz_target!(|bytes: &[u8]| fuzzing::run::<Text>(bytes));
libfuzzer_sys::fuzz_mutator!(|data: &mut [u8], length: usize, length_max: usize, seed: u32| {
    // One mutation in four is libFuzzer's own, which knows the dictionary and what it compared.
    match seed % 4 {
        0 => libfuzzer_sys::fuzzer_mutate(data, length, length_max),
        _ => fuzzing::scenario_text::mutate(data, length, length_max, seed),
    }
});
