//! Searches: what is asked of many runs.

pub mod aim;
pub mod case;
pub mod matrix;
pub mod minimize;
pub mod replay;
