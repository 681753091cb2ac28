//! The result of a campaign, for programs and for people.

use std::fmt::Write as _;

use schemars::JsonSchema;
use serde::Serialize;

use crate::search::campaign::{Campaign, Count, Finding, Plan, replay};
use crate::search::matrix::OracleCount;

/// The result of `fuzz`.
#[derive(Clone, Debug, PartialEq, Serialize, JsonSchema)]
pub struct FuzzReport {
    /// The version of this form.
    pub version: u32,
    /// The version of freeorder.
    pub freeorder: String,
    /// The fixes.
    pub fixes: String,
    /// The server.
    pub server: String,
    /// The profile.
    pub profile: String,
    /// How orders were sampled.
    pub order: String,
    /// The seeds that were run, as `--seeds` takes them: the same range gives the same result.
    pub seeds: String,
    /// Whether Ctrl-C ended it.
    pub interrupted: bool,
    /// What failed: one for each kind and role.
    pub findings: Vec<FuzzFinding>,
    /// Different orders of operations and steps that were executed.
    pub orderings: u64,
    /// The relative standard error of that number; null if it is exact.
    pub orderings_error: Option<f64>,
    /// Different states that were reached.
    pub states: u64,
    /// The relative standard error of that number; null if it is exact.
    pub states_error: Option<f64>,
    /// How often each rare situation was reached.
    pub marks: Vec<MarkCount>,
    /// Operations and steps that changed something.
    pub operations: u64,
    /// What the oracles noted; changes no verdict.
    pub notes: Vec<OracleCount>,
    /// How long it took, all runs on the same folder together.
    pub seconds: f64,
    /// Whether an earlier run on the folder is part of it.
    #[serde(skip)]
    pub continued: bool,
}

/// Something that fails.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, JsonSchema)]
pub struct FuzzFinding {
    /// The oracle that reports it.
    pub kind: String,
    /// Who let go; null where nobody did.
    pub role: Option<String>,
    /// How the two buffers of the violation are related.
    pub relation: String,
    /// Operations of the scenario.
    pub operations: usize,
    /// Whether the scenario is minimised.
    pub minimized: bool,
    /// The file of the scenario; null without `--out`.
    pub file: Option<String>,
    /// The lowest seed that shows it; a seed that shows it in the late drop of a dead handle, or
    /// with a second buffer, comes before others.
    pub seed: u64,
    /// Whether an earlier run on the same folder found it.
    pub earlier: bool,
    /// The scenario.
    pub scenario: String,
    /// The command that replays the file; without a file it reads the scenario from its input.
    pub replay: String,
}

/// How often a rare situation was reached.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, JsonSchema)]
pub struct MarkCount {
    /// The situation.
    pub mark: String,
    /// How often.
    pub count: u64,
}

pub fn report(campaign: &Campaign, findings: Vec<FuzzFinding>, seconds: f64) -> FuzzReport {
    let Plan { fixes, server, profile, order } = campaign.plan();
    let range = campaign.range();
    let (orderings, states) = (campaign.orderings(), campaign.states());
    let marks = campaign.marks().map(|(mark, count)| MarkCount { mark: mark.to_string(), count });
    let notes =
        campaign.notes().map(|(oracle, count)| OracleCount { oracle: oracle.to_string(), count });
    FuzzReport {
        version: 1,
        freeorder: env!("CARGO_PKG_VERSION").to_owned(),
        fixes: fixes.to_string(),
        server: server.to_string(),
        profile: profile.to_string(),
        order: order.to_string(),
        seeds: format!("{}..{}", range.start, range.end),
        interrupted: false,
        findings,
        orderings: orderings.count,
        orderings_error: orderings.standard_error,
        states: states.count,
        states_error: states.standard_error,
        marks: marks.collect(),
        operations: campaign.operations(),
        notes: notes.collect(),
        seconds,
        continued: false,
    }
}

impl FuzzReport {
    /// The report for people.
    pub fn text(&self) -> String {
        let mut out = String::new();
        for finding in &self.findings {
            finding.write(&mut out);
        }
        self.write_scope(&mut out);
        out
    }

