//! That a known divergence is known by its own operation, subject and message, and hides nothing.

use super::*;
use crate::scenario::SetupLine;

pub fn known(text: &str, step: usize, (class, detail): (&str, &str)) -> Option<&'static str> {
    let (class, detail) = (class.to_owned(), detail.to_owned());
    let deviation = Deviation { step, class, detail };
    Known::of(&case(text), &deviation).map(|known| known.id)
}

/// Each with a twin that has the same operations before it, and is not the same.
#[test]
#[allow(clippy::too_many_lines, reason = "a table")]
fn a_known_divergence_is_its_own_operation_and_message() {
    let view = "open m0 1x1\nalloc b0 on m0 dram 1x2048\nshare b1 of b0\n\
                alloc b2 on m0 dram 1x2048\ndeallocate b0\nuse b2\n";
    let gone = "oracle: no-block";
    let outlives = Some("view-outlives-memory");
    assert_eq!(known(view, 5, (gone, "b1 is allocated at 1 and no block is there")), outlives);
    assert_eq!(known(view, 5, (gone, "b2 is allocated at 1 and no block is there")), None);
    assert_eq!(known(view, 6, (gone, "b1 is allocated at 1 and no block is there")), None);

    let moved = "open m0 1x1\nalloc b0 on m0 dram 1x2048\nalloc b2 on m0 dram 1x64\nclose m0\n\
                 run k100 on m0 cbs 1x4096 reads b0 out b1 dram 1x2048 move\n\
                 run k13 on m0 cbs 3x8192 reads b2 out b3 dram 1x64\n";
    let raised = "the call raised `SubDeviceManagerTracker is not initialized on MeshDevice 0. ..`";
    let failed = ("oracle: failed-call", raised);
    assert_eq!(known(moved, 5, failed), Some("failed-move-loses-its-tensor"));
    assert_eq!(known(moved, 6, failed), None, "an addition that fails");
    assert_eq!(known(moved, 5, ("oracle: failed-call", "the call raised `another`")), None);

    let read = "open m0 1x1\nalloc b0 on m0 dram 1x2048\nalloc b1 on m0 dram 1x2048\n\
                deallocate b0\nuse b0\nuse b1\n";
    let class = "crash: SIGSEGV in tt::tt_metal::distributed::MeshDevice::mesh_command_queue";
    assert_eq!(known(read, 5, (class, "")), Some("read-after-deallocate"));
    assert_eq!(known(read, 6, (class, "")), None, "a tensor that is allocated");

    let bulk = "open m0 1x2\nsubmesh m1 of m0 1x1\nalloc b0 on m0 dram 1x2048\n\
                deallocate-all m0\nuse b0\n";
    let (reports, unreported) = ("oracle: reports-disagree", Some("bulk-free-unreported"));
    assert_eq!(known(bulk, 4, (reports, "m0 has blocks of dram")), unreported);
    assert_eq!(known(bulk, 4, (reports, "m1 has blocks of dram")), None);
    assert_eq!(known(bulk, 5, (reports, "m0 has blocks of dram")), None);

    let closed = "open m0 1x1\nopen m1 1x1\nclose m1\nopen m2 1x1 at 0,1\nclose m0\nclose m2\n";
    let class = "mismatch: whether a mesh is closed";
    let told = |mesh: &str| format!("the runtime says {mesh} 0, the model 1");
    assert_eq!(known(closed, 5, (class, &told("m0"))), Some("close-is-ignored"));
    let later = closed.replace("close m0\n", "");
    assert_eq!(known(&later, 5, (class, &told("m2"))), None, "it was opened afterwards");
    let apart = "open m0 1x1\nopen m1 1x1 at 0,3\nclose m1\nclose m0\n";
    assert_eq!(known(apart, 4, (class, &told("m0"))), Some("close-is-ignored"));
    assert_eq!(known(closed, 5, (class, &told("m2"))), None);
    let crash = "crash: SIGSEGV in tt::tt_metal::AllocatorImpl::get_alignment";
    let uses = "open m0 1x1\nopen m1 1x1\nclose m1\nopen m2 1x1 at 0,1\n\
                alloc b0 on m0 dram 1x2048\nrun k0 on m0 cbs 3x4096 reads b0\n";
    assert_eq!(known(uses, 6, (crash, "")), Some("close-ends-another-mesh"));
    let others = uses.replace("close m1\n", "");
    assert_eq!(known(&others, 5, (crash, "")), None, "nothing was closed");
    let reopened = "open m0 1x1\nclose m0\nopen m1 1x1\nalloc b0 on m1 dram 1x2048\ndrop b0\n";
    assert_eq!(known(reopened, 4, (crash, "")), None, "one after the other");
    let dangling = "crash: SIGSEGV in tt::tt_metal::Buffer::address";
    let m0 = "the process died when m0 was looked at";
    assert_eq!(known(reopened, 5, (dangling, m0)), None);

    let hooked = "open m0 1x1\nalloc b0 on m0 dram 1x2048\ncapture begin\n\
                  alloc b1 on m0 dram 1x2048\ndrop b1\ndrop b0\n";
    assert_eq!(known(hooked, 6, (dangling, m0)), Some("free-under-no-dispatch"));
    assert_eq!(known(hooked, 6, (dangling, "the process died")), None, "in the call itself");
    assert_eq!(known(hooked, 5, (dangling, m0)), None, "it has no memory");
    let leaks = "oracle: orphan-block";
    assert_eq!(known(hooked, 6, (leaks, "")), Some("free-under-no-dispatch"));
    assert_eq!(known(&hooked.replace("begin", "begin normal"), 6, (leaks, "")), None);
    let ends = "open m0 1x1\ncapture begin normal\ncapture end\ncapture end\n";
    let class = "crash: SIGSEGV in ttnn::graph::GraphProcessor::end_graph_capture";
    assert_eq!(known(ends, 4, (class, "")), Some("capture-ended-twice"));
    assert_eq!(known(ends, 3, (class, "")), None);

    let threads = "t1: open m0 1x1\nt1: alloc b0 on m0 dram 1x2048\nalloc b1 on m0 dram 1x2048\n";
    let (of_a_thread, missing) = (Some("counters-are-of-a-thread"), ("oracle: not-counted", ""));
    assert_eq!(known(threads, 3, missing), of_a_thread);
    assert_eq!(known(threads, 2, missing), None, "the thread that opened the mesh");
    assert_eq!(known(threads, 3, ("mismatch: the counters", "")), None, "each number is modelled");
    let later = "open m0 1x1\ndrop m0\nt1: open m1 1x1\nt1: alloc b0 on m1 dram 1x2048\n";
    assert_eq!(known(later, 4, missing), of_a_thread, "the first of the process counts");
    let ended = "open m0 1x1\ncapture end\nalloc b0 on m0 dram 1x2048\n";
    assert_eq!(known(ended, 3, missing), Some("capture-end-stops-counters"));
    assert_eq!(known(&ended.replace("capture end", "capture begin"), 3, missing), None);

    let before = "capture begin normal\nopen m0 1x1\ncapture end\ncapture end\n";
    let class = "oracle: capture-does-not-end";
    let told = "a capture goes on, whose end raises `'NoneType' object is not iterable`";
    assert_eq!(known(before, 3, (class, told)), Some("capture-begun-before-open"));
    assert_eq!(known(before, 3, (class, "a capture goes on, whose end raises `other`")), None);
    assert_eq!(known(before, 4, (class, told)), None, "the second end is the capture's");

    let killed = "open m0 1x1\nkill q0\nopen m0 1x1\nalloc b0 on m0 dram 1x2048\n\
                  t1: alloc b1 on m0 dram 1x4096\ndeallocate b1\nclose m0\n";
    let (class, sums) = ("oracle: counters-disagree", "the counters of chip 4 are ..");
    let modelled = format!("{sums}, as modelled");
    assert_eq!(known(killed, 6, (class, &modelled)), Some("counters-held-at-zero"));
    assert_eq!(known(killed, 6, (class, sums)), None, "other figures than the known ones");
    assert_eq!(known(killed, 7, (class, &modelled)), Some("closed-chip-still-counted"));
    let alive = killed.replace("kill q0", "close m0");
    assert_eq!(known(&alive, 6, (class, &modelled)), None, "nobody else is attached");

    let run = "open m0 1x1\nalloc b0 on m0 dram 1x2048\nrun k0 on m0 cbs 3x4096 reads b0\n\
               capture begin normal\ndrop m0\n";
    let class = "crash: SIGSEGV in ttnn::graph::GraphProcessor::track_device";
    assert_eq!(known(run, 5, (class, "")), Some("drop-mesh-in-capture"));
    assert_eq!(known(&run.replace("capture begin normal", "gc"), 5, (class, "")), None);
    assert_eq!(known(&run.replace("drop m0", "drop b0"), 5, (class, "")), None);
}

