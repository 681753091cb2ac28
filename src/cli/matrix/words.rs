//! A search of all sets in words.

use std::fmt::Write as _;

use super::searched::{
    SearchBranch, SearchChange, SearchConflict, SearchEffect, SearchGivenUp, SearchImpossible,
    SearchScenario, SearchServer, SearchTable, SearchUndecided,
};

/// How many choices are shown with all that they give up; more than that would hide the first.
const CHOICES_SHOWN: usize = 2;

/// What is said where no scenario asks for a choice.
const NO_LIFECYCLE: &str = "No scenario of class lifecycle was asked: no set is chosen.";

/// How an ordering is shown: its lines, one after the other.
fn ordering(scenario: Option<&str>) -> String {
    let lines = scenario.map(|text| {
        let lines = text.lines().skip(1).filter(|line| !line.is_empty());
        lines.collect::<Vec<_>>().join("; ")
    });
    lines.unwrap_or_else(|| "no ordering was looked for to the end".to_owned())
}

impl SearchTable {
    /// For a terminal.
    pub fn text(&self) -> String {
        let mut out = format!(
            "{} sets: {} fixes in every combination, on either baseline.\n",
            self.sets, self.fixes
        );
        if let Some(stopped) = &self.stopped {
            let _ = writeln!(out, "stopped by {stopped}: what follows is not about everything");
        }
        for server in &self.servers {
            server.text(&mut out, self.sets);
        }
        // What scrolls past is found again at the end.
        let _ = writeln!(out, "\nin short:");
        for server in &self.servers {
            let _ = writeln!(out, "  {}", server.answer());
        }
        out
    }

    /// For a page.
    pub fn markdown(&self) -> String {
        let mut out = String::new();
        for server in &self.servers {
            server.markdown(&mut out, self.sets);
        }
        out
    }
}

impl SearchServer {
    fn text(&self, out: &mut String, sets: u64) {
        let Self { server, runs, followed, proof_runs, .. } = self;
        let _ = writeln!(out, "\n{server}: {runs} runs, from which {followed} verdicts followed");
        let _ = writeln!(out, "{proof_runs} more runs made proofs small");
        for SearchUndecided { scenario, stopped } in &self.undecided {
            let _ = writeln!(out, "not decided, and left out: {scenario} (stopped by {stopped})");
        }
        for one in self.scenarios.iter().filter(|one| !one.whole) {
            let _ = writeln!(out, "asked only whether anything fails: {}", one.scenario);
        }
        for one in &self.impossible {
            let SearchImpossible { scenario, oracle, property, .. } = one;
            let _ = writeln!(out, "{scenario}: {oracle} fails under every set\n  ({property}):");
            let _ = writeln!(out, "  {}", one.words());
        }
        if !self.has_lifecycle() {
            let _ = writeln!(out, "{NO_LIFECYCLE}");
        }
        for (place, branch) in self.choices().enumerate() {
            branch.text(out, place + 1, self.branches.len());
        }
        if let Some(words) = self.others() {
            let _ = writeln!(out, "{words}");
        }
        for effect in &self.effects {
            let _ = writeln!(out, "{}: {}", effect.fix, effect.word(sets));
            for words in effect.changes() {
                let _ = writeln!(out, "  {words}");
            }
        }
        for one in self.scenarios.iter().filter(|one| !one.is_of_lifecycle()) {
            let _ = writeln!(out, "{} {}: {}", one.class, one.scenario, one.always_words());
            for words in one.mended_words() {
                let _ = writeln!(out, "  {words}");
            }
            if let Some(because) = &one.because {
                let _ = writeln!(out, "  # {because}");
            }
        }
    }

    fn markdown(&self, out: &mut String, sets: u64) {
        let server = &self.server;
        let _ = writeln!(out, "### {server}\n");
        for SearchUndecided { scenario, stopped } in &self.undecided {
            let _ = writeln!(out, "Not decided: {scenario} (stopped by {stopped}).\n");
        }
        if !self.has_lifecycle() {
            let _ = writeln!(out, "{NO_LIFECYCLE}\n");
        }
        for (place, branch) in self.choices().enumerate() {
            branch.markdown(out, place + 1, self.branches.len());
        }
        if let Some(words) = self.others() {
            let _ = writeln!(out, "{words}\n");
        }
        let _ = writeln!(out, "What each fix does under {server}:\n");
        let _ = writeln!(out, "| fix | effect | the least that shows it |\n|---|---|---|");
        for effect in &self.effects {
            let (fix, word) = (&effect.fix, effect.word(sets));
            let changes: Vec<String> = effect.changes().collect();
            let _ = writeln!(out, "| {fix} | {word} | {} |", changes.join("<br>"));
        }
        out.push('\n');
        self.markdown_of_classes(out);
    }

    /// The smallest sets of the first choice, and what they cost.
    fn answer(&self) -> String {
        let server = &self.server;
        let Some(first) = self.choices().next() else {
            return format!("{server}: no set is chosen");
        };
        let minimal: Vec<&str> = first.minimal.iter().map(|one| one.fixes.as_str()).collect();
        let minimal = minimal.join(" or ");
        let (given_up, never) = (first.gives_up.len(), self.impossible.len());
        format!(
            "{server}: {minimal}; scenarios in which it gives up something: {given_up}; \
             what no set has: {never}"
        )
    }

    fn has_lifecycle(&self) -> bool {
        self.scenarios.iter().any(SearchScenario::is_of_lifecycle)
    }

    /// The choices that are shown: none where nothing was asked that chooses.
    fn choices(&self) -> impl Iterator<Item = &SearchBranch> {
        self.branches.iter().take(if self.has_lifecycle() { CHOICES_SHOWN } else { 0 })
    }

