//! Functions of sets of fixes, as reduced ordered decision diagrams: equal functions are one node,
//! so that a function depends on a switch if and only if a node of it asks for that switch.

use std::collections::BTreeSet;
use std::hash::{BuildHasherDefault, DefaultHasher};

use super::{Decision, OracleSet};
use crate::fix::{Baseline, Fix, FixSet, Switches};

/// What is known already; nobody goes through it.
type Map<K, V> = hashbrown::HashMap<K, V, BuildHasherDefault<DefaultHasher>>;

/// A function of sets of fixes, among [`Diagrams`].
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Node(u32);

impl Node {
    /// No set: every set gives no oracle.
    pub const NO_SET: Self = Self(0);
    /// Every set: each gives all oracles.
    pub const EVERY_SET: Self = Self(1);
}

/// What a node is.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
enum Is {
    /// The same for every set.
    Same(OracleSet),
    /// A switch, by its number, and the functions of the sets without it and with it; both ask for
    /// lower switches only.
    Switch(u32, [Node; 2]),
}

/// Functions from sets of fixes to sets of oracles, each stored once.
///
/// Sets of sets are functions that give no oracle or all of them.
#[derive(Clone, Debug)]
pub struct Diagrams {
    nodes: Vec<Is>,
    known: Map<Is, Node>,
    both: Map<(Node, Node), Node>,
    chosen: Map<(u32, Node, Node), Node>,
}

impl Default for Diagrams {
    fn default() -> Self {
        let (nodes, known) = (Vec::new(), Map::default());
        let mut diagrams = Self { nodes, known, both: Map::default(), chosen: Map::default() };
        diagrams.node(Is::Same(OracleSet::NONE));
        diagrams.node(Is::Same(OracleSet::ALL));
        diagrams
    }
}

impl Diagrams {
    fn node(&mut self, is: Is) -> Node {
        match is {
            Is::Switch(_, [without, with]) if without == with => without,
            Is::Switch(..) | Is::Same(_) => {
                let next = Node(u32::try_from(self.nodes.len()).expect("there are far fewer"));
                *self.known.entry(is).or_insert_with(|| {
                    self.nodes.push(is);
                    next
                })
            }
        }
    }

    fn is(&self, node: Node) -> Is {
        self.nodes[node.0 as usize]
    }

    /// The first switch that a node asks for, counted from 1; 0 if it asks for none.
    fn top(&self, node: Node) -> u32 {
        match self.is(node) {
            Is::Same(_) => 0,
            Is::Switch(switch, _) => switch + 1,
        }
    }

    /// The parts of a node without a switch and with it, which it asks for first if at all.
    fn parts(&self, node: Node, switch: u32) -> [Node; 2] {
        match self.is(node) {
            Is::Switch(first, parts) if first == switch => parts,
            Is::Switch(..) | Is::Same(_) => [node; 2],
        }
    }

    /// The function that was decided.
    pub fn of(&mut self, decision: &Decision<OracleSet>) -> Node {
        match decision {
            Decision::Run(failing) => self.node(Is::Same(*failing)),
            Decision::Switch(switch, parts) => {
                let [without, with] = [self.of(&parts[0]), self.of(&parts[1])];
                self.choose(*switch, [without, with])
            }
        }
    }

    /// One function for the sets without a switch, another for those with it.
    fn choose(&mut self, switch: u32, [without, with]: [Node; 2]) -> Node {
        let first = self.top(without).max(self.top(with)).max(switch + 1) - 1;
        if first == switch {
            let without = self.parts(without, switch)[0];
            let with = self.parts(with, switch)[1];
            return self.node(Is::Switch(switch, [without, with]));
        }
        let key = (switch, without, with);
        if let Some(&known) = self.chosen.get(&key) {
            return known;
        }
        let [off, on] = [0, 1].map(|set| {
            let parts = [self.parts(without, first)[set], self.parts(with, first)[set]];
            self.choose(switch, parts)
        });
        let node = self.node(Is::Switch(first, [off, on]));
        self.chosen.insert(key, node);
        node
    }

