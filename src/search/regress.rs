//! A scenario against the numbers that are recorded in it.

use crate::fix::FixSet;
use crate::scenario::{Expectation, Item, Measure, Report, Scenario, ScenarioError, run};
use crate::server::ServerKind;

/// What starts a comment with a number that a document gives and the model does not.
const DISPUTED: &str = "disputed ";

/// A recorded number that the model does not bear out.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Difference {
    /// The line it stands on, from 1.
    pub line: u32,
    /// Under which fixes, as they were written.
    pub fixes: String,
    /// Under which server.
    pub server: ServerKind,
    /// Which number.
    pub measure: Measure,
    /// What is recorded.
    pub recorded: u64,
    /// What the model says; none where the server has no such number.
    pub got: Option<u64>,
    /// Whether the line says that the model disagrees with it, and the model agrees.
    pub disputed: bool,
}

/// What came of checking a scenario.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Checked {
    /// Numbers of `expect` lines.
    pub expected: usize,
    /// Numbers of `# disputed` lines.
    pub disputed: usize,
    /// The numbers that are not borne out, in the order of their lines.
    pub differences: Vec<Difference>,
}

/// A `# disputed` line that does not read as an expectation.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("line {line}: behind `# disputed`: {}; {}", .error.message(), .error.hint())]
pub struct DisputedError {
    /// The line, from 1.
    pub line: u32,
    /// What is wrong with it.
    pub error: ScenarioError,
}

/// Runs a scenario under everything that its lines name and compares the numbers.
///
/// An `expect` line holds what must come out. A comment `# disputed FIXES SERVER: NAME=count` holds
/// what a document says and the model does not: there the two must differ.
///
/// ```
/// use freeorder::{scenario::Scenario, search::regress::check};
/// let text = "freeorder 1\nopen m0 2x4\nalloc b0 on m0 dram 1x2048\nexpect final k2: alloc=7\n";
/// let checked = check(&text.parse::<Scenario>()?)?;
/// assert_eq!((checked.expected, checked.differences[0].got), (1, Some(8)));
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
///
/// # Errors
/// If a `# disputed` line is no expectation.
pub fn check(scenario: &Scenario) -> Result<Checked, DisputedError> {
    let disputed = disputed(scenario)?;
    let expected = scenario.expectations().map(|(line, one)| (line, one, false));
    let mut all: Vec<_> = expected.collect();
    all.extend(disputed.iter().map(|(line, one)| (*line, one, true)));
    all.sort_by_key(|&(line, ..)| line);
    let mut reports = Reports { scenario, made: Vec::new() };
    let mut checked = Checked::default();
    for (line, expectation, disputed) in all {
        let report = reports.under(expectation.fixes, expectation.server);
        for &(measure, recorded) in &expectation.measures {
            *if disputed { &mut checked.disputed } else { &mut checked.expected } += 1;
            let got = report.measure(measure);
            if (got == Some(recorded)) == disputed {
                let (fixes, server) = (expectation.fixes_text.clone(), expectation.server);
                let facts = Difference { line, fixes, server, measure, recorded, got, disputed };
                checked.differences.push(facts);
            }
        }
    }
    Ok(checked)
}

/// The expectations in comments that say so.
fn disputed(scenario: &Scenario) -> Result<Vec<(u32, Expectation)>, DisputedError> {
    let comments = scenario.lines.iter().filter(|line| line.item == Item::Blank);
    let texts = comments.filter_map(|line| {
        let text = line.comment.as_deref()?.trim_start().strip_prefix(DISPUTED)?;
        Some((line.number, text))
    });
    let read = texts.map(|(line, text)| {
        let text = format!("freeorder {}\nexpect {text}\n", crate::scenario::VERSION);
        let parsed: Scenario = text.parse().map_err(|error| DisputedError { line, error })?;
        let (_, expectation) = parsed.expectations().next().expect("its one line is one");
        Ok((line, expectation.clone()))
    });
    read.collect()
}

/// One run for each fixes and server that are named.
struct Reports<'a> {
    scenario: &'a Scenario,
    made: Vec<(FixSet, ServerKind, Report)>,
}

