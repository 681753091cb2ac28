//! What a campaign must find, and in how few seeds: each set of fixes fails as somebody said.

#![allow(clippy::unwrap_used, reason = "a test whose findings are missing has failed")]

use std::collections::BTreeMap;

use freeorder::fix::{Fix, FixSet, Preset};
use freeorder::generate::{Order, Profile};
use freeorder::message::Role;
use freeorder::op::{Handle, Op};
use freeorder::search::campaign::{Campaign, Finding, Hooks, Key, Plan};
use freeorder::search::replay::Replayer;
use freeorder::server::ServerKind;
use freeorder::violation::OracleName;

/// So many seeds of `lifecycle` show each failure; a release build runs them in a tenth of a
/// second.
const SEEDS: u64 = 300;

fn found(fixes: FixSet, server: ServerKind, profile: Profile) -> BTreeMap<Key, Finding> {
    let plan = Plan { fixes, server, profile, order: Order::Urw };
    let mut campaign = Campaign::new(plan, 0);
    campaign.advance(SEEDS, Hooks { is_interrupted: &|| false, running: &|_| {} });
    campaign.minimize(None, &|| false);
    campaign.findings().map(|finding| (finding.key(), finding.clone())).collect()
}

fn key(oracle: OracleName, role: Option<Role>) -> Key {
    Key { oracle, role }
}

fn of_oracle(found: &BTreeMap<Key, Finding>, oracle: OracleName) -> Vec<&Finding> {
    found.values().filter(|finding| finding.class.oracle == oracle).collect()
}

/// Whether the minimised case fails in the same class under other fixes.
fn fails(finding: &Finding, fixes: FixSet, server: ServerKind) -> bool {
    Replayer::new(fixes, server).classes(&finding.case).contains(&finding.class)
}

/// Document 000: warnings about unknown frees, and a duplicate of every device-local buffer.
#[test]
fn before_sends_unknown_frees_and_allocates_twice() {
    let found = found(Preset::Before.fixes(), ServerKind::K1, Profile::Lifecycle);
    let unknown = of_oracle(&found, OracleName::UnknownFree);
    assert!(unknown.iter().any(|finding| finding.case.ops.len() <= 3), "{unknown:?}");
    let duplicate = &found[&key(OracleName::DuplicateAllocation, None)];
    assert_eq!(duplicate.case.ops.len(), 2, "{duplicate:?}");
    assert!(!fails(duplicate, Preset::Final.fixes(), ServerKind::K1));
}

/// The fixes of document 000 stop the messages and keep the memory.
#[test]
fn three_fixes_leave_residue_and_leak_and_clash() {
    let fixes = Preset::ThreeFixes.fixes();
    let found = found(fixes, ServerKind::K1, Profile::Lifecycle);
    assert!(found.contains_key(&key(OracleName::Residue, None)));
    let leak = &found[&key(OracleName::DeviceLeak, None)];
    let clash = &found[&key(OracleName::CbClash, None)];
    for finding in [leak, clash] {
        assert!(fails(finding, fixes, ServerKind::K1));
        let without = fixes.without(Fix::BackingFirst);
        assert!(!fails(finding, without, ServerKind::K1), "{:?}", finding.case);
    }
}

/// The late drop of a dead handle, whose FREE ends the entry of the next owner.
#[test]
fn fork_head_frees_for_others() {
    let found = found(Preset::ForkHead.fixes(), ServerKind::K1, Profile::Lifecycle);
    let stale = &found[&key(OracleName::StaleFree, Some(Role::UserHandle))];
    let ops: Vec<&Op> = stale.case.ops.iter().map(|(_, op)| op).collect();
    println!("{:?}", ops);
    let killed = ops.iter().position(|op| matches!(op, Op::Deallocate(_))).unwrap();
    let Op::Deallocate(buffer) = ops[killed] else { unreachable!("it was just found") };
    let late = Op::Drop(Handle::Buffer(*buffer));
    let dropped = ops.iter().position(|op| **op == late);
    assert!(dropped.is_none_or(|dropped| dropped > killed), "{ops:?}");
    assert!(!fails(stale, Preset::Final.fixes(), ServerKind::K1));
}

/// The best of the proposals still fails.
#[test]
fn final_fails_in_every_profile_but_the_ordinary_ones() {
    for profile in Profile::ALL {
        for server in [ServerKind::K1, ServerKind::K2] {
            let found = found(Preset::Final.fixes(), server, profile);
            println!("{profile} {server}");
            for finding in found.values() {
                println!(
                    "  {} {} {:?}",
                    finding.class,
                    finding.seed,
                    finding.case.ops.iter().map(|(_, op)| op.to_string()).collect::<Vec<_>>()
                );
            }
        }
    }
}