    /// What is said of the choices that are not shown, if there are any.
    fn others(&self) -> Option<String> {
        let next = self.branches.get(CHOICES_SHOWN)?;
        let (more, least) = (self.branches.len() - CHOICES_SHOWN, next.gives_up.len());
        let cost = format!("gives up something in at least {least} scenarios");
        Some(format!("Each of the {more} other choices {cost}; `--format json` has them."))
    }

    /// What is not the runtime's affair, if anything is.
    fn markdown_of_classes(&self, out: &mut String) {
        let mut others = self.scenarios.iter().filter(|one| !one.is_of_lifecycle()).peekable();
        if others.peek().is_none() {
            return;
        }
        let _ = writeln!(out, "What no set changes, and what some set spares, elsewhere:\n");
        let _ = writeln!(out, "| scenario | under every set | the rest | because |");
        let _ = writeln!(out, "|---|---|---|---|");
        for one in others {
            let SearchScenario { class, scenario, always, because, .. } = one;
            let (always, because) = (always.join(", "), because.as_deref().unwrap_or_default());
            let mended: Vec<String> = one.mended_words().collect();
            let mended = mended.join("<br>");
            let _ = writeln!(out, "| {class}: {scenario} | {always} | {mended} | {because} |");
        }
        out.push('\n');
    }
}

impl SearchBranch {
    fn title(&self, place: usize, of: usize) -> String {
        let Self { passing, gives_up, worst, .. } = self;
        let Some(worst) = worst else {
            return format!("{passing} sets keep all that any set does");
        };
        let scenarios = gives_up.len();
        let sets = format!("{passing} sets, which give up something in {scenarios} scenarios");
        format!("choice {place} of {of}: {sets}, at worst {worst}")
    }

    fn text(&self, out: &mut String, place: usize, of: usize) {
        let _ = writeln!(out, "{}; the minimal ones among them:", self.title(place, of));
        for minimal in &self.minimal {
            let _ = writeln!(out, "  {}", minimal.fixes);
            for need in &minimal.needs {
                let SearchChange { fix, scenario, oracle, proof, .. } = need;
                let ordering = ordering(proof.as_deref());
                let _ = writeln!(out, "    without {fix}: {oracle} in {scenario}: {ordering}");
            }
        }
        for given_up in &self.gives_up {
            let _ = writeln!(out, "  {}", given_up.words());
        }
        if let Some(conflict) = &self.conflict {
            let _ = writeln!(out, "  {}", conflict.words());
        }
    }

    fn markdown(&self, out: &mut String, place: usize, of: usize) {
        let _ = writeln!(out, "{}.\n", self.title(place, of));
        let (reasoned, plain): (Vec<_>, Vec<_>) =
            self.minimal.iter().partition(|minimal| !minimal.needs.is_empty());
        for minimal in reasoned {
            let _ = writeln!(out, "`{}` is minimal among them:\n", minimal.fixes);
            let _ = writeln!(out, "| without | fails | in | ordering |\n|---|---|---|---|");
            for SearchChange { fix, scenario, oracle, proof, .. } in &minimal.needs {
                let ordering = ordering(proof.as_deref());
                let _ = writeln!(out, "| {fix} | {oracle} | {scenario} | `{ordering}` |");
            }
            out.push('\n');
        }
        for minimal in plain {
            let _ = writeln!(out, "- `{}` is minimal among them", minimal.fixes);
        }
        for given_up in &self.gives_up {
            let _ = writeln!(out, "- {}", given_up.words());
        }
        if let Some(conflict) = &self.conflict {
            let _ = writeln!(out, "- {}", conflict.words());
        }
        out.push('\n');
    }
}

impl SearchGivenUp {
    fn words(&self) -> String {
        format!("gives up {} in {}", self.oracles.join(", "), self.scenario)
    }
}

impl SearchConflict {
    fn words(&self) -> String {
        let Self { scenario, oracle, fails, passes, proof } = self;
        let ordering = ordering(proof.as_deref());
        let under = format!("fails under {fails} and not under {passes}");
        format!("conflict: {oracle} in {scenario} {under}: {ordering}")
    }
}

impl SearchImpossible {
    fn words(&self) -> String {
        match &self.smallest {
            Some(_) => ordering(self.smallest.as_deref()),
            None => "in other orderings under other sets".to_owned(),
        }
    }
}

impl SearchScenario {
    fn always_words(&self) -> String {
        match self.always.is_empty() {
            true => format!("nothing fails under every set; {} sets spare all", self.passing),
            false => format!(
                "{} under every set, with no fix and with all; {} sets spare all else",
                self.always.join(", "),
                self.passing
            ),
        }
    }

    fn mended_words(&self) -> impl Iterator<Item = String> {
        self.mended.iter().map(|one| format!("{} spares {}", one.fixes, one.oracles.join(", ")))
    }
}

impl SearchEffect {
    fn word(&self, sets: u64) -> String {
        match self.effect.as_str() {
            "nothing" => {
                format!("changes nothing in anything decided: {} scenarios x {sets} sets", {
                    self.scenarios
                })
            }
            effect => effect.to_owned(),
        }
    }

    fn changes(&self) -> impl Iterator<Item = String> {
        let all = [&self.need, &self.helps, &self.harms].into_iter().flatten();
        all.map(SearchChange::words)
    }
}

impl SearchChange {
    fn words(&self) -> String {
        let Self { scenario, oracle, others, helps, proof, .. } = self;
        let ordering = ordering(proof.as_deref());
        let when = if *helps { "only without it" } else { "only with it" };
        format!("{oracle} in {scenario} {when}, on {others}: {ordering}")
    }
}
