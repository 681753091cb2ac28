//! The records that clients and the allocation server exchange: packed, no header, no length.
//!
//! The first 40 bytes of a record are the same in every version (allocation-server.md 1.2), so that
//! a version is nothing but a size: 72, 112, 128 or 144 bytes. Requests have zeros behind them.

use crate::units::{Bytes, DeviceAddr};

/// The sizes of a record, oldest version first.
pub const RECORD_SIZES: [usize; 4] = [72, 112, 128, 144];

/// The size of the largest record.
pub const RECORD_MAX: usize = 144;

/// The part of a record that every version has.
pub const HEAD: usize = 40;

/// The largest process id of Linux.
pub const PROCESS_MAX: i32 = 1 << 22;

/// Device numbers are below this: the largest machine has half as many.
pub const DEVICES_MAX: i32 = 64;

/// The server of the last era refuses buffers of more than 100 GiB.
pub const SIZE_MAX: Bytes = Bytes(100 << 30);

/// What a record is.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
#[repr(u8)]
pub enum RecordType {
    /// A buffer came.
    Alloc = 1,
    /// A buffer went.
    Free = 2,
    /// What lives on a device?
    Query = 3,
    /// The answer to that.
    Response = 4,
    /// Print what is left.
    DumpRemaining = 5,
    /// What is a device, or how many are there (device -1)?
    DeviceInfoQuery = 6,
    /// The answer to that.
    DeviceInfoResponse = 7,
    /// A circular buffer came.
    CircularAlloc = 8,
    /// A circular buffer went.
    CircularFree = 9,
    /// A kernel was loaded.
    KernelLoad = 10,
    /// A kernel was unloaded.
    KernelUnload = 11,
    /// Print the kernels.
    DumpKernels = 12,
}

impl RecordType {
    /// Every type, in the order of the codes.
    pub const ALL: [Self; 12] = [
        Self::Alloc,
        Self::Free,
        Self::Query,
        Self::Response,
        Self::DumpRemaining,
        Self::DeviceInfoQuery,
        Self::DeviceInfoResponse,
        Self::CircularAlloc,
        Self::CircularFree,
        Self::KernelLoad,
        Self::KernelUnload,
        Self::DumpKernels,
    ];

    /// The type of that code.
    #[must_use]
    #[inline]
    pub fn from_code(code: u8) -> Option<Self> {
        Self::ALL.get(usize::from(code).wrapping_sub(1)).copied()
    }

    /// The first version that has it, as the size of its records (allocation-server.md 1.3).
    #[must_use]
    pub fn first_version(self) -> usize {
        match self {
            Self::Alloc | Self::Free | Self::Query | Self::Response | Self::DumpRemaining => 72,
            Self::DeviceInfoQuery | Self::DeviceInfoResponse => 112,
            Self::CircularAlloc
            | Self::CircularFree
            | Self::KernelLoad
            | Self::KernelUnload
            | Self::DumpKernels => 128,
        }
    }
}

/// The first 40 bytes of a record, as they stand: nothing of it is checked.
///
/// ```
/// use freeorder::wire::{Head, RecordType};
/// let head = Head { code: RecordType::Query as u8, device: 3, ..Head::default() };
/// let record = head.record(112);
/// assert_eq!((record.len(), Head::of(&record)), (112, head));
/// ```
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Head {
    /// The code of its type.
    pub code: u8,
    /// The device number.
    pub device: i32,
    /// How large; 0 in a FREE.
    pub size: Bytes,
    /// The code of its memory, or of the kind of kernel; 0 in a FREE.
    pub memory: u8,
    /// The sender's process id, in its own namespace.
    pub process: i32,
    /// The buffer id: a device address, or whatever names a kernel.
    pub buffer: DeviceAddr,
    /// Nanoseconds since 1970; 0 in a FREE.
    pub timestamp: u64,
}

impl Head {
    /// The head of a record.
    ///
    /// # Panics
    /// If there are fewer than 40 bytes.
    #[must_use]
    #[inline(always)]
    pub fn of(record: &[u8]) -> Self {
        Self {
            code: record[0],
            device: word(record, 4),
            size: Bytes(quad(record, 8)),
            memory: record[16],
            process: word(record, 20),
            buffer: DeviceAddr(quad(record, 24)),
            timestamp: quad(record, 32),
        }
    }

