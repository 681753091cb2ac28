//! The results as JUnit XML, which every CI system reads.

use std::io;
use std::path::Path;

use quick_xml::Writer;
use quick_xml::events::{BytesDecl, BytesText, Event};

use super::{Unreadable, Verdict, count_of, sentence};
use crate::cli::output::Failure;
use crate::cli::save;

/// Writes one test case a file.
pub fn write(path: &Path, verdicts: &[Verdict], unreadable: &[Unreadable]) -> Result<(), Failure> {
    let mut text = report(verdicts, unreadable)
        .map_err(|error| Failure::input(format!("{}: {error}", path.display())))?;
    text.push('\n');
    save::write_file(path, &text)
}

/// The schema: <https://github.com/testmoapp/junitxml>, which names what CI systems agree on.
fn report(verdicts: &[Verdict], unreadable: &[Unreadable]) -> io::Result<String> {
    let cases = verdicts.iter().map(Case::new).chain(unreadable.iter().map(Case::unreadable));
    let cases: Vec<Case> = cases.collect();
    let count = |of: fn(&Outcome) -> bool| {
        cases.iter().filter(|case| of(&case.outcome)).count().to_string()
    };
    let counts = [
        ("tests", cases.len().to_string()),
        ("skipped", count(|outcome| matches!(outcome, Outcome::Skipped))),
        ("failures", count(|outcome| matches!(outcome, Outcome::Failed { .. }))),
        ("errors", count(|outcome| matches!(outcome, Outcome::Unreadable { .. }))),
    ];
    let counts = || counts.iter().map(|(name, count)| (*name, count.as_str()));
    let mut xml = Writer::new_with_indent(Vec::new(), b' ', 4);
    xml.write_event(Event::Decl(BytesDecl::new("1.0", Some("UTF-8"), None)))?;
    let suites = xml.create_element("testsuites").with_attribute(("name", "freeorder regress"));
    suites.with_attributes(counts()).write_inner_content(|xml| {
        let suite = xml.create_element("testsuite").with_attribute(("name", "corpus"));
        suite
            .with_attributes(counts())
            .write_inner_content(|xml| cases.iter().try_for_each(|case| case.write(xml)))?;
        Ok(())
    })?;
    Ok(String::from_utf8(xml.into_inner()).expect("what was written is text"))
}

struct Case {
    name: String,
    outcome: Outcome,
}

enum Outcome {
    Passed,
    Skipped,
    Failed { message: String, remaining: String },
    Unreadable { message: String },
}

impl Case {
    fn new(verdict: &Verdict) -> Self {
        let remaining: Vec<String> = verdict
            .remaining()
            .map(|one| format!("{}:{}: {}", verdict.file.name, one.line, sentence(one)))
            .collect();
        let outcome = if !remaining.is_empty() {
            let message = format!("{} changed", count_of(remaining.len(), "number"));
            Outcome::Failed { message, remaining: allowed(&remaining.join("\n")) }
        } else if verdict.checked.expected + verdict.checked.disputed == 0 {
            Outcome::Skipped
        } else {
            Outcome::Passed
        };
        Self { name: allowed(&verdict.file.name), outcome }
    }

    fn unreadable(one: &Unreadable) -> Self {
        let message = allowed(&one.error.to_string());
        Self { name: allowed(&one.name), outcome: Outcome::Unreadable { message } }
    }

    fn write(&self, xml: &mut Writer<Vec<u8>>) -> io::Result<()> {
        let name = self.name.as_str();
        let attributes = [("name", name), ("classname", "freeorder.regress"), ("file", name)];
        let case = xml.create_element("testcase").with_attributes(attributes);
        match &self.outcome {
            Outcome::Passed => case.write_empty()?,
            Outcome::Skipped => case.write_inner_content(|xml| {
                let skipped = xml.create_element("skipped");
                skipped.with_attribute(("message", "no expectation")).write_empty()?;
                Ok(())
            })?,
            Outcome::Unreadable { message } => case.write_inner_content(|xml| {
                let attributes = [("message", message.as_str()), ("type", "unreadable")];
                xml.create_element("error").with_attributes(attributes).write_empty()?;
                Ok(())
            })?,
            Outcome::Failed { message, remaining } => case.write_inner_content(|xml| {
                let attributes = [("message", message.as_str()), ("type", "changed")];
                let failure = xml.create_element("failure").with_attributes(attributes);
                failure.write_text_content(BytesText::new(remaining))?;
                Ok(())
            })?,
        };
        Ok(())
    }
}

/// The text without what XML 1.0 has no way to say, as control characters in a file's name.
fn allowed(text: &str) -> String {
    let is_allowed = |c: &char| matches!(c, '\t' | '\n' | '\r' | ' '..='\u{fffd}' | '\u{10000}'..);
    text.chars().filter(is_allowed).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_xml_cannot_say_is_left_out() {
        assert_eq!(allowed("a\u{1}\tb\u{ffff}\u{1f600}\u{0}"), "a\tb\u{1f600}");
    }
}
