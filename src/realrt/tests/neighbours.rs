//! What is next to a known divergence, and is none: the same operations, the same class, and
//! another mesh, another tensor, another place in the process.

use super::divergences::known;
use super::*;

const CLOSES: Option<&str> = Some("close-ends-another-mesh");

/// The oracle's text of two tensors of 2048 bytes.
fn overlap(first: (&str, u64, u32), second: (&str, u64, u32)) -> String {
    let one = |(name, at, mesh)| format!("2048 bytes at {at} of {name} on mesh {mesh}");
    format!("{} and {} are the same bytes of chip 4", one(first), one(second))
}

/// Only tensors on two meshes over the chip, where their own allocators put them, are known to
/// share it.
#[test]
fn allocators_share_chips_and_nothing_else_does() {
    let text = "open m0 2x4\nsubmesh m1 of m0 1x1\nsubmesh m2 of m0 1x1 at 0,1\n\
                alloc b0 on m0 dram 1x2048\nalloc b1 on m1 dram 1x2048\n\
                alloc b2 on m0 dram 1x2048\nalloc b3 on m2 dram 1x2048\n";
    let (class, at) = ("oracle: overlap", 1_048_640);
    let is = |step, first, second| known(text, step, (class, &overlap(first, second)));
    let shared = Some("meshes-share-memory");
    assert_eq!(is(5, ("b0", at, 0), ("b1", at, 1)), shared);
    assert_eq!(is(5, ("b0", at, 7), ("b1", at, 8)), shared, "in a process with a past");
    assert_eq!(is(6, ("b0", at, 0), ("b1", at, 1)), None, "neither is made");
    assert_eq!(is(6, ("b0", at, 0), ("b2", at, 0)), None, "one mesh, one allocator");
    assert_eq!(is(5, ("b0", at, 0), ("b1", at + 2048, 1)), None, "not where the allocator puts it");
    assert_eq!(is(7, ("b1", at, 1), ("b3", at, 2)), None, "not on the chip");
    let cycled = "open m0 1x1\nsubmesh m1 of m0 1x1\nalloc b0 on m0 dram 1x2048\ncycle b0\n\
                  alloc b0 on m1 dram 1x2048\n";
    let both = overlap(("b0", at, 1), ("b0", at, 0));
    assert_eq!(known(cycled, 5, (class, &both)), shared, "what is in a cycle is alive");
    assert_eq!(known(&cycled.replace("cycle", "drop"), 5, (class, &both)), None);
    // Of two calls at a time the finding is the second's.
    let at_once = "open m0 1x1\nsubmesh m1 of m0 1x1\nalloc b0 on m0 dram 1x2048\n\
                   t2: alloc b1 on m1 dram 1x2048\nt1: use b0\n";
    let both = overlap(("b0", at, 0), ("b1", at, 1));
    assert_eq!(known(at_once, 5, (class, &both)), shared);
    assert_eq!(known(&at_once.replace("t1", "t2"), 5, (class, &both)), None, "one by one");
}

