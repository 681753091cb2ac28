//! `freeorder minimize` as its user meets it.

#![allow(clippy::unwrap_used, reason = "a test that cannot start the command has failed")]

mod command;

use std::io::{BufRead as _, BufReader};
use std::path::Path;
use std::process::Command;

use command::{code, folder, freeorder, stderr, stdout};

use freeorder::scenario::Scenario;

/// The scenario of a seed, in a file.
fn seed(folder: &Path, seed: &str) -> String {
    let printed = stdout(&freeorder(&["run", "--seed", seed, "--print"]));
    let path = folder.join(format!("seed-{seed}.scenario"));
    std::fs::write(&path, printed).unwrap();
    path.to_string_lossy().into_owned()
}

/// What was written replays: `run` finds the same failure, as often as the file expects.
#[test]
fn what_minimize_writes_fails_as_it_says() {
    let folder = folder("writes");
    for (number, fixes, server, oracle) in [
        ("1", "before", "k1", "unknown-free"),
        ("2", "three-fixes", "k1", "residue"),
        ("4", "three-fixes", "k1", "device-leak"),
        ("6", "fork-head", "k1", "stale-free"),
        ("7", "final", "k2", "tracker-truth"),
        ("5", "upstream-shm+stale-override", "shm", "use-after-free"),
    ] {
        let input = seed(&folder, number);
        let out = folder.join(format!("{oracle}.scenario")).to_string_lossy().into_owned();
        let under = ["--fixes", fixes, "--server", server];
        let arguments = [["minimize", &input, "--oracle", oracle].as_slice(), &under].concat();
        let output = freeorder(&[arguments.as_slice(), &["-o", &out]].concat());
        assert_eq!(code(&output), 0, "{}", stderr(&output));
        assert_eq!(stderr(&output), "");
        let text = std::fs::read_to_string(&out).unwrap();
        assert_eq!(stdout(&output), text);
        let expected = format!("expect {fixes} {server}: {oracle}=");
        assert!(text.lines().last().unwrap().starts_with(&expected), "{text}");
        let run = freeorder(&[["run", &out].as_slice(), &under].concat());
        assert_eq!(code(&run), 1, "{}", stdout(&run));
        assert!(stdout(&run).contains(oracle), "{}", stdout(&run));
        // An expectation that did not hold would be on standard error.
        assert_eq!(stderr(&run), "", "{text}");
        // Reduced again it is the same, comments included.
        let again =
            freeorder(&[["minimize", &out, "--oracle", oracle].as_slice(), &under].concat());
        let code_of = |text: &str| -> Vec<String> {
            let scenario: Scenario = text.parse().unwrap();
            scenario.ops().map(|(_, op)| op.to_string()).collect()
        };
        assert_eq!(code_of(&stdout(&again)), code_of(&text));
    }
    // Written beside and moved: nothing else is left in the folder.
    let left = std::fs::read_dir(&folder).unwrap().count();
    assert_eq!(left, 12);
}

/// A report that is read is to be seen when it changes.
#[test]
fn a_result_says_its_class_its_proof_and_its_necessary_order() {
    let input = seed(&folder("report"), "7");
    let under = ["--fixes", "fork-head", "--server", "k1", "--oracle", "stale-free"];
    let arguments = [["minimize", &input].as_slice(), &under].concat();
    insta::assert_snapshot!("minimize_stale_free", stdout(&freeorder(&arguments)));
    let json = freeorder(&[arguments.as_slice(), &["--format", "json"]].concat());
    let value: serde_json::Value = serde_json::from_slice(&json.stdout).unwrap();
    assert_eq!(value["version"], 1);
    assert_eq!(value["kind"], "stale-free");
    assert_eq!(value["complete"], true);
    assert!(value["sequences_tried"].as_u64().unwrap() > 0);
    assert_eq!(value["operations_before"], 102);
    let scenario: Scenario = value["scenario"].as_str().unwrap().parse().unwrap();
    assert_eq!(scenario.ops().count() as u64, value["operations"].as_u64().unwrap());
}

