//! The result of an audit as SARIF 2.1.0, which code hosts show beside the file.

use serde_json::{Value, json};

use super::report::{AuditReport, ViolationRow};
use crate::audit::FindingKind;

/// The report as a SARIF log with one run.
pub fn log(report: &AuditReport) -> Value {
    let rules = FindingKind::ALL.map(|kind| {
        json!({
            "id": kind.name(),
            "shortDescription": { "text": kind.means() },
            "defaultConfiguration": { "level": level(kind.is_note()) },
        })
    });
    let violations = report.violations.iter().map(|row| result(row, false));
    let results: Vec<Value> =
        violations.chain(report.notes.iter().map(|row| result(row, true))).collect();
    json!({
        "$schema": "https://json.schemastore.org/sarif-2.1.0.json",
        "version": "2.1.0",
        "runs": [{
            "tool": { "driver": {
                "name": "freeorder",
                "version": env!("CARGO_PKG_VERSION"),
                "rules": rules,
            } },
            "columnKind": "unicodeCodePoints",
            "results": results,
        }],
    })
}

fn level(is_note: bool) -> &'static str {
    if is_note { "note" } else { "error" }
}

fn result(row: &ViolationRow, is_note: bool) -> Value {
    let mut physical = json!({ "artifactLocation": { "uri": uri(&row.file) } });
    match row.at.as_str() {
        "line" => physical["region"] = json!({ "startLine": row.place.max(1) }),
        "byte" => physical["region"] = json!({ "byteOffset": row.place, "byteLength": 8 }),
        _ => {}
    }
    let mut location = json!({ "physicalLocation": physical });
    if !["line", "byte"].contains(&row.at.as_str()) {
        let name = format!("{} {}", row.at, row.place);
        location["logicalLocations"] = json!([{ "name": name, "kind": "element" }]);
    }
    json!({
        "ruleId": row.kind,
        "level": level(is_note),
        "message": { "text": row.what },
        "locations": [location],
        "properties": row,
    })
}

/// A path as a relative or absolute URI reference.
fn uri(path: &str) -> String {
    let plain = |byte: u8| byte.is_ascii_alphanumeric() || b"-._~/".contains(&byte);
    let quote = |byte: u8| match plain(byte) {
        true => char::from(byte).to_string(),
        false => format!("%{byte:02X}"),
    };
    path.bytes().map(quote).collect()
}
