//! The values in operations: small, so that names and addresses collide.

use super::profile::Profile;
use crate::choice::Choices;
use crate::op::{BufferSpec, CircularBufferSpec, CoreRange, Pages};
use crate::scenario::SetupLine;
use crate::units::{BufferType, Bytes, MeshShape};

type Rectangle = (MeshShape, (u8, u8));

const fn rows(rows: u8, columns: u8, at: (u8, u8)) -> Rectangle {
    (MeshShape { rows, columns }, at)
}

/// The rectangles that are opened on the 2x4 chips of a T3K; the whole machine more often.
const RECTANGLES: [Rectangle; 12] = [
    rows(2, 4, (0, 0)),
    rows(2, 4, (0, 0)),
    rows(2, 4, (0, 0)),
    rows(2, 2, (0, 0)),
    rows(2, 2, (0, 2)),
    rows(1, 4, (0, 0)),
    rows(1, 4, (1, 0)),
    rows(1, 2, (0, 0)),
    rows(1, 2, (1, 2)),
    rows(1, 1, (0, 0)),
    rows(1, 1, (1, 3)),
    rows(1, 8, (0, 0)),
];

/// The parts that are cut from a mesh, as far as they fit.
const PARTS: [Rectangle; 8] = [
    rows(1, 1, (0, 0)),
    rows(1, 2, (0, 0)),
    rows(1, 2, (0, 2)),
    rows(1, 2, (1, 0)),
    rows(2, 2, (0, 0)),
    rows(1, 4, (1, 0)),
    rows(1, 1, (0, 1)),
    rows(2, 4, (0, 0)),
];

type Form = (BufferType, Option<bool>, Option<u32>);

/// Types, ends and shards; the first two are what ordinary programs mostly use.
const FORMS: [Form; 16] = [
    (BufferType::Dram, None, None),
    (BufferType::L1, None, None),
    (BufferType::Dram, None, None),
    (BufferType::L1, None, None),
    (BufferType::Dram, None, None),
    (BufferType::L1, None, None),
    (BufferType::Dram, None, None),
    (BufferType::L1, None, None),
    (BufferType::Dram, Some(true), None),
    (BufferType::Dram, Some(false), None),
    (BufferType::L1, Some(true), None),
    (BufferType::L1, Some(false), None),
    (BufferType::L1, None, Some(4)),
    (BufferType::L1Small, None, Some(1)),
    (BufferType::Trace, None, None),
    (BufferType::Dram, None, Some(4)),
];

/// Numbers of pages: few, so that an address is taken again at once.
const COUNTS: [u32; 16] = [1, 2, 1, 2, 1, 2, 1, 4, 1, 4, 2, 3, 12, 64, 6, 0];

/// The page size of everything.
const PAGE: Bytes = Bytes(2048);

fn one_of<T: Copy>(options: &[T], choices: &mut impl Choices) -> T {
    options[choices.pick(options.len() as u64) as usize]
}

/// One of the two setups: the usual one, or one with room for L1_SMALL buffers and traces.
pub(super) fn setup(variant: u64) -> Vec<SetupLine> {
    match variant {
        0 => Vec::new(),
        _ => vec![SetupLine::L1Small(Bytes(32768)), SetupLine::TraceRegion(Bytes(1 << 20))],
    }
}

/// The rectangle of a mesh that is opened.
pub(super) fn rectangle(profile: Profile, choices: &mut impl Choices) -> Rectangle {
    match profile {
        Profile::Basic => RECTANGLES[0],
        _ => one_of(&RECTANGLES, choices),
    }
}

/// A rectangle that fits into a mesh.
pub(super) fn part(whole: MeshShape, choices: &mut impl Choices) -> Rectangle {
    let fits = |&&(shape, at): &&Rectangle| {
        shape.rows + at.0 <= whole.rows && shape.columns + at.1 <= whole.columns
    };
    let fitting = PARTS.iter().filter(fits);
    let nth = choices.pick(fitting.clone().count() as u64) as usize;
    *fitting.clone().nth(nth).expect("one chip fits into every mesh")
}

/// All of the L1 of a T3K without L1_SMALL, and about a half and a quarter of it: what is left
/// between such buffers is in pieces.
const SHARES: [Bytes; 4] = [Bytes(1_393_312), Bytes(655_360), Bytes(327_680), Bytes(327_680)];

/// What a buffer is created from. Where addresses are few, some buffers take a good part of L1.
pub(super) fn spec(profile: Profile, choices: &mut impl Choices) -> BufferSpec {
    if profile == Profile::Reuse && choices.pick(3) == 2 {
        let pages = Pages { count: 1, size: one_of(&SHARES, choices) };
        return BufferSpec { buffer_type: BufferType::L1, pages, top_down: None, shards: None };
    }
    let basic = profile == Profile::Basic;
    let forms = if basic { &FORMS[..2] } else { &FORMS };
    let (buffer_type, top_down, shards) = one_of(forms, choices);
    let count = if basic { 1 + choices.pick(64) as u32 } else { one_of(&COUNTS, choices) };
    BufferSpec { buffer_type, pages: Pages { count, size: PAGE }, top_down, shards }
}

/// How much of a buffer a view shows.
pub(super) fn view(profile: Profile, choices: &mut impl Choices) -> Option<Pages> {
    let part = profile != Profile::Basic && choices.pick(4) == 3;
    part.then_some(Pages { count: 1, size: PAGE })
}

/// The circular buffers of a program: as many programs have them, none, on some cores, and so large
/// that they reach the top of L1.
pub(super) fn circular_buffers(
    profile: Profile,
    choices: &mut impl Choices,
) -> Vec<CircularBufferSpec> {
    let one = |count, size, cores| vec![CircularBufferSpec { count, size: Bytes(size), cores }];
    let corner = CoreRange { start: (0, 0), end: (3, 3) };
    let forms = if profile == Profile::Basic { 1 } else { 8 };
    match choices.pick(forms) {
        0..=3 => one(3, 4096, None),
        4 | 5 => Vec::new(),
        6 => one(1, 2048, Some(corner)),
        _ => one(1, 1_392_000, None),
    }
}

/// The kernel binary of an operation.
pub(super) const KERNEL: Pages = Pages { count: 4, size: Bytes(1024) };

/// The kernel binary of an operation, if it has one.
pub(super) fn kernel(choices: &mut impl Choices) -> Option<Pages> {
    (choices.pick(4) == 3).then_some(KERNEL)
}
