//! `freeorder regress` as its user meets it.

#![allow(clippy::unwrap_used, reason = "a test that cannot start the command has failed")]

mod command;

use std::fs;
use std::path::{Path, PathBuf};
use std::process::Output;

use command::{code, command, stderr, stdout};

fn regress(arguments: &[&str], github: bool) -> Output {
    let mut command = command();
    command.arg("regress").args(arguments);
    if github {
        command.env("GITHUB_ACTIONS", "true");
    }
    command.output().unwrap()
}

const WRONG: &str = "freeorder 1\r\n# keep me: alloc=1\nopen   m0 2x4\nalloc b0 on m0 dram 1x2048\n\
    \nexpect final k2: alloc=1 free=0  # alloc=1\nexpect final shm: leftover_keys=3\n";

/// A folder with these files.
fn tree(name: &str, files: &[(&str, &str)]) -> PathBuf {
    let root = command::folder(name);
    for (path, text) in files {
        let path = root.join(path);
        fs::create_dir_all(path.parent().unwrap()).unwrap();
        fs::write(path, text).unwrap();
    }
    root
}

fn name(path: &Path) -> &str {
    path.to_str().unwrap()
}

/// The corpus is the record of what was decided: a verdict that changes must be seen. Every file of
/// it has numbers, for a scenario without any holds nothing; an alphabet is no scenario to run.
#[test]
fn the_whole_corpus_comes_out_as_recorded() {
    let output = regress(&[], false);
    let text = stdout(&output);
    assert_eq!(code(&output), 0, "{text}");
    let silent = text.lines().filter(|line| line.ends_with(": no expectation"));
    let other: Vec<_> = silent.filter(|line| !line.starts_with("corpus/alphabets/")).collect();
    assert!(other.is_empty(), "{other:?}");
    let last = text.lines().last().unwrap();
    assert!(last.contains(" numbers: 0 changed in 0 files"), "{last}");
    let count: usize = last.split(' ').next().unwrap().parse().unwrap();
    assert!(count > 60, "{last}");
}

/// Exit code 1, the line, and both numbers; under GitHub beside the line.
#[test]
fn a_changed_number_is_told_with_its_line() {
    let root = tree("changed", &[("a/wrong.scenario", WRONG), ("none.scenario", "freeorder 1\n")]);
    let output = regress(&[name(&root)], false);
    assert_eq!(code(&output), 1);
    let text = stdout(&output).replace(name(&root), "DIR");
    insta::assert_snapshot!("regress_changed", text);
    let text = stdout(&regress(&[name(&root)], true));
    let file = root.join("a/wrong.scenario");
    let expected = format!("::error file={},line=6::final k2: recorded is alloc=1", name(&file));
    assert!(text.lines().any(|line| line.starts_with(&expected)), "{text}");
    assert_eq!(text.matches("::error ").count(), 2);
}

/// CI systems show JUnit files; a file that expects nothing is skipped, not passed.
#[test]
fn junit_has_a_case_a_file() {
    let right = "freeorder 1\nopen m0 1x1\nexpect final k2: alloc=0\n";
    let files =
        [("wrong.scenario", WRONG), ("none.scenario", "freeorder 1\n"), ("right.scenario", right)];
    let root = tree("junit", &files);
    let report = root.join("report.xml");
    assert_eq!(code(&regress(&[name(&root), "--junit", name(&report)], false)), 1);
    let text = fs::read_to_string(report).unwrap().replace(name(&root), "DIR");
    insta::assert_snapshot!("regress_junit", text);
    let nowhere = root.join("no/such/folder.xml");
    assert_eq!(code(&regress(&[name(&root), "--junit", name(&nowhere)], false)), 2);
    let new = root.join("new.scenario");
    assert_eq!(code(&regress(&[name(&root), "--junit", name(&new)], false)), 2);
    assert!(!new.exists());
    let read = root.join("./wrong.scenario");
    assert_eq!(code(&regress(&[name(&root), "--junit", name(&read)], false)), 2);
    assert_eq!(fs::read_to_string(read).unwrap(), WRONG);
}

