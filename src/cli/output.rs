//! Exit codes, diagnostics, and the difference between a closed pipe and a failure.

use std::cell::RefCell;
use std::fmt;
use std::io::{self, Read, Write};
use std::path::Path;
use std::process::ExitCode;

use miette::{Diagnostic, GraphicalReportHandler, LabeledSpan, NamedSource};
use miette::{SourceCode, SourceSpan};
use serde::Serialize;

use crate::scenario::{Scenario, ScenarioError};

/// How a verb ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Outcome {
    /// Done, and nothing was found: 0.
    Clean,
    /// A violation or a mismatch was found: 1.
    Found,
    /// A limit ended it before its end, and nothing was found by then: 3.
    Limited,
    /// Ctrl-C ended it, with what there was by then: 130.
    Interrupted,
}

/// Why a verb could not do its work.
#[derive(Debug)]
pub enum Failure {
    /// The input is wrong; a diagnostic says where: 2.
    Input(Box<InputError>),
    /// Standard output could not be written to: 2.
    Output(io::Error),
}

/// Bad input, with its place in a file where it has one.
#[derive(Debug, thiserror::Error)]
#[error("{message}")]
pub struct InputError {
    message: String,
    help: Option<String>,
    source_code: Option<NamedSource<String>>,
    span: Option<SourceSpan>,
}

impl Diagnostic for InputError {
    fn help<'a>(&'a self) -> Option<Box<dyn fmt::Display + 'a>> {
        self.help.as_ref().map(|help| Box::new(help) as Box<dyn fmt::Display>)
    }

    fn source_code(&self) -> Option<&dyn SourceCode> {
        self.source_code.as_ref().map(|code| code as &dyn SourceCode)
    }

    fn labels(&self) -> Option<Box<dyn Iterator<Item = LabeledSpan> + '_>> {
        let label = |span| LabeledSpan::new_with_span(Some("here".to_owned()), span);
        self.span.map(|span| Box::new(std::iter::once(label(span))) as Box<dyn Iterator<Item = _>>)
    }
}

impl InputError {
    /// One that is in no file.
    pub fn new(message: impl Into<String>) -> Self {
        Self { message: message.into(), help: None, source_code: None, span: None }
    }
}

impl Failure {
    /// Bad input that is in no file.
    pub fn input(message: impl Into<String>) -> Self {
        Self::Input(Box::new(InputError::new(message)))
    }

    /// A scenario that does not parse.
    pub fn scenario(name: &str, text: &str, error: &ScenarioError) -> Self {
        let length = error.length().min(text.len().saturating_sub(error.offset()));
        Self::Input(Box::new(InputError {
            message: format!("{name}: {error}"),
            help: Some(error.hint()),
            source_code: Some(NamedSource::new(name, shortened(text, error.offset()))),
            span: Some((error.offset().min(text.len()), length).into()),
        }))
    }
}

/// A very long text would print a very long diagnostic; what is behind the error is not needed.
fn shortened(text: &str, offset: usize) -> String {
    let end = (offset + 400).min(text.len());
    let end = (end..=text.len()).find(|&end| text.is_char_boundary(end)).unwrap_or(text.len());
    text[..end].to_owned()
}

impl From<io::Error> for Failure {
    fn from(error: io::Error) -> Self {
        Self::Output(error)
    }
}

thread_local! {
    /// What this thread is running, in case freeorder itself fails.
    static RUNNING: RefCell<String> = const { RefCell::new(String::new()) };
}

/// Remembers what this thread is running, for [`running`].
pub fn now_running(scenario: &str) {
    RUNNING.with_borrow_mut(|running| {
        running.clear();
        running.push_str(scenario);
    });
}

/// What this thread was running last.
pub fn running() -> String {
    RUNNING.with_borrow(String::clone)
}

/// Reads and parses a scenario file.
pub fn read_scenario(path: &Path) -> Result<Scenario, Failure> {
    read_scenario_text(path).map(|(_, scenario)| scenario)
}

