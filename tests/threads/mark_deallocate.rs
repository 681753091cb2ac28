//! `mark_as_deallocated` and `deallocate` of one buffer, from two threads.
//!
//! tt-metal.md A7: "Buffer status is a plain field (concurrent deallocate of ONE object is a data
//! race)"; table F, 11 (PR 11106, PR 14023): "races on address, dead `this`", whose fix was
//! "shared_from_this, CAS states". Documents 001 and 003 put a test of the status in front of both
//! calls instead, the preset `workaround`: a load, and later a store, which two threads pass.

use std::sync::Arc;

use freeorder::allocator::{Direction, FreeListOpt};
use freeorder::event::AllocationStatus::{Allocated, Deallocated};
use freeorder::fix::{FixSet, Preset};
use freeorder::mark::Mark;
use freeorder::message::{MessageKind, UniqueId};
use freeorder::runtime::decide::{Deallocation, Marking, deallocation, marking};
use freeorder::server::ServerKind;
use freeorder::units::DeviceId;
use freeorder::violation::OracleName;

use super::server::{Books, Key, Message, SIZE};
use super::{Outcome, Status, allocator};
use crate::sync::{Mutex, thread};

/// How the status is read and changed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Exchange {
    /// Read, and written when everything is done.
    LoadAndStore,
    /// Both at once.
    Swap,
}

/// What a thread calls.
#[derive(Clone, Copy, Debug)]
pub enum Call {
    Mark,
    Deallocate,
}

struct Buffer {
    fixes: FixSet,
    exchange: Exchange,
    status: Status,
    key: Key,
    allocator: Mutex<FreeListOpt>,
    server: Mutex<Books>,
}

impl Buffer {
    fn new(exchange: Exchange) -> Self {
        let (mut allocator, mut server) = (allocator(), Books::new(ServerKind::K2));
        let address = allocator.allocate(SIZE, Direction::BottomUp).expect("the region is empty");
        let key = (DeviceId(0), address);
        server.receive(Message { kind: MessageKind::Alloc, key, owner: UniqueId(0) });
        Self {
            fixes: Preset::Workaround.fixes(),
            exchange,
            status: Status::new(Allocated),
            key,
            allocator: Mutex::new(allocator),
            server: Mutex::new(server),
        }
    }

    /// One call; the answer is how many blocks it has given back.
    fn call(&self, call: Call) -> u32 {
        let seen = match self.exchange {
            Exchange::LoadAndStore => self.status.load(),
            Exchange::Swap => self.status.swap(Deallocated),
        };
        let (sends, gives_back) = match call {
            Call::Mark => (marking(self.fixes, true, seen) == Marking::WithFree, false),
            Call::Deallocate => {
                let whole = deallocation(seen, true, SIZE) == Deallocation::Whole;
                (whole, whole)
            }
        };
        if sends {
            let free = Message { kind: MessageKind::Free, key: self.key, owner: UniqueId(0) };
            self.server.lock().unwrap().receive(free);
        }
        if gives_back {
            self.allocator.lock().unwrap().deallocate(self.key.1);
        }
        if self.exchange == Exchange::LoadAndStore {
            self.status.store(Deallocated);
        }
        u32::from(gives_back)
    }
}

/// Each call comes from a thread of its own.
pub fn model(exchange: Exchange, calls: &[Call]) -> Outcome {
    let buffer = Arc::new(Buffer::new(exchange));
    let start = |&call: &Call| {
        let buffer = Arc::clone(&buffer);
        thread::spawn(move || buffer.call(call))
    };
    let threads: Vec<_> = calls.iter().map(start).collect();
    let returned: u32 = threads.into_iter().map(|thread| thread.join().unwrap()).sum();
    let mut outcome = Outcome::of(buffer.server.lock().unwrap().verdict());
    if returned > 1 {
        outcome.found.insert(OracleName::SingleFree);
    }
    // Whoever marks first keeps the block from the allocator for good: fix 2 of document 000 leaks
    // however it is done, and that is no race.
    if returned == 0 {
        outcome.seen.insert(Mark::MarkedWithoutRelease);
    }
    outcome
}
