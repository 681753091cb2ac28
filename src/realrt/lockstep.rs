//! The model and the runtime in step: the same operation to both, and their answers compared.

use std::collections::BTreeSet;
use std::sync::Arc;

use super::bindings::Bindings;
use super::captures::{ends_capture_again, opens_elsewhere};
use super::child::Ending;
use super::compare::Part;
use super::known::Known;
use super::ledger::Ledger;
use super::model::Model;
use super::process::{self, Death};
use super::protocol::{Answer, ChildSeen, Request};
use super::translate::{Names, Translated};
use super::watch::{Finding, Step, Watch};
use crate::op::{BufferHandle, BufferSpec, Op, Place, ThreadId};
use crate::runtime::{Runtime, Setup};
use crate::scenario::Case;
use crate::units::Bytes;

/// Where the runtime did what it must not, or what the model does not.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Deviation {
    /// After how many operations; one more than there are if only the end shows it.
    pub step: usize,
    /// What kind: a crash and its innermost function, an oracle, or the part of an answer that
    /// the model gives otherwise. Two deviations of one class are one finding.
    pub class: String,
    /// The facts.
    pub detail: String,
}

/// What an oracle says of figures that the model comes to as well.
pub(super) const AS_MODELLED: &str = ", as modelled";

/// The signal of `kill`.
const SIGKILL: i32 = 9;

/// What is compared, besides everything.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Check {
    /// A fault in the model.
    pub plant: Plant,
    /// The one oracle that is listened to, by the class of its findings; none means all.
    pub only: Option<String>,
    /// The known divergence that is asked for, where a step shows several.
    pub known: Option<&'static str>,
}

/// A fault put into the model on purpose, so that a test can ask whether it is found.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Plant {
    /// None.
    #[default]
    None,
    /// Pages are rounded up to 4096 bytes.
    Rounding,
}

/// What came of running a case on both.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Ran {
    /// The two agreed, and no oracle objected, over so many calls.
    Agreed(usize),
    /// They did not.
    Deviated(Deviation),
    /// The case has an operation that the runtime cannot be asked.
    Foreign,
}

/// Runs a case on the runtime and on the model until they part.
pub fn run(runtime: &mut impl process::Runtime, case: &Case, check: &Check) -> Ran {
    let setup = Arc::new(case.start());
    if setup.machine != runtime.machine() {
        return Ran::Foreign;
    }
    // What these do depends on the programs before, and what they leave would be seen in the next.
    let leaves = case.ops.iter().any(|(_, op)| matches!(op, Op::Fork(_) | Op::Kill(_)));
    let is_alone = leaves || ends_capture_again(case) || opens_elsewhere(case);
    if is_alone {
        runtime.restart();
    }
    let mut pair = Pair::new(setup, check);
    let mut calls = 0;
    let mut end = None;
    let mut passed = None;
    let mut is_made = false;
    for (place, (thread, op)) in case.ops.iter().enumerate() {
        if std::mem::take(&mut is_made) {
            continue;
        }
        let next = case.ops.get(place + 1).map(|next| [&case.ops[place], next]);
        if let Some((two, request)) = next.and_then(|two| Some((two, pair.both(two)?))) {
            (is_made, calls) = (true, calls + 2);
            let found = pair.step_both(runtime, two, &request);
            if passed_on((case, check), place + 2, found, (&mut end, &mut passed)) {
                continue;
            }
            break;
        }
        let request = match pair.names.translate(&pair.setup, op) {
            Translated::Nothing => continue,
            Translated::Foreign => {
                end = Some(Ran::Foreign);
                break;
            }
            Translated::Ask(request) => request.on(*thread),
        };
        calls += 1;
        let found = pair.step(runtime, (*thread, op), &request);
        if !passed_on((case, check), place + 1, found, (&mut end, &mut passed)) {
            break;
        }
        if *op == Op::Exit {
            return passed.map_or(Ran::Agreed(calls), Ran::Deviated);
        }
    }
    let cleared = clear(runtime);
    if is_alone {
        runtime.restart();
    }
    end.unwrap_or_else(|| match cleared {
        None => passed.map_or(Ran::Agreed(calls), Ran::Deviated),
        Some((class, detail)) => {
            Ran::Deviated(Deviation { step: case.ops.len() + 1, class, detail })
        }
    })
}

/// Whether the program goes on after a step, where nothing or only a report was wrong.
fn passed_on(
    of: (&Case, &Check),
    step: usize,
    found: Vec<Difference>,
    (end, passed): (&mut Option<Ran>, &mut Option<Deviation>),
) -> bool {
    if found.is_empty() {
        return true;
    }
    let (deviation, passes) = one_of(of, step, found);
    match passes {
        true => drop(passed.get_or_insert(deviation)),
        false => *end = Some(Ran::Deviated(deviation)),
    }
    passes
}

