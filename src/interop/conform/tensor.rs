//! A tensor's pages, from its dtype, layout and shape: what `TensorSpec` works out before a buffer
//! is asked for.
//!
//! Measured on the real runtime: a tile has 32 x 32 elements, a row-major page is one unpadded row.

use serde::Deserialize;

use crate::op::{BufferSpec, CacheKey, CircularBufferSpec, Pages};
use crate::units::{BufferType, Bytes};

/// The memory that a recording names.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "snake_case")]
pub(crate) enum Kind {
    Dram,
    L1,
    L1Small,
}

impl Kind {
    pub fn buffer_type(self) -> BufferType {
        match self {
            Self::Dram => BufferType::Dram,
            Self::L1 => BufferType::L1,
            Self::L1Small => BufferType::L1Small,
        }
    }
}

/// The type of a tensor's elements.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "snake_case")]
pub(crate) enum Dtype {
    Bfloat16,
    Float32,
    Uint32,
    Int32,
    Uint16,
    Uint8,
    #[serde(rename = "bfloat8_b")]
    Bfloat8B,
    #[serde(rename = "bfloat4_b")]
    Bfloat4B,
}

impl Dtype {
    /// The size of one element; none for the types whose elements share exponents.
    fn element_size(self) -> Option<u64> {
        match self {
            Self::Uint8 => Some(1),
            Self::Bfloat16 | Self::Uint16 => Some(2),
            Self::Float32 | Self::Uint32 | Self::Int32 => Some(4),
            Self::Bfloat8B | Self::Bfloat4B => None,
        }
    }

    /// The size of one tile.
    fn tile_size(self) -> Bytes {
        Bytes(match (self, self.element_size()) {
            (_, Some(size)) => 1024 * size,
            (Self::Bfloat4B, None) => 576,
            (_, None) => 1088,
        })
    }
}

/// How the elements lie in memory.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "snake_case")]
pub(crate) enum Layout {
    Tile,
    RowMajor,
}

/// Why a shape has no pages.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum NoPages {
    /// The runtime refuses the combination, in these words.
    Refused(&'static str),
    /// The shape has no dimension.
    NoDimension,
    /// The pages, or one of them, exceed what the runtime can count.
    TooLarge,
}

/// What a tensor is made from, as far as memory is concerned.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Tensor {
    pub kind: Kind,
    pub dtype: Dtype,
    pub layout: Layout,
    pub pages: Pages,
}

impl Tensor {
    pub fn new(
        (kind, dtype, layout): (Kind, Dtype, Layout),
        shape: &[u32],
    ) -> Result<Self, NoPages> {
        if layout == Layout::RowMajor && dtype.element_size().is_none() {
            // The runtime names BFLOAT8_B for BFLOAT4_B too.
            let text = "Only TILE layout is supported for BFLOAT8_B dtype!";
            return Err(NoPages::Refused(text));
        }
        let Some((&width, above)) = shape.split_last() else {
            return Err(NoPages::NoDimension);
        };
        let (size, count) = match (layout, dtype.element_size()) {
            (Layout::RowMajor, Some(element)) => {
                (Bytes(u64::from(width) * element), product(above.iter().copied()))
            }
            (Layout::RowMajor | Layout::Tile, _) => {
                let (&height, leading) = above.split_last().unwrap_or((&1, &[]));
                let tiles = [height.div_ceil(32), width.div_ceil(32)];
                (dtype.tile_size(), product(leading.iter().copied().chain(tiles)))
            }
        };
        let count = count.filter(|_| u32::try_from(size.0).is_ok()).ok_or(NoPages::TooLarge)?;
        Ok(Self { kind, dtype, layout, pages: Pages { count, size } })
    }

    /// The buffer that it asks for.
    pub fn buffer(&self) -> BufferSpec {
        let buffer_type = self.kind.buffer_type();
        BufferSpec { buffer_type, pages: self.pages, top_down: None, shards: None }
    }

    /// What the runtime reports of it: `ceil(pages / banks)` pages, unaligned.
    pub fn per_bank(&self, bank_count: u32) -> Bytes {
        let pages = self.pages.count.div_ceil(bank_count.max(1));
        Bytes(u64::from(pages) * self.pages.size.0)
    }

