//! Scenarios as programs: whole, in order, with what the model says, and in nobody else's syntax.

#![allow(clippy::unwrap_used, reason = "a test that cannot write its files has failed")]

mod command;
mod common;
#[allow(dead_code, reason = "of the strategies only scenarios are used")]
#[path = "scenario_text/strategies.rs"]
mod strategies;

use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;

use freeorder::choice::{Choices, Seeded};
use freeorder::export::{Exported, OPERATIONS_MAX, Target, export};
use freeorder::op::ThreadId;
use freeorder::scenario::{Case, Scenario, SetupLine};
use freeorder::units::Bytes;
use freeorder::world::Action;
use proptest::prelude::*;

use command::{code, file, folder, freeorder, place, stderr, stdout};

fn corpus() -> Vec<PathBuf> {
    let mut found = Vec::new();
    let mut folders = vec![Path::new(env!("CARGO_MANIFEST_DIR")).join("corpus")];
    while let Some(folder) = folders.pop() {
        for path in folder.read_dir().unwrap().map(|entry| entry.unwrap().path()) {
            match path.is_dir() {
                true => folders.push(path),
                // Certificates of the scenarios lie beside them.
                false if path.extension().is_some_and(|end| end == "scenario") => found.push(path),
                false => {}
            }
        }
    }
    found.sort();
    found
}

fn parsed(text: &str) -> Scenario {
    format!("freeorder 1\n{text}").parse().unwrap()
}

fn both(scenario: &Scenario, name: &str) -> [Exported; 2] {
    [Target::Ttnn, Target::Gtest].map(|target| export(scenario, name, target).unwrap())
}

/// Whether a program is there; CI has all of them, and skips nothing.
fn is_there(program: &str) -> bool {
    let there =
        Command::new(program).arg("--version").output().is_ok_and(|ran| ran.status.success());
    assert!(there || std::env::var_os("CI").is_none(), "CI needs {program}");
    if !there {
        println!("skipped: there is no {program}");
    }
    there
}

/// Python compiles every file.
fn compiles_as_python(files: &[PathBuf]) {
    if is_there("python3") {
        let compile = "import sys\nfor f in sys.argv[1:]: compile(open(f, 'rb').read(), f, 'exec')";
        let ran = Command::new("python3").args(["-W", "error", "-c", compile]).args(files).output();
        let ran = ran.unwrap();
        assert!(ran.status.success(), "{}", String::from_utf8_lossy(&ran.stderr));
    }
}

/// Every text is C++, with declarations of what it uses of tt-metal.
fn compiles_as_cpp(name: &str, texts: &[String]) {
    if !is_there("c++") {
        return;
    }
    let folder = folder(name);
    let declared = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/data/declared");
    let mut unit = String::new();
    for (number, text) in texts.iter().enumerate() {
        for header in text.lines().filter_map(|line| line.strip_prefix("#include <")) {
            let here = folder.join(header.trim_end_matches('>'));
            let declared = match header.split_once('/') {
                Some(("tt-metalium", _)) => declared.join("tt_metal.hpp"),
                Some(("gtest", _)) => declared.join("gtest.hpp"),
                _ => continue,
            };
            fs::create_dir_all(here.parent().unwrap()).unwrap();
            fs::write(here, format!("#pragma once\n#include \"{}\"\n", declared.display()))
                .unwrap();
        }
        // What is in anonymous namespaces gets one of its own, so that all are one unit.
        unit +=
            &text.replacen("\nnamespace {\n", &format!("\nnamespace exported_{number} {{\n"), 1);
    }
    let source = folder.join("unit.cpp");
    fs::write(&source, unit).unwrap();
    let mut compiler = Command::new("c++");
    compiler.args(["-std=c++20", "-fsyntax-only", "-Wall", "-Wextra", "-Werror"]);
    compiler.args(["-Wno-missing-field-initializers", "-I"]).arg(&folder).arg(&source);
    let ran = compiler.output().unwrap();
    assert!(ran.status.success(), "{}", String::from_utf8_lossy(&ran.stderr));
}

/// Each operation is done, left out or nothing, at its line; none is lost.
fn is_whole(scenario: &Scenario, exported: &Exported, mark: &str) {
    let ops = scenario.ops().count();
    let lines: Vec<&str> = exported.text.lines().map(str::trim_start).collect();
    let count = |start: &str| {
        let start = format!("{mark} {start}");
        lines.iter().filter(|line| line.starts_with(&start)).count()
    };
    assert_eq!(count("line "), ops, "{}", exported.text);
    let nothing = count("It names nothing that is there");
    assert_eq!(exported.done + count("LEFT OUT: ") + nothing, ops, "{}", exported.text);
    assert!(exported.left_out.len() >= count("LEFT OUT: "));
}

