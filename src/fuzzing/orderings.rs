//! Orderings of an ordinary program: no violation, the same run twice, and the way back.

use std::cell::RefCell;
use std::fmt;
use std::hash::Hasher;
use std::num::NonZeroU64;
use std::str::FromStr;
use std::sync::LazyLock;

use super::TestCase;
use super::runner::{Events, Runner, Under};
use crate::fix::Preset;
use crate::generate::{Profile, from_bytes};
use crate::journal::{Mixer, Tracking};
use crate::scenario::{Case, Simulation, run};
use crate::server::ServerKind;

/// How many violations a failure prints with their facts.
const PRINTED_MAX: usize = 8;

/// The operations that bytes stand for, under `FREEORDER_FIXES`, `FREEORDER_SERVER` and
/// `FREEORDER_PROFILE`, one input in `FREEORDER_TWICE` run twice.
///
/// ```
/// use freeorder::fuzzing::{TestCase, orderings::Ordering};
/// assert_eq!(Ordering::of(b"any bytes are operations").check(), Ok(()));
/// ```
#[derive(Clone, Debug)]
pub struct Ordering {
    under: Under,
    case: Case,
    runs_twice: bool,
}

/// What the environment asks for, read once.
#[derive(Clone, Copy, Debug)]
struct Wanted {
    under: Under,
    profile: Profile,
    /// One input in so many is undone and run a second time.
    twice: NonZeroU64,
}

static WANTED: LazyLock<Result<Wanted, String>> = LazyLock::new(|| {
    let fixes = wanted("FREEORDER_FIXES")?.unwrap_or_else(|| Preset::UpstreamShm.fixes());
    let server = wanted("FREEORDER_SERVER")?.unwrap_or(ServerKind::Shm);
    let profile = wanted("FREEORDER_PROFILE")?.unwrap_or(Profile::Tame);
    let twice = wanted("FREEORDER_TWICE")?.unwrap_or(INPUTS_A_SECOND_RUN);
    Ok(Wanted { under: Under { fixes, server }, profile, twice })
});

/// The value of a variable, if it is set.
fn wanted<T: FromStr<Err: fmt::Display>>(variable: &str) -> Result<Option<T>, String> {
    let text = std::env::var(variable).ok().filter(|text| !text.is_empty());
    let value = text.map(|text| text.parse().map_err(|error| format!("{variable}: {error}")));
    value.transpose()
}

/// What the environment asks for.
///
/// # Panics
/// If it asks for nothing there is: a fuzzer that looked for something else would find nothing and
/// not say so.
fn environment() -> &'static Wanted {
    WANTED.as_ref().unwrap_or_else(|wrong| panic!("{wrong}"))
}

/// Checks what the environment asks for.
///
/// # Errors
/// With the variable that says nothing, and what it could say.
pub fn check_environment() -> Result<(), String> {
    WANTED.as_ref().map(|_| ()).map_err(Clone::clone)
}

/// The profile with which bytes are read.
///
/// # Panics
/// If the environment asks for one that there is not.
#[must_use]
pub fn profile() -> Profile {
    environment().profile
}

/// One input in so many is undone and run a second time, unless `FREEORDER_TWICE` says another
/// number, by a hash of its bytes, so that one that fails, fails again. The way back has branches
/// of its own, and to a fuzzer each is a reason to keep an input: more often, and it looks at
/// little else.
const INPUTS_A_SECOND_RUN: NonZeroU64 = NonZeroU64::new(32).expect("32 is not 0");

/// A state that is undone wrongly stays wrong, so it is looked at only so often, and at the end.
const STEPS_A_LOOK: usize = 8;

/// The memory of a case, kept for the next one.
struct Memory {
    plain: Runner,
    tracked: Runner,
    /// The hash of every so many-th state, the first one first.
    hashes: Vec<u64>,
}

thread_local! {
    static MEMORY: RefCell<Option<Memory>> = const { RefCell::new(None) };
}

impl Memory {
    fn new(under: Under) -> Self {
        Self {
            plain: Runner::new(under, Tracking::NONE),
            tracked: Runner::new(under, Tracking::FULL),
            hashes: Vec::new(),
        }
    }

