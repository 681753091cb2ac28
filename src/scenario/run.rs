//! Running a scenario: a world, the oracles that watch it, and whatever else is to see the events.

use std::fmt::Write as _;
use std::io;
use std::sync::Arc;

use super::{Course, Measure, Scenario};
use crate::event::{Event, Observer, Tick};
use crate::fix::{FixSet, Switches};
use crate::journal::{Columns, Tracking};
use crate::message::MessageKind;
use crate::op::Op;
use crate::oracle::{Findings, Oracles};
use crate::runtime::{Runtime, Setup};
use crate::server::ServerKind;
use crate::violation::OracleName;
use crate::world::{Outcome, World};

/// Messages, as the server and its users count them.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Totals {
    /// ALLOC messages sent, one a device.
    pub alloc: u64,
    /// FREE messages sent, one a device.
    pub free: u64,
    /// FREE messages that hit no entry.
    pub unknown_free: u64,
}

impl Observer for Totals {
    #[inline(always)]
    fn observe(&mut self, _: Tick, event: &Event<'_>) {
        match event {
            Event::Sent(message) => {
                let count = u64::from(message.devices.count());
                match message.kind {
                    MessageKind::Alloc => self.alloc += count,
                    MessageKind::Free => self.free += count,
                }
            }
            Event::Answered { missed, .. } if !missed.is_empty() => {
                self.unknown_free += u64::from(missed.count());
            }
            _ => {}
        }
    }
}

/// A world with its oracles: what every search and every replay drives.
///
/// ```
/// use std::sync::Arc;
/// use freeorder::{fix::FixSet, journal::Tracking, runtime::Setup, scenario::Simulation};
/// use freeorder::server::ServerKind;
/// let setup = Arc::new(Setup::default());
/// let (fixes, server) = (FixSet::default(), ServerKind::K2);
/// let mut simulation = Simulation::new(setup, fixes, server, Tracking::NONE, 8);
/// simulation.finish(&mut ());
/// assert!(!simulation.oracles().findings().failed());
/// ```
#[derive(Clone, Debug)]
pub struct Simulation {
    pub(super) world: World,
    oracles: Oracles,
    totals: Totals,
    marks: Vec<Totals>,
    undo: bool,
}

/// What a simulation is to do next.
enum Drive<'a> {
    Op(&'a Op),
    Action(usize),
    End,
}

impl Drive<'_> {
    #[inline(always)]
    fn take<O: Observer>(self, world: &mut World, observer: &mut O) -> Outcome {
        match self {
            Self::Op(op) => world.apply(op, observer),
            Self::Action(index) => world.step(index, observer),
            Self::End => {
                world.checkpoint(true, observer);
                Outcome::default()
            }
        }
    }
}

impl Simulation {
    /// A simulation in which nothing has happened, that keeps so many violations with their facts.
    #[must_use]
    pub fn new(
        setup: Arc<Setup>,
        fixes: FixSet,
        server: ServerKind,
        tracking: Tracking,
        keep_max: usize,
    ) -> Self {
        Self {
            world: World::new(setup, fixes, server, tracking),
            oracles: Oracles::new(tracking, keep_max),
            totals: Totals::default(),
            marks: Vec::new(),
            undo: tracking.undo,
        }
    }

    /// The world.
    #[must_use]
    pub fn world(&self) -> &World {
        &self.world
    }

    /// Gives each thread its operations; see [`World::load`].
    pub fn load(&mut self, programs: Vec<Vec<Op>>) {
        self.world.load(programs);
    }

    /// The switches that decided something since the last reset: under all sets that agree on them
    /// everything so far happens alike.
    #[must_use]
    pub fn read(&self) -> Switches {
        self.world.runtime().read().or(self.world.server().read())
    }

    /// The oracles.
    #[must_use]
    pub fn oracles(&self) -> &Oracles {
        &self.oracles
    }

    /// The messages so far.
    #[must_use]
    pub fn totals(&self) -> Totals {
        self.totals
    }

    /// Forgets everything that happened, keeping the memory.
    pub fn reset(&mut self) {
        self.world.reset();
        self.oracles.reset();
        self.totals = Totals::default();
        self.marks.clear();
    }

