//! What steps do to what is shown of a chip: whether it comes to show less than it holds, and how
//! many steps it takes at least until it shows nothing.
//!
//! Whether a chip shows nothing of what it holds is asked of all buffers at once, so that it
//! depends on the order of steps that otherwise commute. What one step does to what is counted and
//! to what is held is decided by what it touches, and a search that goes through one order of each
//! kind has seen it for every order.

use std::cmp::Reverse;
use std::collections::BTreeMap;

use crate::event::{Event, Observer, Tick};
use crate::message::MessageKind;
use crate::op::BufferHandle;
use crate::scenario::Simulation;
use crate::server::ServerKind;
use crate::units::DeviceId;

/// Follows the steps of blocks.
#[derive(Clone, Debug)]
pub(super) struct Shown {
    /// Counters that stop at 0 can hide a step that takes too much, if it comes last. So what they
    /// are told counts as well.
    stops_at_zero: bool,
    /// What the messages of the current step add.
    told: Vec<u64>,
    /// What is counted and what is held on each chip before the current step.
    counted: Vec<u64>,
    live: Vec<u64>,
    is_less: bool,
    first: Option<Block>,
}

/// The piece of a buffer that a step lets go of, if it lets go of just one.
pub(super) type Piece = Option<(BufferHandle, DeviceId)>;

/// A step of a block, and the number of the group of steps that have to do with each other.
pub(super) type Step = (Piece, usize);

/// When a chip shows nothing of what it holds, at the earliest.
#[derive(Clone, Debug, Default)]
pub(super) struct Nothing {
    /// As long as no more than this was executed, none does.
    pub(super) until: usize,
    /// For each chip steps of the first block that could bring it about soonest, by number.
    pub(super) soonest: Vec<Vec<usize>>,
}

/// By how much a step makes the count of a chip fall, and what is held there rise.
type Fall = (i64, i64);

/// The first block of which steps were looked at.
#[derive(Clone, Debug)]
struct Block {
    stage: usize,
    /// What was executed before it.
    executed: usize,
    /// What was counted on each chip when it began.
    counted: Vec<u64>,
    steps: Vec<Step>,
    /// For each of its steps and each chip the deepest fall.
    most: Vec<Vec<Fall>>,
}

impl Observer for Shown {
    fn observe(&mut self, _: Tick, event: &Event<'_>) {
        let Event::Answered { message, .. } = *event else { return };
        let added = match message.kind {
            MessageKind::Alloc => message.size.0,
            MessageKind::Free => message.size.0.wrapping_neg(),
        };
        for device in message.devices.iter() {
            let chip = usize::from(device.0);
            if self.told.len() <= chip {
                self.told.resize(chip + 1, 0);
            }
            self.told[chip] = self.told[chip].wrapping_add(added);
        }
    }
}

impl Shown {
    pub(super) fn new(server: ServerKind) -> Self {
        Self {
            stops_at_zero: server == ServerKind::Shm,
            told: Vec::new(),
            counted: Vec::new(),
            live: Vec::new(),
            is_less: false,
            first: None,
        }
    }

    /// Whether a step made a chip show less than before, or one showed less than it holds when a
    /// block began.
    pub(super) fn is_less(&self) -> bool {
        self.is_less
    }

    /// What can be told of when a chip shows nothing of what it holds.
    pub(super) fn nothing(&self) -> Nothing {
        self.first.as_ref().map_or_else(Nothing::default, Block::nothing)
    }

    /// A block begins.
    pub(super) fn start(&mut self, simulation: &Simulation) {
        let counted = simulation.world().server().bytes();
        let live = simulation.oracles().live_bytes();
        let mut chips = 0..counted.len().max(live.len());
        self.is_less |= chips.any(|chip| difference(counted, live, chip) < 0);
    }

    /// It is the first block, so that it always begins like this: with these steps.
    pub(super) fn start_first(
        &mut self,
        simulation: &Simulation,
        (stage, steps): (usize, Vec<Step>),
        executed: usize,
    ) {
        let counted = simulation.world().server().bytes().to_vec();
        let most = vec![Vec::new(); steps.len()];
        self.first = Some(Block { stage, executed, counted, steps, most });
    }

    /// A step is about to be taken.
    pub(super) fn before(&mut self, simulation: &Simulation) {
        self.told.clear();
        self.counted.clear();
        self.counted.extend(simulation.world().server().bytes());
        self.live.clear();
        self.live.extend(simulation.oracles().live_bytes());
    }

