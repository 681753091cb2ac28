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
use rayon::iter::{IntoParallelIterator as _, ParallelIterator as _};

/// So many seeds of `lifecycle` show each failure; a release build runs them in a tenth of a
/// second.
const SEEDS: u64 = 300;

fn campaign(fixes: FixSet, server: ServerKind, profile: Profile) -> Campaign {
    let plan = Plan { fixes, server, profile, order: Order::Urw };
    let mut campaign = Campaign::new(plan, 0);
    campaign.advance(SEEDS, Hooks { is_interrupted: &|| false, running: &|_| {} });
    assert_eq!(campaign.range(), 0..SEEDS);
    campaign
}

/// What the first seeds show, minimised.
fn found(fixes: FixSet, server: ServerKind, profile: Profile) -> BTreeMap<Key, Finding> {
    let mut campaign = campaign(fixes, server, profile);
    campaign.minimize(None, &|| false);
    campaign.findings().map(|finding| (finding.key(), finding.clone())).collect()
}

fn key(oracle: OracleName, role: Option<Role>) -> Key {
    Key { oracle, role }
}

fn of_oracle(found: &BTreeMap<Key, Finding>, oracle: OracleName) -> Vec<&Finding> {
    found.values().filter(|finding| finding.found.class.oracle == oracle).collect()
}

/// Whether the minimised case fails in the same class under other fixes.
fn fails(finding: &Finding, fixes: FixSet, server: ServerKind) -> bool {
    Replayer::new(fixes, server).classes(&finding.case).contains(&finding.found.class)
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
fn fork_head_frees_for_others_when_a_dead_handle_is_dropped() {
    let found = found(Preset::ForkHead.fixes(), ServerKind::K1, Profile::Lifecycle);
    let stale = &found[&key(OracleName::StaleFree, Some(Role::UserHandle))];
    let lines: Vec<String> = stale.case.ops.iter().map(|(_, op)| op.to_string()).collect();
    assert!(stale.found.late_drop);
    assert_eq!(lines.len(), 5, "{lines:?}");
    assert!(lines.contains(&lines.last().unwrap().replace("drop", "deallocate")), "{lines:?}");
    let makes = ["alloc ", " out ", " kernel "];
    let owners = lines.iter().filter(|line| makes.iter().any(|word| line.contains(word)));
    assert!(owners.count() >= 2, "the other owner of the address: {lines:?}");
    assert!(!fails(stale, Preset::Final.fixes(), ServerKind::K1));
}

/// The best of the proposals still fails, in ordinary programs too.
#[test]
fn final_fails_in_every_profile() {
    Profile::ALL.into_par_iter().for_each(|profile| {
        for server in [ServerKind::K1, ServerKind::K2] {
            let campaign = campaign(Preset::Final.fixes(), server, profile);
            assert!(campaign.findings().count() >= 5, "{profile} {server}");
        }
    });
}

/// The mesh goes first: its buffers can no longer say that they are gone. Ordinary programs leave a
/// residue in no shorter way.
#[test]
fn final_fails_when_the_mesh_goes_first() {
    let found = found(Preset::Final.fixes(), ServerKind::K1, Profile::Tame);
    let residue = &found[&key(OracleName::Residue, None)];
    let ops: Vec<&Op> = residue.case.ops.iter().map(|(_, op)| op).collect();
    assert_eq!(ops.len(), 4, "{ops:?}");
    let goes = |op: &&Op| matches!(op, Op::Drop(Handle::Mesh(_)) | Op::Close(_));
    assert!(ops[2..].iter().any(goes), "{ops:?}");
}

/// A view sends an ALLOC of its own, and under k2 somebody counts it.
#[test]
fn final_fails_with_a_view_under_k2() {
    let found = found(Preset::Final.fixes(), ServerKind::K2, Profile::Basic);
    let residue = &found[&key(OracleName::Residue, None)];
    let ops: Vec<&Op> = residue.case.ops.iter().map(|(_, op)| op).collect();
    assert_eq!(ops.len(), 4, "{ops:?}");
    assert!(matches!(ops[2], Op::View { .. }), "{ops:?}");
}
