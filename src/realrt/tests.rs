//! The lane without a runtime: the model plays it, and faults are put into its answers.

#![allow(clippy::unwrap_used, reason = "a test that cannot read its input has failed")]

mod divergences;
mod neighbours;
mod played;
mod reports;
mod together;

use std::collections::BTreeMap;
use std::path::PathBuf;
use std::time::Duration;

use super::*;
use crate::allocator::Machine;
use crate::op::Handle;
use crate::runtime::Setup;
use crate::scenario::{Case, Scenario};
use played::Played;

fn sound(_: &Request, _: &mut Answer) -> bool {
    false
}

fn case(text: &str) -> Case {
    Case::of(&format!("freeorder 1\n{text}").parse::<Scenario>().unwrap())
}

fn class(text: &str, fault: fn(&Request, &mut Answer) -> bool) -> Option<String> {
    let ran = run(&mut Played::new(Machine::T3k, fault), &case(text), &Check::default());
    match ran {
        Ran::Agreed(_) => None,
        Ran::Deviated(deviation) => Some(deviation.class),
        Ran::Foreign => panic!("{text} can be asked"),
    }
}

/// The way to requests and the way back agree: what the model plays is what the model expects.
#[test]
fn the_model_agrees_with_itself_on_every_machine() {
    for machine in Machine::ALL {
        let mut played = Played::new(machine, sound);
        let mut calls = 0;
        for seed in 0..60 {
            let case = program(machine, seed);
            match run(&mut played, &case, &Check::default()) {
                Ran::Agreed(count) => calls += count,
                // What the oracles object to the model does too; but it does not contradict itself.
                Ran::Deviated(deviation) => {
                    let text = case.scenario();
                    assert!(deviation.class.starts_with("oracle"), "{seed}: {deviation:?}\n{text}");
                }
                Ran::Foreign => panic!("seed {seed} draws what cannot be asked"),
            }
        }
        assert!(calls > 300, "{machine}: {calls}");
    }
}

/// "A planted divergence is found and minimised to at most 3 operations."
#[test]
fn a_wrong_rounding_is_found_and_minimised() {
    let check = Check { plant: Plant::Rounding, ..Check::default() };
    let hunt = Hunt {
        machine: Machine::T3k,
        seeds: 0..20,
        deadline: None,
        minimize_for: Duration::from_secs(60),
        check,
        forget_known: true,
        interrupted: &|| false,
    };
    let found = hunt.run(&mut [Played::new(Machine::T3k, sound)]);
    let table = &found.findings["mismatch: the block table"];
    assert!(table.reproducible && table.case.ops.len() <= 3, "{}", table.case.scenario());
    let (text, calls) = script(&table.case, &table.deviation, "0");
    assert!(calls <= 3 && text.contains("ttnn.allocate_tensor_on_device("), "{text}");
}

