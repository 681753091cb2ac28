//! The catalogue of real bugs of the past: each is there with its switch and gone without it, and
//! its reproducer is the shortest.

use std::collections::BTreeSet;

use freeorder::corpus;
use freeorder::fix::DEFECTS;
use freeorder::scenario::run;
use freeorder::search::aim::{Model, Subject};
use freeorder::search::catalogue::{Entry, entries};
use freeorder::search::enumerate::Limits;
use freeorder::search::hunt::{hunt_all, quantile};
use freeorder::search::prove::prove;
use rayon::iter::{IntoParallelIterator, ParallelIterator};

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

/// What the default lane tries: enough for most reproducers of up to five operations.
const SEQUENCES_MAX: u64 = if cfg!(feature = "slow-tests") { 1_000_000_000_000 } else { 300_000 };

/// A reproducer is shortest if every shorter sequence was tried, and their number stands in its
/// file: `freeorder defects --prove --update` writes it there.
#[test]
fn no_shorter_sequence_fails_and_their_number_is_stated() {
    let limits = Limits::states(20_000_000);
    let is_proved = |entry: &Entry| {
        let Some(optimum) = entry.optimum else { return false };
        assert_eq!(optimum.length, entry.case.ops.len(), "{}", entry.name);
        if optimum.sequences > SEQUENCES_MAX {
            return false;
        }
        let proof = prove(entry, optimum, limits);
        assert!(!proof.limited && proof.shorter.is_none(), "{}: {:?}", entry.name, proof.shorter);
        assert_eq!(proof.sequences, optimum.sequences, "{} states the number", entry.name);
        assert!(proof.letters > entry.case.ops.len(), "{} has an alphabet", entry.name);
        true
    };
    let proved = all().into_par_iter().filter(is_proved).count();
    assert!(proved >= 30, "only {proved} were proved");
}

/// A proof that finds nothing must be able to find something.
#[test]
fn a_reproducer_that_is_too_long_is_caught() {
    let limits = Limits::states(20_000_000);
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

/// Streams of generated cases in which each bug is looked for.
const SEEDS: u64 = if cfg!(feature = "slow-tests") { 20 } else { 1 };

/// What a search is worth: it meets every bug that people met, and makes it as short as can be. The
/// two rarest take longer than a default test may.
#[test]
fn a_search_meets_every_bug_and_minimizes_it_to_the_optimum() {
    let slow = ["best-is-first", "first-fit-fragments"];
    let mut entries = all();
    entries.retain(|entry| cfg!(feature = "slow-tests") || !slow.contains(&entry.name));
    let hunts = hunt_all(&entries, SEEDS, 1_000_000);
    let mut operations = Vec::new();
    let mut lengths = (0, 0);
    for hunt in &hunts {
        let (name, optimum) = (hunt.entry.name, hunt.entry.optimum.expect("it is a bug").length);
        assert_eq!(hunt.found() as u64, SEEDS, "{name} was not met from every seed");
        for catch in hunt.catches.iter().flatten() {
            let mut model = Model::new(hunt.entry.aim());
            assert!(model.fails(&catch.case).is_some(), "{name}: the case is what was met");
            assert!(model.fails(&catch.minimized).is_some(), "{name}: it still fails");
        }
        if let Some(shorter) = hunt.shorter().next() {
            panic!("{name}: shorter than the optimum {optimum}:\n{}", shorter.scenario());
        }
        lengths.0 += hunt.lengths().iter().filter(|&&length| length == optimum as u64).count();
        lengths.1 += hunt.found();
        operations.extend(hunt.operations());
    }
    operations.sort_unstable();
    let median = quantile(&operations, 0.5).expect("something was met");
    assert!(median <= 20_000, "the median is {median} operations");
    assert!(lengths.0 * 100 >= lengths.1 * 98, "{} of {} are shortest", lengths.0, lengths.1);
}

/// A bench on eight cores must print what a bench on one core does.
#[test]
fn a_hunt_does_not_depend_on_the_number_of_threads() {
    let entries: Vec<Entry> =
        all().into_iter().filter(|entry| entry.name.starts_with("no-")).collect();
    let on = |threads| {
        let pool = rayon::ThreadPoolBuilder::new().num_threads(threads).build();
        let pool = pool.expect("a pool of a few threads");
        pool.install(|| {
            let hunts = hunt_all(&entries, 2, 20_000);
            hunts.into_iter().map(|hunt| hunt.catches).collect::<Vec<_>>()
        })
    };
    assert_eq!(on(1), on(3));
}
