//! The text of a scenario: what the parser reads back to an equal value.

use std::fmt;

use super::{Expectation, Item, Line, Scenario, SetupLine, VERSION};
use crate::op::ThreadId;
use crate::runtime::circular_buffer::CoreRangeForm;

/// How far each level of a block is moved to the right.
const INDENT: usize = 2;

impl fmt::Display for Scenario {
    /// Prints the canonical text. A scenario that was parsed, or that keeps the limits of the
    /// language, parses back to an equal value.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        writeln!(f, "freeorder {VERSION}")?;
        write_lines(f, &self.lines, 0)
    }
}

fn write_lines(f: &mut fmt::Formatter<'_>, lines: &[Line], indent: usize) -> fmt::Result {
    for line in lines {
        let is_blank = line.item == Item::Blank;
        if !is_blank || line.comment.is_some() {
            write!(f, "{:indent$}", "")?;
        }
        write_item(f, &line.item)?;
        if let Some(comment) = &line.comment {
            write!(f, "{}#{comment}", if is_blank { "" } else { " " })?;
        }
        writeln!(f)?;
        if let Item::Repeat(_, body) | Item::Any(body) = &line.item {
            write_lines(f, body, indent + INDENT)?;
            writeln!(f, "{:indent$}}}", "")?;
        }
    }
    Ok(())
}

/// Writes the line of an item; of a block, its first line.
fn write_item(f: &mut fmt::Formatter<'_>, item: &Item) -> fmt::Result {
    match item {
        Item::Blank => Ok(()),
        Item::Setup(fact) => write!(f, "{fact}"),
        Item::Op(ThreadId(0), op) => write!(f, "{op}"),
        Item::Op(thread, op) => write!(f, "{thread}: {op}"),
        Item::Repeat(count, _) => write!(f, "repeat {count} {{"),
        Item::Any(_) => f.write_str("any {"),
        Item::Picks(picks) => {
            f.write_str("picks")?;
            picks.iter().try_for_each(|pick| write!(f, " {pick}"))
        }
        Item::Schedule(turns) => {
            f.write_str("schedule")?;
            turns.iter().try_for_each(|turn| write!(f, " {turn}"))
        }
        Item::Expect(expectation) => write!(f, "{expectation}"),
    }
}

impl fmt::Display for SetupLine {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Machine(machine) => write!(f, "machine {machine}"),
            Self::L1Small(size) => write!(f, "l1-small {size}"),
            Self::TraceRegion(size) => write!(f, "trace-region {size}"),
            Self::L1Base(base) => write!(f, "l1-base {base}"),
            Self::L1Limit(limit) => write!(f, "l1-limit {limit}"),
            Self::CoreRanges(CoreRangeForm::Wheel) => f.write_str("core-ranges wheel"),
            Self::CoreRanges(CoreRangeForm::Document) => f.write_str("core-ranges document"),
            Self::Tracked(on) => write!(f, "tracked {}", if *on { "on" } else { "off" }),
            Self::Class(class) => write!(f, "class {}", class.name()),
        }
    }
}

impl fmt::Display for Expectation {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "expect {} {}:", self.fixes_text, self.server)?;
        self.measures.iter().try_for_each(|(measure, count)| write!(f, " {measure}={count}"))
    }
}