/// Two tensors that overlap are seen, over all meshes, once, and wherever the names are gone.
#[test]
fn overlaps_are_seen_over_all_meshes() {
    let of = |text: &str| class(text, sound);
    let shared = Some("oracle: overlap".to_owned());
    let text = "open m0 2x4\nalloc b0 on m0 dram 1x2048\nsubmesh m1 of m0 1x1\n\
                alloc b1 on m1 dram 1x2048\n";
    assert_eq!(of(text), shared);
    assert_eq!(of(&text.replace("on m1 dram", "on m1 l1")), None, "another memory");
    assert_eq!(of(&text.replace("1x1\n", "1x1\ndrop b0\n")), None, "it is gone");
    assert_eq!(of(&text.replace("1x1\n", "1x1\ndrop m0\n")), shared, "its mesh lives with m1");
    let two = "open m0 1x1\nopen m1 1x1 at 0,1\nalloc b0 on m0 dram 1x2048\n\
               alloc b1 on m1 dram 1x2048\n";
    assert_eq!(of(two), None, "each on its own chip");
    assert_eq!(of(&two.replace(" at 0,1", "")), shared);
    // Not only where one begins: b1 begins within b0.
    let within = "open m0 1x1\nopen m1 1x1\nalloc b0 on m0 dram 100x2048\n\
                  alloc b1 on m1 dram 1x2048\nalloc b2 on m1 dram 1x2048\n";
    let mut played = Played::new(Machine::T3k, sound);
    let check = Check { known: Some("meshes-share-memory"), ..Check::default() };
    let case =
        case(&within.replace("alloc b1 on m1 dram 1x2048\n", "alloc b1 on m1 dram 0x2048\n"));
    let Ran::Deviated(deviation) = run(&mut played, &case, &check) else { panic!("it agrees") };
    assert!(deviation.detail.contains("b2 on mesh 1"), "{deviation:?}");
    // A block of another tensor's own mesh has no id.
    let moved: fn(&Request, &mut Answer) -> bool = |_, answer| {
        if let Some(&(true, ref address)) = answer.buffers.get("b0") {
            let address = address.clone();
            answer.buffers.entry("b2".to_owned()).and_modify(|seen| seen.1 = address);
        }
        false
    };
    let one = "open m0 1x1\nalloc b0 on m0 dram 1x2048\nalloc b2 on m0 dram 1x2048\n";
    assert_eq!((class(one, sound), class(one, moved)), (None, shared));
}

/// A crash is that of a mesh whose chips were closed with another's only if that mesh is used, or
/// was looked at.
#[test]
fn a_crash_is_of_the_mesh_that_was_closed() {
    let crash = "crash: SIGSEGV in tt::tt_metal::AllocatorImpl::get_config";
    let died = |name: &str| format!("the process died when {name} was looked at");
    let text = "open m0 1x1\nopen m1 1x1\nclose m1\nopen m2 1x1 at 0,1\nalloc b0 on m2 dram 1x32\n\
                submesh m3 of m2 1x1\nsubmesh m3 of m0 1x1\ngc\n";
    let is = |step, detail: &str| known(text, step, (crash, detail));
    assert_eq!(is(7, "the process died"), CLOSES);
    assert_eq!(is(6, "the process died"), None, "it was opened afterwards");
    assert_eq!(is(5, "the process died"), None, "it was opened afterwards");
    assert_eq!((is(8, &died("m0")), is(8, &died("m2"))), (CLOSES, None));
    assert_eq!(is(8, "the process died"), None, "nothing is collected");
    let aborts = "crash: SIGABRT in libtt_metal.so, under tt::f";
    assert_eq!(known(text, 6, (aborts, "the process died")), None);
    let counters = "mismatch: the counters";
    let zero = "the runtime says 0 bytes of DRAM on chip 0, the model 32";
    assert_eq!(known(text, 5, (counters, zero)), None, "its chips were not closed");
}

/// What ends a set of meshes is the end of the last of them: a submesh counts, and one that is left
/// keeps the chips open.
#[test]
fn the_last_of_a_mesh_and_its_submeshes_closes_the_chips() {
    let crash = ("crash: SIGSEGV in tt::tt_metal::AllocatorImpl::get_config", "the process died");
    let orphan = "open m0 2x4\nsubmesh m1 of m0 1x1\ndrop m0\nopen m2 2x4\nclose m1\n\
                  submesh m3 of m2 1x1\n";
    assert_eq!(known(orphan, 6, crash), CLOSES);
    assert_eq!(known(&orphan.replace("drop m0", "gc"), 6, crash), None, "m0 has the chips");
    assert_eq!(known(&orphan.replace("close m1", "gc"), 6, crash), None);
    let second = orphan.replace("drop m0\n", "drop m0\nsubmesh m4 of m1 1x1\n");
    assert_eq!(known(&second, 7, crash), None, "m4 has the chips");
    let parent = "open m0 2x4\nsubmesh m1 of m0 1x1\nopen m2 2x4\nclose m0\nsubmesh m3 of m2 1x1\n\
                  close m1\nsubmesh m3 of m2 1x1\n";
    assert_eq!((known(parent, 5, crash), known(parent, 7, crash)), (None, CLOSES));
}

