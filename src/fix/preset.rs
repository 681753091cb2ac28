//! The combinations that somebody really proposed.

use super::{Baseline, Fix, FixSet};

/// A combination that one of the documents, or one of the two branches, really proposed.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Preset {
    /// The fork before any change.
    Original,
    /// What the documents 000 and 003 call "before": the device-local buffers are marked.
    Before,
    /// Document 003.
    Guard,
    /// Document 001.
    Workaround,
    /// Documents 000 and 002.
    ThreeFixes,
    /// Document 004.
    Final,
    /// What was really committed to the fork.
    ForkHead,
    /// The main branch with its shared-memory counters.
    UpstreamShm,
    /// What the search over all sets came to.
    Sound,
}

impl Preset {
    /// Every preset, in the order of the table.
    pub const ALL: [Self; 9] = [
        Self::Original,
        Self::Before,
        Self::Guard,
        Self::Workaround,
        Self::ThreeFixes,
        Self::Final,
        Self::ForkHead,
        Self::UpstreamShm,
        Self::Sound,
    ];

    /// The name used on the command line.
    #[must_use]
    pub fn name(self) -> &'static str {
        match self {
            Self::Original => "original",
            Self::Before => "before",
            Self::Guard => "guard",
            Self::Workaround => "workaround",
            Self::ThreeFixes => "three-fixes",
            Self::Final => "final",
            Self::ForkHead => "fork-head",
            Self::UpstreamShm => "upstream-shm",
            Self::Sound => "sound",
        }
    }

    /// Where the preset comes from.
    #[must_use]
    pub fn source(self) -> &'static str {
        match self {
            Self::Original => "tt-metal.md B3",
            Self::Before => "documents 000 and 003, \"before\"",
            Self::Guard => "document 003",
            Self::Workaround => "document 001",
            Self::ThreeFixes => "documents 000 and 002",
            Self::Final => "document 004",
            Self::ForkHead => "tt-metal.md A6, variant F2: what was committed",
            Self::UpstreamShm => "tt-metal.md A6, variant U-SHM: the main branch",
            Self::Sound => "`freeorder matrix --search`: docs/which-fix.md",
        }
    }

    /// The preset that this one starts from; none if it starts from a baseline of its own.
    #[must_use]
    pub fn parent(self) -> Option<Self> {
        match self {
            Self::Original | Self::ForkHead | Self::UpstreamShm => None,
            Self::Before => Some(Self::Original),
            Self::Guard | Self::ThreeFixes | Self::Final => Some(Self::Before),
            Self::Workaround => Some(Self::Guard),
            Self::Sound => Some(Self::UpstreamShm),
        }
    }

    /// The switches.
    #[must_use]
    pub const fn fixes(self) -> FixSet {
        let fork = FixSet::none(Baseline::Fork);
        let before = fork.with(Fix::MarkLocals);
        let guard = before.with(Fix::GuardMark);
        let upstream = FixSet::none(Baseline::Upstream).with(Fix::OwnerFanOut);
        match self {
            Self::Original => fork,
            Self::Before => before,
            Self::Guard => guard,
            Self::Workaround => guard.with(Fix::GuardDealloc),
            Self::ThreeFixes => {
                guard.with(Fix::ReleasePool).with(Fix::BackingFirst).with(Fix::OwnsDataGate)
            }
            Self::Final => before.with(Fix::MeshFilterAlloc).with(Fix::MeshFilterFree),
            Self::ForkHead => fork
                .with(Fix::MeshFilterAlloc)
                .with(Fix::MeshFilterFree)
                .with(Fix::NonownerFree)
                .with(Fix::BlockingSend),
            Self::UpstreamShm => upstream,
            Self::Sound => upstream
                .with(Fix::OwnerIdKey)
                .with(Fix::SilentHooked)
                .with(Fix::SubmeshSharesState)
                .with(Fix::AtomicAllocation)
                .with(Fix::ClearResetsLowest),
        }
    }
}
