//! The command as its user meets it: exit codes, streams, bad input, help.

#![allow(clippy::unwrap_used, reason = "a test that cannot start the command has failed")]

mod command;

use std::process::{Command, Output, Stdio};

use command::{code, command, file, freeorder, stderr, stdout};

/// The exit codes are an interface: scripts branch on them.
#[test]
fn exit_codes_say_clean_found_or_bad_input() {
    let late = "corpus/claims/late-drop-of-a-dead-handle.scenario";
    let run = |fixes: &str, server: &str| {
        code(&freeorder(&["run", late, "--fixes", fixes, "--server", server]))
    };
    assert_eq!(run("fork-head", "k1"), 1);
    assert_eq!(run("final", "k1"), 0);
    assert_eq!(run("finl", "k1"), 2);
    assert_eq!(code(&freeorder(&["run", "no-such-file.scenario"])), 2);
    assert_eq!(code(&freeorder(&["run"])), 2);
    assert_eq!(code(&freeorder(&["--help"])), 0);
    assert_eq!(code(&freeorder(&["--version"])), 0);
    assert_eq!(code(&freeorder(&["matrix", "--deny", "fork-head", late])), 1);
    assert_eq!(code(&freeorder(&["matrix", "--deny", "final", "--format", "json", late])), 1);
    let regular = "corpus/claims/regular-buffer.scenario";
    assert_eq!(code(&freeorder(&["matrix", "--deny", "final", regular])), 0);
}

/// An expectation that does not hold is a mismatch, also where no oracle fires.
#[test]
fn run_checks_the_expectations_for_its_fixes_and_server() {
    let text = "freeorder 1\nopen m0 2x4\nalloc b0 on m0 dram 12x2048\ndrop b0\n";
    let right = file("right.scenario", format!("{text}expect final k2: alloc=8\n").as_bytes());
    assert_eq!(code(&freeorder(&["run", &right])), 0);
    let wrong = file("wrong.scenario", format!("{text}expect final k2: alloc=9\n").as_bytes());
    let output = freeorder(&["run", &wrong]);
    assert_eq!(code(&output), 1);
    assert!(stderr(&output).contains("line 5: expected alloc=9, it is 8"), "{}", stderr(&output));
    assert_eq!(code(&freeorder(&["run", &wrong, "--server", "k1"])), 0);
}

/// Ranges and thread counts that no machine can serve are bad input, not a bug of freeorder's.
#[test]
fn endless_ranges_and_thread_counts_are_refused() {
    let all = ["run", "--seeds", "0..18446744073709551615"];
    assert_eq!(code(&freeorder(&all)), 2);
    assert_eq!(code(&freeorder(&["run", "--seeds", "0..5", "--jobs", "100000"])), 2);
    assert_eq!(code(&freeorder(&["run", "--seeds", "5..5"])), 2);
}

/// Results go to standard output and diagnostics to standard error, so that pipes stay clean.
#[test]
fn bad_input_is_one_error_on_stderr_with_its_place_and_a_suggestion() {
    let path = file("typo.scenario", b"freeorder 1\nmachine T3K\n\nopen m0 2x4\ndealocate b0\n");
    let output = freeorder(&["run", &path]);
    assert_eq!(code(&output), 2);
    assert_eq!(stdout(&output), "");
    let text = stderr(&output);
    assert!(text.contains("line 5, column 1"), "{text}");
    assert!(text.contains("did you mean `deallocate`"), "{text}");
}

/// A scenario of a later version must not be half understood.
#[test]
fn an_unknown_version_is_refused() {
    let path = file("version.scenario", b"freeorder 2\n");
    let output = freeorder(&["run", &path]);
    assert_eq!(code(&output), 2);
    assert!(stderr(&output).contains("version"), "{}", stderr(&output));
}

/// Binary, truncated and deeply wrong files of every kind: one error, exit 2, no panic.
#[test]
fn wrong_files_of_every_kind_end_with_exit_code_2() {
    let binary: Vec<u8> = (0..=255).cycle().take(10_000).collect();
    let deep = "[".repeat(100_000);
    let cases: [(&str, &str, &[u8]); 9] = [
        ("run", "binary.scenario", &binary),
        ("run", "empty.scenario", b""),
        ("run", "truncated.scenario", b"freeorder 1\nrepeat 5 {\n  open m0 2x4\n"),
        ("conform", "binary.trace", &binary),
        ("conform", "empty.trace", b""),
        ("conform", "truncated.trace", b"new capacity=10"),
        ("conform", "binary.jsonl", &binary),
        ("conform", "deep.jsonl", deep.as_bytes()),
        ("conform", "unknown.txt", b"new"),
    ];
    for (verb, name, bytes) in cases {
        let output = freeorder(&[verb, &file(name, bytes)]);
        assert_eq!(code(&output), 2, "{name}: {}", stderr(&output));
        assert!(!stderr(&output).contains("panicked"), "{name}");
        assert_eq!(stdout(&output), "", "{name}");
    }
}

