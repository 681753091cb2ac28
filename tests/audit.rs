//! What `freeorder audit` finds in real samples of every era, and in samples that were tampered with.

#![allow(clippy::unwrap_used, reason = "a test that cannot read its files has failed")]

mod audited;
mod command;

use std::collections::BTreeMap;
use std::fmt::Write as _;
use std::fs;
use std::path::Path;

use audited::{Audited, try_audit};
use command::{file, freeorder};

use freeorder::audit::{
    Action, Counted, CounterOf, Device, Event, FindingKind, Kind, Memory, Options, Place, Process,
    Reader, Registered, Released, shm, wire,
};
use freeorder::choice::{Choices, Seeded};
use freeorder::units::{Bytes, DeviceAddr};

fn sample(name: &str) -> Vec<u8> {
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/data/audit").join(name);
    fs::read(path).unwrap()
}

fn audit_as(bytes: &[u8], options: Options) -> Audited {
    try_audit(bytes, options).unwrap()
}

fn audit(bytes: &[u8]) -> Audited {
    audit_as(bytes, Options::default())
}

/// The lines that documents and sources quote, era by era: each is read, and its server recognised.
#[test]
fn logs_of_every_era_are_read_and_their_server_is_named() {
    let k0 = audit(&sample("k0.log"));
    assert_eq!((k0.servers(), k0.counts()), (vec!["k0"], vec![("unknown-free", 1)]));
    let k1 = audit(&sample("k1.log"));
    assert_eq!(k1.servers(), ["k1"]);
    assert_eq!(k1.counts(), [("unknown-free", 1), ("registered-again", 1)]);
    assert_eq!(k1.first(FindingKind::UnknownFree).place, Place(18));
    let k2 = audit(&sample("k2.log"));
    assert_eq!(k2.servers(), ["k2", "k2e"]);
    assert_eq!(k2.counts(), [("orphaned", 1), ("registered-again", 1)]);
    assert_eq!(k2.first(FindingKind::Orphaned).count, 3);
    let k2e = audit(&sample("k2e.log"));
    assert_eq!(k2e.servers(), ["k2e"]);
    let found = [("unknown-free", 1), ("duplicate-free", 1), ("registered-again", 1)];
    assert_eq!(k2e.counts(), found);
    let c4 = audit(&sample("c4.log"));
    assert_eq!(c4.servers(), ["k2", "k2e"]);
    assert_eq!(c4.counts(), [("cb-unpaired", 1), ("refused", 2)]);
    assert_eq!(c4.first(FindingKind::CircularUnpaired).device, Some(Device(1)));
}

/// Eight chips report one address with the backing buffer, and a server with one entry for it finds
/// one FREE of nine (allocation-server.md 1.8): the messages balance, and it can be no other server.
#[test]
fn a_server_that_keeps_one_entry_for_an_address_is_recognised() {
    let alloc = |device, size| {
        format!(
            "\u{2713} [PID 7] Allocated {size} bytes of DRAM on device {device} (buffer_id=64)\n"
        )
    };
    let free = |size| format!("\u{2717} [PID 7] Freed buffer 64 ({size} bytes)\n");
    let warning = "\u{26a0} Warning: Deallocation for unknown buffer 64\n";
    let devices = || [0].into_iter().chain(0..8).map(|device| alloc(device, 4096));
    let found = |log: String, counts: &[(&str, u64)]| {
        let audited = audit(log.as_bytes());
        assert_eq!((audited.servers(), audited.counts()), (vec!["k0"], counts.to_vec()), "{log}");
    };
    let nine: String = devices().chain([free(4096), warning.repeat(8)]).collect();
    found(nine, &[("unknown-free", 8), ("registered-again", 1)]);
    let once: String = devices().chain([free(4096)]).collect();
    found(once, &[("missing-free", 7), ("registered-again", 1)]);
    // The last that wrote the entry is whose size is printed.
    found(
        [alloc(0, 64), alloc(1, 8192), free(8192), warning.into()].concat(),
        &[("unknown-free", 1)],
    );
    // A warning for an address that this server must have can be no other chip's.
    let lost = [alloc(0, 64), free(64), alloc(1, 64), warning.to_owned()].concat();
    assert!(audit(lost.as_bytes()).servers().is_empty());
}

