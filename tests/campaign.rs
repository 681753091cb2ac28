//! Campaigns: a result is a function of the plan and the range of seeds, whoever runs them.

#![allow(clippy::unwrap_used, reason = "a test that cannot start the command has failed")]

mod command;
mod fuzzed;

use std::collections::{BTreeMap, BTreeSet};
use std::fs;
use std::path::Path;
use std::process::{Command, Stdio};
use std::sync::Arc;

use command::{code, command, folder, stderr, stdout};
use freeorder::fix::{FixSet, Preset};
use freeorder::generate::{Order, Profile};
use freeorder::journal::Tracking;
use freeorder::mark::Mark;
use freeorder::op::{Name, Op};
use freeorder::scenario::{Case, Simulation};
use freeorder::search::campaign::{Campaign, Found, Hooks, Key, Plan};
use freeorder::search::replay::Replayer;
use freeorder::server::ServerKind;
use freeorder::violation::{OracleName, Relation, Violation};
use fuzzed::{fuzz, json, json_of_the_run, written};

const QUIET: Hooks<'static> = Hooks { is_interrupted: &|| false, running: &|_| {} };

fn plan(fixes: FixSet, server: ServerKind) -> Plan {
    Plan { fixes, server, profile: Profile::Lifecycle, order: Order::Urw }
}

/// Whoever reports a bug with a range of seeds must not have to say how many cores there were.
#[test]
fn the_result_does_not_depend_on_the_number_of_jobs() {
    let seeds = if cfg!(feature = "slow-tests") { "3..123" } else { "3..43" };
    let run = |jobs: &str| {
        let at = folder(&format!("jobs-{jobs}"));
        let seeds = ["--fixes", "before", "--server", "k1", "--seeds", seeds];
        let output = fuzz(&at, &[&seeds[..], &["--jobs", jobs, "--out", "out"]].concat());
        assert_eq!(code(&output), 1, "{}", stderr(&output));
        (json(&output), written(&at.join("out")))
    };
    let one = run("1");
    assert!(one.0["findings"].as_array().unwrap().len() >= 3);
    assert!(one.1.len() >= 6, "{:?}", one.1.keys());
    assert_eq!(one, run("2"));
    assert_eq!(one, run("5"));
}

/// A campaign that was stopped and continued is the campaign that was not stopped.
#[test]
fn a_second_run_on_the_same_folder_continues() {
    let run = |at: &Path, seeds: &str| {
        let arguments = ["--fixes", "fork-head", "--server", "k1", "--seeds", seeds];
        json(&fuzz(at, &[&arguments[..], &["--out", "out"]].concat()))
    };
    let stopped = folder("stopped");
    assert_eq!(run(&stopped, "0..37")["seeds"], "0..37");
    run(&stopped, "0..60");
    let continued = run(&stopped, "0..90");
    let undisturbed = folder("undisturbed");
    assert_eq!(continued, run(&undisturbed, "0..90"));
    assert_eq!(written(&stopped.join("out")), written(&undisturbed.join("out")));
    // What is done is done: a range inside it runs nothing and reports what there is.
    assert_eq!(run(&stopped, "0..50"), continued);
    let text = |seeds: &str| {
        let arguments = ["--fixes", "final", "--server", "k2", "--seeds", seeds, "--out", "text"];
        stdout(&fuzz(&stopped, &[&arguments[..], &["--format", "text"]].concat()))
    };
    let together = "all runs on the folder together";
    assert!(!text("0..10").contains(together));
    assert!(text("0..20").contains(together));
}

/// A file that was lost, or spoilt, is made again from its seed.
#[test]
fn findings_that_were_removed_come_back() {
    let at = folder("removed");
    let arguments = ["--fixes", "before", "--server", "k1", "--out", "out", "--seeds"];
    fuzz(&at, &[&arguments[..], &["0..40"]].concat());
    let before = written(&at.join("out"));
    fs::remove_file(at.join("out/balance.scenario")).unwrap();
    fs::write(at.join("out/teardown.scenario"), "freeorder 1\n").unwrap();
    fuzz(&at, &[&arguments[..], &["0..40"]].concat());
    assert_eq!(before, written(&at.join("out")));
}

