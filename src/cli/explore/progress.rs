//! What an exploration says while it runs.

use std::cell::Cell;
use std::io::{self, IsTerminal};
use std::time::{Duration, Instant};

use indicatif::{ProgressBar, ProgressDrawTarget, ProgressStyle};

use crate::cli::{Format, output};

/// How often a line is printed where there is no terminal.
const LINE_EVERY: Duration = Duration::from_secs(5);

/// A bar on a terminal, a line now and then elsewhere.
#[derive(Debug)]
pub struct Progress {
    shown: Shown,
    started: Instant,
}

#[derive(Debug)]
enum Shown {
    Bar(ProgressBar),
    Lines { last: Cell<Instant> },
    Nothing,
}

impl Progress {
    pub fn start(states_max: u64, format: Format) -> Self {
        let started = Instant::now();
        let shown = match (io::stderr().is_terminal(), format) {
            (true, _) => Shown::Bar(bar(states_max)),
            (false, Format::Text) => Shown::Lines { last: Cell::new(started) },
            (false, Format::Json) => Shown::Nothing,
        };
        Self { shown, started }
    }

    /// Says how many states have been looked at.
    pub fn update(&self, states: u64) {
        let rate = states as f64 / self.started.elapsed().as_secs_f64();
        match &self.shown {
            Shown::Bar(bar) => {
                bar.set_position(states);
                bar.set_message(format!("{states} states, {:.2} M/s", rate / 1e6));
            }
            Shown::Lines { last } if last.get().elapsed() >= LINE_EVERY => {
                last.set(Instant::now());
                let seconds = self.started.elapsed().as_secs();
                let rate = rate / 1e6;
                output::say(&format!("{seconds} s: {states} states, {rate:.2} M/s"));
            }
            Shown::Lines { .. } | Shown::Nothing => {}
        }
    }

    /// Takes the bar away.
    pub fn end(&self) {
        if let Shown::Bar(bar) = &self.shown {
            bar.finish_and_clear();
        }
    }
}

fn bar(states_max: u64) -> ProgressBar {
    let target = ProgressDrawTarget::stderr_with_hz(10);
    // A line that is broken is not taken away: what does not fit is cut off.
    // What is known of the end is the limit alone. No colours, so that there is nothing for
    // NO_COLOR to take away.
    let style = ProgressStyle::with_template("{elapsed} [{bar:10}] of the limit, {wide_msg}");
    let style = style.expect("the template is well formed").progress_chars("=> ");
    ProgressBar::with_draw_target(Some(states_max), target).with_style(style)
}