    /// What both functions give; the sets that are in both.
    pub fn and(&mut self, one: Node, other: Node) -> Node {
        match (one, other) {
            (Node::NO_SET, _) | (_, Node::NO_SET) => return Node::NO_SET,
            (Node::EVERY_SET, node) | (node, Node::EVERY_SET) => return node,
            _ if one == other => return one,
            _ => {}
        }
        if let (Is::Same(one), Is::Same(other)) = (self.is(one), self.is(other)) {
            return self.node(Is::Same(one.and(other)));
        }
        let key = (one.min(other), one.max(other));
        if let Some(&known) = self.both.get(&key) {
            return known;
        }
        let first = self.top(one).max(self.top(other)) - 1;
        let [off, on] = [0, 1].map(|set| {
            let parts = [self.parts(one, first)[set], self.parts(other, first)[set]];
            self.and(parts[0], parts[1])
        });
        let node = self.node(Is::Switch(first, [off, on]));
        self.both.insert(key, node);
        node
    }

    /// The sets that are in either.
    pub fn or(&mut self, one: Node, other: Node) -> Node {
        let (one, other) = (self.not(one), self.not(other));
        let neither = self.and(one, other);
        self.not(neither)
    }

    /// The sets that are not there.
    pub fn not(&mut self, node: Node) -> Node {
        self.map(node, |oracles| OracleSet::ALL.without(oracles))
    }

    /// The sets to which a function gives none of these oracles.
    pub fn sparing(&mut self, node: Node, oracles: OracleSet) -> Node {
        self.map(node, |failing| match failing.and(oracles).is_empty() {
            true => OracleSet::ALL,
            false => OracleSet::NONE,
        })
    }

    fn map(&mut self, node: Node, change: impl Fn(OracleSet) -> OracleSet) -> Node {
        let mut known = Map::default();
        self.map_known(node, &change, &mut known)
    }

    fn map_known(
        &mut self,
        node: Node,
        change: &impl Fn(OracleSet) -> OracleSet,
        known: &mut Map<Node, Node>,
    ) -> Node {
        if let Some(&mapped) = known.get(&node) {
            return mapped;
        }
        let mapped = match self.is(node) {
            Is::Same(oracles) => self.node(Is::Same(change(oracles))),
            Is::Switch(switch, parts) => {
                let parts = parts.map(|part| self.map_known(part, change, known));
                self.node(Is::Switch(switch, parts))
            }
        };
        known.insert(node, mapped);
        mapped
    }

    /// What a function gives to a set.
    #[must_use]
    pub fn at(&self, node: Node, fixes: FixSet) -> OracleSet {
        match self.is(node) {
            Is::Same(oracles) => oracles,
            Is::Switch(switch, parts) => {
                self.at(parts[(fixes.bits() >> switch & 1) as usize], fixes)
            }
        }
    }

    /// Everything that a function gives to some set.
    #[must_use]
    pub fn values(&self, node: Node) -> Vec<OracleSet> {
        let mut values = Vec::new();
        let (mut seen, mut left) = (BTreeSet::from([node]), vec![node]);
        while let Some(node) = left.pop() {
            match self.is(node) {
                Is::Same(oracles) => values.push(oracles),
                Is::Switch(_, parts) => left.extend(parts.into_iter().filter(|&p| seen.insert(p))),
            }
        }
        values
    }

    /// How many sets there are.
    #[must_use]
    pub fn count(&self, node: Node) -> u64 {
        self.count_below(node, Switches::COUNT, &mut Map::default())
    }

    fn count_below(&self, node: Node, below: u32, known: &mut Map<Node, u64>) -> u64 {
        let own = match (self.is(node), known.get(&node)) {
            (_, Some(&count)) => count,
            (Is::Same(oracles), None) => u64::from(!oracles.is_empty()),
            (Is::Switch(switch, parts), None) => {
                parts.into_iter().map(|part| self.count_below(part, switch, known)).sum()
            }
        };
        known.insert(node, own);
        own << (below - self.top(node))
    }

