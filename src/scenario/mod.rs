//! Scenarios: a setup, operations, recorded picks and expected verdicts, as text.
//!
//! A scenario replays without its seed: whatever was drawn is written into it. The text prints and
//! parses exactly, comments included, so that every printed scenario can be pasted back.

mod case;
mod course;
mod error;
mod lex;
mod limits;
mod operations;
mod parse;
mod parts;
mod play;
mod print;
mod readers;
mod run;

pub use case::Case;
pub use course::Course;
pub use error::{Position, ScenarioError};
pub use limits::{PAGE_COUNT_MAX, are_sayable};
pub use operations::{OPERATIONS, OperationForm};
pub use run::{DigestSink, LineSink, Report, Simulation, Totals, digest, run};

use std::fmt;

use crate::fix::FixSet;
use crate::op::{Op, ThreadId};
use crate::runtime::Setup;
use crate::server::ServerKind;
use crate::violation::OracleName;
use crate::world::Action;

/// The version of the text form that this crate reads and writes.
pub const VERSION: u32 = 1;

/// Whose affair the failure of a scenario is.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Class {
    /// The runtime's: some set of fixes should hold.
    #[default]
    Lifecycle,
    /// The surroundings': a late tracker, a restart, a lost message, a killed process.
    Environment,
    /// The application's: a stale address in a cached program, a justified clash.
    Application,
}

impl Class {
    /// Every class.
    pub const ALL: [Self; 3] = [Self::Lifecycle, Self::Environment, Self::Application];

    /// Its name in scenario files.
    #[must_use]
    pub fn name(self) -> &'static str {
        match self {
            Self::Lifecycle => "lifecycle",
            Self::Environment => "environment",
            Self::Application => "application",
        }
    }
}

/// A number of a run that an `expect` line can name.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Measure {
    /// `alloc`: ALLOC messages sent, one a device.
    Alloc,
    /// `free`: FREE messages sent, one a device.
    Free,
    /// `unknown_free`: FREE messages that hit no entry.
    UnknownFree,
    /// `leftover_keys`: entries of the server at the end.
    LeftoverKeys,
    /// `leftover_bytes`: the server's own counters at the end, all devices together.
    LeftoverBytes,
    /// The name of an oracle: its count.
    Oracle(OracleName),
}

impl Measure {
    /// The measures that are not oracles.
    pub const NUMBERS: [Self; 5] =
        [Self::Alloc, Self::Free, Self::UnknownFree, Self::LeftoverKeys, Self::LeftoverBytes];

    /// Its name in `expect` lines.
    #[must_use]
    pub fn name(self) -> &'static str {
        match self {
            Self::Alloc => "alloc",
            Self::Free => "free",
            Self::UnknownFree => "unknown_free",
            Self::LeftoverKeys => "leftover_keys",
            Self::LeftoverBytes => "leftover_bytes",
            Self::Oracle(oracle) => oracle.name(),
        }
    }
}

impl fmt::Display for Measure {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.name())
    }
}

/// `expect FIXES SERVER: NAME=count ...`
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Expectation {
    /// Under which fixes.
    pub fixes: FixSet,
    /// The fixes as they were written, so that the line prints back as it was.
    pub fixes_text: String,
    /// Under which server.
    pub server: ServerKind,
    /// What each named measure must be.
    pub measures: Vec<(Measure, u64)>,
}

/// One line, or one block, of a scenario.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Item {
    /// An empty line, or one that only a comment stands on.
    Blank,
    /// A line of the setup: `machine T3K`, `l1-small 32768`, `trace-region 1048576`,
    /// `l1-base 101152`, `l1-limit 300000`, `core-ranges document`, `tracked off`,
    /// `class environment`. Setup lines come before the first operation.
    Setup(SetupLine),
    /// An operation, of thread `t0` unless it says another: `t1: drop b0`.
    Op(ThreadId, Op),
    /// `repeat N { ... }`: the lines between the braces, N times.
    Repeat(u32, Vec<Line>),
    /// `any { ... }`: operations that could happen in any order, those of a named thread in theirs;
    /// a run takes them as they stand.
    Any(Vec<Line>),
    /// `picks 0 1 0`: which of the ready actions is taken at each step.
    Picks(Vec<u64>),
    /// `schedule t0 t1 t1 old`: whose turn it is at each step.
    Schedule(Vec<Action>),
    /// What must come out.
    Expect(Expectation),
}

/// One fact of the setup.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum SetupLine {
    /// `machine T3K`
    Machine(crate::allocator::Machine),
    /// `l1-small 32768`
    L1Small(crate::units::Bytes),
    /// `trace-region 1048576`
    TraceRegion(crate::units::Bytes),
    /// `l1-base 101152`
    L1Base(crate::units::DeviceAddr),
    /// `l1-limit 300000`
    L1Limit(crate::units::DeviceAddr),
    /// `core-ranges document` or `core-ranges wheel`
    CoreRanges(crate::runtime::circular_buffer::CoreRangeForm),
    /// `tracked off`: the client does not report from the start.
    Tracked(bool),
    /// `class environment`
    Class(Class),
}

/// An item with the comment behind it and the line it stands on.
#[derive(Clone, Debug, Eq)]
pub struct Line {
    /// What stands there.
    pub item: Item,
    /// The text behind `#`, without the `#`, as written.
    pub comment: Option<String>,
    /// Its line in the file, from 1; 0 if it was never in one.
    pub number: u32,
}

