//! Searches: what is asked of many runs.

pub mod aim;
pub mod campaign;
pub mod case;
pub mod enumerate;
pub mod matrix;
pub mod minimize;
pub mod replay;
