//! One ordering, taken step by step and back.

use std::collections::BTreeSet;
use std::rc::Rc;
use std::sync::Arc;

use super::canonical::piece;
use super::footprint::Conflicts;
use super::plan::Plan;
use super::shown::{Shown, Step};
use crate::event::{Event, Observer, Tick};
use crate::fix::FixSet;
use crate::journal::{Tracking, mix};
use crate::mark::Mark;
use crate::op::{Op, ThreadId};
use crate::scenario::{Case, Simulation};
use crate::server::ServerKind;
use crate::violation::ViolationClass;
use crate::world::Action;

/// The rare situations that were met.
#[derive(Clone, Debug, Default)]
pub(super) struct Marks(pub(super) BTreeSet<Mark>);

impl Observer for Marks {
    fn observe(&mut self, _: Tick, event: &Event<'_>) {
        if let Event::Reached(mark) = *event {
            self.0.insert(mark);
        }
    }
}

/// Something that was executed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Executed {
    /// An operation: its stage, its chain, its place in the chain.
    Op(usize, usize, usize),
    /// A turn of a thread or of the server.
    Turn(Action),
}

/// What a move changed besides the simulation.
#[derive(Clone, Debug)]
struct Trail {
    executed: usize,
    stage: usize,
    /// What was done of the stage before, if the move left it.
    left: Option<(Vec<u32>, Rc<Conflicts>)>,
    chain: usize,
}

/// A plan in the middle of one of its orderings.
#[derive(Clone, Debug)]
pub(super) struct Driver<'p> {
    pub(super) plan: &'p Plan,
    pub(super) simulation: Simulation,
    pub(super) marks: Marks,
    /// What steps that can change places do to what is shown, if anybody asks.
    shown: Shown,
    watches_shown: bool,
    server: ServerKind,
    /// The stage, and how many operations of each of its chains are done.
    stage: usize,
    done: Vec<u32>,
    conflicts: Rc<Conflicts>,
    executed: Vec<Executed>,
    /// For each class of violation seen, how much had been executed when it was.
    seen_after: Vec<usize>,
    trails: Vec<Trail>,
}

impl<'p> Driver<'p> {
    /// The plan before its first choice.
    pub(super) fn new(plan: &'p Plan, fixes: FixSet, server: ServerKind) -> Self {
        let setup = Arc::new(Case { ops: Vec::new(), ..plan.case.clone() }.start());
        let simulation = Simulation::new(setup, fixes, server, Tracking::FULL, 0);
        let mut simulation = simulation.watching_keys();
        if plan.is_threaded() {
            simulation.load(plan.case.threads());
        }
        let none = super::plan::Stage::default();
        let conflicts = Rc::new(Conflicts::of(&none, &simulation, server));
        let mut driver = Self {
            plan,
            simulation,
            marks: Marks::default(),
            shown: Shown::new(server),
            watches_shown: false,
            server,
            stage: 0,
            done: Vec::new(),
            conflicts,
            executed: Vec::new(),
            seen_after: Vec::new(),
            trails: Vec::new(),
        };
        driver.enter_stage();
        driver.settle();
        driver
    }

    /// What can be done next: chains of the stage, or actions of the world, by their numbers.
    pub(super) fn moves(&self) -> Vec<usize> {
        let Some(stage) = self.plan.stages.get(self.stage) else {
            return (0..self.actions().len()).collect();
        };
        let left = |&chain: &usize| (self.done[chain] as usize) < stage.chains[chain].len();
        (0..stage.chains.len()).filter(left).collect()
    }

    /// Of those, a set without whose first steps nothing can happen that matters.
    pub(super) fn persistent(&self, moves: Vec<usize>) -> Vec<usize> {
        self.conflicts.persistent(moves, &self.done)
    }

    /// The chain of the stage that a step belongs to, by its number.
    pub(super) fn chain_of(&self, step: usize) -> usize {
        self.conflicts.chain_of(step)
    }

    /// The chains of the stage in groups, of which none has anything to do with another.
    pub(super) fn groups(&self) -> Vec<Vec<usize>> {
        self.conflicts.groups(self.done.len())
    }

    /// Whether the next steps of two chains are said to commute.
    #[cfg(test)]
    pub(super) fn commute(&self, one: usize, other: usize) -> bool {
        let next = |chain: usize| (chain, self.done[chain] as usize);
        !self.conflicts.between(next(one), next(other))
    }

    /// The block of the scenario whose steps can be taken.
    pub(super) fn stage(&self) -> usize {
        self.stage
    }

    /// Who is interrupted if another move is taken: the chain or thread, if it has more to do.
    pub(super) fn thread_of(&self, chosen: usize) -> Option<usize> {
        if !self.plan.is_threaded() {
            return Some(chosen);
        }
        match self.actions()[chosen] {
            Action::Step(thread) => Some(thread.0 as usize),
            Action::Deliver(_) => None,
        }
    }

    /// Takes a step, and whatever follows it without a choice.
    pub(super) fn take(&mut self, chosen: usize) {
        let trail =
            Trail { executed: self.executed.len(), stage: self.stage, left: None, chain: chosen };
        self.trails.push(trail);
        if self.plan.is_threaded() {
            let action = self.actions()[chosen];
            self.executed.push(Executed::Turn(action));
            self.simulation.step(chosen, &mut self.marks);
            self.note_classes();
            return;
        }
        self.execute(chosen);
        self.settle();
    }

    /// Takes back the last step, and what followed it.
    pub(super) fn undo(&mut self) {
        let trail = self.trails.pop().expect("a step was taken");
        for _ in trail.executed..self.executed.len() {
            self.simulation.undo();
        }
        self.executed.truncate(trail.executed);
        self.forget_classes();
        if let Some((done, conflicts)) = trail.left {
            (self.stage, self.done, self.conflicts) = (trail.stage, done, conflicts);
        }
        if !self.plan.is_threaded() {
            self.done[trail.chain] -= 1;
        }
    }