    /// The record of that size, with zeros behind the head, as clients send it.
    #[must_use]
    pub fn record(&self, size: usize) -> Vec<u8> {
        let mut bytes = vec![0; size.max(HEAD)];
        bytes[0] = self.code;
        bytes[4..8].copy_from_slice(&self.device.to_le_bytes());
        bytes[8..16].copy_from_slice(&self.size.0.to_le_bytes());
        bytes[16] = self.memory;
        bytes[20..24].copy_from_slice(&self.process.to_le_bytes());
        bytes[24..32].copy_from_slice(&self.buffer.0.to_le_bytes());
        bytes[32..40].copy_from_slice(&self.timestamp.to_le_bytes());
        bytes
    }
}

/// What lives on a device, as the answer to a QUERY says it, in bytes.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Totals {
    /// Off-chip memory.
    pub dram: Bytes,
    /// On-chip memory.
    pub l1: Bytes,
    /// The top of on-chip memory, and memory of the host.
    pub l1_small: Bytes,
    /// Captured traces.
    pub trace: Bytes,
    /// Circular buffers; from 128 bytes on.
    pub circular: Bytes,
    /// Kernels; from 128 bytes on.
    pub kernels: Bytes,
}

/// What a device is, as the answer to a DEVICE_INFO_QUERY says it; from 112 bytes on.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct DeviceInfo {
    /// Off-chip memory, all told.
    pub dram: Bytes,
    /// On-chip memory, all told.
    pub l1: Bytes,
    /// `tt::ARCH`: 2 is Wormhole_B0, 3 is Blackhole.
    pub arch: u32,
    /// Channels of off-chip memory.
    pub dram_channel_count: u32,
    /// Bytes of each of them.
    pub dram_channel_bytes: u32,
    /// Bytes of on-chip memory of each core.
    pub core_bytes: u32,
    /// 1 if the device is there.
    pub available: u32,
    /// How many devices there are; only in the answer for device -1.
    pub device_count: u32,
}

/// An answer of the server.
///
/// ```
/// use freeorder::wire::{RecordType, Reply};
/// let reply = Reply::new(RecordType::Response, 3);
/// let mut bytes = Vec::new();
/// reply.write(72, &mut bytes);
/// assert_eq!((bytes.len(), Reply::read(&bytes)), (72, Some(reply)));
/// ```
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Reply {
    /// Which answer.
    pub kind: RecordType,
    /// The device number that was asked for.
    pub device: i32,
    /// What lives there.
    pub totals: Totals,
    /// What the device is.
    pub info: DeviceInfo,
}

impl Reply {
    /// An answer with nothing in it.
    #[must_use]
    pub fn new(kind: RecordType, device: i32) -> Self {
        Self { kind, device, totals: Totals::default(), info: DeviceInfo::default() }
    }

    /// Appends the record of that size; what its version has no place for is left out.
    pub fn write(&self, size: usize, out: &mut Vec<u8>) {
        let start = out.len();
        let head = Head { code: self.kind as u8, device: self.device, ..Head::default() };
        out.extend_from_slice(&head.record(size));
        let Totals { dram, l1, l1_small, trace, circular, kernels } = self.totals;
        let mut quads = vec![dram, l1, l1_small, trace];
        if size >= 128 {
            quads.extend([circular, kernels]);
        }
        quads.extend([self.info.dram, self.info.l1]);
        let DeviceInfo { arch, dram_channel_count, dram_channel_bytes, .. } = self.info;
        let DeviceInfo { core_bytes, available, device_count, .. } = self.info;
        let words =
            [arch, dram_channel_count, dram_channel_bytes, core_bytes, available, device_count];
        let fields = quads.iter().flat_map(|bytes| bytes.0.to_le_bytes());
        let fields = fields.chain(words.iter().flat_map(|word| word.to_le_bytes()));
        for (byte, field) in out[start + HEAD..].iter_mut().zip(fields) {
            *byte = field;
        }
    }

    /// The answer that a record is; none if it is of another type, or of another size.
    #[must_use]
    pub fn read(record: &[u8]) -> Option<Self> {
        let size = record.len();
        if !RECORD_SIZES.contains(&size) {
            return None;
        }
        let kind = RecordType::from_code(record[0])?;
        if !matches!(kind, RecordType::Response | RecordType::DeviceInfoResponse) {
            return None;
        }
        let bytes = |at: usize| Bytes(quad(record, at));
        let mut reply = Self::new(kind, word(record, 4));
        let totals = &mut reply.totals;
        (totals.dram, totals.l1) = (bytes(40), bytes(48));
        (totals.l1_small, totals.trace) = (bytes(56), bytes(64));
        if size >= 128 {
            (totals.circular, totals.kernels) = (bytes(72), bytes(80));
        }
        if size >= 112 {
            let at = if size >= 128 { 88 } else { 72 };
            let word = |nth: usize| word(record, at + 16 + 4 * nth) as u32;
            reply.info = DeviceInfo {
                dram: bytes(at),
                l1: bytes(at + 8),
                arch: word(0),
                dram_channel_count: word(1),
                dram_channel_bytes: word(2),
                core_bytes: word(3),
                available: word(4),
                device_count: word(5),
            };
        }
        Some(reply)
    }
}

