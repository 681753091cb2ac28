//! The oracles on what captures show: what must hold of a graph, whatever a model says.

use std::collections::{BTreeMap, BTreeSet};

use super::graph::{Node, kind_of};
use super::protocol::Answer;
use super::tensors;
use super::watch::{Finding, KINDS, Step};
use crate::op::{CaptureStep, Op, RunMode, ThreadId};
use crate::runtime::Setup;

/// The blocks of every open mesh, by its id: the kind of memory, and the address.
type Blocks = BTreeMap<u32, BTreeSet<(&'static str, u64)>>;

/// A capture that has not ended.
#[derive(Clone, Debug)]
struct Capture {
    thread: ThreadId,
    mode: RunMode,
    /// The mode that holds: that of the outermost capture of the thread.
    holds: RunMode,
    /// What was allocated when it began.
    blocks: Blocks,
    /// Whether something happened in the meantime that no graph shows: work of another thread, a
    /// bulk release, or the end of a mesh.
    unshown: bool,
}

/// The captures that have not ended.
#[derive(Clone, Debug, Default)]
pub(super) struct Captures(Vec<Capture>);

impl Captures {
    /// Whether there is one.
    pub fn any(&self) -> bool {
        !self.0.is_empty()
    }

    /// What begins and ends in turn begins and ends.
    pub fn does_not_end(&self, step: &Step<'_>) -> Option<Finding> {
        let is_in_one = self.0.iter().any(|capture| capture.thread == step.thread);
        let fails = *step.op == Op::Capture(CaptureStep::End) && !step.after.0.ok;
        (fails && is_in_one).then(|| {
            let text = format!("a capture goes on, whose end raises `{}`", step.after.0.error);
            ("capture-does-not-end", text)
        })
    }

    /// What is wrong with the graph of a capture that ends, if one does.
    pub fn look(&mut self, step: &Step<'_>) -> Vec<Finding> {
        let after = step.after.0;
        match step.op {
            Op::Capture(CaptureStep::Begin(mode)) if after.ok => {
                let outer = self.0.iter().find(|capture| capture.thread == step.thread);
                let holds = outer.map_or(*mode, |capture| capture.holds);
                let (thread, mode) = (step.thread, *mode);
                let blocks = blocks(step.setup, after);
                self.0.push(Capture { thread, mode, holds, blocks, unshown: false });
                Vec::new()
            }
            Op::Capture(CaptureStep::End) if after.ok => {
                let own = self.0.iter().rposition(|capture| capture.thread == step.thread);
                let Some(capture) = own.map(|place| self.0.remove(place)) else {
                    return Vec::new();
                };
                let found = [
                    capture.circular_buffers_nowhere(&after.nodes),
                    not_cleared(&after.nodes),
                    capture.not_the_blocks(step.setup, after),
                ];
                found.into_iter().flatten().collect()
            }
            op => {
                let ends = matches!(op, Op::DeallocateAll(_) | Op::Close(_) | Op::Kill(_))
                    || matches!(op, Op::Drop(crate::op::Handle::Mesh(_)));
                for capture in &mut self.0 {
                    capture.unshown |= ends || capture.thread != step.thread;
                }
                Vec::new()
            }
        }
    }
}

impl Capture {
    /// Circular buffers of a program that runs are somewhere.
    fn circular_buffers_nowhere(&self, nodes: &[Node]) -> Option<Finding> {
        let shown = nodes.iter().filter(|node| node.kind == "circular_buffer_allocate");
        let found = shown.filter(|node| node.number("address") == Some(0)).count();
        (found > 0 && self.holds == RunMode::Normal).then(|| {
            let text = format!("{found} circular buffers of programs that ran are at address 0");
            ("circular-buffers-nowhere", text)
        })
    }

    /// What a graph shows allocated and deallocated is what became of the blocks: none is given out
    /// twice or given back unheld, and at the end those are there that are left.
    fn not_the_blocks(&self, setup: &Setup, after: &Answer) -> Option<Finding> {
        if self.unshown || (self.mode, self.holds) != (RunMode::Normal, RunMode::Normal) {
            return None;
        }
        let mut blocks = self.blocks.clone();
        for node in &after.nodes {
            let is_one = match node.kind.as_str() {
                "buffer_allocate" => true,
                "buffer_deallocate" => false,
                _ => continue,
            };
            let (Some(mesh), Some(kind), Some(address)) = (
                node.number("device_id").and_then(|id| u32::try_from(id).ok()),
                kind_of(node),
                node.number("address"),
            ) else {
                return Some(("graph-blocks", format!("{node:?} cannot be read")));
            };
            let of = blocks.entry(mesh).or_default();
            let fits = match is_one {
                true => of.insert((kind, address)),
                false => of.remove(&(kind, address)),
            };
            if !fits {
                let what = if is_one { "is there already" } else { "is not there" };
                let text = format!(
                    "the graph has a {} of {kind} at {address} on mesh {mesh}, where one {what}",
                    node.kind
                );
                return Some(("graph-blocks", text));
            }
        }
        let now = self::blocks(setup, after);
        let (mesh, left) = now.iter().find(|&(mesh, left)| {
            blocks.get(mesh).map_or(!left.is_empty(), |blocks| blocks != left)
        })?;
        let empty = BTreeSet::new();
        let shown = blocks.get(mesh).unwrap_or(&empty);
        let odd: Vec<_> = shown.symmetric_difference(left).take(3).collect();
        let text = format!(
            "after what the graph shows mesh {mesh} has {} blocks, and it has {}; {odd:?}",
            shown.len(),
            left.len()
        );
        Some(("graph-blocks", text))
    }
}

fn blocks(setup: &Setup, answer: &Answer) -> Blocks {
    let open = answer.meshes.values().filter(|seen| seen.closed.is_none());
    open.map(|seen| {
        let of = |kind| {
            let (name, base) = (tensors::kind_name(kind), setup.memory.region(kind).offset.0);
            let table = seen.tables.get(name).into_iter().flatten();
            table.map(move |&(start, _)| (name, base + start))
        };
        (seen.id, KINDS.into_iter().flat_map(of).collect())
    })
    .collect()
}

/// Circular buffers that a capture saw built on several chips are cleared on each of them.
fn not_cleared(nodes: &[Node]) -> Option<Finding> {
    let of = |wanted: &'static str| {
        let nodes = nodes.iter().filter(move |node| node.kind == wanted);
        nodes.filter_map(|node| node.number("device_id")).collect::<Vec<_>>()
    };
    let mut built = of("circular_buffer_allocate");
    let cleared = of("circular_buffer_deallocate_all");
    built.sort_unstable();
    built.dedup();
    let left: Vec<_> = built.iter().filter(|id| !cleared.contains(id)).collect();
    (built.len() > 1 && !left.is_empty()).then(|| {
        let text =
            format!("circular buffers were built on devices {built:?} and cleared on {cleared:?}");
        ("circular-buffers-not-cleared", text)
    })
}
