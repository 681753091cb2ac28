//! Cluster descriptors: which chips a machine without hardware has, and how they are linked.

use std::fmt::Write as _;

use crate::allocator::{Arch, Machine};

/// A link: a channel of a chip, and a channel of another one.
type Link = (u32, u32, u32, u32);

/// Pairs of links of a T3K: each on two neighbouring channels.
const T3K_LINKS: [Link; 10] = [
    (0, 6, 2, 6),
    (0, 8, 4, 0),
    (0, 14, 1, 14),
    (1, 0, 3, 0),
    (1, 8, 5, 0),
    (2, 8, 6, 0),
    (2, 14, 3, 14),
    (3, 8, 7, 0),
    (4, 6, 5, 6),
    (6, 6, 7, 6),
];

/// Fours of links of a Galaxy, on four neighbouring channels.
#[rustfmt::skip]
const GALAXY_LINKS: [Link; 52] = [
    (0, 8, 4, 4), (0, 12, 16, 0), (1, 8, 5, 4), (1, 12, 17, 0), (2, 8, 6, 4), (2, 12, 18, 0),
    (3, 8, 7, 4), (3, 12, 19, 0), (4, 8, 8, 4), (4, 12, 20, 0), (5, 8, 9, 4), (5, 12, 21, 0),
    (6, 8, 10, 4), (6, 12, 22, 0), (7, 8, 11, 4), (7, 12, 23, 0), (8, 8, 12, 4), (8, 12, 24, 0),
    (9, 8, 13, 4), (9, 12, 25, 0), (10, 8, 14, 4), (10, 12, 26, 0), (11, 8, 15, 4), (11, 12, 27, 0),
    (12, 8, 13, 8), (12, 12, 28, 0), (13, 12, 29, 0), (14, 8, 15, 8), (14, 12, 30, 0),
    (15, 12, 31, 0), (16, 8, 20, 4), (16, 12, 18, 12), (17, 8, 21, 4), (17, 12, 19, 12),
    (18, 8, 22, 4), (19, 8, 23, 4), (20, 8, 24, 4), (20, 12, 22, 12), (21, 8, 25, 4),
    (21, 12, 23, 12), (22, 8, 26, 4), (23, 8, 27, 4), (24, 8, 28, 4), (24, 12, 26, 12),
    (25, 8, 29, 4), (25, 12, 27, 12), (26, 8, 30, 4), (27, 8, 31, 4), (28, 8, 29, 8),
    (28, 12, 30, 12), (29, 12, 31, 12), (30, 8, 31, 8),
];

const P150X8_LINKS: [Link; 24] = [
    (0, 4, 1, 7),
    (0, 5, 2, 6),
    (0, 6, 1, 5),
    (0, 7, 2, 4),
    (0, 8, 4, 11),
    (0, 10, 4, 9),
    (1, 4, 3, 7),
    (1, 6, 3, 5),
    (1, 8, 5, 11),
    (1, 10, 5, 9),
    (2, 5, 3, 6),
    (2, 7, 3, 4),
    (2, 8, 6, 11),
    (2, 10, 6, 9),
    (3, 8, 7, 11),
    (3, 10, 7, 9),
    (4, 4, 5, 7),
    (4, 5, 6, 6),
    (4, 6, 5, 5),
    (4, 7, 6, 4),
    (5, 4, 7, 7),
    (5, 6, 7, 5),
    (6, 5, 7, 6),
    (6, 7, 7, 4),
];

/// Chips with a PCIe link, by the number of that link.
const GALAXY_LOCAL: [u32; 32] = [
    11, 29, 2, 21, 10, 24, 5, 18, 12, 27, 1, 19, 14, 30, 4, 17, 8, 26, 6, 16, 15, 31, 7, 23, 9, 25,
    3, 22, 13, 28, 0, 20,
];

/// What is said of a machine.
struct Cluster {
    /// Coordinates of the chips, if the chips are told by them and not by their unique ids.
    places: &'static [(u32, u32)],
    links: &'static [Link],
    /// On how many neighbouring channels each link stands.
    width: u32,
    local: &'static [u32],
    /// A bit for each row or column of cores that is switched off, of each chip in turn.
    harvest: &'static [u32],
    /// The chips of each board.
    boards: &'static [&'static [u32]],
    board: &'static str,
}

