//! Which steps can change places without anybody noticing.
//!
//! The ends of two buffers commute if nothing that they touch is the same: no object, no key of the
//! server, no counter that stops at 0. What cannot be said so is taken to touch everything. A
//! property test in `tests/explore.rs` exchanges neighbouring steps that are said to commute.

use std::collections::BTreeSet;

use crate::op::{Handle, Op, Piece};
use crate::runtime::object::ObjectId;
use crate::scenario::Simulation;
use crate::server::ServerKind;
use crate::units::{DeviceAddr, Lanes};

use super::plan::Stage;

/// What a step can touch at most.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Footprint {
    /// Nothing: it names something that is not there.
    Nothing,
    /// A buffer with its views, on some devices, and the entries of its addresses.
    Buffer { root: ObjectId, addresses: [DeviceAddr; 2], devices: Lanes },
    /// Whatever there is.
    Everything,
}

impl Footprint {
    fn of(op: &Op, simulation: &Simulation) -> Self {
        let (name, local) = match *op {
            Op::Release { buffer, piece: Piece::Local(device) } => (buffer, Some(device)),
            Op::Release { buffer, piece: Piece::Backing }
            | Op::Drop(Handle::Buffer(buffer))
            | Op::Deallocate(buffer)
            | Op::Mark(buffer)
            | Op::Cycle(buffer) => (buffer, None),
            _ => return Self::Everything,
        };
        let Some(reach) = simulation.world().runtime().reach(name) else { return Self::Nothing };
        let devices = local.map_or(reach.devices, Lanes::one);
        Self::Buffer { root: reach.root, addresses: reach.addresses, devices }
    }

    fn conflicts(self, other: Self, server: ServerKind) -> bool {
        match (self, other) {
            (Self::Nothing, _) | (_, Self::Nothing) => false,
            (Self::Everything, _) | (_, Self::Everything) => true,
            (
                Self::Buffer { root, addresses, devices },
                Self::Buffer { root: other, addresses: at, devices: on },
            ) => {
                let meet = !devices.and(on).is_empty();
                let keys = addresses.iter().any(|address| at.contains(address));
                let entries = match server {
                    // Entries of a buffer id on whatever device.
                    ServerKind::K0 => keys,
                    // Without keys in the server the oracles have theirs; for its counters, which
                    // stop at 0, see `counters_add_up`.
                    ServerKind::K1 | ServerKind::K2 | ServerKind::K2e | ServerKind::Shm => {
                        keys && meet
                    }
                };
                entries || (root == other && meet)
            }
        }
    }
}

/// Whether counters that stop at 0 add up nevertheless, as long as no step makes one of them fall
/// by more than what is given back with it: all that is counted and all that is held is of one
/// type, so that a counter is never below what is held.
fn counters_add_up(simulation: &Simulation) -> bool {
    let counted = simulation.world().server().counted_types();
    let types: BTreeSet<_> = counted.into_iter().chain(simulation.oracles().held_types()).collect();
    types.len() <= 1
}

/// Whether an operation of a stage leaves the relations of buffers as they are, or ends some.
fn only_ends(op: &Op) -> bool {
    matches!(
        op,
        Op::Release { .. }
            | Op::Drop(Handle::Buffer(_) | Handle::Mesh(_))
            | Op::Deallocate(_)
            | Op::Mark(_)
            | Op::Cycle(_)
            | Op::Use(_)
            | Op::Gc
            | Op::Close(_)
            | Op::ServerRestart
            | Op::Reap
            | Op::Checkpoint
            | Op::Tracking(_)
            | Op::Exit
    )
}

/// For each operation of a stage, the operations of it that do not commute with it.
#[derive(Clone, Debug)]
pub(super) struct Conflicts {
    /// Where the operations of each chain start.
    starts: Vec<usize>,
    rows: Vec<Vec<u64>>,
    /// Whether every two operations conflict.
    is_total: bool,
}

