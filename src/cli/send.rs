//! `freeorder send`: what the clients of a scenario send, sent to a real server.

use std::fmt::Write as _;
use std::path::PathBuf;

use schemars::JsonSchema;
use serde::Serialize;

use super::Format;
use super::audit::records;
use super::output::{self, Failure, Outcome};
use crate::fix::FixSet;
use crate::message::{AllocMessage, MessageKind};
use crate::serve::{DEFAULT_SOCKET, Note, Sender, messages};
use crate::units::Lanes;
use crate::wire::{DeviceInfo, RecordType, Reply, Totals};

/// The process that asks when no process of the scenario does.
const ASKING: u32 = 1;

#[derive(Debug, clap::Args)]
pub struct Args {
    /// The scenario file
    file: PathBuf,
    /// The socket of the server
    #[arg(long, value_name = "PATH", default_value = DEFAULT_SOCKET)]
    socket: PathBuf,
    /// The bytes of a record, by the version of the server: 72, 112, 128 or 144
    #[arg(long, value_name = "BYTES", default_value_t = 144, value_parser = records)]
    wire: usize,
    /// A preset or baseline, then +switch or -switch: which runtime the clients are
    #[arg(long, value_name = "FIXES", default_value = "final")]
    fixes: FixSet,
    /// Ask the server to print what is left, in the end
    #[arg(long)]
    dump: bool,
    /// How the result is printed
    #[arg(long, value_enum, default_value_t)]
    format: Format,
}

/// What the server says of a device in the end.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, JsonSchema)]
pub struct SendDevice {
    /// The device.
    pub device: i32,
    /// Off-chip memory, in bytes.
    pub dram: u64,
    /// On-chip memory.
    pub l1: u64,
    /// The top of on-chip memory.
    pub l1_small: u64,
    /// Captured traces.
    pub trace: u64,
    /// Circular buffers; from 128 bytes on.
    pub circular_buffers: u64,
    /// Kernels; from 128 bytes on.
    pub kernels: u64,
}

/// The result of `send`.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, JsonSchema)]
pub struct SendReport {
    /// The version of this form.
    pub version: u32,
    /// The scenario.
    pub scenario: String,
    /// The bytes of a record.
    pub wire: usize,
    /// The fixes.
    pub fixes: String,
    /// ALLOC records sent.
    pub alloc: u64,
    /// FREE records sent.
    pub free: u64,
    /// Questions and requests sent.
    pub other: u64,
    /// Connections made: one for each process that sends.
    pub connections: u64,
    /// How many devices the server knows; null if this version cannot ask.
    pub device_count: Option<u32>,
    /// What the server says of each device that a message named.
    pub devices: Vec<SendDevice>,
    /// What the scenario does that no client can.
    pub notes: Vec<String>,
}

pub fn main(args: &Args) -> Result<Outcome, Failure> {
    let scenario = output::read_scenario(&args.file)?;
    let failed = |error: std::io::Error| {
        let socket = args.socket.display();
        Failure::input(format!("{socket}: {error}; is a server listening there?"))
    };
    let mut sender = Sender::new(args.socket.clone(), args.wire);
    let (mut seen, mut notes) = (Lanes::NONE, Vec::new());
    for note in messages(&scenario, args.fixes) {
        match note {
            Note::Message(message) => {
                seen = seen.or(message.devices);
                sender.message(&message).map_err(failed)?;
                say(args, &line(&message))?;
            }
            Note::Killed(pid) => {
                sender.kill(pid).map_err(failed)?;
                say(args, &format!("process {pid} is killed: its connection is closed\n"))?;
            }
            Note::Restarted => notes.push("the server is restarted: no client can do that".into()),
            Note::Reaped(pid) => {
                notes.push(format!("the server removes what process {pid} left: in its own time"));
            }
        }
    }
    if args.dump {
        sender.request(ASKING, RecordType::DumpRemaining).map_err(failed)?;
    }
    let report = ask(args, &mut sender, seen, notes).map_err(failed)?;
    match args.format {
        Format::Json => output::print_json(&report)?,
        Format::Text => output::print(&text(&report))?,
    }
    Ok(Outcome::Clean)
}

fn say(args: &Args, line: &str) -> Result<(), Failure> {
    match args.format {
        Format::Text => output::print(line),
        Format::Json => Ok(()),
    }
}

/// The records of a message, in one line.
fn line(message: &AllocMessage) -> String {
    let AllocMessage { kind, devices, address, size, buffer_type, pid, .. } = message;
    let what = match kind {
        MessageKind::Alloc => format!(" {size} bytes of {buffer_type}"),
        MessageKind::Free => String::new(),
    };
    format!("-> {kind}{what} buffer {address} on device {devices} from process {pid}\n")
}

/// Asks for what is there in the end; once it has answered, the server has read everything.
fn ask(
    args: &Args,
    sender: &mut Sender,
    seen: Lanes,
    notes: Vec<String>,
) -> std::io::Result<SendReport> {
    sender.turn_of(ASKING)?;
    let mut devices = Vec::new();
    for device in seen.iter() {
        let reply = sender.ask(ASKING, RecordType::Query, device.0.into())?;
        devices.push(row(&reply));
    }
    let mut device_count = None;
    if args.wire >= RecordType::DeviceInfoQuery.first_version() {
        let Reply { info: DeviceInfo { device_count: count, .. }, .. } =
            sender.ask(ASKING, RecordType::DeviceInfoQuery, -1)?;
        device_count = Some(count);
    }
    let sent = sender.sent();
    Ok(SendReport {
        version: 1,
        scenario: args.file.display().to_string(),
        wire: args.wire,
        fixes: args.fixes.to_string(),
        alloc: sent.alloc,
        free: sent.free,
        other: sent.other,
        connections: sent.connections,
        device_count,
        devices,
        notes,
    })
}

fn row(reply: &Reply) -> SendDevice {
    let Totals { dram, l1, l1_small, trace, circular, kernels } = reply.totals;
    SendDevice {
        device: reply.device,
        dram: dram.0,
        l1: l1.0,
        l1_small: l1_small.0,
        trace: trace.0,
        circular_buffers: circular.0,
        kernels: kernels.0,
    }
}

fn text(report: &SendReport) -> String {
    let mut out = String::new();
    for row in &report.devices {
        let SendDevice { device, dram, l1, l1_small, trace, .. } = row;
        let _ = write!(out, "<- device {device}: {dram} bytes of DRAM, {l1} of L1");
        let _ = writeln!(out, ", {l1_small} of L1_SMALL, {trace} of TRACE");
    }
    if let Some(count) = report.device_count {
        let _ = writeln!(out, "<- the server knows {count} devices");
    }
    report.notes.iter().for_each(|note| {
        let _ = writeln!(out, "note: {note}");
    });
    let SendReport { alloc, free, other, connections, wire, .. } = report;
    let _ = write!(out, "sent {alloc} ALLOC, {free} FREE and {other} others in records of ");
    let _ = writeln!(out, "{wire} bytes on {connections} connections");
    out
}
