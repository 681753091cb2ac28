//! Programs from seeds and from bytes.

use std::collections::BTreeMap;

use freeorder::choice::Seeded;
use freeorder::fix::Preset;
use freeorder::generate::{Order, Profile, canonical, case, encode, from_bytes};
use freeorder::scenario::{Case, Scenario, run};
use freeorder::server::ServerKind;

fn of_seed(profile: Profile, seed: u64) -> Case {
    case(profile, Order::Urw, &mut Seeded::new(seed))
}

/// A scenario is a function of profile, order and seed, and its text says all of it.
#[test]
fn a_seed_is_one_program_that_prints_and_parses() {
    for profile in Profile::ALL {
        for order in Order::ALL {
            for seed in 0..50 {
                let one = case(profile, order, &mut Seeded::new(seed));
                assert_eq!(one, case(profile, order, &mut Seeded::new(seed)));
                let text = one.scenario().to_string();
                let read: Scenario = text.parse().expect("what is printed parses");
                assert_eq!(Case::of(&read), one, "{profile} {order} {seed}");
            }
        }
    }
}

/// An ordinary program must not look guilty, or no finding could be trusted.
#[test]
fn tame_programs_are_clean_upstream() {
    let fixes = Preset::UpstreamShm.fixes();
    let mut failing: BTreeMap<String, Vec<u64>> = BTreeMap::new();
    let mut operations = 0;
    for seed in 0..3000 {
        let scenario = of_seed(Profile::Tame, seed).scenario();
        let report = run(&scenario, fixes, ServerKind::Shm, 0, &mut ());
        operations += report.operations;
        for (oracle, _) in report.failing() {
            failing.entry(oracle.to_string()).or_default().push(seed);
        }
    }
    assert_eq!(failing, BTreeMap::new(), "the seeds at which each oracle fired");
    assert!(operations > 50_000, "only {operations} operations changed anything");
}

/// Whatever is drawn can be written as bytes and read back, so that a fuzzer can start from it.
#[test]
fn every_seed_of_every_profile_survives_the_byte_form() {
    for profile in Profile::ALL {
        for seed in 0..60 {
            let wanted = canonical(&of_seed(profile, seed));
            let bytes = encode(profile, &wanted)
                .unwrap_or_else(|error| panic!("{profile} {seed}: {error}\n{}", wanted.scenario()));
            assert_eq!(from_bytes(profile, &bytes), wanted, "{profile} {seed}");
        }
    }
}
