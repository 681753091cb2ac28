//! What can be had together, where not everything can.

use std::collections::BTreeMap;

use super::diagram::{Diagrams, Node};
use super::{Decided, OracleSet};
use crate::scenario::Class;
use crate::violation::OracleName;

/// How bad it is that an oracle fails; what is worse comes first.
///
/// What a device does with its memory comes before what a tracker says of it, and what the tracker
/// counts before how its messages go in pairs: messages are sent so that it counts right.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Harm {
    /// Memory or an object is used by somebody whose it is not, or no longer.
    Damage,
    /// Memory is lost.
    Loss,
    /// A number that somebody reads is wrong.
    Count,
    /// A message has no counterpart.
    Message,
}

impl Harm {
    /// What it does if an oracle fails.
    #[must_use]
    pub fn of(oracle: OracleName) -> Self {
        match oracle {
            OracleName::FreeList
            | OracleName::Overlap
            | OracleName::Lowest
            | OracleName::SingleFree
            | OracleName::StateMachine
            | OracleName::CbClash
            | OracleName::UseAfterFree
            | OracleName::Teardown
            | OracleName::TraceSafe
            | OracleName::SubDevice
            | OracleName::Hook
            | OracleName::StaticOrder => Self::Damage,
            OracleName::DeviceLeak | OracleName::Registry | OracleName::Oom => Self::Loss,
            OracleName::TrackerTruth | OracleName::Visibility | OracleName::Residue => Self::Count,
            OracleName::UnknownFree
            | OracleName::DuplicateAllocation
            | OracleName::Balance
            | OracleName::StaleFree
            | OracleName::EventOrder
            | OracleName::GraphEvents
            | OracleName::Inspector
            | OracleName::MaskedDoubleFree => Self::Message,
        }
    }

    /// In one word.
    #[must_use]
    pub fn name(self) -> &'static str {
        match self {
            Self::Damage => "damage",
            Self::Loss => "loss",
            Self::Count => "count",
            Self::Message => "message",
        }
    }
}

/// Scenarios and oracles that fail in them under some sets and not under others, and the sets under
/// which none of them does.
#[derive(Clone, Debug)]
pub(super) struct Condition {
    pub(super) sets: Node,
    /// Scenarios by their places, each with its oracles.
    pub(super) properties: Vec<(usize, OracleSet)>,
    harm: Harm,
}

/// Conditions that hold together, such that no other one holds with all of them.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Kept {
    /// The sets under which they hold.
    pub(super) sets: Node,
    /// The conditions that do not hold under any of these sets, by their places.
    pub(super) given_up: Vec<usize>,
    /// What fails under each of these sets: scenarios by their places, each with its oracles.
    pub(super) gives_up: BTreeMap<usize, OracleSet>,
}

impl Kept {
    fn new(sets: Node, given_up: Vec<usize>, conditions: &[Condition]) -> Self {
        let mut gives_up = BTreeMap::new();
        for &(scenario, oracles) in given_up.iter().flat_map(|&at| &conditions[at].properties) {
            let all: &mut OracleSet = gives_up.entry(scenario).or_default();
            *all = all.or(oracles);
        }
        Self { sets, given_up, gives_up }
    }

    /// In how many scenarios something is given up; and with what harm, the worst first.
    fn cost(&self) -> (usize, [usize; 4]) {
        let harms = [Harm::Damage, Harm::Loss, Harm::Count, Harm::Message].map(|harm| {
            let does = |oracles: &&OracleSet| oracles.iter().any(|one| Harm::of(one) == harm);
            self.gives_up.values().filter(does).count()
        });
        (self.gives_up.len(), harms)
    }
}

/// What scenarios of class lifecycle ask of a set beyond what no set gives, the worst first.
///
/// Of what does the same harm, that of more scenarios comes first, and then the name decides: so no
/// scenario comes before another for being shorter.
pub(super) fn conditions(decided: &[Decided], diagrams: &mut Diagrams) -> Vec<Condition> {
    let mut by_sets: BTreeMap<(Node, Harm), Vec<(usize, OracleSet)>> = BTreeMap::new();
    for (place, one) in decided.iter().enumerate() {
        if one.class != Class::Lifecycle {
            continue;
        }
        let failing = one.sometimes();
        let each: Vec<OracleSet> = match one.question.is_whole() {
            true => failing.iter().map(|oracle| [oracle].into_iter().collect()).collect(),
            false => vec![failing],
        };
        for oracles in each {
            let sets = diagrams.sparing(one.node, oracles);
            let worst = oracles.iter().map(Harm::of).min();
            if let (Some(harm), false) = (worst, sets == Node::NO_SET) {
                by_sets.entry((sets, harm)).or_default().push((place, oracles));
            }
        }
    }
    let mut all: Vec<Condition> = by_sets
        .into_iter()
        .map(|((sets, harm), properties)| Condition { sets, properties, harm })
        .collect();
    all.sort_by_cached_key(|one| {
        let named = one.properties.iter().map(|&(place, oracles)| (&decided[place].name, oracles));
        let name = named.min().map(|(name, oracles)| (name.clone(), oracles));
        (one.harm, std::cmp::Reverse(one.properties.len()), name)
    });
    all
}

/// Every choice of conditions that hold together and to which none can be added: first what gives
/// up something in the fewest scenarios, of those what does the least harm by it, and of those what
/// the smallest set does.
pub(super) fn branches(conditions: &[Condition], diagrams: &mut Diagrams) -> Vec<Kept> {
    let mut all: Vec<Kept> = Vec::new();
    // The sets under which something holds that each choice so far has given up.
    let mut left = Node::EVERY_SET;
    while left != Node::NO_SET {
        let mut sets = left;
        let mut given_up = Vec::new();
        for (place, condition) in conditions.iter().enumerate() {
            match diagrams.and(sets, condition.sets) {
                Node::NO_SET => given_up.push(place),
                kept => sets = kept,
            }
        }
        let mut others = Node::NO_SET;
        for &place in &given_up {
            others = diagrams.or(others, conditions[place].sets);
        }
        left = diagrams.and(left, others);
        all.push(Kept::new(sets, given_up, conditions));
    }
    // Of what costs as much the smallest set decides, and no name of a file.
    all.sort_by_cached_key(|kept| {
        let minimal = diagrams.minimal(kept.sets).into_iter();
        (kept.cost(), minimal.map(|set| (set.iter().count(), set.to_string())).min())
    });
    all
}
