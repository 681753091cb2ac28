//! How buffers come to be: the factories of `buffer.cpp` and `mesh_buffer.cpp`.

use super::object::{MeshBufferState, Object, ObjectId, ObjectKind, Owners};
use super::{Refusal, Runtime, Surroundings};
use crate::event::{AllocationStatus, Event};
use crate::fix::Defect;
use crate::journal::Vacant;
use crate::mark::Mark;
use crate::message::{Origin, Role, UniqueId};
use crate::op::{BufferHandle, BufferSpec, Pages, Piece, Place};
use crate::units::{Bytes, DeviceId, Lanes};

impl Runtime {
    /// `alloc b0 on ..`, up to the moment the allocator has answered.
    pub(crate) fn begin_alloc<S: Surroundings>(
        &mut self,
        out: &mut S,
        name: BufferHandle,
        place: Place,
        spec: BufferSpec,
    ) -> Result<ObjectId, Refusal> {
        if self.is_buffer(name) {
            return Err(Refusal::noop());
        }
        match place {
            Place::Mesh(mesh) => {
                let mesh = self.open_mesh(mesh)?;
                self.create_mesh_buffer(out, (mesh, name), spec, Role::UserHandle)
            }
            Place::Device(device) => self.create_device_buffer(out, (device, name), spec),
        }
    }

    /// The rest of `alloc`: status, tracking, device-local buffers, and the name.
    #[inline]
    pub(crate) fn finish_alloc<S: Surroundings>(
        &mut self,
        out: &mut S,
        name: BufferHandle,
        id: ObjectId,
    ) {
        match self.objects[id.0].kind {
            ObjectKind::MeshBuffer => self.finish_mesh_buffer(out, id),
            _ => self.finish_allocate(out, id),
        }
        self.bind_handle(name, id);
    }

    /// The backing buffer of a new MeshBuffer asks for an address.
    #[inline]
    pub(super) fn create_mesh_buffer<S: Surroundings>(
        &mut self,
        out: &mut S,
        (mesh, name): (u32, BufferHandle),
        spec: BufferSpec,
        role: Role,
    ) -> Result<ObjectId, Refusal> {
        self.create_owned_mesh_buffer(out, (mesh, Origin::Named(name)), spec, role)
    }

    #[inline]
    pub(super) fn create_owned_mesh_buffer<S: Surroundings>(
        &mut self,
        out: &mut S,
        (mesh, origin): (u32, Origin),
        spec: BufferSpec,
        role: Role,
    ) -> Result<ObjectId, Refusal> {
        let devices = self.meshes[mesh].devices;
        // The backing buffer takes one unique id, each device-local buffer another.
        let unique_id = self.take_unique_ids(1 + devices.count());
        let mut owners = Owners::one(role).gain(Role::OwnedBufferState);
        // Issue 44640: the accessor can "allow some other usage to hold ownership of MeshTensor's
        // underlying device memory, while the MeshTensor object had went out of scope".
        if self.fixes.has_defect(Defect::ExtraOwner) {
            owners = owners.and_then(|owners| owners.gain(Role::OwnedBufferState));
        }
        let object = Object {
            kind: ObjectKind::MeshBuffer,
            origin,
            unique_id,
            owner: unique_id,
            mesh: Some(mesh),
            mesh_id: self.meshes[mesh].mesh_id,
            allocator: self.meshes[mesh].allocator,
            process: self.process,
            devices,
            state: MeshBufferState::Owned,
            size: spec.pages.total(),
            buffer_type: spec.buffer_type,
            sub_device_manager: self.manager_of_new(mesh, spec),
            owners: owners.expect("a new buffer has few owners"),
            ..Object::vacant()
        };
        self.create_owner(out, object, spec)
    }

