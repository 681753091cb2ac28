//! Every order in which the pending steps of a scenario can happen.
//!
//! The search goes depth first with undo over the states that the orders lead to, and looks at each
//! once. Three things keep it short: states are merged by the hash of the world, of the oracles and
//! of what is still to come; of interchangeable devices or handles one is taken for all; and of
//! steps that commute one order is taken for all (persistent sets). `docs/explore.md` says what an
//! ordering is, how they are counted, and why nothing is missed.

mod canonical;
mod certificate;
mod driver;
mod family;
mod footprint;
mod hidden;
mod plan;
mod preemptions;
mod shortest;
mod shown;
mod sizes;
mod walk;

pub use certificate::{Certificate, CertificateError, digest};
pub use family::Family;
pub use plan::Plan;
pub use sizes::Sizes;

use std::collections::BTreeSet;
use std::fmt;
use std::str::FromStr;
use std::time::Instant;

use num_bigint::BigUint;

use crate::fix::{FixSet, Switches};
use crate::mark::Mark;
use crate::scenario::{Case, Simulation};
use crate::server::ServerKind;
use crate::suggest;
use crate::violation::{OracleName, ViolationClass};
use walk::{Ended, Walk};

/// What is taken once for all that is like it.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Reduction {
    /// Devices and handles that can be exchanged.
    pub symmetry: bool,
    /// Orders of steps that commute.
    pub order: bool,
}

impl Reduction {
    /// Both.
    pub const ALL: Self = Self { symmetry: true, order: true };
    /// Neither: every order of every step, equal states merged.
    pub const NONE: Self = Self { symmetry: false, order: false };
    const NAMES: [(&'static str, Self); 4] = [
        ("none", Self::NONE),
        ("symmetry", Self { symmetry: true, order: false }),
        ("order", Self { symmetry: false, order: true }),
        ("all", Self::ALL),
    ];
}

impl fmt::Display for Reduction {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let named = Self::NAMES.iter().find(|(_, one)| one == self);
        f.write_str(named.map_or("", |(name, _)| name))
    }
}

impl FromStr for Reduction {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        let named = Self::NAMES.iter().find(|(name, _)| *name == text);
        named.map(|&(_, one)| one).ok_or_else(|| {
            let hint = suggest::hint(text, Self::NAMES.iter().map(|&(name, _)| name));
            format!("unknown reduction `{text}`; {hint}")
        })
    }
}

/// Where an exploration gives up, and who hears of it.
#[derive(Clone, Copy)]
pub struct Limits<'a> {
    /// States that are looked at.
    pub states_max: u64,
    /// Memory for what is remembered of them, in bytes.
    pub memory_max_bytes: u64,
    /// When it stops; none means never.
    pub deadline: Option<Instant>,
    /// Asked now and then: whether to stop.
    pub interrupted: &'a dyn Fn() -> bool,
    /// Told now and then: the states so far.
    pub progress: &'a dyn Fn(u64),
    /// Told of each state that an ordering ends in, before the last checkpoint; of some twice,
    /// where the search has to be made again.
    pub ended: &'a dyn Fn(&Simulation),
}

impl Default for Limits<'_> {
    /// Ten million states in a gigabyte.
    fn default() -> Self {
        Self {
            states_max: 10_000_000,
            memory_max_bytes: 1 << 30,
            deadline: None,
            interrupted: &|| false,
            progress: &|_| (),
            ended: &|_| (),
        }
    }
}

impl fmt::Debug for Limits<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { states_max, memory_max_bytes, deadline, .. } = self;
        f.debug_struct("Limits")
            .field("states_max", states_max)
            .field("memory_max_bytes", memory_max_bytes)
            .field("deadline", deadline)
            .finish_non_exhaustive()
    }
}

/// How a plan is explored.
#[derive(Clone, Copy, Debug)]
pub struct Options<'a> {
    /// The fixes.
    pub fixes: FixSet,
    /// The server.
    pub server: ServerKind,
    /// What is taken once for all.
    pub reduction: Reduction,
    /// How often a chain or thread may be interrupted that has more to do; none means any number.
    pub preemptions_max: Option<u32>,
    /// Where it gives up.
    pub limits: Limits<'a>,
}

impl Options<'_> {
    /// Every ordering, as short as it goes, under the usual limits.
    #[must_use]
    pub fn new(fixes: FixSet, server: ServerKind) -> Self {
        Self {
            fixes,
            server,
            reduction: Reduction::ALL,
            preemptions_max: None,
            limits: Limits::default(),
        }
    }
}

/// Why an exploration ended before its end.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Stop {
    /// So many states were looked at as there may be.
    States,
    /// What is remembered takes as much memory as it may.
    Memory,
    /// Time was up.
    Time,
    /// Somebody asked.
    Interrupted,
}

impl Stop {
    /// In one word.
    #[must_use]
    pub fn name(self) -> &'static str {
        match self {
            Self::States => "states",
            Self::Memory => "memory",
            Self::Time => "time",
            Self::Interrupted => "interrupted",
        }
    }
}