/// Servers that overwrite warn without a device: about one that they have forgotten, or about any
/// that nobody registered, whoever else has the address.
#[test]
fn logs_of_servers_that_overwrite_are_explained_by_them() {
    for (seed, by_address) in (0..60).map(|seed| (seed, seed % 2 == 0)) {
        let mut choices = Seeded::new(seed);
        let (mut entries, mut log) = (BTreeMap::new(), String::new());
        for _ in 0..300 {
            let (device, address) = (choices.pick(8), 64 + 64 * choices.pick(5));
            let (process, size) = (100 + choices.pick(2), 512 << choices.pick(3));
            let key = (if by_address { 0 } else { device }, address);
            if choices.pick(2) == 0 {
                entries.insert(key, size);
                let _ = writeln!(
                    log,
                    "\u{2713} [PID {process}] Allocated {size} bytes of L1 on device {device} \
                     (buffer_id={address})"
                );
            } else if let Some(size) = entries.remove(&key) {
                let on = if by_address { String::new() } else { format!(" on device {device}") };
                let _ = writeln!(
                    log,
                    "\u{2717} [PID {process}] Freed buffer {address}{on} ({size} bytes)"
                );
            } else {
                let _ =
                    writeln!(log, "\u{26a0} Warning: Deallocation for unknown buffer {address}");
            }
        }
        let audited = audit(log.as_bytes());
        let server = if by_address { "k0" } else { "k1" };
        assert_eq!(audited.servers(), [server], "seed {seed}\n{log}");
        let findings = audited.auditor.findings();
        assert_eq!(findings.count(FindingKind::Contradiction), 0, "seed {seed}\n{log}");
        // What the server has in the end has an ALLOC that nobody answered.
        assert!(findings.count(FindingKind::MissingFree) >= entries.len() as u64, "seed {seed}");
    }
}

/// A message that is lost shows in what the server says next: every line but the last of a key.
#[test]
fn a_dropped_line_is_found_wherever_it_was() {
    let log = String::from_utf8(sample("k2.log")).unwrap();
    let lines: Vec<&str> = log.lines().collect();
    let mut missed = Vec::new();
    for (dropped, line) in lines.iter().enumerate() {
        if !line.contains("[PID ") || line.contains("Removed") {
            continue;
        }
        let mut rest = lines.clone();
        rest.remove(dropped);
        let audited = audit(rest.join("\n").as_bytes());
        if audited.auditor.findings().count(FindingKind::Contradiction) == 0 {
            missed.push(dropped + 1);
        }
    }
    // The server's last word on 109344 is that it removed it, with any number of references, and
    // the removal counts keys.
    assert_eq!(missed, [36]);
}

/// Two writers without a lock write into each other's lines.
#[test]
fn torn_lines_are_found_and_what_is_whole_in_them_is_read() {
    let check = "\u{2713} [PID 7] Allocated 64 bytes of L1 on device 0 (buffer_id=1024)";
    let torn = format!("\u{2713} [PID 7] Allocated 40{check}\n");
    let audited = audit(torn.as_bytes());
    assert_eq!(audited.counts(), [("missing-free", 1), ("torn", 1)]);
    let prefixed = format!("2025-10-07 12:00:01 server | {check}\r\n");
    assert_eq!(audit(prefixed.as_bytes()).counts(), [("missing-free", 1)]);
    let cut = format!("{check}\n{}", &check[..40]);
    assert_eq!(audit(cut.as_bytes()).counts(), [("missing-free", 1), ("cut-end", 1)]);
    let glued = format!("{check}{check}\n");
    assert_eq!(audit(glued.as_bytes()).auditor.events(), 2);
}

fn message(action: Action, device: i32, address: u64, process: i32) -> Event {
    Event {
        device: Device(device),
        address: DeviceAddr(address),
        size: matches!(action, Action::Alloc(_)).then_some(Bytes(4096)),
        memory: matches!(action, Action::Alloc(_)).then_some(Memory::L1),
        process: Some(Process(process)),
        ..Event::new(Place(0), action)
    }
}

fn stream(size: usize, messages: &[Event]) -> Vec<u8> {
    messages.iter().flat_map(|event| wire::record(event, size).unwrap()).collect()
}

const ALLOC: Action = Action::Alloc(Registered::Plain);
const FREE: Action = Action::Free(Released::Plain);

