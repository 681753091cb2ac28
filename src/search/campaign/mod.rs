//! A campaign: the cases of a range of seeds, what they reach, and what fails in them.
//!
//! Its result is a function of its plan and of the range, and of nothing else: seeds are run in
//! chunks, by any number of threads, and what they came to is merged in the order of the seeds.

mod distinct;
mod finding;
mod hyperloglog;
mod late_drop;
mod plan;
mod state;
mod store;
mod worker;

pub use distinct::{Count, Distinct};
pub use finding::{Finding, Found, Key, replay};
pub use hyperloglog::HyperLogLog;
pub use plan::Plan;
pub use store::{Store, StoreError};

use std::collections::BTreeMap;
use std::ops::Range;
use std::sync::Mutex;
use std::time::{Duration, Instant};

use rayon::prelude::*;

use crate::mark::Mark;
use crate::search::minimize::Options;
use crate::violation::OracleName;
use worker::{Block, Marks, Worker};

/// How many seeds a thread runs at a time.
const BLOCK: u64 = 16;
/// How many seeds are run between two merges.
const CHUNK: u64 = 32 * BLOCK;

/// What a campaign asks and tells while it runs, from any thread.
#[derive(Clone, Copy)]
pub struct Hooks<'a> {
    /// Whether to stop.
    pub is_interrupted: &'a (dyn Fn() -> bool + Sync),
    /// Hears of each seed before it is run.
    pub running: &'a (dyn Fn(u64) + Sync),
}

/// A campaign as far as it has come.
///
/// ```
/// use freeorder::{fix::Preset, generate::{Order, Profile}, server::ServerKind};
/// use freeorder::search::campaign::{Campaign, Hooks, Plan};
/// let (fixes, server) = (Preset::Before.fixes(), ServerKind::K1);
/// let plan = Plan { fixes, server, profile: Profile::Basic, order: Order::Urw };
/// let mut campaign = Campaign::new(plan, 0);
/// campaign.advance(5, Hooks { is_interrupted: &|| false, running: &|_| {} });
/// assert_eq!(campaign.range(), 0..5);
/// assert!(campaign.findings().next().is_some());
/// ```
#[derive(Debug)]
pub struct Campaign {
    plan: Plan,
    range: Range<u64>,
    operations: u64,
    marks: Marks,
    notes: [u64; OracleName::COUNT],
    orderings: Distinct,
    states: Distinct,
    /// Hashes that are new since the last save, if there is a store.
    fresh: Option<Fresh>,
    findings: BTreeMap<Key, Finding>,
    workers: Mutex<Vec<Worker>>,
}

/// Hashes that were counted for the first time.
#[derive(Debug, Default)]
struct Fresh {
    orderings: Vec<u64>,
    states: Vec<u64>,
}

impl Campaign {
    /// A campaign that has run nothing, and starts with a seed.
    #[must_use]
    pub fn new(plan: Plan, start: u64) -> Self {
        Self {
            plan,
            range: start..start,
            operations: 0,
            marks: Marks::default(),
            notes: [0; OracleName::COUNT],
            orderings: Distinct::new(Distinct::EXACT_MAX),
            states: Distinct::new(Distinct::EXACT_MAX),
            fresh: None,
            findings: BTreeMap::new(),
            workers: Mutex::default(),
        }
    }

    /// What decides its result.
    #[must_use]
    pub fn plan(&self) -> &Plan {
        &self.plan
    }

    /// The seeds that it has run.
    #[must_use]
    pub fn range(&self) -> Range<u64> {
        self.range.clone()
    }

    /// Operations and steps that changed something.
    #[must_use]
    pub fn operations(&self) -> u64 {
        self.operations
    }

    /// How often each rare situation was reached.
    pub fn marks(&self) -> impl Iterator<Item = (Mark, u64)> {
        Mark::ALL.into_iter().zip(self.marks.0)
    }

    /// What the oracles noted, with how much; changes no verdict.
    pub fn notes(&self) -> impl Iterator<Item = (OracleName, u64)> {
        OracleName::ALL.into_iter().zip(self.notes).filter(|&(_, count)| count > 0)
    }

    /// How many different orders of operations and steps were executed.
    #[must_use]
    pub fn orderings(&self) -> Count {
        self.orderings.count()
    }

