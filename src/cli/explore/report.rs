//! What an exploration came to, for programs and for people.

use std::fmt::Write as _;

use schemars::JsonSchema;
use serde::Serialize;

use crate::cli::output::Failure;
use crate::scenario::{Case, Item, Line, Scenario};
use crate::search::explore::{Certificate, Counterexample, Exploration, Options};

/// A class of violation with an ordering that leads to it.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, JsonSchema)]
pub struct ExploreViolation {
    /// Its class, as reports print it.
    pub class: String,
    /// Its kind: the oracle.
    pub kind: String,
    /// After how many operations or turns it is seen; one more than there are if only the last
    /// checkpoint shows it.
    pub steps: usize,
    /// Whether no ordering shows it sooner; if not, that is not known.
    pub shortest: bool,
    /// The ordering up to there, as a scenario.
    pub ordering: String,
    /// The same, reduced; null if it was not.
    pub minimized: Option<String>,
    /// Operations of the scenario that is left.
    pub operations: usize,
    /// Where that was saved.
    pub file: Option<String>,
}

/// The result of `explore`.
#[derive(Clone, Debug, PartialEq, Serialize, JsonSchema)]
pub struct ExploreReport {
    /// The version of this form.
    pub version: u32,
    /// The fixes.
    pub fixes: String,
    /// The server.
    pub server: String,
    /// What was taken once for all that is like it: none, symmetry, order or all.
    pub reduce: String,
    /// How many steps of the scenario could change places; 0 if it has no block.
    pub steps: usize,
    /// How many orderings were covered, as a decimal number.
    pub orderings: String,
    /// How many states were looked at.
    pub states: u64,
    /// How many steps were taken between them.
    pub transitions: u64,
    /// In how many states an ordering ends.
    pub ends: u64,
    /// The bytes that remembering the states took.
    pub memory_bytes: u64,
    /// The bound on preemptions at which it ended; null if there was none.
    pub preemptions: Option<u32>,
    /// Which limit ended it: states, memory, time or interrupted; null if it came to its end.
    pub stopped: Option<String>,
    /// The violations, the shortest ordering first.
    pub violations: Vec<ExploreViolation>,
    /// The notes of the oracles.
    pub notes: Vec<String>,
    /// The rare situations that were met.
    pub marks: Vec<String>,
    /// How long it took.
    pub seconds: f64,
    /// The certificate of a pass.
    pub certificate: Option<Certificate>,
}

/// The report without its violations.
pub fn of(options: &Options<'_>, result: &Exploration) -> ExploreReport {
    let notes = result.found.iter().filter(|one| one.class.oracle.is_note());
    ExploreReport {
        version: 1,
        fixes: options.fixes.to_string(),
        server: options.server.to_string(),
        reduce: options.reduction.to_string(),
        steps: 0,
        orderings: result.orderings.to_string(),
        states: result.states,
        transitions: result.transitions,
        ends: result.ends,
        memory_bytes: result.bytes,
        preemptions: result.preemptions,
        stopped: result.stopped.map(|stop| stop.name().to_owned()),
        violations: Vec::new(),
        notes: notes.map(|one| one.class.to_string()).collect(),
        marks: result.marks.iter().map(|mark| mark.name().to_owned()).collect(),
        seconds: 0.0,
        certificate: None,
    }
}

/// The scenario of a case, with a comment above it.
pub fn with_head(case: &Case, head: &str) -> Scenario {
    let mut scenario = case.scenario();
    let comment = Some(head.to_owned());
    scenario.lines.insert(0, Line { comment, ..Line::new(Item::Blank) });
    scenario
}

impl ExploreViolation {
    pub fn new(one: &Counterexample, minimized: Option<&Case>, file: Option<String>) -> Self {
        Self {
            class: one.class.to_string(),
            kind: one.class.oracle.to_string(),
            steps: one.steps,
            shortest: one.is_shortest,
            ordering: one.case.scenario().to_string(),
            minimized: minimized.map(|case| case.scenario().to_string()),
            operations: minimized.unwrap_or(&one.case).ops.len(),
            file,
        }
    }

    fn text(&self) -> String {
        let how = if self.shortest { "no ordering shows it sooner" } else { "perhaps sooner" };
        let mut text = format!("\n{}: seen after {} steps; {how}\n", self.class, self.steps);
        for line in self.minimized.as_ref().unwrap_or(&self.ordering).lines() {
            let _ = writeln!(text, "    {line}");
        }
        if let Some(file) = &self.file {
            let _ = writeln!(text, "    # saved as {file}");
        }
        text
    }
}

impl ExploreReport {
    /// The report for people.
    ///
    /// # Errors
    /// If the certificate cannot be printed.
    pub fn text(&self) -> Result<String, Failure> {
        let Self { orderings, states, transitions, fixes, server, .. } = self;
        let bound = match self.preemptions {
            Some(1) => " with at most 1 preemption".to_owned(),
            Some(bound) => format!(" with at most {bound} preemptions"),
            None => String::new(),
        };
        let steps =
            if self.steps > 0 { format!(" of {} steps", self.steps) } else { String::new() };
        let mut text = match &self.stopped {
            None => format!("{orderings} orderings{steps}{bound} under {fixes} and {server}: "),
            Some(stop) => format!(
                "stopped by {stop} after {orderings} orderings{steps}{bound} under {fixes} and \
                 {server}: "
            ),
        };
        let found = match self.violations.len() {
            0 => "no violation".to_owned(),
            1 => "1 violation".to_owned(),
            count => format!("{count} violations"),
        };
        let (seconds, memory) = (self.seconds, self.memory_bytes.div_ceil(1 << 20));
        let _ = writeln!(text, "{found}");
        let _ = writeln!(
            text,
            "{states} states, {transitions} steps between them, {} ends, {memory} MiB, \
             {seconds:.3} s",
            self.ends
        );
        for note in &self.notes {
            let _ = writeln!(text, "note: {note}");
        }
        for violation in &self.violations {
            text += &violation.text();
        }
        if let Some(certificate) = &self.certificate {
            let json = serde_json::to_string_pretty(certificate).map_err(std::io::Error::other)?;
            let _ = writeln!(text, "{json}");
        }
        Ok(text)
    }
}
