//! The set of fixes that holds: what it passes, what fails without it, and that the search is right.

#![allow(clippy::unwrap_used, reason = "a test that cannot read its files has failed")]

mod command;
mod common;

use std::fmt::Write as _;
use std::path::Path;
use std::sync::Arc;

use command::{freeorder, stdout};
use common::{Lines, limited_setup, sequence, setup};
use freeorder::choice::Seeded;
#[cfg(feature = "slow-tests")]
use freeorder::corpus::SCENARIOS;
use freeorder::corpus::SOUND;
use freeorder::fix::{Fix, FixSet, Preset, Switches};
use freeorder::journal::Tracking;
use freeorder::op::Op;
use freeorder::runtime::Setup;
use freeorder::scenario::{Class, Simulation, run};
use freeorder::search::explore::{Certificate, Family, Options, Plan, Sizes, explore};
use freeorder::search::matrix::Named;
use freeorder::search::regress::check;
use freeorder::search::sound::{Question, Watch, search};
use freeorder::server::ServerKind;
use freeorder::violation::OracleName;
use proptest::prelude::*;

fn played(
    setup: &Arc<Setup>,
    fixes: FixSet,
    server: ServerKind,
    ops: &[Op],
) -> (Vec<String>, Switches) {
    let mut simulation = Simulation::new(Arc::clone(setup), fixes, server, Tracking::NONE, 0);
    let mut lines = Lines::default();
    for op in ops {
        simulation.apply(op, &mut lines);
    }
    simulation.finish(&mut lines);
    let findings = simulation.oracles().findings().counts();
    lines.0.extend(findings.map(|(oracle, count)| format!("{} {count}", oracle.name())));
    (lines.0, simulation.read())
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(if cfg!(feature = "slow-tests") { 20_000 } else { 300 }))]

    /// A set that follows from another's run must do and find what it would if it were run itself.
    #[test]
    fn sets_that_agree_on_what_was_read_run_alike(
        seed in any::<u64>(),
        length in 2..40_usize,
        limited in any::<bool>(),
        bits in 0..1_u32 << Switches::COUNT,
        others in 0..1_u32 << Switches::COUNT,
        server in prop::sample::select(&ServerKind::ALL[..]),
    ) {
        let setup = if limited { limited_setup() } else { setup() };
        let ops = sequence(length, &mut Seeded::new(seed));
        let (one, read) = played(&setup, FixSet::from_bits(bits), server, &ops);
        let agreeing = bits & read.bits() | others & !read.bits();
        let (other, _) = played(&setup, FixSet::from_bits(agreeing), server, &ops);
        prop_assert_eq!(one, other);
    }
}

fn scenarios() -> Vec<Named> {
    let named = SOUND
        .iter()
        .map(|file| Named { name: file.name.to_owned(), scenario: file.scenario().unwrap() });
    named.collect()
}

/// The proof of the preset is the numbers in the files.
#[test]
fn the_recorded_numbers_are_borne_out() {
    for named in scenarios() {
        let checked = check(&named.scenario).unwrap();
        assert_eq!(checked.differences, [], "{}", named.name);
        assert!(named.scenario.ops().count() <= 6, "{}", named.name);
    }
}

/// The preset is what the search comes to, and no fix can be taken from it.
#[test]
fn the_preset_is_a_minimal_set_that_passes() {
    let sound = Preset::Sound.fixes();
    let expected = [
        (ServerKind::K1, sound),
        (ServerKind::K2, sound),
        (ServerKind::Shm, sound.without(Fix::OwnerIdKey)),
    ];
    for (server, minimal) in expected {
        let found = search(&scenarios(), server, Watch::default()).unwrap();
        assert!(found.passing.contains(sound), "{server}");
        assert!(found.minimal.iter().any(|one| one.fixes == minimal), "{server}");
        let conflicts: Vec<&str> = found.conflicts.iter().map(|one| one.0.as_str()).collect();
        assert!(conflicts.contains(&"parent-closes-before-its-submesh"), "{server}");
        assert!(found.minimal.iter().all(|one| one.fixes.baseline() == sound.baseline()));
    }
}

