//! Every set of fixes decided at the cost of a few runs.
//!
//! A run reads some switches and no others, so that every set that agrees with it on those is
//! decided by it. What is left is cut along the switches that were read, and each part is asked in
//! turn, until all sets are covered.

use crate::fix::{FixSet, Switches};

/// How many sets there are: every combination, on both baselines.
pub const SETS: u64 = 1 << Switches::COUNT;

/// What holds of every set, as the switches that decide it.
///
/// ```
/// use freeorder::fix::{Fix, FixSet, Preset, Switches};
/// use freeorder::search::sound::{Decision, decide};
/// let ask = |fixes: FixSet| {
///     Ok::<_, ()>((fixes.has(Fix::GuardMark), Switches::NONE.with(Fix::GuardMark)))
/// };
/// let decision = decide(&ask)?;
/// assert_eq!(decision.leaves(), 2);
/// assert!(*decision.of(Preset::Guard.fixes()) && !decision.of(Preset::Final.fixes()));
/// # Ok::<(), ()>(())
/// ```
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Decision<V> {
    /// What a run answered for all sets that are left here.
    Run(V),
    /// A switch, by its number, and what holds of the sets without it and with it.
    Switch(u32, Box<[Self; 2]>),
}

impl<V> Decision<V> {
    /// How many runs decided it.
    #[must_use]
    pub fn leaves(&self) -> u64 {
        match self {
            Self::Run(_) => 1,
            Self::Switch(_, parts) => parts.iter().map(Self::leaves).sum(),
        }
    }

    /// What holds of a set.
    #[must_use]
    pub fn of(&self, fixes: FixSet) -> &V {
        match self {
            Self::Run(verdict) => verdict,
            Self::Switch(switch, parts) => parts[(fixes.bits() >> switch & 1) as usize].of(fixes),
        }
    }
}

/// Asks until every set is covered; the first question without an answer ends it.
///
/// The answer names the switches that it depends on. The result does not depend on the number of
/// threads.
///
/// # Errors
/// If a question has no answer: why.
pub fn decide<V: Send, E: Send>(
    ask: &(impl Fn(FixSet) -> Result<(V, Switches), E> + Sync),
) -> Result<Decision<V>, E> {
    part(Part { decided: 0, set: 0 }, ask)
}

/// The sets that agree on some switches.
#[derive(Clone, Copy, Debug)]
struct Part {
    /// The switches that are decided, a bit each.
    decided: u32,
    /// Which of those are set.
    set: u32,
}

fn part<V: Send, E: Send>(
    part: Part,
    ask: &(impl Fn(FixSet) -> Result<(V, Switches), E> + Sync),
) -> Result<Decision<V>, E> {
    // All others of the part contain this one.
    let (verdict, read) = ask(FixSet::from_bits(part.set))?;
    split(part, (verdict, read), Switches::COUNT, ask)
}

/// Cuts along the switches that were read, of those below a number; the baseline first: on one of
/// them much less is read.
fn split<V: Send, E: Send>(
    Part { decided, set }: Part,
    (verdict, read): (V, Switches),
    below: u32,
    ask: &(impl Fn(FixSet) -> Result<(V, Switches), E> + Sync),
) -> Result<Decision<V>, E> {
    let is_next = |&switch: &u32| (read.bits() & !decided) >> switch & 1 == 1;
    let Some(switch) = (0..below).rev().find(is_next) else {
        return Ok(Decision::Run(verdict));
    };
    let decided = decided | 1 << switch;
    let (without, with) = rayon::join(
        || split(Part { decided, set }, (verdict, read), switch, ask),
        || part(Part { decided, set: set | 1 << switch }, ask),
    );
    Ok(Decision::Switch(switch, Box::new([without?, with?])))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::fix::Fix;

    /// A set that follows from the wrong run would be decided wrongly.
    #[test]
    fn every_set_is_decided_as_if_it_were_asked() {
        let ask = |fixes: FixSet| {
            let read = Switches::NONE.with(Fix::GuardMark).with(Fix::OwnerFanOut);
            let read = if fixes.has(Fix::OwnerFanOut) { read.with(Fix::TypedKey) } else { read };
            let typed = fixes.has(Fix::OwnerFanOut) && fixes.has(Fix::TypedKey);
            Ok::<_, ()>(((fixes.has(Fix::GuardMark), typed), read))
        };
        let decision = decide(&ask).expect("every question is answered");
        assert_eq!(decision.leaves(), 6);
        for bits in (0..1 << Switches::COUNT).step_by(4099) {
            let set = FixSet::from_bits(bits);
            assert_eq!(*decision.of(set), ask(set).expect("it is answered").0, "{set}");
        }
    }

    /// A question without an answer is none that was answered with no.
    #[test]
    fn a_question_without_an_answer_leaves_all_undecided() {
        let ask = |fixes: FixSet| match fixes.has(Fix::GuardMark) {
            true => Err("not answered"),
            false => Ok(((), Switches::NONE.with(Fix::GuardMark))),
        };
        assert_eq!(decide(&ask), Err("not answered"));
    }
}
