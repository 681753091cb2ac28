//! The catalogue of real bugs of the past: each is there with its switch and gone without it.

use freeorder::corpus;
use freeorder::fix::DEFECTS;
use freeorder::scenario::run;

/// "Found" is differential: with the bug the oracle fires, without it the same scenario is silent.
#[test]
fn every_bug_is_seen_with_its_switch_and_only_with_it() {
    for file in corpus::DEFECTS {
        let scenario = file.scenario().expect("the corpus parses");
        let mut checked = 0;
        for (line, expectation) in scenario.expectations() {
            let (fixes, server) = (expectation.fixes, expectation.server);
            let report = run(&scenario, fixes, server, 0, &mut ());
            for &(measure, expected) in &expectation.measures {
                let got = report.measure(measure);
                assert_eq!(got, Some(expected), "{}:{line}: {measure}", file.name);
                checked += 1;
            }
        }
        assert!(checked >= 2, "{} says what happens with the bug and without", file.name);
    }
}

/// A switch without a scenario would be a bug that nobody looks for.
#[test]
fn every_switch_has_a_scenario() {
    for info in &DEFECTS {
        assert!(corpus::DEFECTS.iter().any(|file| file.name == info.name), "{}", info.name);
    }
}