/// A class, and the facts.
pub(super) type Difference = (String, String);

/// A part of an answer that the model gives otherwise.
pub(super) fn mismatch((part, real, model): Part) -> Difference {
    (format!("mismatch: {part}"), format!("the runtime says {real}, the model {model}"))
}

/// What a step is said to have done, where what is known does not hide what is not; and whether the
/// program can go on because nothing but reports was wrong.
fn one_of(
    (case, check): (&Case, &Check),
    step: usize,
    found: Vec<Difference>,
) -> (Deviation, bool) {
    let deviation = |(class, detail)| Deviation { step, class, detail };
    let mut found: Vec<Deviation> = found.into_iter().map(deviation).collect();
    let known: Vec<_> = found.iter().map(|deviation| Known::of(case, deviation)).collect();
    let passes = |known: &Option<&Known>| known.is_some_and(|known| known.passes);
    let is_asked = |known: &Option<&Known>| {
        check.known.is_some() && known.map(|known| known.id) == check.known
    };
    if let Some(asked) = known.iter().position(is_asked) {
        return (found.swap_remove(asked), false);
    }
    let worst = known.iter().position(Option::is_none);
    let worst = worst.or_else(|| known.iter().position(|known| !passes(known)));
    (found.swap_remove(worst.unwrap_or(0)), worst.is_none())
}

/// Everything is let go, and every mesh closed: the process serves the next program.
fn clear(runtime: &mut impl process::Runtime) -> Option<Difference> {
    match runtime.ask(&Request::Reset) {
        Ok(Answer { ok: true, .. }) => None,
        Ok(Answer { error, .. }) => {
            runtime.restart();
            Some(("the end raises".to_owned(), error))
        }
        Err(death) => Some(death.told()),
    }
}

pub(super) struct Pair<'a> {
    pub(super) setup: Arc<Setup>,
    pub(super) model: Model,
    check: &'a Check,
    pub(super) names: Names,
    pub(super) watch: Watch,
    pub(super) ledger: Ledger,
    /// What chips counted of circular buffers when they were opened.
    pub(super) resident: BTreeSet<u64>,
    /// What could be seen after the last call.
    pub(super) seen: Answer,
    pub(super) bindings: Bindings,
    /// How many meshes were opened since there was none.
    pub(super) opened: u32,
    /// What the process counted before this program: its first mesh and program ids.
    pub(super) first_mesh: Option<u32>,
    pub(super) first_program: Option<u64>,
}

impl<'a> Pair<'a> {
    /// Both, before anything was asked.
    fn new(setup: Arc<Setup>, check: &'a Check) -> Self {
        Self {
            model: Model::new(setup.clone()),
            setup,
            check,
            names: Names::default(),
            watch: Watch::default(),
            ledger: Ledger::default(),
            resident: BTreeSet::new(),
            seen: Answer { ok: true, ..Answer::default() },
            bindings: Bindings::default(),
            opened: 0,
            first_mesh: None,
            first_program: None,
        }
    }
}

