//! Captured traces: tt-metal's `mesh_trace.cpp` and the trace calls of `mesh_device.cpp`
//! (tt-metal.md D5, trace safety).

mod state;

pub use state::{OwnedRange, Trace, Traces};

use super::object::Object;
use super::program::{Bound, Program};
use super::{MeshDevice, Refusal, Runtime, Surroundings};
use crate::event::{Event, RawPointer};
use crate::fix::Defect;
use crate::message::{ObjectRef, Origin, Role, UniqueId};
use crate::op::{BufferSpec, MeshHandle, Pages, TraceHandle};
use crate::units::{BufferType, Bytes};

/// The page size of a trace buffer.
///
/// ASSUMED: the smallest that the runtime chooses; it grows with the commands, which are not
/// modelled.
const PAGE_SIZE: Bytes = Bytes(1024);

impl Runtime {
    /// The mesh, as an index, and the place of a trace that a name holds.
    fn trace(&self, name: TraceHandle) -> Option<(u32, usize)> {
        let own = self.meshes.iter().filter(|(_, mesh)| mesh.process == self.process);
        let mut held = own.filter_map(|(index, mesh)| {
            let place = mesh.traces.all.iter().position(|trace| trace.name == name);
            place.map(|place| (index, place))
        });
        held.next()
    }

    /// `begin-trace r0 on m0`.
    pub(crate) fn begin_trace<S: Surroundings>(
        &mut self,
        out: &mut S,
        name: TraceHandle,
        mesh: MeshHandle,
    ) -> Result<bool, Refusal> {
        let mesh = self.open_mesh(mesh)?;
        let has = |mesh: &MeshDevice| mesh.traces.all.iter().any(|trace| trace.name == name);
        if self.meshes.iter().any(|(_, mesh)| has(mesh)) {
            return Err(Refusal::noop());
        }
        if self.meshes[mesh].traces.capturing().is_some() {
            let text = format!("CQ 0 is already being used for tracing tid {}", name.0);
            return Err(Refusal::new(text));
        }
        self.finish_queue(out, mesh);
        let manager = self.meshes[mesh].manager;
        let trace = Trace {
            name,
            manager,
            capturing: true,
            programs: 0,
            owned: Vec::new(),
            since: UniqueId(0),
            buffer: None,
        };
        let mesh_id = self.meshes[mesh].mesh_id;
        self.meshes.update(mesh, |mesh| mesh.traces.all.push(trace));
        out.emit(Event::TraceBegan { trace: name, mesh_id });
        Ok(true)
    }

    /// A program of a mesh that is recording is not run: its commands, and with them the addresses
    /// that it uses, join the trace; that of its kernel binary is one of them.
    pub(super) fn record(&mut self, place: usize, program: u32, bound: &[Bound]) {
        let Program { mesh, kernel, .. } = self.programs[program];
        let kernel = kernel.map(|kernel| self.bind(&self.objects[kernel.0]));
        let allocator = &self.allocators[self.meshes[mesh].allocator.0 as usize];
        // PR 53735: "reserved trace storage is disjoint from ordinary DRAM", so that no program
        // has a buffer there.
        let own = bound.iter().chain(&kernel).filter(|Bound { region, .. }| {
            region.allocator == allocator.id() && region.buffer_type != BufferType::Trace
        });
        let ranges: Vec<OwnedRange> = own
            .filter_map(|&Bound { region, address, .. }| {
                let bytes = allocator.block_size(region.buffer_type, address)?;
                Some(OwnedRange { region, address, bytes })
            })
            .collect();
        self.meshes.update(mesh, |mesh| {
            let trace = &mut mesh.traces.all[place];
            trace.programs += 1;
            for range in ranges {
                if !trace.owned.contains(&range) {
                    trace.owned.push(range);
                }
            }
        });
    }

    /// `end-trace r0`.
    pub(crate) fn end_trace<S: Surroundings>(
        &mut self,
        out: &mut S,
        name: TraceHandle,
    ) -> Result<bool, Refusal> {
        let (mesh, place) = self.trace(name).ok_or_else(Refusal::noop)?;
        if !self.meshes[mesh].open {
            return Err(Refusal::closed(self.meshes[mesh].mesh_id));
        }
        let stored = if self.meshes[mesh].traces.all[place].capturing {
            self.store_trace(out, mesh, place)
        } else {
            let text = format!("CQ 0 is not being used for tracing tid {}", name.0);
            Err(Refusal::new(text))
        };
        self.register_active_trace(out, mesh, place);
        stored.map(|()| true)
    }

