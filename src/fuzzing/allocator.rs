//! The allocator against a second reading of its rules, as plain as it can be.

use std::fmt;

use arbitrary::{Arbitrary, Unstructured};

use super::TestCase;
use crate::allocator::reference::ReferenceList;
use crate::allocator::{
    AllocatorId, BankManager, BankManagerConfig, Block, ClearLowest, Dependencies, Direction,
    FreeListConfig, FreeListOpt, Request, SearchPolicy,
};
use crate::units::{BufferType, Bytes, DeviceAddr};

/// The most calls of a case.
const CALLS_MAX: usize = 200;

/// A call of the allocator.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Call {
    Allocate(Bytes, Direction),
    AllocateAt(DeviceAddr, Bytes),
    /// The live block of this number, modulo how many there are.
    Free(usize),
    FreeUnknown(DeviceAddr),
    Shrink(Bytes),
    ResetSize,
    Clear(ClearLowest),
}

/// A configuration and calls.
///
/// ```
/// use freeorder::fuzzing::{TestCase, allocator::Calls};
/// assert_eq!(Calls::of(b"any bytes are calls").check(), Ok(()));
/// ```
#[derive(Clone, Debug)]
pub struct Calls {
    config: FreeListConfig,
    bank_count: u32,
    calls: Vec<Call>,
}

fn config(input: &mut Unstructured<'_>) -> arbitrary::Result<FreeListConfig> {
    Ok(FreeListConfig {
        // 48 is no power of two; 100,001 bytes are no multiple of any alignment here.
        max_size: Bytes(*input.choose(&[3000, 65_536, 100_001, 1 << 20])?),
        offset: DeviceAddr(*input.choose(&[0, 96, 4096])?),
        min_allocation: Bytes(*input.choose(&[0, 1, 32, 1024])?),
        alignment: Bytes(*input.choose(&[1, 16, 32, 48, 64, 1024])?),
        policy: *input.choose(&[SearchPolicy::Best, SearchPolicy::First])?,
    })
}

fn size(input: &mut Unstructured<'_>) -> arbitrary::Result<Bytes> {
    let limit = *input.choose(&[200, 6000, 80_000])?;
    Ok(Bytes(input.int_in_range(0..=limit - 1)?))
}

fn address(input: &mut Unstructured<'_>) -> arbitrary::Result<DeviceAddr> {
    Ok(DeviceAddr(input.int_in_range(0..=69_999)?))
}

impl Arbitrary<'_> for Call {
    /// Mostly allocations and frees, so that there is something to shrink and to clear.
    fn arbitrary(input: &mut Unstructured<'_>) -> arbitrary::Result<Self> {
        Ok(match input.int_in_range(0..=25)? {
            0..12 => {
                let size = size(input)?;
                Self::Allocate(size, *input.choose(&[Direction::BottomUp, Direction::TopDown])?)
            }
            12..20 => Self::Free(input.int_in_range(0..=63)?),
            20 | 21 => Self::AllocateAt(address(input)?, size(input)?),
            22 => Self::FreeUnknown(address(input)?),
            23 => Self::Shrink(Bytes(input.int_in_range(0..=3999)?)),
            24 => Self::ResetSize,
            _ => Self::Clear(*input.choose(&[ClearLowest::Keep, ClearLowest::Reset])?),
        })
    }
}

impl Arbitrary<'_> for Calls {
    fn arbitrary(input: &mut Unstructured<'_>) -> arbitrary::Result<Self> {
        let (config, bank_count) = (config(input)?, *input.choose(&[1, 8, 12])?);
        let mut calls = Vec::new();
        while !input.is_empty() && calls.len() < CALLS_MAX {
            calls.push(input.arbitrary()?);
        }
        Ok(Self { config, bank_count, calls })
    }
}

impl TestCase for Calls {
    fn of(bytes: &[u8]) -> Self {
        let calls = Self::arbitrary(&mut Unstructured::new(bytes));
        calls.expect("bytes that run out are read as zeros")
    }

    fn check(&self) -> Result<(), String> {
        self.check_list()?;
        self.check_banks()
    }
}

/// Fails with what differs.
fn same<T: PartialEq + fmt::Debug>(
    at: usize,
    what: &str,
    found: T,
    plain: T,
) -> Result<(), String> {
    if found == plain {
        return Ok(());
    }
    Err(format!("call {}: {what} is {found:?}, by the plain reading {plain:?}", at + 1))
}