fn cluster(machine: Machine) -> Cluster {
    let one = Cluster {
        places: &[(0, 0)],
        links: &[],
        width: 1,
        local: &[0],
        harvest: &[64],
        boards: &[&[0]],
        board: "n150",
    };
    match machine {
        Machine::N150 => one,
        Machine::N300 => Cluster {
            places: &[(0, 0), (1, 0)],
            links: &[(0, 8, 1, 0)],
            width: 2,
            harvest: &[65, 5],
            boards: &[&[0, 1]],
            board: "n300",
            ..one
        },
        Machine::T3k => Cluster {
            places: &[(1, 0), (1, 1), (2, 0), (2, 1), (0, 0), (0, 1), (3, 0), (3, 1)],
            links: &T3K_LINKS,
            width: 2,
            local: &[0, 1, 3, 2],
            harvest: &[544, 513, 640, 513, 576, 513, 513, 528],
            boards: &[&[4, 0], &[5, 1], &[6, 2], &[7, 3]],
            board: "n300",
        },
        Machine::Galaxy6u => Cluster {
            places: &[],
            links: &GALAXY_LINKS,
            width: 4,
            local: &GALAXY_LOCAL,
            harvest: &[0],
            boards: &[&[
                0, 1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12, 13, 14, 15, 16, 17, 18, 19, 20, 21, 22,
                23, 24, 25, 26, 27, 28, 29, 30, 31,
            ]],
            board: "ubb",
        },
        Machine::P150 => Cluster { places: &[], harvest: &[192], board: "p150", ..one },
        Machine::P150x8 => Cluster {
            places: &[],
            links: &P150X8_LINKS,
            local: &[2, 3, 1, 0, 6, 7, 5, 4],
            harvest: &[128],
            boards: &[&[0], &[1], &[2], &[3], &[4], &[5], &[6], &[7]],
            board: "p150",
            ..one
        },
    }
}

/// The descriptor of a machine, in the form that the runtime reads.
///
/// ```
/// use freeorder::{allocator::Machine, realrt::descriptor};
/// assert!(descriptor(Machine::T3k).contains("board_type: n300"));
/// ```
#[must_use]
pub fn descriptor(machine: Machine) -> String {
    descriptor_with(machine, &unique_ids(machine, None))
}

/// The unique ids of a machine's chips: of all processes, or of one process of this program.
pub(super) fn unique_ids(machine: Machine, own: Option<(u32, usize)>) -> Vec<u64> {
    let cluster = cluster(machine);
    let (process, number) = own.unwrap_or_default();
    let chips = 0..machine.chip_count() as u32;
    // Where chips are told by their places the usual ids are made of those.
    if own.is_none() && !cluster.places.is_empty() {
        return Vec::new();
    }
    chips.map(|chip| unique_id(process, number, chip, cluster.links.len())).collect()
}

/// The descriptor of a machine whose chips have these ids.
pub(super) fn descriptor_with(machine: Machine, ids: &[u64]) -> String {
    let cluster = cluster(machine);
    let arch = match machine.arch() {
        Arch::WormholeB0 => "wormhole_b0",
        Arch::Blackhole => "blackhole",
    };
    let chips = 0..machine.chip_count() as u32;
    let mut text =
        String::from("# Made by freeorder: which chips there are, for a mock cluster.\n");
    let _ = writeln!(text, "arch:");
    for chip in chips.clone() {
        let _ = writeln!(text, "  {chip}: {arch}");
    }
    told_chips(&mut text, &cluster, ids);
    told_links(&mut text, &cluster);
    let _ = writeln!(text, "chips_with_mmio:");
    for (link, chip) in cluster.local.iter().enumerate() {
        let _ = writeln!(text, "  - {link}: {chip}");
    }
    let _ = writeln!(text, "harvesting:");
    for (chip, mask) in chips.clone().zip(cluster.harvest.iter().cycle()) {
        let _ = writeln!(text, "  {chip}:\n    noc_translation: true\n    harvest_mask: {mask}");
        let _ = writeln!(text, "    dram_harvesting_mask: 0");
        let (ethernet, pcie) = if machine.arch() == Arch::Blackhole { (288, 2) } else { (0, 0) };
        let _ = writeln!(text, "    eth_harvesting_mask: {ethernet}");
        let _ = writeln!(text, "    pcie_harvesting_mask: {pcie}");
        if machine.arch() == Arch::Blackhole {
            let _ = writeln!(text, "    l2cpu_harvesting_mask: 0");
        }
    }
    told_boards(&mut text, machine, &cluster, chips);
    text
}

