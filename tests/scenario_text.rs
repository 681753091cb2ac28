//! The text form of scenarios: it prints and parses exactly, and wrong text is answered clearly.

#![allow(
    clippy::unwrap_used,
    reason = "a test that meets nothing where something must be has failed"
)]

#[path = "scenario_text/limits.rs"]
mod limits;
#[path = "scenario_text/strategies.rs"]
mod strategies;

use freeorder::choice::{Choices, Seeded};
use freeorder::scenario::{Measure, OPERATIONS, Scenario, ScenarioError, run};
use freeorder::violation::OracleName;
use proptest::prelude::*;

use rayon::iter::{IntoParallelIterator, ParallelIterator};
use strategies::{op, row, scenario};

const DOCUMENT: &str = include_str!("../docs/scenario.md");
const ERRORS: &str = include_str!("scenario_text/errors.txt");

proptest! {
    /// Every printed scenario can be pasted back, and says the same again.
    #[test]
    fn what_is_printed_is_read_back(scenario in scenario()) {
        let text = scenario.to_string();
        let parsed = text.parse::<Scenario>();
        prop_assert_eq!(parsed.as_ref(), Ok(&scenario), "{}", text);
        prop_assert_eq!(parsed.unwrap().to_string(), text);
    }

    /// The table of operations is the one place that names them.
    #[test]
    fn every_operation_prints_its_own_keyword(op in op()) {
        let text = op.to_string();
        prop_assert_eq!(text.split(' ').next(), Some(OPERATIONS[row(&op)].keyword));
    }
}

/// Free spelling is accepted, and printed in the one canonical way.
#[test]
fn free_spelling_prints_canonically() {
    let text = " freeorder\t1 \r\n  t0:  open m0 2x4   at 0,0# a mesh \r\n\t\n#\n\
                repeat 2 { # twice\ndrop b0\n t3: gc\n}\nrun k0 on m0 stale";
    let expected = "freeorder 1\nopen m0 2x4 # a mesh \n\n#\nrepeat 2 { # twice\n  drop b0\n  \
                    t3: gc\n}\nrun k0 on m0 stale\n";
    let scenario: Scenario = text.parse().unwrap();
    assert_eq!(scenario.to_string(), expected);
    assert_eq!(scenario.ops().count(), 6);
    assert_eq!(expected.parse().as_ref(), Ok(&scenario));
    let numbers: Vec<u32> = scenario.lines.iter().map(|line| line.number).collect();
    assert_eq!(numbers, [2, 3, 4, 5, 9]);
}

/// A scenario from bytes says where they stop being text.
#[test]
fn bytes_that_are_no_text_are_located() {
    let error = Scenario::parse_bytes(b"freeorder 1\n# \xc3\xa9 \xff").unwrap_err();
    assert_eq!(
        error.to_string(),
        "line 2, column 5: the bytes are not UTF-8 text; a scenario is a text file in UTF-8"
    );
    assert_eq!((error.offset(), error.length()), (17, 1));
    let error = Scenario::parse_bytes(b"freeorder 1\ngc\0\n").unwrap_err();
    assert_eq!(
        error.to_string(),
        "line 2, column 3: the control character U+0000 is not text; \
         a scenario is a text file in UTF-8"
    );
}

/// The wrong texts of the table, each with its answer.
fn wrong_texts() -> impl Iterator<Item = (String, &'static str)> {
    let mut lines = ERRORS.lines().filter(|line| !line.is_empty() && !line.starts_with('#'));
    std::iter::from_fn(move || {
        let shown = lines.next()?;
        let text = match shown.strip_prefix(">>") {
            Some(text) => text.trim_start().to_owned(),
            None => format!("freeorder 1\n{}", shown.trim_start_matches("> ")),
        };
        let text = text.replace("\\n", "\n").replace("\\r", "\r");
        let text = text.replace("\\u{7}", "\u{7}").replace("\\u{feff}", "\u{feff}");
        Some((text, lines.next().expect("an answer follows")))
    })
}

