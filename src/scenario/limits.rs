//! What a number may be, of each kind that the language has, and whether a case can be said in it.

use super::lex::{HandleKind, Limit, one_to, up_to};
use super::parse::misfit;
use super::{Case, SetupLine};
use crate::op::{
    BufferSpec, CircularBufferSpec, CoreRange, Name, Op, Pages, Piece, Place, ThreadId,
};
use crate::units::{DeviceId, MeshShape};
use crate::world::Action;

const fn kind(letter: char, expected: &'static str, what: &'static str, most: u64) -> HandleKind {
    HandleKind { letter, expected, limit: up_to(what, most) }
}

type Kind = HandleKind;

pub(super) const BUFFER: Kind = kind('b', "a buffer such as `b0`", "buffer number", 999_999);
pub(super) const MESH: Kind = kind('m', "a mesh such as `m0`", "mesh number", 4095);
pub(super) const PROGRAM: Kind = kind('p', "a program such as `p0`", "program number", 999_999);
pub(super) const KEY: Kind = kind('k', "a cache key such as `k0`", "key number", 999_999);
pub(super) const TRACE: Kind = kind('r', "a trace such as `r0`", "trace number", 4095);
pub(super) const MANAGER: Kind =
    kind('s', "a sub-device manager such as `s1`", "manager number", 63);
pub(super) const THREAD: Kind = kind('t', "a thread such as `t1`", "thread number", 63);
pub(super) const PROCESS: Kind = kind('q', "a process such as `q1`", "process number", 63);
pub(super) const DEVICE: Kind = kind('d', "a device such as `d0`", "device number", 63);

pub(super) const PAGE_COUNT: Limit = up_to("page count", PAGE_COUNT_MAX);
/// The most pages that a buffer of a scenario has.
pub const PAGE_COUNT_MAX: u64 = (1 << 24) - 1;
pub(super) const PAGE_SIZE: Limit = one_to("page size", 1 << 32);
/// All pages of a buffer together, in bytes.
pub(super) const BUFFER_SIZE: Limit = up_to("buffer size", (1 << 36) - 1);
pub(super) const SHARDS: Limit = one_to("shard count", 1024);
/// In one list as well as in one item of it.
pub(super) const CIRCULAR_BUFFER_COUNT: Limit = one_to("circular buffer count", 1024);
pub(super) const CIRCULAR_BUFFER_SIZE: Limit = one_to("circular buffer size", 1 << 24);
pub(super) const COORDINATE: Limit = up_to("coordinate", 63);
pub(super) const MESH_SIDE: Limit = one_to("mesh side", 64);
pub(super) const LOST: Limit = up_to("message count", 1_000_000);

pub(super) const SIZE: Limit = up_to("size", (1 << 36) - 1);
pub(super) const ADDRESS: Limit = up_to("device address", (1 << 36) - 1);
pub(super) const PICK: Limit = up_to("pick", u64::MAX);
pub(super) const COUNT: Limit = up_to("count", u64::MAX);

/// Whether a buffer can be said to have these pages.
///
/// ```
/// use freeorder::{op::Pages, scenario::are_sayable, units::Bytes};
/// assert!(are_sayable(Pages { count: (1 << 24) - 1, size: Bytes(32) }));
/// assert!(!are_sayable(Pages { count: 1 << 24, size: Bytes(32) }));
/// ```
#[must_use]
pub fn are_sayable(pages: Pages) -> bool {
    PAGE_COUNT.has(pages.count.into())
        && PAGE_SIZE.has(pages.size.0)
        && BUFFER_SIZE.has(pages.total().0)
}

impl Case {
    /// Whether its numbers are within the limits of the language, so that its text can be read.
    ///
    /// ```
    /// use freeorder::{op::{Op, ThreadId}, scenario::Case};
    /// let case = |count| Case { ops: vec![(ThreadId(0), Op::Lose(count))], ..Case::default() };
    /// assert!(case(1_000_000).is_sayable() && !case(1_000_001).is_sayable());
    /// ```
    #[must_use]
    pub fn is_sayable(&self) -> bool {
        let setup = self.start();
        let fits = |&fact| is_sayable_fact(fact) && misfit(&setup, fact).is_none();
        self.setup.iter().all(fits)
            && self.ops.iter().all(|(thread, op)| is_thread(*thread) && is_sayable(op))
            && self.schedule.iter().all(|turn| match turn {
                Action::Step(thread) => is_thread(*thread),
                Action::Deliver(_) => true,
            })
    }
}

