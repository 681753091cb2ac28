//! The model and the runtime in step: the same operation to both, and their answers compared.

use std::sync::Arc;

use super::bindings::Bindings;
use super::captures::ends_capture_again;
use super::child::Ending;
use super::process::{Death, Runtime};
use super::protocol::{Address, Answer, MeshSeen, Request};
use super::tensors;
use super::translate::{Names, Translated};
use super::watch::{Step, Watch};
use crate::allocator::AllocatorId;
use crate::fix::Preset;
use crate::journal::Tracking;
use crate::op::{BufferHandle, MeshHandle, Op};
use crate::runtime::Setup;
use crate::runtime::object::MeshBufferState;
use crate::scenario::{Case, Simulation};
use crate::server::ServerKind;
use crate::units::{BufferType, Bytes};

/// Where the runtime did what it must not, or what the model does not.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Deviation {
    /// After how many operations; one more than there are if only the end shows it.
    pub step: usize,
    /// What kind: a crash and its innermost function, an oracle, or the part of an answer that
    /// the model gives otherwise. Two deviations of one class are one finding.
    pub class: String,
    /// The facts.
    pub detail: String,
}

/// The signal of `kill`.
const SIGKILL: i32 = 9;

/// What is compared, besides everything.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Check {
    /// A fault in the model.
    pub plant: Plant,
    /// The one oracle that is listened to, by the class of its findings; none means all.
    pub only: Option<String>,
}

/// A fault put into the model on purpose, so that a test can ask whether it is found.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Plant {
    /// None.
    #[default]
    None,
    /// Pages are rounded up to 4096 bytes.
    Rounding,
}

/// What came of running a case on both.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Ran {
    /// The two agreed, and no oracle objected, over so many calls.
    Agreed(usize),
    /// They did not.
    Deviated(Deviation),
    /// The case has an operation that the runtime cannot be asked.
    Foreign,
}

/// Runs a case on the runtime and on the model until they part.
pub fn run(runtime: &mut impl Runtime, case: &Case, check: &Check) -> Ran {
    let setup = Arc::new(case.start());
    if setup.machine != runtime.machine() {
        return Ran::Foreign;
    }
    if ends_capture_again(case) {
        // What that does depends on the captures of the programs before.
        runtime.restart();
    }
    let (fixes, server) = (Preset::UpstreamShm.fixes(), ServerKind::Shm);
    let simulation = Simulation::new(setup.clone(), fixes, server, Tracking::NONE, 0);
    let mut pair = Pair {
        setup,
        simulation,
        check,
        names: Names::default(),
        watch: Watch::default(),
        seen: Answer { ok: true, ..Answer::default() },
        bindings: Bindings::default(),
        first_mesh: None,
        first_program: None,
    };
    let mut calls = 0;
    let mut end = None;
    for (place, (thread, op)) in case.ops.iter().enumerate() {
        let request = match pair.names.translate(&pair.setup, op) {
            Translated::Nothing => continue,
            Translated::Foreign => {
                end = Some(Ran::Foreign);
                break;
            }
            Translated::Ask(request) => request.on(*thread),
        };
        calls += 1;
        let found = pair.step(runtime, op, &request);
        if let Some((class, detail)) = found {
            end = Some(Ran::Deviated(Deviation { step: place + 1, class, detail }));
            break;
        }
        if *op == Op::Exit {
            return Ran::Agreed(calls);
        }
    }
    let cleared = clear(runtime);
    end.unwrap_or_else(|| match cleared {
        None => Ran::Agreed(calls),
        Some((class, detail)) => {
            Ran::Deviated(Deviation { step: case.ops.len() + 1, class, detail })
        }
    })
}

type Difference = (String, String);

/// Everything is let go, and every mesh closed: the process serves the next program.
fn clear(runtime: &mut impl Runtime) -> Option<Difference> {
    match runtime.ask(&Request::Reset) {
        Ok(Answer { ok: true, .. }) => None,
        Ok(Answer { error, .. }) => {
            runtime.restart();
            Some(("the end raises".to_owned(), error))
        }
        Err(death) => Some(death.told()),
    }
}

struct Pair<'a> {
    setup: Arc<Setup>,
    simulation: Simulation,
    check: &'a Check,
    names: Names,
    watch: Watch,
    /// What could be seen after the last call.
    seen: Answer,
    bindings: Bindings,
    /// What the process counted before this program: its first mesh and program ids.
    first_mesh: Option<u32>,
    first_program: Option<u64>,
}