/// A reader of the report opens the file that it names, minimised or not.
#[test]
fn every_file_that_is_named_is_there() {
    let at = folder("named");
    let arguments = ["--fixes", "before", "--server", "k1", "--out", "out", "--no-minimize"];
    let run = |more: &[&str]| json(&fuzz(&at, &[&arguments[..], more].concat()));
    run(&["--seeds", "0..40"]);
    fs::remove_file(at.join("out/balance.scenario")).unwrap();
    fs::write(at.join("out/teardown.scenario"), "freeorder 1\n").unwrap();
    let report = run(&["--seeds", "0..40"]);
    let findings = report["findings"].as_array().unwrap();
    assert!(findings.len() >= 3);
    for finding in findings {
        let file = at.join(finding["file"].as_str().unwrap());
        assert_eq!(fs::read_to_string(&file).unwrap(), finding["scenario"], "{finding}");
        assert_eq!(finding["minimized"], false);
    }
}

/// What a folder had before is no news.
#[test]
fn a_continued_campaign_tells_what_is_new() {
    let at = folder("news");
    let run = |seeds: &str, format: &str| {
        let plan = ["--fixes", "before", "--server", "k1", "--out", "out"];
        fuzz(&at, &[&plan[..], &["--seeds", seeds, "--format", format]].concat())
    };
    let told = |seeds: &str| -> BTreeMap<String, bool> {
        let report = json_of_the_run(&run(seeds, "json"));
        let findings = report["findings"].as_array().unwrap().iter();
        let told = findings.map(|finding| {
            let key = format!("{} {} {}", finding["kind"], finding["role"], finding["seed"]);
            (key, finding["earlier"].as_bool().unwrap())
        });
        told.collect()
    };
    let first = told("0..3");
    assert!(!first.is_empty() && first.values().all(|&earlier| !earlier), "{first:?}");
    let second = told("0..100");
    assert!(second.iter().all(|(key, &earlier)| earlier == first.contains_key(key)), "{second:?}");
    let earlier = second.values().filter(|&&earlier| earlier).count();
    assert!(earlier > 0 && earlier < second.len(), "{second:?}");
    let text = stdout(&run("0..100", "text"));
    let all = format!("{0} findings ({0} earlier, 0 new)", second.len());
    assert!(text.contains(&all) && text.contains(", found earlier\n"), "{text}");
}

/// `--for` is for people; what it prints must be for ever.
#[test]
fn the_range_that_a_time_limit_prints_repeats_it() {
    let at = folder("timed");
    let arguments = ["--fixes", "before", "--server", "k2"];
    let timed = json(&fuzz(&at, &[&arguments[..], &["--for", "700ms"]].concat()));
    let seeds = timed["seeds"].as_str().unwrap();
    assert!(seeds.starts_with("0..") && seeds != "0..0", "{seeds}");
    let again = json(&fuzz(&at, &[&arguments[..], &["--seeds", seeds]].concat()));
    assert_eq!(timed, again);
}

