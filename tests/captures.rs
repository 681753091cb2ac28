//! A capture of the model shows what a capture of the real runtime showed.
//!
//! `tests/data/captures` holds two recorded workloads as scenarios, and the nodes of buffers and
//! circular buffers in the graphs that the published package captured of them, in order. A number
//! behind `of=` is that of a node among these.
#![allow(clippy::unwrap_used)]

mod common;

use std::fs;
use std::path::Path;

use common::Lines;
use freeorder::event::{Event, GraphNode, Observer, Tick, TrackedDevice};
use freeorder::fix::{FixSet, Preset};
use freeorder::scenario::{Scenario, run};
use freeorder::server::ServerKind;
use freeorder::violation::{OracleName, Violation};

/// The nodes of the captures in so many others, as lines; a node for each physical device.
#[derive(Default)]
struct Nodes {
    depth: u32,
    lines: Vec<String>,
    next: u32,
}

impl Observer for Nodes {
    fn observe(&mut self, _: Tick, event: &Event<'_>) {
        let Event::Captured { depth, counter, node, .. } = event else { return };
        if *depth != self.depth {
            return;
        }
        assert_eq!(*counter, self.next);
        self.next += node.count();
        match *node {
            GraphNode::CaptureStart => self.lines.push("capture_start".to_owned()),
            GraphNode::CaptureEnd => self.lines.push("capture_end".to_owned()),
            GraphNode::Buffer { size, .. } => self.lines.push(format!("buffer size={size}")),
            GraphNode::BufferAllocate { connection, address, size, .. } => self
                .lines
                .push(format!("buffer_allocate of={connection} address={address} size={size}")),
            GraphNode::BufferDeallocate { connection, address, size, .. } => self
                .lines
                .push(format!("buffer_deallocate of={connection} address={address} size={size}")),
            GraphNode::CircularBufferAllocate {
                device: TrackedDevice::Chips(chips),
                address,
                size,
            } => self.lines.extend(chips.iter().map(|chip| {
                format!("circular_buffer_allocate device={chip} address={address} size={size}")
            })),
            other => self.lines.push(other.to_string()),
        }
    }
}

/// The real runtime goes from device to device, the model from buffer to buffer.
fn sorted_runs(lines: &[String]) -> Vec<String> {
    let placed = |line: &String| line.starts_with("circular_buffer_allocate");
    let mut runs: Vec<Vec<String>> =
        lines.chunk_by(|one, next| placed(one) && placed(next)).map(<[String]>::to_vec).collect();
    runs.iter_mut().for_each(|run| run.sort());
    runs.concat()
}

/// Events and their order, identity, addresses and sizes, on one chip and on eight.
#[test]
fn a_capture_shows_the_nodes_that_the_real_runtime_showed() {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/data/captures");
    for name in ["n150-12", "t3k-11"] {
        let path = folder.join(name);
        let text = fs::read_to_string(path.with_extension("scenario")).unwrap();
        let scenario: Scenario = text.parse().unwrap();
        let mut nodes = Nodes::default();
        let fixes = Preset::UpstreamShm.fixes();
        let report = run(&scenario, fixes, ServerKind::Shm, 8, &mut nodes);
        assert_eq!(report.findings.violations(), [], "{name}");
        let real = fs::read_to_string(path.with_extension("nodes")).unwrap();
        let real: Vec<String> = real.lines().map(str::to_owned).collect();
        assert!(real.len() > 400, "{name}");
        let (shown, real) = (sorted_runs(&nodes.lines), sorted_runs(&real));
        let first = shown.iter().zip(&real).position(|(shown, real)| shown != real);
        assert_eq!(first, None, "{name}: {:?}", first.map(|at| (&shown[at], &real[at])));
        assert_eq!(shown.len(), real.len(), "{name}");
    }
}

