//! What logs, wire streams, captures and snapshots of the real thing say, and where they are wrong.
//!
//! A [`Reader`] makes events of an input, whatever its kind; an [`Auditor`] replays them.

mod auditor;
mod bursts;
mod capture;
mod counters;
mod devices;
mod diff;
mod era;
mod event;
mod excess;
mod explain;
mod finding;
mod import;
mod ledger;
mod overlaps;
mod paths;
mod published;
mod ranges;
mod read;
mod statements;
mod workload;

pub use auditor::Auditor;
pub use bursts::{Bursts, Shape, Tally};
pub use devices::{Balance, Devices};
pub use diff::{AHEAD, Parting, Said, diff};
pub use era::{Era, Verdict};
pub use event::{
    Action, Counted, CounterOf, Device, Event, Header, Memory, Missed, Numbers, Object, PathId,
    Place, Process, Registered, Released,
};
pub use excess::Excess;
pub use explain::{FixVerdict, explain};
pub use finding::{Finding, FindingKind, Findings};
pub use import::{Import, ImportError, Source, concerns, import};
pub use paths::Paths;
pub use published::{Published, SCRIPTS, Script, as_published};
pub use read::{Kind, Options, ReadError, Reader, shm, wire};
pub use workload::{Lifetimes, Workload};