/// The corpus is what users have: all of it becomes programs, but for what is too long.
#[test]
fn every_scenario_of_the_corpus_becomes_two_programs() {
    let folder = folder("corpus");
    let (mut scripts, mut tests, mut too_long) = (Vec::new(), Vec::new(), 0);
    for path in corpus() {
        let scenario: Scenario = fs::read_to_string(&path).unwrap().parse().unwrap();
        if scenario.ops().nth(OPERATIONS_MAX).is_some() {
            too_long += 1;
            continue;
        }
        let [script, test] = both(&scenario, &path.display().to_string());
        is_whole(&scenario, &script, "#");
        is_whole(&scenario, &test, "//");
        scripts.push(folder.join(format!("{}.py", scripts.len())));
        fs::write(scripts.last().unwrap(), script.text).unwrap();
        tests.push(test.text);
    }
    assert!(scripts.len() >= 115 && too_long == 1, "{} {too_long}", scripts.len());
    compiles_as_python(&scripts);
    compiles_as_cpp("corpus-cpp", &tests);
}

/// A scenario of what each language can say, and of some that it cannot.
const MUCH: &str = include_str!("data/export/much.scenario");

/// Both programs as their readers see them.
#[test]
fn programs_are_as_they_were_read_last() {
    let scenario = MUCH.parse().unwrap();
    let [script, test] = both(&scenario, "much.scenario");
    let (head, rest) = script.text.split_once("import gc\n").unwrap();
    let steps = rest.split_once("\n\n\n# A mesh, and").unwrap().1;
    insta::assert_snapshot!("script", format!("{head}[..]\n# A mesh, and{steps}"));
    insta::assert_snapshot!("test", test.text);
    let path = place("much.py");
    fs::write(&path, script.text).unwrap();
    compiles_as_python(&[path]);
    compiles_as_cpp("much", &[test.text]);
}

/// Whoever writes a comment must not write a program: a line that goes on, or another encoding.
#[test]
fn comments_stay_comments() {
    let text = "# coding: latin-1\n# ends \\\nopen m0 1x1 # so does this \\  \n# \u{e9} ??/\n#\"\"\"\n\
                close m0\n# and the last \\\n";
    let scenario = parsed(text);
    let [script, test] = both(&scenario, "a\nb/\"''' coding: utf-7.scenario");
    assert_eq!((script.done, test.done), (2, 2));
    for line in script.text.lines().take(2) {
        assert!(!line.contains("coding"), "{line}");
    }
    assert!(script.text.contains("\nstep(7, \"ttnn.close_mesh_device(m0)\")\n"), "{}", script.text);
    let goes_on = test.text.lines().find(|line| line.trim_end().ends_with('\\'));
    assert_eq!(goes_on, None);
    let path = place("comments.py");
    fs::write(&path, script.text).unwrap();
    compiles_as_python(&[path]);
    compiles_as_cpp("comments", &[test.text]);
}

/// The schedule decides the order, and what no call can show is said.
#[test]
fn threads_take_their_turns_in_the_order_of_the_schedule() {
    let path = "corpus/defects/racy-deallocate.scenario";
    let scenario: Scenario = fs::read_to_string(path).unwrap().parse().unwrap();
    let [script, test] = both(&scenario, path);
    let after = |text: &str, first: &str, second: &str| {
        let (first, second) = (text.find(first).unwrap(), text.find(second).unwrap());
        assert!(first < second, "{text}");
    };
    let of_thread = "step(13, \"ttnn.deallocate(b0)\", thread=\"t1\", b0=None)";
    after(&script.text, of_thread, "step(12, \"ttnn.deallocate(b0)\")");
    after(&test.text, "t1.run([&] { b0->deallocate(); });", "\n    b0->deallocate();");
    for exported in [&script, &test] {
        assert!(exported.text.contains("Between its parts line 12 begins"), "{}", exported.text);
    }
}

/// A program is one process: what happens in others is left out, and so is what follows its end.
#[test]
fn other_processes_and_what_follows_the_end_are_left_out() {
    let text = "open m0 1x1\nprocess q1\nopen m1 1x1\nkill q1\nprocess q0\nkill q0\nclose m0\n";
    for exported in both(&parsed(text), "x") {
        let lines: Vec<u32> = exported.left_out.iter().map(|one| one.line).collect();
        assert_eq!((exported.done, lines), (1, vec![3, 4, 5, 6, 7, 8]));
        assert!(exported.left_out[5].why.contains("ended on line 7"));
    }
}

/// A name that was left out takes with it what needs it, and says why.
#[test]
fn what_depends_on_something_left_out_is_left_out() {
    let text = "open m0 1x1\nalloc b0 on d0 dram 1x32\nshare b1 of b0\ndrop b1\ndrop b7\n";
    for exported in both(&parsed(text), "x") {
        let why: Vec<&str> = exported.left_out.iter().map(|one| one.why.as_str()).collect();
        assert_eq!(why[1..], ["b0 was left out", "b1 was left out"]);
        assert_eq!(exported.done, 1);
        assert!(exported.text.contains("It names nothing that is there"));
    }
}

