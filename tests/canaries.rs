//! Planted bugs that every engine must find and shrink: a campaign over seeds, the bytes of a fuzzer,
//! and proptest. An engine that stops finding one of them is broken; never loosen a canary to pass.

#![allow(clippy::unwrap_used, reason = "a canary that is not found has failed")]

use freeorder::choice::{Choices, Seeded};
use freeorder::corpus::{CANARIES, Canary};
use freeorder::generate::{Order, Profile, from_bytes};
use freeorder::scenario::Case;
use freeorder::search::aim::{Aim, Failure, Model, Subject};
use freeorder::search::campaign::{Campaign, Hooks, Plan};
use freeorder::search::enumerate::Limits;
use freeorder::search::minimize::{Options, minimize, minimize_and_prove};
use freeorder::search::replay::Replayer;
use freeorder::strategy::Cases;
use freeorder::violation::ViolationClass;
use proptest::strategy::{Strategy as _, ValueTree as _};
use proptest::test_runner::{Config, RngSeed, TestCaseError, TestError, TestRunner};
use rayon::iter::{IntoParallelIterator as _, ParallelIterator as _};

fn canaries() -> Vec<Canary> {
    let canaries: Vec<Canary> = CANARIES.iter().filter_map(Canary::of).collect();
    assert!(canaries.len() >= 9, "{}", canaries.len());
    canaries
}

fn profile(canary: &Canary) -> Profile {
    Profile::named(canary.profile).unwrap()
}

/// The class that the file shows: the oracle alone can fail for other reasons, too.
fn class(canary: &Canary) -> ViolationClass {
    let case = Case::of(&canary.file.scenario().unwrap());
    let mut replayer = Replayer::new(canary.fixes, canary.server);
    let mut classes = replayer.classes(&case).iter();
    *classes.find(|class| class.oracle == canary.oracle).unwrap()
}

fn aim(canary: &Canary) -> Aim {
    let Canary { fixes, server, .. } = *canary;
    Aim { fixes, server, failure: Failure::Class(class(canary)) }
}

/// The file is what the engines are to come to: nothing shorter fails.
#[test]
fn the_files_are_as_short_as_they_say() {
    for canary in canaries() {
        let case = Case::of(&canary.file.scenario().unwrap());
        assert_eq!(case.ops.len(), canary.operations_max, "{}", canary.file.name);
        let mut model = Model::new(aim(&canary));
        let limits = Limits::default();
        let proved = minimize_and_prove(&case, &mut model, &mut Options::default(), limits);
        let (minimized, proof) = proved.unwrap();
        assert_eq!(minimized.case.ops.len(), canary.operations_max, "{}", canary.file.name);
        assert!(proof.is_some(), "{}", canary.file.name);
    }
}

/// What `freeorder fuzz` runs.
#[test]
fn a_campaign_finds_every_canary_and_shrinks_it() {
    canaries().into_par_iter().for_each(|canary| {
        let Canary { fixes, server, .. } = canary;
        let plan = Plan { fixes, server, profile: profile(&canary), order: Order::Urw };
        let mut campaign = Campaign::new(plan, 0);
        campaign.advance(200, Hooks { is_interrupted: &|| false, running: &|_| {} });
        campaign.minimize(None, &|| false);
        let of_oracle =
            campaign.findings().filter(|found| found.found.class.oracle == canary.oracle);
        let shortest = of_oracle.map(|found| found.case.ops.len()).min();
        let name = canary.file.name;
        let shortest = shortest.unwrap_or_else(|| panic!("the campaign does not find {name}"));
        assert!(shortest <= canary.operations_max, "{name}: {shortest} operations");
    });
}

/// What the fuzz target `orderings` reads: random bytes, without any feedback of coverage.
#[test]
fn bytes_find_every_canary_and_shrink_it() {
    for canary in canaries() {
        let name = canary.file.name;
        let mut choices = Seeded::new(11);
        let mut model = Model::new(aim(&canary));
        let mut inputs = (0..3000).map(|_| {
            let bytes: Vec<u8> = (0..150).map(|_| choices.pick(256) as u8).collect();
            from_bytes(profile(&canary), &bytes)
        });
        let found = inputs.find(|case| model.fails(case).is_some());
        let found = found.unwrap_or_else(|| panic!("bytes do not find {name}"));
        let minimized = minimize(&found, &mut model, &mut Options::default()).unwrap();
        let count = minimized.case.ops.len();
        assert!(count <= canary.operations_max, "{name}\n{}", minimized.case.scenario());
    }
}

/// What a user's own property runs: a closure over a case, of which the strategy knows nothing.
#[test]
fn proptest_finds_every_canary_and_shrinks_it() {
    for canary in canaries() {
        let (name, class) = (canary.file.name, class(&canary));
        let config = Config {
            cases: 500,
            failure_persistence: None,
            max_shrink_iters: 20_000,
            rng_seed: RngSeed::Fixed(3),
            ..Config::default()
        };
        let found = TestRunner::new(config).run(&Cases::of(profile(&canary)), |input| {
            let mut replayer = Replayer::new(canary.fixes, canary.server);
            let classes = replayer.classes(&input.0);
            match classes.contains(&class) {
                true => Err(TestCaseError::fail(canary.oracle.name())),
                false => Ok(()),
            }
        });
        let Err(TestError::Fail(_, smallest)) = found else {
            panic!("proptest does not find {name}: {found:?}");
        };
        assert!(smallest.0.ops.len() <= canary.operations_max, "{name}{smallest:?}");
    }
}

/// One reducer: what the tree shrinks to is what `minimize` makes of the same case, if it too knows
/// nothing but verdicts.
#[test]
fn proptest_shrinks_as_minimize_does() {
    struct Verdicts(Model);
    impl Subject for Verdicts {
        fn fails(&mut self, case: &Case) -> Option<usize> {
            self.0.fails(case).map(|_| case.ops.len() + 1)
        }

        fn turns(&mut self, case: &Case) -> Vec<freeorder::search::replay::Turn> {
            self.0.turns(case)
        }
    }
    let canaries = canaries();
    let mut runner = TestRunner::deterministic();
    let mut compared = 0;
    for seed in 0..40 {
        let canary = &canaries[seed % canaries.len()];
        let threads = [profile(canary), Profile::Threads][seed % 2];
        let mut tree = Cases::of(threads).new_tree(&mut runner).unwrap();
        let mut model = Model::new(aim(canary));
        let drawn = tree.current().0;
        if model.fails(&drawn).is_none() {
            continue;
        }
        let mut more = tree.simplify();
        while more {
            more = match model.fails(&tree.current().0) {
                Some(_) => tree.simplify(),
                None => tree.complicate(),
            };
        }
        let mut verdicts = Verdicts(model);
        let minimized = minimize(&drawn, &mut verdicts, &mut Options::default()).unwrap();
        assert_eq!(tree.current().0, minimized.case);
        assert!(!tree.simplify() && !tree.complicate());
        compared += 1;
    }
    assert!(compared > 15, "{compared}");
}