/// A view and a move ask for the banks of shards; nothing else does, and no tensor without shards.
#[test]
fn shards_are_asked_for_their_banks() {
    let class = "crash: SIGSEGV in tt::tt_metal::AllocatorImpl::find_bank_ids";
    let text = "open m0 1x1\nalloc b0 on m0 dram 4x2048 shards 4\nalloc b1 on m0 dram 4x2048\n\
                close m0\nshare b2 of b0\nshare b2 of b1\nuse b0\n\
                run k100 on m0 reads b0 out b2 dram 4x2048 shards 4 reallocate\n\
                run k101 on m0 cbs 1x4096 reads b1 out b3 dram 4x2048 reallocate\n";
    let is = |text: &str, step| known(text, step, (class, "the process died"));
    let shards = Some("shards-after-close");
    let steps = [5, 6, 7, 8, 9].map(|step| is(text, step));
    assert_eq!(steps, [shards, None, None, shards, None]);
    assert_eq!(known(text, 5, (class, "the process died when m0 was looked at")), None);
    assert_eq!(is(&text.replace("close m0", "gc"), 5), None, "on an open mesh");
}

/// A capture on any thread asks a tensor for its mesh, if it goes on and the mesh is gone.
#[test]
fn a_capture_of_any_thread_needs_the_mesh() {
    let class = "mismatch: what deallocate raises";
    let told = "the runtime says `Can't get device from mesh buffer, already deallocated`, the \
                model nothing";
    let text = "t3: open m0 1x1\nt2: capture begin normal\nt2: alloc b0 on m0 dram 1x2048\n\
                t2: drop m0\ndeallocate b0\n";
    let needs = Some("capture-needs-the-mesh");
    assert_eq!(known(text, 5, (class, told)), needs);
    let ended = text.replace("t2: drop m0", "t2: drop m0\nt2: capture end");
    assert_eq!(known(&ended, 6, (class, told)), None);
    assert_eq!(known(&text.replace("t2: drop m0", "gc"), 5, (class, told)), None);
}

/// A free under a NO_DISPATCH capture leaves a dangling pointer in the list of its own mesh; a gc
/// that frees nothing leaves none.
#[test]
fn only_what_is_freed_dangles() {
    let m0 = "the process died when m0 was looked at";
    let crash = ("crash: SIGSEGV in tt::tt_metal::Buffer::address", m0);
    let free = Some("free-under-no-dispatch");
    let text = "open m0 1x1\nopen m1 1x1 at 0,1\nalloc b0 on m0 dram 1x2048\ncapture begin\ngc\n\
                cycle b0\ngc\n";
    assert_eq!((known(text, 5, crash), known(text, 7, crash)), (None, free));
    let shared = text.replace("cycle b0", "share b1 of b0\ncycle b0");
    assert_eq!(known(&shared, 8, crash), None, "b1 holds it");
    let other = (crash.0, "the process died when m1 was looked at");
    assert_eq!(known(text, 7, other), None);
    let class = "mismatch: a row of get_buffers";
    let zero = "the runtime says m0 row 0: dram at 0 of mesh 0, INTERLEAVED, 2048 a bank, the \
                model dram at 1048640 of mesh 0, INTERLEAVED, 2048 a bank";
    let moves = "open m0 1x1\nopen m1 1x1\nalloc b0 on m0 dram 1x2048\ncapture begin\n\
                 run k100 on m0 cbs 1x4096 reads b0 out b1 dram 1x2048 reallocate\n";
    assert_eq!(known(moves, 5, (class, zero)), free);
    assert_eq!(known(moves, 5, (class, &zero.replace(" at 0 of", " at 64 of"))), None);
    assert_eq!(known(moves, 5, (class, &zero.replace("m0 row 0", "m1 row 0"))), None);
    assert_eq!(known(&moves.replace("begin", "begin normal"), 5, (class, zero)), None);
    let closed = "open m0 1x1\nopen m1 1x1\nalloc b0 on m0 dram 1x2048\nclose m1\ngc\ncycle b0\n\
                  gc\n";
    let then = Some("close-then-free-on-another-mesh");
    assert_eq!((known(closed, 5, crash), known(closed, 7, crash)), (None, then));
}

