//! Replaying what the whole runtime was asked: the `.jsonl` files.

use super::error::ConformError;
use super::lines::Here;
use super::operation::{Open, Operation};
use super::process::Process;
use super::tally::Conformance;
use crate::allocator::Machine;
use crate::units::MeshShape;

/// A recording: one process of the runtime after another.
///
/// The runtime numbers the meshes of a process from 0 and says nothing of closing one, so a second
/// `open` is read as a second process: whatever the first held is gone.
#[derive(Default)]
pub(super) struct Recording {
    process: Option<Process>,
}

impl Recording {
    /// Replays one line.
    pub fn replay(&mut self, here: &Here<'_>, found: &mut Conformance) -> Result<(), ConformError> {
        let operation = Operation::read(here)?;
        if let Operation::Open(open) = &operation {
            let (machine, shape) = machine(here, open)?;
            let process = Process::open(here, found, (machine, shape), open);
            if let Some(before) = self.process.replace(process) {
                before.finish(found);
            }
            return Ok(());
        }
        let Some(process) = &mut self.process else {
            let hint = "the first line is the `open` of a mesh";
            return Err(here.impossible("no mesh is open", hint));
        };
        match operation {
            Operation::Open(_) => Ok(()),
            Operation::Alloc(alloc) => process.alloc(here, found, &alloc),
            Operation::Deallocate(named) => process.deallocate(here, &named.name),
            Operation::Drop(named) => process.drop_name(here, &named.name),
            Operation::Add(add) => process.add(here, found, &add),
            Operation::ClearProgramCache(clear) => {
                process.clear_program_cache(here, found, clear.cache);
                Ok(())
            }
            Operation::View(view) => {
                process.view(here, found, &view);
                Ok(())
            }
        }
    }

    /// The end of the file: the oracles say their last word.
    pub fn finish(self, found: &mut Conformance) {
        if let Some(process) = self.process {
            process.finish(found);
        }
    }
}

/// The machine whose whole mesh has the recorded architecture and shape.
fn machine(here: &Here<'_>, open: &Open) -> Result<(Machine, MeshShape), ConformError> {
    let of_arch = || Machine::ALL.into_iter().filter(|machine| machine.arch() == open.arch);
    let all = || of_arch().flat_map(|one| one.mesh_shapes().iter().map(move |&shape| (one, shape)));
    let [rows, columns] = open.mesh;
    let is_meant =
        |shape: MeshShape| u64::from(shape.rows) == rows && u64::from(shape.columns) == columns;
    all().find(|&(_, shape)| is_meant(shape)).ok_or_else(|| {
        let known: Vec<_> = all().map(|(machine, shape)| format!("{shape} ({machine})")).collect();
        let message = format!("no {} machine is known by its mesh {rows}x{columns}", open.arch);
        here.impossible(&message, format!("known are {}", known.join(", ")))
    })
}
