use super::{Fingerprint, Tracking, mix};
use crate::units::Lanes;

/// A map from {key, device} to a value, stored for whole sets of devices at once.
///
/// A lock-step mesh gives all its chips the same answer nearly always, so an entry is a key, a set
/// of devices and the one value they share; it splits when they part and merges when they agree
/// again. Equal contents are stored, and hash, alike whatever the history.
///
/// ```
/// use freeorder::journal::{LaneMap, Tracking};
/// use freeorder::units::{DeviceId, Lanes};
/// let mut map: LaneMap<u32> = LaneMap::new(Tracking::NONE);
/// map.update(64, Lanes::first(8), |_, old| Some(old.unwrap_or(0) + 1));
/// map.update(64, Lanes::one(DeviceId(3)), |_, _| None);
/// assert_eq!(map.get(64, DeviceId(2)), Some(1));
/// assert_eq!(map.get(64, DeviceId(3)), None);
/// ```
#[derive(Clone, Debug)]
pub struct LaneMap<P> {
    slots: Vec<Slot<P>>,
    /// Slots whose key is not 0, dead ones included.
    used: usize,
    /// Whether two entries ever shared a key; until then nothing needs merging.
    split: bool,
    journal: Vec<Change<P>>,
    hash: u64,
    tracking: Tracking,
}

/// A key of 0 ends a probe; a slot with a key and no lanes is dead and may be reused for it.
#[derive(Clone, Copy, Debug)]
struct Slot<P> {
    key: u64,
    lanes: Lanes,
    value: P,
}

#[derive(Clone, Debug)]
enum Change<P> {
    Slot { index: usize, old: Slot<P> },
    Table(Vec<Slot<P>>, usize),
}

const SLOTS_MIN: usize = 64;

impl Fingerprint for u32 {
    fn fingerprint(&self) -> u64 {
        mix(0, u64::from(*self))
    }
}

impl<P: Copy + Eq + Default + Fingerprint> LaneMap<P> {
    /// An empty map.
    #[must_use]
    pub fn new(tracking: Tracking) -> Self {
        let slots = vec![Self::empty(); SLOTS_MIN];
        Self { slots, used: 0, split: false, journal: Vec::new(), hash: 0, tracking }
    }

    /// Empties the map and its journal, keeping the memory.
    pub fn reset(&mut self) {
        if self.used > 0 {
            self.slots.fill(Self::empty());
        }
        self.used = 0;
        self.split = false;
        self.journal.clear();
        self.hash = 0;
    }

    /// Replaces the values of a key on a set of devices.
    ///
    /// `change` is asked once for each group of devices that share a value (or have none) and
    /// answers with the new one, or none to remove it.
    #[inline(always)]
    pub fn update(
        &mut self,
        key: u64,
        lanes: Lanes,
        mut change: impl FnMut(Lanes, Option<P>) -> Option<P>,
    ) {
        debug_assert!(!lanes.is_empty(), "an update names at least one device");
        let key = key + 1;
        let mut index = self.start(key);
        let mut dead = None;
        loop {
            let slot = &self.slots[index];
            if slot.key == 0 {
                break;
            }
            if slot.key == key {
                if slot.lanes == lanes && !self.split {
                    let new = change(lanes, Some(slot.value));
                    self.rewrite(index, lanes, new);
                    return;
                }
                if !slot.lanes.is_empty() {
                    self.update_split(key, lanes, change);
                    return;
                }
                dead = dead.or(Some(index));
            }
            index = self.next(index);
        }
        if let Some(value) = change(lanes, None) {
            self.put(dead.unwrap_or(index), Slot { key, lanes, value });
        }
    }

    /// The value of a key on one device.
    #[must_use]
    pub fn get(&self, key: u64, device: crate::units::DeviceId) -> Option<P> {
        let mut found = None;
        self.each(key, |lanes, value| {
            if lanes.contains(device) {
                found = Some(value);
            }
        });
        found
    }

    /// Visits every group of devices that have a value for the key.
    #[inline]
    pub fn each(&self, key: u64, mut visit: impl FnMut(Lanes, P)) {
        let key = key + 1;
        let mut index = self.start(key);
        while self.slots[index].key != 0 {
            let slot = &self.slots[index];
            if slot.key == key && !slot.lanes.is_empty() {
                visit(slot.lanes, slot.value);
            }
            index = self.next(index);
        }
    }

    /// All entries as (key, devices, value), in no particular order.
    pub fn iter(&self) -> impl Iterator<Item = (u64, Lanes, P)> {
        let slots = if self.used == 0 { &[] } else { &self.slots[..] };
        slots
            .iter()
            .filter(|slot| !slot.lanes.is_empty())
            .map(|slot| (slot.key - 1, slot.lanes, slot.value))
    }