/// The four versions differ in nothing but the size of a record, which nobody states.
#[test]
fn the_record_size_of_a_stream_is_detected() {
    for size in wire::RECORD_SIZES {
        for count in [1, 2, 3, 10, 3000] {
            let pairs = (0..count).flat_map(|nth| {
                let address = 1 << 20 | nth << 8;
                [message(ALLOC, 3, address, 77), message(FREE, 3, address, 77)]
            });
            let bytes = stream(size, &pairs.collect::<Vec<_>>());
            let audited = audit(&bytes);
            assert_eq!(
                (audited.kind, audited.counts()),
                (Kind::Wire, Vec::new()),
                "{size} {count}"
            );
            assert_eq!(audited.auditor.events(), 2 * count);
        }
        let single = stream(size, &[message(ALLOC, 3, 1 << 20, 77)]);
        assert_eq!(wire::record_size(&single), Some(size));
    }
}

/// Servers are sent messages that cannot be, and record them: each is named, and none of them makes
/// a larger version of what is left.
#[test]
fn messages_that_cannot_be_hide_no_version() {
    let far = message(ALLOC, 2_657_333, 0x77, 5);
    let nobody = message(ALLOC, 0, 0x77, 0);
    let huge = Event { size: Some(Bytes(1 << 40)), ..message(ALLOC, 0, 0x77, 5) };
    for size in wire::RECORD_SIZES {
        for (from, step) in [(101, 1000), (100, 1000), (1, 1000), (1, 2), (2, 3), (3, 4), (7, 97)] {
            for odd in [far, nobody, huge] {
                let (mut messages, mut odds) = (Vec::new(), 0);
                for nth in 0..600_u64 {
                    let (address, is_odd) = (1 << 20 | (nth / 2) << 8, nth % step == from % step);
                    let action = if nth % 2 == 0 { ALLOC } else { FREE };
                    messages.push(message(action, 3, address, 77));
                    odds += u64::from(is_odd);
                    messages.extend(is_odd.then_some(odd));
                }
                let audited = audit(&stream(size, &messages));
                let text = format!("{size} bytes, from {from} by {step}: {:?}", audited.counts());
                assert_eq!(audited.auditor.events(), 600 + odds, "{text}");
                let findings = audited.auditor.findings();
                // Whoever sent it: the fields of the buffer are what is looked at.
                let named = if odd == nobody { 0 } else { odds };
                assert_eq!(findings.count(FindingKind::BadField), named, "{text}");
                assert_eq!(findings.count(FindingKind::UnknownFree), 0, "{text}");
                assert_eq!(findings.count(FindingKind::Resync), 0, "{text}");
            }
        }
    }
}

/// A send that was cut short shifts everything behind it.
#[test]
fn a_torn_record_is_reported_and_the_stream_goes_on() {
    for size in wire::RECORD_SIZES {
        let messages: Vec<Event> =
            (0..100).map(|nth| message(ALLOC, 1, 4096 + 64 * nth, 5)).collect();
        for cut in [1, 5, 17, size / 2, size - 1] {
            let mut bytes = stream(size, &messages);
            bytes.drain(10 * size + size - cut..11 * size);
            let audited = audit(&bytes);
            let resync = audited.first(FindingKind::Resync);
            assert_eq!(audited.auditor.findings().count(FindingKind::Resync), 1, "{size} {cut}");
            assert!(resync.place == Place(11) || resync.place == Place(12), "{resync:?}");
            assert!((98..=99).contains(&audited.auditor.events()), "{size} {cut}");
        }
        let mut bytes = stream(size, &messages);
        bytes.extend_from_slice(&[1, 0, 0]);
        let audited = audit(&bytes);
        assert_eq!(audited.first(FindingKind::Resync).size, Some(Bytes(3)));
        assert_eq!(audited.auditor.events(), 100);
    }
}

/// What is left of a record must not take the place of the next one.
#[test]
fn the_record_behind_a_torn_one_is_read() {
    for size in wire::RECORD_SIZES {
        for kept in [1, 33, 40, 60, size - 1] {
            let free = Action::Free(Released::Plain);
            let whole = |action, address| message(action, 0, address, 7);
            let mut bytes = stream(size, &[whole(ALLOC, 0x1000)]);
            bytes.extend(&stream(size, &[whole(ALLOC, 0x2000)])[..kept]);
            let rest = [whole(free, 0x1000), whole(ALLOC, 0x3000), whole(free, 0x3000)];
            bytes.extend(stream(size, &rest));
            let options = Options { kind: Some(Kind::Wire), record: Some(size) };
            let audited = audit_as(&bytes, options);
            let findings = audited.auditor.findings();
            let count = |kind| findings.count(kind);
            let text = format!("{kept} bytes of {size}");
            assert_eq!(count(FindingKind::Resync), 1, "{text}");
            assert_eq!(count(FindingKind::MissingFree), 0, "{text}");
            assert_eq!(audited.auditor.events(), 4, "{text}");
        }
    }
}

