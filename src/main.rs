//! The `freeorder` command.

use std::process::ExitCode;

fn main() -> ExitCode {
    std::panic::set_hook(Box::new(|panic| {
        freeorder::cli::report_bug(panic);
        std::process::exit(4);
    }));
    freeorder::cli::main()
}
