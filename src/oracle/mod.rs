//! The oracles: streaming observers, one question and one file each.
//!
//! An oracle sees events and never the world. Three ledgers, kept once and shared, turn events into
//! the facts that the questions are about: [`Holdings`] (who holds which block, by the allocator's
//! word), [`Register`] (what the messages say, by key) and [`Living`] (which owners are alive).
//! What they remember is part of the hashed, undoable state; the facts of a violation are not,
//! since a replay makes them again.

mod balance;
mod cb_clash;
mod device_leak;
mod duplicate_allocation;
mod event_order;
mod facts;
mod findings;
mod free_list;
mod graph_events;
mod holdings;
mod hook;
mod inspector;
mod living;
mod lowest;
mod masked_double_free;
mod oom;
mod overlap;
mod register;
mod registry;
mod residue;
mod single_free;
mod stale_free;
mod state_machine;
mod static_order;
mod sub_device;
mod teardown;
mod trace_safe;
mod tracker_truth;
mod undo;
mod unknown_free;
mod use_after_free;
mod visibility;

pub use findings::Findings;
pub use holdings::{Held, HeldRegion, Holdings};
pub use living::{Life, Living};
pub use register::{Register, Registered, Transition};

use crate::event::{AllocationStatus, Event, Observer, Part, Tick};
use crate::journal::{Cell, Tracking};
use crate::message::AllocMessage;
use crate::units::Lanes;
use crate::violation::OracleName;

use facts::{Facts, relation};
use graph_events::GraphEvents;
use hook::Hook;
use inspector::Inspector;
use state_machine::StateMachine;
use tracker_truth::{TrackerTruth, compare_chips};
use undo::OraclesMark;
use visibility::Visibility;

/// Every oracle at once.
///
/// ```
/// use freeorder::event::{Event, Observer, Tick};
/// use freeorder::journal::Tracking;
/// use freeorder::oracle::Oracles;
/// use freeorder::violation::OracleName;
/// let mut oracles = Oracles::new(Tracking::NONE, 10);
/// oracles.observe(Tick(1), &Event::Quiescent { tracked: &[512] });
/// assert_eq!(oracles.findings().count(OracleName::TrackerTruth), 1);
/// ```
#[derive(Clone, Debug)]
pub struct Oracles {
    findings: Findings,
    holdings: Holdings,
    register: Register,
    living: Living,
    programs: Cell<Vec<u32>>,
    state_machine: Cell<StateMachine>,
    tracker_truth: Cell<TrackerTruth>,
    visibility: Cell<Visibility>,
    graph_events: Cell<GraphEvents>,
    hook: Hook,
    inspector: Inspector,
    marks: Vec<OraclesMark>,
}

impl Oracles {
    /// Oracles that have seen nothing and keep at most so many violations with their facts.
    #[must_use]
    pub fn new(tracking: Tracking, keep_max: usize) -> Self {
        Self {
            findings: Findings::new(keep_max),
            holdings: Holdings::new(tracking),
            register: Register::new(tracking),
            living: Living::new(tracking),
            programs: Cell::new(Vec::new(), tracking),
            state_machine: Cell::new(StateMachine::default(), tracking),
            tracker_truth: Cell::new(TrackerTruth::default(), tracking),
            visibility: Cell::new(Visibility::default(), tracking),
            graph_events: Cell::new(GraphEvents::default(), tracking),
            hook: Hook::new(tracking),
            inspector: Inspector::new(tracking),
            marks: Vec::new(),
        }
    }

    /// What they said so far.
    #[must_use]
    pub fn findings(&self) -> &Findings {
        &self.findings
    }

    /// The bytes of live owners on each chip, chip 0 first.
    #[must_use]
    pub fn live_bytes(&self) -> &[u64] {
        self.holdings.live_bytes()
    }

    /// Forgets everything, keeping the memory.
    pub fn reset(&mut self) {
        self.findings.counts = [0; OracleName::COUNT];
        self.findings.kept.clear();
        self.findings.classes.clear();
        self.findings.firsts.clear();
        self.holdings.reset();
        self.register.reset();
        self.living.reset();
        self.programs.reset(Vec::new());
        self.state_machine.reset(StateMachine::default());
        self.tracker_truth.reset(TrackerTruth::default());
        self.visibility.reset(Visibility::default());
        self.graph_events.reset(GraphEvents::default());
        self.hook.reset();
        self.inspector.reset();
        self.marks.clear();
    }

    fn follow_programs(&mut self, event: &Event<'_>) {
        match *event {
            Event::ProgramBuilt { program, .. } => {
                self.programs.update(|programs| programs.push(program));
            }
            Event::ProgramDestroyed { program } => {
                // Runtime ids are counted in each process: another's program may have the same.
                let built = self.programs.iter().position(|&one| one == program);
                self.programs.update(|programs| built.map(|index| programs.swap_remove(index)));
            }
            _ => {}
        }
    }
}

