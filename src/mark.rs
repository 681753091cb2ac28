//! Rare situations that a search must prove it reached.

use std::fmt;

macro_rules! marks {
    ($($variant:ident = $name:literal, $summary:literal;)*) => {
        /// One rare situation.
        #[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
        #[repr(u8)]
        pub enum Mark {
            $(#[doc = concat!($summary, ".")] $variant,)*
        }

        impl Mark {
            /// Every mark.
            pub const ALL: [Self; [$(Self::$variant),*].len()] = [$(Self::$variant),*];

            /// The name that reports print.
            #[must_use]
            pub fn name(self) -> &'static str {
                match self {
                    $(Self::$variant => $name,)*
                }
            }

            /// What the situation is, in one line.
            #[must_use]
            pub fn summary(self) -> &'static str {
                match self {
                    $(Self::$variant => $summary,)*
                }
            }
        }
    };
}

marks! {
    LateDrop = "late-drop", "A handle was dropped after its buffer had been deallocated";
    ViewOutlivesRoot = "view-outlives-root",
        "A view or alias was left over memory that its owner had given back";
    MeshDroppedFirst = "mesh-dropped-first",
        "The last reference to a mesh went before the buffers on it";
    ClosedWithLiveBuffers = "closed-with-live-buffers",
        "A mesh was closed with live buffers on it";
    CacheHitAfterReallocation = "cache-hit-after-reallocation",
        "A cached program ran again after the buffers of its first run had moved";
    Collected = "collected", "The garbage collector let go of something";
    MessageLost = "message-lost", "A message was lost";
    MessageOvertook = "message-overtook", "A message overtook an older one";
    AllocatedUntracked = "allocated-untracked", "A buffer was allocated while tracking was off";
    KilledWithLiveBuffers = "killed-with-live-buffers",
        "A process was killed while it held buffers";
    MeshIdAliasesChip = "mesh-id-aliases-chip",
        "A mesh id equals the number of a chip that the mesh does not lead with";
    ThreadsInterleaved = "threads-interleaved", "Two threads were inside an operation at once";
    ServerRestarted = "server-restarted", "The server restarted while it held entries";
    AddressReused = "address-reused",
        "A handle was dropped after the address of its buffer had gone to another buffer";
    CollectedLate = "collected-late",
        "The garbage collector let go of a buffer that had been deallocated";
    DeadViewUsed = "dead-view-used", "Memory was read through a view whose root had given it back";
    DeviceLocalReleasedAlone = "device-local-released-alone",
        "A device-local buffer died before its MeshBuffer";
    BackingReleasedAlone = "backing-released-alone",
        "A backing buffer was let go of while its MeshBuffer lived on";
    MarkedWithoutRelease = "marked-without-release",
        "An owner was marked deallocated while the allocator still held its block";
    PoolHeldLast = "pool-held-last", "A program's pool was the last to let go of a buffer";
    MeshClosedTwice = "mesh-closed-twice", "A mesh was closed that had been closed";
    SubmeshOverLiveParent = "submesh-over-live-parent",
        "A mesh was cut from one with live buffers";
    ParentClosedFirst = "parent-closed-first",
        "A mesh was closed while one that was cut from it was open";
    MeshesShareChips = "meshes-share-chips",
        "A mesh was opened on chips that another open mesh holds";
    CacheClearedWhileInUse = "cache-cleared-while-in-use",
        "A cache was cleared while buffers that its programs were bound to were allocated";
    AllocatedInCapture = "allocated-in-capture",
        "A NO_DISPATCH capture kept an allocation from the allocator";
    ReleasedInCapture = "released-in-capture",
        "A NO_DISPATCH capture kept the release of a block from the allocator";
    AllocatorEmptied = "allocator-emptied",
        "An allocator was emptied in bulk under its live buffers";
    TrackerStartedLate = "tracker-started-late",
        "The client began to report while buffers were live";
    ReconnectedWithUnread = "reconnected-with-unread",
        "The client opened a new socket while messages were unread in the old one";
    EntriesReaped = "entries-reaped", "The reaper removed entries of a dead process";
    SameBufferInterleaved = "same-buffer-interleaved",
        "A thread called on a buffer that another one was in the middle of an operation on";
    DeviceBesideMesh = "device-beside-mesh",
        "A chip had live buffers of its device's allocator and of a mesh's at once";
    DeviceClosedWithLiveBuffers = "device-closed-with-live-buffers",
        "A device closed with live buffers of its own allocator";
}

impl Mark {
    /// Whether digests of event streams include it. Digests are compared across versions, so the
    /// marks that were added after the first ones are left out.
    #[must_use]
    pub fn is_in_digests(self) -> bool {
        self <= Self::ServerRestarted
    }

    /// Whether it makes chips, blocks or closed meshes fail in classes that other programs fail in
    /// too: a reduction does not bring it in, since what fails then fails for another cause.
    #[must_use]
    pub fn is_cause(self) -> bool {
        matches!(
            self,
            Self::ClosedWithLiveBuffers
                | Self::ParentClosedFirst
                | Self::MeshesShareChips
                | Self::DeviceBesideMesh
                | Self::DeviceClosedWithLiveBuffers
                | Self::MarkedWithoutRelease
                | Self::AllocatorEmptied
                | Self::BackingReleasedAlone
                | Self::DeviceLocalReleasedAlone
                | Self::LateDrop
                | Self::ViewOutlivesRoot
                | Self::MeshDroppedFirst
                | Self::DeadViewUsed
                | Self::AllocatedInCapture
                | Self::ReleasedInCapture
        )
    }
}

impl fmt::Display for Mark {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.name())
    }
}
