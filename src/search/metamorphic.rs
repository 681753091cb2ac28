//! Changes of a program, or of the fixes, that must change nothing: the oracle `metamorphic`.
//!
//! It asks about pairs of runs and so is no streaming oracle: it takes a case, changes it, runs
//! both, and compares (tt-metal.md G 33).

use std::fmt;
use std::sync::Arc;

use crate::event::{Event, Observer, Tick};
use crate::fix::{Fix, FixSet};
use crate::journal::Tracking;
use crate::op::{BufferHandle, Handle, MeshHandle, Name, Op, ThreadId};
use crate::scenario::{Case, Simulation};
use crate::server::ServerKind;
use crate::units::MeshShape;

/// A change that must change nothing.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Metamorphosis {
    /// The two guards on or off: the same events.
    Guards,
    /// `release-pool` on or off, where no program has two owners: the same events.
    ReleasePool,
    /// Another mesh opened and closed before: the same totals of each chip.
    MeshIds,
    /// Consecutive drops of unrelated buffers in the other order: the same final state.
    DropOrder,
}

/// What came of it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Verdict {
    /// Nothing changed.
    Holds,
    /// The change says nothing about this case.
    NotApplicable,
    /// The first thing that differs, before and after the change.
    Broken(String, String),
}

impl Metamorphosis {
    /// Every change.
    pub const ALL: [Self; 4] = [Self::Guards, Self::ReleasePool, Self::MeshIds, Self::DropOrder];

    /// Its name.
    #[must_use]
    pub fn name(self) -> &'static str {
        match self {
            Self::Guards => "guards",
            Self::ReleasePool => "release-pool",
            Self::MeshIds => "mesh-ids",
            Self::DropOrder => "drop-order",
        }
    }

    /// Changes a case, runs it before and after, and compares.
    ///
    /// ```
    /// use freeorder::{fix::Preset, scenario::{Case, Scenario}, server::ServerKind};
    /// use freeorder::search::metamorphic::{Metamorphosis, Verdict};
    /// let text = "freeorder 1\nopen m0 1x1\nalloc b0 on m0 dram 1x32\n";
    /// let case = Case::of(&text.parse::<Scenario>()?);
    /// let told = |preset: Preset, server| {
    ///     Metamorphosis::MeshIds.check(&case, preset.fixes(), server)
    /// };
    /// assert_eq!(told(Preset::UpstreamShm, ServerKind::Shm), Verdict::Holds);
    /// // The id of a mesh is taken for the number of a chip.
    /// assert!(matches!(told(Preset::Original, ServerKind::K1), Verdict::Broken(..)));
    /// # Ok::<(), freeorder::scenario::ScenarioError>(())
    /// ```
    #[must_use]
    pub fn check(self, case: &Case, fixes: FixSet, server: ServerKind) -> Verdict {
        if case.is_stepped() {
            return Verdict::NotApplicable;
        }
        match self {
            Self::Guards => {
                let off = fixes.without(Fix::GuardMark).without(Fix::GuardDealloc);
                let on = fixes.with(Fix::GuardMark).with(Fix::GuardDealloc);
                same_events(case, (off, on), server)
            }
            Self::ReleasePool => {
                let shared = |op: &Op| matches!(op, Op::ShareProgram { .. });
                if case.ops.iter().any(|(_, op)| shared(op)) {
                    return Verdict::NotApplicable;
                }
                let (off, on) = (fixes.without(Fix::ReleasePool), fixes.with(Fix::ReleasePool));
                same_events(case, (off, on), server)
            }
            Self::MeshIds => {
                let Some(shifted) = with_shifted_mesh_ids(case) else {
                    return Verdict::NotApplicable;
                };
                let totals = |case: &Case| observed(case, fixes, server, ChipTotals::default());
                let (before, mut after) = (totals(case).0, totals(&shifted).0);
                // The two operations before the first one.
                after.drain(..shifted.ops.len() - case.ops.len());
                compare(&before, &after)
            }
            Self::DropOrder => {
                let Some(reordered) = with_reversed_drops(case) else {
                    return Verdict::NotApplicable;
                };
                let end = |case: &Case| observed(case, fixes, server, FinalState::default());
                compare(&end(case).0, &end(&reordered).0)
            }
        }
    }
}

impl fmt::Display for Metamorphosis {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.name())
    }
}

/// Every change that does not hold for a case, with the first thing that differs.
#[must_use]
pub fn broken(
    case: &Case,
    fixes: FixSet,
    server: ServerKind,
) -> Vec<(Metamorphosis, String, String)> {
    let told = Metamorphosis::ALL.into_iter().map(|one| (one, one.check(case, fixes, server)));
    let broken = told.filter_map(|(one, verdict)| match verdict {
        Verdict::Broken(before, after) => Some((one, before, after)),
        Verdict::Holds | Verdict::NotApplicable => None,
    });
    broken.collect()
}

/// Whether a case has the same events under two sets of fixes, swallowed calls left out.
#[must_use]
pub fn same_events(case: &Case, (one, other): (FixSet, FixSet), server: ServerKind) -> Verdict {
    let events = |fixes| observed(case, fixes, server, Happened::default()).0;
    compare(&events(one), &events(other))
}

/// The first lines in which two runs differ.
fn compare(before: &[String], after: &[String]) -> Verdict {
    let lines = before.len().max(after.len());
    let line = |lines: &[String], nth: usize| lines.get(nth).cloned().unwrap_or_default();
    let differs = (0..lines).find(|&nth| before.get(nth) != after.get(nth));
    match differs {
        None => Verdict::Holds,
        Some(nth) => Verdict::Broken(line(before, nth), line(after, nth)),
    }
}