    /// A step was taken: one of a stage, by its number.
    pub(super) fn after(&mut self, simulation: &Simulation, (stage, step): (usize, usize)) {
        let counted = simulation.world().server().bytes();
        let live = simulation.oracles().live_bytes();
        let chips = 0..counted.len().max(live.len()).max(self.told.len());
        let first = self.first.as_mut().filter(|first| first.stage == stage);
        let mut most = first.map(|first| &mut first.most[step]);
        for chip in chips {
            let fell = difference(&self.counted, counted, chip);
            let fell = match self.stops_at_zero {
                true => fell.max(difference(&[], &self.told, chip)),
                false => fell,
            };
            let rose = difference(live, &self.live, chip);
            self.is_less |= fell + rose > 0;
            if let Some(most) = &mut most {
                most.resize(most.len().max(chip + 1), (0, i64::MIN));
                most[chip] = most[chip].max((fell, rose));
            }
        }
    }
}

impl Block {
    fn nothing(&self) -> Nothing {
        let fall = self.falls();
        let (mut fewest, mut soonest) = (self.steps.len() + 1, Vec::new());
        // A chip on which nothing is counted shows nothing already, or holds nothing.
        let chips = 0..self.counted.len();
        for chip in chips.filter(|&chip| self.counted[chip] != 0) {
            let fall = |step| fall(step, chip);
            let mut steps: Vec<usize> = (0..self.steps.len()).collect();
            steps.sort_by_key(|&step| Reverse(fall(step)));
            fewest = fewest.min(self.enough(chip, &steps, fall));
            let mut steps = self.in_turn(&steps);
            steps.truncate(self.enough(chip, &steps, fall));
            soonest.push(steps);
        }
        // The last of them is the one that is seen.
        Nothing { until: self.executed + fewest - 1, soonest }
    }

    /// How many of the steps, in this order, bring the count of a chip to 0; more than there are if
    /// all of them do not.
    fn enough(&self, chip: usize, steps: &[usize], fall: impl Fn(usize) -> Fall) -> usize {
        let mut left = self.counted[chip].cast_signed();
        let last = steps.iter().position(|&step| {
            left = left.saturating_sub(fall(step).0);
            left <= 0
        });
        last.unwrap_or(steps.len()) + 1
    }

    /// The first of each group, then the second of each: one may leave nothing to take for the next
    /// of its group.
    fn in_turn(&self, steps: &[usize]) -> Vec<usize> {
        let mut taken = vec![0; self.steps.len()];
        let turn = |&step: &usize| {
            let taken = &mut taken[self.steps[step].1];
            *taken += 1;
            (*taken, step)
        };
        let mut turns: Vec<(usize, usize)> = steps.iter().map(turn).collect();
        turns.sort_by_key(|&(turn, _)| turn);
        turns.into_iter().map(|(_, step)| step).collect()
    }

    /// The deepest fall that a step makes on a chip. Devices can be exchanged, so that what was
    /// seen on one counts on all.
    fn falls(&self) -> impl Fn(usize, usize) -> Fall {
        let own = |piece: Piece, chip: usize| {
            piece.map(|(buffer, device)| (buffer, usize::from(device.0) == chip))
        };
        let mut pieces: BTreeMap<(BufferHandle, bool), Fall> = BTreeMap::new();
        let mut others = vec![(0, 0); self.steps.len()];
        for (step, &(piece, _)) in self.steps.iter().enumerate() {
            for (chip, &fall) in self.most[step].iter().enumerate() {
                let deepest = match own(piece, chip) {
                    Some(like) => pieces.entry(like).or_default(),
                    None => &mut others[step],
                };
                *deepest = fall.max(*deepest);
            }
        }
        let steps = self.steps.clone();
        move |step, chip| match own(steps[step].0, chip) {
            Some(like) => pieces.get(&like).copied().unwrap_or_default(),
            None => others[step],
        }
    }
}

/// By how much the bytes of a chip are more in one count than in another.
fn difference(one: &[u64], other: &[u64], chip: usize) -> i64 {
    let at = |bytes: &[u64]| bytes.get(chip).copied().unwrap_or(0);
    at(one).wrapping_sub(at(other)).cast_signed()
}
