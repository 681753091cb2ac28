//! What the runtime reports besides addresses: each part is held against the model and against the
//! others, so that a fault in any of them is seen.

use serde_json::json;

use super::*;

type Fault = fn(&Request, &mut Answer) -> bool;
type Change = fn(&mut BufferSeen);

/// A capture with everything in it: a tensor that was there before, one that comes and goes, and a
/// program.
const CAPTURED: &str = "open m0 1x1\nalloc b0 on m0 dram 5x2048\ncapture begin normal\n\
    alloc b1 on m0 l1 3x2048\nalloc b2 on m0 dram 2x70\n\
    run k0 on m0 cbs 3x4096 reads b0 out b3 dram 5x2048\ndeallocate b1\ndeallocate b0\n\
    capture end\n";

/// The node of a kind that comes `nth`, if a capture has ended.
fn node<'a>(answer: &'a mut Answer, kind: &str, nth: usize) -> Option<&'a mut Node> {
    answer.nodes.iter_mut().filter(|node| node.kind == kind).nth(nth)
}

fn set(answer: &mut Answer, (kind, nth): (&str, usize), fact: &str, value: serde_json::Value) {
    if let Some(node) = node(answer, kind, nth) {
        assert!(node.params.insert(fact.to_owned(), value).is_some(), "{fact} is a fact");
    }
}

const TAKEN: (&str, usize) = ("buffer_allocate", 0);
const GIVEN: (&str, usize) = ("buffer_deallocate", 0);
const PLACED: (&str, usize) = ("circular_buffer_allocate", 1);

/// Each fact of each node of a graph, each node's being there, and their order.
#[test]
#[allow(clippy::too_many_lines, reason = "a table of faults")]
fn a_fault_in_any_node_of_a_graph_is_seen() {
    let graph = "mismatch: a node of the graph";
    let blocks = "oracle: graph-blocks";
    let faults: [(&str, Fault); 22] = [
        (blocks, |_, answer| {
            answer.nodes.retain(|node| node.kind != "buffer_allocate");
            false
        }),
        (blocks, |_, answer| {
            answer.nodes.retain(|node| node.kind != "buffer_deallocate");
            false
        }),
        (graph, |_, answer| {
            answer.nodes.retain(|node| node.kind != "circular_buffer_allocate");
            false
        }),
        (graph, |_, answer| {
            answer.nodes.retain(|node| node.kind != "circular_buffer_deallocate_all");
            false
        }),
        (blocks, |_, answer| {
            let again = answer.nodes.iter().find(|node| node.kind == "buffer_deallocate").cloned();
            answer.nodes.extend(again);
            false
        }),
        (blocks, |_, answer| {
            set(answer, TAKEN, "address", json!(1_497_088 - 4096));
            false
        }),
        (blocks, |_, answer| {
            set(answer, GIVEN, "address", json!(7));
            false
        }),
        (graph, |_, answer| {
            set(answer, TAKEN, "size", json!(1));
            false
        }),
        (blocks, |_, answer| {
            set(answer, TAKEN, "device_id", json!(99));
            false
        }),
        (blocks, |_, answer| {
            set(answer, TAKEN, "buffer_type", json!(0));
            false
        }),
        (graph, |_, answer| {
            set(answer, TAKEN, "page_size", json!(4096));
            false
        }),
        (graph, |_, answer| {
            set(answer, TAKEN, "layout", json!("HEIGHT_SHARDED"));
            false
        }),
        (graph, |_, answer| {
            set(answer, GIVEN, "num_cores", json!(1));
            false
        }),
        (graph, |_, answer| {
            set(answer, GIVEN, "max_size_per_bank", json!(4096));
            false
        }),
        (graph, |_, answer| {
            set(answer, ("buffer", 1), "size", json!(4096));
            false
        }),
        (graph, |_, answer| {
            set(answer, PLACED, "address", json!("0x19d60"));
            false
        }),
        (graph, |_, answer| {
            set(answer, PLACED, "size", json!("1"));
            false
        }),
        (graph, |_, answer| {
            set(answer, PLACED, "core_range_set", json!("{[0-0 - 7-6]}"));
            false
        }),
        (graph, |_, answer| {
            set(answer, PLACED, "globally_allocated", json!("1"));
            false
        }),
        (graph, |_, answer| {
            // Another chip, and not cleared there: a mesh of one chip has no other.
            for node in answer.nodes.iter_mut().filter(|node| node.kind == PLACED.0) {
                node.params.insert("device_id".to_owned(), json!(5));
            }
            false
        }),
        (graph, |_, answer| {
            // Which buffer an event is of.
            let other = node(answer, "buffer_allocate", 1).map(|node| node.connections.clone());
            if let (Some(node), Some(other)) = (node(answer, GIVEN.0, 0), other) {
                node.connections = other;
            }
            false
        }),
        (graph, |_, answer| {
            let is_given = |node: &Node| node.kind == "buffer_deallocate";
            if let Some(first) = answer.nodes.iter().position(is_given) {
                let second = answer.nodes.iter().rposition(is_given).unwrap();
                answer.nodes.swap(first, second);
            }
            false
        }),
    ];
    assert_eq!(class(CAPTURED, sound), None);
    for (place, (expected, fault)) in faults.into_iter().enumerate() {
        assert_eq!(class(CAPTURED, fault).as_deref(), Some(expected), "fault {place}");
    }
}