fn live(list: &FreeListOpt) -> Vec<DeviceAddr> {
    list.blocks().filter(|block| block.allocated).map(|block| block.address).collect()
}

impl Calls {
    /// Every answer and every block of the list, and each call taken back and made again.
    fn check_list(&self) -> Result<(), String> {
        let mut list = FreeListOpt::new(self.config);
        let mut plain = ReferenceList::new(self.config);
        for (at, &call) in self.calls.iter().enumerate() {
            match call {
                Call::Allocate(size, direction) => {
                    let found = allocate_twice(&mut list, at, size, direction)?;
                    same(at, "the address", found, plain.allocate(size, direction))?;
                }
                Call::AllocateAt(start, size) => {
                    let found = list.allocate_at_address(start, size);
                    same(at, "the address", found, plain.allocate_at_address(start, size))?;
                }
                Call::Free(number) => {
                    let live = live(&list);
                    let Some(&address) = live.get(number % live.len().max(1)) else { continue };
                    let found = free_twice(&mut list, at, address)?;
                    same(at, "the size", found, plain.deallocate(address))?;
                }
                Call::FreeUnknown(address) => {
                    let found = list.deallocate(address);
                    same(at, "the size", found, plain.deallocate(address))?;
                }
                Call::Shrink(size) => {
                    let done = list.shrink_size(size, true).is_ok();
                    same(at, "whether it shrank", done, plain.shrink_size(size))?;
                }
                Call::ResetSize => {
                    list.reset_size();
                    plain.reset_size();
                }
                Call::Clear(lowest) => {
                    list.clear(lowest);
                    plain.clear(lowest);
                }
            }
            same(at, "the blocks", list.blocks().collect(), plain.blocks())?;
            let lowest = (list.lowest_occupied_address(), plain.lowest_occupied_address());
            same(at, "the lowest occupied address", lowest.0, lowest.1)?;
        }
        Ok(())
    }

    /// The same calls through a manager of one allocator: what a bank stores, and the address
    /// limit.
    fn check_banks(&self) -> Result<(), String> {
        let limit = DeviceAddr(self.config.offset.0 + self.config.max_size.0 / 4);
        let mut manager = BankManager::new(self.banks(limit), Dependencies::single());
        let only = AllocatorId(0);
        let list = FreeListConfig { min_allocation: self.config.alignment, ..self.config };
        let mut plain = ReferenceList::new(list);
        for (at, &call) in self.calls.iter().enumerate() {
            match call {
                Call::Allocate(size, direction) => {
                    let page_size = Bytes(1 + size.0 % 100);
                    let request = Request { size, page_size, num_shards: None, direction };
                    let each = self.share_of_a_bank(size.0 / page_size.0, page_size);
                    let expected = plain.allocate(each, direction);
                    let refused = expected.filter(|&address| address < limit);
                    refused.map(|address| plain.deallocate(address));
                    let found = manager.allocate(only, request).ok();
                    same(at, "a bank's address", found, expected.filter(|_| refused.is_none()))?;
                }
                Call::Free(number) => {
                    let live =
                        manager.allocated_buffers(only).map_err(|error| error.to_string())?;
                    let Some(&address) = live.get(number % live.len().max(1)) else { continue };
                    let freed = manager.deallocate(only, address).ok().flatten();
                    let found = freed.map(|freed| freed.size);
                    same(at, "the size in a bank", found, plain.deallocate(address))?;
                }
                Call::FreeUnknown(address) => {
                    let freed = manager.deallocate(only, address).ok().flatten();
                    let found = freed.map(|freed| freed.size);
                    same(at, "the size in a bank", found, plain.deallocate(address))?;
                }
                Call::Shrink(size) => {
                    let done = manager.shrink_size(size, true).is_ok();
                    same(at, "whether a bank shrank", done, plain.shrink_size(size))?;
                }
                Call::ResetSize => {
                    same(at, "whether a bank grew", manager.reset_size().is_ok(), true)?;
                    plain.reset_size();
                }
                Call::Clear(lowest) => {
                    manager.clear(lowest);
                    plain.clear(lowest);
                }
                Call::AllocateAt(..) => continue,
            }
            let list = manager.allocator(only).map_err(|error| error.to_string())?;
            let blocks: Vec<Block> = list.blocks().collect();
            same(at, "a bank's blocks", blocks, plain.blocks())?;
        }
        Ok(())
    }