    /// The key of `ttnn.add(a, a)` in the program cache: dtype, layout and memory, not the shape.
    pub fn cache_key(&self) -> CacheKey {
        let (kind, layout) = (self.kind as u32, self.layout as u32);
        CacheKey(self.dtype as u32 * 6 + kind * 2 + layout)
    }

    /// The circular buffers of `ttnn.add`: three of two tiles each, in either layout.
    pub fn circular_buffers(&self) -> Vec<CircularBufferSpec> {
        let size = Bytes(2 * self.dtype.tile_size().0);
        vec![CircularBufferSpec { count: 3, size, cores: None }]
    }

    /// Why `ttnn.add` does not take it, in the runtime's words.
    pub fn refused_by_add(&self) -> Option<&'static str> {
        (self.dtype == Dtype::Uint8).then_some(
            "Input tensor A dtype DataType::UINT8 is not supported for binary operation \
             BinaryOpType::ADD",
        )
    }

    /// Whether `ttnn.add` of it kills the process (SIGFPE): rows of no elements.
    pub fn kills_add(&self) -> bool {
        self.layout == Layout::RowMajor && self.pages.size.0 == 0
    }
}

/// The product, if it can be a number of pages.
fn product(factors: impl Iterator<Item = u32> + Clone) -> Option<u32> {
    // An empty tensor has no pages, however large its other dimensions are.
    if factors.clone().any(|factor| factor == 0) {
        return Some(0);
    }
    factors.into_iter().try_fold(1_u32, u32::checked_mul)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn pages(dtype: Dtype, layout: Layout, shape: &[u32]) -> Result<(u32, u64), NoPages> {
        let tensor = Tensor::new((Kind::L1, dtype, layout), shape)?;
        Ok((tensor.pages.count, tensor.pages.size.0))
    }

    /// The page sizes and counts that were measured: wrong ones would look like allocator faults.
    #[test]
    fn pages_are_tiles_or_rows() {
        use Layout::{RowMajor, Tile};
        assert_eq!(pages(Dtype::Bfloat16, Tile, &[2, 3, 33, 64]), Ok((24, 2048)));
        assert_eq!(pages(Dtype::Bfloat8B, Tile, &[64]), Ok((2, 1088)));
        assert_eq!(pages(Dtype::Bfloat4B, Tile, &[32, 32]), Ok((1, 576)));
        assert_eq!(pages(Dtype::Bfloat16, RowMajor, &[2, 3, 35]), Ok((6, 70)));
        assert_eq!(pages(Dtype::Uint8, RowMajor, &[9]), Ok((1, 9)));
        assert_eq!(pages(Dtype::Float32, Tile, &[0, 32]), Ok((0, 4096)));
    }

    /// What has no pages says so; a product that overflows must not wrap to a small buffer.
    #[test]
    fn shapes_without_pages_are_refused() {
        use Layout::{RowMajor, Tile};
        let huge = [u32::MAX, 2, 32, 32];
        assert_eq!(pages(Dtype::Uint8, Tile, &huge), Err(NoPages::TooLarge));
        assert_eq!(pages(Dtype::Float32, RowMajor, &[1, 1 << 30]), Err(NoPages::TooLarge));
        assert_eq!(pages(Dtype::Uint8, Tile, &[]), Err(NoPages::NoDimension));
        let refused = pages(Dtype::Bfloat4B, RowMajor, &[32, 32]);
        assert!(matches!(refused, Err(NoPages::Refused(text)) if text.contains("BFLOAT8_B")));
    }

    /// One entry of the cache for each dtype, layout and memory: a collision would hide a miss.
    #[test]
    fn cache_keys_are_distinct() {
        let mut keys = std::collections::BTreeSet::new();
        for kind in [Kind::Dram, Kind::L1, Kind::L1Small] {
            for dtype in [Dtype::Bfloat16, Dtype::Float32, Dtype::Uint32, Dtype::Bfloat8B] {
                for layout in [Layout::Tile, Layout::RowMajor] {
                    let Ok(tensor) = Tensor::new((kind, dtype, layout), &[32, 32]) else {
                        continue;
                    };
                    assert!(keys.insert(tensor.cache_key()));
                }
            }
        }
        assert_eq!(keys.len(), 21);
    }
}
