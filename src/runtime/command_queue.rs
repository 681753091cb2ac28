//! The asynchronous command queue of a mesh: programs and deallocations that a worker thread
//! executes later (tt-metal.md A7, ii).
//!
//! ASSUMED: an allocation is answered at once and does not wait for the queue, as if the worker
//! had time for it first; validation of circular buffers is made by the caller too.

use super::object::ObjectId;
use super::program::Bound;
use super::{EXPIRED, Refusal, Runtime, Surroundings, decide};
use crate::event::{Event, RawPointer};
use crate::fix::Defect;
use crate::journal::{Fingerprint, mix};
use crate::message::Role;
use crate::op::MeshHandle;

/// What the worker has still to do.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Command {
    /// Run a program, which the queue keeps alive, on what it was bound to by the call.
    Run {
        /// The program, as an index.
        program: u32,
        /// What it uses.
        bound: Vec<Bound>,
        /// Whether all of it was bound in this call.
        fresh: bool,
    },
    /// Give the memory of a MeshBuffer back, in its turn; `OwnedBufferState` holds it so long.
    Deallocate {
        /// The MeshBuffer.
        object: ObjectId,
        /// Who let go.
        role: Role,
    },
}

impl Fingerprint for Command {
    fn fingerprint(&self) -> u64 {
        match self {
            Self::Run { program, bound, fresh } => {
                let head = u64::from(*program) << 2 | u64::from(*fresh) << 1;
                bound.iter().map(Bound::fingerprint).fold(mix(0, head), mix)
            }
            Self::Deallocate { object, role } => mix(1, u64::from(object.0) | (*role as u64) << 32),
        }
    }
}

/// The queue of a mesh.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct CommandQueue {
    /// Whether calls are queued.
    pub asynchronous: bool,
    /// The commands, oldest first.
    pub commands: Vec<Command>,
    /// Programs, by runtime id, whose commands the queue has cached on the host.
    pub cached: Vec<u32>,
}

impl Fingerprint for CommandQueue {
    fn fingerprint(&self) -> u64 {
        let head = u64::from(self.asynchronous) | (self.commands.len() as u64) << 1;
        let commands = self.commands.iter().map(Command::fingerprint);
        let cached = self.cached.iter().map(|&program| u64::from(program));
        commands.chain(cached).fold(head, mix)
    }
}

impl Runtime {
    /// `async m0 on|off`; switching it off waits for what is queued.
    pub(crate) fn enable_async<S: Surroundings>(
        &mut self,
        out: &mut S,
        mesh: MeshHandle,
        on: bool,
    ) -> Result<bool, Refusal> {
        let mesh = self.open_mesh(mesh)?;
        if self.meshes[mesh].queue.asynchronous == on {
            return Ok(false);
        }
        self.finish_queue(out, mesh);
        self.meshes.update(mesh, |mesh| mesh.queue.asynchronous = on);
        Ok(true)
    }

    /// `finish m0`.
    pub(crate) fn finish<S: Surroundings>(
        &mut self,
        out: &mut S,
        mesh: MeshHandle,
    ) -> Result<bool, Refusal> {
        let mesh = self.open_mesh(mesh)?;
        Ok(self.finish_queue(out, mesh))
    }

    /// A program that was dispatched goes its way: into the trace that is being captured,
    /// into the queue, or to the device.
    pub(super) fn submit<S: Surroundings>(
        &mut self,
        out: &mut S,
        program: u32,
        bound: &[Bound],
        fresh: bool,
    ) {
        let (mesh, runtime_id) = (self.programs[program].mesh, self.programs[program].runtime_id);
        // P/13608: the queue cached the commands of every program and kept them when it died;
        // "own by program".
        if self.fixes.has_defect(Defect::CommandsOutliveProgram)
            && !self.meshes[mesh].queue.cached.contains(&runtime_id)
        {
            self.meshes.update(mesh, |mesh| mesh.queue.cached.push(runtime_id));
        }
        if let Some(place) = self.meshes[mesh].traces.capturing() {
            self.record(place, program, bound);
            let trace = self.meshes[mesh].traces.all[place].name;
            out.emit(Event::ProgramRecorded { trace, program: runtime_id });
            return;
        }
        let asynchronous = self.meshes[mesh].queue.asynchronous;
        match decide::queued(self.programs[program].owners, asynchronous) {
            Some(owners) => {
                self.programs.update(program, |program| program.owners = owners);
                let command = Command::Run { program, bound: bound.to_vec(), fresh };
                self.meshes.update(mesh, |mesh| mesh.queue.commands.push(command));
                out.emit(Event::ProgramQueued { program: runtime_id });
            }
            None => Self::access(out, bound, fresh),
        }
    }