/// An error says where, what is wrong and what would be right, in one line.
#[test]
fn wrong_text_is_answered_exactly() {
    let mut count = 0;
    for (text, expected) in wrong_texts() {
        let error = text.parse::<Scenario>().expect_err(&text);
        assert_eq!(error.to_string(), expected, "{text:?}");
        let place = format!("line {}, column {}", error.line(), error.column());
        assert_eq!(expected, format!("{place}: {}; {}", error.message(), error.hint()));
        assert!(text.get(error.offset()..error.offset() + error.length()).is_some(), "{text:?}");
        count += 1;
    }
    assert_eq!(count, 115);
}

/// The command line answers a scenario of another version differently.
#[test]
fn another_version_is_an_error_of_its_own() {
    let error = "freeorder 2\n".parse::<Scenario>().unwrap_err();
    assert!(matches!(error, ScenarioError::UnknownVersion { .. }));
    let error = "gc\n".parse::<Scenario>().unwrap_err();
    assert!(matches!(error, ScenarioError::MissingVersion { .. }));
}

/// The largest numbers that are allowed are read, and nothing overflows on the way.
#[test]
fn the_limits_themselves_are_allowed() {
    let text = "freeorder 1\nl1-small 1393311\ntrace-region 12871139327\nl1-base 105792\n\
                l1-limit 68719476735\nopen m4095 64x64 at 63,63\n\
                t63: alloc b999999 on d63 dram 16777215x4095 shards 1024\n\
                alloc b0 on m0 l1 15x4294967296 top\nalloc b0 on m0 l1 0x1 bottom\n\
                program p999999 on m0 cbs 1024x16777216@0-0:63-63\nlose 1000000\nprocess q63\n\
                run k999999 on m0\npicks 18446744073709551615\n\
                expect fork k0: alloc=18446744073709551615\n\
                repeat 1000000 {\n  repeat 17 {\n  }\n}\n";
    let scenario: Scenario = text.parse().unwrap();
    assert_eq!(scenario.to_string(), text);
    let nest = |depth: usize| {
        format!("freeorder 1\n{}{}", "repeat 1 {\n".repeat(depth), "}\n".repeat(depth))
    };
    assert!(nest(8).parse::<Scenario>().is_ok());
    assert_eq!(
        nest(9).parse::<Scenario>().unwrap_err().to_string(),
        "line 10, column 1: more than 8 repeats stand inside each other; put some of them one \
         after another"
    );
    assert!(nest(100_000).parse::<Scenario>().is_err());
}

/// What a mutation puts in.
const PIECES: [&[u8]; 16] = [
    b"99999999999999999999",
    b"4294967296",
    b"0",
    b"-1",
    b"x",
    b",",
    b":",
    b"#",
    b" ",
    b"\n",
    b"\r\n",
    b"{",
    b"}",
    b"repeat 1000000 {\n",
    b"\xc3\xa9",
    b"\xff",
];

/// Flips, cuts, repeats or splices.
fn mutate(bytes: &mut Vec<u8>, other: &[u8], choices: &mut Seeded) {
    let mut pick = |most: usize| choices.pick(most as u64) as usize;
    let from = pick(bytes.len() + 1);
    match pick(8) {
        0 | 1 if from < bytes.len() => bytes[from] ^= 1 << pick(8),
        2 => bytes.truncate(from),
        3 => {
            let start = pick(other.len());
            let end = start + pick(other.len() - start + 1);
            bytes.splice(from..from, other[start..end].iter().copied());
        }
        4 => {
            let to = from + pick(bytes.len() - from + 1).min(20);
            bytes.drain(from..to);
        }
        5 if pick(200) == 0 => {
            let huge = PIECES[pick(PIECES.len())].repeat(20_000);
            bytes.splice(from..from, huge);
        }
        0 | 1 | 5..8 => {
            bytes.splice(from..from, PIECES[pick(PIECES.len())].iter().copied());
        }
        _ => unreachable!("eight kinds of mutation"),
    }
}