/// Counts of two plans in one folder would be counts of nothing.
#[test]
fn a_folder_belongs_to_one_plan() {
    let at = folder("mismatch");
    let first = ["--fixes", "before", "--server", "k1", "--seeds", "0..20", "--out", "out"];
    assert_eq!(code(&fuzz(&at, &first)), 1);
    let others: [(&[&str], &str); 5] = [
        (&["--fixes", "final", "--server", "k1", "--seeds", "0..20"], "--fixes before"),
        (&["--fixes", "before", "--server", "k2", "--seeds", "0..20"], "--server k1"),
        (&["--fixes", "before", "--server", "k1", "--seeds", "5..20"], "first seed 0"),
        (&["--fixes", "before", "--server", "k1", "--profile", "tame"], "--profile lifecycle"),
        (&["--fixes", "before", "--server", "k1", "--order", "pct"], "--order urw"),
    ];
    for (arguments, what) in others {
        let output = fuzz(&at, &[arguments, &["--out", "out"]].concat());
        assert_eq!(code(&output), 2);
        assert!(stderr(&output).contains(what), "{}", stderr(&output));
    }
    fs::write(at.join("out/campaign.json"), "{").unwrap();
    assert_eq!(code(&fuzz(&at, &first)), 2);
    fs::write(at.join("file"), "").unwrap();
    assert_eq!(code(&fuzz(&at, &["--seeds", "0..1", "--out", "file"])), 2);
}

/// Truncated hashes cannot be counted on.
#[test]
fn a_folder_that_lost_hashes_is_refused() {
    let at = folder("truncated");
    let arguments = ["--fixes", "before", "--server", "k1", "--seeds", "0..20", "--out", "out"];
    fuzz(&at, &arguments);
    fs::write(at.join("out/states.hashes"), [0; 80]).unwrap();
    let output = fuzz(&at, &arguments);
    assert_eq!(code(&output), 2);
    assert!(stderr(&output).contains("states.hashes"), "{}", stderr(&output));
}

/// Runs a line in a shell that finds this build of freeorder.
fn shell(at: &Path, line: &str) -> std::process::Output {
    let binary = Path::new(env!("CARGO_BIN_EXE_freeorder"));
    let path = format!("{}:{}", binary.parent().unwrap().display(), std::env::var("PATH").unwrap());
    Command::new("sh").args(["-c", line]).current_dir(at).env("PATH", path).output().unwrap()
}

/// The command that a finding prints is the bug report: it must work as pasted.
#[test]
fn replay_commands_work_as_pasted() {
    let at = folder("pasted");
    let arguments = ["--fixes", "before+guard-mark", "--server", "k1", "--seeds", "0..30"];
    let output = fuzz(&at, &[&arguments[..], &["--out", "it's 1 out"]].concat());
    let report = json(&output);
    let findings = report["findings"].as_array().unwrap();
    assert!(findings.len() >= 3);
    for finding in findings {
        let text = fs::read_to_string(at.join(finding["file"].as_str().unwrap())).unwrap();
        assert_eq!(text, finding["scenario"].as_str().unwrap());
        let command = text.lines().find_map(|line| line.strip_prefix("# Replay: ")).unwrap();
        assert_eq!(command, finding["replay"].as_str().unwrap());
        let run = shell(&at, command);
        assert_eq!(code(&run), 1, "{command}: {}", stderr(&run));
        assert_eq!(stderr(&run), "", "the expectation holds");
        assert!(stdout(&run).contains(finding["kind"].as_str().unwrap()));
    }
    // Without a folder the scenario stands behind the command.
    let output = fuzz(&at, &[&arguments[..], &["--format", "text"]].concat());
    let text = stdout(&output);
    let pasted: Vec<&str> = text.split("freeorder run ").skip(1).collect();
    assert_eq!(pasted.len(), findings.len());
    for part in pasted {
        let command = format!("freeorder run {}\nEND\n", part.split("\nEND").next().unwrap());
        let run = shell(&at, &command);
        assert_eq!((code(&run), stderr(&run).as_str()), (1, ""), "{command}");
    }
}

/// Whether a stale FREE is that of a handle that was deallocated before, and not made again since:
/// without the deallocation it does not happen.
fn is_late(plan: Plan, case: &Case, first: &Violation) -> bool {
    let lines: Vec<String> = case.ops.iter().map(|(_, op)| op.to_string()).collect();
    let last = first.tick.0 as usize - 1;
    let Some(handle) = lines.get(last).and_then(|line| line.strip_prefix("drop b")) else {
        return false;
    };
    let about = |line: &String| {
        let first = line.split(' ').nth(1) == Some(&format!("b{handle}"));
        first && !line.starts_with("use")
    };
    let Some(dead) = lines[..last].iter().rposition(about) else { return false };
    if first.oracle != OracleName::StaleFree || !lines[dead].starts_with("deallocate ") {
        return false;
    }
    let mut without = case.clone();
    without.ops.truncate(last + 1);
    without.ops.remove(dead);
    !Replayer::new(plan.fixes, plan.server).classes(&without).contains(&first.class())
}

