//! The `freeorder` command.

use std::process::ExitCode;

fn main() -> ExitCode {
    std::panic::set_hook(Box::new(|panic| {
        freeorder::cli::report_bug(panic);
        std::process::exit(4);
    }));
    let interrupted = ctrlc::set_handler(freeorder::cli::interrupt);
    if let Err(error) = interrupted {
        eprintln!("warning: cannot watch for Ctrl-C: {error}");
    }
    freeorder::cli::main()
}
