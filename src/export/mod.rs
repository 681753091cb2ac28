//! Scenarios as programs for the real thing: a script of ttnn, a test of tt-metal's C++.
//!
//! A dialect says what an operation is in its language, or why it is nothing there. What the
//! program must see, the model says: it executes the operations that are left, and no others.

mod course;
mod gtest;
mod ttnn;
mod walk;

use crate::op::Op;
use crate::scenario::Scenario;
use course::turns;

/// What a scenario becomes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Target {
    /// A Python script that needs nothing but ttnn.
    Ttnn,
    /// A C++ file that needs tt-metal and googletest.
    Gtest,
}

/// An operation that has no counterpart.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct LeftOut {
    /// Its line in the scenario.
    pub line: u32,
    /// The operation.
    pub op: String,
    /// Why.
    pub why: String,
}

/// A program.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Exported {
    /// Its text.
    pub text: String,
    /// How many operations it does.
    pub done: usize,
    /// What it does not do; its text says so too.
    pub left_out: Vec<LeftOut>,
}

/// The scenario has too many operations once its repeats are unrolled.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("{count} operations are too many for a program; {OPERATIONS_MAX} are the most")]
pub struct TooLong {
    /// How many, or one more than are counted.
    pub count: usize,
}

/// The longest scenario that becomes a program, in operations.
pub const OPERATIONS_MAX: usize = 10_000;

/// Writes a scenario as a program; `name` is what it is called, such as the path of its file.
///
/// # Errors
/// If it has more than [`OPERATIONS_MAX`] operations.
///
/// ```
/// use freeorder::{export::{Target, export}, scenario::Scenario};
/// let text = "freeorder 1\nopen m0 1x1\nalloc b0 on m0 dram 1x2048\nalias b1 of b0\n";
/// let scenario: Scenario = text.parse()?;
/// let script = export(&scenario, "x.scenario", Target::Ttnn)?;
/// assert!(script.text.contains("b0=1048640"));
/// assert_eq!((script.done, script.left_out[0].line), (2, 4));
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
pub fn export(scenario: &Scenario, name: &str, target: Target) -> Result<Exported, TooLong> {
    let count = scenario.ops().take(OPERATIONS_MAX + 1).count();
    if count > OPERATIONS_MAX {
        return Err(TooLong { count });
    }
    let name = name.replace(char::is_control, "?");
    let course = turns(scenario);
    Ok(match target {
        Target::Ttnn => ttnn::export(scenario, &name, &course),
        Target::Gtest => gtest::export(scenario, &name, &course),
    })
}

/// The words of an operation that may be names.
fn words(op: &Op) -> Vec<String> {
    let text = op.to_string();
    text.split([' ', ',']).map(str::to_owned).collect()
}
