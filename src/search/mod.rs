//! What is done with many runs: the matrix of fix sets and servers.

pub mod matrix;