impl Conflicts {
    /// The conflicts of a stage that is about to begin.
    pub(super) fn of(stage: &Stage, simulation: &Simulation, server: ServerKind) -> Self {
        let ops: Vec<&Op> = stage.chains.iter().flatten().collect();
        let alone = simulation.world().runtime().buffers_end_alone();
        let adds_up = server != ServerKind::Shm || counters_add_up(simulation);
        let is_total = !alone || !adds_up || !ops.iter().all(|op| only_ends(op));
        let mut starts = vec![0];
        starts.extend(stage.chains.iter().scan(0, |sum, chain| {
            *sum += chain.len();
            Some(*sum)
        }));
        if is_total {
            return Self { starts, rows: Vec::new(), is_total };
        }
        let prints: Vec<_> = ops.iter().map(|op| Footprint::of(op, simulation)).collect();
        let row = |&own: &Footprint| {
            let mut bits = vec![0_u64; prints.len().div_ceil(64)];
            for (index, &other) in prints.iter().enumerate() {
                if own.conflicts(other, server) {
                    bits[index / 64] |= 1 << (index % 64);
                }
            }
            bits
        };
        Self { rows: prints.iter().map(row).collect(), starts, is_total }
    }

    /// Whether two operations, by chain and place, may not change places.
    pub(super) fn between(&self, one: (usize, usize), other: (usize, usize)) -> bool {
        let (one, other) = (self.starts[one.0] + one.1, self.starts[other.0] + other.1);
        self.is_total || self.rows[one][other / 64] >> (other % 64) & 1 == 1
    }

    /// A smallest persistent set of chains, given how many operations of each are done: nothing
    /// that the others can still do conflicts with what the chains of the set do next.
    pub(super) fn persistent(&self, ready: &[usize], done: &[u32]) -> Vec<usize> {
        let mut best = ready.to_vec();
        if self.is_total {
            return best;
        }
        for &seed in ready {
            let mut set = vec![seed];
            let mut looked = 0;
            while looked < set.len() && set.len() < best.len() {
                let chain = set[looked];
                let next = (chain, done[chain] as usize);
                looked += 1;
                for &other in ready {
                    let left = self.starts[other + 1] - self.starts[other];
                    let mut left = (done[other] as usize)..left;
                    if !set.contains(&other) && left.any(|place| self.between(next, (other, place)))
                    {
                        set.push(other);
                    }
                }
            }
            if set.len() < best.len() {
                best = set;
            }
            if best.len() == 1 {
                break;
            }
        }
        best.sort_unstable();
        best
    }
}

#[cfg(test)]
mod tests {
    use super::super::driver::Driver;
    use super::super::plan::Plan;
    use super::*;
    use crate::choice::{Choices, Seeded};
    use crate::fix::{Baseline, FIXES, FixSet, Preset};
    use crate::journal::Columns;
    use crate::violation::{OracleName, ViolationClass};

    const STARTS: [&str; 6] = [
        "alloc b0 on m0 dram 1x2048\nalloc b1 on m0 dram 1x2048\nalloc b2 on m0 l1 1x2048\n",
        "alloc b0 on m0 dram 1x2048\nview b1 of b0\nalloc b2 on m0 dram 2x2048\nview b3 of b2\n",
        "alloc b0 on m0 dram 1x2048\nalias b1 of b0\nshare b2 of b0\nalloc b3 on m0 dram 1x64\n",
        "submesh m1 of m0 1x2\nalloc b0 on m0 dram 1x2048\nalloc b1 on m1 dram 1x2048\n\
         view b2 of b1\nalloc b3 on m0 dram 1x2048\n",
        "alloc b0 on m0 dram 1x2048\nalias b1 of b0\ndrop b0\nalloc b2 on m0 dram 1x2048\n\
         alloc b0 on m0 dram 1x2048\nview b3 of b0\n",
        "alloc b0 on d0 dram 1x2048\nalias b1 of b0\nalloc b2 on d1 dram 1x2048\n\
         alloc b3 on m0 dram 1x2048\n",
    ];

    const ENDS: [&str; 8] = [
        "drop",
        "deallocate",
        "mark",
        "cycle",
        "release d0",
        "release d1",
        "release d4",
        "release backing",
    ];

