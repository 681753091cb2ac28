//! What the published scripts would have counted in a log.
//!
//! Two of them read ALLOC and FREE lines by different rules, so that lines with a reference count
//! are counted on one side only: a log in which everything balances looks as if buffers were freed
//! a thousand times too often (allocation-server.md 4).

use std::collections::BTreeMap;
use std::io::{self, BufRead, Read as _};

use memchr::memmem;
use regex_lite::Regex;

use super::read::chunks::LINE_MAX;

/// What stands in each line that any script takes for ALLOC, FREE, and FREE of something unknown: a
/// line is read by the expressions of what it has only.
const NEEDED: [&str; 3] = [" Allocated ", " Freed buffer ", " unknown buffer "];

/// A published script that counts lines.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Script {
    /// Its file.
    pub name: &'static str,
    /// What is particular about it.
    pub reads: &'static str,
    /// Its expression for ALLOC lines; the groups `device` and `id` are named here.
    pub alloc: &'static str,
    /// Its expression for FREE lines.
    pub free: &'static str,
    /// Its expression for FREE lines of unknown buffers; empty if it has none.
    pub unknown: &'static str,
}

/// The scripts.
///
/// Source: the folder memory_utilization_monitor at commit 83d2190, the groups named.
pub const SCRIPTS: [Script; 3] = [
    Script {
        name: "analyze_remaining_buffer_sizes.py",
        reads: "ALLOC lines without a reference count only, FREE lines of every form",
        alloc: concat!(
            r"\u{2713} \[PID (\d+)\] Allocated (\d+) bytes of (\w+) ",
            r"on device (?P<device>\d+) \(buffer_id=(?P<id>\d+)\)"
        ),
        free: concat!(
            r"\u{2717} \[PID (\d+)\] Freed buffer (?P<id>\d+) ",
            r"on device (?P<device>\d+) \((\d+) bytes"
        ),
        unknown: "",
    },
    Script {
        name: "correlate_leaked_buffers.py",
        reads: "ALLOC lines of every form, FREE lines of the last reference only",
        alloc: concat!(
            r"\u{2713} \[PID (\d+)\] Allocated (\d+) bytes of (\w+) ",
            r"on device (?P<device>\d+) ",
            r"\(buffer_id=(?P<id>\d+)(?:, ref_count=(\d+))?\)"
        ),
        free: concat!(
            r"\u{2717} \[PID (\d+)\] Freed buffer (?P<id>\d+) ",
            r"on device (?P<device>\d+) ",
            r"\((\d+) bytes(?:, (?:ref_count=(\d+)|FINAL))?\)"
        ),
        unknown: concat!(
            r"\u{26a0} \[PID (\d+)\] Deallocation for unknown buffer ",
            r"(?P<id>\d+) on device (?P<device>\d+)"
        ),
    },
    Script {
        name: "analyze_buffer_log.py",
        reads: "ALLOC and FREE lines of every form, decimal or hexadecimal",
        alloc: concat!(
            r"\u{2713} \[PID (\d+)\] Allocated (\d+) bytes of \w+ ",
            r"on device (?P<device>\d+) ",
            r"\(buffer_id=(?P<id>\w+)(?:, ref_count=(\d+))?\)"
        ),
        free: concat!(
            r"\u{2717} \[PID (\d+)\] Freed buffer (?P<id>\w+) ",
            r"on device (?P<device>\d+) ",
            r"\((\d+) bytes(?:, (?:ref_count=(\d+) remaining|FINAL))?\)"
        ),
        unknown: concat!(
            r"\u{26a0} \[PID (\d+)\] Deallocation for unknown buffer ",
            r"(?P<id>\w+) on device (?P<device>\d+)"
        ),
    },
];

/// What a script counts.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Published {
    /// The script.
    pub script: Script,
    /// Lines that it takes for ALLOC.
    pub alloc: u64,
    /// Lines that it takes for FREE.
    pub free: u64,
    /// Lines that it takes for FREE of something unknown.
    pub unknown: u64,
    /// Keys that it takes for balanced, freed too seldom, freed too often.
    pub keys: [u64; 3],
    /// The key that it takes for the worst: what it prints of device and id, ALLOC and FREE.
    pub worst: Option<(String, u64, u64)>,
}

struct Counting {
    script: Script,
    alloc: Regex,
    free: Regex,
    unknown: Option<Regex>,
    counts: [u64; 3],
    keys: BTreeMap<(String, String), [u64; 2]>,
}

/// Counts the lines of a log as each of the scripts does. Memory grows with the number of keys, as
/// theirs does.
///
/// # Errors
/// If the log cannot be read.
pub fn as_published(mut log: impl BufRead) -> io::Result<Vec<Published>> {
    let regex = |text: &str| Regex::new(text).expect("the expressions are well formed");
    let mut all = SCRIPTS.map(|script| Counting {
        script,
        alloc: regex(script.alloc),
        free: regex(script.free),
        unknown: (!script.unknown.is_empty()).then(|| regex(script.unknown)),
        counts: [0; 3],
        keys: BTreeMap::new(),
    });
    let needed = NEEDED.map(memmem::Finder::new);
    let mut line = Vec::new();
    loop {
        line.clear();
        if log.by_ref().take(LINE_MAX as u64).read_until(b'\n', &mut line)? == 0 {
            return Ok(all.into_iter().map(Counting::result).collect());
        }
        if line.len() == LINE_MAX && !line.ends_with(b"\n") {
            log.skip_until(b'\n')?;
        }
        let has = needed.each_ref().map(|needed| needed.find(&line).is_some());
        if has.contains(&true) {
            let line = String::from_utf8_lossy(&line);
            all.iter_mut().for_each(|counting| counting.line(&line, has));
        }
    }
}

impl Counting {
    fn line(&mut self, line: &str, has: [bool; 3]) {
        let expressions = [Some(&self.alloc), Some(&self.free), self.unknown.as_ref()];
        for (index, expression) in expressions.into_iter().enumerate() {
            let expression = expression.filter(|_| has[index]);
            let Some(found) = expression.and_then(|expression| expression.captures(line)) else {
                continue;
            };
            self.counts[index] += 1;
            let key = (found["device"].to_owned(), found["id"].to_owned());
            self.keys.entry(key).or_default()[index.min(1)] += 1;
            return;
        }
    }

    fn result(self) -> Published {
        let mut keys = [0; 3];
        let mut worst: Option<(String, u64, u64)> = None;
        for ((device, id), [alloc, free]) in self.keys {
            keys[match alloc.cmp(&free) {
                std::cmp::Ordering::Equal => 0,
                std::cmp::Ordering::Greater => 1,
                std::cmp::Ordering::Less => 2,
            }] += 1;
            let is_worse = worst.as_ref().is_none_or(|&(_, other_alloc, other_free)| {
                alloc.abs_diff(free) > other_alloc.abs_diff(other_free)
            });
            if alloc != free && is_worse {
                worst = Some((format!("device {device}, buffer {id}"), alloc, free));
            }
        }
        let [alloc, free, unknown] = self.counts;
        Published { script: self.script, alloc, free, unknown, keys, worst }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_expression_needs_what_lines_are_chosen_by() {
        for script in SCRIPTS {
            for (expression, needed) in
                [script.alloc, script.free, script.unknown].iter().zip(NEEDED)
            {
                let is_needed = expression.is_empty() || expression.contains(needed);
                assert!(is_needed, "{}: {expression}", script.name);
            }
        }
    }
}
