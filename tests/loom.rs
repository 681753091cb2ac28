//! Every execution of small models of threads: the racy twin fails, the fixed one never does.
//!
//! `RUSTFLAGS="--cfg loom" cargo test --release --test loom`; without the flag there is nothing
//! here. `tests/threads/` has the models, `tests/shuttle.rs` the same ones at larger sizes.
#![cfg(loom)]
#![allow(clippy::unwrap_used, reason = "a thread that panicked has failed the test")]

mod threads;

/// What the models are made of, in loom's make.
mod sync {
    pub use loom::sync::atomic::{AtomicBool, AtomicU8, Ordering};
    pub use loom::sync::{Mutex, MutexGuard, mpsc};
    pub use loom::thread;
}

use std::collections::{BTreeMap, BTreeSet};
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::{Arc, Mutex};

use freeorder::fix::{Fix, Preset};
use freeorder::mark::Mark;
use freeorder::violation::OracleName::{self, *};

use threads::Outcome;
use threads::cache_clear::{self, Gains};
use threads::gc_close::{self, Apart};
use threads::lifecycle_mutex;
use threads::mark_deallocate::{self, Call, Exchange};
use threads::mesh::Covers;
use threads::reconnect;
use threads::registry::{self, Holds};
use threads::reused_address::{self, Ends, Size};

/// A buffer is destroyed while one is created, on one device.
const SMALLEST: Size = Size { devices: 1, pairs: 1, rounds: 1 };

/// The same on two devices, and the new buffer is destroyed and created again.
const TWICE: Size = Size { devices: 2, pairs: 1, rounds: 2 };

/// How many executions there are, by what they come to. No bound on anything: loom has looked at
/// all of them when it comes back.
#[derive(Debug, Default)]
struct Executions(BTreeMap<Outcome, usize>);

impl Executions {
    fn of(model: impl Fn() -> Outcome + Send + Sync + 'static) -> Self {
        let all = Arc::new(Mutex::new(Self::default()));
        let count = Arc::clone(&all);
        loom::model(move || {
            let outcome = model();
            *count.lock().unwrap().0.entry(outcome).or_default() += 1;
        });
        std::mem::take(&mut *all.lock().unwrap())
    }

    /// Every oracle that fires in some execution.
    fn found(&self) -> BTreeSet<OracleName> {
        self.0.keys().flat_map(|outcome| outcome.found.iter().copied()).collect()
    }

    /// How many executions were in a situation, and how many were not.
    fn seen(&self, mark: Mark) -> (usize, usize) {
        let (with, without): (Vec<_>, Vec<_>) =
            self.0.iter().partition(|(outcome, _)| outcome.seen.contains(&mark));
        let sum = |some: Vec<(&Outcome, &usize)>| some.into_iter().map(|(_, count)| count).sum();
        (sum(with), sum(without))
    }

    fn failing(&self) -> usize {
        let failing = self.0.iter().filter(|(outcome, _)| !outcome.found.is_empty());
        failing.map(|(_, count)| count).sum()
    }

    fn count(&self) -> usize {
        self.0.values().sum()
    }
}

/// The racy twin: loom stops at an execution that fails, with these words in its panic; and these
/// are all the oracles that fire, and not in every execution.
#[track_caller]
fn fails(model: impl Fn() -> Outcome + Send + Sync + Clone + 'static, found: &[OracleName]) {
    let stops = model.clone();
    let text = panic_of(move || stops().check());
    let words: Vec<&str> = text.strip_prefix("found ").expect(&text).split(' ').collect();
    assert!(found.iter().any(|oracle| words.contains(&oracle.name())), "{text}");
    let all = Executions::of(model);
    println!("{} executions, of which {} fail", all.count(), all.failing());
    assert_eq!(all.found(), found.iter().copied().collect());
    assert!(all.0.keys().any(|outcome| outcome.found.is_empty()), "then it is no race");
}

/// The fixed twin: loom goes through all its executions, and no oracle fires in any.
#[track_caller]
fn exhausts(model: impl Fn() -> Outcome + Send + Sync + 'static) -> Executions {
    let all = Executions::of(model);
    assert_eq!(all.found(), BTreeSet::new());
    assert!(all.count() > 10, "too few to be interleavings: {all:?}");
    println!("{} executions, and none fails", all.count());
    all
}

/// What loom panics with.
#[track_caller]
fn panic_of(model: impl Fn() + Send + Sync + 'static) -> String {
    let run = AssertUnwindSafe(|| loom::model(model));
    let payload = catch_unwind(run).expect_err("loom must stop at an execution that fails");
    let text = payload.downcast_ref::<String>().cloned();
    text.or_else(|| payload.downcast_ref::<&str>().map(|&text| text.to_owned())).unwrap()
}

/// Both guards of the documents are a load and a store; only one step for both keeps two threads
/// from sending two FREEs.
#[test]
fn a_mark_and_a_deallocation_both_free_unless_the_status_is_exchanged() {
    let calls = [Call::Mark, Call::Deallocate];
    fails(move || mark_deallocate::model(Exchange::LoadAndStore, &calls), &[UnknownFree]);
    let calls = [Call::Mark, Call::Deallocate, Call::Mark];
    let all = exhausts(move || mark_deallocate::model(Exchange::Swap, &calls));
    let (leaked, given_back) = all.seen(Mark::MarkedWithoutRelease);
    assert!(leaked > 0 && given_back > 0, "each comes first some time: {all:?}");
}