    /// A plan of eight ends of buffers, which begin together.
    fn plan(choices: &mut Seeded) -> Plan {
        let start = STARTS[choices.pick(STARTS.len() as u64) as usize];
        let mut text = format!("freeorder 1\nopen m0 2x2\n{start}any {{\n");
        for _ in 0..8 {
            let buffer = choices.pick(4);
            let end = ENDS[choices.pick(ENDS.len() as u64) as usize];
            match end.split_once(' ') {
                Some((release, piece)) => text += &format!("{release} b{buffer} {piece}\n"),
                None => text += &format!("{end} b{buffer}\n"),
            }
        }
        Plan::of(&(text + "}\n").parse().expect("the lines are right"))
    }

    fn fixes(choices: &mut Seeded) -> FixSet {
        if choices.pick(2) == 0 {
            return Preset::ALL[choices.pick(Preset::ALL.len() as u64) as usize].fixes();
        }
        let baseline = Baseline::ALL[choices.pick(2) as usize];
        let set = FixSet::none(baseline);
        FIXES.iter().fold(set, |set, info| match choices.pick(3) {
            0 => set.with(info.fix),
            _ => set,
        })
    }

    /// The state, without the order in which destroyed buffers were left behind, and what was found
    /// on the way. Whether a chip shows nothing depends on all buffers on it: the walk looks after
    /// that itself.
    fn state(driver: &Driver<'_>) -> (u64, Vec<ViolationClass>) {
        let mut columns = Columns::new(Lanes::NONE);
        driver.simulation.columns(&mut columns);
        let classes = driver.classes().iter().copied();
        let mut classes: Vec<_> =
            classes.filter(|class| class.oracle != OracleName::Visibility).collect();
        classes.sort_unstable();
        (columns.hash(), classes)
    }

    fn after(driver: &mut Driver<'_>, moves: [usize; 2]) -> (u64, Vec<ViolationClass>) {
        moves.iter().for_each(|&chosen| driver.take(chosen));
        let state = state(driver);
        moves.iter().for_each(|_| driver.undo());
        state
    }

    /// A search takes one order of steps that commute for all: if two of them did not, it would
    /// pass over the order that fails.
    #[test]
    fn steps_that_are_said_to_commute_do() {
        let (mut exchanged, mut kept) = (0, 0);
        for seed in 0..600 {
            let mut choices = Seeded::new(seed);
            let plan = plan(&mut choices);
            let fixes = fixes(&mut choices);
            let server = ServerKind::ALL[choices.pick(5) as usize];
            let mut driver = Driver::new(&plan, fixes, server);
            while !driver.moves().is_empty() {
                let moves = driver.moves();
                let least = |driver: &Driver<'_>| driver.differences().into_iter().min();
                for (place, &one) in moves.iter().enumerate() {
                    for &other in &moves[..place] {
                        if !driver.commute(one, other) {
                            kept += 1;
                            continue;
                        }
                        exchanged += 1;
                        // Counters that stop at 0 commute as long as none shows too little.
                        let stops = server == ServerKind::Shm
                            && [one, other].iter().any(|&chosen| {
                                driver.take(chosen);
                                let short = least(&driver).is_some_and(|least| least < 0);
                                driver.undo();
                                short || least(&driver).is_some_and(|least| least < 0)
                            });
                        let [left, right] =
                            [[one, other], [other, one]].map(|pair| after(&mut driver, pair));
                        assert!(stops || left == right, "seed {seed}: {one} and {other}");
                    }
                }
                driver.take(moves[choices.pick(moves.len() as u64) as usize]);
            }
        }
        assert!(exchanged > 5000 && kept > 5000, "{exchanged} pairs exchanged, {kept} not");
    }

    /// Whatever is taken can be taken back: a search looks at millions of states in one world.
    #[test]
    fn a_driver_comes_back_to_where_it_was() {
        for seed in 0..50 {
            let mut choices = Seeded::new(seed);
            let plan = plan(&mut choices);
            let mut driver = Driver::new(&plan, fixes(&mut choices), ServerKind::K2);
            let mut states = Vec::new();
            while !driver.moves().is_empty() {
                states.push((state(&driver), driver.position(), driver.executed().len()));
                let moves = driver.moves();
                driver.take(moves[choices.pick(moves.len() as u64) as usize]);
            }
            while let Some(before) = states.pop() {
                driver.undo();
                assert_eq!((state(&driver), driver.position(), driver.executed().len()), before);
            }
        }
    }
}