    /// How many different states were reached.
    #[must_use]
    pub fn states(&self) -> Count {
        self.states.count()
    }

    /// What failed: for each kind and role the finding with the lowest [`Found::rank`].
    pub fn findings(&self) -> impl Iterator<Item = &Finding> {
        self.findings.values()
    }

    /// The finding of a key.
    ///
    /// # Panics
    /// If there is none.
    #[must_use]
    pub fn finding(&self, key: Key) -> &Finding {
        self.findings.get(&key).expect("a campaign keeps every finding")
    }

    /// Runs the next seeds, at most up to `end`, and answers with the keys of what is new.
    ///
    /// When it is interrupted, the range ends before the first seeds that were not run.
    pub fn advance(&mut self, end: u64, hooks: Hooks<'_>) -> Vec<Key> {
        let end = end.min(self.range.end.saturating_add(CHUNK));
        let count = end.saturating_sub(self.range.end).div_ceil(BLOCK);
        let start = self.range.end;
        let blocks: Vec<Option<Block>> = (0..count)
            .into_par_iter()
            .map(|index| {
                let from = start + index * BLOCK;
                let seeds = from..end.min(from.saturating_add(BLOCK));
                (!(hooks.is_interrupted)()).then(|| self.run(seeds, hooks))
            })
            .collect();
        let mut new = Vec::new();
        for block in blocks.into_iter().map_while(|block| block) {
            self.range.end = end.min(self.range.end.saturating_add(BLOCK));
            self.merge(&block, &mut new);
        }
        new
    }

    /// Reduces the findings that are not minimised yet, each for so long at most, and answers with
    /// their keys; one that was interrupted stays as it is.
    pub fn minimize(
        &mut self,
        time_max: Option<Duration>,
        is_interrupted: &(dyn Fn() -> bool + Sync),
    ) -> Vec<Key> {
        let plan = self.plan;
        let open: Vec<&Finding> =
            self.findings.values().filter(|finding| !finding.minimized).collect();
        let reduced = open.into_par_iter().filter_map(|finding| {
            let deadline = time_max.map(|time| Instant::now() + time);
            let interrupted: &dyn Fn() -> bool = &|| is_interrupted();
            let limits = Options { deadline, interrupted: Some(interrupted), log: None };
            finding.reduced(&plan, limits).filter(|_| !is_interrupted())
        });
        let reduced: Vec<Finding> = reduced.collect();
        let keys = reduced.iter().map(Finding::key).collect();
        self.findings.extend(reduced.into_iter().map(|finding| (finding.key(), finding)));
        keys
    }

    /// What fails at a seed.
    fn found_at(&self, seed: u64) -> Vec<Finding> {
        let block = Worker::new(self.plan).block(seed..seed.saturating_add(1), |_| {});
        block.found.into_iter().map(|found| Finding::drawn(&self.plan, found)).collect()
    }

    /// Runs the seeds with a worker that is free.
    fn run(&self, seeds: Range<u64>, hooks: Hooks<'_>) -> Block {
        let free = self.workers.lock().expect("no worker panics").pop();
        let mut worker = free.unwrap_or_else(|| Worker::new(self.plan));
        let block = worker.block(seeds, hooks.running);
        self.workers.lock().expect("no worker panics").push(worker);
        block
    }

    fn merge(&mut self, block: &Block, new: &mut Vec<Key>) {
        self.operations += block.operations;
        let add = |sums: &mut [u64], counts: &[u64]| {
            sums.iter_mut().zip(counts).for_each(|(sum, count)| *sum += count);
        };
        add(&mut self.marks.0, &block.marks.0);
        add(&mut self.notes, &block.notes);
        let (orderings, states) = match &mut self.fresh {
            None => (None, None),
            Some(fresh) => (Some(&mut fresh.orderings), Some(&mut fresh.states)),
        };
        self.orderings.extend(&block.orderings, orderings);
        self.states.extend(&block.states, states);
        for &found in &block.found {
            let key = Key::of(found.class);
            let known = self.findings.get(&key);
            if known.is_none_or(|known| found.rank() < known.found.rank()) {
                if !new.contains(&key) {
                    new.push(key);
                }
                self.findings.insert(key, Finding::drawn(&self.plan, found));
            }
        }
    }
}
