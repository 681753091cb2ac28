//! The one reducer: a failing case becomes a few readable lines that fail the same way.
//!
//! The same way is in the same class. A class says which question was answered wrongly, and not
//! what led there: on a model that keeps causes, see [`Model::keeping_causes`], no result meets,
//! until it fails, one of the marks that are causes by themselves unless the input does; what is
//! said below of other cases that fail leaves those out that do.
//!
//! Names are stable, an operation on a missing name is a no-op, and every pass keeps the failure of
//! its [`Subject`], never a text. The passes run to a fixpoint and can be interrupted at any time:
//! what has been reached so far is always a case that fails.
//!
//! What comes out is 2-minimal by deletion: no operation can be left out, and, of up to 64
//! operations, no two. No size goes down alone to the smallest, to half of it, three quarters and
//! so on, or by one, nor to a single page of what a bank has of it; of pages of 32 bytes, sizes
//! are at their lowest sum where at most 4096 lower ones are to be tried. Of up to 64 operations,
//! no two allocations in the same memory can become one page of what a bank has of both. The order
//! is locally minimal under single moves, and threads take turns with the fewest switches where
//! their turns have at most 1000 orders; of up to 12 operations, none can go in any of at most
//! 1000 orders of the turns that are left. No other handle, alias or view of a buffer, owner of a
//! program or submesh can go when what is said of it is said of the buffer instead. Of up to 24
//! operations, none on a name can go when the others say another name of its kind instead; of up
//! to 12, none can go when one of the others moves; of up to 7, none when one of the others is
//! exchanged for another of the result's own kinds.
//!
//! A result of up to 7 operations without turns is also compared with what is shorter, or as long
//! with smaller sizes, in the words of the input, see [`words`]: by [`minimize`] in the first 1000
//! states, which is no promise; by [`minimize_and_prove`] in all of them, as far as its limits
//! allow, and what it says of that is the [`Proof`]; it compares what takes turns with what one
//! thread can do. Of the 200 small inputs of `freeorder bench minimize` all come to that optimum by
//! [`minimize`] alone.
//!
//! [`words`]: super::optimum::words
//! [`Model::keeping_causes`]: crate::search::aim::Model::keeping_causes

mod cone;
mod delete;
mod exchange;
mod fixes;
mod merge;
mod order;
mod proof;
mod reducer;
mod simpler;
mod sizes;
mod turns;
mod unify;
mod vocabulary;

pub use delete::PAIRED_OPERATIONS_MAX;
pub use fixes::needed_fixes;
pub use order::Inversion;
pub use proof::{PROVEN_OPERATIONS_MAX, Proof, minimize_and_prove, minimize_by_enumeration};
pub use reducer::Attempt;

use std::time::Instant;

use super::aim::Subject;
use crate::scenario::Case;
use reducer::Reducer;

/// How long a reduction may take, and who is told.
#[derive(Default)]
pub struct Options<'a> {
    /// When it stops with what it has; none means at the fixpoint.
    pub deadline: Option<Instant>,
    /// Asked between two attempts: whether to stop with what there is.
    pub interrupted: Option<&'a dyn Fn() -> bool>,
    /// Hears of every attempt.
    pub log: Option<&'a mut dyn FnMut(&Attempt<'_>)>,
}

/// What a reduction came to.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Minimized {
    /// The case; it fails as the one it was made from does.
    pub case: Case,
    /// The pairs of operations whose order matters: exchanged, the failure is gone. Where threads
    /// take turns, the steps of different threads that follow each other, or the first and the last
    /// of what they do in a row.
    pub inversions: Vec<Inversion>,
    /// How many candidates were run.
    pub replays: u64,
    /// Whether the passes came to their fixpoint; if not, time was up.
    pub complete: bool,
}

/// The case does not fail.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("the scenario does not fail")]
pub struct DoesNotFail;

/// Reduces a failing case.
///
/// ```
/// use freeorder::{fix::Preset, scenario::{Case, Scenario}, server::ServerKind};
/// use freeorder::violation::OracleName;
/// use freeorder::search::aim::{Aim, Failure, Model};
/// use freeorder::search::minimize::{Options, minimize};
/// let text = "freeorder 1\nopen m0 2x4\nalloc b0 on m0 dram 3x2048\nalloc b1 on m0 l1 9x2048\n\
///             share b2 of b1\nview b3 of b1\ndeallocate b0\ndeallocate b1\nexit\n";
/// let failure = Failure::Oracle(OracleName::UnknownFree);
/// let aim = Aim { fixes: Preset::Before.fixes(), server: ServerKind::K1, failure };
/// let case = Case::of(&text.parse::<Scenario>()?);
/// let minimized = minimize(&case, &mut Model::new(aim), &mut Options::default())?;
/// assert!(minimized.complete && minimized.case.ops.len() <= 4);
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
///
/// # Errors
/// If the case does not fail.
pub fn minimize(
    case: &Case,
    subject: &mut dyn Subject,
    options: &mut Options<'_>,
) -> Result<Minimized, DoesNotFail> {
    let mut reducer = Reducer::start(case, subject, options)?;
    reducer.take_turns_apart();
    reducer.keep_cone();
    reducer.delete_chunks();
    loop {
        let accepted = reducer.accepted();
        reducer.delete_groups();
        reducer.delete_singles();
        reducer.simplify_operations();
        reducer.simplify_turns();
        reducer.lower_sizes();
        reducer.restore_order();
        if reducer.accepted() == accepted {
            reducer.delete_pairs();
            reducer.shorten_chains();
            reducer.unify_names();
            reducer.merge_allocations();
            reducer.lower_sizes_together();
        }
        if reducer.accepted() == accepted {
            reducer.compare_with_all();
        }
        if reducer.accepted() == accepted {
            reducer.delete_and_reorder();
        }
        if reducer.accepted() == accepted {
            reducer.move_operations();
            reducer.exchange_operations();
        }
        if reducer.accepted() == accepted {
            break;
        }
    }
    let inversions = reducer.necessary_inversions();
    Ok(reducer.finish(inversions))
}

impl std::fmt::Debug for Options<'_> {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Options").field("deadline", &self.deadline).finish_non_exhaustive()
    }
}
