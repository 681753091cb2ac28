//! What the server says of a device: that of a real machine, which it need not have.

use crate::allocator::memory_map::{Arch, Machine, Reserved};
use crate::units::Bytes;
use crate::wire::DeviceInfo;

/// What a DEVICE_INFO_QUERY is answered on a machine; without one, what a server says that finds no
/// device.
#[must_use]
pub fn device_info(machine: Option<Machine>, device: i32) -> DeviceInfo {
    let Some(machine) = machine else { return DeviceInfo::default() };
    let devices = machine.chip_count();
    if device == -1 {
        let device_count = devices as u32;
        return DeviceInfo { device_count, available: 1, ..DeviceInfo::default() };
    }
    if !usize::try_from(device).is_ok_and(|device| device < devices) {
        return DeviceInfo::default();
    }
    let map = machine.memory_map(Reserved::default());
    let channel = map.dram.offset.0 + map.dram.bank_size.0;
    let channels = map.dram.bank_count;
    // ASSUMED: total_l1_size counts the worker cores of the compute grid; the servers multiply with
    // a grid whose size was not seen.
    let l1 = map.l1_size.0 * u64::from(machine.grid().core_count());
    DeviceInfo {
        dram: Bytes(channel * u64::from(channels)),
        l1: Bytes(l1),
        arch: match machine.arch() {
            Arch::WormholeB0 => 2,
            Arch::Blackhole => 3,
        },
        dram_channel_count: channels,
        dram_channel_bytes: u32::try_from(channel).unwrap_or(u32::MAX),
        core_bytes: u32::try_from(map.l1_size.0).unwrap_or(u32::MAX),
        available: 1,
        device_count: 0,
    }
}
