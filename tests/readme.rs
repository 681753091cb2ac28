//! The README is true: its table is what the command prints, its files exist.

#![allow(clippy::unwrap_used, reason = "a test that cannot read its files has failed")]

mod command;

use std::path::Path;

use command::{freeorder, stdout};

fn root() -> &'static Path {
    Path::new(env!("CARGO_MANIFEST_DIR"))
}

fn markdown() -> String {
    let output = freeorder(&["matrix", "--format", "markdown"]);
    assert!(output.status.success());
    stdout(&output)
}

/// `UPDATE_README=1 cargo test --test readme` writes the table anew.
#[test]
fn the_matrix_in_the_readme_is_what_the_command_prints() {
    let path = root().join("README.md");
    let readme = std::fs::read_to_string(&path).unwrap();
    let (before, rest) = readme.split_once("checked by a test -->\n").unwrap();
    let (table, after) = rest.split_once("<!-- /matrix -->").unwrap();
    let printed = markdown();
    if std::env::var_os("UPDATE_README").is_some() {
        let text = format!("{before}checked by a test -->\n{printed}<!-- /matrix -->{after}");
        std::fs::write(path, text).unwrap();
    } else {
        assert_eq!(table, printed, "run UPDATE_README=1 cargo test --test readme");
    }
}

/// Without what the clock says.
fn timeless(text: &str) -> String {
    let line = |line: &str| match line.split_once(" MiB, ") {
        Some((before, _)) => format!("{before} MiB, TIME\n"),
        None => format!("{line}\n"),
    };
    text.lines().map(line).collect()
}

/// The command of the README that says both, as a shell would hand it over.
fn command_with(readme: &str, [verb, option]: [&str; 2]) -> Vec<String> {
    let says = |line: &&str| {
        line.starts_with("$ ") && line.contains(&format!(" -- {verb}")) && line.contains(option)
    };
    let line = readme.lines().find(says).unwrap();
    let line = line.split(" # ").next().unwrap().split(" -- ").nth(1).unwrap();
    let words = line.split_whitespace().flat_map(|word| match word.strip_suffix("*.scenario") {
        None => vec![word.to_owned()],
        Some(folder) => {
            let files = std::fs::read_dir(root().join(folder)).unwrap();
            let names = files.map(|file| file.unwrap().file_name().into_string().unwrap());
            let scenarios = names.filter(|name| name.ends_with(".scenario"));
            let mut all: Vec<String> = scenarios.map(|name| folder.to_owned() + &name).collect();
            all.sort();
            all
        }
    });
    words.collect()
}

/// An example that nobody runs goes stale.
#[test]
fn the_examples_of_explore_and_search_are_what_the_commands_print() {
    let path = root().join("README.md");
    let mut readme = std::fs::read_to_string(&path).unwrap();
    let examples = [
        ("explore", ["explore --family teardown", "--fixes final"], "```\n"),
        ("search", ["matrix --search", "--server shm"], ""),
    ];
    for (name, says, fence) in examples {
        let arguments = command_with(&readme, says);
        let words: Vec<&str> = arguments.iter().map(String::as_str).collect();
        let printed = stdout(&freeorder(&words));
        // What each fix does is asked of the whole corpus: docs/which-fix.md.
        let printed = printed.split("What each fix does").next().unwrap().to_owned();
        assert!(printed.lines().count() > 5, "{printed}");
        let (begin, end) = (format!("<!-- {name}: "), format!("{fence}<!-- /{name} -->"));
        let start = readme.find(&begin).unwrap();
        let start = start + readme[start..].find(" -->\n").unwrap() + " -->\n".len() + fence.len();
        let length = readme[start..].find(&end).unwrap();
        if std::env::var_os("UPDATE_README").is_some() {
            readme.replace_range(start..start + length, &printed);
            std::fs::write(&path, &readme).unwrap();
        } else {
            let shown = &readme[start..start + length];
            let told = "run UPDATE_README=1 cargo test --test readme";
            assert_eq!(timeless(shown), timeless(&printed), "{told}");
        }
    }
}

/// A link to nowhere, or a verb that is not there, is a README that lies.
#[test]
fn every_path_and_verb_in_the_readme_exists() {
    let readme = std::fs::read_to_string(root().join("README.md")).unwrap();
    for part in readme.split('`').skip(1).step_by(2) {
        let looks_like_a_path =
            part.starts_with("src/") || part.starts_with("corpus/") || part.starts_with("docs/");
        if looks_like_a_path {
            assert!(root().join(part).exists(), "{part}");
        }
    }
    let help = stdout(&freeorder(&["--help"]));
    let commands = readme.lines().filter(|line| line.starts_with("$ "));
    for line in commands.filter_map(|line| line.split(" -- ").nth(1)) {
        let verb = line.split_whitespace().next().unwrap();
        assert!(help.contains(&format!("  {verb} ")), "{verb}");
    }
}

/// ARCHITECTURE.md gives every direct dependency a sentence.
#[test]
fn every_dependency_has_a_sentence() {
    let manifest = std::fs::read_to_string(root().join("Cargo.toml")).unwrap();
    let architecture = std::fs::read_to_string(root().join("ARCHITECTURE.md")).unwrap();
    let mut inside = false;
    for line in manifest.lines() {
        if line.starts_with('[') {
            inside = line.ends_with("dependencies]");
        } else if let Some((name, _)) = line.split_once(" = ").filter(|_| inside) {
            assert!(architecture.contains(&format!("`{name}`")), "{name}");
        }
    }
}