/// What any file has in it by chance is no stream; nor is a program's table of what is relocated,
/// 24 bytes an entry: an address, a type of 8, and another address.
#[test]
fn a_program_is_no_stream() {
    let program = fs::read(std::env::current_exe().unwrap()).unwrap();
    assert_eq!(Kind::detect(&program[..1 << 20], false), None);
    let mut program = b"\x7fELF\x02\x01\x01\0\0\0\0\0\0\0\0\0\x03\0\x3e\0\x01\0\0\0".to_vec();
    for entry in 0..2000_u64 {
        for word in [0x000a_8000 + 8 * entry, 8, 0x0003_2000 + 16 * entry] {
            program.extend(word.to_le_bytes());
        }
    }
    assert_eq!(Kind::detect(&program, true), None);
}

/// A message says no more than a size over all banks; even the share of one can be too much.
#[test]
fn buffers_in_one_another_are_found_in_a_stream() {
    let at = |device, address, size| Event {
        size: Some(Bytes(size)),
        memory: Some(Memory::Dram),
        ..message(ALLOC, device, address, 1)
    };
    let found = |second: Event| {
        let messages = [
            at(0, 1 << 20, 12 << 20),
            second,
            message(FREE, second.device.0, second.address.0, 1),
            message(FREE, 0, 1 << 20, 1),
        ];
        audit(&stream(72, &messages)).counts()
    };
    let mib = 1 << 20;
    assert_eq!(found(at(0, mib + mib - 32, 32)), [("overlap", 1)]);
    assert_eq!(found(at(0, mib + mib, 32)), []);
    assert_eq!(found(at(1, mib + 32, 32)), []);
    assert_eq!(found(at(0, mib - 32, 64 * 12)), [("overlap", 1)]);
    let other_memory = Event { memory: Some(Memory::L1), ..at(0, mib + 32, 32) };
    assert_eq!(found(other_memory), []);
}

/// Past the events that are compared one by one, what is live together long enough is compared.
#[test]
fn a_long_stream_is_swept_for_overlaps() {
    let mut messages = Vec::new();
    for nth in 0..300_000 {
        let address = (1 << 30) + 4096 * (nth % 64);
        messages.extend([message(ALLOC, 0, address, 1), message(FREE, 0, address, 1)]);
    }
    let large = Event { size: Some(Bytes(1 << 20)), ..message(ALLOC, 0, 1 << 29, 1) };
    messages.extend([large, message(ALLOC, 0, (1 << 29) + 64, 1)]);
    let audited = audit(&stream(72, &messages));
    assert_eq!(audited.counts(), [("missing-free", 2), ("overlap", 1)]);
}

/// Every kind of finding has its row in the documentation.
#[test]
fn every_finding_is_documented() {
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("docs/audit.md");
    let text = fs::read_to_string(path).unwrap();
    for kind in FindingKind::ALL {
        assert!(text.contains(&format!("| `{}` | ", kind.name())), "{}", kind.name());
    }
}

/// The auditor plays the server, and the server knows neither the process nor the past.
#[test]
fn frees_of_strangers_and_of_the_dead_are_told_apart() {
    let found = |messages: &[Event]| audit(&stream(72, messages)).counts();
    let (a, b) = (4096, 8192);
    assert_eq!(found(&[message(ALLOC, 0, a, 1), message(FREE, 0, a, 2)]), [("stale-free", 1)]);
    let twice = [message(ALLOC, 0, a, 1), message(FREE, 0, a, 1), message(FREE, 0, a, 1)];
    assert_eq!(found(&twice), [("duplicate-free", 1)]);
    assert_eq!(found(&[message(FREE, 0, b, 1), message(FREE, 1, b, 1)]), [("unknown-free", 2)]);
    let shared = [
        message(ALLOC, 0, a, 1),
        message(ALLOC, 0, a, 2),
        message(FREE, 0, a, 2),
        message(FREE, 0, a, 1),
    ];
    assert_eq!(found(&shared), [("registered-again", 1)]);
    let wrong = [message(ALLOC, 2_657_333, a, 1), message(FREE, 2_657_333, a, 1)];
    assert_eq!(found(&wrong), [("bad-field", 1)]);
}

