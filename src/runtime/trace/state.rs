//! What is kept of captured traces.

use crate::event::Region;
use crate::journal::{Fingerprint, mix};
use crate::message::UniqueId;
use crate::op::{SubDeviceManagerId, TraceHandle};
use crate::runtime::object::ObjectId;
use crate::units::{Bytes, DeviceAddr};

/// Memory in an allocator's region that the programs of a trace use, in each bank.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct OwnedRange {
    /// Which allocator and memory.
    pub region: Region,
    /// Its first address.
    pub address: DeviceAddr,
    /// Its length.
    pub bytes: Bytes,
}

/// A `MeshTraceBuffer` in the pool of its sub-device manager.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Trace {
    /// Its name in the user's program.
    pub name: TraceHandle,
    /// The sub-device manager that was loaded when its capture began.
    pub manager: SubDeviceManagerId,
    /// Whether the command queue is recording it.
    pub capturing: bool,
    /// How many programs it recorded.
    pub programs: u32,
    /// What they use.
    pub owned: Vec<OwnedRange>,
    /// Buffers with this id and later ones were created after the capture ended.
    pub since: UniqueId,
    /// Where its commands are.
    pub buffer: Option<ObjectId>,
}

impl Fingerprint for Trace {
    fn fingerprint(&self) -> u64 {
        let names = u64::from(self.name.0) | u64::from(self.manager.0) << 32;
        let counts = u64::from(self.programs) << 1 | u64::from(self.capturing);
        let buffer = self.buffer.map_or(0, |buffer| u64::from(buffer.0) + 1);
        let head = [names, counts, buffer, self.since.0, self.owned.len() as u64];
        let owned = self.owned.iter().map(|range| {
            let region = u64::from(range.region.allocator.0) << 2;
            let region = region | range.region.buffer_type.index() as u64;
            mix(mix(region, range.address.0), range.bytes.0)
        });
        head.into_iter().chain(owned).fold(0, mix)
    }
}

/// What a mesh knows of its traces.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Traces {
    /// The traces, oldest first. Those of a closed mesh are names that nobody has released yet.
    pub all: Vec<Trace>,
    /// The traces because of which allocations are unsafe.
    pub active: Vec<(SubDeviceManagerId, TraceHandle)>,
    /// `trace_buffers_size_`.
    pub buffers_size: Bytes,
}

impl Traces {
    /// The trace that the command queue is recording.
    #[must_use]
    #[inline]
    pub fn capturing(&self) -> Option<usize> {
        self.all.iter().position(|trace| trace.capturing)
    }
}

impl Fingerprint for Traces {
    fn fingerprint(&self) -> u64 {
        let active = self
            .active
            .iter()
            .map(|(manager, trace)| mix(u64::from(manager.0), u64::from(trace.0)));
        let all = self.all.iter().map(Trace::fingerprint);
        active.chain(all).fold(mix(self.buffers_size.0, self.active.len() as u64), mix)
    }
}
