//! Which steps can change places without anybody noticing.
//!
//! The ends of two buffers commute if nothing that they touch is the same: no object, no key of the
//! server. What cannot be said so is taken to touch everything. A
//! property test in `tests/explore.rs` exchanges neighbouring steps that are said to commute.

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
                    // Without keys in the server the oracles have theirs. Its counters stop at 0,
                    // but ends of buffers only take from them: max(0, n - a - b) either way.
                    ServerKind::K1 | ServerKind::K2 | ServerKind::K2e | ServerKind::Shm => {
                        keys && meet
                    }
                };
                entries || (root == other && meet)
            }
        }
    }
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
        let is_total = !alone || !ops.iter().all(|op| only_ends(op));
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

    /// Whether every two operations conflict.
    pub(super) fn is_total(&self) -> bool {
        self.is_total
    }

    /// The number of an operation, by chain and place.
    pub(super) fn number(&self, (chain, place): (usize, usize)) -> usize {
        self.starts[chain] + place
    }

    /// The chain of an operation, by its number.
    pub(super) fn chain_of(&self, number: usize) -> usize {
        self.starts.partition_point(|&start| start <= number) - 1
    }

    /// Whether two operations, by chain and place, may not change places.
    pub(super) fn between(&self, one: (usize, usize), other: (usize, usize)) -> bool {
        let (one, other) = (self.number(one), self.number(other));
        self.is_total || self.rows[one][other / 64] >> (other % 64) & 1 == 1
    }

    /// A smallest persistent set of chains, given how many operations of each are done: nothing
    /// that the others can still do conflicts with what the chains of the set do next.
    pub(super) fn persistent(&self, ready: Vec<usize>, done: &[u32]) -> Vec<usize> {
        if self.is_total {
            return ready;
        }
        let mut best = ready.clone();
        for &seed in &ready {
            let mut set = vec![seed];
            let mut looked = 0;
            while looked < set.len() && set.len() < best.len() {
                let chain = set[looked];
                let next = (chain, done[chain] as usize);
                looked += 1;
                for &other in &ready {
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

    /// So many chains in groups: no operation of one conflicts with one of another.
    pub(super) fn groups(&self, chains: usize) -> Vec<Vec<usize>> {
        let operations = |chain: usize| {
            let length = self.starts[chain + 1] - self.starts[chain];
            (0..length).map(move |place| (chain, place))
        };
        let meet = |one: usize, other: usize| {
            operations(one).any(|one| operations(other).any(|other| self.between(one, other)))
        };
        let mut groups: Vec<Vec<usize>> = Vec::new();
        for chain in 0..chains {
            let mut own = vec![chain];
            groups.retain_mut(|group| {
                let joins = group.iter().any(|&member| meet(member, chain));
                if joins {
                    own.append(group);
                }
                !joins
            });
            own.sort_unstable();
            groups.push(own);
        }
        groups
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
    /// on the way. Whether a chip shows nothing depends on all buffers on it, and under counters
    /// that stop at 0 so does whether it shows what is there: the walk looks after that itself.
    fn state(driver: &Driver<'_>, server: ServerKind) -> (u64, Vec<ViolationClass>) {
        let mut columns = Columns::new(Lanes::NONE);
        driver.simulation.columns(&mut columns);
        let of_all = |oracle| match oracle {
            OracleName::Visibility => true,
            OracleName::TrackerTruth => server == ServerKind::Shm && driver.shown().is_less(),
            _ => false,
        };
        let classes = driver.classes().iter().copied();
        let mut classes: Vec<_> = classes.filter(|class| !of_all(class.oracle)).collect();
        classes.sort_unstable();
        (columns.hash(), classes)
    }

    fn after(
        driver: &mut Driver<'_>,
        server: ServerKind,
        moves: [usize; 2],
    ) -> (u64, Vec<ViolationClass>) {
        moves.iter().for_each(|&chosen| driver.take(chosen));
        let state = state(driver, server);
        moves.iter().for_each(|_| driver.undo());
        state
    }

    /// A search takes one order of steps that commute for all: if two of them did not, it would
    /// pass over the order that fails.
    #[test]
    fn steps_that_are_said_to_commute_do() {
        let (mut exchanged, mut kept, mut short) = (0, 0, 0);
        for seed in 0..600 {
            let mut choices = Seeded::new(seed);
            let plan = plan(&mut choices);
            let fixes = fixes(&mut choices);
            let server = ServerKind::ALL[choices.pick(5) as usize];
            let mut driver = Driver::new(&plan, fixes, server);
            driver.watch_shown();
            while !driver.moves().is_empty() {
                let moves = driver.moves();
                for (place, &one) in moves.iter().enumerate() {
                    for &other in &moves[..place] {
                        if !driver.commute(one, other) {
                            kept += 1;
                            continue;
                        }
                        exchanged += 1;
                        // One order is gone through first to see what is shown in either.
                        after(&mut driver, server, [other, one]);
                        let [left, right] = [[one, other], [other, one]]
                            .map(|pair| after(&mut driver, server, pair));
                        short += usize::from(server == ServerKind::Shm && driver.shown().is_less());
                        assert_eq!(left, right, "seed {seed}: {one} and {other}");
                    }
                }
                driver.take(moves[choices.pick(moves.len() as u64) as usize]);
            }
        }
        assert!(exchanged > 5000 && kept > 5000, "{exchanged} pairs exchanged, {kept} not");
        assert!(short > 500, "{short} pairs where counters can stop at 0");
    }

    /// Whatever is taken can be taken back: a search looks at millions of states in one world.
    #[test]
    fn a_driver_comes_back_to_where_it_was() {
        for seed in 0..50 {
            let mut choices = Seeded::new(seed);
            let plan = plan(&mut choices);
            let server = ServerKind::K2;
            let mut driver = Driver::new(&plan, fixes(&mut choices), server);
            let mut states = Vec::new();
            while !driver.moves().is_empty() {
                states.push((state(&driver, server), driver.position(), driver.executed().len()));
                let moves = driver.moves();
                driver.take(moves[choices.pick(moves.len() as u64) as usize]);
            }
            while let Some(before) = states.pop() {
                driver.undo();
                assert_eq!(
                    (state(&driver, server), driver.position(), driver.executed().len()),
                    before
                );
            }
        }
    }
}
