//! `freeorder diff`: where two inputs of an audit part.

use std::path::{Path, PathBuf};

use super::Format;
use super::input::Input;
use super::output::{self, Failure, Outcome};
use crate::audit::{Event, Kind, Options, Parting, Reader, Said, diff};
use schemars::JsonSchema;
use serde::Serialize;

#[derive(Debug, clap::Args)]
pub struct Args {
    /// One input: anything that an audit reads
    a: PathBuf,
    /// The other; it need not be of the same kind
    b: PathBuf,
    /// What both are; else their contents decide
    #[arg(long, value_name = "KIND")]
    kind: Option<Kind>,
    /// How the result is printed
    #[arg(long, value_enum, default_value_t)]
    format: Format,
}

/// What one of the inputs says where they part.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, JsonSchema)]
pub struct SideRow {
    /// The file.
    pub file: String,
    /// What a place in it is: line, record, node or byte.
    pub at: String,
    /// Where; null at its end.
    pub place: Option<u64>,
    /// What it says there; null at its end.
    pub says: Option<String>,
    /// After how many events the other input says the same; null if it does not do so soon.
    pub later_in_the_other: Option<usize>,
}

/// The result of `diff`.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, JsonSchema)]
pub struct DiffReport {
    /// The version of this form.
    pub version: u32,
    /// Events that are the same, before the inputs part.
    pub same: u64,
    /// Whether they part.
    pub differs: bool,
    /// The last events that are the same.
    pub before: Vec<String>,
    /// What the two say where they part; empty if they do not.
    pub sides: Vec<SideRow>,
}

/// The messages of an input.
struct Messages {
    name: String,
    reader: Reader,
    events: std::vec::IntoIter<Event>,
    more: bool,
}

impl Messages {
    fn open(path: &Path, kind: Option<Kind>) -> Result<Self, Failure> {
        let reader = Input::once(path).events(Options { kind, record: None })?;
        let name = path.display().to_string();
        Ok(Self { name, reader, events: Vec::new().into_iter(), more: true })
    }

    fn side(&self, said: Option<Said>, later: Option<usize>) -> SideRow {
        SideRow {
            file: self.name.clone(),
            at: self.reader.kind().place().to_owned(),
            place: said.map(|said| said.place.0),
            says: said.map(|said| said.to_string()),
            later_in_the_other: later,
        }
    }
}

impl Iterator for Messages {
    type Item = Result<Said, Failure>;

    fn next(&mut self) -> Option<Self::Item> {
        loop {
            if let Some(said) = self.events.by_ref().find_map(|event| Said::of(&event)) {
                return Some(Ok(said));
            }
            if !self.more {
                return None;
            }
            let mut events = Vec::new();
            match self.reader.read(&mut events) {
                Ok(more) => self.more = more,
                Err(error) => {
                    self.more = false;
                    return Some(Err(Failure::input(format!("{}: {error}", self.name))));
                }
            }
            self.events = events.into_iter();
        }
    }
}

pub fn main(args: &Args) -> Result<Outcome, Failure> {
    let mut a = Messages::open(&args.a, args.kind)?;
    let mut b = Messages::open(&args.b, args.kind)?;
    let (same, parting) = diff(&mut a, &mut b)?;
    let before = parting.iter().flat_map(|parting| &parting.before);
    let before = before.map(|(one, _)| one.to_string()).collect();
    let sides = parting.as_ref().map_or_else(Vec::new, |parting| {
        let Parting { left, right, left_in_right, right_in_left, .. } = *parting;
        vec![a.side(left, left_in_right), b.side(right, right_in_left)]
    });
    let report = DiffReport { version: 1, same, differs: parting.is_some(), before, sides };
    match args.format {
        Format::Json => output::print_json(&report)?,
        Format::Text => output::print(&text(&report))?,
    }
    Ok(if report.differs { Outcome::Found } else { Outcome::Clean })
}

fn text(report: &DiffReport) -> String {
    use std::fmt::Write as _;
    let mut out = format!("{} events are the same\n", report.same);
    for line in &report.before {
        let _ = writeln!(out, "  {line}");
    }
    for (sign, side) in ['-', '+'].into_iter().zip(&report.sides) {
        let SideRow { file, at, .. } = side;
        let _ = match (&side.place, &side.says) {
            (Some(place), Some(says)) => writeln!(out, "{sign} {says} ({file}, {at} {place})"),
            _ => writeln!(out, "{sign} nothing more ({file})"),
        };
        if let Some(later) = side.later_in_the_other {
            let _ = writeln!(out, "    the other says so {later} events later");
        }
    }
    out
}
