//! Which tensor has a buffer's pages: the way back from pages to dtype, layout and shape.

use crate::interop::conform::tensor::{Dtype, Kind, Layout, Tensor};
use crate::op::{BufferSpec, Pages};
use crate::units::BufferType;

/// A tensor that asks for the pages of a buffer.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Shaped {
    pub tensor: Tensor,
    pub shape: [u32; 2],
}

/// The tensor; none if no tensor has such pages.
///
/// Pages of a tile's size are tiles, in a row, or in a column if they are sharded; others are rows.
/// `0x2048` is a tensor without rows, and `0x1` one without columns: both have no memory.
pub(super) fn tensor(spec: &BufferSpec) -> Option<Shaped> {
    let kind = match spec.buffer_type {
        BufferType::Dram => Kind::Dram,
        BufferType::L1 => Kind::L1,
        BufferType::L1Small => Kind::L1Small,
        BufferType::Trace => return None,
    };
    let Pages { count, size } = spec.pages;
    let tiled = |dtype| {
        let shape = match spec.shards {
            Some(_) => [count.checked_mul(32)?, 32],
            None if count == 0 => [0, 32],
            None => [32, count.checked_mul(32)?],
        };
        Some((dtype, Layout::Tile, shape))
    };
    let bytes = u32::try_from(size.0).ok()?;
    let (dtype, layout, shape) = match bytes {
        2048 => tiled(Dtype::Bfloat16)?,
        4096 => tiled(Dtype::Float32)?,
        1088 => tiled(Dtype::Bfloat8B)?,
        576 => tiled(Dtype::Bfloat4B)?,
        _ if count == 0 => (Dtype::Uint32, Layout::RowMajor, [bytes, 0]),
        _ if bytes % 4 == 0 => (Dtype::Uint32, Layout::RowMajor, [count, bytes / 4]),
        _ if bytes % 2 == 0 => (Dtype::Bfloat16, Layout::RowMajor, [count, bytes / 2]),
        _ => (Dtype::Uint8, Layout::RowMajor, [count, bytes]),
    };
    let tensor = Tensor::new((kind, dtype, layout), &shape).ok()?;
    Some(Shaped { tensor, shape })
}

/// The runtime's word for a type.
pub(super) fn dtype_name(dtype: Dtype) -> &'static str {
    match dtype {
        Dtype::Bfloat16 => "bfloat16",
        Dtype::Float32 => "float32",
        Dtype::Uint32 => "uint32",
        Dtype::Int32 => "int32",
        Dtype::Uint16 => "uint16",
        Dtype::Uint8 => "uint8",
        Dtype::Bfloat8B => "bfloat8_b",
        Dtype::Bfloat4B => "bfloat4_b",
    }
}

/// The driver's word for a layout.
pub(super) fn layout_name(layout: Layout) -> &'static str {
    match layout {
        Layout::Tile => "tile",
        Layout::RowMajor => "row_major",
    }
}

/// The driver's word for a kind of memory.
pub(super) fn kind_name(buffer_type: BufferType) -> &'static str {
    match buffer_type {
        BufferType::Dram => "dram",
        BufferType::L1 => "l1",
        BufferType::L1Small => "l1_small",
        BufferType::Trace => "trace",
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, reason = "a test without a tensor has failed")]

    use super::*;
    use crate::units::Bytes;

    /// The tensor's own pages must be those that it was made for, or every address would differ.
    #[test]
    fn a_tensor_has_the_pages_it_was_made_for() {
        let sizes = [2048, 4096, 1088, 576, 70, 64, 9, 1];
        for (size, count) in sizes.into_iter().flat_map(|size| [1, 7, 640].map(|n| (size, n))) {
            for shards in [None, Some(1)] {
                let pages = Pages { count, size: Bytes(size) };
                let spec =
                    BufferSpec { buffer_type: BufferType::L1, pages, top_down: None, shards };
                assert_eq!(tensor(&spec).unwrap().tensor.pages, pages);
            }
        }
        let none = Pages { count: 0, size: Bytes(1) };
        let spec =
            BufferSpec { buffer_type: BufferType::Dram, pages: none, top_down: None, shards: None };
        assert_eq!(tensor(&spec).unwrap().shape, [1, 0]);
    }
}