/// In the debug log the identity of a buffer is its pointer: the second owner of an address is
/// freed by the first one's object.
#[test]
fn the_debug_log_shows_whose_object_freed_an_address() {
    let audited = audit(&sample("buffer-debug.log"));
    assert_eq!(audited.kind, Kind::BufferLog);
    let found = [("stale-free", 1), ("missing-free", 1), ("non-owner", 1)];
    assert_eq!(audited.counts(), found);
    let stale = audited.first(FindingKind::StaleFree);
    assert_eq!((stale.place, stale.other), (Place(45), Some(Place(30))));
    assert!(stale.path.is_some());
    let torn = String::from_utf8(sample("buffer-debug.log")).unwrap();
    let torn = torn.replacen("(25715392)", "(25718464)", 1);
    assert_eq!(audit(torn.as_bytes()).auditor.findings().count(FindingKind::Torn), 1);
}

/// A parent mesh and two submeshes, with buffers alive on all three.
#[test]
fn a_capture_of_submeshes_shows_aliased_ids_unpaired_buffers_and_overlaps() {
    let audited = audit(&sample("t3k-submesh.graph.json"));
    assert_eq!(audited.kind, Kind::Graph);
    let found = [("overlap", 6), ("cb-unpaired", 2), ("mesh-id-alias", 3), ("live-at-end", 4)];
    assert_eq!(audited.counts(), found);
    let alias = audited.auditor.findings().kept().iter();
    let alias: Vec<(Option<Device>, u64)> = alias
        .filter(|finding| finding.kind == FindingKind::MeshIdAlias)
        .map(|finding| (finding.device, finding.chips))
        .collect();
    let of = |id, chips| (Some(Device(id)), chips);
    assert_eq!(alias, [of(0, 0xff), of(1, 0b1_0001), of(2, 0b1_0001)]);
    let unpaired = audited.first(FindingKind::CircularUnpaired);
    let facts = (unpaired.device, unpaired.chips, unpaired.count);
    assert_eq!(facts, (Some(Device(0)), 0xff, 24));
    let overlap = audited.first(FindingKind::Overlap);
    assert_eq!((overlap.place, overlap.other), (Place(11), Some(Place(4))));
    assert_eq!(overlap.chips, 0b1_0001);
}

/// In a NO_DISPATCH capture every buffer is at address 0: it comes and goes once, with no memory.
#[test]
fn buffers_that_never_reached_an_allocator_go_as_they_came() {
    let node = |counter: u32, kind: &str, of: &str| {
        format!(
            "{{\"counter\": {counter}, \"node_type\": \"buffer{kind}\", \"connections\": [{of}], \
             \"params\": {{\"address\": 0, \"device_id\": 0, \"size\": 2048, \"type\": \"DRAM\"}}}}"
        )
    };
    let pairs = [node(0, "", ""), node(1, "_allocate", "0"), node(2, "", "")];
    let rest =
        [node(3, "_allocate", "2"), node(4, "_deallocate", "0"), node(5, "_deallocate", "2")];
    let nodes = [&pairs[..], &rest[..]].concat();
    assert_eq!(audit(format!("[{}]", nodes.join(",")).as_bytes()).counts(), []);
    let again = [&nodes[..], &[node(6, "_deallocate", "0")]].concat();
    let found = audit(format!("[{}]", again.join(",")).as_bytes());
    assert_eq!(found.counts(), [("unknown-free", 1)]);
    assert_eq!(found.first(FindingKind::UnknownFree).place.0, 6);
}

/// Captures of old: strings for numbers, no address on a deallocation, whole reports.
#[test]
fn old_captures_and_whole_reports_are_read() {
    let audited = audit(&sample("old-report.graph.json"));
    assert_eq!(audited.counts(), [("older-than-capture", 1)]);
    assert_eq!(audited.auditor.events(), 4);
    let freed = audited.events.iter().find(|event| event.action == FREE).unwrap();
    assert_eq!((freed.address, freed.size), (DeviceAddr(1_073_739_776), Some(Bytes(8192))));
    assert_eq!(freed.memory, Some(Memory::Dram));
}

fn counter(of: CounterOf, counted: Counted, value: u64, id: i32) -> Event {
    Event {
        device: Device(id),
        process: Some(Process(id)),
        size: Some(Bytes(value)),
        ..Event::new(Place(0), Action::Counter(of, counted))
    }
}

