//! A destructor on the thread of a garbage collector, against the close of the device.
//!
//! tt-metal.md A4: `deallocate_impl` asks `device_->is_initialized()`, then sends FREE, then calls
//! the allocator; B5 and B6: `close()` walks `allocated_buffers_`, a set of raw pointers, and
//! destroys the allocator, and only then `initialized=false`. Table F: 3 (PR 43422) "close(); GC
//! of tensors later", 6 (PR 9380) "segfault in Tensor dtor after close", 7 (PR 9584) "worker thread
//! allocates while main deallocates all", 26 (PR 40124) "GC-time release_trace segfault". All their
//! fixes ask a question first; the answer holds only as long as nobody else can change it.

use std::sync::Arc;

use freeorder::allocator::{Direction, FreeListOpt};
use freeorder::event::AllocationStatus::{Allocated, Deallocated};
use freeorder::fix::FixSet;
use freeorder::mark::Mark;
use freeorder::message::{MessageKind, UniqueId};
use freeorder::runtime::decide::{self, Closing, Deallocation};
use freeorder::server::ServerKind;
use freeorder::units::{DeviceAddr, DeviceId};
use freeorder::violation::OracleName;

use super::server::{Books, Message, SIZE};
use super::{Outcome, Status, allocator};
use crate::sync::{AtomicBool, Mutex, Ordering, thread};

/// What keeps the destructor and the close apart.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Apart {
    /// The question alone: `is_initialized`.
    Asks,
    /// A mutex around the question and what follows from it, and around the whole close.
    Excluded,
}

struct Buffer {
    status: Status,
    address: DeviceAddr,
    /// Whether the object still exists, for whoever has a raw pointer to it.
    exists: AtomicBool,
}

/// The allocator and its `allocated_buffers_`; none after its end.
struct Registered {
    blocks: FreeListOpt,
    buffers: Vec<usize>,
}

struct Device {
    fixes: FixSet,
    apart: Apart,
    excluded: Mutex<()>,
    initialized: AtomicBool,
    allocator: Mutex<Option<Registered>>,
    server: Mutex<Books>,
    buffers: Vec<Buffer>,
}

/// What a thread did that it must not.
type Faults = Vec<OracleName>;

impl Device {
    fn new(fixes: FixSet, apart: Apart, count: usize) -> Self {
        let (mut blocks, mut server) = (allocator(), Books::new(ServerKind::K2));
        let create = |index: usize| {
            let address = blocks.allocate(SIZE, Direction::BottomUp).expect("there is room");
            let (kind, key) = (MessageKind::Alloc, (DeviceId(0), address));
            server.receive(Message { kind, key, owner: UniqueId(index as u64) });
            Buffer { status: Status::new(Allocated), address, exists: AtomicBool::new(true) }
        };
        let buffers: Vec<Buffer> = (0..count).map(create).collect();
        Self {
            fixes,
            apart,
            excluded: Mutex::new(()),
            initialized: AtomicBool::new(true),
            allocator: Mutex::new(Some(Registered { blocks, buffers: (0..count).collect() })),
            server: Mutex::new(server),
            buffers,
        }
    }

    fn free(&self, index: usize) {
        let key = (DeviceId(0), self.buffers[index].address);
        let owner = UniqueId(index as u64);
        self.server.lock().unwrap().receive(Message { kind: MessageKind::Free, key, owner });
    }

    /// `Buffer::deallocate_impl`.
    fn deallocate_impl(&self, index: usize, faults: &mut Faults) {
        let buffer = &self.buffers[index];
        let initialized = self.initialized.load(Ordering::Acquire);
        let reachable = initialized || decide::deallocates_after_close(self.fixes);
        let decided = decide::deallocation(buffer.status.load(), reachable, SIZE);
        if decided == Deallocation::Nothing {
            return;
        }
        if decided == Deallocation::Whole {
            self.free(index);
            match &mut *self.allocator.lock().unwrap() {
                Some(allocator) => {
                    allocator.buffers.retain(|&registered| registered != index);
                    if allocator.blocks.deallocate(buffer.address).is_none() {
                        faults.push(OracleName::SingleFree);
                    }
                }
                None => faults.push(OracleName::Teardown),
            }
        }
        buffer.status.store(Deallocated);
    }

    /// `~Buffer`, on the thread of the collector.
    fn collect(&self, index: usize) -> Faults {
        let _guard = (self.apart == Apart::Excluded).then(|| self.excluded.lock().unwrap());
        let mut faults = Faults::new();
        if self.buffers[index].status.load() != Deallocated {
            self.deallocate_impl(index, &mut faults);
        }
        self.buffers[index].exists.store(false, Ordering::Release);
        faults
    }

    /// `MeshDevice::close`; the answer has also how many buffers it met.
    fn close(&self) -> (Faults, usize) {
        let _guard = (self.apart == Apart::Excluded).then(|| self.excluded.lock().unwrap());
        let mut faults = Faults::new();
        let live = {
            let allocator = self.allocator.lock().unwrap();
            allocator.as_ref().expect("only close destroys it").buffers.clone()
        };
        for &index in &live {
            let closing = decide::closing(self.fixes);
            // The walk follows raw pointers.
            let walks = closing != Closing::InBulk;
            if walks && !self.buffers[index].exists.load(Ordering::Acquire) {
                faults.push(OracleName::Teardown);
            }
            match closing {
                Closing::Each => self.deallocate_impl(index, &mut faults),
                Closing::ReportedInBulk => self.free(index),
                Closing::InBulk => {}
            }
        }
        *self.allocator.lock().unwrap() = None;
        self.initialized.store(false, Ordering::Release);
        (faults, live.len())
    }
}

/// So many buffers are collected, each on a thread of its own, while the device closes.
pub fn model(fixes: FixSet, apart: Apart, buffers: usize) -> Outcome {
    let device = Arc::new(Device::new(fixes, apart, buffers));
    let collecting = (0..buffers).map(|index| {
        let device = Arc::clone(&device);
        thread::spawn(move || device.collect(index))
    });
    let collecting: Vec<_> = collecting.collect();
    let (mut faults, live) = device.close();
    faults.extend(collecting.into_iter().flat_map(|thread| thread.join().unwrap()));
    let mut outcome = Outcome::default();
    outcome.found.extend(faults);
    // A close in bulk says nothing: what it left in the server is its own defect, and no race.
    let silent = decide::closing(fixes) == Closing::InBulk;
    let told = device.server.lock().unwrap().verdict();
    outcome.found.extend(told.into_iter().filter(|&one| !silent || one != OracleName::Residue));
    if live > 0 {
        outcome.seen.insert(Mark::ClosedWithLiveBuffers);
    }
    outcome
}
