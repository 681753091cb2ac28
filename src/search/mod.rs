//! Searches: what is asked of many runs.

pub mod case;
pub mod matrix;
pub mod replay;
