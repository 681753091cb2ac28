//! Processes of the user's program, and how they die.

use super::object::ObjectId;
use super::{Process, Runtime, Surroundings, pid};
use crate::event::{AllocatorId, Event};
use crate::mark::Mark;
use crate::message::Role;
use crate::op::{ChildEnd, ProcessId};

impl Runtime {
    /// `process q1`: the following operations happen in another process; false if it is dead.
    pub(crate) fn enter_process(&mut self, process: ProcessId) -> bool {
        while self.processes.len() <= process.0 {
            self.processes.insert(Process { alive: true, ..Process::default() });
        }
        if self.process == process.0 || !self.processes[process.0].alive {
            return false;
        }
        self.go_to_process(process.0);
        true
    }

    /// `kill q0`: the process dies without a word. Its memory is gone, its messages are not sent,
    /// and what the server knows stays. After the death of the current process the scenario goes on
    /// in the lowest one alive, or in a new one.
    pub(crate) fn kill<S: Surroundings>(&mut self, out: &mut S, process: ProcessId) -> bool {
        if self.processes.get(process.0).is_none_or(|process| !process.alive) {
            return false;
        }
        let objects = indices(self.objects.iter().map(|(i, one)| (i, one.process)), process.0);
        if !objects.is_empty() {
            out.emit(Event::Reached(Mark::KilledWithLiveBuffers));
        }
        out.emit(Event::ProcessKilled { pid: pid(process.0) });
        let programs = indices(self.programs.iter().map(|(i, one)| (i, one.process)), process.0);
        let meshes = indices(self.meshes.iter().map(|(i, one)| (i, one.process)), process.0);
        let allocators: Vec<AllocatorId> = self
            .open_allocators()
            .filter(|allocator| allocator.is_alive() && allocator.process() == process.0)
            .map(super::AllocatorImpl::id)
            .collect();
        for allocator in allocators {
            self.destroy_allocator(out, allocator);
        }
        for index in objects {
            self.remove_object(out, ObjectId(index), Role::Device);
        }
        for index in programs {
            out.emit(Event::ProgramDestroyed { program: self.programs[index].runtime_id });
            self.programs.remove(index);
        }
        meshes.into_iter().for_each(|index| self.meshes.remove(index));
        self.forget_dead_names();
        self.forget_graph(process.0);
        self.processes.update(process.0, |process| process.alive = false);
        if self.process != process.0 {
            return true;
        }
        let next = self.processes.iter().map(|(index, _)| index).next();
        let next = next.unwrap_or_else(|| {
            self.processes.insert(Process { alive: true, ..Process::default() })
        });
        self.go_to_process(next);
        true
    }

    /// `fork exit`, `fork _exit`: what the child has are copies, and they go with it.
    // ASSUMED: no message of the child's destructors reaches a server: those of the wheel leave the
    // shared-memory counters of every buffer as they are; the client of an allocation server was
    // not tried.
    pub(crate) fn fork<S: Surroundings>(&self, out: &mut S, end: ChildEnd) -> bool {
        out.emit(Event::Forked { pid: pid(self.process), end });
        true
    }

    /// Whether a process with this pid is alive: what `kill(pid, 0)` tells the reaper.
    #[must_use]
    pub fn process_is_alive(&self, asked: u32) -> bool {
        self.processes.iter().any(|(index, _)| pid(index) == asked)
    }

    fn go_to_process(&mut self, process: u32) {
        self.process = process;
        self.current_process.update(|current| *current = process);
    }
}

fn indices(of_processes: impl Iterator<Item = (u32, u32)>, process: u32) -> Vec<u32> {
    of_processes.filter(|&(_, of)| of == process).map(|(index, _)| index).collect()
}