/// Each oracle on real answers fires on a fault, and is silent on the same program without it.
#[test]
#[allow(clippy::too_many_lines, reason = "a table of faults")]
fn each_oracle_fires_on_its_fault() {
    let two =
        "open m0 2x4\nalloc b0 on m0 dram 1x2048\nalloc b1 on m0 dram 1x2048\ndeallocate b0\n";
    type Fault = fn(&Request, &mut Answer) -> bool;
    let faults: [(&str, &str, Fault); 6] = [
        ("oracle: no-block", two, |_, answer| {
            if let Some(seen) = answer.meshes.get_mut("m0").filter(|_| answer.buffers.len() == 2) {
                seen.tables.get_mut("dram").unwrap().pop();
                seen.buffers.pop();
            }
            false
        }),
        ("oracle: orphan-block", two, |_, answer| {
            if let Some(seen) = answer.meshes.get_mut("m0").filter(|_| answer.buffers.len() == 2) {
                seen.tables.get_mut("dram").unwrap().push((1 << 20, 2048));
                let row = seen.buffers.last().unwrap().clone();
                let address = Setup::on(Machine::T3k).memory.dram.offset.0 + (1 << 20);
                seen.buffers.push(BufferSeen { address, ..row });
            }
            false
        }),
        ("oracle: reports-disagree", two, |_, answer| {
            if let Some(seen) = answer.meshes.get_mut("m0") {
                let kind = "l1".to_owned();
                seen.buffers.push(BufferSeen { kind, ..BufferSeen::default() });
            }
            false
        }),
        ("oracle: touches-other", two, |request, answer| {
            if matches!(request, Request::Deallocate { .. }) {
                answer.buffers.insert("b1".to_owned(), (false, Address::Nowhere(())));
            }
            false
        }),
        ("oracle: failed-call", two, |request, answer| {
            if matches!(request, Request::Deallocate { .. }) {
                answer.ok = false;
            }
            false
        }),
        ("crash: SIGSEGV in tt::f", two, |request, _| {
            matches!(request, Request::Deallocate { .. })
        }),
    ];
    for (expected, text, fault) in faults {
        assert_eq!(class(text, fault).as_deref(), Some(expected));
        assert_eq!(class(text, sound), None);
    }
    let frees: Fault = |request, answer| {
        if matches!(request, Request::Deallocate { .. }) {
            answer.meshes.get_mut("m0").unwrap().tables.get_mut("dram").unwrap().clear();
            answer.meshes.get_mut("m0").unwrap().buffers.clear();
        }
        false
    };
    assert_eq!(class(two, frees).as_deref(), Some("oracle: frees-anothers"));
    let read = "open m0 2x4\nalloc b0 on m0 dram 1x2048\ndeallocate b0\nuse b0\n";
    let reads: Fault = |request, answer| {
        answer.ok |= matches!(request, Request::Use { .. });
        false
    };
    assert_eq!(class(read, reads).as_deref(), Some("oracle: use-after-free"));
    assert_eq!(class(read, sound), None);
    let raises: Fault = |_, answer| {
        answer.error.push('!');
        false
    };
    assert_eq!(class(read, raises).as_deref(), Some("mismatch: what use raises"));
    let hooked = "open m0 2x4\ncapture begin\nalloc b0 on m0 dram 1x2048\ncapture end\nuse b0\n";
    assert_eq!(class(hooked, sound).as_deref(), Some("oracle: use-of-nothing"));
    assert_eq!(class(&hooked.replace("capture end\n", ""), sound), None);
    // A move that fails, and a capture within another: both are what the runtime does.
    let lost = "open m0 2x4\nalloc b0 on m0 dram 1x2048\nclose m0\n\
                run k100 on m0 cbs 1x4096 reads b0 out b1 dram 1x2048 move\n";
    assert_eq!(class(lost, sound).as_deref(), Some("oracle: failed-call"));
    assert_eq!(class(&lost.replace("close m0\n", ""), sound), None);
    let nowhere: Fault = |request, answer| {
        if *request == Request::CaptureEnd {
            let params = BTreeMap::from([("address".to_owned(), serde_json::json!("0"))]);
            let kind = "circular_buffer_allocate".to_owned();
            answer.nodes.push(Node { kind, params, ..Node::default() });
        }
        false
    };
    let inner = "open m0 2x4\ncapture begin normal\ncapture begin\ncapture end\n";
    let shown = |text: &str| {
        let check = Check { known: Some("inner-capture-shows-twice"), ..Check::default() };
        match run(&mut Played::new(Machine::T3k, nowhere), &case(text), &check) {
            Ran::Deviated(deviation) => deviation.class,
            ran => panic!("{ran:?}"),
        }
    };
    assert_eq!(shown(inner), "oracle: circular-buffers-nowhere");
    let nothing_runs = inner.replace(" normal", "");
    assert_eq!(shown(&nothing_runs), "mismatch: a node of the graph");
    assert_eq!(class(inner, sound), None);
    let uncounted: Fault = |_, answer| {
        answer.counters.values_mut().for_each(|region| {
            *region = Region { references: region.references, ..Region::default() };
        });
        false
    };
    let check = Check { only: Some("oracle: not-counted".to_owned()), ..Check::default() };
    let found = |text: &str| run(&mut Played::new(Machine::T3k, uncounted), &case(text), &check);
    let alone = "open m0 2x4\nalloc b0 on m0 dram 1x2048\n";
    let Ran::Deviated(deviation) = found(alone) else { panic!("{alone}") };
    assert_eq!(Known::of(&case(alone), &deviation).map(|known| known.id), None);
    let endless: Fault = |request, answer| {
        answer.ok &= *request != Request::CaptureEnd;
        false
    };
    let captured = "open m0 2x4\ncapture begin normal\ncapture end\n";
    assert_eq!(class(captured, endless).as_deref(), Some("oracle: capture-does-not-end"));
    assert_eq!(class(captured, sound), None);
    let bulk = "open m0 2x4\nalloc b0 on m0 dram 1x2048\ndeallocate-all m0\n\
                alloc b1 on m0 dram 1x2048\n";
    let check = Check { only: Some("oracle: overlap".to_owned()), ..Check::default() };
    let ran = run(&mut Played::new(Machine::T3k, sound), &case(bulk), &check);
    assert!(matches!(ran, Ran::Deviated(deviation) if deviation.class == "oracle: overlap"));
}

