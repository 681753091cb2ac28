//! Explorations against stateright: the model checker of somebody else, which goes breadth first
//! through every state and takes nothing for anything else.
//!
//! `RUSTFLAGS="--cfg loom" cargo test --test stateright`; without the flag there is nothing here, as
//! in the tests of the other model checkers.
#![cfg(loom)]
#![allow(clippy::unwrap_used, reason = "a test that cannot read its own scenario has failed")]

mod common;

use std::cell::RefCell;
use std::collections::{BTreeMap, BTreeSet};
use std::fmt;
use std::hash::{Hash, Hasher};
use std::sync::{Arc, Mutex, MutexGuard};

use freeorder::choice::{Choices, Seeded};
use freeorder::fix::{FixSet, Preset};
use freeorder::generate::{Order, Profile, case, from_bytes};
use freeorder::journal::{Columns, Tracking};
use freeorder::op::{Op, ThreadId};
use freeorder::scenario::{Case, Item, Line, Scenario, Simulation};
use freeorder::search::explore::{
    Exploration, Family, Limits, Options, Plan, Reduction, Sizes, explore,
};
use freeorder::server::ServerKind;
use freeorder::units::Lanes;
use freeorder::violation::ViolationClass;
use stateright::{Checker, Model, Property};

const REDUCTIONS: [Reduction; 4] = [
    Reduction::NONE,
    Reduction { symmetry: true, order: false },
    Reduction { symmetry: false, order: true },
    Reduction::ALL,
];

/// A state as stateright sees it: what happened, what is to come, and what was found on the way.
struct State {
    /// Locked, since stateright has states that threads could share.
    simulation: Mutex<Simulation>,
    stage: usize,
    done: Vec<usize>,
    found: BTreeSet<ViolationClass>,
}

impl State {
    fn simulation(&self) -> MutexGuard<'_, Simulation> {
        self.simulation.lock().unwrap()
    }

    fn key(&self) -> (u64, usize, &[usize], &BTreeSet<ViolationClass>) {
        (self.simulation().hash(), self.stage, &self.done, &self.found)
    }

    fn fails(&self) -> bool {
        self.found.iter().any(|class| !class.oracle.is_note())
    }
}

impl Clone for State {
    fn clone(&self) -> Self {
        let simulation = Mutex::new(self.simulation().clone());
        let (done, found) = (self.done.clone(), self.found.clone());
        Self { simulation, stage: self.stage, done, found }
    }
}

impl Hash for State {
    fn hash<H: Hasher>(&self, hasher: &mut H) {
        self.key().hash(hasher);
    }
}

impl PartialEq for State {
    fn eq(&self, other: &Self) -> bool {
        self.key() == other.key()
    }
}

impl fmt::Debug for State {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.key().fmt(f)
    }
}

/// A state at an end: as it is, without the order in which destroyed buffers were left behind, and
/// without the names of devices.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
struct End {
    exact: (u64, u64),
    named: u64,
    nameless: u64,
}

impl End {
    fn of(simulation: &Simulation) -> Self {
        let hash = |exchangeable| {
            let mut columns = Columns::new(exchangeable);
            simulation.columns(&mut columns);
            columns.hash()
        };
        Self {
            exact: (simulation.world().hash(), simulation.hash()),
            named: hash(Lanes::NONE),
            nameless: hash(Lanes::first(Lanes::CAPACITY)),
        }
    }
}

/// What is taken down while stateright goes through the states.
#[derive(Default)]
struct Seen {
    classes: BTreeSet<ViolationClass>,
    ends: BTreeSet<End>,
}

/// The orders of a scenario as a model of stateright.
struct Orders {
    /// Chains of operations, stage after stage; none if the world says what is ready.
    stages: Vec<Vec<Vec<Op>>>,
    scenario: Scenario,
    under: (FixSet, ServerKind),
    seen: Arc<Mutex<Seen>>,
    properties: fn() -> Vec<Property<Orders>>,
}