/// Both layouts of the counters, and what goes wrong in them: ghosts, lost updates, wraps.
#[test]
fn snapshots_of_both_layouts_are_added_up() {
    use {Counted::Dram, CounterOf::Chip, CounterOf::Process as Slot, CounterOf::Region};
    for version in 1..=4 {
        let found = |counters: &[Event]| {
            let audited = audit(&shm::region(version, counters));
            assert_eq!(audited.kind, Kind::Shm);
            audited.counts()
        };
        let right = [
            counter(Region, Dram, 300, 0),
            counter(Chip, Dram, 100, 1),
            counter(Chip, Dram, 200, 2),
            counter(Slot, Dram, 250, 11),
            counter(Slot, Dram, 50, 12),
        ];
        assert_eq!(found(&right), []);
        assert_eq!(found(&right[..4]), [("counter-mismatch", 1)]);
        assert_eq!(found(&right[..3]), [("ghost-bytes", 1)]);
        let wrapped = [counter(Region, Dram, u64::MAX, 0), counter(Chip, Dram, u64::MAX, 1)];
        assert_eq!(found(&wrapped), [("counter-mismatch", 2), ("ghost-bytes", 1)]);
    }
}

/// Before version 4 a process takes its slot with its first buffer: one that has come and has no
/// buffer is a reference without a slot. What has a slot has come.
#[test]
fn a_process_without_a_buffer_has_a_reference_and_no_slot() {
    use {Counted::Dram, CounterOf::Chip, CounterOf::Process as Slot, CounterOf::Region};
    let one =
        [counter(Region, Dram, 64, 0), counter(Chip, Dram, 64, 1), counter(Slot, Dram, 64, 9)];
    for version in 1..=4_u32 {
        for (counters, references) in [(&one[..0], 1), (&one[..0], 0), (&one, 2), (&one, 0)] {
            let mut region = shm::region(version, counters);
            region[16] = references;
            let slots = u8::from(!counters.is_empty());
            let is_wrong = if version < 4 { references < slots } else { references != slots };
            let counts = audit(&region).counts();
            let expected = [("counter-mismatch", 1)];
            let expected = if is_wrong { &expected[..] } else { &[] };
            assert_eq!(counts, expected, "version {version}, {references} references");
        }
    }
}

/// The second mesh of a process has id 1 also where there is but chip 0: what is given back for the
/// mesh is given back on its chip. Where an id can be a mesh's and a chip's, nobody knows.
#[test]
fn circular_buffers_of_a_mesh_of_one_chip_are_given_back_under_its_id() {
    let found = |mesh: u32, chips: &[u32], built: &[u32], more: &str| {
        let mut nodes: Vec<String> = chips
            .iter()
            .map(|chip| {
                format!(
                    "{{\"node_type\": \"program_execution\", \"params\": {{\"device_id\": {mesh}, \
                     \"physical_device_id\": {chip}}}}}"
                )
            })
            .collect();
        let node = |kind: &str, params: &str| {
            format!("{{\"node_type\": \"{kind}\", \"params\": {{{params}}}}}")
        };
        nodes.push(node("circular_buffer_deallocate_all", &format!("\"device_id\": {mesh}")));
        nodes.extend(built.iter().map(|chip| {
            let params = format!("\"device_id\": {chip}, \"address\": 107776, \"size\": 4096");
            node("circular_buffer_allocate", &params)
        }));
        let buffer =
            format!("\"device_id\": {mesh}, \"address\": 1024, \"size\": 64, \"type\": \"DRAM\"");
        let buffer = |kind: &str, counter: u32| {
            let kind = format!("buffer_{kind}");
            format!(
                "{{\"counter\": {counter}, \"node_type\": \"{kind}\", \"connections\": [50], \
                 \"params\": {{{buffer}}}}}"
            )
        };
        nodes.extend([buffer("allocate", 51), buffer("deallocate", 52)]);
        nodes.extend((!more.is_empty()).then(|| more.to_owned()));
        audit(format!("[{}]", nodes.join(",")).as_bytes()).counts()
    };
    assert_eq!(found(1, &[0], &[0, 0], ""), []);
    assert_eq!(found(7, &[3], &[3], ""), []);
    let unpaired = [("cb-unpaired", 1)];
    assert_eq!(found(1, &[0], &[2], ""), unpaired, "another chip");
    assert_eq!(found(9, &[0, 1], &[0, 1], ""), unpaired, "more chips");
    assert_eq!(found(9, &[], &[0], ""), unpaired, "nobody says which chips");
    // Chip 1 is there as well.
    let other = "{\"node_type\": \"program_execution\", \"params\": {\"device_id\": 5, \
                 \"physical_device_id\": 1}}";
    let ambiguous = [("cb-unpaired", 1), ("mesh-id-alias", 1)];
    assert_eq!(found(1, &[0], &[0], other), ambiguous);
}

