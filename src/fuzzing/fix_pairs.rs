//! Fixes that must change nothing where they should not: the same program, the same events.

use std::cell::RefCell;
use std::fmt;

use super::TestCase;
use super::runner::{Events, Runner, Under};
use crate::choice::{Bytes, Choices};
use crate::fix::{Baseline, Fix, FixSet, Preset};
use crate::generate::{Profile, from_bytes};
use crate::journal::Tracking;
use crate::op::Op;
use crate::scenario::Case;
use crate::server::ServerKind;

/// Bases that a switch is set and unset on.
const BASES: u64 = (Preset::ALL.len() + Baseline::ALL.len()) as u64;

/// A program, the base that it runs under, and a server.
///
/// ```
/// use freeorder::fuzzing::{TestCase, fix_pairs::FixPairs};
/// assert_eq!(FixPairs::of(b"any bytes are a program").check(), Ok(()));
/// ```
#[derive(Clone, Debug)]
pub struct FixPairs {
    base: FixSet,
    server: ServerKind,
    case: Case,
}

thread_local! {
    /// A runner for every set that was met.
    static RUNNERS: RefCell<Vec<Runner>> = const { RefCell::new(Vec::new()) };
}

/// The events of a case, swallowed calls left out.
fn events(runners: &mut Vec<Runner>, under: Under, case: &Case) -> u64 {
    let known = runners.iter().position(|runner| runner.under == under);
    let index = known.unwrap_or_else(|| {
        runners.push(Runner::new(under, Tracking::NONE));
        runners.len() - 1
    });
    let mut stream = Events::default();
    runners[index].run_anew(case, &mut stream);
    stream.hash()
}

impl FixPairs {
    /// The first two bytes of a case.
    #[must_use]
    pub fn prefix(base: Preset, server: ServerKind) -> [u8; 2] {
        let mut bytes = Vec::new();
        Bytes::write(&mut bytes, base as u64, BASES);
        Bytes::write(&mut bytes, server as u64, ServerKind::ALL.len() as u64);
        bytes.try_into().expect("each of the two takes a byte")
    }

    /// The switches that this program must not notice.
    fn unnoticed(&self) -> impl Iterator<Item = Fix> {
        // tt-metal.md 0.4: both guards swallow calls that did nothing before. tt-metal.md 0.8:
        // releasing the pool early moves a release by a few instructions, if nobody else owns it.
        let shares = self.case.ops.iter().any(|(_, op)| matches!(op, Op::ShareProgram { .. }));
        let always = [Fix::GuardMark, Fix::GuardDealloc].into_iter();
        always.chain((!shares).then_some(Fix::ReleasePool))
    }
}

impl TestCase for FixPairs {
    fn of(bytes: &[u8]) -> Self {
        let (prefix, rest) = bytes.split_at(bytes.len().min(2));
        let mut choices = Bytes::new(prefix);
        let base = choices.pick(BASES) as usize;
        let base = match Preset::ALL.get(base) {
            Some(preset) => preset.fixes(),
            None => FixSet::none(Baseline::ALL[base - Preset::ALL.len()]),
        };
        let server = ServerKind::ALL[choices.pick(ServerKind::ALL.len() as u64) as usize];
        Self { base, server, case: from_bytes(Profile::Lifecycle, rest) }
    }

    fn check(&self) -> Result<(), String> {
        let server = self.server;
        RUNNERS.with_borrow_mut(|runners| {
            for fix in self.unnoticed() {
                let mut under = |fixes| events(runners, Under { fixes, server }, &self.case);
                if under(self.base.without(fix)) != under(self.base.with(fix)) {
                    return Err(format!("{} changes the events of {}", fix.name(), self.base));
                }
            }
            Ok(())
        })
    }
}

impl fmt::Display for FixPairs {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        writeln!(f, "{}# under {} and {}", self.case.scenario(), self.base, self.server)
    }
}

#[cfg(test)]
mod tests {
    use super::super::tests::smoke;
    use super::*;

    #[test]
    fn smoke_fix_pairs() {
        assert_eq!(smoke::<FixPairs>(6, 2000, 200), 2000);
    }

    /// A comparison that never sees a difference would never find one.
    #[test]
    fn a_switch_that_does_change_events_is_seen() {
        let mut runners = Vec::new();
        let text = "freeorder 1\nopen m0 2x4\nalloc b0 on m0 dram 1x2048\ndeallocate b0\n";
        let case = Case::of(&text.parse().expect("a scenario"));
        let before = Preset::Before.fixes();
        let mut under =
            |fixes| events(&mut runners, Under { fixes, server: ServerKind::K1 }, &case);
        assert_ne!(under(before), under(before.with(Fix::OwnsDataGate)));
        assert_eq!(under(before), under(before));
    }

    /// A seed for each base and server starts with their two bytes.
    #[test]
    fn the_prefix_names_the_base_and_the_server() {
        for base in Preset::ALL {
            for server in ServerKind::ALL {
                let pairs = FixPairs::of(&FixPairs::prefix(base, server));
                assert_eq!((pairs.base, pairs.server), (base.fixes(), server));
            }
        }
    }
}