impl Orders {
    fn new(
        scenario: &Scenario,
        under: (FixSet, ServerKind),
        properties: fn() -> Vec<Property<Self>>,
    ) -> Self {
        let (stages, scenario) = (stages(scenario), scenario.clone());
        Self { stages, scenario, under, seen: Arc::default(), properties }
    }

    fn start(&self) -> Simulation {
        let (fixes, server) = self.under;
        let tracking = Tracking { undo: false, hash: true };
        let setup = Arc::new(self.scenario.setup());
        let mut start = Simulation::new(setup, fixes, server, tracking, 0);
        if self.stages.is_empty() {
            start.load(Case::of(&self.scenario).threads());
        }
        start
    }

    /// Goes on to the next stage as soon as one is done with.
    fn settled(&self, mut state: State) -> State {
        while let Some(stage) = self.stages.get(state.stage) {
            let is_done = stage.iter().zip(&state.done).all(|(chain, &done)| chain.len() == done);
            if !is_done || state.stage + 1 == self.stages.len() {
                break;
            }
            state.stage += 1;
            state.done = vec![0; self.stages[state.stage].len()];
        }
        state
    }

    fn note(&self, state: &mut State) {
        let State { simulation, found, .. } = state;
        found.extend(simulation.get_mut().unwrap().oracles().findings().classes());
        self.seen.lock().unwrap().classes.extend(&state.found);
    }
}

/// Written apart from the library's plan, which would make the same mistake twice.
fn stages(scenario: &Scenario) -> Vec<Vec<Vec<Op>>> {
    let mut stages: Vec<Vec<Vec<Op>>> = vec![vec![Vec::new()]];
    for line in &scenario.lines {
        match &line.item {
            Item::Op(_, op) => stages.last_mut().unwrap()[0].push(op.clone()),
            Item::Any(body) => {
                let mut named: BTreeMap<u32, usize> = BTreeMap::new();
                let mut chains: Vec<Vec<Op>> = Vec::new();
                for line in body {
                    let Item::Op(thread, op) = &line.item else { continue };
                    let known = named.get(&thread.0).filter(|_| thread.0 > 0);
                    let chain = *known.unwrap_or(&chains.len());
                    named.insert(thread.0, chain);
                    chains.resize(chains.len().max(chain + 1), Vec::new());
                    chains[chain].push(op.clone());
                }
                stages.extend([chains, vec![Vec::new()]]);
            }
            _ => {}
        }
    }
    if stages.len() == 1 { Vec::new() } else { stages }
}

impl Model for Orders {
    type State = State;
    type Action = usize;

    fn init_states(&self) -> Vec<State> {
        let done = vec![0; self.stages.first().map_or(0, Vec::len)];
        let simulation = Mutex::new(self.start());
        vec![self.settled(State { simulation, stage: 0, done, found: BTreeSet::new() })]
    }

    fn actions(&self, state: &State, actions: &mut Vec<usize>) {
        match self.stages.get(state.stage) {
            None => actions.extend(0..state.simulation().world().ready().len()),
            Some(stage) => {
                let left = |&chain: &usize| state.done[chain] < stage[chain].len();
                actions.extend((0..stage.len()).filter(left));
            }
        }
        if actions.is_empty() {
            self.seen.lock().unwrap().ends.insert(End::of(&state.simulation()));
            let mut last = state.clone();
            last.simulation().finish(&mut ());
            self.note(&mut last);
        }
    }

    fn next_state(&self, last: &State, action: usize) -> Option<State> {
        let mut state = last.clone();
        match self.stages.get(state.stage) {
            None => {
                state.simulation().step(action, &mut ());
            }
            Some(stage) => {
                state.simulation().apply(&stage[action][state.done[action]], &mut ());
                state.done[action] += 1;
            }
        }
        self.note(&mut state);
        Some(self.settled(state))
    }

    fn properties(&self) -> Vec<Property<Self>> {
        (self.properties)()
    }
}