/// What a hunt could not use is told before the hunt, not after it.
#[test]
fn a_hunt_that_cannot_be_asked_for_does_not_begin() {
    let output = freeorder(&["conform", "--runtime", "nowhere", "--only", "overlaps"]);
    assert_eq!(code(&output), 2);
    let said = stderr(&output);
    assert!(said.contains("unknown oracle `overlaps`; did you mean `overlap`?"), "{said}");
    let said = stderr(&freeorder(&["conform", "--runtime", "nowhere", "--only", "nonsense"]));
    assert!(said.contains("orphan-block") && said.contains("graph-blocks"), "{said}");
    // A file is no folder, and Python would not be found either.
    let file = file("no-folder", b"");
    let output = freeorder(&["conform", "--python", "/no/python", "--out", &file]);
    assert_eq!(code(&output), 2);
    assert!(stderr(&output).contains("no-folder"), "{}", stderr(&output));
    let output = freeorder(&["explore", "--family", "teardown", "--out", &file]);
    assert_eq!(code(&output), 2);
    assert!(stderr(&output).contains("no-folder"), "{}", stderr(&output));
}

/// `freeorder matrix | head -1` is no failure.
#[test]
fn a_closed_pipe_is_exit_code_0() {
    let piped = format!("{} list oracles | head -c 1 > /dev/null", env!("CARGO_BIN_EXE_freeorder"));
    let shell = format!("set -o pipefail; for i in 1 2 3 4 5; do {piped} || exit 1; done");
    let status = Command::new("bash").args(["-c", &shell]).status().unwrap();
    assert!(status.success());
    let mut child = command()
        .args(["run", "--seed", "7", "--trace", "--fixes", "upstream-shm", "--server", "shm"])
        .stdout(Stdio::piped())
        .spawn()
        .unwrap();
    drop(child.stdout.take());
    assert_eq!(child.wait().unwrap().code(), Some(0));
}

/// One seed, one run: for ever, and for any number of threads.
#[test]
fn digests_do_not_depend_on_threads_or_repetition() {
    let digest = |arguments: &[&str]| {
        let text = stdout(&freeorder(arguments));
        let last = text.lines().last().unwrap().to_owned();
        last.strip_prefix("digest ").unwrap().to_owned()
    };
    let seven = digest(&["run", "--seed", "7", "--digest"]);
    assert_eq!(seven, digest(&["run", "--seed", "7", "--digest"]));
    insta::assert_snapshot!("digest_of_seed_7", seven);
    let jobs = |jobs: &str| digest(&["run", "--seeds", "0..60", "--jobs", jobs, "--digest"]);
    assert_eq!(jobs("1"), jobs("2"));
    assert_eq!(jobs("1"), jobs("8"));
}

/// What `run --print` prints, `run` reads back to the same run.
#[test]
fn a_printed_seed_replays_without_its_seed() {
    let printed = stdout(&freeorder(&["run", "--seed", "7", "--print"]));
    let path = file("seed-7.scenario", printed.as_bytes());
    let digest = |output: Output| stdout(&output).lines().last().unwrap().to_owned();
    let of_file = digest(freeorder(&["run", &path, "--digest"]));
    assert_eq!(of_file, digest(freeorder(&["run", "--seed", "7", "--digest"])));
}

/// Every profile and order that is listed can be asked for, prints a scenario that `run` reads, and
/// a wrong name is answered with the right one.
#[test]
fn listed_profiles_and_orders_draw_scenarios() {
    let names = |what: &str| -> Vec<String> {
        let listed = stdout(&freeorder(&["list", what]));
        let names = listed.lines().filter(|line| !line.starts_with(' '));
        names.map(str::to_owned).collect()
    };
    let (profiles, orders) = (names("profiles"), names("orders"));
    assert_eq!((profiles.len(), orders.len()), (9, 4));
    assert_eq!(names("marks").len(), freeorder::mark::Mark::ALL.len());
    for (profile, order) in profiles.iter().zip(orders.iter().cycle()) {
        let asked = ["run", "--seed", "3", "--profile", profile, "--order", order];
        let printed = stdout(&freeorder(&[&asked[..], &["--print"]].concat()));
        let path = file(&format!("{profile}-3.scenario"), printed.as_bytes());
        let digest = |output: Output| stdout(&output).lines().last().unwrap().to_owned();
        let of_file = digest(freeorder(&["run", &path, "--digest"]));
        assert_eq!(of_file, digest(freeorder(&[&asked[..], &["--digest"]].concat())));
    }
    let wrong = freeorder(&["run", "--seed", "3", "--profile", "lifecicle"]);
    assert_eq!(wrong.status.code(), Some(2));
    assert!(String::from_utf8_lossy(&wrong.stderr).contains("did you mean `lifecycle`?"));
}

