//! Mutations of a text by its lines and words: most of what they make is still a scenario.

use std::collections::BTreeSet;

use crate::choice::{Choices, Seeded};
use crate::fix::{DEFECTS, FIXES, Preset};
use crate::scenario::OPERATIONS;
use crate::server::ServerKind;
use crate::violation::OracleName;

/// Words that stand in setup lines, blocks and expectations.
const OTHER_WORDS: [&str; 42] = [
    "freeorder 1",
    "machine",
    "T3K",
    "N150",
    "N300",
    "Galaxy",
    "P150",
    "8xP150",
    "l1-small",
    "trace-region",
    "l1-base",
    "l1-limit",
    "core-ranges",
    "wheel",
    "document",
    "tracked",
    "class",
    "lifecycle",
    "environment",
    "application",
    "repeat 2 {",
    "}",
    "picks",
    "schedule",
    "expect",
    "t1:",
    "alloc=",
    "free=",
    "unknown_free=",
    "leftover_keys=",
    "leftover_bytes=",
    "-",
    "+",
    "# ",
    "dram",
    "l1",
    "trace",
    "@0-0:3-3",
    "kernel",
    "cbs",
    "reads",
    "stale",
];

/// Numbers at which limits lie.
const NUMBERS: [&str; 16] = [
    "0",
    "1",
    "2",
    "7",
    "8",
    "31",
    "32",
    "63",
    "64",
    "2048",
    "65536",
    "999999",
    "1000000",
    "4294967296",
    "68719476735",
    "18446744073709551615",
];

/// Every word of the language, as libFuzzer reads a dictionary.
#[must_use]
pub fn dictionary() -> String {
    let keywords = OPERATIONS.iter().map(|form| form.keyword);
    let servers = ServerKind::ALL.into_iter().map(ServerKind::name);
    let presets = Preset::ALL.into_iter().map(Preset::name);
    let fixes = FIXES.iter().map(|info| info.name);
    let defects = DEFECTS.iter().map(|info| info.name);
    let oracles = OracleName::ALL.into_iter().map(OracleName::name);
    let names = servers.chain(presets).chain(fixes).chain(defects).chain(oracles);
    let words: BTreeSet<&str> = keywords.chain(OTHER_WORDS).chain(names).collect();
    let mut text = "# The words of scenario files. Made by UPDATE_DICTIONARY=1 cargo test --test \
                    fuzzing --features fuzzing.\n"
        .to_owned();
    words.iter().for_each(|word| text.extend(["\"", word, "\"\n"]));
    text
}

/// Changes a text in place, as libFuzzer asks for: `data` has room for `length_max` bytes, of which
/// `length` are the text; the new length is returned.
pub fn mutate(data: &mut [u8], length: usize, length_max: usize, seed: u32) -> usize {
    let mut choices = Seeded::new(seed.into());
    let text = String::from_utf8_lossy(&data[..length]).into_owned();
    let mut lines: Vec<String> = text.split('\n').map(str::to_owned).collect();
    for _ in 0..=choices.pick(3) {
        change(&mut choices, &mut lines);
    }
    let bytes = lines.join("\n").into_bytes();
    let after = bytes.len().min(length_max).min(data.len());
    data[..after].copy_from_slice(&bytes[..after]);
    after
}

fn change(choices: &mut Seeded, lines: &mut Vec<String>) {
    let place = |choices: &mut Seeded, count: usize| choices.pick(count as u64) as usize;
    let at = place(choices, lines.len());
    let other = place(choices, lines.len());
    match choices.pick(9) {
        0 => lines.swap(at, other),
        1 if lines.len() > 1 => _ = lines.remove(at),
        2 => lines.insert(at, lines[other].clone()),
        3..6 => lines.insert(at, operation(choices)),
        6 => replace_number(choices, &mut lines[at]),
        7 => replace_word(choices, &mut lines[at]),
        _ => join_words(choices, &mut lines[at]),
    }
}