/// What is shown of a mesh that goes in a capture are the programs in its own cache.
#[test]
fn a_mesh_without_programs_goes_in_a_capture() {
    let class = "crash: SIGSEGV in ttnn::graph::GraphProcessor::track_device";
    let text = "open m0 1x1\nopen m1 1x1 at 0,1\nalloc b0 on m0 dram 1x2048\n\
                run k0 on m0 cbs 3x4096 reads b0\ncapture begin normal\ndrop m0\n";
    let is = |text: &str, step| known(text, step, (class, "the process died"));
    assert_eq!(is(text, 6), Some("drop-mesh-in-capture"));
    assert_eq!(is(&text.replace("drop m0", "drop m1"), 6), None);
    assert_eq!(is(&text.replace("capture", "clear-cache m0\ncapture"), 7), None);
}

/// The first deviation of a case on a runtime with a fault, and its id.
fn deviates(
    text: &str,
    fault: fn(&Request, &mut Answer) -> bool,
) -> Option<(String, Option<&'static str>)> {
    let case = case(text);
    match run(&mut Played::new(Machine::T3k, fault), &case, &Check::default()) {
        Ran::Deviated(deviation) => {
            let known = Known::of(&case, &deviation).map(|known| known.id);
            Some((format!("{}; {}", deviation.class, deviation.detail), known))
        }
        Ran::Agreed(_) => None,
        Ran::Foreign => panic!("{text} can be asked"),
    }
}

/// A child that detaches leaves its parent's slot as it was: another figure there is no part of it.
#[test]
fn a_child_that_detaches_leaves_the_slot() {
    type Fault = fn(&Request, &mut Answer) -> bool;
    fn detach(answer: &mut Answer, off: u64) {
        if let Some(region) = answer.counters.get_mut(&4) {
            (region.references, region.total[0], region.chips[0]) = (0, 0, 0);
            region.processes[0] -= off;
            region.own[0] -= off;
        }
    }
    let as_known: Fault = |request, answer| {
        if matches!(request, Request::Fork { .. }) {
            detach(answer, 0);
        }
        false
    };
    let other: Fault = |request, answer| {
        if matches!(request, Request::Fork { .. }) {
            detach(answer, 64);
        }
        false
    };
    let text = "open m0 1x1\nalloc b0 on m0 dram 1x2048\nfork exit\n";
    let known = |fault| deviates(text, fault).and_then(|(_, known)| known);
    assert_eq!((known(as_known), known(other)), (Some("forked-child-detaches-counters"), None));
    assert_eq!(deviates(text, sound), None);
}

/// Counters that are known to be at 0 on one chip hide nothing of another.
#[test]
fn the_counters_of_every_chip_are_compared() {
    type Fault = fn(&Request, &mut Answer) -> bool;
    fn zero(answer: &mut Answer) {
        let is_closed = answer.meshes.get("m1").is_some_and(|seen| seen.closed.is_some());
        if let Some(region) = answer.counters.get_mut(&4).filter(|_| is_closed) {
            *region = Region::default();
        }
    }
    let as_known: Fault = |_, answer| {
        zero(answer);
        false
    };
    let more: Fault = |_, answer| {
        zero(answer);
        let is_there = !answer.buffers.is_empty();
        if let Some(region) = answer.counters.get_mut(&5).filter(|_| is_there) {
            region.own[0] = 64;
        }
        false
    };
    let text = "open m0 1x1\nopen m1 1x1 at 0,1\nclose m1\nalloc b0 on m0 dram 1x2048\n";
    let known = |fault| deviates(text, fault).and_then(|(_, known)| known);
    assert_eq!((known(as_known), known(more)), (CLOSES, None));
    let (told, _) = deviates(text, more).unwrap();
    assert!(told.contains("64 bytes of DRAM on chip 5"), "{told}");
}

