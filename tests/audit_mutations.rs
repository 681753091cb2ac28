//! The readers of the audit and the auditor on inputs that were changed: events or one error.
#![cfg(feature = "fuzzing")]

use freeorder::audit::Kind;
use freeorder::choice::Seeded;
use freeorder::fuzzing::audited::{check, mutate, seeds};
use rayon::prelude::*;

/// How many inputs in all: minutes in the slow lane, a moment otherwise.
const INPUTS: u64 = if cfg!(feature = "slow-tests") { 10_000_000 } else { 10_000 };

/// A log is cut, torn, interleaved and corrupted sooner or later; an audit must outlive it.
#[test]
fn changed_inputs_are_events_or_one_error() {
    let seeds: Vec<(Kind, Vec<u8>)> = Kind::ALL
        .into_iter()
        .flat_map(|kind| seeds(kind).into_iter().map(move |bytes| (kind, bytes)))
        .collect();
    (0..INPUTS).into_par_iter().for_each(|seed| {
        let (kind, bytes) = &seeds[seed as usize % seeds.len()];
        // A whole capture takes as long as fifty others: it has its turn, but not one in so many.
        let is_turn = bytes.len() < 10_000 || seed % 100 < 2;
        let length = if is_turn { bytes.len() } else { 4000 };
        let mut bytes = bytes[..length].to_vec();
        mutate(&mut Seeded::new(seed), &mut bytes);
        check(&bytes, *kind).unwrap_or_else(|wrong| panic!("seed {seed}, {kind}: {wrong}"));
    });
}