/// Calls go to the threads of the scenario, also while a capture of another goes on: captures are
/// of a thread.
#[test]
fn calls_are_made_on_the_threads_of_the_scenario() {
    let text = "t1: open m0 2x4\nt1: alloc b0 on m0 dram 1x2048\nt2: capture begin normal\n\
                t2: drop b0\nt2: capture end\n";
    assert_eq!(class(text, sound), None);
    let elsewhere: fn(&Request, &mut Answer) -> bool = |request, _| {
        matches!(request, Request::On { thread, request }
            if thread == "t2" && matches!(**request, Request::Drop { .. }))
    };
    assert_eq!(class(&text.replace("t2: drop", "t1: drop"), sound), None);
    // A capture keeps from the device what its own thread does, and nothing else.
    let hooked = "t2: open m0 2x4\nt2: capture begin\nt2: alloc b0 on m0 dram 1x2048\n";
    let nowhere: fn(&Request, &mut Answer) -> bool = |_, answer| {
        for (_, address) in answer.buffers.values_mut() {
            *address = Address::At(0);
        }
        false
    };
    assert_eq!((class(hooked, sound), class(hooked, nowhere)), (None, None));
    let left = hooked.replace("t2: alloc", "t1: alloc");
    assert_eq!(class(&left, nowhere).as_deref(), Some("oracle: orphan-block"));
    assert_eq!(class(text, elsewhere).as_deref(), Some("crash: SIGSEGV in tt::f"));
    let deviation = Deviation { step: 5, class: String::new(), detail: String::new() };
    let (script, calls) = script(&case(text), &deviation, "0");
    assert!(calls == 5 && script.contains("step(\"on(\\\"t2\\\", "), "{script}");
}

/// After a process was killed the next one knows nothing of it: neither names nor counts.
#[test]
fn what_follows_a_kill_is_a_new_process() {
    let text = "open m0 2x4\nalloc b0 on m0 dram 1x2048\nkill q0\ndrop b0\nopen m0 2x4\n\
                alloc b0 on m0 dram 2x2048\n";
    // What is left of the first one is in the counters, to the byte.
    assert_eq!(class(text, sound).as_deref(), Some("oracle: counts-of-the-dead"));
    assert_eq!(class(&text.replace("alloc b0 on m0 dram 1x2048\n", ""), sound), None);
    let returned: fn(&Request, &mut Answer) -> bool = |request, answer| {
        if matches!(request, Request::Alloc { shape, .. } if shape.last() == Some(&64)) {
            answer.counters.values_mut().for_each(|region| region.total[0] = region.own[0]);
        }
        false
    };
    assert_eq!(class(text, returned).as_deref(), Some("oracle: counters-disagree"));
    let stale: fn(&Request, &mut Answer) -> bool = |_, answer| {
        if let Some(seen) = answer.meshes.get_mut("m0").filter(|seen| seen.id == 0) {
            seen.id = u32::from(!seen.tables["dram"].is_empty());
            seen.buffers.iter_mut().for_each(|row| row.device = seen.id);
        }
        false
    };
    assert_eq!(class(text, stale).as_deref(), Some("mismatch: the mesh id"));
    let deviation = Deviation { step: 6, class: String::new(), detail: String::new() };
    let (script, calls) = script(&case(text), &deviation, "0");
    assert!(calls == 5 && script.contains("step(\"kill()\")"), "{script}");
}

/// A fork changes nothing here, and its child exits with 0 however it does; both are asked, and of
/// the thread that ends the process.
#[test]
fn a_fork_changes_nothing_and_its_child_ends() {
    let text = "open m0 2x4\nalloc b0 on m0 dram 1x2048\nt1: fork exit\nfork _exit\n";
    type Fault = fn(&Request, &mut Answer) -> bool;
    let faults: [(Option<&str>, Fault); 6] = [
        (None, sound),
        (Some("crash of a child: no answer"), |request, answer| {
            let is_one = matches!(request, Request::Fork { end: "exit" });
            answer.child = Some(ChildSeen::default()).filter(|_| is_one);
            false
        }),
        (Some("crash of a child: exit code 7"), |_, answer| {
            answer.child.iter_mut().for_each(|child| child.code = Some(7));
            false
        }),
        (Some("crash of a child: SIGSEGV in tt::f"), |_, answer| {
            let trace = "/v/ttnn/build/lib/libtt_metal.so(_ZN2tt1fEv+0x4)[0x7f]".to_owned();
            answer.child =
                answer.child.take().map(|_| ChildSeen { code: None, signal: Some(11), trace });
            false
        }),
        (Some("oracle: touches-other"), |request, answer| {
            if matches!(request, Request::Fork { .. }) {
                answer.buffers.insert("b0".to_owned(), (false, Address::Nowhere(())));
            }
            false
        }),
        (Some("oracle: touches-other"), |request, answer| {
            if let (Request::Fork { .. }, Some(seen)) = (request, answer.meshes.get_mut("m0")) {
                seen.closed = Some("closed".to_owned());
            }
            false
        }),
    ];
    for (expected, fault) in faults {
        assert_eq!(class(text, fault).as_deref(), expected);
    }
    let deviation = Deviation { step: 4, class: String::new(), detail: String::new() };
    let (script, calls) = script(&case(text), &deviation, "0");
    assert!(calls == 4 && script.contains("step(\"fork(sys.exit)\")"), "{script}");
    assert!(script.contains("step(\"fork(os._exit)\")"), "{script}");
}

