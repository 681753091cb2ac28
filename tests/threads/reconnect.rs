//! A client that reconnects: the server has a thread for each of its two sockets.
//!
//! allocation-server.md 1.6, era B: "Other error -> connected=false and the message is dropped;
//! NEXT call opens a NEW socket WITHOUT closing the old fd. [...] server then has two threads on
//! one process's stream: old backlog and new messages really can be processed out of order, so an
//! unread ALLOC on the old socket can be overtaken by its FREE on the new one".

use std::sync::Arc;

use freeorder::fix::FixSet;
use freeorder::mark::Mark;
use freeorder::message::{MessageKind, UniqueId};
use freeorder::op::Stream;
use freeorder::runtime::decide;
use freeorder::server::ServerKind;
use freeorder::units::{DeviceAddr, DeviceId};

use super::Outcome;
use super::server::{Books, Message};
use crate::sync::{Mutex, mpsc, thread};

/// A socket, and the server's thread that reads it until it is closed.
struct Socket {
    /// None is its end.
    sender: mpsc::Sender<Option<Message>>,
    reader: thread::JoinHandle<()>,
}

impl Socket {
    fn open(server: &Arc<Mutex<Books>>) -> Self {
        let (sender, receiver) = mpsc::channel();
        let server = Arc::clone(server);
        let reader = thread::spawn(move || {
            while let Some(message) = receiver.recv().expect("who sends says when it ends") {
                server.lock().unwrap().receive(message);
            }
        });
        Self { sender, reader }
    }

    /// Closes it and waits until the server has read everything.
    fn close(self) {
        self.sender.send(None).expect("the reader reads to the end");
        self.reader.join().unwrap();
    }
}

/// A client process.
struct Client {
    server: Arc<Mutex<Books>>,
    fixes: FixSet,
    old: Option<Socket>,
    new: Option<Socket>,
}

impl Client {
    fn send(&self, message: Message) {
        let socket = match decide::queue(self.old.is_some(), self.new.is_some()) {
            Some(Stream::Old) => &self.old,
            Some(Stream::New) => &self.new,
            None => return self.server.lock().unwrap().receive(message),
        };
        let socket = socket.as_ref().expect("a message waits in a socket that is open");
        socket.sender.send(Some(message)).expect("the reader reads to the end");
    }

    fn reconnect(&mut self) {
        if decide::reads_old_first(self.fixes) {
            self.old.take().expect("it is connected").close();
        } else {
            self.new = Some(Socket::open(&self.server));
        }
    }
}

/// A client sends ALLOC for each of its buffers, reconnects, and sends FREE for each.
fn session(server: Arc<Mutex<Books>>, fixes: FixSet, client: u64, buffers: u64) {
    let old = Some(Socket::open(&server));
    let mut one = Client { server, fixes, old, new: None };
    let all = |kind| {
        (0..buffers).map(move |buffer| {
            let key = (DeviceId(0), DeviceAddr((client * buffers + buffer) << 12));
            Message { kind, key, owner: UniqueId(client * buffers + buffer) }
        })
    };
    all(MessageKind::Alloc).for_each(|message| one.send(message));
    one.reconnect();
    all(MessageKind::Free).for_each(|message| one.send(message));
    // The process ends, and with it its sockets, which are read to their ends.
    one.old.into_iter().chain(one.new).for_each(Socket::close);
}

/// So many clients with so many buffers each; the first is the thread of the model itself.
pub fn model(fixes: FixSet, clients: u64, buffers: u64) -> Outcome {
    let server = Arc::new(Mutex::new(Books::new(ServerKind::K2)));
    let others = (1..clients).map(|client| {
        let server = Arc::clone(&server);
        thread::spawn(move || session(server, fixes, client, buffers))
    });
    let others: Vec<_> = others.collect();
    session(Arc::clone(&server), fixes, 0, buffers);
    others.into_iter().for_each(|thread| thread.join().unwrap());
    let mut outcome = Outcome::of(server.lock().unwrap().verdict());
    if !decide::reads_old_first(fixes) {
        outcome.seen.insert(Mark::ReconnectedWithUnread);
    }
    outcome
}