/// Each fact of a row, and each row's being there.
#[test]
fn a_fault_in_any_row_of_get_buffers_is_seen() {
    let text = "open m0 1x1\nalloc b0 on m0 dram 5x2048\nalloc b1 on m0 l1 4x2048 shards 2\n";
    let row = |answer: &mut Answer, change: Change| {
        let rows = answer.meshes.get_mut("m0").map(|seen| &mut seen.buffers);
        if let Some(row) = rows.and_then(|rows| rows.last_mut()) {
            change(row);
        }
    };
    let (reports, rows) = ("oracle: reports-disagree", "mismatch: a row of get_buffers");
    let faults: [(&str, Change); 6] = [
        (reports, |row| row.address += 4096),
        (reports, |row| row.kind = "l1_small".to_owned()),
        (reports, |row| row.device += 1),
        (rows, |row| row.layout = "BLOCK_SHARDED".to_owned()),
        (rows, |row| row.per_bank -= 1),
        (reports, |row| row.per_bank += 4096),
    ];
    for (place, (expected, fault)) in faults.into_iter().enumerate() {
        let ran = {
            let mut played = Altered { played: Played::new(Machine::T3k, sound), row, fault };
            run(&mut played, &case(text), &Check::default())
        };
        let Ran::Deviated(deviation) = ran else { panic!("fault {place}: {ran:?}") };
        assert_eq!(deviation.class, expected, "fault {place}: {}", deviation.detail);
    }
    let dropped: Fault = |_, answer| {
        answer.meshes.values_mut().for_each(|seen| drop(seen.buffers.pop()));
        false
    };
    assert_eq!(class(text, dropped).as_deref(), Some(reports));
    assert_eq!(class(text, sound), None);
}

/// A runtime whose rows are changed.
struct Altered {
    played: Played,
    row: fn(&mut Answer, Change),
    fault: Change,
}

impl Runtime for Altered {
    fn ask(&mut self, request: &Request) -> Result<Answer, Death> {
        let mut answer = self.played.ask(request)?;
        (self.row)(&mut answer, self.fault);
        Ok(answer)
    }

    fn machine(&self) -> Machine {
        self.played.machine()
    }

    fn restart(&mut self) {
        self.played.restart();
    }
}

