//! The results as JUnit XML, which every CI system reads.

use std::path::Path;

use quick_junit::{NonSuccessKind, Report, TestCase, TestCaseStatus, TestSuite};

use super::{Verdict, count_of, sentence};
use crate::cli::output::Failure;
use crate::cli::save;

/// Writes one test case a file.
pub fn write(path: &Path, verdicts: &[Verdict]) -> Result<(), Failure> {
    let mut report = Report::new("freeorder regress");
    let mut suite = TestSuite::new("corpus");
    suite.add_test_cases(verdicts.iter().map(case));
    report.add_test_suite(suite);
    let wrong =
        |error: &dyn std::fmt::Display| Failure::input(format!("{}: {error}", path.display()));
    let text = report.to_string().map_err(|error| wrong(&error))?;
    save::write_file(path, &text)
}

fn case(verdict: &Verdict) -> TestCase {
    let remaining: Vec<String> = verdict
        .remaining()
        .map(|one| format!("{}:{}: {}", verdict.file.name, one.line, sentence(one)))
        .collect();
    let checked = &verdict.checked;
    let status = if !remaining.is_empty() {
        let mut status = TestCaseStatus::non_success(NonSuccessKind::Failure);
        status.set_message(format!("{} changed", count_of(remaining.len(), "number")));
        status.set_type("changed");
        status.set_description(remaining.join("\n"));
        status
    } else if checked.expected + checked.disputed == 0 {
        let mut status = TestCaseStatus::skipped();
        status.set_message("no expectation");
        status
    } else {
        TestCaseStatus::success()
    };
    let mut case = TestCase::new(verdict.file.name.clone(), status);
    case.set_classname("freeorder.regress");
    case.extra.insert("file".into(), verdict.file.name.clone().into());
    case
}