/// Help is documentation: a change to it is to be seen.
#[test]
fn help_is_as_it_was_read_last() {
    for verb in [
        "",
        "matrix",
        "run",
        "fuzz",
        "minimize",
        "conform",
        "audit",
        "import",
        "diff",
        "regress",
        "explore",
        "export",
        "encode",
        "defects",
        "serve",
        "send",
        "bench",
        "list",
        "schema",
        "setup-runtime",
    ] {
        let arguments: Vec<&str> = [verb, "--help"].into_iter().filter(|a| !a.is_empty()).collect();
        insta::assert_snapshot!(format!("help_{verb}"), stdout(&freeorder(&arguments)));
    }
}

/// Who has no Python for the wheel is told so, and finds nothing half made.
#[test]
#[cfg(target_os = "linux")]
fn an_environment_that_cannot_be_made_leaves_no_folder() {
    let folder = command::folder("no-python").join("runtime");
    let mut setup = command();
    setup.arg("setup-runtime").arg(&folder).env("PATH", "/nowhere");
    let output = setup.env_remove("HOME").env_remove("PYENV_ROOT").output().unwrap();
    assert_eq!(code(&output), 2);
    assert!(stderr(&output).contains("no Python 3.12 or 3.10"), "{}", stderr(&output));
    assert!(!folder.exists());
}

/// Programs read the JSON: its shape is an interface, and the schema says it.
#[test]
fn json_has_a_version_and_rows_and_a_schema() {
    let claim = "corpus/claims/regular-buffer.scenario";
    for arguments in [
        ["matrix", "--format", "json", claim].as_slice(),
        ["run", claim, "--format", "json"].as_slice(),
        ["run", "--seeds", "0..3", "--format", "json", "--digest"].as_slice(),
        ["defects", "--format", "json"].as_slice(),
        ["defects", "--prove", "extra-owner", "--format", "json"].as_slice(),
        ["bench", "allocator", "--format", "json", "--seconds", "0.01"].as_slice(),
        ["bench", "minimize", "--format", "json", "--cases", "1"].as_slice(),
    ] {
        // It enumerates what is shorter than each result.
        if arguments[1] == "minimize" && !cfg!(feature = "slow-tests") {
            continue;
        }
        let value: serde_json::Value =
            serde_json::from_slice(&freeorder(arguments).stdout).unwrap();
        assert_eq!(value["version"], 1);
        assert!(!value["rows"].as_array().unwrap().is_empty());
    }
    for verb in [
        "matrix",
        "run",
        "minimize",
        "fuzz",
        "conform",
        "audit",
        "diff",
        "conform-runtime",
        "regress",
        "serve",
        "send",
        "bench",
        "bench-orderings",
        "explore",
        "certificate",
        "defects",
        "defects-prove",
        "defects-bench",
    ] {
        let schema = stdout(&freeorder(&["schema", verb]));
        insta::assert_snapshot!(format!("schema_{verb}"), schema);
    }
}

/// The report of a failing run names the buffer, the device, the path and who let go.
#[test]
fn a_report_has_the_facts_of_each_violation() {
    let late = "corpus/claims/late-drop-of-a-dead-handle.scenario";
    let output = freeorder(&["run", late, "--fixes", "fork-head", "--server", "k1"]);
    insta::assert_snapshot!(stdout(&output));
    let trace = freeorder(&["run", late, "--fixes", "fork-head", "--server", "k1", "--trace"]);
    insta::assert_snapshot!("trace_of_a_late_drop", stdout(&trace));
}

/// A race as its reader sees it: the parts of an allocation, and what another thread does between.
#[test]
fn a_timeline_shows_what_happens_between_the_parts_of_an_allocation() {
    let text = b"freeorder 1\nmachine N150\nopen m0 1x1\nt1: alloc b0 on m0 dram 1x32\nclose m0\n\
                 schedule t0 t1\n";
    let path = file("race.scenario", text);
    let arguments = ["run", &path, "--fixes", "upstream-shm", "--server", "shm", "--trace"];
    let output = freeorder(&arguments);
    assert_eq!(code(&output), 1);
    let timeline = stdout(&output).replace(&path, "race.scenario");
    insta::assert_snapshot!("trace_of_a_race", timeline);
}
