//! The pytest plugin, with a stub in the place of ttnn: what passes, what fails, and what it says.

#![allow(clippy::unwrap_used, reason = "a test that cannot start Python has failed")]

mod command;

use std::path::{Path, PathBuf};
use std::process::{Command, Output};

use command::{code, folder, stderr, stdout};

/// A Python that has pytest: of the variable FREEORDER_PYTEST, or on PATH; CI skips nothing.
fn python() -> Option<PathBuf> {
    let asked = std::env::var_os("FREEORDER_PYTEST").map(PathBuf::from);
    let python = asked.unwrap_or_else(|| PathBuf::from("python3"));
    let has = Command::new(&python).args(["-c", "import pytest"]).output();
    if has.is_ok_and(|ran| ran.status.success()) {
        return Some(python);
    }
    let told = format!("{} has no pytest; FREEORDER_PYTEST names another", python.display());
    assert!(std::env::var_os("CI").is_none(), "CI needs pytest: {told}");
    println!("skipped: {told}");
    None
}

fn pytest(python: &Path, freeorder: &str, arguments: &[&str]) -> Output {
    tests_of(python, freeorder, arguments).output().unwrap()
}

/// pytest on the tests of the stub.
fn tests_of(python: &Path, freeorder: &str, arguments: &[&str]) -> Command {
    let root = Path::new(env!("CARGO_MANIFEST_DIR"));
    let tests = root.join("tests/data/plugin");
    let paths = std::env::join_paths([root.join("runtime"), tests.join("stub")]).unwrap();
    let mut command = Command::new(python);
    command.args(["-m", "pytest", "-p", "pytest_freeorder", "-p", "no:cacheprovider", "-rA"]);
    command.arg(tests.join("test_stub.py")).args(arguments);
    command.env("PYTHONPATH", paths).env("FREEORDER", freeorder);
    command.env("PYTHONDONTWRITEBYTECODE", "1").env_remove("PYTEST_ADDOPTS");
    command.env("TMPDIR", folder(&format!("temporary-{}", arguments.concat().replace('/', "-"))));
    command.current_dir(env!("CARGO_TARGET_TMPDIR"));
    command
}

const FREEORDER: &str = env!("CARGO_BIN_EXE_freeorder");

/// The outcome of a test and what was said of it.
fn outcome<'a>(said: &'a str, test: &str) -> (&'a str, &'a str) {
    let is_of = |line: &&str| {
        let name = line.split("::").nth(1).and_then(|rest| rest.split([' ', '[']).next());
        name == Some(test)
    };
    let line = said.lines().find(is_of).unwrap();
    let details = said.split(&format!("_ {test} _")).nth(1).unwrap_or_default();
    (line.split(' ').next().unwrap(), details.split("\n____").next().unwrap())
}

/// A test fails of what an audit of its own capture finds, and of nothing else.
#[test]
fn a_test_fails_of_what_the_audit_of_its_graph_finds() {
    let Some(python) = python() else { return };
    let folder = folder("captures");
    let output = pytest(&python, FREEORDER, &["--freeorder-dir", folder.to_str().unwrap()]);
    let said = stdout(&output);
    assert_eq!(code(&output), 1, "{said}");
    for test in [
        "test_frees_what_it_makes",
        "test_leaks",
        "test_leaves_a_cycle",
        "test_is_allowed_to_overlap",
        "test_has_a_long_name",
        "test_has_a_file_of_its_own",
        "test_says_its_mode",
        "test_opens_the_first_device",
        "test_is_not_captured",
        "test_comes_after_a_capture_that_was_left_open",
        "test_leaves_no_stub_behind",
    ] {
        assert_eq!(outcome(&said, test).0, "PASSED", "{test}: {said}");
    }
    for (test, why) in [
        ("test_two_live_at_one_address", "node 4: overlap: "),
        ("test_two_live_at_one_address", "node 6: stale-free: "),
        ("test_leaks_and_must_not", "node 2: live-at-end: "),
        ("test_opens_the_first_device_and_leaks", "node 2: live-at-end: "),
        ("test_has_a_marker_with_a_typo", "run_mode, leaks and ignore, not leeks"),
        ("test_fails_by_itself", "assert first is second"),
        ("test_ends_the_capture", "the test ended the graph capture that it runs in"),
        ("test_begins_another_capture", "the test began a graph capture and did not end it"),
    ] {
        let (outcome, details) = outcome(&said, test);
        assert_eq!(outcome, "FAILED", "{test}: {said}");
        assert!(details.contains(why), "{test}: {details}");
    }
    // Its own failure is the one that is told.
    assert!(!outcome(&said, "test_fails_by_itself").1.contains("freeorder audit"));
    assert!(said.contains("7 failed, 14 passed"), "{said}");
    assert_eq!(
        folder.read_dir().unwrap().count(),
        15,
        "captures are kept of tests that were audited"
    );
}

