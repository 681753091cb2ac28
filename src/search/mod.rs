//! Searches: what is asked of many runs.

pub mod aim;
pub mod campaign;
pub mod catalogue;
pub mod causes;
pub mod enumerate;
pub mod explore;
pub mod hunt;
pub mod matrix;
pub mod metamorphic;
pub mod minimize;
pub mod optimum;
pub mod prove;
pub mod regress;
pub mod replay;
pub mod sound;