    fn check(&mut self, ordering: &Ordering) -> Result<(), String> {
        let Ordering { case, runs_twice, .. } = ordering;
        if *runs_twice {
            return self.check_twice(case);
        }
        self.plain.start(case);
        self.plain.run(case, &mut Events::unheard(), |_| {});
        fails(self.plain.simulation())
    }

    /// Runs the case, undoes it, and runs it again from there.
    fn check_twice(&mut self, case: &Case) -> Result<(), String> {
        self.tracked.start(case);
        let (mut first, mut second) = (Events::default(), Events::default());
        let (hashes, mut steps) = (&mut self.hashes, 0_usize);
        hashes.clear();
        self.tracked.run(case, &mut first, |simulation| {
            if steps.is_multiple_of(STEPS_A_LOOK) {
                hashes.push(simulation.hash());
            }
            steps += 1;
        });
        fails(self.tracked.simulation())?;
        self.take_back(steps)?;
        self.tracked.run(case, &mut second, |_| {});
        if first.hash() != second.hash() {
            return Err("a second run of the same case differs".to_owned());
        }
        Ok(())
    }

    /// Undoes step by step, and finds the states as they were.
    fn take_back(&mut self, steps: usize) -> Result<(), String> {
        let simulation = self.tracked.simulation();
        for step in (0..steps).rev() {
            if !simulation.undo() {
                return Err(format!("step {} cannot be undone", step + 1));
            }
            let looks = step.is_multiple_of(STEPS_A_LOOK);
            if looks && simulation.hash() != self.hashes[step / STEPS_A_LOOK] {
                return Err(format!("step {} undone is not the state before it", step + 1));
            }
        }
        if simulation.undo() {
            return Err("more was undone than was done".to_owned());
        }
        Ok(())
    }
}

fn fails(simulation: &Simulation) -> Result<(), String> {
    let failed = simulation.oracles().findings().failed();
    if failed { Err("the oracles found something".to_owned()) } else { Ok(()) }
}

impl Ordering {
    /// The case of some bytes under given switches.
    pub(super) fn under(under: Under, profile: Profile, bytes: &[u8]) -> Self {
        let mut hasher = Mixer::default();
        hasher.write(bytes);
        let runs_twice = hasher.finish().is_multiple_of(environment().twice.get());
        Self { under, case: from_bytes(profile, bytes), runs_twice }
    }

    /// The operations.
    #[must_use]
    pub fn case(&self) -> &Case {
        &self.case
    }
}

impl TestCase for Ordering {
    fn of(bytes: &[u8]) -> Self {
        let Wanted { under, profile, .. } = *environment();
        Self::under(under, profile, bytes)
    }

    fn check(&self) -> Result<(), String> {
        MEMORY.with_borrow_mut(|memory| {
            let fits = memory.as_ref().is_some_and(|memory| memory.plain.under == self.under);
            if !fits {
                *memory = None;
            }
            memory.get_or_insert_with(|| Memory::new(self.under)).check(self)
        })
    }
}

impl fmt::Display for Ordering {
    /// Prints the scenario, with what was found in comments.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Under { fixes, server } = self.under;
        let scenario = self.case.scenario();
        write!(f, "{scenario}")?;
        writeln!(f, "# freeorder run FILE --fixes {fixes} --server {server}")?;
        let report = run(&scenario, fixes, server, PRINTED_MAX, &mut ());
        let mut violations = report.findings.violations().iter();
        violations.try_for_each(|one| writeln!(f, "# tick {}: {one}", one.tick.0))
    }
}

#[cfg(test)]
mod tests {
    use super::super::tests::smoke;
    use super::*;

    #[test]
    fn smoke_orderings() {
        assert_eq!(smoke::<Ordering>(4, 3000, 300), 3000);
    }

    /// The second run and the way back are the half of it that a violation never shows.
    #[test]
    fn many_inputs_run_twice() {
        let twice = (0..4000_u32).filter(|seed| Ordering::of(&seed.to_le_bytes()).runs_twice);
        assert!((80..180).contains(&twice.count()));
    }

    /// What is printed is what ran.
    #[test]
    fn the_printed_scenario_is_the_case() {
        let ordering = Ordering::of(&[7; 100]);
        let scenario: crate::scenario::Scenario = ordering.to_string().parse().expect("it prints");
        assert_eq!(Case::of(&scenario), ordering.case);
    }
}
