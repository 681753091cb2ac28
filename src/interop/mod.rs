//! Where the model meets the real runtime.

pub mod conform;
