//! A failure that a campaign found, and the scenario that shows it.

use std::fmt;

use super::late_drop::LateDrop;
use super::plan::Plan;
use crate::message::Role;
use crate::scenario::Case;
use crate::scenario::{Expectation, Item, Line, Measure, Scenario, run};
use crate::search::aim::{Aim, Failure, Model, Subject};
use crate::search::enumerate::Limits;
use crate::search::minimize::{Minimized, Options, minimize, minimize_by_enumeration};
use crate::violation::{OracleName, Relation, ViolationClass};

/// What makes two findings of a campaign the same: the kind of the violation and who let go.
///
/// ```
/// use freeorder::{message::Role, search::campaign::Key, violation::OracleName};
/// let key = Key { oracle: OracleName::StaleFree, role: Some(Role::Pool) };
/// assert_eq!(key.to_string(), "stale-free-owned-buffer-pool");
/// ```
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Key {
    /// Which question got the wrong answer.
    pub oracle: OracleName,
    /// Who let go.
    pub role: Option<Role>,
}

impl Key {
    /// The key of a class.
    #[must_use]
    pub fn of(class: ViolationClass) -> Self {
        Self { oracle: class.oracle, role: class.role }
    }
}

impl fmt::Display for Key {
    /// Prints a name that any file system takes.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}", self.oracle)?;
        let Some(role) = self.role else { return Ok(()) };
        let safe = |c: char| if c.is_ascii_alphanumeric() { c.to_ascii_lowercase() } else { '-' };
        write!(f, "-{}", role.name().chars().map(safe).collect::<String>())
    }
}

/// A failure that a seed shows.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Found {
    /// The seed.
    pub seed: u64,
    /// What fails.
    pub class: ViolationClass,
    /// Whether it is a stale FREE in the drop of a handle, for the reason that its buffer was
    /// deallocated before.
    pub late_drop: bool,
}

impl Found {
    /// Which failure stands for those with the same key: the lowest. A late drop hides best, and
    /// one that names a second buffer says more than one that does not.
    #[must_use]
    pub fn rank(self) -> impl Ord {
        (!self.late_drop, self.class.relation == Relation::None, self.seed)
    }

    /// What fails as it does.
    pub(super) fn model(self, plan: &Plan) -> Model {
        let failure = Failure::Class(self.class);
        Model::new(Aim { fixes: plan.fixes, server: plan.server, failure })
    }
}

/// A failure, with the case that shows it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Finding {
    /// What failed at which seed.
    pub found: Found,
    /// The case, as drawn or minimised.
    pub case: Case,
    /// Whether the reducer made the case as small as it could in its time.
    pub minimized: bool,
    /// The pairs of its operations whose order matters, as sentences.
    pub necessary_order: Vec<String>,
}

/// States that a proof may look at: it costs milliseconds, and is the same on every machine.
const PROOF_STATES_MAX: u64 = 20_000;

/// What is said of a late drop.
const LATE_DROP: &str = "It fails in the drop of a handle whose buffer was deallocated before.";

/// What stands before a pair of operations whose order matters.
const NECESSARY_ORDER: &str = "Necessary order: ";

impl Finding {
    /// The finding as its seed draws it.
    pub(super) fn drawn(plan: &Plan, found: Found) -> Self {
        let case = plan.case(found.seed);
        Self { found, case, minimized: false, necessary_order: Vec::new() }
    }

    /// The finding as the reducer makes it; none if the case does not fail by itself.
    pub(super) fn reduced(&self, plan: &Plan, mut limits: Options<'_>) -> Option<Self> {
        let mut model = self.found.model(plan);
        let reduced = match self.found.late_drop {
            true => {
                let late = minimize(&self.case, &mut LateDrop(model.clone()), &mut limits).ok()?;
                self.proven(late, model, &mut limits)
            }
            false => self.proof(&self.case, &mut model, &mut limits)?,
        };
        let necessary_order = reduced.inversions.iter().map(ToString::to_string).collect();
        let minimized = reduced.complete;
        Some(Self { case: reduced.case, minimized, necessary_order, ..*self })
    }

