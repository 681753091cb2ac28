//! What a campaign says while it runs.

use std::io::{self, IsTerminal};
use std::ops::Range;
use std::time::{Duration, Instant};

use indicatif::{ProgressBar, ProgressDrawTarget, ProgressStyle};

use crate::cli::{Format, output};
use crate::search::campaign::{Campaign, Finding};

/// How often a line is printed where there is no terminal.
const LINE_EVERY: Duration = Duration::from_secs(5);

/// What ends a campaign.
#[derive(Clone, Debug)]
pub enum Limit {
    /// The last of these seeds.
    Seeds(Range<u64>),
    /// The clock.
    Time(Duration),
}

/// A bar on a terminal, a line now and then elsewhere.
#[derive(Debug)]
pub struct Progress {
    limit: Limit,
    shown: Shown,
    started: Instant,
    /// Operations of the runs before this one.
    operations: u64,
}

#[derive(Debug)]
enum Shown {
    Bar(ProgressBar),
    Lines { last: Instant },
    Nothing,
}

impl Progress {
    pub fn start(limit: Limit, format: Format, campaign: &Campaign) -> Self {
        let shown = match (io::stderr().is_terminal(), format) {
            (true, _) => Shown::Bar(bar(&limit)),
            (false, Format::Text) => Shown::Lines { last: Instant::now() },
            (false, Format::Json) => Shown::Nothing,
        };
        Self { limit, shown, started: Instant::now(), operations: campaign.operations() }
    }

    /// Says that something was found.
    pub fn found(&self, finding: &Finding) {
        let seed = finding.found.seed;
        let line = format!("found at seed {seed}: {}", finding.found.class);
        match &self.shown {
            Shown::Bar(bar) => bar.println(line),
            Shown::Lines { .. } => output::say(&line),
            Shown::Nothing => {}
        }
    }

    /// Says how far the campaign has come.
    pub fn update(&mut self, campaign: &Campaign) {
        let operations = campaign.operations() - self.operations;
        let rate = operations as f64 / self.started.elapsed().as_secs_f64();
        match &mut self.shown {
            Shown::Bar(bar) => {
                bar.set_position(match &self.limit {
                    Limit::Seeds(seeds) => campaign.range().end - seeds.start,
                    Limit::Time(_) => self.started.elapsed().as_millis() as u64,
                });
                bar.set_message(message(campaign, rate));
            }
            Shown::Lines { last } if last.elapsed() >= LINE_EVERY => {
                *last = Instant::now();
                let seconds = self.started.elapsed().as_secs();
                output::say(&format!("{seconds} s: {}", message(campaign, rate)));
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

fn bar(limit: &Limit) -> ProgressBar {
    let length = match limit {
        Limit::Seeds(seeds) => seeds.end.saturating_sub(seeds.start),
        Limit::Time(time) => time.as_millis() as u64,
    };
    // Ten times a second: drawing must not slow the search down.
    let target = ProgressDrawTarget::stderr_with_hz(10);
    // No colours, so that there is nothing for NO_COLOR to take away.
    let style = ProgressStyle::with_template("{elapsed} [{bar:20}] {percent}% {msg}");
    let style = style.expect("the template is well formed").progress_chars("=> ");
    ProgressBar::with_draw_target(Some(length), target).with_style(style)
}

fn message(campaign: &Campaign, rate: f64) -> String {
    let reached = campaign.marks().filter(|&(_, count)| count > 0).count();
    let all = campaign.marks().count();
    format!(
        "{:.2} M operations/s, {} orderings, {} states, {} findings, {reached} of {all} marks",
        rate / 1e6,
        campaign.orderings().count,
        campaign.states().count,
        campaign.findings().count(),
    )
}
