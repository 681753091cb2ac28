//! The sentences of the documents, tested: `corpus/claims`.

use freeorder::corpus::{CLAIMS, File};
use freeorder::scenario::{Expectation, Scenario, run};

/// A number the documents give, with which the model disagrees.
fn disputed(file: &File) -> Vec<Expectation> {
    let lines = file.text.lines().filter_map(|line| line.strip_prefix("# disputed "));
    let parsed = lines.map(|line| {
        let text = format!("freeorder 1\nexpect {line}\n");
        let scenario: Scenario =
            text.parse().unwrap_or_else(|error| panic!("{}: {line}: {error}", file.name));
        scenario.expectations().next().expect("one expectation").1.clone()
    });
    parsed.collect()
}

fn measured(scenario: &Scenario, expectation: &Expectation) -> Vec<(String, Option<u64>, u64)> {
    let report = run(scenario, expectation.fixes, expectation.server, 0, &mut ());
    let each = expectation.measures.iter();
    each.map(|&(measure, expected)| (measure.to_string(), report.measure(measure), expected))
        .collect()
}

/// Every number of an `expect` line was typed from a document or from table 1.8.
#[test]
fn every_expected_number_is_what_the_model_says() {
    let mut wrong = Vec::new();
    let mut checked = 0;
    for file in CLAIMS {
        let scenario = file.scenario().expect("the corpus parses");
        for (line, expectation) in scenario.expectations() {
            for (name, got, expected) in measured(&scenario, expectation) {
                checked += 1;
                if got != Some(expected) {
                    let (fixes, server) = (&expectation.fixes_text, expectation.server);
                    wrong.push(format!(
                        "{}:{line}: {fixes} {server}: {name} is {got:?}, not {expected}",
                        file.name
                    ));
                }
            }
        }
    }
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
    assert!(checked > 150, "only {checked} numbers were checked");
}

/// Where a file says that the model disagrees with a document, it must really disagree, and say why
/// in a sentence.
#[test]
fn every_disputed_number_differs_from_what_the_model_says() {
    let mut checked = 0;
    for file in CLAIMS {
        let scenario = file.scenario().expect("the corpus parses");
        for expectation in disputed(file) {
            let fixes = &expectation.fixes_text;
            for (name, got, claimed) in measured(&scenario, &expectation) {
                assert_ne!(got, Some(claimed), "{}: {fixes}: {name} is not disputed", file.name);
                checked += 1;
            }
        }
        let disagrees = file.text.contains("# The model disagrees");
        assert_eq!(disagrees, !disputed(file).is_empty(), "{}", file.name);
    }
    assert!(checked >= 10, "only {checked} numbers were checked");
}

/// Every claim names the document or reference it comes from.
#[test]
fn every_claim_names_its_source() {
    for file in CLAIMS {
        let sources = ["Document 00", "allocation-server.md", "tt-metal.md"];
        assert!(sources.iter().any(|source| file.text.contains(source)), "{}", file.name);
    }
}
