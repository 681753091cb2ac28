//! `ttnn.move` and `ttnn.reallocate`: ttnn's `move.cpp`, measured on the real runtime.

use super::object::ObjectKind;
use super::{Refusal, Runtime, Surroundings};
use crate::message::Role;
use crate::op::{BufferSpec, CacheKey, CircularBufferSpec, Handle, RunSpec};
use crate::units::{BufferType, Bytes, DeviceAddr};

/// Says of a key that the program behind it copies through a circular buffer of its own: it is
/// above every key that a scenario can name.
const OVERLAPPING: u32 = 1 << 31;

impl Runtime {
    /// The tensor gives its memory back, a new one takes what is free now, and a program copies;
    /// what fails after the first step has lost the tensor. What the program reads is free, and
    /// taken by nobody but its result.
    pub(super) fn move_tensor<S: Surroundings>(
        &mut self,
        out: &mut S,
        spec: &RunSpec,
    ) -> Result<(), Refusal> {
        let (Some(&of), Some((name, buffer))) = (spec.reads.first(), spec.output) else {
            return Err(Refusal::noop());
        };
        let id = self.buffer(of).filter(|_| !self.is_buffer(name)).ok_or_else(Refusal::noop)?;
        let object = self.objects[id.0];
        if object.kind != ObjectKind::MeshBuffer {
            return Err(Refusal::noop());
        }
        if !self.is_allocated(&object) {
            return Err(Refusal::new("Tensor is not allocated"));
        }
        if self.is_shared(id) && buffer.shards.is_some() {
            return Err(Refusal::new(
                "Expect input tensor to be deallocated after move op. Cannot deallocate before \
                 there is probably another consumer.",
            ));
        }
        if self.is_shared(id) {
            return if self.share(name, of) { Ok(()) } else { Err(Refusal::noop()) };
        }
        self.deallocate_mesh_buffer(out, id, Role::UserHandle);
        let mesh = self.open_mesh(spec.mesh)?;
        let id = self.create_mesh_buffer(out, (mesh, name), buffer, Role::UserHandle)?;
        self.finish_mesh_buffer(out, id);
        self.bind_handle(name, id);
        let (old, new) = (object.address, self.objects[id.0].address);
        if old == new {
            return Ok(());
        }
        let dispatched = match self.circular_buffer_between(buffer, old, new) {
            None => self.dispatch(out, spec, mesh, &[id]),
            Some(size) => {
                let key = CacheKey(spec.key.0 | OVERLAPPING);
                let circular_buffers = vec![CircularBufferSpec { count: 1, size, cores: None }];
                let spec = RunSpec { key, circular_buffers, ..spec.clone() };
                self.dispatch(out, &spec, mesh, &[id])
            }
        };
        if dispatched.is_err() {
            self.drop_handle(out, Handle::Buffer(name));
        }
        dispatched
    }

    /// The size of the circular buffer on each core that holds the whole tensor while it moves, if
    /// the two places overlap and it fits below what is in L1.
    ///
    /// ASSUMED: on all cores; the real program copies on no more cores than there are pages, so
    /// that the text of a clash names fewer.
    fn circular_buffer_between(
        &self,
        buffer: BufferSpec,
        old: DeviceAddr,
        new: DeviceAddr,
    ) -> Option<Bytes> {
        let memory = self.memory_map();
        let spread = |banks: u32, alignment: Bytes| {
            let pages = buffer.pages.count.div_ceil(banks.max(1));
            Bytes(u64::from(pages) * buffer.pages.size.round_up(alignment).0)
        };
        let kind = buffer.buffer_type;
        let own = spread(memory.region(kind).bank_count, memory.page_alignment(kind));
        let apart = match kind {
            BufferType::Dram => new.offset(own) <= old,
            BufferType::L1 => old.offset(own) <= new,
            BufferType::L1Small | BufferType::Trace => true,
        };
        // Sharded tensors have a program of their own, whose circular buffers are the tensors.
        if apart || buffer.shards.is_some() {
            return None;
        }
        let size = spread(memory.l1.bank_count, memory.l1_alignment);
        let end = match kind {
            BufferType::L1 => new,
            _ => DeviceAddr(memory.l1_size.0),
        };
        (memory.l1.offset.offset(size) <= end).then_some(size)
    }
}
