//! What decides the result of a campaign.

use crate::choice::Seeded;
use crate::fix::FixSet;
use crate::generate::{self, Profile};
use crate::runtime::Setup;
use crate::search::case::Case;
use crate::server::ServerKind;

/// What decides the result of a campaign, the range of seeds aside.
///
/// ```
/// use freeorder::{fix::Preset, generate::Profile, search::campaign::Plan, server::ServerKind};
/// let (fixes, server) = (Preset::Before.fixes(), ServerKind::K1);
/// let plan = Plan { fixes, server, profile: Profile::basic() };
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
}

impl Plan {
    /// The case that a seed draws.
    #[must_use]
    pub fn case(&self, seed: u64) -> Case {
        let mut choices = Seeded::new(seed);
        Case::of(&generate::scenario(self.profile, &Setup::default(), &mut choices))
    }
}