impl Reports<'_> {
    fn under(&mut self, fixes: FixSet, server: ServerKind) -> &Report {
        let known = self.made.iter().position(|&(f, s, _)| (f, s) == (fixes, server));
        let index = known.unwrap_or_else(|| {
            let report = run(self.scenario, fixes, server, 0, &mut ());
            self.made.push((fixes, server, report));
            self.made.len() - 1
        });
        &self.made[index].2
    }
}

/// The text of a scenario with the numbers of its `expect` lines as the model has them; every other
/// byte stays. A number that the server does not have cannot be written, and stays too.
///
/// # Panics
/// If the differences are not those of this text.
#[must_use]
pub fn updated(text: &str, differences: &[Difference]) -> String {
    let mut lines: Vec<String> = text.split_inclusive('\n').map(str::to_owned).collect();
    for difference in differences.iter().filter(|one| !one.disputed) {
        let Some(got) = difference.got else { continue };
        let line = &mut lines[difference.line as usize - 1];
        let name = format!("{}=", difference.measure);
        let old = format!("{name}{}", difference.recorded);
        let at = word(line, &old).expect("the line records the number");
        line.replace_range(at + name.len()..at + old.len(), &got.to_string());
    }
    lines.concat()
}

/// Where a word stands before the comment of a line.
fn word(line: &str, wanted: &str) -> Option<usize> {
    let code = line.split('#').next().unwrap_or_default();
    let mut found = code.match_indices(wanted).map(|(at, _)| at);
    let is_blank = |byte: Option<&u8>| byte.is_none_or(|byte| b" \t\r\n:".contains(byte));
    found.find(|&at| {
        let before = at.checked_sub(1).and_then(|before| code.as_bytes().get(before));
        is_blank(before) && is_blank(code.as_bytes().get(at + wanted.len()))
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    const TEXT: &str = "freeorder 1\r\nopen m0 2x4 # alloc=1\n\
        alloc b0 on m0 dram 1x2048\n\n# disputed final k2: alloc=7\n\
        \texpect final k2:  alloc=1\tfree=8 residue=0 # alloc=1 stays\n\
        expect final shm: leftover_keys=4 alloc=8\nexpect final k2: free=1 residue=10\nexit";

    fn check_text(text: &str) -> Checked {
        check(&text.parse().expect("a scenario")).expect("its comments are right")
    }

    /// The numbers that are wrong are found, those that are right are not.
    #[test]
    fn a_wrong_number_is_reported_with_its_line() {
        let checked = check_text(TEXT);
        assert_eq!((checked.expected, checked.disputed), (7, 1));
        let found: Vec<_> = checked
            .differences
            .iter()
            .map(|one| (one.line, one.measure.name(), one.recorded, one.got))
            .collect();
        let expected = [
            (6, "alloc", 1, Some(8)),
            (7, "leftover_keys", 4, None),
            (8, "free", 1, Some(8)),
            (8, "residue", 10, Some(0)),
        ];
        assert_eq!(found, expected);
    }

    /// A disputed number is right as long as the model disagrees with it.
    #[test]
    fn a_disputed_number_that_the_model_now_gives_is_a_change() {
        let checked =
            check_text(&TEXT.replace("disputed final k2: alloc=7", "disputed final k2: alloc=8"));
        let first = &checked.differences[0];
        assert!(first.disputed && first.line == 5 && first.got == Some(8));
        let wrong = TEXT.replace("disputed final k2: alloc=7", "disputed finl k2: alloc=8");
        let error = check(&wrong.parse().expect("a scenario")).expect_err("no such preset");
        assert!(error.to_string().starts_with("line 5: behind `# disputed`: unknown preset"));
    }

    /// Comments, blanks and line ends are the author's; only the numbers are ours.
    #[test]
    fn updating_changes_the_wrong_numbers_and_nothing_else() {
        let after = updated(TEXT, &check_text(TEXT).differences);
        let by_hand = TEXT
            .replace("k2:  alloc=1\t", "k2:  alloc=8\t")
            .replace("free=1 residue=10", "free=8 residue=0");
        assert_eq!(after, by_hand);
        let left = check_text(&after).differences;
        assert_eq!(left.len(), 1);
        assert_eq!(left[0].got, None);
    }
}
