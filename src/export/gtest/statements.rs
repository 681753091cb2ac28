//! The statements of a C++ test.

use super::super::walk::Written;
use super::names::{Buffer, Gtest, Kind};
use crate::op::{
    BufferHandle, BufferSpec, CircularBufferSpec, Handle, MeshHandle, Op, ProgramHandle,
    TraceHandle,
};
use crate::runtime::Runtime;
use crate::runtime::object::MeshBufferState;
use crate::units::BufferType;

/// The most circular buffers of a program.
const CIRCULAR_BUFFERS_MAX: u32 = 32;

impl Gtest {
    pub(super) fn on_mesh(&self, name: MeshHandle, statement: String) -> Written {
        match self.meshes.contains_key(&name) {
            true => Written::Call(statement),
            false => Written::Nothing,
        }
    }

    pub(super) fn on_buffer(&self, name: BufferHandle, statement: String) -> Written {
        match self.buffers.contains_key(&name) {
            true => Written::Call(statement),
            false => Written::Nothing,
        }
    }

    pub(super) fn open(&mut self, op: &Op) -> Written {
        let (name, statement) = match *op {
            Op::Open { mesh, shape, at } => (
                mesh,
                format!(
                    "{mesh} = MeshDevice::create(MeshDeviceConfig{{MeshShape({}, {}), \
                 MeshCoordinate({}, {})}}, {}, {});",
                    shape.rows,
                    shape.columns,
                    at.0,
                    at.1,
                    self.setup.reserved.l1_small_size,
                    self.setup.reserved.trace_region_size
                ),
            ),
            Op::Submesh { mesh, parent, shape, at } if self.meshes.contains_key(&parent) => (
                mesh,
                format!(
                    "{mesh} = {parent}->create_submesh(MeshShape({}, {}), MeshCoordinate({}, {}));",
                    shape.rows, shape.columns, at.0, at.1
                ),
            ),
            _ => return Written::Nothing,
        };
        if self.meshes.contains_key(&name) {
            return Written::Nothing;
        }
        self.uses(Kind::Mesh, name);
        Written::Call(statement)
    }

    pub(super) fn alloc(
        &mut self,
        name: BufferHandle,
        mesh: MeshHandle,
        spec: &BufferSpec,
    ) -> Written {
        if self.buffers.contains_key(&name) || !self.meshes.contains_key(&mesh) {
            return Written::Nothing;
        }
        let grid = self.setup.machine.grid();
        let even = |shards: u32| {
            spec.pages.count > 0
                && spec.pages.count.is_multiple_of(shards)
                && shards <= u32::from(grid.x) * u32::from(grid.y)
        };
        if !spec.shards.is_none_or(even) {
            return Written::LeftOut("its pages are not the same number in each shard");
        }
        self.uses(Kind::Buffer, name);
        Written::Call(format!("{name} = {};", self.create(spec, mesh, "")))
    }

    /// The creation of a MeshBuffer; `address` is empty, or an argument with its comma.
    pub(super) fn create(&self, spec: &BufferSpec, mesh: MeshHandle, address: &str) -> String {
        let kind = match spec.buffer_type {
            BufferType::Dram => "DRAM",
            BufferType::L1 => "L1",
            BufferType::L1Small => "L1_SMALL",
            BufferType::Trace => "TRACE",
        };
        let (total, page) = (spec.pages.total(), spec.pages.size);
        let sharding = spec.shards.map_or(String::new(), |shards| {
            let (columns, pages) = (self.setup.machine.grid().x, spec.pages.count / shards);
            format!(", .sharding_args = height_sharded({columns}, {shards}, {pages}, {page})")
        });
        let end =
            spec.top_down.map_or(String::new(), |top_down| format!(", .bottom_up = {}", !top_down));
        format!(
            "MeshBuffer::create(ReplicatedBufferConfig{{.size = {total}}}, \
             DeviceLocalBufferConfig{{.page_size = {page}, .buffer_type = \
             BufferType::{kind}{sharding}{end}}}, {mesh}.get(){address})"
        )
    }

    pub(super) fn alias(
        &mut self,
        name: BufferHandle,
        of: BufferHandle,
        model: &Runtime,
    ) -> Written {
        let Some(Buffer { mesh, spec, .. }) = self.buffers.get(&of).copied() else {
            return Written::Nothing;
        };
        if self.buffers.contains_key(&name) {
            return Written::Nothing;
        }
        let state = model.object(of).map(|object| object.state);
        if state.is_none_or(|state| state == MeshBufferState::Deallocated) {
            return Written::LeftOut(
                "the model refuses it; C++ would take the address all the same",
            );
        }
        if !self.meshes.contains_key(&mesh) {
            return Written::LeftOut("no variable holds its mesh any more");
        }
        self.uses(Kind::Buffer, name);
        let create = self.create(&spec, mesh, &format!(", {of}->address()"));
        Written::Call(format!("{name} = {create};"))
    }

    pub(super) fn share(&mut self, name: BufferHandle, of: BufferHandle) -> Written {
        if self.buffers.contains_key(&name) || !self.buffers.contains_key(&of) {
            return Written::Nothing;
        }
        self.uses(Kind::Buffer, name);
        Written::Call(format!("{name} = {of};"))
    }

    pub(super) fn cycle(&mut self, name: BufferHandle) -> Written {
        if self.buffers.contains_key(&name) {
            self.uses(Kind::Cycles, "cycles");
        }
        // What nobody can reach is let go in the order of names.
        self.on_buffer(name, format!("cycles[{}] = std::move({name});", name.0))
    }

