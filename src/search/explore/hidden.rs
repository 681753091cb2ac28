//! Whether a chip could show nothing of what it holds, told from groups of steps that have nothing
//! to do with each other.
//!
//! What is counted and what is held on a chip are sums: each group of steps adds its part, whatever
//! the others have done. So it is enough to go through the states of one group after the other.

use std::collections::BTreeSet;

use super::Options;
use super::driver::Driver;
use super::plan::Plan;
use super::walk::States;
use crate::fix::Switches;
use crate::journal::mix;

/// Up to so many states are looked at.
const STATES_MAX: usize = 20_000;

/// Up to so many sums are added up for a chip and a group: they can double with each group.
const SUMS_MAX: usize = 20_000;

/// What is counted on a chip, and what is held there.
type Sum = (i64, i64);

/// Whether some ordering of the block could come to it, true if that is too much to tell, and the
/// switches that this depended on.
pub(super) fn can_be(plan: &Plan, options: &Options<'_>) -> (bool, Switches) {
    if plan.blocks() != 1 {
        return (true, Switches::NONE);
    }
    let mut driver = Driver::new(plan, options.fixes, options.server);
    let groups = driver.groups();
    let can_be = groups.len() < 2 || is_reached(&mut driver, groups);
    (can_be, driver.simulation.read())
}

fn is_reached(driver: &mut Driver<'_>, groups: Vec<Vec<usize>>) -> bool {
    let start = sums(driver);
    let Some(parts) = parts(driver, &groups, &start) else { return true };
    (0..start.len()).any(|chip| {
        let of_groups: Vec<&BTreeSet<Sum>> = parts.iter().map(|of_chips| &of_chips[chip]).collect();
        // What shows nothing of what it holds shows less than it holds.
        let shown = |&(counted, live): &Sum| counted - live;
        let least = |parts: &&BTreeSet<Sum>| parts.iter().map(shown).min().unwrap_or(0);
        let least: i64 = of_groups.iter().map(least).sum();
        shown(&start[chip]) + least < 0 && shows_nothing(start[chip], &of_groups)
    })
}

/// Whether some sum of what each group adds on a chip shows nothing of what is held, or whether
/// that is too much to tell.
fn shows_nothing(start: Sum, of_groups: &[&BTreeSet<Sum>]) -> bool {
    let mut reached = BTreeSet::from([start]);
    for parts in of_groups {
        if reached.len() * parts.len() > SUMS_MAX {
            return true;
        }
        let added = |&(counted, live): &Sum| {
            parts.iter().map(move |part| (counted + part.0, live + part.1))
        };
        reached = reached.iter().flat_map(added).collect();
    }
    // A counter that stops at 0 shows more than the sum, never less.
    reached.into_iter().any(|(counted, live)| counted <= 0 && live > 0)
}

/// For each group what it can add on each chip; none if it has too many states.
fn parts(
    driver: &mut Driver<'_>,
    groups: &[Vec<usize>],
    start: &[Sum],
) -> Option<Vec<Vec<BTreeSet<Sum>>>> {
    let mut left = STATES_MAX;
    let mut all = Vec::new();
    for group in groups {
        let mut parts = Parts {
            start,
            of_chips: vec![BTreeSet::new(); start.len()],
            seen: States::default(),
            left,
        };
        parts.go_through(driver, group)?;
        left = parts.left;
        all.push(parts.of_chips);
    }
    Some(all)
}

/// For each chip what is counted there, and what is held.
fn sums(driver: &Driver<'_>) -> Vec<Sum> {
    let counted = driver.simulation.world().server().bytes();
    let live = driver.simulation.oracles().live_bytes();
    let at = |bytes: &[u64], chip: usize| bytes.get(chip).copied().unwrap_or(0).cast_signed();
    let chips = 0..counted.len().max(live.len());
    chips.map(|chip| (at(counted, chip), at(live, chip))).collect()
}

/// What the steps of a group can have added.
struct Parts<'a> {
    start: &'a [Sum],
    of_chips: Vec<BTreeSet<Sum>>,
    seen: States<()>,
    left: usize,
}

impl Parts<'_> {
    /// Goes through every state that the group leads to; none if there are too many.
    fn go_through(&mut self, driver: &mut Driver<'_>, group: &[usize]) -> Option<()> {
        let key = mix(driver.simulation.hash(), driver.position());
        if self.seen.insert(key, ()).is_some() {
            return Some(());
        }
        self.left = self.left.checked_sub(1)?;
        for (chip, sum) in sums(driver).into_iter().enumerate() {
            let start = self.start.get(chip).copied().unwrap_or_default();
            self.of_chips.get_mut(chip)?.insert((sum.0 - start.0, sum.1 - start.1));
        }
        let stage = driver.place().0;
        let moves = driver.moves();
        for &chain in group.iter().filter(|chain| moves.contains(chain)) {
            driver.take(chain);
            // With more than one group the block does not end with this one.
            debug_assert_eq!(driver.place().0, stage);
            let done = self.go_through(driver, group);
            driver.undo();
            done?;
        }
        Some(())
    }
}