/// `-v` says what is tried, on standard error, so that the result can still be piped.
#[test]
fn verbose_says_what_is_tried() {
    let input = seed(&folder("verbose"), "7");
    let under = ["--fixes", "final", "--server", "k2"];
    let quiet = freeorder(&[["minimize", &input].as_slice(), &under].concat());
    let verbose = freeorder(&[["minimize", &input, "-v"].as_slice(), &under].concat());
    assert_eq!(stdout(&quiet), stdout(&verbose));
    assert_eq!(stderr(&quiet), "");
    let told = stderr(&verbose);
    let lines: Vec<&str> = told.lines().collect();
    assert!(lines.len() > 20, "{told}");
    let is_attempt = |line: &&str| {
        line.contains(" operations: ") && (line.ends_with(": fails") || line.ends_with("does not"))
    };
    assert!(lines.iter().all(is_attempt), "{told}");
    assert!(told.contains("ddmin: "), "{told}");
}

/// With no time at all the result is the input up to its failure, and says so.
#[test]
fn without_time_the_result_still_fails() {
    let folder = folder("time");
    let input = seed(&folder, "3");
    let out = folder.join("out.scenario").to_string_lossy().into_owned();
    let under = ["--fixes", "fork-head", "--server", "k1", "--oracle", "stale-free"];
    let arguments = ["minimize", &input, "-o", &out, "--for", "1ms"];
    let output = freeorder(&[arguments.as_slice(), &under].concat());
    assert_eq!(code(&output), 0, "{}", stderr(&output));
    let run = freeorder(&["run", &out, "--fixes", "fork-head", "--server", "k1"]);
    assert_eq!(code(&run), 1);
    assert_eq!(stderr(&run), "");
}

/// What a report says of a failure is what to ask for: an oracle alone is its first class.
#[test]
fn the_class_that_is_asked_for_is_kept() {
    let folder = folder("class");
    let input = seed(&folder, "1");
    let under = ["--fixes", "before", "--server", "k1", "--format", "json"];
    for class in ["unknown-free by the user handle", "balance, same object"] {
        let arguments = [["minimize", &input, "--class", class].as_slice(), &under].concat();
        let output = freeorder(&arguments);
        assert_eq!(code(&output), 0, "{}", stderr(&output));
        let report: serde_json::Value = serde_json::from_str(&stdout(&output)).unwrap();
        let role = report["role"].as_str().map_or(String::new(), |role| format!(" by the {role}"));
        let relation = match report["relation"].as_str().unwrap() {
            "no other" => String::new(),
            relation => format!(", {relation}"),
        };
        assert_eq!(format!("{}{role}{relation}", report["kind"].as_str().unwrap()), class);
    }
    let other =
        freeorder(&["minimize", &input, "--class", "balance, other ower", "--server", "k1"]);
    assert_eq!(code(&other), 2);
}

/// A late drop behind so many allocations that have nothing to do with it.
fn late_drop_behind(pairs: usize) -> String {
    let before = "alloc b2 on m0 dram 1x2048\ndrop b2\n".repeat(pairs);
    format!(
        "freeorder 1\nopen m0 2x4\n{before}alloc b0 on m0 dram 1x2048\ndeallocate b0\n\
         alloc b1 on m0 dram 1x2048\ndrop b0\n"
    )
}

