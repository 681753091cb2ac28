//! Running `freeorder fuzz`, and reading what it prints and writes.

#![allow(dead_code, reason = "each test uses some of it")]

use std::collections::BTreeMap;
use std::fs;
use std::path::Path;
use std::process::Output;

use crate::command::{command, stderr};

/// Runs a campaign in a folder; the result is JSON unless the arguments say otherwise.
pub fn fuzz(at: &Path, arguments: &[&str]) -> Output {
    let format: &[&str] = if arguments.contains(&"--format") { &[] } else { &["--format", "json"] };
    command().arg("fuzz").args(arguments).args(format).current_dir(at).output().unwrap()
}

/// The report, without the only number that no two runs share.
pub fn json(output: &Output) -> serde_json::Value {
    let mut report = json_of_the_run(output);
    for finding in report["findings"].as_array_mut().into_iter().flatten() {
        assert!(finding.as_object_mut().unwrap().remove("earlier").unwrap().is_boolean());
    }
    report
}

/// The same, with what was found in which run.
pub fn json_of_the_run(output: &Output) -> serde_json::Value {
    let mut report: serde_json::Value = serde_json::from_slice(&output.stdout)
        .unwrap_or_else(|error| panic!("{error}: {}", stderr(output)));
    assert!(report.as_object_mut().unwrap().remove("seconds").unwrap().as_f64().unwrap() > 0.0);
    report
}

/// Every file of a campaign's folder: scenarios as they are, `campaign.json` without its seconds,
/// hashes as sets, since the order in which they were first seen depends on where runs ended.
pub fn written(folder: &Path) -> BTreeMap<String, Vec<u8>> {
    let read = folder.read_dir().unwrap().map(|entry| {
        let path = entry.unwrap().path();
        let name = path.file_name().unwrap().to_string_lossy().into_owned();
        let bytes = fs::read(&path).unwrap();
        let bytes = match name.as_str() {
            "campaign.json" => without_seconds(&bytes),
            name if name.ends_with(".hashes") => sorted(&bytes),
            _ => bytes,
        };
        (name, bytes)
    });
    read.collect()
}

fn without_seconds(bytes: &[u8]) -> Vec<u8> {
    let mut state: serde_json::Value = serde_json::from_slice(bytes).unwrap();
    state.as_object_mut().unwrap().remove("seconds").unwrap();
    serde_json::to_vec(&state).unwrap()
}

fn sorted(bytes: &[u8]) -> Vec<u8> {
    assert_eq!(bytes.len() % 8, 0);
    let mut words: Vec<&[u8]> = bytes.chunks_exact(8).collect();
    words.sort_unstable();
    words.concat()
}
