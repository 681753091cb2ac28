//! The part of an input around a finding, as a scenario that fails the same way.

use std::collections::{BTreeMap, BTreeSet};
use std::fmt::Write as _;

use super::event::{Action, Device, Event, Memory, Place};
use super::explain::opening;
use super::finding::{Finding, FindingKind};
use crate::fix::{FixSet, Preset};
use crate::scenario::{PAGE_COUNT_MAX, Report, Scenario, run};
use crate::server::ServerKind;
use crate::violation::OracleName;

/// The events of a key before a finding that can matter.
const WINDOW: usize = 32;

/// A scenario, and under what it fails.
#[derive(Clone, Debug)]
pub struct Import {
    /// The scenario, with an expectation for these fixes and this server.
    pub scenario: Scenario,
    /// The fixes.
    pub fixes: FixSet,
    /// The server.
    pub server: ServerKind,
    /// The oracle that fails.
    pub oracle: OracleName,
}

/// Why a finding is no scenario.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum ImportError {
    /// The model has nothing like it.
    #[error(
        "`{}` is nothing that the model could do; of a finding of unknown-free, duplicate-free, \
         stale-free, missing-free, overlap or cb-unpaired a scenario can be made",
        .0.name()
    )]
    NoCounterpart(FindingKind),
    /// The devices do not fit any machine.
    #[error("no machine of the model has these devices")]
    NoMachine,
    /// Nothing fails.
    #[error("the scenario that was made fails under no preset and server")]
    Passes,
}

/// The oracle that fails where an input has such a finding.
fn oracle(kind: FindingKind) -> Option<OracleName> {
    match kind {
        FindingKind::UnknownFree | FindingKind::DuplicateFree => Some(OracleName::UnknownFree),
        FindingKind::StaleFree => Some(OracleName::StaleFree),
        FindingKind::MissingFree => Some(OracleName::Residue),
        FindingKind::Overlap => Some(OracleName::Overlap),
        FindingKind::CircularUnpaired => Some(OracleName::TrackerTruth),
        _ => None,
    }
}

/// Whether an event belongs to what a finding is about; who imports keeps only such events.
#[must_use]
pub fn concerns(finding: &Finding, event: &Event) -> bool {
    match (finding.kind, event.action) {
        (_, Action::MeshChip(_)) => true,
        (FindingKind::CircularUnpaired, Action::CircularAlloc) => event.place >= finding.place,
        (FindingKind::Overlap, Action::Alloc(_)) => {
            event.place == finding.place || Some(event.place) == finding.other
        }
        (_, Action::Alloc(_) | Action::Free(_) | Action::UnknownFree(_)) => {
            Some(event.address) == finding.address
                && finding.device.is_none_or(|device| device == event.device)
        }
        _ => false,
    }
}

/// What an audit says of the input that a finding is from.
#[derive(Clone, Debug, Default)]
pub struct Source {
    /// The presets and servers that explain it.
    pub explained: Vec<(Preset, ServerKind)>,
    /// The most devices on which messages for one address came in a row.
    pub devices: u32,
}

/// Makes a scenario of a finding and the events that concern it, and runs it under every preset and
/// server until one fails the same way, those that explain the input first.
///
/// # Errors
/// If the model has nothing like it.
pub fn import(finding: &Finding, events: &[Event], source: &Source) -> Result<Import, ImportError> {
    let oracle = oracle(finding.kind).ok_or(ImportError::NoCounterpart(finding.kind))?;
    let is_key = !matches!(finding.kind, FindingKind::Overlap | FindingKind::CircularUnpaired);
    if let Some(opening) = opening(source.devices).filter(|_| is_key) {
        // The simplest of all: what a MeshBuffer sends is wrong by itself.
        let life = "alloc b0 on m0 dram 12x2048\ndeallocate b0\ndrop b0\n";
        let text = format!("freeorder 1\n{opening}{life}");
        if let Some(import) = failing(&text, oracle, source.explained.iter().copied()) {
            return Ok(import);
        }
    }
    let text = match finding.kind {
        FindingKind::Overlap => overlap(finding, events)?,
        FindingKind::CircularUnpaired => circular(finding, events)?,
        _ => key(finding, events)?,
    };
    let all = Preset::ALL
        .into_iter()
        .flat_map(|preset| ServerKind::ALL.into_iter().map(move |server| (preset, server)));
    let all = source.explained.iter().copied().chain(all);
    failing(&text, oracle, all).ok_or(ImportError::Passes)
}

