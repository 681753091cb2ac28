//! The lines of operations: one row of a table for each keyword.

use super::error::ScenarioError;
use super::lex::Words;
use crate::op::{CaptureStep, ChildEnd, Moves, Op, RunMode, RunSpec, Stream};

type Parsed<T> = Result<T, ScenarioError>;
type Reader = fn(&mut Words<'_>) -> Parsed<Op>;

/// An operation of the language.
#[derive(Clone, Copy, Debug)]
pub struct OperationForm {
    /// Its first word.
    pub keyword: &'static str,
    /// An example of its line; brackets mark what can be left out, a bar a choice.
    pub form: &'static str,
    /// Reads what follows the first word.
    pub(super) read: Reader,
}

const fn row(keyword: &'static str, form: &'static str, read: Reader) -> OperationForm {
    OperationForm { keyword, form, read }
}

/// Every operation of the language, in the order of [`Op`].
pub const OPERATIONS: [OperationForm; 48] = [
    row("open", "open m0 2x4 [at 0,0]", open),
    row("submesh", "submesh m1 of m0 1x2 [at 0,0]", submesh),
    row("close", "close m0", |words| Ok(Op::Close(words.mesh()?))),
    row("alloc", "alloc b0 on m0|d0 dram|l1|l1-small|trace 12x2048 [top|bottom] [shards 4]", alloc),
    row("alias", "alias b1 of b0", |words| {
        let (buffer, of) = words.buffer_of()?;
        Ok(Op::Alias { buffer, of })
    }),
    row("view", "view b1 of b0 [1x2048]", view),
    row("share", "share b1 of b0", |words| {
        let (buffer, of) = words.buffer_of()?;
        Ok(Op::Share { buffer, of })
    }),
    row("deallocate", "deallocate b0", |words| Ok(Op::Deallocate(words.buffer()?))),
    row("mark", "mark b0", |words| Ok(Op::Mark(words.buffer()?))),
    row("drop", "drop b0|m0|p0", |words| Ok(Op::Drop(words.any_handle()?))),
    row("cycle", "cycle b0", |words| Ok(Op::Cycle(words.buffer()?))),
    row("gc", "gc", |_| Ok(Op::Gc)),
    row("release", "release b0 backing|d3", release),
    row("use", "use b0", |words| Ok(Op::Use(words.buffer()?))),
    row("program", "program p0 on m0 [cbs 3x4096,1x2048@0-0:3-3]", program),
    row("share-program", "share-program p1 of p0", share_program),
    row("assign", "assign b0 to p0", assign),
    row("enqueue", "enqueue p0 [reads b0,b1]", enqueue),
    row(
        "run",
        "run k0 on m0 [cbs 3x4096] [kernel 2x1024] [reads b0,b1] [out b2 dram 12x2048] [stale] \
         [move|reallocate]",
        run,
    ),
    row("clear-cache", "clear-cache m0", |words| Ok(Op::ClearCache(words.mesh()?))),
    row("disable-cache", "disable-cache m0", |words| Ok(Op::DisableCache(words.mesh()?))),
    row("enable-cache", "enable-cache m0", |words| Ok(Op::EnableCache(words.mesh()?))),
    row("begin-trace", "begin-trace r0 on m0", begin_trace),
    row("end-trace", "end-trace r0", |words| Ok(Op::EndTrace(words.trace()?))),
    row("replay", "replay r0", |words| Ok(Op::Replay(words.trace()?))),
    row("release-trace", "release-trace r0", |words| Ok(Op::ReleaseTrace(words.trace()?))),
    row("async", "async m0 on|off", |words| {
        let mesh = words.mesh()?;
        Ok(Op::Async { mesh, on: words.one_of(&[("on", true), ("off", false)])? })
    }),
    row("finish", "finish m0", |words| Ok(Op::Finish(words.mesh()?))),
    row("load-manager", "load-manager m0 s1", |words| {
        Ok(Op::LoadManager { mesh: words.mesh()?, manager: words.manager()? })
    }),
    row("deallocate-all", "deallocate-all m0", |words| Ok(Op::DeallocateAll(words.mesh()?))),
    row("clear-allocator", "clear-allocator m0", |words| Ok(Op::ClearAllocator(words.mesh()?))),
    row("capture", "capture begin|end [normal]", capture),
    row("tracking", "tracking on|off", |words| {
        Ok(Op::Tracking(words.one_of(&[("on", true), ("off", false)])?))
    }),
    row("server", "server restart", |words| words.fixed("restart").map(|()| Op::ServerRestart)),
    row("lose", "lose 3", |words| Ok(Op::Lose(words.lost()?))),
    row("stall", "stall", |_| Ok(Op::Stall)),
    row("reconnect", "reconnect", |_| Ok(Op::Reconnect)),
    row("deliver", "deliver old|new", |words| {
        Ok(Op::Deliver(words.one_of(&[("old", Stream::Old), ("new", Stream::New)])?))
    }),
    row("process", "process q1", |words| Ok(Op::Process(words.process()?))),
    row("kill", "kill q1", |words| Ok(Op::Kill(words.process()?))),
    row("reap", "reap", |_| Ok(Op::Reap)),
    row("checkpoint", "checkpoint", |_| Ok(Op::Checkpoint)),
    row("exit", "exit", |_| Ok(Op::Exit)),
    row("dataflow-program", "dataflow-program p0 on m0 [dfbs 1x4096]", dataflow_program),
    row("inspector", "inspector on", |words| words.fixed("on").map(|()| Op::Inspector)),
    row("static", "static b0|m0|p0", |words| Ok(Op::Static(words.any_handle()?))),
    row("deallocate-unforced", "deallocate-unforced b0", |words| {
        Ok(Op::DeallocateUnforced(words.buffer()?))
    }),
    row("fork", "fork exit|_exit", |words| {
        let ends = [("exit", ChildEnd::Exit), ("_exit", ChildEnd::Immediate)];
        Ok(Op::Fork(words.one_of(&ends)?))
    }),
];

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
    Ok(Op::Release { buffer: words.buffer()?, piece: words.piece()? })
}

