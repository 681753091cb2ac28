//! The models of threads at sizes that loom cannot finish, under three kinds of random schedules:
//! each has more threads than the five that loom can have at all.
//!
//! `RUSTFLAGS="--cfg loom" cargo test --release --test shuttle`: the flag of `tests/loom.rs`, so
//! that one build makes both.
#![cfg(loom)]
#![allow(clippy::unwrap_used, reason = "a thread that panicked has failed the test")]

mod threads;

/// What the models are made of, in shuttle's make.
mod sync {
    pub use shuttle::sync::atomic::{AtomicBool, AtomicU8, Ordering};
    pub use shuttle::sync::{Mutex, MutexGuard, mpsc};
    pub use shuttle::thread;
}

use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::Arc;
use std::sync::atomic::AtomicUsize;
use std::sync::atomic::Ordering::Relaxed;

use freeorder::fix::{Fix, Preset};
use shuttle::scheduler::{PctScheduler, RandomScheduler, Scheduler, UrwRandomScheduler};
use shuttle::{Config, FailurePersistence, Runner};

use threads::Outcome;
use threads::cache_clear::{self, Gains};
use threads::gc_close::{self, Apart};
use threads::lifecycle_mutex;
use threads::mark_deallocate::{self, Call, Exchange};
use threads::mesh::Covers;
use threads::reconnect;
use threads::registry::{self, Holds};
use threads::reused_address::{self, Ends, Size};

/// Schedules of a model that each scheduler makes.
const SCHEDULES: usize = 1000;

/// The seed of every scheduler; `SHUTTLE_RANDOM_SEED` sets another.
const SEED: u64 = 7;

/// So many races can be needed: PCT changes priorities one time less.
const DEPTH: usize = 3;

/// The three ways to draw a schedule.
const KINDS: [Kind; 3] = [Kind::Random, Kind::Pct, Kind::Urw];

#[derive(Clone, Copy, Debug)]
enum Kind {
    /// Any thread, at each step.
    Random,
    /// Probabilistic concurrency testing: the thread of the highest priority, few changes.
    Pct,
    /// Uniform random walk: by how much each thread has still to do.
    Urw,
}

impl Kind {
    fn scheduler(self) -> Box<dyn Scheduler + Send> {
        match self {
            Self::Random => Box::new(RandomScheduler::new_from_seed(SEED, SCHEDULES)),
            Self::Pct => Box::new(PctScheduler::new_from_seed(SEED, DEPTH, SCHEDULES)),
            Self::Urw => Box::new(UrwRandomScheduler::new_from_seed(SEED, SCHEDULES)),
        }
    }

    /// Runs a model until it fails; how many schedules that took, and the text of the failure.
    fn run(self, model: impl Fn() -> Outcome + Send + Sync + 'static) -> (usize, Option<String>) {
        let mut config = Config::new();
        config.failure_persistence = FailurePersistence::None;
        let count = Arc::new(AtomicUsize::new(0));
        let counted = Arc::clone(&count);
        let runner = Runner::new(self.scheduler(), config);
        let ran = catch_unwind(AssertUnwindSafe(|| {
            runner.run(move || {
                counted.fetch_add(1, Relaxed);
                model().check();
            })
        }));
        let text = ran.err().map(|payload| {
            let text = payload.downcast_ref::<String>().cloned();
            text.or_else(|| payload.downcast_ref::<&str>().map(|&text| text.to_owned())).unwrap()
        });
        (count.load(Relaxed), text)
    }
}

/// The racy twin: each kind of schedules comes to one that fails, with one of these words.
#[track_caller]
fn fails(model: impl Fn() -> Outcome + Send + Sync + Clone + 'static, words: &[&str]) {
    for kind in KINDS {
        let (schedules, text) = kind.run(model.clone());
        let text = text.unwrap_or_else(|| panic!("{kind:?} missed it {schedules} times"));
        assert!(words.iter().any(|word| text.contains(word)), "{kind:?}: {text}");
        println!("{kind:?}: schedule {schedules} of {SCHEDULES}: {text}");
    }
}

/// The fixed twin: no schedule fails.
#[track_caller]
fn holds(model: impl Fn() -> Outcome + Send + Sync + Clone + 'static) {
    for kind in KINDS {
        assert_eq!(kind.run(model.clone()), (SCHEDULES, None), "{kind:?}");
    }
}

/// What a FREE in another buffer's place comes to, by what follows it.
const MISPLACED: [&str; 3] = ["stale-free", "unknown-free", "residue"];

/// Six threads at one buffer.
#[test]
fn marks_and_deallocations_of_one_buffer() {
    use Call::{Deallocate, Mark};
    let model = |exchange| move || mark_deallocate::model(exchange, &[Mark, Deallocate].repeat(3));
    fails(model(Exchange::LoadAndStore), &["unknown-free", "residue"]);
    holds(model(Exchange::Swap));
}

const LARGE: Size = Size { devices: 8, pairs: 3, rounds: 2 };

/// Six threads and eight devices.
#[test]
fn a_reused_address_on_a_whole_mesh() {
    fails(|| reused_address::model(Preset::ForkHead.fixes(), LARGE), &MISPLACED);
    holds(|| reused_address::model(Preset::Final.fixes(), LARGE));
    holds(|| reused_address::model(Preset::UpstreamShm.fixes(), LARGE));
}

/// The same with a mutex for each of the devices.
#[test]
fn lifecycle_mutexes_of_a_whole_mesh() {
    let model = |covers, ends| move || lifecycle_mutex::model(covers, ends, LARGE);
    fails(model(Covers::EachMessage, Ends::AtOnce), &MISPLACED);
    fails(model(Covers::TheCall, Ends::DeallocatedFirst), &MISPLACED);
    fails(model(Covers::TheCallEitherWay, Ends::AtOnce), &["deadlock"]);
    holds(model(Covers::TheCall, Ends::AtOnce));
}

/// Three clients, six sockets.
#[test]
fn clients_that_reconnect() {
    let fixes = Preset::ForkHead.fixes();
    fails(move || reconnect::model(fixes, 3, 4), &["unknown-free", "residue"]);
    holds(move || reconnect::model(fixes.with(Fix::CloseBeforeReconnect), 3, 4));
}

/// Five processes at three addresses.
#[test]
fn a_registry_of_many_clients() {
    fails(|| registry::model(Holds::EachHalf, 5, 3), &["unknown-free", "residue"]);
    holds(|| registry::model(Holds::TheMessage, 5, 3));
}

/// Four threads run three programs while a fifth clears the cache.
#[test]
fn a_cache_that_is_cleared_under_many_threads() {
    fails(|| cache_clear::model(Gains::Never, 4, 3), &["use-after-free"]);
    fails(|| cache_clear::model(Gains::Later, 4, 3), &["use-after-free"]);
    holds(|| cache_clear::model(Gains::AtOnce, 4, 3));
}

/// Five buffers are collected while the device closes.
#[test]
fn a_close_among_many_destructors() {
    for fixes in [Preset::UpstreamShm.fixes(), Preset::ForkHead.fixes()] {
        fails(move || gc_close::model(fixes, Apart::Asks, 5), &["teardown", "unknown-free"]);
        holds(move || gc_close::model(fixes, Apart::Excluded, 5));
    }
}
