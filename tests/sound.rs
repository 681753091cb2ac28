//! The set of fixes that holds: what it passes, what fails without it, and that the search is right.

#![allow(clippy::unwrap_used, reason = "a test that cannot read its files has failed")]

mod command;
mod common;

use std::fmt::Write as _;
use std::path::Path;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex};

use command::{freeorder, stdout};
use common::{Lines, limited_setup, sequence, setup};
use freeorder::choice::Seeded;
use freeorder::corpus::{SCENARIOS, SOUND};
use freeorder::fix::{Fix, FixSet, Preset, Switches};
use freeorder::generate::{self, Order, Profile};
use freeorder::journal::Tracking;
use freeorder::op::{Op, ThreadId};
use freeorder::runtime::Setup;
use freeorder::scenario::{Class, Item, Line, Scenario, Simulation, run};
use freeorder::search::explore::{
    Certificate, Family, Options, Plan, Reduction, Sizes, Stop, explore,
};
use freeorder::search::matrix::Named;
use freeorder::search::regress::check;
use freeorder::search::sound::{
    Bounds, Branch, Effect, OracleSet, Question, Undecided, Watch, decide, search,
};
use freeorder::server::ServerKind;
use freeorder::violation::OracleName;
use proptest::prelude::*;

fn played(
    setup: &Arc<Setup>,
    fixes: FixSet,
    server: ServerKind,
    ops: &[Op],
) -> (Vec<String>, Switches) {
    let simulation = Simulation::new(Arc::clone(setup), fixes, server, Tracking::NONE, 0);
    let mut simulation = simulation.watching_keys();
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

/// What a key is made of must not double the runs where nothing hangs on it.
#[test]
fn a_key_is_read_where_it_tells_messages_apart() {
    let read = |lines: &str| {
        let text = format!("freeorder 1\nmachine N150\nopen m0 1x1\n{lines}");
        let question = Question::of(&text.parse::<Scenario>().unwrap(), ServerKind::K1);
        let (_, read) = question.ask(Preset::Sound.fixes(), &Bounds::default()).unwrap();
        [Fix::TypedKey, Fix::OwnerIdKey].map(|fix| read.has(fix))
    };
    let one = "alloc b0 on d0 dram 1x32\n";
    assert_eq!(read(one), [false, false]);
    assert_eq!(read(&format!("{one}alloc b1 on m0 dram 1x32\n")), [false, true]);
    assert_eq!(read(&format!("{one}alloc b1 on d0 l1 1x450496\n")), [true, true]);
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
    for (server, expected) in expected() {
        let found = search(&scenarios(), server, Watch::default());
        let first = &found.branches[0];
        assert!(found.keeps(first, sound), "{server}");
        let minimal: Vec<FixSet> = first.minimal.iter().map(|one| one.fixes).collect();
        assert_eq!(minimal, [expected], "{server}");
        // Nothing else gives up as little.
        let others = found.branches[1..].iter().map(|other| other.gives_up.len());
        assert!(others.min().is_none_or(|least| least > first.gives_up.len()), "{server}");
    }
}

/// The minimal set of the first choice under each server.
fn expected() -> [(ServerKind, FixSet); 3] {
    let sound = Preset::Sound.fixes();
    let without = sound.without(Fix::OwnerIdKey);
    [(ServerKind::K1, sound), (ServerKind::K2, sound), (ServerKind::Shm, without)]
}

/// Whoever does nothing that is not legal sees nothing of what the set cannot have: neither does it
/// cost what the main branch has.
#[test]
fn legal_programs_pass_under_the_preset() {
    for server in [ServerKind::K1, ServerKind::K2, ServerKind::Shm] {
        for seed in 0..400 {
            let choices = &mut Seeded::new(seed);
            let scenario = generate::case(Profile::Tame, Order::default(), choices).scenario();
            let report = run(&scenario, Preset::Sound.fixes(), server, 0, &mut ());
            assert_eq!(report.failing().count(), 0, "seed {seed} under {server}\n{scenario}");
        }
    }
}

/// What is kept must hang on what fails, and not on how long the text is that shows it.
#[test]
fn a_longer_scenario_changes_no_choice() {
    let choices = |scenarios: &[Named]| {
        let found = search(scenarios, ServerKind::K1, Watch::default());
        let minimal = |branch: &Branch| branch.minimal.iter().map(|one| one.fixes).collect();
        found.branches.iter().map(minimal).collect::<Vec<Vec<FixSet>>>()
    };
    let before = choices(&scenarios());
    assert!(before.len() > 1);
    let mut longer = scenarios();
    for named in &mut longer {
        if named.name == "submesh-in-its-parents-state" {
            let checkpoint = Line::new(Item::Op(ThreadId(0), Op::Checkpoint));
            named.scenario.lines.extend([checkpoint.clone(), checkpoint]);
        }
    }
    longer.reverse();
    assert_eq!(choices(&longer), before);
    // Neither must the name: under k1 two keys cost as much as each other here.
    let text = "freeorder 1\nmachine N150\nopen m0 1x1\nalloc b0 on m0 dram 1x32\n\
                deallocate-all m0\nalloc b1 on m0 dram 1x32\ndeallocate b1\n";
    let called = |name: &str| {
        let mut all = scenarios();
        all.push(Named { name: name.to_owned(), scenario: text.parse().unwrap() });
        choices(&all)
    };
    assert_eq!(called("A"), called("zzz"));
}

/// Allocators that know nothing of each other give one address away twice, whatever is fixed; what
/// else holds there depends on the fixes, and is asked: whether the tracker counts both.
#[test]
fn two_owners_of_one_chip_share_bytes_under_every_set() {
    let truth = OracleName::TrackerTruth;
    let sound = Preset::Sound.fixes();
    for name in ["two-meshes-on-one-chip", "device-buffer-beside-a-mesh"] {
        let named = |wanted: &str| scenarios().into_iter().find(|one| one.name == wanted).unwrap();
        let one = [named(name)];
        assert_eq!(one[0].scenario.class(), Class::Lifecycle);
        for server in [ServerKind::K1, ServerKind::K2, ServerKind::Shm] {
            let found = search(&one, server, Watch::default());
            let overlap = found.impossible.iter().find(|one| one.oracle == OracleName::Overlap);
            let smallest = overlap.and_then(|one| one.smallest.as_ref()).unwrap();
            assert_eq!(smallest.ops.len(), one[0].scenario.ops().count(), "{name} {server}");
            let [verdict] = found.verdicts.as_slice() else { panic!("{:?}", found.verdicts) };
            assert_eq!(verdict.always.to_string(), "overlap", "{name} {server}");
            assert_eq!(verdict.passing, 0, "{name} {server}");
            // Who reports both owners reports one key twice, and who does not counts one of them.
            let gives_up =
                |branch: &Branch| branch.gives_up.iter().any(|one| one.1.contains(truth));
            let counts = |branch: &&Branch| !gives_up(branch);
            let kept: Vec<&Branch> = found.branches.iter().filter(counts).collect();
            assert!(kept.len() < found.branches.len(), "{name} {server}");
            assert!(kept.iter().any(|branch| found.keeps(branch, sound)), "{name} {server}");
            let typed = sound.without(Fix::OwnerIdKey).with(Fix::TypedKey);
            let keeps = kept.iter().any(|branch| found.keeps(branch, typed));
            assert_eq!(keeps, server != ServerKind::K2, "{name} {server}");
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
        let question = Question::of(&one.scenario, server);
        let asked: OracleSet =
            [OracleName::TrackerTruth, OracleName::UnknownFree].into_iter().collect();
        let failing = |fixes| question.ask(fixes, &Bounds::default()).unwrap().0;
        let fails = |fixes| !failing(fixes).and(asked).is_empty();
        assert!(!fails(sound), "{server}");
        assert!(fails(sound.without(Fix::OwnerIdKey).with(Fix::TypedKey)), "{server}");
    }
}

/// The preset is what the whole search comes to, and not only what the page shows.
#[cfg(feature = "slow-tests")]
#[test]
fn the_whole_corpus_comes_to_the_preset() {
    for (server, minimal) in expected() {
        let server = server.name();
        let output = freeorder(&["matrix", "--search", "--server", server, "--format", "json"]);
        let found: serde_json::Value = serde_json::from_str(&stdout(&output)).unwrap();
        let found = &found["servers"][0];
        let sets: Vec<&str> = found["branches"][0]["minimal"]
            .as_array()
            .unwrap()
            .iter()
            .map(|one| one["fixes"].as_str().unwrap())
            .collect();
        assert_eq!(sets, [minimal.to_string()], "{server}");
        // The page says so.
        let gives_up =
            |place: usize| found["branches"][place]["gives_up"].as_array().unwrap().len();
        let least = if server == "shm" { [9, 32] } else { [6, 29] };
        assert_eq!([0, 1].map(gives_up), least, "{server}");
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

/// Sets with as many fixes as not, each half of the time.
fn random_sets(count: u32) -> impl Iterator<Item = FixSet> {
    let mixed = (0..count).map(|seed| seed.wrapping_mul(0x9e37_79b9).rotate_left(seed % 32));
    mixed.map(|bits| FixSet::from_bits(bits >> (32 - Switches::COUNT)))
}

/// What fails in a run of the lines, asked of nobody who remembers anything.
fn run_directly(scenario: &Scenario, fixes: FixSet, server: ServerKind) -> OracleSet {
    let findings = run(scenario, fixes, server, 0, &mut ()).findings;
    let failing = findings.counts().map(|(oracle, _)| oracle);
    failing.filter(|oracle| !oracle.is_note()).collect()
}

/// Scenarios whose lines are run as they stand.
fn lines_of_the_corpus() -> Vec<Named> {
    let short = |scenario: &Scenario| {
        let is_block = |line: &Line| matches!(line.item, Item::Any(_));
        scenario.ops().count() < 40
            && !scenario.lines.iter().any(is_block)
            && (scenario.is_stepped() || scenario.ops().all(|(thread, _)| thread.0 == 0))
    };
    let files = SCENARIOS.iter().flat_map(|(_, files)| files.iter());
    let named =
        files.map(|file| Named { name: file.name.to_owned(), scenario: file.scenario().unwrap() });
    named.filter(|named| short(&named.scenario)).collect()
}

/// A verdict that follows must be what a run under that very set says, and a fix that is said to
/// change nothing must change nothing.
#[test]
fn what_a_fix_is_said_to_do_is_what_runs_show() {
    let scenarios = lines_of_the_corpus();
    let sets = if cfg!(feature = "slow-tests") { 400 } else { 12 };
    for server in [ServerKind::K1, ServerKind::Shm] {
        let found = search(&scenarios, server, Watch::default());
        let mut differing = 0;
        for named in &scenarios {
            let verdict = found.verdicts.iter().find(|one| one.name == named.name).unwrap();
            for fixes in random_sets(sets) {
                let failing = run_directly(&named.scenario, fixes, server);
                assert_eq!(failing, found.failing(verdict, fixes), "{} {fixes}", named.name);
                for effect in &found.effects {
                    let fix = effect.fix;
                    let with = !fixes.has(fix);
                    let other = if with { fixes.with(fix) } else { fixes.without(fix) };
                    let changed = run_directly(&named.scenario, other, server);
                    let (with, without) =
                        if with { (changed, failing) } else { (failing, changed) };
                    let told = [&effect.helps, &effect.harms].map(Option::is_some);
                    let seen = [without.without(with), with.without(without)];
                    for (seen, told) in seen.into_iter().zip(told) {
                        differing += u32::from(!seen.is_empty());
                        let what = format!("{} {fixes} {}: {seen}", named.name, fix.name());
                        assert!(seen.is_empty() || told, "{what} under {server}");
                    }
                }
            }
        }
        assert!(differing > 1000, "{differing}");
    }
}

/// The same of families, of which every order of every step is gone through with nothing reduced.
#[test]
fn what_is_decided_of_families_is_what_every_ordering_shows() {
    let sizes = Sizes { handles: 1, ..Sizes::default() };
    let slow = cfg!(feature = "slow-tests");
    let sets = if slow { 100 } else { 8 };
    let mut failing_sets = 0;
    for family in Family::ALL {
        let scenario = family.scenario(sizes).unwrap();
        let plan = Plan::of(&scenario);
        // Counters without keys read fewer switches.
        let servers = [ServerKind::Shm, ServerKind::K1];
        for &server in if slow { &servers[..] } else { &servers[..1] } {
            let question = Question::of(&scenario, server);
            let decision = decide(&|fixes| question.ask(fixes, &Bounds::default())).unwrap();
            let ours = [Preset::Sound.fixes(), Preset::Final.fixes()];
            for fixes in random_sets(sets).chain(ours) {
                let options = Options { reduction: Reduction::NONE, ..Options::new(fixes, server) };
                let explored = explore(&plan, &options);
                let failing: OracleSet =
                    explored.violations().map(|one| one.class.oracle).collect();
                assert_eq!(failing, *decision.of(fixes), "{family} {fixes} {server}");
                failing_sets += u32::from(!failing.is_empty());
            }
        }
    }
    assert!(failing_sets > sets, "{failing_sets}");
}

/// What is printed as the least that shows what a fix does must show it.
#[test]
fn the_ordering_of_each_effect_shows_it() {
    let mut shown = 0;
    for server in [ServerKind::K1, ServerKind::Shm] {
        let found = search(&lines_of_the_corpus(), server, Watch::default());
        for effect in &found.effects {
            let changes = [&effect.need, &effect.helps, &effect.harms];
            for change in changes.into_iter().flatten() {
                let scenario = change.proof.as_ref().unwrap().scenario();
                let failing = change.sets().map(|set| run_directly(&scenario, set, server));
                let fails = failing.map(|failing| failing.contains(change.oracle));
                assert_eq!(fails, [false, true], "{} {server}", effect.fix.name());
                assert!(scenario.ops().count() <= 7, "{scenario}");
                shown += 1;
            }
        }
        let nothing = |effect: &&Effect| effect.helps.is_none() && effect.harms.is_none();
        let nothing = found.effects.iter().filter(nothing).map(|effect| effect.fix.name());
        let nothing: Vec<&str> = nothing.collect();
        let expected: &[&str] = match server {
            ServerKind::Shm => &["typed-key", "owner-id-key"],
            _ => &[],
        };
        let guards = ["release-pool", "guard-mark", "guard-dealloc"];
        assert_eq!(nothing, [&guards[..], expected].concat(), "{server}");
    }
    assert!(shown > 60, "{shown}");
}

/// A run that is counted must have been made, and each one must be counted.
#[test]
fn every_run_is_counted_once() {
    let (asked, before_proofs) = (AtomicU64::new(0), AtomicU64::new(0));
    // This is asked before every run.
    let interrupted = || asked.fetch_add(1, Ordering::Relaxed) == u64::MAX;
    let bounds = Bounds { interrupted: &interrupted, ..Bounds::default() };
    let progress =
        |_: &str, _| before_proofs.store(asked.load(Ordering::Relaxed), Ordering::Relaxed);
    let found = search(&scenarios(), ServerKind::K1, Watch { bounds, progress: &progress });
    assert_eq!(found.runs(), before_proofs.into_inner());
    assert!(found.runs() > 1000 && found.proof_runs > 100, "{}", found.runs());
}

/// A search that met a limit must name what it did not decide, and take it for nothing.
#[test]
fn what_is_not_decided_is_named() {
    let sizes = Sizes { handles: 1, devices: 2, ..Sizes::default() };
    let family = Family::Teardown.scenario(sizes).unwrap();
    let all = || {
        let family = Named { name: "family".to_owned(), scenario: family.clone() };
        scenarios().into_iter().chain([family]).collect::<Vec<Named>>()
    };
    let few = Bounds { states_max: 2, ..Bounds::default() };
    let found = search(&all(), ServerKind::K1, Watch { bounds: few, ..Watch::default() });
    let undecided = Undecided { scenario: "family".to_owned(), stop: Stop::States };
    assert_eq!(found.undecided, [undecided]);
    assert_eq!(found.verdicts.len(), scenarios().len());
    let ended = Bounds { interrupted: &|| true, ..Bounds::default() };
    let found = search(&all(), ServerKind::K1, Watch { bounds: ended, ..Watch::default() });
    assert_eq!((found.verdicts.len(), found.undecided.len()), (0, all().len()));
    assert!(found.branches.is_empty());
    assert!(found.undecided.iter().all(|one| one.stop == Stop::Interrupted));

    let path = std::env::temp_dir().join(format!("freeorder-family-{}", std::process::id()));
    std::fs::write(&path, family.to_string()).unwrap();
    let file = path.to_str().unwrap();
    let arguments = ["matrix", "--search", "--server", "k1", "--format", "json", file];
    let said = |limit: [&str; 2]| {
        let output = freeorder(&[&arguments[..], &limit].concat());
        let found: serde_json::Value = serde_json::from_str(&stdout(&output)).unwrap();
        (output.status.code(), found)
    };
    for (limit, name) in [
        (["--max-states", "2"], "states"),
        (["--memory", "1K"], "memory"),
        (["--for", "1ms"], "time"),
    ] {
        let (code, found) = said(limit);
        assert_eq!((code, found["stopped"].as_str()), (Some(3), Some(name)), "{limit:?}");
        let undecided = &found["servers"][0]["undecided"][0];
        assert_eq!(undecided["stopped"], name);
        assert_eq!(undecided["scenario"], file);
    }
    let (code, found) = said(["--max-states", "1000"]);
    assert_eq!((code, found["stopped"].is_null()), (Some(0), true));
    std::fs::remove_file(path).unwrap();
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

/// What begins the part of a table that tells of each fix.
const EFFECTS: &str = "What each fix does";

/// The parts of a printed table that tell of sets, or of each fix.
fn parts(printed: &str, of_fixes: bool) -> String {
    let servers = printed.split_inclusive("### ").map(|part| part.trim_end_matches("### "));
    let part = |server: &str| {
        let (name, _) = server.split_once('\n')?;
        let (sets, fixes) = server.split_at(server.find(EFFECTS)?);
        Some(if of_fixes { fixes.to_owned() } else { format!("### {name}{}", &sets[name.len()..]) })
    };
    servers.filter_map(part).collect()
}

/// Compares what stands between two lines of the page, or writes it.
fn page_says(begin: &str, end: &str, text: &str) {
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("docs/which-fix.md");
    let page = std::fs::read_to_string(&path).unwrap();
    let (before, rest) = page.split_once(begin).unwrap();
    let (shown, after) = rest.split_once(end).unwrap();
    if std::env::var_os("UPDATE_README").is_some() {
        std::fs::write(path, format!("{before}{begin}{text}{end}{after}")).unwrap();
    } else {
        assert_eq!(shown, text, "run UPDATE_README=1 cargo test --test sound");
    }
}

/// `UPDATE_README=1 cargo test --test sound` writes the tables anew.
#[test]
fn the_page_says_what_the_command_prints() {
    let _alone = PAGE.lock();
    let printed = parts(&table("markdown", "1"), false);
    page_says("checked by a test -->\n", "<!-- /search -->", &printed);
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("docs/which-fix.md");
    let page = std::fs::read_to_string(path).unwrap();
    for file in SOUND {
        assert!(page.contains(&format!("`corpus/sound/{}.scenario`", file.name)), "{}", file.name);
    }
}

/// What the page says of each fix is said of the whole corpus.
#[cfg(feature = "slow-tests")]
#[test]
fn the_page_says_what_each_fix_does_in_the_whole_corpus() {
    let _alone = PAGE.lock();
    let servers = ["--server", "k1", "--server", "k2", "--server", "shm"];
    let arguments = [&["matrix", "--search", "--format", "markdown"][..], &servers].concat();
    let printed = parts(&stdout(&freeorder(&arguments)), true);
    page_says("by the whole corpus -->\n", "<!-- /effects -->", &printed);
}

/// Held by who writes the page.
static PAGE: Mutex<()> = Mutex::new(());

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

/// No ordering of a family fails under the set that holds.
///
/// `UPDATE_README=1 cargo test --test sound` writes the certificates and their table anew.
#[test]
fn every_family_has_certificates() {
    let root = Path::new(env!("CARGO_MANIFEST_DIR"));
    let update = std::env::var_os("UPDATE_README").is_some();
    let of_lifecycle = Family::ALL.into_iter().filter(|one| one.class() == Class::Lifecycle);
    let mut table = String::from(
        "| family | buffers | orderings | states, k1 | k2 | shm |\n|---|---|---|---|---|---|\n",
    );
    for family in of_lifecycle {
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
    let _alone = PAGE.lock();
    page_says("by the certificates -->\n", "<!-- /families -->", &table);
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
    let named = scenarios().into_iter().find(|one| one.name == "owner-in-the-key").unwrap();
    let found = search(&[named], ServerKind::K2, Watch::default());
    assert!(found.branches.len() > 1);
    assert!(found.branches.iter().all(|branch| !branch.gives_up.is_empty()));
    let conflicts = found.branches.iter().map(|branch| branch.conflict.as_ref().unwrap());
    let proofs: Vec<_> = conflicts.map(|conflict| conflict.proof.as_ref().unwrap()).collect();
    assert!(proofs.iter().all(|proof| !proof.ops.is_empty()));
}
