//! Many clients at once, and whether every message of theirs arrived, in its order.

use std::io::{self, Read, Write};
use std::os::unix::net::UnixStream;
use std::path::Path;
use std::thread;
use std::time::{Duration, Instant};

use crate::units::{Bytes, DeviceAddr};
use crate::wire::{DEVICES_MAX, Head, RECORD_SIZES, RecordType};

/// Buffers that a client registers before it frees them again.
const LIVE: u64 = 512;

/// The size of those.
const SIZE: Bytes = Bytes(2048);

/// So many clients, which send so many messages in all, in records of that size.
///
/// ```
/// use freeorder::serve::{Delivery, Load};
/// let load = Load { clients: 2, messages: 7, record_size: 72, process: 7 };
/// let sent: Vec<u8> = (0..2).flat_map(|client| load.stream(client)).collect();
/// assert_eq!(load.delivery(&sent[..])?, Delivery { lost: 0, reordered: 0 });
/// assert_eq!(load.delivery(&sent[72..])?, Delivery { lost: 1, reordered: 0 });
/// # Ok::<(), std::io::Error>(())
/// ```
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Load {
    /// Clients, a thread and a connection each.
    pub clients: u32,
    /// Messages of all of them.
    pub messages: u64,
    /// The bytes of a record.
    pub record_size: usize,
    /// The process id in them.
    pub process: i32,
}

/// What became of the messages.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Delivery {
    /// Messages that did not arrive.
    pub lost: u64,
    /// Messages that arrived behind a later one of the same client, or twice.
    pub reordered: u64,
}

impl Load {
    /// How many messages a client sends.
    fn share(&self, client: u32) -> u64 {
        let clients = u64::from(self.clients.max(1));
        self.messages / clients + u64::from(u64::from(client) < self.messages % clients)
    }

    /// The `nth` message of a client. Its number stands where clients put the time.
    fn head(&self, client: u32, nth: u64) -> Head {
        let is_alloc = nth % (2 * LIVE) < LIVE;
        let buffer = u64::from(client) << 32 | (nth % LIVE) << 11;
        let kind = if is_alloc { RecordType::Alloc } else { RecordType::Free };
        Head {
            code: kind as u8,
            device: (client % DEVICES_MAX as u32) as i32,
            size: if is_alloc { SIZE } else { Bytes(0) },
            memory: 0,
            process: self.process,
            buffer: DeviceAddr(buffer),
            timestamp: nth,
        }
    }

    /// All that a client sends.
    #[must_use]
    pub fn stream(&self, client: u32) -> Vec<u8> {
        let heads = (0..self.share(client)).map(|nth| self.head(client, nth));
        heads.flat_map(|head| head.record(self.record_size)).collect()
    }

    /// Sends everything, with one send() a message, and answers how long that took, until the
    /// server has answered each client's last question.
    ///
    /// # Errors
    /// If the server goes.
    pub fn run(&self, socket: &Path) -> io::Result<Duration> {
        let streams = (0..self.clients).map(|_| UnixStream::connect(socket));
        let streams: Vec<UnixStream> = streams.collect::<io::Result<_>>()?;
        let start = Instant::now();
        let load = *self;
        let clients = (0..).zip(streams);
        let threads: Vec<_> = clients
            .map(|(client, stream)| thread::spawn(move || load.client(client, stream)))
            .collect();
        for thread in threads {
            thread.join().map_err(|_| io::Error::other("a client panicked"))??;
        }
        Ok(start.elapsed())
    }

    fn client(self, client: u32, mut stream: UnixStream) -> io::Result<()> {
        let mut record = self.head(client, 0).record(self.record_size);
        for nth in 0..self.share(client) {
            let head = self.head(client, nth);
            record[0] = head.code;
            record[8..16].copy_from_slice(&head.size.0.to_le_bytes());
            record[24..32].copy_from_slice(&head.buffer.0.to_le_bytes());
            record[32..40].copy_from_slice(&head.timestamp.to_le_bytes());
            stream.write_all(&record)?;
        }
        let question = Head { code: RecordType::Query as u8, ..self.head(client, 0) };
        stream.write_all(&question.record(self.record_size))?;
        stream.read_exact(&mut record)
    }

    /// What a recording has of it.
    ///
    /// # Errors
    /// If it cannot be read.
    pub fn delivery(&self, mut recording: impl Read) -> io::Result<Delivery> {
        let mut next = vec![0; self.clients as usize];
        let mut arrived = 0;
        let mut delivery = Delivery::default();
        let mut record = [0; RECORD_SIZES[0]];
        while read_whole(&mut recording, &mut record)? {
            let head = Head::of(&record);
            let is_counted = [RecordType::Alloc as u8, RecordType::Free as u8].contains(&head.code);
            let next = usize::try_from(head.buffer.0 >> 32).ok().and_then(|at| next.get_mut(at));
            let Some(next) = next.filter(|_| is_counted) else { continue };
            if head.timestamp < *next {
                delivery.reordered += 1;
            } else {
                *next = head.timestamp + 1;
            }
            arrived += 1;
        }
        delivery.lost = self.messages.saturating_sub(arrived);
        Ok(delivery)
    }
}

/// Reads a whole record; false at the end.
fn read_whole(source: &mut impl Read, record: &mut [u8]) -> io::Result<bool> {
    let mut read = 0;
    while read < record.len() {
        match source.read(&mut record[read..]) {
            Ok(0) => return Ok(false),
            Ok(more) => read += more,
            Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
            Err(error) => return Err(error),
        }
    }
    Ok(true)
}

#[cfg(test)]
mod tests {
    use super::*;

    /// The check must see what it is there to see.
    #[test]
    fn a_lost_or_reordered_message_is_counted() {
        let load = Load { clients: 3, messages: 3000, record_size: 72, process: 7 };
        let streams: Vec<Vec<u8>> = (0..3).map(|client| load.stream(client)).collect();
        let all = streams.concat();
        let records = |order: &[usize]| -> Vec<u8> {
            order.iter().flat_map(|&nth| all[nth * 72..nth * 72 + 72].to_vec()).collect()
        };
        let mut order: Vec<usize> = (0..3000).collect();
        let delivery = |order: &[usize]| load.delivery(&records(order)[..]).unwrap();
        assert_eq!(delivery(&order), Delivery { lost: 0, reordered: 0 });
        // Clients may overtake each other.
        order.rotate_left(1000);
        assert_eq!(delivery(&order), Delivery { lost: 0, reordered: 0 });
        order.swap(10, 11);
        assert_eq!(delivery(&order), Delivery { lost: 0, reordered: 1 });
        order.remove(500);
        assert_eq!(delivery(&order), Delivery { lost: 1, reordered: 1 });
    }
}
