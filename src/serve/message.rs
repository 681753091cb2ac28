//! What a record asks for, once each of its fields has been looked at.

use crate::audit::Memory;
use crate::units::{Bytes, DeviceAddr, DeviceId};
use crate::wire::{DEVICES_MAX, Head, PROCESS_MAX, RecordType, SIZE_MAX};

/// What a message is about.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Item {
    /// On which device.
    pub device: DeviceId,
    /// The buffer id.
    pub buffer: DeviceAddr,
    /// How large.
    pub size: Bytes,
    /// In which memory.
    pub memory: Memory,
    /// The sender, in its own namespace; above 0.
    pub process: i32,
}

/// Kinds of kernels: application, fabric, dispatch.
pub const KERNEL_KINDS: usize = 3;

/// A message that makes sense.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Message {
    /// A buffer came.
    Alloc(Item),
    /// A buffer went.
    Free(Item),
    /// A circular buffer came.
    CircularAlloc(Item),
    /// A circular buffer went.
    CircularFree(Item),
    /// A kernel of that kind was loaded.
    KernelLoad(Item, u8),
    /// A kernel was unloaded.
    KernelUnload(Item),
    /// What lives on this device?
    Query(i32),
    /// What is this device?
    DeviceInfo(i32),
    /// Print what is left.
    DumpRemaining,
    /// Print the kernels.
    DumpKernels,
}

/// Why a message is not obeyed, in the words of the server of the last era where it has some.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum Refusal {
    /// No type of a request.
    #[error("Unknown message type: {0}")]
    Type(u8),
    /// No device.
    #[error("Invalid device_id {0} - ignoring message")]
    Device(i32),
    /// Larger than any memory.
    #[error("Invalid size {0} - ignoring message")]
    Size(u64),
    /// No memory, or no kind of kernel.
    #[error("Invalid buffer_type {memory} for buffer {buffer} on device {device}")]
    Memory {
        /// The code.
        memory: u8,
        /// The buffer id.
        buffer: u64,
        /// The device.
        device: i32,
    },
    /// No process.
    #[error("Invalid process_id {0} - ignoring message")]
    Process(i32),
    /// The table is full.
    #[error("More than {0} buffers - ignoring message")]
    Full(usize),
}

impl Message {
    /// What a record asks for.
    ///
    /// A size of 0 is legal: of the stored servers only the last refuses it, and clients send it
    /// for buffers that are created at a given address.
    ///
    /// # Errors
    /// If a field of it cannot be.
    #[inline]
    pub fn of(head: &Head) -> Result<Self, Refusal> {
        let kind = RecordType::from_code(head.code).ok_or(Refusal::Type(head.code))?;
        match kind {
            RecordType::Alloc => item(head, 5).map(Self::Alloc),
            RecordType::Free => item(head, 5).map(Self::Free),
            RecordType::Query => Ok(Self::Query(head.device)),
            RecordType::DeviceInfoQuery => Ok(Self::DeviceInfo(head.device)),
            RecordType::DumpRemaining => Ok(Self::DumpRemaining),
            RecordType::DumpKernels => Ok(Self::DumpKernels),
            RecordType::CircularAlloc => item(head, 5).map(Self::CircularAlloc),
            RecordType::CircularFree => item(head, 5).map(Self::CircularFree),
            RecordType::KernelLoad => {
                item(head, KERNEL_KINDS as u8).map(|item| Self::KernelLoad(item, head.memory))
            }
            RecordType::KernelUnload => item(head, KERNEL_KINDS as u8).map(Self::KernelUnload),
            RecordType::Response | RecordType::DeviceInfoResponse => Err(Refusal::Type(head.code)),
        }
    }
}

#[inline]
fn item(head: &Head, codes: u8) -> Result<Item, Refusal> {
    let Head { device, size, memory: code, process, buffer, .. } = *head;
    if !(0..DEVICES_MAX).contains(&device) {
        return Err(Refusal::Device(device));
    }
    if size > SIZE_MAX {
        return Err(Refusal::Size(size.0));
    }
    let memory = Memory::from_code(code.into()).filter(|_| code < codes);
    let memory = memory.ok_or(Refusal::Memory { memory: code, buffer: buffer.0, device })?;
    if !(1..=PROCESS_MAX).contains(&process) {
        return Err(Refusal::Process(process));
    }
    Ok(Item { device: DeviceId(device as u8), buffer, size, memory, process })
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Every field that a table is indexed with, or a process is asked about, has a range.
    #[test]
    fn each_field_is_looked_at() {
        let good =
            Head { code: 1, device: 63, memory: 4, process: 1, size: SIZE_MAX, ..Head::default() };
        assert!(Message::of(&good).is_ok());
        let refused = |head: Head| Message::of(&head).unwrap_err().to_string();
        for device in [-1, 64, i32::MIN, i32::MAX, 2_657_333] {
            let text = format!("Invalid device_id {device} - ignoring message");
            assert_eq!(refused(Head { device, ..good }), text);
        }
        for process in [0, -1, i32::MIN, PROCESS_MAX + 1] {
            assert!(refused(Head { process, ..good }).starts_with("Invalid process_id"));
        }
        assert!(refused(Head { size: Bytes(SIZE_MAX.0 + 1), ..good }).starts_with("Invalid size"));
        let text = "Invalid buffer_type 5 for buffer 0 on device 63";
        assert_eq!(refused(Head { memory: 5, ..good }), text);
        assert!(refused(Head { code: 10, memory: 3, ..good }).starts_with("Invalid buffer_type 3"));
        for code in [0, 4, 7, 13, 255] {
            assert_eq!(refused(Head { code, ..good }), format!("Unknown message type: {code}"));
        }
        for code in [3, 6] {
            assert!(Message::of(&Head { code, device: i32::MIN, ..good }).is_ok());
        }
    }
}