    /// The case reduced, with enumeration within its limit.
    fn proof(
        &self,
        case: &Case,
        model: &mut Model,
        options: &mut Options<'_>,
    ) -> Option<Minimized> {
        let limits = Limits { deadline: options.deadline, ..Limits::states(PROOF_STATES_MAX) };
        minimize_by_enumeration(case, model, options, limits).ok()
    }

    /// A late drop, or a shorter one instead, where enumeration finds it within its limit.
    fn proven(&self, reduced: Minimized, mut model: Model, options: &mut Options<'_>) -> Minimized {
        match self.proof(&reduced.case, &mut model, options) {
            Some(proven) if proven.case.ops.len() < reduced.case.ops.len() => {
                let is_late = LateDrop(model).fails(&proven.case).is_some();
                if is_late { proven } else { reduced }
            }
            Some(_) | None => reduced,
        }
    }

    /// The finding as a file that [`Finding::scenario`] wrote shows it; none if it does not fail.
    pub(super) fn read(&self, plan: &Plan, scenario: &Scenario) -> Option<Self> {
        let case = Case::of(scenario);
        let mut model = self.found.model(plan);
        match self.found.late_drop {
            true => LateDrop(model).fails(&case)?,
            false => model.fails(&case)?,
        };
        let comments = scenario.lines.iter().filter_map(|line| line.comment.as_deref());
        let orders = comments.filter_map(|text| text.trim_start().strip_prefix(NECESSARY_ORDER));
        let necessary_order = orders.map(str::to_owned).collect();
        Some(Self { case, minimized: true, necessary_order, ..*self })
    }

    /// What it has in common with the failures that it stands for.
    #[must_use]
    pub fn key(&self) -> Key {
        Key::of(self.found.class)
    }

    /// The scenario: what fails, where it comes from, how to replay the file that it will be in, if
    /// any, the operations, and what must come out.
    #[must_use]
    pub fn scenario(&self, plan: &Plan, file: Option<&str>) -> Scenario {
        let Plan { fixes, server, profile, order } = plan;
        let Found { seed, class, late_drop } = self.found;
        let size = if self.minimized { "Minimised" } else { "Not minimised" };
        let comments = [
            format!("{class}: {}?", class.oracle.asks()),
            format!("{size} from seed {seed} of profile {profile}, order {order}."),
            format!("Found by freeorder {} under {fixes} and {server}.", env!("CARGO_PKG_VERSION")),
        ];
        let late = late_drop.then(|| LATE_DROP.to_owned());
        let replay = file.map(|file| format!("Replay: {}", replay(plan, file)));
        let mut scenario = self.case.scenario();
        let count = run(&scenario, plan.fixes, plan.server, 0, &mut ());
        let measure = Measure::Oracle(class.oracle);
        let expectation = Expectation {
            fixes: plan.fixes,
            fixes_text: plan.fixes.to_string(),
            server: plan.server,
            measures: vec![(measure, count.measure(measure).unwrap_or_default())],
        };
        let orders = self.necessary_order.iter().map(|order| format!("{NECESSARY_ORDER}{order}"));
        let comments = comments.into_iter().chain(late).chain(orders).chain(replay).map(|text| {
            let comment = Some(format!(" {text}"));
            Line { comment, ..Line::new(Item::Blank) }
        });
        let last = [Line::new(Item::Blank), Line::new(Item::Expect(expectation))];
        let body = std::mem::take(&mut scenario.lines);
        scenario.lines.extend(comments.chain([Line::new(Item::Blank)]).chain(body).chain(last));
        scenario
    }
}

/// The command that replays a file, as a shell reads it.
#[must_use]
pub fn replay(plan: &Plan, file: &str) -> String {
    let plain = |c: char| c.is_ascii_alphanumeric() || "/._-+=:,@%".contains(c);
    let quoted = match file.chars().all(plain) && !file.starts_with('-') {
        true => file.to_owned(),
        false if file.starts_with('-') => format!("'./{}'", file.replace('\'', r"'\''")),
        false => format!("'{}'", file.replace('\'', r"'\''")),
    };
    format!("freeorder run {quoted} --fixes {} --server {}", plan.fixes, plan.server)
}
