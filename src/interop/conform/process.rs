//! One process of the real runtime, from the opening of its mesh, and the model beside it.

use std::collections::BTreeMap;
use std::sync::Arc;

use super::error::ConformError;
use super::lines::Here;
use super::operation::{Add, Alloc, Answer, Open, RegionView, View};
use super::tally::{Conformance, VIOLATIONS_MAX};
use super::tensor::{NoPages, Tensor};
use crate::allocator::{AllocatorId, Block, FreeListOpt, Machine};
use crate::fix::Preset;
use crate::journal::Tracking;
use crate::op::{BufferHandle, Handle, MeshHandle, Op, Place, RunSpec};
use crate::runtime::Setup;
use crate::runtime::object::MeshBufferState;
use crate::scenario::Simulation;
use crate::server::ServerKind;
use crate::units::{BufferType, Bytes, MeshShape};

/// The only mesh of a process.
const MESH: MeshHandle = MeshHandle(0);

/// What a name of the recording stands for.
struct Named {
    tensor: Tensor,
    /// The model's name; it holds nothing if the model refused what the runtime granted.
    handle: BufferHandle,
    /// The line that made it.
    line: u64,
}

/// A model and the names of its tensors.
pub(super) struct Process {
    simulation: Simulation,
    names: BTreeMap<String, Named>,
    handles: Handles,
}

/// Handles of the model that are given out again once they are free, so that tables stay small.
#[derive(Default)]
struct Handles {
    free: Vec<BufferHandle>,
    next: u32,
}

impl Handles {
    fn take(&mut self) -> BufferHandle {
        self.free.pop().unwrap_or_else(|| {
            self.next += 1;
            BufferHandle(self.next - 1)
        })
    }
}

impl Process {
    /// Opens the mesh and compares what `open` reports.
    pub fn open(
        here: &Here<'_>,
        found: &mut Conformance,
        (machine, shape): (Machine, MeshShape),
        open: &Open,
    ) -> Self {
        let mut setup = Setup::on(machine);
        // The recording has no field for the parameter. Its rounded size is an answer; the size of
        // L1 beside it, from which it is taken, is compared.
        setup.reserved.l1_small_size = Bytes(open.l1_small.bank_size);
        let setup = Arc::new(setup.settled());
        let (fixes, server) = (Preset::UpstreamShm.fixes(), ServerKind::Shm);
        let simulation = Simulation::new(setup, fixes, server, Tracking::NONE, VIOLATIONS_MAX);
        let (names, handles) = (BTreeMap::new(), Handles::default());
        let mut process = Self { simulation, names, handles };
        if let Err(text) = process.apply(&Op::Open { mesh: MESH, shape, at: (0, 0) }) {
            found.differ(here, &"open", (&"opened", &text));
        }
        process.compare_mesh(here, found, open);
        process
    }

    fn compare_mesh(&self, here: &Here<'_>, found: &mut Conformance, open: &Open) {
        let Some(mesh) = self.simulation.world().runtime().mesh_device(MESH) else { return };
        let mesh_device_id = (open.mesh_device_id, u64::from(mesh.mesh_id));
        found.compare(here, "mesh_device_id", mesh_device_id);
        // The order is the cluster's affair; the chips are the machine's, each once.
        let mut recorded = open.device_ids.clone();
        let mut modelled: Vec<u64> = mesh.chips.iter().map(|chip| u64::from(chip.0)).collect();
        recorded.sort_unstable();
        modelled.sort_unstable();
        if recorded != modelled {
            let (recorded, modelled) = (format!("{recorded:?}"), format!("{modelled:?}"));
            found.differ(here, &"device_ids, sorted", (&recorded, &modelled));
        }
        let kinds = [("dram", &open.dram), ("l1", &open.l1), ("l1_small", &open.l1_small)];
        for ((name, region), buffer_type) in kinds.into_iter().zip(BUFFER_TYPES) {
            let (banks, bank_size) = self.banks(buffer_type);
            found.compare(here, format_args!("{name}.banks"), (region.banks, banks));
            let sizes = (Bytes(region.bank_size), bank_size);
            found.compare(here, format_args!("{name}.bank_size"), sizes);
        }
    }