impl Observer for Oracles {
    /// Routes an event to the oracles that it concerns, then to the ledgers. Inlined where the
    /// event is made, so that an event which concerns nobody costs nothing.
    #[allow(clippy::too_many_lines, reason = "one arm for each event")]
    #[inline(always)]
    fn observe(&mut self, tick: Tick, event: &Event<'_>) {
        match event {
            Event::Answered { message, missed } => self.hear(tick, event, message, *missed),
            Event::Quiescent { tracked } => self.compare_counters(tick, tracked),
            Event::AddressReturned { .. } => {
                self.see_allocator(tick, event);
                if !self.hook.is_idle() {
                    self.see_instruments(tick, event);
                }
            }
            Event::AddressTaken { .. }
            | Event::AllocationFailed { .. }
            | Event::RegionCleared { .. } => self.see_allocator(tick, event),
            Event::StatusChanged { part, to, .. } => self.see_status(tick, event, (*part, *to)),
            Event::BufferDestroyed { .. } | Event::Stranded { .. } => {
                self.see_buffer(tick, event);
                if !(self.hook.is_idle() && self.inspector.is_idle()) {
                    self.see_instruments(tick, event);
                }
            }
            Event::Registered { .. } | Event::Unregistered { .. } => self.living.follow(event),
            Event::Sent(_) => self.follow_states(tick, event),
            Event::RegionOpened { .. } | Event::AllocatorDestroyed { .. } => {
                self.holdings.follow_region(event);
            }
            Event::ProgramBuilt { .. } | Event::ProgramDestroyed { .. } => {
                self.follow_programs(event);
            }
            Event::ProgramClashed { .. }
            | Event::ProgramOverlaid { .. }
            | Event::MemoryAccessed { .. }
            | Event::RawPointerUsed { .. }
            | Event::MeshClosed { .. }
            | Event::TraceAccessed { .. }
            | Event::TraceReleased { .. }
            | Event::ManagerValidated { .. }
            | Event::CommandsKept { .. }
            | Event::Swallowed { .. }
            | Event::BlockTable { .. }
            | Event::ServerEntry { .. }
            | Event::Checkpoint { .. } => self.see_rare(tick, event),
            Event::ProgramRan { .. } if self.graph_events.is_idle() => {}
            Event::ProgramRan { .. }
            | Event::ProgramHooked { .. }
            | Event::CaptureSwitched { .. }
            | Event::Captured { .. }
            | Event::AllocationHooked { .. }
            | Event::InspectorStarted { .. }
            | Event::Inspected { .. }
            | Event::SingletonUsed { .. }
            | Event::ProcessKilled { .. } => self.see_instruments(tick, event),
            Event::MeshOpened { .. }
            | Event::MeshDestroyed { .. }
            | Event::BufferCreated { .. }
            | Event::Lost(_)
            | Event::CacheHit { .. }
            | Event::CacheCleared { .. }
            | Event::ProgramRecorded { .. }
            | Event::ProgramQueued { .. }
            | Event::QueuedProgramRan { .. }
            | Event::TraceBegan { .. }
            | Event::TraceEnded { .. }
            | Event::UnsafeAllocation { .. }
            | Event::TraceReplayed { .. }
            | Event::ManagerLoaded { .. }
            | Event::Refused { .. }
            | Event::TrackingSwitched { .. }
            | Event::ServerRestarted
            | Event::Forked { .. }
            | Event::Reaped { .. }
            | Event::Reached(_) => {}
        }
    }
}

impl Oracles {
    /// The facts as they are, and where to put what is found.
    #[inline]
    fn split(&mut self, transition: Transition) -> (Facts<'_>, &mut Findings) {
        let facts = Facts {
            transition,
            register: &self.register,
            holdings: &self.holdings,
            living: &self.living,
            programs: &self.programs,
        };
        (facts, &mut self.findings)
    }

    #[inline(always)]
    fn hear(&mut self, tick: Tick, event: &Event<'_>, message: &AllocMessage, missed: Lanes) {
        let transition = self.register.follow(message);
        if !transition.is_clean() || !missed.is_empty() {
            self.hear_message(tick, event, transition);
        }
    }

    /// A message that did something out of the ordinary.
    #[cold]
    fn hear_message(&mut self, tick: Tick, event: &Event<'_>, transition: Transition) {
        let (facts, findings) = self.split(transition);
        unknown_free::watch(tick, event, findings);
        duplicate_allocation::watch(tick, event, &facts, findings);
        balance::watch(tick, event, &facts, findings);
        stale_free::watch(tick, event, &facts, findings);
        event_order::watch(tick, event, &facts, findings);
    }