/// One row for each kind and role, with the first seed that shows it; drops of dead handles, and
/// failures with a second buffer, come before others. Found here by hand.
#[test]
fn findings_are_one_for_each_kind_and_role_with_the_lowest_seed() {
    let plan = plan(Preset::ForkHead.fixes(), ServerKind::K1);
    let mut replayer = Replayer::new(plan.fixes, plan.server);
    let mut expected: BTreeMap<Key, (bool, bool, u64)> = BTreeMap::new();
    for seed in 0..120 {
        let case = plan.case(seed);
        replayer.classes(&case);
        for first in replayer.simulation().oracles().findings().firsts() {
            let alone = first.relation == Relation::None;
            let rank = (!is_late(plan, &case, first), alone, seed);
            if !first.oracle.is_note() {
                let best = expected.entry(Key::of(first.class())).or_insert(rank);
                *best = rank.min(*best);
            }
        }
    }
    let mut campaign = Campaign::new(plan, 0);
    campaign.advance(120, QUIET);
    let found = campaign.findings().map(|finding| {
        let Found { seed, class, late_drop } = finding.found;
        (finding.key(), (!late_drop, class.relation == Relation::None, seed))
    });
    assert_eq!(found.collect::<BTreeMap<_, _>>(), expected);
    assert!(expected.len() >= 5 && expected.values().any(|rank| !rank.0));
    // Minimised, each still fails in its class, and in few operations.
    campaign.minimize(None, &|| false);
    for finding in campaign.findings() {
        assert!(finding.minimized);
        assert!(
            replayer.classes(&finding.case).contains(&finding.found.class),
            "{}",
            finding.found.class
        );
        assert!(finding.case.ops.len() <= 12, "{}: {:?}", finding.found.class, finding.case);
    }
}

/// Distinct orders and states, counted once more with ordinary sets of ordinary text.
#[test]
fn distinct_orderings_and_states_are_counted_exactly() {
    let plan = plan(Preset::Final.fixes(), ServerKind::K2);
    let (mut orderings, mut states) = (BTreeSet::new(), BTreeSet::new());
    let mut operations = 0;
    let tracking = Tracking { undo: false, hash: true };
    for seed in 0..60 {
        let case = plan.case(seed);
        let start = Arc::new(case.start());
        let mut simulation = Simulation::new(start, plan.fixes, plan.server, tracking, 0);
        // The same hash after another setup is another state.
        let setup: Vec<String> = case.setup.iter().map(ToString::to_string).collect();
        let mut order = Vec::new();
        let mut names = Vec::new();
        for (_, op) in &case.ops {
            let outcome = simulation.apply(op, &mut ());
            if outcome.changed || outcome.refused.is_some() {
                operations += u64::from(outcome.changed);
                order.push(shape(op, &mut names));
                states.insert((setup.clone(), simulation.hash()));
            }
        }
        orderings.insert(order);
    }
    let mut campaign = Campaign::new(plan, 0);
    campaign.advance(60, QUIET);
    assert_eq!(campaign.operations(), operations);
    assert_eq!(campaign.orderings().count, orderings.len() as u64);
    assert_eq!(campaign.states().count, states.len() as u64);
    assert_eq!(campaign.states().standard_error, None);
}

/// The first words of an operation, and its names by when they were first used.
fn shape(op: &Op, names: &mut Vec<Name>) -> String {
    let mut shape = format!("{:?}", std::mem::discriminant(op));
    for name in op.names() {
        if !names.contains(&name) {
            names.push(name);
        }
        let number = names.iter().position(|&other| other == name);
        shape += &format!(" {:?} {number:?}", std::mem::discriminant(&name));
    }
    shape
}

