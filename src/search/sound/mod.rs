//! Which sets of fixes hold: every one of them is decided, over scenarios and their orderings.
//!
//! A run tells all oracles that fail, and so a scenario is decided by a function from sets of fixes
//! to sets of oracles; what can be had together, what a fix does and what no set changes are all
//! read off these functions.

mod branches;
mod decide;
mod diagram;
mod effects;
mod found;
mod oracle_set;
mod proof;
mod question;
mod search;

pub use branches::Harm;
pub use decide::{Decision, SETS, decide};
pub use diagram::{Diagrams, Node};
pub use found::{
    Branch, Change, Conflict, Effect, Impossible, Minimal, ServerSearch, Undecided, Verdict,
};
pub use oracle_set::OracleSet;
pub use question::{Bounds, Question};
pub(in crate::search::sound) use search::Decided;
pub use search::{Watch, search};
