//! Rare situations that a search must prove it reached.

use std::fmt;

/// One rare situation.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
#[repr(u8)]
pub enum Mark {
    /// A block was allocated at an address that another buffer had before.
    AddressReused,
    /// A handle was dropped after its buffer had been deallocated.
    LateDrop,
    /// A view or alias was left over memory that its owner had given back.
    ViewOutlivesRoot,
    /// The last reference to a mesh went before the buffers on it.
    MeshDroppedFirst,
    /// A mesh was closed with live buffers on it.
    ClosedWithLiveBuffers,
    /// A cached program ran again after the buffers of its first run had moved.
    CacheHitAfterReallocation,
    /// The garbage collector let go of something.
    Collected,
    /// A message was lost.
    MessageLost,
    /// A message overtook an older one.
    MessageOvertook,
    /// A buffer was allocated while tracking was off.
    AllocatedUntracked,
    /// A process was killed while it held buffers.
    KilledWithLiveBuffers,
    /// A mesh id equals the number of a chip that the mesh does not lead with.
    MeshIdAliasesChip,
    /// Two threads were inside an operation at once.
    ThreadsInterleaved,
    /// The server restarted while it held entries.
    ServerRestarted,
}

impl Mark {
    /// Every mark.
    pub const ALL: [Self; 14] = [
        Self::AddressReused,
        Self::LateDrop,
        Self::ViewOutlivesRoot,
        Self::MeshDroppedFirst,
        Self::ClosedWithLiveBuffers,
        Self::CacheHitAfterReallocation,
        Self::Collected,
        Self::MessageLost,
        Self::MessageOvertook,
        Self::AllocatedUntracked,
        Self::KilledWithLiveBuffers,
        Self::MeshIdAliasesChip,
        Self::ThreadsInterleaved,
        Self::ServerRestarted,
    ];

    /// The name that reports print.
    #[must_use]
    pub fn name(self) -> &'static str {
        match self {
            Self::AddressReused => "address-reused",
            Self::LateDrop => "late-drop",
            Self::ViewOutlivesRoot => "view-outlives-root",
            Self::MeshDroppedFirst => "mesh-dropped-first",
            Self::ClosedWithLiveBuffers => "closed-with-live-buffers",
            Self::CacheHitAfterReallocation => "cache-hit-after-reallocation",
            Self::Collected => "collected",
            Self::MessageLost => "message-lost",
            Self::MessageOvertook => "message-overtook",
            Self::AllocatedUntracked => "allocated-untracked",
            Self::KilledWithLiveBuffers => "killed-with-live-buffers",
            Self::MeshIdAliasesChip => "mesh-id-aliases-chip",
            Self::ThreadsInterleaved => "threads-interleaved",
            Self::ServerRestarted => "server-restarted",
        }
    }
}

impl fmt::Display for Mark {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.name())
    }
}