/// The log of document 001 as it may have been: all balanced, and yet 1,021 FREE too many for
/// whoever reads lines with a count on one side only.
fn balanced() -> String {
    use std::fmt::Write as _;
    let mut log = String::new();
    for life in 0..1112 {
        let alloc = "\u{2713} [PID 7] Allocated 512 bytes of DRAM on device 4 (buffer_id=694960736";
        let free = "\u{2717} [PID 7] Freed buffer 694960736 on device 4 (512 bytes";
        let _ = writeln!(log, "{alloc})");
        if life < 1021 {
            let _ = writeln!(log, "{alloc}, ref_count=2)\n{free}, ref_count=1 remaining)");
        }
        let _ = writeln!(log, "{free}, FINAL)");
    }
    log
}

/// "Allocated: 1,112 times, Freed: 2,133 times" can be an artefact of two regular expressions.
#[test]
fn a_balanced_log_is_clean_and_the_published_scripts_see_an_excess() {
    let path = file("balanced.log", balanced().as_bytes());
    let output = freeorder(&["audit", &path, "--as-published"]);
    let text = String::from_utf8(output.stdout).unwrap();
    assert_eq!(output.status.code(), Some(0), "{text}");
    assert!(text.contains("analyze_remaining_buffer_sizes.py counts: 1,112 ALLOC / 2,133 FREE"));
    assert!(text.contains("correlate_leaked_buffers.py counts: 2,133 ALLOC / 1,112 FREE"));
    assert!(text.contains("analyze_buffer_log.py counts: 2,133 ALLOC / 2,133 FREE"));
    assert!(text.ends_with("balanced, nothing found; notes: 1021 registered-again\n"), "{text}");
}

/// The form of the JSON is an interface, and SARIF is somebody else's.
#[test]
fn json_and_sarif_have_each_violation_with_its_facts() {
    let submesh = "tests/data/audit/t3k-submesh.graph.json";
    let output = freeorder(&["audit", submesh, "--format", "json"]);
    assert_eq!(output.status.code(), Some(1));
    let report: serde_json::Value = serde_json::from_slice(&output.stdout).unwrap();
    assert_eq!((&report["version"], &report["kind"]), (&1.into(), &"graph".into()));
    assert_eq!(report["events"], 40);
    let violations = report["violations"].as_array().unwrap();
    assert_eq!(violations.len(), 11);
    let overlap = violations.iter().find(|row| row["kind"] == "overlap").unwrap();
    assert_eq!(overlap["chips"], serde_json::json!([0, 4]));
    let output = freeorder(&["audit", submesh, "tests/data/audit/k1.log", "--format", "sarif"]);
    assert_eq!(output.status.code(), Some(1));
    let sarif: serde_json::Value = serde_json::from_slice(&output.stdout).unwrap();
    assert_eq!(sarif["version"], "2.1.0");
    let run = &sarif["runs"][0];
    assert_eq!(run["tool"]["driver"]["rules"].as_array().unwrap().len(), FindingKind::ALL.len());
    let results = run["results"].as_array().unwrap();
    assert_eq!(results.len(), 11 + 1 + 4 + 1);
    let line = results.iter().find(|row| row["ruleId"] == "unknown-free").unwrap();
    let physical = &line["locations"][0]["physicalLocation"];
    assert_eq!(physical["region"]["startLine"], 18);
    assert_eq!(physical["artifactLocation"]["uri"], "tests/data/audit/k1.log");
}

/// What cannot be read is one error and exit code 2; what is forced is taken for what it is told.
#[test]
fn bad_input_is_exit_code_2() {
    let cases: [(&str, &[u8], &[&str]); 6] = [
        ("nothing.log", b"", &[]),
        ("prose.txt", b"nothing of the sort\n", &[]),
        ("cut.json", b"[{\"counter\": 0, \"node_type\": ", &[]),
        ("deep.json", &[b'['; 10_000], &["--kind", "graph"]),
        ("short.shm", &[0; 100], &["--kind", "shm"]),
        ("other.json", b"{\"version\": 1}", &[]),
    ];
    for (name, bytes, more) in cases {
        let path = file(name, bytes);
        let output = freeorder(&[&["audit", &path], more].concat());
        let text = String::from_utf8_lossy(&output.stderr).into_owned();
        assert_eq!(output.status.code(), Some(2), "{name}: {text}");
        assert!(text.contains(name) && output.stdout.is_empty(), "{name}: {text}");
    }
    let path = file("prose.txt", b"nothing of the sort\n");
    let forced = freeorder(&["audit", &path, "--kind", "wire"]);
    assert_eq!(forced.status.code(), Some(2), "bytes of which none are a record");
    let wrong = freeorder(&["audit", &path, "--kind", "serverlog"]);
    assert!(String::from_utf8_lossy(&wrong.stderr).contains("did you mean `server-log`"));
    assert_eq!(freeorder(&["audit", "no-such-file"]).status.code(), Some(2));
    assert_eq!(freeorder(&["audit", &path, "--record", "100"]).status.code(), Some(2));
}