/// Threads: the order in which they took their steps is what differs, not the programs.
#[test]
fn the_order_of_threads_is_part_of_an_ordering() {
    for order in Order::ALL {
        let plan =
            Plan { profile: Profile::Threads, order, ..plan(FixSet::default(), ServerKind::K2) };
        let mut campaign = Campaign::new(plan, 0);
        campaign.advance(100, QUIET);
        assert_eq!(campaign.orderings().count, 100, "{order}");
        let interleaved = campaign.marks().find(|(mark, _)| *mark == Mark::ThreadsInterleaved);
        assert!(interleaved.unwrap().1 > 100, "{order}");
    }
}

/// Ctrl-C is how people end a search: what was found by then is written and reported.
#[cfg(unix)]
#[test]
fn an_interrupted_campaign_reports_and_continues() {
    let at = folder("interrupted");
    let arguments = ["fuzz", "--fixes", "before", "--server", "k1", "--out", "out"];
    let child = command()
        .args(arguments)
        .args(["--for", "1h", "--format", "json"])
        .current_dir(&at)
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn()
        .unwrap();
    while !at.join("out/balance.scenario").exists() {
        std::thread::sleep(std::time::Duration::from_millis(20));
    }
    let status = Command::new("kill").args(["-INT", &child.id().to_string()]).status().unwrap();
    assert!(status.success());
    let output = child.wait_with_output().unwrap();
    assert_eq!(code(&output), 130, "{}", stderr(&output));
    let report = json(&output);
    assert_eq!(report["interrupted"], true);
    let seeds = report["seeds"].as_str().unwrap();
    let again = json(&fuzz(&at, &[&arguments[1..], &["--seeds", seeds]].concat()));
    for same in ["seeds", "orderings", "states", "marks", "operations"] {
        assert_eq!(report[same], again[same], "{same}");
    }
    // It does not go on minimising, but what it has is written, and the next run minimises it.
    let found = |report: &serde_json::Value| {
        let findings = report["findings"].as_array().unwrap().clone();
        let all = findings.into_iter().map(|one| (one["file"].clone(), one["seed"].clone()));
        all.collect::<Vec<_>>()
    };
    assert_eq!(found(&report), found(&again));
    assert!(again["findings"].as_array().unwrap().iter().all(|one| one["minimized"] == true));
}

/// A search that found nothing says what it looked at, and never that something is correct.
#[test]
fn a_search_without_findings_says_how_far_it_looked() {
    let at = folder("clean");
    let plan = ["--fixes", "upstream-shm", "--server", "shm", "--profile", "tame"];
    let output = fuzz(&at, &[&plan[..], &["--seeds", "0..40", "--format", "text"]].concat());
    let text = stdout(&output);
    assert_eq!(code(&output), 0, "{text}");
    assert!(text.starts_with("no violation in 40 distinct orderings and "), "{text}");
    let limits = "--fixes upstream-shm --server shm --profile tame --order urw --seeds 0..40";
    assert!(text.contains(limits), "{text}");
    assert!(!text.contains("correct") && !text.contains("verified"), "{text}");
}

/// Bad input is told before anything runs.
#[test]
fn wrong_arguments_are_refused() {
    let at = folder("wrong");
    for arguments in [
        &["--seeds", "5..5"][..],
        &["--seeds", "7"],
        &["--for", "10"],
        &["--for", "0s"],
        &["--seeds", "0..5", "--for", "1s"],
        &["--seeds", "0..5", "--jobs", "0"],
        &["--seeds", "0..5", "--out", "a\nb"],
        &["--seeds", "0..5", "--no-minimize", "--minimize-for", "1s"],
    ] {
        assert_eq!(code(&fuzz(&at, arguments)), 2, "{arguments:?}");
    }
}
