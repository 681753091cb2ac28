//! The catalogue of real bugs of the past: each is there with its switch and gone without it, and
//! its reproducer is the shortest.

use std::collections::BTreeSet;

use freeorder::corpus;
use freeorder::fix::DEFECTS;
use freeorder::scenario::run;
use freeorder::search::aim::{Model, Subject};
use freeorder::search::catalogue::{Entry, entries};
use freeorder::search::enumerate::Limits;
use freeorder::search::prove::prove;

fn all() -> Vec<Entry> {
    entries().unwrap_or_else(|error| panic!("{error}"))
}

/// "Found" is differential: with the bug the oracle fires, without it the same scenario is silent.
#[test]
fn every_bug_is_seen_with_its_switch_and_only_with_it() {
    for file in corpus::DEFECTS {
        let scenario = file.scenario().expect("the corpus parses");
        for (line, expectation) in scenario.expectations() {
            let (fixes, server) = (expectation.fixes, expectation.server);
            let report = run(&scenario, fixes, server, 0, &mut ());
            for &(measure, expected) in &expectation.measures {
                let got = report.measure(measure);
                assert_eq!(got, Some(expected), "{}:{line}: {measure}", file.name);
            }
        }
    }
    for entry in all() {
        let steps = Model::new(entry.aim()).fails(&entry.case);
        assert_eq!(
            steps.is_some(),
            entry.optimum.is_some(),
            "what a search says of {}",
            entry.name
        );
    }
}

/// A switch without a scenario would be a bug that nobody looks for; a scenario that says other
/// rows than its switch is wrong about one of them.
#[test]
fn every_switch_has_a_scenario_that_agrees_with_its_table() {
    let entries = all();
    for info in &DEFECTS {
        let entry = entries.iter().find(|entry| entry.name == info.name);
        let entry = entry.unwrap_or_else(|| panic!("{} has no scenario", info.name));
        assert_eq!(entry.rows, info.rows, "{}", info.name);
        assert!(entry.sources.contains(&info.source), "{} names {}", info.name, info.source);
        assert_eq!(entry.switches(), [format!("+{}", info.name)]);
    }
}

/// The catalogue promises at least 30 rows of the table of bugs, by at least 26 switches.
#[test]
fn the_catalogue_is_as_large_as_it_promises() {
    let entries = all();
    let rows: BTreeSet<u8> = entries.iter().flat_map(|entry| entry.rows.clone()).collect();
    let switches: BTreeSet<String> = entries.iter().flat_map(Entry::switches).collect();
    assert!(rows.len() >= 30, "{} rows: {rows:?}", rows.len());
    assert!(switches.len() >= 26, "{} switches: {switches:?}", switches.len());
    assert!(DEFECTS.len() >= 26, "{} bugs", DEFECTS.len());
}

/// What the default lane tries: enough for all reproducers of up to five operations.
const SEQUENCES_MAX: u64 = if cfg!(feature = "slow-tests") { 1_000_000_000_000 } else { 1_000_000 };

/// A reproducer is shortest if every shorter sequence was tried, and their number stands in its
/// file: `freeorder defects --prove --update` writes it there.
#[test]
fn no_shorter_sequence_fails_and_their_number_is_stated() {
    let limits = Limits { states_max: 20_000_000, deadline: None };
    let mut proved = 0;
    for entry in all() {
        let Some(optimum) = entry.optimum else { continue };
        assert_eq!(optimum.length, entry.case.ops.len(), "{}", entry.name);
        if optimum.sequences > SEQUENCES_MAX {
            continue;
        }
        let proof = prove(&entry, optimum, limits);
        assert!(!proof.limited && proof.shorter.is_none(), "{}: {:?}", entry.name, proof.shorter);
        assert_eq!(proof.sequences, optimum.sequences, "{} states the number", entry.name);
        assert!(proof.letters > entry.case.ops.len(), "{} has an alphabet", entry.name);
        proved += 1;
    }
    assert!(proved >= 30, "only {proved} were proved");
}

/// A proof that finds nothing must be able to find something.
#[test]
fn a_reproducer_that_is_too_long_is_caught() {
    let limits = Limits { states_max: 20_000_000, deadline: None };
    for name in ["extra-owner", "racy-deallocate"] {
        let entry = all().into_iter().find(|entry| entry.name == name).expect("it is there");
        let mut optimum = entry.optimum.expect("it is a bug");
        optimum.length += 1;
        let proof = prove(&entry, optimum, limits);
        let shorter = proof.shorter.expect("the reproducer itself is one operation shorter");
        assert_eq!(shorter.ops.len() + 1, optimum.length, "{name}");
        assert!(Model::new(entry.aim()).fails(&shorter).is_some(), "{name}");
    }
}
