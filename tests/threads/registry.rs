//! Two clients at the server's registry.
//!
//! allocation-server.md 1.1: "one detached thread per connection; all state under one mutex
//! (`registry_mutex_`)"; 1.7: "No PID in the key: two processes at the same {device,address} share
//! a ref_count". So two processes meet in one entry, and what a thread has decided holds only as
//! long as nobody else has written.

use std::sync::Arc;

use freeorder::message::{MessageKind, UniqueId};
use freeorder::server::ServerKind;
use freeorder::units::{DeviceAddr, DeviceId};

use super::Outcome;
use super::server::{Books, Message, decided};
use crate::sync::{Mutex, thread};

/// How long a thread holds the mutex.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Holds {
    /// While it looks up, and once more while it writes.
    EachHalf,
    /// For the whole message.
    TheMessage,
}

fn receive(server: &Mutex<Books>, holds: Holds, message: Message) {
    match holds {
        Holds::TheMessage => server.lock().unwrap().receive(message),
        Holds::EachHalf => {
            let (rule, found) = {
                let books = server.lock().unwrap();
                (books.rule, books.look_up(message.key))
            };
            let change = decided(rule, found, message.kind);
            server.lock().unwrap().write(message, change);
        }
    }
}

/// So many processes allocate and free at the same addresses.
pub fn model(holds: Holds, processes: u64, addresses: u64) -> Outcome {
    let server = Arc::new(Mutex::new(Books::new(ServerKind::K2)));
    let clients = (0..processes).map(|process| {
        let server = Arc::clone(&server);
        thread::spawn(move || {
            for address in 0..addresses {
                let key = (DeviceId(0), DeviceAddr(address << 12));
                for kind in [MessageKind::Alloc, MessageKind::Free] {
                    receive(&server, holds, Message { kind, key, owner: UniqueId(process) });
                }
            }
        })
    });
    let clients: Vec<_> = clients.collect();
    clients.into_iter().for_each(|client| client.join().unwrap());
    Outcome::of(server.lock().unwrap().verdict())
}
