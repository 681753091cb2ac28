//! A campaign that is killed loses nothing: continued, it is the campaign that was not killed.

#![allow(clippy::unwrap_used, reason = "a test that cannot start the command has failed")]

mod command;
mod fuzzed;

use std::path::Path;
use std::process::{Child, Stdio};
use std::thread::sleep;
use std::time::{Duration, Instant, SystemTime, UNIX_EPOCH};

use command::{code, command, folder, stderr};
use freeorder::choice::{Choices, Seeded};
use fuzzed::{fuzz, json, written};

/// The longest time before a kill: all of it is run once more, undisturbed.
const DELAY_MICROSECONDS_MAX: u64 = 1_500_000;

const PLAN: [&str; 6] = ["--fixes", "before", "--server", "k1", "--out", "out"];

fn endless(at: &Path) -> Child {
    command()
        .arg("fuzz")
        .args(PLAN)
        .args(["--for", "1h", "--jobs", "2", "--format", "json"])
        .current_dir(at)
        .stdout(Stdio::null())
        .stderr(Stdio::null())
        .spawn()
        .unwrap()
}

/// The seed of the moments: from the environment, or drawn from the clock, and printed.
fn seed() -> u64 {
    let drawn = || SystemTime::now().duration_since(UNIX_EPOCH).unwrap().as_nanos() as u64;
    let given = std::env::var("FREEORDER_KILL_SEED").ok();
    let seed = given.map_or_else(drawn, |given| given.parse().unwrap());
    println!("FREEORDER_KILL_SEED={seed}");
    seed
}

/// How far the campaign in the folder has come; none if it has not begun.
fn reached(at: &Path) -> Option<u64> {
    let state = std::fs::read(at.join("out/campaign.json")).ok()?;
    serde_json::from_slice::<serde_json::Value>(&state).unwrap()["to"].as_u64()
}

/// Runs until the campaign has come further, kills it, and answers how long that took.
fn advanced(at: &Path) -> Duration {
    let before = reached(at);
    let start = Instant::now();
    let mut child = endless(at);
    while reached(at).is_none_or(|now| now == before.unwrap_or(0)) {
        sleep(Duration::from_millis(5));
    }
    child.kill().unwrap();
    child.wait().unwrap();
    start.elapsed()
}

/// The seed that a finding says it comes from.
fn seed_of(bytes: &[u8]) -> Option<u64> {
    let text = String::from_utf8_lossy(bytes);
    let (_, rest) = text.split_once(" from seed ")?;
    rest.split_once(' ')?.0.parse().ok()
}

/// Kills a running campaign so many times, continues it, and compares with an undisturbed one.
///
/// The moments lie between nothing and twice the time that the machine needs for some progress, so
/// that they hit the start, the search, the reducer and the files.
fn killed_and_continued(name: &str, kills: u64) {
    let mut choices = Seeded::new(seed());
    let at = folder(name);
    let longest = (2 * advanced(&at).as_micros() as u64).min(DELAY_MICROSECONDS_MAX);
    for _ in 0..kills {
        let mut child = endless(&at);
        sleep(Duration::from_micros(choices.pick(longest)));
        child.kill().unwrap();
        assert_eq!(child.wait().unwrap().code(), None, "it was running until it was killed");
    }
    let reached = reached(&at).unwrap();
    assert!(reached > 0);
    println!("{kills} kills, {reached} seeds");
    // What was found in seeds that were not yet counted is there too: they are run again.
    let found = written(&at.join("out")).into_values().filter_map(|bytes| seed_of(&bytes)).max();
    let end = reached.max(found.unwrap_or(0)) + 50;
    let seeds = format!("0..{end}");
    let calm = folder(&format!("{name}-undisturbed"));
    let (continued, undisturbed) = rayon::join(
        || fuzz(&at, &[&PLAN[..], &["--seeds", &seeds]].concat()),
        || fuzz(&calm, &[&PLAN[..], &["--seeds", &seeds, "--jobs", "1"]].concat()),
    );
    assert_eq!(code(&continued), 1, "{}", stderr(&continued));
    let (one, other) = (json(&continued), json(&undisturbed));
    let findings = one["findings"].as_array().unwrap().iter();
    for (one, other) in findings.zip(other["findings"].as_array().unwrap()) {
        assert_eq!(one, other);
    }
    assert_eq!(one, other);
    let files = written(&at.join("out"));
    let others = written(&calm.join("out"));
    for (name, bytes) in &files {
        let other = others.get(name).map(|other| String::from_utf8_lossy(other));
        assert_eq!(Some(String::from_utf8_lossy(bytes)), other, "{name}");
    }
    assert_eq!(files.len(), others.len());
    assert!(files.keys().filter(|name| name.ends_with(".scenario")).count() >= 5);
}

/// The small version, in every run of the suite.
#[test]
fn three_kills_lose_nothing() {
    killed_and_continued("three", 3);
}

/// 50 kills at random moments, with a printed seed.
#[cfg(feature = "slow-tests")]
#[test]
fn fifty_kills_lose_nothing() {
    killed_and_continued("fifty", 50);
}