    /// `alloc`: a tensor under a new name.
    pub fn alloc(
        &mut self,
        here: &Here<'_>,
        found: &mut Conformance,
        alloc: &Alloc,
    ) -> Result<(), ConformError> {
        let recorded = alloc.answer(here)?;
        self.check_new(here, &alloc.name)?;
        let form = (alloc.kind, alloc.dtype, alloc.layout);
        let tensor = match Tensor::new(form, &alloc.shape) {
            Ok(tensor) => tensor,
            Err(NoPages::Refused(text)) => {
                compare_answers(here, found, (&recorded, &Err(text.to_owned())));
                return recorded.map_or(Ok(()), |_| {
                    let message = "the runtime made a tensor that it refuses to make";
                    Err(here.impossible(message, format!("expected the error `{text}`")))
                });
            }
            Err(NoPages::NoDimension) => {
                return Err(here.impossible("the shape is empty", "a tensor has a width at least"));
            }
            Err(NoPages::TooLarge) => {
                let hint = "the runtime counts pages, and the bytes of a page, in 32 bits";
                return Err(here.impossible("the shape has too many pages", hint));
            }
        };
        let handle = self.handles.take();
        let (place, spec) = (Place::Mesh(MESH), tensor.buffer());
        let made = self.apply(&Op::Alloc { buffer: handle, place, spec });
        let per_bank = tensor.per_bank(self.banks(spec.buffer_type).0);
        let modelled = made.map(|()| [("address", self.address(handle)), ("per_bank", per_bank.0)]);
        self.settle(here, found, (&alloc.name, tensor, handle), (recorded, modelled));
        Ok(())
    }

    /// `add`: `ttnn.add(a, a)`, under a new name.
    pub fn add(
        &mut self,
        here: &Here<'_>,
        found: &mut Conformance,
        add: &Add,
    ) -> Result<(), ConformError> {
        let recorded = add.answer(here)?;
        let input = self.known(here, &add.a)?;
        let (tensor, read) = (input.tensor, input.handle);
        self.check_new(here, &add.name)?;
        if tensor.kills_add() {
            let hint = "the real runtime dies of SIGFPE here, so this was not recorded from it";
            return Err(here.impossible("`add` of a row-major tensor with width 0", hint));
        }
        let handle = self.handles.take();
        let made = self.run_add(tensor, (read, handle));
        let modelled = made.map(|()| [("address", self.address(handle)), ("cache", self.cache())]);
        self.settle(here, found, (&add.name, tensor, handle), (recorded, modelled));
        Ok(())
    }

    fn run_add(
        &mut self,
        tensor: Tensor,
        (read, output): (BufferHandle, BufferHandle),
    ) -> Result<(), String> {
        let spec = tensor.buffer();
        if let Some(text) = tensor.refused_by_add().filter(|_| !self.is_deallocated(read)) {
            // The output is allocated before the dtype is looked at, and freed again.
            self.apply(&Op::Alloc { buffer: output, place: Place::Mesh(MESH), spec })?;
            self.apply(&Op::Drop(Handle::Buffer(output)))?;
            return Err(text.to_owned());
        }
        self.apply(&Op::Run(Box::new(RunSpec {
            key: tensor.cache_key(),
            mesh: MESH,
            circular_buffers: tensor.circular_buffers(),
            kernel: None,
            reads: vec![read],
            output: Some((output, spec)),
            stale: false,
            moves: None,
        })))
    }

    /// Compares the answers, and follows the recording: a name stands for a tensor if the real
    /// runtime made one.
    fn settle(
        &mut self,
        here: &Here<'_>,
        found: &mut Conformance,
        (name, tensor, handle): (&str, Tensor, BufferHandle),
        (recorded, modelled): (Answer, Answer),
    ) {
        compare_answers(here, found, (&recorded, &modelled));
        if recorded.is_ok() {
            let named = Named { tensor, handle, line: here.number };
            self.names.insert(name.to_owned(), named);
        } else {
            self.let_go(handle);
        }
    }

    /// `deallocate`: the name goes on standing for the tensor, which has no memory any more.
    pub fn deallocate(&mut self, here: &Here<'_>, name: &str) -> Result<(), ConformError> {
        let op = Op::Deallocate(self.known(here, name)?.handle);
        // It has no answer: whether it was right shows in every later one.
        let _ = self.apply(&op);
        Ok(())
    }

    /// `drop`: the last reference dies, and with it the name.
    pub fn drop_name(&mut self, here: &Here<'_>, name: &str) -> Result<(), ConformError> {
        let handle = self.known(here, name)?.handle;
        self.names.remove(name);
        self.let_go(handle);
        Ok(())
    }

    /// `clear_program_cache`.
    pub fn clear_program_cache(&mut self, here: &Here<'_>, found: &mut Conformance, recorded: u64) {
        let _ = self.apply(&Op::ClearCache(MESH));
        found.compare(here, "cache", (recorded, self.cache()));
    }

    /// `view`: the block tables, which the oracles see too.
    pub fn view(&mut self, here: &Here<'_>, found: &mut Conformance, view: &View) {
        let _ = self.apply(&Op::Checkpoint);
        let regions = [("dram", &view.dram), ("l1", &view.l1), ("l1_small", &view.l1_small)];
        for (region, buffer_type) in regions.into_iter().zip(BUFFER_TYPES) {
            self.compare_region(here, found, region, buffer_type);
        }
    }

