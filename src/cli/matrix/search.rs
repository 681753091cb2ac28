//! `freeorder matrix --search`: every set of fixes, decided.

use std::io::{self, IsTerminal};
use std::time::{Duration, Instant};

use indicatif::{ProgressBar, ProgressDrawTarget, ProgressStyle};

use super::searched::{SearchServer, SearchTable};
use crate::cli::interrupt;
use crate::cli::output::Outcome;
use crate::fix::FIXES;
use crate::search::explore::Stop;
use crate::search::matrix::Named;
use crate::search::sound::{Bounds, SETS, Watch, search};
use crate::server::ServerKind;

/// Where a search gives up.
#[derive(Clone, Copy, Debug)]
pub struct SearchLimits {
    pub states_max: u64,
    pub memory_max_bytes: u64,
    pub duration: Option<Duration>,
}

/// Searches under each server; the table, and whether it was interrupted or met a limit.
pub fn table(
    scenarios: &[Named],
    servers: &[ServerKind],
    limits: SearchLimits,
) -> (SearchTable, Outcome) {
    interrupt::ends_by_itself();
    let progress = Progress::start((scenarios.len() * servers.len()) as u64);
    let SearchLimits { states_max, memory_max_bytes, duration } = limits;
    let deadline = duration.map(|time| Instant::now() + time);
    let interrupted = &interrupt::was_asked;
    let bounds = Bounds { states_max, memory_max_bytes, deadline, interrupted };
    let watch = Watch { bounds, progress: &|name, server| progress.update(name, server) };
    let each = servers.iter().map(|&server| search(scenarios, server, watch));
    let found: Vec<_> = each.collect();
    progress.end();
    let mut met = found.iter().flat_map(|one| &one.undecided).map(|one| one.stop);
    // What was decided before is not all there is, even if every scenario was: a proof may be gone.
    let stopped = bounds.stop().or(met.next_back());
    let outcome = match stopped {
        None => Outcome::Clean,
        Some(Stop::Interrupted) => Outcome::Interrupted,
        Some(Stop::States | Stop::Memory | Stop::Time) => Outcome::Limited,
    };
    let table = SearchTable {
        version: 2,
        fixes: FIXES.len(),
        sets: SETS,
        stopped: stopped.map(|stop| stop.name().to_owned()),
        servers: found.iter().map(SearchServer::from).collect(),
    };
    (table, outcome)
}

/// A bar on a terminal, nothing elsewhere.
struct Progress(Option<ProgressBar>);

impl Progress {
    fn start(length: u64) -> Self {
        let target = ProgressDrawTarget::stderr_with_hz(10);
        // What does not fit on the line is cut off: a line that is broken is not taken away.
        let style = ProgressStyle::with_template("{elapsed} {pos} of {len} {wide_msg}");
        let style = style.expect("the template is well formed");
        Self(io::stderr().is_terminal().then(|| {
            let bar = ProgressBar::with_draw_target(Some(length), target).with_style(style);
            // One scenario can take long; that time goes on shows that it is looked at.
            bar.enable_steady_tick(Duration::from_secs(1));
            bar
        }))
    }

    fn update(&self, name: &str, server: ServerKind) {
        if let Some(bar) = &self.0 {
            bar.set_message(format!("{server}: {name}"));
            bar.inc(1);
        }
    }

    fn end(&self) {
        if let Some(bar) = &self.0 {
            bar.finish_and_clear();
        }
    }
}
