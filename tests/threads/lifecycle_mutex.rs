//! What a lifecycle mutex for each device can mend, and what it cannot.
//!
//! allocation-server.md 5.2 #18: "Gap between address allocation and report -> same -> per-device
//! lifecycle mutex -> no change"; 1.6: "allocate's address acquisition is NOT inside the lifecycle
//! mutex, contrary to FINAL_RACE_CONDITION_FIX's prose". The inversion of `fork-head` passes a
//! mutex that covers a message at a time; one that covers whole calls, on all devices of the mesh,
//! stops it, unless the buffer is deallocated in one call and destroyed in another.

use freeorder::fix::Preset;

use super::Outcome;
use super::mesh::{Covers, Mesh};
use super::reused_address::{Ends, Size, on_mesh};

/// The model of a reused address under `fork-head`, with a mutex for each device.
pub fn model(covers: Covers, ends: Ends, size: Size) -> Outcome {
    on_mesh(Mesh::new(Preset::ForkHead.fixes(), covers, size.devices), ends, size)
}
