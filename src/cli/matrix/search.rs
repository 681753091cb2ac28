//! `freeorder matrix --search`: every set of fixes, decided.

use std::fmt::Write as _;
use std::io::{self, IsTerminal};
use std::time::Duration;

use indicatif::{ProgressBar, ProgressDrawTarget, ProgressStyle};
use schemars::JsonSchema;
use serde::Serialize;

use crate::cli::interrupt;
use crate::cli::output::Outcome;
use crate::fix::FIXES;
use crate::search::matrix::Named;
use crate::search::sound::{
    Cube, Effect, Impossible, Minimal, ServerSearch, Verdict, Watch, search,
};
use crate::server::ServerKind;
use crate::violation::OracleName;

/// What `freeorder matrix --search --format json` prints.
#[derive(Clone, Debug, Serialize, JsonSchema)]
pub struct SearchTable {
    /// The version of this form.
    version: u32,
    /// The fixes that a set may have.
    fixes: usize,
    /// The sets: every combination of those, on either baseline.
    sets: u64,
    /// What the search came to under each server.
    servers: Vec<SearchServer>,
}

/// What the search came to under one server.
#[derive(Clone, Debug, Serialize, JsonSchema)]
struct SearchServer {
    /// The server.
    server: String,
    /// Verdicts that were reached by running a set: a scenario each.
    runs: u64,
    /// Verdicts that followed from those, since the sets agree on every switch that was read.
    followed: u64,
    /// The sets under which nothing fails, in any scenario of class lifecycle, that does not fail
    /// under every set.
    passing: u64,
    /// Those from which no fix can be taken.
    minimal: Vec<SearchMinimal>,
    /// What fails under every set in scenarios of class lifecycle.
    impossible: Vec<SearchImpossible>,
    /// Scenarios of class lifecycle that no set passes that passes all shorter ones.
    conflicts: Vec<SearchConflict>,
    /// What each fix does to the verdicts.
    effects: Vec<SearchEffect>,
    /// Each scenario, the shortest first.
    scenarios: Vec<SearchScenario>,
}

/// A set that passes, and from which no fix can be taken.
#[derive(Clone, Debug, Serialize, JsonSchema)]
struct SearchMinimal {
    /// The set.
    fixes: String,
    /// What fails without each of its fixes.
    needs: Vec<SearchNeed>,
}

/// A fix of a minimal set.
#[derive(Clone, Debug, Serialize, JsonSchema)]
struct SearchNeed {
    /// The fix.
    fix: String,
    /// The shortest scenario that fails without it.
    scenario: String,
    /// The oracle that fails first.
    oracle: String,
}

/// An oracle that fails in a scenario under every set.
#[derive(Clone, Debug, Serialize, JsonSchema)]
struct SearchImpossible {
    /// The scenario.
    scenario: String,
    /// The oracle.
    oracle: String,
    /// What it asks.
    property: String,
    /// The smallest scenario in which it fails under every set; null if different orderings fail
    /// under different sets.
    smallest: Option<String>,
}

/// A scenario that no set passes that passes all shorter ones.
#[derive(Clone, Debug, Serialize, JsonSchema)]
struct SearchConflict {
    /// The scenario.
    scenario: String,
    /// The oracles that fail in it under every set that passes those.
    oracles: Vec<String>,
}

/// What a fix does to the verdicts of all sets.
#[derive(Clone, Debug, Serialize, JsonSchema)]
struct SearchEffect {
    /// The fix.
    fix: String,
    /// The shortest scenario that some set passes only with it; null if there is none.
    helps: Option<String>,
    /// The shortest scenario that some set passes only without it; null if there is none.
    harms: Option<String>,
}

/// A scenario under one server.
#[derive(Clone, Debug, Serialize, JsonSchema)]
struct SearchScenario {
    /// Its name.
    scenario: String,
    /// Whose affair its failure is.
    class: String,
    /// In how many orderings, as a decimal number; null if that depends on what threads meet.
    orderings: Option<String>,
    /// The sets that were run.
    runs: u64,
    /// The sets under which nothing else fails than what fails under every set.
    passing: u64,
    /// The oracles that fail under every set.
    always: Vec<String>,
}

