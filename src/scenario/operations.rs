//! The lines of operations: one row of a table for each keyword.

use super::error::ScenarioError;
use super::lex::{HandleKind, Limit, Word, Words, one_to, up_to};
use crate::op::{
    BufferHandle, BufferSpec, CacheKey, CircularBufferSpec, CoreRange, Handle, MeshHandle, Op,
    Pages, Piece, Place, ProcessId, ProgramHandle, RunSpec, Stream, ThreadId,
};
use crate::units::{BufferType, Bytes, DeviceId, MeshShape};

const fn kind(letter: char, expected: &'static str, what: &'static str, most: u64) -> HandleKind {
    HandleKind { letter, expected, limit: up_to(what, most) }
}

const BUFFER: HandleKind = kind('b', "a buffer such as `b0`", "buffer number", 999_999);
const MESH: HandleKind = kind('m', "a mesh such as `m0`", "mesh number", 4095);
const PROGRAM: HandleKind = kind('p', "a program such as `p0`", "program number", 999_999);
const KEY: HandleKind = kind('k', "a cache key such as `k0`", "key number", 999_999);
const THREAD: HandleKind = kind('t', "a thread such as `t1`", "thread number", 63);
const PROCESS: HandleKind = kind('q', "a process such as `q1`", "process number", 63);
const DEVICE: HandleKind = kind('d', "a device such as `d0`", "device number", 63);

const PAGE_COUNT: Limit = up_to("page count", (1 << 24) - 1);
const PAGE_SIZE: Limit = one_to("page size", 1 << 32);
/// All pages of a buffer together, in bytes.
const BUFFER_SIZE: Limit = up_to("buffer size", (1 << 36) - 1);
const SHARDS: Limit = one_to("shard count", 1024);
const CIRCULAR_BUFFER_COUNT: Limit = one_to("circular buffer count", 1024);
const CIRCULAR_BUFFER_TOTAL: Limit = one_to("circular buffer count of the list", 1024);
const CIRCULAR_BUFFER_SIZE: Limit = one_to("circular buffer size", 1 << 24);
const COORDINATE: Limit = up_to("coordinate", 63);
const MESH_SIDE: Limit = one_to("mesh side", 64);
const LOST: Limit = up_to("message count", 1_000_000);

type Parsed<T> = Result<T, ScenarioError>;

