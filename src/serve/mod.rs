//! An allocation server for real clients, and a client that sends a scenario to any server.
//!
//! A client writes records into a Unix socket and never learns what became of them. This server
//! takes every version of them, keeps its books as the servers k1 and k2 do, and loses nothing:
//! what arrives is recorded, in its order, before anything is answered.

mod audience;
mod connection;
mod framing;
mod load;
mod log;
mod machine;
mod message;
mod reader;
mod recording;
mod send;
mod server;
mod shared;
mod socket;
mod state;
mod table;

use std::io;
use std::path::PathBuf;

pub use audience::{Audience, Report};
pub use framing::{Broken, Framing, Hopeless, WAITING_MAX};
pub use load::{Delivery, Load};
pub use log::{books, dump, dump_kernels, reaped, six_digits, statistics};
pub use machine::device_info;
pub use message::{Item, KERNEL_KINDS, Message, Refusal};
pub use send::{Note, Sender, Sent, messages};
pub use server::{Config, serve};
pub use socket::DEFAULT_SOCKET;
pub use state::Counts;
pub use table::{Answer, DeviceCounts, Entry, Kernel, Kernels, Reaped, Semantics, Table};

/// Why the server cannot serve.
#[derive(Debug, thiserror::Error)]
pub enum ServeError {
    /// Another server has the socket.
    #[error(
        "{}: another server is listening there; stop it, or name another --socket for this one",
        path.display()
    )]
    Live {
        /// The socket.
        path: PathBuf,
    },
    /// There is something else.
    #[error("{}: this is no socket, so it is not replaced; name another --socket", path.display())]
    NoSocket {
        /// The file.
        path: PathBuf,
    },
    /// The name does not fit into an address.
    #[error(
        "{}: the path of a socket has at most 107 bytes; name a shorter --socket",
        path.display()
    )]
    LongPath {
        /// The path.
        path: PathBuf,
    },
    /// The socket cannot be made.
    #[error("{}: {error}", path.display())]
    Socket {
        /// The socket.
        path: PathBuf,
        /// Why.
        error: io::Error,
    },
    /// The recording cannot be written.
    #[error("{}: {error}", path.display())]
    Recording {
        /// The file.
        path: PathBuf,
        /// Why.
        error: io::Error,
    },
    /// The system refuses something else.
    #[error("the server cannot go on: {0}")]
    System(#[from] io::Error),
}
