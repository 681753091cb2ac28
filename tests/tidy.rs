//! The rules of the house that a compiler does not know.

#![allow(clippy::unwrap_used, reason = "a test that cannot read its files has failed")]

use std::path::{Path, PathBuf};

/// The modules, lowest first: each may use only those before it (ARCHITECTURE.md).
const LAYERS: [&str; 29] = [
    "units",
    "suggest",
    "mark",
    "op",
    "message",
    "wire",
    "event",
    "fix",
    "violation",
    "choice",
    "journal",
    "allocator",
    "runtime",
    "server",
    "oracle",
    "world",
    "scenario",
    "generate",
    "corpus",
    "search",
    "strategy",
    "measure",
    "interop",
    "audit",
    "serve",
    "realrt",
    "export",
    "fuzzing",
    "cli",
];

fn root() -> PathBuf {
    PathBuf::from(env!("CARGO_MANIFEST_DIR"))
}

fn files(folder: &Path, endings: &[&str], found: &mut Vec<PathBuf>) {
    let mut entries: Vec<PathBuf> =
        folder.read_dir().unwrap().map(|entry| entry.unwrap().path()).collect();
    entries.sort();
    for path in entries {
        if path.is_dir() {
            files(&path, endings, found);
        } else if endings.iter().any(|ending| path.to_string_lossy().ends_with(ending)) {
            found.push(path);
        }
    }
}

fn sources() -> Vec<(String, String)> {
    let mut found = Vec::new();
    files(&root().join("src"), &[".rs"], &mut found);
    let read = found.iter().map(|path| {
        let name = path.strip_prefix(root().join("src")).unwrap().to_string_lossy();
        (name.replace('\\', "/"), std::fs::read_to_string(path).unwrap())
    });
    read.collect()
}

/// The part of a file before its tests, comments left out.
fn code(text: &str) -> String {
    let text = text.split("#[cfg(test)]").next().unwrap();
    let lines = text.lines().filter(|line| !line.trim_start().starts_with("//"));
    lines.collect::<Vec<_>>().join("\n")
}

fn module(file: &str) -> &str {
    file.split('/').next().unwrap().trim_end_matches(".rs")
}

/// Data flows one way: a module that looks upwards would make the layers a wish.
#[test]
fn a_module_uses_only_lower_layers() {
    for (file, text) in sources() {
        let own = module(&file);
        let Some(level) = LAYERS.iter().position(|layer| *layer == own) else {
            assert!(["lib", "main", "assumptions"].contains(&own), "{file} is in no layer");
            continue;
        };
        for used in code(&text).split("crate::").skip(1) {
            let name: String =
                used.chars().take_while(|c| c.is_alphanumeric() || *c == '_').collect();
            if name == own || name == "assumptions" && own == "cli" {
                continue;
            }
            let other = LAYERS.iter().position(|layer| *layer == name);
            let other =
                other.unwrap_or_else(|| panic!("{file} uses `{name}`, which is in no layer"));
            assert!(other < level, "{file} uses `{name}`, which is above it");
        }
    }
}

/// "A fix is a named switch read in exactly one place of the module it changes."
#[test]
fn each_fix_is_read_in_exactly_one_place() {
    let all: String = sources()
        .iter()
        .filter(|(file, _)| module(file) != "fix")
        .map(|(_, text)| code(text))
        .collect();
    for info in &freeorder::fix::FIXES {
        let read = format!("has(Fix::{:?})", info.fix);
        assert_eq!(all.matches(&read).count(), 1, "{read}");
    }
    for info in &freeorder::fix::DEFECTS {
        let read = format!("has_defect(Defect::{:?})", info.defect);
        assert_eq!(all.matches(&read).count(), 1, "{read}");
    }
}

/// An oracle that could see the world would check the model against itself.
#[test]
fn oracles_see_events_only_and_generators_no_oracle() {
    for (file, text) in sources() {
        let text = code(&text);
        if file.starts_with("oracle/") {
            assert!(!text.contains("crate::world") && !text.contains("crate::runtime"), "{file}");
        }
        if module(&file) == "generate" {
            assert!(!text.contains("crate::oracle"), "{file}");
        }
    }
}

/// A model of threads that decided for itself would say nothing about the simulator.
#[test]
fn models_of_threads_decide_with_the_code_of_the_simulator() {
    let mut models = Vec::new();
    files(&root().join("tests/threads"), &[".rs"], &mut models);
    assert!(models.len() > 7, "seven races, and what they share");
    let shared = ["mesh", "server", "reused_address"];
    for path in models.iter().filter(|path| !path.ends_with("mod.rs")) {
        let text = std::fs::read_to_string(path).unwrap();
        let own = path.file_stem().unwrap().to_string_lossy();
        let calls = ["runtime::decide", "server::rule"].iter().any(|used| text.contains(used));
        let others = shared.iter().filter(|other| **other != own);
        let through = others.clone().any(|other| text.contains(&format!("use super::{other}")));
        assert!(calls || through, "{own} decides nothing that the simulator does");
    }
}

/// No clock, thread or file in the world or below it, or a run would not be a function of its input.
#[test]
fn the_world_and_what_is_below_it_touch_nothing_outside() {
    let level = LAYERS.iter().position(|layer| *layer == "world").unwrap();
    for (file, text) in sources() {
        if LAYERS[..=level].contains(&module(&file)) && file != "allocator/walk.rs" {
            let text = code(&text);
            for outside in ["std::time", "std::thread", "std::fs", "std::env", "std::net"] {
                assert!(!text.contains(outside), "{file} uses {outside}");
            }
        }
    }
}

/// A file reads as its own table of contents, in ASCII and 100 columns.
#[test]
fn files_are_short_ascii_and_narrow() {
    for (file, text) in sources() {
        assert!(text.is_ascii(), "{file} is not ASCII");
        let lines = text.split("#[cfg(test)]").next().unwrap().lines().count();
        assert!(lines <= 400, "{file} has {lines} lines before its tests");
        for (index, line) in text.lines().enumerate() {
            assert!(line.len() <= 100, "{file}:{} has {} columns", index + 1, line.len());
        }
    }
}

/// A test that is ignored, or a stub, is a promise nobody keeps.
#[test]
fn nothing_is_ignored_or_left_to_do() {
    for (file, text) in sources() {
        for word in ["#[ignore", "todo!(", "unimplemented!(", "TODO", "dbg!("] {
            assert!(!text.contains(word), "{file} says {word}");
        }
    }
}