/// An operation of the language.
#[derive(Clone, Copy, Debug)]
pub struct OperationForm {
    /// Its first word.
    pub keyword: &'static str,
    /// An example of its line; brackets mark what can be left out, a bar a choice.
    pub form: &'static str,
    /// Reads what follows the first word.
    pub(super) read: fn(&mut Words<'_>) -> Result<Op, ScenarioError>,
}

macro_rules! operations {
    ($($keyword:literal $($rest:literal)? => $read:expr,)*) => {
        /// Every operation of the language, in the order of [`Op`].
        pub const OPERATIONS: &[OperationForm] = &[$(OperationForm {
            keyword: $keyword,
            form: concat!($keyword, $(" ", $rest)?),
            read: $read,
        },)*];
    };
}

operations! {
    "open" "m0 2x4 [at 0,0]" => open,
    "submesh" "m1 of m0 1x2 [at 0,0]" => submesh,
    "close" "m0" => |words| Ok(Op::Close(words.mesh()?)),
    "alloc" "b0 on m0|d0 dram|l1|l1-small|trace 12x2048 [top|bottom] [shards 4]" => alloc,
    "alias" "b1 of b0" => |words| {
        let (buffer, of) = words.buffer_of()?;
        Ok(Op::Alias { buffer, of })
    },
    "view" "b1 of b0 [1x2048]" => view,
    "share" "b1 of b0" => |words| {
        let (buffer, of) = words.buffer_of()?;
        Ok(Op::Share { buffer, of })
    },
    "deallocate" "b0" => |words| Ok(Op::Deallocate(words.buffer()?)),
    "mark" "b0" => |words| Ok(Op::Mark(words.buffer()?)),
    "drop" "b0|m0|p0" => |words| Ok(Op::Drop(words.any_handle()?)),
    "cycle" "b0" => |words| Ok(Op::Cycle(words.buffer()?)),
    "gc" => |_| Ok(Op::Gc),
    "release" "b0 backing|d3" => release,
    "use" "b0" => |words| Ok(Op::Use(words.buffer()?)),
    "program" "p0 on m0 [cbs 3x4096,1x2048@0-0:3-3]" => program,
    "share-program" "p1 of p0" => share_program,
    "assign" "b0 to p0" => assign,
    "enqueue" "p0 [reads b0,b1]" => enqueue,
    "run" "k0 on m0 [cbs 3x4096] [kernel 2x1024] [reads b0,b1] [out b2 dram 12x2048] [stale]" => run,
    "clear-cache" "m0" => |words| Ok(Op::ClearCache(words.mesh()?)),
    "disable-cache" "m0" => |words| Ok(Op::DisableCache(words.mesh()?)),
    "enable-cache" "m0" => |words| Ok(Op::EnableCache(words.mesh()?)),
    "deallocate-all" "m0" => |words| Ok(Op::DeallocateAll(words.mesh()?)),
    "clear-allocator" "m0" => |words| Ok(Op::ClearAllocator(words.mesh()?)),
    "capture" "begin|end" => |words| {
        Ok(Op::Capture(words.one_of(&[("begin", true), ("end", false)])?))
    },
    "tracking" "on|off" => |words| {
        Ok(Op::Tracking(words.one_of(&[("on", true), ("off", false)])?))
    },
    "server" "restart" => |words| words.fixed("restart").map(|()| Op::ServerRestart),
    "lose" "3" => |words| Ok(Op::Lose(small(words.next_number(LOST)?))),
    "stall" => |_| Ok(Op::Stall),
    "reconnect" => |_| Ok(Op::Reconnect),
    "deliver" "old|new" => |words| {
        Ok(Op::Deliver(words.one_of(&[("old", Stream::Old), ("new", Stream::New)])?))
    },
    "process" "q1" => |words| Ok(Op::Process(words.process()?)),
    "kill" "q1" => |words| Ok(Op::Kill(words.process()?)),
    "reap" => |_| Ok(Op::Reap),
    "checkpoint" => |_| Ok(Op::Checkpoint),
    "exit" => |_| Ok(Op::Exit),
}

fn open(words: &mut Words<'_>) -> Parsed<Op> {
    Ok(Op::Open { mesh: words.mesh()?, shape: words.shape()?, at: words.at()? })
}

fn submesh(words: &mut Words<'_>) -> Parsed<Op> {
    let mesh = words.mesh()?;
    words.fixed("of")?;
    Ok(Op::Submesh { mesh, parent: words.mesh()?, shape: words.shape()?, at: words.at()? })
}

fn alloc(words: &mut Words<'_>) -> Parsed<Op> {
    let buffer = words.buffer()?;
    words.fixed("on")?;
    Ok(Op::Alloc { buffer, place: words.place()?, spec: words.buffer_spec()? })
}

fn view(words: &mut Words<'_>) -> Parsed<Op> {
    let (buffer, of) = words.buffer_of()?;
    let pages = words.next_word().map(|word| words.pages(word)).transpose()?;
    Ok(Op::View { buffer, of, pages })
}

fn release(words: &mut Words<'_>) -> Parsed<Op> {
    let buffer = words.buffer()?;
    let expected = "`backing` or a device such as `d0`";
    let word = words.word(expected)?;
    if word.text == "backing" {
        return Ok(Op::Release { buffer, piece: Piece::Backing });
    }
    let number = words.handle(word, DEVICE)?;
    let number = number.ok_or_else(|| words.unexpected(Some(word), expected))?;
    Ok(Op::Release { buffer, piece: Piece::Local(DeviceId(byte(number.into()))) })
}

fn program(words: &mut Words<'_>) -> Parsed<Op> {
    let program = words.program()?;
    words.fixed("on")?;
    let mesh = words.mesh()?;
    Ok(Op::Program { program, mesh, circular_buffers: words.circular_buffers()? })
}

fn share_program(words: &mut Words<'_>) -> Parsed<Op> {
    let program = words.program()?;
    words.fixed("of")?;
    Ok(Op::ShareProgram { program, of: words.program()? })
}

fn assign(words: &mut Words<'_>) -> Parsed<Op> {
    let buffer = words.buffer()?;
    words.fixed("to")?;
    Ok(Op::Assign { buffer, program: words.program()? })
}

fn enqueue(words: &mut Words<'_>) -> Parsed<Op> {
    Ok(Op::Enqueue { program: words.program()?, reads: words.reads()? })
}

fn run(words: &mut Words<'_>) -> Parsed<Op> {
    let key = CacheKey(words.next_handle(KEY)?);
    words.fixed("on")?;
    let mesh = words.mesh()?;
    let circular_buffers = words.circular_buffers()?;
    let kernel = if words.optional("kernel") { Some(words.next_pages()?) } else { None };
    let reads = words.reads()?;
    let output =
        if words.optional("out") { Some((words.buffer()?, words.buffer_spec()?)) } else { None };
    let stale = words.optional("stale");
    Ok(Op::Run(Box::new(RunSpec { key, mesh, circular_buffers, kernel, reads, output, stale })))
}

/// A number that its limit keeps below 2^32.
fn small(number: u64) -> u32 {
    u32::try_from(number).expect("the limit is below 2^32")
}

/// A number that its limit keeps below 256.
fn byte(number: u64) -> u8 {
    u8::try_from(number).expect("the limit is below 256")
}

/// The thread that `t1` names; none if the word is no thread.
pub(super) fn thread(words: &Words<'_>, word: Word<'_>) -> Parsed<ThreadId> {
    let number = words.handle(word, THREAD)?;
    number.map(ThreadId).ok_or_else(|| words.unexpected(Some(word), THREAD.expected))
}

/// The parts that operations are made of.
impl Words<'_> {
    fn next_handle(&mut self, kind: HandleKind) -> Parsed<u32> {
        let word = self.word(kind.expected)?;
        self.handle_of(word, kind)
    }

