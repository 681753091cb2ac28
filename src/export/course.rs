//! The operations of a scenario in the order in which they begin, with what stands around them.

use std::sync::Arc;

use super::walk;
use crate::journal::Tracking;
use crate::op::{Op, ThreadId};
use crate::scenario::{Course, Item, Line, Scenario, Simulation};
use crate::world::Action;

/// An operation and its place.
#[derive(Clone, Debug)]
pub(super) struct Turn<'a> {
    /// Its line in the file.
    pub line: u32,
    pub thread: ThreadId,
    pub op: &'a Op,
    /// The comment behind it.
    pub comment: Option<&'a str>,
    /// The lines before it that are no operations; empty for an empty line.
    pub before: Vec<String>,
    /// The line of the first operation that another thread begins while this one is in the middle.
    pub interrupted: Option<u32>,
}

/// What happens, in order.
#[derive(Clone, Debug)]
pub(super) struct Turns<'a> {
    pub turns: Vec<Turn<'a>>,
    /// The lines behind the last operation.
    pub behind: Vec<String>,
}

/// The operations in the order of the scenario's schedule, repeats unrolled.
pub(super) fn turns(scenario: &Scenario) -> Turns<'_> {
    let mut flat = Turns { turns: Vec::new(), behind: Vec::new() };
    flatten(&scenario.lines, true, &mut flat);
    if scenario.is_stepped() {
        let order = order(scenario, &flat.turns);
        let mut turns: Vec<Option<Turn<'_>>> = flat.turns.into_iter().map(Some).collect();
        let taken = order.into_iter().filter_map(|(place, interrupted)| {
            turns[place].take().map(|turn| Turn { interrupted, ..turn })
        });
        flat.turns = taken.collect();
    }
    flat
}

fn flatten<'a>(lines: &'a [Line], is_first: bool, flat: &mut Turns<'a>) {
    for line in lines {
        match &line.item {
            Item::Op(thread, op) => flat.turns.push(Turn {
                line: line.number,
                thread: *thread,
                op,
                comment: line.comment.as_deref(),
                before: std::mem::take(&mut flat.behind),
                interrupted: None,
            }),
            Item::Repeat(count, body) => {
                let comment = line.comment.iter().map(|text| format!(" #{text}"));
                let head = format!("repeat {count} {{{}", comment.collect::<String>());
                flat.behind.extend(is_first.then_some(head));
                for time in 0..*count {
                    flatten(body, is_first && time == 0, flat);
                }
                flat.behind.extend(is_first.then(|| "}".to_owned()));
            }
            Item::Any(body) => {
                let comment = line.comment.iter().map(|text| format!(" #{text}"));
                let head = format!("any {{{}", comment.collect::<String>());
                flat.behind.extend(is_first.then_some(head));
                flatten(body, is_first, flat);
                flat.behind.extend(is_first.then(|| "}".to_owned()));
            }
            // A line of a repeat is shown where it is read first.
            Item::Blank | Item::Setup(_) | Item::Picks(_) | Item::Schedule(_) | Item::Expect(_) => {
                flat.behind.extend(is_first.then(|| shown(line)));
            }
        }
    }
}

/// A line that is no operation, without the mark of a comment.
fn shown(line: &Line) -> String {
    let text = Scenario { lines: vec![line.clone()] }.to_string();
    let text = text.lines().nth(1).unwrap_or_default();
    let text = text.strip_prefix('#').unwrap_or(text);
    text.strip_prefix(' ').unwrap_or(text).trim_end().to_owned()
}

/// The places of the operations in the order in which they begin, and who interrupts each.
fn order(scenario: &Scenario, turns: &[Turn<'_>]) -> Vec<(usize, Option<u32>)> {
    let mut programs: Vec<(Vec<Op>, Vec<usize>)> = Vec::new();
    for (place, turn) in turns.iter().enumerate() {
        let thread = turn.thread.0 as usize;
        programs.resize_with(programs.len().max(thread + 1), Default::default);
        programs[thread].0.push(turn.op.clone());
        programs[thread].1.push(place);
    }
    let (ops, places): (Vec<_>, Vec<_>) = programs.into_iter().unzip();
    let setup = Arc::new(scenario.setup());
    let mut simulation = Simulation::new(setup, walk::fixes(), walk::SERVER, Tracking::NONE, 0);
    simulation.load(ops);
    let mut course = Course::of(scenario);
    let mut order: Vec<(usize, Option<u32>)> = Vec::new();
    // Where in the order the operation stands that a thread is in the middle of.
    let mut inside: Vec<Option<usize>> = vec![None; places.len()];
    loop {
        let ready = simulation.world().ready();
        if ready.is_empty() {
            return order;
        }
        let next = course.next(&ready);
        let action = ready[next];
        if let Action::Step(ThreadId(thread)) = action {
            let thread = thread as usize;
            if inside[thread].is_none() {
                let world = simulation.world();
                let op = world.current_op(ThreadId(thread as u32)).expect("the thread is ready");
                let place = places[thread][op];
                for &other in inside.iter().flatten() {
                    order[other].1.get_or_insert(turns[place].line);
                }
                inside[thread] = Some(order.len());
                order.push((place, None));
            }
        }
        simulation.step(next, &mut ());
        let left = match action {
            Action::Step(thread) => Some(thread).filter(|&one| !simulation.world().is_inside(one)),
            Action::Deliver(_) => None,
        };
        if let Some(ThreadId(thread)) = left {
            inside[thread as usize] = None;
        }
    }
}