impl Pair<'_> {
    fn step(
        &mut self,
        runtime: &mut impl Runtime,
        op: &Op,
        request: &Request,
    ) -> Option<Difference> {
        let answer = match runtime.ask(request) {
            Ok(answer) => answer,
            Err(Death { ending: Ending::Code(0), .. }) if *op == Op::Exit => return None,
            Err(Death { ending: Ending::Signal(SIGKILL), .. }) if matches!(op, Op::Kill(_)) => {
                self.killed(op);
                return None;
            }
            Err(death) => return Some(death.told()),
        };
        let names = self.names.clone();
        if answer.ok {
            self.names.note(op);
            self.join(op, &answer);
        }
        let before = std::mem::replace(&mut self.seen, answer);
        let step = Step {
            setup: &self.setup,
            op,
            before: (&before, &names),
            after: (&self.seen, &self.names),
        };
        let found = self.watch.look(&step);
        let modelled = self.model(op, &before);
        let found = found.map(|(oracle, detail)| (format!("oracle: {oracle}"), detail));
        let only = self.check.only.as_ref();
        if let Some(found) = found.filter(|(class, _)| only.is_none_or(|only| only == class)) {
            return Some(found);
        }
        let differs = self.compare(op, &modelled).map(|(part, real, model)| {
            let detail = format!("the runtime says {real}, the model {model}");
            (format!("mismatch: {part}"), detail)
        });
        differs.or_else(|| Some(self.seen.child.as_ref()?.death()?.told()))
    }

    /// The process was killed: the next one begins as the first did, and counts from 0.
    fn killed(&mut self, op: &Op) {
        self.names.note(op);
        self.simulation.apply(op, &mut ());
        self.watch = Watch::default();
        self.seen = Answer { ok: true, ..Answer::default() };
        self.bindings = Bindings::default();
        self.first_mesh = Some(0);
        self.first_program = Some(0);
    }

    /// What was to be moved is returned as it is if somebody else holds it.
    fn join(&mut self, op: &Op, answer: &Answer) {
        let Op::Run(run) = op else { return };
        if let (Some(_), Some(&of), Some((name, _))) = (run.moves, run.reads.first(), run.output) {
            let stays =
                answer.buffers.get(&of.to_string()).is_some_and(|(allocated, _)| *allocated);
            if stays {
                self.names.join(name, of);
            }
        }
    }

    /// What the model answers: nothing, or the text that it raises.
    fn model(&mut self, op: &Op, before: &Answer) -> Option<String> {
        if let Some(text) = self.beyond_the_model(op, before) {
            return Some(text.to_owned());
        }
        let mut op = op.clone();
        if let (Plant::Rounding, Op::Alloc { spec, .. }) = (self.check.plant, &mut op) {
            spec.pages.size = spec.pages.size.round_up(Bytes(4096));
        }
        self.simulation.apply(&op, &mut ()).refused
    }

    /// What is raised where the runtime's bindings decide, which are not modelled.
    fn beyond_the_model(&mut self, op: &Op, before: &Answer) -> Option<&'static str> {
        let is_gone = |name: &BufferHandle| {
            before.buffers.get(&name.to_string()).is_some_and(|(allocated, _)| !allocated)
        };
        let is_closed = |name: &BufferHandle| {
            let mesh = self.names.buffers.get(name).map(|held| held.mesh.to_string());
            let seen = mesh.and_then(|mesh| before.meshes.get(&mesh));
            seen.is_some_and(|seen| seen.closed.is_some())
        };
        self.bindings.raise(op, is_gone, is_closed)
    }

    /// The first part of the answer that the model gives otherwise, and both versions of it.
    fn compare(&mut self, op: &Op, modelled: &Option<String>) -> Option<(String, String, String)> {
        self.adopt_ids();
        let error = self.seen.error.clone();
        let real = (!self.seen.ok).then(|| self.plain(&error, modelled.as_deref().unwrap_or("")));
        let told = |text: &Option<String>| match text {
            Some(text) => format!("`{text}`"),
            None => "nothing".to_owned(),
        };
        if real != *modelled {
            let part = format!("what {} raises", super::word(op));
            return Some((part, told(&real), told(modelled)));
        }
        let buffers: Vec<BufferHandle> = self.names.buffers.keys().copied().collect();
        let differs = buffers.into_iter().find_map(|name| self.compare_buffer(name));
        let meshes: Vec<MeshHandle> = self.names.meshes.keys().copied().collect();
        differs.or_else(|| meshes.into_iter().find_map(|name| self.compare_mesh(name)))
    }

    fn compare_buffer(&self, name: BufferHandle) -> Option<(String, String, String)> {
        let seen = self.seen.buffers.get(&name.to_string());
        let real = match seen {
            None => "that it holds nothing".to_owned(),
            Some((false, _)) => "not allocated".to_owned(),
            Some((true, Address::At(address))) => address.to_string(),
            Some((true, address)) => format!("{address:?}"),
        };
        let object = self.simulation.world().runtime().object(name);
        let model = match object {
            None => "that it holds nothing".to_owned(),
            Some(object) if object.state == MeshBufferState::Deallocated => {
                "not allocated".to_owned()
            }
            Some(object) => object.address.0.to_string(),
        };
        let part = if real.parse::<u64>().is_ok() && model.parse::<u64>().is_ok() {
            "the address"
        } else {
            "whether a tensor is allocated"
        };
        (real != model).then(|| (part.to_owned(), format!("{name} {real}"), model))
    }

    fn compare_mesh(&self, name: MeshHandle) -> Option<(String, String, String)> {
        let runtime = self.simulation.world().runtime();
        let Some(seen) = self.seen.meshes.get(&name.to_string()) else {
            let (real, model) = ("nothing".to_owned(), format!("{name} is there"));
            return Some(("the meshes".to_owned(), real, model));
        };
        let mesh = runtime.mesh_device(name);
        let closed = (seen.closed.is_some(), mesh.is_none_or(|mesh| !mesh.open));
        let id = mesh.map_or(0, |mesh| u64::from(mesh.mesh_id));
        let first = u64::from(self.first_mesh.unwrap_or(0));
        let cache = runtime.cache_entries(name).unwrap_or(0) as u64;
        let facts = [
            ("whether a mesh is closed", u64::from(closed.0), u64::from(closed.1)),
            ("the mesh id", u64::from(seen.id) - first.min(u64::from(seen.id)), id),
            ("the cache's count", seen.cache.unwrap_or(cache), cache),
        ];
        for (part, real, model) in facts {
            if real != model {
                return Some((part.to_owned(), format!("{name} {real}"), model.to_string()));
            }
        }
        if closed.0 {
            return None;
        }
        [BufferType::Dram, BufferType::L1, BufferType::L1Small]
            .into_iter()
            .find_map(|kind| self.compare_table(name, seen, kind))
    }

    fn compare_table(
        &self,
        mesh: MeshHandle,
        seen: &MeshSeen,
        kind: BufferType,
    ) -> Option<(String, String, String)> {
        let runtime = self.simulation.world().runtime();
        let list = runtime.allocator_of(mesh)?.manager(kind).allocator(AllocatorId(0)).ok()?;
        let base = list.config().offset.0;
        let blocks = list.blocks().filter(|block| block.allocated);
        let model: Vec<_> = blocks.map(|one| (one.address.0 - base, one.size.0)).collect();
        let kind = tensors::kind_name(kind);
        let real = seen.tables.get(kind).cloned().unwrap_or_default();
        let place = (0..real.len().max(model.len())).find(|&at| real.get(at) != model.get(at))?;
        let told = |block: Option<&(u64, u64)>| match block {
            Some((start, size)) => format!("{size} bytes at {start}"),
            None => "none".to_owned(),
        };
        let real = format!("{mesh} {kind} block {place}: {}", told(real.get(place)));
        Some(("the block table".to_owned(), real, told(model.get(place))))
    }

    /// Ids are counted for the whole process: the first that is seen says where this program began.
    fn adopt_ids(&mut self) {
        if self.first_mesh.is_some() {
            return;
        }
        for (name, seen) in &self.seen.meshes {
            let number = name.trim_start_matches('m').parse().map_or(u32::MAX, |number| number);
            let mesh = self.simulation.world().runtime().mesh_device(MeshHandle(number));
            if let Some(mesh) = mesh {
                self.first_mesh = Some(seen.id.saturating_sub(mesh.mesh_id));
            }
        }
    }

    /// An error's text with ids as this program counts them.
    fn plain(&mut self, text: &str, modelled: &str) -> String {
        let first = u64::from(self.first_mesh.unwrap_or(0));
        let text = renumber(text, "on MeshDevice ", |id| id.saturating_sub(first));
        let mut first = self.first_program;
        let mut counted = None;
        renumber(modelled, PROGRAM, |id| *counted.insert(id));
        let text = renumber(&text, PROGRAM, |id| {
            let first = *first.get_or_insert(id.saturating_sub(counted.unwrap_or(id)));
            id.saturating_sub(first)
        });
        self.first_program = first;
        text
    }
}

/// What stands before the id of a program that clashes.
const PROGRAM: &str = "circular buffers in program ";

/// The text with the number behind some words exchanged.
fn renumber(text: &str, before: &str, exchange: impl FnOnce(u64) -> u64) -> String {
    let Some(start) = text.find(before).map(|place| place + before.len()) else {
        return text.to_owned();
    };
    let rest = &text[start..];
    let end = rest.find(|c: char| !c.is_ascii_digit()).unwrap_or(rest.len());
    match rest[..end].parse() {
        Ok(number) => format!("{}{}{}", &text[..start], exchange(number), &rest[end..]),
        Err(_) => text.to_owned(),
    }
}
