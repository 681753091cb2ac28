//! What a verb that nobody can measure says while it runs.

use std::io::{self, IsTerminal};
use std::time::Duration;

use indicatif::{ProgressBar, ProgressDrawTarget, ProgressStyle};

/// How often it moves: fast enough to be seen, and after most runs have ended.
const EVERY: Duration = Duration::from_millis(200);

/// A line on a terminal that shows that work goes on; it goes when this is dropped.
#[derive(Debug)]
pub struct Spinner(Option<ProgressBar>);

impl Spinner {
    /// Shows a line, if standard error is a terminal.
    pub fn start(what: &str) -> Self {
        if !io::stderr().is_terminal() {
            return Self(None);
        }
        let style = ProgressStyle::with_template("{spinner} {elapsed} {msg}");
        let style = style.expect("the template is well formed");
        let target = ProgressDrawTarget::stderr_with_hz(10);
        let bar = ProgressBar::with_draw_target(None, target).with_style(style);
        bar.set_message(what.to_owned());
        bar.enable_steady_tick(EVERY);
        Self(Some(bar))
    }
}

impl Drop for Spinner {
    fn drop(&mut self) {
        if let Some(bar) = &self.0 {
            bar.finish_and_clear();
        }
    }
}
