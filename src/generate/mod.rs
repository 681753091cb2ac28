//! Programs from choices: a profile says which operations, how often, and between which limits.
//!
//! [`case`] writes a program from a seed: a build-up, then a teardown in a sampled order.
//! [`from_bytes`] reads one from a fuzzer's bytes, operation by operation, and [`encode`] writes
//! those bytes.

mod basic;
mod book;
mod bytes;
mod draw;
mod encode;
mod kind;
mod names;
mod order;
mod phases;
mod possible;
mod profile;
mod set;
mod threads;
mod traces;
mod values;

pub use basic::Generator;
pub use bytes::from_bytes;
pub use encode::{EncodeError, canonical, encode};
pub use order::{Order, OrderError, merge};
pub use profile::{Profile, ProfileError};

use crate::choice::Choices;
use crate::scenario::Case;

/// The program that a profile draws from the choices.
///
/// ```
/// use freeorder::choice::Seeded;
/// use freeorder::generate::{Order, Profile, case};
/// let one = case(Profile::Lifecycle, Order::Urw, &mut Seeded::new(7));
/// let two = case(Profile::Lifecycle, Order::Urw, &mut Seeded::new(7));
/// assert_eq!(one, two);
/// ```
pub fn case(profile: Profile, order: Order, choices: &mut impl Choices) -> Case {
    if profile == Profile::Basic {
        return Case::from_ops(basic::program(choices));
    }
    if profile.is_threaded() {
        return threads::case(profile, order, choices);
    }
    let (setup, ops) = phases::program(profile, order, choices);
    Case { setup, ..Case::from_ops(ops) }
}