    fn create_device_buffer<S: Surroundings>(
        &mut self,
        out: &mut S,
        (device, name): (DeviceId, BufferHandle),
        spec: BufferSpec,
    ) -> Result<ObjectId, Refusal> {
        let allocator = self.device_allocator(out, device)?;
        let unique_id = self.take_unique_ids(1);
        let object = Object {
            kind: ObjectKind::Buffer,
            origin: Origin::Named(name),
            unique_id,
            owner: unique_id,
            allocator,
            process: self.process,
            devices: Lanes::one(device),
            size: spec.pages.total(),
            buffer_type: spec.buffer_type,
            owners: Owners::one(Role::UserHandle),
            ..Object::vacant()
        };
        self.create_owner(out, object, spec)
    }

    /// First half of `Buffer::create` and `allocate_impl` (tt-metal.md A3, A4): an object and,
    /// unless it is empty or hooked, an address.
    #[inline]
    fn create_owner<S: Surroundings>(
        &mut self,
        out: &mut S,
        mut object: Object,
        spec: BufferSpec,
    ) -> Result<ObjectId, Refusal> {
        let reference = object.reference();
        let zero_size = object.size.0 == 0;
        object.hooked = !zero_size && self.hook_blocks();
        let take = !zero_size && !object.hooked;
        if object.hooked {
            out.emit(Event::Reached(Mark::AllocatedInCapture));
        }
        if take {
            self.verify_safe_allocation(out, &object);
            let floor = self.l1_floor(&object);
            object.address = self.take_address(out, &object, spec, floor)?;
            object.registered = true;
            self.note_allocated(out, &object);
        }
        out.emit(Event::BufferCreated {
            object: reference,
            owner: object.owner,
            owns_data: true,
            devices: object.devices,
        });
        let id = ObjectId(self.objects.insert(object));
        if object.hooked {
            let pid = super::pid(self.process);
            out.emit(Event::AllocationHooked { pid, object: reference });
        }
        if take {
            out.emit(Event::Registered { allocator: object.allocator, object: reference });
        }
        Ok(id)
    }

    /// The rest of `MeshBuffer::create`: the backing buffer's status and tracking, then a
    /// device-local buffer on every chip.
    #[inline]
    pub(super) fn finish_mesh_buffer<S: Surroundings>(&mut self, out: &mut S, id: ObjectId) {
        self.finish_allocate(out, id);
        self.objects.update(id.0, |object| object.non_owners = object.devices);
        self.create_at_address(out, id);
        self.inspect(out, id, true);
    }

    /// A buffer at another one's address: on its mesh, or on its device.
    pub(super) fn create_alias<S: Surroundings>(
        &mut self,
        out: &mut S,
        of: ObjectId,
        origin: Origin,
        (kind, size): (ObjectKind, Bytes),
    ) -> ObjectId {
        let target = self.objects[of.0];
        let unique_id = self.take_unique_ids(target.devices.count());
        let object = Object {
            kind,
            origin,
            unique_id,
            size,
            state: MeshBufferState::ExternallyOwned,
            status: AllocationStatus::AllocationRequested,
            process: self.process,
            non_owners: target.devices,
            non_owners_allocated: Lanes::NONE,
            hooked: false,
            registered: false,
            husk: false,
            owners: Owners::one(Role::UserHandle),
            sub_device_manager: None,
            root: None,
            ..target
        };
        out.emit(Event::BufferCreated {
            object: object.reference(),
            owner: object.owner,
            owns_data: false,
            devices: object.devices,
        });
        let id = ObjectId(self.objects.insert(object));
        self.create_at_address(out, id);
        self.inspect(out, id, true);
        id
    }

