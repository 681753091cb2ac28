//! Searches: what is asked of many runs.

pub mod matrix;
pub mod replay;