/// Holds in every state, so that stateright looks at all of them.
fn nothing_goes_too_far() -> Property<Orders> {
    Property::always("nothing goes too far", |orders: &Orders, state: &State| {
        let Some(stage) = orders.stages.get(state.stage) else { return true };
        stage.iter().zip(&state.done).all(|(chain, &done)| done <= chain.len())
    })
}

fn nothing_fails() -> Property<Orders> {
    Property::always("nothing fails", |_, state: &State| !state.fails())
}

/// Everything that there is.
fn unreduced(scenario: &Scenario, under: (FixSet, ServerKind)) -> Seen {
    let orders = Orders::new(scenario, under, || vec![nothing_goes_too_far()]);
    let seen = Arc::clone(&orders.seen);
    let checker = orders.checker().spawn_bfs().join();
    assert!(checker.is_done() && checker.discoveries().is_empty());
    std::mem::take(&mut seen.lock().unwrap())
}

/// An exploration, and the states that its orderings end in.
fn explored(
    scenario: &Scenario,
    (fixes, server): (FixSet, ServerKind),
    reduction: Reduction,
) -> (Exploration, BTreeSet<End>) {
    let ends = RefCell::new(BTreeSet::new());
    let ended = |simulation: &Simulation| {
        ends.borrow_mut().insert(End::of(simulation));
    };
    let limits = Limits { ended: &ended, ..Limits::default() };
    let options = Options { reduction, limits, ..Options::new(fixes, server) };
    let result = explore(&Plan::of(scenario), &options);
    assert_eq!(result.stopped, None);
    (result, ends.take())
}

/// What of two ends must be the same, if so much is taken for the same.
fn part(reduction: Reduction) -> fn(&End) -> (u64, u64) {
    match reduction {
        Reduction { symmetry: false, order: false } => |end| end.exact,
        Reduction { symmetry: false, order: true } => |end| (end.named, 0),
        Reduction { symmetry: true, .. } => |end| (end.nameless, 0),
    }
}

/// How a reduced exploration differs from what stateright has seen.
fn differences(theirs: &Seen, ours: &(Exploration, BTreeSet<End>), reduction: Reduction) -> String {
    let (result, ends) = ours;
    let classes: BTreeSet<ViolationClass> = result.found.iter().map(|one| one.class).collect();
    let missed = theirs.classes.difference(&classes).map(|class| format!("misses {class}\n"));
    let added = classes.difference(&theirs.classes).map(|class| format!("invents {class}\n"));
    let part = part(reduction);
    let parts = |ends: &BTreeSet<End>| ends.iter().map(part).collect::<BTreeSet<_>>();
    let (own, all) = (parts(ends), parts(&theirs.ends));
    let ends = [all.difference(&own).count(), own.difference(&all).count()];
    let ends = (ends != [0, 0])
        .then(|| format!("misses {} of {} ends, invents {}\n", ends[0], all.len(), ends[1]));
    missed.chain(added).chain(ends).collect()
}

/// How much was compared.
#[derive(Default)]
struct Compared {
    classes: usize,
    ends: usize,
    /// States that the whole reduction leaves, and that none leaves.
    states: [u64; 2],
}

impl Compared {
    /// The verdicts and the ends agree, whatever is reduced.
    fn agree(&mut self, scenario: &Scenario, under: (FixSet, ServerKind)) {
        let theirs = unreduced(scenario, under);
        // Turns of threads are taken in every order, so that half of the reductions are the others.
        let reductions = match Plan::of(scenario).is_threaded() {
            true => vec![Reduction::NONE, Reduction::ALL],
            false => REDUCTIONS.to_vec(),
        };
        for reduction in reductions {
            let ours = explored(scenario, under, reduction);
            let told = differences(&theirs, &ours, reduction);
            let (fixes, server) = under;
            assert!(told.is_empty(), "{told}under {fixes} and {server}, {reduction}\n{scenario}");
            if reduction == Reduction::NONE {
                assert_eq!(ours.0.ends, theirs.ends.len() as u64, "{scenario}");
                self.states[1] += ours.0.states;
            } else if reduction == Reduction::ALL {
                self.states[0] += ours.0.states;
            }
        }
        self.classes += theirs.classes.len();
        self.ends += theirs.ends.len();
    }
}

