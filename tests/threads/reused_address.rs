//! A buffer is destroyed while another thread allocates, and gets its address.
//!
//! tt-metal.md 0.10: "For OWNING buffers upstream order is track_deallocate THEN allocator free,
//! and allocator alloc THEN track_allocate [...]; FREE(old) always precedes ALLOC(new). The
//! inversion is possible only for NON-owning device-local FREEs sent after the backing was
//! released", which is what `fork-head` does (A6, variant F2).

use std::sync::Arc;

use freeorder::fix::FixSet;
use freeorder::mark::Mark;
use freeorder::message::UniqueId;

use super::Outcome;
use super::mesh::{Covers, Mesh, MeshBuffer};
use crate::sync::thread;

/// So many threads destroy a buffer each, and as many create one each, again and again.
#[derive(Clone, Copy, Debug)]
pub struct Size {
    pub devices: u8,
    pub pairs: u8,
    pub rounds: u8,
}

/// Which calls destroy a buffer.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Ends {
    /// Its destructor alone.
    AtOnce,
    /// `deallocate`, and later its destructor.
    DeallocatedFirst,
}

impl Ends {
    fn end(self, mesh: &Mesh, mut buffer: MeshBuffer) {
        if self == Self::DeallocatedFirst {
            mesh.deallocate(&mut buffer);
        }
        mesh.destroy(buffer);
    }
}

/// Without a mutex: what the fixes decide is all there is.
pub fn model(fixes: FixSet, size: Size) -> Outcome {
    on_mesh(Mesh::new(fixes, Covers::Nothing, size.devices), Ends::AtOnce, size)
}

/// The same on any mesh.
pub fn on_mesh(mesh: Mesh, ends: Ends, Size { pairs, rounds, .. }: Size) -> Outcome {
    let mesh = Arc::new(mesh);
    let first: Vec<MeshBuffer> =
        (0..pairs).map(|pair| mesh.create(UniqueId(u64::from(pair)))).collect();
    let old: Vec<_> = first.iter().map(|buffer| buffer.address).collect();
    let destroying = first.into_iter().map(|buffer| {
        let mesh = Arc::clone(&mesh);
        thread::spawn(move || ends.end(&mesh, buffer))
    });
    let destroying: Vec<_> = destroying.collect();
    let creating = (0..pairs).map(|pair| {
        let mesh = Arc::clone(&mesh);
        thread::spawn(move || {
            let mut buffers = Vec::new();
            for round in 0..rounds {
                let id = UniqueId(1000 + u64::from(pair) * 100 + u64::from(round));
                buffers.push(mesh.create(id));
                if round + 1 < rounds {
                    ends.end(&mesh, buffers.pop().expect("it was just created"));
                }
            }
            buffers
        })
    });
    let creating: Vec<_> = creating.collect();
    let mut outcome = Outcome::default();
    for thread in destroying {
        thread.join().unwrap();
    }
    let buffers: Vec<_> = creating.into_iter().flat_map(|thread| thread.join().unwrap()).collect();
    for buffer in buffers {
        if old.contains(&buffer.address) {
            outcome.seen.insert(Mark::AddressReused);
        }
        ends.end(&mesh, buffer);
    }
    outcome.found = mesh.verdict();
    outcome
}
