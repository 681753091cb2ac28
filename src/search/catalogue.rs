//! The catalogue of real bugs of the past: what each file of `corpus/defects` says of its bug.

use super::aim::{Aim, Failure};
use crate::corpus::{self, File};
use crate::fix::{Defect, FixSet};
use crate::generate::Profile;
use crate::scenario::{Case, Expectation, Measure, Scenario};
use crate::server::ServerKind;
use crate::violation::OracleName;

/// A real bug of the past: its shortest reproducer, and what is known of it.
///
/// ```
/// use freeorder::search::catalogue::entries;
/// let entries = entries()?;
/// let entry = entries.iter().find(|entry| entry.name == "extra-owner").expect("it is there");
/// assert_eq!(entry.rows, [41]);
/// assert_eq!(entry.optimum.expect("it is a bug").length, entry.case.ops.len());
/// # Ok::<(), freeorder::search::catalogue::CatalogueError>(())
/// ```
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Entry {
    /// The name of the file.
    pub name: &'static str,
    /// What went wrong.
    pub what: String,
    /// The rows of table F of tt-metal.md that it stands for.
    pub rows: Vec<u8>,
    /// The issues and pull requests that tell of it.
    pub sources: Vec<&'static str>,
    /// The profile of generated cases that is likely to meet it.
    pub profile: Profile,
    /// With the bug.
    pub fixes: FixSet,
    /// Without it.
    pub reference: FixSet,
    /// Under which server the two differ.
    pub server: ServerKind,
    /// Who sees it.
    pub oracle: OracleName,
    /// The reproducer.
    pub case: Case,
    /// How short a reproducer can be; none if this is no bug, and must not be seen by anybody.
    pub optimum: Option<Optimum>,
}

/// How short a reproducer can be, and how that is known.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Optimum {
    /// Operations.
    pub length: usize,
    /// The file of `corpus/alphabets` over which no shorter sequence fails; the operations of the
    /// reproducer belong to the alphabet too.
    pub alphabet: &'static str,
    /// How many shorter sequences there are.
    pub sequences: u64,
}

/// What a file of the catalogue lacks.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("corpus/defects/{name}.scenario: {what}")]
pub struct CatalogueError {
    /// The file.
    pub name: &'static str,
    /// What would be right.
    pub what: String,
}

/// Every entry, in the order of their names.
///
/// # Errors
/// If a file lacks something, which a test excludes.
pub fn entries() -> Result<Vec<Entry>, CatalogueError> {
    corpus::DEFECTS.iter().map(Entry::read).collect()
}

impl Entry {
    /// Reads what a file says.
    fn read(file: &'static File) -> Result<Self, CatalogueError> {
        let lacks = |what: &str| CatalogueError { name: file.name, what: what.to_owned() };
        let scenario: Scenario = file
            .scenario()
            .map_err(|error| CatalogueError { name: file.name, what: error.to_string() })?;
        let fact = |word| comments(file).find_map(|line| line.strip_prefix(word));
        let rows = fact("tt-metal.md ").ok_or_else(|| lacks("a line `# tt-metal.md F, row 1.`"))?;
        let pair = pair(&scenario).ok_or_else(|| {
            lacks(
                "two expectations for one server and oracle, the second one without the bug and 0",
            )
        })?;
        let profile = fact("profile ").map_or(Some(Profile::Lifecycle), Profile::named);
        let profile = profile.ok_or_else(|| lacks("the name of a profile"))?;
        let optimum = fact("optimum ").and_then(Optimum::read);
        if optimum.is_some() != (pair.count > 0) {
            return Err(lacks(OPTIMUM));
        }
        Ok(Self {
            name: file.name,
            what: sentence(file),
            rows: numbers_after(rows, "F, row"),
            sources: comments(file).filter(|line| line.starts_with("https://")).collect(),
            profile,
            fixes: pair.with.fixes,
            reference: pair.without.fixes,
            server: pair.with.server,
            oracle: pair.oracle,
            case: Case::of(&scenario),
            optimum,
        })
    }

    /// What a search for the bug is after.
    #[must_use]
    pub fn aim(&self) -> Aim {
        let failure = Failure::Difference(self.oracle, self.reference);
        Aim { fixes: self.fixes, server: self.server, failure }
    }

    /// The switches that make the difference: those of bugs, then those of fixes, each with a sign.
    #[must_use]
    pub fn switches(&self) -> Vec<String> {
        let (with, without) = (self.fixes, self.reference);
        let defects = with.defects().filter(|&defect| !without.has_defect(defect));
        let defects = defects.map(|defect: Defect| format!("+{}", defect.name()));
        let added =
            with.iter().filter(|&fix| !without.has(fix)).map(|fix| format!("+{}", fix.name()));
        let lacking =
            without.iter().filter(|&fix| !with.has(fix)).map(|fix| format!("-{}", fix.name()));
        defects.chain(added).chain(lacking).collect()
    }
}

impl Optimum {
    /// Reads ``4: no shorter sequence over `core` and these operations fails (5 sequences tried)``.
    fn read(text: &'static str) -> Option<Self> {
        let (length, rest) = text.split_once(": no shorter sequence over `")?;
        let (alphabet, rest) = rest.split_once("` and these operations fails (")?;
        let (sequences, _) = rest.split_once(" sequences tried)")?;
        let (length, sequences) = (length.parse().ok()?, sequences.parse().ok()?);
        Some(Self { length, alphabet, sequences })
    }

    /// The comment that states it.
    #[must_use]
    pub fn line(&self) -> String {
        format!(
            "# optimum {}: no shorter sequence over `{}` and these operations fails ({} sequences \
             tried)",
            self.length, self.alphabet, self.sequences
        )
    }
}

/// The numbers of a line that starts like this; none of another line.
fn numbers_after(line: &str, start: &str) -> Vec<u8> {
    let numbers = line.strip_prefix(start).unwrap_or_default();
    numbers.split(|c: char| !c.is_ascii_digit()).filter_map(|number| number.parse().ok()).collect()
}

/// The comments that stand on lines of their own.
fn comments(file: &'static File) -> impl Iterator<Item = &'static str> {
    file.text.lines().filter_map(|line| line.strip_prefix("# "))
}

/// The comments before the first address, as one text.
fn sentence(file: &'static File) -> String {
    let lines = comments(file).take_while(|line| !line.starts_with("https://"));
    lines.collect::<Vec<_>>().join(" ")
}

/// What a file says of a bug, and does not say of what is none.
const OPTIMUM: &str = "a line `# optimum 3: no shorter sequence over `core` and these operations \
                       fails (100 sequences tried)` if the first expectation is not 0, and none \
                       if it is";

/// The two expectations of a file.
struct Pair<'a> {
    with: &'a Expectation,
    without: &'a Expectation,
    oracle: OracleName,
    count: u64,
}

fn pair(scenario: &Scenario) -> Option<Pair<'_>> {
    let first = |expectation: &Expectation| match expectation.measures[..] {
        [(Measure::Oracle(oracle), count), ..] => Some((oracle, count)),
        _ => None,
    };
    let mut expectations = scenario.expectations().map(|(_, expectation)| expectation);
    let (with, without) = (expectations.next()?, expectations.next()?);
    let (oracle, count) = first(with)?;
    let is_pair = first(without)? == (oracle, 0) && with.server == without.server;
    (is_pair && expectations.next().is_none()).then_some(Pair { with, without, oracle, count })
}
