//! In which order strands of operations, or threads, take their turns.

use std::fmt;
use std::str::FromStr;

use crate::choice::Choices;
use crate::suggest;

/// How an order is sampled.
///
/// ```
/// use freeorder::choice::Seeded;
/// use freeorder::generate::{Order, merge};
/// let strands = vec![vec!["a0", "a1"], vec!["b0"]];
/// let merged = merge(Order::Urw, strands, |_, _| false, &mut Seeded::new(1));
/// assert_eq!(merged.len(), 3);
/// ```
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Order {
    /// Uniform random walk: the next strand in proportion to what is left of it, so that every
    /// interleaving of the strands is equally likely. A thread is taken to have two steps for each
    /// allocation, three for each deallocation and one for everything else.
    #[default]
    Urw,
    /// Probabilistic concurrency testing: strands have priorities, which change `depth - 1` times.
    Pct {
        /// How many ordering constraints a bug may need.
        depth: u32,
    },
    /// Partial order sampling: each operation has a priority, drawn again when it races with the
    /// one that was taken.
    Pos,
    /// The next strand uniformly, however long it is.
    Random,
}

impl Order {
    /// Every order, PCT with the depth that it has unless another is asked for.
    pub const ALL: [Self; 4] = [Self::Urw, Self::Pct { depth: 3 }, Self::Pos, Self::Random];

    /// The name used on the command line.
    #[must_use]
    pub fn name(self) -> &'static str {
        match self {
            Self::Urw => "urw",
            Self::Pct { .. } => "pct",
            Self::Pos => "pos",
            Self::Random => "random",
        }
    }

    /// How it samples, in one line.
    #[must_use]
    pub fn summary(self) -> &'static str {
        match self {
            Self::Urw => "uniform random walk: every interleaving of the strands is equally likely",
            Self::Pct { .. } => "probabilistic concurrency testing: priorities that change twice",
            Self::Pos => "partial order sampling: priorities drawn again where operations race",
            Self::Random => "the next strand uniformly, however much is left of it",
        }
    }
}

impl fmt::Display for Order {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.name())
    }
}

/// An order that does not exist.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("unknown order `{name}`; {hint}")]
pub struct OrderError {
    /// What was written.
    pub name: String,
    /// What would be right.
    pub hint: String,
}

impl FromStr for Order {
    type Err = OrderError;

    fn from_str(text: &str) -> Result<Self, OrderError> {
        Self::ALL.into_iter().find(|order| order.name() == text).ok_or_else(|| OrderError {
            name: text.to_owned(),
            hint: suggest::hint(text, Self::ALL.into_iter().map(Self::name)),
        })
    }
}

/// Priorities are drawn from so many.
const PRIORITIES: u64 = 1 << 32;

/// Chooses whose turn it is.
#[derive(Clone, Debug)]
pub(super) struct Turns {
    order: Order,
    priorities: Vec<u64>,
    /// For PCT, the turns at which the priority of the foremost strand falls, latest first.
    changes: Vec<u64>,
    turn: u64,
}

impl Turns {
    /// For strands of these lengths.
    pub fn new(order: Order, lengths: &[u64], choices: &mut impl Choices) -> Self {
        let mut priorities: Vec<u64> = Vec::new();
        let mut changes: Vec<u64> = Vec::new();
        match order {
            Order::Urw | Order::Random => {}
            Order::Pos => priorities.extend(lengths.iter().map(|_| choices.pick(PRIORITIES))),
            Order::Pct { depth } => {
                let below = u64::from(depth);
                priorities.extend((0..lengths.len() as u64).map(|strand| strand + below));
                choices.shuffle(&mut priorities);
                let turns: u64 = lengths.iter().sum();
                changes.extend((1..depth).map(|_| choices.pick(turns)));
                changes.sort_unstable_by(|a, b| b.cmp(a));
            }
        }
        Self { order, priorities, changes, turn: 0 }
    }

    /// The strand whose turn it is, of those with something `left`; `races` says whether the next
    /// operations of two strands touch the same thing.
    ///
    /// # Panics
    /// If nothing is left.
    pub fn next(
        &mut self,
        left: &[u64],
        races: impl Fn(usize, usize) -> bool,
        choices: &mut impl Choices,
    ) -> usize {
        let strand = match self.order {
            Order::Urw => self.in_proportion(left, choices),
            Order::Random => {
                let ready = || (0..left.len()).filter(|&strand| left[strand] > 0);
                let nth = choices.pick(ready().count() as u64) as usize;
                ready().nth(nth).expect("something is left")
            }
            Order::Pct { .. } => {
                while self.changes.last() == Some(&self.turn) {
                    self.changes.pop();
                    let foremost = self.foremost(left);
                    self.priorities[foremost] = self.changes.len() as u64;
                }
                self.foremost(left)
            }
            Order::Pos => {
                let foremost = self.foremost(left);
                for (strand, &left) in left.iter().enumerate() {
                    if strand == foremost || left > 0 && races(foremost, strand) {
                        self.priorities[strand] = choices.pick(PRIORITIES);
                    }
                }
                foremost
            }
        };
        self.turn += 1;
        strand
    }

    fn in_proportion(&self, left: &[u64], choices: &mut impl Choices) -> usize {
        let mut draw = choices.pick(left.iter().sum());
        for (strand, &length) in left.iter().enumerate() {
            if draw < length {
                return strand;
            }
            draw -= length;
        }
        unreachable!("the draw is below the sum of what is left")
    }

    fn foremost(&self, left: &[u64]) -> usize {
        let ready = (0..left.len()).filter(|&strand| left[strand] > 0);
        ready.max_by_key(|&strand| self.priorities[strand]).expect("something is left")
    }
}

/// Merges strands into one sequence in which each keeps its own order.
pub fn merge<T>(
    order: Order,
    strands: Vec<Vec<T>>,
    races: impl Fn(&T, &T) -> bool,
    choices: &mut impl Choices,
) -> Vec<T> {
    let mut left: Vec<u64> = strands.iter().map(|strand| strand.len() as u64).collect();
    let mut turns = Turns::new(order, &left, choices);
    let total = left.iter().sum::<u64>() as usize;
    let mut strands: Vec<_> =
        strands.into_iter().map(|strand| strand.into_iter().peekable()).collect();
    let mut merged = Vec::with_capacity(total);
    for _ in 0..total {
        // Peeking needs the strands for itself; the next operations are looked at only for races.
        let heads: Vec<Option<&T>> = strands.iter_mut().map(|strand| strand.peek()).collect();
        let race = |one: usize, other: usize| match (heads[one], heads[other]) {
            (Some(one), Some(other)) => races(one, other),
            _ => false,
        };
        let next = turns.next(&left, race, choices);
        left[next] -= 1;
        merged.extend(strands[next].next());
    }
    merged
}
