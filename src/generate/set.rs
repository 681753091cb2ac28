//! Sets of names, a bit each.

/// A set of names, a bit each.
pub(super) type Set = u64;

/// The names of one sort.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(super) struct Names {
    /// How many were ever used: the lowest ones.
    used: u32,
    /// Those that hold something, in whatever process.
    pub held: Set,
    /// Those that hold something of the current process.
    pub own: Set,
    /// Those that are static variables.
    pub statics: Set,
}

/// The set with one name.
#[inline]
pub(super) fn one(name: u32) -> Set {
    1_u64.checked_shl(name).unwrap_or(0)
}

/// The names in a set, lowest first.
pub(super) fn each(mut set: Set) -> impl Iterator<Item = u32> {
    std::iter::from_fn(move || {
        let lowest = set.trailing_zeros();
        set &= set.wrapping_sub(1);
        (lowest < Set::BITS).then_some(lowest)
    })
}

/// The names of a set that a question is answered with yes for.
#[inline]
pub(super) fn those(set: Set, mut holds: impl FnMut(u32) -> bool) -> Set {
    each(set).fold(0, |all, name| if holds(name) { all | one(name) } else { all })
}

impl Names {
    /// The names that something new can have: those given up, and the next one.
    #[inline]
    pub fn free(self, max: u32) -> Set {
        let next = if self.used < max { one(self.used) } else { 0 };
        (one(self.used).wrapping_sub(1) & !self.held) | next
    }

    #[inline]
    pub fn hold(&mut self, name: u32) {
        self.used = self.used.max(name + 1);
        self.held |= one(name);
        self.own |= one(name);
        self.statics &= !one(name);
    }

    #[inline]
    pub fn give_up(&mut self, names: Set) {
        self.held &= !names;
        self.own &= !names;
        self.statics &= !names;
    }
}
