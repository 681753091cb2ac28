//! What a dead process leaves behind.

use std::collections::BTreeMap;

use super::Table;
use crate::units::Bytes;

/// What was removed of one process: how many, and their bytes.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Reaped {
    /// Buffers.
    pub buffers: (u64, Bytes),
    /// Circular buffers.
    pub circular: (u64, Bytes),
    /// Kernels.
    pub kernels: (u64, Bytes),
}

fn count(into: &mut (u64, Bytes), size: Bytes) {
    into.0 += 1;
    into.1.0 = into.1.0.wrapping_add(size.0);
}

impl Table {
    /// Removes what dead processes own, whatever the references, and answers what that was, lowest
    /// process first.
    pub fn reap(&mut self, is_dead: impl Fn(i32) -> bool) -> Vec<(i32, Reaped)> {
        let other = &self.other;
        let mut owners: Vec<i32> = self.entries.iter().map(|stored| stored.owner).collect();
        owners.extend(other.circular.values().map(|circular| circular.owner));
        owners.extend(other.kernels.values().map(|kernel| kernel.owner));
        owners.sort_unstable();
        owners.dedup();
        let mut dead: BTreeMap<i32, Reaped> = owners
            .into_iter()
            .filter(|&pid| is_dead(pid))
            .map(|pid| (pid, Reaped::default()))
            .collect();
        if dead.is_empty() {
            return Vec::new();
        }
        let devices = &mut self.devices;
        self.entries.retain(|stored| {
            let Some(reaped) = dead.get_mut(&stored.owner) else { return true };
            let device = &mut devices[usize::from(stored.entry().device.0)];
            device.live -= 1;
            device.reaped += 1;
            device.subtract(stored.memory, stored.held.size);
            count(&mut reaped.buffers, stored.held.size);
            false
        });
        self.other.circular.retain(|&(device, _, _), circular| {
            let Some(reaped) = dead.get_mut(&circular.owner) else { return true };
            let counter = &mut devices[usize::from(device.0)].totals.circular;
            counter.0 = counter.0.wrapping_sub(circular.size.0);
            count(&mut reaped.circular, circular.size);
            false
        });
        let mut kernels = Vec::new();
        self.other.kernels.retain(|&(device, _, _), kernel| {
            let Some(reaped) = dead.get_mut(&kernel.owner) else { return true };
            count(&mut reaped.kernels, kernel.size);
            kernels.push((device, *kernel));
            false
        });
        for (device, kernel) in kernels {
            self.count_kernel(device, kernel.kind, |counter| {
                counter.0 = counter.0.wrapping_sub(kernel.size.0);
            });
        }
        dead.into_iter().collect()
    }
}