    fn handle_of(&self, word: Word<'_>, kind: HandleKind) -> Parsed<u32> {
        self.handle(word, kind)?.ok_or_else(|| self.unexpected(Some(word), kind.expected))
    }

    fn buffer(&mut self) -> Parsed<BufferHandle> {
        self.next_handle(BUFFER).map(BufferHandle)
    }

    fn mesh(&mut self) -> Parsed<MeshHandle> {
        self.next_handle(MESH).map(MeshHandle)
    }

    fn program(&mut self) -> Parsed<ProgramHandle> {
        self.next_handle(PROGRAM).map(ProgramHandle)
    }

    fn process(&mut self) -> Parsed<ProcessId> {
        self.next_handle(PROCESS).map(ProcessId)
    }

    fn buffer_of(&mut self) -> Parsed<(BufferHandle, BufferHandle)> {
        let buffer = self.buffer()?;
        self.fixed("of")?;
        Ok((buffer, self.buffer()?))
    }

    fn any_handle(&mut self) -> Parsed<Handle> {
        let expected = "a buffer, a mesh or a program such as `b0`, `m0` or `p0`";
        let word = self.word(expected)?;
        if let Some(number) = self.handle(word, BUFFER)? {
            return Ok(Handle::Buffer(BufferHandle(number)));
        }
        if let Some(number) = self.handle(word, MESH)? {
            return Ok(Handle::Mesh(MeshHandle(number)));
        }
        if let Some(number) = self.handle(word, PROGRAM)? {
            return Ok(Handle::Program(ProgramHandle(number)));
        }
        Err(self.unexpected(Some(word), expected))
    }

    fn place(&mut self) -> Parsed<Place> {
        let expected = "a mesh or a device such as `m0` or `d0`";
        let word = self.word(expected)?;
        if let Some(number) = self.handle(word, MESH)? {
            return Ok(Place::Mesh(MeshHandle(number)));
        }
        let number = self.handle(word, DEVICE)?;
        let number = number.ok_or_else(|| self.unexpected(Some(word), expected))?;
        Ok(Place::Device(DeviceId(byte(number.into()))))
    }

    fn shape(&mut self) -> Parsed<MeshShape> {
        let expected = "rows and columns such as `2x4`";
        let word = self.word(expected)?;
        let sides = word.split_once('x');
        let (rows, columns) = sides.ok_or_else(|| self.unexpected(Some(word), expected))?;
        Ok(MeshShape {
            rows: byte(self.number(rows, MESH_SIDE)?),
            columns: byte(self.number(columns, MESH_SIDE)?),
        })
    }

