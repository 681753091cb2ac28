//! `freeorder explore` as its user meets it.

#![allow(clippy::unwrap_used, reason = "a test that cannot start the command has failed")]

mod command;

use command::{code, file, folder, freeorder, stderr, stdout};

const TEARDOWN: [&str; 9] =
    ["explore", "--family", "teardown", "--handles", "2", "--devices", "4", "--views", "0"];

fn teardown(more: &[&str]) -> std::process::Output {
    freeorder(&[&TEARDOWN, more].concat())
}

/// The text without what the clock says.
fn timeless(text: &str) -> String {
    let line = |line: &str| match line.split_once(" MiB, ") {
        Some((before, _)) => format!("{before} MiB, TIME\n"),
        None => format!("{line}\n"),
    };
    text.lines().map(line).collect()
}

const THREE_DROPS: &str = "freeorder 1\nopen m0 1x2\nalloc b0 on m0 dram 1x32\n\
    alloc b1 on m0 dram 1x32\nany {\n  drop b0\n  drop b1\n  close m0\n}\n";

/// A pass prints a certificate, and whoever gets it can check it.
#[test]
fn a_pass_prints_a_certificate_that_can_be_checked() {
    let path = folder("certificate").join("pass.json");
    let path = path.to_str().unwrap();
    let output = teardown(&["--fixes", "upstream-shm", "--certificate", path]);
    assert_eq!(code(&output), 0, "{}", stderr(&output));
    insta::assert_snapshot!("explore_pass", timeless(&stdout(&output)));
    let checked = freeorder(&["explore", "--verify", path]);
    assert_eq!(code(&checked), 0, "{}", stderr(&checked));
    assert!(stdout(&checked).starts_with("the certificate holds: 3628800 orderings"));

    let text = std::fs::read_to_string(path).unwrap();
    for (right, wrong) in [("3628800", "3628801"), ("\"order\"", "\"none\""), ("k2", "k0")] {
        let forged = file("forged.json", text.replace(right, wrong).as_bytes());
        let checked = freeorder(&["explore", "--verify", &forged]);
        let is_same = text == text.replace(right, wrong);
        assert_eq!(code(&checked), if is_same { 0 } else { 1 }, "{}", stdout(&checked));
    }
    let of_another =
        freeorder(&["explore", "--verify", path, "corpus/claims/regular-buffer.scenario"]);
    assert_eq!(code(&of_another), 1);
    assert!(stdout(&of_another).contains("the certificate does not hold: scenario: "));
    // Nothing is explored that the certificate is not about.
    let other = file("other.scenario", THREE_DROPS.as_bytes());
    let of_another = freeorder(&["explore", "--verify", path, &other, "--max-states", "1"]);
    assert_eq!(code(&of_another), 1, "{}", stdout(&of_another));
    let no_family = text.replace("\"name\": \"teardown\"", "\"name\": \"teardwn\"");
    let no_family = freeorder(&["explore", "--verify", &file("none.json", no_family.as_bytes())]);
    assert_eq!(code(&no_family), 2);
    assert!(stderr(&no_family).contains("did you mean `teardown`"), "{}", stderr(&no_family));
    for (known, unknown) in [("\"states\"", "\"stats\""), ("\"views\"", "\"vews\"")] {
        let line = 1 + text.lines().position(|line| line.contains(known)).unwrap();
        for written in [
            text.replacen(known, unknown, 1),
            text.replacen(known, &format!("{unknown}: 1, {known}"), 1),
        ] {
            let refused = freeorder(&["explore", "--verify", &file("un.json", written.as_bytes())]);
            assert_eq!(code(&refused), 2, "{written}");
            // Long lines are broken for the terminal.
            let told = stderr(&refused).replace('\u{2502}', " ");
            let told = told.split_whitespace().collect::<Vec<_>>().join(" ");
            let field = format!("unknown field `{}`, expected one of", unknown.trim_matches('"'));
            assert!(told.contains(&field) && told.contains(&format!("at line {line} ")), "{told}");
        }
    }
    let later = text.replacen("\"version\": 1", "\"version\": 2", 1);
    let later = freeorder(&["explore", "--verify", &file("later.json", later.as_bytes())]);
    assert_eq!(code(&later), 2);
}

