//! `freeorder defects --bench`: how soon a search meets each bug.

use std::fmt::Write as _;

use schemars::JsonSchema;
use serde::Serialize;

use crate::cli::Format;
use crate::cli::output::{self, Failure, Outcome};
use crate::cli::spinner::Spinner;
use crate::search::catalogue::Entry;
use crate::search::hunt::{Hunt, hunt_all, quantile};

/// How soon one bug was met.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, JsonSchema)]
pub struct HuntRow {
    /// The bug.
    pub name: String,
    /// For how many seeds it was met.
    pub found: usize,
    /// Of how many.
    pub of: usize,
    /// Operations that were executed until then, at the median.
    pub median_operations: Option<u64>,
    /// The same, at nine of ten.
    pub p90_operations: Option<u64>,
    /// Operations of the minimized cases, at the median.
    pub minimized_median: Option<u64>,
    /// How many of the minimized cases are as short as can be.
    pub minimized_to_optimum: usize,
    /// The first of the minimized cases that is shorter than the reproducer of the catalogue, as a
    /// scenario: that one is not the shortest.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub shorter: Option<String>,
    /// Operations of the shortest reproducer.
    pub optimum: usize,
}

/// How soon all bugs were met.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, JsonSchema)]
pub struct HuntTable {
    /// The version of this form.
    pub version: u32,
    /// One row a bug.
    pub rows: Vec<HuntRow>,
    /// Operations until a bug was met, at the median over all bugs and seeds.
    pub median_operations: Option<u64>,
}

/// Hunts for the bugs and prints how soon they were met.
pub fn print_hunts(
    entries: &[Entry],
    (seeds, operations_max): (u64, u64),
    format: Format,
) -> Result<Outcome, Failure> {
    let spinner = Spinner::start("looking for each bug from each seed");
    let hunts = hunt_all(entries, seeds, operations_max);
    drop(spinner);
    let rows: Vec<HuntRow> = hunts.iter().map(row).collect();
    let mut operations: Vec<u64> = hunts.iter().flat_map(Hunt::operations).collect();
    operations.sort_unstable();
    let failed = rows.iter().any(|row| row.found < row.of || row.shorter.is_some());
    let table = HuntTable { version: 1, rows, median_operations: quantile(&operations, 0.5) };
    match format {
        Format::Json => output::print_json(&table)?,
        Format::Text => output::print(&text(&table))?,
    }
    Ok(if failed { Outcome::Found } else { Outcome::Clean })
}

fn row(hunt: &Hunt<'_>) -> HuntRow {
    let (operations, lengths) = (hunt.operations(), hunt.lengths());
    let optimum = hunt.entry.optimum.map_or(0, |optimum| optimum.length);
    HuntRow {
        name: hunt.entry.name.to_owned(),
        found: hunt.found(),
        of: hunt.catches.len(),
        median_operations: quantile(&operations, 0.5),
        p90_operations: quantile(&operations, 0.9),
        minimized_median: quantile(&lengths, 0.5),
        minimized_to_optimum: lengths.iter().filter(|&&length| length == optimum as u64).count(),
        shorter: hunt.shorter().next().map(|case| case.scenario().to_string()),
        optimum,
    }
}

fn text(table: &HuntTable) -> String {
    let mut out = String::new();
    let number = |number: Option<u64>| number.map_or_else(|| "-".to_owned(), |one| one.to_string());
    let _ = writeln!(
        out,
        "{:<30} {:>7} {:>10} {:>10} {:>9} {:>8}",
        "bug", "found", "median", "p90", "minimized", "optimum"
    );
    for row in &table.rows {
        let found = format!("{}/{}", row.found, row.of);
        let (median, p90) = (number(row.median_operations), number(row.p90_operations));
        let minimized = number(row.minimized_median);
        let _ = writeln!(
            out,
            "{:<30} {found:>7} {median:>10} {p90:>10} {minimized:>9} {:>8}",
            row.name, row.optimum
        );
        if let Some(shorter) = &row.shorter {
            let _ = writeln!(out, "one is shorter than that:\n{shorter}");
        }
    }
    let at: usize = table.rows.iter().map(|row| row.minimized_to_optimum).sum();
    let found: usize = table.rows.iter().map(|row| row.found).sum();
    let _ = writeln!(
        out,
        "median and p90: operations until the bug is met; over all bugs and seeds the median is \
         {}.\n{at} of {found} minimized cases are as short as can be.",
        number(table.median_operations)
    );
    out
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::search::catalogue::entries;

    /// A catalogue that is wrong about what is shortest must not pass for one that is right.
    #[test]
    fn a_catch_that_beats_the_stated_optimum_is_printed() {
        let entries = entries().unwrap();
        let entry = entries.iter().find(|entry| entry.name == "track-before-state").unwrap();
        let mut wrong = entry.clone();
        wrong.optimum.as_mut().unwrap().length += 1;
        let hunts = hunt_all(std::slice::from_ref(&wrong), 2, 20_000);
        let row_of = |entry| row(&Hunt { entry, catches: hunts[0].catches.clone() });
        assert_eq!((row_of(entry).minimized_to_optimum, row_of(entry).shorter), (2, None));
        let row = row_of(&wrong);
        let shorter = row.shorter.clone().expect("both catches are shorter");
        assert_eq!(row.minimized_to_optimum, 0);
        let table = HuntTable { version: 1, rows: vec![row], median_operations: None };
        assert!(text(&table).contains(&format!("one is shorter than that:\n{shorter}")));
        let limits = (2, 20_000);
        let done = print_hunts(&[wrong], limits, Format::Json).unwrap();
        assert_eq!(done, Outcome::Found);
    }
}