/// A number beside a known divergence is held against what that divergence comes to: one that is
/// off is new, at the same step and at those after it.
#[test]
fn a_wrong_number_beside_a_known_divergence_is_seen() {
    type Fault = fn(&Request, &mut Answer) -> bool;
    fn off(answer: &mut Answer) {
        if let Some(region) = answer.counters.get_mut(&4) {
            for of in [&mut region.own, &mut region.total, &mut region.chips, &mut region.processes]
            {
                of[0] += 64;
            }
        }
    }
    let at_once: Fault = |_, answer| {
        if answer.buffers.contains_key("b1") {
            off(answer);
        }
        false
    };
    let later: Fault = |request, answer| {
        if matches!(request, Request::Gc) {
            off(answer);
        }
        false
    };
    let texts = [
        "open m0 1x1\nalloc b0 on m0 dram 1x2048\nt1: alloc b1 on m0 dram 1x2048\ngc\n",
        "open m0 1x1\ncapture end\nalloc b1 on m0 dram 1x2048\ngc\n",
        "capture begin normal\nopen m0 1x1\ncapture end\nalloc b1 on m0 dram 1x2048\ngc\n",
    ];
    for text in texts {
        let known = class(text, sound).unwrap();
        assert!(known.starts_with("oracle: "), "{known}");
        assert_eq!(class(text, at_once).as_deref(), Some("mismatch: the counters"), "{text}");
        assert_eq!(class(text, later).as_deref(), Some("mismatch: the counters"), "{text}");
    }
}