fn is_thread(thread: ThreadId) -> bool {
    THREAD.limit.has(thread.0.into())
}

fn is_sayable_fact(fact: SetupLine) -> bool {
    match fact {
        SetupLine::L1Small(size) | SetupLine::TraceRegion(size) => SIZE.has(size.0),
        SetupLine::L1Base(address) | SetupLine::L1Limit(address) => ADDRESS.has(address.0),
        SetupLine::Machine(_)
        | SetupLine::CoreRanges(_)
        | SetupLine::Tracked(_)
        | SetupLine::Class(_) => true,
    }
}

fn is_sayable(op: &Op) -> bool {
    let numbers = match op {
        Op::Open { shape, at, .. } | Op::Submesh { shape, at, .. } => {
            is_sayable_shape(*shape) && is_corner(*at)
        }
        Op::Alloc { place: Place::Device(device), spec, .. } => {
            is_device(*device) && is_sayable_spec(*spec)
        }
        Op::Alloc { place: Place::Mesh(_), spec, .. } => is_sayable_spec(*spec),
        Op::View { pages, .. } => pages.is_none_or(are_sayable),
        Op::Release { piece: Piece::Local(device), .. } => is_device(*device),
        Op::Program { circular_buffers: groups, .. }
        | Op::DataflowProgram { dataflow_buffers: groups, .. } => are_sayable_groups(groups),
        Op::Run(run) => {
            are_sayable_groups(&run.circular_buffers)
                && run.kernel.is_none_or(are_sayable)
                && run.output.is_none_or(|(_, spec)| is_sayable_spec(spec))
        }
        Op::LoadManager { manager, .. } => MANAGER.limit.has(manager.0.into()),
        Op::Lose(count) => LOST.has((*count).into()),
        _ => true,
    };
    numbers && op.names().into_iter().all(is_sayable_name)
}

fn is_sayable_name(name: Name) -> bool {
    let (kind, number): (HandleKind, u64) = match name {
        Name::Buffer(buffer) => (BUFFER, buffer.0.into()),
        Name::Mesh(mesh) => (MESH, mesh.0.into()),
        Name::Program(program) => (PROGRAM, program.0.into()),
        Name::Process(process) => (PROCESS, process.0.into()),
        Name::Key(key) => (KEY, key.0.into()),
        Name::Trace(trace) => (TRACE, trace.0.into()),
    };
    kind.limit.has(number)
}

fn is_device(device: DeviceId) -> bool {
    DEVICE.limit.has(device.0.into())
}

fn is_sayable_spec(spec: BufferSpec) -> bool {
    are_sayable(spec.pages) && spec.shards.is_none_or(|shards| SHARDS.has(shards.into()))
}

fn is_sayable_shape(shape: MeshShape) -> bool {
    MESH_SIDE.has(shape.rows.into()) && MESH_SIDE.has(shape.columns.into())
}

fn is_corner(corner: (u8, u8)) -> bool {
    COORDINATE.has(corner.0.into()) && COORDINATE.has(corner.1.into())
}

fn are_sayable_groups(groups: &[CircularBufferSpec]) -> bool {
    let total: u64 = groups.iter().map(|group| u64::from(group.count)).sum();
    let is_sayable = |group: &CircularBufferSpec| {
        CIRCULAR_BUFFER_COUNT.has(group.count.into())
            && CIRCULAR_BUFFER_SIZE.has(group.size.0)
            && group.cores.is_none_or(are_cores)
    };
    total <= CIRCULAR_BUFFER_COUNT.most && groups.iter().all(is_sayable)
}

fn are_cores(cores: CoreRange) -> bool {
    let CoreRange { start, end } = cores;
    is_corner(start) && is_corner(end) && start.0 <= end.0 && start.1 <= end.1
}
