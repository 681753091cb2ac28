//! Many seeds against the real runtime.

use std::collections::BTreeMap;
use std::ops::Range;
use std::sync::Mutex;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::{Duration, Instant};

use super::known::Known;
use super::lockstep::{Check, Deviation, Ran, run};
use super::process::Runtime;
use super::program::program;
use super::subject::Real;
use crate::allocator::Machine;
use crate::scenario::Case;
use crate::search::minimize::{Options, minimize};

/// A campaign against one machine.
pub struct Hunt<'a> {
    /// The machine.
    pub machine: Machine,
    /// The seeds.
    pub seeds: Range<u64>,
    /// When no new seed is begun.
    pub deadline: Option<Instant>,
    /// How long one finding may be minimised.
    pub minimize_for: Duration,
    /// What is compared.
    pub check: Check,
    /// Whether known divergences are minimised and reported as if they were new.
    pub forget_known: bool,
    /// Asked between two seeds: whether to stop.
    pub interrupted: &'a (dyn Fn() -> bool + Sync),
}

/// A deviation without an id, or, if that is asked for, with one.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Finding {
    /// The first seed that showed it.
    pub seed: u64,
    /// What it is.
    pub deviation: Deviation,
    /// The smallest case that shows it.
    pub case: Case,
    /// How many candidates were run for it.
    pub replays: u64,
    /// Whether a new process shows it too: if not, it depends on what the process did before.
    pub reproducible: bool,
}

/// What a campaign came to.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Found {
    /// Programs that were run.
    pub programs: u64,
    /// Calls that were compared in programs without a deviation.
    pub calls: u64,
    /// How often each known divergence was seen.
    pub known: BTreeMap<&'static str, u64>,
    /// The others, by class.
    pub findings: BTreeMap<String, Finding>,
}

impl Hunt<'_> {
    /// Runs the seeds, each runtime on a thread of its own.
    pub fn run<R: Runtime + Send>(&self, runtimes: &mut [R]) -> Found {
        let (next, found) = (AtomicU64::new(self.seeds.start), Mutex::new(Found::default()));
        std::thread::scope(|scope| {
            for runtime in runtimes {
                scope.spawn(|| self.work(runtime, &next, &found));
            }
        });
        found.into_inner().unwrap_or_else(std::sync::PoisonError::into_inner)
    }

    fn work(&self, runtime: &mut impl Runtime, next: &AtomicU64, found: &Mutex<Found>) {
        let lock = || found.lock().unwrap_or_else(std::sync::PoisonError::into_inner);
        loop {
            let late = self.deadline.is_some_and(|deadline| Instant::now() >= deadline);
            if late || (self.interrupted)() {
                return;
            }
            // The last seed of all has no next one.
            let inside = |seed: u64| (seed < self.seeds.end).then(|| seed + 1);
            let taken = next.fetch_update(Ordering::Relaxed, Ordering::Relaxed, inside);
            let Ok(seed) = taken else { return };
            let case = program(self.machine, seed);
            let ran = run(runtime, &case, &self.check);
            lock().programs += 1;
            let deviation = match ran {
                Ran::Agreed(calls) => {
                    lock().calls += calls as u64;
                    continue;
                }
                Ran::Foreign => continue,
                Ran::Deviated(deviation) => deviation,
            };
            if (self.interrupted)() {
                // It may be that the runtime was not waited for.
                return;
            }
            let known = Known::of(&case, &deviation).filter(|_| !self.forget_known);
            if let Some(known) = known {
                *lock().known.entry(known.id).or_insert(0) += 1;
                continue;
            }
            // The place is taken before it is minimised, so that no other thread does the same.
            let class = deviation.class.clone();
            let finding = Finding { seed, deviation, case, replays: 0, reproducible: false };
            if lock().findings.contains_key(&class) {
                continue;
            }
            lock().findings.insert(class.clone(), finding.clone());
            let finding = minimized(runtime, finding, &self.check, self.minimize_for);
            lock().findings.insert(class, finding);
        }
    }
}

/// The finding with the smallest case that shows it in a new process; as it is if none does.
#[must_use]
pub fn minimized(
    runtime: &mut impl Runtime,
    finding: Finding,
    check: &Check,
    limit: Duration,
) -> Finding {
    let class = finding.deviation.class.clone();
    // A process that served other programs is quicker; what it shows must hold in a new one.
    for fresh in [false, true] {
        runtime.restart();
        let mut options = Options { deadline: Some(Instant::now() + limit), ..Options::default() };
        let of = (&finding.case, &finding.deviation);
        let mut subject = Real::new(runtime, of, check, fresh);
        let Ok(minimized) = minimize(&finding.case, &mut subject, &mut options) else { continue };
        runtime.restart();
        let Ran::Deviated(deviation) = run(runtime, &minimized.case, check) else { continue };
        if deviation.class == class {
            let (case, replays, seed) = (minimized.case, minimized.replays, finding.seed);
            return Finding { seed, deviation, case, replays, reproducible: true };
        }
    }
    finding
}

impl std::fmt::Debug for Hunt<'_> {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Hunt").field("machine", &self.machine).finish_non_exhaustive()
    }
}
