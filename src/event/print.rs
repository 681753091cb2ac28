//! The one-line form of each event: what `run --trace` prints and `run --digest` hashes.

use std::fmt;

use super::{
    AllocatorState, Event, GraphNode, Guard, Part, RegionBounds, TableBlock, TrackedDevice,
};
use crate::message::AllocMessage;
use crate::units::DeviceAddr;

struct Address(Option<DeviceAddr>);

impl fmt::Display for Address {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.0 {
            Some(address) => address.fmt(f),
            None => f.write_str("none"),
        }
    }
}

impl fmt::Display for AllocatorState {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "allocated={} lowest={}", self.allocated, Address(self.lowest))
    }
}

impl fmt::Display for TrackedDevice {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Mesh(mesh_id) => write!(f, "mesh={mesh_id}"),
            Self::Chips(chips) => write!(f, "devices={chips}"),
        }
    }
}

impl fmt::Display for GraphNode {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::CaptureStart => f.write_str("capture_start"),
            Self::CaptureEnd => f.write_str("capture_end"),
            Self::Buffer { object, size } => write!(f, "buffer {object} size={size}"),
            Self::BufferAllocate { object, connection, address, size, .. } => {
                write!(f, "buffer_allocate {object} of={connection} address={address} size={size}")
            }
            Self::BufferDeallocate { object, connection, address, size } => {
                write!(f, "buffer_deallocate {object} of={connection}")?;
                write!(f, " address={address} size={size}")
            }
            Self::CircularBufferAllocate { device, address, size } => {
                write!(f, "circular_buffer_allocate {device} address={address} size={size}")
            }
            Self::DataflowBufferAllocate { device, address, size } => {
                write!(f, "dataflow_buffer_allocate {device} address={address} size={size}")
            }
            Self::CircularBufferDeallocateAll { device } => {
                write!(f, "circular_buffer_deallocate_all {device}")
            }
        }
    }
}

