//! States that differ in the names of interchangeable things alone, told as one.
//!
//! Devices: those that nothing but the steps of the current block names, each in a step of its own,
//! can be exchanged. Their columns are sorted, never permuted, in the hash: what the state and the
//! steps to come say of a device is its column, and states with equal columns are the same but for
//! names. Handles: where two hold the same object and each has nothing to come but its drop, the
//! first is dropped first.

use super::driver::Driver;
use super::plan::{Plan, Stage};
use crate::journal::{Columns, mix};
use crate::op::{BufferHandle, Handle, Name, Op, Piece, Place};
use crate::units::{DeviceId, Lanes};

/// What of a plan can be exchanged.
#[derive(Clone, Debug)]
pub(super) struct Canonical {
    /// For each stage the devices that can be; none if nothing can.
    devices: Vec<Lanes>,
    by_symmetry: bool,
}

/// Whether an operation treats devices by their place or their number.
fn names_places(op: &Op) -> bool {
    matches!(
        op,
        Op::Open { .. }
            | Op::Submesh { .. }
            | Op::Alloc { place: Place::Device(_), .. }
            | Op::Program { .. }
            | Op::DataflowProgram { .. }
            | Op::Run(_)
            | Op::Lose(_)
            | Op::Process(_)
            | Op::Kill(_)
    )
}

/// The device that an operation names, with the buffer of which it lets a piece go.
pub(super) fn piece(op: &Op) -> Option<(BufferHandle, DeviceId)> {
    match *op {
        Op::Release { buffer, piece: Piece::Local(device) } => Some((buffer, device)),
        _ => None,
    }
}

impl Canonical {
    /// What can be exchanged in a plan; nothing if that is not wanted.
    pub(super) fn new(plan: &Plan, by_symmetry: bool) -> Self {
        let stages = 0..plan.stages.len();
        let devices = stages.map(|stage| match by_symmetry {
            true => exchangeable(&plan.stages[stage..]),
            false => Lanes::NONE,
        });
        Self { devices: devices.collect(), by_symmetry }
    }

    /// A hash that is equal for states that cannot be told apart, with where the plan stands.
    pub(super) fn hash(&self, driver: &Driver<'_>) -> u64 {
        let (index, done) = driver.place();
        let devices = self.devices.get(index).copied().unwrap_or(Lanes::NONE);
        let Some(stage) = driver.plan.stages.get(index).filter(|_| !devices.is_empty()) else {
            return mix(driver.simulation.hash(), driver.position());
        };
        let mut columns = Columns::new(devices);
        driver.simulation.columns(&mut columns);
        for (chain, (ops, &done)) in stage.chains.iter().zip(done).enumerate() {
            match ops.as_slice() {
                [op] if let Some((buffer, device)) = piece(op) => {
                    let word = u64::from(buffer.0) << 1 | u64::from(done);
                    columns.on(Lanes::one(device), 0xca0, word);
                }
                _ => columns.shared(mix(0xca1, chain as u64), u64::from(done)),
            }
        }
        mix(columns.hash(), index as u64)
    }

    /// Of moves that cannot be told apart the first, with their number.
    pub(super) fn representatives(
        &self,
        driver: &Driver<'_>,
        moves: &[usize],
    ) -> Vec<(usize, u32)> {
        let mut kept: Vec<(usize, u32)> = Vec::with_capacity(moves.len());
        for &chosen in moves {
            let like = |&&mut (one, _): &&mut (usize, u32)| {
                self.by_symmetry && are_alike(driver, one, chosen)
            };
            match kept.iter_mut().find(like) {
                Some((_, count)) => *count += 1,
                None => kept.push((chosen, 1)),
            }
        }
        kept
    }
}

/// The devices that the first of the stages can exchange: those that it names in steps of their own
/// alone, for the same buffers, and no other stage names.
fn exchangeable(stages: &[Stage]) -> Lanes {
    let Some((first, later)) = stages.split_first() else { return Lanes::NONE };
    let all = || stages.iter().flat_map(|stage| stage.chains.iter().flatten());
    if all().any(names_places) {
        return Lanes::NONE;
    }
    let longer = first.chains.iter().filter(|chain| chain.len() > 1).flatten();
    let later = later.iter().flat_map(|stage| stage.chains.iter().flatten());
    let named = longer.chain(later).filter_map(piece);
    let named = named.fold(Lanes::NONE, |named, (_, device)| named.or(Lanes::one(device)));
    Lanes::first(Lanes::CAPACITY).minus(named)
}

/// Whether two moves drop handles of the same object, of which nothing else is to come.
fn are_alike(driver: &Driver<'_>, one: usize, other: usize) -> bool {
    let (index, _) = driver.place();
    let Some(stage) = driver.plan.stages.get(index) else { return false };
    let dropped = |chain: usize| match stage.chains[chain].as_slice() {
        [Op::Drop(Handle::Buffer(buffer))] => Some(*buffer),
        _ => None,
    };
    let (Some(one), Some(other)) = (dropped(one), dropped(other)) else { return false };
    let mentions = |name: BufferHandle| {
        let stages = driver.plan.stages[index..].iter();
        let ops = stages.flat_map(|stage| stage.chains.iter().flatten());
        ops.filter(|op| op.names().contains(&Name::Buffer(name))).count()
    };
    let runtime = driver.simulation.world().runtime();
    one != other && runtime.are_alike(one, other) && mentions(one) == 1 && mentions(other) == 1
}
