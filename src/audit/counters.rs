//! The counters of a snapshot, added up.

use std::collections::BTreeMap;

use super::event::{Action, Counted, CounterOf, Event, Header, Place};
use super::finding::{Finding, FindingKind, Findings};

/// A counter that wrapped below zero is above this.
const WRAPPED: u64 = 1 << 63;

/// What a snapshot counts.
#[derive(Clone, Debug, Default)]
pub struct Counters {
    sums: BTreeMap<(CounterOf, Counted), (u128, Place)>,
    processes: u64,
    last_process: Option<i32>,
    head: Vec<(Header, Place)>,
}

impl Counters {
    pub fn add(&mut self, event: &Event, out: &mut Findings) {
        match event.action {
            Action::Head(header) => self.head.push((header, event.place)),
            Action::Counter(of, counted) => {
                let value = event.size.unwrap_or_default().0;
                let sum = self.sums.entry((of, counted)).or_insert((0, event.place));
                sum.0 += u128::from(value);
                let process = event.process.map(|process| process.0);
                if of == CounterOf::Process && process != self.last_process {
                    self.processes += 1;
                    self.last_process = process;
                }
                if value >= WRAPPED {
                    let what = "a counter wrapped below zero";
                    out.add(Finding::at(FindingKind::CounterMismatch, event, what));
                }
            }
            _ => {}
        }
    }

    pub fn finish(&self, out: &mut Findings) {
        if self.head.is_empty() {
            return;
        }
        for counted in Counted::ALL {
            let Some(&(whole, place)) = self.sums.get(&(CounterOf::Region, counted)) else {
                continue;
            };
            let event = Event::new(place, Action::Other);
            let sum = |of| self.sums.get(&(of, counted)).map_or(0, |&(sum, _)| sum);
            let (chips, processes) = (sum(CounterOf::Chip), sum(CounterOf::Process));
            let stated = |finding: Finding, follows: u128| {
                let short = |value: u128| u64::try_from(value).unwrap_or(u64::MAX);
                finding.stating(short(whole), short(follows))
            };
            if whole != chips {
                let what = "the region's counter is not the sum over its chips";
                let finding = Finding::at(FindingKind::CounterMismatch, &event, what);
                out.add(stated(finding, chips));
            }
            if self.processes == 0 && whole > 0 {
                let what = "bytes that no process holds";
                out.add(stated(Finding::at(FindingKind::GhostBytes, &event, what), 0));
            } else if whole != processes {
                let what = "the region's counter is not the sum over its processes";
                let finding = Finding::at(FindingKind::CounterMismatch, &event, what);
                out.add(stated(finding, processes));
            }
        }
        let version = self.head.iter().find_map(|(header, _)| match header {
            Header::Version(version) => Some(*version),
            _ => None,
        });
        for &(header, place) in &self.head {
            let (stated, what) = match header {
                Header::Version(_) => continue,
                Header::Processes(count) => {
                    (count, "another number of active processes than slots")
                }
                // Before version 4 a process takes its slot with the first buffer, and not when it
                // comes: whoever has none yet has a reference all the same.
                Header::References(count) if version < Some(4) => {
                    if u64::from(count) >= self.processes {
                        continue;
                    }
                    (count, "fewer references than slots")
                }
                Header::References(count) => (count, "another number of references than slots"),
            };
            if u64::from(stated) != self.processes {
                let event = Event::new(place, Action::Other);
                let finding = Finding::at(FindingKind::CounterMismatch, &event, what);
                out.add(finding.stating(stated.into(), self.processes));
            }
        }
    }
}
