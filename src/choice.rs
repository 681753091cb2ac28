//! The only door for randomness: everything that could go two ways asks [`Choices::pick`].
//!
//! A run is a pure function of its picks, so whoever holds the list of picks holds the run.

use rand_chacha::ChaCha8Rng;
use rand_core::{Rng, SeedableRng};

/// A source of decisions.
pub trait Choices {
    /// A number from 0 to `n - 1`; 0 without a draw when `n` is 0 or 1.
    fn pick(&mut self, n: u64) -> u64;

    /// Whether an event of `numerator` in `denominator` happens.
    #[inline]
    fn chance(&mut self, numerator: u64, denominator: u64) -> bool {
        self.pick(denominator) < numerator
    }

    /// Puts the items in a uniformly drawn order (Fisher-Yates, from the end).
    fn shuffle<T>(&mut self, items: &mut [T])
    where
        Self: Sized,
    {
        for last in (1..items.len()).rev() {
            let other = self.pick(last as u64 + 1) as usize;
            items.swap(last, other);
        }
    }

    /// The index of one of the weighted options, drawn in proportion to its weight.
    ///
    /// # Panics
    /// If the weights add up to 0.
    fn weighted(&mut self, weights: &[u32]) -> usize
    where
        Self: Sized,
    {
        let total: u64 = weights.iter().map(|&weight| u64::from(weight)).sum();
        assert!(total > 0, "a weighted draw needs a positive weight");
        let mut rest = self.pick(total);
        for (index, &weight) in weights.iter().enumerate() {
            if rest < u64::from(weight) {
                return index;
            }
            rest -= u64::from(weight);
        }
        unreachable!("the draw is below the sum of the weights")
    }
}

/// Picks drawn from a ChaCha8 stream: one seed, one run, on every machine and for ever.
///
/// ```
/// use freeorder::choice::{Choices, Seeded};
/// let mut one = Seeded::new(42);
/// let mut two = Seeded::new(42);
/// assert_eq!(one.pick(1000), two.pick(1000));
/// ```
#[derive(Clone, Debug)]
pub struct Seeded {
    stream: ChaCha8Rng,
}

impl Seeded {
    /// The stream that belongs to the seed.
    #[must_use]
    pub fn new(seed: u64) -> Self {
        Self { stream: ChaCha8Rng::seed_from_u64(seed) }
    }
}

impl Choices for Seeded {
    /// Lemire's multiply-shift with rejection: unbiased, and ours, because the `rand` crate's
    /// derived helpers change between versions while ChaCha8's raw output does not.
    #[inline]
    fn pick(&mut self, n: u64) -> u64 {
        if n <= 1 {
            return 0;
        }
        let mut product = u128::from(self.stream.next_u64()) * u128::from(n);
        if (product as u64) < n {
            let threshold = n.wrapping_neg() % n;
            while (product as u64) < threshold {
                product = u128::from(self.stream.next_u64()) * u128::from(n);
            }
        }
        (product >> 64) as u64
    }
}

/// Picks read from a list, as a scenario records them; past its end every pick is 0.
#[derive(Clone, Debug, Default)]
pub struct Recorded {
    picks: Vec<u64>,
    next: usize,
}

impl Recorded {
    /// Replays the picks in order.
    #[must_use]
    pub fn new(picks: Vec<u64>) -> Self {
        Self { picks, next: 0 }
    }
}

impl Choices for Recorded {
    /// A recorded pick that is out of range is folded into it, so that every list is a valid run.
    fn pick(&mut self, n: u64) -> u64 {
        if n <= 1 {
            return 0;
        }
        let pick = self.picks.get(self.next).copied().unwrap_or(0);
        self.next += 1;
        pick % n
    }
}

/// Every sequence of picks, one run after another, in lexicographic order.
///
/// ```
/// use freeorder::choice::{Choices, Exhaustive};
/// let mut all = Exhaustive::default();
/// let mut runs = 0;
/// while all.next_run() {
///     let _ = (all.pick(3), all.pick(2));
///     runs += 1;
/// }
/// assert_eq!(runs, 6);
/// ```
#[derive(Clone, Debug, Default)]
pub struct Exhaustive {
    path: Vec<(u64, u64)>,
    depth: usize,
    started: bool,
}

impl Exhaustive {
    /// Starts the next run; false when all have been made.
    pub fn next_run(&mut self) -> bool {
        self.depth = 0;
        if !self.started {
            self.started = true;
            return true;
        }
        while let Some((pick, n)) = self.path.pop() {
            if pick + 1 < n {
                self.path.push((pick + 1, n));
                return true;
            }
        }
        false
    }

    /// The picks of the current run so far.
    pub fn picks(&self) -> impl Iterator<Item = u64> {
        self.path[..self.depth].iter().map(|&(pick, _)| pick)
    }
}

impl Choices for Exhaustive {
    /// # Panics
    /// If the caller is not a function of its picks: the same prefix must ask the same question.
    fn pick(&mut self, n: u64) -> u64 {
        if n <= 1 {
            return 0;
        }
        if self.depth == self.path.len() {
            self.path.push((0, n));
        }
        let (pick, asked) = self.path[self.depth];
        assert_eq!(asked, n, "the caller asked another question after the same picks");
        self.depth += 1;
        pick
    }
}

