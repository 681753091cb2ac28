//! The table of Buffer and MeshBuffer objects, and who owns them.

use crate::event::{AllocationStatus, AllocatorId, Region};
use crate::journal::{Fingerprint, Vacant, mix};
use crate::message::{ObjectRef, Origin, Role, UniqueId};
use crate::op::{BufferHandle, SubDeviceManagerId};
use crate::units::{BufferType, Bytes, DeviceAddr, Lanes};

/// The index of an object in its table; reused after the object is destroyed.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct ObjectId(pub u32);

/// What an object is.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash)]
pub enum ObjectKind {
    /// Nothing: a free slot.
    #[default]
    Vacant,
    /// A MeshBuffer: a backing buffer, if it owns one, and a device-local buffer on every chip.
    MeshBuffer,
    /// An owning Buffer on one device.
    Buffer,
    /// A Buffer created at a given address on one device; owns nothing.
    PreAllocated,
    /// A `Buffer::view`, on every chip of its root; owns nothing, keeps its root alive.
    View,
}

/// The variant in `MeshBuffer::state_`, tt-metal.md B2.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash)]
pub enum MeshBufferState {
    /// Somebody else owns the memory.
    #[default]
    ExternallyOwned,
    /// With a backing buffer.
    Owned,
    /// After `deallocate`.
    Deallocated,
}

/// Reference counts by kind of owner: a `shared_ptr` whose holders have names.
///
/// Eight counters of one byte, so that a scenario can say who lets go last.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash)]
pub struct Owners(pub(super) u64);

impl Owners {
    /// One owner.
    #[must_use]
    #[inline]
    pub fn one(role: Role) -> Self {
        Self(1 << (8 * role as u32))
    }

    /// How many owners of a kind there are.
    #[must_use]
    #[inline]
    pub fn count(self, role: Role) -> u64 {
        self.0 >> (8 * role as u32) & 0xff
    }

    /// With one more owner; none if 255 of the kind hold it already.
    #[must_use]
    #[inline]
    pub fn gain(self, role: Role) -> Option<Self> {
        (self.count(role) < 0xff).then(|| Self(self.0 + Self::one(role).0))
    }

    /// With one owner less.
    ///
    /// # Panics
    /// If there is none of the kind: an owner lets go of what it holds, once.
    #[must_use]
    #[inline]
    pub fn lose(self, role: Role) -> Self {
        assert!(self.count(role) > 0, "the {role} lets go of what it does not hold");
        Self(self.0 - Self::one(role).0)
    }

    /// Whether any of the kinds holds it.
    #[must_use]
    #[inline]
    pub fn any(self, roles: &[Role]) -> bool {
        roles.iter().any(|&role| self.count(role) > 0)
    }
}

/// The kinds of owner that keep a MeshBuffer object alive.
pub const HOLDERS: [Role; 4] = [Role::UserHandle, Role::Cycle, Role::CacheEntry, Role::Device];
/// The kinds of owner that keep a backing buffer alive.
pub const BACKING_HOLDERS: [Role; 2] = [Role::OwnedBufferState, Role::Pool];
/// The kinds of owner that keep a buffer of one device alive.
pub const BUFFER_HOLDERS: [Role; 5] =
    [Role::UserHandle, Role::Cycle, Role::CacheEntry, Role::Pool, Role::View];