fn program(words: &mut Words<'_>) -> Parsed<Op> {
    let program = words.program()?;
    words.fixed("on")?;
    let mesh = words.mesh()?;
    Ok(Op::Program { program, mesh, circular_buffers: words.circular_buffers()? })
}

fn dataflow_program(words: &mut Words<'_>) -> Parsed<Op> {
    let program = words.program()?;
    words.fixed("on")?;
    let mesh = words.mesh()?;
    Ok(Op::DataflowProgram { program, mesh, dataflow_buffers: words.program_buffers("dfbs")? })
}

fn capture(words: &mut Words<'_>) -> Parsed<Op> {
    let begins = words.one_of(&[("begin", true), ("end", false)])?;
    Ok(Op::Capture(match begins {
        true if words.optional("normal") => CaptureStep::Begin(RunMode::Normal),
        true => CaptureStep::Begin(RunMode::NoDispatch),
        false => CaptureStep::End,
    }))
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

fn begin_trace(words: &mut Words<'_>) -> Parsed<Op> {
    let trace = words.trace()?;
    words.fixed("on")?;
    Ok(Op::BeginTrace { trace, mesh: words.mesh()? })
}

fn enqueue(words: &mut Words<'_>) -> Parsed<Op> {
    Ok(Op::Enqueue { program: words.program()?, reads: words.reads()? })
}

fn run(words: &mut Words<'_>) -> Parsed<Op> {
    let key = words.cache_key()?;
    words.fixed("on")?;
    let mesh = words.mesh()?;
    let circular_buffers = words.circular_buffers()?;
    let kernel = if words.optional("kernel") { Some(words.next_pages()?) } else { None };
    let reads = words.reads()?;
    let output =
        if words.optional("out") { Some((words.buffer()?, words.buffer_spec()?)) } else { None };
    let stale = words.optional("stale");
    let named = [("move", Moves::Move), ("reallocate", Moves::Reallocate)];
    let moves = named.into_iter().find(|(word, _)| words.optional(word)).map(|(_, moves)| moves);
    let spec = RunSpec { key, mesh, circular_buffers, kernel, reads, output, stale, moves };
    Ok(Op::Run(Box::new(spec)))
}