/// No input may panic, and whatever is accepted must keep the promise of the round trip.
#[test]
fn mutated_texts_never_panic() {
    let forms = OPERATIONS.iter().map(|row| format!("freeorder 1\n{}\n", plain(row.form)));
    let right: Vec<String> = forms.chain(examples().map(str::to_owned)).collect();
    let wrong: Vec<String> = wrong_texts().map(|(text, _)| text).collect();
    let seeds = [right, wrong];
    let counts = (0..4).into_par_iter().map(|seed| mutated(&seeds, Seeded::new(2024 + seed)));
    let [accepted, refused] =
        counts.reduce(|| [0; 2], |one, other| [one[0] + other[0], one[1] + other[1]]);
    assert!(accepted > 2_000 && refused > 50_000, "{accepted} accepted, {refused} refused");
}

/// Reads 25,000 mutated texts, and answers how many were accepted and refused.
fn mutated([right, wrong]: &[Vec<String>; 2], mut choices: Seeded) -> [u32; 2] {
    let mut counts = [0; 2];
    for _ in 0..25_000 {
        let mut draw = || {
            let seeds = if choices.chance(1, 2) { right } else { wrong };
            &seeds[choices.pick(seeds.len() as u64) as usize]
        };
        let (mut bytes, other) = (draw().clone().into_bytes(), draw().as_bytes());
        for _ in 0..=choices.pick(2) {
            mutate(&mut bytes, other, &mut choices);
        }
        match Scenario::parse_bytes(&bytes) {
            Ok(scenario) => {
                let text = scenario.to_string();
                assert_eq!(text.parse().as_ref(), Ok(&scenario));
                counts[0] += 1;
            }
            Err(error) => {
                assert!(error.offset() + error.length() <= bytes.len());
                assert!(error.to_string().len() < 1000, "{error}");
                counts[1] += 1;
            }
        }
    }
    counts
}

/// The scenarios in the document.
fn examples() -> impl Iterator<Item = &'static str> {
    DOCUMENT
        .split("```freeorder\n")
        .skip(1)
        .map(|rest| rest.split("```").next().unwrap_or_default())
}

/// A form with everything that can be left out, and the first of every choice.
fn plain(form: &str) -> String {
    let words = form.split(' ').map(|word| {
        let word = word.trim_matches(['[', ']']);
        word.split('|').next().unwrap_or_default()
    });
    words.collect::<Vec<&str>>().join(" ")
}

/// The form that messages and the document show is one that is read.
#[test]
fn the_form_of_every_operation_is_read() {
    for operation in OPERATIONS {
        let text = format!("freeorder 1\n{}\n", plain(operation.form));
        assert_eq!(operation.form.split(' ').next(), Some(operation.keyword));
        assert_eq!(text.parse::<Scenario>().map(|scenario| scenario.ops().count()), Ok(1));
    }
}

/// The document shows every line of the language.
#[test]
fn the_document_has_every_operation() {
    for operation in OPERATIONS {
        let shown = format!("- `{}`: ", operation.form);
        assert!(DOCUMENT.contains(&shown), "docs/scenario.md lacks {shown}");
        let terminal = format!("\"{}\"", operation.keyword);
        assert!(DOCUMENT.contains(&terminal), "the grammar lacks {terminal}");
    }
    let oracles = OracleName::ALL.map(Measure::Oracle);
    for measure in Measure::NUMBERS.into_iter().chain(oracles) {
        let shown = format!("`{measure}`");
        assert!(DOCUMENT.contains(&shown), "docs/scenario.md lacks {shown}");
    }
}

/// A reader pastes the examples of the document; they are canonical, and what they expect is true.
#[test]
fn the_examples_of_the_document_are_canonical_and_true() {
    assert!(examples().count() >= 2);
    for text in examples() {
        let scenario: Scenario = text.parse().unwrap();
        assert_eq!(scenario.to_string(), text);
        for (number, expectation) in scenario.expectations() {
            let report = run(&scenario, expectation.fixes, expectation.server, 8, &mut ());
            for (measure, count) in &expectation.measures {
                assert_eq!(report.measure(*measure), Some(*count), "line {number}: {measure}");
            }
        }
    }
}
