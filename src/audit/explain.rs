//! Which published fixes can have sent what an input shows: the model is asked.
//!
//! One MeshBuffer is a burst of messages, and how many come on how many devices is what the fixes
//! change (allocation-server.md 1.8).

use std::collections::BTreeSet;

use super::bursts::{Bursts, Shape, Tally};
use super::event::{Action, Device, Event, Place, Registered};
use crate::event::{Event as ModelEvent, Observer, Tick};
use crate::fix::Preset;
use crate::message::MessageKind;
use crate::scenario::{Scenario, run};
use crate::server::ServerKind;

/// Whether a preset sends such bursts.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct FixVerdict {
    /// The preset.
    pub preset: Preset,
    /// How many bursts it sends, of those that were seen.
    pub explained: u64,
    /// How many were seen.
    pub seen: u64,
    /// The first burst that it never sends; none if it sends all of them.
    pub against: Option<(Place, Shape)>,
}

/// Ways in which a MeshBuffer lives and dies.
const LIVES: [&str; 4] = [
    "alloc b0 on m0 dram 12x2048\ndeallocate b0\ndrop b0\n",
    "alloc b0 on m0 dram 12x2048\ndrop b0\n",
    "alloc b0 on m0 dram 12x2048\nview b1 of b0 12x2048\ndrop b1\ndrop b0\n",
    "alloc b0 on m0 dram 12x2048\ndrop m0\ndrop b0\n",
];

/// What each preset makes of the bursts; empty if no burst tells them apart.
#[must_use]
pub fn explain(bursts: &Bursts) -> Vec<FixVerdict> {
    let seen: Vec<(Shape, Tally)> =
        bursts.shapes().iter().map(|(&shape, &tally)| (shape, tally)).collect();
    let devices: BTreeSet<u32> = seen.iter().map(|(shape, _)| shape.devices).collect();
    let openings: Vec<(u32, &str)> =
        devices.iter().filter_map(|&devices| Some((devices, opening(devices)?))).collect();
    let seen: Vec<(Shape, Tally)> = seen
        .into_iter()
        .filter(|(shape, _)| openings.iter().any(|(devices, _)| *devices == shape.devices))
        .collect();
    if seen.is_empty() {
        return Vec::new();
    }
    Preset::ALL.into_iter().map(|preset| verdict(preset, &openings, &seen)).collect()
}

fn verdict(preset: Preset, openings: &[(u32, &str)], seen: &[(Shape, Tally)]) -> FixVerdict {
    let mut sent = BTreeSet::new();
    for (_, opening) in openings {
        for life in LIVES {
            let text = format!("freeorder 1\n{opening}{life}");
            let scenario: Scenario = text.parse().expect("the lives are scenarios");
            let mut sender = Sender::default();
            run(&scenario, preset.fixes(), ServerKind::K2, 0, &mut sender);
            sender.bursts.close();
            sent.extend(sender.bursts.shapes().keys().copied());
        }
    }
    let mut verdict = FixVerdict { preset, explained: 0, seen: 0, against: None };
    for &(shape, tally) in seen {
        verdict.seen += tally.count;
        if sent.contains(&shape) {
            verdict.explained += tally.count;
        } else if verdict.against.is_none_or(|(place, _)| tally.first < place) {
            verdict.against = Some((tally.first, shape));
        }
    }
    verdict
}

/// The lines that open a mesh of so many devices; none if no machine is made of them.
pub(super) fn opening(devices: u32) -> Option<&'static str> {
    match devices {
        2 => Some("machine N300\nopen m0 1x2\n"),
        4 => Some("machine T3K\nopen m0 2x2\n"),
        8 => Some("machine T3K\nopen m0 2x4\n"),
        16 => Some("machine Galaxy\nopen m0 4x4\n"),
        32 => Some("machine Galaxy\nopen m0 8x4\n"),
        _ => None,
    }
}

/// Makes bursts of the messages of the model.
#[derive(Default)]
struct Sender {
    bursts: Bursts,
}

impl Observer for Sender {
    fn observe(&mut self, _: Tick, event: &ModelEvent<'_>) {
        let ModelEvent::Sent(message) = event else { return };
        for device in message.devices.iter() {
            let event = Event {
                device: Device(device.0.into()),
                address: message.address,
                size: Some(message.size),
                ..Event::new(Place(0), Action::Alloc(Registered::Plain))
            };
            self.bursts.add(&event, message.kind == MessageKind::Alloc);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn of(shapes: &[(bool, u32)]) -> Bursts {
        let mut bursts = Bursts::default();
        for (round, &(is_alloc, messages)) in shapes.iter().enumerate() {
            for message in 0..messages {
                let address = crate::units::DeviceAddr(4096 + round as u64);
                let device = Device((message % 8) as i32);
                let event = Event::new(Place(1), Action::Alloc(Registered::Plain));
                bursts.add(&Event { device, address, ..event }, is_alloc);
            }
        }
        bursts.close();
        bursts
    }

    fn presets(bursts: &Bursts) -> Vec<Preset> {
        let verdicts = explain(bursts).into_iter();
        verdicts.filter(|verdict| verdict.against.is_none()).map(|verdict| verdict.preset).collect()
    }

    /// Document 004 tells its own fix by 8 instead of 9 messages for each MeshBuffer.
    #[test]
    fn eight_or_nine_messages_tell_the_filter() {
        let filtered = presets(&of(&[(true, 8), (false, 8)]));
        assert!(filtered.contains(&Preset::Final) && filtered.contains(&Preset::ForkHead));
        assert!(!filtered.contains(&Preset::Before) && !filtered.contains(&Preset::ThreeFixes));
        let all = presets(&of(&[(true, 9), (false, 9)]));
        assert!(all.contains(&Preset::Before) && !all.contains(&Preset::Final));
        assert_eq!(presets(&of(&[(true, 11)])), []);
        assert_eq!(explain(&of(&[])), []);
    }
}
