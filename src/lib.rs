//! Settles which order of frees breaks a multi-device runtime.
//!
//! `freeorder` models tt-metal's buffer lifecycle as a seeded, deterministic discrete-event
//! simulation.

pub mod allocator;
pub mod assumptions;
pub mod audit;
pub mod choice;
pub mod cli;
pub mod corpus;
pub mod event;
pub mod export;
pub mod fix;
#[cfg(feature = "fuzzing")]
pub mod fuzzing;
pub mod generate;
pub mod interop;
pub mod journal;
pub mod mark;
pub mod measure;
pub mod message;
pub mod op;
pub mod oracle;
pub mod realrt;
pub mod runtime;
pub mod scenario;
pub mod search;
#[cfg(target_os = "linux")]
pub mod serve;
pub mod server;
#[cfg(feature = "proptest")]
pub mod strategy;
pub mod suggest;
pub mod units;
pub mod violation;
pub mod wire;
pub mod world;