/// A scenario drawn at random over few names, so that most lines find something there.
fn drawn(seed: u64) -> Scenario {
    let mut choices = Seeded::new(seed);
    let ops = common::sequence(24, &mut choices);
    let threads = if choices.chance(1, 2) { 3 } else { 1 };
    let ops = ops.into_iter().map(|op| (ThreadId(choices.pick(threads) as u32), op)).collect();
    let turn = |choices: &mut Seeded| Action::Step(ThreadId(choices.pick(threads) as u32));
    let schedule = match threads {
        1 => Vec::new(),
        _ => (0..40).map(|_| turn(&mut choices)).collect(),
    };
    let setup = vec![SetupLine::L1Small(Bytes(32768)), SetupLine::TraceRegion(Bytes(1 << 20))];
    Case { setup, ops, schedule, picks: Vec::new() }.scenario()
}

/// Operations of every kind, in any order and by any thread, become programs that compile.
#[test]
fn any_sequence_of_operations_becomes_two_programs() {
    let folder = folder("drawn");
    let (mut scripts, mut tests, mut done) = (Vec::new(), Vec::new(), [0, 0]);
    for seed in 0..120 {
        let scenario = drawn(seed);
        let [script, test] = both(&scenario, "drawn");
        is_whole(&scenario, &script, "#");
        is_whole(&scenario, &test, "//");
        done = [done[0] + script.done, done[1] + test.done];
        scripts.push(folder.join(format!("{seed}.py")));
        fs::write(scripts.last().unwrap(), script.text).unwrap();
        tests.push(test.text);
    }
    assert!(done[0] > 250 && done[1] > 350, "{done:?}");
    compiles_as_python(&scripts);
    compiles_as_cpp("drawn-cpp", &tests);
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(64))]

    /// Whatever the language of scenarios can say: comments, repeats, schedules, huge sizes.
    #[test]
    fn any_scenario_becomes_a_program_or_is_too_long(scenario in strategies::scenario()) {
        for (target, mark) in [(Target::Ttnn, "#"), (Target::Gtest, "//")] {
            match export(&scenario, "any", target) {
                Ok(exported) => is_whole(&scenario, &exported, mark),
                Err(error) => prop_assert!(error.count > OPERATIONS_MAX),
            }
        }
    }
}

/// One error, exit code 2, and a file that is as it was.
#[test]
fn bad_input_writes_nothing() {
    let out = file("kept.py", b"as it was");
    let wrong = file("wrong.scenario", b"freeorder 1\nopen m0 2x4\nalias b1 off b0\n");
    let long = file("long.scenario", b"freeorder 1\nrepeat 10001 {\n  gc\n}\n");
    for (input, says) in [
        (wrong.as_str(), "line 3, column 10"),
        (long.as_str(), "10001 operations are too many for a program; 10000 are the most"),
        ("no-such.scenario", "No such file"),
    ] {
        let output = freeorder(&["export", input, "--to", "ttnn", "-o", &out]);
        assert_eq!(code(&output), 2, "{input}");
        assert!(stderr(&output).contains(says), "{}", stderr(&output));
        assert_eq!(stdout(&output), "");
        assert_eq!(fs::read(&out).unwrap(), b"as it was");
    }
    let nowhere = place("no-such-folder").join("x.py");
    let right = file("right.scenario", b"freeorder 1\ngc\n");
    let output = freeorder(&["export", &right, "--to", "gtest", "-o", nowhere.to_str().unwrap()]);
    assert_eq!(code(&output), 2);
    assert_eq!(code(&freeorder(&["export", &right])), 2);
    assert_eq!(code(&freeorder(&["export", &right, "--to", "rust"])), 2);
}

/// What is left out is a warning on standard error: the program is on standard output.
#[test]
fn what_is_left_out_is_warned_of() {
    let input = file(
        "alias.scenario",
        b"freeorder 1\nopen m0 1x1\nalloc b0 on m0 dram 1x32\nalias b1 of b0\n",
    );
    let output = freeorder(&["export", &input, "--to", "ttnn"]);
    assert_eq!(code(&output), 0);
    let warning = "1 of 3 lines are left out, first line 4: alias b1 of b0: ttnn makes no tensor";
    assert!(stderr(&output).contains(warning), "{}", stderr(&output));
    assert!(stdout(&output).ends_with("finish()\n"));
    let output = freeorder(&["export", &input, "--to", "gtest"]);
    assert_eq!((code(&output), stderr(&output).as_str()), (0, ""));
}