    fn compare_region(
        &self,
        here: &Here<'_>,
        found: &mut Conformance,
        (name, recorded): (&str, &RegionView),
        buffer_type: BufferType,
    ) {
        let (banks, bank_size) = self.banks(buffer_type);
        let Some(list) = self.list(buffer_type) else { return };
        let statistics = list.statistics();
        let sizes = [
            ("banks", u64::from(recorded.banks), u64::from(banks)),
            ("bank_size", recorded.bank_size, bank_size.0),
            ("free", recorded.free, statistics.total_free.0),
            ("largest_free", recorded.largest_free, statistics.largest_free.0),
        ];
        for (field, recorded, modelled) in sizes {
            found.compare(here, format_args!("{name}.{field}"), (recorded, modelled));
        }
        let base = list.config().offset.0;
        let mut modelled = list
            .blocks()
            .map(|Block { address, size, allocated }| (address.0 - base, size.0, allocated));
        let mut recorded = recorded.blocks.iter().copied();
        for index in 0_usize.. {
            let (one, two) = (recorded.next(), modelled.next());
            if one.is_none() && two.is_none() {
                return;
            }
            if one != two {
                let field = format!("{name}.blocks[{index}]");
                found.differ(here, &field, (&shown_block(one), &shown_block(two)));
            }
        }
    }

    /// The oracles say their last word.
    pub fn finish(mut self, found: &mut Conformance) {
        self.simulation.finish(&mut ());
        found.violations.absorb(self.simulation.oracles().findings());
    }

    /// Executes an operation on the model.
    fn apply(&mut self, op: &Op) -> Result<(), String> {
        self.simulation.apply(op, &mut ()).refused.map_or(Ok(()), Err)
    }

    /// Drops what the handle holds, if it holds anything, and keeps it for the next tensor.
    fn let_go(&mut self, handle: BufferHandle) {
        let _ = self.apply(&Op::Drop(Handle::Buffer(handle)));
        self.handles.free.push(handle);
    }

    fn known(&self, here: &Here<'_>, name: &str) -> Result<&Named, ConformError> {
        self.names.get(name).ok_or_else(|| {
            let message = format!("`{name}` stands for nothing");
            here.impossible(&message, "it was never made, or was dropped on an earlier line")
        })
    }

    fn check_new(&self, here: &Here<'_>, name: &str) -> Result<(), ConformError> {
        self.names.get(name).map_or(Ok(()), |named| {
            let message = format!("`{name}` already stands for the tensor of line {}", named.line);
            Err(here.impossible(&message, "each tensor has a name of its own until it is dropped"))
        })
    }

    /// Whether the tensor was deallocated; one that the model refused to make was not.
    fn is_deallocated(&self, handle: BufferHandle) -> bool {
        let object = self.simulation.world().runtime().object(handle);
        object.is_some_and(|object| object.state == MeshBufferState::Deallocated)
    }

    fn address(&self, handle: BufferHandle) -> u64 {
        let object = self.simulation.world().runtime().object(handle);
        object.map_or(0, |object| object.address.0)
    }

    fn cache(&self) -> u64 {
        self.simulation.world().runtime().cache_entries(MESH).unwrap_or(0) as u64
    }

    fn banks(&self, buffer_type: BufferType) -> (u32, Bytes) {
        let allocator = self.simulation.world().runtime().allocator_of(MESH);
        let config = allocator.map(|allocator| allocator.manager(buffer_type).config());
        config.map_or((0, Bytes(0)), |config| (config.bank_count, config.bank_size))
    }

    fn list(&self, buffer_type: BufferType) -> Option<&FreeListOpt> {
        let allocator = self.simulation.world().runtime().allocator_of(MESH)?;
        allocator.manager(buffer_type).allocator(AllocatorId(0)).ok()
    }
}

/// The memories that a recording shows, in its order.
const BUFFER_TYPES: [BufferType; 3] = [BufferType::Dram, BufferType::L1, BufferType::L1Small];

fn shown_block(block: Option<(u64, u64, bool)>) -> String {
    block.map_or("none".to_owned(), |(start, size, allocated)| {
        format!("[{start}, {size}, {allocated}]")
    })
}

fn compare_answers(
    here: &Here<'_>,
    found: &mut Conformance,
    (recorded, modelled): (&Answer, &Answer),
) {
    let shown = |[(first, one), (second, two)]: &[(&str, u64); 2]| {
        format!("none ({first} {one}, {second} {two})")
    };
    match (recorded, modelled) {
        (Ok(recorded), Ok(modelled)) => {
            for (&(field, recorded), &(_, modelled)) in recorded.iter().zip(modelled) {
                found.compare(here, field, (recorded, modelled));
            }
        }
        (Err(recorded), Err(modelled)) => found.compare(here, "error", (recorded, modelled)),
        (Ok(recorded), Err(modelled)) => {
            found.differ(here, &"error", (&shown(recorded), modelled));
        }
        (Err(recorded), Ok(modelled)) => {
            found.differ(here, &"error", (recorded, &shown(modelled)));
        }
    }
}