/// Allocators that know nothing of each other give one address away twice, whatever is fixed; what
/// else holds there depends on the fixes, and is asked: whether the tracker counts both.
#[test]
fn two_owners_of_one_chip_share_bytes_under_every_set() {
    for name in ["two-meshes-on-one-chip", "device-buffer-beside-a-mesh"] {
        let named = |wanted: &str| scenarios().into_iter().find(|one| one.name == wanted).unwrap();
        let one = [named(name)];
        assert_eq!(one[0].scenario.class(), Class::Lifecycle);
        for server in [ServerKind::K1, ServerKind::K2, ServerKind::Shm] {
            let found = search(&one, server, Watch::default()).unwrap();
            let overlap = found.impossible.iter().find(|one| one.oracle == OracleName::Overlap);
            let smallest = overlap.and_then(|one| one.smallest.as_ref()).unwrap();
            assert_eq!(smallest.ops.len(), one[0].scenario.ops().count(), "{name} {server}");
            let [verdict] = found.verdicts.as_slice() else { panic!("{:?}", found.verdicts) };
            assert_eq!(verdict.always, [OracleName::Overlap], "{name} {server}");
            // Who reports both owners reports one key twice, and who does not counts one of them.
            let (_, oracles) = &found.conflicts[0];
            let truth = OracleName::TrackerTruth;
            assert_eq!((found.passing.count(), oracles.contains(&truth)), (0, true), "{name}");
            let both = [named("owner-reports-for-each-chip"), named(name)];
            let found = search(&both, server, Watch::default()).unwrap();
            let (_, oracles) = &found.conflicts[0];
            assert!(!oracles.contains(&truth), "{name} {server}: {oracles:?}");
            let sound = Preset::Sound.fixes();
            assert!(found.passing.contains(sound), "{name} {server}");
            let typed = sound.without(Fix::OwnerIdKey).with(Fix::TypedKey);
            assert_eq!(found.passing.contains(typed), server != ServerKind::K2, "{name} {server}");
        }
    }
}

/// Every proposal fails in an ordering of at most six operations that the preset passes.
#[test]
fn each_proposal_fails_where_the_preset_does_not() {
    let proposals = [
        (Preset::Final, "where-final-fails"),
        (Preset::ThreeFixes, "where-three-fixes-fails"),
        (Preset::Guard, "where-the-guards-fail"),
        (Preset::Workaround, "where-the-guards-fail"),
        (Preset::ForkHead, "where-fork-head-fails"),
    ];
    for (preset, name) in proposals {
        let scenario = SOUND.iter().find(|file| file.name == name).unwrap().scenario().unwrap();
        for server in [ServerKind::K1, ServerKind::K2, ServerKind::Shm] {
            let failed = |preset: Preset| {
                run(&scenario, preset.fixes(), server, 0, &mut ()).findings.failed()
            };
            assert!(failed(preset) && !failed(Preset::Sound), "{name} {server}");
        }
    }
}

/// Two owners at one address are one entry of k1 and k2 where the key does not say whose it is.
#[test]
fn two_owners_of_one_address_are_told_apart_by_their_ids_alone() {
    let file = SOUND.iter().find(|file| file.name == "owner-in-the-key").unwrap();
    let one = Named { name: file.name.to_owned(), scenario: file.scenario().unwrap() };
    let sound = Preset::Sound.fixes();
    for server in [ServerKind::K1, ServerKind::K2] {
        let question = Question::of(&one.scenario, server)
            .about(&[OracleName::TrackerTruth, OracleName::UnknownFree]);
        let fails = |fixes| question.ask(fixes, &|| false).unwrap().0.is_some();
        assert!(!fails(sound), "{server}");
        assert!(fails(sound.without(Fix::OwnerIdKey).with(Fix::TypedKey)), "{server}");
    }
}

