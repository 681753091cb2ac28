//! What can be drawn next: the kinds of operation that would do something, and the names they can
//! be about.

use super::draw::Drawer;
use super::kind::{Kind, Kinds};
use super::set::{Set, one, those};

impl Drawer {
    /// The meshes on which it allocates.
    pub(super) fn allocatable(&self) -> Set {
        if self.profile.is_tame() { self.book.allocatable() } else { self.book.own_open() }
    }

    /// The buffers that a program on the mesh may read.
    pub(super) fn readable(&self, on: u32) -> Set {
        let book = &self.book;
        if self.profile.is_tame() {
            return book.on(on, book.own_live());
        }
        // What owns nothing is taken for allocated as long as its handle is there.
        book.own_live() | book.buffers.own & !book.owners
    }

    /// The buffers that can be put into a program's pool.
    pub(super) fn assignable(&self, program: u32) -> Set {
        let book = &self.book;
        if self.profile.is_tame() {
            return book.on(book.mesh_of(program), book.own_live() & book.owners);
        }
        book.buffers.own & book.owners
    }

    /// The programs into whose pool something can be put.
    pub(super) fn programs_to_assign(&self) -> Set {
        those(self.book.programs.own, |program| self.assignable(program) != 0)
    }

    /// The programs that can be run.
    pub(super) fn programs_to_run(&self) -> Set {
        let book = &self.book;
        if !self.profile.is_tame() {
            return book.programs.own;
        }
        those(book.programs.own, |program| book.own_open() & one(book.mesh_of(program)) != 0)
    }

    pub(super) fn droppable(&self) -> Set {
        let book = &self.book;
        if self.profile.is_tame() { book.droppable() } else { book.meshes.own }
    }

    /// The kinds of which an operation would do something.
    pub(super) fn possible(&self) -> Kinds {
        use Kind as K;
        let book = &self.book;
        let (own, live) = (book.buffers.own, book.own_live());
        let (open, alloc) = (book.own_open(), self.allocatable());
        let room = book.buffers.free(self.limits.buffers) != 0;
        let mesh_room = book.meshes.free(self.limits.meshes) != 0;
        let program_room = book.programs.free(self.limits.programs) != 0;
        let mut kinds = Kinds::default();
        kinds.put(K::Open, mesh_room);
        kinds.put(K::Submesh, mesh_room && open != 0);
        kinds.put(K::Close, open != 0);
        kinds.put(K::CloseAgain, book.meshes.own & !open != 0);
        kinds.put(K::DropMesh, self.droppable() != 0);
        kinds.put(K::Alloc, room && alloc != 0);
        let device = !self.profile.is_tame() || book.device_is_allocatable();
        kinds.put(K::AllocOnDevice, room && open != 0 && device);
        kinds.put(K::Alias, room && live != 0);
        kinds.put(K::View, room && live != 0);
        let shareable = if self.profile.is_tame() { live } else { own };
        kinds.put(K::Share, room && shareable != 0);
        kinds.put(K::Deallocate, live & book.owners != 0);
        kinds.put(K::DeallocateAgain, own & !(live & book.owners) != 0);
        kinds.put(K::DropLive, live != 0);
        kinds.put(K::DropDead, own & !live != 0);
        kinds.put(K::Mark, own != 0);
        kinds.put(K::Cycle, own != 0);
        kinds.put(K::Gc, true);
        kinds.put(K::ReleaseBacking, own & book.owners != 0);
        kinds.put(K::ReleaseLocal, own & book.owners != 0);
        kinds.put(K::Use, live != 0);
        kinds.put(K::UseDead, own & !live != 0);
        kinds.put(K::Program, program_room && open != 0);
        kinds.put(K::DataflowProgram, program_room && open != 0);
        kinds.put(K::Static, self.static_buffers() | self.static_meshes() != 0);
        kinds.put(K::ShareProgram, program_room && book.programs.own != 0);
        kinds.put(K::Assign, book.programs.own != 0 && self.programs_to_assign() != 0);
        kinds.put(K::Enqueue, self.programs_to_run() != 0);
        kinds.put(K::DropProgram, book.programs.own != 0);
        kinds.put(K::Run, open != 0);
        kinds.put(K::ClearCache, book.meshes.own != 0);
        kinds.put(K::DisableCache, open & !book.disabled != 0);
        kinds.put(K::EnableCache, book.meshes.own & book.disabled != 0);
        kinds.put(K::DeallocateAll, open != 0);
        kinds.put(K::ClearAllocator, open != 0);
        self.possible_traces(&mut kinds);
        self.possible_around(&mut kinds);
        kinds
    }

    /// The kinds that are about the surroundings.
    pub(super) fn possible_around(&self, kinds: &mut Kinds) {
        use Kind as K;
        let book = &self.book;
        kinds.put(K::CaptureBegin, !book.capture);
        kinds.put(K::CaptureNormal, !book.capture);
        kinds.put(K::Inspector, !book.inspector);
        kinds.put(K::CaptureEnd, book.capture);
        kinds.put(K::TrackingOff, book.tracking);
        kinds.put(K::TrackingOn, !book.tracking);
        kinds.put(K::Stall, !book.stalled);
        kinds.put(K::Reconnect, book.stalled || !book.reconnected);
        kinds.put(K::Deliver, book.stalled || book.reconnected);
        let always =
            [K::ServerRestart, K::Lose, K::Process, K::Kill, K::Reap, K::Checkpoint, K::Exit];
        always.into_iter().for_each(|kind| kinds.put(kind, true));
    }

    /// The buffers, and the meshes, whose handle can become a static variable.
    pub(super) fn static_buffers(&self) -> Set {
        self.book.buffers.own & !self.book.buffers.statics
    }

    pub(super) fn static_meshes(&self) -> Set {
        self.book.meshes.own & !self.book.meshes.statics
    }
}
