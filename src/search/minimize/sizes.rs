//! Sizes: alone, all that are equal, and all at once.

use std::collections::BTreeSet;

use super::reducer::Reducer;
use super::simpler::{PAGE, for_each_spec};
use crate::op::Pages;
use crate::scenario::Case;
use crate::search::aim::Subject;
use crate::units::Bytes;

/// How many combinations of sizes are tried before the ones that were reached are good enough.
const COMBINATIONS_MAX: u64 = 4096;

/// What still has so many operations after the coarse deletions probably fills a memory.
const CROWDED_OPERATIONS_MIN: usize = 65;

/// No buffer is made larger than this on a device: no machine has more.
const RAISED_BYTES_MAX: u64 = 1 << 33;

impl<S: Subject> Reducer<'_, '_, S> {
    /// Lowers all sizes that are equal together, then each alone, as far as it goes.
    pub(super) fn lower_sizes(&mut self) {
        self.begin("sizes");
        let different: BTreeSet<Pages> = sizes(&self.best).into_iter().collect();
        for size in different.into_iter().rev() {
            let mut current = size;
            let mut options = lower(current).into_iter();
            while let Some(option) = options.next() {
                let mut candidate = self.best.clone();
                for_each_size(&mut candidate, |_, pages| {
                    if *pages == current {
                        *pages = option;
                    }
                });
                if self.offer(candidate) {
                    current = option;
                    options = lower(current).into_iter();
                }
            }
        }
        for slot in 0..sizes(&self.best).len() {
            let mut options = self.lower_at(slot);
            while let Some(option) = options.pop() {
                let mut candidate = self.best.clone();
                for_each_size(&mut candidate, |index, pages| {
                    if index == slot {
                        *pages = option;
                    }
                });
                if self.offer(candidate) {
                    options = self.lower_at(slot);
                }
            }
        }
    }

    /// Makes all buffers of a long case larger: where many fill a memory, a few do it as well.
    pub(super) fn raise_sizes(&mut self) {
        self.begin("larger");
        for factor in [1 << 12, 1 << 8, 1 << 4] {
            if self.best.ops.len() < CROWDED_OPERATIONS_MIN {
                return;
            }
            let mut candidate = self.best.clone();
            for_each_size(&mut candidate, |_, pages| {
                let larger = pages.count.saturating_mul(factor);
                if u64::from(larger) * pages.size.0 <= RAISED_BYTES_MAX {
                    pages.count = larger;
                }
            });
            if candidate != self.best && self.offer(candidate) {
                return;
            }
        }
    }

    /// The options of one size, the lowest last.
    fn lower_at(&self, slot: usize) -> Vec<Pages> {
        let mut options = sizes(&self.best).get(slot).map_or_else(Vec::new, |&size| lower(size));
        options.reverse();
        options
    }

    /// Tries all combinations of page counts whose sum is lower, the lowest sum first: where one
    /// size can only go down when another goes up, no single step finds it.
    pub(super) fn lower_sizes_together(&mut self) {
        self.begin("sizes together");
        let current = sizes(&self.best);
        if current.len() < 2 || current.iter().any(|pages| pages.size != PAGE) {
            return;
        }
        let counts: Vec<u32> = current.iter().map(|pages| pages.count).collect();
        let sum: u32 = counts.iter().sum();
        let mut left = COMBINATIONS_MAX;
        for lower in counts.len() as u32..sum {
            let mut combination = Vec::with_capacity(counts.len());
            if self.offer_sums(&mut combination, counts.len(), lower, &mut left) || left == 0 {
                return;
            }
        }
    }

    /// Offers every way to give the remaining slots at least one page each, so many in all.
    fn offer_sums(
        &mut self,
        counts: &mut Vec<u32>,
        slots: usize,
        sum: u32,
        left: &mut u64,
    ) -> bool {
        let open = (slots - counts.len()) as u32;
        if open == 0 {
            let Some(fewer) = left.checked_sub(1) else { return false };
            *left = fewer;
            let mut candidate = self.best.clone();
            for_each_size(&mut candidate, |index, pages| pages.count = counts[index]);
            return self.offer(candidate);
        }
        let most = sum - (open - 1);
        for count in if open == 1 { most..=most } else { 1..=most } {
            counts.push(count);
            let found = self.offer_sums(counts, slots, sum - count, left);
            counts.pop();
            if found || *left == 0 || self.is_stopped() {
                return found;
            }
        }
        false
    }
}

/// Lower sizes, the lowest first: the smallest of all, the same count of the smallest page, and
/// counts and pages ever nearer to those there are.
pub(super) fn lower(pages: Pages) -> Vec<Pages> {
    let smallest = Pages { count: 1, size: PAGE };
    let mut options = vec![smallest, Pages { size: PAGE, ..pages }];
    let counts = [1, 2, 3].into_iter().chain(below(u64::from(pages.count)).map(|n| n as u32));
    options.extend(counts.map(|count| Pages { count, ..pages }));
    let units = below(pages.size.0 / PAGE.0);
    options.extend(units.map(|units| Pages { size: Bytes(units * PAGE.0), ..pages }));
    options.retain(|option| is_lower(*option, pages));
    options.sort_by_key(|option| (option.total(), option.count));
    options.dedup();
    options
}

/// Half of a number, three quarters, and so on up to one less.
pub(super) fn below(number: u64) -> impl Iterator<Item = u64> {
    let steps = std::iter::successors(Some(number / 2), |step| Some(step / 2));
    steps.take_while(|&step| step > 0).map(move |step| number - step)
}

/// A size goes down in bytes, by pages of no less than 32 bytes if there are no smaller ones; of no
/// bytes at all only the page does.
fn is_lower(option: Pages, pages: Pages) -> bool {
    let bytes = |pages: Pages| (pages.total(), pages.size);
    bytes(option) < bytes(pages)
        && option.size >= PAGE.min(pages.size)
        && (option.count > 0 || pages.count == 0)
}

fn sizes(case: &Case) -> Vec<Pages> {
    let mut sizes = Vec::new();
    for_each_size(&mut case.clone(), |_, pages| sizes.push(*pages));
    sizes
}

/// Visits the sizes of the buffers that a case allocates, in file order.
fn for_each_size(case: &mut Case, mut visit: impl FnMut(usize, &mut Pages)) {
    let mut index = 0;
    for_each_spec(case, |spec| {
        visit(index, &mut spec.pages);
        index += 1;
    });
}