/// The options count for every test, and each can be turned the other way.
#[test]
fn options_count_for_every_test() {
    let Some(python) = python() else { return };
    let run = |arguments: &[&str]| stdout(&pytest(&python, FREEORDER, arguments));
    let said = run(&["--freeorder-leaks", "-k", "test_leaks or test_leaves_a_cycle"]);
    assert_eq!(outcome(&said, "test_leaks").0, "FAILED", "{said}");
    assert_eq!(outcome(&said, "test_leaves_a_cycle").0, "PASSED", "{said}");
    let ignored = ["--freeorder-ignore", "overlap", "--freeorder-ignore", "stale-free"];
    let said = run(&[&ignored[..], &["-k", "test_two_live"]].concat());
    assert_eq!(outcome(&said, "test_two_live_at_one_address").0, "PASSED", "{said}");
    let said = run(&["--freeorder", "-k", "test_is_not_captured"]);
    assert_eq!(outcome(&said, "test_is_not_captured").0, "FAILED", "{said}");
    let said = run(&["--freeorder-run-mode", "no_dispatch", "-k", "test_frees_what_it_makes"]);
    assert_eq!(outcome(&said, "test_frees_what_it_makes").0, "FAILED", "{said}");
}

/// Without a folder, only what was found is kept.
#[test]
fn captures_without_findings_are_not_kept() {
    let Some(python) = python() else { return };
    let own = folder("kept");
    let run = |test: &str| {
        let mut command = tests_of(&python, FREEORDER, &["-k", test]);
        command.env("TMPDIR", &own).output().unwrap();
        own.read_dir().unwrap().map(|entry| entry.unwrap().path()).collect::<Vec<_>>()
    };
    assert!(run("test_frees_what_it_makes").is_empty());
    let [kept] = run("test_two_live or test_frees").try_into().unwrap();
    assert_eq!(kept.read_dir().unwrap().count(), 1);
}

/// A missing program, and one that fails itself, are told apart from findings.
#[test]
fn a_missing_or_broken_freeorder_is_a_clear_error() {
    let Some(python) = python() else { return };
    let output = pytest(&python, "/no/such/freeorder", &["--freeorder"]);
    let says = "there is no program freeorder: FREEORDER=/no/such/freeorder";
    assert_eq!(code(&output), 4);
    assert!(stderr(&output).contains(says), "{}", stderr(&output));
    let output = pytest(&python, "/no/such/freeorder", &["-k", "test_frees_what_it_makes"]);
    assert!(code(&output) == 1 && stdout(&output).contains(says), "{}", stdout(&output));
    let output = pytest(&python, "false", &["-k", "test_frees_what_it_makes"]);
    assert_eq!(code(&output), 1);
    let fails = command::file("fails", b"#!/bin/sh\necho it is broken >&2\nexit 2\n");
    Command::new("chmod").args(["+x", &fails]).status().unwrap();
    let said = stdout(&pytest(&python, &fails, &["-k", "test_frees_what_it_makes"]));
    assert!(said.contains("freeorder audit failed on ") && said.contains("it is broken"), "{said}");
}