/// A size that the family does not read says nothing of what was looked at, and cannot be checked.
#[test]
fn a_certificate_has_the_sizes_of_its_family_alone() {
    let path = folder("sizes").join("certificate.json");
    std::fs::create_dir_all(path.parent().unwrap()).unwrap();
    let path = path.to_str().unwrap();
    let made = ["explore", "--family", "teardown", "--fixes", "sound", "--certificate", path];
    assert_eq!(code(&freeorder(&made)), 0);
    assert_eq!(code(&freeorder(&["explore", "--verify", path])), 0);
    let text = std::fs::read_to_string(path).unwrap();
    for size in ["programs", "submeshes", "threads"] {
        let altered = text.replacen(&format!("\"{size}\": 0"), &format!("\"{size}\": 2"), 1);
        assert_ne!(altered, text, "{size}");
        let altered = freeorder(&["explore", "--verify", &file("sized.json", altered.as_bytes())]);
        assert_eq!(code(&altered), 2, "{size}: {}", stdout(&altered));
    }
    let read = text.replacen("\"views\": 1", "\"views\": 2", 1);
    assert_ne!(read, text);
    let read = freeorder(&["explore", "--verify", &file("sized.json", read.as_bytes())]);
    assert_eq!(code(&read), 1, "{}", stdout(&read));
}

/// Who does not listen has not made the failures go away.
#[test]
fn a_closed_output_leaves_the_exit_code_as_it_is() {
    let ended = |arguments: &[&str]| {
        let (reader, writer) = std::io::pipe().unwrap();
        drop(reader);
        let mut command = std::process::Command::new(env!("CARGO_BIN_EXE_freeorder"));
        command.args(arguments).stdout(writer).stderr(std::process::Stdio::null());
        command.status().unwrap().code()
    };
    let fails = "corpus/canaries/three-fixes-leak.scenario";
    assert_eq!(ended(&["explore", fails, "--fixes", "three-fixes"]), Some(1));
    assert_eq!(ended(&["run", fails, "--fixes", "three-fixes", "--trace"]), Some(1));
    assert_eq!(ended(&["matrix", "--deny", "final"]), Some(1));
    assert_eq!(ended(&["explore", fails, "--fixes", "sound"]), Some(0));
    assert_eq!(
        ended(&["explore", "--family", "reuse", "--fixes", "sound", "--max-states", "9"]),
        Some(3)
    );
    assert_eq!(ended(&["list", "oracles"]), Some(0));
}

/// A failure prints the shortest ordering, reduced, which can be pasted back and run.
#[test]
fn a_failure_is_told_saved_and_can_be_run() {
    let out = folder("failures");
    let out = out.to_str().unwrap();
    let output = teardown(&["--out", out]);
    assert_eq!(code(&output), 1, "{}", stderr(&output));
    let text = timeless(&stdout(&output)).replace(out, "OUT");
    insta::assert_snapshot!("explore_failure", text);
    let mut saved = 0;
    for entry in std::fs::read_dir(out).unwrap() {
        let path = entry.unwrap().path();
        assert_eq!(code(&freeorder(&["run", path.to_str().unwrap()])), 1, "{}", path.display());
        saved += 1;
    }
    assert_eq!(saved, 2);
}