    fn at(&mut self) -> Parsed<(u8, u8)> {
        if !self.optional("at") {
            return Ok((0, 0));
        }
        let expected = "row and column such as `0,2`";
        let word = self.word(expected)?;
        let parts = word.split_once(',');
        let (row, column) = parts.ok_or_else(|| self.unexpected(Some(word), expected))?;
        self.coordinates(row, column)
    }

    fn coordinates(&self, first: Word<'_>, second: Word<'_>) -> Parsed<(u8, u8)> {
        let first = byte(self.number(first, COORDINATE)?);
        Ok((first, byte(self.number(second, COORDINATE)?)))
    }

    fn next_pages(&mut self) -> Parsed<Pages> {
        let word = self.word("pages such as `12x2048`")?;
        self.pages(word)
    }

    fn pages(&self, word: Word<'_>) -> Parsed<Pages> {
        let parts = word.split_once('x');
        let (count, size) =
            parts.ok_or_else(|| self.unexpected(Some(word), "pages such as `12x2048`"))?;
        let count = small(self.number(count, PAGE_COUNT)?);
        let pages = Pages { count, size: Bytes(self.number(size, PAGE_SIZE)?) };
        if pages.total().0 > BUFFER_SIZE.most {
            return Err(self.out_of_range(word, BUFFER_SIZE));
        }
        Ok(pages)
    }

    fn buffer_spec(&mut self) -> Parsed<BufferSpec> {
        let buffer_type = self.one_of(&[
            ("dram", BufferType::Dram),
            ("l1", BufferType::L1),
            ("l1-small", BufferType::L1Small),
            ("trace", BufferType::Trace),
        ])?;
        let pages = self.next_pages()?;
        let top_down = if self.optional("top") {
            Some(true)
        } else {
            self.optional("bottom").then_some(false)
        };
        let shards =
            if self.optional("shards") { Some(small(self.next_number(SHARDS)?)) } else { None };
        Ok(BufferSpec { buffer_type, pages, top_down, shards })
    }

    fn reads(&mut self) -> Parsed<Vec<BufferHandle>> {
        if !self.optional("reads") {
            return Ok(Vec::new());
        }
        let list = self.word("buffers such as `b0,b1`")?;
        list.items().map(|item| self.handle_of(item, BUFFER).map(BufferHandle)).collect()
    }

    fn circular_buffers(&mut self) -> Parsed<Vec<CircularBufferSpec>> {
        if !self.optional("cbs") {
            return Ok(Vec::new());
        }
        let list = self.word("circular buffers such as `3x4096,1x2048@0-0:3-3`")?;
        let mut specs = Vec::new();
        let mut total = 0;
        for item in list.items() {
            let spec = self.circular_buffer(item)?;
            total += u64::from(spec.count);
            if total > CIRCULAR_BUFFER_TOTAL.most {
                return Err(self.out_of_range(item, CIRCULAR_BUFFER_TOTAL));
            }
            specs.push(spec);
        }
        Ok(specs)
    }

    fn circular_buffer(&self, item: Word<'_>) -> Parsed<CircularBufferSpec> {
        let (pages, cores) = match item.split_once('@') {
            Some((pages, cores)) => (pages, Some(cores)),
            None => (item, None),
        };
        let expected = "a count and a size such as `3x4096`";
        let parts = pages.split_once('x');
        let (count, size) = parts.ok_or_else(|| self.unexpected(Some(pages), expected))?;
        Ok(CircularBufferSpec {
            count: small(self.number(count, CIRCULAR_BUFFER_COUNT)?),
            size: Bytes(self.number(size, CIRCULAR_BUFFER_SIZE)?),
            cores: cores.map(|cores| self.core_range(cores)).transpose()?,
        })
    }

    fn core_range(&self, word: Word<'_>) -> Parsed<CoreRange> {
        let expected = "two corners such as `0-0:3-3`";
        let wrong = || self.unexpected(Some(word), expected);
        let (start, end) = word.split_once(':').ok_or_else(wrong)?;
        let (start_x, start_y) = start.split_once('-').ok_or_else(wrong)?;
        let (end_x, end_y) = end.split_once('-').ok_or_else(wrong)?;
        let start = self.coordinates(start_x, start_y)?;
        let end = self.coordinates(end_x, end_y)?;
        if start.0 > end.0 || start.1 > end.1 {
            let expected = "two corners such as `0-0:3-3`, the lower one first";
            return Err(self.unexpected(Some(word), expected));
        }
        Ok(CoreRange { start, end })
    }
}