/// A NO_DISPATCH capture gives every buffer address 0 and shows every circular buffer of every
/// run; the program cache fills, and nothing reaches the device (tt-metal.md E2).
#[test]
fn a_no_dispatch_capture_shows_circular_buffers_at_every_run_and_runs_none() {
    let scenario: Scenario = "freeorder 1\nopen m0 1x2\ncapture begin\n\
         run k0 on m0 cbs 2x4096 kernel 1x1024 out b0 dram 1x2048\nrun k0 on m0 cbs 2x4096\n\
         capture end\nrun k0 on m0 cbs 2x4096 kernel 1x1024\n"
        .parse()
        .unwrap();
    let (mut nodes, mut lines) = (Nodes::default(), Lines::default());
    let fixes: FixSet = Preset::UpstreamShm.fixes();
    run(&scenario, fixes, ServerKind::Shm, 8, &mut (&mut nodes, &mut lines));
    let circular = "circular_buffer_allocate mesh=0 address=0 size=4096";
    let expected = [
        "capture_start",
        "buffer size=2048",
        "buffer_allocate of=1 address=0 size=2048",
        "circular_buffer_deallocate_all mesh=0",
        circular,
        circular,
        "circular_buffer_deallocate_all mesh=0",
        circular,
        circular,
        "capture_end",
    ];
    assert_eq!(nodes.lines, expected);
    let says =
        |what: &str| lines.without_ticks().iter().filter(|one| one.starts_with(what)).count();
    assert_eq!((says("program-built"), says("program-hooked"), says("program-ran")), (1, 2, 1));
    assert_eq!((says("cache-hit"), says("memory-accessed")), (2, 0));
    assert_eq!(says("buffer-created kernel(k0)"), 1, "its binary goes up when it first runs");
}

/// Two captures, of these modes, with a program in the inner one: the nodes of both, and how many
/// blocks are taken by the four buffers: one before the inner capture, one in it, one after each.
fn nested(outer: &str, inner: &str) -> (Vec<String>, Vec<String>, usize) {
    let text = format!(
        "freeorder 1\nopen m0 1x2\ncapture begin{outer}\nalloc b0 on m0 dram 1x2048\n\
         capture begin{inner}\nrun k0 on m0 cbs 1x4096 out b1 dram 1x2048\ncapture end\n\
         alloc b2 on m0 dram 1x2048\ncapture end\nalloc b3 on m0 dram 1x2048\n"
    );
    let [mut first, mut second] = [0, 1].map(|depth| Nodes { depth, ..Nodes::default() });
    let mut lines = Lines::default();
    let fixes = Preset::UpstreamShm.fixes();
    let scenario = text.parse().unwrap();
    let report =
        run(&scenario, fixes, ServerKind::Shm, 8, &mut (&mut first, (&mut second, &mut lines)));
    let is_of_captures =
        |found: &&Violation| matches!(found.oracle, OracleName::GraphEvents | OracleName::Hook);
    assert_eq!(report.findings.violations().iter().find(is_of_captures), None);
    let taken = lines.without_ticks().iter().filter(|one| one.starts_with("address-taken")).count();
    (first.lines, second.lines, taken)
}

/// As the published package showed of two captures: both get the nodes, the mode of the outermost
/// decides what happens, and each shows circular buffers by its own.
#[test]
fn a_capture_within_another_ends_alone_and_the_outermost_mode_holds() {
    let (outer, inner, taken) = nested(" normal", "");
    assert_eq!(taken, 4);
    let buffer = |of: u32, address: u64| {
        let allocated = format!("buffer_allocate of={of} address={address} size=2048");
        vec!["buffer size=2048".to_owned(), allocated]
    };
    let words = |words: &[&str]| words.iter().map(|&word| word.to_owned()).collect::<Vec<_>>();
    let gone = words(&["circular_buffer_deallocate_all mesh=0"]);
    let placed = words(&[
        "circular_buffer_allocate device=0 address=105824 size=4096",
        "circular_buffer_allocate device=4 address=105824 size=4096",
    ]);
    let nowhere = words(&["circular_buffer_allocate mesh=0 address=0 size=4096"]);
    let [start, end] = [words(&["capture_start"]), words(&["capture_end"])];
    let [first, second] = [buffer(1, 1_048_640), buffer(3, 1_050_688)];
    let parts = [&start, &first, &second, &gone, &placed, &buffer(8, 1_052_736), &end];
    assert_eq!(sorted_runs(&outer), parts.map(Clone::clone).concat());
    let parts = [&start, &buffer(1, 1_050_688), &gone, &nowhere, &placed, &end];
    let twice = sorted_runs(&parts.map(Clone::clone).concat());
    assert_eq!(sorted_runs(&inner), twice, "they are shown as hooked, and as they were placed");
    let (outer, inner, taken) = nested("", " normal");
    assert_eq!(taken, 1);
    let [first, second, third] = [buffer(1, 0), buffer(3, 0), buffer(7, 0)];
    let parts = [&start, &first, &second, &gone, &nowhere, &third, &end];
    assert_eq!(outer, parts.map(Clone::clone).concat());
    let parts = [&start, &buffer(1, 0), &gone, &end];
    assert_eq!(inner, parts.map(Clone::clone).concat(), "a hooked program places none");
}
