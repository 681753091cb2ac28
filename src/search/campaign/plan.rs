//! What decides the result of a campaign.

use crate::choice::Seeded;
use crate::fix::FixSet;
use crate::generate::{self, Order, Profile};
use crate::scenario::Case;
use crate::server::ServerKind;

/// What decides the result of a campaign, the range of seeds aside.
///
/// ```
/// use freeorder::{fix::Preset, generate::{Order, Profile}, search::campaign::Plan};
/// use freeorder::server::ServerKind;
/// let (fixes, server) = (Preset::Before.fixes(), ServerKind::K1);
/// let plan = Plan { fixes, server, profile: Profile::Lifecycle, order: Order::Urw };
/// assert_eq!(plan.case(7), plan.case(7));
/// assert_ne!(plan.case(7), plan.case(8));
/// ```
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Plan {
    /// The fixes.
    pub fixes: FixSet,
    /// The server.
    pub server: ServerKind,
    /// What the cases are drawn from.
    pub profile: Profile,
    /// How orders are sampled.
    pub order: Order,
}

impl Plan {
    /// The case that a seed draws.
    #[must_use]
    pub fn case(&self, seed: u64) -> Case {
        generate::case(self.profile, self.order, &mut Seeded::new(seed))
    }
}
