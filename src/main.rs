//! The `freeorder` command.

use std::process::ExitCode;

fn main() -> ExitCode {
    std::panic::set_hook(Box::new(|panic| {
        freeorder::cli::report_bug(panic);
        std::process::exit(4);
    }));
    // Nothing is ever half-written: an interrupted run just ends, with the code shells expect.
    let interrupted = ctrlc::set_handler(|| std::process::exit(130));
    if let Err(error) = interrupted {
        eprintln!("warning: cannot watch for Ctrl-C: {error}");
    }
    freeorder::cli::main()
}