/// Each counter of a region: in all, by chip, by process, and of the process itself.
#[test]
#[allow(clippy::too_many_lines, reason = "a table of faults")]
fn a_counter_that_is_off_by_a_page_is_seen() {
    let text = "open m0 1x1\nalloc b0 on m0 dram 5x2048\nalloc b1 on m0 l1 4x2048\n\
                run k0 on m0 cbs 3x4096 reads b0 out b2 dram 5x2048\nclose m0\n";
    fn last(answer: &mut Answer, change: fn(&mut Region)) {
        if answer.buffers.len() == 3 {
            change(answer.counters.get_mut(&4).unwrap());
        }
    }
    let (sums, counts) = ("oracle: counters-disagree", "mismatch: the counters");
    let faults: [(&str, Fault); 7] = [
        (sums, |_, answer| {
            last(answer, |region| region.total[0] += 2048);
            false
        }),
        (sums, |_, answer| {
            last(answer, |region| region.chips[1] -= 2048);
            false
        }),
        (sums, |_, answer| {
            last(answer, |region| region.processes[2] += 2048);
            false
        }),
        (counts, |_, answer| {
            last(answer, |region| region.own[1] += 2048);
            false
        }),
        (counts, |_, answer| {
            last(answer, |region| {
                for of in [&mut region.total, &mut region.chips, &mut region.processes] {
                    of[0] += 2048;
                }
                region.own[0] += 2048;
            });
            false
        }),
        (counts, |_, answer| {
            // Circular buffers: 3 x 4096 bytes on each of 64 cores, and a page more.
            last(answer, |region| region.total[4] = 64 * 3 * 4096 + 2048);
            false
        }),
        (sums, |request, answer| {
            if matches!(request, Request::Open { .. }) {
                answer.counters.clear();
            }
            false
        }),
    ];
    for (place, (expected, fault)) in faults.into_iter().enumerate() {
        assert_eq!(class(text, fault).as_deref(), Some(expected), "fault {place}");
    }
    let resident: Fault = |_, answer| {
        last(answer, |region| region.total[4] = 64 * 3 * 4096);
        false
    };
    assert_eq!(class(text, resident), None);
    let lost: Fault = |request, answer| {
        if matches!(request, Request::Fork { .. }) {
            answer.counters.clear();
        }
        false
    };
    let forked = "open m0 1x1\nalloc b0 on m0 dram 5x2048\nfork exit\n";
    let ran = run(&mut Played::new(Machine::T3k, lost), &case(forked), &Check::default());
    let Ran::Deviated(deviation) = ran else { panic!("{ran:?}") };
    let known = Known::of(&case(forked), &deviation).map(|known| known.id);
    assert_eq!(known, Some("forked-child-detaches-counters"));
}

/// The events of a graph are replayed on the tables: a graph and a model that are wrong alike are
/// not believed, and one that other threads' work is missing from is.
#[test]
fn a_graph_is_held_against_the_tables() {
    let threads = "open m0 1x1\nt1: capture begin normal\nt1: alloc b0 on m0 dram 1x2048\n\
                   alloc b1 on m0 dram 1x2048\nt1: deallocate b0\nt1: capture end\n";
    // What another thread than the first allocates is not counted; nothing else is wrong.
    assert_eq!(class(threads, sound).as_deref(), Some("oracle: not-counted"));
    let moved: Fault = |request, answer| {
        // Every report but the graph agrees on another address.
        if matches!(request, Request::CaptureEnd)
            && let Some(seen) = answer.meshes.get_mut("m0")
            && let Some(table) = seen.tables.get_mut("dram")
        {
            table.push((1 << 20, 2048));
        }
        false
    };
    let check = Check { only: Some("oracle: graph-blocks".to_owned()), ..Check::default() };
    let ran = run(&mut Played::new(Machine::T3k, moved), &case(CAPTURED), &check);
    assert!(matches!(ran, Ran::Deviated(found) if found.class == "oracle: graph-blocks"));
}