/// The scenario with an expectation, under the first preset and server that make the oracle fail.
fn failing(
    text: &str,
    oracle: OracleName,
    models: impl Iterator<Item = (Preset, ServerKind)>,
) -> Option<Import> {
    let scenario: Scenario = text.parse().expect("what is written here is a scenario");
    for (preset, server) in models {
        let report = run(&scenario, preset.fixes(), server, 0, &mut ());
        if report.failing().any(|(failing, _)| failing == oracle) {
            let text = format!("{text}\n{}", expectation(preset, server, &report));
            let scenario = text.parse().expect("an expectation is part of a scenario");
            return Some(Import { scenario, fixes: preset.fixes(), server, oracle });
        }
    }
    None
}

fn expectation(preset: Preset, server: ServerKind, report: &Report) -> String {
    let mut text = format!("expect {} {server}:", preset.fixes());
    let _ = write!(text, " alloc={} free={}", report.totals.alloc, report.totals.free);
    for (oracle, count) in report.failing() {
        let _ = write!(text, " {oracle}={count}");
    }
    text + "\n"
}

/// The machine with a mesh of so many chips, and its shape.
fn machine(chips: usize) -> Result<(&'static str, usize, usize), ImportError> {
    match chips {
        0..=1 => Ok(("N150", 1, 1)),
        2 => Ok(("N300", 1, 2)),
        3..=8 => Ok(("T3K", 2, 4)),
        9..=32 => Ok(("Galaxy", 8, 4)),
        _ => Err(ImportError::NoMachine),
    }
}

/// A size as pages that fit a bank: `4x2048`.
fn pages(event: &Event) -> String {
    // A report has no size but the share of a bank.
    let size = event.size.or(event.per_bank).unwrap_or_default().0.clamp(1, 1 << 34);
    // The pages themselves are not known, unless every bank's share is.
    let page = event.per_bank.map_or(1 << 16, |bytes| bytes.0).clamp(1, 1 << 20).min(size);
    let page = page.max(size.div_ceil(PAGE_COUNT_MAX));
    format!("{}x{page}", size.div_ceil(page))
}

fn memory(memory: Option<Memory>) -> &'static str {
    match memory.unwrap_or_default() {
        Memory::L1 | Memory::L1Small => "l1",
        Memory::Dram | Memory::SystemMemory | Memory::Trace => "dram",
    }
}

/// The life of one key, of which the last lines are the finding.
fn key(finding: &Finding, events: &[Event]) -> Result<String, ImportError> {
    let device = finding.device.filter(|&device| device != Device::UNSTATED);
    let number = usize::try_from(device.map_or(0, |device| device.0));
    let number = number.map_err(|_| ImportError::NoMachine)?;
    let (machine, rows, columns) = machine(number + 1)?;
    let mut life = Life { text: String::new(), device: number, next: 0, live: Vec::new() };
    let _ = write!(life.text, "freeorder 1\nmachine {machine}\n\nopen m0 {rows}x{columns}\n");
    let before: Vec<&Event> = events
        .iter()
        .filter(|event| event.place < finding.place && !matches!(event.action, Action::MeshChip(_)))
        .collect();
    let from = before.len().saturating_sub(WINDOW);
    let window =
        before[from..].iter().skip_while(|event| !matches!(event.action, Action::Alloc(_)));
    let lives: Vec<&Event> = window.copied().collect();
    match finding.kind {
        FindingKind::MissingFree => {
            let alloc = events.iter().find(|event| event.place == finding.place);
            let alloc = alloc.copied().unwrap_or(Event::new(finding.place, Action::Other));
            life.alloc(&alloc);
            life.text.push_str("# Its FREE never came.\ntracking off\n");
            life.free();
            life.text.push_str("tracking on\n");
        }
        FindingKind::StaleFree => stale(&mut life, finding, &lives),
        _ => unknown(&mut life, &lives),
    }
    Ok(life.text)
}