    /// All entries as (key, devices, value), lowest key first.
    #[must_use]
    pub fn entries(&self) -> Vec<(u64, Lanes, P)> {
        let mut entries: Vec<_> = self.iter().collect();
        entries.sort_by_key(|&(key, lanes, _)| (key, lanes));
        entries
    }

    /// Adds the entries to the columns of their devices.
    pub fn columns(&self, columns: &mut super::Columns, tag: u64) {
        for (key, lanes, value) in self.iter() {
            columns.on(lanes, mix(tag, key), value.fingerprint());
        }
    }

    /// The number of {key, device} pairs that have a value.
    #[must_use]
    pub fn count(&self) -> u64 {
        self.slots.iter().map(|slot| u64::from(slot.lanes.count())).sum()
    }

    /// The place in the journal to come back to.
    #[must_use]
    pub fn mark(&self) -> usize {
        self.journal.len()
    }

    /// Takes back everything since the mark.
    pub fn undo_to(&mut self, mark: usize) {
        while self.journal.len() > mark {
            match self.journal.pop().expect("the journal is longer than the mark") {
                Change::Slot { index, old } => {
                    self.hash ^= self.fingerprint(&old) ^ self.fingerprint(&self.slots[index]);
                    self.used += usize::from(old.key != 0);
                    self.used -= usize::from(self.slots[index].key != 0);
                    self.slots[index] = old;
                }
                Change::Table(slots, used) => {
                    self.slots = slots;
                    self.used = used;
                }
            }
        }
    }

    /// A hash of the contents.
    #[must_use]
    pub fn hash(&self) -> u64 {
        self.hash
    }

    /// The general update: some devices have the key, some do not, and values may differ.
    #[cold]
    fn update_split(
        &mut self,
        key: u64,
        lanes: Lanes,
        mut change: impl FnMut(Lanes, Option<P>) -> Option<P>,
    ) {
        self.split = true;
        let mut rest = lanes;
        let mut added: Vec<Slot<P>> = Vec::new();
        let mut index = self.start(key);
        while self.slots[index].key != 0 {
            let slot = self.slots[index];
            let shared = slot.lanes.and(lanes);
            if slot.key == key && !shared.is_empty() {
                rest = rest.minus(shared);
                self.write(index, Slot { lanes: slot.lanes.minus(shared), ..slot });
                if let Some(value) = change(shared, Some(slot.value)) {
                    added.push(Slot { key, lanes: shared, value });
                }
            }
            index = self.next(index);
        }
        if !rest.is_empty()
            && let Some(value) = change(rest, None)
        {
            added.push(Slot { key, lanes: rest, value });
        }
        for slot in added {
            self.add(slot);
        }
        self.merge(key);
    }

    /// Joins the entries of a key that have the same value, into the first of them.
    fn merge(&mut self, key: u64) {
        let mut first = self.start(key);
        while self.slots[first].key != 0 {
            let mut other = self.next(first);
            while self.slots[other].key != 0 {
                let (a, b) = (self.slots[first], self.slots[other]);
                let same = a.key == key && b.key == key && a.value == b.value;
                if same && !a.lanes.is_empty() && !b.lanes.is_empty() {
                    self.write(first, Slot { lanes: a.lanes.or(b.lanes), ..a });
                    self.write(other, Slot { lanes: Lanes::NONE, ..b });
                }
                other = self.next(other);
            }
            first = self.next(first);
        }
    }

    /// Puts an entry where a probe for its key has ended.
    #[inline]
    fn put(&mut self, index: usize, slot: Slot<P>) {
        if self.is_crowded() {
            self.add(slot);
        } else {
            self.write(index, slot);
        }
    }

    #[inline]
    fn is_crowded(&self) -> bool {
        (self.used + 1) * 4 > self.slots.len() * 3
    }

    #[cold]
    fn add(&mut self, slot: Slot<P>) {
        if self.is_crowded() {
            self.grow();
        }
        let mut index = self.start(slot.key);
        loop {
            let here = &self.slots[index];
            if here.key == 0 || (here.key == slot.key && here.lanes.is_empty()) {
                self.write(index, slot);
                return;
            }
            index = self.next(index);
        }
    }

    /// Changes or empties a slot that is in use.
    #[inline]
    fn rewrite(&mut self, index: usize, lanes: Lanes, value: Option<P>) {
        let key = self.slots[index].key;
        let new = match value {
            Some(value) => Slot { key, lanes, value },
            None => Slot { key, lanes: Lanes::NONE, value: P::default() },
        };
        if self.tracking != Tracking::NONE {
            self.track(index, &new);
        }
        let slot = &mut self.slots[index];
        slot.lanes = new.lanes;
        slot.value = new.value;
    }

    #[inline]
    fn write(&mut self, index: usize, new: Slot<P>) {
        self.used += usize::from(self.slots[index].key == 0);
        if self.tracking != Tracking::NONE {
            self.track(index, &new);
        }
        self.slots[index] = new;
    }