/// The preset is what the whole search comes to, and not only what the page shows.
#[cfg(feature = "slow-tests")]
#[test]
fn the_whole_corpus_comes_to_the_preset() {
    let sound = Preset::Sound.fixes();
    let expected = [("k1", sound), ("k2", sound), ("shm", sound.without(Fix::OwnerIdKey))];
    for (server, minimal) in expected {
        let output = freeorder(&["matrix", "--search", "--server", server, "--format", "json"]);
        let found: serde_json::Value = serde_json::from_str(&stdout(&output)).unwrap();
        let found = &found["servers"][0];
        let sets: Vec<&str> = found["minimal"]
            .as_array()
            .unwrap()
            .iter()
            .map(|one| one["fixes"].as_str().unwrap())
            .collect();
        assert_eq!(sets, [minimal.to_string()], "{server}");
        let scenarios: Vec<&str> = found["scenarios"]
            .as_array()
            .unwrap()
            .iter()
            .map(|one| one["scenario"].as_str().unwrap())
            .collect();
        let corpus = SCENARIOS.iter().flat_map(|(folder, list)| {
            list.iter().map(move |file| format!("{folder}/{}", file.name))
        });
        let families = Family::ALL.iter().map(|family| format!("family {family}"));
        for name in corpus.chain(families) {
            assert!(scenarios.contains(&name.as_str()), "{name} is asked under {server}");
        }
    }
}

/// An answer that was kept must be what a run under that very set answers.
#[test]
fn what_was_answered_before_is_what_a_run_would_answer() {
    let mut kept = 0;
    for named in scenarios() {
        let fresh = || Question::of(&named.scenario, ServerKind::K1);
        let question = fresh();
        for seed in 0..60_u32 {
            let fixes = FixSet::from_bits(seed.wrapping_mul(0x9e37_79b9) >> (32 - Switches::COUNT));
            let answer = question.ask(fixes, &|| false).unwrap();
            assert_eq!(answer, fresh().ask(fixes, &|| false).unwrap(), "{} {fixes}", named.name);
            let narrow = question.clone().about(&[OracleName::TrackerTruth]);
            let only = fresh().about(&[OracleName::TrackerTruth]).ask(fixes, &|| false);
            assert_eq!(narrow.ask(fixes, &|| false), only, "{} {fixes}", named.name);
            kept += usize::from(answer.0.is_some());
        }
    }
    assert!(kept > 100, "{kept}");
}

fn table(format: &str, jobs: &str) -> String {
    let mut arguments = vec!["matrix", "--search", "--format", format, "--jobs", jobs];
    arguments.extend(["--server", "k1", "--server", "k2", "--server", "shm"]);
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("corpus/sound");
    let files: Vec<String> =
        SOUND.iter().map(|file| format!("{}/{}.scenario", folder.display(), file.name)).collect();
    arguments.extend(files.iter().map(String::as_str));
    let output = freeorder(&arguments);
    assert!(output.status.success());
    stdout(&output).replace(&format!("{}/", folder.display()), "").replace(".scenario", "")
}

/// `UPDATE_README=1 cargo test --test sound` writes the tables anew.
#[test]
fn the_page_says_what_the_command_prints() {
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("docs/which-fix.md");
    let page = std::fs::read_to_string(&path).unwrap();
    let (before, rest) = page.split_once("checked by a test -->\n").unwrap();
    let (shown, after) = rest.split_once("<!-- /search -->").unwrap();
    let printed = table("markdown", "1");
    if std::env::var_os("UPDATE_README").is_some() {
        let text = format!("{before}checked by a test -->\n{printed}<!-- /search -->{after}");
        std::fs::write(path, text).unwrap();
    } else {
        assert_eq!(shown, printed, "run UPDATE_README=1 cargo test --test sound");
    }
    for file in SOUND {
        assert!(page.contains(&format!("`corpus/sound/{}.scenario`", file.name)), "{}", file.name);
    }
}

/// At which sizes the certificates say that no ordering fails.
fn bounds(family: Family) -> Sizes {
    // The orders in which new buffers take old addresses are the least alike.
    let handles = if family == Family::Reuse { 2 } else { 3 };
    Sizes { handles, devices: 4, views: 2, programs: 2, submeshes: 1, threads: 3 }
}