/// What is wrong besides a known divergence, at the same step or after one that only reports are
/// wrong in, is seen.
#[test]
fn a_known_divergence_hides_nothing() {
    type Fault = fn(&Request, &mut Answer) -> bool;
    // On two chips the graph never clears the circular buffers: that is known, and not all.
    let text = "open m0 2x4\nalloc b0 on m0 dram 1x2048\ncapture begin normal\n\
                run k0 on m0 cbs 3x4096 reads b0 out b1 dram 1x2048\ncapture end\n\
                alloc b2 on m0 dram 1x2048\n";
    assert_eq!(class(text, sound).as_deref(), Some("oracle: circular-buffers-not-cleared"));
    let garbled: Fault = |_, answer| {
        for node in answer.nodes.iter_mut().filter(|node| node.kind == "buffer_allocate") {
            node.params.insert("size".to_owned(), serde_json::json!(1));
        }
        false
    };
    assert_eq!(class(text, garbled).as_deref(), Some("mismatch: a node of the graph"));
    let later: Fault = |request, answer| {
        if matches!(request, Request::Alloc { name, .. } if name == "b2") {
            answer.buffers.insert("b2".to_owned(), (true, Address::At(64)));
        }
        false
    };
    assert_eq!(class(text, later).as_deref(), Some("oracle: no-block"));
}

