//! The text form of scenarios: it prints and parses exactly, and wrong text is answered clearly.

#[path = "scenario_text/strategies.rs"]
mod strategies;

use freeorder::choice::{Choices, Seeded};
use freeorder::scenario::{OPERATIONS, Scenario, ScenarioError, run};
use proptest::prelude::*;

use strategies::{op, row, scenario};

const DOCUMENT: &str = include_str!("../docs/scenario.md");

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

/// Parses the lines behind the version line.
fn parse(lines: &str) -> Result<Scenario, ScenarioError> {
    format!("freeorder 1\n{lines}").parse()
}

fn error_of(lines: &str) -> String {
    parse(lines).expect_err(lines).to_string()
}

/// Free spelling is accepted, and printed in the one canonical way.
#[test]
fn free_spelling_prints_canonically() {
    let text = " freeorder\t1 \r\n  t0:  open m0 2x4   at 0,0# a mesh \r\n\t\n#\nrepeat 2 { # twice\n\
                drop b0\n t3: gc\n}\nrun k0 on m0 stale";
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