/// Searches under each server; the table, and whether it was interrupted or met a limit.
pub fn table(scenarios: &[Named], servers: &[ServerKind]) -> (SearchTable, Outcome) {
    interrupt::ends_by_itself();
    let progress = Progress::start((scenarios.len() * servers.len()) as u64);
    let watch = Watch {
        interrupted: &interrupt::was_asked,
        progress: &|verdict, server| progress.update(verdict, server),
    };
    let mut found = Vec::new();
    let mut outcome = Outcome::Clean;
    for &server in servers {
        match search(scenarios, server, watch) {
            Ok(one) => found.push(SearchServer::from(&one)),
            Err(_) if interrupt::was_asked() => outcome = Outcome::Interrupted,
            Err(undecided) => {
                progress.say(&format!(
                    "under {server}, {undecided}; it has too many states to look at all of them"
                ));
                outcome = Outcome::Limited;
            }
        }
    }
    progress.end();
    let sets = Cube::ALL.count();
    (SearchTable { version: 1, fixes: FIXES.len(), sets, servers: found }, outcome)
}

/// A bar on a terminal, nothing elsewhere.
struct Progress(Option<ProgressBar>);

impl Progress {
    fn start(length: u64) -> Self {
        let target = ProgressDrawTarget::stderr_with_hz(10);
        let style = ProgressStyle::with_template("{elapsed} [{bar:20}] {pos} of {len} {msg}");
        let style = style.expect("the template is well formed").progress_chars("=> ");
        Self(io::stderr().is_terminal().then(|| {
            let bar = ProgressBar::with_draw_target(Some(length), target).with_style(style);
            // One scenario can take long; that time goes on shows that it is looked at.
            bar.enable_steady_tick(Duration::from_secs(1));
            bar
        }))
    }

    fn update(&self, verdict: &Verdict, server: ServerKind) {
        if let Some(bar) = &self.0 {
            bar.set_message(format!("{server}: {} after {} runs", verdict.name, verdict.runs));
            bar.inc(1);
        }
    }

    fn say(&self, line: &str) {
        match &self.0 {
            Some(bar) => bar.suspend(|| eprintln!("{line}")),
            None => eprintln!("{line}"),
        }
    }

    fn end(&self) {
        if let Some(bar) = &self.0 {
            bar.finish_and_clear();
        }
    }
}

impl From<&ServerSearch> for SearchServer {
    fn from(found: &ServerSearch) -> Self {
        Self {
            server: found.server.name().to_owned(),
            runs: found.runs(),
            followed: found.followed(),
            passing: found.passing.count(),
            minimal: found.minimal.iter().map(SearchMinimal::from).collect(),
            impossible: found.impossible.iter().map(SearchImpossible::from).collect(),
            conflicts: found.conflicts.iter().map(SearchConflict::from).collect(),
            effects: found.effects.iter().map(SearchEffect::from).collect(),
            scenarios: found.verdicts.iter().map(SearchScenario::from).collect(),
        }
    }
}

impl From<&Minimal> for SearchMinimal {
    fn from(minimal: &Minimal) -> Self {
        let needs = minimal.needs.iter().map(|need| SearchNeed {
            fix: need.fix.name().to_owned(),
            scenario: need.scenario.clone(),
            oracle: need.oracle.name().to_owned(),
        });
        Self { fixes: minimal.fixes.to_string(), needs: needs.collect() }
    }
}

impl From<&Impossible> for SearchImpossible {
    fn from(one: &Impossible) -> Self {
        Self {
            scenario: one.scenario.clone(),
            oracle: one.oracle.name().to_owned(),
            property: one.oracle.asks().to_owned(),
            smallest: one.smallest.as_ref().map(|case| case.scenario().to_string()),
        }
    }
}

impl From<&(String, Vec<OracleName>)> for SearchConflict {
    fn from((scenario, oracles): &(String, Vec<OracleName>)) -> Self {
        let oracles = oracles.iter().map(|oracle| oracle.name().to_owned());
        Self { scenario: scenario.clone(), oracles: oracles.collect() }
    }
}