impl fmt::Display for Event<'_> {
    /// Prints the one-line form of `run --trace`, which `run --digest` hashes.
    #[allow(clippy::too_many_lines, reason = "one arm for each event")]
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::MeshOpened { mesh_id, devices, allocator } => {
                write!(f, "mesh-opened id={mesh_id} devices={devices} allocator={}", allocator.0)
            }
            Self::RegionOpened { region, devices, bounds } => {
                let RegionBounds { start, end, alignment } = bounds;
                write!(f, "region-opened {region} devices={devices} [{start}, {end})")?;
                write!(f, " align={alignment}")
            }
            Self::MeshClosed { mesh_id, live, in_flight: 1.. } => {
                write!(f, "mesh-closed id={mesh_id} live={live} with operations in flight")
            }
            Self::MeshClosed { mesh_id, live, in_flight: 0 } => {
                write!(f, "mesh-closed id={mesh_id} live={live}")
            }
            Self::MeshDestroyed { mesh_id } => write!(f, "mesh-destroyed id={mesh_id}"),
            Self::BufferCreated { object, owner, owns_data, devices } => {
                write!(f, "buffer-created {object} owner={owner} owns_data={owns_data}")?;
                write!(f, " devices={devices}")
            }
            Self::BufferDestroyed { object, released_by, registered } => {
                write!(f, "buffer-destroyed {object} released-by=\"{released_by}\"")?;
                f.write_str(if *registered { " still-registered" } else { "" })
            }
            Self::StatusChanged { object, part, from, to, allocator_alive, .. } => {
                write!(f, "status-changed {object} ")?;
                match part {
                    Part::Owner => f.write_str("owner")?,
                    Part::NonOwners(devices) => write!(f, "non-owners={devices}")?,
                }
                write!(f, " {from} -> {to}")?;
                f.write_str(if *allocator_alive { "" } else { " allocator-gone" })
            }
            Self::AddressTaken { region, object, address, bytes, size, after, .. } => {
                write!(f, "address-taken {region} {object} address={address} bytes={bytes}")?;
                write!(f, " size={size} {after}")
            }
            Self::AddressReturned { region, by, address, found, after } => {
                write!(f, "address-returned {region} {by} address={address} found=")?;
                match found {
                    Some(bytes) => write!(f, "{bytes} {after}"),
                    None => write!(f, "none {after}"),
                }
            }
            Self::AllocationFailed { region, object, short_of, after } => {
                write!(f, "allocation-failed {region} {object} {after}")?;
                short_of.map_or(Ok(()), |bytes| write!(f, " short-of={bytes}"))
            }
            Self::Stranded { object, region, address } => {
                write!(f, "stranded {object} {region} address={address}")
            }
            Self::RegionCleared { region, after } => write!(f, "region-cleared {region} {after}"),
            Self::AllocatorDestroyed { allocator } => {
                write!(f, "allocator-destroyed allocator={}", allocator.0)
            }
            Self::Registered { allocator, object } => {
                write!(f, "registered allocator={} {object}", allocator.0)
            }
            Self::Unregistered { allocator, object } => {
                write!(f, "unregistered allocator={} {object}", allocator.0)
            }
            Self::Swallowed { object, devices, guard } => {
                let guard = match guard {
                    Guard::Mark => "guard-mark",
                    Guard::Dealloc => "guard-dealloc",
                };
                write!(f, "swallowed {object} devices={devices} by={guard}")
            }
            Self::Sent(message) => write!(f, "sent {message}"),
            Self::Lost(message) => write!(f, "lost {message}"),
            Self::Answered { message, missed } => {
                let AllocMessage { kind, devices, address, .. } = message;
                write!(f, "answered {kind} device={devices} address={address}")?;
                if missed.is_empty() { Ok(()) } else { write!(f, " unknown={missed}") }
            }
            Self::ProgramBuilt { program, mesh_id, region_end } => {
                write!(f, "program-built {program} mesh={mesh_id} region-end={region_end}")
            }
            Self::CacheHit { program } => write!(f, "cache-hit {program}"),
            Self::CacheCleared { mesh_id, entries } => {
                write!(f, "cache-cleared mesh={mesh_id} entries={entries}")
            }
            Self::ProgramRan { program, mesh_id, .. } => {
                write!(f, "program-ran {program} mesh={mesh_id}")
            }
            Self::ProgramHooked { program, mesh_id, .. } => {
                write!(f, "program-hooked {program} mesh={mesh_id}")
            }
            Self::ProgramClashed { program, region, lowest, region_end } => {
                write!(f, "program-clashed {program} {region} lowest={lowest}")?;
                write!(f, " region-end={region_end}")
            }
            Self::ProgramOverlaid { program, region, lowest, region_end } => {
                write!(f, "program-overlaid {program} {region} lowest={lowest}")?;
                write!(f, " region-end={region_end}")
            }
            Self::ProgramDestroyed { program } => write!(f, "program-destroyed {program}"),
            Self::ProgramRecorded { trace, program } => {
                write!(f, "program-recorded {program} {trace}")
            }
            Self::ProgramQueued { program } => write!(f, "program-queued {program}"),
            Self::QueuedProgramRan { program } => write!(f, "queued-program-ran {program}"),
            Self::CommandsKept { program } => write!(f, "commands-kept {program}"),
            Self::TraceBegan { trace, mesh_id } => write!(f, "trace-began {trace} mesh={mesh_id}"),
            Self::TraceEnded { trace, mesh_id, active } => {
                write!(f, "trace-ended {trace} mesh={mesh_id} active={active}")
            }
            Self::UnsafeAllocation { object, active } => {
                write!(f, "unsafe-allocation {object} active={active}")
            }
            Self::TraceReplayed { trace, mesh_id } => {
                write!(f, "trace-replayed {trace} mesh={mesh_id}")
            }
            Self::TraceAccessed { trace, region, address, bytes, since } => {
                write!(f, "trace-accessed {trace} {region} address={address} bytes={bytes}")?;
                write!(f, " since={since}")
            }
            Self::TraceReleased { trace, mesh_id, left, active, buffers_size } => {
                write!(f, "trace-released {trace} mesh={mesh_id} left={left} active={active}")?;
                write!(f, " buffers-size={buffers_size}")
            }
            Self::ManagerLoaded { mesh_id, manager } => {
                write!(f, "manager-loaded mesh={mesh_id} {manager}")
            }
            Self::ManagerValidated { object, allocated, freed } => {
                write!(f, "manager-validated {object} allocated={allocated} freed={freed}")
            }
            Self::MemoryAccessed { region, by, owner, address, size, fresh } => {
                write!(f, "memory-accessed {region} {by} owner={owner} address={address}")?;
                write!(f, " size={size}{}", if *fresh { "" } else { " stale" })
            }
            Self::RawPointerUsed { pointer, alive, object } => {
                write!(f, "raw-pointer-used {object}: {pointer}")?;
                f.write_str(if *alive { "" } else { ", dangling" })
            }
            Self::Refused { text } => write!(f, "refused {text:?}"),
            Self::CaptureSwitched { pid, mode: Some(mode) } => {
                write!(f, "capture-switched on {mode} pid={pid}")
            }
            Self::CaptureSwitched { pid, mode: None } => {
                write!(f, "capture-switched off pid={pid}")
            }
            Self::Captured { depth: 0, counter, node, .. } => {
                write!(f, "captured {counter} {node}")
            }
            Self::Captured { depth, counter, node, .. } => {
                write!(f, "captured {counter} {node} depth={depth}")
            }
            Self::AllocationHooked { object, .. } => write!(f, "allocation-hooked {object}"),
            Self::InspectorStarted { .. } => f.write_str("inspector-started"),
            Self::Inspected { object, allocated, .. } => {
                let what = if *allocated { "allocated" } else { "deallocated" };
                write!(f, "inspected {object} {what}")
            }
            Self::SingletonUsed { singleton, alive } => {
                write!(f, "singleton-used {singleton}")?;
                f.write_str(if *alive { "" } else { ", destroyed" })
            }
            Self::TrackingSwitched { on } => write!(f, "tracking-switched on={on}"),
            Self::ServerRestarted => f.write_str("server-restarted"),
            Self::ProcessKilled { pid } => write!(f, "process-killed pid={pid}"),
            Self::Forked { pid, end } => write!(f, "forked pid={pid} end={end}"),
            Self::Reaped { pid, keys } => write!(f, "reaped pid={pid} keys={keys}"),
            Self::Quiescent { tracked } => write!(f, "quiescent tracked={tracked:?}"),
            Self::BlockTable { region, blocks, after } => {
                write!(f, "block-table {region} {after}")?;
                for TableBlock { address, size, allocated } in *blocks {
                    write!(f, " {}{address}+{size}", if *allocated { '*' } else { '-' })?;
                }
                Ok(())
            }
            Self::ServerEntry { devices, address, buffer_type, size } => {
                write!(f, "server-entry device={devices} {buffer_type} address={address}")?;
                write!(f, " size={size}")
            }
            Self::Checkpoint { last, .. } => write!(f, "checkpoint last={last}"),
            Self::Reached(mark) => write!(f, "reached {mark}"),
        }
    }
}
