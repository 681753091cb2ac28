//! Which tensor has a buffer's pages: the way back from pages to dtype, layout and shape.

use crate::interop::conform::tensor::{Dtype, Kind, Layout, Tensor};
use crate::op::{BufferSpec, Pages};
use crate::units::BufferType;

/// A tensor that asks for the pages of a buffer.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Shaped {
    pub tensor: Tensor,
    pub shape: Vec<u32>,
    pub sharding: Option<Sharding>,
}

/// How a tensor is cut.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Sharding {
    pub cut: Cut,
    /// Rows and columns of elements of each shard.
    pub shard: [u32; 2],
}

/// What a tensor is cut into.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Cut {
    Rows,
    Columns,
    /// Two rows of blocks.
    Blocks,
}

impl Cut {
    /// Many ways come to the same pages: which one is taken follows from how many there are.
    fn of(pages: Pages, shards: u32) -> Self {
        match pages.count / shards.max(1) {
            _ if !is_tile(pages.size.0) => Self::Rows,
            2 | 4 => Self::Columns,
            3 if shards.is_multiple_of(2) && shards <= 2 * BLOCKS_MAX => Self::Blocks,
            _ => Self::Rows,
        }
    }

    /// The runtime's word for it.
    pub fn name(self) -> &'static str {
        match self {
            Self::Rows => "HEIGHT_SHARDED",
            Self::Columns => "WIDTH_SHARDED",
            Self::Blocks => "BLOCK_SHARDED",
        }
    }
}

/// Blocks in a row, on the smallest grid of cores.
const BLOCKS_MAX: u32 = 8;

/// How the pages of a buffer lie, in the runtime's words.
pub(super) fn buffer_layout(spec: &BufferSpec) -> &'static str {
    spec.shards.map_or("INTERLEAVED", |shards| Cut::of(spec.pages, shards).name())
}

/// Whether pages of a size are tiles.
fn is_tile(size: u64) -> bool {
    matches!(size, 2048 | 4096 | 1088 | 576)
}

/// The tensor; none if no tensor has such pages.
///
/// Pages of a tile's size are tiles, others are rows. Many shapes have the same pages, of one
/// dimension or of five, padded or not: which one it is follows from how many pages there are. Few
/// pages are tiles in a row, or in a column if they are sharded. `0x2048` is a tensor without rows,
/// and `0x1` one without columns: both have no memory.
pub(super) fn tensor(spec: &BufferSpec) -> Option<Shaped> {
    let kind = match spec.buffer_type {
        BufferType::Dram => Kind::Dram,
        BufferType::L1 => Kind::L1,
        BufferType::L1Small => Kind::L1Small,
        BufferType::Trace => return None,
    };
    let Pages { count, size } = spec.pages;
    let bytes = u32::try_from(size.0).ok()?;
    let sharding = match spec.shards {
        Some(shards) => Some(sharding(spec.pages, shards, bytes)?),
        None => None,
    };
    let dtype = dtype(count, bytes);
    let (layout, shape) = match (is_tile(size.0), sharding) {
        (true, Some(sharding)) => (Layout::Tile, whole(sharding, spec.shards?)?),
        (true, None) => (Layout::Tile, tiles(count)?),
        (false, _) if count == 0 => (Layout::RowMajor, vec![bytes, 0]),
        (false, Some(_)) => (Layout::RowMajor, vec![count, width(bytes)]),
        (false, None) => (Layout::RowMajor, rows(count, width(bytes))),
    };
    let tensor = Tensor::new((kind, dtype, layout), &shape).ok()?;
    Some(Shaped { tensor, shape, sharding })
}

/// The elements of so many bytes, of the type that rows have.
fn width(bytes: u32) -> u32 {
    match bytes {
        _ if bytes.is_multiple_of(4) => bytes / 4,
        _ if bytes.is_multiple_of(2) => bytes / 2,
        _ => bytes,
    }
}

