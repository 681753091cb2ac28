//! The names of the user's program.

use std::fmt;

use crate::units::DeviceId;

macro_rules! handle {
    ($(#[$doc:meta])* $name:ident, $letter:literal) => {
        $(#[$doc])*
        #[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash)]
        pub struct $name(pub u32);

        impl fmt::Display for $name {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                write!(f, concat!($letter, "{}"), self.0)
            }
        }
    };
}

handle!(
    /// A name in the user's program for a buffer: `b0`. An operation on a name that holds nothing
    /// is a no-op, so any line of a scenario can be deleted.
    BufferHandle, "b"
);
handle!(
    /// A name in the user's program for a mesh device: `m0`.
    MeshHandle, "m"
);
handle!(
    /// A name in the user's program for a program object: `p0`.
    ProgramHandle, "p"
);
handle!(
    /// A host thread of the user's program: `t0`.
    ThreadId, "t"
);
handle!(
    /// A process of the user's program: `q0`. Its pid is 1000 + the number.
    ProcessId, "q"
);
handle!(
    /// What the program cache hashes: shapes, dtypes and memory kinds, never addresses: `k0`.
    CacheKey, "k"
);

handle!(
    /// A name in the user's program for a captured trace: `r0`.
    TraceHandle, "r"
);
handle!(
    /// A sub-device manager of a mesh: `s1`. The one that every mesh starts with is `s0`.
    SubDeviceManagerId, "s"
);

/// Any of the names that `drop` takes.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Handle {
    /// A buffer.
    Buffer(BufferHandle),
    /// A mesh device.
    Mesh(MeshHandle),
    /// A program.
    Program(ProgramHandle),
}

impl fmt::Display for Handle {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Buffer(name) => name.fmt(f),
            Self::Mesh(name) => name.fmt(f),
            Self::Program(name) => name.fmt(f),
        }
    }
}

/// Where a buffer is created: on a mesh, in lock step, or on one physical device.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Place {
    /// On a mesh device: a MeshBuffer.
    Mesh(MeshHandle),
    /// On one physical device, with that device's own allocator: a Buffer. Prints as `d3`.
    Device(DeviceId),
}

impl fmt::Display for Place {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Mesh(mesh) => mesh.fmt(f),
            Self::Device(device) => write!(f, "d{device}"),
        }
    }
}