/// A violation that some ordering leads to.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Counterexample {
    /// Its class.
    pub class: ViolationClass,
    /// The ordering up to where it is seen, as a case.
    pub case: Case,
    /// How many operations or turns that is; one more than the whole ordering has if only the last
    /// checkpoint shows it.
    pub steps: usize,
    /// Whether it is known that no ordering shows the class sooner.
    pub is_shortest: bool,
}

/// What an exploration came to.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Exploration {
    /// How many orderings it covers: all within the bounds, unless it was stopped; then those that
    /// it went through to their end.
    pub orderings: BigUint,
    /// The states that were looked at.
    pub states: u64,
    /// The steps that were taken between them.
    pub transitions: u64,
    /// The states at the end of an ordering.
    pub ends: u64,
    /// The bytes that remembering the states took.
    pub bytes: u64,
    /// The rare situations that were met.
    pub marks: BTreeSet<Mark>,
    /// Each class of violation, notes included, with an ordering that leads to it.
    pub found: Vec<Counterexample>,
    /// The bound on preemptions at which it ended.
    pub preemptions: Option<u32>,
    /// Why it ended too early, if it did.
    pub stopped: Option<Stop>,
}

impl Exploration {
    /// The classes that were found, without notes.
    pub fn violations(&self) -> impl Iterator<Item = &Counterexample> {
        self.found.iter().filter(|one| !one.class.oracle.is_note())
    }
}

/// Goes through every ordering of a plan.
///
/// With a bound on preemptions the bounds below it come first, and the search ends with the first
/// one under which something fails.
///
/// ```
/// use freeorder::{fix::Preset, scenario::Scenario, server::ServerKind};
/// use freeorder::search::explore::{Options, Plan, explore};
/// let text = "freeorder 1\nopen m0 2x4\nalloc b0 on m0 dram 1x2048\nview b1 of b0\n\
///             any {\n  drop b0\n  drop b1\n}\n";
/// let plan = Plan::of(&text.parse::<Scenario>()?);
/// let result = explore(&plan, &Options::new(Preset::Before.fixes(), ServerKind::K1));
/// assert_eq!((result.orderings.to_string().as_str(), result.stopped), ("2", None));
/// # Ok::<(), freeorder::scenario::ScenarioError>(())
/// ```
#[must_use]
pub fn explore<'p>(plan: &'p Plan, options: &Options<'p>) -> Exploration {
    let Some(most) = options.preemptions_max else {
        return finish(plan, options, unbounded(plan, options), None);
    };
    let mut bound = 0;
    loop {
        let ended = Walk::new(plan, options, Some(bound)).run();
        let fails = ended.found.keys().any(|class| !class.oracle.is_note());
        if fails || bound == most || ended.stopped.is_some() || !ended.was_bounded {
            return finish(plan, options, ended, Some(bound));
        }
        bound += 1;
    }
}

/// Without a bound; without the reduction by order if that turns out not to be allowed.
fn unbounded(plan: &Plan, options: &Options<'_>) -> Ended {
    let mut ended = Walk::new(plan, options, None).run();
    if ended.stopped.is_some() || !order_matters(&mut ended, plan, options) {
        return ended;
    }
    let reduction = Reduction { order: false, ..options.reduction };
    let mut again = Walk::new(plan, &Options { reduction, ..*options }, None).run();
    // What decided to look again counts as well.
    again.read = again.read.or(ended.read);
    again
}

/// Whether the order of commuting steps can be seen by an oracle that found nothing.
fn order_matters(ended: &mut Ended, plan: &Plan, options: &Options<'_>) -> bool {
    let found = |oracle| ended.found.keys().any(|class| class.oracle == oracle);
    if !ended.was_reduced || !ended.showed_less || found(OracleName::Visibility) {
        return false;
    }
    // Counters that stop at 0 can be right by chance in the one order that was looked at.
    let by_chance = options.server == ServerKind::Shm && !found(OracleName::TrackerTruth);
    if by_chance {
        return true;
    }
    let (can_be, read) = hidden::can_be(plan, options);
    ended.read = ended.read.or(read);
    can_be
}

/// The oracles that fail in some ordering, notes left aside, and the switches that the search
/// depended on: under every set that agrees on them it takes the same course.
///
/// # Errors
/// If it was stopped: why.
pub fn failing(
    plan: &Plan,
    options: &Options<'_>,
) -> Result<(BTreeSet<OracleName>, Switches), Stop> {
    let ended = unbounded(plan, options);
    if let Some(stop) = ended.stopped {
        return Err(stop);
    }
    let failing = ended.found.keys().map(|class| class.oracle);
    Ok((failing.filter(|oracle| !oracle.is_note()).collect(), ended.read))
}

fn finish<'p>(
    plan: &'p Plan,
    options: &Options<'p>,
    ended: Ended,
    bound: Option<u32>,
) -> Exploration {
    let orderings = match plan.orderings() {
        Some(all) if ended.stopped.is_none() && bound.is_none() => all,
        _ => ended.orderings.clone(),
    };
    Exploration {
        orderings,
        states: ended.states,
        transitions: ended.transitions,
        ends: ended.ends,
        bytes: ended.bytes,
        found: shortest::counterexamples(plan, options, &ended, bound),
        marks: ended.marks,
        preemptions: bound,
        stopped: ended.stopped,
    }
}
