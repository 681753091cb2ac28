//! What the server prints, in the words of the server whose books it keeps, so that whatever reads
//! the log of that one reads this one too (allocation-server.md 2.1). What k1 never said, such as a
//! dump, is said as the server of the last era does.

use std::fmt::Write as _;

use super::message::Item;
use super::table::{Answer, DeviceCounts, Entry, Kernel, Reaped, Semantics, Table};
use crate::audit::Memory;
use crate::units::{Bytes, DeviceAddr, DeviceId};

const CHECK: char = '\u{2713}';
const CROSS: char = '\u{2717}';
const WARNING: char = '\u{26a0}';
const CHART: char = '\u{1f4ca}';
const CLIPBOARD: char = '\u{1f4cb}';
/// The width of the boxes.
const WIDTH: usize = 62;
/// A dump lists buffers one by one if there are no more of a memory on a device.
const LISTED_MAX: usize = 10;

/// A number as C++ streams print it: six significant digits.
///
/// ```
/// use freeorder::serve::six_digits;
/// let printed = [0.0, 12.0, 0.01171875, 19.4297, 1048576.0, 355.37].map(six_digits);
/// assert_eq!(printed, ["0", "12", "0.0117188", "19.4297", "1.04858e+06", "355.37"]);
/// ```
#[must_use]
pub fn six_digits(number: f64) -> String {
    let exponential = format!("{number:.5e}");
    let (digits, exponent) = exponential.split_once('e').unwrap_or((&exponential, "0"));
    let exponent: i32 = exponent.parse().unwrap_or(0);
    let trimmed = |digits: &str| match digits.contains('.') {
        true => digits.trim_end_matches('0').trim_end_matches('.').to_owned(),
        false => digits.to_owned(),
    };
    if (-4..6).contains(&exponent) {
        let places = usize::try_from(5 - exponent).unwrap_or(0);
        return trimmed(&format!("{number:.places$}"));
    }
    let sign = if exponent < 0 { '-' } else { '+' };
    format!("{}e{sign}{:02}", trimmed(digits), exponent.abs())
}

fn kilo(bytes: Bytes) -> String {
    six_digits(bytes.0 as f64 / 1024.0)
}

fn mega(bytes: Bytes) -> String {
    six_digits(bytes.0 as f64 / 1024.0 / 1024.0)
}

/// A buffer id as a server prints it: in decimal before it counted references, where the last era
/// has hexadecimal.
fn id(semantics: Semantics, buffer: DeviceAddr) -> String {
    match semantics {
        Semantics::K1 => buffer.0.to_string(),
        Semantics::K2 | Semantics::Strict => format!("0x{:x}", buffer.0),
    }
}

/// The memory, where it is a part of the key.
fn of_memory(semantics: Semantics, memory: Memory) -> String {
    match semantics {
        Semantics::K1 | Semantics::K2 => String::new(),
        Semantics::Strict => format!(" of {memory}"),
    }
}

/// What a server says of its books when it starts: nothing, but where no real server keeps them so.
#[must_use]
pub fn books(semantics: Semantics) -> &'static str {
    match semantics {
        Semantics::K1 | Semantics::K2 => "",
        Semantics::Strict => "   Books: one for each process and memory\n",
    }
}

/// The line of an ALLOC.
pub fn alloc(out: &mut String, semantics: Semantics, item: &Item, answer: Answer) {
    let Item { device, buffer, size, memory, process } = item;
    let _ = write!(out, "{CHECK} [PID {process}] Allocated {size} bytes of {memory}");
    let _ = write!(out, " on device {device} (buffer_id={}", id(semantics, *buffer));
    if let Answer::Again(references) = answer {
        let _ = write!(out, ", ref_count={references}");
    }
    out.push_str(")\n");
}