    /// The sets of which no part is there: on the same baseline, with fewer fixes.
    #[must_use]
    pub fn minimal(&self, node: Node) -> Vec<FixSet> {
        let baselines = self.parts(node, Switches::COUNT - 1);
        let all = Baseline::ALL.into_iter().zip(baselines).flat_map(|(baseline, part)| {
            let mut sets = self.minimal_of(part, &mut Map::default());
            sets.sort_by_key(|bits| (bits.count_ones(), *bits));
            let base = FixSet::none(baseline).bits();
            sets.into_iter().map(move |bits| FixSet::from_bits(bits | base))
        });
        all.collect()
    }

    fn minimal_of(&self, node: Node, known: &mut Map<Node, Vec<u32>>) -> Vec<u32> {
        if let Some(sets) = known.get(&node) {
            return sets.clone();
        }
        let sets = match self.is(node) {
            Is::Same(oracles) if oracles.is_empty() => Vec::new(),
            Is::Same(_) => vec![0],
            Is::Switch(switch, parts) => {
                let mut sets = self.minimal_of(parts[0], known);
                let is_new = |with: &u32| !sets.iter().any(|without| without & !with == 0);
                let with = self.minimal_of(parts[1], known).into_iter().filter(is_new);
                let with: Vec<u32> = with.map(|bits| bits | 1 << switch).collect();
                sets.extend(with);
                sets
            }
        };
        known.insert(node, sets.clone());
        sets
    }

    /// The set without a fix, with the fewest others, to which a function gives one of the oracles
    /// if the fix is there and not if it is not, or the other way round.
    #[must_use]
    pub fn flips(&self, node: Node, fix: Fix, (oracle, with): (OracleSet, bool)) -> Option<FixSet> {
        let flips = Flips { diagrams: self, fix: fix as u32, oracle, with };
        let pair = [node; 2];
        flips.cheapest(pair, &mut Map::default()).map(|(_, bits)| FixSet::from_bits(bits))
    }

    /// Whether a function gives anything else to a set with the fix than without it.
    #[must_use]
    pub fn depends_on(&self, node: Node, fix: Fix) -> bool {
        let (mut seen, mut left) = (BTreeSet::from([node]), vec![node]);
        while let Some(node) = left.pop() {
            if let Is::Switch(switch, parts) = self.is(node) {
                if switch == fix as u32 {
                    return true;
                }
                left.extend(parts.into_iter().filter(|&part| seen.insert(part)));
            }
        }
        false
    }
}

/// The search for the smallest set that a fix makes a difference to.
struct Flips<'a> {
    diagrams: &'a Diagrams,
    fix: u32,
    oracle: OracleSet,
    with: bool,
}

/// The fewest fixes, and which; none if no set will do.
type Cheapest = Option<(u32, u32)>;