/// A case that shows something new is not minimised to one that shows something known of the same
/// class, and the other way round.
#[test]
fn the_reducer_does_not_slide_into_what_is_known() {
    use crate::search::aim::Subject;
    // Reading any deallocated tensor dies, and so does reading one named b9.
    let dies: fn(&Request, &mut Answer) -> bool =
        |request, answer| matches!(request, Request::Use { name } if name == "b9" || !answer.ok);
    let class = "crash: SIGSEGV in tt::tt_metal::distributed::MeshDevice::mesh_command_queue";
    let [known, new] = ["deallocate b9\nuse b9\n", "deallocate b0\nuse b9\n"].map(|end| {
        case(&format!("open m0 2x4\nalloc b0 on m0 dram 1x2048\nalloc b9 on m0 dram 1x2048\n{end}"))
    });
    let symbol = || class.strip_prefix("crash: SIGSEGV in ").unwrap().to_owned();
    let mut played = Named { played: Played::new(Machine::T3k, dies), symbol };
    let (detail, check) = (String::new(), Check::default());
    let deviation = Deviation { step: 5, class: class.to_owned(), detail };
    let mut subject = Real::new(&mut played, (&new, &deviation), &check, false);
    assert_eq!((subject.fails(&new), subject.fails(&known)), (Some(5), None));
    let mut subject = Real::new(&mut played, (&known, &deviation), &check, false);
    assert_eq!((subject.fails(&new), subject.fails(&known)), (None, Some(5)));
}

/// A runtime that dies in a function of another name.
struct Named<F> {
    played: Played,
    symbol: F,
}

impl<F: Fn() -> String> Runtime for Named<F> {
    fn ask(&mut self, request: &Request) -> Result<Answer, Death> {
        let symbol = Some((self.symbol)());
        self.played.ask(request).map_err(|death| Death { symbol, ..death })
    }

    fn machine(&self) -> Machine {
        self.played.machine()
    }

    fn restart(&mut self) {
        self.played.restart();
    }
}

/// Every known divergence has a scenario that can be asked, a script, and an id of its own.
#[test]
fn known_divergences_are_well_formed() {
    let mut ids = std::collections::BTreeSet::new();
    for known in &KNOWN {
        assert!(ids.insert(known.id), "{} is there twice", known.id);
        let case = Case::of(&known.scenario.parse::<Scenario>().unwrap());
        let machine = case.start().machine;
        assert!(matches!(case.setup.first(), Some(SetupLine::Machine(_))), "{machine}");
        // As it was seen: the class and the facts stand above the saved scenario.
        let folder = concat!(env!("CARGO_MANIFEST_DIR"), "/runtime/divergences/");
        let seen = std::fs::read_to_string(format!("{folder}{}.scenario", known.id)).unwrap();
        let mut facts = seen.lines().filter_map(|line| line.strip_prefix("# "));
        let [class, detail] = [(); 2].map(|()| facts.next().unwrap_or_default().to_owned());
        let deviation = Deviation { step: case.ops.len(), class, detail };
        let found = Known::of(&case, &deviation).map(|found| found.id);
        assert_eq!(found, Some(known.id), "{deviation:?}");
        assert!(case.ops.len() <= 6, "{}", known.id);
        let (text, calls) = script(&case, &deviation, VERSION);
        assert_eq!(calls, case.ops.len(), "{}: each line is a call", known.id);
        let saved = std::fs::read_to_string(format!("{folder}{}.py", known.id)).unwrap();
        let calls = |text: &str| -> Vec<String> {
            text.lines().filter(|line| line.starts_with("step(")).map(str::to_owned).collect()
        };
        assert_eq!(calls(&saved), calls(&text), "{}", known.id);
        let all = std::fs::read_to_string(concat!(env!("CARGO_MANIFEST_DIR"), "/docs/findings.md"));
        assert!(all.unwrap().contains(known.id), "docs/findings.md says nothing of {}", known.id);
    }
}
