//! What the names of a C++ test hold, and which statement an operation is.

use std::collections::{BTreeMap, BTreeSet};

use super::super::walk::{Dialect, Written};
use super::reasons::why_not;
use crate::op::{
    BufferHandle, BufferSpec, Handle, MeshHandle, Op, Place, ProgramHandle, TraceHandle,
};
use crate::runtime::{Runtime, Setup};

#[derive(Clone, Copy, Debug)]
pub(super) struct Buffer {
    pub mesh: MeshHandle,
    pub spec: BufferSpec,
    /// Names of one object have one number; a later object has a higher one.
    pub object: u32,
}

/// A test, statement by statement.
#[derive(Clone, Debug)]
pub(super) struct Gtest {
    pub(super) setup: Setup,
    pub(super) buffers: BTreeMap<BufferHandle, Buffer>,
    /// With the number of the object.
    pub(super) meshes: BTreeMap<MeshHandle, u32>,
    pub(super) programs: BTreeMap<ProgramHandle, MeshHandle>,
    pub(super) traces: BTreeMap<TraceHandle, MeshHandle>,
    pub(super) managers: BTreeSet<(MeshHandle, u32)>,
    pub(super) objects: u32,
    /// Every variable that was ever used, in the order in which they are declared.
    pub(super) used: BTreeSet<(Kind, String)>,
}

/// What is declared first is destroyed last.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(super) enum Kind {
    Mesh,
    Manager,
    Trace,
    Program,
    Cycles,
    Read,
    Buffer,
}

impl Gtest {
    pub fn new(setup: Setup) -> Self {
        Self {
            setup,
            buffers: BTreeMap::new(),
            meshes: BTreeMap::new(),
            programs: BTreeMap::new(),
            traces: BTreeMap::new(),
            managers: BTreeSet::new(),
            objects: 0,
            used: BTreeSet::new(),
        }
    }

    /// The variables of the test.
    pub fn declarations(&self) -> Vec<String> {
        let declaration = |(kind, name): &(Kind, String)| match kind {
            Kind::Mesh => format!("std::shared_ptr<MeshDevice> {name};"),
            Kind::Manager => format!("std::optional<SubDeviceManagerId> {name};"),
            Kind::Trace => format!("std::optional<MeshTraceId> {name};"),
            Kind::Program => format!("std::shared_ptr<MeshWorkload> {name};"),
            Kind::Cycles => format!("std::map<int, std::shared_ptr<MeshBuffer>> {name};"),
            Kind::Read => format!("std::vector<uint8_t> {name};"),
            Kind::Buffer => format!("std::shared_ptr<MeshBuffer> {name};"),
        };
        self.used.iter().map(declaration).collect()
    }

    /// Declares a variable.
    pub(super) fn uses(&mut self, kind: Kind, name: impl ToString) {
        self.used.insert((kind, name.to_string()));
    }
}

impl Dialect for Gtest {
    fn write(&mut self, op: &Op, model: &Runtime) -> Written {
        match op {
            Op::Open { .. } | Op::Submesh { .. } => self.open(op),
            Op::Alloc { buffer, place: Place::Mesh(mesh), spec } => {
                self.alloc(*buffer, *mesh, spec)
            }
            Op::Alias { buffer, of } => self.alias(*buffer, *of, model),
            Op::Share { buffer, of } => self.share(*buffer, *of),
            Op::Program { program, mesh, circular_buffers } => {
                self.program(*program, *mesh, circular_buffers)
            }
            Op::ShareProgram { program, of } => self.share_program(*program, *of),
            Op::Enqueue { program, .. } => self.enqueue(*program),
            Op::Drop(handle) => self.drop_handle(*handle),
            Op::Deallocate(name) => self.on_buffer(*name, format!("{name}->deallocate();")),
            Op::Cycle(name) => self.cycle(*name),
            Op::Use(name) => self.read(*name),
            Op::Gc => {
                self.uses(Kind::Cycles, "cycles");
                Written::Call("cycles.clear();".to_owned())
            }
            Op::Close(name) => self.on_mesh(*name, format!("{name}->close();")),
            Op::ClearCache(name) => self.on_mesh(*name, format!("{name}->clear_program_cache();")),
            Op::DisableCache(name) => {
                self.on_mesh(*name, format!("{name}->disable_and_clear_program_cache();"))
            }
            Op::EnableCache(name) => {
                self.on_mesh(*name, format!("{name}->enable_program_cache();"))
            }
            Op::DeallocateAll(name) => {
                self.on_mesh(*name, format!("{name}->allocator()->deallocate_buffers();"))
            }
            Op::Finish(name) => {
                self.on_mesh(*name, format!("Finish({name}->mesh_command_queue());"))
            }
            Op::BeginTrace { trace, mesh } => self.begin_trace(*trace, *mesh),
            Op::EndTrace(name) => {
                self.on_trace(*name, |name| format!("end_mesh_trace(0, *{name})"))
            }
            Op::Replay(name) => {
                self.on_trace(*name, |name| format!("replay_mesh_trace(0, *{name}, true)"))
            }
            Op::ReleaseTrace(name) => {
                self.on_trace(*name, |name| format!("release_mesh_trace(*{name})"))
            }
            Op::LoadManager { mesh, manager } => self.load_manager(*mesh, manager.0),
            Op::Exit => self.exit(),
            other => Written::LeftOut(why_not(other)),
        }
    }

    fn note(&mut self, op: &Op) {
        self.objects += 1;
        let object = self.objects;
        match op {
            Op::Open { mesh, .. } | Op::Submesh { mesh, .. } => {
                self.meshes.insert(*mesh, object);
            }
            Op::Alloc { buffer, place: Place::Mesh(mesh), spec } => {
                self.buffers.insert(*buffer, Buffer { mesh: *mesh, spec: *spec, object });
            }
            Op::Alias { buffer, of } => {
                if let Some(&held) = self.buffers.get(of) {
                    self.buffers.insert(*buffer, Buffer { object, ..held });
                }
            }
            Op::Share { buffer, of } => {
                if let Some(&held) = self.buffers.get(of) {
                    self.buffers.insert(*buffer, held);
                }
            }
            Op::Program { program, mesh, .. } => {
                self.programs.insert(*program, *mesh);
            }
            Op::ShareProgram { program, of } => {
                if let Some(&mesh) = self.programs.get(of) {
                    self.programs.insert(*program, mesh);
                }
            }
            Op::BeginTrace { trace, mesh } => {
                self.traces.insert(*trace, *mesh);
            }
            Op::ReleaseTrace(name) => {
                self.traces.remove(name);
            }
            Op::Drop(Handle::Buffer(name)) | Op::Cycle(name) => {
                self.buffers.remove(name);
            }
            Op::LoadManager { mesh, manager } => {
                self.managers.insert((*mesh, manager.0));
            }
            Op::Drop(Handle::Mesh(name)) => {
                self.meshes.remove(name);
                self.managers.retain(|(mesh, _)| mesh != name);
            }
            Op::Drop(Handle::Program(name)) => {
                self.programs.remove(name);
            }
            _ => {}
        }
    }

    fn raise(&mut self, _: &Op, _: &Runtime) -> Option<&'static str> {
        None
    }
}
