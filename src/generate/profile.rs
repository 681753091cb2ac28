//! What a generator draws: one table of profiles.

use std::fmt;
use std::str::FromStr;

use crate::suggest;

/// A kind of program that a generator writes.
///
/// ```
/// use freeorder::generate::Profile;
/// let profile: Profile = "lifecycle".parse()?;
/// assert_eq!(profile, Profile::Lifecycle);
/// assert_eq!(Profile::named("lifecycles"), None);
/// # Ok::<(), freeorder::generate::ProfileError>(())
/// ```
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash)]
#[repr(u8)]
pub enum Profile {
    /// Allocations, releases and a few programs on one mesh, in random order.
    #[default]
    Basic,
    /// An ordinary program: everything that is legal, and nothing else.
    Tame,
    /// Every lifecycle operation.
    Lifecycle,
    /// Handles that outlive the memory they name.
    Reuse,
    /// Programs, their pools, and the program cache.
    Cache,
    /// Long teardowns in every order.
    Teardown,
    /// Several meshes, and meshes cut from others.
    Submesh,
    /// Two to four threads that take turns inside an operation.
    Threads,
    /// Lifecycle operations in unreliable surroundings.
    Faults,
}

/// What a profile's sequences are like, besides how often each operation is drawn.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Limits {
    /// Names of buffers in use at a time.
    pub buffers: u32,
    /// Names of meshes in use at a time.
    pub meshes: u32,
    /// Names of programs in use at a time.
    pub programs: u32,
    /// Different keys of the program cache.
    pub keys: u32,
    /// The fewest and the most operations before the teardown.
    pub operations: (u32, u32),
}

impl Profile {
    /// Every profile, in the order in which they are printed.
    pub const ALL: [Self; 9] = [
        Self::Basic,
        Self::Tame,
        Self::Lifecycle,
        Self::Reuse,
        Self::Cache,
        Self::Teardown,
        Self::Submesh,
        Self::Threads,
        Self::Faults,
    ];

    /// The profile of that name.
    #[must_use]
    pub fn named(name: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|profile| profile.name() == name)
    }

    /// The name used on the command line.
    #[must_use]
    pub fn name(self) -> &'static str {
        match self {
            Self::Basic => "basic",
            Self::Tame => "tame",
            Self::Lifecycle => "lifecycle",
            Self::Reuse => "reuse",
            Self::Cache => "cache",
            Self::Teardown => "teardown",
            Self::Submesh => "submesh",
            Self::Threads => "threads",
            Self::Faults => "faults",
        }
    }

    /// What its programs are like, in one line.
    #[must_use]
    pub fn summary(self) -> &'static str {
        match self {
            Self::Basic => "allocations, releases and a few programs on one mesh, in random order",
            Self::Tame => "ordinary programs: everything that is legal, and nothing else",
            Self::Lifecycle => "every operation of the program itself, legal or not",
            Self::Reuse => "few addresses, and handles, views and cycles that outlive their memory",
            Self::Cache => "programs, their buffer pools, and hits in the program cache",
            Self::Teardown => "many holders, let go in every order",
            Self::Submesh => "several meshes on the same chips, and meshes cut from others",
            Self::Threads => "two to four threads that take turns inside an operation",
            Self::Faults => {
                "lost messages, reconnects, restarts, late tracking and dying processes"
            }
        }
    }

    /// Whether its programs stay within what the runtime promises to handle.
    #[must_use]
    pub fn is_tame(self) -> bool {
        self == Self::Tame
    }

    /// Whether its operations are of several threads.
    #[must_use]
    pub fn is_threaded(self) -> bool {
        self == Self::Threads
    }

    pub(super) fn limits(self) -> Limits {
        let small = Limits { buffers: 6, meshes: 2, programs: 2, keys: 3, operations: (8, 40) };
        match self {
            Self::Basic => {
                Limits { buffers: 64, meshes: 1, programs: 0, keys: 4, operations: (100, 100) }
            }
            Self::Tame => Limits { meshes: 4, buffers: 8, programs: 3, ..small },
            Self::Lifecycle => Limits { meshes: 3, ..small },
            Self::Reuse => Limits { buffers: 5, meshes: 1, programs: 1, keys: 2, ..small },
            Self::Cache => Limits { buffers: 5, meshes: 1, ..small },
            Self::Teardown => Limits { buffers: 8, operations: (6, 20), ..small },
            Self::Submesh => Limits { meshes: 5, ..small },
            Self::Threads => Limits { buffers: 5, programs: 1, operations: (8, 30), ..small },
            Self::Faults => small,
        }
    }
}

impl fmt::Display for Profile {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.name())
    }
}

/// A profile that does not exist.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("unknown profile `{name}`; {hint}")]
pub struct ProfileError {
    /// What was written.
    pub name: String,
    /// What would be right.
    pub hint: String,
}

impl FromStr for Profile {
    type Err = ProfileError;

    fn from_str(text: &str) -> Result<Self, ProfileError> {
        Self::named(text).ok_or_else(|| ProfileError {
            name: text.to_owned(),
            hint: suggest::hint(text, Self::ALL.into_iter().map(Self::name)),
        })
    }
}