    pub(super) fn read(&mut self, name: BufferHandle) -> Written {
        if self.buffers.contains_key(&name) {
            self.uses(Kind::Read, "read");
        }
        let queue = format!("{name}->device()->mesh_command_queue()");
        self.on_buffer(name, format!("ReadShard({queue}, read, {name}, MeshCoordinate(0, 0));"))
    }

    pub(super) fn program(
        &mut self,
        name: ProgramHandle,
        mesh: MeshHandle,
        circular_buffers: &[CircularBufferSpec],
    ) -> Written {
        if self.programs.contains_key(&name) || !self.meshes.contains_key(&mesh) {
            return Written::Nothing;
        }
        if circular_buffers.iter().map(|one| one.count).sum::<u32>() > CIRCULAR_BUFFERS_MAX {
            return Written::LeftOut("a program has no more than 32 circular buffers");
        }
        let one = |spec: &CircularBufferSpec| {
            let cores = match spec.cores {
                None => format!("all_cores(*{mesh})"),
                Some(cores) => format!(
                    "CoreRange(CoreCoord({}, {}), CoreCoord({}, {}))",
                    cores.start.0, cores.start.1, cores.end.0, cores.end.1
                ),
            };
            vec![format!("{{{}, {cores}}}", spec.size); spec.count as usize]
        };
        let all: Vec<String> = circular_buffers.iter().flat_map(one).collect();
        self.uses(Kind::Program, name);
        let all = all.join(", ");
        Written::Call(format!("{name} = workload(*{mesh}, CircularBuffers{{{all}}});"))
    }

    pub(super) fn enqueue(&self, name: ProgramHandle) -> Written {
        match self.programs.get(&name) {
            None => Written::Nothing,
            Some(mesh) if !self.meshes.contains_key(mesh) => {
                Written::LeftOut("no variable holds its mesh any more")
            }
            Some(mesh) => Written::Call(format!(
                "EnqueueMeshWorkload({mesh}->mesh_command_queue(), *{name}, true);"
            )),
        }
    }

    pub(super) fn drop_handle(&self, handle: Handle) -> Written {
        let held = match handle {
            Handle::Buffer(name) => self.buffers.contains_key(&name),
            Handle::Mesh(name) => self.meshes.contains_key(&name),
            Handle::Program(name) => self.programs.contains_key(&name),
        };
        if held { Written::Call(format!("{handle}.reset();")) } else { Written::Nothing }
    }

    pub(super) fn share_program(&mut self, name: ProgramHandle, of: ProgramHandle) -> Written {
        if self.programs.contains_key(&name) || !self.programs.contains_key(&of) {
            return Written::Nothing;
        }
        self.uses(Kind::Program, name);
        Written::Call(format!("{name} = {of};"))
    }

    pub(super) fn begin_trace(&mut self, name: TraceHandle, mesh: MeshHandle) -> Written {
        if self.traces.contains_key(&name) || !self.meshes.contains_key(&mesh) {
            return Written::Nothing;
        }
        self.uses(Kind::Trace, name);
        Written::Call(format!("{name} = {mesh}->begin_mesh_trace(0);"))
    }

    /// A manager is made when it is loaded first; `s0` is the one that every mesh has.
    pub(super) fn load_manager(&mut self, mesh: MeshHandle, manager: u32) -> Written {
        let name = format!("{mesh}_s{manager}");
        let statement = match (manager, self.managers.contains(&(mesh, manager))) {
            (0, _) => format!("{mesh}->clear_loaded_sub_device_manager();"),
            (_, true) => format!("{mesh}->load_sub_device_manager(*{name});"),
            (_, false) => {
                format!("{mesh}->load_sub_device_manager({name}.emplace(whole_chip(*{mesh})));")
            }
        };
        if manager > 0 && self.meshes.contains_key(&mesh) {
            self.uses(Kind::Manager, name);
        }
        self.on_mesh(mesh, statement)
    }

    pub(super) fn on_trace(&self, name: TraceHandle, call: fn(&str) -> String) -> Written {
        match self.traces.get(&name) {
            None => Written::Nothing,
            Some(mesh) if !self.meshes.contains_key(mesh) => {
                Written::LeftOut("no variable holds its mesh any more")
            }
            Some(mesh) => Written::Call(format!("{mesh}->{};", call(&name.to_string()))),
        }
    }

    /// Every handle is dropped, newest first; then what is in cycles, programs and meshes.
    pub(super) fn exit(&self) -> Written {
        let mut buffers: Vec<_> =
            self.buffers.iter().map(|(name, held)| (held.object, name)).collect();
        buffers.sort_unstable();
        let mut meshes: Vec<_> = self.meshes.iter().map(|(name, object)| (object, name)).collect();
        meshes.sort_unstable();
        let buffers = buffers.iter().rev().map(|(_, name)| format!("{name}.reset();\n"));
        let cycles = self.used.iter().any(|(kind, _)| *kind == Kind::Cycles);
        let cycles = cycles.then(|| "cycles.clear();\n".to_owned());
        let programs = self.programs.keys().rev().map(|name| format!("{name}.reset();\n"));
        let meshes = meshes.iter().rev().map(|(_, name)| format!("{name}.reset();\n"));
        Written::Call(buffers.chain(cycles).chain(programs).chain(meshes).collect())
    }
}