    fn track(&mut self, index: usize, new: &Slot<P>) {
        let old = self.slots[index];
        self.hash ^= self.fingerprint(&old) ^ self.fingerprint(new);
        if self.tracking.undo {
            self.journal.push(Change::Slot { index, old });
        }
    }

    /// Rebuilds the table without its dead slots, twice as large if they do not make up half.
    #[cold]
    fn grow(&mut self) {
        let live = self.slots.iter().filter(|slot| !slot.lanes.is_empty()).count();
        let size =
            if live * 8 > self.slots.len() * 3 { self.slots.len() * 2 } else { self.slots.len() };
        let old = std::mem::replace(&mut self.slots, vec![Self::empty(); size]);
        for slot in old.iter().filter(|slot| !slot.lanes.is_empty()) {
            let mut index = self.start(slot.key);
            while self.slots[index].key != 0 {
                index = self.next(index);
            }
            self.slots[index] = *slot;
        }
        if self.tracking.undo {
            self.journal.push(Change::Table(old, self.used));
        }
        self.used = live;
    }

    #[inline]
    fn start(&self, key: u64) -> usize {
        (key.wrapping_mul(0x9e37_79b9_7f4a_7c15) >> 32) as usize & (self.slots.len() - 1)
    }

    #[inline]
    fn next(&self, index: usize) -> usize {
        (index + 1) & (self.slots.len() - 1)
    }

    #[inline]
    fn fingerprint(&self, slot: &Slot<P>) -> u64 {
        if !self.tracking.hash || slot.lanes.is_empty() {
            return 0;
        }
        mix(mix(slot.key, slot.lanes.0), slot.value.fingerprint())
    }

    fn empty() -> Slot<P> {
        Slot { key: 0, lanes: Lanes::NONE, value: P::default() }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::units::DeviceId;
    use proptest::prelude::*;
    use std::collections::BTreeMap;

    type Step = (u64, u64, u32);

    fn steps() -> impl Strategy<Value = Vec<Step>> {
        prop::collection::vec((0_u64..6, 1_u64..16, 0_u32..4), 0..60)
    }

    /// Adds 0..2 to the value, or removes it at 3.
    fn change(amount: u32, old: Option<u32>) -> Option<u32> {
        (amount != 3).then(|| old.unwrap_or(0) + amount)
    }

    fn apply(map: &mut LaneMap<u32>, (key, lanes, amount): Step) {
        map.update(key * 97, Lanes(lanes), |_, old| change(amount, old));
    }

    fn model(steps: &[Step]) -> BTreeMap<(u64, u8), u32> {
        let mut plain = BTreeMap::new();
        for &(key, lanes, amount) in steps {
            for device in Lanes(lanes).iter() {
                let at = (key * 97, device.0);
                match change(amount, plain.get(&at).copied()) {
                    Some(value) => plain.insert(at, value),
                    None => plain.remove(&at),
                };
            }
        }
        plain
    }

    proptest! {
        /// The packed map must be the plain one, device by device.
        #[test]
        fn the_map_is_the_plain_map_device_by_device(steps in steps()) {
            let mut map = LaneMap::new(Tracking::FULL);
            for &step in &steps {
                apply(&mut map, step);
            }
            let mut unpacked = BTreeMap::new();
            for (key, lanes, value) in map.entries() {
                for device in lanes.iter() {
                    prop_assert_eq!(unpacked.insert((key, device.0), value), None);
                    prop_assert_eq!(map.get(key, DeviceId(device.0)), Some(value));
                }
            }
            prop_assert_eq!(unpacked, model(&steps));
        }

        /// The hash must not depend on the way to a state, or search would visit it twice.
        #[test]
        fn equal_contents_hash_alike_whatever_the_history(steps in steps()) {
            let mut map = LaneMap::new(Tracking::FULL);
            for &step in &steps {
                apply(&mut map, step);
            }
            let mut direct = LaneMap::new(Tracking::FULL);
            for ((key, device), value) in model(&steps).into_iter().rev() {
                direct.update(key, Lanes::one(DeviceId(device)), |_, _| Some(value));
            }
            prop_assert_eq!(map.hash(), direct.hash());
        }

        /// Undo must restore contents and hash across growth of the table.
        #[test]
        fn undo_restores_contents_and_hash(before in steps(), after in steps()) {
            let mut map = LaneMap::new(Tracking::FULL);
            for step in before {
                apply(&mut map, step);
            }
            let (entries, hash, mark) = (map.entries(), map.hash(), map.mark());
            for (key, lanes, amount) in after {
                apply(&mut map, (key + 1000 * lanes, lanes, amount));
            }
            map.undo_to(mark);
            prop_assert_eq!(map.entries(), entries);
            prop_assert_eq!(map.hash(), hash);
        }
    }
}
