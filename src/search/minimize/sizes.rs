//! Sizes: alone, all that are equal, and all at once.

use std::collections::BTreeSet;

use super::reducer::Reducer;
use super::simpler::{PAGE, for_each_spec};
use crate::allocator::MemoryMap;
use crate::allocator::bank_manager::size_per_bank;
use crate::op::{BufferSpec, Pages};
use crate::scenario::{Case, SetupLine, are_sayable};
use crate::units::Bytes;

/// How many combinations of sizes are tried before the ones that were reached are good enough.
const COMBINATIONS_MAX: u64 = 4096;

/// What still has so many operations after the coarse deletions probably fills a memory.
pub(super) const CROWDED_OPERATIONS_MIN: usize = 65;

impl Reducer<'_, '_> {
    /// Lowers all sizes that are equal together, then each alone, as far as it goes.
    pub(super) fn lower_sizes(&mut self) {
        self.begin("sizes");
        self.fold_sizes();
        let different: BTreeSet<Pages> = sizes(&self.best).into_iter().collect();
        for size in different.into_iter().rev() {
            let mut current = size;
            let mut options = lower(current).into_iter();
            while let Some(option) = options.next().filter(|_| !self.was_stopped()) {
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
            if self.was_stopped() {
                return;
            }
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

    /// Lowers what the setup reserves, as far as it goes.
    pub(super) fn lower_setup(&mut self) {
        self.begin("reserves");
        for line in 0..self.best.setup.len() {
            let mut options = lower_reserves(self.best.setup[line]).into_iter();
            while let Some(option) = options.next() {
                let mut candidate = self.best.clone();
                candidate.setup[line] = option;
                if self.offer(candidate) {
                    options = lower_reserves(option).into_iter();
                }
            }
        }
    }

    /// Makes a single page of all buffers, as large as what a bank has of them.
    fn fold_sizes(&mut self) {
        let memory = self.best.start().memory;
        let mut candidate = self.best.clone();
        for_each_spec(&mut candidate, |spec| {
            if let Some(pages) = folded(spec, &memory) {
                spec.pages = pages;
            }
        });
        if candidate != self.best {
            self.offer(candidate);
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
                let larger = Pages { count: pages.count.saturating_mul(factor), ..*pages };
                if are_sayable(larger) {
                    *pages = larger;
                }
            });
            if candidate != self.best && self.offer(candidate) {
                return;
            }
        }
    }

    /// The options of one size, the lowest last.
    fn lower_at(&self, slot: usize) -> Vec<Pages> {
        let Some(spec) = self.best.ops.iter().filter_map(|(_, op)| op.spec()).nth(slot) else {
            return Vec::new();
        };
        let mut options = lower(spec.pages);
        options.extend(folded(spec, &self.best.start().memory));
        options.sort_by_key(|option| std::cmp::Reverse((option.total(), option.count)));
        options.dedup();
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
        let sum = counts.iter().fold(0_u32, |sum, &count| sum.saturating_add(count));
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

/// What each bank stores of a buffer, whose pages go round the banks.
pub(super) fn bytes_per_bank(spec: &BufferSpec, memory: &MemoryMap) -> Bytes {
    let banks = spec.shards.unwrap_or(memory.region(spec.buffer_type).bank_count).max(1);
    let alignment = memory.page_alignment(spec.buffer_type);
    let stored = size_per_bank(spec.pages.count.into(), spec.pages.size, alignment, banks);
    stored.round_up(memory.dram_alignment)
}

/// The pages as a single one that takes as much of a bank, if that says less.
fn folded(spec: &BufferSpec, memory: &MemoryMap) -> Option<Pages> {
    let page = Pages { count: 1, size: bytes_per_bank(spec, memory) };
    is_lower(page, spec.pages).then_some(page)
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

/// A line of the setup that reserves less, the least first.
fn lower_reserves(fact: SetupLine) -> Vec<SetupLine> {
    let less = |size: Bytes| {
        let units = size.0.div_ceil(PAGE.0);
        let fewer = [1].into_iter().chain(below(units)).map(|units| Bytes(units * PAGE.0));
        fewer.filter(move |&option| option < size)
    };
    match fact {
        SetupLine::L1Small(size) => less(size).map(SetupLine::L1Small).collect(),
        SetupLine::TraceRegion(size) => less(size).map(SetupLine::TraceRegion).collect(),
        SetupLine::Machine(_)
        | SetupLine::L1Base(_)
        | SetupLine::L1Limit(_)
        | SetupLine::CoreRanges(_)
        | SetupLine::Tracked(_)
        | SetupLine::Class(_) => Vec::new(),
    }
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