/// Reads and parses a scenario file, and keeps its text.
pub fn read_scenario_text(path: &Path) -> Result<(String, Scenario), Failure> {
    let name = path.display().to_string();
    let bytes = read(path).map_err(|error| Failure::input(format!("{name}: {error}")))?;
    let parsed = Scenario::parse_bytes(&bytes);
    let text = String::from_utf8_lossy(&bytes).into_owned();
    match parsed {
        Ok(scenario) => Ok((text, scenario)),
        Err(error) => Err(Failure::scenario(&name, &text, &error)),
    }
}

/// The largest scenario file: the largest legal scenario is far smaller.
const SCENARIO_BYTES_MAX: u64 = 64 << 20;

/// Reads a file of bytes.
#[cfg(feature = "fuzzing")]
pub fn read_bytes(path: &Path) -> Result<Vec<u8>, Failure> {
    read(path).map_err(|error| Failure::input(format!("{}: {error}", path.display())))
}

fn read(path: &Path) -> io::Result<Vec<u8>> {
    let mut bytes = Vec::new();
    let mut file = std::fs::File::open(path)?.take(SCENARIO_BYTES_MAX + 1);
    file.read_to_end(&mut bytes)?;
    if bytes.len() as u64 > SCENARIO_BYTES_MAX {
        let size = SCENARIO_BYTES_MAX >> 20;
        return Err(io::Error::other(format!("larger than {size} MiB, so no scenario")));
    }
    Ok(bytes)
}

/// Prints a value as JSON to standard output.
pub fn print_json(value: &impl Serialize) -> Result<(), Failure> {
    print(&json(value)?)
}

/// A value as JSON.
pub fn json(value: &impl Serialize) -> Result<String, Failure> {
    let text = serde_json::to_string_pretty(value)
        .map_err(|error| Failure::Output(io::Error::other(error)))?;
    Ok(text + "\n")
}

/// Prints to standard output.
pub fn print(text: &str) -> Result<(), Failure> {
    print_bytes(text.as_bytes())
}

/// The same of what need not be text.
pub fn print_bytes(bytes: &[u8]) -> Result<(), Failure> {
    let mut out = io::stdout().lock();
    heard(out.write_all(bytes).and_then(|()| out.flush()))
}

/// Whether standard output took what was written to it. One that was closed is no failure: nobody
/// listens, and what was found was found all the same.
pub fn heard(written: io::Result<()>) -> Result<(), Failure> {
    match written {
        Err(error) if error.kind() != io::ErrorKind::BrokenPipe => Err(Failure::Output(error)),
        _ => Ok(()),
    }
}

/// Clap's own answer: help and version go to standard output and are no failure.
pub fn usage(error: &clap::Error) -> ExitCode {
    let printed = error.print();
    match (error.use_stderr(), printed) {
        (true, _) => ExitCode::from(2),
        (false, _) => ExitCode::SUCCESS,
    }
}

/// Turns the end of a verb into an exit code, and says on standard error what was wrong.
pub fn exit_code(done: Result<Outcome, Failure>) -> ExitCode {
    match done {
        Ok(Outcome::Clean) => ExitCode::SUCCESS,
        Ok(Outcome::Found) => ExitCode::from(1),
        Ok(Outcome::Limited) => ExitCode::from(3),
        Ok(Outcome::Interrupted) => ExitCode::from(130),
        Err(Failure::Output(error)) => {
            say(&format!("error: cannot write to standard output: {error}"));
            ExitCode::from(2)
        }
        Err(Failure::Input(error)) => {
            let mut text = String::new();
            let handler = match color() {
                true => GraphicalReportHandler::new(),
                false => {
                    GraphicalReportHandler::new_themed(miette::GraphicalTheme::unicode_nocolor())
                }
            };
            if handler.render_report(&mut text, &*error).is_err() {
                text = format!("error: {error}\n");
            }
            say(text.trim_end());
            ExitCode::from(2)
        }
    }
}

/// Whether standard error wants colours.
fn color() -> bool {
    use std::io::IsTerminal;
    io::stderr().is_terminal() && std::env::var_os("NO_COLOR").is_none_or(|value| value.is_empty())
}

/// Writes to standard error; if that fails there is nobody left to tell.
pub fn say_bytes(bytes: &[u8]) {
    let _ = io::stderr().write_all(bytes);
}

/// Writes a line to standard error; if that fails there is nobody left to tell.
pub fn say(line: &str) {
    let _ = writeln!(io::stderr(), "{line}");
}