fn dtype(count: u32, bytes: u32) -> Dtype {
    let of = |dtypes: &[Dtype]| match count {
        ..MANY => dtypes[0],
        _ => dtypes[(count / 5) as usize % dtypes.len()],
    };
    match bytes {
        2048 => of(&[Dtype::Bfloat16, Dtype::Uint16]),
        4096 => of(&[Dtype::Float32, Dtype::Uint32, Dtype::Int32]),
        1088 => Dtype::Bfloat8B,
        576 => Dtype::Bfloat4B,
        _ if bytes.is_multiple_of(4) => of(&[Dtype::Uint32, Dtype::Float32, Dtype::Int32]),
        _ if bytes.is_multiple_of(2) => of(&[Dtype::Bfloat16, Dtype::Uint16]),
        _ => Dtype::Uint8,
    }
}

/// From so many pages on a tensor may be of another type than usual.
const MANY: u32 = 32;

/// From so many pages on a tensor may have another shape than the plain one.
const SOME: u32 = 5;

fn tiles(count: u32) -> Option<Vec<u32>> {
    let long = count.checked_mul(32)?;
    Some(match count % 5 {
        _ if count == 0 => vec![0, 32],
        _ if count < SOME => vec![32, long],
        0 => vec![1, 5, 1, 32, long / 5],
        1 => vec![long - 3],
        2 => vec![17, long - 31],
        3 => vec![long, 32],
        _ => vec![32, long],
    })
}

fn rows(count: u32, width: u32) -> Vec<u32> {
    match count % 4 {
        _ if count < SOME => vec![count, width],
        0 => vec![2, 2, count / 4, width],
        1 => vec![1, 1, 1, 1, count, width],
        2 => vec![count / 2, 2, width],
        _ => vec![count, width],
    }
}

/// Each shard has as many pages as any other.
fn sharding(pages: Pages, shards: u32, bytes: u32) -> Option<Sharding> {
    let each = pages.count.checked_div(shards)?;
    let cut = Cut::of(pages, shards);
    let shard = match (is_tile(pages.size.0), cut) {
        (false, _) => [each, width(bytes)],
        (true, Cut::Columns) => [32 * (each / 2), 64],
        (true, Cut::Rows | Cut::Blocks) => [each.checked_mul(32)?, 32],
    };
    Some(Sharding { cut, shard })
}

/// The shape of all shards together.
fn whole(Sharding { cut, shard: [height, width] }: Sharding, shards: u32) -> Option<Vec<u32>> {
    let [down, across] = match cut {
        Cut::Rows => [shards, 1],
        Cut::Columns => [1, shards],
        Cut::Blocks => [2, shards / 2],
    };
    Some(vec![height.checked_mul(down)?, width.checked_mul(across)?])
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
        let (mut ranks, mut dtypes, mut cuts) = (Vec::new(), Vec::new(), Vec::new());
        for (size, count) in sizes.into_iter().flat_map(|size| (1..120).map(move |n| (size, n))) {
            for shards in [None, Some(1), Some(2), Some(6)] {
                if shards.is_some_and(|shards| count % shards > 0) {
                    continue;
                }
                let pages = Pages { count, size: Bytes(size) };
                let spec =
                    BufferSpec { buffer_type: BufferType::L1, pages, top_down: None, shards };
                let Shaped { tensor, shape, sharding } = tensor(&spec).unwrap();
                assert_eq!(tensor.pages, pages, "{shape:?}");
                ranks.push(shape.len());
                dtypes.push(tensor.dtype as u32);
                cuts.push(buffer_layout(&spec));
                if let (Some(Sharding { shard: [height, width], .. }), Some(shards)) =
                    (sharding, shards)
                {
                    let area: u32 = shape.iter().product();
                    assert_eq!(height * width * shards, area, "{shape:?} in {sharding:?}");
                }
            }
        }
        ranks.sort_unstable();
        ranks.dedup();
        dtypes.sort_unstable();
        dtypes.dedup();
        cuts.sort_unstable();
        cuts.dedup();
        assert_eq!((ranks, dtypes.len(), cuts.len()), (vec![1, 2, 3, 4, 5, 6], 8, 4));
        let none = Pages { count: 0, size: Bytes(1) };
        let spec =
            BufferSpec { buffer_type: BufferType::Dram, pages: none, top_down: None, shards: None };
        assert_eq!(tensor(&spec).unwrap().shape, [1, 0]);
    }
}