    fn compare_counters(&mut self, tick: Tick, tracked: &[u64]) {
        let live = self.holdings.live_bytes();
        if self.tracker_truth.wrong().is_empty() && tracked == live {
            return;
        }
        let (different, hidden) = compare_chips(tracked, live);
        let findings = &mut self.findings;
        if different != self.tracker_truth.wrong() {
            self.tracker_truth.update(|oracle| oracle.watch(tick, different, findings));
        }
        if hidden != self.visibility.wrong() {
            self.visibility.update(|oracle| oracle.watch(tick, hidden, findings));
        }
    }

    fn see_allocator(&mut self, tick: Tick, event: &Event<'_>) {
        let (facts, findings) = self.split(Transition::default());
        free_list::watch(tick, event, &facts, findings);
        overlap::watch(tick, event, &facts, findings);
        single_free::watch(tick, event, &facts, findings);
        teardown::watch_call(tick, event, &facts, findings);
        oom::watch(tick, event, &facts, findings);
        self.holdings.follow(event);
        let (facts, findings) = self.split(Transition::default());
        lowest::watch(tick, event, &facts, findings);
        // What a failed call kept, or a bulk release left, was flagged where it was kept.
        if let Event::AllocationFailed { region, after, .. }
        | Event::RegionCleared { region, after } = *event
        {
            self.holdings.expect_allocated(region, after.allocated);
        }
    }

    /// Inlined where the event is made: what owns nothing is in no ledger, and an owner that begins
    /// to live is in one only.
    #[inline(always)]
    fn see_status(&mut self, tick: Tick, event: &Event<'_>, change: (Part, AllocationStatus)) {
        self.follow_states(tick, event);
        match change {
            (Part::NonOwners(_), _) => {}
            (Part::Owner, AllocationStatus::Deallocated) => self.see_buffer(tick, event),
            (Part::Owner, AllocationStatus::Allocated | AllocationStatus::AllocationRequested) => {
                self.living.follow(event);
            }
        }
    }

    /// An owner ends, or ends up with nobody.
    fn see_buffer(&mut self, tick: Tick, event: &Event<'_>) {
        let (facts, findings) = self.split(Transition::default());
        registry::watch(tick, event, &facts, findings);
        if let Some((region, address)) = device_leak::watch_owner(tick, event, &facts, findings) {
            self.holdings.abandon(region, address);
        }
        self.living.follow(event);
    }

    /// What concerns graph captures, the Inspector and the singletons; most programs have none.
    #[cold]
    fn see_instruments(&mut self, tick: Tick, event: &Event<'_>) {
        let facts = Facts {
            transition: Transition::default(),
            register: &self.register,
            holdings: &self.holdings,
            living: &self.living,
            programs: &self.programs,
        };
        let findings = &mut self.findings;
        self.graph_events.update(|oracle| oracle.watch(tick, event, &facts, findings));
        self.hook.watch(tick, event, findings);
        self.inspector.watch(tick, event, findings);
        static_order::watch(tick, event, findings);
    }

    #[inline(always)]
    fn follow_states(&mut self, tick: Tick, event: &Event<'_>) {
        let findings = &mut self.findings;
        self.state_machine.update(|oracle| oracle.watch(tick, event, findings));
    }

    /// Events that concern one or two oracles.
    fn see_rare(&mut self, tick: Tick, event: &Event<'_>) {
        let (facts, findings) = self.split(Transition::default());
        match event {
            Event::ProgramClashed { .. } | Event::ProgramOverlaid { .. } => {
                cb_clash::watch(tick, event, &facts, findings);
            }
            Event::MemoryAccessed { .. } => use_after_free::watch(tick, event, &facts, findings),
            Event::RawPointerUsed { .. } | Event::MeshClosed { .. } => {
                teardown::watch(tick, event, findings);
            }
            Event::TraceAccessed { .. } | Event::TraceReleased { .. } => {
                trace_safe::watch(tick, event, &facts, findings);
            }
            Event::ManagerValidated { .. } => sub_device::watch(tick, event, findings),
            Event::Swallowed { .. } => masked_double_free::watch(tick, event, findings),
            Event::CommandsKept { .. } => {
                device_leak::watch(tick, event, &facts, findings);
            }
            Event::BlockTable { .. } => {
                free_list::watch_table(tick, event, &facts, findings);
                device_leak::watch(tick, event, &facts, findings);
            }
            _ => {
                residue::watch(tick, event, &facts, findings);
                balance::watch(tick, event, &facts, findings);
            }
        }
    }
}