impl Flips<'_> {
    /// Over the functions of sets without the fix and of the same sets with it.
    fn cheapest(&self, pair: [Node; 2], known: &mut Map<[Node; 2], Cheapest>) -> Cheapest {
        let tops = pair.map(|node| self.diagrams.top(node));
        let first = tops[0].max(tops[1]);
        // Below the fix equal functions have equal parts.
        if first == 0 || pair[0] == pair[1] && first <= self.fix {
            let gives = pair.map(|node| match self.diagrams.is(node) {
                Is::Same(oracles) => !oracles.and(self.oracle).is_empty(),
                Is::Switch(..) => false,
            });
            return (gives == [!self.with, self.with]).then_some((0, 0));
        }
        if let Some(&known) = known.get(&pair) {
            return known;
        }
        let switch = first - 1;
        let [without, with] = pair.map(|node| self.diagrams.parts(node, switch));
        let cheapest = if switch == self.fix {
            self.cheapest([without[0], with[1]], known)
        } else {
            let off = self.cheapest([without[0], with[0]], known);
            let cost = u32::from(switch + 1 < Switches::COUNT);
            let on = self.cheapest([without[1], with[1]], known);
            let on = on.map(|(fixes, bits)| (fixes + cost, bits | 1 << switch));
            [off, on].into_iter().flatten().min()
        };
        known.insert(pair, cheapest);
        cheapest
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::search::sound::decide;
    use crate::violation::OracleName;

    const RESIDUE: OracleName = OracleName::Residue;
    const BALANCE: OracleName = OracleName::Balance;

    /// Something that asks for its switches in another order than the diagrams do.
    fn given(fixes: FixSet) -> (OracleSet, Switches) {
        let (low, high) = (Fix::ReleasePool, Fix::BestFitL1);
        let read = Switches::NONE.with(low);
        match fixes.has(low) {
            true => ([BALANCE].into_iter().collect(), read),
            false if fixes.has(high) => ([RESIDUE].into_iter().collect(), read.with(high)),
            false => ([RESIDUE, BALANCE].into_iter().collect(), read.with(high)),
        }
    }

    fn diagrams() -> (Diagrams, Node) {
        let mut diagrams = Diagrams::default();
        let decision = decide(&|fixes| Ok::<_, ()>(given(fixes))).expect("all is answered");
        let node = diagrams.of(&decision);
        (diagrams, node)
    }

    /// A diagram that gave a set anything else than was decided would be of no use.
    #[test]
    fn a_diagram_gives_what_was_decided() {
        let (mut diagrams, node) = diagrams();
        let spared = diagrams.sparing(node, [BALANCE].into_iter().collect());
        let not = diagrams.not(spared);
        let mut count = 0;
        for bits in (0..1 << Switches::COUNT).step_by(331) {
            let set = FixSet::from_bits(bits);
            assert_eq!(diagrams.at(node, set), given(set).0, "{set}");
            let is_spared = !given(set).0.contains(BALANCE);
            assert_eq!(!diagrams.at(spared, set).is_empty(), is_spared);
            assert_eq!(diagrams.at(not, set).is_empty(), is_spared);
            count += u64::from(is_spared);
        }
        assert!(count > 1000, "{count}");
        assert_eq!(diagrams.count(spared), 1 << (Switches::COUNT - 2));
        assert_eq!(diagrams.count(Node::EVERY_SET), 1 << Switches::COUNT);
        assert_eq!(diagrams.and(spared, not), Node::NO_SET);
        assert_eq!(diagrams.or(spared, not), Node::EVERY_SET);
    }

    /// The smallest sets are what a page shows.
    #[test]
    fn minimal_sets_have_no_part_that_is_there() {
        let (mut diagrams, node) = diagrams();
        let one = diagrams.sparing(node, [BALANCE].into_iter().collect());
        let other = diagrams.sparing(node, [RESIDUE].into_iter().collect());
        let either = diagrams.or(one, other);
        let of = |fix: Fix, baseline| FixSet::none(baseline).with(fix);
        let (low, high) = (Fix::ReleasePool, Fix::BestFitL1);
        let expected = Baseline::ALL.map(|base| [of(low, base), of(high, base)]);
        assert_eq!(diagrams.minimal(either), expected.as_flattened());
    }

    /// A fix that changes an oracle in one company only does change it.
    #[test]
    fn a_fix_is_seen_in_the_company_that_it_needs() {
        let (diagrams, node) = diagrams();
        let of = |oracle: OracleName| -> OracleSet { [oracle].into_iter().collect() };
        let flips = |fix, oracle, with| diagrams.flips(node, fix, (of(oracle), with));
        let none = FixSet::none(Baseline::Fork);
        assert_eq!(flips(Fix::BestFitL1, BALANCE, false), Some(none));
        assert_eq!(flips(Fix::BestFitL1, BALANCE, true), None);
        assert_eq!(flips(Fix::ReleasePool, RESIDUE, false), Some(none));
        let company = none.with(Fix::BestFitL1);
        assert_eq!(flips(Fix::ReleasePool, BALANCE, true), Some(company));
        assert!(diagrams.depends_on(node, Fix::BestFitL1));
        assert!(!diagrams.depends_on(node, Fix::TypedKey));
    }
}
