//! Where the real runtime is known to do what it must not: each with a scenario that shows it.

mod families;
mod shows;
mod story;
mod table;

pub use self::table::KNOWN;

use self::story::Story;
use super::lockstep::Deviation;
use crate::scenario::Case;

/// A known divergence.
#[derive(Clone, Copy, Debug)]
pub struct Known {
    /// Its name.
    pub id: &'static str,
    /// The classes of its deviations, the scenario's first; a crash's may end in `*` where the rest
    /// of the innermost function's name differs.
    pub classes: &'static [&'static str],
    /// What happens, in one line.
    pub about: &'static str,
    /// The scenario that shows it.
    pub scenario: &'static str,
    /// Whether only a report is wrong: the program goes on, and can show something else.
    pub passes: bool,
    /// Whether the operation that shows a deviation of one of the classes, and what led to it, are
    /// those of this one.
    shows: fn(&Story<'_>) -> bool,
}

impl Known {
    /// The known divergence that a deviation of a case is.
    #[must_use]
    pub fn of(case: &Case, deviation: &Deviation) -> Option<&'static Self> {
        let story = Story::of(case, deviation);
        KNOWN.iter().find(|known| known.is_told_by(&story))
    }

    /// Whether a deviation of a case is this one.
    #[must_use]
    pub fn is_shown_by(&self, case: &Case, deviation: &Deviation) -> bool {
        self.is_told_by(&Story::of(case, deviation))
    }

    fn is_told_by(&self, story: &Story<'_>) -> bool {
        let is_class = self.classes.iter().any(|class| match class.strip_suffix('*') {
            Some(start) => story.class.starts_with(start),
            None => story.class == *class,
        });
        is_class && (self.shows)(story)
    }
}