fn observed<O: Observer>(case: &Case, fixes: FixSet, server: ServerKind, mut observer: O) -> O {
    let setup = Arc::new(case.start());
    let mut simulation = Simulation::new(setup, fixes, server, Tracking::NONE, 0);
    for (_, op) in &case.ops {
        simulation.apply(op, &mut observer);
    }
    simulation.finish(&mut observer);
    observer
}

/// Everything that happened, but for what a guard swallowed.
#[derive(Default)]
struct Happened(Vec<String>);

impl Observer for Happened {
    fn observe(&mut self, tick: Tick, event: &Event<'_>) {
        if !matches!(event, Event::Swallowed { .. }) {
            self.0.push(format!("{} {event}", tick.0));
        }
    }
}

/// What the server counts on each chip, after each operation that leaves nothing in flight, and at
/// the end; without the zeros of chips that were never counted on.
#[derive(Default)]
struct ChipTotals(Vec<String>);

impl Observer for ChipTotals {
    fn observe(&mut self, _: Tick, event: &Event<'_>) {
        if let Event::Quiescent { tracked } = event {
            let used = tracked.iter().rposition(|&bytes| bytes > 0).map_or(0, |last| last + 1);
            self.0.push(format!("{:?}", &tracked[..used]));
        }
    }
}

/// The last block tables, and the last entries and counters of the server.
#[derive(Default)]
struct FinalState(Vec<String>);

impl Observer for FinalState {
    fn observe(&mut self, _: Tick, event: &Event<'_>) {
        match event {
            Event::Checkpoint { last: false, .. } => self.0.clear(),
            Event::BlockTable { .. } | Event::ServerEntry { .. } | Event::Checkpoint { .. } => {
                self.0.push(event.to_string());
            }
            _ => {}
        }
    }
}

/// As many meshes as one process can have.
const MESHES_MAX: usize = 64;

/// The case after the opening and the end of another mesh, so that all its meshes have other ids;
/// none if there may not be one more.
fn with_shifted_mesh_ids(case: &Case) -> Option<Case> {
    let opens = |op: &Op| matches!(op, Op::Open { .. } | Op::Submesh { .. });
    let names = case.ops.iter().flat_map(|(_, op)| op.names());
    let highest = names.filter_map(|name| match name {
        Name::Mesh(MeshHandle(number)) => Some(number),
        _ => None,
    });
    let mesh = MeshHandle(highest.max().map_or(0, |number| number + 1));
    if case.ops.iter().filter(|(_, op)| opens(op)).count() >= MESHES_MAX {
        return None;
    }
    let shape = MeshShape { rows: 1, columns: 1 };
    let before = [Op::Open { mesh, shape, at: (0, 0) }, Op::Drop(Handle::Mesh(mesh))];
    let before = before.into_iter().map(|op| (ThreadId(0), op));
    Some(Case { ops: before.chain(case.ops.iter().cloned()).collect(), ..case.clone() })
}

/// The case with every run of drops of unrelated buffers reversed; none if there is no such run,
/// or if messages may be lost or overtake each other, so that their order matters.
fn with_reversed_drops(case: &Case) -> Option<Case> {
    let unreliable = |op: &Op| matches!(op, Op::Lose(_) | Op::Stall | Op::Reconnect);
    if case.ops.iter().any(|(_, op)| unreliable(op)) {
        return None;
    }
    let families = Families::of(case);
    let mut ops = case.ops.clone();
    let mut changed = false;
    let mut start = 0;
    while start < ops.len() {
        let mut seen: Vec<BufferHandle> = Vec::new();
        while let Some(&(_, Op::Drop(Handle::Buffer(buffer)))) = ops.get(start + seen.len()) {
            let family = families.of_buffer(buffer);
            if seen.contains(&family) {
                break;
            }
            seen.push(family);
        }
        ops[start..start + seen.len()].reverse();
        changed |= seen.len() > 1;
        start += seen.len().max(1);
    }
    changed.then(|| Case { ops, ..case.clone() })
}

/// Which buffers have anything to do with each other: the first of each family, by name.
struct Families(Vec<(BufferHandle, BufferHandle)>);

impl Families {
    /// Names that stand in one operation are of one family, for the whole case.
    fn of(case: &Case) -> Self {
        let mut families = Self(Vec::new());
        for (_, op) in &case.ops {
            let mut buffers = op.names().into_iter().filter_map(|name| match name {
                Name::Buffer(buffer) => Some(buffer),
                _ => None,
            });
            let Some(first) = buffers.next() else { continue };
            buffers.for_each(|other| families.join(first, other));
        }
        families
    }

    fn of_buffer(&self, buffer: BufferHandle) -> BufferHandle {
        let own = self.0.iter().find(|(member, _)| *member == buffer);
        own.map_or(buffer, |&(_, family)| family)
    }

    fn join(&mut self, one: BufferHandle, other: BufferHandle) {
        let (kept, gone) = (self.of_buffer(one), self.of_buffer(other));
        self.0.iter_mut().filter(|(_, family)| *family == gone).for_each(|(_, family)| {
            *family = kept;
        });
        for member in [one, other, kept, gone] {
            if !self.0.iter().any(|&(known, _)| known == member) {
                self.0.push((member, kept));
            }
        }
    }
}
