//! The generator of profile `basic`: fast, and the same for ever.
//!
//! What a seed means under it is pinned by digests, so it shares no code with the other profiles.

use crate::choice::Choices;
use crate::op::{
    BufferHandle, BufferSpec, CacheKey, CircularBufferSpec, Handle, MeshHandle, Op, Pages, Place,
    RunSpec,
};
use crate::runtime::Setup;
use crate::units::{BufferType, Bytes};

/// Allocations, explicit deallocations, drops of a handle, operations through the program cache,
/// views, and clears of the cache, in parts of their sum.
const WEIGHTS: [u32; KINDS.len()] = [45, 25, 20, 5, 3, 2];
/// Operations in a sequence, after the mesh is opened.
const OPERATIONS: u32 = 100;
/// The largest number of pages of a buffer, on each device.
const PAGES_MAX: u32 = 64;
/// The size of a page.
const PAGE_SIZE: Bytes = Bytes(2048);
/// How many different cached operations there are.
const KEYS: u32 = 4;

/// The mesh that generated scenarios use.
const MESH: MeshHandle = MeshHandle(0);

/// What kinds of operation there are, in the order of [`WEIGHTS`].
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Kind {
    Alloc,
    Deallocate,
    Drop,
    Run,
    View,
    ClearCache,
}

const KINDS: [Kind; 6] =
    [Kind::Alloc, Kind::Deallocate, Kind::Drop, Kind::Run, Kind::View, Kind::ClearCache];

/// Draws the operations of profile `basic` one by one.
///
/// It remembers only which names hold something, so that most of what it draws changes something;
/// what the operations do is the world's affair.
///
/// ```
/// use freeorder::choice::Seeded;
/// use freeorder::generate::Generator;
/// let mut generator = Generator::new();
/// let op = generator.next_op(&mut Seeded::new(7));
/// assert!(op.to_string().starts_with("alloc b0 on m0"));
/// ```
#[derive(Clone, Debug)]
pub struct Generator {
    /// For each kind, the sum of the weights up to and with its own.
    thresholds: [u32; KINDS.len()],
    /// Names of buffers that were not deallocated.
    live: Vec<BufferHandle>,
    /// Names of buffers that were deallocated and not dropped.
    dead: Vec<BufferHandle>,
    /// Names that hold nothing and may be used again.
    unused: Vec<BufferHandle>,
    next_name: u32,
    cached: bool,
}

impl Generator {
    /// A generator that has drawn nothing.
    #[must_use]
    pub fn new() -> Self {
        let mut thresholds = WEIGHTS;
        for kind in 1..thresholds.len() {
            thresholds[kind] += thresholds[kind - 1];
        }
        Self {
            thresholds,
            live: Vec::new(),
            dead: Vec::new(),
            unused: Vec::new(),
            next_name: 0,
            cached: false,
        }
    }

    /// Forgets what it has drawn, keeping the memory.
    pub fn reset(&mut self) {
        self.live.clear();
        self.dead.clear();
        self.unused.clear();
        self.next_name = 0;
        self.cached = false;
    }

    /// The operation that opens the mesh: all chips of the machine.
    #[must_use]
    pub fn opening(setup: &Setup) -> Op {
        Op::Open { mesh: MESH, shape: setup.machine_shape(), at: (0, 0) }
    }

    /// Draws the next operation.
    #[inline]
    pub fn next_op(&mut self, choices: &mut impl Choices) -> Op {
        loop {
            match self.kind(choices) {
                Kind::Alloc => return self.alloc(choices),
                Kind::Deallocate if !self.live.is_empty() => return self.deallocate(choices),
                Kind::Drop if self.live.len() + self.dead.len() > 0 => return self.drop(choices),
                Kind::Run => return self.run(choices),
                Kind::View if !self.live.is_empty() => return self.view(choices),
                Kind::ClearCache if self.cached => {
                    self.cached = false;
                    return Op::ClearCache(MESH);
                }
                // Nothing to do it to: draw again. An allocation is always possible.
                Kind::Deallocate | Kind::Drop | Kind::View | Kind::ClearCache => {}
            }
        }
    }

    #[inline]
    fn kind(&self, choices: &mut impl Choices) -> Kind {
        let draw = choices.pick(u64::from(self.thresholds[KINDS.len() - 1])) as u32;
        // Counted to the end, since no processor guesses where a search for a drawn number stops.
        KINDS[self.thresholds.iter().filter(|&&threshold| threshold <= draw).count()]
    }

    #[inline]
    fn fresh_name(&mut self) -> BufferHandle {
        self.unused.pop().unwrap_or_else(|| {
            self.next_name += 1;
            BufferHandle(self.next_name - 1)
        })
    }

    #[inline]
    fn spec(&self, choices: &mut impl Choices) -> BufferSpec {
        let draw = choices.pick(2 * u64::from(PAGES_MAX)) as u32;
        let buffer_type = if draw.is_multiple_of(2) { BufferType::Dram } else { BufferType::L1 };
        let pages = Pages { count: 1 + draw / 2, size: PAGE_SIZE };
        BufferSpec { buffer_type, pages, top_down: None, shards: None }
    }

    #[inline]
    fn alloc(&mut self, choices: &mut impl Choices) -> Op {
        let spec = self.spec(choices);
        let buffer = self.fresh_name();
        self.live.push(buffer);
        Op::Alloc { buffer, place: Place::Mesh(MESH), spec }
    }

    #[inline]
    fn deallocate(&mut self, choices: &mut impl Choices) -> Op {
        let victim = choices.pick(self.live.len() as u64) as usize;
        let buffer = self.live.swap_remove(victim);
        self.dead.push(buffer);
        Op::Deallocate(buffer)
    }

    #[inline]
    fn drop(&mut self, choices: &mut impl Choices) -> Op {
        let victim = choices.pick((self.live.len() + self.dead.len()) as u64) as usize;
        let buffer = match victim.checked_sub(self.live.len()) {
            None => self.live.swap_remove(victim),
            Some(dead) => self.dead.swap_remove(dead),
        };
        self.unused.push(buffer);
        Op::Drop(Handle::Buffer(buffer))
    }

    fn run(&mut self, choices: &mut impl Choices) -> Op {
        self.cached = true;
        let key = CacheKey(choices.pick(u64::from(KEYS)) as u32);
        let reads = match self.live.len() {
            0 => Vec::new(),
            live => vec![self.live[choices.pick(live as u64) as usize]],
        };
        let circular_buffers =
            vec![CircularBufferSpec { count: 3, size: Bytes(4096), cores: None }];
        Op::Run(Box::new(RunSpec {
            key,
            mesh: MESH,
            circular_buffers,
            kernel: None,
            reads,
            output: None,
            stale: false,
            moves: None,
        }))
    }

    #[inline]
    fn view(&mut self, choices: &mut impl Choices) -> Op {
        let of = self.live[choices.pick(self.live.len() as u64) as usize];
        let buffer = self.fresh_name();
        // A view is dropped, never deallocated: it owns nothing.
        self.dead.push(buffer);
        Op::View { buffer, of, pages: None }
    }
}

impl Default for Generator {
    fn default() -> Self {
        Self::new()
    }
}

/// The mesh, the operations, and the exit of the program, which drops what is left.
pub(super) fn program(choices: &mut impl Choices) -> Vec<Op> {
    let mut generator = Generator::new();
    let mut ops = vec![Generator::opening(&Setup::default())];
    ops.extend((0..OPERATIONS).map(|_| generator.next_op(choices)));
    ops.push(Op::Exit);
    ops
}