/// The reductions leave the verdict as it is; a limit says what was covered and is exit code 3.
#[test]
fn limits_and_reductions_are_told() {
    let states = |reduce| {
        let output = teardown(&["--fixes", "upstream-shm", "--reduce", reduce, "--format", "json"]);
        let report: serde_json::Value = serde_json::from_slice(&output.stdout).unwrap();
        assert_eq!((code(&output), report["orderings"].as_str()), (0, Some("3628800")));
        report["states"].as_u64().unwrap()
    };
    assert_eq!(states("none"), 1024);
    assert!(states("symmetry") < 400 && states("order") < 70 && states("all") < 40);
    let upstream = ["--fixes", "upstream-shm", "--reduce", "none", "--max-states", "100"];
    let few = teardown(&upstream);
    assert_eq!(code(&few), 3);
    assert!(stdout(&few).starts_with("stopped by states after "), "{}", stdout(&few));
    assert!(!stdout(&few).contains("\"orderings\""));
    assert_eq!(code(&teardown(&["--memory", "12X"])), 2);
    assert_eq!(code(&teardown(&["--reduce", "most"])), 2);
    assert_eq!(code(&freeorder(&["explore"])), 2);
    assert_eq!(code(&freeorder(&["explore", "--family", "teardwn"])), 2);
    assert_eq!(code(&freeorder(&["explore", "--family", "teardown", "--devices", "11"])), 2);
}

/// A size that a family does not have would be taken for one that was looked at.
#[test]
fn a_size_that_counts_for_nothing_is_refused() {
    let refused = |arguments: &[&str]| {
        let output = freeorder(&[&["explore"], arguments].concat());
        assert_eq!(code(&output), 2, "{arguments:?}: {}", stdout(&output));
        stderr(&output)
    };
    let told = refused(&["--family", "threads", "--print", "--handles", "5"]);
    let sizes = "--handles: the family `threads` has no handles, but devices, threads";
    assert!(told.contains(sizes), "{told}");
    for family in freeorder::search::explore::Family::ALL {
        for size in ["handles", "devices", "views", "programs", "submeshes", "threads"] {
            let option = format!("--{size}");
            let arguments = ["explore", "--family", family.name(), "--print", &option, "2"];
            let counts = family.sizes().split(", ").any(|one| one == size);
            assert_eq!(code(&freeorder(&arguments)), if counts { 0 } else { 2 }, "{arguments:?}");
        }
    }
    refused(&["corpus/claims/regular-buffer.scenario", "--handles", "3"]);
    refused(&["--verify", "corpus/sound/certificates/teardown-k2.json", "--handles", "3"]);
}

/// Families are scenarios: what is printed is explored the same way from a file.
#[test]
fn a_family_is_printed_as_a_scenario() {
    let listed = stdout(&freeorder(&["list", "families"]));
    insta::assert_snapshot!("list_families", listed);
    let printed = freeorder(&["explore", "--family", "reuse", "--print"]);
    insta::assert_snapshot!("family_reuse", stdout(&printed));
    let path = file("reuse.scenario", &printed.stdout);
    let lines = |arguments: &[&str]| {
        let output = freeorder(arguments);
        timeless(&stdout(&output)).lines().take(2).map(str::to_owned).collect::<Vec<_>>()
    };
    let family = lines(&["explore", "--family", "reuse", "--no-minimize"]);
    assert_eq!(family, lines(&["explore", &path, "--no-minimize"]));
}

/// The figures that the house is held to.
#[test]
fn the_bench_of_orderings_has_its_fields() {
    let output =
        freeorder(&["bench", "orderings", "--handles", "3", "--devices", "6", "--format", "json"]);
    assert_eq!(code(&output), 0);
    let report: serde_json::Value = serde_json::from_slice(&output.stdout).unwrap();
    assert_eq!((report["handles"].as_u64(), report["devices"].as_u64()), (Some(3), Some(6)));
    assert_eq!(report["orderings"], "51090942171709440000");
    assert!(report["states_visited"].as_u64().unwrap() < 400);
    assert!(report["seconds"].as_f64().is_some() && report["peak_bytes"].as_u64().is_some());
}
