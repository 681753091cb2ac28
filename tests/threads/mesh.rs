//! MeshBuffers of one mesh, from several threads: what two of the models share.
//!
//! allocation-server.md 1.6: "allocate: allocator gives address -> status=ALLOCATED -> [per-device
//! lifecycle mutex -> debug log -> track_allocate -> global tracking mutex -> send]. Free:
//! [lifecycle mutex -> log -> track_deallocate -> send] -> unlock -> allocator releases address."

use std::collections::BTreeSet;

use freeorder::allocator::{Direction, FreeListOpt};
use freeorder::event::AllocationStatus::{self, Allocated, Deallocated};
use freeorder::fix::FixSet;
use freeorder::message::{MessageKind, UniqueId};
use freeorder::runtime::decide::{self, Deallocation, Marking, Reporter};
use freeorder::runtime::object::MeshBufferState;
use freeorder::server::ServerKind;
use freeorder::units::{DeviceAddr, DeviceId};
use freeorder::violation::OracleName;

use super::allocator;
use super::server::{Books, Message, SIZE};
use crate::sync::{Mutex, MutexGuard};

/// What the lifecycle mutex of a device covers.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Covers {
    /// There is none.
    Nothing,
    /// One message of the device, as in the code: "allocate's address acquisition is NOT inside the
    /// lifecycle mutex".
    EachMessage,
    /// A whole call, with the mutexes of all devices, lowest first.
    TheCall,
    /// The same, but who destroys takes them highest first.
    TheCallEitherWay,
}

/// A mesh, its allocator, and the server.
pub struct Mesh {
    fixes: FixSet,
    covers: Covers,
    allocator: Mutex<FreeListOpt>,
    server: Mutex<Books>,
    lifecycle: Vec<Mutex<()>>,
}

/// A MeshBuffer; only its own thread calls it.
#[derive(Clone, Copy, Debug)]
pub struct MeshBuffer {
    owner: UniqueId,
    pub address: DeviceAddr,
    state: MeshBufferState,
    backing: AllocationStatus,
    locals: AllocationStatus,
}

impl Mesh {
    /// A mesh of so many devices; the server overwrites what is allocated twice, so that it can say
    /// whose entry a FREE has ended.
    pub fn new(fixes: FixSet, covers: Covers, devices: u8) -> Self {
        Self {
            fixes,
            covers,
            allocator: Mutex::new(allocator()),
            server: Mutex::new(Books::new(ServerKind::K1)),
            lifecycle: (0..devices).map(|_| Mutex::new(())).collect(),
        }
    }

    /// `MeshBuffer::create`.
    pub fn create(&self, owner: UniqueId) -> MeshBuffer {
        let _guards = self.guards(false);
        let taken = self.allocator.lock().unwrap().allocate(SIZE, Direction::BottomUp);
        let buffer = MeshBuffer {
            owner,
            address: taken.expect("the region has room for every buffer of a model"),
            state: MeshBufferState::Owned,
            backing: Allocated,
            locals: Allocated,
        };
        self.report(MessageKind::Alloc, true, &buffer);
        if decide::tracks_address_created(self.fixes) {
            self.report(MessageKind::Alloc, false, &buffer);
        }
        buffer
    }

    /// `MeshBuffer::deallocate`.
    pub fn deallocate(&self, buffer: &mut MeshBuffer) {
        let _guards = self.guards(true);
        self.deallocate_guarded(buffer);
    }

    /// `~MeshBuffer`: deallocates, then destroys the device-local buffers.
    pub fn destroy(&self, mut buffer: MeshBuffer) {
        let _guards = self.guards(true);
        self.deallocate_guarded(&mut buffer);
        if decide::non_owner_frees(self.fixes, buffer.locals, true) {
            self.report(MessageKind::Free, false, &buffer);
        }
    }

    /// What was wrong, now that every buffer is gone.
    pub fn verdict(&self) -> BTreeSet<OracleName> {
        let mut found = self.server.lock().unwrap().verdict();
        if self.allocator.lock().unwrap().blocks().any(|block| block.allocated) {
            found.insert(OracleName::DeviceLeak);
        }
        found
    }

    fn deallocate_guarded(&self, buffer: &mut MeshBuffer) {
        if buffer.state == MeshBufferState::Deallocated {
            return;
        }
        if decide::marks_backing(self.fixes, buffer.state) {
            buffer.backing = self.mark(true, buffer.backing, buffer);
        }
        if decide::marks_locals(self.fixes) {
            buffer.locals = self.mark(false, buffer.locals, buffer);
        }
        buffer.state = MeshBufferState::Deallocated;
        if decide::deallocation(buffer.backing, true, SIZE) == Deallocation::Whole {
            self.report(MessageKind::Free, true, buffer);
            self.allocator.lock().unwrap().deallocate(buffer.address);
        }
        buffer.backing = Deallocated;
    }

    fn mark(
        &self,
        owns_data: bool,
        status: AllocationStatus,
        buffer: &MeshBuffer,
    ) -> AllocationStatus {
        if decide::marking(self.fixes, owns_data, status) == Marking::WithFree {
            self.report(MessageKind::Free, owns_data, buffer);
        }
        Deallocated
    }

    /// Sends a message for each device id under which the buffer reports.
    fn report(&self, kind: MessageKind, owns_data: bool, buffer: &MeshBuffer) {
        let devices = match decide::reporter(self.fixes, owns_data, true, kind) {
            Reporter::Nobody => 0,
            Reporter::Mesh => 1,
            Reporter::Devices => self.lifecycle.len() as u8,
        };
        for device in 0..devices {
            let _guard = (self.covers == Covers::EachMessage)
                .then(|| self.lifecycle[usize::from(device)].lock().unwrap());
            let key = (DeviceId(device), buffer.address);
            let message = Message { kind, key, owner: buffer.owner };
            self.server.lock().unwrap().receive(message);
        }
    }

    fn guards(&self, destroys: bool) -> Vec<MutexGuard<'_, ()>> {
        let mutexes = self.lifecycle.iter();
        match self.covers {
            Covers::Nothing | Covers::EachMessage => Vec::new(),
            Covers::TheCallEitherWay if destroys => {
                mutexes.rev().map(|mutex| mutex.lock().unwrap()).collect()
            }
            Covers::TheCall | Covers::TheCallEitherWay => {
                mutexes.map(|mutex| mutex.lock().unwrap()).collect()
            }
        }
    }
}
