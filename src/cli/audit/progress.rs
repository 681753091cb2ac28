//! How far an audit has come, on a terminal.

use std::io::{self, IsTerminal};
use std::path::Path;

use indicatif::{ProgressBar, ProgressDrawTarget, ProgressStyle};

/// Smaller files are done before anybody could read a bar.
const LENGTH_MIN: u64 = 16 << 20;

/// A bar on a terminal, nothing elsewhere.
#[derive(Debug)]
pub struct Progress {
    bar: Option<ProgressBar>,
}

impl Progress {
    pub fn start(path: &Path) -> Self {
        let length = std::fs::metadata(path).map_or(0, |file| file.len());
        if !io::stderr().is_terminal() || length < LENGTH_MIN {
            return Self { bar: None };
        }
        let target = ProgressDrawTarget::stderr_with_hz(10);
        let template = "{elapsed} [{bar:20}] {percent}% {bytes} of {total_bytes}, {bytes_per_sec}";
        let style = ProgressStyle::with_template(template).expect("the template is well formed");
        let bar = ProgressBar::with_draw_target(Some(length), target);
        Self { bar: Some(bar.with_style(style.progress_chars("=> "))) }
    }

    /// Says that so many bytes are done.
    pub fn update(&mut self, bytes: u64) {
        if let Some(bar) = &self.bar {
            bar.set_position(bytes);
        }
    }

    /// Takes the bar away.
    pub fn end(&self) {
        if let Some(bar) = &self.bar {
            bar.finish_and_clear();
        }
    }
}
