//! What the server shows: a table that changes where there is a terminal, lines elsewhere.

use std::fmt::Write as _;
use std::io::{self, IsTerminal};
use std::ops::ControlFlow;
use std::time::{Duration, Instant};

use super::super::Format;
use super::super::output::{self, Failure};
use super::printer::Printer;
use super::report::ServeReport;
use crate::serve::{Audience, Config, Counts, DeviceCounts, Report, Table, books, statistics};

/// What is shown, and when.
pub(super) struct Console<'c> {
    config: &'c Config,
    format: Format,
    /// Draw a table; else print statistics that often.
    draws: bool,
    stats_every: Option<Duration>,
    stats_at: Instant,
    /// Messages when something was shown last.
    shown: Option<u64>,
    shown_at: Instant,
    /// Lines of the table that is on the terminal.
    lines: usize,
    /// The table that was drawn last.
    drawn: String,
    printer: Printer,
    failure: Option<Failure>,
}

impl Audience for Console<'_> {
    /// Shows a report; if that fails, the server has nobody left to serve for.
    fn report(&mut self, report: Report<'_>) -> ControlFlow<()> {
        match report {
            Report::Listening => self.log(&self.listening()),
            Report::Log(text) => self.log(text),
            Report::Warning(text) => {
                self.erase();
                self.printer.say(text.trim_end());
            }
            Report::Tick(table, counts) => self.tick(table, counts),
        }
        self.failure = self.failure.take().or_else(|| self.printer.failure());
        match self.failure {
            None => ControlFlow::Continue(()),
            Some(_) => ControlFlow::Break(()),
        }
    }

    fn is_ready(&self) -> bool {
        self.printer.is_idle()
    }

    fn is_stalled(&self) -> bool {
        self.printer.is_stalled()
    }
}

impl<'c> Console<'c> {
    pub(super) fn new(config: &'c Config, format: Format, stats_every: Option<Duration>) -> Self {
        let now = Instant::now();
        Self {
            config,
            format,
            draws: format == Format::Text && io::stdout().is_terminal(),
            stats_every,
            stats_at: stats_every.map_or(now, |every| now + every),
            shown: None,
            shown_at: now,
            lines: 0,
            drawn: String::new(),
            printer: Printer::new(),
            failure: None,
        }
    }

    /// Prints the summary.
    pub(super) fn end(mut self, report: &ServeReport) -> Result<(), Failure> {
        if let Some(failure) = self.failure.take() {
            return Err(failure);
        }
        self.erase();
        let summary = match self.format {
            Format::Json => output::json(report)?,
            Format::Text => format!("\n\u{1f6d1} Allocation Server stopped\n{}", report.text()),
        };
        self.printer.print(&summary);
        self.printer.finish()
    }

    fn listening(&self) -> String {
        let socket = self.config.socket.display();
        let mut text = format!("\u{1f680} Allocation Server started\n   Listening on: {socket}\n");
        if let Some(path) = &self.config.record {
            let _ = writeln!(text, "   Recording to: {}", path.display());
        }
        text.push_str(books(self.config.semantics));
        text.push_str("   Press Ctrl+C to stop\n");
        text
    }

    /// Prints lines of the log; where the summary is for programs, it has standard output alone.
    fn log(&mut self, text: &str) {
        self.erase();
        match self.format {
            Format::Text => self.printer.print(text),
            Format::Json => self.printer.say(text.trim_end()),
        }
    }

    fn tick(&mut self, table: &Table, counts: &Counts) {
        if self.draws {
            return self.draw(table, counts);
        }
        let now = Instant::now();
        let Some(every) = self.stats_every.filter(|_| self.stats_at <= now) else {
            return;
        };
        self.stats_at = now + every;
        if self.shown.replace(counts.messages) != Some(counts.messages) {
            self.log(&statistics(table));
        }
    }

    fn draw(&mut self, table: &Table, counts: &Counts) {
        let now = Instant::now();
        let seconds = now.duration_since(self.shown_at).as_secs_f64();
        let before = self.shown.replace(counts.messages).unwrap_or(0);
        self.shown_at = now;
        let rate = (counts.messages - before) as f64 / seconds.max(0.001);
        let text = live_table(table, counts, rate);
        if self.lines > 0 && text == self.drawn {
            return;
        }
        self.erase();
        self.lines = text.lines().count();
        self.drawn = text;
        self.printer.print(&self.drawn);
    }

    /// Takes the table off the terminal.
    fn erase(&mut self) {
        match std::mem::take(&mut self.lines) {
            0 => {}
            lines => self.printer.print(&format!("\u{1b}[{lines}A\u{1b}[J")),
        }
    }
}

/// The table: a row for each device that something was said of.
fn live_table(table: &Table, counts: &Counts, rate: f64) -> String {
    let Counts { open, messages, refused, .. } = counts;
    let mut out = format!("{open} clients, {messages} messages, {rate:.0}/s, {refused} refused\n");
    out.push_str(
        "dev  buffers     DRAM       L1 L1_SMALL    TRACE      CBs  kernels  unknown FREE\n",
    );
    let seen = table.devices().filter(|(_, counts)| **counts != DeviceCounts::default());
    for (device, DeviceCounts { live, totals, unknown, .. }) in seen {
        let _ = write!(out, "{:>3} {live:>8}", device.0);
        let sizes = [totals.dram, totals.l1, totals.l1_small, totals.trace];
        for size in sizes.into_iter().chain([totals.circular, totals.kernels]) {
            let _ = write!(out, "{:>9}", binary(size.0));
        }
        let _ = writeln!(out, "{unknown:>14}");
    }
    out
}

/// Bytes with the largest binary unit that leaves something before the point.
fn binary(bytes: u64) -> String {
    let units = ['K', 'M', 'G', 'T', 'P', 'E'];
    let power = bytes.checked_ilog2().unwrap_or(0) / 10;
    match power.checked_sub(1).and_then(|nth| units.get(nth as usize)) {
        None => bytes.to_string(),
        Some(unit) => format!("{:.1}{unit}", bytes as f64 / (1_u64 << (10 * power)) as f64),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::serve::{Item, Semantics};
    use crate::units::{Bytes, DeviceId};

    /// What a terminal shows; a wrapped counter must not break the columns.
    #[test]
    fn the_table_has_a_row_for_each_device_that_is_in_use() {
        let mut table = Table::new(Semantics::K2, 10);
        let item = Item { device: DeviceId(3), process: 7, size: Bytes(12288), ..Item::default() };
        let _ = table.alloc(&item);
        table.circular_free(&item);
        table.free(&Item { device: DeviceId(31), ..item });
        let counts = Counts { open: 2, messages: 3, ..Counts::default() };
        let text = live_table(&table, &counts, 1.5);
        let lines: Vec<&str> = text.lines().collect();
        assert_eq!(lines[0], "2 clients, 3 messages, 2/s, 0 refused");
        let row = "  3        1    12.0K        0        0        0    16.0E        0 ";
        assert!(lines[2].starts_with(row), "{text}");
        assert!(lines[3].starts_with(" 31        0        0"), "{text}");
        assert!(lines[3].ends_with(" 1") && lines.len() == 4, "{text}");
        let widths = [1, 2, 3].map(|nth: usize| lines[nth].len());
        assert_eq!(widths, [80; 3], "{text}");
    }
}
