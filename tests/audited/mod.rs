//! Auditing bytes, and what is asked of the outcome.

#![allow(dead_code, reason = "each test uses some of it")]

use std::io::Cursor;

use freeorder::audit::{Auditor, Event, Finding, FindingKind, Kind, Options, Reader};

/// An audited input.
pub struct Audited {
    pub kind: Kind,
    pub events: Vec<Event>,
    /// The call path of each event; empty where there is none.
    pub paths: Vec<String>,
    pub auditor: Auditor,
}

/// Audits bytes, or says why they cannot be read.
pub fn try_audit(bytes: &[u8], options: Options) -> Result<Audited, String> {
    let source = Box::new(Cursor::new(bytes.to_vec()));
    let mut reader = Reader::new(source, options).map_err(|error| error.to_string())?;
    let (mut auditor, mut events) = (Auditor::new(reader.kind(), 1000), Vec::new());
    while reader.read(&mut events).map_err(|error| error.to_string())? {}
    auditor.events_in(&events);
    auditor.finish();
    let paths = events.iter().map(|event| event.path.map_or("", |path| reader.path(path)));
    let paths = paths.map(str::to_owned).collect();
    Ok(Audited { kind: reader.kind(), paths, events, auditor })
}

impl Audited {
    /// What was found, by kind.
    pub fn counts(&self) -> Vec<(&'static str, u64)> {
        let count = |kind| self.auditor.findings().count(kind);
        let counts = FindingKind::ALL.into_iter().map(|kind| (kind.name(), count(kind)));
        counts.filter(|&(_, count)| count > 0).collect()
    }

    /// The first of a kind, which must be there.
    pub fn first(&self, kind: FindingKind) -> Finding {
        *self.auditor.findings().kept().iter().find(|finding| finding.kind == kind).unwrap()
    }

    /// The servers that explain the input.
    pub fn servers(&self) -> Vec<&'static str> {
        let verdicts = self.auditor.era().verdicts().into_iter();
        let explaining = verdicts.filter(|verdict| verdict.against.is_none());
        explaining.map(|verdict| verdict.server.name()).collect()
    }
}
