//! The command line: one file a verb.

mod audit;
mod bench;
mod conform;
#[cfg(feature = "fuzzing")]
mod crash;
mod defects;
mod diff;
mod duration;
#[cfg(feature = "fuzzing")]
mod encode;
mod explore;
mod export;
mod fuzz;
mod import;
mod input;
mod interrupt;
mod list;
mod matrix;
mod memory;
mod minimize;
mod output;
mod regress;
mod run;
mod save;
mod schema;
#[cfg(target_os = "linux")]
mod send;
#[cfg(target_os = "linux")]
mod serve;
mod setup_runtime;
mod spinner;

use std::process::ExitCode;

use clap::{Parser, Subcommand, ValueEnum};

pub use output::{Failure, Outcome};

/// Settles which order of frees breaks a multi-device runtime.
///
/// freeorder models tt-metal's buffer lifecycle with its published fixes as switches, and watches
/// whether every allocation is freed exactly once, by its owner, whatever the order.
#[derive(Debug, Parser)]
#[command(name = "freeorder", version, max_term_width = 100, arg_required_else_help = true)]
#[command(
    after_help = "Exit codes: 0 done and clean, 1 violation or mismatch found, 2 bad input, \
                        3 limit reached, 4 a bug of freeorder's own, 130 interrupted."
)]
struct Cli {
    #[command(subcommand)]
    verb: Verb,
}

#[derive(Debug, Subcommand)]
enum Verb {
    /// Shows which published fixes keep ALLOC and FREE balanced, under every server.
    Matrix(matrix::Args),
    /// Runs a scenario, or the scenarios of seeds, and reports what the oracles found.
    Run(run::Args),
    /// Reduces a failing scenario to the fewest lines that fail the same way.
    Minimize(minimize::Args),
    /// Searches for an order that fails, and keeps the shortest scenario of each failure.
    Fuzz(fuzz::Args),
    /// Replays what the real allocator or runtime did, and compares every answer.
    Conform(conform::Args),
    /// Finds what is wrong in logs, wire streams, captures and snapshots of the real thing.
    Audit(audit::Args),
    /// Turns the part of such an input around a finding into a scenario that fails the same way.
    Import(import::Args),
    /// Shows where two such inputs part.
    Diff(diff::Args),
    /// Serves real clients in place of the allocation server, and records what they send.
    #[cfg(target_os = "linux")]
    Serve(serve::Args),
    /// Sends what the clients of a scenario send to an allocation server.
    #[cfg(target_os = "linux")]
    Send(send::Args),
    /// Shows real bugs of the past that switches bring back, and how soon a search finds them.
    Defects(defects::Args),
    /// Runs every scenario of a folder and compares the numbers with those recorded in it.
    Regress(regress::Args),
    /// Goes through every order in which the pending steps of a scenario can happen.
    Explore(explore::Args),
    /// Writes a scenario as a script of ttnn, or as a C++ test of tt-metal.
    Export(export::Args),
    /// Writes a scenario as the bytes that a fuzz target reads, and reads such bytes.
    #[cfg(feature = "fuzzing")]
    Encode(encode::Args),
    /// Measures the allocator or the whole model.
    Bench(bench::Args),
    /// Lists what there is: fixes, presets, servers, oracles, scenarios, assumptions.
    List(list::Args),
    /// Prints the JSON schema of a verb's output.
    Schema(schema::Args),
    /// Makes an environment with the real runtime, on a machine without hardware.
    SetupRuntime(setup_runtime::Args),
}

/// How results are printed.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, ValueEnum)]
enum Format {
    /// For people.
    #[default]
    Text,
    /// For programs.
    Json,
}

/// Says on standard error that freeorder itself failed, with what a report needs.
pub fn report_bug(panic: &std::panic::PanicHookInfo<'_>) {
    let command: Vec<String> = std::env::args().collect();
    output::say(&format!(
        "freeorder {} failed: {panic}\n\
         This is a bug of freeorder itself. Please report it with this text and the scenario.\n\
         command: {}\n\
         scenario:\n{}",
        env!("CARGO_PKG_VERSION"),
        command.join(" "),
        output::running()
    ));
}

/// Watches for Ctrl-C, but for a server, which waits for it together with everything else.
fn watch_for_interrupts(verb: &Verb) {
    #[cfg(target_os = "linux")]
    if matches!(verb, Verb::Serve(_)) {
        return;
    }
    // Of a verb that has a runtime running, somebody must be left to clean up behind it.
    #[cfg(target_os = "linux")]
    if matches!(verb, Verb::Conform(_)) {
        interrupt::hear_sigterm();
    }
    let _ = verb;
    if let Err(error) = ctrlc::set_handler(interrupt::interrupt) {
        output::say(&format!("warning: cannot watch for Ctrl-C: {error}"));
    }
}

/// Parses the command line and does what it says.
#[must_use]
pub fn main() -> ExitCode {
    let cli = match Cli::try_parse() {
        Ok(cli) => cli,
        Err(error) => return output::usage(&error),
    };
    watch_for_interrupts(&cli.verb);
    let done = match cli.verb {
        Verb::Matrix(args) => matrix::main(&args),
        Verb::Run(args) => run::main(&args),
        Verb::Minimize(args) => minimize::main(&args),
        Verb::Fuzz(args) => fuzz::main(&args),
        Verb::Conform(args) => conform::main(&args),
        Verb::Audit(args) => audit::main(&args),
        Verb::Import(args) => import::main(&args),
        Verb::Diff(args) => diff::main(&args),
        #[cfg(target_os = "linux")]
        Verb::Serve(args) => serve::main(&args),
        #[cfg(target_os = "linux")]
        Verb::Send(args) => send::main(&args),
        Verb::Defects(args) => defects::main(&args),
        Verb::Regress(args) => regress::main(&args),
        Verb::Explore(args) => explore::main(&args),
        Verb::Export(args) => export::main(&args),
        #[cfg(feature = "fuzzing")]
        Verb::Encode(args) => encode::main(&args),
        Verb::Bench(args) => bench::main(&args),
        Verb::List(args) => list::main(&args),
        Verb::Schema(args) => schema::main(&args),
        Verb::SetupRuntime(args) => setup_runtime::main(&args),
    };
    output::exit_code(done)
}
