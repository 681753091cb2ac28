//! What the driver is asked, and what it answers: one JSON line each.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};

use super::counters::Region;
use super::graph::Node;
use crate::op::ThreadId;

/// A line to the driver.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
#[serde(tag = "op", rename_all = "snake_case")]
#[allow(missing_docs, reason = "the driver's text says what each one calls")]
pub enum Request {
    Hello,
    Reset,
    Exit,
    Kill,
    Fork {
        end: &'static str,
    },
    Gc,
    CaptureEnd,
    On {
        thread: String,
        request: Box<Request>,
    },
    /// Two calls on two threads at a time.
    Both {
        first: Box<Request>,
        second: Box<Request>,
    },
    CaptureBegin {
        mode: &'static str,
    },
    Open {
        mesh: String,
        shape: [u8; 2],
        at: [u8; 2],
        l1_small: u64,
    },
    Submesh {
        mesh: String,
        parent: String,
        shape: [u8; 2],
        at: [u8; 2],
    },
    Close {
        mesh: String,
    },
    ClearCache {
        mesh: String,
    },
    DisableCache {
        mesh: String,
    },
    EnableCache {
        mesh: String,
    },
    DeallocateAll {
        mesh: String,
    },
    Alloc {
        name: String,
        mesh: String,
        kind: &'static str,
        dtype: &'static str,
        layout: &'static str,
        shape: Vec<u32>,
        shards: u32,
        cut: &'static str,
        shard: [u32; 2],
        grid: [u8; 2],
    },
    View {
        name: String,
        of: String,
        function: &'static str,
    },
    Deallocate {
        name: String,
        force: bool,
    },
    Drop {
        name: String,
    },
    Cycle {
        name: String,
    },
    Use {
        name: String,
    },
    Run {
        name: String,
        a: String,
        b: String,
        function: &'static str,
    },
}

impl Request {
    /// The same, on a thread of the scenario: the first is the process's own, and what ends the
    /// process, or a child of it, ends all of them.
    #[must_use]
    pub fn on(self, thread: ThreadId) -> Self {
        if thread.0 == 0 || matches!(self, Self::Exit | Self::Fork { .. }) {
            return self;
        }
        Self::On { thread: thread.to_string(), request: Box::new(self) }
    }

    /// Whether the process kills itself, on whatever thread.
    pub(super) fn kills(&self) -> bool {
        match self {
            Self::On { request, .. } => request.kills(),
            request => *request == Self::Kill,
        }
    }
}

/// What the driver answers.
#[derive(Clone, Debug, Default, PartialEq, Eq, Deserialize)]
pub struct Answer {
    /// Whether the call returned.
    pub ok: bool,
    /// What it raised, if not.
    #[serde(default)]
    pub error: String,
    /// What came of the first of two calls that were made at a time; the rest is of the second.
    #[serde(default)]
    pub first: Option<Box<Answer>>,
    /// The wheel's version, answered to `hello`.
    #[serde(default)]
    pub version: String,
    /// Every name that holds a tensor: whether it is allocated, and its address.
    #[serde(default)]
    pub buffers: BTreeMap<String, (bool, Address)>,
    /// The ids of the meshes that those of them are on that are allocated, and whose mesh is there.
    #[serde(default)]
    pub on: BTreeMap<String, u32>,
    /// Every name that holds a mesh.
    #[serde(default)]
    pub meshes: BTreeMap<String, MeshSeen>,
    /// How the child ended that a fork made.
    #[serde(default)]
    pub child: Option<ChildSeen>,
    /// The nodes of the graph whose capture ended, as far as they concern memory.
    #[serde(default)]
    pub nodes: Vec<Node>,
    /// The process that answered.
    #[serde(default)]
    pub pid: i32,
    /// The counters in shared memory of the chips that were ever opened: read, not answered.
    #[serde(skip)]
    pub counters: BTreeMap<u8, Region>,
}

/// How the child of a fork ended.
#[derive(Clone, Debug, Default, PartialEq, Eq, Deserialize)]
pub struct ChildSeen {
    /// Its exit code, if it exited.
    pub code: Option<i32>,
    /// The signal that killed it, if one did; it was still there if neither is.
    pub signal: Option<i32>,
    /// Its backtrace, if it wrote one.
    #[serde(default)]
    pub trace: String,
}

/// What a tensor says of its address.
#[derive(Clone, Debug, PartialEq, Eq, Deserialize)]
#[serde(untagged)]
pub enum Address {
    /// The address.
    At(u64),
    /// An exception.
    Raises(String),
    /// The tensor is not allocated.
    Nowhere(()),
}

/// What a mesh says of itself.
#[derive(Clone, Debug, Default, PartialEq, Eq, Deserialize)]
pub struct MeshSeen {
    /// `MeshDevice::id()`.
    pub id: u32,
    /// The ids of its chips, row by row.
    #[serde(default)]
    pub chips: Vec<u8>,
    /// How many programs are cached.
    #[serde(default)]
    pub cache: Option<u64>,
    /// The allocated blocks of each kind of memory: start, relative to the region's, and size.
    #[serde(default)]
    pub tables: BTreeMap<String, Vec<(u64, u64)>>,
    /// The rows of `get_buffers`, in order.
    #[serde(default)]
    pub buffers: Vec<BufferSeen>,
    /// What the mesh raises instead: it is closed.
    #[serde(default)]
    pub closed: Option<String>,
}

/// A row of `get_buffers`.
#[derive(Clone, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Deserialize)]
pub struct BufferSeen {
    /// Where it is.
    pub address: u64,
    /// The driver's word for its kind of memory.
    pub kind: String,
    /// `device_id`: that of the mesh.
    pub device: u32,
    /// How its pages are spread.
    pub layout: String,
    /// What the fullest bank has of it, pages as they are.
    pub per_bank: u64,
}
