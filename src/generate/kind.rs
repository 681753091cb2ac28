//! The kinds of operation that are drawn, and how often: one table.

use super::profile::Profile;
use super::set::each;

macro_rules! kinds {
    ($($(#[$doc:meta])* $kind:ident $weights:expr,)*) => {
        /// A kind of operation: a line of the language, and which names it is about.
        #[derive(Clone, Copy, Debug, PartialEq, Eq)]
        #[repr(u8)]
        pub(super) enum Kind {
            $($(#[$doc])* $kind,)*
        }

        impl Kind {
            /// Every kind.
            pub(super) const ALL: [Self; [$(Self::$kind),*].len()] = [$(Self::$kind),*];

            /// How often each kind is drawn: a column for each profile, in their order.
            const WEIGHTS: [[u8; Profile::ALL.len()]; Self::ALL.len()] = [$($weights),*];
        }
    };
}

kinds! {
    //             basic tame life reuse cache teard subm thr faults
    /// Open a mesh.
    Open            [1,   2,   2,   1,    1,    2,   5,   1,   1],
    /// Cut a mesh from an open one.
    Submesh         [0,   2,   1,   0,    0,    2,   6,   0,   0],
    /// Close an open mesh.
    Close           [0,    1,    1,    1,    1,    2,    2,    1,    1],
    /// Close a mesh that was closed.
    CloseAgain      [0,   1,   1,   0,    0,    1,   1,   0,   0],
    /// Let go of a mesh.
    DropMesh        [0,    1,    1,    1,    1,    2,    2,    1,    1],
    /// Allocate on a mesh.
    Alloc           [45,  24,  24,  32,   16,   24,  24,  24,  24],
    /// Allocate on one device.
    AllocOnDevice   [0,   1,   2,   1,    0,    2,   2,   1,   1],
    /// Create a buffer at another one's address.
    Alias           [0,   2,   2,   3,    0,    2,   1,   1,   0],
    /// Make a view.
    View            [3,   4,   4,   6,    1,    4,   1,   2,   2],
    /// Copy a handle.
    Share           [0,   2,   2,   3,    1,    3,   1,   2,   1],
    /// Deallocate what is allocated.
    Deallocate      [25,  12,  12,  20,   9,    6,   8,   16,  10],
    /// Deallocate what is not.
    DeallocateAgain [0,    1,    1,    2,    1,    1,    1,    4,    1],
    /// Let go of a handle on allocated memory.
    DropLive        [15,  8,   6,   4,    6,    3,   5,   6,   6],
    /// Let go of a handle on memory that was given back.
    DropDead        [5,   10,  5,   10,   4,    2,   3,   5,   4],
    /// Mark a buffer deallocated without deallocating it.
    Mark            [0,   0,   1,   1,    0,    1,   0,   1,   0],
    /// Make a handle part of a cycle.
    Cycle           [0,   2,   2,   3,    1,    3,   1,   1,   1],
    /// Run the collector.
    Gc              [0,   1,   1,   3,    1,    1,   1,   1,   1],
    /// Let the backing buffer die on its own.
    ReleaseBacking  [0,   0,   1,   1,    0,    1,   0,   1,   0],
    /// Let a device-local buffer die on its own.
    ReleaseLocal    [0,   0,   1,   1,    0,    1,   0,   0,   0],
    /// Read memory that is held.
    Use             [0,   4,   2,   2,    1,    1,   2,   2,   1],
    /// Read memory that was given back.
    UseDead         [0,   0,   1,   2,    0,    0,   0,   0,   0],
    /// Make a program.
    Program         [0,   2,   2,   1,    4,    4,   1,   2,   1],
    /// Copy a program's handle.
    ShareProgram    [0,   1,   1,   0,    2,    2,   0,   0,   0],
    /// Put a buffer into a program's pool.
    Assign          [0,   3,   3,   2,    8,    6,   0,   3,   1],
    /// Run a program.
    Enqueue         [0,   3,   2,   1,    5,    2,   1,   1,   1],
    /// Let go of a program.
    DropProgram     [0,   2,   2,   1,    4,    1,   1,   2,   1],
    /// Run an operation through the cache.
    Run             [5,   12,  8,   4,    32,   6,   5,   4,   6],
    /// Clear a cache.
    ClearCache      [2,    2,    1,    1,    4,    1,    1,    1,    1],
    /// Clear a cache and turn it off.
    DisableCache    [0,   1,   1,   0,    2,    0,   0,   0,   0],
    /// Turn a cache on again.
    EnableCache     [0,   2,   1,   0,    3,    0,   0,   0,   0],
    /// Free every block of an allocator.
    DeallocateAll   [0,   0,   1,   1,    0,    1,   1,   0,   0],
    /// Wipe an allocator's free lists.
    ClearAllocator  [0,   0,   1,   0,    0,    1,   0,   0,   0],
    /// Begin a NO_DISPATCH capture.
    CaptureBegin    [0,   0,   1,   1,    0,    0,   0,   0,   0],
    /// Begin a NORMAL capture.
    CaptureNormal   [0,   1,   1,   0,    1,    0,   0,   0,   0],
    /// End it.
    CaptureEnd      [0,   2,   4,   4,    2,    0,   0,   0,   0],
    /// Make a Metal 2.0 program.
    DataflowProgram [0,   1,   1,   0,    1,    0,   0,   0,   0],
    /// Start the Inspector.
    Inspector       [0,   1,   1,   0,    0,    1,   0,   0,   0],
    /// Make a handle on a buffer or a mesh a static variable.
    Static          [0,   1,   1,   0,    0,    1,   0,   0,   0],
    //             basic tame life reuse cache teard subm thr faults
    /// Begin to capture a trace.
    BeginTrace      [0,   2,   6,   0,    3,    1,   0,   0,   0],
    /// End the capture.
    EndTrace        [0,   8,   8,   0,    6,    3,   0,   0,   0],
    /// End a capture that was ended.
    EndTraceAgain   [0,   0,   2,   0,    1,    0,   0,   0,   0],
    /// Replay a trace.
    Replay          [0,   6,   10,  0,    4,    1,   0,   0,   0],
    /// Run an operation for the first time after a capture: its kernel binary is uploaded.
    WarmUp          [0,   1,   8,   0,    4,    0,   0,   0,   0],
    /// Release a trace.
    ReleaseTrace    [0,   2,   2,   0,    1,    1,   0,   0,   0],
    /// Queue programs and deallocations.
    AsyncOn         [0,   2,   1,   0,    1,    1,   0,   1,   0],
    /// Run them at once again.
    AsyncOff        [0,   1,   1,   0,    1,    0,   0,   1,   0],
    /// Execute what is queued.
    Finish          [0,   3,   2,   0,    1,    1,   0,   1,   0],
    /// Load a sub-device manager.
    LoadManager     [0,   2,   2,   0,    0,    1,   0,   0,   0],
    /// Stop reporting.
    TrackingOff     [0,   0,   0,   0,    0,    0,   0,   0,   1],
    /// Report again.
    TrackingOn      [0,   0,   0,   0,    0,    0,   0,   0,   4],
    /// The server forgets.
    ServerRestart   [0,   0,   0,   0,    0,    0,   0,   0,   1],
    /// Messages are lost.
    Lose            [0,   0,   0,   0,    0,    0,   0,   0,   2],
    /// The server stops reading.
    Stall           [0,   0,   0,   0,    0,    0,   0,   0,   2],
    /// The client opens a new socket.
    Reconnect       [0,   0,   0,   0,    0,    0,   0,   0,   4],
    /// The server reads a message.
    Deliver         [0,   0,   0,   0,    0,    0,   0,   0,   4],
    /// Go on in another process.
    Process         [0,   0,   0,   0,    0,    0,   0,   0,   1],
    /// A process dies.
    Kill            [0,   0,   0,   0,    0,    0,   0,   0,   1],
    /// The reaper runs.
    Reap            [0,   0,   0,   0,    0,    0,   0,   0,   1],
    /// A quiescent point.
    Checkpoint      [0,   2,   1,   1,    1,    1,   1,   1,   2],
    /// The program ends.
    Exit            [1,   1,   1,   1,    1,    1,   1,   1,   1],
}

/// A set of kinds, a bit each.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(super) struct Kinds(pub u64);

impl Kinds {
    /// Adds a kind if the condition holds.
    #[inline(always)]
    pub fn put(&mut self, kind: Kind, condition: bool) {
        self.0 |= u64::from(condition) << kind as u32;
    }

    /// Those that are in both.
    #[inline]
    pub fn and(self, other: Self) -> Self {
        Self(self.0 & other.0)
    }

    /// Those before a kind.
    pub fn before(self, kind: Kind) -> Self {
        Self(self.0 & ((1 << kind as u32) - 1))
    }

    /// The kinds, in the order of the table.
    #[inline]
    pub fn iter(self) -> impl Iterator<Item = Kind> {
        each(self.0).map(|kind| Kind::ALL[kind as usize])
    }

    /// Those that are not in the other set.
    #[inline]
    pub fn minus(self, other: Self) -> Self {
        Self(self.0 & !other.0)
    }
}

/// How many kinds have their weights added up at once.
const GROUP: usize = 8;

/// How often each kind is drawn, in parts of the sum over the kinds that are possible.
#[derive(Debug)]
pub(super) struct Weights {
    of: [u8; u64::BITS as usize],
    /// For each eight kinds, the sum over each choice of them.
    sums: [[u16; 1 << GROUP]; u64::BITS as usize / GROUP],
    /// The kinds that have a weight.
    pub kinds: Kinds,
}

impl Weights {
    const NONE: Self = Self { of: [0; 64], sums: [[0; 1 << GROUP]; 8], kinds: Kinds(0) };

    const OF_PROFILES: [Self; Profile::ALL.len()] = {
        let mut all = [Self::NONE; Profile::ALL.len()];
        let mut profile = 0;
        while profile < all.len() {
            all[profile] = Self::of_column(profile);
            profile += 1;
        }
        all
    };

    const fn of_column(profile: usize) -> Self {
        let mut weights = Self::NONE;
        let mut kind = 0;
        while kind < Kind::ALL.len() {
            let weight = Kind::WEIGHTS[kind][profile];
            weights.of[kind] = weight;
            weights.kinds.0 |= ((weight > 0) as u64) << kind;
            let sums = &mut weights.sums[kind / GROUP];
            let bit = 1 << (kind % GROUP);
            let mut choice = bit;
            while choice < 2 * bit {
                sums[choice] = sums[choice - bit] + weight as u16;
                choice += 1;
            }
            kind += 1;
        }
        weights
    }

    /// Those of a profile.
    pub fn of(profile: Profile) -> &'static Self {
        const { &Self::OF_PROFILES }.get(profile as usize).expect("there is a column for each")
    }

    /// The sum over some kinds; those that are rare here count as one.
    #[inline]
    pub fn sum(&self, kinds: Kinds, rare: Kinds) -> u32 {
        (0..self.sums.len()).map(|group| self.sum_of(group, kinds, rare)).sum()
    }

    #[inline]
    fn sum_of(&self, group: usize, kinds: Kinds, rare: Kinds) -> u32 {
        let weighted = kinds.minus(rare).0.to_le_bytes()[group];
        let rare = kinds.and(rare).0.to_le_bytes()[group];
        u32::from(self.sums[group][usize::from(weighted)]) + rare.count_ones()
    }

    /// The kind at a place below their sum.
    #[inline]
    pub fn kind_at(&self, place: u32, kinds: Kinds, rare: Kinds) -> Kind {
        let mut rest = place;
        for group in 0..self.sums.len() {
            let sum = self.sum_of(group, kinds, rare);
            if rest < sum {
                let members = each(kinds.0.to_le_bytes()[group].into());
                for kind in members.map(|member| group * GROUP + member as usize) {
                    let is_rare = rare.0 >> kind & 1;
                    let weight = if is_rare == 0 { self.of[kind].into() } else { 1 };
                    if rest < weight {
                        return Kind::ALL[kind];
                    }
                    rest -= weight;
                }
            }
            rest -= sum;
        }
        unreachable!("the place is below the sum")
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// A pick among the kinds must fit into one byte of a fuzzer's input.
    #[test]
    fn a_kind_is_one_byte_under_every_profile() {
        for profile in Profile::ALL {
            let weights = Weights::of(profile);
            let sum = weights.sum(weights.kinds, Kinds::default());
            assert!((2..=256).contains(&sum), "{profile}: {sum}");
        }
    }
}