    /// `alias b1 of b0`.
    pub(crate) fn alias<S: Surroundings>(
        &mut self,
        out: &mut S,
        name: BufferHandle,
        of: BufferHandle,
    ) -> Result<(), Refusal> {
        let target = self.buffer(of).filter(|_| !self.is_buffer(name));
        let target = target.ok_or_else(Refusal::noop)?;
        let object = &self.objects[target.0];
        if !self.is_allocated(object) || !self.device_is_initialized(object) {
            return Err(Refusal::new("Tensor is not allocated."));
        }
        let kind = match object.mesh {
            Some(_) => ObjectKind::MeshBuffer,
            None => ObjectKind::PreAllocated,
        };
        let (size, allocator) = (object.size, object.allocator);
        let id = self.create_alias(out, target, Origin::Named(name), (kind, size));
        // Issue 12046: `CreateBuffer()` and `set_address` "update global detail::BUFFER_MAP", and
        // close walks it although "the Buffer object is already deallocated and destroyed".
        if self.fixes.has_defect(Defect::AliasRegistered) {
            self.objects.update(id.0, |object| object.registered = true);
            out.emit(Event::Registered { allocator, object: self.objects[id.0].reference() });
        }
        self.bind_handle(name, id);
        Ok(())
    }

    /// `view b1 of b0`: `Buffer::view` of every buffer of the root (tt-metal.md A3).
    pub(crate) fn view<S: Surroundings>(
        &mut self,
        out: &mut S,
        (name, of): (BufferHandle, BufferHandle),
        pages: Option<Pages>,
    ) -> Result<(), Refusal> {
        let of = self.buffer(of).filter(|_| !self.is_buffer(name));
        let of = of.ok_or_else(Refusal::noop)?;
        let target = self.objects[of.0];
        if !self.is_allocated(&target) || !self.device_is_initialized(&target) {
            return Err(Refusal::new("Tensor is not allocated."));
        }
        let size = pages.map_or(Bytes(target.size.0.div_ceil(2)), Pages::total);
        if size > target.size {
            return Err(Refusal::new("a view must lie inside its buffer"));
        }
        // "whole-buffer region returns the same shared_ptr" (A3).
        if size == target.size && target.kind != ObjectKind::MeshBuffer {
            let owners = target.owners.gain(Role::UserHandle).ok_or_else(Refusal::noop)?;
            self.objects.update(of.0, |object| object.owners = owners);
            self.bind_handle(name, of);
            return Ok(());
        }
        // "root_buffer_=root of root" (A3).
        let root = target.root.unwrap_or(of);
        let owners = self.objects[root.0].owners.gain(Role::View).ok_or_else(Refusal::noop)?;
        self.objects.update(root.0, |object| object.owners = owners);
        let id = self.create_alias(out, of, Origin::Named(name), (ObjectKind::View, size));
        self.objects.update(id.0, |object| object.root = Some(root));
        self.bind_handle(name, id);
        Ok(())
    }

    /// `release b0 backing`, `release b0 d3`: a piece of a MeshBuffer dies on its own.
    pub(crate) fn release_piece<S: Surroundings>(
        &mut self,
        out: &mut S,
        name: BufferHandle,
        piece: Piece,
    ) -> bool {
        let Some(id) = self.buffer(name) else { return false };
        let object = self.objects[id.0];
        match piece {
            Piece::Backing if object.state == MeshBufferState::Owned => {
                out.emit(Event::Reached(Mark::BackingReleasedAlone));
                self.deallocate_releases(out, id, Role::OwnedBufferState);
                true
            }
            Piece::Local(device)
                if object.kind == ObjectKind::MeshBuffer && object.non_owners.contains(device) =>
            {
                out.emit(Event::Reached(Mark::DeviceLocalReleasedAlone));
                let one = Lanes::one(device);
                self.mark_locals(out, id, one);
                self.destroy_non_owners(out, id, one, Role::DeviceLocal);
                true
            }
            Piece::Backing | Piece::Local(_) => false,
        }
    }

    #[inline]
    fn take_unique_ids(&mut self, count: u32) -> UniqueId {
        let first = *self.next_unique_id;
        self.next_unique_id.update(|next| *next += u64::from(count));
        UniqueId(first)
    }
}