    /// The recording ends, and its commands go to a buffer of the trace region.
    fn store_trace<S: Surroundings>(
        &mut self,
        out: &mut S,
        mesh: u32,
        place: usize,
    ) -> Result<(), Refusal> {
        let since = UniqueId(*self.next_unique_id);
        self.meshes.update(mesh, |mesh| {
            let trace = &mut mesh.traces.all[place];
            trace.capturing = false;
            trace.since = since;
        });
        let trace = &self.meshes[mesh].traces.all[place];
        let (name, banks) = (trace.name, self.memory_map().dram.bank_count);
        // A page in every bank for each program, and one for the command that ends the trace.
        let pages = Pages { count: banks * (1 + trace.programs), size: PAGE_SIZE };
        let total = Bytes(self.meshes[mesh].traces.buffers_size.0 + pages.total().0);
        let region_size = self.setup.reserved.trace_region_size;
        // P/9348: trace buffers were ordinary DRAM buffers, which the intermediates of the traces
        // overwrote, until the TRACE region kept them apart.
        let buffer_type = if self.fixes.has_defect(Defect::TraceBuffersInDram) {
            BufferType::Dram
        } else {
            BufferType::Trace
        };
        if total > region_size && buffer_type == BufferType::Trace {
            return Err(Refusal::new(format!(
                "Creating trace buffers of size {total}B on MeshDevice {}, but only \
                 {region_size}B is allocated for trace region.",
                self.meshes[mesh].mesh_id
            )));
        }
        let spec = BufferSpec { buffer_type, pages, top_down: None, shards: None };
        let origin = Origin::TraceBuffer(name);
        let id = self.create_owned_mesh_buffer(out, (mesh, origin), spec, Role::Device)?;
        self.finish_mesh_buffer(out, id);
        self.meshes.update(mesh, |mesh| {
            mesh.traces.all[place].buffer = Some(id);
            mesh.traces.buffers_size = total;
        });
        Ok(())
    }

    /// From now on allocations are unsafe. Made on every way out of `end_mesh_trace`, its throws
    /// included: "so subsequent allocations are treated conservatively until the trace is
    /// released" (PR 50156).
    fn register_active_trace<S: Surroundings>(&mut self, out: &mut S, mesh: u32, place: usize) {
        let trace = &self.meshes[mesh].traces.all[place];
        let (name, key) = (trace.name, (trace.manager, trace.name));
        // P/50156, review: "end_trace_capture called twice [...] the TT_FATAL [...] throws, the
        // cleanup still registers -> active_trace_count_==2 with one map entry; the single release
        // decrements to 1 forever".
        let counted = self.fixes.has_defect(Defect::CountedTraces);
        if counted || !self.meshes[mesh].traces.active.contains(&key) {
            self.meshes.update(mesh, |mesh| mesh.traces.active.push(key));
        }
        let active = self.meshes[mesh].traces.active.len() as u32;
        out.emit(Event::TraceEnded { trace: name, mesh_id: self.meshes[mesh].mesh_id, active });
    }

    /// `verify_safe_allocation`: a warning, and no more, while traces are active.
    #[inline]
    pub(super) fn verify_safe_allocation<S: Surroundings>(&self, out: &mut S, object: &Object) {
        let Some(mesh) = object.mesh else { return };
        let traces = &self.meshes[mesh].traces;
        if !traces.active.is_empty() {
            let active = traces.active.len() as u32;
            out.emit(Event::UnsafeAllocation { object: object.reference(), active });
        }
    }

    /// `replay r0`.
    pub(crate) fn replay_trace<S: Surroundings>(
        &mut self,
        out: &mut S,
        name: TraceHandle,
    ) -> Result<bool, Refusal> {
        let (mesh, place) = self.trace(name).ok_or_else(Refusal::noop)?;
        let mesh_id = self.meshes[mesh].mesh_id;
        if !self.meshes[mesh].open {
            return Err(Refusal::closed(mesh_id));
        }
        let trace = &self.meshes[mesh].traces.all[place];
        let manager = self.meshes[mesh].manager;
        if trace.manager != manager || trace.buffer.is_none() {
            return Err(Refusal::new(format!(
                "Trace instance {} must exist on Mesh device {mesh_id}'s active sub-device manager \
                 {}",
                name.0, manager.0
            )));
        }
        self.finish_queue(out, mesh);
        let trace = &self.meshes[mesh].traces.all[place];
        let since = trace.since;
        // tt-metal.md D5: "every non-TRACE buffer allocated while >=1 trace is registered is
        // recorded [...]; before replay, any still-allocated id => error." Before it, I/54032:
        // allocate after capture, keep, replay.
        let tracked = !self.fixes.has_defect(Defect::UntrackedAllocations);
        let kept = self.kept_since(mesh, since);
        if tracked && kept > 0 {
            return Err(Refusal::new(format!(
                "{kept} buffers that were allocated after trace {} was captured are still \
                 allocated; its replay may overwrite them",
                name.0
            )));
        }
        out.emit(Event::TraceReplayed { trace: name, mesh_id });
        for &OwnedRange { region, address, bytes } in &trace.owned {
            out.emit(Event::TraceAccessed { trace: name, region, address, bytes, since });
        }
        if let Some(buffer) = trace.buffer {
            let object = &self.objects[buffer.0];
            Self::access(out, &[self.bind(object)], true);
        }
        Ok(true)
    }