    /// Ends the program, asks, and takes the end back.
    pub(super) fn at_end<T>(&mut self, ask: impl FnOnce(&Self) -> T) -> T {
        self.simulation.finish(&mut self.marks);
        self.seen_after.resize(self.classes().len(), self.executed.len() + 1);
        let answer = ask(self);
        self.simulation.undo();
        self.forget_classes();
        answer
    }

    /// The classes of violation on the way here, notes included.
    pub(super) fn classes(&self) -> &[ViolationClass] {
        self.simulation.oracles().findings().classes()
    }

    /// The same, each with how much had been executed when it was first seen.
    pub(super) fn seen(&self) -> impl Iterator<Item = (ViolationClass, usize)> + '_ {
        self.classes().iter().copied().zip(self.seen_after.iter().copied())
    }

    /// What was executed on the way here.
    pub(super) fn executed(&self) -> &[Executed] {
        &self.executed
    }

    /// The stage, and how many operations of each of its chains are done.
    pub(super) fn place(&self) -> (usize, &[u32]) {
        (self.stage, &self.done)
    }

    /// A hash of where the plan stands, without the simulation.
    pub(super) fn position(&self) -> u64 {
        self.done.iter().fold(self.stage as u64, |hash, &done| mix(hash, u64::from(done)))
    }

    /// Looks from now on whether a step makes a chip show less than before.
    pub(super) fn watch_shown(&mut self) {
        self.watches_shown = true;
    }

    /// What was seen of that.
    pub(super) fn shown(&self) -> &Shown {
        &self.shown
    }

    /// The first of what was executed as a case of its own.
    pub(super) fn case(&self, executed: &[Executed]) -> Case {
        let setup = self.plan.setup().to_vec();
        if self.plan.is_threaded() {
            let turns = executed.iter().filter_map(|one| match *one {
                Executed::Turn(action) => Some(action),
                Executed::Op(..) => None,
            });
            return Case { schedule: turns.collect(), ..self.plan.case.clone() };
        }
        let ops = executed.iter().filter_map(|&one| self.op(one));
        let ops = ops.map(|op| (ThreadId(0), op.clone()));
        Case { setup, ops: ops.collect(), ..Case::default() }
    }

    fn op(&self, executed: Executed) -> Option<&'p Op> {
        match executed {
            Executed::Op(stage, chain, place) => {
                Some(&self.plan.stages[stage].chains[chain][place])
            }
            Executed::Turn(_) => None,
        }
    }

    pub(super) fn actions(&self) -> Vec<Action> {
        if self.plan.is_threaded() { self.simulation.world().ready() } else { Vec::new() }
    }

    /// Executes the next operation of a chain.
    fn execute(&mut self, chain: usize) {
        let place = self.done[chain] as usize;
        let stage = &self.plan.stages[self.stage];
        let op = &stage.chains[chain][place];
        self.executed.push(Executed::Op(self.stage, chain, place));
        self.done[chain] += 1;
        if self.watches_shown && !stage.is_fixed() && !self.conflicts.is_total() {
            let step = (self.stage, self.conflicts.number((chain, place)));
            self.shown.before(&self.simulation);
            self.simulation.apply(op, &mut (&mut self.marks, &mut self.shown));
            self.shown.after(&self.simulation, step);
        } else {
            self.simulation.apply(op, &mut self.marks);
        }
        self.note_classes();
    }

    /// Goes on as long as there is nothing to choose.
    fn settle(&mut self) {
        while let Some(stage) = self.plan.stages.get(self.stage) {
            if stage.is_fixed() && !self.moves().is_empty() {
                self.execute(0);
            } else if self.moves().is_empty() && self.stage + 1 < self.plan.stages.len() {
                self.leave_stage();
            } else {
                return;
            }
        }
    }

    fn leave_stage(&mut self) {
        let done = std::mem::take(&mut self.done);
        let conflicts = Rc::clone(&self.conflicts);
        if let Some(trail) = self.trails.last_mut()
            && trail.left.is_none()
        {
            trail.left = Some((done, conflicts));
        }
        self.stage += 1;
        self.enter_stage();
    }

    fn enter_stage(&mut self) {
        let Some(stage) = self.plan.stages.get(self.stage) else { return };
        self.done = vec![0; stage.chains.len()];
        if !stage.is_fixed() {
            self.conflicts = Rc::new(Conflicts::of(stage, &self.simulation, self.server));
            if !self.conflicts.is_total() {
                self.shown.start(&self.simulation);
                if self.trails.is_empty() {
                    let block = (self.stage, self.steps());
                    self.shown.start_first(&self.simulation, block, self.executed.len());
                }
            }
        }
    }

    /// The steps of the stage, with the groups that they belong to.
    fn steps(&self) -> Vec<Step> {
        let chains = &self.plan.stages[self.stage].chains;
        let groups = self.groups();
        let group = |chain| groups.iter().position(|group| group.contains(&chain));
        let group = |chain| group(chain).expect("every chain is in a group");
        let steps = chains.iter().enumerate().flat_map(|(chain, ops)| {
            let group = group(chain);
            ops.iter().map(move |op| (piece(op), group))
        });
        steps.collect()
    }

    fn note_classes(&mut self) {
        let seen = self.classes().len();
        self.seen_after.resize(seen, self.executed.len());
    }

    fn forget_classes(&mut self) {
        let seen = self.classes().len();
        self.seen_after.truncate(seen);
    }
}