/// A report of ttnn-visualizer is known as one in every build, also where nothing can read it.
#[test]
fn a_database_is_named_and_so_is_what_reads_it() {
    let report = sample("report.sqlite");
    assert_eq!(Kind::detect(&report[..100], false), Some(Kind::ReportDb));
    let output = freeorder(&["audit", "tests/data/audit/report.sqlite"]);
    let text = String::from_utf8_lossy(&output.stderr).into_owned();
    if cfg!(feature = "sqlite") {
        assert_eq!(output.status.code(), Some(1), "{text}");
    } else {
        assert_eq!((output.status.code(), output.stdout.len()), (Some(2), 0), "{text}");
        for word in ["report.sqlite", "SQLite database", "--features sqlite"] {
            assert!(text.contains(word), "{text}");
        }
    }
}

/// One name that is wrong must not cost what the other files say.
#[test]
fn what_can_be_read_is_reported_beside_what_cannot() {
    let files =
        ["audit", "/no/such/log", "tests/data/audit/k1.log", "README.md", "--format", "json"];
    let output = freeorder(&files);
    assert_eq!(output.status.code(), Some(2));
    let report: serde_json::Value = serde_json::from_slice(&output.stdout).unwrap();
    assert_eq!(report["files"].as_array().unwrap().len(), 1);
    let said = String::from_utf8(output.stderr).unwrap();
    assert!(said.contains("/no/such/log") && said.contains("README.md"), "{said}");
}

/// What is forced into a kind and is not of it is no clean log.
#[test]
fn a_file_of_another_kind_is_not_clean() {
    let refused = |kind: &str, path: &str, why: &str| {
        let output = freeorder(&["audit", path, "--kind", kind]);
        let said = String::from_utf8(output.stderr).unwrap();
        assert_eq!(output.status.code(), Some(2), "{kind}: {said}");
        let said = said.split_whitespace().collect::<Vec<_>>().join(" ");
        assert!(said.contains(why), "{kind}: {said}");
    };
    refused("server-log", "README.md", "nothing in it is of a server-log");
    refused("buffer-log", "README.md", "nothing in it is of a buffer-log");
    if cfg!(not(feature = "sqlite")) {
        refused("report-db", "README.md", "this does not begin as one");
    }
    let endless = format!("[{{\"node_type\": \"{}", "a".repeat(17 << 20));
    refused("graph", &file("endless.json", endless.as_bytes()), "is longer than 16777216 bytes");
    refused("shm", &file("long.shm", endless.as_bytes()), "this has 1048576 or more");
}

/// A line that begins as the server's and goes on for longer than any line is torn, and not cut.
#[test]
fn a_line_without_an_end_is_torn() {
    let whole = "\u{2713} [PID 7] Allocated 64 bytes of L1 on device 0 (buffer_id=1024)";
    let log = format!("{}{}\n{whole}\n", &whole[..40], "x".repeat(3 << 20));
    let torn = audit(log.as_bytes()).counts();
    assert!(torn.contains(&("torn", 1)), "{torn:?}");
    assert!(!torn.iter().any(|&(kind, _)| kind == "cut-end"), "{torn:?}");
    // What stands behind a megabyte of something else is nobody's line, and one line.
    let log = format!("{}{whole}\n{whole}\n", "x".repeat(3 << 20));
    let options = Options { kind: Some(Kind::ServerLog), ..Options::default() };
    let mut reader = Reader::new(Box::new(std::io::Cursor::new(log)), options).unwrap();
    let mut events = Vec::new();
    while reader.read(&mut events).unwrap() {}
    let places: Vec<Place> = events.iter().map(|event| event.place).collect();
    assert_eq!((places, reader.places()), (vec![Place(2)], 2));
}