/// The line of a FREE.
pub fn free(out: &mut String, semantics: Semantics, item: &Item, answer: Answer) {
    let (Answer::Freed(entry) | Answer::Kept(entry)) = answer else {
        let Item { device, buffer, process, memory, .. } = item;
        let _ = write!(out, "{WARNING} [PID {process}] Deallocation for unknown buffer");
        let _ = write!(out, " {} on device {device}", id(semantics, *buffer));
        let memory = of_memory(semantics, *memory);
        let _ = writeln!(out, "{memory} (allocated before tracking started)");
        return;
    };
    let Entry { device, buffer, held, owner, memory } = entry;
    let buffer = id(semantics, buffer);
    let _ = write!(out, "{CROSS} [PID {owner}] Freed buffer {buffer} on device {device}");
    let _ = write!(out, " ({} bytes{}", held.size, of_memory(semantics, memory));
    let _ = match (answer, semantics) {
        (Answer::Kept(_), _) => write!(out, ", ref_count={} remaining", held.references),
        (_, Semantics::K1) => Ok(()),
        (_, Semantics::K2 | Semantics::Strict) => write!(out, ", FINAL"),
    };
    out.push_str(")\n");
}

/// The line of a message about a circular buffer, with what the device has of them now.
pub fn circular(out: &mut String, item: &Item, came: bool, total: Bytes) {
    let (mark, word, sign) = if came { (CHECK, "ALLOC", '+') } else { (CROSS, "FREE", '-') };
    let (device, size, total) = (item.device, mega(item.size), mega(total));
    let _ =
        writeln!(out, "{mark} [CB_{word}] Device {device}: {sign}{size} MB (Total: {total} MB)");
}

/// The line of a message about a kernel, with what the device has of them now.
pub fn kernel(out: &mut String, item: &Item, kind: u8, came: bool, total: Bytes) {
    let kind = ["Application", "Fabric", "Dispatch"].get(usize::from(kind)).unwrap_or(&"Unknown");
    let (mark, word, sign) = if came { (CHECK, "LOAD", '+') } else { (CROSS, "UNLOAD", '-') };
    let (device, size, total) = (item.device, mega(item.size), mega(total));
    let _ = write!(out, "{mark} [KERNEL_{word}] {kind} kernel on Device {device}: ");
    let _ = writeln!(out, "{sign}{size} MB (Total: {total} MB)");
}

/// The statistics.
#[must_use]
pub fn statistics(table: &Table) -> String {
    let mut out = format!("\n{CHART} Current Statistics:\n");
    for (device, counts) in table.devices() {
        let DeviceCounts { live, totals, .. } = counts;
        let total = counts.total();
        if total > Bytes(0) || *live > 0 {
            let _ = writeln!(out, "  Device {device}:\n    Buffers: {live}");
            let _ = writeln!(out, "    DRAM: {} bytes ({} KB)", totals.dram, kilo(totals.dram));
            let _ = writeln!(out, "    L1: {} bytes ({} KB)", totals.l1, kilo(totals.l1));
            let _ = writeln!(out, "    Total: {total} bytes");
        }
    }
    let _ = writeln!(out, "  Active allocations: {}", table.live());
    out
}

/// What the reaper removed; nothing if that is nothing.
#[must_use]
pub fn reaped(removed: &[(i32, Reaped)]) -> String {
    if removed.is_empty() {
        return String::new();
    }
    let mut out =
        format!("\n{WARNING}\u{fe0f}  Detected dead processes, cleaning up orphaned buffers...\n");
    for (pid, Reaped { buffers, circular, kernels }) in removed {
        let _ = writeln!(out, "   PID {pid} is dead, removing its buffers...");
        let mut line = |(count, bytes): (u64, Bytes), what: &str| {
            let size = mega(bytes);
            let _ = writeln!(out, "   {CHECK} Removed {count} {what} ({size} MB) from PID {pid}");
        };
        line(*buffers, "buffers");
        for (removed, what) in [(circular, "CBs"), (kernels, "kernels")] {
            if removed.0 > 0 {
                line(*removed, what);
            }
        }
    }
    out.push('\n');
    out
}

