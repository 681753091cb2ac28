//! The parts that operations are made of: handles, places, pages, lists.

use super::error::ScenarioError;
use super::lex::{HandleKind, Word, Words};
use super::limits::{
    BUFFER, BUFFER_SIZE, CIRCULAR_BUFFER_COUNT, CIRCULAR_BUFFER_SIZE, COORDINATE, DEVICE, KEY,
    LOST, MANAGER, MESH, MESH_SIDE, PAGE_COUNT, PAGE_SIZE, PROCESS, PROGRAM, SHARDS, THREAD, TRACE,
};
use crate::op::{
    BufferHandle, BufferSpec, CacheKey, CircularBufferSpec, CoreRange, Handle, MeshHandle, Pages,
    Piece, Place, ProcessId, ProgramHandle, SubDeviceManagerId, ThreadId, TraceHandle,
};
use crate::units::{BufferType, Bytes, DeviceId, MeshShape};

type Parsed<T> = Result<T, ScenarioError>;

/// A number that its limit keeps below 2^32.
fn small(number: u64) -> u32 {
    u32::try_from(number).expect("the limit is below 2^32")
}

/// A number that its limit keeps below 256.
fn byte(number: u64) -> u8 {
    u8::try_from(number).expect("the limit is below 256")
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

    pub fn buffer(&mut self) -> Parsed<BufferHandle> {
        self.next_handle(BUFFER).map(BufferHandle)
    }

    pub fn mesh(&mut self) -> Parsed<MeshHandle> {
        self.next_handle(MESH).map(MeshHandle)
    }

    pub fn program(&mut self) -> Parsed<ProgramHandle> {
        self.next_handle(PROGRAM).map(ProgramHandle)
    }

    pub fn cache_key(&mut self) -> Parsed<CacheKey> {
        self.next_handle(KEY).map(CacheKey)
    }

    pub fn trace(&mut self) -> Parsed<TraceHandle> {
        self.next_handle(TRACE).map(TraceHandle)
    }

    pub fn manager(&mut self) -> Parsed<SubDeviceManagerId> {
        self.next_handle(MANAGER).map(SubDeviceManagerId)
    }

    /// The thread that a part of a word names.
    pub fn thread(&self, word: Word<'_>) -> Parsed<ThreadId> {
        self.handle_of(word, THREAD).map(ThreadId)
    }

    pub fn lost(&mut self) -> Parsed<u32> {
        self.next_number(LOST).map(small)
    }

    pub fn process(&mut self) -> Parsed<ProcessId> {
        self.next_handle(PROCESS).map(ProcessId)
    }

    pub fn buffer_of(&mut self) -> Parsed<(BufferHandle, BufferHandle)> {
        let buffer = self.buffer()?;
        self.fixed("of")?;
        Ok((buffer, self.buffer()?))
    }

    pub fn any_handle(&mut self) -> Parsed<Handle> {
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

    pub fn place(&mut self) -> Parsed<Place> {
        let expected = "a mesh or a device such as `m0` or `d0`";
        let word = self.word(expected)?;
        if let Some(number) = self.handle(word, MESH)? {
            return Ok(Place::Mesh(MeshHandle(number)));
        }
        let number = self.handle(word, DEVICE)?;
        let number = number.ok_or_else(|| self.unexpected(Some(word), expected))?;
        Ok(Place::Device(DeviceId(byte(number.into()))))
    }

    pub fn piece(&mut self) -> Parsed<Piece> {
        let expected = "`backing` or a device such as `d0`";
        let word = self.word(expected)?;
        if word.text == "backing" {
            return Ok(Piece::Backing);
        }
        let number = self.handle(word, DEVICE)?;
        let number = number.ok_or_else(|| self.unexpected(Some(word), expected))?;
        Ok(Piece::Local(DeviceId(byte(number.into()))))
    }

    pub fn shape(&mut self) -> Parsed<MeshShape> {
        let expected = "rows and columns such as `2x4`";
        let word = self.word(expected)?;
        let sides = word.split_once('x');
        let (rows, columns) = sides.ok_or_else(|| self.unexpected(Some(word), expected))?;
        Ok(MeshShape {
            rows: byte(self.number(rows, MESH_SIDE)?),
            columns: byte(self.number(columns, MESH_SIDE)?),
        })
    }

    pub fn at(&mut self) -> Parsed<(u8, u8)> {
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

    pub fn next_pages(&mut self) -> Parsed<Pages> {
        let word = self.word("pages such as `12x2048`")?;
        self.pages(word)
    }

    pub fn pages(&self, word: Word<'_>) -> Parsed<Pages> {
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

    pub fn buffer_spec(&mut self) -> Parsed<BufferSpec> {
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

    pub fn reads(&mut self) -> Parsed<Vec<BufferHandle>> {
        if !self.optional("reads") {
            return Ok(Vec::new());
        }
        let list = self.word("buffers such as `b0,b1`")?;
        list.items().map(|item| self.handle_of(item, BUFFER).map(BufferHandle)).collect()
    }

    pub fn circular_buffers(&mut self) -> Parsed<Vec<CircularBufferSpec>> {
        self.program_buffers("cbs")
    }

    /// The circular buffers, or the dataflow buffers, behind their word.
    pub fn program_buffers(&mut self, word: &'static str) -> Parsed<Vec<CircularBufferSpec>> {
        if !self.optional(word) {
            return Ok(Vec::new());
        }
        let list = self.word("circular buffers such as `3x4096,1x2048@0-0:3-3`")?;
        let mut specs = Vec::new();
        let mut total = 0;
        for item in list.items() {
            let spec = self.circular_buffer(item)?;
            total += u64::from(spec.count);
            if total > CIRCULAR_BUFFER_COUNT.most {
                return Err(ScenarioError::OutOfRange {
                    at: self.position(item),
                    message: format!("the list has {total} circular buffers up to here"),
                    hint: format!("expected at most {}", CIRCULAR_BUFFER_COUNT.most),
                });
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