/// A MeshBuffer with its backing and device-local buffers, or a single Buffer.
///
/// Sources: tt-metal.md A1 and B1. The buffers that own nothing differ only in whether they exist
/// and are ALLOCATED, so they are two sets of devices.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Object {
    /// What it is.
    pub kind: ObjectKind,
    /// Who it belongs to in the scenario.
    pub origin: Origin,
    /// `unique_id` of the backing buffer, or of the buffer itself.
    pub unique_id: UniqueId,
    /// `unique_id` of the buffer that owns the memory.
    pub owner: UniqueId,
    /// The mesh it is on, as an index; none for a buffer of one physical device.
    pub mesh: Option<u32>,
    /// The id of that mesh, which the buffer's `device_->id()` answers even after the mesh died.
    pub mesh_id: u32,
    /// `allocator_`.
    pub allocator: AllocatorId,
    /// The process it lives in.
    pub process: u32,
    /// The chips it is on.
    pub devices: Lanes,
    /// Of a MeshBuffer: who owns the memory.
    pub state: MeshBufferState,
    /// The status of the owning buffer.
    pub status: AllocationStatus,
    /// The buffers that own nothing and still exist.
    pub non_owners: Lanes,
    /// Those of them that are ALLOCATED.
    pub non_owners_allocated: Lanes,
    /// `address_`.
    pub address: DeviceAddr,
    /// `size_`, on each device.
    pub size: Bytes,
    /// Which memory.
    pub buffer_type: BufferType,
    /// `hooked_allocation_`.
    pub hooked: bool,
    /// In `allocated_buffers_`.
    pub registered: bool,
    /// Whether the MeshBuffer object itself is gone while parts of it live on.
    pub husk: bool,
    /// Who holds it.
    pub owners: Owners,
    /// `sub_device_manager_id_`, of a buffer on a sub-device.
    pub sub_device_manager: Option<SubDeviceManagerId>,
    /// Of a view: its root.
    pub root: Option<ObjectId>,
}

impl Object {
    /// How events name it.
    #[must_use]
    #[inline]
    pub fn reference(&self) -> ObjectRef {
        ObjectRef { origin: self.origin, unique_id: self.unique_id }
    }

    /// Where its memory is.
    #[must_use]
    #[inline]
    pub fn region(&self) -> Region {
        Region { allocator: self.allocator, buffer_type: self.buffer_type }
    }

    /// Whether it has a buffer that owns memory: a backing buffer, or itself.
    #[must_use]
    #[inline]
    pub fn owns_data(&self) -> bool {
        match self.kind {
            ObjectKind::Buffer => true,
            ObjectKind::MeshBuffer => self.owner == self.unique_id,
            ObjectKind::PreAllocated | ObjectKind::View | ObjectKind::Vacant => false,
        }
    }
}

impl Vacant for Object {
    fn vacant() -> Self {
        Self {
            kind: ObjectKind::Vacant,
            origin: Origin::Named(BufferHandle(0)),
            unique_id: UniqueId(0),
            owner: UniqueId(0),
            mesh: None,
            mesh_id: 0,
            allocator: AllocatorId(0),
            process: 0,
            devices: Lanes::NONE,
            state: MeshBufferState::ExternallyOwned,
            status: AllocationStatus::AllocationRequested,
            non_owners: Lanes::NONE,
            non_owners_allocated: Lanes::NONE,
            address: DeviceAddr(0),
            size: Bytes(0),
            buffer_type: BufferType::Dram,
            hooked: false,
            registered: false,
            husk: false,
            owners: Owners::default(),
            sub_device_manager: None,
            root: None,
        }
    }

    #[inline]
    fn is_vacant(&self) -> bool {
        self.kind == ObjectKind::Vacant
    }
}

impl Fingerprint for Origin {
    fn fingerprint(&self) -> u64 {
        match *self {
            Self::Named(name) => mix(0, u64::from(name.0)),
            Self::KernelBinary(key) => mix(1, u64::from(key.0)),
            Self::TemporaryView(key) => mix(2, u64::from(key.0)),
            Self::CircularBuffers(program) => mix(3, u64::from(program)),
            Self::TraceBuffer(trace) => mix(4, u64::from(trace.0)),
        }
    }
}

impl Fingerprint for Object {
    fn fingerprint(&self) -> u64 {
        let kinds = self.kind as u64
            | (self.state as u64) << 8
            | (self.status as u64) << 16
            | u64::from(self.hooked) << 24
            | u64::from(self.registered) << 25
            | u64::from(self.husk) << 26
            | (self.buffer_type as u64) << 32;
        let words = [
            self.mesh.map_or(0, |mesh| u64::from(mesh) + 1),
            self.root.map_or(0, |root| u64::from(root.0) + 1),
            u64::from(self.allocator.0) | u64::from(self.process) << 32,
            self.origin.fingerprint(),
            self.unique_id.0,
            self.owner.0,
            self.devices.0,
            self.non_owners.0,
            self.non_owners_allocated.0,
            self.address.0,
            self.size.0,
            self.owners.0,
            self.sub_device_manager.map_or(0, |manager| u64::from(manager.0) + 1),
        ];
        words.iter().fold(kinds, |hash, &word| mix(hash, word))
    }
}