/// Two explicit calls give a block back twice, too.
#[test]
fn two_deallocations_return_one_block_unless_the_status_is_exchanged() {
    let calls = [Call::Deallocate, Call::Deallocate];
    let racy = move || mark_deallocate::model(Exchange::LoadAndStore, &calls);
    fails(racy, &[SingleFree, UnknownFree]);
    let calls = [Call::Deallocate; 3];
    exhausts(move || mark_deallocate::model(Exchange::Swap, &calls));
}

/// What was committed to the fork sends FREE when the address can be somebody else's; document 004
/// and the main branch send it before.
#[test]
fn a_free_meets_the_next_owner_unless_it_is_sent_before_the_block_goes_back() {
    let racy = || reused_address::model(Preset::ForkHead.fixes(), SMALLEST);
    fails(racy, &[UnknownFree, StaleFree, Residue]);
    for preset in [Preset::Final, Preset::UpstreamShm] {
        let all = exhausts(move || reused_address::model(preset.fixes(), TWICE));
        let (reused, fresh) = all.seen(Mark::AddressReused);
        assert!(reused > 0 && fresh > 0, "{}: {all:?}", preset.name());
    }
}

/// The documents' third fix: it changes nothing as it was written, and something as it was meant.
#[test]
fn a_lifecycle_mutex_helps_only_if_it_covers_whole_calls() {
    let size = Size { devices: 2, ..SMALLEST };
    let racy = move || lifecycle_mutex::model(Covers::EachMessage, Ends::AtOnce, size);
    fails(racy, &[UnknownFree, StaleFree, Residue]);
    let all = exhausts(|| lifecycle_mutex::model(Covers::TheCall, Ends::AtOnce, TWICE));
    let (reused, fresh) = all.seen(Mark::AddressReused);
    assert!(reused > 0 && fresh > 0, "{all:?}");
}

/// A handle that is dropped later is a call of its own: no mutex reaches from one to the other.
#[test]
fn no_lifecycle_mutex_covers_a_late_drop() {
    let size = Size { devices: 2, ..SMALLEST };
    let model = move || lifecycle_mutex::model(Covers::TheCall, Ends::DeallocatedFirst, size);
    fails(model, &[UnknownFree, StaleFree, Residue]);
}

/// A mutex for each device is one for each of a mesh's devices: they need an order.
#[test]
fn lifecycle_mutexes_of_a_mesh_deadlock_if_they_are_taken_in_two_orders() {
    let size = Size { devices: 2, ..SMALLEST };
    let text = panic_of(move || {
        lifecycle_mutex::model(Covers::TheCallEitherWay, Ends::AtOnce, size).check();
    });
    assert!(text.contains("deadlock"), "{text}");
}

/// The old socket's backlog is read by one thread, the new socket by another.
#[test]
fn a_free_overtakes_its_alloc_unless_the_old_socket_is_read_to_its_end() {
    let fixes = Preset::ForkHead.fixes();
    fails(move || reconnect::model(fixes, 1, 1), &[UnknownFree, Residue]);
    // Of one client alone a single order is left, so there are two.
    exhausts(move || reconnect::model(fixes.with(Fix::CloseBeforeReconnect), 2, 2));
}

/// What was decided for one count is written over another.
#[test]
fn a_registry_loses_references_unless_a_message_holds_its_mutex() {
    fails(|| registry::model(Holds::EachHalf, 2, 1), &[UnknownFree, Residue]);
    exhausts(|| registry::model(Holds::TheMessage, 2, 2));
}

/// A reference into the cache is no owner, and becomes none by asking later.
#[test]
fn a_cleared_cache_takes_a_running_program_unless_the_look_up_makes_an_owner() {
    for gains in [Gains::Never, Gains::Later] {
        fails(move || cache_clear::model(gains, 1, 1), &[UseAfterFree]);
    }
    let all = exhausts(|| cache_clear::model(Gains::AtOnce, 1, 2));
    let (hit, missed) = all.seen(Mark::CacheClearedWhileInUse);
    assert!(hit > 0 && missed > 0, "{all:?}");
}

/// `is_initialized` is a question about a moment that is over.
#[test]
fn a_destructor_meets_a_closed_device_unless_close_waits_for_it() {
    let upstream = Preset::UpstreamShm.fixes();
    fails(move || gc_close::model(upstream, Apart::Asks, 1), &[SingleFree, UnknownFree, Teardown]);
    let fork = Preset::ForkHead.fixes();
    fails(move || gc_close::model(fork, Apart::Asks, 1), &[Teardown]);
    let reported = fork.with(Fix::ReportOnClose);
    fails(move || gc_close::model(reported, Apart::Asks, 1), &[UnknownFree, Teardown]);
    for fixes in [upstream, fork, reported] {
        let all = exhausts(move || gc_close::model(fixes, Apart::Excluded, 2));
        let (live, gone) = all.seen(Mark::ClosedWithLiveBuffers);
        assert!(live > 0 && gone > 0, "{fixes}: {all:?}");
    }
}