/// A key whose buffers come and go.
struct Life {
    text: String,
    device: usize,
    next: u32,
    live: Vec<u32>,
}

impl Life {
    fn alloc(&mut self, event: &Event) {
        let (name, device) = (self.next, self.device);
        match self.live.first() {
            Some(owner) => _ = writeln!(self.text, "alias b{name} of b{owner}"),
            None => {
                let (memory, pages) = (memory(event.memory), pages(event));
                // From the bottom, so that another size gets the same address.
                let _ = writeln!(self.text, "alloc b{name} on d{device} {memory} {pages} bottom");
            }
        }
        self.live.push(name);
        self.next += 1;
    }

    fn free(&mut self) {
        if let Some(name) = self.live.pop() {
            let _ = writeln!(self.text, "drop b{name}");
        }
    }

    /// An alias whose ALLOC nobody hears of.
    fn ghost(&mut self) -> u32 {
        let name = self.next;
        self.next += 1;
        let owner = self.live.first().copied().unwrap_or(0);
        self.text.push_str("# Whoever frees too much holds an alias.\ntracking off\n");
        let _ = writeln!(self.text, "alias b{name} of b{owner}\ntracking on");
        name
    }

    fn replay(&mut self, event: &Event) {
        match event.action {
            Action::Alloc(_) => self.alloc(event),
            Action::Free(_) => self.free(),
            _ => {}
        }
    }
}

/// A FREE of what is dead, or was never registered, or what the server forgot.
fn unknown(life: &mut Life, events: &[&Event]) {
    let change = |event: &&Event| match event.action {
        Action::Alloc(_) => 1,
        Action::Free(_) | Action::UnknownFree(_) => -1,
        _ => 0,
    };
    let is_registered = events.iter().map(change).sum::<i64>() > 0;
    let mut ghost = None;
    for event in events {
        life.replay(event);
        if ghost.is_none() && !life.live.is_empty() && !is_registered {
            ghost = Some(life.ghost());
        }
    }
    if is_registered {
        life.free();
        return;
    }
    while !life.live.is_empty() {
        life.free();
    }
    match ghost {
        Some(name) => _ = writeln!(life.text, "drop b{name}"),
        None => {
            life.text.push_str("# Allocated before anybody listened.\ntracking off\n");
            life.alloc(&Event::new(Place(0), Action::Other));
            life.text.push_str("tracking on\n");
            life.free();
        }
    }
}

/// A FREE of the next owner's entry.
fn stale(life: &mut Life, finding: &Finding, events: &[&Event]) {
    let at = Event::new(finding.place, Action::Other);
    let owner = events.iter().rev().find(|event| matches!(event.action, Action::Alloc(_)));
    let owner = owner.map_or(at, |event| **event);
    life.alloc(&owner);
    let name = life.ghost();
    life.free();
    life.alloc(&owner);
    let _ = writeln!(life.text, "drop b{name}");
    life.free();
}

/// The chips of each mesh, in the order in which the capture names them.
fn meshes(events: &[Event]) -> BTreeMap<Device, Vec<Device>> {
    let mut meshes: BTreeMap<Device, Vec<Device>> = BTreeMap::new();
    for event in events {
        if let Action::MeshChip(chip) = event.action {
            meshes.entry(event.device).or_default().push(chip);
        }
    }
    meshes
}

/// The rectangle that some chips are of a mesh: shape and first row and column.
fn rectangle(of: &[Device], all: &[Device], columns: usize) -> Option<[usize; 4]> {
    let places: Option<BTreeSet<usize>> =
        of.iter().map(|chip| all.iter().position(|other| other == chip)).collect();
    let places = places?;
    let rows: BTreeSet<usize> = places.iter().map(|place| place / columns).collect();
    let across: BTreeSet<usize> = places.iter().map(|place| place % columns).collect();
    let (row, column) = (*rows.first()?, *across.first()?);
    let shape = [rows.last()? - row + 1, across.last()? - column + 1];
    (shape[0] * shape[1] == of.len()).then_some([shape[0], shape[1], row, column])
}