/// One file that is no scenario must not cost what CI learns of the others.
#[test]
fn a_file_that_cannot_be_read_is_one_error_among_results() {
    let right = "freeorder 1\nopen m0 1x1\nexpect final k2: alloc=0\n";
    let endless = "freeorder 1\nopen m0 1x1\nfrobnicate m0\n";
    let root = tree("unreadable", &[("a.scenario", endless), ("b.scenario", right)]);
    let report = root.join("report.xml");
    let output = regress(&[name(&root), "--junit", name(&report)], false);
    assert_eq!(code(&output), 2);
    assert!(stdout(&output).contains("b.scenario: 1 number as recorded"), "{}", stdout(&output));
    assert!(stderr(&output).contains("a.scenario"), "{}", stderr(&output));
    let text = fs::read_to_string(report).unwrap();
    assert!(text.contains("tests=\"2\" skipped=\"0\" failures=\"0\" errors=\"1\""), "{text}");
    assert!(text.contains("<error message="), "{text}");
    let updated = regress(&[name(&root), "--update"], false);
    assert_eq!(code(&updated), 2, "what cannot be read is not rewritten around");
}

/// Updating is a decision that is read as a diff; it touches numbers and nothing else.
#[test]
fn update_rewrites_numbers_in_place_and_shows_the_difference() {
    let root = tree("update", &[("corpus/defects/wrong.scenario", WRONG)]);
    let file = root.join("corpus/defects/wrong.scenario");
    let output = regress(&[name(&root), "--update"], false);
    // The shared memory has no keys, so one number cannot be written and stays wrong.
    assert_eq!(code(&output), 1);
    let text = stdout(&output);
    assert!(text.contains("-expect final k2: alloc=1 free=0  # alloc=1\n"), "{text}");
    assert!(text.contains("+expect final k2: alloc=8 free=0  # alloc=1\n"), "{text}");
    let after = fs::read_to_string(&file).unwrap();
    assert_eq!(after, WRONG.replace("k2: alloc=1", "k2: alloc=8"));
    assert_eq!(fs::read_dir(file.parent().unwrap()).unwrap().count(), 1, "nothing is left over");
    fs::write(&file, after.replace("leftover_keys=3", "leftover_bytes=3")).unwrap();
    assert_eq!(code(&regress(&[name(&root), "--update"], false)), 0);
    assert_eq!(code(&regress(&[name(&root)], false)), 0);
}

/// Documents do not change because the model did; and nothing is half updated.
#[test]
fn update_refuses_claims_and_then_writes_nothing() {
    let files = [("corpus/claims/wrong.scenario", WRONG), ("corpus/a.scenario", WRONG)];
    let root = tree("claims", &files);
    let claims = root.join("corpus/claims");
    for path in [root.clone(), root.join("corpus"), claims.clone(), claims.join("wrong.scenario")] {
        let output = regress(&[name(&path), "--update"], false);
        assert_eq!(code(&output), 2, "{}", path.display());
        assert!(String::from_utf8_lossy(&output.stderr).contains("corpus/claims"));
    }
    for (file, text) in files {
        assert_eq!(fs::read_to_string(root.join(file)).unwrap(), text);
    }
}

/// A file that nobody can read, or a folder without scenarios, is no success.
#[test]
fn bad_input_ends_with_exit_code_2() {
    let root = tree("bad", &[("a.scenario", "freeorder 1\ndealocate b0\n"), ("b/c.txt", "x")]);
    let nothing = root.join("b");
    let disputed = "freeorder 1\n# disputed finl k2: alloc=1\n";
    let wrong = tree("disputed", &[("a.scenario", disputed)]);
    for path in [root.clone(), nothing, root.join("no-such-folder"), wrong] {
        let output = regress(&[name(&path)], false);
        assert_eq!(code(&output), 2, "{}", path.display());
        assert!(output.stdout.is_empty());
    }
}

/// Under GitHub the annotations go to standard error, so that the JSON stays JSON.
#[test]
fn json_stays_json() {
    let root = tree("json", &[("wrong.scenario", WRONG)]);
    let output = regress(&[name(&root), "--format", "json"], true);
    assert_eq!(code(&output), 1);
    let value: serde_json::Value = serde_json::from_slice(&output.stdout).unwrap();
    assert_eq!(value["version"], 1);
    assert_eq!(value["rows"][0]["changed"][0]["got"], 8);
    assert!(String::from_utf8_lossy(&output.stderr).contains("::error "));
}