/// What programs are drawn for is in them: forks of both kinds, and views that are moved.
#[test]
fn programs_fork_and_move_views() {
    let mut counts = BTreeMap::new();
    for case in (0..300).map(|seed| program(Machine::T3k, seed)) {
        let mut views = std::collections::BTreeSet::new();
        if matches!(case.ops[0].1, Op::Capture(_)) {
            *counts.entry("capture before open".to_owned()).or_insert(0_u32) += 1;
        }
        for (_, op) in &case.ops {
            let what = match op {
                Op::Share { buffer, .. } => {
                    views.insert(*buffer);
                    continue;
                }
                Op::Drop(Handle::Buffer(name)) | Op::Cycle(name) => {
                    views.remove(name);
                    continue;
                }
                Op::Fork(_) => word(op),
                Op::Run(run) if run.moves.is_some() && views.contains(&run.reads[0]) => {
                    "move a view".to_owned()
                }
                _ => continue,
            };
            *counts.entry(what).or_insert(0_u32) += 1;
        }
    }
    let words: Vec<&str> = counts.keys().map(String::as_str).collect();
    assert_eq!(words, ["capture before open", "fork-_exit", "fork-exit", "move a view"]);
    assert!(counts.values().all(|&count| count >= 3), "{counts:?}");
}

/// What cannot be asked is said to be so, and never taken for agreement.
#[test]
fn foreign_operations_are_told_apart() {
    for op in [
        "kill q1",
        "process q1",
        "alias b1 of b0",
        "alloc b1 on m0 dram 1x2048 top",
        "run k0 on m0 reads b0",
    ] {
        let text = format!("open m0 2x4\nalloc b0 on m0 dram 1x2048\n{op}\n");
        let ran = run(&mut Played::new(Machine::T3k, sound), &case(&text), &Check::default());
        assert_eq!(ran, Ran::Foreign, "{op}");
    }
    assert_eq!(class("open m0 2x4\nuse b7\ndrop m3\n", sound), None);
    // The cache tells shapes apart: a key of another shape's, or of a view, says nothing.
    let two = "open m0 2x4\nalloc b0 on m0 dram 1x2048\nalloc b1 on m0 dram 2x2048\n\
               share b2 of b0\nrun k100 on m0 cbs 1x4096 reads b0 out b3 dram 1x2048 move\n";
    assert_eq!(class(two, sound), None);
    let view = "run k101 on m0 cbs 1x4096 reads b2 out b4 dram 1x2048 move\n";
    assert_eq!(class(&format!("{two}{view}"), sound), None);
    for run in [
        "run k100 on m0 cbs 1x4096 reads b1 out b4 dram 2x2048 move",
        "run k101 on m0 cbs 1x4096 reads b0 out b4 dram 1x2048 move",
        "run k100 on m0 cbs 1x4096 reads b2 out b4 dram 1x2048 move",
    ] {
        let case = case(&format!("{two}{run}\n"));
        let ran = super::run(&mut Played::new(Machine::T3k, sound), &case, &Check::default());
        assert_eq!(ran, Ran::Foreign, "{run}");
    }
}

/// The runtime leaves files where it runs: never in the folder that the user is in.
#[test]
fn the_runtime_runs_in_the_folder_of_its_environment() {
    let home = PathBuf::from("/home/of/the/runtime");
    let installation = Installation { python: PathBuf::from("python3"), home: home.clone() };
    let command = installation.command(Machine::T3k);
    assert_eq!(command.get_current_dir(), Some(home.as_path()));
}