fn told_chips(text: &mut String, cluster: &Cluster, ids: &[u64]) {
    if cluster.places.is_empty() {
        let _ = writeln!(text, "chips: {{}}");
    } else {
        let _ = writeln!(text, "chips:");
        for (chip, (x, y)) in cluster.places.iter().enumerate() {
            let _ = writeln!(text, "  {chip}: [{x}, {y}, 0, 0]");
        }
    }
    if !ids.is_empty() {
        let _ = writeln!(text, "chip_unique_ids:");
    }
    for (chip, id) in ids.iter().enumerate() {
        let _ = writeln!(text, "  {chip}: {id}");
    }
}

/// A chip of no other process: the runtime counts memory by chip, for all processes together.
///
/// Of a Galaxy the runtime reads tray and place of a chip from its unique id.
fn unique_id(process: u32, number: usize, chip: u32, links: usize) -> u64 {
    let own = u64::from(process) << 6 | (number as u64 & 0x3f);
    0x0f0e_0000_0000 + (own << 20) + (u64::from(chip) << 8) + links as u64
}

fn told_links(text: &mut String, cluster: &Cluster) {
    if cluster.links.is_empty() {
        let _ = writeln!(text, "ethernet_connections: []");
        return;
    }
    let _ = writeln!(text, "ethernet_connections:");
    for &(one, from, two, to) in cluster.links {
        for lane in 0..cluster.width {
            let (from, to) = (from + lane, to + lane);
            let _ =
                writeln!(text, "  - [{{chip: {one}, chan: {from}}}, {{chip: {two}, chan: {to}}}]");
        }
    }
}

fn told_boards(
    text: &mut String,
    machine: Machine,
    cluster: &Cluster,
    chips: std::ops::Range<u32>,
) {
    if cluster.places.is_empty() {
        let _ = writeln!(text, "ethernet_connections_to_remote_devices: []\nchip_to_bus_id:");
        for chip in chips.clone() {
            let bus = match machine {
                // Four trays of eight; the tray is the first digit of the bus, the place the last.
                Machine::Galaxy6u => [0xc0, 0x40, 0x00, 0x80][chip as usize % 4] + 1 + chip / 4,
                _ => 1 + 0x20 * chip,
            };
            let _ = writeln!(text, "  {chip}: \"0x{bus:02x}\"");
        }
    }
    if machine.arch() == Arch::Blackhole {
        let _ = writeln!(text, "io_device_type: PCIe\nasic_locations:");
        for chip in chips {
            let _ = writeln!(text, "  {chip}: 0");
        }
    }
    let _ = writeln!(text, "boards:");
    for (number, board) in cluster.boards.iter().enumerate() {
        let _ = writeln!(
            text,
            "  - [{{board_id: {}}}, {{board_type: {}}}, {{chips: {board:?}}}]",
            board_id(machine) + number as u64,
            cluster.board
        );
    }
}

/// The type of a board is read from its id too.
fn board_id(machine: Machine) -> u64 {
    match machine {
        Machine::N150 => 72_059_269_368_820_857,
        Machine::N300 => 72_058_994_491_072_686,
        Machine::T3k => 72_058_994_491_928_619,
        Machine::Galaxy6u => 72_061_240_465_162_240,
        Machine::P150 => 4_402_341_478_400,
        Machine::P150x8 => 4_476_187_570_394,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// A machine whose chips hang together in no mesh could not be opened.
    #[test]
    fn every_chip_is_described_and_linked() {
        for machine in Machine::ALL {
            let text = descriptor(machine);
            let cluster = cluster(machine);
            let boards: usize = cluster.boards.iter().map(|board| board.len()).sum();
            assert_eq!(boards, machine.chip_count(), "{machine}");
            let mut reached = vec![0];
            let ends = |&(from, _, to, _): &Link| [(from, to), (to, from)];
            while let Some((_, to)) = cluster
                .links
                .iter()
                .flat_map(ends)
                .find(|(from, to)| reached.contains(from) && !reached.contains(to))
            {
                reached.push(to);
            }
            for &(from, _, to, _) in cluster.links {
                assert!(reached.contains(&from) && reached.contains(&to), "{machine} {from} {to}");
            }
            assert!(text.contains("boards:"));
        }
    }
}