impl From<&Effect> for SearchEffect {
    fn from(effect: &Effect) -> Self {
        let Effect { fix, helps, harms } = effect.clone();
        Self { fix: fix.name().to_owned(), helps, harms }
    }
}

impl From<&Verdict> for SearchScenario {
    fn from(verdict: &Verdict) -> Self {
        Self {
            scenario: verdict.name.clone(),
            class: verdict.class.name().to_owned(),
            orderings: verdict.orderings.clone(),
            runs: verdict.runs,
            passing: verdict.passing.count(),
            always: verdict.always.iter().map(|oracle| oracle.name().to_owned()).collect(),
        }
    }
}

impl SearchTable {
    /// For a terminal.
    pub fn text(&self) -> String {
        let mut out = format!(
            "{} sets: {} fixes in every combination, on either baseline.\n",
            self.sets, self.fixes
        );
        for server in &self.servers {
            server.text(&mut out);
        }
        out
    }

    /// For a page.
    pub fn markdown(&self) -> String {
        let mut out = String::new();
        for server in &self.servers {
            server.markdown(&mut out);
        }
        out
    }
}

impl SearchServer {
    fn text(&self, out: &mut String) {
        let Self { server, runs, followed, passing, .. } = self;
        let _ = writeln!(out, "\n{server}: {runs} runs, from which {followed} verdicts followed");
        let _ = writeln!(out, "{passing} sets pass; the minimal ones among them:");
        for minimal in &self.minimal {
            let _ = writeln!(out, "  {}", minimal.fixes);
            for SearchNeed { fix, scenario, oracle } in &minimal.needs {
                let _ = writeln!(out, "    without {fix}: {oracle} in {scenario}");
            }
        }
        for one in &self.impossible {
            let SearchImpossible { scenario, oracle, property, .. } = one;
            let _ = writeln!(out, "{scenario}: {oracle} fails under every set\n  ({property}):");
            for line in one.lines() {
                let _ = writeln!(out, "    {line}");
            }
        }
        for SearchConflict { scenario, oracles } in &self.conflicts {
            let oracles = oracles.join(", ");
            let _ = writeln!(out, "no set passes {scenario} and all shorter ones: {oracles}");
        }
        for one in self.scenarios.iter().filter(|one| one.class != "lifecycle") {
            let _ = writeln!(out, "{} {}: {}", one.class, one.scenario, one.words());
        }
        for effect in &self.effects {
            let _ = writeln!(out, "{}: {}", effect.fix, effect.words());
        }
    }

    fn markdown(&self, out: &mut String) {
        let Self { server, passing, .. } = self;
        for minimal in &self.minimal {
            let _ = writeln!(out, "`{}` is minimal under {server}:\n", minimal.fixes);
            let _ = writeln!(out, "| without | fails | in |\n|---|---|---|");
            for SearchNeed { fix, scenario, oracle } in &minimal.needs {
                let _ = writeln!(out, "| {fix} | {oracle} | {scenario} |");
            }
            out.push('\n');
        }
        let _ = writeln!(out, "{passing} sets pass under {server}.");
        for SearchConflict { scenario, oracles } in &self.conflicts {
            let oracles = oracles.join(", ");
            let _ = writeln!(out, "None of them passes {scenario} too: {oracles}.");
        }
        out.push('\n');
    }
}

impl SearchImpossible {
    /// The smallest scenario, without its head.
    fn lines(&self) -> impl Iterator<Item = &str> {
        let text = self.smallest.as_deref().unwrap_or_default();
        text.lines().skip(1).filter(|line| !line.is_empty())
    }
}

impl SearchScenario {
    fn words(&self) -> String {
        let always = self.always.join(", ");
        match self.always.is_empty() {
            true => format!("{} sets pass", self.passing),
            false => format!("{always} under every set; nothing else under {}", self.passing),
        }
    }
}

impl SearchEffect {
    fn words(&self) -> String {
        match (&self.helps, &self.harms) {
            (None, None) => "no scenario hangs on it".to_owned(),
            (Some(helps), None) => format!("helps in {helps}, harms nowhere"),
            (None, Some(harms)) => format!("helps nowhere, harms in {harms}"),
            (Some(helps), Some(harms)) => format!("helps in {helps}, harms in {harms}"),
        }
    }
}