    /// Executes a whole operation.
    #[inline]
    pub fn apply<O: Observer>(&mut self, op: &Op, observer: &mut O) -> Outcome {
        self.drive(Drive::Op(op), observer)
    }

    /// The runtime, to be told who calls it and which one it is.
    pub(crate) fn runtime_mut(&mut self) -> &mut Runtime {
        self.world.runtime_mut()
    }

    /// Takes the `index`-th of the actions that are ready.
    ///
    /// # Panics
    /// If fewer are ready.
    pub fn step<O: Observer>(&mut self, index: usize, observer: &mut O) -> Outcome {
        self.drive(Drive::Action(index), observer)
    }

    /// Takes back the last operation or step; false if there is none, or nothing is tracked.
    pub fn undo(&mut self) -> bool {
        let undone = self.world.undo();
        if undone {
            self.oracles.undo();
            self.totals = self.marks.pop().expect("every step leaves a mark");
        }
        undone
    }

    /// Delivers what is unread and makes the last checkpoint.
    pub fn finish<O: Observer>(&mut self, observer: &mut O) {
        self.drive(Drive::End, observer);
    }

    /// The world is compiled twice, however many kinds of observers there are: for none, where
    /// nothing may be lost in a campaign, and for any. Under a coverage-guided fuzzer it is
    /// compiled once: every branch is scanned after every input, even of what is never called.
    #[inline]
    fn drive<O: Observer>(&mut self, drive: Drive<'_>, observer: &mut O) -> Outcome {
        self.mark();
        if cfg!(fuzzing) || observer.watches() {
            self.drive_watched(drive, observer)
        } else {
            self.drive_alone(drive)
        }
    }

    fn drive_alone(&mut self, drive: Drive<'_>) -> Outcome {
        drive.take(&mut self.world, &mut (&mut self.oracles, &mut self.totals))
    }

    fn drive_watched(&mut self, drive: Drive<'_>, observer: &mut dyn Observer) -> Outcome {
        let mut all = (observer, (&mut self.oracles, &mut self.totals));
        drive.take(&mut self.world, &mut all)
    }

    /// A hash of the world and of what the oracles remember of it.
    #[must_use]
    pub fn hash(&self) -> u64 {
        crate::journal::mix(self.world.hash(), self.oracles.hash())
    }

    /// The same, told apart by what each device has, where devices can be exchanged.
    pub fn columns(&self, columns: &mut Columns) {
        self.world.columns(columns);
        self.oracles.columns(columns);
    }

    fn mark(&mut self) {
        if self.undo {
            self.oracles.mark();
            self.marks.push(self.totals);
        }
    }

    /// The numbers of the run.
    #[must_use]
    pub fn report(&self) -> Report {
        let server = self.world.server();
        let keys = server.keys();
        Report {
            totals: self.totals,
            leftover_keys: keys,
            leftover_bytes: server.bytes().iter().fold(0, |sum, &bytes| sum.wrapping_add(bytes)),
            findings: self.oracles.findings().clone(),
            operations: 0,
        }
    }
}

/// The numbers of a finished run.
#[derive(Clone, Debug)]
pub struct Report {
    /// Messages.
    pub totals: Totals,
    /// Entries of the server at the end; none if it has no keys.
    pub leftover_keys: Option<u64>,
    /// The server's own counters at the end, all devices together.
    pub leftover_bytes: u64,
    /// What the oracles said.
    pub findings: Findings,
    /// Lines that changed something.
    pub operations: u64,
}

impl Report {
    /// The value of a measure; none where the server has no such number.
    #[must_use]
    pub fn measure(&self, measure: Measure) -> Option<u64> {
        match measure {
            Measure::Alloc => Some(self.totals.alloc),
            Measure::Free => Some(self.totals.free),
            Measure::UnknownFree => Some(self.totals.unknown_free),
            Measure::LeftoverKeys => self.leftover_keys,
            Measure::LeftoverBytes => Some(self.leftover_bytes),
            Measure::Oracle(oracle) => Some(self.findings.count(oracle)),
        }
    }

