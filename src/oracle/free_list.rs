//! Do blocks tile the region with no two free neighbours, and do failed calls change nothing?
//!
//! After each call the allocator's own count must be the sum of what it gave out; at a checkpoint
//! the whole block table is walked.

use super::{Facts, Findings};
use crate::event::{AllocatorState, Event, Region, TableBlock, Tick};
use crate::units::Bytes;
use crate::violation::{OracleName, Violation};

/// Compares the allocator's count after each call.
#[inline]
pub(super) fn watch(tick: Tick, event: &Event<'_>, facts: &Facts<'_>, findings: &mut Findings) {
    match *event {
        Event::AddressTaken { region, bytes, after, .. } => {
            let expected = facts.expected(region).map(|allocated| Bytes(allocated.0 + bytes.0));
            compare(
                tick,
                region,
                (expected, after),
                "the count is not what was given out",
                findings,
            );
        }
        Event::AddressReturned { region, found, after, .. } => {
            let expected = facts
                .expected(region)
                .map(|allocated| Bytes(allocated.0.saturating_sub(found.unwrap_or_default().0)));
            compare(tick, region, (expected, after), "the count is not what is left", findings);
        }
        Event::AllocationFailed { region, after, .. } => {
            let expected = facts.expected(region);
            compare(tick, region, (expected, after), "a failed call kept a block", findings);
        }
        _ => {}
    }
}

/// Walks the block table at a checkpoint.
pub(super) fn watch_table(
    tick: Tick,
    event: &Event<'_>,
    facts: &Facts<'_>,
    findings: &mut Findings,
) {
    if let Event::BlockTable { region, blocks, after } = *event {
        tiles(tick, region, (blocks, after), facts, findings);
    }
}

#[inline]
fn compare(
    tick: Tick,
    region: Region,
    (expected, after): (Option<Bytes>, AllocatorState),
    what: &'static str,
    findings: &mut Findings,
) {
    if let Some(expected) = expected
        && expected != after.allocated
    {
        flag(tick, region, Bytes(after.allocated.0.abs_diff(expected.0)), what, findings);
    }
}

#[cold]
fn flag(tick: Tick, region: Region, bytes: Bytes, what: &'static str, findings: &mut Findings) {
    findings.flag(Violation {
        buffer_type: Some(region.buffer_type),
        bytes: Some(bytes),
        ..Violation::new(OracleName::FreeList, tick, what)
    });
}

fn tiles(
    tick: Tick,
    region: Region,
    (blocks, after): (&[TableBlock], AllocatorState),
    facts: &Facts<'_>,
    findings: &mut Findings,
) {
    let Some(held) = facts.holdings.region(region) else { return };
    let mut next = held.bounds.start;
    let mut free_before = false;
    let mut allocated = 0;
    for block in blocks {
        if block.address != next || block.size.0 == 0 {
            flag(tick, region, block.size, "the blocks do not tile the region", findings);
            return;
        }
        if free_before && !block.allocated {
            flag(tick, region, block.size, "two free blocks are neighbours", findings);
        }
        free_before = !block.allocated;
        allocated += if block.allocated { block.size.0 } else { 0 };
        next = block.address.offset(block.size);
    }
    if next != held.bounds.end {
        flag(tick, region, Bytes(next.0), "the blocks do not tile the region", findings);
    }
    if allocated != after.allocated.0 {
        flag(tick, region, Bytes(allocated), "the count is not the sum of the blocks", findings);
    }
}