/// The size at which records cover most of a sample; none if there is no record.
#[must_use]
pub fn record_size(sample: &[u8]) -> Option<usize> {
    best_fit(sample).map(|(size, _)| size)
}

/// Whether a sample is a stream of records, torn ones and all: they cover at least half of it, and
/// begin near its start. Those that say what cannot be begin at its start: tables of addresses in
/// programs have the shape of them.
#[must_use]
pub fn is_stream(sample: &[u8]) -> bool {
    best_fit(sample).is_some_and(|(size, fit)| {
        let start = &sample[..sample.len().min(fit.begins * size)];
        let covered = |sample| covered(sample, size, fit.is_good);
        covered(start) > 0 && 2 * covered(sample) >= sample.len()
    })
}

/// By what a record is known.
#[derive(Clone, Copy)]
struct Fit {
    /// Whether a record can start with these bytes.
    is_good: fn(&[u8]) -> bool,
    /// Within how many records from its start a stream has its first.
    begins: usize,
}

/// What is plausible tells sizes apart best; a stream of broken messages still has a shape.
const FITS: [Fit; 2] =
    [Fit { is_good: is_plausible, begins: 3 }, Fit { is_good: is_record, begins: 1 }];

/// The size at which records cover most of a sample, and what of a record that was judged by.
fn best_fit(sample: &[u8]) -> Option<(usize, Fit)> {
    FITS.into_iter().find_map(|fit| {
        let covered = RECORD_SIZES.map(|size| (covered(sample, size, fit.is_good), size));
        // Half of the records of one version cover as much as all of another: the smaller size.
        let best = covered.into_iter().rev().max_by_key(|&(bytes, _)| bytes);
        best.filter(|&(bytes, _)| bytes > 0).map(|(_, size)| (size, fit))
    })
}

/// The bytes of records that another one follows, or the end. One with fields that cannot be is one
/// behind others that can, but of no more than half of the records: servers are sent such messages,
/// and who passed them over would see a larger version in what is left.
fn covered(sample: &[u8], size: usize, is_good: fn(&[u8]) -> bool) -> usize {
    let head = |at: usize| sample.get(at..at + HEAD);
    let (mut at, mut bytes) = (0, 0);
    let (mut good, mut odd, mut follows) = (0, 0, false);
    while let Some(record) = head(at) {
        let next = at + size;
        let ends = next == sample.len() || next < sample.len() && next + HEAD > sample.len();
        let is_one = is_record(record) && (ends || head(next).is_some_and(is_record));
        let can_be = is_one && is_good(record);
        follows = can_be || is_one && follows && odd < good;
        if follows {
            good += usize::from(can_be);
            odd += usize::from(!can_be);
            bytes += size;
            at = next;
        } else {
            at += 1;
        }
    }
    bytes
}

/// Whether a record can start here: the server of the last era asks for no more than a type of 1
/// to 12; clients clear the padding first.
///
/// # Panics
/// If there are fewer than 20 bytes.
#[must_use]
#[inline(always)]
pub fn is_record(bytes: &[u8]) -> bool {
    let padding = u32::from_le_bytes([0, bytes[1], bytes[2], bytes[3]]);
    let more = u32::from_le_bytes([0, bytes[17], bytes[18], bytes[19]]);
    bytes[0].wrapping_sub(1) < 12 && padding == 0 && more == 0
}

/// Whether a record starts here whose fields can all be: in the middle of a record there is
/// something that looks like one more often than not.
///
/// # Panics
/// If there are fewer than 40 bytes.
#[must_use]
pub fn is_plausible(bytes: &[u8]) -> bool {
    is_record(bytes)
        && (-1..DEVICES_MAX).contains(&word(bytes, 4))
        && (1..=PROCESS_MAX).contains(&word(bytes, 20))
        && quad(bytes, 8) <= SIZE_MAX.0
}

/// The 64-bit field at an offset.
#[inline(always)]
fn quad(record: &[u8], at: usize) -> u64 {
    let bytes = record[at..at + 8].first_chunk().expect("eight bytes were asked for");
    u64::from_le_bytes(*bytes)
}

/// The 32-bit field at an offset.
#[inline(always)]
fn word(record: &[u8], at: usize) -> i32 {
    let bytes = record[at..at + 4].first_chunk().expect("four bytes were asked for");
    i32::from_le_bytes(*bytes)
}