    /// The oracles that failed, notes left out.
    pub fn failing(&self) -> impl Iterator<Item = (OracleName, u64)> {
        self.findings.counts().filter(|(oracle, _)| !oracle.is_note())
    }
}

/// Runs a scenario to its end.
///
/// Without a schedule or picks the lines are executed in file order, each at once. With them, the
/// [`Course`] chooses among the actions that are ready.
pub fn run<O: Observer>(
    scenario: &Scenario,
    fixes: FixSet,
    server: ServerKind,
    keep_max: usize,
    observer: &mut O,
) -> Report {
    let setup = Arc::new(scenario.setup());
    let mut simulation = Simulation::new(setup, fixes, server, Tracking::NONE, keep_max);
    let mut operations = 0;
    if !scenario.is_stepped() {
        for (_, op) in scenario.ops() {
            operations += u64::from(simulation.apply(op, observer).changed);
        }
    } else {
        simulation.load(threads(scenario));
        let mut course = Course::of(scenario);
        loop {
            let ready = simulation.world().ready();
            if ready.is_empty() {
                break;
            }
            let next = course.next(&ready);
            operations += u64::from(simulation.step(next, observer).changed);
        }
    }
    simulation.finish(observer);
    Report { operations, ..simulation.report() }
}

fn threads(scenario: &Scenario) -> Vec<Vec<Op>> {
    let mut threads: Vec<Vec<Op>> = Vec::new();
    for (thread, op) in scenario.ops() {
        while threads.len() <= thread.0 as usize {
            threads.push(Vec::new());
        }
        threads[thread.0 as usize].push(op.clone());
    }
    threads
}

/// Writes one line an event: the tick, then the event.
#[derive(Debug)]
pub struct LineSink<W> {
    writer: W,
    line: String,
    /// The first error of the writer; after it nothing is written.
    error: Option<io::Error>,
}

impl<W: io::Write> LineSink<W> {
    /// Writes to the writer.
    pub fn new(writer: W) -> Self {
        Self { writer, line: String::new(), error: None }
    }

    /// Flushes the writer.
    ///
    /// # Errors
    /// With the first error that the writer ever had.
    pub fn finish(mut self) -> io::Result<()> {
        match self.error.take() {
            Some(error) => Err(error),
            None => self.writer.flush(),
        }
    }
}

impl<W: io::Write> Observer for LineSink<W> {
    fn observe(&mut self, tick: Tick, event: &Event<'_>) {
        if self.error.is_some() {
            return;
        }
        self.line.clear();
        writeln!(self.line, "{} {event}", tick.0).expect("a string takes every line");
        if let Err(error) = self.writer.write_all(self.line.as_bytes()) {
            self.error = Some(error);
        }
    }
}

/// Hashes the event lines with BLAKE3.
#[derive(Clone, Debug, Default)]
pub struct DigestSink {
    hasher: blake3::Hasher,
    line: String,
    /// Leave out the calls that a guard swallowed: they are not part of what happened.
    pub skip_swallowed: bool,
}

impl DigestSink {
    /// The digest of the lines so far, in hexadecimal.
    #[must_use]
    pub fn hex(&self) -> String {
        self.hasher.finalize().to_hex().to_string()
    }
}

impl Observer for DigestSink {
    fn observe(&mut self, tick: Tick, event: &Event<'_>) {
        let left_out = match event {
            Event::Swallowed { .. } => self.skip_swallowed,
            Event::Reached(mark) => !mark.is_in_digests(),
            _ => false,
        };
        if left_out {
            return;
        }
        self.line.clear();
        writeln!(self.line, "{} {event}", tick.0).expect("a string takes every line");
        self.hasher.update(self.line.as_bytes());
    }
}

/// The digest of a scenario's event stream, swallowed calls left out.
#[must_use]
pub fn digest(scenario: &Scenario, fixes: FixSet, server: ServerKind) -> String {
    let mut sink = DigestSink { skip_swallowed: true, ..DigestSink::default() };
    run(scenario, fixes, server, 0, &mut sink);
    sink.hex()
}
