//! `freeorder serve`: an allocation server for real clients.

mod console;
mod printer;
mod report;

use std::path::PathBuf;
use std::time::Duration;

use super::Format;
use super::audit::records;
use super::output::{self, Failure, Outcome};
use crate::allocator::Machine;
use crate::serve::{Config, DEFAULT_SOCKET, Semantics, ServeError, serve};
use console::Console;
pub use report::ServeReport;

/// More readers than this are there if somebody asks for them.
const READERS_MAX: usize = 4;

#[derive(Debug, clap::Args)]
pub struct Args {
    /// The socket that clients look for
    #[arg(long, value_name = "PATH", default_value = DEFAULT_SOCKET)]
    socket: PathBuf,
    /// How the books are kept: k1, k2, or strict, which is k2 for each process and memory
    #[arg(long, value_name = "SERVER", default_value_t)]
    server: Semantics,
    /// Keep every message in a new file, which `freeorder audit` reads
    #[arg(long, value_name = "FILE")]
    record: Option<PathBuf>,
    /// The bytes of a record: 72, 112, 128 or 144; else each connection is looked at
    #[arg(long, value_name = "BYTES", value_parser = records)]
    wire: Option<usize>,
    /// Which devices clients are told of: N150, N300, T3K, Galaxy, P150 or 8xP150; else none
    #[arg(long, value_name = "MACHINE", value_parser = machine)]
    machine: Option<Machine>,
    /// Seconds between looks for dead processes; 0 is never
    #[arg(long, value_name = "SECONDS", default_value_t = 3)]
    reap: u16,
    /// Seconds between statistics, where there is no terminal for a table; 0 is never
    #[arg(long, value_name = "SECONDS", default_value_t = 10)]
    stats: u16,
    /// Print each message, as the server of that kind does
    #[arg(long)]
    log: bool,
    /// Threads that read; else one for each processor, at most 4; with --log it is one
    #[arg(long, value_name = "N", value_parser = clap::value_parser!(u8).range(1..=64))]
    readers: Option<u8>,
    /// Refuse to keep more live buffers, circular buffers and kernels than this together
    #[arg(long, value_name = "N", default_value_t = 1 << 24)]
    #[arg(value_parser = clap::value_parser!(u32).range(1..))]
    live_max: u32,
    /// How the summary is printed
    #[arg(long, value_enum, default_value_t)]
    format: Format,
}

fn machine(text: &str) -> Result<Machine, String> {
    Machine::from_name(text).ok_or_else(|| {
        let names = Machine::ALL.into_iter().map(Machine::name);
        format!("unknown machine `{text}`; {}", crate::suggest::hint(text, names))
    })
}

/// As many as can run at once: more than some only wait for the books, or for a processor.
fn readers() -> usize {
    std::thread::available_parallelism().map_or(1, |count| count.get().min(READERS_MAX))
}

impl From<ServeError> for Failure {
    fn from(error: ServeError) -> Self {
        Self::input(error.to_string())
    }
}

pub fn main(args: &Args) -> Result<Outcome, Failure> {
    output::now_running(&format!("serve {}", args.socket.display()));
    let seconds = |count: u16| (count > 0).then(|| Duration::from_secs(count.into()));
    let config = Config {
        socket: args.socket.clone(),
        semantics: args.server,
        record: args.record.clone(),
        record_size: args.wire,
        machine: args.machine,
        reap_every: seconds(args.reap),
        live_max: args.live_max as usize,
        log: args.log,
        readers: args.readers.map_or_else(readers, usize::from),
    };
    let mut console = Console::new(&config, args.format, seconds(args.stats));
    let (table, counts) = serve(&config, &mut console)?;
    let report = ServeReport::new(args.server, &table, counts);
    console.end(&report)?;
    Ok(if report.found() { Outcome::Found } else { Outcome::Clean })
}