impl PartialEq for Line {
    /// Line numbers are not part of what a line says.
    fn eq(&self, other: &Self) -> bool {
        self.item == other.item && self.comment == other.comment
    }
}

impl Line {
    /// A line without a comment.
    #[must_use]
    pub fn new(item: Item) -> Self {
        Self { item, comment: None, number: 0 }
    }
}

/// A scenario, as its text says it.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Scenario {
    /// Everything after the version line.
    pub lines: Vec<Line>,
}

impl Scenario {
    /// A scenario of one thread, from operations.
    #[must_use]
    pub fn from_ops(ops: impl IntoIterator<Item = Op>) -> Self {
        let lines = ops.into_iter().map(|op| Line::new(Item::Op(ThreadId(0), op)));
        Self { lines: lines.collect() }
    }

    /// What it starts from.
    #[must_use]
    pub fn setup(&self) -> Setup {
        let mut setup = Setup::default();
        for line in &self.lines {
            let Item::Setup(fact) = line.item else { continue };
            match fact {
                SetupLine::Machine(machine) => setup.machine = machine,
                SetupLine::L1Small(size) => setup.reserved.l1_small_size = size,
                SetupLine::TraceRegion(size) => setup.reserved.trace_region_size = size,
                SetupLine::L1Base(base) => setup.l1_base = Some(base),
                SetupLine::L1Limit(limit) => setup.l1_limit = Some(limit),
                SetupLine::CoreRanges(form) => setup.core_ranges = form,
                SetupLine::Tracked(on) => setup.tracking = on,
                SetupLine::Class(_) => {}
            }
        }
        setup.settled()
    }

    /// Its class: what it says, or else what its lines make it.
    ///
    /// ```
    /// use freeorder::scenario::{Class, Scenario};
    /// let killed: Scenario = "freeorder 1\nopen m0 1x1\nkill q0\n".parse()?;
    /// let closed: Scenario = "freeorder 1\nopen m0 1x1\nclose m0\n".parse()?;
    /// assert_eq!((killed.class(), closed.class()), (Class::Environment, Class::Lifecycle));
    /// # Ok::<(), freeorder::scenario::ScenarioError>(())
    /// ```
    #[must_use]
    pub fn class(&self) -> Class {
        let mut classes = self.lines.iter().filter_map(|line| match line.item {
            Item::Setup(SetupLine::Class(class)) => Some(class),
            _ => None,
        });
        classes.next_back().unwrap_or_else(|| self.class_of_lines())
    }

    /// The class that its lines make it, whatever it says: the surroundings' if something is done
    /// to its processes, messages or server, or the client starts late; the application's if a
    /// cached program is given stale addresses.
    #[must_use]
    pub fn class_of_lines(&self) -> Class {
        let starts_late = Line::new(Item::Setup(SetupLine::Tracked(false)));
        if self.lines.contains(&starts_late) || self.ops().any(|(_, op)| op.is_of_surroundings()) {
            Class::Environment
        } else if self.ops().any(|(_, op)| matches!(op, Op::Run(run) if run.stale)) {
            Class::Application
        } else {
            Class::Lifecycle
        }
    }

    /// Its operations in file order, repeats unrolled.
    pub fn ops(&self) -> impl Iterator<Item = (ThreadId, &Op)> {
        unrolled(&self.lines)
    }

    /// The picks it records.
    #[must_use]
    pub fn picks(&self) -> Vec<u64> {
        let picks = self.lines.iter().filter_map(|line| match &line.item {
            Item::Picks(picks) => Some(picks),
            _ => None,
        });
        picks.flatten().copied().collect()
    }

    /// The turns that it records.
    #[must_use]
    pub fn schedule(&self) -> Vec<Action> {
        let turns = self.lines.iter().filter_map(|line| match &line.item {
            Item::Schedule(turns) => Some(turns),
            _ => None,
        });
        turns.flatten().copied().collect()
    }

    /// Whether threads take turns; otherwise the lines are executed in file order, each at once.
    #[must_use]
    pub fn is_stepped(&self) -> bool {
        !self.schedule().is_empty() || !self.picks().is_empty()
    }

    /// What it expects.
    pub fn expectations(&self) -> impl Iterator<Item = (u32, &Expectation)> {
        self.lines.iter().filter_map(|line| match &line.item {
            Item::Expect(expectation) => Some((line.number, expectation)),
            _ => None,
        })
    }
}

fn unrolled(lines: &[Line]) -> Box<dyn Iterator<Item = (ThreadId, &Op)> + '_> {
    Box::new(lines.iter().flat_map(|line| -> Box<dyn Iterator<Item = (ThreadId, &Op)> + '_> {
        match &line.item {
            Item::Op(thread, op) => Box::new(std::iter::once((*thread, op))),
            Item::Repeat(count, body) => Box::new((0..*count).flat_map(|_| unrolled(body))),
            Item::Any(body) => Box::new(unrolled(body)),
            Item::Blank | Item::Setup(_) | Item::Picks(_) | Item::Schedule(_) | Item::Expect(_) => {
                Box::new(std::iter::empty())
            }
        }
    }))
}
