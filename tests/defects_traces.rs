//! Traces, the asynchronous queue and sub-device managers: each bug of the past shows with its
//! switch and only with it.

use freeorder::scenario::{Scenario, run};

macro_rules! defects {
    ($($name:literal),* $(,)?) => {
        [$(($name, include_str!(concat!("../corpus/defects/", $name, ".scenario")))),*]
    };
}

const FILES: [(&str, &str); 13] = defects![
    "close-without-drain",
    "commands-outlive-program",
    "counted-traces",
    "deallocation-reads-this",
    "interleaved-prefill",
    "manager-reset-first",
    "no-owned-buffer-pool",
    "release-trace-after-close",
    "trace-buffers-in-dram",
    "trace-of-active-manager",
    "trace-size-kept",
    "tracker-skips-program-cache",
    "untracked-allocations",
];

/// A reproducer proves something only if nothing is found without the bug.
#[test]
fn each_bug_is_seen_with_its_switch_and_only_with_it() {
    for (name, text) in FILES {
        let scenario: Scenario = text.parse().unwrap_or_else(|error| panic!("{name}: {error}"));
        let mut sets = Vec::new();
        for (line, expectation) in scenario.expectations() {
            let report = run(&scenario, expectation.fixes, expectation.server, 0, &mut ());
            for &(measure, expected) in &expectation.measures {
                let place = format!("{name}:{line}: {} {measure}", expectation.fixes_text);
                assert_eq!(report.measure(measure), Some(expected), "{place}");
            }
            let clean = expectation.measures.iter().all(|&(_, count)| count == 0);
            assert_eq!(report.findings.failed(), !clean, "{name}:{line}");
            sets.push((expectation.fixes.defects().count(), clean));
        }
        let negative = name == "interleaved-prefill";
        assert_eq!(sets, [(1, negative), (0, true)], "{name}");
    }
}