fn under() -> [(FixSet, ServerKind); 5] {
    [
        (Preset::Original.fixes(), ServerKind::K1),
        (Preset::Final.fixes(), ServerKind::K2),
        (Preset::ThreeFixes.fixes(), ServerKind::Shm),
        (Preset::ForkHead.fixes(), ServerKind::K0),
        (Preset::UpstreamShm.fixes(), ServerKind::Shm),
    ]
}

/// The families are what the answers of this crate rest on.
#[test]
fn every_family_has_the_same_verdicts_and_ends() {
    let mut compared = Compared::default();
    for family in Family::ALL {
        let scenario = family.scenario(Sizes::default()).unwrap();
        for under in under() {
            compared.agree(&scenario, under);
        }
    }
    let Compared { classes, ends, states: [reduced, all] } = compared;
    assert!(classes >= 250 && ends >= 150, "{classes} violations, {ends} ends");
    assert!(reduced < all, "{reduced} of {all} states");
}

/// A build-up that the generator drew, and some of what follows it in any order.
fn drawn(seed: u64) -> Scenario {
    let mut choices = Seeded::new(seed);
    let profiles: Vec<Profile> =
        Profile::ALL.into_iter().filter(|profile| !profile.is_threaded()).collect();
    let profile = profiles[choices.pick(profiles.len() as u64) as usize];
    let order = Order::ALL[choices.pick(Order::ALL.len() as u64) as usize];
    let case = case(profile, order, &mut choices);
    // Towards the end, where most handles go.
    let steps = (2 + choices.pick(4) as usize).min(case.ops.len());
    let start = case.ops.len() - steps - choices.pick(case.ops.len().div_ceil(2) as u64) as usize;
    let line =
        |(_, op): &(_, Op)| Line::new(Item::Op(ThreadId(choices.pick(8) as u32), op.clone()));
    let body = case.ops[start..start + steps].iter().map(line).collect();
    let before = Case { ops: case.ops[..start].to_vec(), ..case };
    let Scenario { mut lines } = before.scenario();
    lines.push(Line::new(Item::Any(body)));
    // What is printed can be pasted.
    Scenario { lines }.to_string().parse().unwrap()
}

fn fixes_and_server(seed: u64) -> (FixSet, ServerKind) {
    let mut choices = Seeded::new(seed);
    let sets = common::fix_sets();
    let fixes = sets[choices.pick(sets.len() as u64) as usize];
    (fixes, ServerKind::ALL[choices.pick(ServerKind::ALL.len() as u64) as usize])
}

/// The generator knows every operation, and what belongs together.
#[test]
fn scenarios_of_the_generator_have_the_same_verdicts_and_ends() {
    let mut compared = Compared::default();
    for seed in 0..200 {
        compared.agree(&drawn(seed), fixes_and_server(seed));
    }
    let Compared { classes, ends, states: [reduced, all] } = compared;
    assert!(classes > 1000 && ends > 400, "{classes} violations, {ends} ends");
    assert!(reduced < all, "{reduced} of {all} states");
}

/// A few operations of several threads, which take turns inside them.
fn threads(seed: u64) -> Scenario {
    let mut choices = Seeded::new(seed);
    let bytes: Vec<u8> = (0..20).map(|_| choices.pick(256) as u8).collect();
    let case = from_bytes(Profile::Threads, &bytes);
    Case { schedule: Vec::new(), ..case }.scenario()
}