/// Wraps a source and writes down what it picked.
#[derive(Clone, Debug)]
pub struct Recording<C> {
    source: C,
    picks: Vec<u64>,
}

impl<C: Choices> Recording<C> {
    /// Records the picks of the source.
    #[must_use]
    pub fn new(source: C) -> Self {
        Self { source, picks: Vec::new() }
    }

    /// What was picked, in order; draws from one option are not listed.
    #[must_use]
    pub fn into_picks(self) -> Vec<u64> {
        self.picks
    }
}

impl<C: Choices> Choices for Recording<C> {
    fn pick(&mut self, n: u64) -> u64 {
        let pick = self.source.pick(n);
        if n > 1 {
            self.picks.push(pick);
        }
        pick
    }
}

/// Picks read from a fuzzer's bytes, front to back; when they run out every pick is 0.
///
/// A pick of up to 256 takes one byte, folded into the range, so that a byte changed is a decision
/// changed; the `arbitrary` crate reads integers in the same way.
///
/// ```
/// use freeorder::choice::{Bytes, Choices};
/// let mut choices = Bytes::new(&[7, 3]);
/// assert_eq!((choices.pick(10), choices.pick(2), choices.pick(5)), (7, 1, 0));
/// ```
#[derive(Clone, Copy, Debug)]
pub struct Bytes<'a> {
    rest: &'a [u8],
}

impl<'a> Bytes<'a> {
    /// Reads picks from the bytes.
    #[must_use]
    pub fn new(bytes: &'a [u8]) -> Self {
        Self { rest: bytes }
    }

    /// Whether bytes are left; a driver stops generating when there are none.
    #[must_use]
    #[inline]
    pub fn has_more(&self) -> bool {
        !self.rest.is_empty()
    }

    /// Appends the bytes from which a pick of one of `n` reads as this value.
    ///
    /// # Panics
    /// If the value is not below `n`.
    pub fn write(bytes: &mut Vec<u8>, value: u64, n: u64) {
        assert!(value < n.max(1), "a pick is below the number of options");
        let width = Self::width(n);
        bytes.extend_from_slice(&value.to_be_bytes()[8 - width..]);
    }

    /// How many bytes a pick of one of `n` takes.
    #[inline]
    fn width(n: u64) -> usize {
        n.saturating_sub(1).checked_ilog2().map_or(0, |bits| bits as usize / 8 + 1)
    }
}

impl Choices for Bytes<'_> {
    #[inline]
    fn pick(&mut self, n: u64) -> u64 {
        if n <= 1 {
            return 0;
        }
        if n <= 256 {
            let Some((&byte, rest)) = self.rest.split_first() else { return 0 };
            self.rest = rest;
            return u64::from(byte) % n;
        }
        let (now, rest) = self.rest.split_at(Self::width(n).min(self.rest.len()));
        self.rest = rest;
        now.iter().fold(0, |value, &byte| value << 8 | u64::from(byte)) % n
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// A seed printed today must give the same run next year: the raw words and our own draws are
    /// pinned here.
    #[test]
    fn a_seed_means_the_same_run_for_ever() {
        let mut raw = ChaCha8Rng::seed_from_u64(42);
        assert_eq!(raw.next_u64(), 0xae90_bfb5_395d_5ba1);
        let mut seeded = Seeded::new(42);
        let picks: Vec<u64> =
            [2, 3, 10, 100, 1000, u64::MAX, 7, 1, 64].iter().map(|&n| seeded.pick(n)).collect();
        insta::assert_debug_snapshot!(picks);
        let mut order: Vec<u64> = (0..10).collect();
        Seeded::new(7).shuffle(&mut order);
        insta::assert_debug_snapshot!(order);
    }

    /// Every option must be reachable and none favoured, or a search would never see some orders.
    #[test]
    fn picks_are_uniform_within_the_noise() {
        let mut seeded = Seeded::new(1);
        let mut counts = [0_u32; 7];
        for _ in 0..70_000 {
            counts[seeded.pick(7) as usize] += 1;
        }
        assert!(counts.iter().all(|&count| (9_500..10_500).contains(&count)), "{counts:?}");
    }

    /// A scenario stores the picks, not the seed: replaying them must be the same run.
    #[test]
    fn recorded_picks_replay_the_run_that_made_them() {
        let mut recording = Recording::new(Seeded::new(3));
        let first: Vec<u64> = (1..50).map(|n| recording.pick(n)).collect();
        let mut replay = Recorded::new(recording.into_picks());
        let second: Vec<u64> = (1..50).map(|n| replay.pick(n)).collect();
        assert_eq!(first, second);
    }

    /// Exhaustive search must visit every leaf once, also when the tree is ragged.
    #[test]
    fn exhaustive_visits_every_leaf_of_a_ragged_tree_once() {
        let mut all = Exhaustive::default();
        let mut seen = std::collections::BTreeSet::new();
        while all.next_run() {
            let mut leaf = vec![all.pick(3)];
            if leaf[0] == 1 {
                leaf.push(all.pick(4));
            }
            assert!(seen.insert(leaf));
        }
        assert_eq!(seen.len(), 2 + 4);
    }
}