    /// What was looked at: never that something is correct.
    fn write_scope(&self, out: &mut String) {
        let found = match self.findings.len() {
            0 => "no violation".to_owned(),
            1 => "1 finding".to_owned(),
            many => format!("{many} findings"),
        };
        let found = match self.findings.iter().filter(|finding| finding.earlier).count() {
            0 => found,
            earlier => {
                format!("{found} ({earlier} earlier, {} new)", self.findings.len() - earlier)
            }
        };
        let orderings = Count { count: self.orderings, standard_error: self.orderings_error };
        let states = Count { count: self.states, standard_error: self.states_error };
        let _ = writeln!(
            out,
            "{found} in {} and {} under these limits:",
            counted(orderings, "distinct orderings"),
            counted(states, "distinct states")
        );
        let Self { fixes, server, profile, order, seeds, .. } = self;
        let drawn = format!("--profile {profile} --order {order} --seeds {seeds}");
        let _ = writeln!(out, "  --fixes {fixes} --server {server} {drawn}");
        let rate = self.operations as f64 / self.seconds.max(1e-9) / 1e6;
        let together = if self.continued { ", all runs on the folder together" } else { "" };
        let _ = writeln!(
            out,
            "  {} operations in {:.1} s, {rate:.2} million a second{together}",
            self.operations, self.seconds
        );
        let reached = self.marks.iter().filter(|mark| mark.count > 0);
        let reached: Vec<String> =
            reached.map(|MarkCount { mark, count }| format!("{mark} {count}")).collect();
        let missed = self.marks.iter().filter(|mark| mark.count == 0);
        let missed: Vec<&str> = missed.map(|mark| mark.mark.as_str()).collect();
        let notes = self.notes.iter().map(|note| format!("{} {}", note.oracle, note.count));
        let lists = [
            ("marks", reached.join(", ")),
            ("not reached", missed.join(", ")),
            ("notes", notes.collect::<Vec<_>>().join(", ")),
        ];
        for (name, list) in lists.into_iter().filter(|(_, list)| !list.is_empty()) {
            let _ = writeln!(out, "  {name}: {list}");
        }
        if self.interrupted {
            let _ = writeln!(out, "  interrupted");
        }
    }
}

impl FuzzFinding {
    pub fn new(plan: &Plan, finding: &Finding, file: Option<String>, scenario: String) -> Self {
        let class = finding.found.class;
        Self {
            kind: class.oracle.to_string(),
            role: class.role.map(|role| role.to_string()),
            relation: class.relation.to_string(),
            operations: finding.case.ops.len(),
            minimized: finding.minimized,
            replay: replay(plan, file.as_deref().unwrap_or("/dev/stdin")),
            file,
            seed: finding.found.seed,
            earlier: false,
            scenario,
        }
    }

    fn write(&self, out: &mut String) {
        let Self { kind, relation, seed, operations, .. } = self;
        let role = self.role.as_ref().map_or_else(String::new, |role| format!(" by the {role}"));
        let size = if self.minimized { "" } else { ", not minimised" };
        let when = if self.earlier { ", found earlier" } else { "" };
        let _ = writeln!(
            out,
            "{kind}{role} ({relation}), seed {seed}, {operations} operations{size}{when}"
        );
        match &self.file {
            Some(file) => {
                for line in self.scenario.lines().filter(|line| !line.starts_with('#')) {
                    let _ = writeln!(out, "    {line}");
                }
                let _ = writeln!(out, "  file: {file}");
                let _ = writeln!(out, "  replay: {}", self.replay);
            }
            // To be pasted as it stands: the scenario comes from the command itself.
            None => {
                let _ = writeln!(out, "{} <<'END'\n{}END", self.replay, self.scenario);
            }
        }
        let _ = writeln!(out);
    }
}

fn counted(Count { count, standard_error }: Count, what: &str) -> String {
    match standard_error {
        None => format!("{count} {what}"),
        Some(error) => format!("about {count} {what} (+- {:.2} %)", error * 100.0),
    }
}