    fn banks(&self, limit: DeviceAddr) -> BankManagerConfig {
        BankManagerConfig {
            buffer_type: BufferType::L1,
            bank_count: self.bank_count,
            bank_size: self.config.max_size,
            offset: self.config.offset,
            page_alignment: self.config.alignment,
            block_alignment: self.config.alignment,
            interleaved_address_limit: limit,
            compute_core_count: 64,
            policy: self.config.policy,
            atomic_allocation: true,
        }
    }

    /// Deals the pages to the banks one by one, and measures the first bank.
    fn share_of_a_bank(&self, pages: u64, page_size: Bytes) -> Bytes {
        let of_the_first = (0..pages).filter(|page| page.is_multiple_of(self.bank_count.into()));
        Bytes(of_the_first.map(|_| page_size.round_up(self.config.alignment).0).sum())
    }
}

/// Allocates, takes it back, and allocates again.
fn allocate_twice(
    list: &mut FreeListOpt,
    at: usize,
    size: Bytes,
    direction: Direction,
) -> Result<Option<DeviceAddr>, String> {
    let (lowest, before) = (list.lowest_occupied_address(), list.fingerprint());
    let found = list.allocate(size, direction);
    if let Some(address) = found {
        list.undo_allocate(address, lowest);
        same(at, "the fingerprint of the undone state", list.fingerprint(), before)?;
        same(at, "the second address", list.allocate(size, direction), found)?;
    } else {
        same(at, "the fingerprint after a failure", list.fingerprint(), before)?;
    }
    Ok(found)
}

/// Frees, takes it back, and frees again; the third time there is nothing.
fn free_twice(
    list: &mut FreeListOpt,
    at: usize,
    address: DeviceAddr,
) -> Result<Option<Bytes>, String> {
    let (lowest, before) = (list.lowest_occupied_address(), list.fingerprint());
    let found = list.deallocate(address);
    if let Some(size) = found {
        list.undo_deallocate(address, size, lowest);
        same(at, "the fingerprint of the undone state", list.fingerprint(), before)?;
        same(at, "the second size", list.deallocate(address), found)?;
    }
    same(at, "the size of nothing", list.deallocate(address), None)?;
    Ok(found)
}

impl fmt::Display for Calls {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let FreeListConfig { max_size, offset, min_allocation, alignment, policy } = self.config;
        let policy = match policy {
            SearchPolicy::Best => "best",
            SearchPolicy::First => "first",
        };
        write!(f, "new capacity={max_size} offset={offset} min={min_allocation} ")?;
        writeln!(f, "align={alignment} policy={policy} banks={}", self.bank_count)?;
        self.calls.iter().try_for_each(|call| writeln!(f, "{call}"))
    }
}

impl fmt::Display for Call {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Allocate(size, Direction::BottomUp) => write!(f, "alloc {size} bottom"),
            Self::Allocate(size, Direction::TopDown) => write!(f, "alloc {size} top"),
            Self::AllocateAt(start, size) => write!(f, "alloc_at {start} {size}"),
            Self::Free(number) => write!(f, "free the live block {number}"),
            Self::FreeUnknown(address) => write!(f, "free {address}"),
            Self::Shrink(size) => write!(f, "shrink {size}"),
            Self::ResetSize => f.write_str("reset_size"),
            Self::Clear(ClearLowest::Keep) => f.write_str("clear"),
            Self::Clear(ClearLowest::Reset) => f.write_str("clear, the lowest address too"),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::super::tests::smoke;
    use super::*;

    #[test]
    fn smoke_allocator() {
        assert_eq!(smoke::<Calls>(1, 2000, 250), 2000);
    }

    /// A target that only ever frees nothing would find nothing.
    #[test]
    fn random_bytes_fill_the_allocator() {
        let bytes: Vec<u8> = (0..400_u32).map(|at| (at * at / 7) as u8).collect();
        let case = Calls::of(&bytes);
        let allocations = case.calls.iter().filter(|call| matches!(call, Call::Allocate(..)));
        assert!(allocations.count() > 20, "{case}");
    }
}