impl Pair<'_> {
    fn step(
        &mut self,
        runtime: &mut impl process::Runtime,
        (thread, op): (ThreadId, &Op),
        request: &Request,
    ) -> Vec<Difference> {
        let answer = match runtime.ask(request) {
            Ok(answer) => answer,
            Err(Death { ending: Ending::Code(0), .. }) if *op == Op::Exit => return Vec::new(),
            Err(Death { ending: Ending::Signal(SIGKILL), .. }) if matches!(op, Op::Kill(_)) => {
                self.killed((thread, op));
                return Vec::new();
            }
            Err(death) => return vec![death.told()],
        };
        let names = self.names.clone();
        if answer.ok {
            if matches!(op, Op::Open { .. }) {
                self.opened = if names.meshes.is_empty() { 1 } else { self.opened + 1 };
            }
            self.names.note(op);
            self.join(op, &answer);
        }
        let before = std::mem::replace(&mut self.seen, answer);
        let step = Step {
            setup: &self.setup,
            op,
            thread,
            before: (&before, &names),
            after: (&self.seen, &self.names),
        };
        let found = self.watch.look(&step);
        let modelled = self.modelled((thread, op), &before);
        self.recount(op, &before);
        self.told(op, found, &modelled)
    }

    /// What the oracles say and what the model gives otherwise, by class.
    pub(super) fn told(
        &mut self,
        op: &Op,
        found: Vec<Finding>,
        modelled: &Option<String>,
    ) -> Vec<Difference> {
        let only = self.check.only.as_ref();
        let found = found.into_iter().map(|(oracle, detail)| (format!("oracle: {oracle}"), detail));
        // That a known fault comes to just these figures or nodes is part of what is known.
        let (counts, shows) = (self.compare_counters().is_empty(), self.shows_circular_buffers());
        let found = found.map(|(class, detail)| {
            let is_modelled = match class.trim_start_matches("oracle: ") {
                "counters-disagree" => counts,
                "circular-buffers-not-cleared" | "circular-buffers-nowhere" => shows,
                _ => false,
            };
            let detail = if is_modelled { format!("{detail}{AS_MODELLED}") } else { detail };
            (class, detail)
        });
        let found = found.filter(|(class, _)| only.is_none_or(|only| only == class));
        let differs = self.compare(op, modelled).into_iter().map(mismatch);
        let child = self.seen.child.as_ref().and_then(ChildSeen::death);
        found.chain(differs.collect::<Vec<_>>()).chain(child.map(|death| death.told())).collect()
    }

    /// The process was killed: the next one begins as the first did, and counts from 0.
    fn killed(&mut self, (thread, op): (ThreadId, &Op)) {
        self.names.note(op);
        self.model.call((thread, op), &mut ());
        self.watch = Watch::default();
        self.ledger.bury();
        self.seen = Answer { ok: true, ..Answer::default() };
        self.bindings = Bindings::default();
        self.first_mesh = Some(0);
        self.first_program = Some(0);
    }

    /// What was to be moved is returned as it is if somebody else holds it.
    fn join(&mut self, op: &Op, answer: &Answer) {
        let Op::Run(run) = op else { return };
        if let (Some(_), Some(&of), Some((name, _))) = (run.moves, run.reads.first(), run.output) {
            let stays =
                answer.buffers.get(&of.to_string()).is_some_and(|(allocated, _)| *allocated);
            if stays {
                self.names.join(name, of);
            }
        }
    }

    /// What the model answers: nothing, or the text that it raises.
    pub(super) fn modelled(
        &mut self,
        (thread, op): (ThreadId, &Op),
        before: &Answer,
    ) -> Option<String> {
        self.ledger.begin((thread, op), asked(self.model.runtime(), op));
        if let Some(text) = self.beyond_the_model((thread, op), before) {
            return Some(text.to_owned());
        }
        self.ledger.counts = self.bindings.processors.counts(thread);
        let mut op = op.clone();
        if let (Plant::Rounding, Op::Alloc { spec, .. }) = (self.check.plant, &mut op) {
            spec.pages.size = spec.pages.size.round_up(Bytes(4096));
        }
        let refused = self.model.call((thread, &op), &mut self.ledger);
        if refused.is_none() {
            self.bindings.note(thread, &op);
        }
        refused
    }

    /// What becomes of the counters of a chip that is closed.
    fn recount(&mut self, op: &Op, before: &Answer) {
        for (&chip, region) in &before.counters {
            let now = self.seen.counters.get(&chip).map_or(0, |region| region.references);
            match (region.references, now) {
                // No chip is closed by a fork, though its child may detach from it.
                (1.., 0) if matches!(op, Op::Fork(_)) => self.ledger.tally.lose(chip),
                (1.., 0) => self.ledger.tally.forget(chip),
                (before, now) if before > now && !matches!(op, Op::Fork(_)) => {
                    self.ledger.tally.detach(chip);
                }
                // A region that nobody was attached to begins anew.
                (0, 1..) => self.ledger.tally.forget(chip),
                _ => {}
            }
        }
        // What the programs before this one left is not known here.
        for (&chip, region) in &self.seen.counters {
            if before.counters.get(&chip).is_none_or(|before| before.references == 0) {
                self.resident.extend(region.circular_buffers());
            }
        }
    }

    /// What is raised where the runtime's bindings decide, which are not modelled.
    fn beyond_the_model(
        &mut self,
        (thread, op): (ThreadId, &Op),
        before: &Answer,
    ) -> Option<&'static str> {
        let is_gone = |name: &BufferHandle| {
            before.buffers.get(&name.to_string()).is_some_and(|(allocated, _)| !allocated)
        };
        let is_closed = |name: &BufferHandle| {
            let mesh = self.names.buffers.get(name).map(|held| held.mesh.to_string());
            let seen = mesh.and_then(|mesh| before.meshes.get(&mesh));
            seen.is_some_and(|seen| seen.closed.is_some())
        };
        self.bindings.raise((thread, op), is_gone, is_closed)
    }
}

/// The buffer that an operation makes, and the id of the mesh that it is on.
pub(super) fn asked(runtime: &Runtime, op: &Op) -> Option<(BufferSpec, u32)> {
    let (spec, mesh) = match op {
        Op::Alloc { place: Place::Mesh(mesh), spec, .. } => (*spec, *mesh),
        Op::Run(run) => (run.output?.1, run.mesh),
        _ => return None,
    };
    let mesh = runtime.mesh_device(mesh)?;
    Some((spec, mesh.mesh_id))
}
