//! The readers of the audit and the auditor on inputs that were changed: events or one error.
#![cfg(feature = "fuzzing")]

use std::collections::BTreeMap;

use freeorder::audit::Kind;
use freeorder::choice::{Choices, Seeded};
use freeorder::fuzzing::audited::{Nodes, is_read, mutate, mutate_in_place, seeds};
use rayon::prelude::*;

/// How many inputs in all: minutes in the slow lane, a moment otherwise.
const INPUTS: u64 = if cfg!(feature = "slow-tests") { 10_000_000 } else { 10_000 };

/// A capture that is longer is changed in pieces: the whole takes as long as fifty of them.
const WHOLE_MAX: usize = 10_000;

/// A log is cut, torn, interleaved and corrupted sooner or later; an audit must outlive it. Most of
/// the inputs are read as what they were, and not told as one error at their first byte.
#[test]
fn changed_inputs_are_events_or_one_error() {
    let seeds: Vec<(Kind, Vec<u8>, Nodes)> = Kind::ALL
        .into_iter()
        .flat_map(|kind| seeds(kind).into_iter().map(move |bytes| (kind, bytes)))
        .map(|(kind, bytes)| {
            let is_long = kind == Kind::Graph && bytes.len() > WHOLE_MAX;
            let nodes = Nodes::of(if is_long { &bytes } else { b"[]" });
            (kind, bytes, nodes)
        })
        .collect();
    assert!(seeds.iter().any(|(_, bytes, _)| bytes.len() > WHOLE_MAX));
    let of = |seed: u64| &seeds[seed as usize % seeds.len()];
    let read = |seed: u64| {
        let (kind, bytes, nodes) = of(seed);
        let mut choices = Seeded::new(seed);
        let is_piece = bytes.len() > WHOLE_MAX && seed / seeds.len() as u64 % 100 >= 2;
        let mut bytes = if is_piece { nodes.some(&mut choices, 4000) } else { bytes.clone() };
        // Half of them have all other bytes where they were, or are nodes and nothing else.
        if choices.chance(1, 2) {
            mutate(&mut choices, &mut bytes);
        } else if !is_piece {
            mutate_in_place(&mut choices, &mut bytes);
        }
        let read = is_read(&bytes, *kind);
        read.unwrap_or_else(|wrong| panic!("seed {seed}, {kind}: {wrong}"))
    };
    let read = (0..INPUTS).into_par_iter().filter(|&seed| read(seed)).map(|seed| of(seed).0);
    let counts = read.fold(BTreeMap::new, |mut counts: BTreeMap<Kind, u64>, kind| {
        *counts.entry(kind).or_default() += 1;
        counts
    });
    let counts = counts.reduce(BTreeMap::new, |mut all, counts| {
        counts.into_iter().for_each(|(kind, count)| *all.entry(kind).or_default() += count);
        all
    });
    for kind in Kind::ALL {
        let inputs = seeds.iter().filter(|(other, _, _)| *other == kind).count() as u64;
        let inputs = inputs * INPUTS / seeds.len() as u64;
        let count = counts.get(&kind).copied().unwrap_or_default();
        println!("{kind}: {count} inputs are read, of about {inputs}");
        assert!(count >= inputs / 6, "{kind}: {count} of {inputs} inputs are read");
    }
}
