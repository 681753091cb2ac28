//! The result of an audit, as people read it.

use std::fmt::Write as _;

use super::report::{AuditReport, ExplanationRow, FileReport, PublishedRow, ViolationRow, is_note};

/// One file.
pub fn file(report: &FileReport) -> String {
    let mut out = String::new();
    for row in &report.rows {
        let _ = writeln!(out, "{}", line(row));
    }
    let FileReport { file, kind, at, places, events, .. } = report;
    let record = report.record.map_or_else(String::new, |size| format!(" of {size} bytes"));
    let _ = writeln!(out, "{file}: {kind}, {places} {at}s{record}, {events} events");
    for device in &report.devices {
        let name = device.device.map_or_else(|| "unnamed".to_owned(), |device| device.to_string());
        let _ = write!(out, "  device {name}: {} ALLOC, {} FREE", device.alloc, device.free);
        if device.unknown > 0 {
            let _ = write!(out, ", {} of nothing", device.unknown);
        }
        if device.live > 0 {
            let _ = write!(out, ", {} live", device.live);
        }
        if device.live_bytes > 0 {
            let _ = write!(out, " with {} bytes", device.live_bytes);
        }
        let _ = writeln!(out);
    }
    for key in &report.worst {
        let device = key.device.map_or_else(String::new, |device| format!("device {device}, "));
        let _ = writeln!(out, "  {device}buffer {}: {} FREE too many", key.address, key.excess);
    }
    for blame in report.blame.iter().filter(|blame| !is_note(&blame.kind)) {
        let _ = writeln!(out, "  {} {} in {}", blame.count, blame.kind, blame.path);
    }
    explanations(&mut out, "server", at, &report.servers);
    explanations(&mut out, "fixes", at, &report.fixes);
    report.as_published.iter().for_each(|row| published(&mut out, row));
    out.push_str(&verdict(report));
    out
}

fn verdict(report: &FileReport) -> String {
    let counted = |note: bool| {
        let counts = report.counts.iter().filter(|count| count.note == note);
        let counts: Vec<String> =
            counts.map(|count| format!("{} {}", count.count, count.kind)).collect();
        counts.join(", ")
    };
    let balanced = if report.balanced { "balanced" } else { "not balanced" };
    let notes = match counted(true) {
        notes if notes.is_empty() => notes,
        notes => format!("; notes: {notes}"),
    };
    match counted(false) {
        found if found.is_empty() => format!("  {balanced}, nothing found{notes}\n"),
        found => format!("  {balanced}, found: {found}{notes}\n"),
    }
}

/// One finding, as compilers print theirs.
fn line(row: &ViolationRow) -> String {
    let place = match row.at.as_str() {
        "line" => row.place.to_string(),
        at => format!("{at} {}", row.place),
    };
    let note = if is_note(&row.kind) { "note: " } else { "" };
    let mut text = format!("{}:{place}: {note}{}: {}", row.file, row.kind, row.what);
    let mut fact = |name: &str, value: Option<String>| {
        if let Some(value) = value {
            let _ = write!(text, ", {name} {value}");
        }
    };
    fact("device", row.device.map(|device| device.to_string()));
    let chips: Vec<String> = row.chips.iter().map(u8::to_string).collect();
    fact("chips", (!chips.is_empty()).then(|| chips.join(" ")));
    fact("buffer", row.address.map(|address| address.to_string()));
    fact("bytes", row.size.map(|size| size.to_string()));
    fact("memory", row.memory.clone());
    fact("process", row.process.map(|process| process.to_string()));
    fact("stated", row.stated.map(|stated| stated.to_string()));
    fact("follows", row.follows.map(|follows| follows.to_string()));
    fact("times", (row.count > 1).then(|| row.count.to_string()));
    fact("see", row.other.map(|other| format!("{} {other}", row.at)));
    fact("in", row.path.clone());
    text
}

fn explanations(out: &mut String, name: &str, at: &str, rows: &[ExplanationRow]) {
    let explaining: Vec<&str> =
        rows.iter().filter(|row| row.explains).map(|row| row.name.as_str()).collect();
    match (rows.is_empty(), explaining.is_empty()) {
        (true, _) => return,
        (false, true) => _ = writeln!(out, "  {name}: none explains all of this"),
        (false, false) => _ = writeln!(out, "  {name}: {} can explain it", explaining.join(", ")),
    }
    for row in rows {
        if let (Some(against), Some(place)) = (&row.against, row.place) {
            let _ = writeln!(out, "    not {}: {against}, {at} {place}", row.name);
        }
    }
}

fn published(out: &mut String, row: &PublishedRow) {
    let thousands = |number: u64| {
        let digits = number.to_string();
        let start = digits.len() % 3;
        let groups = digits.as_bytes()[start..].chunks(3);
        let groups = groups.map(|group| String::from_utf8_lossy(group).into_owned());
        let first = (start > 0).then(|| digits[..start].to_owned());
        first.into_iter().chain(groups).collect::<Vec<_>>().join(",")
    };
    let (alloc, free) = (thousands(row.alloc), thousands(row.free));
    let _ = writeln!(out, "  as {} counts: {alloc} ALLOC / {free} FREE", row.script);
    let _ = writeln!(out, "    it reads {}", row.reads);
    let PublishedRow { unknown, keys_balanced, keys_leaked, keys_overfreed, .. } = row;
    let _ = writeln!(
        out,
        "    {unknown} unknown; keys: {keys_balanced} balanced, {keys_leaked} leaked, \
         {keys_overfreed} freed too often"
    );
    if let Some((key, alloc, free)) = &row.worst {
        let (alloc, free) = (thousands(*alloc), thousands(*free));
        let _ = writeln!(out, "    worst: {key}: {alloc} / {free}");
    }
}

/// All files.
pub fn total(report: &AuditReport) -> String {
    let failing: u64 = report.files.iter().map(|file| file.failing).sum();
    let files = report.files.len();
    format!("{files} files, {} events: {failing} findings\n", report.events)
}
