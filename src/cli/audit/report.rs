//! The result of an audit, as programs read it.

use std::collections::BTreeMap;

use schemars::JsonSchema;
use serde::Serialize;

use crate::audit::{Auditor, Finding, FindingKind, Kind, Published, Reader, Shape, explain};
use crate::units::Lanes;

/// How many of the worst keys are named.
const WORST: usize = 10;

/// Something wrong, or a note.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, JsonSchema)]
pub struct ViolationRow {
    /// What kind.
    pub kind: String,
    /// The file.
    pub file: String,
    /// What the place is: line, record, node, byte or operation.
    pub at: String,
    /// Where, from 1 for lines and records.
    pub place: u64,
    /// The other place that belongs to it.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub other: Option<u64>,
    /// The device, as the input numbers it.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub device: Option<i32>,
    /// The chips that are concerned.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    #[schemars(default)]
    pub chips: Vec<u8>,
    /// The buffer id.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub address: Option<u64>,
    /// How many bytes.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub size: Option<u64>,
    /// The memory.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub memory: Option<String>,
    /// The process.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub process: Option<i32>,
    /// The call path.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub path: Option<String>,
    /// What is stated.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub stated: Option<u64>,
    /// What follows from the events before.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub follows: Option<u64>,
    /// For how many events or references it stands.
    pub count: u64,
    /// One sentence.
    pub what: String,
}

/// How often a kind was found.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, JsonSchema)]
pub struct KindCount {
    /// The kind.
    pub kind: String,
    /// Whether it is a note.
    pub note: bool,
    /// How often.
    pub count: u64,
}

/// The balance of a device.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, JsonSchema)]
pub struct DeviceRow {
    /// The device; null for events that name none.
    pub device: Option<i32>,
    /// ALLOC events.
    pub alloc: u64,
    /// FREE events, those of unknown keys included.
    pub free: u64,
    /// FREE events with nothing to free.
    pub unknown: u64,
    /// Keys that are live at the end.
    pub live: u64,
    /// What those hold.
    pub live_bytes: u64,
}

impl DeviceRow {
    fn is_balanced(&self) -> bool {
        self.live == 0 && self.unknown == 0 && self.alloc == self.free
    }
}

/// A key that was freed more often than registered.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, JsonSchema)]
pub struct KeyRow {
    /// The device; null if the events name none.
    pub device: Option<i32>,
    /// The buffer id.
    pub address: u64,
    /// FREE events with nothing to free.
    pub excess: u64,
}

/// Findings by call path.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, JsonSchema)]
pub struct BlameRow {
    /// The call path, outermost call first, or the stack.
    pub path: String,
    /// The kind of what was found there.
    pub kind: String,
    /// How many of those that are shown.
    pub count: u64,
}

/// Whether a server or a set of fixes explains the input.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, JsonSchema)]
pub struct ExplanationRow {
    /// The server or preset.
    pub name: String,
    /// Whether nothing is against it.
    pub explains: bool,
    /// The first thing that is against it.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub against: Option<String>,
    /// Where that is.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub place: Option<u64>,
}

/// What a published script would have counted.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, JsonSchema)]
pub struct PublishedRow {
    /// The script.
    pub script: String,
    /// What is particular about it.
    pub reads: String,
    /// Its expression for ALLOC lines.
    pub alloc_expression: String,
    /// Its expression for FREE lines.
    pub free_expression: String,
    /// Lines that it takes for ALLOC.
    pub alloc: u64,
    /// Lines that it takes for FREE.
    pub free: u64,
    /// Lines that it takes for FREE of unknown buffers.
    pub unknown: u64,
    /// Keys that it takes for balanced.
    pub keys_balanced: u64,
    /// Keys that it takes for freed too seldom.
    pub keys_leaked: u64,
    /// Keys that it takes for freed too often.
    pub keys_overfreed: u64,
    /// The key that it takes for the worst, with its ALLOC and FREE.
    pub worst: Option<(String, u64, u64)>,
}

/// One file.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, JsonSchema)]
pub struct FileReport {
    /// The file.
    pub file: String,
    /// Its kind.
    pub kind: String,
    /// What a place in it is: line, record, node, byte or operation.
    pub at: String,
    /// Lines, records, nodes or operations.
    pub places: u64,
    /// Lines that say nothing of buffers.
    pub other: u64,
    /// The bytes of a record, of a wire stream.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub record: Option<u64>,
    /// Events.
    pub events: u64,
    /// Whether ALLOC and FREE balance: nothing is live at the end, and nothing was freed too often.
    pub balanced: bool,
    /// Findings, notes left out, those that are not shown included.
    pub failing: u64,
    /// How often each kind was found.
    pub counts: Vec<KindCount>,
    /// The balance of each device.
    pub devices: Vec<DeviceRow>,
    /// The keys that were freed too often, worst first.
    pub worst: Vec<KeyRow>,
    /// Where the calls were that findings go back to, where the input tells.
    pub blame: Vec<BlameRow>,
    /// Which server can have printed this log.
    pub servers: Vec<ExplanationRow>,
    /// Which published fixes can have sent these messages.
    pub fixes: Vec<ExplanationRow>,
    /// What published scripts would have counted.
    pub as_published: Vec<PublishedRow>,
    #[serde(skip)]
    pub rows: Vec<ViolationRow>,
}

/// The result of `audit`.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, JsonSchema)]
pub struct AuditReport {
    /// The version of this form.
    pub version: u32,
    /// The kind of the files; `several` if they differ.
    pub kind: String,
    /// Events of all files.
    pub events: u64,
    /// What is wrong, the first of each kind and file.
    pub violations: Vec<ViolationRow>,
    /// What is worth knowing, the first of each kind and file.
    pub notes: Vec<ViolationRow>,
    /// The files.
    pub files: Vec<FileReport>,
}