/// Two meshes with a chip in common, each with a buffer.
fn overlap(finding: &Finding, events: &[Event]) -> Result<String, ImportError> {
    let meshes = meshes(events);
    let Some(parent) = meshes.values().max_by_key(|chips| chips.len()) else {
        return overlap_on_a_chip(finding, events);
    };
    let (machine, rows, columns) = machine(parent.len())?;
    if rows * columns != parent.len() {
        return Err(ImportError::NoMachine);
    }
    let buffers = events.iter().filter(|event| concerns(finding, event));
    let buffers: Vec<&Event> =
        buffers.filter(|event| matches!(event.action, Action::Alloc(_))).collect();
    let mut text = format!("freeorder 1\nmachine {machine}\n\nopen m0 {rows}x{columns}\n");
    for (nth, event) in buffers.iter().enumerate() {
        let chips = meshes.get(&event.device).ok_or(ImportError::NoMachine)?;
        let mesh = if chips.len() == parent.len() { 0 } else { nth + 1 };
        if mesh > 0 {
            let of = rectangle(chips, parent, columns).ok_or(ImportError::NoMachine)?;
            let [rows, columns, row, column] = of;
            let _ = writeln!(text, "submesh m{mesh} of m0 {rows}x{columns} at {row},{column}");
        }
        let (memory, pages) = (memory(event.memory), pages(event));
        let _ = writeln!(text, "alloc b{nth} on m{mesh} {memory} {pages}");
    }
    Ok(text)
}

/// Two buffers on one chip, where the input says nothing of meshes: what has two allocators for a
/// chip is a mesh and a submesh.
fn overlap_on_a_chip(finding: &Finding, events: &[Event]) -> Result<String, ImportError> {
    let chip = usize::try_from(finding.device.map_or(0, |device| device.0));
    let chip = chip.map_err(|_| ImportError::NoMachine)?;
    let (machine, rows, columns) = machine(chip + 1)?;
    let (row, column) = (chip / columns, chip % columns);
    let mut text = format!("freeorder 1\nmachine {machine}\n\nopen m0 {rows}x{columns}\n");
    text.push_str("# A chip has one allocator for each mesh that it is in.\n");
    let _ = writeln!(text, "submesh m1 of m0 1x1 at {row},{column}");
    let of = |place: Place| {
        let alloc = move |event: &&Event| {
            matches!(event.action, Action::Alloc(_))
                && event.place == place
                && finding.device.is_none_or(|device| device == event.device)
        };
        events.iter().filter(alloc)
    };
    let is_second = |event: &&Event| Some(event.address) == finding.address;
    let second = of(finding.place).rfind(is_second).copied();
    let second = second.unwrap_or(Event::new(finding.place, Action::Other));
    // One of the same operation can be any of those that came with it.
    let first = finding.other.and_then(|place| of(place).next()).copied().unwrap_or(second);
    for (nth, event) in [first, second].iter().enumerate() {
        let (memory, pages) = (memory(second.memory), pages(event));
        let _ = writeln!(text, "alloc b{nth} on m{nth} {memory} {pages}");
    }
    Ok(text)
}

/// A program on a mesh, whose circular buffers are known under one id.
fn circular(finding: &Finding, events: &[Event]) -> Result<String, ImportError> {
    let chips = (64 - finding.chips.leading_zeros()) as usize;
    let (machine, rows, columns) = machine(chips)?;
    let first = events.iter().find(|event| event.action == Action::CircularAlloc);
    let of_first = events.iter().filter(|event| {
        event.action == Action::CircularAlloc
            && first.is_some_and(|first| first.device == event.device)
    });
    let size = first.and_then(|event| event.size).map_or(4096, |size| size.0.clamp(1, 1 << 16));
    let count = of_first.take(8).count().max(1);
    Ok(format!(
        "freeorder 1\nmachine {machine}\n\nopen m0 {rows}x{columns}\n\
         program p0 on m0 cbs {count}x{size}\nenqueue p0\n"
    ))
}
