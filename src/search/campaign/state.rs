//! `campaign.json`: how far a campaign has come.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};

use super::plan::Plan;
use super::{Campaign, Distinct};
use crate::mark::Mark;
use crate::suggest;
use crate::violation::OracleName;

/// The version of this form.
const VERSION: u32 = 1;

/// How far a campaign has come.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub(super) struct State {
    version: u32,
    freeorder: String,
    fixes: String,
    server: String,
    profile: String,
    order: String,
    pub(super) from: u64,
    to: u64,
    operations: u64,
    marks: BTreeMap<String, u64>,
    notes: BTreeMap<String, u64>,
    pub(super) orderings: Set,
    pub(super) states: Set,
    findings: Vec<Found>,
    pub(super) seconds: f64,
}

/// A set of hashes: how many of its file count, or what is left of them.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub(super) enum Set {
    Counted { count: u64 },
    Estimated { registers: String },
}

/// A finding: its seed says everything else.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
struct Found {
    name: String,
    seed: u64,
    minimized: bool,
}

impl Set {
    fn of(distinct: &Distinct) -> Self {
        match distinct.sketch() {
            Some(sketch) => Self::Estimated { registers: sketch.to_hex() },
            None => Self::Counted { count: distinct.count().count },
        }
    }
}

impl State {
    pub(super) fn of(campaign: &Campaign, seconds: f64) -> Self {
        let Plan { fixes, server, profile, order } = campaign.plan;
        let reached = campaign.marks().filter(|&(_, count)| count > 0);
        let found = campaign.findings().map(|finding| Found {
            name: finding.key().to_string(),
            seed: finding.found.seed,
            minimized: finding.minimized,
        });
        Self {
            version: VERSION,
            freeorder: env!("CARGO_PKG_VERSION").to_owned(),
            fixes: fixes.to_string(),
            server: server.to_string(),
            profile: profile.to_string(),
            order: order.to_string(),
            from: campaign.range.start,
            to: campaign.range.end,
            operations: campaign.operations,
            marks: reached.map(|(mark, count)| (mark.to_string(), count)).collect(),
            notes: campaign.notes().map(|(oracle, count)| (oracle.to_string(), count)).collect(),
            orderings: Set::of(&campaign.orderings),
            states: Set::of(&campaign.states),
            findings: found.collect(),
            seconds,
        }
    }

    /// Reads what [`State::to_json`] wrote; the error says what is wrong.
    pub(super) fn parse(text: &str) -> Result<Self, String> {
        let state: Self =
            serde_json::from_str(text).map_err(|error| suggest::shown(&error.to_string()))?;
        if state.version != VERSION {
            return Err(format!("version {} of its form is not known here", state.version));
        }
        if state.to < state.from {
            return Err(format!("{}..{} is no range of seeds", state.from, state.to));
        }
        Ok(state)
    }

    pub(super) fn to_json(&self) -> String {
        serde_json::to_string_pretty(self).expect("a state has only plain members") + "\n"
    }

    /// What of the plan is not as it was: the name, what it was, what it is.
    pub(super) fn difference(
        &self,
        plan: &Plan,
        start: Option<u64>,
    ) -> Option<(&'static str, String, String)> {
        let start = start.unwrap_or(self.from);
        let pairs = [
            ("freeorder", self.freeorder.clone(), env!("CARGO_PKG_VERSION").to_owned()),
            ("--fixes", self.fixes.clone(), plan.fixes.to_string()),
            ("--server", self.server.clone(), plan.server.to_string()),
            ("--profile", self.profile.clone(), plan.profile.to_string()),
            ("--order", self.order.clone(), plan.order.to_string()),
            ("first seed", self.from.to_string(), start.to_string()),
        ];
        pairs.into_iter().find(|(_, there, here)| there != here)
    }

    /// Gives a campaign the counts.
    pub(super) fn restore(&self, campaign: &mut Campaign) {
        campaign.range = self.from..self.to;
        campaign.operations = self.operations;
        for (index, mark) in Mark::ALL.into_iter().enumerate() {
            campaign.marks.0[index] = self.marks.get(mark.name()).copied().unwrap_or(0);
        }
        for (index, oracle) in OracleName::ALL.into_iter().enumerate() {
            campaign.notes[index] = self.notes.get(oracle.name()).copied().unwrap_or(0);
        }
    }

    /// The findings: name, seed, and whether they were minimised.
    pub(super) fn findings(&self) -> impl Iterator<Item = (&str, u64, bool)> {
        self.findings.iter().map(|found| (found.name.as_str(), found.seed, found.minimized))
    }
}