fn boxed(out: &mut String, title: &str) {
    let line = "\u{2550}".repeat(WIDTH);
    let _ = writeln!(out, "\n\u{2554}{line}\u{2557}");
    let _ = writeln!(out, "\u{2551}           {title:<50}\u{2551}");
    let _ = writeln!(out, "\u{255a}{line}\u{255d}");
}

/// The first line of the answer to a DUMP_REMAINING.
#[must_use]
pub fn dump_request() -> String {
    format!("{CLIPBOARD} Received DUMP_REMAINING request...\n")
}

/// The answer to a DUMP_REMAINING.
#[must_use]
pub fn dump(table: &Table) -> String {
    let mut out = String::new();
    boxed(&mut out, "REMAINING ALLOCATED BUFFERS");
    let entries = table.entries();
    let _ = writeln!(out, "Total tracked allocations: {}\n", entries.len());
    if entries.is_empty() {
        let _ = writeln!(out, "{CHECK} No buffers remaining - perfect cleanup!");
    } else {
        for of_device in entries.chunk_by(|a, b| a.device == b.device) {
            let _ = writeln!(out, "Device {}:", of_device[0].device);
            of_device
                .chunk_by(|a, b| a.memory == b.memory)
                .for_each(|of_memory| dump_memory(&mut out, table.semantics(), of_memory));
            out.push('\n');
        }
        let _ = writeln!(out, "Total remaining buffers: {}\n", entries.len());
    }
    let _ = writeln!(out, "{CLIPBOARD} DUMP_REMAINING complete.");
    out
}

fn dump_memory(out: &mut String, semantics: Semantics, entries: &[Entry]) {
    let memory = entries[0].memory;
    let total = entries.iter().fold(0_u64, |sum, entry| sum.wrapping_add(entry.held.size.0));
    let _ = writeln!(out, "  {memory}: {} buffers, {} MB total", entries.len(), mega(Bytes(total)));
    if entries.len() > LISTED_MAX {
        return;
    }
    for Entry { buffer, held, owner, .. } in entries {
        let _ = write!(out, "    - Buffer 0x{:x}: {} KB", buffer.0, kilo(held.size));
        let _ = match semantics {
            Semantics::K1 => writeln!(out, " (PID {owner})"),
            Semantics::K2 | Semantics::Strict => {
                writeln!(out, " (PID {owner}, ref_count={})", held.references)
            }
        };
    }
}

/// The answer to a DUMP_KERNELS.
#[must_use]
pub fn dump_kernels(table: &Table) -> String {
    let mut out = String::new();
    boxed(&mut out, "DETAILED KERNEL ALLOCATIONS");
    let kernels: Vec<(DeviceId, &Kernel)> = table.kernels().collect();
    let _ = writeln!(out, "Total kernel allocations: {}", kernels.len());
    let line = "\u{2500}".repeat(57);
    for of_device in kernels.chunk_by(|a, b| a.0 == b.0) {
        let total =
            of_device.iter().fold(0_u64, |sum, (_, kernel)| sum.wrapping_add(kernel.size.0));
        let (device, count) = (of_device[0].0, of_device.len());
        let total = mega(Bytes(total));
        let _ = writeln!(out, "\n{CHART} Device {device} - Total: {total} MB ({count} kernels)");
        let _ = writeln!(out, "  \u{250c}{line}\u{2510}");
        for (_, kernel) in of_device {
            let Kernel { id, size, owner, .. } = kernel;
            let _ = writeln!(out, "  \u{2502} Kernel ID: 0x{:x}", id.0);
            let _ = writeln!(out, "  \u{2502}   Size:      {} KB", kilo(*size));
            let _ = writeln!(out, "  \u{2502}   Owner PID: {owner}");
            let _ = writeln!(out, "  \u{2502}   Age:       {} seconds", table.age(kernel));
            let _ = writeln!(out, "  \u{2502}");
        }
        let _ = writeln!(out, "  \u{2514}{line}\u{2518}");
    }
    let _ = writeln!(out, "\n{CLIPBOARD} DUMP_KERNELS complete.");
    out
}
