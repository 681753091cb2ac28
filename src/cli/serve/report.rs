//! What came in, and what is left.

use std::fmt::Write as _;

use schemars::JsonSchema;
use serde::Serialize;

use crate::serve::{Counts, DeviceCounts, Semantics, Table};

/// A device.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, JsonSchema)]
pub struct ServeDevice {
    /// The device.
    pub device: u8,
    /// ALLOC messages.
    pub alloc: u64,
    /// FREE messages, those of unknown keys included.
    pub free: u64,
    /// ALLOC messages of live keys.
    pub again: u64,
    /// FREE messages with nothing to free.
    pub unknown: u64,
    /// Keys that the reaper removed.
    pub reaped: u64,
    /// Keys that are live at the end.
    pub live: u64,
    /// What the counter of off-chip memory says, in bytes.
    pub dram: u64,
    /// That of on-chip memory.
    pub l1: u64,
    /// That of the top of on-chip memory.
    pub l1_small: u64,
    /// That of captured traces.
    pub trace: u64,
    /// That of circular buffers.
    pub circular_buffers: u64,
    /// That of kernels.
    pub kernels: u64,
}

/// The result of `serve`.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, JsonSchema)]
pub struct ServeReport {
    /// The version of this form.
    pub version: u32,
    /// How the books were kept.
    pub server: String,
    /// Connections.
    pub connections: u64,
    /// Messages.
    pub messages: u64,
    /// ALLOC messages among them.
    pub alloc: u64,
    /// FREE messages among them, those of unknown keys included.
    pub free: u64,
    /// ALLOC messages of live keys.
    pub again: u64,
    /// FREE messages with nothing to free.
    pub unknown: u64,
    /// Keys that the reaper removed.
    pub reaped: u64,
    /// Keys that are live at the end.
    pub live: u64,
    /// Messages that made no sense.
    pub refused: u64,
    /// Records that ended too early.
    pub torn: u64,
    /// Bytes that were no record.
    pub skipped: u64,
    /// Connections that were closed because they sent nothing else.
    pub hopeless: u64,
    /// Messages that should have been printed, and were not: nobody read what was.
    pub unprinted: u64,
    /// Whether all that came went, and nothing else.
    pub balanced: bool,
    /// The devices that something was said of.
    pub devices: Vec<ServeDevice>,
}

impl ServeReport {
    pub fn new(server: Semantics, table: &Table, counts: Counts) -> Self {
        let devices: Vec<ServeDevice> = table
            .devices()
            .filter(|(_, counts)| **counts != DeviceCounts::default())
            .map(|(device, counts)| ServeDevice {
                device: device.0,
                alloc: counts.alloc,
                free: counts.free,
                again: counts.again,
                unknown: counts.unknown,
                reaped: counts.reaped,
                live: counts.live,
                dram: counts.totals.dram.0,
                l1: counts.totals.l1.0,
                l1_small: counts.totals.l1_small.0,
                trace: counts.totals.trace.0,
                circular_buffers: counts.totals.circular.0,
                kernels: counts.totals.kernels.0,
            })
            .collect();
        let sum = |of: fn(&ServeDevice) -> u64| devices.iter().map(of).sum::<u64>();
        let (unknown, reaped, live) =
            (sum(|row| row.unknown), sum(|row| row.reaped), sum(|row| row.live));
        Self {
            version: 1,
            server: server.to_string(),
            connections: counts.connections,
            messages: counts.messages,
            alloc: sum(|row| row.alloc),
            free: sum(|row| row.free),
            again: sum(|row| row.again),
            unknown,
            reaped,
            live,
            refused: counts.refused,
            torn: counts.broken.torn,
            skipped: counts.broken.skipped,
            hopeless: counts.hopeless,
            unprinted: counts.unprinted,
            balanced: unknown + reaped + live == 0,
            devices,
        }
    }

    /// Whether anything is wrong: the balance, or what clients sent.
    pub fn found(&self) -> bool {
        !self.balanced || self.refused + self.torn + self.skipped + self.hopeless > 0
    }

    /// As people read it.
    pub fn text(&self) -> String {
        let Self { server, connections, messages, alloc, free, .. } = self;
        let mut out = format!("{server}: {messages} messages of {connections} connections, ");
        let _ = writeln!(out, "{alloc} ALLOC, {free} FREE");
        for row in &self.devices {
            let ServeDevice { device, alloc, free, .. } = row;
            let _ = write!(out, "  device {device}: {alloc} ALLOC, {free} FREE");
            let facts = [
                (row.unknown, "of nothing"),
                (row.again, "registered again"),
                (row.reaped, "left by dead processes"),
                (row.live, "live"),
            ];
            for (count, what) in facts.into_iter().filter(|&(count, _)| count > 0) {
                let _ = write!(out, ", {count} {what}");
            }
            out.push('\n');
        }
        let wrong = [
            (self.refused, "messages refused"),
            (self.torn, "records torn"),
            (self.skipped, "bytes that are no record"),
            (self.hopeless, "connections closed for that"),
            (self.unprinted, "messages not printed: nobody read what was"),
        ];
        for (count, what) in wrong.into_iter().filter(|&(count, _)| count > 0) {
            let _ = writeln!(out, "  {count} {what}");
        }
        out.push_str(if self.balanced { "  balanced\n" } else { "  not balanced\n" });
        out
    }
}
