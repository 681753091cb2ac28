//! What a search is after: a failure, under a set of fixes and a server.

use super::causes::Causes;
use super::enumerate::Limits;
use super::optimum::optimum;
use super::replay::{Replayer, Turn};
use crate::fix::FixSet;
use crate::op::Name;
use crate::scenario::Case;
use crate::server::ServerKind;
use crate::violation::{OracleName, ViolationClass};

/// A failure that is kept while a case changes.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Failure {
    /// A violation of this class.
    Class(ViolationClass),
    /// Any violation that this oracle reports.
    Oracle(OracleName),
    /// This oracle reports something that it does not report under these other fixes.
    Difference(OracleName, FixSet),
}

impl Failure {
    /// Whether one of the classes is the failure, the other fixes left aside.
    #[must_use]
    pub fn is_among(self, classes: &[ViolationClass]) -> bool {
        match self {
            Self::Class(wanted) => classes.contains(&wanted),
            Self::Oracle(wanted) | Self::Difference(wanted, _) => {
                classes.iter().any(|class| class.oracle == wanted)
            }
        }
    }

    /// The fixes under which it must not be seen, if it is a difference.
    #[must_use]
    pub fn without(self) -> Option<FixSet> {
        match self {
            Self::Class(_) | Self::Oracle(_) => None,
            Self::Difference(_, fixes) => Some(fixes),
        }
    }
}

/// A failure, and under what it is looked for.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct Aim {
    /// The fixes.
    pub fixes: FixSet,
    /// The server.
    pub server: ServerKind,
    /// The failure.
    pub failure: Failure,
}

/// An aim, and the causes that what fails must not meet.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct Hunted {
    /// What is looked for.
    pub aim: Aim,
    /// What would be another failure that only looks the same.
    pub foreign: Causes,
}

impl From<Aim> for Hunted {
    /// The failure, for whatever cause.
    fn from(aim: Aim) -> Self {
        Self { aim, foreign: Causes::NONE }
    }
}

/// Something that a case can be tried on: the model, or a real runtime.
pub trait Subject {
    /// After how many operations or steps the failure is seen; one more than there are if only the
    /// end shows it, and none if nothing does.
    fn fails(&mut self, case: &Case) -> Option<usize>;

    /// The names that the failure of the case is about, as far as the subject knows them.
    fn involved(&mut self, case: &Case) -> Vec<Name> {
        case.ops.last().map(|(_, op)| op.names()).unwrap_or_default()
    }

    /// The causes that a case meets in its first so many operations or steps, as far as the subject
    /// knows: a reduction brings in no other.
    fn causes(&mut self, case: &Case, steps: usize) -> Causes {
        let _ = (case, steps);
        Causes::NONE
    }

    /// The turns that are taken when the case is run, each with the operation it belongs to, by its
    /// place in the case; empty if the subject cannot say.
    fn turns(&mut self, case: &Case) -> Vec<Turn>;

    /// A case in the words of the input that fails as well and is shorter than the result, or as
    /// long with sizes that sum up to less, if one is met within the limits; none if the subject
    /// cannot enumerate.
    fn better(&mut self, input: &Case, result: &Case, limits: Limits) -> Option<Case> {
        let _ = (input, result, limits);
        None
    }
}

/// The model as a subject.
///
/// ```
/// use freeorder::{fix::Preset, scenario::{Case, Scenario}, server::ServerKind};
/// use freeorder::violation::OracleName;
/// use freeorder::search::aim::{Aim, Failure, Model, Subject};
/// let text = "freeorder 1\nopen m0 2x4\nalloc b0 on m0 dram 1x2048\nview b1 of b0\ndrop b1\n";
/// let failure = Failure::Oracle(OracleName::DuplicateAllocation);
/// let aim = Aim { fixes: Preset::Before.fixes(), server: ServerKind::K1, failure };
/// assert_eq!(Model::new(aim).fails(&Case::of(&text.parse::<Scenario>()?)), Some(2));
/// # Ok::<(), freeorder::scenario::ScenarioError>(())
/// ```
#[derive(Clone, Debug)]
pub struct Model {
    aim: Aim,
    replayer: Replayer,
    other: Option<Replayer>,
    keeps_causes: bool,
}

impl Model {
    /// The model under the fixes and the server of the aim.
    #[must_use]
    pub fn new(aim: Aim) -> Self {
        Self {
            aim,
            replayer: Replayer::new(aim.fixes, aim.server),
            other: aim.failure.without().map(|fixes| Replayer::new(fixes, aim.server)),
            keeps_causes: false,
        }
    }

    /// The same model, on which a reduction meets no cause that its input does not meet until it
    /// fails: what is found must fail for the same reason, and not only in the same class, of which
    /// something shorter may fail.
    #[must_use]
    pub fn keeping_causes(self) -> Self {
        Self { keeps_causes: true, ..self }
    }

    /// What a reduction of a case looks for.
    pub fn hunted(&mut self, case: &Case) -> Hunted {
        if !self.keeps_causes {
            return self.aim.into();
        }
        let met = self.fails(case).map(|steps| self.causes(case, steps));
        let foreign = met.map_or(Causes::NONE, |met| Causes::ALL.without(met));
        Hunted { aim: self.aim, foreign }
    }

    /// What it is after.
    #[must_use]
    pub fn aim(&self) -> Aim {
        self.aim
    }

    /// The same model with another aim: memory is kept where it can be.
    pub fn set_aim(&mut self, aim: Aim) {
        if aim.fixes == self.aim.fixes && aim.server == self.aim.server {
            self.aim = aim;
            self.other = aim.failure.without().map(|fixes| Replayer::new(fixes, aim.server));
        } else {
            *self = Self { keeps_causes: self.keeps_causes, ..Self::new(aim) };
        }
    }
}

impl Subject for Model {
    fn fails(&mut self, case: &Case) -> Option<usize> {
        let failure = self.aim.failure;
        let steps = self.replayer.first(case, |classes| failure.is_among(classes))?;
        if let Some(other) = &mut self.other {
            // Compared up to the same place, and with both brought to an end.
            let mut cut = case.clone();
            if !cut.is_stepped() {
                cut.ops.truncate(steps);
            }
            if failure.is_among(other.classes(&cut)) {
                return None;
            }
        }
        Some(steps)
    }

    fn involved(&mut self, case: &Case) -> Vec<Name> {
        self.fails(case);
        let firsts = self.replayer.simulation().oracles().findings().firsts();
        let failure = self.aim.failure;
        let first = firsts.iter().find(|violation| failure.is_among(&[violation.class()]));
        let objects = first.into_iter().flat_map(|violation| [violation.by, violation.other]);
        let named = objects.flatten().filter_map(|object| object.origin.name());
        let mut names: Vec<Name> = named.collect();
        names.extend(case.ops.last().map(|(_, op)| op.names()).unwrap_or_default());
        names
    }

    fn causes(&mut self, case: &Case, steps: usize) -> Causes {
        if self.keeps_causes { self.replayer.causes(case, steps) } else { Causes::NONE }
    }

    fn turns(&mut self, case: &Case) -> Vec<Turn> {
        self.replayer.turns(case)
    }

    fn better(&mut self, input: &Case, result: &Case, limits: Limits) -> Option<Case> {
        let hunted = self.hunted(input);
        optimum(input, result, hunted, limits).better
    }
}
