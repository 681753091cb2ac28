//! The fuzz targets as cargo-fuzz meets them: files, dictionary, seeds.
#![cfg(feature = "fuzzing")]
#![allow(clippy::unwrap_used, reason = "a test that cannot read its files has failed")]

mod command;

use std::fs;
use std::path::{Path, PathBuf};

use command::{code, command, freeorder, place, stdout};

use freeorder::fuzzing::TARGETS;
use freeorder::fuzzing::scenario_text::dictionary;

fn root() -> &'static Path {
    Path::new(env!("CARGO_MANIFEST_DIR"))
}

/// The dictionary is the language: a word that is missing is a word that is rarely tried.
#[test]
fn the_dictionary_has_every_word_of_the_language() {
    let path = root().join("fuzz/dictionaries/scenario_text.dict");
    if std::env::var_os("UPDATE_DICTIONARY").is_some() {
        fs::write(path, dictionary()).unwrap();
    } else {
        let text = fs::read_to_string(path).unwrap();
        assert_eq!(text, dictionary(), "see its first line");
    }
}

fn written(name: &str, bytes: &[u8]) -> String {
    let path = place(name);
    fs::write(&path, bytes).unwrap();
    path.to_str().unwrap().to_owned()
}

const LEAK: &str = "freeorder 1\nopen m0 2x4\nalloc b0 on m0 dram 1x2048\ndeallocate b0\n";

/// Bytes are how a fuzzer sees a scenario, and a scenario is how a person sees bytes.
#[test]
fn a_scenario_encodes_to_bytes_and_back() {
    let scenario = written("leak.scenario", LEAK.as_bytes());
    let bytes = place("leak.bin");
    let bytes = bytes.to_str().unwrap();
    for profile in ["tame", "lifecycle", "reuse"] {
        let output = freeorder(&["encode", &scenario, "--profile", profile, "-o", bytes]);
        assert_eq!((code(&output), stdout(&output)), (0, String::new()));
        let decoded = freeorder(&["encode", "--decode", bytes, "--profile", profile]);
        assert_eq!(stdout(&decoded), LEAK);
        let piped = freeorder(&["encode", &scenario, "--profile", profile]);
        assert_eq!(piped.stdout, fs::read(bytes).unwrap());
    }
    let odd = written("odd.scenario", LEAK.replace("1x2048", "77x2048").as_bytes());
    let output = freeorder(&["encode", &odd]);
    assert_eq!(code(&output), 2);
    assert!(String::from_utf8_lossy(&output.stderr).contains("operation 2, `alloc b0 on m0 dram"));
}

/// What a fuzzer found replays without a fuzzer, and what it prints is a scenario to minimize.
#[test]
fn a_crash_replays_on_stable() {
    let scenario = written("crash.scenario", LEAK.as_bytes());
    let bytes = place("crash.bin");
    let bytes = bytes.to_str().unwrap();
    freeorder(&["encode", &scenario, "--profile", "lifecycle", "-o", bytes]);
    let output = freeorder(&["run", "--crash", "canary", bytes]);
    assert_eq!(code(&output), 1);
    let text = stdout(&output);
    assert!(text.starts_with(LEAK), "{text}");
    assert!(text.ends_with("# canary: the oracles found something\n"), "{text}");
    let printed = written("printed.scenario", text.as_bytes());
    let again = freeorder(&["run", &printed, "--fixes", "three-fixes", "--server", "k1"]);
    assert!(code(&again) == 1 && stdout(&again).contains("device-leak 1"));
    let output = freeorder(&["run", "--crash", "orderings", bytes]);
    assert_eq!(code(&output), 0, "{}", stdout(&output));
    assert!(stdout(&output).ends_with("# orderings: nothing is wrong\n"));
    for target in TARGETS {
        let output = freeorder(&["run", "--crash", target.name, &scenario]);
        assert!([0, 1].contains(&code(&output)), "{}: {}", target.name, stdout(&output));
    }
}

/// A fuzzer that was told nonsense must not look for something else instead.
#[test]
fn a_wrong_target_or_variable_is_refused() {
    let bytes = written("any.bin", b"any");
    let output = freeorder(&["run", "--crash", "ordering", &bytes]);
    assert_eq!(code(&output), 2);
    assert!(String::from_utf8_lossy(&output.stderr).contains("did you mean `orderings`"));
    assert_eq!(code(&freeorder(&["run", "--crash", "canary"])), 2);
    assert_eq!(code(&freeorder(&["run", "--crash", "canary", &bytes, "--fixes", "final"])), 2);
    assert_eq!(code(&freeorder(&["run", "--crash", "canary", "no-such-file"])), 2);
    let variables = ["FREEORDER_FIXES", "FREEORDER_SERVER", "FREEORDER_PROFILE"];
    for variable in variables {
        let mut command = command();
        command.args(["run", "--crash", "orderings", &bytes]).env(variable, "bogus");
        let output = command.output().unwrap();
        assert_eq!(code(&output), 2, "{variable}");
        assert!(String::from_utf8_lossy(&output.stderr).contains(variable));
    }
}

/// The targets begin where the corpus is, not at an empty input; what fails already is no beginning.
#[test]
fn seeds_stand_for_the_scenarios_they_are_named_for() {
    let folder = place("seeds");
    let _ = fs::remove_dir_all(&folder);
    let seeds = folder.to_str().unwrap();
    let output = freeorder(&["encode", "--seeds", seeds, "--from", "corpus/canaries"]);
    let count = fs::read_dir(root().join("corpus/canaries")).unwrap().count();
    assert_eq!(code(&output), 0);
    let files = |target: &str| -> Vec<PathBuf> {
        let entries = folder.join(target).read_dir().unwrap();
        entries.map(|entry| entry.unwrap().path()).collect()
    };
    assert_eq!(files("fix_pairs").len(), count);
    assert_eq!(files("scenario_text").len(), count);
    // `three-fixes` under k1 fails in every one of them, the main branch in none.
    assert_eq!(files("canary").len(), 0);
    for target in ["fix_pairs", "orderings"] {
        for file in files(target) {
            let replay = freeorder(&["run", "--crash", target, file.to_str().unwrap()]);
            assert_eq!(code(&replay), 0, "{}", stdout(&replay));
            assert!(stdout(&replay).contains("alloc b0 on m0 "));
        }
    }
    let text = folder.join("scenario_text").join("final-view");
    let original = root().join("corpus/canaries/final-view.scenario");
    assert_eq!(fs::read(text).unwrap(), fs::read(original).unwrap());
}
