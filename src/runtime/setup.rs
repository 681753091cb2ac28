//! What a scenario starts from: the machine and the switches that no operation changes.

use super::circular_buffer::CoreRangeForm;
use crate::allocator::{Machine, MemoryMap, MeshShape, Reserved};
use crate::op::CoreRange;
use crate::units::{Bytes, DeviceAddr, DeviceId};

/// The setup of a scenario.
///
/// ```
/// use freeorder::runtime::Setup;
/// assert_eq!(Setup::default().chips().len(), 8);
/// ```
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Setup {
    /// The machine.
    pub machine: Machine,
    /// What a mesh reserves when it is opened.
    pub reserved: Reserved,
    /// Where static circular buffers and L1 buffers start, if the machine's own figure is not
    /// meant: the documents' runs have another.
    pub l1_base: Option<DeviceAddr>,
    /// `interleaved_address_limit`, if it is not the start of L1.
    pub l1_limit: Option<DeviceAddr>,
    /// How ranges of cores are printed.
    pub core_ranges: CoreRangeForm,
    /// Whether the client reports from the start.
    pub tracking: bool,
    /// The regions that follow from all that.
    pub memory: MemoryMap,
}

impl Default for Setup {
    /// A T3K with 2x4 chips, tracked from the start.
    fn default() -> Self {
        Self::on(Machine::T3k)
    }
}

impl Setup {
    /// The usual setup of a machine.
    #[must_use]
    pub fn on(machine: Machine) -> Self {
        let reserved = Reserved::default();
        Self {
            machine,
            reserved,
            l1_base: None,
            l1_limit: None,
            core_ranges: CoreRangeForm::default(),
            tracking: true,
            memory: machine.memory_map(reserved),
        }
    }

    /// The same setup with the regions worked out again, after a field was changed.
    #[must_use]
    pub fn settled(mut self) -> Self {
        self.memory = self.machine.memory_map(self.reserved);
        if let Some(base) = self.l1_base {
            let l1 = &mut self.memory.l1;
            let end = l1.offset.offset(l1.bank_size);
            l1.bank_size = Bytes(end.0.saturating_sub(base.0));
            l1.offset = base;
            self.memory.circular_buffer_base = base;
        }
        self
    }

    /// The rows and columns of the machine's whole mesh.
    #[must_use]
    pub fn machine_shape(&self) -> MeshShape {
        self.machine.mesh_shapes()[0]
    }

    /// The chips of the machine, in row-major order of that mesh.
    #[must_use]
    pub fn chips(&self) -> Vec<DeviceId> {
        let chips = self.machine.device_ids(self.machine_shape());
        chips.expect("a machine has a mesh of its own shape")
    }

    /// The worker cores of a chip.
    #[must_use]
    pub fn all_cores(&self) -> CoreRange {
        let grid = self.machine.grid();
        CoreRange { start: (0, 0), end: (grid.x - 1, grid.y - 1) }
    }
}