/// A graph that never clears circular buffers is known by the very nodes that it is known to have.
#[test]
fn circular_buffers_are_known_by_their_nodes() {
    type Fault = fn(&Request, &mut Answer) -> bool;
    let text = "open m0 2x4\nalloc b0 on m0 dram 1x2048\ncapture begin normal\n\
                run k0 on m0 cbs 3x4096 reads b0 out b1 dram 1x2048\ncapture end\n";
    let known = |fault| deviates(text, fault).and_then(|(_, known)| known);
    let elsewhere: Fault = |_, answer| {
        let mut cleared = answer.nodes.iter_mut();
        if let Some(node) = cleared.find(|node| node.kind == "circular_buffer_deallocate_all") {
            node.params.insert("device_id".to_owned(), serde_json::json!(3));
        }
        false
    };
    assert_eq!((known(sound), known(elsewhere)), (Some("circular-buffers-not-cleared"), None));
}

/// A turned mesh is known by the chips at 0,0, and only where an offset was asked for.
#[test]
fn a_turned_mesh_lies_where_it_is_known_to() {
    let class = "mismatch: the chips of a mesh";
    let is = |at: &str, lies: &str, asked: &str| {
        let detail = format!("the runtime says m0 {lies}, the model {asked}");
        known(&format!("open m0 3x2{at}\n"), 1, (class, &detail))
    };
    let (first, asked) = ("[4, 5, 0, 1, 2, 3]", "[0, 1, 2, 3, 6, 7]");
    assert_eq!(is(" at 0,1", first, asked), Some("turned-mesh-ignores-offset"));
    assert_eq!(is(" at 0,1", "[4, 5, 0, 1, 2, 7]", asked), None, "other chips");
    assert_eq!(is("", asked, first), None, "it is at 0,0");
    let straight = "the runtime says m0 [4, 0, 5, 1], the model [0, 2, 1, 3]";
    assert_eq!(known("open m0 2x2 at 0,1\n", 1, (class, straight)), None, "it is not turned");
}

/// Programs have lines off the first row, turned meshes and such as fit nowhere, and those that
/// keep their promises close and empty meshes.
#[test]
fn programs_open_meshes_everywhere_and_close_them() {
    let mut counts = BTreeMap::new();
    for case in (0..600).map(|seed| program(Machine::T3k, seed)) {
        let setup = Setup::on(Machine::T3k);
        let mut held = 0_u32;
        for (_, op) in &case.ops {
            let what = match op {
                Op::Open { shape, at, .. } => match setup.placed(*shape, *at) {
                    Err(_) => "nowhere",
                    Ok(_) if setup.turned(*shape, *at, *at).is_some() => "turned",
                    Ok(_) if shape.rows.min(shape.columns) == 1 && at.0 == 1 => "line",
                    Ok(_) => "other",
                },
                Op::Close(_) => "close",
                Op::DeallocateAll(_) => "empty",
                _ => continue,
            };
            held += 1;
            *counts.entry(what).or_insert(0_u32) += 1;
        }
        assert!(held > 0, "no mesh is opened");
    }
    let words: Vec<&str> = counts.keys().copied().collect();
    assert_eq!(words, ["close", "empty", "line", "nowhere", "other", "turned"]);
    assert!(counts.values().all(|&count| count >= 5), "{counts:?}");
}
