//! Which sets of fixes hold: every one of them is decided, over scenarios and their orderings.

mod cubes;
mod decide;
mod memory;
mod question;
mod search;

pub use cubes::Cubes;
pub use decide::{Cube, Decided, decide};
pub use question::Question;
pub use search::{
    Effect, Impossible, Minimal, Need, ServerSearch, Undecided, Verdict, Watch, search,
};