    /// Whether `OwnedBufferState` lets go only when the worker comes to it: then the queue has it.
    #[inline]
    pub(super) fn queue_deallocation(&mut self, object: ObjectId, role: Role) -> bool {
        let Some(mesh) = self.objects[object.0].mesh.filter(|&mesh| mesh != EXPIRED) else {
            return false;
        };
        if !self.meshes[mesh].queue.asynchronous {
            return false;
        }
        let command = Command::Deallocate { object, role };
        self.meshes.update(mesh, |mesh| mesh.queue.commands.push(command));
        true
    }

    /// Whether a deallocation of the MeshBuffer waits in a queue.
    pub(super) fn deallocation_is_queued(&self, id: ObjectId) -> bool {
        let mut commands = self.meshes.iter().flat_map(|(_, mesh)| &mesh.queue.commands);
        commands
            .any(|command| matches!(command, Command::Deallocate { object, .. } if *object == id))
    }

    /// The worker executes all that is queued, oldest first; false if nothing is. What a command
    /// releases can queue up in its turn.
    pub(super) fn finish_queue<S: Surroundings>(&mut self, out: &mut S, mesh: u32) -> bool {
        let any = !self.meshes[mesh].queue.commands.is_empty();
        while let Some(command) = self.take_command(mesh) {
            match command {
                Command::Run { program, bound, fresh } => {
                    let runtime_id = self.programs[program].runtime_id;
                    out.emit(Event::QueuedProgramRan { program: runtime_id });
                    Self::access(out, &bound, fresh);
                    self.release_program(out, program, Role::Device);
                }
                Command::Deallocate { object, role } => self.deallocate_in_turn(out, object, role),
            }
        }
        any
    }

    fn deallocate_in_turn<S: Surroundings>(&mut self, out: &mut S, id: ObjectId, role: Role) {
        let object = self.objects[id.0];
        // P/10095 (I/10085): the queued deallocation read the fields of the buffer through `this`,
        // which could be destroyed by then; "copy fields first".
        if self.fixes.has_defect(Defect::DeallocationReadsThis) {
            let (pointer, alive) = (RawPointer::QueuedBuffer, !object.husk);
            out.emit(Event::RawPointerUsed { pointer, alive, object: object.reference() });
        }
        self.release_backing(out, id, Role::OwnedBufferState, role);
    }

    /// What a closing mesh waits for. Answers with the commands that it did not wait for.
    pub(super) fn drain_queue<S: Surroundings>(&mut self, out: &mut S, mesh: u32) -> u32 {
        // P/9584 (I/9519): "worker thread allocates while main deallocates all"; "drain queue
        // first".
        if !self.fixes.has_defect(Defect::CloseWithoutDrain) {
            self.finish_queue(out, mesh);
        }
        self.meshes[mesh].queue.commands.len() as u32
    }

    /// The queue of a closed mesh goes; what is left in it is released and never executed.
    pub(super) fn destroy_queue<S: Surroundings>(&mut self, out: &mut S, mesh: u32) {
        if self.meshes[mesh].queue == CommandQueue::default() {
            return;
        }
        self.meshes.update(mesh, |mesh| mesh.queue.asynchronous = false);
        while let Some(command) = self.take_command(mesh) {
            match command {
                Command::Run { program, .. } => self.release_program(out, program, Role::Device),
                Command::Deallocate { object, role } => {
                    self.release_backing(out, object, Role::OwnedBufferState, role);
                }
            }
        }
        self.meshes.update(mesh, |mesh| mesh.queue = CommandQueue::default());
    }

    fn take_command(&mut self, mesh: u32) -> Option<Command> {
        let command = self.meshes[mesh].queue.commands.first().cloned()?;
        self.meshes.update(mesh, |mesh| _ = mesh.queue.commands.remove(0));
        Some(command)
    }
}
