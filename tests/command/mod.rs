//! Running `freeorder` as its user does, and reading what it says.

#![allow(dead_code, reason = "each test uses some of it")]

use std::fs;
use std::path::PathBuf;
use std::process::{Command, Output, Stdio};

/// The command, in the folder of the crate, with nobody at a terminal and nothing asked of it by
/// the environment.
pub fn command() -> Command {
    let mut command = Command::new(env!("CARGO_BIN_EXE_freeorder"));
    command.current_dir(env!("CARGO_MANIFEST_DIR")).env("NO_COLOR", "1").stdin(Stdio::null());
    let variables = ["RUST_BACKTRACE", "GITHUB_ACTIONS", "CI"];
    let asked = ["FREEORDER_FIXES", "FREEORDER_SERVER", "FREEORDER_PROFILE"];
    for variable in variables.into_iter().chain(asked) {
        command.env_remove(variable);
    }
    command
}

/// What came of running it.
pub fn freeorder(arguments: &[&str]) -> Output {
    command().args(arguments).output().unwrap()
}

pub fn code(output: &Output) -> i32 {
    output.status.code().unwrap()
}

pub fn stdout(output: &Output) -> String {
    String::from_utf8(output.stdout.clone()).unwrap()
}

pub fn stderr(output: &Output) -> String {
    String::from_utf8(output.stderr.clone()).unwrap()
}

/// A place in the folder that cargo gives tests to write to, apart from those of other tests.
pub fn place(name: &str) -> PathBuf {
    let program = std::env::current_exe().unwrap();
    let program = program.file_stem().unwrap().to_string_lossy().into_owned();
    let own = PathBuf::from(env!("CARGO_TARGET_TMPDIR")).join(program);
    fs::create_dir_all(&own).unwrap();
    own.join(name)
}

/// An empty folder.
pub fn folder(name: &str) -> PathBuf {
    let path = place(name);
    let _ = fs::remove_dir_all(&path);
    fs::create_dir_all(&path).unwrap();
    path
}

/// A file with these bytes.
pub fn file(name: &str, bytes: &[u8]) -> String {
    let path = place(name);
    fs::write(&path, bytes).unwrap();
    path.to_str().unwrap().to_owned()
}