/// A line of the language: a form with one of each choice taken, and some options left out.
fn operation(choices: &mut Seeded) -> String {
    let form = OPERATIONS[choices.pick(OPERATIONS.len() as u64) as usize].form;
    let mut line = String::new();
    let mut skips = false;
    for part in form.split_inclusive([' ', ']']) {
        // An option begins with a bracket and is taken or left as a whole.
        if let Some(rest) = part.strip_prefix('[') {
            skips = choices.pick(2) == 0;
            push(choices, &mut line, rest, skips);
        } else {
            push(choices, &mut line, part, skips);
        }
        if part.contains(']') {
            skips = false;
        }
    }
    let mut line = line.trim_end().to_owned();
    replace_number(choices, &mut line);
    line
}

fn push(choices: &mut Seeded, line: &mut String, part: &str, skips: bool) {
    if !skips {
        let options: Vec<&str> = part.trim_end_matches([' ', ']']).split('|').collect();
        line.push_str(options[choices.pick(options.len() as u64) as usize]);
        line.push(' ');
    }
}

/// Puts a small or a borderline number in the place of one in the line.
fn replace_number(choices: &mut Seeded, line: &mut String) {
    let digit = |byte: u8| byte.is_ascii_digit();
    let bytes = line.as_bytes();
    let starts: Vec<usize> = (0..bytes.len())
        .filter(|&at| digit(bytes[at]) && !at.checked_sub(1).is_some_and(|at| digit(bytes[at])))
        .collect();
    let Some(&start) = starts.get(choices.pick(starts.len() as u64) as usize) else { return };
    let count = bytes[start..].iter().take_while(|&&byte| digit(byte)).count();
    let number = match choices.pick(4) {
        0 => NUMBERS[choices.pick(NUMBERS.len() as u64) as usize].to_owned(),
        _ => choices.pick(4).to_string(),
    };
    line.replace_range(start..start + count, &number);
}

/// Puts a word of the language in the place of one in the line.
fn replace_word(choices: &mut Seeded, line: &mut String) {
    let keywords = OPERATIONS.iter().map(|form| form.keyword);
    let all: Vec<&str> = keywords.chain(OTHER_WORDS).collect();
    let word = all[choices.pick(all.len() as u64) as usize];
    let mut parts: Vec<&str> = line.split(' ').collect();
    let at = choices.pick(parts.len() as u64) as usize;
    parts[at] = word;
    *line = parts.join(" ");
}

/// Doubles a word, leaves one out, or breaks the line at one.
fn join_words(choices: &mut Seeded, line: &mut String) {
    let mut parts: Vec<&str> = line.split(' ').collect();
    let at = choices.pick(parts.len() as u64) as usize;
    match choices.pick(3) {
        0 => parts.insert(at, parts[at]),
        1 => _ = parts.remove(at),
        _ => parts.insert(at, "\n"),
    }
    *line = parts.join(" ");
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::scenario::Scenario;

    /// Lines that no parser takes would only ever test its first error.
    #[test]
    fn inserted_operations_parse() {
        let mut choices = Seeded::new(1);
        let right = (0..1000)
            .filter(|_| {
                format!("freeorder 1\n{}\n", operation(&mut choices)).parse::<Scenario>().is_ok()
            })
            .count();
        assert!(right > 900, "{right} of 1000");
    }

    /// libFuzzer repeats a run from its seed, and gives no more room than it says.
    #[test]
    fn a_seed_is_one_mutation_and_the_room_is_kept() {
        let text = b"freeorder 1\nopen m0 2x4\nalloc b0 on m0 dram 1x2048\n";
        for seed in 0..500 {
            let mutated = |room: usize| {
                let mut data = vec![0; room];
                data[..text.len()].copy_from_slice(text);
                let after = mutate(&mut data, text.len(), room, seed);
                assert!(after <= room);
                data.truncate(after);
                data
            };
            assert_eq!(mutated(200), mutated(200));
            mutated(text.len());
        }
    }
}