fn explored(family: Family, server: ServerKind) -> (Certificate, bool) {
    let sizes = bounds(family);
    let scenario = family.scenario(sizes).unwrap();
    let options = Options::new(Preset::Sound.fixes(), server);
    let plan = Plan::of(&scenario);
    let result = explore(&plan, &options);
    assert_eq!(result.stopped, None, "{}", family.name());
    let fails = result.violations().next().is_some();
    (Certificate::new(&scenario, &options, &result).with_family(family, sizes), fails)
}

/// No ordering of a family fails under the set that holds, but of one, of which the page tells why.
///
/// `UPDATE_README=1 cargo test --test sound` writes the certificates and their table anew.
#[test]
fn every_family_that_can_pass_has_certificates() {
    let root = Path::new(env!("CARGO_MANIFEST_DIR"));
    let update = std::env::var_os("UPDATE_README").is_some();
    let of_lifecycle = Family::ALL.into_iter().filter(|one| one.class() == Class::Lifecycle);
    let mut table = String::from(
        "| family | buffers | orderings | states, k1 | k2 | shm |\n|---|---|---|---|---|---|\n",
    );
    for family in of_lifecycle.filter(|&family| family != Family::Submesh) {
        let mut states = Vec::new();
        let mut orderings = String::new();
        for server in [ServerKind::K1, ServerKind::K2, ServerKind::Shm] {
            let (certificate, fails) = explored(family, server);
            assert!(!fails, "{} under {server}", family.name());
            states.push(certificate.states.to_string());
            orderings.clone_from(&certificate.orderings);
            let text = serde_json::to_string_pretty(&certificate).unwrap() + "\n";
            let path =
                root.join(format!("corpus/sound/certificates/{}-{server}.json", family.name()));
            if update {
                std::fs::write(&path, &text).unwrap();
            }
            let written = std::fs::read_to_string(&path).unwrap();
            assert_eq!(written, text, "run UPDATE_README=1 cargo test --test sound");
            let verified = freeorder(&["explore", "--verify", path.to_str().unwrap()]);
            assert!(verified.status.success(), "{}", stdout(&verified));
        }
        let sized = family.sizes().contains("handles");
        let handles = if sized { bounds(family).handles.to_string() } else { "-".to_owned() };
        writeln!(table, "| {} | {handles} | {orderings} | {} |", family.name(), states.join(" | "))
            .unwrap();
    }
    for server in [ServerKind::K1, ServerKind::K2, ServerKind::Shm] {
        assert!(explored(Family::Submesh, server).1, "submesh passes under {server}");
    }
    let path = root.join("docs/which-fix.md");
    let page = std::fs::read_to_string(&path).unwrap();
    let (before, rest) = page.split_once("by the certificates -->\n").unwrap();
    let (shown, after) = rest.split_once("<!-- /families -->").unwrap();
    if update {
        let text = format!("{before}by the certificates -->\n{table}<!-- /families -->{after}");
        std::fs::write(path, text).unwrap();
    } else {
        assert_eq!(shown, table, "run UPDATE_README=1 cargo test --test sound");
    }
}

/// Who is asked first must not decide what is answered.
#[test]
fn any_number_of_threads_comes_to_the_same() {
    assert_eq!(table("json", "1"), table("json", "3"));
}

/// Where each set fails something, though not the same, no set passes, and it says what excludes
/// what.
#[cfg(feature = "slow-tests")]
#[test]
fn properties_that_exclude_each_other_leave_no_set() {
    let sizes = Sizes { handles: 1, devices: 1, views: 0, programs: 0, submeshes: 1, threads: 1 };
    let scenario = Family::Submesh.scenario(sizes).unwrap();
    let named = Named { name: "submesh".to_owned(), scenario };
    let found = search(&[named], ServerKind::K2, Watch::default()).unwrap();
    assert_eq!((found.passing.count(), found.minimal.len()), (0, 0));
    let [(_, oracles)] = found.conflicts.as_slice() else { panic!("{:?}", found.conflicts) };
    assert!(oracles.len() > 1, "{oracles:?}");
}
