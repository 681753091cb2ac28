//! The line of a scenario that each operation prints as; the parser reads it back.

use std::fmt;

use super::{Op, RunSpec};

struct Listed<'a, T>(&'static str, &'a [T], char);

impl<T: fmt::Display> fmt::Display for Listed<'_, T> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self(word, items, separator) = self;
        for (index, item) in items.iter().enumerate() {
            if index == 0 {
                write!(f, " {word} {item}")?;
            } else {
                write!(f, "{separator}{item}")?;
            }
        }
        Ok(())
    }
}

impl fmt::Display for RunSpec {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "run {} on {}", self.key, self.mesh)?;
        write!(f, "{}", Listed("cbs", &self.circular_buffers, ','))?;
        if let Some(kernel) = self.kernel {
            write!(f, " kernel {kernel}")?;
        }
        write!(f, "{}", Listed("reads", &self.reads, ','))?;
        if let Some((buffer, spec)) = self.output {
            write!(f, " out {buffer} {spec}")?;
        }
        f.write_str(if self.stale { " stale" } else { "" })?;
        self.moves.map_or(Ok(()), |moves| write!(f, " {moves}"))
    }
}

struct At((u8, u8));

impl fmt::Display for At {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.0 {
            (0, 0) => Ok(()),
            (row, column) => write!(f, " at {row},{column}"),
        }
    }
}

impl fmt::Display for Op {
    /// Prints the line of a scenario; the parser reads it back to an equal value.
    #[allow(clippy::too_many_lines, reason = "one arm for each line of the language")]
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Open { mesh, shape, at } => write!(f, "open {mesh} {shape}{}", At(*at)),
            Self::Submesh { mesh, parent, shape, at } => {
                write!(f, "submesh {mesh} of {parent} {shape}{}", At(*at))
            }
            Self::Close(mesh) => write!(f, "close {mesh}"),
            Self::Alloc { buffer, place, spec } => write!(f, "alloc {buffer} on {place} {spec}"),
            Self::Alias { buffer, of } => write!(f, "alias {buffer} of {of}"),
            Self::View { buffer, of, pages: Some(pages) } => {
                write!(f, "view {buffer} of {of} {pages}")
            }
            Self::View { buffer, of, pages: None } => write!(f, "view {buffer} of {of}"),
            Self::Share { buffer, of } => write!(f, "share {buffer} of {of}"),
            Self::Deallocate(buffer) => write!(f, "deallocate {buffer}"),
            Self::DeallocateUnforced(buffer) => write!(f, "deallocate-unforced {buffer}"),
            Self::Mark(buffer) => write!(f, "mark {buffer}"),
            Self::Drop(handle) => write!(f, "drop {handle}"),
            Self::Cycle(buffer) => write!(f, "cycle {buffer}"),
            Self::Gc => f.write_str("gc"),
            Self::Release { buffer, piece } => write!(f, "release {buffer} {piece}"),
            Self::Use(buffer) => write!(f, "use {buffer}"),
            Self::Program { program, mesh, circular_buffers } => {
                write!(f, "program {program} on {mesh}{}", Listed("cbs", circular_buffers, ','))
            }
            Self::DataflowProgram { program, mesh, dataflow_buffers } => {
                write!(f, "dataflow-program {program} on {mesh}")?;
                write!(f, "{}", Listed("dfbs", dataflow_buffers, ','))
            }
            Self::ShareProgram { program, of } => write!(f, "share-program {program} of {of}"),
            Self::Assign { buffer, program } => write!(f, "assign {buffer} to {program}"),
            Self::Enqueue { program, reads } => {
                write!(f, "enqueue {program}{}", Listed("reads", reads, ','))
            }
            Self::Run(spec) => spec.fmt(f),
            Self::ClearCache(mesh) => write!(f, "clear-cache {mesh}"),
            Self::DisableCache(mesh) => write!(f, "disable-cache {mesh}"),
            Self::EnableCache(mesh) => write!(f, "enable-cache {mesh}"),
            Self::BeginTrace { trace, mesh } => write!(f, "begin-trace {trace} on {mesh}"),
            Self::EndTrace(trace) => write!(f, "end-trace {trace}"),
            Self::Replay(trace) => write!(f, "replay {trace}"),
            Self::ReleaseTrace(trace) => write!(f, "release-trace {trace}"),
            Self::Async { mesh, on } => {
                write!(f, "async {mesh} {}", if *on { "on" } else { "off" })
            }
            Self::Finish(mesh) => write!(f, "finish {mesh}"),
            Self::LoadManager { mesh, manager } => write!(f, "load-manager {mesh} {manager}"),
            Self::DeallocateAll(mesh) => write!(f, "deallocate-all {mesh}"),
            Self::ClearAllocator(mesh) => write!(f, "clear-allocator {mesh}"),
            Self::Capture(step) => write!(f, "capture {step}"),
            Self::Inspector => f.write_str("inspector on"),
            Self::Static(handle) => write!(f, "static {handle}"),
            Self::Tracking(on) => write!(f, "tracking {}", if *on { "on" } else { "off" }),
            Self::ServerRestart => f.write_str("server restart"),
            Self::Lose(count) => write!(f, "lose {count}"),
            Self::Stall => f.write_str("stall"),
            Self::Reconnect => f.write_str("reconnect"),
            Self::Deliver(stream) => write!(f, "deliver {stream}"),
            Self::Process(process) => write!(f, "process {process}"),
            Self::Kill(process) => write!(f, "kill {process}"),
            Self::Fork(end) => write!(f, "fork {end}"),
            Self::Reap => f.write_str("reap"),
            Self::Checkpoint => f.write_str("checkpoint"),
            Self::Exit => f.write_str("exit"),
        }
    }
}