    /// How many buffers that the tracker has seen allocated since then are still allocated.
    fn kept_since(&self, mesh: u32, since: UniqueId) -> usize {
        let allocator = self.meshes[mesh].allocator;
        // tt-metal.md D5: "TT_METAL_TRACE_ALLOC_SKIP_PROGRAM_CACHE exempts program_cache"; I/44420
        // is a warm-up after the capture, whose kernel binaries the replay overwrites.
        let skipped = self.fixes.has_defect(Defect::TrackerSkipsProgramCache);
        let later = self.objects.iter().map(|(_, object)| object).filter(|object| {
            object.registered && object.allocator == allocator && object.unique_id >= since
        });
        let counted = later.filter(|object| match object.origin {
            Origin::TraceBuffer(_) => false,
            Origin::KernelBinary(_) => !skipped,
            Origin::Named(_) | Origin::TemporaryView(_) | Origin::CircularBuffers(_) => true,
        });
        counted.count()
    }

    /// `release-trace r0`: the user's program, or the destructor of the trace's owner in Python.
    pub(crate) fn release_trace<S: Surroundings>(
        &mut self,
        out: &mut S,
        name: TraceHandle,
    ) -> bool {
        let Some((mesh, place)) = self.trace(name) else { return false };
        let trace = self.meshes[mesh].traces.all[place].clone();
        self.meshes.update(mesh, |mesh| _ = mesh.traces.all.remove(place));
        if !self.meshes[mesh].open {
            self.release_late(out, &trace);
            return true;
        }
        // P/50156, review: "switching away from the manager active at capture leaks the
        // registration entirely".
        let by_active = self.fixes.has_defect(Defect::TraceOfActiveManager);
        let manager = if by_active { self.meshes[mesh].manager } else { trace.manager };
        // I/22660, P/22662: "trace region exhausted" by a loop of captures and releases, because
        // the size was not given back.
        let kept = self.fixes.has_defect(Defect::TraceSizeKept);
        let size = trace.buffer.map_or(Bytes(0), |buffer| self.objects[buffer.0].size);
        self.meshes.update(mesh, |mesh| {
            let traces = &mut mesh.traces;
            let active = traces.active.iter().position(|&key| key == (manager, name));
            active.map(|active| traces.active.remove(active));
            traces.buffers_size.0 -= if kept { 0 } else { size.0 };
        });
        if let Some(buffer) = trace.buffer {
            self.release_object(out, buffer, Role::Device);
        }
        let mesh = &self.meshes[mesh];
        out.emit(Event::TraceReleased {
            trace: name,
            mesh_id: mesh.mesh_id,
            left: mesh.traces.all.len() as u32,
            active: mesh.traces.active.len() as u32,
            buffers_size: mesh.traces.buffers_size,
        });
        true
    }

    /// The mesh was closed before: there is nothing left to release.
    fn release_late<S: Surroundings>(&self, out: &mut S, trace: &Trace) {
        // P/40124: "GC-time release_trace segfault": Python's `__del__` calls it whenever the
        // collector runs.
        if self.fixes.has_defect(Defect::ReleaseTraceAfterClose) {
            let origin = Origin::TraceBuffer(trace.name);
            let object = ObjectRef { origin, unique_id: trace.since };
            let pointer = RawPointer::TraceDevice;
            out.emit(Event::RawPointerUsed { pointer, alive: false, object });
        }
    }

    /// The sub-device managers of a closing mesh go, and their trace buffers with them.
    pub(super) fn release_traces<S: Surroundings>(&mut self, out: &mut S, mesh: u32) {
        let traces = &self.meshes[mesh].traces;
        if traces.all.is_empty() && traces.active.is_empty() {
            return;
        }
        let buffers: Vec<_> = traces.all.iter().filter_map(|trace| trace.buffer).collect();
        self.meshes.update(mesh, |mesh| {
            mesh.traces.active.clear();
            mesh.traces.buffers_size = Bytes(0);
            for trace in &mut mesh.traces.all {
                trace.capturing = false;
                trace.buffer = None;
            }
        });
        for buffer in buffers {
            self.release_object(out, buffer, Role::Device);
        }
    }

    /// `exit`: the owners of traces die before the meshes; false if there are none.
    pub(super) fn drop_traces<S: Surroundings>(&mut self, out: &mut S) -> bool {
        let own = self.meshes.iter().filter(|(_, mesh)| mesh.process == self.process);
        let names: Vec<_> =
            own.flat_map(|(_, mesh)| mesh.traces.all.iter().map(|trace| trace.name)).collect();
        for &name in names.iter().rev() {
            self.release_trace(out, name);
        }
        !names.is_empty()
    }
}