/// Ctrl-C is how people end a long reduction: what there is by then is printed. How long one must
/// be to be met in the middle depends on the machine.
#[cfg(unix)]
#[test]
fn an_interrupted_reduction_prints_what_it_has() {
    let folder = folder("interrupted");
    let path = folder.join("long.scenario");
    let mut interrupted = false;
    for doublings in 0..6 {
        std::fs::write(&path, late_drop_behind(5000 << doublings)).unwrap();
        let mut child = command::command()
            .args(["minimize", path.to_str().unwrap(), "--fixes", "fork-head", "--server", "k1"])
            .arg("-v")
            .stdout(std::process::Stdio::piped())
            .stderr(std::process::Stdio::piped())
            .spawn()
            .unwrap();
        // The first line says that the first attempt was made.
        let mut said = BufReader::new(child.stderr.take().unwrap());
        said.read_line(&mut String::new()).unwrap();
        let status = Command::new("kill").args(["-INT", &child.id().to_string()]).status().unwrap();
        assert!(status.success());
        let rest = std::thread::spawn(move || std::io::copy(&mut said, &mut std::io::sink()));
        let output = child.wait_with_output().unwrap();
        rest.join().unwrap().unwrap();
        if stdout(&output).contains("stopped before the end") {
            assert_eq!(code(&output), 130);
            interrupted = true;
            break;
        }
    }
    assert!(interrupted);
}

/// What is no file is written to as it is, and a link stays one.
#[cfg(unix)]
#[test]
fn pipes_and_links_stay_what_they_are() {
    let folder = folder("through");
    let input = seed(&folder, "7");
    let minimize = |out: &Path| {
        let output = freeorder(&["minimize", &input, "-o", out.to_str().unwrap()]);
        assert_eq!(code(&output), 0, "{}", stderr(&output));
        stdout(&output)
    };
    let pipe = folder.join("pipe");
    assert!(Command::new("mkfifo").arg(&pipe).status().unwrap().success());
    let reader = {
        let pipe = pipe.clone();
        std::thread::spawn(move || std::fs::read_to_string(pipe).unwrap())
    };
    let printed = minimize(&pipe);
    assert_eq!(reader.join().unwrap(), printed);
    for there in [false, true] {
        let (link, target) = (folder.join(format!("link-{there}")), format!("target-{there}"));
        if there {
            std::fs::write(folder.join(&target), "old").unwrap();
        }
        std::os::unix::fs::symlink(&target, &link).unwrap();
        assert_eq!(minimize(&link), printed);
        assert!(link.is_symlink());
        assert_eq!(std::fs::read_to_string(folder.join(target)).unwrap(), printed);
    }
}

/// What does not fail is bad input, and the message says what there is instead.
#[test]
fn what_does_not_fail_is_exit_code_2() {
    let folder = folder("refused");
    let input = seed(&folder, "7");
    let refused = |arguments: &[&str], told: &str| {
        let output = freeorder(&[["minimize"].as_slice(), arguments].concat());
        assert_eq!(code(&output), 2, "{arguments:?}");
        assert_eq!(stdout(&output), "");
        let text = stderr(&output).split_whitespace().collect::<Vec<_>>().join(" ");
        assert!(text.contains(told), "{arguments:?}: {text}");
        assert!(!text.contains("panicked"), "{text}");
    };
    refused(&[&input, "--fixes", "upstream-shm", "--server", "shm"], "fails nothing");
    let under = ["--fixes", "final", "--server", "k2", "--oracle", "stale-free"];
    refused(&[[input.as_str()].as_slice(), &under].concat(), "does not fail stale-free; it fails");
    refused(&[&input, "--oracle", "stale-fre"], "did you mean `stale-free`");
    refused(&[&input, "--fixes", "finl"], "finl");
    refused(&[&input, "--for", "soon"], "soon");
    refused(&["no-such-file.scenario"], "no-such-file.scenario");
    refused(&[], "<FILE>");
    let wrong = folder.join("wrong.scenario");
    std::fs::write(&wrong, "freeorder 1\ndealocate b0\n").unwrap();
    refused(&[&wrong.to_string_lossy()], "did you mean `deallocate`");
    refused(&[&input, "-o", "/no/such/folder/out.scenario"], "/no/such/folder/out.scenario");
    refused(&[&input, "-o", folder.to_str().unwrap()], "a folder; name a file");
}