impl AuditReport {
    pub fn new(files: Vec<FileReport>) -> Self {
        let first = files.first().map_or("several", |file| file.kind.as_str());
        let same = files.iter().all(|file| file.kind == first);
        let kind = if same { first } else { "several" }.to_owned();
        let rows = files.iter().flat_map(|file| file.rows.iter().cloned());
        let (notes, violations) = rows.partition(|row| is_note(&row.kind));
        let events = files.iter().map(|file| file.events).sum();
        Self { version: 1, kind, events, violations, notes, files }
    }
}

pub fn is_note(kind: &str) -> bool {
    FindingKind::ALL.into_iter().any(|known| known.name() == kind && known.is_note())
}

impl FileReport {
    pub fn new(file: String, reader: &Reader, auditor: &Auditor, published: &[Published]) -> Self {
        let findings = auditor.findings();
        let rows: Vec<ViolationRow> =
            findings.kept().iter().map(|finding| row(&file, reader, finding)).collect();
        let counts = FindingKind::ALL.map(|kind| KindCount {
            kind: kind.name().to_owned(),
            note: kind.is_note(),
            count: findings.count(kind),
        });
        let devices: Vec<DeviceRow> = auditor
            .devices()
            .iter()
            .map(|(device, balance)| DeviceRow {
                device: number(device),
                alloc: balance.alloc,
                free: balance.free,
                unknown: balance.unknown,
                live: balance.live,
                live_bytes: balance.live_bytes().0,
            })
            .collect();
        let worst = auditor.excess().worst(WORST).into_iter();
        let worst = worst.map(|(device, address, excess)| KeyRow {
            device: number(device),
            address: address.0,
            excess,
        });
        Self {
            kind: reader.kind().to_string(),
            at: reader.kind().place().to_owned(),
            places: reader.places(),
            other: reader.other(),
            record: reader.record_size().map(|size| size as u64),
            events: auditor.events(),
            balanced: devices.iter().all(DeviceRow::is_balanced),
            failing: findings.failing(),
            counts: counts.into_iter().filter(|count| count.count > 0).collect(),
            devices,
            worst: worst.collect(),
            blame: blame(&rows),
            servers: servers(reader.kind(), auditor),
            fixes: fixes(auditor),
            as_published: published.iter().map(published_row).collect(),
            rows,
            file,
        }
    }
}

fn number(device: crate::audit::Device) -> Option<i32> {
    (device != crate::audit::Device::UNSTATED).then_some(device.0)
}

fn row(file: &str, reader: &Reader, finding: &Finding) -> ViolationRow {
    ViolationRow {
        kind: finding.kind.name().to_owned(),
        file: file.to_owned(),
        at: reader.kind().place().to_owned(),
        place: finding.place.0,
        other: finding.other.map(|place| place.0),
        device: finding.device.map(|device| device.0),
        chips: Lanes(finding.chips).iter().map(|chip| chip.0).collect(),
        address: finding.address.map(|address| address.0),
        size: finding.size.map(|size| size.0),
        memory: finding.memory.map(|memory| memory.to_string()),
        process: finding.process.map(|process| process.0),
        path: finding.path.map(|path| reader.path(path).to_owned()),
        stated: finding.stated,
        follows: finding.follows,
        count: finding.count,
        what: finding.what.to_owned(),
    }
}

fn blame(rows: &[ViolationRow]) -> Vec<BlameRow> {
    let mut blamed: BTreeMap<(&str, &str), u64> = BTreeMap::new();
    for row in rows {
        if let Some(path) = &row.path {
            *blamed.entry((path, &row.kind)).or_default() += 1;
        }
    }
    let mut rows: Vec<BlameRow> = blamed
        .into_iter()
        .map(|((path, kind), count)| BlameRow {
            path: path.to_owned(),
            kind: kind.to_owned(),
            count,
        })
        .collect();
    rows.sort_by(|a, b| is_note(&a.kind).cmp(&is_note(&b.kind)).then(b.count.cmp(&a.count)));
    rows
}

fn servers(kind: Kind, auditor: &Auditor) -> Vec<ExplanationRow> {
    if kind != Kind::ServerLog {
        return Vec::new();
    }
    let verdicts = auditor.era().verdicts().into_iter();
    let rows = verdicts.map(|verdict| ExplanationRow {
        name: verdict.server.name().to_owned(),
        explains: verdict.against.is_none(),
        against: verdict.against.map(|(_, why)| why.to_owned()),
        place: verdict.against.map(|(place, _)| place.0),
    });
    rows.collect()
}

fn fixes(auditor: &Auditor) -> Vec<ExplanationRow> {
    let verdicts = explain(auditor.bursts()).into_iter();
    let rows = verdicts.map(|verdict| ExplanationRow {
        name: verdict.preset.name().to_owned(),
        explains: verdict.against.is_none(),
        against: verdict.against.map(|(_, Shape { is_alloc, devices, messages })| {
            let word = if is_alloc { "ALLOC" } else { "FREE" };
            format!("never sends {messages} {word} in a row on {devices} devices")
        }),
        place: verdict.against.map(|(place, _)| place.0),
    });
    rows.collect()
}

fn published_row(published: &Published) -> PublishedRow {
    let [keys_balanced, keys_leaked, keys_overfreed] = published.keys;
    PublishedRow {
        script: published.script.name.to_owned(),
        reads: published.script.reads.to_owned(),
        alloc_expression: published.script.alloc.to_owned(),
        free_expression: published.script.free.to_owned(),
        alloc: published.alloc,
        free: published.free,
        unknown: published.unknown,
        keys_balanced,
        keys_leaked,
        keys_overfreed,
        worst: published.worst.clone(),
    }
}