/// Here the world itself says what is ready, part by part.
#[test]
fn threads_of_the_generator_have_the_same_verdicts_and_ends() {
    let mut compared = Compared::default();
    for seed in 0..100 {
        compared.agree(&threads(seed), fixes_and_server(seed));
    }
    let Compared { classes, ends, states: [_, all] } = compared;
    assert!(classes > 200 && ends > 800 && all > 10_000, "{classes} violations, {ends} ends");
}

/// The scenario with two lines of its block in the order of the file: an exploration of it is one
/// that takes them to commute, whether they do or not.
fn with_one_order(scenario: &Scenario, pair: [usize; 2]) -> Scenario {
    let Scenario { mut lines } = scenario.clone();
    let body = lines.iter_mut().find_map(|line| match &mut line.item {
        Item::Any(body) => Some(body),
        _ => None,
    });
    for (index, line) in body.unwrap().iter_mut().enumerate() {
        let Item::Op(thread, _) = &mut line.item else { continue };
        *thread = ThreadId(if pair.contains(&index) { 1 } else { 0 });
    }
    Scenario { lines }
}

/// Of two steps one order is left out at a time: the comparison must say so. `drop b2` and
/// `alloc b3` leave out the late FREE of a view that hits the new owner.
#[test]
fn an_order_that_is_left_out_is_missed() {
    let scenario: Scenario = "freeorder 1\nopen m0 1x2\nalloc b0 on m0 dram 1x2048\n\
        alloc b1 on m0 dram 1x2048\nview b2 of b0\nany {\n  drop b0\n  drop b1\n  \
        drop b2\n  alloc b3 on m0 dram 1x2048\n}\n"
        .parse()
        .unwrap();
    let under = (Preset::ForkHead.fixes(), ServerKind::K2);
    let theirs = unreduced(&scenario, under);
    let told = |pair, reduction| {
        let ours = explored(&with_one_order(&scenario, pair), under, reduction);
        differences(&theirs, &ours, reduction)
    };
    for reduction in REDUCTIONS {
        for one in 0..4 {
            // The fourth takes an address that the others may have given back, or may not.
            for other in one + 1..4 {
                let missed = told([one, other], reduction);
                assert!(missed.contains("misses"), "{one} before {other}, {reduction}");
            }
        }
        let late = told([2, 3], reduction);
        assert!(late.contains("misses stale-free by the view, other owner"), "{reduction}: {late}");
        // Both orders, nothing left out.
        let whole = explored(&scenario, under, reduction);
        assert_eq!(differences(&theirs, &whole, reduction), "");
    }
}

/// How long the failure is that stateright comes back with.
fn discovered(
    scenario: &Scenario,
    under: (FixSet, ServerKind),
    properties: fn() -> Vec<Property<Orders>>,
) -> usize {
    let checker = Orders::new(scenario, under, properties).checker().spawn_bfs().join();
    checker.discovery("nothing fails").unwrap().into_actions().len()
}

/// Breadth first is not shortest first: as long as another property has not failed, stateright goes
/// on, and each failure takes the place of the one before it.
#[test]
fn a_counterexample_is_shortest_where_that_of_stateright_is_not() {
    let sizes = Sizes { handles: 2, devices: 4, views: 0, ..Sizes::default() };
    let scenario = Family::Teardown.scenario(sizes).unwrap();
    // Three lines of build-up and the exit.
    let all = Plan::of(&scenario).steps() + 4;
    for preset in [Preset::Final, Preset::ForkHead] {
        let under = (preset.fixes(), ServerKind::K2);
        let alone = discovered(&scenario, under, || vec![nothing_fails()]);
        let beside = discovered(&scenario, under, || vec![nothing_fails(), nothing_goes_too_far()]);
        let ours = explore(&Plan::of(&scenario), &Options::new(under.0, under.1));
        let first = ours.violations().next().unwrap();
        assert_eq!((first.steps, first.is_shortest), (alone, true), "{preset:?}");
        // The build-up and one release are enough; stateright says every step there is.
        assert_eq!((alone, beside), (4, all), "{preset:?}");
    }
}
